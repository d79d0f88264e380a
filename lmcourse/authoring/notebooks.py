"""Notebooks from their sources: `lesson.py` and `exercises.py` become executed notebooks, byte for byte the same each time.

chapters/NN/lesson.py         ->  chapters/NN/lesson.ipynb        executed, outputs committed
solutions/NN/exercises.py     ->  solutions/NN/exercises.ipynb    nbgrader source, executed
solutions/NN/exercises.ipynb  ->  chapters/NN/exercises.ipynb     student version (see release.py)
solutions/NN/checks.py        ->  lmcourse/exercises/recorded/NN.json
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml
from nbclient import NotebookClient
from nbformat import NotebookNode
from tqdm.auto import tqdm

from lmcourse.authoring.chapter import Chapter, load
from lmcourse.authoring.course import chapter_names
from lmcourse.authoring.release import make_release
from lmcourse.exercises.records import to_json

CELL_SECONDS = 300
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

INSTALL = """\
# In Colab this installs the course beside Colab's own torch; elsewhere, and the second time, it does nothing.
import importlib.util
import subprocess
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("lmcourse") is None:
    source = "lmcourse @ git+{url}@{branch}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
    importlib.invalidate_caches()"""


def repository(root: Path) -> tuple[str, str]:
    """Return (address, branch) of the course from `_config.yml`, where alone they are written."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return config["url"].rstrip("/"), config["branch"]


def install_cell(root: Path) -> NotebookNode:
    url, branch = repository(root)
    return _cell("code", INSTALL.format(url=url, branch=branch), {"tags": ["install", "remove-cell"]})


def colab_badge(root: Path, notebook: str) -> NotebookNode:
    url, branch = repository(root)
    address = f"https://colab.research.google.com/github/{url.removeprefix('https://github.com/')}/blob/{branch}/{notebook}"
    return _cell("markdown", f"[Open this notebook in Colab]({address})", {"tags": ["remove-cell"]})


def _cell(kind: str, source: str, metadata: dict[str, Any]) -> NotebookNode:
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    return make(source, metadata=metadata)


def notebook_from_source(path: Path, root: Path) -> NotebookNode:
    """Return the unexecuted notebook of a percent-format file, with derived ids and the install cell on top."""
    read = jupytext.read(path)
    target = path.with_suffix(".ipynb").relative_to(root).as_posix().replace("solutions/", "chapters/", 1)
    cells = [colab_badge(root, target), install_cell(root), *read.cells]
    notebook = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    notebook.nbformat_minor = 5
    set_ids(notebook)
    return notebook


def set_ids(notebook: NotebookNode) -> None:
    """Give each cell an id from what it is (its exercise, else its text), so that an edit elsewhere changes no id."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        base = grade_id or f"{cell.cell_type}-{hashlib.sha256(cell.source.encode()).hexdigest()[:10]}"
        seen[base] = seen.get(base, 0) + 1
        cell["id"] = base if seen[base] == 1 else f"{base}-{seen[base]}"


def add_nbgrader(notebook: NotebookNode, chapter: Chapter) -> None:
    """Turn the short marks of `exercises.py` (exercise=, check=, written=) into nbgrader's cell metadata."""
    points = {e.name: e.points for e in chapter.exercises}
    written = {w.name: w.points for w in chapter.written}
    used: list[str] = []
    for cell in notebook.cells:
        meta = cell.metadata
        if "exercise" in meta:
            name = meta["exercise"]
            _known(name, points, "exercise", chapter)
            _mark(cell, name, grade=False, solution=True, locked=False)
        elif "check" in meta:
            name = meta["check"]
            _known(name, points, "check", chapter)
            if cell.source != f"check({name})":
                raise ValueError(
                    f"the check cell of {name} in {chapter.name} must hold only check({name}), got {cell.source!r}"
                )
            used.append(name)
            _mark(cell, f"check_{name}", grade=True, solution=False, locked=True, points=points[name])
        elif "written" in meta:
            name = meta["written"]
            _known(name, written, "written", chapter)
            used.append(name)
            _mark(cell, name, grade=True, solution=True, locked=False, points=written[name])
    if sorted(used) != sorted([*points, *written]):
        raise ValueError(
            f"exercises.py of {chapter.name} must check each of {sorted([*points, *written])} once, got {sorted(used)}"
        )


