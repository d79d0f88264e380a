"""What grading one submission gives: plain data, kept as JSON beside the gradebook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace

from lmcourse.exercises.verdict import Failure, Verdict
from lmcourse.grading.class_folder import ClassFolder

FORMAT = 1


@dataclass(frozen=True)
class ExerciseResult:
    """The verdict on one check cell. With `hidden`, what failed is a hidden case, which no student may see."""

    grade_id: str
    verdict: Verdict
    hidden: bool = False

    @property
    def shown(self) -> Verdict:
        """The verdict as its student may read it: of a hidden case only what it is about."""
        v = self.verdict
        if not self.hidden or v.status != "failed":
            return v
        about = f" The first that does not is about: {v.failure.about}." if v.failure else ""
        reason = f"The cases that you have all pass, but {v.total - v.passed} of {v.total} further cases do not.{about}"
        return replace(v, failure=None, reason=reason)


@dataclass(frozen=True)
class Result:
    """How one submission was graded.

    `status` is "graded" or "failed" (`why` says what kept it from being graded; it has no marks then). `scores` has
    the automatic score of each grade cell, None where a person has to read. `untrusted` are grade cells that are no
    `check`: the student's own process ran them. `incidents` says in sentences what went wrong on the way, such as
    a cell that was stopped. `key` is a digest of everything the marks depend on.
    """

    student: str
    assignment: str
    key: str
    status: str
    why: str | None = None
    exercises: list[ExerciseResult] = field(default_factory=list)
    scores: dict[str, float | None] = field(default_factory=dict)
    max_scores: dict[str, float] = field(default_factory=dict)
    untrusted: list[str] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def points(self) -> float:
        """The points that were given without a person."""
        return sum(score for score in self.scores.values() if score is not None)

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, source: str) -> Result:
        """Return the result in `text`. `source` names the file in the error for a damaged one."""
        try:
            data = json.loads(text)
            if data.pop("format") != FORMAT:
                raise ValueError(f"expected format {FORMAT}")
            data["exercises"] = [
                ExerciseResult(e["grade_id"], _verdict(e["verdict"]), e["hidden"]) for e in data["exercises"]
            ]
            return cls(**data)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{source} is not the result of a grading: {error}") from error


def _verdict(data: dict) -> Verdict:
    failure = data["failure"]
    return Verdict(**{**data, "failure": None if failure is None else Failure(**failure)})


def results_of(folder: ClassFolder, assignment: str) -> Iterator[Result]:
    """Yield the results of everybody who was graded, in the order of their names.

    Raises:
        ValueError: a file is no result.
    """
    for path in sorted(folder.graded(assignment).glob("*.json")):
        yield Result.from_json(path.read_text(encoding="utf-8"), source=str(path))
