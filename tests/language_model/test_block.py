"""The block by the papers' formulas: the gate, the norm, the order of both, what may be seen."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lmcourse.attention import causal_mask, influence
from lmcourse.embeddings import position_scheme
from lmcourse.language_model import Block, GatedFeedForward, LanguageModelConfig
from tests.language_model.support import EVERY, VOCAB, model_of

TIME = 6


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def with_places(variant: str, fused: bool):
    """A block of the model and what it calls: `layer` alone of the whole model."""
    stack = model_of(variant, fused).stack
    return lambda x: stack.blocks[1](x, layer=1, positions=stack.positions)


@pytest.mark.parametrize("bias", [False, True])
def test_the_gated_network_is_shazeers_equation_6(bias):
    network = GatedFeedForward(4, 6, bias).double()
    x = draws(2, 3, 4)
    gate, up, down = (dict(network.named_children())[f"{n}_proj"] for n in ("gate", "up", "down"))
    g = x @ gate.weight.T + (gate.bias if bias else 0)
    u = x @ up.weight.T + (up.bias if bias else 0)
    expected = (g / (1 + torch.exp(-g)) * u) @ down.weight.T + (down.bias if bias else 0)
    torch.testing.assert_close(network(x), expected)


def test_a_block_of_gpt2s_kind_is_torchs_encoder_layer_with_a_causal_mask():
    """Pre-norm, LayerNorm, tanh-free GELU: what torch has too. The positions are added before the blocks."""
    block = model_of("gpt2", feed_forward="gelu").stack.blocks[0]
    theirs = nn.TransformerEncoderLayer(
        16, 4, 64, dropout=0.0, activation=F.gelu, batch_first=True, norm_first=True
    ).double()
    ours = block.attention
    with torch.no_grad():
        projections = (ours.q_proj, ours.k_proj, ours.v_proj)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
    theirs.self_attn.out_proj.load_state_dict(ours.out_proj.state_dict())
    theirs.norm1.load_state_dict(block.around_attention.norm.state_dict())
    theirs.norm2.load_state_dict(block.around_feed_forward.norm.state_dict())
    theirs.linear1.load_state_dict(block.feed_forward.up_proj.state_dict())
    theirs.linear2.load_state_dict(block.feed_forward.down_proj.state_dict())
    x = draws(2, TIME, 16)
    future = nn.Transformer.generate_square_subsequent_mask(TIME, dtype=torch.float64)
    torch.testing.assert_close(block(x), theirs(x, src_mask=future))


def test_a_block_of_llamas_kind_is_what_its_paper_says():
    """x + attention(rms(x)), then + swiglu(rms(x)), by hand: one head of keys for four of queries, no positions here."""
    block = model_of("llama").stack.blocks[0]
    x = draws(1, TIME, 16)

    def rms(x, norm):
        return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * norm.weight

    h = rms(x, block.around_attention.norm)
    q = (h @ block.attention.q_proj.weight.T).view(1, TIME, 4, 4)
    k, v = (h @ p.weight.T for p in (block.attention.k_proj, block.attention.v_proj))
    scores = torch.einsum("bqhd,bkd->bhqk", q, k) / 2
    weights = scores.masked_fill(~causal_mask(TIME)[:, None], -torch.inf).softmax(-1)
    seen = torch.einsum("bhqk,bkd->bqhd", weights, v).flatten(2)
    y = x + seen @ block.attention.out_proj.weight.T
    ff = block.feed_forward
    h = rms(y, block.around_feed_forward.norm)
    expected = y + (F.silu(h @ ff.gate_proj.weight.T) * (h @ ff.up_proj.weight.T)) @ ff.down_proj.weight.T
    found, found_weights = block(x, return_weights=True)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found_weights, weights)
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize(("variant", "fused"), EVERY)
def test_no_place_sees_a_later_one_and_each_sees_all_before_it(variant, fused):
    found = influence(with_places(variant, fused), draws(TIME, 16))
    assert not found.triu(1).any()
    assert found[np.tril_indices(TIME)].min() > 1e-9


def test_without_causal_every_place_sees_all():
    block = model_of("post", causal=False).stack.blocks[0]
    assert influence(block, draws(TIME, 16)).min() > 1e-9


@pytest.mark.parametrize("variant", ["default", "gpt2", "alibi"])
def test_written_out_and_fused_give_the_same(variant):
    x = draws(2, TIME, 16)
    torch.testing.assert_close(with_places(variant, False)(x), with_places(variant, True)(x))


def test_a_mask_hides_padding():
    block = model_of("default").stack.blocks[0]
    x, mask = draws(1, TIME, 16), torch.ones(1, 1, TIME, dtype=torch.bool)
    mask[..., 2] = False
    changed = x.clone()
    changed[:, 2] += 1
    seen, other = block(x, mask=mask), block(changed, mask=mask)
    assert torch.equal(seen[:, [0, 1, 3, 4, 5]], other[:, [0, 1, 3, 4, 5]])


def test_dropout_acts_in_training_only():
    block = Block(LanguageModelConfig(VOCAB, d_model=16, dropout=0.5)).eval()
    x = torch.randn(1, TIME, 16)
    assert torch.equal(block(x), block(x))
    block.train()
    assert not torch.equal(block(x), block(x))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm": "batch"}, "'norm' must be one of layer, rms, got 'batch'"),
        ({"order": "mid"}, "'order' must be one of pre, post"),
        ({"feed_forward": "tanh"}, "'feed_forward' must be one of swiglu, relu"),
        ({"positions": "sin"}, "'positions' must be one of none, sinusoidal"),
        ({"d_ff": 0}, "'d_ff' must be at least 1, got 0"),
        ({"n_layers": 0}, "'n_layers' must be at least 1"),
        ({"max_length": 0}, "'max_length' must be at least 1"),
        ({"dropout": 1.0}, "'dropout' must be from 0 to below 1"),
        ({"std": 0.0}, "'std' must be above 0"),
        ({"d_model": 10}, "'d_model' must be a multiple of n_heads=4"),
        ({"n_kv_heads": 3}, "'n_kv_heads' must divide n_heads=4"),
    ],
)
def test_bad_sizes_and_names_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        LanguageModelConfig(VOCAB, **change)


def test_position_schemes_get_the_sizes_of_the_model():
    config = LanguageModelConfig(VOCAB, d_model=32, n_heads=2, n_layers=5, max_length=7, base=99.0)
    scheme = position_scheme("learned", config.places)
    assert scheme.positions.table.weight.shape == (7, 32)
    assert (config.places.n_layers, config.places.base) == (5, 99.0)
