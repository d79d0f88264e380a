"""As much of a container engine as the grader needs, for tests: `docker ps`, `image`, `build`, `rm` and `run`.

`run` does on this machine what the options say: namespaces, a root of its own, tmpfs, the named capabilities and no
others. The image is this machine's Python. Needs Linux and root. An option that it does not know is an error, as with
the real ones. What it was told is kept in a file `told` beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from lmcourse.grading.box import linux, walls
from lmcourse.grading.limits import Limits

NUMBERS = {"CHOWN": 0, "KILL": 5, "SETGID": 6, "SETUID": 7, "SYS_PTRACE": 19}


def main(here: Path, words: list[str]) -> int:
    with (here / "told").open("a") as told:
        told.write(json.dumps(words) + "\n")
    if words[0] == "run":
        return run(options(words[1:]))
    if words[:2] == ["image", "inspect"] and not (here / "image").exists():
        print("Error: No such image", file=sys.stderr)
        return 1
    if words[0] == "build":
        (here / "image").write_bytes(Path(words[-1], "requirements.txt").read_bytes())
    return 0


def options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    for name in ("rm", "interactive", "read-only"):
        parser.add_argument(f"--{name}", action="store_true", required=True)
    for name in ("cap-add", "security-opt", "tmpfs"):
        parser.add_argument(f"--{name}", action="append", default=[])
    for name, choices in {
        "network": ["none"], "ipc": ["private"], "pull": ["never"], "log-driver": ["none"], "user": ["0:0"],
        "cap-drop": ["ALL"], "workdir": ["/"], "name": None, "hostname": None, "memory": None, "memory-swap": None,
        "pids-limit": None, "mount": None,
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", choices=choices, required=True)
    parser.add_argument("image")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    return parser.parse_args(words)


def run(told: argparse.Namespace) -> int:
    linux.unshare(linux.NEWNS | linux.NEWPID | linux.NEWNET | linux.NEWIPC | linux.NEWUTS)
    first = os.fork()
    if first:
        return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    walls._new_root(Limits())
    for mounted in told.tmpfs:
        folder, how = mounted.split(":")
        size = ",".join(word for word in how.split(",") if "=" in word)
        linux.mount("tmpfs", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC, size)
    bound = dict(word.split("=") for word in told.mount.split(",") if "=" in word)
    os.makedirs(bound["target"])
    linux.mount(bound["source"], bound["target"], None, linux.MS_BIND)
    linux.make_read_only(bound["target"])
    for number in range(64):
        if number not in {NUMBERS[name] for name in told.cap_add}:
            try:
                linux.prctl(linux.PR_CAPBSET_DROP, number)
            except OSError:
                break
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    program = [sys.executable if word == "python" else word for word in told.program]
    os.chdir(told.workdir)
    return os.execvp(program[0], program)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
