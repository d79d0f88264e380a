"""The softmax under large scores: what the scale 1 / sqrt(d_head) and a temperature do to weights and gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "Scores grow with the head, and the softmax saturates"
CAPTION = (
    "The scores are dot products of a random query and a few random keys with entries of variance 1; move any of them by hand. "
    "Go from 4 entries to 256 without the division by √d: most often all weight lands on one key, and the slope w (1 − w), which "
    "carries the gradient, falls to 0. With the division the weights are about as spread at every size. A temperature divides once more."
)


def softmax_playground(
    d_heads: Sequence[int] = (4, 16, 64, 256),
    *,
    n_keys: int = 6,
    draws: int = 6,
    seed: int = 0,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: scores of a few keys as sliders, and what the softmax makes of them.

    weights = softmax(scores / (sqrt(d_head) * temperature)), the root only where the reader wants it. Shown with them: the entropy
    in nats, and the largest entry of the softmax's Jacobian, max over i of w_i (1 - w_i), at most 1/4.

    Args:
        d_heads: how long query and keys are; the reader chooses one, the scores come from `draws` draws of N(0, 1) entries.

    Raises:
        ValueError: a size below 1 or no size, a number of keys outside 2 to 8, no draw.

    >>> softmax_playground()
    Figure('Scores grow with the head, and the softmax saturates')
    """
    d_heads = [int(d) for d in d_heads]
    if not d_heads or min(d_heads) < 1:
        raise ValueError(f"'d_heads' must hold sizes of at least 1, got {d_heads}")
    if not 2 <= n_keys <= 8:
        raise ValueError(f"'n_keys' must be from 2 to 8, a slider for each, got {n_keys}")
    if draws < 1:
        raise ValueError(f"'draws' must be at least 1, got {draws}")
    rng = np.random.default_rng(seed)
    drawn, table = [], [("d_head", "Weights without the scale", "Slope", "Weights with the scale", "Slope")]
    for d in d_heads:
        query, keys = rng.standard_normal((draws, d)), rng.standard_normal((draws, n_keys, d))
        scores = np.einsum("ad,and->an", query, keys).round(1)  # as fine as the sliders are
        drawn.append((scores + 0.0).tolist())
        table.append((d, *_row(scores[0]), *_row(scores[0] / math.sqrt(d))))
    return Figure(
        [_HERE / "softmax.js", _HERE / "softmax_playground.js"],
        {"d_heads": d_heads, "drawn": drawn},
        state={"size": 0, "draw": 0, "scores": drawn[0][0], "scaled": False, "temperature": 1.0},
        css=_HERE / "softmax_playground.css",
        title=title,
        caption=caption,
        alt=f"Without the scale the steepest slope of the softmax is {table[1][2]} for scores of {d_heads[0]} entries and "
        f"{table[-1][2]} for {d_heads[-1]}; with it, {table[1][4]} and {table[-1][4]}, in the first draw.",
        fallback=table,
    )


def _row(scores: np.ndarray) -> tuple[str, str]:
    """The weights of one row of scores, and their largest slope, as text."""
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    return ", ".join(f"{w:.2f}" for w in weights), f"{(weights * (1 - weights)).max():.3f}"
