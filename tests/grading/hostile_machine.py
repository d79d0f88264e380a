"""What the grader's machine has that a box must neither reach nor leave behind: servers, and processes."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path


class Descendants:
    """Every process that was below this one at any moment, by its number and start."""

    def __init__(self) -> None:
        self.seen: dict[int, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Descendants:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def alive(self, patience: float = 3.0) -> list[str]:
        """Who is still there; one that is just being ended is waited for."""
        until = time.monotonic() + patience
        while True:
            left = [_command(pid) for pid, start in self.seen.items() if _start(pid) == start]
            if not left or time.monotonic() > until:
                return left
            time.sleep(0.05)

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            waiting = [os.getpid()]
            while waiting:
                for pid in _children(waiting.pop()):
                    if start := _start(pid):  # else it has gone since it was listed
                        self.seen.setdefault(pid, start)
                        waiting.append(pid)


def _children(pid: int) -> list[int]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return [int(p) for t in tasks for p in Path(f"/proc/{pid}/task/{t}/children").read_text().split()]
    except OSError:
        return []


def _start(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return ""


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() or str(pid)
    except OSError:
        return str(pid)


class Doors:
    """Servers of the grader's machine that nobody in a box may reach."""

    def __init__(self, folder: Path) -> None:
        self.tcp, self.udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        self.tcp.bind(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp.bind(("127.0.0.1", self.port))
        self.path, self.abstract = str(folder / "door.sock"), f"lmcourse-door-{os.getpid()}"
        self.unix, self.hidden = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.unix.bind(self.path)
        self.hidden.bind("\0" + self.abstract)
        os.chmod(self.path, 0o777)
        for door in (self.tcp, self.unix, self.hidden):
            door.listen(50)
        for door in (self.tcp, self.udp, self.unix, self.hidden):
            door.setblocking(False)

    def visitors(self) -> list[str]:
        found = []
        for name in ("tcp", "unix", "hidden", "udp"):
            door = getattr(self, name)
            try:
                found.append(f"{name}: {door.recv(100) if name == 'udp' else door.accept()}")
            except BlockingIOError:
                continue
        return found

    def close(self) -> None:
        for door in (self.tcp, self.udp, self.unix, self.hidden):
            door.close()
