"""How counts become probabilities: six answers to the question what an n-gram deserves that was never seen.

Each of them is the same table, filled in another way: a number for each n-gram that was seen, and a weight for each
context, which scales what the next shorter context says of every other token:

    P(w | h) = table[h w]                      if h w was seen,
               weight[h] * P(w | shorter h)    if not.

Below the empty context lies the uniform law 1 / V. Chen & Goodman 1999, "An empirical study of smoothing techniques
for language modeling", section 2, sets out all of them but stupid back-off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64, Int64

from lmcourse.sequences.counts import Level

Table = tuple[Float64[np.ndarray, "ngrams"], Float64[np.ndarray, "contexts"]]


@dataclass(frozen=True)
class Smoothing:
    """What all of them share. `fit` fills the table of one level.

    Attributes:
        is_distribution: whether the numbers for a context sum to one; else they are scores.
        continuation: whether levels below the highest count contexts instead of occurrences.
        unseen_context: the weight of a context that was never seen.
    """

    is_distribution: ClassVar[bool] = True
    continuation: ClassVar[bool] = False

    @property
    def unseen_context(self) -> float:
        return 1.0

    def fit(
        self,
        level: Level,
        counts: Int64[np.ndarray, "ngrams"],
        lower: Float64[np.ndarray, "ngrams"],
        vocab_size: int,
        highest: bool,
    ) -> Table:
        """Return the number of each n-gram and the weight of each context.

        Args:
            counts: of each n-gram; `continuation_counts` on lower levels if the smoothing asks for them.
            lower: what the next shorter context says of each n-gram's token.
            highest: whether this level is the one with the longest contexts.
        """
        raise NotImplementedError


def totals(
    level: Level, counts: Int64[np.ndarray, "ngrams"]
) -> tuple[Float64[np.ndarray, "contexts"], Float64[np.ndarray, "contexts"]]:
    """Return for each context the sum of its counts, N(h), and the number of different tokens after it, T(h)."""
    contexts = len(level.keys)
    return (
        np.bincount(level.context, counts, contexts),
        np.bincount(level.context, minlength=contexts).astype(float),
    )


@dataclass(frozen=True)
class MaximumLikelihood(Smoothing):
    """c(h w) / N(h). What was not seen is impossible; of a context that was not seen, the longest end that was is used."""

    def fit(self, level, counts, lower, vocab_size, highest):
        total, _ = totals(level, counts)
        return counts / total[level.context], np.zeros(len(total))


@dataclass(frozen=True)
class AddK(Smoothing):
    """(c(h w) + k) / (N(h) + k V); k = 1 is Laplace's rule, other k are Lidstone's. Shorter contexts are not asked."""

    k: float = 1.0

    def __post_init__(self):
        if not self.k > 0:
            raise ValueError(f"'k' must be positive, got {self.k}")

    def fit(self, level, counts, lower, vocab_size, highest):
        if not highest:
            return lower, np.ones(len(level.keys))  # hands the uniform law through
        total = totals(level, counts)[0] + self.k * vocab_size
        return (counts + self.k) / total[level.context], self.k * vocab_size / total


@dataclass(frozen=True)
class AbsoluteDiscounting(Smoothing):
    """(c(h w) - D) / N(h) + D T(h) / N(h) P(w | shorter h): each n-gram gives D, the shorter context shares it out.

    Without `discount` each level takes D = n1 / (n1 + 2 n2), where n1 and n2 are the numbers of n-grams seen once
    and twice (Ney, Essen & Kneser 1994), kept between 0.1 and 0.9 so that neither the seen nor the unseen ones lose
    everything.
    """

    discount: float | None = None

    def __post_init__(self):
        if self.discount is not None and not 0 < self.discount < 1:
            raise ValueError(f"'discount' must lie between 0 and 1, or be None, got {self.discount}")

    def fit(self, level, counts, lower, vocab_size, highest):
        total, types = totals(level, counts)
        discount = self.discount or estimated_discount(counts)
        weight = discount * types / total
        return (counts - discount) / total[level.context] + weight[level.context] * lower, weight


@dataclass(frozen=True)
class KneserNey(AbsoluteDiscounting):
    """Absolute discounting whose shorter contexts count in how many contexts a token appeared, not how often.

    Kneser & Ney 1995; interpolated as Chen & Goodman 1999 do it, with one discount for each level.
    """

    continuation: ClassVar[bool] = True


@dataclass(frozen=True)
class Katz(AbsoluteDiscounting):
    """(c(h w) - D) / N(h) for what was seen; the rest goes to what was not, as the shorter context shares it out.

    Back-off in the sense of Katz 1987, with absolute discounts in place of his Good-Turing estimates. After a
    context that was followed by every token of the vocabulary nothing is discounted.
    """

    def fit(self, level, counts, lower, vocab_size, highest):
        total, types = totals(level, counts)
        some_unseen = types < vocab_size
        discount = np.where(some_unseen, self.discount or estimated_discount(counts), 0.0)
        unseen = 1 - np.bincount(level.context, lower, len(total))  # what the shorter context says of them
        weight = discount * types / total / np.where(some_unseen, unseen, 1.0)
        return (counts - discount[level.context]) / total[level.context], weight


@dataclass(frozen=True)
class StupidBackoff(Smoothing):
    """c(h w) / N(h) if seen, else `factor` times the score of the shorter context: scores, NOT probabilities.

    Brants et al. 2007, "Large language models in machine translation", section 4: good enough to rank, cheap at any
    size. The scores after a context sum to anything, so they have no perplexity.
    """

    is_distribution: ClassVar[bool] = False
    factor: float = 0.4

    @property
    def unseen_context(self) -> float:
        return self.factor

    def fit(self, level, counts, lower, vocab_size, highest):
        total, _ = totals(level, counts)
        return counts / total[level.context], np.full(len(total), self.factor if level.depth else 0.0)


def estimated_discount(counts: Int64[np.ndarray, "ngrams"]) -> float:
    """Return n1 / (n1 + 2 n2), at least 0.1 and at most 0.9.

    >>> estimated_discount(np.array([1, 1, 1, 1, 2, 2, 7]))
    0.5
    """
    once, twice = np.count_nonzero(counts == 1), np.count_nonzero(counts == 2)
    return float(np.clip(once / max(once + 2 * twice, 1), 0.1, 0.9))
