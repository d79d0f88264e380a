"""Broken notebooks through collecting and grading, all in one class: nobody loses a mark by a tool's fault."""

from __future__ import annotations

import json

import nbformat
import pytest
from nbgrader.utils import determine_grade

from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.intake.collect import collect
from lmcourse.grading.limits import Limits
from tests.conftest import ROOT
from tests.grading import broken_code  # noqa: F401  registers its own in BROKEN
from tests.grading.broken import BROKEN
from tests.grading.conftest import ANSWERS, NAME, STUDENT, cell_of, needs_boxes, put

pytestmark = needs_boxes

LIMITS = Limits(cell_seconds=2.0, call_seconds=0.7, exercise_seconds=2.0, notebook_seconds=20.0)


def _answered() -> dict:
    notebook = json.loads(STUDENT.read_text(encoding="utf-8"))
    for name, answer in ANSWERS.items():
        cell_of(notebook, name)["source"] = answer
    return notebook


@pytest.fixture(scope="module")
def batch(tmp_path_factory, template):
    """The class after grading: (folder, rows of the report by student, results by student)."""
    from lmcourse.grading.run import grade_class

    root, source = tmp_path_factory.mktemp("class"), tmp_path_factory.mktemp("in")
    for name, broken in BROKEN.items():
        put(source, f"{name}/exercises.ipynb", broken.bytes_of(_answered()))
    rows = {row["student"]: row for row in collect(source, NAME, root, template)}
    results = grade_class(ClassFolder(root), NAME, course=ROOT, workers=2, limits=LIMITS)
    return ClassFolder(root), rows, {result.student: result for result in results}


READABLE = [name for name, broken in BROKEN.items() if broken.points is not None]


@pytest.mark.parametrize("name", READABLE)
def test_it_gets_its_points(name, batch):
    folder, rows, results = batch
    broken, result = BROKEN[name], results[name]
    assert rows[name]["status"] == "taken"
    assert result.status == "graded", result.why
    lost = {
        e.grade_id: e.verdict.reason or e.verdict.failure or e.verdict.status
        for e in result.exercises
        if not e.verdict.points
    }
    assert result.points == broken.points, (lost, result.incidents)
    assert broken.incident in " ".join(result.incidents)
    # Read by a person: it was answered, whatever else is broken.
    assert result.scores["why_languages"] == (0.0 if name == "only_one_cell" else None)
    assert folder.autograded(name, NAME).stat().st_size < 2_000_000
    notebook = nbformat.read(folder.autograded(name, NAME), as_version=4)
    nbformat.validate(notebook)
    cells = {
        c.metadata.nbgrader.grade_id: c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")
    }
    assert {g: determine_grade(cell)[0] for g, cell in cells.items()} == result.scores


@pytest.mark.parametrize("name", sorted(set(BROKEN) - set(READABLE)))
def test_it_is_refused_with_a_reason(name, batch):
    _, rows, results = batch
    assert rows[name]["status"] == "refused"
    assert BROKEN[name].refused in rows[name]["why"]
    assert name not in results
