"""Stock nbgrader, as an instructor runs it: the solution earns full marks, the release none."""

from __future__ import annotations

import shutil
import subprocess
import sys

import nbformat
import pytest

from lmcourse.authoring.chapter import load
from lmcourse.authoring.course import chapter_names
from tests.conftest import ROOT

CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "lm"
c.CourseDirectory.ignore = ["*.py", "__pycache__", ".ipynb_checkpoints"]
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", chapter_names(ROOT))
def test_stock_nbgrader_gives_the_solution_full_points_and_the_release_none(name, tmp_path):
    from nbgrader.api import Gradebook

    chapter = load(name, ROOT)
    auto = sum(e.points for e in chapter.exercises)
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    shutil.copytree(
        ROOT / "solutions" / name, tmp_path / "source" / name, ignore=shutil.ignore_patterns("__pycache__")
    )

    def nbgrader(*words):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
            env=_environment(),
        )
        assert done.returncode == 0, done.stderr[-3000:]

    nbgrader("generate_assignment", name)
    released = tmp_path / "release" / name
    assert [p.name for p in released.iterdir()] == ["exercises.ipynb"], "no file with solutions goes out"
    made = nbformat.read(released / "exercises.ipynb", as_version=4)
    shipped = nbformat.read(ROOT / "chapters" / name / "exercises.ipynb", as_version=4)
    assert [c.source for c in made.cells] == [c.source for c in shipped.cells]

    for student, notebook in {
        "solved": ROOT / "solutions" / name,
        "untouched": ROOT / "chapters" / name,
    }.items():
        folder = tmp_path / "submitted" / student / name
        folder.mkdir(parents=True)
        shutil.copy(notebook / "exercises.ipynb", folder)
    nbgrader("autograde", name)

    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        score = {s: gradebook.find_submission(name, s).score for s in ("solved", "untouched")}
        cells = gradebook.find_submission(name, "untouched").notebooks[0].grades
        assert score == {"solved": auto, "untouched": 0}
        assert [g.auto_score for g in cells if g.cell.cell_type == "code"] == [0] * len(chapter.exercises)
        assert gradebook.find_assignment(name).max_score == auto + sum(w.points for w in chapter.written)


def _environment():
    import os
    from pathlib import Path

    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
