"""Reads the environment, command line, memory and open files of every process that /proc shows."""
# ruff: noqa: SIM115

# %% merge_pair
import os

for pid in sorted(os.listdir("/proc")):
    for part in (
        "environ",
        "cmdline",
        "maps",
        "status",
        "mountinfo",
        "cgroup",
        "cwd",
        "exe",
        "root/etc/hostname",
        "stack",
    ):
        try:
            path = f"/proc/{pid}/{part}"
            print(path, os.readlink(path) if os.path.islink(path) else open(path, "rb").read()[:3000])
        except OSError:
            continue
    for fd in os.listdir(f"/proc/{pid}/fd") if os.access(f"/proc/{pid}/fd", os.R_OK) else []:
        try:
            path = f"/proc/{pid}/fd/{fd}"
            print(path, os.readlink(path))
            with open(path, "rb", buffering=0) as file:
                os.set_blocking(file.fileno(), False)
                print(file.read(1000))
        except OSError:
            continue
for pid in (1, os.getppid()):
    try:
        with open(f"/proc/{pid}/mem", "rb+", buffering=0) as memory:
            memory.seek(0x400000)
            print(memory.read(100))
    except OSError:
        continue
print(dict(os.environ))
