"""Boxes inside a container: each submission is a user of its own, which has never been before and leaves nothing.

The container keeps host, network and files away. What it does not keep apart are two submissions that follow each
other in it, and the process that forks them: here that is done by user numbers, as among people on one machine.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lmcourse.grading.box import linux
from lmcourse.grading.box.walls import settle
from lmcourse.grading.box.watch import Watch
from lmcourse.grading.limits import Limits

# Without further set-up a container has the numbers below 65536, and no image has users from here on.
FIRST, COUNT = 10_000, 50_000
# The user of the one who sweeps: nobody may signal it, and it owns nothing.
SWEEPER = 9_999
HOME = "/tmp/home"
WRITABLE = ("/tmp", "/dev/shm", "/dev/mqueue", "/var/tmp", "/run")
SWEEP_SECONDS = 5.0
_PR_SET_CHILD_SUBREAPER = 36
_IPC_RMID = 0


def user_numbers() -> Iterator[int]:
    """Yield user numbers, none of them twice. Containers start at different ones, for a kernel counts processes by number."""
    start = random.SystemRandom().randrange(COUNT)
    return (FIRST + (start + i) % COUNT for i in range(COUNT))


def adopt_orphans() -> None:
    """Have those whose parent has ended become children of this process, which waits for them when they end."""
    linux.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def enter(limits: Limits, user: int) -> None:
    """Become `user` for good, with limits, without privileges, in a home of its own.

    Raises:
        OSError: the container does not allow it (before anything of a student has run).
    """
    os.setsid()
    # Where the container's memory runs out, the kernel ends this process and not the one that forked it.
    Path("/proc/self/oom_score_adj").write_text("1000")
    settle(limits, user, user, HOME, root=True)


class UserWatch(Watch):
    """Looks after everything that belongs to `user`, whoever started it."""

    def __init__(self, main: int, limits: Limits, user: int) -> None:
        super().__init__(main, limits, walls=False)
        self.user = user

    def kill(self) -> bool:
        return sweep(self.user)

    def _processes(self) -> Iterator[int]:
        _wait_for_ended()
        return processes_of(self.user)


def processes_of(user: int) -> Iterator[int]:
    """Yield the running processes of `user`. By what they are, not by who owns their folder: a process can hide that."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            text = Path(f"/proc/{name}/status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        if str(user) in fields.get("Uid", "").split() and fields.get("State", "Z")[:1] not in "ZX":
            yield int(name)


def sweep(user: int) -> bool:
    """End every process of `user` and remove all that it has left; return whether nothing is left of it."""
    until = time.monotonic() + SWEEP_SECONDS
    while True:
        # One call reaches all at once, so that nobody can fork away from it.
        _as(user, lambda: os.kill(-1, signal.SIGKILL))
        _wait_for_ended()
        if not any(processes_of(user)):
            break
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    _as(user, lambda: _remove_all(user))
    return not any(_owned(user)) and not any(_semaphores(user))


def _as(user: int, act: Callable[[], None]) -> None:
    """Do it in a process with the rights of `user`, which cannot signal or trace that process."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(int(SWEEP_SECONDS))
            os.setgroups([])
            os.setresgid(SWEEPER, user, SWEEPER)
            # The effective number says what it may do; the other two say who may do something to it.
            os.setresuid(SWEEPER, user, SWEEPER)
            act()
        except OSError:
            pass
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _wait_for_ended() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _owned(user: int) -> Iterator[str]:
    for folder in WRITABLE:
        for entry in os.scandir(folder) if os.path.isdir(folder) else ():
            if entry.stat(follow_symlinks=False).st_uid == user:
                yield entry.path


def _remove_all(user: int) -> None:
    for semaphore in _semaphores(user):
        ctypes.CDLL(None).semctl(semaphore, 0, _IPC_RMID)
    waiting, number = list(_owned(user)), 0
    while waiting:
        path = waiting.pop()
        if os.path.islink(path) or not os.path.isdir(path):
            os.unlink(path)
            continue
        os.chmod(path, 0o700)
        for entry in list(os.scandir(path)):
            if entry.is_dir(follow_symlinks=False):
                # Brought up before it is emptied: a path stays short, however deep the folders were.
                os.chmod(entry.path, 0o700)
                number += 1
                waiting.append(f"{_top(path)}/.swept-{user}-{number}")
                os.rename(entry.path, waiting[-1])
            else:
                os.unlink(entry.path)
        os.rmdir(path)


def _top(path: str) -> str:
    return next(folder for folder in WRITABLE if path.startswith(f"{folder}/"))


def _semaphores(user: int) -> Iterator[int]:
    """System V semaphores; memory and queues of that kind are refused by the filter of system calls."""
    try:
        lines = Path("/proc/sysvipc/sem").read_text().splitlines()[1:]
    except OSError:
        return
    for key_id_rights_count_user in (line.split() for line in lines):
        if key_id_rights_count_user[4] == str(user):
            yield int(key_id_rights_count_user[1])
