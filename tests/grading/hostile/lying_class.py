"""Returns objects that lie about their class, also by a metaclass."""


# %% all
class Meta(type):
    __instancecheck__ = __subclasscheck__ = __eq__ = lambda *a: True
    __hash__ = type.__hash__
    __name__ = "list"


class Lie(metaclass=Meta):
    __class__ = property(lambda self: list)
    dtype = property(lambda self: "torch.int64")
    ndim = 0

    def item(self):
        return Lie()

    def __eq__(self, other):
        return True

    __hash__ = None


def NAME(*args, **kwargs):
    return Lie()
