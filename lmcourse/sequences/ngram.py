"""The n-gram model: the next token depends on the order - 1 tokens before it, and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from lmcourse.sequences.counts import (
    Documents,
    Level,
    continuation_counts,
    count_ngrams,
    find,
    windows,
)
from lmcourse.sequences.smoothing import KneserNey, Smoothing, Table


class NGramModel:
    """P(w | everything before) = P(w | the last order - 1 tokens), from counts; Jurafsky & Martin, chapter 3.

    Args:
        levels: the n-grams that were seen, from `count_ngrams`.
        tables: a number for each n-gram and a weight for each context, level by level.

    >>> model = NGramModel.train([[0, 1, 2], [0, 1, 2]], order=2, vocab_size=3, smoothing=KneserNey(discount=0.5))
    >>> model.next_probabilities([0]).round(3)
    array([0.083, 0.833, 0.083])
    """

    def __init__(self, vocab_size: int, smoothing: Smoothing, levels: list[Level], tables: list[Table]):
        self.order, self.vocab_size, self.smoothing = len(levels), vocab_size, smoothing
        self.levels, self.tables = levels, tables

    @classmethod
    def train(
        cls, documents: Documents, order: int, vocab_size: int, smoothing: Smoothing | None = None
    ) -> NGramModel:
        """Count the n-grams of `documents` and smooth them (`KneserNey()` by default).

        Raises:
            ValueError: no token to learn from, `order` below 1, or an id outside the vocabulary.
        """
        smoothing = smoothing or KneserNey()
        levels = count_ngrams(windows(documents, order, vocab_size), vocab_size)
        if len(levels[0].ngrams) == 0:
            raise ValueError("'documents' must hold at least one token to learn from, got none")
        tables: list[Table] = []
        for level in levels:
            highest = level is levels[-1]
            counts = level.counts
            if smoothing.continuation and not highest:
                counts = continuation_counts(level, levels[level.depth + 1])
            lower = tables[-1][0][level.shorter] if tables else np.full(len(level.ngrams), 1 / vocab_size)
            tables.append(smoothing.fit(level, counts, lower, vocab_size, highest))
        return cls(vocab_size, smoothing, levels, tables)

    @property
    def parameters(self) -> int:
        """How many numbers the model keeps: one for each n-gram and each context."""
        return sum(len(numbers) + len(weights) for numbers, weights in self.tables)

    def next_probabilities(self, prefix: Sequence[int] | np.ndarray) -> Float64[np.ndarray, "vocab_size"]:
        """Return P(w | prefix) for every token; `prefix` is the document so far, and may be empty.

        Raises:
            ValueError: an id outside the vocabulary among the last order - 1 tokens.
        """
        near = [*prefix[max(0, len(prefix) - self.order + 1) :]]
        if any(not 0 <= token < self.vocab_size for token in near):
            raise ValueError(
                f"'prefix' must hold ids from 0 to below vocab_size={self.vocab_size}, got {near}"
            )
        last = windows([[*near, 0]], self.order, self.vocab_size)[-1]
        window = np.repeat(last[None], self.vocab_size, axis=0)  # (V, order)
        window[:, 0] = np.arange(self.vocab_size)
        return self._look_up(window)

    def surprisal(self, documents: Documents) -> Float64[np.ndarray, "tokens"]:
        """Return -log P of each token given its document so far, in nats, all documents in a row.

        It is infinite for what the model thinks impossible (maximum likelihood does). Scores have no surprisal.

        Raises:
            ValueError: the model gives scores instead of probabilities.
        """
        if not self.smoothing.is_distribution:
            name = type(self.smoothing).__name__
            raise ValueError(f"'smoothing' must give probabilities to have a surprisal, got {name}: scores")
        with np.errstate(divide="ignore"):
            # not -log, since -log 1 is -0.0
            return np.abs(np.log(self._look_up(windows(documents, self.order, self.vocab_size))))

    def _look_up(self, window: Int64[np.ndarray, "tokens order"]) -> Float64[np.ndarray, "tokens"]:
        """The table, from the empty context to the longest; a place of -1 was never seen, and leads to none that was."""
        p = np.full(len(window), 1 / self.vocab_size)
        context = np.zeros(len(window), np.int64)
        for level, (numbers, weights) in zip(self.levels, self.tables, strict=True):
            if level.depth:
                context = find(level.keys, context * (self.vocab_size + 1) + window[:, level.depth])
            ngram = find(level.ngrams, context * self.vocab_size + window[:, 0])
            weight = np.where(context >= 0, weights[context], self.smoothing.unseen_context)
            p = np.where(ngram >= 0, numbers[ngram], weight * p)
        return p
