"""What the results of a class say, as numbers: pure functions over lists of results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import StatisticsError, correlation, quantiles

from lmcourse.exercises.records import ChapterRecord, ExerciseRecord
from lmcourse.exercises.verdict import Failure, Verdict
from lmcourse.grading.results import ExerciseResult, Result

STATES = ("solved", "wrong", "stopped", "refused", "not started", "missing")
ENOUGH = 10  # below this many answers a correlation says nothing
MOST_BARS = 24


def graded(results: Iterable[Result]) -> list[Result]:
    return [result for result in results if result.status == "graded"]


def state_of(verdict: Verdict | None) -> str:
    """Return one of `STATES`: how an answer ended. "stopped" ran too long or ended the program; None is "missing".

    >>> state_of(Verdict("merge_pair", "passed", 2, 2)), state_of(None)
    ('solved', 'missing')
    """
    if verdict is None:
        return "missing"
    if verdict.status == "failed":
        if verdict.failure is None:
            return "stopped" if (verdict.reason or "").startswith("It was stopped") else "wrong"
        return "stopped" if verdict.failure.got.startswith("raised TookTooLong") else "wrong"
    return "solved" if verdict.status == "passed" else verdict.status


@dataclass(frozen=True)
class Bar:
    """How many marks lie from `low` up to `high`; the middle of a bar of width 1 is a whole mark."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Spread:
    """The points given without a person, one number a graded student, of at most `maximum`."""

    points: list[float]
    maximum: float

    @property
    def quartiles(self) -> tuple[float, float, float] | None:
        """A quarter, a half and three quarters of the class lie at or below these; None without marks.

        Between two marks the line is straight, as numpy's `percentile` has it.
        """
        if len(self.points) < 2:
            return (self.points[0],) * 3 if self.points else None
        low, middle, high = quantiles(self.points, n=4, method="inclusive")
        return low, middle, high

    @property
    def width(self) -> int:
        """How many points a bar of the histogram is wide: 1 where that gives few enough bars, else 2, 5, 10, 20, ..."""
        steps = (step * 10**zeros for zeros in range(9) for step in (1, 2, 5))
        return next(step for step in steps if self.maximum / step <= MOST_BARS)

    @property
    def bars(self) -> list[Bar]:
        """The histogram from 0 to `maximum`: each mark in one bar, the maximum in the last."""
        width = self.width
        shift = 0.5 if width == 1 else 0.0  # whole marks in the middle of their bars
        number = math.floor(self.maximum) + 1 if width == 1 else math.ceil(self.maximum / width)
        counts = [0] * max(number, 1)
        for mark in self.points:
            counts[min(max(math.floor(mark / width + shift), 0), len(counts) - 1)] += 1
        return [Bar(i * width - shift, (i + 1) * width - shift, count) for i, count in enumerate(counts)]


def spread_of(results: Iterable[Result], chapter: ChapterRecord) -> Spread:
    """Return the automatic marks of those who were graded. What a person has to read counts in neither number."""
    results = graded(results)
    most = float(chapter.points)
    for result in results:
        automatic = {e.grade_id for e in result.exercises} | set(result.untrusted)
        most = max(most, sum(result.max_scores.get(grade_id, 0.0) for grade_id in automatic))
    return Spread([result.points for result in results], most)


@dataclass(frozen=True)
class Separation:
    """Whether an exercise separates who knows from who does not; `why` says why there is no `value`."""

    value: float | None
    why: str = ""


def separation(solved: Sequence[float], others: Sequence[float]) -> Separation:
    """Return the corrected point-biserial correlation of one exercise with all others.

    `solved` has a student's points in the exercise, `others` the same student's points in the other exercises.
    It lies between -1 and 1; without the correction an exercise would correlate with itself.

    >>> separation([0, 0, 0, 0, 0, 2, 2, 2, 2, 2], [1, 2, 3, 4, 5, 5, 6, 7, 8, 9]).value > 0.8
    True
    """
    if len(solved) < ENOUGH:
        return Separation(None, f"fewer than {ENOUGH} answers")
    if len(set(solved)) == 1:
        return Separation(None, "all did the same here")
    try:
        return Separation(correlation(solved, others))
    except StatisticsError:
        return Separation(None, "all did the same elsewhere")


@dataclass(frozen=True)
class Explained:
    """A known mistake and who made it."""

    hint: str
    students: list[str]


@dataclass(frozen=True)
class Unexplained:
    """Wrong answers that no known mistake explains and that fail first in the same case and in the same way."""

    about: str
    difference: str
    students: list[str]
    example: Failure | None
    hidden: bool


@dataclass(frozen=True)
class ExerciseFigures:
    """How a class did in one exercise. `counts` has a number for each of `STATES`; together they are all graded."""

    name: str
    title: str
    points: int
    counts: dict[str, int]
    separation: Separation
    explained: list[Explained]
    unexplained: list[Unexplained]

    @property
    def answers(self) -> int:
        return sum(self.counts.values())

    @property
    def failing(self) -> int:
        return self.counts["wrong"] + self.counts["stopped"]

    @property
    def share_solved(self) -> float | None:
        return self.counts["solved"] / self.answers if self.answers else None


def figures_of(results: Iterable[Result], chapter: ChapterRecord) -> list[ExerciseFigures]:
    """Return the figures of each exercise over those who were graded, in the order of the chapter."""
    results = graded(results)
    answers = [{e.verdict.name: e for e in result.exercises} for result in results]
    points = {
        e.name: [float(a[e.name].verdict.points) if e.name in a else 0.0 for a in answers]
        for e in chapter.exercises
    }
    totals = [sum(column) for column in zip(*points.values(), strict=True)]
    made = []
    for exercise in chapter.exercises:
        own = {
            result.student: answer.get(exercise.name) for result, answer in zip(results, answers, strict=True)
        }
        states = [state_of(answer and answer.verdict) for answer in own.values()]
        others = [total - own for total, own in zip(totals, points[exercise.name], strict=True)]
        explained, unexplained = _mistakes(exercise, own)
        made.append(
            ExerciseFigures(
                exercise.name,
                exercise.title,
                exercise.points,
                {state: states.count(state) for state in STATES},
                separation(points[exercise.name], others),
                explained,
                unexplained,
            )
        )
    return made


def _mistakes(
    exercise: ExerciseRecord, own: dict[str, ExerciseResult | None]
) -> tuple[list[Explained], list[Unexplained]]:
    """Return what explains the wrong answers and what is left, the most frequent first."""
    hints: dict[str, list[str]] = {}
    groups: dict[tuple[str, str], list[str]] = {}
    for student, answer in own.items():
        if answer is None or answer.verdict.status != "failed":
            continue
        verdict = answer.verdict
        hint = verdict.hint
        if hint is None and verdict.mistake is not None and verdict.mistake < len(exercise.hints):
            hint = exercise.hints[verdict.mistake]
        if hint is not None:
            hints.setdefault(hint, []).append(student)
        elif verdict.failure is not None:
            groups.setdefault((verdict.failure.about, verdict.failure.difference), []).append(student)
        else:
            groups.setdefault((verdict.reason or "no case is known", ""), []).append(student)
    explained = [Explained(hint, students) for hint, students in hints.items()]
    unexplained = [
        Unexplained(about, difference, students, own[students[0]].verdict.failure, own[students[0]].hidden)
        for (about, difference), students in groups.items()
    ]
    return (
        sorted(explained, key=lambda e: (-len(e.students), e.hint)),
        sorted(unexplained, key=lambda u: (-len(u.students), u.about, u.difference)),
    )
