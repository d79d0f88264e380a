"""A class folder as collecting, grading and nbgrader's gradebook leave it, made by hand for tests of what comes after."""

from __future__ import annotations

import copy
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from lmcourse.exercises.records import ChapterRecord
from lmcourse.exercises.verdict import Failure, Verdict
from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.results import ExerciseResult, Result
from tests.grading.conftest import NAME, grade_id, text_of

WRITTEN = "why_languages"


class HandMadeClass:
    """`add` a student, then `gradebook()` with what people gave, then look at what is written."""

    def __init__(self, root: Path, chapter: ChapterRecord, notebook: dict) -> None:
        self.folder, self.chapter, self.notebook = ClassFolder(root), chapter, notebook
        self.results: dict[str, Result] = {}
        self.rows: list[dict] = []

    def add(
        self,
        student: str,
        *,
        verdicts: dict[str, Verdict] | None = None,
        hidden: set[str] = frozenset(),
        words: str | None = "Because the merges were learned from English.",
        code: dict[str, str] | None = None,
        lms: tuple[str, str] | None = None,
        file: str | None = None,
        notes: list[str] = (),
        late: bool = False,
        attachments: dict | None = None,
        **result: Any,
    ) -> Result:
        """All exercises right but those in `verdicts`; the answer in words waits for a person, or is not there."""
        notebook = copy.deepcopy(self.notebook)
        for cell in notebook["cells"]:
            cell["source"] = (code or {}).get(grade_id(cell), text_of(cell))
            if grade_id(cell) == WRITTEN:
                cell["source"] = words or "Your answer here."
                cell["attachments"] = attachments or {}
        for path in (self.folder.submitted(student, NAME), self.folder.autograded(student, NAME)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(notebook), encoding="utf-8")
        exercises, scores, maxima = [], {}, {}
        for e in self.chapter.exercises:
            right = Verdict(e.name, "passed", e.points, e.points, passed=12, total=12)
            verdict = (verdicts or {}).get(e.name, right)
            exercises.append(ExerciseResult(f"check_{e.name}", verdict, e.name in hidden))
            scores[f"check_{e.name}"], maxima[f"check_{e.name}"] = float(verdict.points), float(e.points)
        scores[WRITTEN], maxima[WRITTEN] = None if words else 0.0, 4.0
        made = Result(student, NAME, "key", "graded", None, exercises, scores, maxima)
        self.write(replace(made, **result))
        if lms or notes or late:
            system, number = lms or ("folder", student)
            self.row(student, system, number, file or f"{student}.ipynb", notes=list(notes), late=late)
        return made

    def fail(self, student: str, why: str, lms: tuple[str, str] | None = None) -> None:
        self.add(student, lms=lms)
        self.write(Result(student, NAME, "key", "failed", why))

    def write(self, result: Result) -> None:
        self.results[result.student] = result
        path = self.folder.result(result.student, NAME)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(result.to_json(), encoding="utf-8")

    def row(self, student: str, lms: str, number: str, file: str, **more: Any) -> None:
        row = {"file": file, "status": "taken", "student": student, "late": False, "why": None, "notes": []}
        self.rows.append({**row, "kept": None, "lms": lms, "name": student, "identity": number, **more})
        path = self.folder.collected(NAME)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"assignment": NAME, "files": self.rows}), encoding="utf-8")

    def gradebook(
        self, by_people: dict[str, dict] | None = None, others: dict[str, dict] | None = None
    ) -> None:
        """Write nbgrader's gradebook, with what people gave each student (see `_give`)."""
        from nbgrader import api

        # For a new gradebook nbgrader asks the command `alembic`, which takes a second, for a version that nobody reads here.
        with (
            warnings.catch_warnings(action="ignore"),  # nbgrader's, about its own use of SQLAlchemy
            mock.patch.object(api, "get_alembic_version", return_value="0"),
            api.Gradebook(self.folder.db_url) as db,
        ):
            db.add_assignment(NAME)
            db.add_notebook("exercises", NAME)
            for e in self.chapter.exercises:
                db.add_grade_cell(f"check_{e.name}", "exercises", NAME, max_score=e.points, cell_type="code")
                db.add_solution_cell(e.name, "exercises", NAME)
            db.add_grade_cell(WRITTEN, "exercises", NAME, max_score=4, cell_type="markdown")
            db.add_solution_cell(WRITTEN, "exercises", NAME)
            for student, result in self.results.items():
                self._add(db, student, result, (by_people or {}).get(student, {}))

    def gradebook_of(self, student: str, **given: Any) -> None:
        """Change what the gradebook has on one student."""
        from nbgrader.api import Gradebook

        with Gradebook(self.folder.db_url) as db:
            _give(db.find_submission_notebook("exercises", NAME, student), given)
            db.db.commit()

    def student_of_the_gradebook(self, student: str) -> None:
        from nbgrader.api import Gradebook

        with Gradebook(self.folder.db_url) as db:
            db.add_student(student)

    def _add(self, db: Any, student: str, result: Result, given: dict) -> None:
        db.add_student(student)
        notebook = db.add_submission(NAME, student).notebooks[0]
        for grade in notebook.grades:
            grade.auto_score = given.get("auto", {}).get(grade.name, result.scores.get(grade.name))
            grade.needs_manual_grade = grade.auto_score is None
        _give(notebook, given)
        db.db.commit()


def _give(notebook: Any, given: dict) -> None:
    """Put into the gradebook what a person gave: points (`again`: for an earlier answer), extra, comment, penalty, names."""
    for name in given.keys() & {"first_name", "last_name", "lms_user_id"}:
        setattr(notebook.student, name, given[name])
    notebook.late_submission_penalty = given.get("penalty", notebook.late_submission_penalty)
    for grade in notebook.grades:
        if grade.name in given.get("points", {}):
            grade.manual_score = given["points"][grade.name]
            grade.needs_manual_grade = grade.name in given.get("again", ())
        grade.extra_credit = given.get("extra", {}).get(grade.name, grade.extra_credit)
    for comment in notebook.comments:
        comment.manual_comment = given.get("comment", {}).get(comment.name, comment.manual_comment)


def wrong(name: str, points: int, *, failure: Failure | None = None, hint: str | None = None) -> Verdict:
    """A verdict on an answer that fails its seventh case."""
    failure = failure or Failure(
        "a run", f"{name}([1, 1, 1], (1, 1), 9)", "[9, 1]", "[9, 9]", "item 1 differs", "line 3"
    )
    return Verdict(name, "failed", 0, points, passed=6, total=12, failure=failure, hint=hint, mistake=0)
