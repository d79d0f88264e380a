"""A notebook that somebody handed in, made the assignment's own again: the source's cells with the student's answers.

Cells are matched by nbgrader's grade_id, then by cell id, then by text (`check(merge_pair)`, or the
`def merge_pair` of the answer), then by order. What is checked comes from the source, what is answered from
the student; cells the student added stay behind the cell they followed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from lmcourse.grading.intake.matching import match, match_by_order
from lmcourse.grading.intake.reading import Cell, Refused, read_notebook
from lmcourse.grading.intake.template import BY_ID, Slot, Template


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
    places = match(slots, cells)
    if not any(slots[t].grade_id for t in places):
        raise Refused("none of its cells belongs to this assignment")
    match_by_order(slots, cells, places)
    notes = [*read.notes, *_what_was_lost(slots, cells, places)]
    made = _assembled(template, cells, places, notes)
    return Repaired(nbformat.writes(made, version=4) + "\n", list(dict.fromkeys(notes)))


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
    """A new cell; nbformat's own makers look through every one, which is done once for the whole notebook."""
    node = nbformat.from_dict({"cell_type": kind, "id": cell_id, "metadata": {}, "source": text})
    if kind == "code":
        node.update(execution_count=None, outputs=[])
    elif kind != "markdown":
        node.cell_type = "raw"
    return node
