"""Fills descriptor 1 and the real streams from a child and from threads."""

# %% merge_pair
import os
import threading


def pour(fd):
    while True:
        try:
            os.write(fd, b"\0\xff" * 32_768)
        except OSError:
            continue


for fd in (0, 1, 2):
    threading.Thread(target=pour, args=(fd,), daemon=True).start()
pour(1)
