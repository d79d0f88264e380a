"""Files made to break the one who reads them: each is taken or refused with a reason, none stops the others."""

from __future__ import annotations

import json
import warnings
import zipfile

import nbformat
import pytest

from lmcourse.grading.intake.collect import collect
from tests.grading.conftest import ANSWERS, NAME, as_bytes, cell_of, text_of


def _zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, data in files:
            archive.writestr(name, data)
    return path


def half_a_character_as_key(n):
    return as_bytes(n).replace(b'"cells"', b'"\\ud800": 1, "cells"', 1)


def format_without_end(n):
    n["nbformat_minor"] = 10**400
    return as_bytes(n)


def no_number(n):
    return as_bytes(n).replace(b'"nbformat_minor": 5', b'"nbformat_minor": NaN', 1)


def cells_of_wrong_types(n):
    odd = {
        "cell_type": ["x"],
        "source": {"a": 1},
        "metadata": [1],
        "id": [1],
        "attachments": {"a": {"b": [1]}},
    }
    n["cells"] += [odd, {"cell_type": "code", "source": [1, None, "x = 1"], "metadata": {"nbgrader": [1]}}]
    return as_bytes(n)


def metadata_of_wrong_types(n):
    n["metadata"] = {"kernelspec": [1], "colab": 7, "widgets": {"state": None}}
    for cell in n["cells"][:4]:
        cell["metadata"] = 7
    return as_bytes(n)


def ids_that_are_paths(n):
    for cell in n["cells"]:
        cell["id"] = "../../../etc/passwd" * 50
    return as_bytes(n)


def a_thousand_copies(n):
    """Each of them claims to be the answer and its check."""
    text = ANSWERS["merge_pair"] + "\n\ncheck(merge_pair)"
    n["cells"] += [{"cell_type": "code", "source": text, "metadata": {}} for _ in range(1000)]
    return as_bytes(n)


def marks_of_its_own(n):
    """More points, a second check, a cell that is graded by hand already."""
    for cell in n["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"] |= {"points": 100, "locked": False, "grade": True, "solution": True}
    marks = {
        "grade": True,
        "grade_id": "extra_credit",
        "points": 50,
        "solution": False,
        "locked": True,
        "schema_version": 3,
    }
    n["cells"].append({"cell_type": "code", "source": "pass", "metadata": {"nbgrader": marks}, "id": "more"})
    return as_bytes(n)


MADE = [
    half_a_character_as_key, format_without_end, no_number, cells_of_wrong_types, metadata_of_wrong_types, ids_that_are_paths,
    a_thousand_copies, marks_of_its_own,
]  # fmt: skip


@pytest.mark.parametrize("make", MADE, ids=[make.__name__ for make in MADE])
def test_a_notebook_made_to_break_the_reader(make, answered, template, tmp_path):
    path = _zip(
        tmp_path / "c.zip",
        [("eve/exercises.ipynb", make(answered)), ("zoe/exercises.ipynb", as_bytes(answered))],
    )
    rows = {row["student"]: row for row in collect(path, NAME, tmp_path / "to", template)}
    assert rows["zoe"]["status"] == "taken"
    assert rows["eve"]["status"] == "taken", rows["eve"]["why"]
    notebook = json.loads((tmp_path / "to" / rows["eve"]["kept"]).read_text(encoding="utf-8"))
    nbformat.validate(notebook)
    assert text_of(cell_of(notebook, "bpe_encode")) == ANSWERS["bpe_encode"]
    marked = [c["metadata"]["nbgrader"] for c in notebook["cells"] if "nbgrader" in c["metadata"]]
    assert marked == [slot.node.metadata.nbgrader for slot in template.slots if slot.grade_id]


def test_a_name_that_comes_twice_is_two_files_of_one_student(answered, template, tmp_path):
    name = "eve/exercises.ipynb"
    path = _zip(tmp_path / "c.zip", [(name, as_bytes(answered)), (name, as_bytes(answered) + b" ")])
    rows = collect(path, NAME, tmp_path / "to", template)
    assert sorted(row["status"] for row in rows) == ["earlier", "taken"]
    assert {row["student"] for row in rows} == {"eve"}


@pytest.mark.parametrize(
    "name", ["-rf", "~root", "$(id)", "a\u202eb", "con", "....", "%2e%2e%2f", "submitted", "a:b", "*"]
)
def test_odd_names_of_folders_stay_inside_and_are_plain(name, answered, template, tmp_path):
    path = _zip(tmp_path / "c.zip", [(f"{name}/exercises.ipynb", as_bytes(answered))])
    row = collect(path, NAME, tmp_path / "to", template)[0]
    assert row["status"] in ("taken", "refused")
    written = [p.relative_to(tmp_path / "to").parts for p in (tmp_path / "to").rglob("*.ipynb")]
    assert all(parts[0] == "submitted" and parts[1][0].isalnum() for parts in written)
    assert len(written) == (row["status"] == "taken")
