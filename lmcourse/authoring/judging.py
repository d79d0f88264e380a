"""Judge a plain Python file of attempts: the visible cases, the hidden ones, and the mistake that explains a failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmcourse.authoring.chapter import Chapter, load, namespace_of
from lmcourse.exercises.outcome import call_packed
from lmcourse.exercises.policy import refusal
from lmcourse.exercises.records import ChapterRecord, ExerciseRecord
from lmcourse.exercises.verdict import Verdict, judge


def judge_function(answer: Callable[..., Any], visible: ExerciseRecord, hidden: ExerciseRecord) -> Verdict:
    """Judge one answer on both sets of cases; the first that fails is told."""
    reason = refusal(answer, visible.allow, visible.refuse)
    if reason is not None:
        return Verdict(visible.name, "refused", 0, visible.points, reason=reason)

    def run(packed: bytes) -> bytes:
        return call_packed(answer, packed, collect=visible.collect)

    first = judge(visible, run)
    return first if first.status != "passed" else judge(hidden, run)


def judge_namespace(chapter: Chapter, namespace: dict[str, Any], seed: int) -> list[Verdict]:
    """Judge what `namespace` defines, an exercise a verdict; what it lacks is "missing"."""
    visible, hidden = chapter.record(), chapter.record(seed, hidden=True)
    return [_judge_one(e, namespace, hidden) for e in visible.exercises]


def _judge_one(exercise: ExerciseRecord, namespace: dict[str, Any], hidden: ChapterRecord) -> Verdict:
    answer = namespace.get(exercise.name)
    if answer is None:
        return Verdict(
            exercise.name, "missing", 0, exercise.points, reason=f"the file does not define {exercise.name}"
        )
    return judge_function(answer, exercise, hidden.find(exercise.name))


def judge_file(name: str, attempt: Path, *, seed: int, root: Path | None = None) -> list[Verdict]:
    """Judge the file `attempt` for the chapter `name` with hidden cases of `seed`."""
    return judge_namespace(load(name, root), namespace_of(attempt), seed)
