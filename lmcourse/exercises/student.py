"""The student's `check`: is it right, and if not, what was misunderstood?"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmcourse.exercises.outcome import call_packed
from lmcourse.exercises.panel import Panel, headline
from lmcourse.exercises.policy import refusal
from lmcourse.exercises.records import ChapterRecord, load_chapter, load_file
from lmcourse.exercises.verdict import Verdict, judge

# Where an instructor keeps hidden cases, when the notebooks are graded by stock nbgrader.
HIDDEN = "LMCOURSE_HIDDEN_CASES"


class CheckFailed(Exception):
    """The cell fails, which is how nbgrader knows; the panel above says why."""

    def _render_traceback_(self) -> list[str]:
        return [f"CheckFailed: {self}"]


class Checker:
    """Judges the functions of one chapter and keeps the points.

    >>> check = Checker(load_chapter("01_tokens"))
    >>> check.earned
    {}
    """

    def __init__(self, chapter: ChapterRecord, hidden: ChapterRecord | None = None) -> None:
        self.chapter, self.hidden = chapter, hidden
        self.earned: dict[str, int] = {}

    def __call__(self, answer: Callable[..., Any]) -> None:
        """Judge `answer`, show the panel, and raise CheckFailed where it does not pass."""
        name = getattr(answer, "__name__", None)
        if name is None:
            raise TypeError(
                f"check expects a function or class, for example check({self.chapter.exercises[0].name}), got {answer!r}"
            )
        verdict = self.verdict(name, answer)
        self.earned[name] = verdict.points
        _show(Panel(verdict, self.chapter, dict(self.earned)))
        if verdict.status != "passed":
            raise CheckFailed(headline(verdict))

    def verdict(self, name: str, answer: Callable[..., Any]) -> Verdict:
        exercise = self.chapter.find(name)
        reason = refusal(answer, exercise.allow, exercise.refuse)
        if reason is not None:
            return Verdict(name, "refused", 0, exercise.points, total=len(exercise.cases), reason=reason)

        def run(packed_args: bytes) -> bytes:
            return call_packed(answer, packed_args, collect=exercise.collect)

        verdict = judge(exercise, run)
        if verdict.status == "passed" and self.hidden is not None:
            verdict = judge(self.hidden.find(name), run)
        return verdict


def open_exercises(chapter: str) -> Checker:
    """Return the `check` of a chapter: `check = open_exercises("01_tokens")`, then `check(my_function)`."""
    folder = os.environ.get(HIDDEN)
    hidden = load_file(Path(folder) / f"{chapter}.json") if folder else None
    return Checker(load_chapter(chapter), hidden)


def _show(panel: Panel) -> None:
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = None
    if get_ipython is not None and get_ipython() is not None:
        display(panel)
    else:
        print(panel)
