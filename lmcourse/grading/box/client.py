"""The grader's side: starts the process that forks boxes, opens them and talks to them, always with a deadline."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from lmcourse.grading.box.folders import package_folders
from lmcourse.grading.box.frames import (
    CONTROL,
    MAIN,
    BrokenMessage,
    Incoming,
    as_json,
    as_raw,
    frame,
    parsed,
    write_all,
)
from lmcourse.grading.limits import Limits

START_SECONDS = 120.0
END_SECONDS = 10.0


class BoxEnded(Exception):
    """The box is over: what ran inside ended by itself or was ended."""


class TookTooLong(Exception):
    """No answer came within the deadline."""


class BoxBroken(RuntimeError):
    """The box could not be made, or the process that makes boxes has died. That is no student's fault."""


class Boxes:
    """Opens boxes, one at a time. A context manager; leaving it ends everything.

    `isolation` is "namespaces", "container" or "none". The child's environment is empty but for what is listed here,
    and it starts in the root folder, so that it inherits nothing worth reading. A container has ceilings of its own,
    made for `limits`; a box with others takes a new container.
    """

    def __init__(self, isolation: str = "namespaces", limits: Limits | None = None) -> None:
        self.isolation, self._limits = isolation, limits or Limits()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start loading, without waiting for it.

        Raises:
            BoxBroken: no container can be started.
        """
        import lmcourse
        from lmcourse.grading.box import container

        # Packages are found where this process finds them, although home and working folder are hidden.
        package = [os.path.dirname(os.path.abspath(path)) for path in lmcourse.__path__]
        environment = {
            "PYTHONPATH": os.pathsep.join([*package_folders(), *package]),
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
            "PIP_RETRIES": "0", "PIP_TIMEOUT": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        }  # fmt: skip
        command = [sys.executable, "-m", "lmcourse.grading.box.zygote", self.isolation]
        around: dict[str, Any] = {"env": environment, "cwd": "/"}
        if self.isolation == "container":
            try:
                engine, name = container.ready_engine(), container.new_name()
            except container.NoEngine as error:
                raise BoxBroken(str(error)) from error
            command, around = container.command(engine, name, self._limits, environment), {}
            self._remove = partial(container.remove, engine, name)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
            **around,
        )
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._queues: dict[int, queue.Queue] = {CONTROL: queue.Queue()}
        self._reader = threading.Thread(target=self._read, args=(self._out, self._queues), daemon=True)
        self._reader.start()
        self._ready = False
        self._clean = True
        self._box: Box | None = None

    def __enter__(self) -> Boxes:
        if self._process is None:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.stdin.close()
        if self.isolation == "container":
            # What is killed here is only the engine's command; the container ends when its input does.
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._remove()
        self._process.kill()
        self._process.wait()
        self._reader.join(END_SECONDS)  # else it might read from what gets the same number next
        self._process.stdout.close()
        self._process = None

    def open(self, limits: Limits, channels: int) -> Box:
        """Return a new box with `channels` channels; the one before is over."""
        if self._process is not None and self._box is not None:
            self._box.settled()
        if self._process is not None and not self._fits(limits):
            self.__exit__()
        if self._process is None:
            self._limits = limits
            self.start()
        if not self._ready:
            threads = self.control("ready", START_SECONDS)["threads"]
            if threads != 1:
                raise BoxBroken(f"the process that makes boxes must have one thread, has {threads}")
            self._ready = True
        self._over: dict[str, Any] | None = None
        for number in range(MAIN, MAIN + channels):
            self._queues[number] = queue.Queue()
        self.send(CONTROL, as_json({"do": "open", "limits": asdict(limits), "channels": channels}))
        self._box = Box(self, limits)
        return self._box

    def _fits(self, limits: Limits) -> bool:
        """Whether the container that runs has room for `limits`, and nothing of an earlier box."""
        sizes = [(which.memory_bytes, which.disk_bytes, which.processes) for which in (limits, self._limits)]
        return self.isolation != "container" or (self._clean and sizes[0] == sizes[1])

    def send(self, channel: int, body: bytes) -> None:
        try:
            write_all(self._in, frame(channel, body))
        except OSError as error:
            raise self._died() from error

    def control(self, event: str, seconds: float) -> dict[str, Any]:
        """Return the next message `event` of the forking process; what happened to a box before is passed over."""
        deadline = time.monotonic() + seconds
        while True:
            body = self.receive(CONTROL, deadline)
            message = parsed(body)
            if message["event"] == event:
                return message

    def receive(self, channel: int, deadline: float) -> bytes:
        """Return the next body on `channel`.

        Raises:
            BoxEnded: the channel is closed. TookTooLong: the deadline has passed. BoxBroken: nobody is there any more.
        """
        try:
            body = self._queues[channel].get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise TookTooLong(f"no message on channel {channel}") from None
        if body is None:
            self._queues[channel].put(None)
            if channel == CONTROL:
                raise self._died()
            raise BoxEnded(f"channel {channel} is closed")
        return body

    def _died(self) -> BoxBroken:
        self._errors.seek(0)
        said = self._errors.read()[-2000:].decode("utf-8", "replace")
        return BoxBroken(f"the process that makes boxes has died. It said: {said or '(nothing)'}")

    def _read(self, fd: int, queues: dict[int, queue.Queue]) -> None:
        """In a thread of its own, so that it works where pipes cannot be polled."""
        incoming = Incoming(2**31 - 1)
        while True:
            try:
                data = os.read(fd, 2**20)
            except OSError:
                data = b""
            if not data:
                for waiting in list(queues.values()):
                    waiting.put(None)
                return
            for channel, body in incoming.feed(data):
                self._sort(channel, body, queues)

    def _sort(self, channel: int, body: bytes, queues: dict[int, queue.Queue]) -> None:
        if channel == CONTROL:
            message = parsed(body)
            if message["event"] == "eof":
                queues[message["channel"]].put(None)
            elif message["event"] == "over":
                self._over = message
                for number, waiting in list(queues.items()):
                    if number != CONTROL:
                        waiting.put(None)
        queues[channel].put(body)


class Box:
    """One submission's box. Every wait has a deadline, and `until` ends them all."""

    def __init__(self, boxes: Boxes, limits: Limits) -> None:
        self._boxes, self.limits = boxes, limits
        self.until = time.monotonic() + limits.notebook_seconds + limits.judging_seconds
        self.peak_bytes = 0
        self._closing = self._gone = False

    def ask(self, channel: int, order: dict[str, Any], raw: Sequence[bytes] = ()) -> None:
        self._boxes.send(channel, as_json(order))
        for packed in raw:
            self._boxes.send(channel, as_raw(packed))

    def answer(self, channel: int, seconds: float) -> Any:
        """Return what comes next on `channel`: a JSON value or bytes, in any case a student's word.

        Raises:
            BoxEnded: it will never come. TookTooLong: it has not come in time.
        """
        deadline = min(time.monotonic() + seconds, self.until)
        try:
            return parsed(self._boxes.receive(channel, deadline))
        except BrokenMessage as error:
            raise BoxEnded(str(error)) from error

    @property
    def over(self) -> str | None:
        """Why the box was ended from outside, in words; None where it was not."""
        message = self._boxes._over
        return None if message is None else message["why"]

    def interrupt(self) -> None:
        self._boxes.send(CONTROL, as_json({"do": "interrupt"}))

    def close(self) -> None:
        """End everything in the box, without waiting for it."""
        if not self._closing:
            self._boxes.send(CONTROL, as_json({"do": "close"}))
            self._closing = True

    def settled(self) -> int:
        """Close the box, wait until it is gone, and return the most memory that it had, in bytes."""
        self.close()
        if not self._gone:
            closed = self._boxes.control("closed", 30.0)
            self._boxes._clean, self._gone = self._boxes._clean and closed["clean"], True
            self.peak_bytes = max(closed["peak"], (self._boxes._over or closed)["peak"])
        return self.peak_bytes
