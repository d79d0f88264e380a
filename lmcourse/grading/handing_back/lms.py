"""Filling the files that learning management systems give out to be filled and taken back: what they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lmcourse.grading.gradebook.marks import Marks
from lmcourse.grading.handing_back.sheet import Numbers, Sheet


@dataclass
class ExportSummary:
    """What became of everybody. Students are named as in the course folder, `nothing_handed_in` as in the LMS."""

    to: Path
    column: str | None = None
    filled: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    without_mark: dict[str, str] = field(default_factory=dict)
    nothing_handed_in: list[str] = field(default_factory=list)
    not_in_lms: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the summary as sentences to print."""
        column = f", column {self.column!r}" if self.column else ""
        lines = [f"{len(self.filled)} marks in {self.to}{column}."]
        if self.replaced:
            lines.append(
                f"Other marks stood there before ({len(self.replaced)}): {', '.join(self.replaced)}."
            )
        for why in dict.fromkeys(self.without_mark.values()):
            names = [name for name, own in self.without_mark.items() if own == why]
            lines.append(f"Without a mark, {why} ({len(names)}): {', '.join(names)}.")
        if self.nothing_handed_in:
            lines.append(
                f"Nothing handed in ({len(self.nothing_handed_in)}): {'; '.join(self.nothing_handed_in)}."
            )
        if self.not_in_lms:
            lines.append(f"Not in the LMS's file ({len(self.not_in_lms)}): {', '.join(self.not_in_lms)}.")
        return lines + [f"Warning: {line}." for line in self.warnings]


def why_no_mark(marks: Marks) -> str:
    """Return in words why there is no final mark."""
    reason = (marks.why or "no reason is known").rstrip(".")
    return {
        "to be read": f"a person has to read {', '.join(marks.to_read)}",
        "failed": f"it could not be graded: {reason}",
        "not graded yet": "it has not been graded yet",
        "refused": f"its file was refused: {reason}",
        "missing": "nothing was handed in",
    }[marks.status]


class LmsFile:
    """An LMS's file, with the column to fill. A subclass says which rows are people and whose they are."""

    def __init__(self, sheet: Sheet, column: int, people: list[int], samples: list[str]) -> None:
        self.sheet, self.column, self.people = sheet, column, people
        self.numbers = Numbers(samples, sheet.delimiter)

    def rows_of(self, marks: Marks) -> list[int]:
        """The rows that may be this student's: one, or none, or several where it is not clear."""
        raise NotImplementedError

    def name(self, row: int) -> str:
        raise NotImplementedError

    def blocked(self, row: int, marks: Marks) -> str | None:
        """Why the LMS would not take this mark."""
        raise NotImplementedError

    def index(self, column: int | None) -> dict[str, list[int]]:
        """The rows of people by what stands in a column, whatever the case."""
        found: dict[str, list[int]] = {}
        for row in self.people:
            if key := self.sheet.cell(row, column).strip().casefold():
                found.setdefault(key, []).append(row)
        return found

    def fill(self, everybody: list[Marks], summary: ExportSummary) -> dict[int, Marks]:
        """Put each final mark into its row, account for everybody in `summary`, and return what was filled.

        Raises:
            ValueError: nobody in the file handed anything in.
        """
        summary.column = self.sheet.header[self.column].strip()
        rows = {m.student: self.rows_of(m) for m in everybody if m.status != "missing"}
        claimed = [row for found in rows.values() for row in found]
        if self.people and rows and not claimed:
            raise ValueError(
                f"'template' has {len(self.people)} people, and nobody who handed in is among them: "
                "is it of this course and assignment?"
            )
        filled = {}
        for marks in everybody:
            if not (found := rows.get(marks.student, [])):
                if marks.student in rows:
                    summary.not_in_lms.append(marks.student)
            elif len(found) > 1 or claimed.count(found[0]) > 1:
                summary.without_mark[marks.student] = "it is not clear which row of the LMS's file is theirs"
            elif self._fill_one(found[0], marks, summary):
                filled[found[0]] = marks
        summary.nothing_handed_in = [self.name(row) for row in self.people if row not in claimed]
        return filled

    def _fill_one(self, row: int, marks: Marks, summary: ExportSummary) -> bool:
        there = self.numbers.value(self.sheet.cell(row, self.column))
        why = why_no_mark(marks) if marks.total is None else self.blocked(row, marks)
        if why is None and not self.sheet.put(row, self.column, self.numbers.text(marks.total)):
            why = "the row in the LMS's file is too short"
        if why is not None:
            stays = "" if there is None else f" (the mark {self.numbers.text(there)} that stands there stays)"
            summary.without_mark[marks.student] = why + stays
            return False
        summary.filled.append(marks.student)
        if there is not None and abs(there - marks.total) > 0.005:
            summary.replaced.append(marks.student)
        return True

    def compare_maximum(self, possible: str, everybody: list[Marks], summary: ExportSummary) -> None:
        """Warn where the LMS counts to another maximum than the assignment."""
        theirs, ours = self.numbers.value(possible), max((m.maximum for m in everybody), default=0.0)
        if theirs is not None and ours and abs(theirs - ours) > 1e-6:
            summary.warnings.append(
                f"the LMS counts to {theirs:g} points, the assignment to {ours:g}; marks are not scaled"
            )
