"""A notebook that somebody handed in, made the assignment's own again: the source's cells with the student's answers.

Cells are matched by nbgrader's grade_id, then by cell id, then by text (`check(merge_pair)`, or the
`def merge_pair` of the answer), then by order. What is checked comes from the source, what is answered from
the student; cells the student added stay behind the cell they followed.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lmcourse.grading.intake.reading import Cell, Refused, read_notebook

BY_GRADE_ID, BY_ID, BY_TEXT, BY_SIGNATURE, BY_DEFINITION = 5, 4, 3, 2, 1
SIMILAR = 0.6


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
        found = re.search(r"^(?:def|class)\s+(\w+)", node.source, re.MULTILINE)
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


@dataclass(frozen=True)
class Repaired:
    text: str
    notes: list[str]


def repair(data: bytes, template: Template) -> Repaired:
    """Return the notebook to grade, as text, and one sentence for each thing that was put right.

    Raises:
        Refused: the bytes are no notebook, or none of its cells belongs to this assignment.
    """
    read = read_notebook(data, template.notebook.metadata.kernelspec.name)
    slots, cells = template.slots, read.cells
    places = _match(slots, cells)
    if not any(slots[t].grade_id for t in places):
        raise Refused("none of its cells belongs to this assignment")
    _match_by_order(slots, cells, places)
    notes = [*read.notes, *_what_was_lost(slots, cells, places)]
    made = _assembled(template, cells, places, notes)
    return Repaired(nbformat.writes(made, version=4) + "\n", list(dict.fromkeys(notes)))


def _match(slots: list[Slot], cells: list[Cell]) -> dict[int, int]:
    """Return {slot: cell}. A cell goes where its claim is strongest; one that loses there may claim another slot."""
    claims = {
        (t, s): strength
        for t, slot in enumerate(slots)
        for s, cell in enumerate(cells)
        if (strength := slot.claim(cell))
    }
    checks = _check_places(slots, cells)
    places: dict[int, int] = {}
    while claims:
        best: dict[int, tuple[int, int]] = {}
        for (t, s), strength in claims.items():
            # A cell with all answers goes where the first of them is asked for.
            best[s] = max(best.get(s, (0, 0)), (strength, -t))
        wanted: dict[int, list[int]] = {}
        for s, (_, t) in best.items():
            wanted.setdefault(-t, []).append(s)
        for t, rivals in wanted.items():
            slot = slots[t]

            def merit(s: int, slot: Slot = slot, t: int = t, claims: dict = claims) -> tuple:
                cell, limit = cells[s], checks.get(slot.defines, len(cells))
                typed = bool(cell.text.strip()) and (cell.text.strip() != slot.text or not slot.answer)
                defines = bool(slot.defines and slot.definition(cell.text))
                # Among equals the last one before the check: it is the one that a notebook would have run last.
                return (typed, claims[t, s], defines, s < limit, s)

            places[t] = max(rivals, key=merit)
        taken = set(places.values())
        claims = {(t, s): v for (t, s), v in claims.items() if t not in places and s not in taken}
    return places


def _check_places(slots: list[Slot], cells: list[Cell]) -> dict[str | None, int]:
    places: dict[str | None, int] = {}
    for slot in slots:
        name = re.fullmatch(r"check\((\w+)\)", slot.text)
        at = [s for s, cell in enumerate(cells) if slot.locked and slot.claim(cell)]
        if name and at:
            places[name[1]] = at[0]
    return places


def _match_by_order(slots: list[Slot], cells: list[Cell], places: dict[int, int]) -> None:
    """Between two matched neighbours, give an open slot a cell of its type: any for an answer, a similar one else."""
    for t, slot in enumerate(slots):
        if t in places:
            continue
        low = places[max((i for i in places if i < t), default=-1)] if any(i < t for i in places) else -1
        later = [i for i in places if i > t]
        high = places[min(later)] if later else len(cells)
        taken = set(places.values())
        free = [
            s
            for s in range(low + 1, high)
            if s not in taken and cells[s].kind == slot.kind and cells[s].text.strip()
        ]
        if slot.locked:
            continue
        if slot.answer:
            others = [o for o in slots if o.defines and o is not slot]
            free = [s for s in free if not any(o.definition(cells[s].text) for o in others)]
            if slot.kind == "code":
                free.reverse()
        else:
            # The first few only: comparing is slow, and a notebook may be made to be slow.
            free = [s for s in free[:12] if _similar(slot.text, cells[s].text)]
        if not free and slot.answer and slot.kind == "markdown":
            # Words that are nobody else's, in a notebook whose order is lost too.
            alone = [s for s, cell in enumerate(cells) if s not in taken and cell.kind == "markdown"]
            free = alone if len(alone) == 1 else []
        if free:
            places[t] = free[0]


def _similar(a: str, b: str) -> bool:
    return difflib.SequenceMatcher(None, a[:1500], b.strip()[:1500], autojunk=False).ratio() >= SIMILAR


def _what_was_lost(slots: list[Slot], cells: list[Cell], places: dict[int, int]) -> list[str]:
    notes = []
    lost = [
        slots[t].label
        for t, s in places.items()
        if slots[t].grade_id and cells[s].grade_id != slots[t].grade_id
    ]
    if lost:
        notes.append(f"nbgrader's marks were lost and are back: {_listed(lost)}.")
    if any(slots[t].node.id not in cells[s].ids for t, s in places.items()):
        notes.append("Cell ids were lost or changed and are back.")
    ids = [cell.ids[0] for cell in cells if cell.ids]
    if len(set(ids)) < len(ids):
        notes.append("Cell ids that stood twice were made different.")
    order = [places[t] for t in sorted(places)]
    if order != sorted(order):
        notes.append("Cells stood in another order and are back in that of the assignment.")
    if not any(
        slots[t].answer and cells[s].text.strip() not in ("", slots[t].text) for t, s in places.items()
    ):
        notes.append("No answer was typed in.")
    return notes


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names)[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _assembled(
    template: Template, cells: list[Cell], places: dict[int, int], notes: list[str]
) -> NotebookNode:
    slots, slot_of = template.slots, {s: t for t, s in places.items()}
    extras: dict[int, list[NotebookNode]] = {}
    ids = {slot.node.id for slot in slots}
    anchor = -1
    for s, cell in enumerate(cells):
        if s in slot_of:
            anchor = slot_of[s]
            continue
        rival = next((slot for slot in slots if slot.answer and slot.text == cell.text.strip()), None)
        same = next((slot for slot in slots if slot.claim(cell) >= BY_ID), None)
        if rival:  # run after the answer, an empty stub would take its place
            notes.append(f"An empty copy of {rival.label} was left out.")
        elif cell.text.strip():
            if same:
                notes.append(f"{same.label} stood twice; the other copy is kept as a cell of its own.")
            extras.setdefault(anchor, []).append(_extra(cell, ids))
    made = [*extras.get(-1, [])]
    for t, slot in enumerate(slots):
        cell = cells[places[t]] if t in places else None
        made += [*_spilled(slot, cell, ids, notes), _filled(slot, cell, cells, notes), *extras.get(t, [])]
    return nbformat.v4.new_notebook(cells=made, metadata=template.notebook.metadata.copy())


def _filled(slot: Slot, cell: Cell | None, cells: list[Cell], notes: list[str]) -> NotebookNode:
    """Return the slot's cell with its own metadata, and with the student's text unless it is locked."""
    text = slot.node.source
    if cell is None:
        notes.append(f"{slot.label} was deleted and is back from the source.")
        if slot.defines and any(slot.definition(other.text) for other in cells):
            notes[-1] = f"{slot.label} was deleted; its answer stands in another cell."
            text = f"# {slot.defines} is defined in another cell."
    elif not slot.locked:
        text = cell.text
        if cell.kind != slot.kind:
            notes.append(f"{slot.label} had become a {cell.kind} cell and is a {slot.kind} cell again.")
    elif cell.text.strip() != slot.text:
        notes.append(f"The text of {slot.label} was changed; the original is back.")
    node = _node(slot.kind, text, slot.node.id)
    node.metadata = slot.node.metadata.copy()
    if cell and cell.attachments and slot.kind == "markdown":
        node["attachments"] = cell.attachments
    return node


def _spilled(slot: Slot, cell: Cell | None, ids: set[str], notes: list[str]) -> list[NotebookNode]:
    """What a student typed into a locked cell may be the answer: it goes into a cell of its own before it."""
    if cell is None or not slot.locked or cell.kind != "code":
        return []
    own = {line.strip() for line in slot.text.splitlines()}
    rest = "\n".join(line for line in cell.text.splitlines() if line.strip() not in own).strip("\n")
    if all(line.strip()[:1] in ("", "#") for line in rest.splitlines()):
        return []
    notes.append(f"What was typed into {slot.label} is kept in a cell before it.")
    return [_extra(Cell("code", rest), ids)]


def _extra(cell: Cell, ids: set[str]) -> NotebookNode:
    base = name = f"extra-{hashlib.sha256(cell.text.encode()).hexdigest()[:10]}"
    number = 1
    while name in ids:
        number += 1
        name = f"{base}-{number}"
    ids.add(name)
    node = _node(cell.kind, cell.text, name)
    if cell.attachments:
        node["attachments"] = cell.attachments
    return node


def _node(kind: str, text: str, cell_id: str) -> NotebookNode:
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    return make.get(kind, nbformat.v4.new_raw_cell)(text, id=cell_id)
