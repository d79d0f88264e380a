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


class Relay:
    """Serves one grader, one box at a time. `forker` is a socket to the process that forks."""

    def __init__(self, isolation: str, forker: socket.socket) -> None:
        self.isolation, self.forker = isolation, forker
        self.input, self.output = 0, 1
        self.commands = Incoming(2**31 - 1)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.input, selectors.EVENT_READ, None)
        self.channels: dict[int, Channel] = {}
        self.watch: Watch | None = None
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
            self._tell(CONTROL, as_json({"event": "closed", "peak": peak, "clean": self.clean}))

    def _open(self, limits: Limits, count: int) -> None:
        self._close()
        self.number = next(self.users) if self.isolation == "container" else self.number + 1
        pairs = {number: socket.socketpair() for number in range(MAIN, MAIN + count)}
        order = {"limits": asdict(limits), "number": self.number, "channels": list(pairs)}
        outer = self._ask_forker(order, [theirs.fileno() for _, theirs in pairs.values()])["process"]
        for number, (ours, theirs) in pairs.items():
            theirs.close()
            ours.setblocking(False)
            self.channels[number] = Channel(ours, Incoming(limits.message_bytes))
            self.selector.register(ours, selectors.EVENT_READ, number)
        self.passed, self.limits = 0, limits
        self.watch = self._watch(outer, limits)
        self._tell(CONTROL, as_json({"event": "opened"}))

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
            self.clean = self.watch.kill() and self.clean
            self._ask_forker({"reap": self.watch.outer})
            self.watch = None
        for channel in self.channels.values():
            self.selector.unregister(channel.end)
            channel.end.close()
        self.channels.clear()

    def _tell(self, channel: int, body: bytes) -> None:
        write_all(self.output, frame(channel, body))
