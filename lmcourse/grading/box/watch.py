"""Looking after a box from outside: how much memory and how many processes it has, and ending it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from lmcourse.grading.limits import Limits

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """`outer` is the process that stands just outside the box and ends with it; without walls it runs the cells."""

    def __init__(self, outer: int, limits: Limits, walls: bool = True) -> None:
        self.outer, self.limits, self.walls, self.peak = outer, limits, walls, 0
        self._quick = self._next = 0.0
        self._common = _resident(os.getpid())

    def exceeded(self) -> tuple[str, str] | None:
        """Return (kind, sentence) where the box is above a limit, else None. Looks at most fifty times a second.

        The quick look leaves out as much of each process as this one has, for that was shared when it began. The exact
        one takes time, so a box with many processes gets it less often.
        """
        now = time.monotonic()
        if now < self._quick:
            return None
        self._quick, processes = now + 0.02, list(self._processes())
        memory = sum(max(0, _resident(pid) - self._common) for pid in processes)
        if memory > self.limits.memory_bytes or now > self._next:
            memory = sum(self._memory(pid) for pid in processes)
            self._next = now + max(0.25, 10 * (time.monotonic() - now))
        self.peak = max(self.peak, memory)
        if memory > self.limits.memory_bytes:
            limit = self.limits.memory_bytes // 2**20
            return "memory", f"it used more than {limit} MiB of memory"
        if len(processes) > self.limits.processes + 8:
            return "processes", f"it started more than {self.limits.processes} processes"
        return None

    def interrupt(self) -> None:
        """Send what Ctrl-C sends to the process that runs the cells: behind walls the first child of the box's init."""
        main = self.outer
        for _ in range(2 if self.walls else 0):
            main = next(iter(_children(main)), None) if main else None
        if main:
            _send(main, signal.SIGINT)

    def kill(self) -> bool:
        """End everything in the box and return whether nothing is left of it. When its init dies, the kernel does it."""
        inside = list(self._processes())
        for pid in inside[:1] if self.walls else inside:
            _send(pid, signal.SIGKILL)
        _send(self.outer, signal.SIGKILL)
        return True

    def _processes(self) -> Iterator[int]:
        waiting = [self.outer]
        while waiting:
            children = _children(waiting.pop())
            yield from children
            waiting += children

    def _memory(self, pid: int) -> int:
        """What the process has for itself, and its share of what it has in common with others."""
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        except (OSError, ValueError):
            pass
        # A process may hide its map, but not its size.
        return _resident(pid)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _children(pid: int) -> list[int]:
    """Oldest first, by whichever thread they were started."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += Path(f"/proc/{pid}/task/{task}/children").read_text().split()
    except (OSError, ValueError):
        pass
    return [int(child) for child in found]


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
