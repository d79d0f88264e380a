"""What nbgrader's gradebook says of a class in one assignment. Nothing is ever written, not even an empty gradebook."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmcourse.grading.class_folder import NOTEBOOK, ClassFolder


@dataclass(frozen=True)
class Grade:
    """One grade cell of one student. With `to_read`, a person has to look, whatever the points say."""

    auto: float | None
    manual: float | None
    extra: float
    to_read: bool


@dataclass
class Entry:
    """One student. `handed_in` says that the gradebook has a submission; the dicts go by grade_id."""

    name: str = ""
    lms_id: str | None = None
    handed_in: bool = False
    penalty: float = 0.0
    grades: dict[str, Grade] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gradebook:
    """`students` are all that the gradebook knows; `cells` has (maximum, "code" or "markdown") of each grade cell."""

    students: dict[str, Entry]
    cells: dict[str, tuple[float, str]]


def read_gradebook(folder: ClassFolder, assignment: str) -> Gradebook:
    """Return what the gradebook has on `assignment`; an empty one where there is none yet."""
    from sqlalchemy import create_engine, inspect, make_url
    from sqlalchemy.orm import Session

    url = make_url(folder.db_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return Gradebook({}, {})  # to connect would make the file
    engine = create_engine(url)
    try:
        if not inspect(engine).has_table("submitted_notebook"):
            return Gradebook({}, {})
        with Session(engine) as session:
            return _read(session, assignment)
    finally:
        engine.dispose()


def _read(session: Any, assignment: str) -> Gradebook:
    """Five queries for a whole class; nbgrader's own attributes would ask for each student."""
    from nbgrader import api
    from sqlalchemy import select

    students = {
        student.id: Entry(
            f"{student.first_name or ''} {student.last_name or ''}".strip(), student.lms_user_id
        )
        for student in session.scalars(select(api.Student))
    }
    ours = select(api.Notebook.id).join(api.Notebook.assignment)
    ours = ours.where(api.Assignment.name == assignment, api.Notebook.name == NOTEBOOK).scalar_subquery()
    cells = session.scalars(select(api.GradeCell).where(api.GradeCell.notebook_id == ours))
    maxima = {cell.name: (cell.max_score, cell.cell_type) for cell in cells}
    of: dict[str, Entry] = {}
    for student, notebook in session.execute(
        select(api.SubmittedAssignment.student_id, api.SubmittedNotebook)
        .join(api.SubmittedNotebook.assignment)
        .where(api.SubmittedNotebook.notebook_id == ours)
    ):
        of[notebook.id] = entry = students[student]
        entry.handed_in, entry.penalty = True, notebook.late_submission_penalty or 0.0
    for grade, name in session.execute(
        select(api.Grade, api.BaseCell.name).join(api.Grade.cell).where(api.BaseCell.notebook_id == ours)
    ):
        of[grade.notebook_id].grades[name] = Grade(
            grade.auto_score, grade.manual_score, grade.extra_credit or 0.0, grade.needs_manual_grade
        )
    for comment, name in session.execute(
        select(api.Comment, api.BaseCell.name).join(api.Comment.cell).where(api.BaseCell.notebook_id == ours)
    ):
        if comment.comment:
            of[comment.notebook_id].comments[name] = comment.comment
    return Gradebook(students, maxima)
