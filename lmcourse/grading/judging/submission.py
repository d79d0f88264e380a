"""One submission from notebook to marks: its cells run in a box, its answers are judged out here.

At each check the box keeps a snapshot of the student's program. After the last cell every snapshot is asked the cases
of its exercise, the visible ones and then the hidden ones. What ends or hangs the program costs the cell or the exercise
that did it: the notebook is run again without it.
"""

from __future__ import annotations

import time

import nbformat

from lmcourse.exercises.records import ExerciseRecord
from lmcourse.exercises.verdict import Verdict
from lmcourse.grading.box.client import Box, Boxes
from lmcourse.grading.intake.reading import Refused
from lmcourse.grading.intake.repair import repair
from lmcourse.grading.judging.asking import Fatal, ask
from lmcourse.grading.judging.assignment import Assignment
from lmcourse.grading.judging.marked import fill_in, scores_of
from lmcourse.grading.judging.outputs import safe_outputs
from lmcourse.grading.judging.running import Run, checks_of, run_cells
from lmcourse.grading.judging.source_policy import Names, source_refusal
from lmcourse.grading.limits import Limits
from lmcourse.grading.results import ExerciseResult, Result


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
    fill_in(run, assignment.visible)
    scores, max_scores, untrusted = scores_of(run, assignment.template)
    result = Result(
        student, assignment.name, key, "graded",
        exercises=[ExerciseResult(run.cells[c.cell].metadata.nbgrader.grade_id, *run.verdicts[c.exercise]) for c in run.checks],
        scores=scores, max_scores=max_scores, untrusted=untrusted, incidents=list(dict.fromkeys(run.incidents)),
        seconds=round(time.monotonic() - started, 3), peak_bytes=run.peak_bytes,
    )  # fmt: skip
    return result, nbformat.writes(notebook, version=4) + "\n"


def _run_and_judge(run: Run, assignment: Assignment, boxes: Boxes, limits: Limits) -> None:
    """Run and judge until every exercise has its verdict, again without what ended the program."""
    until, last = None, False
    for attempt in range(limits.replays + len(run.checks) + 1):
        box = boxes.open(limits, 1 + len(run.checks))
        until = until or box.until
        box.until = until
        last = last or attempt >= limits.replays
        try:
            done = run_cells(run, assignment.visible, box, give_up=last) and _judge_all(run, assignment, box)
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


def _judge_all(run: Run, assignment: Assignment, box: Box) -> bool:
    """Judge what has no verdict yet; return False where the box is over before all have one.

    All visible cases are asked before the first hidden one, so that no answer that a student is shown can
    hold what another function of theirs was asked in secret.
    """
    for check in run.checks:
        exercise = assignment.visible.find(check.exercise)
        if exercise.name in run.verdicts or exercise.name in run.right_so_far:
            continue
        unjudged = _unjudged(run, exercise)
        verdict, over = (unjudged, False) if unjudged else _asked(run, exercise, check.channel, box)
        if verdict.status == "passed":
            run.right_so_far.add(exercise.name)
        else:
            run.verdicts[exercise.name] = verdict, False
        if over:
            return False
    for check in run.checks:
        if check.exercise in run.verdicts:
            continue
        verdict, over = _asked(run, assignment.hidden.find(check.exercise), check.channel, box)
        run.verdicts[check.exercise] = verdict, verdict.reason is None
        if over:
            return False
    return True


def _unjudged(run: Run, exercise: ExerciseRecord) -> Verdict | None:
    """The verdict on what cannot or may not be asked, else None."""
    found = run.found.get(exercise.name, {})
    if found.get("defined") is not True:
        return _missing(run, exercise)
    # The box's word, and the text's: a program may have been made to lie.
    reason = found.get("refused") or source_refusal(run.names, exercise.name, exercise.allow)
    if reason is None:
        return None
    total = len(exercise.cases)
    return Verdict(exercise.name, "refused", 0, exercise.points, total=total, reason=str(reason)[:500])


def _asked(run: Run, exercise: ExerciseRecord, channel: int, box: Box) -> tuple[Verdict, bool]:
    """Return the verdict, and whether the box is over, so that nothing else in it can be asked."""
    try:
        return ask(exercise, channel, box), False
    except Fatal as error:
        run.incidents.append(f"{exercise.name} was stopped: {error}.")
        reason, total = f"It was stopped: {error}.", len(exercise.cases)
        return Verdict(
            exercise.name, "failed", 0, exercise.points, total=total, reason=reason
        ), error.box_is_over


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
