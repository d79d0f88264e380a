"""What is graded: the notebook that was given out, its visible cases, and hidden ones from the instructor's secret seed."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from lmcourse.exercises.records import ChapterRecord, load_chapter, to_json
from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.files import write_whole
from lmcourse.grading.intake.template import Template


@dataclass(frozen=True)
class Assignment:
    """`key` is a digest of all of it: two results with one key had the same notebook and the same cases."""

    name: str
    template: Template
    visible: ChapterRecord
    hidden: ChapterRecord
    key: str


def load_assignment(name: str, course: Path, seed: int) -> Assignment:
    """Return the assignment `name` of the clone `course`.

    Raises:
        ValueError: there is no such chapter, or the cases that students have are not made from its checks.
    """
    from lmcourse.authoring.chapter import load
    from lmcourse.authoring.course import chapter_names

    if name not in chapter_names(course):
        known = ", ".join(chapter_names(course))
        raise ValueError(f"'assignment' must be one of {known}, got {name!r}")
    source = course / "solutions" / name / "exercises.ipynb"
    template = Template.load(source)
    visible, hidden = load_chapter(name), load(name, course).record(seed, hidden=True)
    if [(e.name, e.points) for e in visible.exercises] != [(e.name, e.points) for e in hidden.exercises]:
        raise ValueError(f"the recorded cases of {name} must match its checks.py; type: make notebooks")
    digest = hashlib.sha256(source.read_bytes())
    for record in (visible, hidden):
        digest.update(to_json(record).encode())
    return Assignment(name, template, visible, hidden, digest.hexdigest())


def seed_of(folder: ClassFolder, assignment: str, wanted: int | None = None) -> int:
    """Return the seed of the hidden cases; without `wanted` the one that was used before, or a new secret one.

    It is kept, so that a second run asks the same cases and gives the same marks.

    Raises:
        ValueError: the file with the seed holds no number.
    """
    path = folder.graded(assignment) / "seed"
    if wanted is None and path.is_file():
        text = path.read_text(encoding="utf-8").strip()
        if not text.isdigit():
            raise ValueError(f"{path} must hold a number, got {text[:40]!r}")
        return int(text)
    seed = secrets.randbits(53) if wanted is None else wanted
    write_whole(folder.root, path, f"{seed}\n", mode=0o600)
    return seed
