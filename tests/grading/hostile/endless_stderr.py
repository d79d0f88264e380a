"""Writes to stderr without end, in one line, past Python's own file object."""

# %% merge_pair
import os
import sys

while True:
    sys.stderr.write("x" * 10_000)
    sys.__stderr__.write("x" * 10_000)
    os.write(2, b"x" * 10_000)
