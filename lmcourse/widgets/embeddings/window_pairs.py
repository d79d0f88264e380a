"""A window that slides over a sentence and makes the pairs that word vectors learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "A window makes pairs of words"
CAPTION = (
    "Each word in turn is the centre, and is paired with the words at most so many places away. With sub-sampling, "
    "frequent words are dropped by chance before the window comes: they make fewer pairs, and the window reaches further."
)


def window_pairs(
    sentence: Sequence[str],
    keep: Mapping[str, float],
    *,
    window: int = 2,
    longest: int = 5,
    draws: int = 8,
    seed: int = 0,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: the pairs (centre, context) of a sentence, for every window, with sub-sampling or without.

    Args:
        sentence: the words. keep: word -> the probability that sub-sampling leaves it in the text.
        window: how far it reaches at first, to each side; the reader can choose up to `longest`.
        draws: how many draws of dropped words the reader can look at, made from `seed`.

    Raises:
        ValueError: fewer than two words, a word without a probability from 0 to 1, a window out of range, no draw.

    >>> window_pairs(["the", "cat", "sat"], {"the": 0.2, "cat": 1.0, "sat": 1.0})
    Figure('A window makes pairs of words')
    """
    sentence = list(sentence)
    if len(sentence) < 2:
        raise ValueError(f"'sentence' must hold at least two words, got {sentence}")
    for word in sentence:
        if word not in keep or not 0 <= keep[word] <= 1:
            raise ValueError(
                f"'keep' must hold a probability from 0 to 1 for {word!r}, got {keep.get(word)!r}"
            )
    if not 1 <= window <= longest:
        raise ValueError(f"'window' must be from 1 to longest={longest}, got {window}")
    if draws < 1:
        raise ValueError(f"'draws' must be at least 1, got {draws}")
    chances = np.random.default_rng(seed).random((draws, len(sentence))).round(4)
    contexts = [
        [sentence[j] for j in range(i - window, i + window + 1) if 0 <= j < len(sentence) and j != i]
        for i in range(len(sentence))
    ]
    table = [("Centre", "Kept with probability", f"Context words, {window} to each side")]
    table += [
        (word, f"{keep[word]:.2f}", ", ".join(near)) for word, near in zip(sentence, contexts, strict=True)
    ]
    pairs = sum(map(len, contexts))
    return Figure(
        _HERE / "window_pairs.js",
        {
            "sentence": sentence,
            "keep": [float(f"{keep[word]:.6g}") for word in sentence],
            "chances": chances.tolist(),
            "longest": longest,
        },
        state={"place": min(2, len(sentence) - 1), "window": window, "subsample": False, "draw": 0},
        css=_HERE / "window_pairs.css",
        title=title,
        caption=caption,
        alt=f"A window of {window} words to each side makes {pairs} pairs from the {len(sentence)} words of "
        f"“{' '.join(sentence)}”.",
        fallback=table,
    )
