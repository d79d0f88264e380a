"""A process with torch loaded, which forks a box for each submission.

Run as `python -m lmcourse.grading.box.zygote`. It never sees what students wrote and never uses torch: so it stays
one thread, a fork of it is whole, and no box finds in its memory what belongs to another. Messages go through a
process of their own, the relay, on standard input and output.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys

from lmcourse.grading.box import linux
from lmcourse.grading.box.frames import MAIN, as_json, frame, write_all
from lmcourse.grading.box.relay import Relay
from lmcourse.grading.limits import Limits

MOST_CHANNELS = 250


def main(isolation: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's affair
    if isolation == "container":
        from lmcourse.grading.box.users import adopt_orphans

        adopt_orphans()
    _load()
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, every page
    if sys.platform == "linux":
        linux.collapse_memory()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        ours.close()
        Relay(isolation, theirs).serve()
        os._exit(0)
    theirs.close()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    _serve(isolation, ours)


def _load() -> None:
    """Load now what every notebook loads, so that a fork has it for nothing."""
    import torch

    import lmcourse.exercises
    import lmcourse.grading.box.inside
    from lmcourse.grading.box.shell import make_shell

    lmcourse.exercises.open_exercises  # noqa: B018
    torch.set_num_threads(1)
    make_shell()


def _serve(isolation: str, relay: socket.socket) -> None:
    """Fork and reap as the relay says, until it is gone."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(relay, 65536, MOST_CHANNELS)
        if not data:
            return
        order = json.loads(data)
        if "limits" in order:
            child = os.fork()
            if child == 0:
                channels = dict(zip(order["channels"], descriptors, strict=True))
                _live(isolation, Limits(**order["limits"]), order["number"], channels)
            for fd in descriptors:
                os.close(fd)
            answer = {"process": child}
        elif "reap" in order:
            answer = {"reaped": _reap(order["reap"])}
        else:
            answer = {"threads": len(os.listdir("/proc/self/task"))}
        relay.send(json.dumps(answer).encode())


def _reap(child: int) -> bool:
    """Wait for `child`, which has been killed, and take leave of orphans that have ended."""
    os.waitpid(child, 0)
    relay_only = False
    while not relay_only:
        relay_only = os.waitpid(-1, os.WNOHANG)[0] == 0
    return True


def _live(isolation: str, limits: Limits, number: int, channels: dict[int, int]) -> None:
    """In the child: raise the walls and never come back."""
    try:
        from lmcourse.grading.box.inside import live
        from lmcourse.grading.box.shell import Shell
        from lmcourse.grading.box.walls import raise_walls

        if isolation == "namespaces":
            raise_walls(limits, number)
        elif isolation == "container":
            from lmcourse.grading.box.users import enter

            enter(limits, number)
        else:
            os.setsid()
        live(Shell.instance(), channels, limits)
    except BaseException as error:
        try:
            told = as_json({"broken": f"{type(error).__name__}: {error}"[:2000]})
            write_all(channels[MAIN], frame(MAIN, told))
        finally:
            os._exit(70)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "namespaces")
