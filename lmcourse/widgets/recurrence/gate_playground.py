"""One LSTM cell with its gates in the reader's hand, beside a plain recurrent cell: what is kept, and for how long."""

from __future__ import annotations

import math
from pathlib import Path

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "What a cell keeps"
CAPTION = (
    "Both cells begin with the same value. The gates are held still here; a trained cell moves them at each step. What "
    "the LSTM keeps of its first value is multiplied by the forget gate f, once a step. The plain cell h' = tanh(w h) loses by "
    "the slope of the tanh as well, and where w is above 1 it runs into a value that no longer says how large the first one was. "
    "Half-life: the first step at which half or less is kept."
)
LONGEST = 1000  # how far the loss of half is looked for


def _opened_by(bias: float) -> float:
    """The gate that a pre-activation makes: the logistic function of it."""
    return round(1 / (1 + math.exp(-bias)), 6)


# Forget gate, input gate, candidate, output gate.
PRESETS: dict[str, tuple[float, float, float, float]] = {
    "forget bias 0: 0.50": (0.5, 0.5, 0.0, 0.5),
    "forget bias 1: 0.73": (_opened_by(1), 0.5, 0.0, 0.5),
    "forget bias 4: 0.98": (_opened_by(4), 0.5, 0.0, 0.5),
    "remember for ever": (1.0, 0.0, 0.0, 1.0),
    "overwrite": (0.0, 1.0, -0.9, 1.0),
}


def gate_playground(
    *,
    forget: float = 0.95,
    weight: float = 0.9,
    start: float = 0.8,
    steps: int = 60,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: the memory c of one LSTM cell with gates by hand, and what both cells keep of their first value.

    With forget gate f, input gate i, candidate g and output gate o, all fixed: c_t = f c_(t-1) + i g, h_t = o tanh(c_t). "Kept" is
    the part of a small change of the first value that arrives at step t: d c_t / d c_0 = f^t. For the plain cell
    h_t = tanh(w h_(t-1)) it is the product of w (1 - h_k^2) over k = 1, ..., t.

    Args:
        forget: the forget gate at first, from 0 to 1. weight: w at first, from 0 to 1.5.
        start: the first value of both cells, from -1 to 1. steps: how far the reader can look.

    Raises:
        ValueError: a number out of its range.

    >>> gate_playground(forget=0.5)
    Figure('What a cell keeps')
    """
    ranges = {"forget": (forget, 0, 1), "weight": (weight, 0, 1.5), "start": (start, -1, 1)}
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise ValueError(f"{name!r} must be from {low} to {high}, got {value}")
    if not 10 <= steps <= 200:
        raise ValueError(f"'steps' must be from 10 to 200, got {steps}")
    times = (1, 5, 20, steps)
    cells = [(f"LSTM, {name}", [f**t for t in range(LONGEST + 1)]) for name, (f, *_) in PRESETS.items()]
    cells += [
        (f"plain cell, w = {w:g}", plain_kept(w, start)) for w in dict.fromkeys((0.5, weight, 1.0, 1.2))
    ]
    table = [("Cell", "Half-life, steps", *(f"Kept at step {t}" for t in times))]
    table += [(name, half_life(kept), *(f"{kept[t]:.2g}" for t in times)) for name, kept in cells]
    return Figure(
        _HERE / "gate_playground.js",
        {
            "presets": [[name, *values] for name, values in PRESETS.items()],
            "steps": steps,
            "longest": LONGEST,
        },
        state={
            **{"forget": forget, "input": 0.1, "candidate": 0.5, "output": 0.5},
            **{"weight": weight, "start": start, "step": min(20, steps)},
        },
        css=_HERE / "gate_playground.css",
        title=title,
        caption=caption,
        alt=f"With a forget gate of {forget:g}, an LSTM cell keeps {forget**20:.2g} of its first value after 20 steps; its "
        f"half-life is {half_life([forget**t for t in range(LONGEST + 1)])} steps. With a forget gate of 1 nothing is lost.",
        fallback=table,
    )


def plain_kept(weight: float, start: float) -> list[float]:
    """d h_t / d h_0 of h_t = tanh(weight * h_(t-1)) from h_0 = start, for t = 0, ..., LONGEST.

    >>> [round(kept, 3) for kept in plain_kept(0.5, 0.0)[:4]]  # at 0 the slope of the tanh is 1
    [1.0, 0.5, 0.25, 0.125]
    """
    h, kept = start, [1.0]
    for _ in range(LONGEST):
        h = math.tanh(weight * h)
        kept.append(kept[-1] * weight * (1 - h * h))
    return kept


def half_life(kept: list[float]) -> str:
    """The first step at which half or less is kept, as a text.

    >>> half_life([1.0, 0.8, 0.64, 0.512, 0.41]), half_life([1.0, 1.0])
    ('4', 'for ever')
    """
    at = next((t for t, share in enumerate(kept) if share <= 0.5), None)
    return f"{at:,}" if at is not None else "for ever" if kept[-1] >= 1 else f"over {len(kept) - 1:,}"
