"""Norms, feed-forward network and blocks against torch's, in float64: outputs and gradients, the norm in front and behind."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lmcourse.attention import causal_mask, influence, length_mask
from lmcourse.embeddings import POSITION_SCHEMES, PositionConfig, position_scheme
from lmcourse.encoder_decoder import (
    ACTIVATIONS,
    BlockConfig,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    RMSNorm,
    Sublayer,
    layer_norm,
    load_torch_layer,
    make_norm,
    rms_norm,
)
from tests.attention.support import draws, gradients
from tests.encoder_decoder.support import randomize, unhurried

both_orders = pytest.mark.parametrize("order", ["pre", "post"])
fusing = pytest.mark.parametrize("fused", [False, True])


@unhurried
@given(d=st.integers(1, 9), eps=st.sampled_from([0.0, 1e-5, 0.1]), seed=st.integers(0, 99))
def test_the_norms_are_those_of_torch(d, eps, seed):
    x, weight, bias = (draws(*shape, seed=seed + n) for n, shape in enumerate([(2, 3, d), (d,), (d,)]))
    if d > 1 or eps:  # a single number has no variance
        torch.testing.assert_close(layer_norm(x, weight, bias, eps), F.layer_norm(x, (d,), weight, bias, eps))
    torch.testing.assert_close(rms_norm(x, weight, eps), F.rms_norm(x, (d,), weight, eps))


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_the_modules_are_the_functions(kind):
    norm, x = randomize(make_norm(kind, 6, eps=0.1)), draws(2, 3, 6)
    expected = rms_norm(x, norm.weight, 0.1) if kind == "rms" else layer_norm(x, norm.weight, norm.bias, 0.1)
    torch.testing.assert_close(norm(x), expected)
    assert torch.equal(make_norm(kind, 6).weight, torch.ones(6))


def test_norms_in_half_precision_are_nearly_those_in_double():
    norm = RMSNorm(64)
    x = 100 * draws(3, 64, dtype=torch.bfloat16)
    found = norm.bfloat16()(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), norm.double()(x.double()), atol=0.02, rtol=0.01)


def test_what_a_norm_does_not_see():
    x, ones, zeros = draws(2, 3, 6), torch.ones(6).double(), torch.zeros(6).double()
    same = layer_norm(x, ones, zeros, eps=0.0)
    torch.testing.assert_close(layer_norm(7 * x + 3, ones, zeros, eps=0.0), same)
    torch.testing.assert_close(rms_norm(7 * x, ones, eps=0.0), rms_norm(x, ones, eps=0.0))
    assert not torch.allclose(rms_norm(x + 3, ones, eps=0.0), rms_norm(x, ones, eps=0.0))
    torch.testing.assert_close(layer_norm(x[1:], ones, zeros, eps=0.0), same[1:])  # neither batch nor time
    torch.testing.assert_close(layer_norm(x[:, 1:], ones, zeros, eps=0.0), same[:, 1:])


THEIRS = {"relu": nn.ReLU(), "gelu": nn.GELU(), "gelu_tanh": nn.GELU(approximate="tanh"), "silu": nn.SiLU()}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_the_feed_forward_network_is_its_formula(name, bias):
    network, x = randomize(FeedForward(4, 6, name, bias)), draws(2, 3, 4)
    w1, w2 = network.up_proj, network.down_proj
    h = x @ w1.weight.T + (w1.bias if bias else 0)
    torch.testing.assert_close(network(x), THEIRS[name](h) @ w2.weight.T + (w2.bias if bias else 0))
    assert sum(p.numel() for p in network.parameters()) == 48 + 10 * bias


def test_a_sublayer_adds_and_norms_in_its_order():
    norm, x = randomize(nn.LayerNorm(4)), draws(2, 4)
    torch.testing.assert_close(Sublayer(norm, "pre")(x, torch.exp), x + norm(x).exp())
    torch.testing.assert_close(Sublayer(norm, "post")(x, torch.exp), norm(x + x.exp()))


@both_orders
def test_dropout_drops_only_what_is_added_and_only_while_training(order):
    layer, x = Sublayer(nn.Identity(), order, dropout=0.5), torch.ones(1000)
    torch.manual_seed(0)
    assert layer(x, lambda h: 2 * h).unique().tolist() == [1.0, 5.0]  # what stays is scaled by 1 / (1 - 0.5)
    assert layer.eval()(x, lambda h: 2 * h).unique().tolist() == [3.0]


def torch_layer(kind: type, order: str, activation: str = "relu", seed: int = 0) -> nn.Module:
    layer = kind(8, 2, 12, 0.0, activation, layer_norm_eps=0.01, batch_first=True, norm_first=order == "pre")
    return randomize(layer, seed)


def ours(kind: type, order: str, layer: nn.Module, fused: bool, activation: str = "relu"):
    block = kind(BlockConfig(8, 2, 12, order=order, activation=activation, eps=0.01, fused=fused)).double()
    load_torch_layer(block, layer)
    return block


@both_orders
@fusing
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@unhurried
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_the_encoder_block_is_that_of_torch(order, fused, activation, lengths, seed):
    theirs = torch_layer(nn.TransformerEncoderLayer, order, activation, seed)
    block = ours(EncoderBlock, order, theirs, fused, activation)
    time = max(lengths)
    x = draws(len(lengths), time, 8, seed=seed).requires_grad_()
    mask = length_mask(torch.tensor(lengths), time)
    expected = theirs(x, src_key_padding_mask=~mask[:, 0])
    found = block(x, mask)
    again, weights = block(x, mask, return_weights=True)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(again, expected)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    mine = gradients(found, x, block.feed_forward.up_proj.weight, block.around_attention.norm.weight)
    other = gradients(expected, x, theirs.linear1.weight, theirs.norm1.weight)
    torch.testing.assert_close(mine, other)


@both_orders
@fusing
@unhurried
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    time=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_the_decoder_block_is_that_of_torch(order, fused, lengths, time, seed):
    theirs = torch_layer(nn.TransformerDecoderLayer, order, seed=seed)
    block = ours(DecoderBlock, order, theirs, fused)
    x = draws(len(lengths), time, 8, seed=seed).requires_grad_()
    memory = draws(len(lengths), max(lengths), 8, seed=seed + 1).requires_grad_()
    mask = length_mask(torch.tensor(lengths))
    expected = theirs(x, memory, tgt_mask=~causal_mask(time)[0], memory_key_padding_mask=~mask[:, 0])
    found = block(x, memory, mask)
    torch.testing.assert_close(found, expected)
    attention = block.cross_attention
    mine = gradients(found, x, memory, block.around_cross_attention.norm.bias, attention.v_proj.weight)
    other = gradients(expected, x, memory, theirs.norm2.bias, theirs.multihead_attn.in_proj_weight)
    torch.testing.assert_close(mine, (*other[:3], other[3][-8:]))  # the last rows make the values


@both_orders
@fusing
@pytest.mark.parametrize("name", POSITION_SCHEMES)
def test_a_decoder_block_in_pieces_is_the_decoder_block_as_a_whole(order, fused, name):
    block = randomize(DecoderBlock(BlockConfig(8, 2, 12, order=order, fused=fused)))
    positions = randomize(position_scheme(name, PositionConfig(8, 2, 1, max_length=9, reach=3, n_buckets=4)))
    x, memory = draws(2, 6, 8), draws(2, 4, 8, seed=1)
    mask = length_mask(torch.tensor([4, 2]))
    options = {"positions": positions, "return_weights": True}
    whole = block(x, memory, mask, positions=positions)
    expected, _, (own, cross) = block.extend(x, block.start(memory), mask, **options)
    torch.testing.assert_close(expected, whole)
    cache, start = block.start(memory), 0
    for size in (1, 2, 1, 2):
        here = slice(start, start + size)
        found, cache, (own_here, cross_here) = block.extend(x[:, here], cache, mask, **options)
        start += size
        assert cache.length == start
        torch.testing.assert_close(found, whole[:, here])
        torch.testing.assert_close(own_here, own[:, :, here, :start])
        torch.testing.assert_close(cross_here, cross[:, :, here])
        assert not own[:, :, here, start:].any()


@both_orders
@fusing
def test_a_decoder_block_sees_no_later_place_and_all_of_the_memory(order, fused):
    block = randomize(DecoderBlock(BlockConfig(8, 2, 12, order=order, fused=fused)))
    x, memory = draws(5, 8), draws(4, 8, seed=1)
    own = influence(lambda x: block(x, memory[None]), x)
    assert not own.triu(1).any()
    assert own.tril()[causal_mask(5)[0]].min() > 1e-9
    mask = torch.tensor([[[True, True, False, True]]])
    cross = influence(lambda memory: block(x[None, :4], memory, mask), memory)
    assert not cross[:, 2].any()
    assert cross[:, [0, 1, 3]].min() > 1e-9


@both_orders
def test_an_encoder_block_looks_both_ways(order):
    block = randomize(EncoderBlock(BlockConfig(8, 2, 12, order=order)))
    assert influence(block, draws(5, 8)).min() > 1e-9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_norm("batch", 4), "'kind' must be one of .*'layer', 'rms'.*, got 'batch'"),
        (lambda: FeedForward(4, 0), "'d_ff' must be at least 1, got 0"),
        (lambda: FeedForward(4, 8, "tanh"), "'activation' must be one of .*, got 'tanh'"),
        (lambda: Sublayer(nn.Identity(), "middle"), "'order' must be one of .*, got 'middle'"),
        (lambda: EncoderBlock(BlockConfig(9, 2, 8)), "'d_model' must be a multiple of n_heads=2, got 9"),
        (
            lambda: load_torch_layer(
                EncoderBlock(BlockConfig(8, 2, 12)), torch_layer(nn.TransformerEncoderLayer, "post")
            ),
            "'block' must have the order 'post', as the layer, got 'pre'",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
