"""The book's running score: how far each model is from the entropy of its text, below which no model can stay.

Rows are computed by the chapters, recorded in `data/floor.json`, and shown by one call, each lesson up to its own
chapter.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

_HERE = Path(__file__).parent
FLOOR_FILE = _HERE / "data" / "floor.json"


@dataclass(frozen=True)
class FloorRow:
    """One model on one corpus, as the mean over some seeds.

    Attributes:
        chapter: the folder's name, such as `03_recurrence`.
        corpus, model: their names; with the chapter they are the key of the row.
        parameters: how many numbers the model keeps.
        loss: nats per token on held-out text.
        floor: the exact surprisal of the same tokens, in nats per token.
        seeds: how many samples of text, and trainings, were measured.
        spread: the standard deviation of the excess over the seeds, in nats per token.
        note: what a reader should know beside the numbers.

    Raises:
        ValueError: a number that cannot be, or a chapter without its two digits.

    >>> row = FloorRow("00_sequences", "filler", "bigram", parameters=900, loss=2.2, floor=2.0)
    >>> round(row.excess_nats, 9), round(row.excess_percent, 9)
    (0.2, 10.0)
    """

    chapter: str
    corpus: str
    model: str
    parameters: int
    loss: float
    floor: float
    seeds: int = 1
    spread: float = 0.0
    note: str = ""

    def __post_init__(self):
        if not re.fullmatch(r"\d\d_\w+", self.chapter):
            raise ValueError(f"'chapter' must be a folder's name like '03_recurrence', got {self.chapter!r}")
        for name in ("corpus", "model"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name!r} must be a name, got {getattr(self, name)!r}")
        for name, least in (("parameters", 0), ("loss", 0), ("floor", 0), ("seeds", 1), ("spread", 0)):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= least):
                raise ValueError(f"{name!r} must be a finite number, at least {least}, got {value}")
        if self.floor == 0:
            raise ValueError("'floor' must be above 0: an excess in per cent needs it")

    @property
    def key(self) -> tuple[str, str, str]:
        return self.chapter, self.corpus, self.model

    @property
    def excess_nats(self) -> float:
        return self.loss - self.floor

    @property
    def excess_percent(self) -> float:
        return excess_percent(self.loss, self.floor)


def excess_percent(loss: float, floor: float) -> float:
    """Return how far a loss is above the floor, in per cent of the floor.

    >>> round(excess_percent(loss=2.2, floor=2.0), 9)
    10.0
    """
    if not floor > 0:
        raise ValueError(f"'floor' must be positive, got {floor}")
    return 100 * (loss - floor) / floor


def load_rows(path: Path = FLOOR_FILE) -> list[FloorRow]:
    """Return the recorded rows, sorted by key; none if nothing was recorded yet."""
    if not path.exists():
        return []
    return [FloorRow(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def record(rows: Iterable[FloorRow], path: Path = FLOOR_FILE) -> list[FloorRow]:
    """Put rows in place of those with the same chapter, corpus and model, and write the file anew, sorted and whole.

    Numbers are kept to six places. Returns all rows that the file now has.
    """
    merged = {row.key: row for row in [*load_rows(path), *rows]}
    values = [asdict(merged[key]) for key in sorted(merged)]
    for row in values:
        row.update({name: round(row[name], 6) for name in ("loss", "floor", "spread")})
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")  # so that nobody ever reads half a file
    half.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(half, path)
    return load_rows(path)


class FloorTable:
    """The rows as a table with bars, in a notebook and on a page; as plain text elsewhere."""

    def __init__(self, rows: Sequence[FloorRow], highlight: Sequence[str] = ()):
        self.rows, self.highlight = list(rows), set(highlight)

    def __repr__(self) -> str:
        lines = [f"{'corpus':14} {'model':26} {'parameters':>10} {'loss':>7} {'floor':>7} {'excess':>8}"]
        lines += [
            f"{row.corpus:14} {row.model:26} {row.parameters:>10,} {row.loss:7.3f} {row.floor:7.3f}"
            f" {row.excess_percent:7.1f}%"
            for row in self._sorted()
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        style = (_HERE / "style.css").read_text(encoding="utf-8") + _STYLE
        head = "".join(f'<th scope="col"{kind}>{text}</th>' for text, kind in _COLUMNS)
        return (
            f'<style>\n{style}</style>\n<figure class="lm-figure lm-floor" aria-label="Distance to the floor">\n'
            '<p class="lm-title">Distance to the floor</p>\n'
            '<div class="lm-scroll" role="region" aria-label="Table of distances to the floor" tabindex="0">\n'
            f"<table>\n<caption>Excess over the floor, in per cent and in nats</caption>\n<thead><tr>{head}</tr></thead>\n{self._bodies()}</table>\n"
            f'</div>\n<figcaption class="lm-caption">{_CAPTION}</figcaption>\n</figure>'
        )

    def _sorted(self) -> list[FloorRow]:
        """By corpus, then the farthest first."""
        return sorted(self.rows, key=lambda row: (row.corpus, -row.excess_percent, row.key))

    def _bodies(self) -> str:
        bodies = []
        for corpus in sorted({row.corpus for row in self.rows}):
            rows = [row for row in self._sorted() if row.corpus == corpus]
            longest = max(1e-9, *(row.excess_percent for row in rows))
            title = f'<tr><th scope="rowgroup" colspan="{len(_COLUMNS)}">{escape(corpus)}</th></tr>\n'
            cells = "".join(self._cells(row, longest) for row in rows)
            bodies.append(f"<tbody>\n{title}{cells}</tbody>\n")
        return "".join(bodies)

    def _cells(self, row: FloorRow, longest: float) -> str:
        here = row.model in self.highlight
        opening = '<tr class="lm-here">' if here else "<tr>"
        mark = ' <span class="lm-sr">(marked)</span>' if here else ""
        note = f'<br><span class="lm-note">{escape(row.note)}</span>' if row.note else ""
        spread = f" ± {row.spread:.3f}" if row.seeds > 1 else ""
        width = max(0.0, 100 * row.excess_percent / longest)
        bar = f'<span class="lm-bar" style="width:{width:.2f}%" aria-hidden="true"></span>'
        return (
            f'{opening}<th scope="row">{escape(row.model)}{mark}{note}</th>'
            f'<td class="lm-num">{row.excess_percent:.1f} %</td><td class="lm-track">{bar}</td>'
            f'<td class="lm-num">{row.excess_nats:.3f}{spread}</td><td class="lm-num">{row.loss:.3f}</td>'
            f'<td class="lm-num">{row.floor:.3f}</td><td class="lm-num">{row.parameters:,}</td>'
            f'<td class="lm-num">{escape(row.chapter[:2])}</td></tr>\n'
        )


def floor_table(
    rows: Iterable[FloorRow] | None = None,
    *,
    upto: str | None = None,
    highlight: str | Sequence[str] = (),
) -> FloorTable:
    """Return the table of `rows` (default: all that are recorded).

    Args:
        upto: the last chapter to show, such as `00_sequences`.
        highlight: the names of the models to mark.

    Raises:
        ValueError: nothing is left to show, or a model to be marked is not in the table.
    """
    chosen = [row for row in (load_rows() if rows is None else rows) if upto is None or row.chapter <= upto]
    if not chosen:
        raise ValueError(f"'rows' must hold at least one row up to chapter {upto!r}, got none")
    marked = [highlight] if isinstance(highlight, str) else list(highlight)
    missing = set(marked) - {row.model for row in chosen}
    if missing:
        raise ValueError(f"'highlight' must name models of the table, got {sorted(missing)}")
    return FloorTable(chosen, marked)


_CAPTION = (
    "Loss of each model on held-out text, and the exact surprisal of the same tokens: the floor, below which no model "
    "can stay on average. ± is the standard deviation over seeds; the bars of each corpus have a scale of their own."
)
_NUMBER = ' class="lm-num"'
_COLUMNS = [
    ("model", ""),
    ("excess", _NUMBER),
    ('<span class="lm-sr">excess as a bar</span>', ""),
    ("in nats", _NUMBER),
    ("loss", _NUMBER),
    ("floor", _NUMBER),
    ("parameters", _NUMBER),
    ("chapter", _NUMBER),
]
_STYLE = """
.lm-figure.lm-floor .lm-scroll { overflow-x: auto; position: relative; }
.lm-figure.lm-floor table { min-width: 38rem; }
.lm-figure.lm-floor th[scope="row"] { min-width: 9.5rem; }
.lm-figure.lm-floor .lm-note { font-size: 13px; font-weight: 400; }
.lm-figure.lm-floor td.lm-num + td.lm-num { padding-left: 8px; }
.lm-figure.lm-floor th[scope="rowgroup"] { color: var(--lm-ink); font-weight: 650; padding-top: 14px; }
.lm-figure.lm-floor td.lm-num { white-space: nowrap; }
.lm-figure.lm-floor .lm-track { min-width: 4rem; width: 20%; }
.lm-figure.lm-floor .lm-bar { background: var(--lm-blue); border-radius: 2px; display: block; height: 10px; min-width: 1px; }
.lm-figure.lm-floor tr.lm-here :is(th, td) { background: var(--lm-mark); font-weight: 650; }
.lm-figure.lm-floor tr.lm-here .lm-bar { background: var(--lm-orange); }
@media print { .lm-figure.lm-floor .lm-bar { print-color-adjust: exact; } }
@media (forced-colors: active) { .lm-figure.lm-floor .lm-bar { background: CanvasText; forced-color-adjust: none; } }
"""
