"""Sends outcomes of its own making, each malformed in another way, to break whoever judges them."""

# %% first
import sys

import torch

from lmcourse.exercises.codec import pack

fine = {"kind": "returned", "value": [9, 3, 9], "mutated": False}
error = {"kind": "raised", "error": ["ValueError"], "message": "", "trace": ""}
forged = [
    pack({**fine, "kind": [1]}),
    pack({**error, "error": []}),
    pack({**error, "error": {}, "message": None, "trace": 7}),
    pack({**fine, "mutated": torch.ones(3)}),
    pack({**error, "error": [[1], 2.0], "message": {"a": 1}, "trace": [1]}),
    pack({"kind": "unreadable", "message": 7}),
    pack({**fine, "value": {(): {(): ()}}}),
    b"\xff" * 8,
    b"\0" * 7 + b"\2{}",
    b'\0\0\0\0\0\0\0\x28{"t":"tensor","dtype":"bool","shape":[9]}',
    pack(None)[:-1],
    b"",
]
turn = iter(forged * 1000)


def forge(*args, **kwargs):
    return next(turn)


for module in list(sys.modules.values()):
    if getattr(module, "__name__", "").startswith("lmcourse") and hasattr(module, "call_packed"):
        module.call_packed = forge


# %% all
for _ in range(len("NAME") % 12):  # each exercise begins with another one
    next(turn)


def NAME(*args, **kwargs):
    return None
