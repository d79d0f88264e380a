"""Committed notebooks are what their sources give, and nothing is missing from them."""

from __future__ import annotations

import json
import re

import nbformat
import pytest

from lmcourse.authoring.chapter import load
from lmcourse.authoring.course import chapter_names
from lmcourse.authoring.notebooks import execute, notebook_from_source, solution_notebook, write
from lmcourse.authoring.release import MARKERS, make_release
from tests.conftest import ROOT

LESSONS = sorted(p.parent.name for p in ROOT.glob("chapters/*/lesson.py"))
CHAPTERS = chapter_names(ROOT)
COMMITTED = sorted([*ROOT.glob("chapters/*/*.ipynb"), *ROOT.glob("solutions/*/*.ipynb")])
EXECUTED = [p for p in COMMITTED if p.name == "lesson.ipynb" or "solutions" in p.parts]


def bare(notebook):
    """The notebook without what execution adds."""
    return [(c.cell_type, c.id, c.source, dict(c.metadata)) for c in notebook.cells]


def read(path):
    return nbformat.read(path, as_version=4)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_agrees_with_its_source_cell_by_cell(name):
    source = ROOT / "chapters" / name / "lesson.py"
    assert bare(read(source.with_suffix(".ipynb"))) == bare(notebook_from_source(source, ROOT)), (
        "run `make notebooks`"
    )


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_solution_agrees_with_its_source_cell_by_cell(name):
    committed = read(ROOT / "solutions" / name / "exercises.ipynb")
    assert bare(committed) == bare(solution_notebook(name, ROOT)), "run `make notebooks`"


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_student_version_is_what_nbgrader_cuts_from_the_solution(name):
    committed = read(ROOT / "chapters" / name / "exercises.ipynb")
    made = make_release(solution_notebook(name, ROOT), name, ROOT)
    assert nbformat.writes(committed) == nbformat.writes(made), "run `make notebooks`"


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_student_version_equals_the_solution_minus_the_answers(name):
    """Cut again here, by another program than nbgrader's."""
    student = read(ROOT / "chapters" / name / "exercises.ipynb")
    solution = solution_notebook(name, ROOT)
    assert len(student.cells) == len(solution.cells)
    region = re.compile(r"( *)### BEGIN SOLUTION\n.*?### END SOLUTION", re.S)
    for mine, theirs in zip(student.cells, solution.cells, strict=True):
        if "exercise" in theirs.metadata:
            stub = region.sub(r"\1# YOUR CODE HERE\n\1raise NotImplementedError()", theirs.source)
            assert mine.source == stub
        elif "written" in theirs.metadata:
            assert mine.source == "YOUR ANSWER HERE"
        else:
            assert mine.source == theirs.source
        assert not any(marker in mine.source for marker in MARKERS)
        assert not mine.get("outputs")


@pytest.mark.parametrize("path", EXECUTED, ids=name_of)
def test_no_output_is_missing(path):
    """nbval compares nothing where outputs were stripped, so their presence is checked here."""
    notebook = read(path)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert [c.execution_count for c in code] == list(range(1, len(code) + 1)), (
        "executed once, from top to bottom"
    )
    shows = re.compile(r"^(print|check|display|[\w.]+\.(show|display))\(", re.M)
    for cell in code:
        if shows.search(cell.source):
            assert cell.outputs, f"no output under: {cell.source[:80]}"
    assert sum(bool(c.outputs) for c in code) >= 5


@pytest.mark.parametrize("path", COMMITTED, ids=name_of)
def test_no_notebook_carries_widget_state_or_a_widget_view(path):
    text = path.read_text()
    assert "widgets" not in json.loads(text)["metadata"]
    assert "application/vnd.jupyter.widget" not in text


@pytest.mark.parametrize("path", EXECUTED, ids=name_of)
def test_no_cell_warns_or_fails(path):
    for cell in read(path).cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", (cell.source, output.text)
            assert "Warning:" not in str(output.get("text", "")), cell.source


@pytest.mark.parametrize("path", EXECUTED, ids=name_of)
def test_every_image_says_its_finding(path):
    for cell in read(path).cells:
        images = [
            o for o in cell.get("outputs", []) if any(k.startswith("image/") for k in o.get("data", {}))
        ]
        if images:
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt.split()) >= 8, (
                f"the image of this cell needs an alt text that says what it shows: {cell.source}"
            )
            assert len(images) == 1, "one image a cell, for there is one alt text"
        for tag in re.findall(r"<img\b[^>]*>", cell.source if cell.cell_type == "markdown" else ""):
            assert re.search(r'alt="[^"]{15,}"', tag)
        if cell.cell_type == "markdown":
            assert not re.search(r"!\[.{0,14}\]\(", cell.source), (
                "an image in the text needs an alt text, too"
            )


@pytest.mark.parametrize("path", COMMITTED, ids=name_of)
def test_no_notebook_names_a_place_on_one_machine(path):
    text = path.read_text()
    assert not re.search(r"(?<![\w.])/(home|root|tmp|work|Users)/\w", text)
    assert " at 0x" not in text


def test_executing_a_notebook_twice_gives_the_same_bytes(tmp_path):
    source = tmp_path / "chapters" / "01_small" / "lesson.py"
    source.parent.mkdir(parents=True)
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text())
    source.write_text(
        "# %% [markdown]\n# # Small\n\n# %%\n"
        "import torch\nprint('a')\nprint({'x', 'y', 'z'})\n\n# %%\n"
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\n_ = ax.plot(torch.randn(5, generator=torch.manual_seed(0)))\n"
        "\n# %%\nfrom tqdm.auto import tqdm\nfor i in tqdm(range(3)):\n    pass\ni\n"
    )
    target = source.with_suffix(".ipynb")
    assert write(execute(notebook_from_source(source, tmp_path), source.parent), target)
    first = target.read_bytes()
    assert b"image/png" in first
    assert b"?it/s" not in first, "a progress bar stays out: on a page it would stand at 0 % for ever"
    assert not write(execute(notebook_from_source(source, tmp_path), source.parent), target)
    assert target.read_bytes() == first


def test_a_source_that_checks_too_little_is_refused():
    chapter = load("01_tokens", ROOT)
    assert sorted(chapter.references) == sorted(e.name for e in chapter.exercises)
    fewer = type(chapter)(chapter.name, chapter.exercises[1:], chapter.written, chapter.references)
    with pytest.raises(ValueError, match="merge_pair"):
        solution_notebook("01_tokens", ROOT, fewer)
