"""Count n-grams: which token followed which context, and how often.

A context is read from its last token backwards, so that all contexts form a tree: the root is the empty context,
and a child is one token longer into the past. To forget the oldest token, which is what every back-off does, is a
step to the parent. The contexts of one depth are numbered in sorted order, and a million tokens are counted by a
few sorts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

Documents = Sequence[Any]  # of sequences of ids: lists or integer arrays; `flatten` checks them


@dataclass(frozen=True)
class Level:
    """All n-grams with a context of `depth` tokens.

    A context is its place in `keys`; an n-gram is its place in `ngrams`.

    Attributes:
        keys: sorted codes of the contexts, parent * (V + 1) + oldest token.
        ngrams: sorted codes of the n-grams, context * V + token.
        context: the context of each n-gram.
        shorter: the place, one level up, of each n-gram without its oldest token.
        counts: how often each n-gram occurs.
    """

    depth: int
    keys: Int64[np.ndarray, "contexts"]
    ngrams: Int64[np.ndarray, "ngrams"]
    context: Int64[np.ndarray, "ngrams"]
    shorter: Int64[np.ndarray, "ngrams"]
    counts: Int64[np.ndarray, "ngrams"]


def flatten(
    documents: Documents, vocab_size: int
) -> tuple[Int64[np.ndarray, "tokens"], Int64[np.ndarray, "documents"]]:
    """Return all ids in a row, and the length of each document.

    Raises:
        ValueError: `documents` is one text instead of a list of texts, or an id lies outside the vocabulary.

    >>> flatten([[3, 1], [2]], vocab_size=5)
    (array([3, 1, 2]), array([2, 1]))
    """
    if vocab_size < 1:
        raise ValueError(f"'vocab_size' must be positive, got {vocab_size}")
    parts = [np.asarray(document) for document in documents]
    for place, part in enumerate(parts):
        if part.ndim != 1 or (part.size and not np.issubdtype(part.dtype, np.integer)):
            what = f"an item of type {part.dtype} and shape {part.shape}"
            raise ValueError(f"'documents' must be a list of lists of ids, got {what} at place {place}")
    ids = np.concatenate([*parts, np.empty(0, np.int64)]).astype(np.int64)
    if ids.size and (ids.min() < 0 or ids.max() >= vocab_size):
        wrong = ids[(ids < 0) | (ids >= vocab_size)][0]
        raise ValueError(
            f"'documents' must hold ids from 0 to below vocab_size={vocab_size}, got {int(wrong)}"
        )
    return ids, np.array([len(part) for part in parts], np.int64)


def windows(documents: Documents, order: int, vocab_size: int) -> Int64[np.ndarray, "tokens order"]:
    """Return for each token, from right to left, itself and the order - 1 tokens before it.

    Before the first token of a document stands a mark of its beginning, with the id `vocab_size`. It is seen as
    context only, never predicted.

    Raises:
        ValueError: `order` below 1, or what `flatten` refuses.

    >>> windows([[3, 1], [2]], order=3, vocab_size=5)
    array([[3, 5, 5],
           [1, 3, 5],
           [2, 5, 5]])
    """
    if order < 1:
        raise ValueError(f"'order' must be at least 1, got {order}")
    ids, lengths = flatten(documents, vocab_size)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.arange(len(ids)) - starts  # of each token in its document
    columns = [np.where(place >= back, np.roll(ids, back), vocab_size) for back in range(order)]
    return np.stack(columns, axis=1)


def count_ngrams(window: Int64[np.ndarray, "tokens order"], vocab_size: int) -> list[Level]:
    """Return one `Level` for each length of context, from 0 to order - 1.

    >>> bigrams = count_ngrams(windows([[0, 1, 0, 1]], order=2, vocab_size=2), vocab_size=2)[1]
    >>> bigrams.counts  # 0 after 1, 1 after 0, 0 after the beginning
    array([2, 1, 1])
    """
    token, order = window[:, 0], window.shape[1]
    context = np.zeros(len(token), np.int64)  # every token follows the empty context
    levels: list[Level] = []
    for depth in range(order):
        keys = np.zeros(1, np.int64)
        if depth:
            keys, context = np.unique(context * (vocab_size + 1) + window[:, depth], return_inverse=True)
        ngrams, counts = np.unique(context * vocab_size + token, return_counts=True)
        of, last = np.divmod(ngrams, vocab_size)
        shorter = np.zeros(len(ngrams), np.int64)
        if depth:
            shorter = np.searchsorted(levels[-1].ngrams, keys[of] // (vocab_size + 1) * vocab_size + last)
        levels.append(Level(depth, keys, ngrams, of, shorter, counts))
    return levels


def continuation_counts(level: Level, longer: Level) -> Int64[np.ndarray, "ngrams"]:
    """Return for each n-gram of `level` how many different tokens stand before it, N1+(. h w).

    Kneser-Ney counts lower orders so: "Francisco" is frequent, but it continues one word only. The beginning of a
    document counts as one such token.
    """
    return np.bincount(longer.shorter, minlength=len(level.ngrams))


def find(
    values: Int64[np.ndarray, "sorted"], wanted: Int64[np.ndarray, "wanted"]
) -> Int64[np.ndarray, "wanted"]:
    """Return the place of each wanted code among the sorted `values`, and -1 where it is not there."""
    place = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
    return np.where(values[place] == wanted, place, -1)
