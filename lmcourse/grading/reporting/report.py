"""The report to the instructor: what the class has understood, on one page that needs nothing else.

graded/ASSIGNMENT/report.html     for the instructor, with names and code
graded/ASSIGNMENT/lecture.html    to show to the class, without either (`names=False`)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from lmcourse.exercises.records import ChapterRecord
from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.files import write_whole
from lmcourse.grading.reporting.answers import Reach, Submission, given_code, reaching, read_submissions
from lmcourse.grading.reporting.page import render
from lmcourse.grading.reporting.similar import Group, alike
from lmcourse.grading.reporting.statistics import ExerciseFigures, Spread, figures_of, graded, spread_of
from lmcourse.grading.results import Result, results_of

By = list[tuple[str, list[str]]]


@dataclass(frozen=True)
class ClassReport:
    """Everything that the page says. Lists of (text, students) have the most frequent first."""

    assignment: str
    handed_in: list[str]
    results: list[Result]
    marks: Spread
    figures: list[ExerciseFigures]
    late: list[str]
    waiting: list[str]
    refused: list[tuple[str, str, str]]
    repairs: By
    incidents: By
    unread: By
    groups: list[Group]
    reaches: list[Reach]
    answers: dict[str, dict[str, str]] = field(repr=False)

    @property
    def graded(self) -> list[Result]:
        return graded(self.results)

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.status != "graded"]

    @property
    def to_read(self) -> list[str]:
        """Whoever has written something that a person has to read."""
        return [r.student for r in self.graded if any(score is None for score in r.scores.values())]

    @property
    def untrusted(self) -> By:
        return _by((grade_id, r.student) for r in self.graded for grade_id in r.untrusted)

    @property
    def not_judged(self) -> By:
        return _by(
            (f"{e.verdict.name}: {e.verdict.reason or 'no reason is known'}", r.student)
            for r in self.graded
            for e in r.exercises
            if e.verdict.status == "refused" or (e.verdict.status == "missing" and e.verdict.reason)
        )

    @property
    def slowest(self) -> list[Result]:
        return sorted(self.results, key=lambda r: (-r.seconds, r.student))[:5]

    @property
    def median_seconds(self) -> float:
        return median([r.seconds for r in self.results] or [0.0])


def write_report(
    folder: ClassFolder,
    assignment: str,
    chapter: ChapterRecord,
    *,
    names: bool = True,
    known: Mapping[str, Iterable[str]] | None = None,
) -> Path:
    """Write the page and return where it is.

    `names=False` makes the page for the class: no names, no code, no hidden case. `known` has code, by exercise, in
    which answers may be alike without meaning anything, such as other solutions.

    Raises:
        ValueError: a result, or the report of collecting, is damaged.
    """
    report = read_class(folder, assignment, chapter, known or {}, code=names)
    path = folder.graded(assignment) / ("report.html" if names else "lecture.html")
    write_whole(folder.root, path, render(report, names=names))
    return path


def read_class(
    folder: ClassFolder,
    assignment: str,
    chapter: ChapterRecord,
    known: Mapping[str, Iterable[str]],
    *,
    code: bool = True,
) -> ClassReport:
    """Return what is known of a class; without `code` nobody's notebook is looked at."""
    results = list(results_of(folder, assignment))
    rows = _rows(folder.collected(assignment))
    handed_in = sorted({*folder.students(assignment), *(result.student for result in results)})
    submissions: list[Submission] = []
    unread: dict[str, str] = {}
    cells, solutions = given_code(folder, assignment)
    if code:
        submissions, unread = read_submissions(folder, assignment, [e.name for e in chapter.exercises], cells)
    answers = {
        e.name: {s.student: s.answers[e.name] for s in submissions if e.name in s.answers}
        for e in chapter.exercises
    }
    everyones = {name: [*solutions.get(name, ()), *known.get(name, ())] for name in answers}
    taken = [row for row in rows if row["status"] == "taken"]
    return ClassReport(
        assignment,
        handed_in,
        results,
        spread_of(results, chapter),
        figures_of(results, chapter),
        late=sorted({row["student"] for row in taken if row["late"]}),
        waiting=sorted({*handed_in} - {result.student for result in results}),
        refused=[
            (row["student"] or "?", row["file"], row["why"]) for row in rows if row["status"] == "refused"
        ],
        repairs=_by(
            (note, row["student"]) for row in taken for note in row["notes"] if note != "Handed in late."
        ),
        incidents=_by((text, result.student) for result in results for text in result.incidents),
        unread=_by((why, student) for student, why in unread.items()),
        groups=alike(answers, {"": cells, **everyones}),
        reaches=reaching(submissions),
        answers=answers,
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows that collecting wrote; none where the files came another way."""
    if not path.is_file():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["files"]
        return [
            {key: row[key] for key in ("status", "student", "late", "file", "why", "notes")} for row in rows
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the report of `lmcourse grade collect`: {error}") from error


def _by(pairs: Iterable[tuple[str, str]]) -> By:
    """Return [(text, students)], the most frequent text first."""
    found: dict[str, list[str]] = {}
    for text, student in pairs:
        found.setdefault(text, []).append(student)
    return sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0]))
