"""Transductive learning: a few labels, many points, and the labels flow along a graph of neighbours.

*Inductive* learning makes a rule from labelled examples, and the rule labels whatever comes later. *Transductive*
learning labels exactly the points it was given, and uses all of them to do so, the unlabelled ones too: where they
crowd, a label spreads. It leaves no rule behind; a new point means a new graph. Zhu and Ghahramani 2002, "Learning
from Labeled and Unlabeled Data with Label Propagation"; Zhou et al. 2004, "Learning with Local and Global Consistency".

Labels are 0, 1, ..., and -1 stands for "not known". Class scores that are all zero mean that no label reaches the point.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from sklearn.neighbors import kneighbors_graph

from lmcourse.embeddings.vectors import unit_rows


def knn_graph(vectors: Float[np.ndarray, "n d"], k: int = 10) -> sparse.csr_array:
    """Return the symmetric graph in which each vector is tied to its `k` nearest by cosine; weights are 1, no loops.

    i and j are tied when either is among the k nearest of the other, so a word may have more than k ties.

    Raises:
        ValueError: `k` not between 1 and n - 1, or a vector of zeros, which has no direction.

    >>> knn_graph(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), k=1).toarray().tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    if not 1 <= k < len(vectors):
        raise ValueError(
            f"'k' must be from 1 to {len(vectors) - 1}, one less than there are vectors, got {k}"
        )
    if not (nonzero := vectors.any(axis=1)).all():
        raise ValueError(
            f"'vectors' must have a direction each, got zeros only at {np.flatnonzero(~nonzero)[0]}"
        )
    nearest = sparse.csr_array(
        kneighbors_graph(unit_rows(vectors), k)
    )  # on the unit sphere, near is near by cosine
    return nearest.maximum(nearest.T).tocsr()


def propagate(
    graph: sparse.csr_array, labels: Int[np.ndarray, "n"], n_classes: int | None = None
) -> Float64[np.ndarray, "n classes"]:
    """Return for each point the probability of each class by label propagation, solved at once.

    Each point takes the weighted mean of its neighbours, labelled points keep their label: with T = D^-1 W,
    F_u = T_uu F_u + T_ul Y_l, so F_u = (I - T_uu)^-1 T_ul Y_l (Zhu and Ghahramani 2002, section 2.2). F[i, c] is also
    the chance that a random walk from i meets its first label in class c (Zhu, Ghahramani and Lafferty 2003).

    Raises:
        ValueError: a graph and labels of different size, or no label at all.

    >>> chain = sparse.csr_array(np.diag([1.0, 1.0, 1.0], 1) + np.diag([1.0, 1.0, 1.0], -1))
    >>> propagate(chain, np.array([0, -1, -1, 1])).round(3).tolist()
    [[1.0, 0.0], [0.667, 0.333], [0.333, 0.667], [0.0, 1.0]]
    """
    known, scores = _one_hot(graph, labels, n_classes)
    component = connected_components(graph, directed=False)[1]
    reached = np.isin(component, component[known])  # the rest have no path to a label: nothing to solve
    asked = ~known & reached
    if asked.any():
        steps = _divide_rows(graph)
        own = sparse.eye_array(asked.sum()) - steps[asked][:, asked]
        scores[asked] = splu(own.tocsc()).solve(steps[asked][:, known] @ scores[known])
    return scores


def propagate_by_steps(
    graph: sparse.csr_array,
    labels: Int[np.ndarray, "n"],
    n_classes: int | None = None,
    tolerance: float = 1e-9,
    max_steps: int = 10_000,
) -> Float64[np.ndarray, "n classes"]:
    """Return what `propagate` solves for, by repeating its step: F <- T F, then labelled rows are set back.

    Stops when no score moves by more than `tolerance`, or after `max_steps`.
    """
    known, given = _one_hot(graph, labels, n_classes)
    steps, scores = _divide_rows(graph), given.copy()
    for _ in range(max_steps):
        moved = steps @ scores
        moved[known] = given[known]
        if np.abs(moved - scores).max() <= tolerance:
            return moved
        scores = moved
    return scores


def spread(
    graph: sparse.csr_array, labels: Int[np.ndarray, "n"], alpha: float = 0.8, n_classes: int | None = None
) -> Float64[np.ndarray, "n classes"]:
    """Return class scores by label spreading, solved at once: F = (1 - alpha) (I - alpha S)^-1 Y, S = D^-1/2 W D^-1/2.

    The fixed point of F <- alpha S F + (1 - alpha) Y (Zhou et al. 2004, section 2). Labelled points may be
    overruled by their neighbours, the more the nearer `alpha` is to 1. Rows do not sum to one; the largest wins.

    Raises:
        ValueError: `alpha` not between 0 and 1, a graph and labels of different size, or no label at all.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"'alpha' must be between 0 and 1, got {alpha}")
    _, given = _one_hot(graph, labels, n_classes)
    system = sparse.eye_array(len(labels)) - alpha * _divide_both(graph)
    return (1 - alpha) * splu(system.tocsc()).solve(given)


def spread_by_steps(
    graph: sparse.csr_array,
    labels: Int[np.ndarray, "n"],
    alpha: float = 0.8,
    n_classes: int | None = None,
    tolerance: float = 1e-9,
    max_steps: int = 10_000,
) -> Float64[np.ndarray, "n classes"]:
    """Return what `spread` solves for, by repeating F <- alpha S F + (1 - alpha) Y until nothing moves."""
    _, given = _one_hot(graph, labels, n_classes)
    steps, scores = _divide_both(graph), given
    for _ in range(max_steps):
        moved = alpha * (steps @ scores) + (1 - alpha) * given
        if np.abs(moved - scores).max() <= tolerance:
            return moved
        scores = moved
    return scores


def decide(scores: Float[np.ndarray, "n classes"]) -> Int[np.ndarray, "n"]:
    """Return the class with the largest score for each point, and -1 where no label has reached it.

    >>> decide(np.array([[0.2, 0.8], [0.0, 0.0]])).tolist()
    [1, -1]
    """
    return np.where(scores.any(axis=1), scores.argmax(axis=1), -1)


def _one_hot(
    graph: sparse.csr_array, labels: np.ndarray, n_classes: int | None
) -> tuple[np.ndarray, np.ndarray]:
    if graph.shape != (len(labels), len(labels)):
        raise ValueError(
            f"'labels' must be as many as the graph has points, {graph.shape[0]}, got {len(labels)}"
        )
    known = labels >= 0
    if not known.any():
        raise ValueError("'labels' must hold at least one label, got only -1")
    scores = np.zeros((len(labels), n_classes or labels.max() + 1))
    scores[known, labels[known]] = 1.0
    return known, scores


def _degrees(graph: sparse.csr_array) -> np.ndarray:
    degrees = graph.sum(axis=1)
    return np.where(degrees > 0, degrees, 1.0)  # a point without ties keeps its row of zeros


def _divide_rows(graph: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array(sparse.diags_array(1 / _degrees(graph)) @ graph)


def _divide_both(graph: sparse.csr_array) -> sparse.csr_array:
    scale = sparse.diags_array(_degrees(graph) ** -0.5)
    return sparse.csr_array(scale @ graph @ scale)
