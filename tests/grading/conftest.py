"""A student's notebook with every answer typed in, made from the committed student and solution notebooks."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from lmcourse.grading.intake.template import Template
from lmcourse.grading.isolation import NoIsolation, isolation_for
from tests.conftest import ROOT

NAME = "01_tokens"
SOLUTION = ROOT / "solutions" / NAME / "exercises.ipynb"
STUDENT = ROOT / "chapters" / NAME / "exercises.ipynb"


def text_of(cell: dict) -> str:
    return "".join(cell["source"])


def grade_id(cell: dict) -> str | None:
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def cell_of(notebook: dict, name: str) -> dict:
    return next(cell for cell in notebook["cells"] if grade_id(cell) == name)


def _answers() -> dict[str, str]:
    found = {}
    for cell in json.loads(SOLUTION.read_text(encoding="utf-8"))["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            found[grade_id(cell)] = re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", text_of(cell)).rstrip()
    return found


ANSWERS = _answers()


@pytest.fixture(scope="session")
def template() -> Template:
    return Template.load(SOLUTION)


@pytest.fixture
def answered() -> dict:
    notebook = json.loads(STUDENT.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if grade_id(cell) in ANSWERS:
            cell["source"] = ANSWERS[grade_id(cell)]
    return notebook


def no_box() -> str | None:
    """Why this machine makes no boxes; on CI it has to."""
    if "CI" in os.environ:
        return None
    try:
        return None if isolation_for(unsafe=False) == "namespaces" else "boxes here are containers"
    except NoIsolation as error:
        return str(error)


NO_BOX = no_box()
needs_boxes = pytest.mark.skipif(NO_BOX is not None, reason=str(NO_BOX))


def as_bytes(notebook: dict) -> bytes:
    return json.dumps(notebook).encode()


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
