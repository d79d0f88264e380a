"""Label propagation and spreading against scikit-learn on the same graph, random walks, and chains solved by hand."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from lmcourse.embeddings.few_labels import few_labels
from lmcourse.embeddings.propagation import (
    decide,
    knn_graph,
    propagate,
    propagate_by_steps,
    spread,
    spread_by_steps,
)


def crowds(n: int = 120, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points about `classes` directions, and their true classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = rng.normal(size=(classes, 6))
    return centres[labels] + 0.7 * rng.normal(size=(n, 6)), labels


@pytest.fixture
def problem():
    vectors, labels = crowds()
    graph = knn_graph(vectors, k=6)
    given = np.where(np.random.default_rng(0).random(len(labels)) < 0.1, labels, -1)
    assert connected_components(graph)[0] == 1
    assert set(given) == {-1, 0, 1, 2}
    return vectors, graph, given


def test_the_graph_ties_nearest_neighbours_by_cosine():
    vectors, _ = crowds(40)
    graph = knn_graph(vectors, k=5).toarray()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    nearest = np.zeros((40, 40), dtype=bool)
    np.put_along_axis(nearest, np.argsort(-cosine)[:, :5], True, axis=1)
    assert np.array_equal(graph, (nearest | nearest.T).astype(float))
    assert np.array_equal(graph, knn_graph(vectors * 3.0, k=5).toarray())


def test_propagation_is_that_of_scikit_learn(problem):
    vectors, graph, given = problem
    dense = graph.toarray()
    theirs = LabelPropagation(kernel=lambda a, b: dense.copy(), max_iter=100_000, tol=1e-12).fit(
        vectors, given
    )
    unknown = given < 0
    # They divide each row by its sum at every step, which changes nothing once all labels have arrived.
    np.testing.assert_allclose(
        propagate(graph, given)[unknown], theirs.label_distributions_[unknown], atol=1e-8
    )
    np.testing.assert_allclose(propagate_by_steps(graph, given), propagate(graph, given), atol=1e-6)


def test_spreading_is_that_of_scikit_learn(problem):
    vectors, graph, given = problem
    dense = graph.toarray()
    for alpha in (0.2, 0.8, 0.99):
        theirs = LabelSpreading(kernel=lambda a, b: dense.copy(), alpha=alpha, max_iter=100_000, tol=1e-13)
        theirs.fit(vectors, given)
        ours = spread(graph, given, alpha)
        np.testing.assert_allclose(ours / ours.sum(1, keepdims=True), theirs.label_distributions_, atol=1e-8)
        np.testing.assert_allclose(spread_by_steps(graph, given, alpha), ours, atol=1e-6)


def test_propagation_is_the_chance_that_a_walk_meets_a_label_first(problem):
    _, graph, given = problem
    rng = np.random.default_rng(0)
    start = int(np.flatnonzero(given < 0)[0])
    ends = np.zeros(3)
    for _ in range(4000):
        at = start
        while given[at] < 0:
            at = rng.choice(graph[[at]].indices)
        ends[given[at]] += 1
    # Four standard errors of a share of 4,000 walks are at most 0.032.
    np.testing.assert_allclose(propagate(graph, given)[start], ends / 4000, atol=0.032)


def test_rows_of_propagation_are_distributions_and_labels_stay(problem):
    _, graph, given = problem
    scores = propagate(graph, given)
    np.testing.assert_allclose(scores.sum(1), 1.0)
    assert scores.min() >= -1e-12
    known = given >= 0
    assert np.array_equal(decide(scores)[known], given[known])


def test_a_point_that_no_label_reaches_gets_none():
    two_pairs = sparse.csr_array(np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0.0]]))
    given = np.array([0, -1, -1, -1])
    for scores in (
        propagate(two_pairs, given, 2),
        propagate_by_steps(two_pairs, given, 2),
        spread(two_pairs, given, n_classes=2),
    ):
        assert decide(scores).tolist() == [0, 0, -1, -1]


def test_spreading_may_overrule_a_label_and_propagation_may_not():
    """One wrong label amid a clique of right ones."""
    clique = sparse.csr_array(1.0 - np.eye(6))
    given = np.array([1, 0, 0, 0, 0, -1])
    assert decide(propagate(clique, given))[0] == 1
    assert decide(spread(clique, given, alpha=0.99))[0] == 0


def test_few_labels_judges_all_methods_on_the_hidden_points():
    vectors, labels = crowds(150)
    result = few_labels(vectors, labels, per_class=2, seeds=[3, 4])
    again = few_labels(vectors, labels, per_class=2, seeds=[3, 4])
    for name, scores in vars(result).items():
        assert scores.shape == (2,)
        assert np.array_equal(scores, getattr(again, name))
        assert np.all(np.abs(scores * 144 - np.round(scores * 144)) < 1e-9)  # 150 - 3 * 2 hidden points
    assert result.summary()["nearest"] == (result.nearest.mean(), result.nearest.std(ddof=1))


def test_hidden_labels_are_not_read():
    """Change the labels of all but the kept points of one draw: guesses stay, so the shares fall to what is left right."""
    rng = np.random.default_rng(0)
    vectors, labels = crowds(90)
    noise = few_labels(vectors, rng.permutation(labels), per_class=5, seeds=range(5))
    for scores in vars(noise).values():
        assert abs(scores.mean() - 1 / 3) < 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: knn_graph(np.eye(3), k=3), "'k' must be from 1 to 2, .* got 3"),
        (
            lambda: knn_graph(np.array([[1.0], [0.0], [1.0]]), k=1),
            "'vectors' must have a direction each, got zeros only at 1",
        ),
        (
            lambda: propagate(knn_graph(np.eye(3), 1), np.array([-1, -1, -1])),
            "'labels' must hold at least one label",
        ),
        (
            lambda: propagate(knn_graph(np.eye(3), 1), np.array([0, 1])),
            "'labels' must be as many .* 3, got 2",
        ),
        (
            lambda: spread(knn_graph(np.eye(3), 1), np.array([0, 1, -1]), alpha=1.0),
            "'alpha' must be between 0 and 1",
        ),
        (
            lambda: few_labels(np.eye(4), np.array([0, 0, 1, 1]), per_class=2),
            "'per_class' must be from 1 to 1, .* got 2",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
