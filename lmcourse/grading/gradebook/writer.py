"""The one writer of nbgrader's gradebook: results and executed notebooks in, rows and `autograded/` out.

Everything is left as stock `nbgrader autograde` would leave it, so that formgrader and nbgrader's own commands go on
working. A submission is written in three steps: its time stamp, its rows in one transaction, its notebook with the
key of the result. The notebook comes last and vouches for the rest: whoever was killed before it has an old
notebook or none, and is written again as if for the first time.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode

from lmcourse.grading.class_folder import NOTEBOOK, ClassFolder
from lmcourse.grading.gradebook.registration import open_database, register, released, write_file
from lmcourse.grading.gradebook.shown import reason, seal, shown_notebook
from lmcourse.grading.results import Result

if TYPE_CHECKING:
    from nbgrader.api import SubmittedAssignment, SubmittedNotebook
    from sqlalchemy.orm import Session


class Writer:
    """Writes the results of one assignment. To be used by one process only, in a `with` statement.

    `source` is the solution notebook. On entering, the assignment is registered where that is needed.

    Raises:
        ValueError: the gradebook cannot be opened, or the assignment cannot be registered; it says why.
    """

    def __init__(self, folder: ClassFolder, assignment: str, source: NotebookNode) -> None:
        self.folder, self.assignment, self._source = folder, assignment, source

    def __enter__(self) -> Writer:
        from nbgrader.api import Assignment, GradeCell, Notebook, SolutionCell, TaskCell
        from nbgrader.converters import Autograde
        from nbgrader.coursedir import CourseDirectory
        from nbgrader.preprocessors import AssignLatePenalties
        from sqlalchemy import select
        from sqlalchemy.orm import Session

        self._engine = open_database(self.folder.db_url)
        # Where stock nbgrader finds the plugins that `nbgrader_config.py` names.
        self._path = str(self.folder.root.resolve())
        sys.path.append(self._path)
        try:
            self._blank = released(self._source)
            register(self.folder, self.assignment, self._source, self._engine)
            config = self.folder.config
            self._autograde = Autograde(coursedir=CourseDirectory(config=config), config=config)
            self._penalties = AssignLatePenalties(config=config)
            self._penalties.init_plugin()
            with Session(self._engine) as db:
                found = select(Notebook).join(Assignment).where(Assignment.name == self.assignment)
                notebook = db.scalars(found.where(Notebook.name == NOTEBOOK)).one()
                self._assignment_id, self._notebook_id = notebook.assignment_id, notebook.id
                cells = [(type(cell), cell.id, cell.name) for cell in notebook._base_cells]
        except BaseException:
            self.__exit__()
            raise
        kinds = (GradeCell, TaskCell, SolutionCell)
        self._scored, self._tasks, self._answers = ({i: n for k, i, n in cells if k is z} for z in kinds)
        return self

    def __exit__(self, *error: Any) -> None:
        self._engine.dispose()
        sys.path.remove(self._path)

    def write(self, result: Result, notebook: str, timestamp: str | None = None) -> bool:
        """Write one submission and return whether anything was new. What a person gave is left as it is.

        `notebook` is the executed one; for a result that failed, the one that was handed in: it is shown with a note in
        front, so that a person can give the marks. `timestamp` says when it was handed in, in UTC unless it names
        another zone; without one, `timestamp.txt` beside the submission counts, as in stock nbgrader.

        Raises:
            ValueError: `result` is of another assignment, does not score each graded cell or not as `notebook` does; or
                `timestamp` is no time, or the student's name cannot be a folder's.
        """
        self._check(result)
        shown = shown_notebook(result, notebook, self._blank)
        data = (
            json.dumps(shown, indent=1, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        )
        path = self.folder.autograded(result.student, self.assignment)
        # Killed in between, formgrader sees that the rows are older than what was handed in.
        stamp = self._stamp(result.student, timestamp)
        changed = self._record(result, shown, stamp, again=path.is_file() and data == path.read_bytes())
        if stamp:
            changed |= write_file(self.folder, path.with_name("timestamp.txt"), stamp)
        changed |= write_file(self.folder, path, data)
        self._autograde.set_permissions(self.assignment, result.student)
        return changed

    def written(self, result: Result) -> bool:
        """Whether the gradebook and `autograded/` hold just this result."""
        from sqlalchemy.orm import Session

        try:
            path = self.folder.autograded(result.student, self.assignment)
            found = json.loads(path.read_text(encoding="utf-8"))["metadata"]["lmcourse"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        with Session(self._engine) as db:
            return found == seal(result) and self._scores(db, result.student) == self._scores_of(result)

    def missing(self) -> list[str]:
        """The students whom the gradebook knows and who handed in nothing; they have no submission, and so no 0."""
        from nbgrader.api import Student, SubmittedAssignment
        from sqlalchemy import select
        from sqlalchemy.orm import Session

        own = select(SubmittedAssignment.student_id).where(
            SubmittedAssignment.assignment_id == self._assignment_id
        )
        with Session(self._engine) as db:
            return list(db.scalars(select(Student.id).where(Student.id.not_in(own)).order_by(Student.id)))

    def _check(self, result: Result) -> None:
        name = result.student
        if result.assignment != self.assignment:
            raise ValueError(f"'result' must be of {self.assignment}, got one of {result.assignment}")
        if not 0 < len(name) <= 128 or name.strip() != name or name in (".", "..") or {*"/\\\0"} & {*name}:
            raise ValueError(f"a student's name must do as a folder's, with at most 128 signs, got {name!r}")
        if result.status == "graded" and {*result.scores} != {*self._scored.values()}:
            wrong = ", ".join(sorted({*result.scores} ^ {*self._scored.values()}))
            raise ValueError(f"'result' of {name} must score each graded cell and no other, check {wrong}")

    def _stamp(self, student: str, timestamp: str | None) -> str | None:
        """Put the time stamp beside the submission, where nbgrader looks for it, and return the one that counts."""
        import dateutil.parser
        from dateutil.tz import UTC
        from nbgrader.utils import parse_utc

        path = self.folder.submitted(student, self.assignment).with_name("timestamp.txt")
        stamp = timestamp or (path.read_text(encoding="utf-8").strip() if path.is_file() else None) or None
        try:
            if timestamp:
                # nbgrader takes "+0200" for 200 seconds, so it gets UTC.
                when = dateutil.parser.parse(timestamp)
                when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
                stamp = when.strftime("%Y-%m-%d %H:%M:%S.%f UTC")
            parse_utc(stamp)
        except (ValueError, OverflowError) as error:
            raise ValueError(
                f"the 'timestamp' of {student} must be a date and time, got {stamp!r}"
            ) from error
        if timestamp:
            write_file(self.folder, path, stamp)
        return stamp

    def _record(self, result: Result, notebook: NotebookNode, stamp: str | None, *, again: bool) -> bool:
        """Write the rows in one transaction. `again` says that the notebook stands there already as it is."""
        from nbgrader.utils import parse_utc
        from sqlalchemy.orm import Session

        with Session(self._engine) as db, db.begin():
            # Written whole before, nothing has happened that a person must look at once more.
            again = again and self._scores(db, result.student) == self._scores_of(result)
            submission, own = self._rows(db, result.student)
            if stamp:
                submission.timestamp = parse_utc(stamp)
            if not again:
                self._mark(result, notebook, own)
            changed = bool(db.new or any(db.is_modified(row) for row in db.dirty))
            db.flush()
            penalty = self._penalty(db, submission, own)
            changed |= penalty != own.late_submission_penalty
            own.late_submission_penalty = penalty
        return changed

    def _rows(self, db: Session, student: str) -> tuple[SubmittedAssignment, SubmittedNotebook]:
        """The rows of a submission, locked where the database can; those that are missing are added."""
        from nbgrader.api import Comment, Grade, Student, SubmittedAssignment, SubmittedNotebook
        from sqlalchemy import select

        where = (
            SubmittedAssignment.assignment_id == self._assignment_id,
            SubmittedAssignment.student_id == student,
        )
        submission = db.scalars(select(SubmittedAssignment).where(*where).with_for_update()).one_or_none()
        if submission is None:
            who = db.get(Student, student) or Student(id=student)
            submission = SubmittedAssignment(assignment_id=self._assignment_id, student=who)
            db.add(submission)
        own = next((n for n in submission.notebooks if n.notebook_id == self._notebook_id), None)
        if own is None:
            own = SubmittedNotebook(notebook_id=self._notebook_id, assignment=submission)
            db.add(own)
        scored = {*self._scored, *self._tasks} - {grade.cell_id for grade in own.grades}
        commented = {*self._answers, *self._tasks} - {comment.cell_id for comment in own.comments}
        db.add_all(Grade(cell_id=cell, notebook=own) for cell in scored)
        db.add_all(Comment(cell_id=cell, notebook=own) for cell in commented)
        return submission, own

    def _mark(self, result: Result, notebook: NotebookNode, own: SubmittedNotebook) -> None:
        """What nbgrader's SaveAutoGrades does. A person's marks and words are never touched."""
        from nbgrader.utils import compute_checksum, is_solution

        scores = self._scores_of(result)
        for grade in own.grades:
            if grade.cell_id in self._scored:
                grade.auto_score = scores[self._scored[grade.cell_id]]
                grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
            elif result.status != "graded":
                grade.needs_manual_grade = True
        untouched = {
            cell.metadata.nbgrader["grade_id"]: cell.metadata.nbgrader.get("checksum")
            == compute_checksum(cell)
            for cell in notebook.cells
            if is_solution(cell)
        }
        for comment in own.comments:
            name = self._answers.get(comment.cell_id)
            if result.status != "graded":
                comment.auto_comment = reason(result)
            else:
                comment.auto_comment = "No response." if untouched.get(name) else None

    def _penalty(self, db: Session, submission: SubmittedAssignment, own: SubmittedNotebook) -> float | None:
        """What nbgrader's AssignLatePenalties does, with the class's own plugin."""
        from nbgrader.api import Assignment

        due = db.get(Assignment, self._assignment_id).duedate
        if due is None or submission.total_seconds_late <= 0:
            return None
        db.refresh(own, ["score"])
        late = submission.total_seconds_late
        penalty = self._penalties.plugin_inst.late_submission_penalty(submission.student_id, own.score, late)
        return None if penalty is None else self._penalties._check_late_penalty(own, penalty)

    def _scores_of(self, result: Result) -> dict[str, float | None]:
        return result.scores if result.status == "graded" else dict.fromkeys(self._scored.values())

    def _scores(self, db: Session, student: str) -> dict[str, float | None]:
        from nbgrader.api import Grade, SubmittedAssignment, SubmittedNotebook
        from sqlalchemy import select

        found = (
            select(Grade.cell_id, Grade.auto_score).join(Grade.notebook).join(SubmittedNotebook.assignment)
        )
        found = found.where(
            SubmittedAssignment.student_id == student, SubmittedNotebook.notebook_id == self._notebook_id
        )
        return {self._scored[cell]: score for cell, score in db.execute(found) if cell in self._scored}
