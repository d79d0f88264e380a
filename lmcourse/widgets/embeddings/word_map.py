"""A map of word vectors that can be searched, with the true neighbours of each word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "A map of the words"
CAPTION = (
    "Choose a word by pointing, by the arrow keys or by its name. Lines lead to its nearest neighbours by cosine, "
    "taken in all dimensions of the vectors; where a line is long, the flat map has torn neighbours apart."
)


class Neighbourly(Protocol):
    """What is asked of word vectors, such as `lmcourse.embeddings.WordVectors`: who is near a word, and its cosine."""

    def neighbours(self, query: str, n: int) -> Sequence[tuple[str, float]]: ...


def word_map(
    vectors: Neighbourly,
    classes: Mapping[str, str],
    layouts: Mapping[str, Sequence[Sequence[float]]],
    *,
    n_neighbours: int = 8,
    chosen: str | None = None,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: words as points of a map, coloured by class, joined to their neighbours in the full space.

    Args:
        vectors: is asked for `neighbours(word, n=n_neighbours)`; they need not be on the map.
        classes: word -> its class, at most 10 different ones; in this order words get their labels, as far as there is room.
        layouts: name of a projection ("PCA", "t-SNE") -> a point for each word. Both axes have one scale.
        chosen: the word that the figure opens with; the first one by default.

    Raises:
        ValueError: fewer than two words, more than 10 classes, a layout of another length, that is not flat or not finite.

    >>> class Pair:
    ...     def neighbours(self, query, n):
    ...         return [("dog" if query == "cat" else "cat", 0.8)]
    >>> word_map(Pair(), {"cat": "noun", "dog": "noun"}, {"PCA": [[0, 0], [1, 1]]})
    Figure('A map of the words')
    """
    words, kinds = list(classes), list(dict.fromkeys(classes.values()))
    if len(words) < 2 or len(kinds) > 10:
        raise ValueError(
            f"'classes' must hold at least two words and at most 10 classes, got {len(words)} and {len(kinds)}"
        )
    if not layouts:
        raise ValueError("'layouts' must hold at least one projection, got none")
    if chosen is not None and chosen not in classes:
        raise ValueError(f"'chosen' must be one of the {len(words)} words of the map, got {chosen!r}")
    near = [[(word, float(c)) for word, c in vectors.neighbours(query, n=n_neighbours)] for query in words]
    beyond = dict.fromkeys(other for row in near for other, _ in row if other not in classes)
    number = {word: i for i, word in enumerate([*words, *beyond])}
    table = [("Word", "Class", "Nearest neighbours by cosine")]
    table += [
        (word, classes[word], ", ".join(f"{other} {cosine:.2f}" for other, cosine in row[:3]))
        for word, row in zip(words, near, strict=True)
    ]
    same = [classes.get(row[0][0]) == classes[word] for word, row in zip(words, near, strict=True) if row]
    return Figure(
        _HERE / "word_map.js",
        {
            "words": words,
            "beyond": list(beyond),
            "classes": kinds,
            "class_of": [kinds.index(classes[word]) for word in words],
            "neighbours": [[[number[other], round(cosine, 3)] for other, cosine in row] for row in near],
            "layouts": {name: _flatten(name, points, len(words)) for name, points in layouts.items()},
        },
        state={"word": chosen or words[0], "projection": next(iter(layouts))},
        css=_HERE / "word_map.css",
        title=title,
        caption=caption,
        alt=f"A map of {len(words)} words of {len(kinds)} classes. The nearest neighbour is of the same class for {sum(same)} "
        f"of {len(same)} words.",
        fallback=table,
    )


def _flatten(name: str, points: Sequence[Sequence[float]], n_words: int) -> list[list[float]]:
    """The points, moved and scaled to lie between 0 and 1 with one scale for both axes."""
    points = np.asarray(points, dtype=np.float64)
    if points.shape != (n_words, 2) or not np.isfinite(points).all():
        raise ValueError(
            f"'layouts' must give each of {n_words} words two finite coordinates, got {points.shape} for {name!r}"
        )
    low = points.min(axis=0)
    span = np.ptp(points, axis=0).max() or 1.0
    return ((points - low) / span).round(4).tolist()
