"""One submission from notebook to marks: its cells run in a box, its answers are judged out here.

At each check the box keeps a snapshot of the student's program. After the last cell every snapshot is asked the cases
of its exercise, the visible ones and then the hidden ones. What ends or hangs the program costs the cell or the exercise
that did it: the notebook is run again without it.
"""

from __future__ import annotations

import ast
import time
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat import NotebookNode

from lmcourse.exercises.panel import Panel, headline
from lmcourse.exercises.records import ChapterRecord, ExerciseRecord
from lmcourse.exercises.verdict import Verdict
from lmcourse.grading.asking import Fatal, ask
from lmcourse.grading.assignment import Assignment
from lmcourse.grading.box.client import Box, BoxBroken, BoxEnded, Boxes, TookTooLong
from lmcourse.grading.box.frames import MAIN
from lmcourse.grading.limits import Limits
from lmcourse.grading.outputs import safe_outputs
from lmcourse.grading.reading import Refused
from lmcourse.grading.repair import Template, repair
from lmcourse.grading.results import ExerciseResult, Result
from lmcourse.grading.source_policy import Names, source_refusal

GRACE_SECONDS = 2.0


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
    names: Names
    outputs: dict[int, tuple[Any, str]] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    verdicts: dict[str, tuple[Verdict, bool]] = field(default_factory=dict)
    incidents: list[str] = field(default_factory=list)
    peak_bytes: int = 0


def grade_submission(
    student: str, data: bytes, assignment: Assignment, boxes: Boxes, limits: Limits, key: str
) -> tuple[Result, str]:
    """Return the result and the executed notebook; for what cannot be graded a failed result and "".

    Raises:
        BoxBroken: no box can be made any more.
    """
    started = time.monotonic()
    try:
        notebook = nbformat.reads(repair(data, assignment.template).text, as_version=4)
    except Refused as error:
        return Result(student, assignment.name, key, "failed", f"The notebook cannot be read: {error}."), ""
    names = Names.of(cell.source for cell in notebook.cells if cell.cell_type == "code")
    run = Run(notebook.cells, checks_of(notebook.cells, assignment.visible), names)
    _run_and_judge(run, assignment, boxes, limits)
    _fill_in(run, assignment.visible)
    scores, max_scores, untrusted = _scores(run, assignment.template)
    result = Result(
        student, assignment.name, key, "graded",
        exercises=[ExerciseResult(run.cells[c.cell].metadata.nbgrader.grade_id, *run.verdicts[c.exercise]) for c in run.checks],
        scores=scores, max_scores=max_scores, untrusted=untrusted, incidents=list(dict.fromkeys(run.incidents)),
        seconds=round(time.monotonic() - started, 3), peak_bytes=run.peak_bytes,
    )  # fmt: skip
    return result, nbformat.writes(notebook, version=4) + "\n"


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


def _run_and_judge(run: Run, assignment: Assignment, boxes: Boxes, limits: Limits) -> None:
    """Run and judge until every exercise has its verdict, again without what ended the program."""
    until = time.monotonic() + limits.notebook_seconds
    last = False
    for attempt in range(limits.replays + len(run.checks) + 1):
        box = boxes.open(limits, 1 + len(run.checks))
        box.until = until
        last = last or attempt >= limits.replays
        try:
            done = _run_cells(run, assignment, box, give_up=last) and _judge_all(run, assignment, box)
        finally:
            box.close()
            run.peak_bytes = max(run.peak_bytes, box.peak_bytes)
        if done:
            break
        if time.monotonic() > until:
            run.incidents.append(f"The notebook was stopped after {limits.notebook_seconds:g} s.")
            break
    for check in run.checks:
        exercise = assignment.visible.find(check.exercise)
        run.verdicts.setdefault(check.exercise, (_missing(run, exercise), False))


def _run_cells(run: Run, assignment: Assignment, box: Box, *, give_up: bool) -> bool:
    """Run the cells and take the snapshots; return False where a cell ended the program, which is then to be skipped."""
    started = box.answer(MAIN, 30.0)
    if "ready" not in started:
        raise BoxBroken(f"the box could not be made: {started.get('broken')}")
    checks = {check.cell: [c for c in run.checks if c.cell == check.cell] for check in run.checks}
    for index, cell in enumerate(run.cells):
        if cell.cell_type != "code" or not cell.source.strip() or index in run.skipped:
            continue
        try:
            if index in checks:
                for check in checks[index]:
                    _take_snapshot(run, check, assignment, box)
            else:
                run.outputs[index] = _run_cell(run, index, box)
        except (BoxEnded, TookTooLong) as error:
            why = box.over or (
                "it did not stop when told to" if isinstance(error, TookTooLong) else "it ended the program"
            )
            run.skipped[index] = f"{_label(run, index)} was stopped: {why}."
            run.incidents.append(run.skipped[index])
            return give_up and box.over is None
    return True


def _run_cell(run: Run, index: int, box: Box) -> tuple[Any, str]:
    """Return (outputs, status). A cell that takes too long is interrupted, as with the stop button."""
    limits = box.limits
    box.ask(MAIN, {"do": "cell", "source": run.cells[index].source})
    try:
        told = box.answer(MAIN, limits.cell_seconds)
    except TookTooLong:
        box.interrupt()
        told = box.answer(MAIN, GRACE_SECONDS)
        run.incidents.append(f"{_label(run, index)} was interrupted after {limits.cell_seconds:g} s.")
    if not isinstance(told, dict):
        raise BoxEnded("what came is not a cell's outcome")
    return told.get("outputs"), str(told.get("status"))


