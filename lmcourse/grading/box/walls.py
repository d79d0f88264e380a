"""What stands around a box: namespaces, a root of its own, limits, no privileges.

`raise_walls` forks twice: the process that calls it stays outside and waits, the first process inside is the
init of the new process space (it reaps, and with it everything inside dies), and the second returns.
"""

from __future__ import annotations

import os
import resource
import signal
import warnings
from pathlib import Path

from lmcourse.grading.box import linux
from lmcourse.grading.box.folders import SYSTEM, visible_folders
from lmcourse.grading.limits import Limits

ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "fonts", "mime.types")
DEVICES = ("null", "zero", "full", "random", "urandom")
HOME = "/home/student"
# Host users from here on belong to nobody; each box of a grader that is root has one for itself.
FIRST_USER = 2_000_000_000


def raise_walls(limits: Limits, number: int) -> int:
    """Put this process and what it starts into a box and return in there; `number` keeps boxes of one grader apart.

    Returns only inside. The outer process ends when the box ends.

    Raises:
        OSError: the system does not allow it (before anything of a student has run).
    """
    root = os.geteuid() == 0
    user, group = os.geteuid(), os.getegid()
    os.setsid()
    spaces = linux.NEWNS | linux.NEWPID | linux.NEWNET | linux.NEWIPC | linux.NEWUTS | linux.NEWCGROUP
    linux.unshare(spaces if root else spaces | linux.NEWUSER)
    if not root:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    inner = os.fork()
    if inner:
        _wait_outside(inner)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    _new_root(limits)
    if root:
        user = group = FIRST_USER + number
        os.chown(HOME, user, group)
    first = os.fork()
    if first:
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        _become(user, group, root)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        _reap()
    settle(limits, user, group, HOME, root=root)
    return user


def obstacle() -> str | None:
    """Return why walls cannot be raised here, or None where they can. It tries, in a process of its own."""
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, none of which the child needs
        child = os.fork()
    if child == 0:
        try:
            raise_walls(Limits(), 0)
            os.write(theirs, b"raised")
        except BaseException as error:
            os.write(theirs, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        said = pipe.read().decode("utf-8", "replace")
    os.waitpid(child, 0)
    return None if said == "raised" else said or "the process that tried it was ended"


def settle(limits: Limits, user: int, group: int, home: str, *, root: bool) -> None:
    """Become a student: limits, no privileges, the filter of system calls, a home. `root` says who it was before."""
    _set_limits(limits)
    _become(user, group, root)
    linux.prctl(linux.PR_SET_DUMPABLE, 1)
    linux.filter_system_calls()
    os.makedirs(home, mode=0o700, exist_ok=True)
    os.environ.update(HOME=home, TMPDIR="/tmp", USER="student", LOGNAME="student")
    os.chdir(home)


def _become(user: int, group: int, root: bool) -> None:
    if root:
        os.setgroups([])
        os.setresgid(group, group, group)
        # Capabilities are given up after the change of user, which needs one of them; it drops the others itself.
        os.setresuid(user, user, user)
    linux.drop_capabilities()


def _new_root(limits: Limits) -> None:
    """Build a root of a few megabytes, bind what may be seen into it, and leave the old one behind."""
    new = "/tmp"
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    # Sources are opened before /tmp is covered, for Python itself may live under it.
    seen = dict.fromkeys(p for p in (*SYSTEM, *visible_folders()) if os.path.exists(p))
    handles = {p: os.open(p, os.O_PATH) for p in seen if not os.path.islink(p)}
    links = {p: os.readlink(p) for p in seen if os.path.islink(p)}
    etc = {f"/etc/{n}": os.open(f"/etc/{n}", os.O_PATH) for n in ETC if os.path.exists(f"/etc/{n}")}
    size = f"size={limits.disk_bytes},nr_inodes=20000,mode=755"
    linux.mount("tmpfs", new, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, size)
    for path, handle in {**handles, **etc}.items():
        target = Path(new + path)
        _make_place(target, os.path.isdir(f"/proc/self/fd/{handle}"))
        linux.mount(f"/proc/self/fd/{handle}", str(target), None, linux.MS_BIND | linux.MS_REC)
        linux.make_read_only(str(target))
        os.close(handle)
    for path, where in links.items():
        if not os.path.lexists(new + path):
            Path(new + path).parent.mkdir(parents=True, exist_ok=True)
            os.symlink(where, new + path)
    _devices(new)
    for folder, mode in (("/proc", 0o555), ("/tmp", 0o1777), (HOME, 0o700), ("/old", 0o700)):
        Path(new + folder).mkdir(parents=True, exist_ok=True)
        os.chmod(new + folder, mode)
    linux.mount("proc", new + "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    Path(new + "/etc/passwd").write_text(f"student:x:{os.geteuid()}:{os.getegid()}::{HOME}:/bin/sh\n")
    linux.pivot_root(new, new + "/old")
    os.chdir("/")
    linux.umount("/old")
    os.rmdir("/old")


def _make_place(target: Path, folder: bool) -> None:
    if folder:
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


def _devices(new: str) -> None:
    Path(new + "/dev/shm").mkdir(parents=True)
    os.chmod(new + "/dev/shm", 0o1777)
    for name in DEVICES:
        Path(f"{new}/dev/{name}").touch()
        linux.mount(f"/dev/{name}", f"{new}/dev/{name}", None, linux.MS_BIND)
    os.symlink("/proc/self/fd", new + "/dev/fd")


def _set_limits(limits: Limits) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    address_space = pages * os.sysconf("SC_PAGE_SIZE") + limits.memory_bytes
    for what, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(what, (value, value))


def _wait_outside(inner: int) -> None:
    _close_all()
    status = os.waitpid(inner, 0)[1]
    os._exit(os.waitstatus_to_exitcode(status) & 0x7F)


def _reap() -> None:
    """Be the init: wait for whatever ends, and end when nothing is left."""
    _close_all()
    while True:
        try:
            os.wait()
        except ChildProcessError:
            os._exit(0)
        except InterruptedError:
            continue


def _close_all() -> None:
    """Whoever only waits must not hold a channel open."""
    os.closerange(3, 65536)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
