"""GloVe: vectors whose dot products are the logarithms of how often words meet.

It stands between counting and predicting: the counts are made once, as in `cooccurrence`, and factorized by gradient
descent, with a weight for each count. Source: Pennington, Socher and Manning 2014, "GloVe: Global Vectors for Word Representation".
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from scipy import sparse
from torch import Tensor
from tqdm.auto import tqdm

from lmcourse.embeddings.adagrad import RowAdagrad


def glove_weight(
    counts: Float[Tensor, "*shape"], x_max: float = 100.0, alpha: float = 0.75
) -> Float[Tensor, "*shape"]:
    """Return f(x) = min(1, (x / x_max)^alpha): rare meetings are noise and count for less, frequent ones do not rule.

    Pennington et al. 2014, equation 9.

    >>> glove_weight(torch.tensor([0.0, 16.0, 1000.0]), x_max=256.0)
    tensor([0.0000, 0.1250, 1.0000])
    """
    return (counts / x_max).clamp(max=1) ** alpha


def glove_loss(
    word: Float[Tensor, "batch d"],
    context: Float[Tensor, "batch d"],
    word_bias: Float[Tensor, "batch"],
    context_bias: Float[Tensor, "batch"],
    log_counts: Float[Tensor, "batch"],
    weight: Float[Tensor, "batch"],
) -> Float[Tensor, ""]:
    """Return the sum over the batch of f(X) (w.c + b + b' - log X)^2 (equation 8). Squared nats, not a likelihood.

    >>> one, zero = torch.ones(1, 2), torch.zeros(1)
    >>> glove_loss(one, one, zero, zero, torch.tensor([5.0]), torch.tensor([0.5])).item()
    4.5
    """
    error = (word * context).sum(-1) + word_bias + context_bias - log_counts
    return (weight * error.square()).sum()


@dataclass(frozen=True)
class GloVeConfig:
    """How to train GloVe; the defaults are those of the paper, but for the size of batches and the learning rate.

    Args:
        d: length of a vector. x_max, alpha: of the weight f; x_max = 100 is meant for billions of words, so take less
            for a small corpus. epochs: passes over the counts. lr: learning rate of Adagrad. batch_size: counts in a step.
    """

    d: int = 100
    x_max: float = 100.0
    alpha: float = 0.75
    epochs: int = 25
    lr: float = 0.05
    batch_size: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("d", "x_max", "epochs", "lr", "batch_size"):
            if not getattr(self, name) > 0:
                raise ValueError(f"'{name}' must be positive, got {getattr(self, name)}")


@dataclass(frozen=True)
class GloVe:
    """What training gives. `losses` is the mean of f(X) error^2 over each pass, as it went."""

    words: Float32[np.ndarray, "vocab d"]
    contexts: Float32[np.ndarray, "vocab d"]
    word_bias: Float32[np.ndarray, "vocab"]
    context_bias: Float32[np.ndarray, "vocab"]
    losses: list[float] = field(default_factory=list)

    @property
    def vectors(self) -> Float32[np.ndarray, "vocab d"]:
        """The sum of both vectors of a word: they differ by their start alone, and the sum is a little better."""
        return self.words + self.contexts


class _Table:
    """Vectors and biases of one side, each with its optimizer."""

    def __init__(self, vocab_size: int, d: int, generator: torch.Generator) -> None:
        self.vectors = (torch.rand(vocab_size, d, generator=generator) - 0.5) / d
        self.bias = torch.zeros(vocab_size, 1)
        self._vector_steps, self._bias_steps = RowAdagrad(self.vectors), RowAdagrad(self.bias)

    def step(
        self,
        ids: Int64[Tensor, "batch"],
        slope: Float[Tensor, "batch 1"],
        other: Float[Tensor, "batch d"],
        lr: float,
    ):
        self._vector_steps.step(ids, slope * other, lr)
        self._bias_steps.step(ids, slope, lr)


def train_glove(
    counts: sparse.csr_array, config: GloVeConfig | None = None, *, progress: bool = False
) -> GloVe:
    """Factorize the logarithms of `counts` [vocab, vocab], met pairs only, by Adagrad over shuffled entries.

    A pair that never met has no logarithm and teaches nothing, although never to meet says a lot. Where a corpus is small
    or its words choosy, add a little to every count: `train_glove(sparse.csr_array(counts.toarray() + 1))`.

    Raises:
        ValueError: counts that are not square, negative, or all zero.

    >>> model = train_glove(sparse.csr_array(np.full((3, 3), np.e)), GloVeConfig(d=2, epochs=300))
    >>> bool(model.losses[-1] < 1e-4)
    True
    """
    config = config or GloVeConfig()
    entries = sparse.coo_array(counts)
    entries.eliminate_zeros()
    if entries.shape[0] != entries.shape[1] or not entries.nnz or entries.data.min() < 0:
        raise ValueError(
            f"'counts' must be square, at least 0 and not all 0, got {entries.shape}, {entries.nnz} not 0"
        )
    generator = torch.Generator().manual_seed(config.seed)
    words, contexts = (_Table(entries.shape[0], config.d, generator) for _ in range(2))
    row, column = (torch.from_numpy(side.astype(np.int64)) for side in (entries.row, entries.col))
    met = torch.from_numpy(entries.data.astype(np.float32))
    log_counts, weight = met.log(), glove_weight(met, config.x_max, config.alpha)
    losses = []
    for _ in tqdm(range(config.epochs), desc="GloVe", unit="pass", disable=not progress):
        total = 0.0
        for batch in torch.randperm(len(met), generator=generator).split(config.batch_size):
            i, j = row[batch], column[batch]
            w, c = words.vectors[i], contexts.vectors[j]  # (batch, d)
            error = (w * c).sum(1) + words.bias[i, 0] + contexts.bias[j, 0] - log_counts[batch]
            slope = (2 * weight[batch] * error)[:, None]  # of the loss by the score
            words.step(i, slope, c, config.lr)
            contexts.step(j, slope, w, config.lr)
            total += (weight[batch] * error.square()).sum().item()
        losses.append(total / len(met))
    return GloVe(
        words.vectors.numpy(),
        contexts.vectors.numpy(),
        words.bias[:, 0].numpy(),
        contexts.bias[:, 0].numpy(),
        losses,
    )
