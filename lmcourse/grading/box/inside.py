"""The student's side of the wall. Whatever runs here belongs to the student, this code included.

The main process runs cells. At a check it forks a snapshot, which waits: only after the last cell are snapshots
asked, so that no cell can show what a function was asked. Each snapshot has a channel of its own.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from lmcourse.exercises.outcome import call_packed
from lmcourse.exercises.policy import refusal
from lmcourse.grading.box.frames import MAIN, Incoming, as_json, as_raw, frame, parsed, read_frame, write_all
from lmcourse.grading.box.shell import Shell, take_over_output
from lmcourse.grading.limits import Limits

TOLD_EVERY = 0.005


def live(shell: Shell, channels: dict[int, int], limits: Limits) -> None:
    """Serve the grader until it closes the channel. `channels` has a descriptor for each channel number."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _close_others({*channels.values()})
    for _ in range(3):
        os.open(os.devnull, os.O_RDWR)
    take_over_output(shell, limits.output_bytes)
    shell.user_ns.setdefault("__name__", "__main__")
    main = channels[MAIN]
    write_all(main, frame(MAIN, as_json({"ready": True})))
    while (message := read_frame(main)) is not None:
        order = parsed(message[1])
        if order["do"] == "cell":
            outputs, status = shell.run(order["source"])
            write_all(main, frame(MAIN, _told(outputs, status)))
        elif order["do"] == "snapshot":
            if os.fork() == 0:
                try:
                    _serve(shell.user_ns, order, channels)
                finally:
                    os._exit(0)
            os.close(channels.pop(order["channel"]))
            write_all(main, frame(MAIN, as_json({"ready": True})))
    os._exit(0)


def _told(outputs: list[dict[str, Any]], status: str) -> bytes:
    try:
        return as_json({"outputs": outputs, "status": status})
    except (TypeError, ValueError, RecursionError):
        text = "What this cell shows cannot be kept in a notebook.\n"
        return as_json(
            {"outputs": [{"output_type": "stream", "name": "stdout", "text": text}], "status": status}
        )


def _serve(scope: dict[str, Any], order: dict[str, Any], channels: dict[int, int]) -> None:
    """Be a snapshot: say what there is, then answer calls."""
    number, fd = order["channel"], channels[order["channel"]]
    _close_others({fd, 0, 1, 2})
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # threads of the parent are not there any more
    answer = scope.get(order["name"])
    reason = None if answer is None else refusal(answer, order["allow"], order["refuse"])
    write_all(fd, frame(number, as_json({"defined": answer is not None, "refused": reason})))
    incoming, told, told_at = Incoming(2**31 - 1), [], time.monotonic()
    calls, left = {}, 0
    while data := os.read(fd, 2**18):
        for _, body in incoming.feed(data):
            if not left:
                calls = parsed(body)
                left = calls["count"]
                continue
            told.append(frame(number, as_raw(call_packed(answer, parsed(body), **calls["how"]))))
            left -= 1
            # Quick answers are told together, for each word costs the time of a call.
            if not left or time.monotonic() - told_at > TOLD_EVERY:
                write_all(fd, b"".join(told))
                told, told_at = [], time.monotonic()


def _close_others(keep: set[int]) -> None:
    start = 0
    for fd in sorted(keep):
        if start < fd:  # an empty range would close all
            os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, 65536)
