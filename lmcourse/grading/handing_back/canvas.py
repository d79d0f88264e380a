"""Canvas: its gradebook's export, to be filled and imported.

Columns Student (or LastName, FirstName), ID, SIS User ID, SIS Login ID, ..., Section, then "Title (12345)" for each
assignment; before the students a row of "Manual Posting" and one of "    Points Possible". What the import finds empty
where a mark was, it deletes: cells without a new mark must stay as they are.
Source: lib/gradebook_exporter.rb and lib/gradebook_importer.rb of Canvas.
"""

from __future__ import annotations

import re

from lmcourse.grading.gradebook.marks import Marks
from lmcourse.grading.handing_back.lms import ExportSummary, LmsFile
from lmcourse.grading.handing_back.sheet import Sheet

CLOSED = {"EX": "Canvas has excused them", "N/A": "Canvas has not assigned it to them"}


class CanvasFile(LmsFile):
    """A gradebook's export with the assignment's column.

    Raises:
        ValueError: it is no such export, or the column cannot be told.
    """

    def __init__(self, sheet: Sheet, assignment: str, column: str | None) -> None:
        number = sheet.find("ID")
        if number is None or sheet.find("Student", "LastName") is None:
            got = ", ".join(sheet.header[:6])
            raise ValueError(f"'template' must be Canvas's gradebook export (Student, ID, ...), got {got}")
        rows = range(1, len(sheet.rows))
        top = next((row for row in rows if "Points Possible" in sheet.cell(row, 0)), None)
        at = column_of(sheet, assignment, column)
        self.possible = "" if top is None else sheet.cell(top, at)
        super().__init__(sheet, at, [], [self.possible])
        self.people = [
            row
            for row in rows
            if row != top and sheet.cell(row, number).strip() and self.name(row) != "Student, Test"
        ]
        self._by_number = self.index(number)
        self._by_login = [self.index(sheet.find(name)) for name in ("SIS Login ID", "SIS User ID")]

    def fill(self, everybody: list[Marks], summary: ExportSummary) -> dict[int, Marks]:
        self.compare_maximum(self.possible, everybody, summary)
        return super().fill(everybody, summary)

    def rows_of(self, marks: Marks) -> list[int]:
        """By the number in the name of the file; for folders by the gradebook's number, login or SIS number."""
        if "canvas" in marks.lms:
            return self._by_number.get(marks.lms["canvas"], [])
        keys = [(self._by_number, marks.lms.get("id", "")), *((i, marks.student) for i in self._by_login)]
        return next((rows for index, key in keys if (rows := index.get(key.casefold()))), [])

    def name(self, row: int) -> str:
        one = self.sheet.find("Student")
        columns = [one] if one is not None else [self.sheet.find("LastName"), self.sheet.find("FirstName")]
        return ", ".join(self.sheet.cell(row, column).strip() for column in columns)

    def blocked(self, row: int, marks: Marks) -> str | None:
        return CLOSED.get(self.sheet.cell(row, self.column).strip().upper())


def column_of(sheet: Sheet, assignment: str, column: str | None) -> int:
    """Return the column with this heading, title or number; without `column`, the one whose title has the assignment's words.

    Raises:
        ValueError: there is none, or more than one.
    """
    found = {
        i: hit for i, h in enumerate(sheet.header) if (hit := re.fullmatch(r"\s*(.*\S)\s*\((\d+)\)\s*", h))
    }

    def listed(columns: list[int] | dict) -> str:
        return "; ".join(sheet.header[i].strip() for i in columns) or "none"

    if column is not None:
        wanted = column.strip().casefold()
        hits = [
            i for i, hit in found.items() if wanted in (hit[0].strip().casefold(), hit[1].casefold(), hit[2])
        ]
        if len(hits) == 1:
            return hits[0]
        raise ValueError(
            f"'column' must name one assignment of the file, got {column!r}; there are: {listed(hits or found)}"
        )
    words = _words(assignment)
    for needed in (words, {word for word in words if not word.isdigit()}):
        hits = [i for i, hit in found.items() if needed and needed <= _words(hit[1])]
        if len(hits) == 1:
            return hits[0]
        if hits:
            raise ValueError(f"'column' must say which of these is {assignment}: {listed(hits)}")
    raise ValueError(
        f"'column' must say which assignment of the file is {assignment}; there are: {listed(found)}"
    )


def _words(text: str) -> set[str]:
    return {word.lstrip("0") or "0" for word in re.findall(r"[^\W_\d]+|\d+", text.casefold())}
