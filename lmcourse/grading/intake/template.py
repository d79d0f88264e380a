"""The notebook as students received it, cell by cell, and how a cell that came back is known again."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lmcourse.grading.intake.reading import Cell

BY_GRADE_ID, BY_ID, BY_TEXT, BY_SIGNATURE, BY_DEFINITION = 5, 4, 3, 2, 1


class Slot:
    """A cell of the source as the student received it: a stub where an answer belongs."""

    def __init__(self, node: NotebookNode) -> None:
        marks = node.metadata.get("nbgrader", {})
        self.node = node
        self.text = node.source.strip()
        self.kind = node.cell_type
        self.grade_id = marks.get("grade_id")
        self.answer = bool(marks.get("solution"))
        self.locked = bool(marks) and not self.answer
        # An answer may bring helpers: what it defines is what the exercise is called.
        name = re.escape(node.metadata.get("exercise", "")) or r"\w+"
        found = re.search(rf"^(?:def|class)\s+({name})\b", node.source, re.MULTILINE)
        self.defines = found[1] if found and self.answer else None
        self.signature = node.source[found.start() :].split("\n")[0] if self.defines else None
        self.label = self.grade_id or f"the {self.kind} cell {self.text[:30].splitlines()[0]!r}"

    @cached_property
    def definition(self) -> Callable[[str], re.Match[str] | None]:
        # `name = ...` counts: an answer may be a lambda or a partial.
        name = self.defines
        return re.compile(rf"^(?:(?:async )?def|class)\s+{name}\b|^{name}\s*(?::[^=\n]+)?=(?!=)", re.M).search

    def claim(self, cell: Cell) -> int:
        """Return how strongly `cell` claims to be this one, 0 for not at all."""
        if self.grade_id and cell.grade_id == self.grade_id:
            return BY_GRADE_ID
        if self.node.id in cell.ids:
            return BY_ID
        if self.text == cell.text.strip() and self.text:
            return BY_TEXT
        if self.defines and self.definition(cell.text):
            return BY_SIGNATURE if self.signature in cell.text else BY_DEFINITION
        return 0


@dataclass(frozen=True)
class Template:
    """The notebook the student received, cut by nbgrader from `solutions/NN/exercises.ipynb`."""

    source: NotebookNode
    notebook: NotebookNode
    slots: list[Slot]

    @classmethod
    def load(cls, source: Path) -> Template:
        from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions, ComputeChecksums, LockCells

        notebook = nbformat.read(source, as_version=4)
        original = copy.deepcopy(notebook)
        for step in (LockCells, ClearSolutions, ClearHiddenTests, ComputeChecksums):
            notebook, _ = step().preprocess(notebook, {})
        return cls(original, notebook, [Slot(cell) for cell in notebook.cells])
