"""Yields for ever, yields nothing for ever, and yields from itself."""


# %% decode_stream
def decode_stream(tokens):
    while True:
        yield ""


# %% merge_pair
class Endless(list):
    def __iter__(self):
        while True:
            yield 1


def merge_pair(ids, pair, new_id):
    return Endless([1])


# %% bpe_encode
class Keys(dict):
    def items(self):
        while True:
            yield "a", 1


def bpe_encode(word, merges):
    return Keys(a=1)
