"""A CSV file from a learning management system in which single cells are filled and every other byte stays."""

from __future__ import annotations

import csv
import io
import re


class Sheet:
    """Rows and columns of a CSV file. `put` changes a cell; `data()` is the file, changed in these cells only.

    Raises:
        ValueError: the file is not UTF-8, not plain CSV, or has no header.
    """

    def __init__(self, data: bytes, name: str) -> None:
        try:
            self._text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} must be CSV in UTF-8, as the LMS gives it: {error}") from error
        self._start = 1 if self._text.startswith("\ufeff") else 0
        header = self._text[self._start :].split("\n", 1)[0]
        self.delimiter = max(",;\t", key=header.count)
        self._spans = self._find_spans()
        self.rows = [[self._value(start, end) for start, end in row] for row in self._spans]
        self._changes: dict[tuple[int, int], str] = {}
        body = io.StringIO(self._text[self._start :], newline="")
        understood = [row or [""] for row in csv.reader(body, delimiter=self.delimiter)]
        if not self.rows or understood != self.rows:
            raise ValueError(f"{name} must be plain CSV with a header; it has broken quotes or is empty")

    @property
    def header(self) -> list[str]:
        return self.rows[0]

    def cell(self, row: int, column: int | None) -> str:
        """The text of a cell; "" where the row ends before it, or there is no such column."""
        return self.rows[row][column] if column is not None and column < len(self.rows[row]) else ""

    def put(self, row: int, column: int, text: str) -> bool:
        """Fill a cell, quoted where it was or where it must be; False where the row ends before it."""
        if column >= len(self.rows[row]):
            return False
        start, _ = self._spans[row][column]
        quoted = self._text[start : start + 1] == '"' or any(c in text for c in f'{self.delimiter}"\r\n')
        self._changes[row, column] = '"' + text.replace('"', '""') + '"' if quoted else text
        return True

    def data(self) -> bytes:
        parts, at = [], 0
        for row, column in sorted(self._changes):
            start, end = self._spans[row][column]
            parts += [self._text[at:start], self._changes[row, column]]
            at = end
        return "".join([*parts, self._text[at:]]).encode("utf-8")

    def find(self, *names: str) -> int | None:
        """The first column with one of these headings, whatever the case."""
        headings = [heading.strip().casefold() for heading in self.header]
        return next((headings.index(name.casefold()) for name in names if name.casefold() in headings), None)

    def _find_spans(self) -> list[list[tuple[int, int]]]:
        field = re.compile(rf'"(?:[^"]|"")*"|[^{self.delimiter}\r\n]*')
        rows, row, at = [], [], self._start
        while at < len(self._text):
            found = field.match(self._text, at)
            row.append(found.span())
            at = found.end()
            if self._text[at : at + 1] == self.delimiter:
                at += 1
                if at < len(self._text):
                    continue
                row.append((at, at))
            elif self._text[at : at + 2] == "\r\n":
                at += 2
            elif at < len(self._text) and self._text[at] not in "\r\n":
                return []  # something stands behind a closing quote
            else:
                at += 1
            rows.append(row)
            row = []
        return rows

    def _value(self, start: int, end: int) -> str:
        text = self._text[start:end]
        return text[1:-1].replace('""', '"') if text[:1] == '"' and len(text) > 1 else text


class Numbers:
    """How a file writes numbers: with a comma or a point, and with how many decimals at least.

    Where no sample tells, a file whose columns stand between semicolons is taken for one with commas in its numbers.

    >>> Numbers(["", "20,00"]).text(18.5), Numbers(["24"]).text(18.5), Numbers([]).text(7.0)
    ('18,50', '18.5', '7')
    """

    def __init__(self, samples: list[str], delimiter: str = ",") -> None:
        numbers = [found for text in samples if (found := re.fullmatch(r"\d+(?:([.,])(\d+))?", text.strip()))]
        marks = {found[1] for found in numbers if found[1]}
        self.comma = marks == {","} or (not marks and delimiter == ";")
        self.decimals = max((len(found[2] or "") for found in numbers), default=0)

    def text(self, number: float) -> str:
        """Return the number, with five decimals at most, as Moodle keeps them."""
        whole, _, rest = f"{number:.5f}".partition(".")
        rest = rest.rstrip("0").ljust(min(self.decimals, 5), "0")
        return whole + (("," if self.comma else ".") + rest if rest else "")

    def value(self, text: str) -> float | None:
        try:
            return float(text.strip().replace(",", ".") if self.comma else text.strip())
        except ValueError:
            return None
