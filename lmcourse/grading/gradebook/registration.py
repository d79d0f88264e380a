"""An assignment in nbgrader's gradebook and in `source/`, as `nbgrader generate_assignment` would put it there."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode

from lmcourse.grading.class_folder import NOTEBOOK, ClassFolder
from lmcourse.grading.files import write_whole

if TYPE_CHECKING:
    from sqlalchemy import Engine


def open_database(url: str) -> Engine:
    """Return an engine for the gradebook at `url`, whose tables exist and are nbgrader's of today.

    Raises:
        ValueError: it cannot be opened, or an older nbgrader made it.
    """
    from alembic.script import ScriptDirectory
    from nbgrader.api import Base
    from nbgrader.dbutil import ALEMBIC_DIR
    from sqlalchemy import create_engine, inspect, make_url, text
    from sqlalchemy.exc import SQLAlchemyError

    # nbgrader asks a program `alembic` on the PATH, which is not there for whoever runs .venv/bin/lmcourse.
    head = ScriptDirectory(ALEMBIC_DIR).get_current_head()
    try:
        engine = create_engine(url)
        with engine.begin() as db:
            # The version before the tables: killed in between, the next run still sees that they are missing.
            if not set(inspect(db).get_table_names()) - {"alembic_version"}:
                db.execute(
                    text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)")
                )
                if db.scalar(text("SELECT count(*) FROM alembic_version")) == 0:
                    db.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": head})
            versioned = inspect(db).has_table("alembic_version")
            version = db.scalar(text("SELECT version_num FROM alembic_version")) if versioned else head
        if version == head:
            Base.metadata.create_all(engine)
    except (SQLAlchemyError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        try:
            url = make_url(url).render_as_string(hide_password=True)
        except SQLAlchemyError:
            url = "that 'db_url' names"
        raise ValueError(f"the gradebook {url} cannot be opened: {reason}") from error
    if version != head:
        engine.dispose()
        raise ValueError(
            f"the gradebook was made by another nbgrader (its version is {version}, expected {head}): "
            "keep a copy of it, then run `nbgrader db upgrade`"
        )
    return engine


def register(folder: ClassFolder, assignment: str, source: NotebookNode, engine: Engine) -> bool:
    """Put the assignment into the gradebook and its notebook alone into `source/`. Returns whether rows were written.

    Stock autograding copies every file that lies in `source/` into every student's folder: only the notebook may.

    Raises:
        ValueError: cells came or went although submissions exist, or nbgrader refuses the notebook.
    """
    from nbgrader.api import Gradebook
    from nbgrader.preprocessors import SaveCells

    made = released(source)
    rows, changed = _rows(engine, assignment), False
    if rows != _rows_of(made):
        # An assignment of no course, which is what stock makes, is refused by PostgreSQL.
        course = folder.config.CourseDirectory.get("course_id") or "default_course"
        with Gradebook(folder.db_url, course) as gradebook:
            gradebook.update_or_create_assignment(assignment)
        where = {"notebook": NOTEBOOK, "assignment": assignment, "db_url": folder.db_url}
        try:
            SaveCells().preprocess(made, {"nbgrader": where})
        except RuntimeError as error:
            old, new = (set(r["cells"]) for r in (rows, _rows_of(made)))
            moved = {"came": new - old, "went": old - new}
            said = "; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in moved.items() if names)
            raise ValueError(
                f"the graded cells of {assignment} must stay while its submissions are in the gradebook ({said or error}); "
                f"keep a copy of the gradebook, then take the assignment out with `nbgrader db assignment remove {assignment} --force`"
            ) from error
        changed = _rows(engine, assignment) != rows
    path = folder.root / "source" / assignment / f"{NOTEBOOK}.ipynb"
    write_file(folder, path, nbformat.writes(source, version=4) + "\n")
    return changed


def write_file(folder: ClassFolder, path: Path, data: bytes | str) -> bool:
    """`write_whole`, and what it left when it was killed is gone. Returns whether anything was written."""
    for left in path.parent.glob(".part-*"):
        left.unlink()
    return write_whole(folder.root, path, data)


def released(source: NotebookNode) -> NotebookNode:
    """The steps of `generate_assignment` that come before its SaveCells and change anything here."""
    from nbgrader import preprocessors as steps

    made = copy.deepcopy(source)
    order = (steps.LockCells, steps.ClearSolutions, steps.ClearOutput, steps.CheckCellMetadata)
    for step in (*order, steps.ComputeChecksums):
        try:
            made, _ = step().preprocess(made, {})
        except Exception as error:
            raise ValueError(f"nbgrader cannot release 'source': {error}") from error
    return made


def _rows_of(released: NotebookNode) -> dict[str, Any]:
    from nbgrader.utils import is_grade, is_locked, is_solution, is_task

    cells = {}
    for cell in released.cells:
        marks = cell.metadata.get("nbgrader", {})
        kinds = {"GradeCell": is_grade(cell), "SolutionCell": is_solution(cell), "TaskCell": is_task(cell)}
        if any(kinds.values()) or is_locked(cell):
            points = (
                (float(marks["points"]), cell.cell_type) if kinds["GradeCell"] or kinds["TaskCell"] else None
            )
            text = (cell.cell_type, is_locked(cell), cell.source, marks.get("checksum"))
            cells[marks["grade_id"]] = ({kind for kind, is_it in kinds.items() if is_it}, points, text)
    return {"kernel": released.metadata.get("kernelspec", {}), "cells": cells}


def _rows(engine: Engine, assignment: str) -> dict[str, Any] | None:
    """What the gradebook says of the assignment, in the form of `_rows_of`; None where it does not know it."""
    from nbgrader.api import Assignment, Notebook
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    with Session(engine) as db:
        found = select(Notebook).join(Assignment).where(Assignment.name == assignment)
        notebook = db.scalars(found.where(Notebook.name == NOTEBOOK)).one_or_none()
        if notebook is None:
            return None
        cells: dict[str, Any] = {}
        for source in notebook.source_cells:
            text = (source.cell_type, source.locked, source.source, source.checksum)
            cells[source.name] = (set(), None, text)
        for cell in notebook._base_cells:
            kinds, points, text = cells.get(cell.name, (set(), None, None))
            points = (cell.max_score, cell.cell_type) if hasattr(cell, "max_score") else points
            cells[cell.name] = (kinds | {type(cell).__name__}, points, text)
        return {"kernel": json.loads(notebook.kernelspec or "{}"), "cells": cells}
