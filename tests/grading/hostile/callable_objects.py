"""Gives no function but objects with a function's name, which change what they are from call to call."""


# %% all
class Answer:
    __name__ = "NAME"
    __module__ = "__main__"
    calls = 0

    def __call__(self, *args, **kwargs):
        Answer.calls += 1
        return (None, [], 0, "", ([], 1.0))[Answer.calls % 5]

    def __getattr__(self, name):
        return self


NAME = Answer()
