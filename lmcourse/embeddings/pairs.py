"""What word vectors learn from: pairs of words that stand near each other, and draws of noise to tell them from.

A corpus is a flat array of ids and the positions at which its documents start; no pair crosses from one document
into the next. Sources: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space" (windows) and "Distributed
Representations of Words and Phrases and their Compositionality" (sub-sampling, noise); the program `word2vec.c` released with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int


class WordPairs(NamedTuple):
    """`centres[i]` stood near `contexts[i]`."""

    centres: Int[np.ndarray, "pairs"]
    contexts: Int[np.ndarray, "pairs"]


def document_numbers(
    n_tokens: int, starts: Int[np.ndarray, "docs"] | Sequence[int]
) -> Int[np.ndarray, "{n_tokens}"]:
    """Return for each of `n_tokens` tokens the number of the document it is in.

    Raises:
        ValueError: `starts` does not begin with 0, does not rise, or goes beyond the last token.

    >>> document_numbers(5, [0, 2])
    array([0, 0, 1, 1, 1])
    """
    starts = np.asarray(starts, dtype=np.int64)
    if n_tokens and (
        not len(starts) or starts[0] != 0 or (np.diff(starts) <= 0).any() or starts[-1] >= n_tokens
    ):
        raise ValueError(
            f"'starts' must rise from 0 and stay below the number of tokens, {n_tokens}, got {starts.tolist()[:5]}..."
        )
    jumps = np.zeros(n_tokens, dtype=np.int64)
    jumps[starts[1:]] = 1
    return np.cumsum(jumps)


def context_pairs(
    ids: Int[np.ndarray, "n"],
    starts: Int[np.ndarray, "docs"] | Sequence[int],
    window: int,
    rng: np.random.Generator | None = None,
) -> WordPairs:
    """Return every pair of a centre and a word at most `window` places before or behind it, in the same document.

    With `rng` the window is *dynamic*, as in word2vec: each centre draws its own reach from 1 ... `window`, all
    equally likely. A word at distance j is then met with probability (window - j + 1) / window, so near words
    count for more. Pairs come in the order of distance, then of the text.

    Raises:
        ValueError: a `window` below 1.

    >>> centres, contexts = context_pairs(np.array([10, 11, 12]), [0], window=1)
    >>> [(int(a), int(b)) for a, b in zip(centres, contexts)]
    [(11, 10), (12, 11), (10, 11), (11, 12)]
    """
    if window < 1:
        raise ValueError(f"'window' must be at least 1, got {window}")
    documents = document_numbers(len(ids), starts)
    reach = np.full(len(ids), window) if rng is None else rng.integers(1, window + 1, len(ids))
    centres, contexts = [], []
    for distance in range(1, min(window, len(ids) - 1) + 1):
        together = documents[distance:] == documents[:-distance]
        before = together & (reach[distance:] >= distance)  # the context stands before the centre
        behind = together & (reach[:-distance] >= distance)
        centres += [ids[distance:][before], ids[:-distance][behind]]
        contexts += [ids[:-distance][before], ids[distance:][behind]]
    nothing = ids[:0]
    return WordPairs(np.concatenate([nothing, *centres]), np.concatenate([nothing, *contexts]))


def keep_probability_paper(
    frequency: Float64[np.ndarray, "*shape"], threshold: float
) -> Float64[np.ndarray, "*shape"]:
    """Return min(1, sqrt(t / f)): the paper says that a word of relative frequency f is *dropped* with 1 - sqrt(t / f).

    Mikolov et al. 2013b, equation 5, with t the `threshold`; they use 1e-5 for a corpus of 10^9 words.

    >>> keep_probability_paper(np.array([0.04, 0.0001]), threshold=0.01).tolist()
    [0.5, 1.0]
    """
    return np.minimum(1.0, np.sqrt(threshold / np.maximum(frequency, 1e-300)))


def keep_probability(
    frequency: Float64[np.ndarray, "*shape"], threshold: float
) -> Float64[np.ndarray, "*shape"]:
    """Return min(1, sqrt(t / f) + t / f): what `word2vec.c`, and gensim after it, really do.

    The released program keeps more than the paper's formula: at f = t both keep all, at f = 4 t it keeps 3/4, not 1/2.
    The trainer of this package follows the program.

    >>> keep_probability(np.array([0.04, 0.0001]), threshold=0.01).tolist()
    [0.75, 1.0]
    """
    ratio = threshold / np.maximum(frequency, 1e-300)
    return np.minimum(1.0, np.sqrt(ratio) + ratio)


class Thinned(NamedTuple):
    """A corpus from which tokens were dropped; documents that lost all of theirs are gone."""

    ids: Int[np.ndarray, "kept"]
    starts: Int[np.ndarray, "docs"]


def subsample(
    ids: Int[np.ndarray, "n"],
    starts: Int[np.ndarray, "docs"] | Sequence[int],
    keep: Float[np.ndarray, "vocab"],
    rng: np.random.Generator,
) -> Thinned:
    """Drop each token with probability 1 - keep[its id]. What is left moves together, so windows reach further.

    >>> subsample(np.array([0, 1, 0, 1]), [0, 2], np.array([0.0, 1.0]), np.random.default_rng(0))
    Thinned(ids=array([1, 1]), starts=array([0, 1]))
    """
    kept = rng.random(len(ids), dtype=np.float32) < keep[ids]
    documents = document_numbers(len(ids), starts)[kept]
    return Thinned(ids[kept], np.flatnonzero(np.diff(documents, prepend=-1)))


def noise_law(counts: Int[np.ndarray, "vocab"], power: float = 0.75) -> Float64[np.ndarray, "vocab"]:
    """Return P(w) proportional to counts[w]^power: the law that negative samples are drawn from.

    Power 1 is the frequency of words, 0 draws all alike; 0.75 worked best for Mikolov et al. (2013b, section 2.2).
    A word that does not occur is never drawn.

    Raises:
        ValueError: negative counts, or none above zero.

    >>> noise_law(np.array([16, 1, 0])).round(3).tolist()
    [0.889, 0.111, 0.0]
    """
    if len(counts) == 0 or counts.min() < 0 or counts.max() == 0:
        raise ValueError(f"'counts' must be at least 0, and one of them above, got {counts.tolist()[:5]}...")
    weight = np.where(counts > 0, counts.astype(np.float64) ** power, 0.0)
    return weight / weight.sum()


def draw(
    law: Float64[np.ndarray, "vocab"], shape: tuple[int, ...], rng: np.random.Generator
) -> Int[np.ndarray, "..."]:
    """Return ids drawn independently from `law`, in an array of the given `shape`.

    >>> draw(np.array([0.0, 1.0]), (2, 2), np.random.default_rng(0)).tolist()
    [[1, 1], [1, 1]]
    """
    edges = np.cumsum(law)
    return np.searchsorted(edges / edges[-1], rng.random(shape), side="right")
