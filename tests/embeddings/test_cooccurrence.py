"""Counts, pointwise mutual information and the truncated SVD, against loops and numpy."""

import numpy as np
import pytest
from scipy import sparse

from lmcourse.embeddings.cooccurrence import (
    cooccurrence,
    fix_signs,
    pmi,
    ppmi,
    truncated_svd,
)

RNG = np.random.default_rng(0)
IDS, STARTS = RNG.integers(0, 7, 60), [0, 1, 10, 45]


def counts_by_loop(window, weight):
    counts = np.zeros((8, 8))
    for start, end in zip(STARTS, [*STARTS[1:], len(IDS)], strict=True):
        for i in range(start, end):
            for j in range(start, end):
                if 0 < abs(i - j) <= window:
                    counts[IDS[i], IDS[j]] += weight(abs(i - j))
    return counts


@pytest.mark.parametrize(
    ("weighting", "weight"),
    [("flat", lambda j: 1), ("inverse", lambda j: 1 / j), ("dynamic", lambda j: (4 - j + 1) / 4)],
)
def test_counts_are_what_a_loop_finds(weighting, weight):
    counts = cooccurrence(IDS, STARTS, 8, window=4, weighting=weighting).toarray()
    np.testing.assert_allclose(counts, counts_by_loop(4, weight))
    np.testing.assert_allclose(counts, counts.T)


def test_a_window_beyond_the_text_and_an_empty_text_are_no_errors():
    assert cooccurrence(IDS, STARTS, 8, window=100).sum() == counts_by_loop(100, lambda j: 1).sum()
    assert cooccurrence(IDS[:0], [], 8).nnz == 0


@pytest.mark.parametrize("power", [1.0, 0.75])
def test_pmi_is_its_formula(power):
    counts = cooccurrence(IDS, STARTS, 8, window=2)
    x = counts.toarray()
    joint, row, column = x / x.sum(), x.sum(1) / x.sum(), x.sum(0) ** power / (x.sum(0) ** power).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.log(joint / np.outer(row, column))
    found = pmi(counts, power).toarray()
    np.testing.assert_allclose(found[x > 0], expected[x > 0])
    assert not found[x == 0].any()
    shifted = np.where(x > 0, np.maximum(0, expected - np.log(1.5)), 0)
    np.testing.assert_allclose(ppmi(counts, 1.5, power).toarray(), shifted)


def test_independent_words_have_no_mutual_information():
    independent = np.outer([1.0, 2.0, 3.0], [4.0, 5.0, 1.0])
    np.testing.assert_allclose(pmi(sparse.csr_array(independent)).toarray(), 0, atol=1e-12)


def test_the_svd_is_numpys_and_the_best_of_its_rank():
    matrix = RNG.normal(size=(9, 9))
    matrix += matrix.T
    vectors, values = truncated_svd(sparse.csr_array(matrix), 4, power=1.0)
    left, singular, right = np.linalg.svd(matrix)
    np.testing.assert_allclose(values, singular[:4])
    np.testing.assert_allclose(
        vectors @ vectors.T, (left[:, :4] * singular[:4] ** 2) @ left[:, :4].T, atol=1e-9
    )
    halves, _ = truncated_svd(sparse.csr_array(matrix), 4)
    np.testing.assert_allclose(halves * singular[:4] ** 0.5, vectors, atol=1e-9)
    error = np.square(matrix - (left[:, :4] * singular[:4]) @ right[:4]).sum()
    assert error == pytest.approx(np.square(singular[4:]).sum())  # Eckart and Young
    assert np.array_equal(vectors, truncated_svd(sparse.csr_array(matrix), 4, power=1.0)[0])


def test_signs_do_not_depend_on_the_solver():
    columns = RNG.normal(size=(5, 3))
    np.testing.assert_array_equal(fix_signs(columns), fix_signs(columns * [-1, 1, -1]))
    assert (fix_signs(columns).max(0) == np.abs(columns).max(0)).all()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="'ids' must be from 0 to vocab_size-1=4, got 0 to 6"):
        cooccurrence(IDS, STARTS, 5)
    with pytest.raises(ValueError, match="'window' must be at least 1, got 0"):
        cooccurrence(IDS, STARTS, 8, window=0)
    counts = cooccurrence(IDS, STARTS, 8)
    with pytest.raises(ValueError, match="'shift' must be positive, got 0.0"):
        ppmi(counts, shift=0.0)
    with pytest.raises(ValueError, match="'d' must be from 1 to 7, got 8"):
        truncated_svd(counts, 8)
