"""Leaves a mark for a friend, and shows the friend's: in files, shared memory, semaphores, queues and sockets."""
# ruff: noqa: SIM115

# %% merge_pair
import ctypes
import glob
import os
import socket
import time
from multiprocessing import shared_memory

libc = ctypes.CDLL(None)
mark = f"MARK{'-OF-'}{os.urandom(8).hex()}".encode()
print(mark)
for folder in ("/tmp", "/dev/shm", "/var/tmp", os.path.expanduser("~"), os.getcwd()):
    try:
        with open(f"{folder}/mark-{mark[-6:].decode()}", "wb") as file:
            file.write(mark)
    except OSError as error:
        print(error)
try:
    shared = shared_memory.SharedMemory("mark" + mark[-6:].decode(), create=True, size=64)
    shared.buf[: len(mark)] = mark
except OSError as error:
    print(error)
segment = libc.shmget(4711, 4096, 0o1666)
queue = libc.msgget(4711, 0o1666)
libc.semget(4711, 1, 0o1666)
line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
try:
    line.bind("\0mark")
except OSError as error:
    print("HACKED: the friend is here", error)
libc.sethostname(mark, len(mark))
time.sleep(0.3)
for path in glob.glob("/tmp/mark*") + glob.glob("/dev/shm/*") + glob.glob("/var/tmp/mark*"):
    try:
        data = open(path, "rb").read(64)
    except OSError:
        continue
    if mark not in data:
        print("HACKED: found", path, data)
for path in ("/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sys/kernel/hostname"):
    if os.path.exists(path):
        print(path, open(path).read())
