"""A class that does not exist, for practice: a zip as Canvas gives it, the gradebook's CSV file, and what each should get.

Who is in it: people who have all right in their own ways, some right and some of the chapter's known mistakes (a few of them
often, most of them seldom), or hardly anything; two who hand in the same work with other names for the variables; files that are
damaged; four who try a trick; an empty file; and two who hand in nothing. The same seed gives the same class.
"""

from __future__ import annotations

import copy
import json
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lmcourse.grading.files import write_whole
from lmcourse.grading.practice import spoiled
from lmcourse.grading.practice.maker import Maker, Submission
from lmcourse.grading.practice.people import Person, canvas_gradebook, people

ZIP, CSV, EXPECTED = "submissions.zip", "gradebook.csv", "expected.json"
COLUMN = 51_234  # Canvas's number of the assignment
ABSENT = 2


@dataclass(frozen=True)
class Practice:
    """The files of the class, and by student (the name of their folder): automatic points (None: no mark), what it is, picks."""

    zip: Path
    gradebook_csv: Path
    expected: dict[str, float | None]
    about: dict[str, str]
    picks: dict[str, dict[str, str]]


def make_class(to: Path, assignment: str, course: Path, students: int = 40, seed: int = 0) -> Practice:
    """Write a class of `students` who hand in (and two who do not) into the folder `to`.

    Raises:
        ValueError: `students` is below 12.
        KeyError: there is no such assignment.
    """
    from lmcourse.authoring.chapter import load
    from lmcourse.exercises.records import load_chapter
    from lmcourse.grading.intake.template import Template
    from lmcourse.grading.practice.answers import answers_of

    if students < 12:
        raise ValueError(f"'students' must be at least 12, so that each kind is there, got {students}")
    chapter = load(assignment, course)
    template = Template.load(course / "solutions" / assignment / "exercises.ipynb")
    bank = answers_of(chapter, load_chapter(assignment), course, template)
    rng = random.Random(f"{assignment}:{seed}:{students}")
    everybody = people(students + ABSENT, rng)
    absent = rng.sample(everybody, ABSENT)
    present = [p for p in everybody if p not in absent]
    maker = Maker(template, bank, _words(chapter, course, assignment), rng)
    made = dict(zip(rng.sample(present, students), maker.all(students), strict=True))

    files, folders = _files(made, rng), _folders(present)
    to.mkdir(parents=True, exist_ok=True)
    _write_zip(to / ZIP, files)
    points = sum(e.points for e in chapter.exercises) + sum(w.points for w in chapter.written)
    # As Canvas does, with a mark that tells Excel that it is UTF-8.
    table = canvas_gradebook(everybody, f"{assignment} ({COLUMN})", points)
    write_whole(to, to / CSV, "\ufeff" + table)
    by_folder = {folders[p]: made[p] for p in present}
    practice = Practice(
        to / ZIP,
        to / CSV,
        {name: s.points for name, s in by_folder.items()},
        {name: s.about for name, s in by_folder.items()},
        {name: s.picks for name, s in by_folder.items()},
    )
    told = {n: {"points": s.points, "about": s.about, "picks": s.picks} for n, s in by_folder.items()}
    write_whole(to, to / EXPECTED, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return practice


def _words(chapter, course: Path, assignment: str) -> dict[str, list[str]]:
    import nbformat

    from lmcourse.grading.practice.words import written_answers

    notebook = nbformat.read(course / "solutions" / assignment / "exercises.ipynb", as_version=4)
    model = {c.metadata.get("written"): c.source for c in notebook.cells}
    return {w.name: written_answers(w.name, model[w.name]) for w in chapter.written}


def _files(made: dict[Person, Submission], rng: random.Random) -> dict[str, bytes]:
    """Return the zip's files: some late, some after earlier ones that they replace, some as Colab or a browser names them."""
    files, number = {}, 900_000 + rng.randrange(1000)
    for place, (person, submission) in enumerate(made.items()):
        data = spoiled.as_bytes(submission.notebook) if submission.data is None else submission.data
        twin = sum(p.key == person.key for p in made) > 1
        late = "LATE_" if place % 9 == 4 and not twin else ""
        stem = "Copy of exercises" if place == 6 else "exercises (1)" if place == 11 else "exercises"
        # What cannot be read gives no mark, so there must be no earlier file that would.
        again = {3: 1, 10: 2, 17: 1}.get(place, 0) if not twin and submission.points is not None else 0
        for attempt in range(again + 1):
            number += rng.randrange(5, 400)
            suffix = f"-{attempt}" if attempt else ""
            early = attempt < again
            name = f"{person.key}_{'' if early else late}{person.user}_{number}_{stem}{suffix}.ipynb"
            files[name] = _half_done(submission, attempt) if early else data
    return files


def _half_done(submission: Submission, attempt: int) -> bytes:
    """An earlier state, which the newer file replaces: the later answers are not yet there."""
    notebook = copy.deepcopy(submission.notebook)
    marks = [c["metadata"].get("nbgrader", {}) for c in notebook["cells"]]
    open_ones = [
        c for c, m in zip(notebook["cells"], marks, strict=True) if m.get("solution") and not m.get("grade")
    ]
    for cell in open_ones[2 + 2 * attempt :]:
        cell["source"] = "# later"
    return spoiled.as_bytes(notebook)


def _folders(present: list[Person]) -> dict[Person, str]:
    """The folders that collecting gives them: of two people with one name the second gets the number as well."""
    folders: dict[Person, str] = {}
    for person in sorted(present, key=lambda p: (p.key, str(p.user))):
        folders[person] = person.key if person.key not in folders.values() else f"{person.key}-{person.user}"
    return folders


def _write_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 20, 18, 30, 0)), data, zipfile.ZIP_DEFLATED)
