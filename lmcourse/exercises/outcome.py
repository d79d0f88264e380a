"""Calling a student's function on packed arguments and packing what came of it.

This is the side that a grader may put in a box: it holds the student's code and nothing to compare with.
"""

from __future__ import annotations

import itertools
import linecache
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from lmcourse.exercises.codec import CodecError, pack, unpack

TIME_LIMIT = 20.0
_MAX_ITEMS = 1_000_000


class TookTooLong(Exception):
    """The call did not come back within its time limit."""


class Stream:
    """An iterator over `items` that counts how many have been taken, and is nothing more: no length, no index."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)
        self.taken = 0

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Any:
        item = next(self._items)
        self.taken += 1
        return item


def call_packed(
    function: Callable[..., Any], packed_args: bytes, *, collect: str = "", seconds: float = TIME_LIMIT
) -> bytes:
    """Call `function` on a packed `(args, kwargs)` and return its packed outcome.

    An outcome is a dict. `kind` is "returned" (with `value`, and `mutated`: whether an argument was changed),
    "raised" (with `error`: the names of the exception's classes, `message`, `trace`) or "unreadable"
    (`message`: why the value cannot be judged).

    With collect="list" an iterator is run through and becomes a list. With collect="stream" the first argument
    is handed over as a `Stream`, too, and each item comes with how many had been taken from it by then.

    >>> unpack(call_packed(lambda x: x + 1, pack(((41,), {}))))["value"]
    42
    >>> unpack(call_packed(lambda words: map(str.upper, words), pack(((["a", "b"],), {})), collect="stream"))["value"]
    [('A', 1), ('B', 2)]
    """
    args, kwargs = unpack(packed_args)
    try:
        with time_limit(seconds):
            if collect == "stream":
                stream = Stream(args[0])
                value = [(item, stream.taken) for item in _items(function(stream, *args[1:], **kwargs))]
            else:
                value = function(*args, **kwargs)
                if collect:
                    value = list(_items(value))
    # A student's SystemExit must not end the notebook's kernel either; a stop by hand must.
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return pack(
            {
                "kind": "raised",
                "error": [c.__name__ for c in type(error).__mro__ if c not in (object, BaseException)],
                "message": _message(error),
                "trace": _student_frames(error),
            }
        )
    try:
        mutated = pack((args, kwargs)) != packed_args
        return pack({"kind": "returned", "value": value, "mutated": mutated})
    except CodecError as error:
        message = str(error).replace("value['value']", "value", 1).replace("value", "the result", 1)
        return pack({"kind": "unreadable", "message": message})


def _items(value: Any) -> Iterator[Any]:
    if not isinstance(value, Iterator):
        raise TypeError(f"expected an iterator (use yield), got a {type(value).__name__}")
    return itertools.islice(value, _MAX_ITEMS)


def _message(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except Exception:
        return "(the exception's message cannot be shown)"


def _student_frames(error: BaseException) -> str:
    """The traceback without our own frames: what the student wrote, with carets, deepest last."""
    frames = traceback.extract_tb(error.__traceback__)
    shown = [f for f in frames if f.filename != __file__][-4:]
    for frame in shown:
        linecache.checkcache(frame.filename)
    lines = [f"line {f.lineno}, in {f.name}:\n    {f.line}" for f in shown if f.line]
    return "\n".join(lines)[:4000]


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop a pure Python loop after `seconds`. Works in a main thread on Unix; elsewhere it does nothing."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(signum: int, frame: Any) -> None:
        raise TookTooLong(f"no answer within {seconds:g} s: is there a loop that does not end?")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
