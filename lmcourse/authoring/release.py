"""The student version of a notebook, cut from the solution by nbgrader, through a folder of its own.

nbgrader's release step may remove what it finds at its target, so it never works on `chapters/` itself. What
it made is checked (no solution, no hidden marker) before a single file is copied.
"""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS", "BEGIN MARK SCHEME")


def make_release(solution: NotebookNode, name: str, root: Path) -> NotebookNode:
    """Return the student version of `solution`, an unexecuted nbgrader source notebook.

    Raises:
        RuntimeError: nbgrader refused the notebook; its reason is in the message.
        ValueError: a solution or hidden marker is left in what nbgrader made.
    """
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import SaveCells
    from traitlets.config import Config

    ids = [cell["id"] for cell in solution.cells]
    (root / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="release-", dir=root / "build"))
    try:
        source = folder / "source" / name / "exercises.ipynb"
        source.parent.mkdir(parents=True)
        nbformat.write(solution, source)
        config = Config()
        config.CourseDirectory.root = str(folder)
        config.GenerateAssignment.no_database = True
        # no_database alone still runs the step that writes the gradebook.
        steps = [p for p in GenerateAssignment.preprocessors.default() if p is not SaveCells]
        config.GenerateAssignment.preprocessors = steps
        directory = CourseDirectory(config=config)
        directory.assignment_id = name
        log = logging.getLogger("lmcourse.release")
        log.propagate = False
        said = io.StringIO()
        log.handlers = [logging.StreamHandler(said)]
        try:
            GenerateAssignment(coursedir=directory, config=config, log=log).start()
        except (NbGraderException, SystemExit) as error:
            reason = said.getvalue()[-2000:]
            raise RuntimeError(f"nbgrader could not make the student version of {name}:\n{reason}") from error
        made = nbformat.read(folder / "release" / name / "exercises.ipynb", as_version=4)
    finally:
        shutil.rmtree(folder)
    made.metadata = solution.metadata.copy()
    made.nbformat_minor = 5
    for cell, cell_id in zip(made.cells, ids, strict=True):
        cell["id"] = cell_id
    left = [m for m in MARKERS if any(m in cell.source for cell in made.cells)]
    if left:
        raise ValueError(f"the student version of {name} must hold no marker, found {', '.join(left)}")
    return made
