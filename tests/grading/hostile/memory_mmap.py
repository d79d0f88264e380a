"""Takes memory that belongs to no process's heap: mappings, shared mappings, memfd, tmpfs."""

# %% merge_pair
import mmap
import os

if os.path.exists(CLASS_FOLDER):
    raise SystemExit("HACKED: this is no box, and outside one it would do harm")
kept = []
for flags in (mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
    try:
        for _ in range(60):
            kept.append(mmap.mmap(-1, 2**26, flags=flags))
            for at in range(0, 2**26, 4096):
                kept[-1][at] = 1
    except (OSError, MemoryError, ValueError) as error:
        print(error)
try:
    fd = os.memfd_create("hog")
    for _ in range(4000):
        os.write(fd, b"x" * 2**20)
except OSError as error:
    print(error)
