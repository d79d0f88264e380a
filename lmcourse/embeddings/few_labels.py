"""A few labels and many vectors: what the unlabelled ones are worth, by an experiment.

Two methods that use all vectors (`propagation`) stand against two that see the labelled ones only. Flowing labels
win where neighbours share their class, and lose where the graph's ties run across classes: look at the graph first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from lmcourse.embeddings.propagation import decide, knn_graph, propagate, spread
from lmcourse.embeddings.vectors import unit_rows


@dataclass(frozen=True)
class FewLabels:
    """Share of the unlabelled points that each method labels right, one number for each draw of the labelled ones."""

    propagation: Float64[np.ndarray, "draws"]
    spreading: Float64[np.ndarray, "draws"]
    nearest: Float64[np.ndarray, "draws"]  # supervised: the label of the nearest labelled point
    logistic: Float64[np.ndarray, "draws"]  # supervised: logistic regression

    def summary(self) -> dict[str, tuple[float, float]]:
        """Return mean and standard deviation over the draws for each method."""
        return {name: (float(a.mean()), float(a.std(ddof=1))) for name, a in vars(self).items()}


def few_labels(
    vectors: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, "n"],
    per_class: int = 5,
    seeds: Iterable[int] = range(20),
    k: int = 10,
    alpha: float = 0.8,
) -> FewLabels:
    """Keep `per_class` labels of each class, hide the others, and compare two transductive with two supervised methods.

    All see the same unit vectors and the same kept labels, and are judged on the same hidden ones. The graph knows
    all vectors and no labels. One draw of the kept labels for each seed.

    Raises:
        ValueError: a class with no label to hide, or a `k` that is too large.
    """
    smallest = np.bincount(labels).min()
    if not 1 <= per_class < smallest:
        raise ValueError(
            f"'per_class' must be from 1 to {smallest - 1}, below the smallest class, got {per_class}"
        )
    unit = unit_rows(vectors)
    graph, n_classes = knn_graph(unit, k), int(labels.max()) + 1
    results = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        kept = np.concatenate(
            [rng.choice(np.flatnonzero(labels == c), per_class, False) for c in range(n_classes)]
        )
        given = np.full(len(labels), -1)
        given[kept] = labels[kept]
        hidden = given < 0
        guesses = (
            decide(propagate(graph, given, n_classes))[hidden],
            decide(spread(graph, given, alpha, n_classes))[hidden],
            KNeighborsClassifier(1).fit(unit[kept], labels[kept]).predict(unit[hidden]),
            LogisticRegression(C=10.0, max_iter=1000).fit(unit[kept], labels[kept]).predict(unit[hidden]),
        )
        results.append([(guess == labels[hidden]).mean() for guess in guesses])
    return FewLabels(*np.array(results).T)
