"""What text looks like when it is counted: few words are frequent, new words never end, neighbours know each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from lmcourse.sequences.counts import Documents, count_ngrams, find, flatten, windows

Numbers = Sequence[float | int] | np.ndarray


def rank_frequency(ids: Sequence[int] | np.ndarray) -> Int64[np.ndarray, "types"]:
    """Return how often the most frequent token occurs, the second, and so on.

    >>> rank_frequency([7, 2, 7, 7, 2, 5])
    array([3, 2, 1])
    """
    counts = np.unique(np.asarray(ids), return_counts=True)[1]
    return np.sort(counts)[::-1].astype(np.int64)


@dataclass(frozen=True)
class PowerLaw:
    """y = factor * x ** exponent."""

    factor: float
    exponent: float

    def __call__(self, x: Numbers) -> Float64[np.ndarray, "points"]:
        return self.factor * np.asarray(x, np.float64) ** self.exponent


def fit_power_law(x: Numbers, y: Numbers, points: int = 30) -> PowerLaw:
    """Fit a straight line to log y over log x, at up to `points` places evenly spaced in log x (`x` rises).

    The spacing matters: among 10,000 ranks 9,000 lie in the last decade, and would be all that an unweighted fit
    sees. A line on two logarithmic axes is a description of the text, not a proof of a law (Clauset, Shalizi &
    Newman 2009).

    Raises:
        ValueError: fewer than two points, or values that are not positive.

    >>> law = fit_power_law([1, 2, 3, 4], [8, 4, 8 / 3, 2])
    >>> round(law.factor, 9), round(law.exponent, 9)
    (8.0, -1.0)
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) != len(y) or len(x) < 2:
        raise ValueError(
            f"'x' and 'y' must hold the same number of points, two or more, got {len(x)}, {len(y)}"
        )
    if not (np.min(x) > 0 and np.min(y) > 0):
        raise ValueError(f"'x' and 'y' must be positive, got {np.min(x):g} and {np.min(y):g}")
    at = np.unique(np.searchsorted(x, np.geomspace(x[0], x[-1] * (1 - 1e-12), points)))
    slope, height = np.polyfit(np.log(x[at]), np.log(y[at]), 1)
    return PowerLaw(float(np.exp(height)), float(slope))


def zipf(ids: Sequence[int] | np.ndarray) -> PowerLaw:
    """Fit frequency over rank; Zipf 1935 found an exponent near -1 for words."""
    frequency = rank_frequency(ids)
    return fit_power_law(np.arange(1, len(frequency) + 1), frequency)


def vocabulary_growth(ids: Sequence[int] | np.ndarray) -> Int64[np.ndarray, "tokens"]:
    """Return how many different tokens the first 1, 2, ... tokens hold.

    >>> vocabulary_growth([7, 2, 7, 5])
    array([1, 2, 2, 3])
    """
    first = np.unique(np.asarray(ids), return_index=True)[1]
    new = np.zeros(len(ids), np.int64)
    new[first] = 1
    return np.cumsum(new)


def heaps(ids: Sequence[int] | np.ndarray) -> PowerLaw:
    """Fit the size of the vocabulary over the length of the text; exponents from one half up are common (Heaps 1978).

    The fit begins after a hundredth of the text: at first nearly every word is new, whatever the text.
    """
    growth = vocabulary_growth(ids)
    length = np.arange(1, len(growth) + 1)
    begin = len(growth) // 100
    return fit_power_law(length[begin:], growth[begin:])


def seen_share(
    train: Documents, held_out: Documents, vocab_size: int, orders: Sequence[int] = (1, 2, 3, 4, 5)
) -> dict[int, float]:
    """Return for each n the share of the n-grams of `held_out` (as they run, not as types) that `train` has.

    >>> seen_share([[0, 1, 2]], [[0, 1, 1]], vocab_size=3, orders=[1, 2])
    {1: 1.0, 2: 0.6666666666666666}
    """
    shares = {}
    levels = count_ngrams(windows(train, max(orders), vocab_size), vocab_size)
    wanted = windows(held_out, max(orders), vocab_size)
    context = np.zeros(len(wanted), np.int64)
    for level in levels:
        if level.depth:
            context = find(level.keys, context * (vocab_size + 1) + wanted[:, level.depth])
        if level.depth + 1 in orders:
            found = find(level.ngrams, context * vocab_size + wanted[:, 0]) >= 0
            shares[level.depth + 1] = float(found.mean())
    return shares


@dataclass(frozen=True)
class SharedInformation:
    """Mutual information between tokens at one distance, in nats, and what chance alone would show."""

    distance: int
    nats: float
    shuffled: float

    @property
    def corrected(self) -> float:
        """The information without its bias, nats - shuffled; about zero where there is none."""
        return self.nats - self.shuffled


def mutual_information(
    documents: Documents, vocab_size: int, distances: Sequence[int], *, seed: int = 0
) -> list[SharedInformation]:
    """Return I(X; Y) = sum p(x, y) log(p(x, y) / (p(x) p(y))), Y being the token `distance` places after X in its document.

    Counts in place of probabilities always find some information, the more so the fewer the pairs. How much is seen
    when the same second tokens are dealt out at random; that is `shuffled`.

    Raises:
        ValueError: a distance below 1, or one that no document reaches.
    """
    ids, lengths = flatten(documents, vocab_size)
    document = np.repeat(np.arange(len(lengths)), lengths)
    random = np.random.default_rng(seed)
    rows = []
    for distance in distances:
        if distance < 1 or distance >= lengths.max(initial=0):
            longest = lengths.max(initial=0)
            raise ValueError(
                f"'distances' must be from 1 to below the longest text ({longest}), got {distance}"
            )
        together = document[:-distance] == document[distance:]
        first, second = ids[:-distance][together], ids[distance:][together]
        by_chance = _information(first, random.permutation(second), vocab_size)
        rows.append(SharedInformation(distance, _information(first, second, vocab_size), by_chance))
    return rows


def _information(
    first: Int64[np.ndarray, "pairs"], second: Int64[np.ndarray, "pairs"], vocab_size: int
) -> float:
    """H(X) + H(Y) - H(X, Y) of the counted pairs."""
    return _entropy(first) + _entropy(second) - _entropy(first * vocab_size + second)


def _entropy(values: Int64[np.ndarray, "values"]) -> float:
    share = np.unique(values, return_counts=True)[1] / len(values)
    return float(-(share * np.log(share)).sum())