def _known(name: str, known: dict[str, int], what: str, chapter: Chapter) -> None:
    if name not in known:
        raise ValueError(
            f"{what}={name!r} in exercises.py of {chapter.name} is not in checks.py, which has {', '.join(known)}"
        )


def _mark(
    cell: NotebookNode, grade_id: str, *, grade: bool, solution: bool, locked: bool, points: int | None = None
) -> None:
    cell.metadata["nbgrader"] = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": locked,
        **({} if points is None else {"points": points}),
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run all cells in `folder` and keep what is deterministic of the outputs."""
    # One thread: sums come out in one order. The hash seed: sets print in one order.
    env = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "2"}
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute(env=env)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _joined_streams(
                [output for output in cell.outputs if not _is_progress_bar(output)]
            )
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
    return notebook


def _is_progress_bar(output: NotebookNode) -> bool:
    """A widget that has nothing to show on a page; without its kernel a progress bar would stay at 0 % for ever."""
    data = output.get("data", {})
    return WIDGET in data and set(data) <= {WIDGET, "text/plain"}


def _joined_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Neighbouring pieces of one stream become one, for where the kernel cuts them depends on the moment."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def write(notebook: NotebookNode, path: Path) -> bool:
    """Write the notebook if it differs from the file; return whether it did. A crash leaves the old file."""
    text = nbformat.writes(notebook, version=4) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return True


def build_lesson(name: str, root: Path) -> bool:
    source = root / "chapters" / name / "lesson.py"
    return write(execute(notebook_from_source(source, root), source.parent), source.with_suffix(".ipynb"))


def solution_notebook(name: str, root: Path, chapter: Chapter | None = None) -> NotebookNode:
    """Return the unexecuted nbgrader source notebook of a chapter."""
    notebook = notebook_from_source(root / "solutions" / name / "exercises.py", root)
    add_nbgrader(notebook, chapter or load(name, root))
    set_ids(notebook)
    return notebook


def build_exercises(name: str, root: Path) -> list[Path]:
    """Make records, solution notebook and student notebook of a chapter; return the files that changed."""
    chapter = load(name, root)
    record = root / "lmcourse" / "exercises" / "recorded" / f"{name}.json"
    changed = []
    text = to_json(chapter.record())
    if not record.is_file() or record.read_text(encoding="utf-8") != text:
        record.write_text(text, encoding="utf-8")
        changed.append(record)
    folder = root / "solutions" / name
    solution = solution_notebook(name, root, chapter)
    release = make_release(solution, name, root)
    if write(execute(solution, folder), folder / "exercises.ipynb"):
        changed.append(folder / "exercises.ipynb")
    target = root / "chapters" / name / "exercises.ipynb"
    if write(release, target):
        changed.append(target)
    return changed


def build_all(
    root: Path, only: list[str] | None = None, *, lessons: bool = True, exercises: bool = True
) -> list[Path]:
    """Rebuild every generated file of the chapters in `only` (default: all); return those that changed."""
    lesson_names = sorted(p.parent.name for p in (root / "chapters").glob("*/lesson.py"))
    unknown = set(only or []) - {*lesson_names, *chapter_names(root)}
    if unknown:
        raise KeyError(
            f"'only' must name chapters among {', '.join(lesson_names)}, got {', '.join(sorted(unknown))}"
        )
    changed: list[Path] = []
    jobs = [(n, "exercises") for n in chapter_names(root) if exercises] + [
        (n, "lesson") for n in lesson_names if lessons
    ]
    for name, what in tqdm([j for j in jobs if not only or j[0] in only], desc="notebooks"):
        if what == "exercises":
            changed += build_exercises(name, root)
        elif build_lesson(name, root):
            changed.append(root / "chapters" / name / "lesson.ipynb")
    return changed
