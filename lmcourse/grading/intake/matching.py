"""Which cell of a notebook is which cell of the assignment: by what it says of itself, then by the order."""

from __future__ import annotations

import difflib
import re

from lmcourse.grading.intake.reading import Cell
from lmcourse.grading.intake.template import Slot

SIMILAR = 0.6


def match(slots: list[Slot], cells: list[Cell]) -> dict[int, int]:
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


def match_by_order(slots: list[Slot], cells: list[Cell], places: dict[int, int]) -> None:
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
