"""The softmax of attention: what is hidden, its derivatives, and what large scores do to it, against closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import entropy

from lmcourse.attention import (
    masked_softmax,
    score_variance,
    softmax_jacobian,
    softmax_saturation,
    weight_entropy,
)
from tests.attention.support import F64, coin_mask, draws, unhurried


@unhurried
@given(seed=st.integers(0, 10_000), size=st.floats(0.0, 300.0))
def test_what_is_hidden_does_not_count(seed, size):
    """The weights are the softmax of the visible scores alone, however large the hidden ones are."""
    scores, mask = size * draws(2, 4, 6, seed=seed), coin_mask(2, 4, 6, seed=seed)
    scores = torch.where(mask, scores, 1e30)
    weights = masked_softmax(scores, mask)
    for row, seen, visible in zip(scores.view(-1, 6), weights.view(-1, 6), mask.view(-1, 6), strict=True):
        expected = torch.zeros(6, dtype=F64)
        expected[visible] = row[visible].softmax(-1)
        torch.testing.assert_close(seen, expected)
        assert not seen[~visible].any()


def test_a_score_of_zero_is_a_score():
    mask = torch.tensor([[True, False, False]])
    assert masked_softmax(torch.zeros(1, 3), mask).tolist() == [[1.0, 0.0, 0.0]]


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_a_row_that_sees_nothing_has_no_weights_and_no_gradient():
    scores = draws(1, 3, 4).requires_grad_()
    mask = torch.tensor([True, False, True])[None, :, None]
    with torch.autograd.detect_anomaly(check_nan=True):
        weights = masked_softmax(scores, mask)
        (gradient,) = torch.autograd.grad((weights * draws(1, 3, 4, seed=1)).sum(), scores)
    assert not weights[0, 1].any()
    assert not gradient[0, 1].any()
    torch.testing.assert_close(weights.sum(-1), torch.tensor([[1.0, 0.0, 1.0]], dtype=F64))
    assert gradient[0, 0].abs().min() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_sums_in_float32(dtype):
    """Of 4,096 equal scores each weight is 2^-12; summed in half precision, the total would stop growing long before."""
    weights = masked_softmax(torch.zeros(1, 4096, dtype=dtype), torch.ones(1, 1, dtype=torch.bool))
    assert weights.dtype == dtype
    assert weights.float().unique().tolist() == [2.0**-12]
    scores = draws(4, 500, dtype=dtype)
    mask = coin_mask(4, 500)
    exact = scores.double().masked_fill(~mask, -math.inf).softmax(-1)
    error = (masked_softmax(scores, mask).double() - exact).abs() / exact.clamp(min=1e-4)
    assert error.max() <= torch.finfo(dtype).eps  # one rounding, at the end
    assert masked_softmax(scores).dtype == dtype


@unhurried
@given(seed=st.integers(0, 10_000), size=st.floats(0.1, 10.0))
def test_the_jacobian_is_that_of_autograd(seed, size):
    scores = size * draws(5, seed=seed)
    expected = torch.autograd.functional.jacobian(lambda s: s.softmax(-1), scores)
    jacobian = softmax_jacobian(scores.softmax(-1))
    torch.testing.assert_close(jacobian, expected)
    torch.testing.assert_close(jacobian.sum(-1), torch.zeros(5, dtype=F64))
    batch = softmax_jacobian(scores.softmax(-1).expand(2, 3, 5))
    torch.testing.assert_close(batch[1, 2], expected)


@unhurried
@given(seed=st.integers(0, 10_000), size=st.floats(0.0, 50.0))
def test_the_entropy_is_that_of_scipy(seed, size):
    weights = (size * draws(3, 7, seed=seed)).softmax(-1)
    np.testing.assert_allclose(weight_entropy(weights), entropy(weights.numpy(), axis=-1), atol=1e-12)
    assert weight_entropy(torch.tensor([0.0, 1.0])) == 0


def test_scores_have_variance_d_and_scaled_ones_variance_1():
    """Within five standard errors: Var(s^2) = (kurtosis - 1) / n, and the kurtosis of q . k is 3 + 6/d."""
    sizes, n = [1, 4, 16, 64, 256], 20_000
    variance = score_variance(sizes, n_pairs=n, seed=3)
    for d, plain, scaled in zip(sizes, variance.plain, variance.scaled, strict=True):
        error = 5 * math.sqrt((2 + 6 / d) / n)
        assert abs(plain / d - 1) < error
        assert abs(scaled - 1) < error
    assert variance.d_head.tolist() == sizes
    again = score_variance(sizes, n_pairs=n, seed=3)
    assert np.array_equal(variance.plain, again.plain)
    assert not np.array_equal(variance.plain, score_variance(sizes, n_pairs=n, seed=4).plain)


@pytest.mark.parametrize("n_keys", [2, 16])
def test_saturation_has_its_closed_forms_at_both_ends(n_keys):
    flat, steep = 0, 1
    found = softmax_saturation([0.0, 1e6], n_keys=n_keys, n_rows=200)
    assert found.entropy[flat] == pytest.approx(math.log(n_keys))
    assert found.largest[flat] == pytest.approx(1 / n_keys)
    assert found.gradient[flat] == pytest.approx(math.sqrt(n_keys - 1) / n_keys)
    assert found.entropy[steep] == pytest.approx(0, abs=1e-3)
    assert found.largest[steep] == pytest.approx(1, abs=1e-3)
    assert found.gradient[steep] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("std", [0.5, 1.0, 4.0, 16.0])
def test_saturation_of_two_keys_is_an_integral(std):
    """With two keys the first weight is p = sigmoid(x), x ~ N(0, 2 std^2), and the Jacobian's norm is 2 p (1 - p)."""

    def mean(of):
        def integrand(x):
            return (
                of(1 / (1 + math.exp(-x))) * math.exp(-(x**2) / (4 * std**2)) / (2 * std * math.sqrt(math.pi))
            )

        return quad(integrand, -12 * std, 12 * std, points=[0.0], limit=200)[0]

    n = 20_000
    found = softmax_saturation([std], n_keys=2, n_rows=n)
    error = 5 * 0.5 / math.sqrt(n)  # five standard errors of a number between 0 and 1
    assert found.gradient[0] == pytest.approx(mean(lambda p: 2 * p * (1 - p)), abs=error)
    assert found.largest[0] == pytest.approx(mean(lambda p: max(p, 1 - p)), abs=error)
    assert found.entropy[0] == pytest.approx(mean(lambda p: entropy([p, 1 - p])), abs=error)


def test_saturation_grows_with_the_scores():
    found = softmax_saturation([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0], seed=1)
    assert (np.diff(found.entropy) < 0).all()
    assert (np.diff(found.largest) > 0).all()
    assert found.gradient[0] < found.gradient[1] < found.gradient[2]  # std 0.5, 1, 2
    assert (np.diff(found.gradient[2:]) < 0).all()
    assert found.std.tolist() == [0.5, 1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: score_variance([4, 0]), "'d_heads' must be at least 1, got 0"),
        (lambda: score_variance([4], n_pairs=1), "'n_pairs' must be at least 2, got 1"),
        (lambda: softmax_saturation([1.0, -2.0]), "'stds' must not be negative, got -2.0"),
        (lambda: softmax_saturation([1.0], n_keys=1), "'n_keys' must be at least 2, got 1"),
        (
            lambda: masked_softmax(torch.zeros(3, 4, 4), torch.ones(4, 4, dtype=torch.bool)),
            r"'mask' must broadcast to \(3, 4, 4\), axis for axis, got \(4, 4\)",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
