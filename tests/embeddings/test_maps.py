"""Maps are those of numpy and scikit-learn, and do not turn from run to run."""

import numpy as np
import pytest
from sklearn.manifold import TSNE, trustworthiness

from lmcourse.embeddings import maps
from lmcourse.embeddings.maps import pca_map, tsne_map
from lmcourse.embeddings.vectors import unit_rows


def clusters(seed=0):
    rng = np.random.default_rng(seed)
    centres = 4 * rng.normal(size=(4, 10))
    return (centres[:, None] + rng.normal(size=(4, 15, 10))).reshape(60, 10)


def turned(matrix):
    """The same points seen from another side: a random rotation, which may mirror them too."""
    q, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(10, 10)))
    return matrix @ q


def test_pca_is_the_projection_onto_the_largest_singular_directions():
    matrix = clusters()
    points, shares = pca_map(matrix, dims=3)
    centred = matrix - matrix.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(points), np.abs(left[:, :3] * values[:3]), atol=1e-9)
    np.testing.assert_allclose(shares, values[:3] ** 2 / (values**2).sum())


def test_pca_looks_the_same_from_every_side():
    matrix = clusters()
    points = pca_map(matrix).points
    np.testing.assert_allclose(pca_map(turned(matrix)).points, points, atol=1e-9)
    assert (points.max(0) == np.abs(points).max(0)).all()


def test_tsne_keeps_neighbours_and_repeats():
    matrix = clusters()
    points = tsne_map(matrix, perplexity=10.0)
    np.testing.assert_array_equal(points, tsne_map(matrix, perplexity=10.0))
    assert trustworthiness(matrix, points, n_neighbors=5, metric="cosine") > 0.9
    centres = points.reshape(4, 15, 2).mean(1)
    nearest = np.linalg.norm(points[:, None] - centres, axis=2).argmin(1)
    assert (nearest == np.repeat(np.arange(4), 15)).all()
    assert (points.max(0) == np.abs(points).max(0)).all()


def test_tsne_reads_directions_not_lengths():
    lengths = np.exp2(np.random.default_rng(3).integers(-3, 4, (60, 1)))  # powers of two: no rounding
    points = tsne_map(clusters(), perplexity=10.0)
    np.testing.assert_allclose(tsne_map(lengths * clusters(), perplexity=10.0), points)


def test_tsne_starts_from_pca(monkeypatch):
    told = {}
    monkeypatch.setattr(maps, "TSNE", lambda **options: told.update(options) or TSNE(**options))
    tsne_map(clusters(), perplexity=10.0)
    expected = pca_map(unit_rows(clusters())).points
    np.testing.assert_allclose(told["init"] / told["init"].std(), expected / expected.std())


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="'dims' must be from 1 to 10, got 11"):
        pca_map(clusters(), dims=11)
    with pytest.raises(ValueError, match="'perplexity' must be from 1 to below 60 rows, got 60"):
        tsne_map(clusters(), perplexity=60.0)
