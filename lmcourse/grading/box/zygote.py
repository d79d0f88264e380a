"""A process with torch loaded. It forks a box for each submission and passes messages between box and grader.

Run as `python -m lmcourse.grading.box.zygote`. Frames come on standard input and go to standard output: channel 0 is
this process itself, the others lead into the box. It never runs what a student wrote and never uses torch, so it
stays one thread, and a fork of it is whole.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from lmcourse.grading.box.frames import (
    CONTROL,
    MAIN,
    BrokenMessage,
    Incoming,
    as_json,
    frame,
    parsed,
    write_all,
)
from lmcourse.grading.box.watch import Watch
from lmcourse.grading.limits import Limits

TICK = 0.05


@dataclass
class Channel:
    end: socket.socket
    incoming: Incoming
    waiting: bytearray = field(default_factory=bytearray)


class Zygote:
    """Serves one grader, one box at a time."""

    def __init__(self, isolation: str) -> None:
        self.isolation = isolation
        self.input, self.output = os.dup(0), os.dup(1)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        self.commands = Incoming(2**31 - 1)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.input, selectors.EVENT_READ, None)
        self.channels: dict[int, Channel] = {}
        self.watch: Watch | None = None
        self.number = os.getpid() * 100

    def serve(self) -> None:
        self._tell(CONTROL, as_json({"event": "ready", "threads": len(os.listdir("/proc/self/task"))}))
        while True:
            for key, mask in self.selector.select(TICK if self.watch else None):
                if key.data is None:
                    data = os.read(self.input, 2**20)
                    if not data:
                        self._close()
                        return
                    for channel, body in self.commands.feed(data):
                        self._obey(channel, body)
                elif key.data in self.channels:
                    self._pass_on(key.data, mask)
            if self.watch:
                self._look()

    def _obey(self, channel: int, body: bytes) -> None:
        if channel != CONTROL:
            if channel in self.channels:
                self.channels[channel].waiting += frame(channel, body)
                self._flush(channel)
            return
        order = parsed(body)
        if order["do"] == "open":
            self._open(Limits(**order["limits"]), order["channels"])
        elif order["do"] == "interrupt" and self.watch:
            self.watch.interrupt()
        elif order["do"] == "close":
            peak = self.watch.peak if self.watch else 0
            self._close()
            self._tell(CONTROL, as_json({"event": "closed", "peak": peak}))

    def _open(self, limits: Limits, count: int) -> None:
        self._close()
        self.number += 1
        pairs = {number: socket.socketpair() for number in range(MAIN, MAIN + count)}
        outer = os.fork()
        if outer == 0:
            self._live(limits, pairs)
        for number, (ours, theirs) in pairs.items():
            theirs.close()
            ours.setblocking(False)
            self.channels[number] = Channel(ours, Incoming(limits.message_bytes))
            self.selector.register(ours, selectors.EVENT_READ, number)
        self.passed, self.limits = 0, limits
        self.watch = Watch(outer, limits, self.isolation != "none")
        self._tell(CONTROL, as_json({"event": "opened"}))

    def _live(self, limits: Limits, pairs: dict[int, tuple[socket.socket, socket.socket]]) -> None:
        """In the child: raise the walls and never come back."""
        try:
            from lmcourse.grading.box.inside import live
            from lmcourse.grading.box.shell import Shell
            from lmcourse.grading.box.walls import raise_walls

            if self.isolation == "namespaces":
                raise_walls(limits, self.number)
            elif self.isolation == "none":
                os.setsid()
            shell = Shell.instance()
            live(shell, {number: theirs.detach() for number, (_, theirs) in pairs.items()}, limits)
        except BaseException as error:
            try:
                fd = pairs[MAIN][1].fileno()
                write_all(fd, frame(MAIN, as_json({"broken": f"{type(error).__name__}: {error}"[:2000]})))
            finally:
                os._exit(70)
        os._exit(0)

    def _pass_on(self, number: int, mask: int) -> None:
        channel = self.channels[number]
        if mask & selectors.EVENT_WRITE:
            self._flush(number)
        if not mask & selectors.EVENT_READ or number not in self.channels:
            return
        try:
            data = channel.end.recv(2**18)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(number)
            return
        self.passed += len(data)
        try:
            frames = channel.incoming.feed(data)
            if self.passed > self.limits.all_messages_bytes:
                raise BrokenMessage("all messages together are too long")
        except BrokenMessage as error:
            self._end("output", str(error))
            return
        # The number in the frame is the student's word; the one it came by counts.
        for _, body in frames:
            self._tell(number, body)

    def _flush(self, number: int) -> None:
        channel = self.channels[number]
        try:
            while channel.waiting:
                sent = channel.end.send(channel.waiting[: 2**18])
                del channel.waiting[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._drop(number)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.waiting else 0)
        self.selector.modify(channel.end, events, number)

    def _drop(self, number: int) -> None:
        channel = self.channels.pop(number)
        self.selector.unregister(channel.end)
        channel.end.close()
        self._tell(CONTROL, as_json({"event": "eof", "channel": number}))

    def _look(self) -> None:
        why = self.watch.exceeded()
        if why:
            self._end(*why)

    def _end(self, kind: str, why: str) -> None:
        peak = self.watch.peak if self.watch else 0
        self._close()
        self._tell(CONTROL, as_json({"event": "over", "kind": kind, "why": why, "peak": peak}))

    def _close(self) -> None:
        if self.watch:
            self.watch.kill()
            self.watch = None
        for channel in self.channels.values():
            self.selector.unregister(channel.end)
            channel.end.close()
        self.channels.clear()

    def _tell(self, channel: int, body: bytes) -> None:
        write_all(self.output, frame(channel, body))


def _load() -> None:
    """Load now what every notebook loads, so that a fork has it for nothing."""
    import torch

    import lmcourse.exercises
    import lmcourse.grading.box.inside
    from lmcourse.grading.box.shell import make_shell

    lmcourse.exercises.open_exercises  # noqa: B018
    torch.set_num_threads(1)
    make_shell()


def main(arguments: list[str]) -> Any:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's affair
    zygote = Zygote(arguments[0] if arguments else "namespaces")
    _load()
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, every page
    time.tzset()
    zygote.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
