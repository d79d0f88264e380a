"""Shares the hunger among many children, each of which stays below the limit of one."""

# %% merge_pair
import os
import time

if os.path.exists(CLASS_FOLDER):
    raise SystemExit("HACKED: this is no box, and outside one it would do harm")
for _ in range(12):
    if os.fork() == 0:
        try:
            hog = bytearray(400 * 2**20)
            for at in range(0, len(hog), 4096):
                hog[at] = 1
            time.sleep(60)
        finally:
            os._exit(0)
time.sleep(1)
