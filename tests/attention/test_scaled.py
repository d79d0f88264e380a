"""Scaled dot-product attention against torch's kernel, a loop over pairs, and its own derivatives."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.attention import combine, relevance, scaled_dot_product_attention
from tests.attention.support import coin_mask, draws, gradients, unhurried

sizes = st.integers(1, 5)
batches = st.sampled_from([(), (3,), (2, 3), (2, 1, 2)])


def inputs(batch: tuple[int, ...], query: int, key: int, d_head: int, d_value: int, seed: int = 0):
    return (
        draws(*batch, query, d_head, seed=seed).requires_grad_(),
        draws(*batch, key, d_head, seed=seed + 1).requires_grad_(),
        draws(*batch, key, d_value, seed=seed + 2).requires_grad_(),
    )


def test_three_words_by_hand():
    """Scores 2, 0 and 0 (scaled: 2 / sqrt(4) = 1): weights e/(e + 2), 1/(e + 2), 1/(e + 2)."""
    q, k = torch.tensor([[2.0, 0.0, 0.0, 0.0]]), torch.eye(4)[:3]
    v = torch.tensor([[1.0], [10.0], [100.0]])
    output, weights = scaled_dot_product_attention(q, k, v, return_weights=True)
    e = math.e
    torch.testing.assert_close(weights, torch.tensor([[e, 1.0, 1.0]]) / (e + 2))
    torch.testing.assert_close(output, torch.tensor([[(e + 110) / (e + 2)]]))


@unhurried
@given(batch=batches, query=sizes, key=sizes, d_head=sizes, d_value=sizes, seed=st.integers(0, 999))
def test_the_two_steps_are_loops_over_pairs(batch, query, key, d_head, d_value, seed):
    q, k, v = (x.detach() for x in inputs(batch, query, key, d_head, d_value, seed))
    scores = relevance(q, k)
    weights = scores.softmax(-1)
    mixed = combine(weights, v)
    assert scores.shape == (*batch, query, key)
    assert mixed.shape == (*batch, query, d_value)
    for i in range(query):
        for j in range(key):
            expected = (q[..., i, :] * k[..., j, :]).sum(-1) / math.sqrt(d_head)
            torch.testing.assert_close(scores[..., i, j], expected)
        expected = sum(weights[..., i, j, None] * v[..., j, :] for j in range(key))
        torch.testing.assert_close(mixed[..., i, :], expected)


@unhurried
@given(
    batch=batches,
    query=sizes,
    key=sizes,
    d_head=sizes,
    d_value=sizes,
    seed=st.integers(0, 999),
    masked=st.booleans(),
    scale=st.sampled_from([None, 0.3, 2.0]),
)
def test_output_and_gradients_are_those_of_torch(batch, query, key, d_head, d_value, seed, masked, scale):
    """Also for rows that see nothing, which coins make often."""
    qkv = inputs(batch, query, key, d_head, d_value, seed)
    mask = coin_mask(*batch, query, key, seed=seed) if masked else None
    ours = scaled_dot_product_attention(*qkv, mask, scale)
    theirs = F.scaled_dot_product_attention(*qkv, attn_mask=mask, scale=scale)
    torch.testing.assert_close(ours, theirs)
    for mine, other in zip(gradients(ours, *qkv), gradients(theirs, *qkv), strict=True):
        torch.testing.assert_close(mine, other)


@unhurried
@given(seed=st.integers(0, 999), row=st.booleans(), column=st.booleans())
def test_a_mask_axis_of_length_1_is_for_all(seed, row, column):
    q, k, v = inputs((2, 3), 4, 5, 2, 2)
    mask = coin_mask(2, 1, 1 if row else 4, 1 if column else 5, seed=seed)
    expected = scaled_dot_product_attention(q, k, v, mask.expand(2, 3, 4, 5))
    torch.testing.assert_close(scaled_dot_product_attention(q, k, v, mask), expected)


def test_a_query_that_sees_nothing_gets_zeros_and_passes_no_gradient():
    q, k, v = inputs((2,), 3, 4, 5, 6)
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    mask[1, 2] = False
    output, weights = scaled_dot_product_attention(q, k, v, mask, return_weights=True)
    assert not output[1, 2].any()
    assert not weights[1, 2].any()
    grad_q, grad_k, grad_v = gradients(output, q, k, v)
    assert not grad_q[1, 2].any()
    assert all(g.isfinite().all() for g in (grad_q, grad_k, grad_v))
    assert grad_q[1, 1].any()


@unhurried
@given(seed=st.integers(0, 50), masked=st.booleans())
def test_gradients_are_right_by_finite_differences(seed, masked):
    q, k, v = inputs((2,), 2, 3, 2, 2, seed)
    bias = draws(2, 2, 3, seed=seed + 7).requires_grad_()
    mask = coin_mask(2, 2, 3, seed=seed) if masked else None
    assert torch.autograd.gradcheck(
        lambda q, k, v, bias: scaled_dot_product_attention(q, k, v, mask, bias=bias), (q, k, v, bias)
    )


def test_a_bias_is_added_to_the_scaled_scores():
    q, k, v = inputs((2, 3), 4, 5, 2, 2)
    bias, mask = draws(1, 3, 4, 5, seed=5), coin_mask(2, 1, 4, 5)
    mask[..., 0] = True
    both = bias.masked_fill(~mask, -math.inf)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=both)
    torch.testing.assert_close(scaled_dot_product_attention(q, k, v, mask, bias=bias), expected)


@unhurried
@given(seed=st.integers(0, 999))
def test_attention_knows_no_order(seed):
    q, k, v = inputs((), 3, 6, 2, 2, seed)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    shuffled = scaled_dot_product_attention(q, k[order], v[order])
    torch.testing.assert_close(shuffled, scaled_dot_product_attention(q, k, v))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 4e-3), (torch.bfloat16, 3e-2)])
def test_half_precision_is_near_double(dtype, tolerance):
    qkv = [x.detach().to(dtype) for x in inputs((2, 3), 40, 40, 16, 16)]
    mask = coin_mask(2, 1, 40, 40)
    half = scaled_dot_product_attention(*qkv, mask)
    exact = scaled_dot_product_attention(*(x.double() for x in qkv), mask)
    assert half.dtype == dtype
    torch.testing.assert_close(half.double(), exact, atol=tolerance, rtol=0)


def test_half_precision_scales_before_the_product():
    """q . k = 256 * 16^2 * 1.5 is beyond float16's 65,504; the score, a sixteenth of it, is not."""
    q, k = torch.full((1, 256), 16.0, dtype=torch.float16), torch.full((1, 256), 24.0, dtype=torch.float16)
    assert relevance(q, k).item() == 256 * 16 * 24 / 16


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: relevance(draws(2, 3), draws(2, 4)), "'k'"),
        (lambda: combine(draws(2, 3), draws(4, 5)), "'v'"),
        (
            lambda: scaled_dot_product_attention(
                draws(2, 3), draws(4, 3), draws(4, 3), torch.ones(2, 3).bool()
            ),
            r"'mask' must broadcast to \(2, 4\), axis for axis, got \(2, 3\)",
        ),
        (lambda: scaled_dot_product_attention(draws(2, 3), draws(4, 3), draws(4, 3), draws(2, 4)), "mask"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    """(The run-time check of shapes in the tests speaks first where it can, with a TypeError.)"""
    with pytest.raises((ValueError, TypeError), match=message):
        call()
