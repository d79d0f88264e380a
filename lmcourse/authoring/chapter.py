"""A chapter as its author keeps it: checks, references from the solution cells, and the cases made from both."""

from __future__ import annotations

import inspect
import linecache
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmcourse.authoring.course import chapter_names, course_root
from lmcourse.authoring.spec import Call, Exercise, Mistake, Written
from lmcourse.exercises.codec import pack
from lmcourse.exercises.outcome import call_packed
from lmcourse.exercises.records import Case, ChapterRecord, ExerciseRecord
from lmcourse.exercises.verdict import mark_of, outcome_of

VISIBLE_SEED = 0


@dataclass(frozen=True)
class Chapter:
    name: str
    exercises: list[Exercise]
    written: list[Written]
    references: dict[str, Callable[..., Any]]

    def record(self, seed: int = VISIBLE_SEED, *, hidden: bool = False) -> ChapterRecord:
        """Return the cases of `seed` with expected outcomes: the visible ones, or the hidden ones.

        Hidden ones carry no marks of known mistakes, for each mistake fails a visible case already, and they keep the
        expected values of predictions: a fingerprint of floats can be met by others.
        """
        made = []
        for e in self.exercises:
            reference = self.references[e.name]
            calls = e.take(seed, e.hidden if hidden else e.visible)
            made.append(
                ExerciseRecord(
                    e.name,
                    e.title,
                    e.points,
                    e.minutes,
                    f"{e.name}{inspect.signature(reference)}",
                    e.compare,
                    [] if hidden else [m.hint for m in e.mistakes],
                    list(e.allow),
                    list(e.refuse),
                    e.collect,
                    e.may_mutate,
                    [
                        _case(e, call, reference, [] if hidden else e.mistakes, e.secret and not hidden)
                        for call in calls
                    ],
                )
            )
        return ChapterRecord(self.name, made)


def _case(
    exercise: Exercise, call: Call, reference: Callable[..., Any], mistakes: list[Mistake], secret: bool
) -> Case:
    packed = pack((call.args, call.kwargs))
    expected = call_packed(exercise.oracle or reference, packed, collect=exercise.collect)
    outcome = outcome_of(expected)
    if outcome["kind"] == "unreadable":
        raise ValueError(
            f"the reference of {exercise.name} cannot be judged on {call.about!r}: {outcome['message']}"
        )
    outcome.pop("trace", None)
    marks = []
    for mistake in mistakes:
        wrong = outcome_of(call_packed(mistake.function, packed, collect=exercise.collect, seconds=2.0))
        marks.append(mark_of(wrong, exercise.compare))
    shown = None if secret else pack(outcome)
    return Case(call.about, packed, shown, mark_of(outcome, exercise.compare), marks)


def load(name: str, root: Path | None = None) -> Chapter:
    """Return the chapter `name` with its references taken from the solution notebook's cells."""
    root = root or course_root()
    folder = root / "solutions" / name
    if not (folder / "checks.py").is_file():
        raise KeyError(f"'chapter' must be one of {', '.join(chapter_names(root))}, got {name!r}")
    checks = _module(
        f"_lmcourse_checks_{name}",
        (folder / "checks.py").read_text(encoding="utf-8"),
        str(folder / "checks.py"),
    )
    exercises = [v for v in vars(checks).values() if isinstance(v, Exercise)]
    written = [v for v in vars(checks).values() if isinstance(v, Written)]
    solution = solution_namespace(folder / "exercises.py")
    missing = [e.name for e in exercises if e.name not in solution]
    if missing:
        raise ValueError(f"{folder / 'exercises.py'} must define {', '.join(missing)}: checks.py judges them")
    return Chapter(name, exercises, written, {e.name: solution[e.name] for e in exercises})


def solution_namespace(path: Path) -> dict[str, Any]:
    """Run the cells of a percent-format file that define answers, and return what they define.

    Cells that check, install or show are left out: a reference is a definition, not an effect.
    """
    import jupytext

    cells = jupytext.read(path).cells
    code = [c.source for c in cells if c.cell_type == "code" and _defines(c.metadata)]
    return vars(
        _module(f"_lmcourse_solution_{path.parent.name}", "\n\n".join(code), f"<solution {path.parent.name}>")
    )


def _defines(metadata: dict[str, Any]) -> bool:
    return "exercise" in metadata or "imports" in metadata.get("tags", [])


def namespace_of(path: Path) -> dict[str, Any]:
    """Run a plain Python file of attempts and return what it defines."""
    return vars(_module("_lmcourse_attempt", path.read_text(encoding="utf-8"), str(path)))


def _module(name: str, source: str, shown_as: str) -> types.ModuleType:
    module = types.ModuleType(name)
    # Registered, so that dataclasses, tracebacks and inspect find where a function was written.
    linecache.cache[shown_as] = (len(source), None, source.splitlines(keepends=True), shown_as)
    sys.modules[name] = module
    exec(compile(source, shown_as, "exec"), module.__dict__)
    return module
