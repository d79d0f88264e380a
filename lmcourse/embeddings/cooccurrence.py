"""Vectors by counting: how often two words stand near each other, weighed against chance, and compressed.

No prediction, no gradient: count, take logarithms, factorize. Levy and Goldberg 2014, "Neural Word Embedding as Implicit Matrix
Factorization", showed that skip-gram with negative sampling factorizes the same matrix without writing it down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy import sparse
from scipy.sparse.linalg import svds
from tqdm.auto import tqdm

from lmcourse.embeddings.pairs import document_numbers

Weighting = Literal["flat", "dynamic", "inverse"]


def distance_weight(distance: int, window: int, weighting: Weighting) -> float:
    """Return what a pair of words at this distance counts for.

    "flat": 1. "dynamic": (window - distance + 1) / window, how often word2vec's dynamic window reaches so far.
    "inverse": 1 / distance, as in GloVe.

    >>> [distance_weight(2, 4, weighting) for weighting in ("flat", "dynamic", "inverse")]
    [1.0, 0.75, 0.5]
    """
    weights = {"flat": 1.0, "dynamic": (window - distance + 1) / window, "inverse": 1 / distance}
    if weighting not in weights:
        raise ValueError(f"'weighting' must be one of {', '.join(weights)}, got {weighting!r}")
    return weights[weighting]


def cooccurrence(
    ids: Int[np.ndarray, "n"],
    starts: Int[np.ndarray, "docs"] | Sequence[int],
    vocab_size: int,
    window: int = 5,
    weighting: Weighting = "flat",
    *,
    progress: bool = False,
) -> sparse.csr_array:
    """Return X [vocab_size, vocab_size], with X[i, j] the weighted number of times that j stood within `window` of i.

    X is symmetric. No pair crosses from one document into the next.

    Raises:
        ValueError: an id outside the vocabulary, a `window` below 1, an unknown `weighting`.

    >>> cooccurrence(np.array([0, 1, 2]), [0], 3, window=2, weighting="inverse").toarray()
    array([[0. , 1. , 0.5],
           [1. , 0. , 1. ],
           [0.5, 1. , 0. ]])
    """
    if window < 1:
        raise ValueError(f"'window' must be at least 1, got {window}")
    if len(ids) and not 0 <= ids.min() <= ids.max() < vocab_size:
        raise ValueError(
            f"'ids' must be from 0 to vocab_size-1={vocab_size - 1}, got {ids.min()} to {ids.max()}"
        )
    documents = document_numbers(len(ids), starts)
    counts = sparse.csr_array((vocab_size, vocab_size), dtype=np.float64)
    for distance in tqdm(range(1, window + 1), desc="distance", disable=not progress):
        weight = distance_weight(distance, window, weighting)
        together = documents[distance:] == documents[: max(0, len(ids) - distance)]
        left, right = ids[: len(ids) - distance][together], ids[distance:][together]
        met = sparse.coo_array((np.full(len(left), weight), (left, right)), shape=counts.shape)
        counts = counts + met.tocsr()  # repeated pairs are summed
    return sparse.csr_array(counts + counts.T)


def pmi(counts: sparse.csr_array, context_power: float = 1.0) -> sparse.csr_array:
    """Return log [P(i, j) / (P(i) P(j))] in nats where i and j were met together; the rest is not stored.

    P(i, j) is X[i, j] over the sum of X, P(i) a row's sum over it, P(j) proportional to a column's sum to the power
    `context_power`. Power 0.75 is the noise law of word2vec and takes away from PMI's liking for rare contexts.

    >>> pmi(sparse.csr_array(np.array([[0.0, 2.0], [2.0, 0.0]]))).toarray().round(3)
    array([[0.   , 0.693],
           [0.693, 0.   ]])
    """
    entries = counts.tocoo()
    rows, columns = np.asarray(counts.sum(1)), np.asarray(counts.sum(0)) ** context_power
    expected = (rows / rows.sum())[entries.row] * (columns / columns.sum())[entries.col]
    values = np.log(entries.data / counts.sum() / expected)
    return sparse.csr_array((values, (entries.row, entries.col)), shape=counts.shape)


def ppmi(counts: sparse.csr_array, shift: float = 1.0, context_power: float = 1.0) -> sparse.csr_array:
    """Return max(0, PMI - log shift): positive pointwise mutual information, shifted.

    Pairs never met have PMI minus infinity; taking only the positive part makes them 0. A `shift` of k is the count-based
    counterpart of k negative samples (Levy and Goldberg 2014, section 3.2).

    Raises:
        ValueError: a `shift` that is not positive.

    >>> ppmi(sparse.csr_array(np.array([[0.0, 2.0], [2.0, 0.0]])), shift=2.0).nnz
    0
    """
    if not shift > 0:
        raise ValueError(f"'shift' must be positive, got {shift}")
    matrix = pmi(counts, context_power)
    matrix.data = np.maximum(0.0, matrix.data - np.log(shift))
    matrix.eliminate_zeros()
    return matrix


def truncated_svd(
    matrix: sparse.csr_array, d: int, power: float = 0.5
) -> tuple[Float64[np.ndarray, "rows {d}"], Float64[np.ndarray, "{d}"]]:
    """Return U S^power for the d largest singular values of M = U S V^T, and the singular values, the largest first.

    U S V^T cut at d is the best approximation of M of rank d in squared error (Eckart and Young 1936). Power 0.5 shares
    the singular values fairly between words and contexts; 0 and 1 are common too. The largest entry of a column,
    by size, is positive, so that signs do not change from run to run.

    Raises:
        ValueError: a `d` that is not below the smaller side of the matrix.

    >>> vectors, values = truncated_svd(sparse.csr_array(np.diag([3.0, 2.0, 1.0])), d=2, power=1.0)
    >>> vectors.round(6) + 0.0, values.round(6)
    (array([[3., 0.],
           [0., 2.],
           [0., 0.]]), array([3., 2.]))
    """
    if not 1 <= d < min(matrix.shape):
        raise ValueError(f"'d' must be from 1 to {min(matrix.shape) - 1}, got {d}")
    start = np.ones(min(matrix.shape))  # where the iteration begins: fixed, so that results repeat
    left, values, _ = svds(matrix, k=d, v0=start, solver="arpack")
    left, values = left[:, ::-1], values[::-1]
    return fix_signs(left) * values**power, values


def fix_signs(columns: Float[np.ndarray, "rows d"]) -> Float[np.ndarray, "rows d"]:
    """Return the columns, each turned so that its largest entry by size is positive.

    >>> fix_signs(np.array([[1.0, 2.0], [-3.0, 1.0]]))
    array([[-1.,  2.],
           [ 3.,  1.]])
    """
    largest = np.abs(columns).argmax(0)
    return columns * np.where(columns[largest, np.arange(columns.shape[1])] < 0, -1.0, 1.0)
