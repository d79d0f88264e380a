"""A notebook that runs in a box: its cells in their order, and a snapshot of the program at each check."""

from __future__ import annotations

import ast
import time
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from lmcourse.exercises.records import ChapterRecord
from lmcourse.exercises.verdict import Verdict
from lmcourse.grading.box.client import Box, BoxBroken, BoxEnded, TookTooLong
from lmcourse.grading.box.frames import MAIN

START_SECONDS, SNAPSHOT_SECONDS, GRACE_SECONDS = 60.0, 30.0, 2.0


@dataclass(frozen=True)
class Check:
    """An exercise that a check cell asks for, and the channel of its snapshot."""

    cell: int
    exercise: str
    channel: int


@dataclass
class Run:
    """A notebook while it is graded."""

    cells: list[NotebookNode]
    checks: list[Check]
    against: dict[str, str | None] = field(default_factory=dict)
    outputs: dict[int, tuple[Any, str]] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    right_so_far: set[str] = field(default_factory=set)
    one_by_one: bool = False
    verdicts: dict[str, tuple[Verdict, bool]] = field(default_factory=dict)
    incidents: list[str] = field(default_factory=list)
    peak_bytes: int = 0


def checks_of(cells: list[NotebookNode], chapter: ChapterRecord) -> list[Check]:
    """Return what the locked cells that hold only `check(name)` lines ask for, in their order."""
    known = {e.name for e in chapter.exercises}
    found: list[Check] = []
    for index, cell in enumerate(cells):
        for name in _checked_names(cell):
            if name in known and name not in {c.exercise for c in found}:
                found.append(Check(index, name, MAIN + 1 + len(found)))
    return found


def _checked_names(cell: NotebookNode) -> list[str]:
    mark = cell.metadata.get("nbgrader", {})
    if cell.cell_type != "code" or not mark.get("grade") or mark.get("solution"):
        return []
    try:
        lines = ast.parse(cell.source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names = []
    for line in lines:
        match line:
            case ast.Expr(ast.Call(ast.Name("check"), [ast.Name(name)], [])):
                names.append(name)
            case _:
                return []
    return names


def run_cells(run: Run, chapter: ChapterRecord, box: Box, until: float, *, give_up: bool) -> bool:
    """Run the cells until that moment and take the snapshots.

    Returns False where a cell ended the program, which is then to be skipped in another run; where the time is over, the
    snapshots that were taken still count.
    """
    run.outputs.clear()
    run.taken.clear()
    run.found.clear()
    try:
        started = box.answer(MAIN, START_SECONDS)
    except (BoxEnded, TookTooLong) as error:
        raise BoxBroken("the box could not be made: nothing came from it") from error
    if "ready" not in started:
        raise BoxBroken(f"the box could not be made: {started.get('broken')}")
    checks = {check.cell: [c for c in run.checks if c.cell == check.cell] for check in run.checks}
    for index, cell in enumerate(run.cells):
        if cell.cell_type != "code" or not cell.source.strip() or index in run.skipped:
            continue
        left = until - time.monotonic()
        if left <= 0:
            run.incidents.append(
                f"The notebook was stopped after {box.limits.notebook_seconds:g} s, before {_label(run, index)}."
            )
            return True
        try:
            if index in checks:
                for check in checks[index]:
                    _take_snapshot(run, check, chapter, box)
            else:
                run.outputs[index] = _run_cell(run, index, box, min(left, box.limits.cell_seconds))
        except (BoxEnded, TookTooLong) as error:
            why = box.over or (
                "it did not stop when told to" if isinstance(error, TookTooLong) else "it ended the program"
            )
            run.skipped[index] = f"{_label(run, index)} was stopped: {why}."
            run.incidents.append(run.skipped[index])
            return box.over is None and (give_up or time.monotonic() > until)
    return True


def _run_cell(run: Run, index: int, box: Box, seconds: float) -> tuple[Any, str]:
    """Return (outputs, status). A cell that takes too long is interrupted, as with the stop button."""
    box.ask(MAIN, {"do": "cell", "source": run.cells[index].source})
    try:
        told = box.answer(MAIN, seconds)
    except TookTooLong:
        box.interrupt()
        told = box.answer(MAIN, GRACE_SECONDS)
        run.incidents.append(f"{_label(run, index)} was interrupted after {seconds:.3g} s.")
    if not isinstance(told, dict):
        raise BoxEnded("what came is not a cell's outcome")
    _tell_missing_package(run, index, told.get("outputs"))
    return told.get("outputs"), str(told.get("status"))


def _tell_missing_package(run: Run, index: int, outputs: Any) -> None:
    """A package that is there in Colab and not here may cost an honest student all that follows: somebody must know."""
    for output in outputs if isinstance(outputs, list) else []:
        if isinstance(output, dict) and output.get("ename") == "ModuleNotFoundError":
            run.incidents.append(
                f"{_label(run, index)} needs a package that is not installed here: {str(output.get('evalue'))[:100]}."
            )


def _take_snapshot(run: Run, check: Check, chapter: ChapterRecord, box: Box) -> None:
    exercise = chapter.find(check.exercise)
    order = {"do": "snapshot", "channel": check.channel, "name": exercise.name}
    order |= {"allow": exercise.allow, "refuse": exercise.refuse}
    box.ask(MAIN, order)
    box.answer(MAIN, SNAPSHOT_SECONDS)
    run.taken.add(exercise.name)


def hear(run: Run, check: Check, box: Box) -> dict[str, Any]:
    """Return what a snapshot says of itself; it says so once."""
    if check.exercise in run.taken and check.exercise not in run.found:
        try:
            told = box.answer(check.channel, SNAPSHOT_SECONDS)
        except (BoxEnded, TookTooLong):
            told = None
        run.found[check.exercise] = told if isinstance(told, dict) else {}
    return run.found.get(check.exercise, {})


def _label(run: Run, index: int) -> str:
    name = run.cells[index].metadata.get("nbgrader", {}).get("grade_id")
    number = sum(cell.cell_type == "code" for cell in run.cells[: index + 1])
    return f"Code cell {number}" + (f" ({name})" if name else "")
