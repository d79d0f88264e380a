"""The first cell of every notebook, run as Colab would run it, in an environment made from nothing."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import nbformat
import pytest

from lmcourse.authoring.notebooks import repository
from tests.conftest import ROOT


def first_code(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return next(c.source for c in cells if c.cell_type == "code")


def run(*words, **options) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def repository_of_this_tree(folder: Path) -> Path:
    """A git repository with the files as they are now, committed or not."""
    run("git", "init", "--quiet", "--initial-branch", repository(ROOT)[1], str(folder))
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT).split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    run("git", "add", "--all", cwd=folder)
    run("git", *who, "commit", "--quiet", "--message", "all", cwd=folder)
    return folder


def test_every_notebook_begins_with_the_same_install_cell():
    notebooks = [*ROOT.glob("chapters/*/*.ipynb"), *ROOT.glob("solutions/*/*.ipynb")]
    assert len(notebooks) >= 3
    cells = {first_code(path) for path in notebooks}
    assert len(cells) == 1
    url, branch = repository(ROOT)
    assert f"git+{url}@{branch}" in cells.pop()


def test_outside_colab_the_cell_does_nothing():
    source = first_code(ROOT / "chapters" / "01_tokens" / "exercises.ipynb")
    guard = "import subprocess\ndef run(*a, **k): raise SystemExit('ran')\nsubprocess.run = run\n"
    run(sys.executable, "-c", guard + source, cwd="/")


@pytest.mark.slow
def test_in_colab_it_installs_the_package_and_leaves_torch_alone(tmp_path):
    clone = repository_of_this_tree(tmp_path / "clone")
    run(sys.executable, "-m", "venv", str(tmp_path / "colab"))
    python = tmp_path / "colab" / "bin" / "python"
    site = Path(run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # Colab comes with torch and much else: lend this environment's packages, though not its editable lmcourse,
    # for a folder named in a .pth file is searched but its own .pth files are not read.
    (site / "colab.pth").write_text(sysconfig.get_path("purelib") + "\n")
    url, _ = repository(ROOT)
    cell = first_code(ROOT / "chapters" / "01_tokens" / "exercises.ipynb").replace(
        url, f"file://localhost{clone}"
    )
    program = textwrap.dedent(
        """
        import sys, time, types
        import torch
        sys.modules["google.colab"] = types.ModuleType("google.colab")
        cell = sys.stdin.read()
        exec(cell)
        import lmcourse, lmcourse.exercises
        assert "colab" in lmcourse.__file__, lmcourse.__file__
        check = lmcourse.exercises.open_exercises("01_tokens")
        assert check.chapter.points == 20
        subprocess.run = None  # the second time nothing is called
        exec(cell)
        print("torch", torch.__version__, torch.__file__)
        """
    )
    said = run(str(python), "-c", program, input=cell, cwd=str(tmp_path))
    assert str(site) not in said, "torch must stay where Colab has it"
    assert (site / "lmcourse" / "exercises" / "recorded" / "01_tokens.json").is_file()
    assert not list(site.glob("torch*"))