def _take_snapshot(run: Run, check: Check, assignment: Assignment, box: Box) -> None:
    exercise = assignment.visible.find(check.exercise)
    box.ask(
        MAIN, {"do": "snapshot", "channel": check.channel, "name": exercise.name, "allow": exercise.allow}
    )
    box.answer(MAIN, 30.0)
    told = box.answer(check.channel, 30.0)
    run.found[exercise.name] = told if isinstance(told, dict) else {}


def _judge_all(run: Run, assignment: Assignment, box: Box) -> bool:
    """Judge what has no verdict yet; return False where the box is over before all have one."""
    for check in run.checks:
        if check.exercise in run.verdicts:
            continue
        exercise = assignment.visible.find(check.exercise)
        found = run.found.get(exercise.name, {})
        if found.get("defined") is not True:
            run.verdicts[exercise.name] = _missing(run, exercise), False
            continue
        # The box's word, and the text's: a program may have been made to lie.
        reason = found.get("refused") or source_refusal(run.names, exercise.name, exercise.allow)
        if reason is not None:
            refused = Verdict(
                exercise.name, "refused", 0, exercise.points, len(exercise.cases), reason=str(reason)[:500]
            )
            run.verdicts[exercise.name] = refused, False
            continue
        try:
            run.verdicts[exercise.name] = ask(
                exercise, assignment.hidden.find(exercise.name), check.channel, box
            )
        except Fatal as error:
            run.incidents.append(f"{exercise.name} was stopped: {error}.")
            total = len(exercise.cases)
            run.verdicts[exercise.name] = (
                Verdict(
                    exercise.name,
                    "failed",
                    0,
                    exercise.points,
                    total=total,
                    reason=f"It was stopped: {error}.",
                ),
                False,
            )
            if error.box_is_over:
                return False
    return True


def _missing(run: Run, exercise: ExerciseRecord) -> Verdict:
    reason = f"{exercise.name} is not defined when its check is reached."
    for index, cell in enumerate(run.cells):
        if cell.metadata.get("nbgrader", {}).get("grade_id") == exercise.name:
            errors = [
                o for o in safe_outputs(run.outputs.get(index, ([], ""))[0]) if o.output_type == "error"
            ]
            if errors:
                reason += f" Its cell ended with {errors[-1].ename}: {errors[-1].evalue[:300]}"
            elif index in run.skipped:
                reason += " Its cell was stopped."
    return Verdict(exercise.name, "missing", 0, exercise.points, total=len(exercise.cases), reason=reason)


def _fill_in(run: Run, chapter: ChapterRecord) -> None:
    """Write outputs into the cells; a check's is the panel that its student may see."""
    earned: dict[str, int] = {}
    for index, cell in enumerate(run.cells):
        if cell.cell_type != "code":
            continue
        graded = bool(cell.metadata.get("nbgrader", {}).get("grade"))
        cell.outputs = safe_outputs(run.outputs.get(index, ([], ""))[0], graded=graded)
        cell.execution_count = None
        if index in run.skipped:
            cell.outputs = safe_outputs([_error("Stopped", run.skipped[index])])
        for check in [c for c in run.checks if c.cell == index]:
            verdict, hidden = run.verdicts[check.exercise]
            shown = ExerciseResult("", verdict, hidden).shown
            earned[check.exercise] = shown.points
            panel = Panel(shown, chapter, dict(earned))
            data = {"text/html": panel._repr_html_(), "text/plain": repr(panel)}
            cell.outputs.append(
                nbformat.from_dict({"output_type": "display_data", "data": data, "metadata": {}})
            )
            if shown.status != "passed":
                cell.outputs += safe_outputs([_error("CheckFailed", headline(shown))])


def _error(name: str, message: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": message, "traceback": [f"{name}: {message}"]}


def _scores(run: Run, template: Template) -> tuple[dict[str, float | None], dict[str, float], list[str]]:
    """Return the score and the maximum of each grade cell, and which scores the student's own process gave."""
    given = {slot.grade_id: slot.node.source for slot in template.slots if slot.grade_id}
    scores: dict[str, float | None] = {}
    max_scores, untrusted = {}, []
    for index, cell in enumerate(run.cells):
        mark = cell.metadata.get("nbgrader", {})
        if not mark.get("grade") and not mark.get("task"):
            continue
        name, most = mark["grade_id"], float(mark.get("points", 0))
        max_scores[name] = most
        names = [c.exercise for c in run.checks if c.cell == index]
        if names:
            scores[name] = most if all(run.verdicts[n][0].status == "passed" for n in names) else 0.0
        elif mark.get("task") or mark.get("solution"):
            untouched = cell.source == given.get(name) and not mark.get("task")
            scores[name] = 0.0 if untouched else None
        else:
            untrusted.append(name)
            ran = index in run.outputs
            scores[name] = most if ran and not any(o.output_type == "error" for o in cell.outputs) else 0.0
    return scores, max_scores, untrusted


def _label(run: Run, index: int) -> str:
    name = run.cells[index].metadata.get("nbgrader", {}).get("grade_id")
    number = sum(cell.cell_type == "code" for cell in run.cells[: index + 1])
    return f"Code cell {number}" + (f" ({name})" if name else "")
