"""The system calls that Python's `os` lacks, and a filter of those that no answer needs."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
)  # fmt: skip
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MADV_COLLAPSE, HUGE_PAGE = 25, 2**21
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 22, 38

# name: (number on x86_64, number on aarch64)
_CALLS = {
    "pivot_root": (155, 41), "chroot": (161, 51), "mount_setattr": (442, 442), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    # Memory that no limit of a process counts.
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # Ways into the kernel or into other processes.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "open_by_handle_at": (304, 265), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40),
    "umount2": (166, 39), "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273),
}  # fmt: skip
_CLONE, _CLONE3 = (56, 220), (435, 435)
_NEW_SPACES = NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
_ARCH = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_EPERM, _ENOSYS = 1, 38


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(value: int, what: str) -> int:
    if value == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return value


def unshare(flags: int) -> None:
    _checked(_libc().unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str = "") -> None:
    encoded = [None if s is None else s.encode() for s in (source, target, kind)]
    what = f"mount {source} on {target}"
    _checked(_libc().mount(*encoded, ctypes.c_ulong(flags), data.encode() or None), what)


def umount(target: str) -> None:
    _checked(_libc().umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    _checked(_syscall("pivot_root", new.encode(), old.encode()), "pivot_root")


def make_read_only(target: str) -> None:
    """Make a mount, and all under it, read-only and of no use for set-uid programs and devices."""
    attributes = struct.pack("QQQQ", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, 0)
    _checked(
        _syscall("mount_setattr", AT_FDCWD, target.encode(), AT_RECURSIVE, attributes, len(attributes)),
        f"mount_setattr {target}",
    )


def prctl(option: int, *args: int) -> None:
    # Unused arguments must be zeros, or the kernel refuses.
    words = [ctypes.c_ulong(a) for a in (*args, 0, 0, 0, 0)[:4]]
    _checked(_libc().prctl(ctypes.c_int(option), *words), f"prctl {option}")


def collapse_memory() -> None:
    """Gather this process's own memory in huge pages, where the kernel (6.1 and later) does it: forks then cost half."""
    libc = _libc()
    with open("/proc/self/maps") as maps:
        areas = [line.split() for line in maps]
    for where, rights, _, _, inode, *name in areas:
        if rights != "rw-p" or inode != "0" or name not in ([], ["[heap]"]):
            continue
        first, end = (int(address, 16) for address in where.split("-"))
        start, end = -(-first // HUGE_PAGE) * HUGE_PAGE, end // HUGE_PAGE * HUGE_PAGE
        if start < end:  # what the kernel will not gather stays as it is
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), ctypes.c_int(MADV_COLLAPSE))


def drop_capabilities() -> None:
    """Give up every capability for good."""
    for number in range(64):
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError:  # the kernel knows fewer, or the caller may not: then the next line is what counts
            break
    header = struct.pack("Ii", 0x20080522, 0)
    _checked(_libc().capset(header, struct.pack("6I", 0, 0, 0, 0, 0, 0)), "capset")
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def filter_system_calls() -> None:
    """From here on the calls in the list above answer "not permitted", for this process and all it starts.

    A classic BPF program: wrong architecture or the x32 way of calling, refused; a listed number, refused; `clone` that asks
    for a space of its own, refused, for in there it would have every right; `clone3`, whose wishes cannot be read
    from here, does not exist, so that libraries fall back to `clone`; else allowed.
    """
    column, arch = _ARCH[platform.machine()]
    numbers = [numbers[column] for numbers in _CALLS.values()]
    load, jump_equal, jump_greater, jump_set, back = 0x20, 0x15, 0x35, 0x45, 0x06
    refuse, allow = (back, 0, 0, 0x00050000 | _EPERM), (back, 0, 0, 0x7FFF0000)
    program = [
        (load, 0, 0, 4),
        (jump_equal, 1, 0, arch),
        refuse,
        (load, 0, 0, 0),
        (jump_greater, 0, 1, 0x40000000),
        refuse,
    ]
    for number in numbers:
        program += [(jump_equal, 0, 1, number), refuse]
    program += [(jump_equal, 0, 1, _CLONE3[column]), (back, 0, 0, 0x00050000 | _ENOSYS)]
    # The first argument, its lower half: what the new process is to have for itself.
    program += [
        (jump_equal, 0, 3, _CLONE[column]),
        (load, 0, 0, 16),
        (jump_set, 0, 1, _NEW_SPACES),
        refuse,
        allow,
    ]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code)
    whole = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(whole)
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(holder))


def _syscall(name: str, *args: int | bytes) -> int:
    machine = platform.machine()
    if machine not in _ARCH:
        raise OSError(f"the box knows {' and '.join(_ARCH)}, this machine is {machine}")
    words = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in args]
    return _libc().syscall(ctypes.c_long(_CALLS[name][_ARCH[machine][0]]), *words)
