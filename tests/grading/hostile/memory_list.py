"""Lets a list grow without end."""

# %% merge_pair
import os

if os.path.exists(CLASS_FOLDER):
    raise SystemExit("HACKED: this is no box, and outside one it would do harm")
hog = []
while True:
    try:
        hog.append(bytearray(2**24))
    except MemoryError:
        hog.append(None)
        break


# %% predict_merges
def predict_merges():
    return ["x" * 10**9, *hog]
