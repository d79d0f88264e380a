"""word2vec: vectors that predict the words around them, taught by telling true pairs from noise.

Each word has two vectors: an *input* vector, which is the word vector one keeps, and an *output* vector, by which it is
predicted. Skip-gram predicts each context from the centre; CBOW predicts the centre from the mean of its contexts. A
softmax over the vocabulary at each step would be dear, so negative sampling asks an easier question: which of
k + 1 words really stood here? Sources: Mikolov et al. 2013a and 2013b ("Distributed Representations", equation 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from lmcourse.embeddings.pairs import WordPairs, context_pairs, draw


def sgns_loss(
    centre: Float[Tensor, "batch d"],
    context: Float[Tensor, "batch d"],
    negatives: Float[Tensor, "batch k d"],
) -> Float[Tensor, ""]:
    """Return the mean over the batch of -log s(c.o) - sum over the k negatives n of log s(-c.n), in nats a pair.

    c is the input vector of the centre, o the output vector of a word that stood near it, n are output vectors of
    words drawn from the noise law, and s is the logistic function. With all scores at zero it is (k + 1) log 2.

    >>> zero = torch.zeros(1, 4)
    >>> round(sgns_loss(zero, zero, torch.zeros(1, 2, 4)).item(), 4)  # 3 log 2
    2.0794
    """
    positive = (centre * context).sum(-1)  # (batch,)
    noise = (negatives @ centre[:, :, None])[:, :, 0]  # (batch, k)
    return (F.softplus(-positive) + F.softplus(noise).sum(-1)).mean()  # softplus(-x) = -log s(x)


def cbow_loss(
    contexts: Float[Tensor, "batch window d"],
    present: Bool[Tensor, "batch window"],
    centre: Float[Tensor, "batch d"],
    negatives: Float[Tensor, "batch k d"],
) -> Float[Tensor, ""]:
    """Return the mean of -log s(h.o) - sum of log s(-h.n) with h the mean input vector of the contexts, in nats a word.

    Args:
        contexts: input vectors around the centre. present: which of them count; at least one in each row.
        centre: *output* vectors of the words to be guessed. negatives: output vectors of noise.

    >>> contexts = torch.tensor([[[1.0, 1.0], [3.0, 1.0], [9.0, 9.0]]])
    >>> present = torch.tensor([[True, True, False]])
    >>> round(cbow_loss(contexts, present, torch.ones(1, 2), torch.zeros(1, 1, 2)).item(), 4)
    0.7417
    """
    weight = present.to(contexts.dtype)
    mean = (weight[:, :, None] * contexts).sum(1) / weight.sum(1, keepdim=True)  # (batch, d)
    return sgns_loss(mean, centre, negatives)


@dataclass(frozen=True)
class Word2VecConfig:
    """How to train word2vec. The defaults are those of the released program, but for the optimizer and `subsample`.

    Args:
        d: length of a vector. window: the largest distance of a context; each centre draws its own reach up to it.
        negatives: k, noise words for each true one. epochs: passes over the text.
        subsample: threshold t for dropping frequent words, or None to keep all. The released program takes 1e-3; in a
            vocabulary of a few hundred words nearly every word is "frequent" by that measure.
        lr: learning rate of Adagrad, falling in a straight line to zero.
        architecture: "skip-gram" or "cbow". seed: fixes the initial vectors and all draws.
        device: where the vectors are trained; a GPU pays for a large `d`.

    Raises:
        ValueError: a number that is not positive, or an unknown architecture.
    """

    d: int = 100
    window: int = 5
    negatives: int = 5
    epochs: int = 5
    subsample: float | None = None
    lr: float = 0.2
    architecture: Literal["skip-gram", "cbow"] = "skip-gram"
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("d", "window", "negatives", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"'{name}' must be at least 1, got {getattr(self, name)}")
        for name in ("lr", "subsample"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"'{name}' must be positive, got {value}")
        if self.architecture not in ("skip-gram", "cbow"):
            raise ValueError(f"'architecture' must be 'skip-gram' or 'cbow', got {self.architecture!r}")


@dataclass(frozen=True)
class Word2Vec:
    """What training gives: input vectors (the word vectors), output vectors, and the loss on the way.

    `losses` maps the share of the training that is done to the loss there, in nats a pair (CBOW: a word).
    """

    inputs: Float[np.ndarray, "vocab d"]
    outputs: Float[np.ndarray, "vocab d"]
    losses: dict[float, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PairTest:
    """True pairs of a text and, for each, words drawn from the noise law: the same examination for every model."""

    pairs: WordPairs
    negatives: Int[np.ndarray, "pairs k"]


def make_pair_test(
    ids: Int[np.ndarray, "n"],
    starts: Int[np.ndarray, "docs"] | Sequence[int],
    law: Float64[np.ndarray, "vocab"],
    *,
    window: int = 5,
    negatives: int = 5,
    n_pairs: int = 100_000,
    seed: int = 0,
) -> PairTest:
    """Return at most `n_pairs` pairs of a held-out text, chosen at random, with `negatives` draws from `law` each.

    >>> test = make_pair_test(np.array([0, 1, 2]), [0], np.full(3, 1 / 3), window=1, negatives=2, n_pairs=3)
    >>> len(test.pairs.centres), test.negatives.shape
    (3, (3, 2))
    """
    rng = np.random.default_rng(seed)
    pairs = context_pairs(ids, starts, window, rng)
    chosen = rng.permutation(len(pairs.centres))[:n_pairs]
    return PairTest(
        WordPairs(pairs.centres[chosen], pairs.contexts[chosen]), draw(law, (len(chosen), negatives), rng)
    )


def held_out_loss(
    inputs: Float[np.ndarray, "vocab d"], outputs: Float[np.ndarray, "vocab d"], test: PairTest
) -> float:
    """Return the mean of `sgns_loss` on a test, in nats a pair.

    >>> test = PairTest(WordPairs(np.array([0]), np.array([1])), np.array([[1, 1, 1]]))
    >>> round(held_out_loss(np.zeros((2, 4)), np.zeros((2, 4)), test), 4)
    2.7726
    """
    given, predicted = torch.from_numpy(inputs), torch.from_numpy(outputs)
    total, size = 0.0, 16_384
    for at in range(0, len(test.negatives), size):
        centre, context, noise = (
            torch.from_numpy(part[at : at + size].astype(np.int64)) for part in (*test.pairs, test.negatives)
        )
        total += sgns_loss(given[centre], predicted[context], predicted[noise]).item() * len(centre)
    return total / len(test.negatives)
