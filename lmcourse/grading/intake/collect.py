"""From what the LMS gives to nbgrader's `submitted/`, with a row in the report for every file.

submitted/STUDENT/ASSIGNMENT/exercises.ipynb           the newest of each student, repaired
collected/ASSIGNMENT/earlier/STUDENT/DIGEST.ipynb      what an own newer file replaced
collected/ASSIGNMENT/collected.json                    the report, over all runs

A file is known by its name and digest, so that a second run over the same files changes nothing, and an old zip
collected after a new one replaces nothing.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm.auto import tqdm

from lmcourse.grading.files import write_whole
from lmcourse.grading.intake.handed_in import Found, Limits, files_of
from lmcourse.grading.intake.names import HandedIn, handed_in, without_wrapper
from lmcourse.grading.intake.reading import Refused
from lmcourse.grading.intake.repair import repair
from lmcourse.grading.intake.template import Template

Row = dict[str, Any]
KEPT = ("taken", "earlier")


def collect(
    source: Path,
    assignment: str,
    to: Path,
    template: Template,
    limits: Limits | None = None,
    progress: bool = False,
) -> list[Row]:
    """Take in every file of `source` for `assignment` and return the report's rows of this run.

    A row has `file`, `status` (taken, earlier, refused, passed over), `student`, `late`, `why`, `notes` and more.

    Raises:
        ValueError: `source` is neither a folder nor a zip, it is empty, or it and the course folder stand in each other.
    """
    source, to = source.resolve(), to.resolve()
    if source.is_dir() and (
        source == to or source in to.parents or to / "submitted" in (source, *source.parents)
    ):
        raise ValueError(f"'source' must not hold the course folder or be what was collected, got {source}")
    folder = to / "collected" / assignment
    before = _rows_before(folder / "collected.json")
    rows, texts = _read(source, assignment, template, limits or Limits(), progress)
    if not rows:
        raise ValueError(f"'source' must hold files, got {source}, which is empty")
    seen = {_key(row) for row in rows}
    past = [row for row in before if _key(row) not in seen]
    _name_students(before, rows)
    for row in past:
        if row["status"] in KEPT:
            try:
                texts[_key(row)] = (to / row["kept"]).read_text(encoding="utf-8")
            except OSError:
                row.update(status="earlier", kept=None, why="its copy is gone from the course folder")
    everything = sorted([*past, *rows], key=lambda row: (row["file"], row["sha256"] or ""))
    _choose(everything, assignment, texts)
    # Earlier ones first: killed in between, nothing that was handed in is lost.
    for row in sorted((r for r in everything if _key(r) in texts), key=lambda r: r["status"] == "taken"):
        write_whole(to, to / row["kept"], texts[_key(row)])
    report = {"assignment": assignment, "files": everything}
    write_whole(to, folder / "collected.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return rows


def _read(
    source: Path, assignment: str, template: Template, limits: Limits, progress: bool
) -> tuple[list[Row], dict[tuple, str]]:
    found, texts = [], {}
    bar = tqdm(files_of(source, limits), unit="file", disable=not progress)
    for file in bar:
        bar.set_postfix_str(PurePosixPath(file.name).name[:40])
        row = _row(file)
        if file.data is not None:
            try:
                repaired = repair(file.data, template)
                texts[_key(row)] = repaired.text
                row["notes"] = repaired.notes
            except Refused as error:
                row.update(status="refused", why=str(error))
            except Exception as error:  # one file of a class must not stop the others
                row.update(status="refused", why=f"it broke the repair, which is our fault ({error!r:.200})")
        found.append(row)
    found = list({_key(row): row for row in found}.values())
    paths = [PurePosixPath(row["file"]) for row in found if row["sha256"]]
    wrapper = without_wrapper(paths, assignment) if paths else 0
    for row in found:
        path = PurePosixPath(row["file"])
        who = handed_in(PurePosixPath(*path.parts[wrapper:] or path.parts), assignment)
        if row["status"] != "passed over" and who and ".." not in path.parts:
            _add_who(row, who)
        elif _key(row) in texts:
            del texts[_key(row)]
            row.update(
                status="refused",
                why="who handed it in is not to be seen: put it into a folder with the student's name",
            )
    return found, texts


def _row(file: Found) -> Row:
    status = "refused" if file.refused else "passed over" if file.passed_over else "taken"
    digest = None if file.data is None else hashlib.sha256(file.data).hexdigest()
    # A name may hold halves of surrogate pairs, which no report could hold.
    name = file.name.encode("utf-8", "replace").decode()
    return {
        "file": name, "status": status, "student": None, "late": False, "why": file.refused or file.passed_over,
        "notes": [], "kept": None, "time": file.time, "sha256": digest,
        "lms": None, "name": None, "identity": None, "rank": [0, 0], "copy": 0,
    }  # fmt: skip


def _add_who(row: Row, who: HandedIn) -> None:
    row.update(
        lms=who.lms,
        name=who.student,
        identity=who.identity,
        late=who.late,
        rank=list(who.rank),
        copy=who.copy,
    )
    if who.late:
        row["notes"] = ["Handed in late.", *row["notes"]]


def _name_students(before: list[Row], rows: list[Row]) -> None:
    """Give two people with one name two folders; whoever was there first keeps the plain name."""
    student_of = {(r["lms"], r["identity"]): r["student"] for r in before if r["student"]}
    used = {(lms, student.casefold()) for (lms, _), student in student_of.items()}
    for row in rows:
        if row["name"] is None:
            continue
        who = (row["lms"], row["identity"])
        if who not in student_of:
            name, number = row["name"], 1
            while (row["lms"], name.casefold()) in used:
                number += 1
                name = (
                    f"{row['name']}-{row['identity'] if row['lms'] != 'folder' and number == 2 else number}"
                )
            student_of[who] = name
            used.add((row["lms"], name.casefold()))
        row["student"] = student_of[who]


def _choose(rows: list[Row], assignment: str, texts: dict[tuple, str]) -> None:
    """Mark the newest readable file of each student as taken and the others as earlier."""
    for student in {row["student"] for row in rows if row["student"]}:
        own = [row for row in rows if row["student"] == student]
        one_lms = len({row["lms"] for row in own}) == 1

        def age(row: Row, one_lms: bool = one_lms) -> tuple:
            named, timed = tuple(row["rank"]), row["time"]
            # Numbers of one LMS can be compared; between two ways of handing in only time can.
            return (
                *((named, timed) if one_lms else (timed, named)),
                row["copy"],
                row["file"],
                row["sha256"] or "",
            )

        own.sort(key=age)
        readable = [row for row in own if _key(row) in texts]
        for row in readable[:-1]:
            kept = f"collected/{assignment}/earlier/{student}/{row['sha256'][:16]}.ipynb"
            row.update(status="earlier", kept=kept, why=f"{readable[-1]['file']} is newer and counts")
        if readable:
            newest = readable[-1]
            newest.update(status="taken", kept=f"submitted/{student}/{assignment}/exercises.ipynb", why=None)
            newest["notes"] = [n for n in newest["notes"] if not n.startswith("A newer file was refused")]
            newest["notes"] += [
                f"A newer file was refused: {row['file']}."
                for row in own[own.index(newest) + 1 :]
                if row["status"] == "refused"
            ]


def _key(row: Row) -> tuple[str, str | None]:
    return row["file"], row["sha256"]


def _rows_before(report: Path) -> list[Row]:
    if not report.is_file():
        return []
    try:
        return json.loads(report.read_text(encoding="utf-8"))["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{report} must be a report of this command; move it away to start anew ({error})"
        ) from error
