"""What order is worth: the same words, in another order, under the same kind of model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmcourse.sequences.counts import Documents, flatten
from lmcourse.sequences.measure import cross_entropy
from lmcourse.sequences.ngram import NGramModel
from lmcourse.sequences.smoothing import Smoothing


def shuffle_documents(
    documents: Documents, vocab_size: int, *, seed: int = 0, keep_last: bool = True
) -> list[np.ndarray]:
    """Return each document with its tokens in random order. Every count of single tokens stays what it was.

    Args:
        keep_last: leave the last token, the end of the document, where it is.

    >>> [document.tolist() for document in shuffle_documents([[1, 2, 3, 0], [4, 0]], 5, seed=1)]
    [[3, 1, 2, 0], [4, 0]]
    """
    ids, lengths = flatten(documents, vocab_size)
    key = np.random.default_rng(seed).random(len(ids))
    ends = np.cumsum(lengths)
    if keep_last:
        key[ends[lengths > 0] - 1] = 2.0  # behind all others
    order = np.lexsort((key, np.repeat(np.arange(len(lengths)), lengths)))
    return np.split(ids[order], ends[:-1])


@dataclass(frozen=True)
class OrderWorth:
    """Losses in nats per token of n-gram models of one order, on held-out text.

    Attributes:
        ordered: learnt from ordered text, judged on ordered text.
        misled: learnt from ordered text, judged on shuffled text: the same model, the same words.
        shuffled: learnt from shuffled text, judged on shuffled text: all that can be known without order.
    """

    order: int
    ordered: float
    misled: float
    shuffled: float

    @property
    def worth(self) -> float:
        """What order saves a model that may use it, shuffled - ordered."""
        return self.shuffled - self.ordered


def worth_of_order(
    train: Documents,
    held_out: Documents,
    vocab_size: int,
    *,
    orders: tuple[int, ...] = (1, 2, 3),
    smoothing: Smoothing | None = None,
    seed: int = 0,
) -> list[OrderWorth]:
    """Train each n-gram model twice, on the text as it is and on shuffled text, and judge it on both kinds.

    A unigram model cannot tell the two apart, and so loses nothing. What longer contexts gain on ordered text, and on
    shuffled text do not, is what the order of the words says about the next one.
    """
    mixed_train = shuffle_documents(train, vocab_size, seed=seed)
    mixed_held_out = shuffle_documents(held_out, vocab_size, seed=seed + 1)
    rows = []
    for order in orders:
        model = NGramModel.train(train, order, vocab_size, smoothing)
        twin = NGramModel.train(mixed_train, order, vocab_size, smoothing)
        surprisals = (
            model.surprisal(held_out),
            model.surprisal(mixed_held_out),
            twin.surprisal(mixed_held_out),
        )
        rows.append(OrderWorth(order, *map(cross_entropy, surprisals)))
    return rows
