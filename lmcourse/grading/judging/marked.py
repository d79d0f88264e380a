"""The executed notebook as nbgrader keeps it: outputs, the panels of the checks, and a score for each grade cell."""

from __future__ import annotations

import json
from typing import Any

import nbformat

from lmcourse.exercises.panel import Panel, headline
from lmcourse.exercises.records import ChapterRecord
from lmcourse.grading.intake.template import Template
from lmcourse.grading.judging.outputs import safe_outputs
from lmcourse.grading.judging.running import Run
from lmcourse.grading.results import ExerciseResult

MAX_SHOWN = 4 * 2**20
TOO_MUCH = "(Left out: this notebook shows more than is kept.)\n"


def fill_in(run: Run, chapter: ChapterRecord) -> None:
    """Write outputs into the cells; a check's is the panel that its student may see."""
    earned: dict[str, int] = {}
    left = MAX_SHOWN
    for index, cell in enumerate(run.cells):
        if cell.cell_type != "code":
            continue
        graded = bool(cell.metadata.get("nbgrader", {}).get("grade"))
        shown = run.outputs.get(index, ([], ""))[0]
        left -= len(json.dumps(shown))
        if left < 0 and not graded:  # a graded cell's error must stay
            shown = [{"output_type": "stream", "text": TOO_MUCH}]
        cell.outputs = safe_outputs(shown, graded=graded)
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


def scores_of(run: Run, template: Template) -> tuple[dict[str, float | None], dict[str, float], list[str]]:
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
