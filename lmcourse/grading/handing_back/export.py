"""Marks out of the class folder: as a table of our own, or into the file that Canvas or Moodle gave out.

A mark leaves only when it is final. Work that is missing, failed or still to be read has no mark, which is not 0.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from lmcourse.exercises.records import ChapterRecord
from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.files import write_whole
from lmcourse.grading.gradebook.marks import Marks, marks_of
from lmcourse.grading.handing_back.lms import ExportSummary, LmsFile, why_no_mark

KINDS = ("csv", "canvas", "moodle")
# Spreadsheets run a cell that starts so; see OWASP, "CSV Injection". The last four are the full-width forms.
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def export_marks(
    folder: ClassFolder,
    assignment: str,
    chapter: ChapterRecord,
    lms: str,
    template: Path | None = None,
    to: Path | None = None,
    column: str | None = None,
) -> ExportSummary:
    """Write the marks of `assignment` to `to` and say what became of everybody.

    `lms` is "csv", "canvas" or "moodle"; the latter two fill a copy of `template`, the LMS's own file. `to` is
    graded/ASSIGNMENT/marks-LMS.csv by default; to fill the template itself, name it in `to`. `column` says which
    column to fill where the file leaves it open.

    Raises:
        ValueError: an argument is wrong, or the template is not what the LMS gives out.
        OSError: a file cannot be read or written.
    """
    if lms not in KINDS:
        raise ValueError(f"'lms' must be one of {', '.join(KINDS)}, got {lms!r}")
    if (template is None) != (lms == "csv"):
        expected = "the file that the LMS gave out" if lms != "csv" else "left out for csv"
        raise ValueError(f"'template' must be {expected}, got {template}")
    target = to or folder.graded(assignment) / f"marks-{lms}.csv"
    if to is None and template is not None and template.resolve() == target.resolve():
        raise ValueError(f"'to' must be given to write over 'template', {template}")
    everybody = marks_of(folder, assignment)
    summary = ExportSummary(target)
    if template is None:
        data = _table(everybody, chapter, summary)
    else:
        data = _filled(template, lms, assignment, column, everybody, summary)
    if apart := [marks.student for marks in everybody if marks.disagrees]:
        summary.warnings.append(
            f"nbgrader's gradebook has other points from the checks than the last grading for {', '.join(apart)}; "
            "grade again, and it will be brought up to date"
        )
    write_whole(target.parent, target, data)
    return summary


def _filled(
    template: Path,
    lms: str,
    assignment: str,
    column: str | None,
    everybody: list[Marks],
    summary: ExportSummary,
) -> bytes:
    from lmcourse.grading.handing_back.canvas import CanvasFile
    from lmcourse.grading.handing_back.moodle import MoodleFile
    from lmcourse.grading.handing_back.sheet import Sheet

    sheet = Sheet(template.read_bytes(), str(template))
    file: LmsFile = CanvasFile(sheet, assignment, column) if lms == "canvas" else MoodleFile(sheet, column)
    file.fill(everybody, summary)
    return sheet.data()


def _table(everybody: list[Marks], chapter: ChapterRecord, summary: ExportSummary) -> bytes:
    """Our own table: a row a student, a column a grade cell. With a BOM, or Excel reads names in the wrong letters."""
    checks = {f"check_{e.name}": e.name for e in chapter.exercises}
    for marks in everybody:
        checks |= {e.grade_id: e.verdict.name for e in marks.result.exercises} if marks.result else {}
    order = {e.name: number for number, e in enumerate(chapter.exercises)}
    known = {name: mark for marks in everybody for name, mark in marks.cells.items()}
    cells = sorted(
        known, key=lambda name: (known[name].written, order.get(checks.get(name), len(order)), name)
    )
    out = io.StringIO()
    writer = csv.writer(out)
    exercises = [checks.get(name, name) for name in cells]
    sums = ["extra credit", "late penalty", "total", "maximum", "note"]
    writer.writerow(["student", "name", "status", "late", *exercises, *sums])
    for marks in everybody:
        points = [marks.cells[name].points if name in marks.cells else None for name in cells]
        row = [marks.student, marks.name, marks.status, "yes" if marks.late else "no", *points]
        if marks.cells and marks.status != "failed":
            row += [marks.extra, marks.penalty, marks.total, marks.maximum]
        else:
            row += [None] * 4
        row.append(None if marks.total is not None else why_no_mark(marks))
        writer.writerow([_cell(value) for value in row])
        if marks.total is not None:
            summary.filled.append(marks.student)
        elif marks.status == "missing":
            summary.nothing_handed_in.append(marks.student)
        else:
            summary.without_mark[marks.student] = why_no_mark(marks)
    return ("\ufeff" + out.getvalue()).encode("utf-8", "replace")


def _cell(value: str | float | None) -> str:
    """A number as a number, nothing as nothing, and text that no spreadsheet takes for a formula.

    >>> _cell(-0.5), _cell(3.0), _cell(None), _cell("=HYPERLINK(1)")
    ('-0.5', '3', '', "'=HYPERLINK(1)")
    """
    if value is None:
        return ""
    if isinstance(value, float | int):
        return f"{round(value, 5):g}"
    return f"'{value}" if value.lstrip().startswith(FORMULA) or value[:1].isspace() else value
