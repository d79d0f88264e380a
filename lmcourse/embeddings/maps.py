"""Maps: many dimensions drawn in two, by PCA and by t-SNE.

PCA is a projection: distances can only shrink, and directions keep their meaning. t-SNE keeps neighbours together and gives up on
all else: sizes of clusters and distances between them say nothing (van der Maaten and Hinton 2008). Both are scikit-learn's;
here they are given a fixed start and fixed signs, so that a page looks the same each time it is built.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from lmcourse.embeddings.cooccurrence import fix_signs
from lmcourse.embeddings.vectors import unit_rows


class PCAMap(NamedTuple):
    """Coordinates, and the share of the variance that each axis of the map shows."""

    points: Float64[np.ndarray, "n dims"]
    shares: Float64[np.ndarray, "dims"]


def pca_map(matrix: Float[np.ndarray, "n d"], dims: int = 2) -> PCAMap:
    """Return the rows, centred and projected onto the `dims` directions in which they vary most.

    An axis is turned so that the farthest point on it is on the positive side.

    Raises:
        ValueError: `dims` above the number of rows or columns.

    >>> pca_map(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0], [12.0, 16.0]]), dims=1).points[:, 0].round(6).tolist()
    [-8.75, -3.75, 1.25, 11.25]
    """
    if not 1 <= dims <= min(matrix.shape):
        raise ValueError(f"'dims' must be from 1 to {min(matrix.shape)}, got {dims}")
    pca = PCA(dims, svd_solver="full")
    points = pca.fit_transform(matrix.astype(np.float64))
    return PCAMap(fix_signs(points), pca.explained_variance_ratio_)


def tsne_map(matrix: Float[np.ndarray, "n d"], perplexity: float = 15.0) -> Float64[np.ndarray, "n 2"]:
    """Return a two-dimensional t-SNE map of the rows by cosine distance, started from PCA and turned along its main axes.

    `perplexity` is about the number of neighbours that each point holds on to; it must be below the number of rows.
    Lengths of rows do not matter. With the start given nothing is drawn at random.

    Raises:
        ValueError: a `perplexity` that is not between 1 and the number of rows.

    >>> tsne_map(np.random.default_rng(0).normal(size=(12, 4)), perplexity=3.0).shape
    (12, 2)
    """
    if not 1 <= perplexity < len(matrix):
        raise ValueError(f"'perplexity' must be from 1 to below {len(matrix)} rows, got {perplexity}")
    rows = unit_rows(
        matrix.astype(np.float64)
    )  # squared distances between them are twice the cosine distances
    start = pca_map(rows).points
    start = 1e-4 * start / start[:, 0].std()  # as small as scikit-learn makes a start of its own
    tsne = TSNE(perplexity=perplexity, init=start, random_state=0)
    return pca_map(tsne.fit_transform(rows)).points
