"""Overwrites and removes what the others handed in."""
# ruff: noqa: E402

# %% merge_pair
import os
import shutil

if os.path.exists(CLASS_FOLDER):
    print("HACKED: the class folder can be seen")
for student in ("honest_full", "honest_half"):
    folder = os.path.join(CLASS_FOLDER, "submitted", student, "01_tokens")
    try:
        with open(os.path.join(folder, "exercises.ipynb"), "w") as file:
            file.write("HACKED")
    except OSError as error:
        print(error)
for path in (
    CLASS_FOLDER + "/HACKED",
    COURSE + "/HACKED",
    HOME_FOLDER + "/HACKED",
    "/usr/HACKED",
    "/etc/HACKED",
    "/lib/HACKED",
):
    try:
        open(path, "w").close()
    except OSError as error:
        print(error)
import torch

import lmcourse

for module in (lmcourse, torch):
    try:
        with open(module.__path__[0] + "/HACKED.py", "w") as file:
            file.write("raise SystemExit")
    except OSError as error:
        print(error)
    shutil.rmtree(module.__path__[0] + "/__pycache__", ignore_errors=True)
