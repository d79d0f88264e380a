"""Attention of three words with vectors of two numbers: every step small enough to check by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

LONGEST = 2.0  # how far an entry goes to each side

TITLE = "Attention by hand: three words, two numbers each"
CAPTION = (
    "Drag an arrow, or choose one and move its sliders. On the left, a key that points where the query points gets a high "
    "score; on the right, the output is the mean of the values under the weights, so it never leaves their triangle. Turn the "
    "query towards another key and watch the output walk. The numbers are rounded for the eye only."
)


def attention_by_hand(
    words: Sequence[str] = ("the", "cat", "sleeps"),
    query: ArrayLike = ((0.6, -0.8), (1.4, 0.6), (-0.4, 1.6)),
    key: ArrayLike = ((-1.2, 0.4), (0.4, 1.4), (1.6, -0.2)),
    value: ArrayLike = ((-1.4, -0.6), (0.2, 1.6), (1.6, -0.8)),
    *,
    looks: int = 1,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: softmax(q k^T / sqrt(2)) v for one of three words, each step written out with its numbers.

    Args:
        query, key, value: a vector of two numbers from -2 to 2 for each word.
        looks: the word whose query is used at first; the reader chooses.

    Raises:
        ValueError: not three words, vectors of another shape or beyond the range, `looks` out of range.

    >>> attention_by_hand()
    Figure('Attention by hand: three words, two numbers each')
    """
    words = list(words)
    if len(words) != 3 or len(set(words)) != 3:
        raise ValueError(f"'words' must be three different words, got {words}")
    vectors = {}
    for name, given in (("query", query), ("key", key), ("value", value)):
        array = np.asarray(given, dtype=np.float64)
        if array.shape != (3, 2) or not (abs(array) <= LONGEST).all():
            raise ValueError(
                f"{name!r} must hold three vectors of two numbers from -{LONGEST:g} to {LONGEST:g}, got {array.tolist()}"
            )
        vectors[name] = array
    if not 0 <= looks < 3:
        raise ValueError(f"'looks' must be 0, 1 or 2, got {looks}")
    scores = vectors["query"] @ vectors["key"].T / math.sqrt(2)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    output = weights @ vectors["value"]
    table = [("Word that looks", *(f"Weight on “{word}”" for word in words), "Output")]
    table += [
        (word, *(f"{w:.2f}" for w in row), f"({o[0]:.2f}, {o[1]:.2f})")
        for word, row, o in zip(words, weights, output, strict=True)
    ]
    most = int(weights[looks].argmax())
    return Figure(
        [_HERE / "softmax.js", _HERE / "attention_by_hand.js"],
        {"words": words, "longest": LONGEST},
        state={
            **{name: v.tolist() for name, v in vectors.items()},
            "looks": looks,
            "moves": ["query", looks],
        },
        css=_HERE / "attention_by_hand.css",
        title=title,
        caption=caption,
        alt=f"“{words[looks]}” looks most at “{words[most]}”, with a weight of {weights[looks, most]:.2f}; its output is "
        f"({output[looks, 0]:.2f}, {output[looks, 1]:.2f}), a mean of the three values.",
        fallback=table,
    )
