"""Moodle: an assignment's grading worksheet, to be filled and uploaded.

Columns Identifier ("Participant 123456"), Full name, Email address, Status, Grade, Maximum Grade, Grade can be changed, Last
modified (grade), Feedback comments and others. Headings, "Participant" and numbers are in the site's language, so people are
told by the number at the end of the first column. Moodle passes in silence over marks above the maximum or locked ones.
Source: mod/assign/gradingtable.php and mod/assign/feedback/offline of Moodle.
"""

from __future__ import annotations

import html
import re

from lmcourse.grading.gradebook.marks import Marks
from lmcourse.grading.handing_back.lms import ExportSummary, LmsFile
from lmcourse.grading.handing_back.sheet import Sheet

# A comment of ours, which may be written again; in Moodle's editor it may have got a paragraph round it.
OURS = re.compile(r"(?:<[^>]*>)*Points: [\d.,]+ of [\d.,]+ ")


class MoodleFile(LmsFile):
    """A grading worksheet. `column` is the heading of the grades where the site's language is not English.

    Raises:
        ValueError: it is no such worksheet.
    """

    def __init__(self, sheet: Sheet, column: str | None) -> None:
        at = sheet.find(column or "Grade")
        numbers = {row: re.search(r"\d+$", sheet.cell(row, 0).strip()) for row in range(1, len(sheet.rows))}
        people = [row for row, found in numbers.items() if found]
        if at is None or not people:
            got = ", ".join(sheet.header)
            raise ValueError(
                f"'template' must be Moodle's grading worksheet with the column {column or 'Grade'!r} "
                f"(in another language, give its heading as 'column'), got {got}"
            )
        self._highest = sheet.find("Maximum Grade")
        samples = [sheet.cell(row, c) for row in people for c in (self._highest, at)]
        super().__init__(sheet, at, people, samples)
        self._changeable, self._comments = sheet.find("Grade can be changed"), sheet.find("Feedback comments")
        self._by_mail = self.index(sheet.find("Email address"))
        self._by_number: dict[str, list[int]] = {}
        for row in people:
            self._by_number.setdefault(numbers[row][0], []).append(row)

    def fill(self, everybody: list[Marks], summary: ExportSummary) -> dict[int, Marks]:
        """Fill the grades, and the comments where nobody else wrote any."""
        self.compare_maximum(self.sheet.cell(self.people[0], self._highest), everybody, summary)
        filled = super().fill(everybody, summary)
        for row, marks in filled.items():
            there = self.sheet.cell(row, self._comments).strip()
            if self._comments is not None and (not there or OURS.match(there)):
                self.sheet.put(row, self._comments, self._comment(marks))
        return filled

    def rows_of(self, marks: Marks) -> list[int]:
        """By the number in the name of the file or folder; without one, by the e-mail address."""
        if "moodle" in marks.lms:
            return self._by_number.get(marks.lms["moodle"], [])
        return self._by_mail.get(marks.student.casefold(), [])

    def name(self, row: int) -> str:
        return self.sheet.cell(row, self.sheet.find("Full name") or 0).strip()

    def blocked(self, row: int, marks: Marks) -> str | None:
        if self.sheet.cell(row, self._changeable).strip().casefold() == "no":
            return "Moodle says that the grade cannot be changed"
        limit = self.numbers.value(self.sheet.cell(row, self._highest))
        if limit is not None and marks.total > limit:
            return f"Moodle takes {limit:g} points at most, the mark is {marks.total:g}"
        return None

    def _comment(self, marks: Marks) -> str:
        """One plain line, escaped, for Moodle reads it as HTML."""
        text = self.numbers.text
        parts = [f"{text(marks.points(written=False))} from the checks"]
        if any(mark.written for mark in marks.cells.values()):
            parts.append(f"{text(marks.points(written=True))} for answers in words")
        if marks.extra:
            parts.append(f"{text(marks.extra)} extra credit")
        if marks.penalty:
            parts.append(f"{text(marks.penalty)} taken off because it was late")
        said = f"Points: {text(marks.total)} of {text(marks.maximum)} ({'; '.join(parts)})."
        return html.escape(said, quote=False)
