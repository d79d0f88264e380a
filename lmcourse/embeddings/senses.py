"""One word, two senses: can they be told apart from its vector?

A probe is the plainest of classifiers (logistic regression) trained to read a label off vectors that were made
without it. What it gets right on held-out vectors is a lower bound of what they hold, to be read beside two nulls: always saying
the more frequent sense, and the same probe on shuffled labels. Where the text is a grammar's, there is a ceiling too: a
causal model cannot know more at a word than the words up to it say (`Grammar.sense_certainty`). See Hewitt and Liang
2019, "Designing and Interpreting Probes with Control Tasks".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lmcourse.embeddings.contextual import ProbeTransformer


@dataclass(frozen=True)
class ProbeResult:
    """Shares of held-out examples: `accuracy` (mean over folds; `spread`: standard deviation) and its two nulls."""

    accuracy: float
    spread: float
    majority: float
    shuffled: float

    def __str__(self) -> str:
        return f"{self.accuracy:.3f} ± {self.spread:.3f} (majority {self.majority:.3f}, shuffled {self.shuffled:.3f})"


def sense_probe(
    states: Float[np.ndarray, "n d"], senses: Int[np.ndarray, "n"], seed: int = 0, folds: int = 5
) -> ProbeResult:
    """Return how well logistic regression reads the sense off a state, by cross-validation with stratified folds.

    Each entry is first scaled to mean 0 and variance 1 over the training folds. A static vector is the same for each occurrence of
    a word, so its `states` are equal rows, and the probe can only say the majority.

    Args:
        states: one vector for each occurrence. senses: its true sense. seed: of folds and of the shuffled labels.

    Raises:
        ValueError: states and senses of different number, or a sense with fewer examples than `folds`.

    >>> senses = np.array([0, 1, 1] * 20)
    >>> print(sense_probe(np.ones((60, 4)), senses, seed=0).accuracy.__round__(3))
    0.667
    """
    if len(states) != len(senses):
        raise ValueError(f"'states' and 'senses' must be as many, got {len(states)} and {len(senses)}")
    counts = np.unique(senses, return_counts=True)[1]
    if len(counts) < 2 or counts.min() < folds:
        raise ValueError(
            f"'senses' must hold two senses or more, each at least {folds} times, got {counts.tolist()}"
        )
    shuffled = np.random.default_rng(seed).permutation(senses)
    scores, null = (_cross_validated(states, labels, seed, folds) for labels in (senses, shuffled))
    return ProbeResult(
        float(scores.mean()), float(scores.std()), float(counts.max() / counts.sum()), float(null.mean())
    )


def _cross_validated(states: np.ndarray, labels: np.ndarray, seed: int, folds: int) -> np.ndarray:
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return cross_val_score(probe, states, labels, cv=splits)


@torch.no_grad()
def hidden_states(
    model: ProbeTransformer,
    rows: Int64[Tensor, "rows length"],
    where: Int[np.ndarray, "n 2"],
    batch_size: int = 64,
) -> list[Float[np.ndarray, "n d_model"]]:
    """Return for each layer (0 is the input of the first) the vectors of the tokens at the (row, column) pairs in `where`."""
    layers: list[list[Tensor]] = [[] for _ in range(model.config.n_layers + 1)]
    for batch in rows.split(batch_size):
        for layer, hidden in zip(layers, model.hidden(batch), strict=True):
            layer.append(hidden.cpu())
    row, column = where.T
    return [torch.cat(layer)[row, column].numpy() for layer in layers]
