"""Passes messages between the grader and a box, and looks after the box.

It is no more than a go-between, and a process of its own: what has passed through a process stays in its memory
for a while, and every box begins as a copy of the process that forks it.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
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

TICK = 0.02


@dataclass
class Channel:
    end: socket.socket
    incoming: Incoming
    waiting: bytearray = field(default_factory=bytearray)


@dataclass
class Made:
    """A box in which nothing of a student has run yet, and our ends of its channels."""

    limits: Limits
    ends: dict[int, socket.socket]
    watch: Watch


class Relay:
    """Serves one grader, one box at a time. `forker` is a socket to the process that forks.

    Behind walls of its own the next box gets ready while the one before works.
    """

    def __init__(self, isolation: str, forker: socket.socket) -> None:
        self.isolation, self.forker = isolation, forker
        self.input, self.output = 0, 1
        self.commands = Incoming(2**31 - 1)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.input, selectors.EVENT_READ, None)
        self.channels: dict[int, Channel] = {}
        self.watch: Watch | None = None
        self.next: Made | None = None
        self.number = os.getpid() * 100
        self.clean = True  # nothing of an earlier box is left
        if isolation == "container":
            from lmcourse.grading.box.users import user_numbers

            self.users = user_numbers()

    def serve(self) -> None:
        self._tell(
            CONTROL, as_json({"event": "ready", "threads": self._ask_forker({"threads": True})["threads"]})
        )
        while True:
            for key, mask in self.selector.select(TICK if self.watch else None):
                if key.data is None:
                    data = os.read(self.input, 2**20)
                    if not data:
                        self._close()
                        self._drop_next()
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
            outer = self._kill()
            self._tell(CONTROL, as_json({"event": "closed", "peak": peak, "clean": self.clean}))
            self._reap(outer)  # takes a while, and nobody needs to wait for it

    def _open(self, limits: Limits, count: int) -> None:
        self._close()
        if self.next and (self.next.limits, len(self.next.ends)) != (limits, count):
            self._drop_next()
        made, self.next = self.next or self._make(limits, count), None
        for number, end in made.ends.items():
            self.channels[number] = Channel(end, Incoming(limits.message_bytes))
            self.selector.register(end, selectors.EVENT_READ, number)
        self.passed, self.limits, self.watch = 0, limits, made.watch
        self._tell(CONTROL, as_json({"event": "opened"}))
        if self.isolation == "namespaces":
            self.next = self._make(limits, count)

    def _make(self, limits: Limits, count: int) -> Made:
        self.number = next(self.users) if self.isolation == "container" else self.number + 1
        pairs = {number: socket.socketpair() for number in range(MAIN, MAIN + count)}
        order = {"limits": asdict(limits), "number": self.number, "channels": list(pairs)}
        outer = self._ask_forker(order, [theirs.fileno() for _, theirs in pairs.values()])["process"]
        for ours, theirs in pairs.values():
            theirs.close()
            ours.setblocking(False)
        return Made(limits, {number: ours for number, (ours, _) in pairs.items()}, self._watch(outer, limits))

    def _drop_next(self) -> None:
        if self.next:
            self.next.watch.kill()
            self._reap(self.next.watch.outer)
            for end in self.next.ends.values():
                end.close()
            self.next = None

    def _ask_forker(self, order: dict[str, Any], descriptors: Sequence[int] = ()) -> dict[str, Any]:
        socket.send_fds(self.forker, [json.dumps(order).encode()], descriptors)
        return json.loads(self.forker.recv(4096))

    def _watch(self, outer: int, limits: Limits) -> Watch:
        if self.isolation == "container":
            from lmcourse.grading.box.users import UserWatch

            return UserWatch(outer, limits, self.number)
        return Watch(outer, limits, self.isolation != "none")

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
        if frames:
            write_all(self.output, b"".join(frame(number, body) for _, body in frames))

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
        self._reap(self._kill())

    def _kill(self) -> int | None:
        """End the box and forget it; what is left to do is to reap the process that is returned."""
        outer = None
        if self.watch:
            self.clean = self.watch.kill() and self.clean
            outer, self.watch = self.watch.outer, None
        for channel in self.channels.values():
            self.selector.unregister(channel.end)
            channel.end.close()
        self.channels.clear()
        return outer

    def _reap(self, outer: int | None) -> None:
        if outer is not None:
            self._ask_forker({"reap": outer})

    def _tell(self, channel: int, body: bytes) -> None:
        write_all(self.output, frame(channel, body))
