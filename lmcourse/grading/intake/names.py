"""Who handed a file in, and which of several files is the newer, from names alone.

Canvas:  login_[LATE_]canvasid_submissionid_name[-n].ipynb
Moodle:  Full Name_participantid_assignsubmission_file_/name.ipynb   (or all of it in the file's name)
Folders: student/.../exercises.ipynb, or student.ipynb
Colab's downloads ("Copy of exercises (1).ipynb") may stand in any of these.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

CANVAS = re.compile(r"(?P<who>[^_/]+)_(?P<late>LATE_)?(?P<user>\d+)_(?P<submission>\d+)_(?P<name>.+)")
MOODLE = re.compile(r"(?P<who>[^/]+)_(?P<user>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<name>[^/]*)")
COPY = re.compile(
    r"(?:copy of |kopie von |copia de |copie de )*(?P<stem>.*?)\s*(?:\((?P<number>\d+)\))?", re.IGNORECASE
)
MEANINGLESS = {"exercises", "exercise", "notebook", "untitled", "lesson", "submission", "assignment", ""}


@dataclass(frozen=True)
class HandedIn:
    """`student` is safe as a folder's name; `identity` tells two people with the same name apart.

    `rank` orders one student's files before time does: Canvas's resubmission number and submission id.
    """

    student: str
    identity: str
    lms: str
    late: bool = False
    rank: tuple[int, int] = (0, 0)
    copy: int = 0


def safe_name(name: str) -> str:
    """Return `name` as a folder's name that every system takes; "" where nothing is left.

    >>> safe_name("../Zoë O'Neill ")
    'Zoë_O_Neill'
    """
    kept = re.sub(r"[^\w.@-]+", "_", unicodedata.normalize("NFC", name))
    return kept.strip("._- ")[:80].rstrip("._- ")


def plain_stem(file_name: str) -> tuple[str, int]:
    """Return the name without what Colab and browsers add to a copy, and the number of the copy.

    >>> plain_stem("Copy of exercises (1).ipynb")
    ('exercises', 1)
    """
    stem = re.sub(r"\.ipynb$", "", file_name, flags=re.IGNORECASE).strip()
    found = COPY.fullmatch(stem)
    return (found["stem"], int((found["number"] or "0")[:9])) if found else (stem, 0)


def handed_in(path: PurePosixPath, assignment: str) -> HandedIn | None:
    """Return who handed in the file at `path` (inside the zip or folder); None where the name does not say."""
    for part in path.parts:
        if (found := MOODLE.fullmatch(part)) and safe_name(found["who"]):
            copy = plain_stem(found["name"] or path.name)[1]
            return HandedIn(safe_name(found["who"]), found["user"], "moodle", copy=copy)
    if (found := CANVAS.fullmatch(path.name)) and safe_name(found["who"]):
        stem, copy = plain_stem(found["name"])
        again = re.search(r"-(\d{1,9})$", stem)
        rank = (int(again[1]) if again else 0, int(found["submission"][:18]))
        return HandedIn(safe_name(found["who"]), found["user"], "canvas", bool(found["late"]), rank, copy)
    stem, copy = plain_stem(path.name)
    if len(path.parts) > 1:
        who = path.parts[0]
    elif stem.lower() in {*MEANINGLESS, assignment.lower()}:
        return None
    else:
        who = stem
    return HandedIn(safe_name(who), who, "folder", copy=copy) if safe_name(who) else None


def without_wrapper(paths: list[PurePosixPath], assignment: str) -> int:
    """Return how many leading folders to take off: 1 where all students' folders stand in one folder.

    >>> a, b = PurePosixPath("class/ada/exercises.ipynb"), PurePosixPath("class/bob/exercises.ipynb")
    >>> without_wrapper([a, b], "01_tokens"), without_wrapper([a], "01_tokens")
    (1, 0)
    """
    tops = {path.parts[0] for path in paths}
    if len(tops) != 1 or any(len(path.parts) < 2 for path in paths):
        return 0
    if any(MOODLE.fullmatch(top) for top in tops):
        return 0
    below = {path.parts[1] for path in paths}
    lms = any(MOODLE.fullmatch(name) or CANVAS.fullmatch(name) for name in below)
    folders = all(len(path.parts) > 2 for path in paths)
    return 1 if lms or (folders and len(below) > 1 and assignment not in below) else 0
