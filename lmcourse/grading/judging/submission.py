"""One submission from notebook to marks: its cells run in a box, its answers are judged out here.

At each check the box keeps a snapshot of the student's program. After the last cell every snapshot is asked the cases
of its exercise, the visible ones and then the hidden ones. What ends or hangs the program costs the cell or the exercise
that did it: the notebook is run again without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import nbformat
from nbformat import NotebookNode

from lmcourse.exercises.records import ChapterRecord, ExerciseRecord
from lmcourse.exercises.verdict import Verdict
from lmcourse.grading.box.client import Box, Boxes
from lmcourse.grading.intake.reading import Refused
from lmcourse.grading.intake.repair import repair
from lmcourse.grading.judging.asking import Asked, Fatal
from lmcourse.grading.judging.assignment import Assignment
from lmcourse.grading.judging.marked import fill_in, scores_of
from lmcourse.grading.judging.outputs import safe_outputs
from lmcourse.grading.judging.running import Check, Run, checks_of, hear, run_cells
from lmcourse.grading.judging.source_policy import Names, source_refusal
from lmcourse.grading.limits import Limits
from lmcourse.grading.results import ExerciseResult, Result


def prepare(data: bytes, assignment: Assignment) -> tuple[NotebookNode, Run]:
    """Return the notebook to run, repaired, and all that its text says. Nothing in it is executed.

    Raises:
        Refused: it cannot be read.
    """
    notebook = nbformat.reads(repair(data, assignment.template).text, as_version=4)
    run = Run(notebook.cells, checks_of(notebook.cells, assignment.visible))
    run.against = _against(run, assignment.visible)
    return notebook, run


def grade_submission(
    student: str,
    prepared: Callable[[], tuple[NotebookNode, Run]],
    assignment: Assignment,
    boxes: Boxes,
    limits: Limits,
    key: str,
) -> tuple[Result, str]:
    """Return the result and the executed notebook; for what cannot be graded a failed result and "".

    Raises:
        BoxBroken: no box can be made any more.
    """
    started = time.monotonic()
    try:
        notebook, run = prepared()
    except Refused as error:
        return Result(student, assignment.name, key, "failed", f"The notebook cannot be read: {error}."), ""
    box = boxes.open(limits, 1 + len(run.checks))
    box = _run_and_judge(run, assignment, boxes, box)
    fill_in(run, assignment.visible)
    scores, max_scores, untrusted = scores_of(run, assignment.template)
    grade_ids = [run.cells[check.cell].metadata.nbgrader.grade_id for check in run.checks]
    verdicts = [run.verdicts[check.exercise] for check in run.checks]
    result = Result(
        student, assignment.name, key, "graded",
        exercises=[ExerciseResult(name, *verdict) for name, verdict in zip(grade_ids, verdicts, strict=True)],
        scores=scores, max_scores=max_scores, untrusted=untrusted, incidents=list(dict.fromkeys(run.incidents)),
        seconds=round(time.monotonic() - started, 3), peak_bytes=max(run.peak_bytes, box.settled()),
    )  # fmt: skip
    return result, nbformat.writes(notebook, version=4) + "\n"


def _against(run: Run, chapter: ChapterRecord) -> dict[str, str | None]:
    """What the text says against judging each answer, as it stands when its check is reached."""
    names, read, found = Names(), 0, {}
    for check in run.checks:
        for cell in run.cells[read : check.cell]:
            if cell.cell_type == "code":
                names.add(cell.source)
        read = check.cell
        exercise = chapter.find(check.exercise)
        found[exercise.name] = source_refusal(names, exercise.name, exercise.allow, exercise.refuse)
    return found


def _run_and_judge(run: Run, assignment: Assignment, boxes: Boxes, box: Box) -> Box:
    """Run and judge until every exercise has its verdict, again without what ended the program. Return the last box."""
    limits, until = box.limits, time.monotonic() + box.limits.notebook_seconds
    most = limits.replays + len(run.checks) + 1
    for attempt in range(most):
        try:
            last = attempt >= limits.replays
            ran = run_cells(run, assignment.visible, box, until, give_up=last)
            box.until = time.monotonic() + limits.judging_seconds
            done = ran and _judge_all(run, assignment, box)
        finally:
            box.close()
        if done or attempt == most - 1:
            break
        if time.monotonic() > until + limits.judging_seconds:
            break
        run.peak_bytes = max(run.peak_bytes, box.settled())
        box = boxes.open(limits, 1 + len(run.checks))
    for check in run.checks:
        exercise = assignment.visible.find(check.exercise)
        run.verdicts.setdefault(check.exercise, (_missing(run, exercise), False))
    return box


def _judge_all(run: Run, assignment: Assignment, box: Box) -> bool:
    """Judge what has no verdict yet; return False where the box is over before all have one.

    All visible cases are asked before the first hidden one, so that no answer that a student is shown can
    hold what another function of theirs was asked in secret.
    """
    for check in run.checks:
        exercise = assignment.visible.find(check.exercise)
        if check.exercise in run.verdicts:
            continue
        verdict = _unjudged(run, check, exercise, box)
        if box.over:  # what was not heard is not missing
            return False
        if verdict:
            run.verdicts[exercise.name] = verdict, False
    cases = ((assignment.visible, False), (assignment.hidden, True))
    return all(_judge_cases(run, record, box, hidden=hidden) for record, hidden in cases)


def _judge_cases(run: Run, cases: ChapterRecord, box: Box, *, hidden: bool) -> bool:
    """Judge the visible or the hidden cases of all that may still be right; return False where the box is over before.

    All are asked at the same time. Where that ends the box, nobody can tell whose fault it was: then the notebook is run
    again and they are asked one by one.
    """
    todo = [
        c
        for c in run.checks
        if c.exercise not in run.verdicts and (hidden or c.exercise not in run.right_so_far)
    ]
    for group in [[check] for check in todo] if run.one_by_one else [todo]:
        for asked in [Asked(cases.find(check.exercise), check.channel, box) for check in group]:
            try:
                verdict, stays = asked.verdict(), False
            except Fatal as error:
                if error.box_is_over and len(group) > 1:
                    run.one_by_one = True
                    return False
                verdict, stays = _stopped(run, asked.exercise, error), error.box_is_over
            if hidden or verdict.status != "passed":
                run.verdicts[asked.exercise.name] = verdict, hidden and verdict.reason is None
            else:
                run.right_so_far.add(asked.exercise.name)
            if stays:
                return False
    return True


def _unjudged(run: Run, check: Check, exercise: ExerciseRecord, box: Box) -> Verdict | None:
    """The verdict on what cannot or may not be asked, else None."""
    found = hear(run, check, box)
    if found.get("defined") is not True:
        return _missing(run, exercise)
    # The box's word, and the text's: a program may have been made to lie.
    reason = found.get("refused") or run.against[exercise.name]
    if reason is None:
        return None
    total = len(exercise.cases)
    return Verdict(exercise.name, "refused", 0, exercise.points, total=total, reason=str(reason)[:500])


def _stopped(run: Run, exercise: ExerciseRecord, error: Fatal) -> Verdict:
    run.incidents.append(f"{exercise.name} was stopped: {error}.")
    reason, total = f"It was stopped: {error}.", len(exercise.cases)
    return Verdict(exercise.name, "failed", 0, exercise.points, total=total, reason=reason)


def _missing(run: Run, exercise: ExerciseRecord) -> Verdict:
    reason = f"{exercise.name} is not defined when its check is reached."
    if exercise.name not in run.taken:
        reason = "Its check was not reached: the notebook had been stopped before."
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
