"""No look at the future: by gradients, by changing later tokens, at every position, and where a score is exactly 0."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.attention import (
    MultiHeadAttention,
    MultiHeadConfig,
    causal_mask,
    influence,
    length_mask,
    scaled_dot_product_attention,
)
from lmcourse.embeddings import POSITION_SCHEMES, PositionConfig, position_scheme
from tests.attention.support import F64, draws, unhurried

TIME = 6
fusing = pytest.mark.parametrize("fused", [False, True])


def started(fused: bool, kv_heads: int = 2) -> MultiHeadAttention:
    attention = MultiHeadAttention(MultiHeadConfig(8, 2, n_kv_heads=kv_heads, fused=fused)).double()
    with torch.no_grad():
        for n, parameter in enumerate(attention.parameters()):
            parameter.copy_(draws(*parameter.shape, seed=n))
    return attention


@fusing
@pytest.mark.parametrize("name", POSITION_SCHEMES)
def test_no_gradient_comes_from_the_future_and_some_from_all_the_past(name, fused):
    attention = started(fused)
    positions = position_scheme(name, PositionConfig(8, 2, 1)).double()
    found = influence(lambda x: attention(x, causal=True, positions=positions), 0.3 * draws(TIME, 8))
    assert not found.triu(1).any()
    assert found.tril()[causal_mask(TIME)[0]].min() > 1e-6


@fusing
@pytest.mark.parametrize("t", range(1, TIME))
@unhurried
@given(seed=st.integers(0, 99), size=st.sampled_from([1.0, 1e3]))
def test_changing_later_tokens_leaves_earlier_outputs_to_the_last_bit(fused, t, seed, size):
    attention = started(fused, kv_heads=1)
    x = draws(1, TIME, 8, seed=seed)
    changed = x.clone()
    changed[:, t:] += size * draws(1, TIME - t, 8, seed=seed + 1)
    before, after = attention(x, causal=True), attention(changed, causal=True)
    assert torch.equal(before[:, :t], after[:, :t])
    assert not torch.equal(before[:, t], after[:, t])


@fusing
def test_scores_of_exactly_0_leak_nothing(fused):
    """Queries of zeros make every score 0: a mask made from the scores (`triu(scores, 1).bool()`) would hide nothing."""
    attention = started(fused)
    with torch.no_grad():
        attention.q_proj.weight.zero_()
        attention.q_proj.bias.zero_()
    x = draws(TIME, 8)
    found = influence(lambda x: attention(x, causal=True), x)
    assert not found.triu(1).any()
    _, weights = attention(x[None], causal=True, return_weights=True)
    even = torch.ones(TIME, TIME, dtype=F64).tril() / torch.arange(1, TIME + 1)[:, None]
    torch.testing.assert_close(weights[0, 0], even)


def test_the_test_sees_such_a_leak():
    def leaky(x):
        scores = torch.zeros(TIME, TIME, dtype=F64)
        return scaled_dot_product_attention(0 * x, x, x, ~scores.triu(1).bool()[None])

    assert influence(leaky, draws(TIME, 8)).triu(1).any()


@fusing
def test_with_padding_on_the_left_nothing_leaks_either(fused):
    """The padded places see nothing at all, and nobody sees them."""
    attention = started(fused)
    mask = length_mask(torch.tensor([4]), TIME).flip(-1)  # two places of padding, then four of text
    found = influence(lambda x: attention(x, mask=mask, causal=True), draws(TIME, 8))
    allowed = causal_mask(TIME)[0] & mask[0]
    assert torch.equal(found > 0, allowed)


def test_a_text_alone_and_in_a_padded_batch_is_the_same():
    attention = started(False)
    x = draws(2, TIME, 8)
    batch = attention(x, mask=length_mask(torch.tensor([TIME, 4])), causal=True)
    torch.testing.assert_close(batch[1:, :4], attention(x[1:, :4], causal=True))
    both_ways = attention(x, mask=length_mask(torch.tensor([TIME, 4])))
    torch.testing.assert_close(both_ways[1:, :4], attention(x[1:, :4]))


def test_influence_of_a_linear_layer_is_its_matrix():
    mix = draws(4, 4)
    found = influence(lambda x: mix @ x, draws(4, 3))
    torch.testing.assert_close(
        found, mix.abs() * 3**0.5
    )  # the Jacobian of each pair is mix[i, j] times the identity
