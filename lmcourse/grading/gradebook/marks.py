"""The marks of a class, put together from the last grading, nbgrader's gradebook and what was collected.

The checks' points come from `graded/`, where hidden cases were judged. What people add (points, comments, extra credit)
and the late penalty come from the gradebook. A mark is final when no cell waits for a person.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.gradebook.entries import Entry, Grade, read_gradebook
from lmcourse.grading.intake.names import MOODLE
from lmcourse.grading.results import Result, results_of


@dataclass(frozen=True)
class Mark:
    """Points for one grade cell; None while a person has to read it. `written` is an answer in words."""

    points: float | None
    maximum: float
    written: bool = False
    by_hand: bool = False
    extra: float = 0.0


@dataclass(frozen=True)
class Marks:
    """Everything known of one student in one assignment.

    `status` is "graded", "to be read", "failed" (could not be graded), "not graded yet", "refused" (the file was, at
    collecting) or "missing" (nothing handed in); `why` says more. `lms` has the student's number in each LMS, and
    under "id" the one in nbgrader's gradebook. `disagrees`: there stand other automatic points than were given last.
    """

    student: str
    name: str
    status: str
    why: str | None = None
    cells: dict[str, Mark] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    penalty: float = 0.0
    late: bool = False
    notes: list[str] = field(default_factory=list)
    lms: dict[str, str] = field(default_factory=dict)
    result: Result | None = None
    disagrees: bool = False

    def points(self, *, written: bool) -> float:
        """The points so far, of the checks or of the answers in words, without extra credit."""
        return sum(m.points or 0.0 for m in self.cells.values() if m.written == written)

    @property
    def extra(self) -> float:
        return sum(m.extra for m in self.cells.values())

    @property
    def maximum(self) -> float:
        return sum(m.maximum for m in self.cells.values())

    @property
    def to_read(self) -> list[str]:
        """The grade cells that a person still has to read."""
        return [name for name, mark in self.cells.items() if mark.points is None]

    @property
    def total(self) -> float | None:
        """The final mark; None while there is none. A penalty never makes it negative, as in nbgrader."""
        if self.status != "graded":
            return None
        before = self.points(written=False) + self.points(written=True) + self.extra
        return max(0.0, before - self.penalty)


@dataclass(frozen=True)
class _Cells:
    """The assignment's grade cells: what each is worth, and which are answers in words."""

    maxima: dict[str, float]
    written: set[str]


def marks_of(folder: ClassFolder, assignment: str) -> list[Marks]:
    """Return the marks of everybody whom the results, the gradebook or the collected files know, by student.

    Raises:
        ValueError: a result or collected.json cannot be read.
    """
    results = {result.student: result for result in results_of(folder, assignment)}
    rows = _collected(folder.collected(assignment))
    gradebook = read_gradebook(folder, assignment)
    handed_in = set(folder.students(assignment))
    maxima = {name: maximum for name, (maximum, _) in gradebook.cells.items()}
    written = {name for name, (_, kind) in gradebook.cells.items() if kind == "markdown"}
    for result in results.values():
        maxima |= result.max_scores
        if result.status == "graded":
            judged = {e.grade_id for e in result.exercises} | set(result.untrusted)
            written |= set(result.max_scores) - judged - set(gradebook.cells)
    return [
        _marks(
            student,
            results.get(student),
            gradebook.students.get(student),
            rows.get(student, []),
            _Cells(maxima, written),
            student in handed_in,
        )
        for student in sorted({*results, *gradebook.students, *rows, *handed_in})
    ]


def _marks(
    student: str, result: Result | None, entry: Entry | None, rows: list[dict], cells: _Cells, handed_in: bool
) -> Marks:
    entry = entry or Entry()
    taken = next((row for row in rows if row["status"] == "taken"), None)
    refused = next((row for row in rows if row["status"] == "refused"), None)
    if result is None:
        scores, maxima = {n: g.auto for n, g in entry.grades.items()}, cells.maxima if entry.handed_in else {}
    else:
        scores = result.scores if result.status == "graded" else {}
        maxima = result.max_scores or cells.maxima
    marks = {n: _mark(scores.get(n), m, n in cells.written, entry.grades.get(n)) for n, m in maxima.items()}
    why = None
    if marks and all(mark.points is not None for mark in marks.values()):
        status = "graded"
    elif result and result.status == "failed":
        status, why = "failed", result.why
    elif marks:
        status = "to be read"
    elif handed_in:
        status = "not graded yet"
    elif refused:
        status, why = "refused", refused["why"]
    else:
        status = "missing"
    return Marks(
        student,
        entry.name or _name(student, rows),
        status,
        why,
        marks,
        entry.comments,
        entry.penalty,
        bool(taken and taken["late"]),
        list(taken["notes"]) if taken else [],
        {row["lms"]: row["identity"] for row in rows} | ({"id": entry.lms_id} if entry.lms_id else {}),
        result,
        result is not None and any(grade.auto != scores.get(n) for n, grade in entry.grades.items()),
    )


def _mark(auto: float | None, maximum: float, written: bool, grade: Grade | None) -> Mark:
    if grade is None:
        return Mark(auto, maximum, written)
    if grade.to_read:  # a manual score may stand there, too: it was for an earlier answer
        return Mark(None, maximum, written)
    points = auto if grade.manual is None else grade.manual
    extra = 0.0 if points is None else grade.extra
    return Mark(points, maximum, written, grade.manual is not None, extra)


def _name(student: str, rows: list[dict]) -> str:
    """The name as Moodle writes it in a file's name; elsewhere the student's folder is all there is."""
    for row in rows:
        for part in PurePosixPath(row["file"]).parts:
            if row["lms"] == "moodle" and (found := MOODLE.fullmatch(part)):
                return found["who"]
    return student


def _collected(report: Path) -> dict[str, list[dict]]:
    if not report.is_file():
        return {}
    rows: dict[str, list[dict]] = {}
    try:
        for row in json.loads(report.read_text(encoding="utf-8"))["files"]:
            if row["student"]:
                rows.setdefault(row["student"], []).append(row)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{report} must be what `lmcourse grade collect` wrote: {error!r}") from error
    return rows
