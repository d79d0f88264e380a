"""Multi-head attention against torch.nn.MultiheadAttention and torch's fused kernel: outputs, weights, gradients, float64."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lmcourse.attention import (
    MultiHeadAttention,
    MultiHeadConfig,
    causal_mask,
    combine_masks,
    length_mask,
    multi_head_attention,
)
from lmcourse.embeddings import POSITION_SCHEMES, PositionConfig, ProbeConfig, position_scheme
from lmcourse.embeddings.contextual import Attention as ProbeAttention
from tests.attention.support import coin_mask, draws, gradients, unhurried


def randomize(module: nn.Module, seed: int = 0) -> nn.Module:
    """Return the module in float64 with every parameter drawn anew, biases too."""
    module = module.double()
    with torch.no_grad():
        for n, parameter in enumerate(module.parameters()):
            parameter.copy_(0.5 * draws(*parameter.shape, seed=1000 * seed + n))
    return module


def theirs_and_ours(
    fused: bool = False, seed: int = 0, **options
) -> tuple[nn.MultiheadAttention, MultiHeadAttention]:
    theirs = randomize(nn.MultiheadAttention(batch_first=True, **options), seed)
    return theirs, MultiHeadAttention.from_torch(theirs, fused=fused)


def in_their_order(ours: MultiHeadAttention, grads: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return our gradients under torch's names: one matrix for all three where the inputs are equally wide, else three."""
    names = [f"{n}_proj" for n in "qkv"]
    matrices = [grads[f"{n}.weight"] for n in names]
    found = {f"{n}_weight": matrix for n, matrix in zip(names, matrices, strict=True)}
    if len({matrix.shape for matrix in matrices}) == 1:
        found = {"in_proj_weight": torch.cat(matrices)}
    found["out_proj.weight"] = grads["out_proj.weight"]
    if ours.config.bias:
        found["in_proj_bias"] = torch.cat([grads[f"{n}.bias"] for n in names])
        found["out_proj.bias"] = grads["out_proj.bias"]
    return found


def compare(theirs, ours, query, key, value, mask, causal=False, self_attention=False):
    """Hold outputs, weights and all gradients of ours against those of torch's module."""
    wanted_mask = combine_masks(mask, causal_mask(query.shape[1]) if causal else None)
    their_mask = None
    if wanted_mask is not None:
        full = wanted_mask.expand(len(query), query.shape[1], key.shape[1])
        their_mask = ~full.repeat_interleave(
            theirs.num_heads, dim=0
        )  # True = may NOT look, one for each head
    expected, expected_weights = theirs(query, key, value, attn_mask=their_mask, average_attn_weights=False)
    inputs = (query,) if self_attention else (query, key, value)
    output = ours(*inputs, mask=mask, causal=causal)
    again, weights = ours(*inputs, mask=mask, causal=causal, return_weights=True)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(again, expected)
    torch.testing.assert_close(weights, expected_weights)
    leaves = [query] if self_attention else [query, key, value]
    names = dict(ours.named_parameters())
    found = gradients(output, *leaves, *names.values())
    their_names = dict(theirs.named_parameters())
    wanted = gradients(expected, *leaves, *their_names.values())
    for mine, other in zip(found[: len(leaves)], wanted[: len(leaves)], strict=True):
        torch.testing.assert_close(mine, other)
    mine = in_their_order(ours, dict(zip(names, found[len(leaves) :], strict=True)))
    for name, other in zip(their_names, wanted[len(leaves) :], strict=True):
        # (The key's bias moves all scores of a row alike: its true gradient is 0.)
        torch.testing.assert_close(mine[name], other, atol=1e-10, rtol=1e-7)


fusing = pytest.mark.parametrize("fused", [False, True])


@fusing
@unhurried
@given(
    heads=st.sampled_from([1, 2, 3]),
    d_head=st.integers(1, 4),
    batch=st.integers(1, 3),
    time=st.integers(1, 6),
    causal=st.booleans(),
    padded=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_self_attention_is_that_of_torch(fused, heads, d_head, batch, time, causal, padded, bias, seed):
    theirs, ours = theirs_and_ours(fused, seed, embed_dim=heads * d_head, num_heads=heads, bias=bias)
    x = draws(batch, time, heads * d_head, seed=seed).requires_grad_()
    lengths = torch.randint(1, time + 1, (batch,), generator=torch.Generator().manual_seed(seed))
    mask = length_mask(lengths, time) if padded else None
    compare(theirs, ours, x, x, x, mask, causal, self_attention=True)


@fusing
@unhurried
@given(
    heads=st.sampled_from([1, 2]),
    widths=st.sampled_from([(4, 4), (3, 5), (4, 6)]),
    query=st.integers(1, 5),
    key=st.integers(1, 5),
    masked=st.booleans(),
    seed=st.integers(0, 99),
)
def test_cross_attention_is_that_of_torch(fused, heads, widths, query, key, masked, seed):
    """Keys and values of widths of their own, other lengths, arbitrary masks in which each query sees something."""
    d_key, d_value = widths
    theirs, ours = theirs_and_ours(fused, seed, embed_dim=4, num_heads=heads, kdim=d_key, vdim=d_value)
    asks = draws(2, query, 4, seed=seed).requires_grad_()
    keys = draws(2, key, d_key, seed=seed + 1).requires_grad_()
    values = draws(2, key, d_value, seed=seed + 2).requires_grad_()
    mask = coin_mask(2, query, key, seed=seed) if masked else None
    if masked:
        mask[..., seed % key] = True
    compare(theirs, ours, asks, keys, values, mask)


@fusing
def test_values_are_made_from_the_keys_unless_they_are_given(fused):
    attention = randomize(MultiHeadAttention(MultiHeadConfig(4, 2, d_key=6, fused=fused)))
    x, memory = draws(2, 3, 4), draws(2, 5, 6, seed=1)
    torch.testing.assert_close(attention(x, memory), attention(x, memory, memory))
    assert not torch.allclose(attention(x, memory), attention(x, memory, memory.flip(1)))


@fusing
def test_a_query_that_sees_nothing_gets_the_bias_of_the_output(fused):
    """Where torch's module gives NaN."""
    theirs, ours = theirs_and_ours(fused, embed_dim=6, num_heads=2)
    x = draws(2, 4, 6).requires_grad_()
    mask = torch.ones(2, 4, 4, dtype=torch.bool)
    mask[1, 2] = False
    output = ours(x, mask=mask)
    torch.testing.assert_close(output[1, 2], ours.out_proj.bias)
    assert all(g.isfinite().all() for g in gradients(output, x, *ours.parameters()))
    expected, _ = theirs(x, x, x, attn_mask=~mask.repeat_interleave(2, dim=0))
    seen = torch.ones(2, 4, dtype=torch.bool)
    seen[1, 2] = False
    assert expected[1, 2].isnan().all()
    torch.testing.assert_close(output[seen], expected[seen])


# Grouped heads


@fusing
@pytest.mark.parametrize("kv_heads", [1, 2, 3, 6])
def test_grouped_heads_are_those_of_torchs_kernel(fused, kv_heads):
    q = draws(2, 6, 5, 4).requires_grad_()
    k, v = (
        draws(2, kv_heads, 7, 4, seed=1).requires_grad_(),
        draws(2, kv_heads, 7, 4, seed=2).requires_grad_(),
    )
    mask = coin_mask(2, 5, 7, p=0.7)
    mask[1, 3] = False
    ours = multi_head_attention(q, k, v, mask, fused=fused)
    theirs = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None], enable_gqa=True)
    torch.testing.assert_close(ours, theirs)
    for mine, other in zip(gradients(ours, q, k, v), gradients(theirs, q, k, v), strict=True):
        torch.testing.assert_close(mine, other)


@fusing
def test_grouped_heads_are_full_heads_with_repeated_matrices(fused):
    """Heads 0 and 1 share the first keys and values, 2 and 3 the second."""
    grouped = randomize(MultiHeadAttention(MultiHeadConfig(8, 4, n_kv_heads=2, fused=fused)))
    full = MultiHeadAttention(MultiHeadConfig(8, 4)).double()
    state = grouped.state_dict()
    for name in ("k_proj.weight", "k_proj.bias", "v_proj.weight", "v_proj.bias"):
        state[name] = state[name].unflatten(0, (2, 2)).repeat_interleave(2, dim=0).flatten(0, 1)
    full.load_state_dict(state)
    x = draws(2, 5, 8)
    torch.testing.assert_close(grouped(x, causal=True), full(x, causal=True))
    assert grouped.k_proj.weight.shape == (4, 8)


def test_heads_may_have_a_size_of_their_own():
    attention = MultiHeadAttention(MultiHeadConfig(d_model=6, n_heads=4, d_head=5))
    assert attention.q_proj.weight.shape == (20, 6)
    assert attention(torch.zeros(1, 3, 6)).shape == (1, 3, 6)


# Fused against written out


@unhurried
@given(
    kv_heads=st.sampled_from([1, 2, 4]),
    time=st.integers(1, 6),
    causal=st.booleans(),
    mask_kind=st.sampled_from(["none", "padding", "coins"]),
    biased=st.booleans(),
    seed=st.integers(0, 999),
)
def test_the_kernel_and_the_written_out_way_agree(kv_heads, time, causal, mask_kind, biased, seed):
    """Forward and backward, with every combination of masks and bias, rows that see nothing among them."""
    q = draws(2, 4, time, 3, seed=seed).requires_grad_()
    k, v = (draws(2, kv_heads, time, 3, seed=seed + n).requires_grad_() for n in (1, 2))
    mask = {
        "none": None,
        "padding": length_mask(torch.tensor([time, seed % (time + 1)]), time),
        "coins": coin_mask(2, time, time, seed=seed),
    }[mask_kind]
    bias = draws(1, 4, time, time, seed=seed + 3).requires_grad_() if biased else None
    leaves = (q, k, v, bias) if biased else (q, k, v)
    ours, theirs = (
        multi_head_attention(q, k, v, mask, causal=causal, bias=bias, fused=f) for f in (False, True)
    )
    torch.testing.assert_close(ours, theirs)
    for mine, other in zip(gradients(ours, *leaves), gradients(theirs, *leaves), strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@fusing
def test_lower_precision_is_near_double(dtype, fused):
    exact = randomize(MultiHeadAttention(MultiHeadConfig(32, 4, n_kv_heads=2, fused=fused)))
    x, mask = draws(2, 20, 32), length_mask(torch.tensor([20, 7]))
    expected = exact(x, mask=mask, causal=True)
    found = exact.to(dtype)(x.to(dtype), mask=mask, causal=True)
    assert found.dtype == dtype
    relative = ((found.double() - expected).norm() / expected.norm()).item()
    assert relative < {torch.float32: 1e-5, torch.bfloat16: 0.05}[dtype]


# Positions


@fusing
@pytest.mark.parametrize("name", POSITION_SCHEMES)
def test_position_schemes_act_as_in_the_probe_of_chapter_02(name, fused):
    """The same weights and scheme in the layer of chapter 02, which is built on torch's kernel."""
    sizes = PositionConfig(d_model=12, n_heads=3, n_layers=2, reach=3, n_buckets=4)
    scheme = randomize(position_scheme(name, sizes))
    probe = randomize(ProbeAttention(ProbeConfig(vocab_size=2, d_model=12, n_heads=3)), seed=2)
    ours = MultiHeadAttention(MultiHeadConfig(12, 3, fused=fused)).double()
    weights = zip(
        (ours.q_proj, ours.k_proj, ours.v_proj),
        probe.qkv.weight.chunk(3),
        probe.qkv.bias.chunk(3),
        strict=True,
    )
    with torch.no_grad():
        for projection, weight, bias in (*weights, (ours.out_proj, probe.out.weight, probe.out.bias)):
            projection.weight.copy_(weight)
            projection.bias.copy_(bias)
    x = draws(2, 7, 12)
    for layer in (0, 1):
        expected = probe(x, scheme, layer)
        torch.testing.assert_close(ours(x, causal=True, positions=scheme, layer=layer), expected)


@fusing
def test_rotary_positions_turn_grouped_keys(fused):
    """Turning shared keys once is turning each copy of them."""
    scheme = position_scheme("rope", PositionConfig(8, 4, 1))
    grouped = randomize(MultiHeadAttention(MultiHeadConfig(8, 4, n_kv_heads=2, fused=fused)))
    x = draws(2, 5, 8)
    q, k, v = (
        p(x).unflatten(-1, (-1, 2)).transpose(1, 2) for p in (grouped.q_proj, grouped.k_proj, grouped.v_proj)
    )
    k, v = k.repeat_interleave(2, dim=1), v.repeat_interleave(2, dim=1)
    heads = F.scaled_dot_product_attention(scheme.turn(q), scheme.turn(k), v, is_causal=True)
    expected = grouped.out_proj(heads.transpose(1, 2).flatten(-2))
    torch.testing.assert_close(grouped(x, causal=True, positions=scheme), expected)


# Pieces of a text


@pytest.mark.parametrize("name", POSITION_SCHEMES)
@fusing
def test_the_last_places_alone_see_what_they_see_in_the_whole(name, fused):
    """Keys and values of the first places kept, those of the last added: what `forward` gives for the whole text."""
    torch.manual_seed(0)
    scheme = position_scheme(name, PositionConfig(8, 4, 1)).double()
    layer = randomize(MultiHeadAttention(MultiHeadConfig(8, 4, fused=fused))).double()
    x = draws(2, 6, 8).double()
    whole = layer(x, causal=True, positions=scheme)
    k, v = layer.keys_and_values(x[:, :2], positions=scheme)
    for start, end in ((2, 5), (5, 6)):
        piece = x[:, start:end]
        more_k, more_v = layer.keys_and_values(piece, positions=scheme, start=start)
        k, v = torch.cat([k, more_k], 2), torch.cat([v, more_v], 2)
        bias = scheme.bias(layer.queries(piece), 0, start)
        seen = layer.look(layer.queries(piece, scheme, start), k, v, causal=True, bias=bias)
        torch.testing.assert_close(seen, whole[:, start:end])


@fusing
def test_the_scale_may_be_chosen(fused):
    layer = randomize(MultiHeadAttention(MultiHeadConfig(8, 2, scale=1.0, fused=fused)))
    half = randomize(MultiHeadAttention(MultiHeadConfig(8, 2, scale=0.5, fused=fused)))
    half.load_state_dict(layer.state_dict())
    x = draws(1, 5, 8)
    assert not torch.allclose(layer(x), half(x))
    with torch.no_grad():
        half.q_proj.weight *= 2
        half.q_proj.bias *= 2
    torch.testing.assert_close(layer(x), half(x))


# Arguments


def test_the_same_seed_gives_the_same_layer():
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(MultiHeadAttention(MultiHeadConfig(4, 2))(torch.ones(1, 2, 4)))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


layer = MultiHeadAttention(MultiHeadConfig(4, 2))
x = torch.zeros(2, 3, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MultiHeadConfig(10, 3), "'d_model' must be a multiple of n_heads=3, got 10"),
        (lambda: MultiHeadConfig(12, 4, n_kv_heads=3), "'n_kv_heads' must divide n_heads=4, got 3"),
        (lambda: MultiHeadConfig(12, 0), "'n_heads' must be at least 1, got 0"),
        (lambda: MultiHeadConfig(12, 4, n_kv_heads=0), "'n_kv_heads' must be at least 1, got 0"),
        (lambda: layer(x, x, causal=True), "'causal' must only be given without 'key'"),
        (
            lambda: layer(x, x, positions=position_scheme("none", PositionConfig(4, 2, 1))),
            "'positions' must only be given without 'key'",
        ),
        (
            lambda: layer(x, mask=torch.ones(3, 3).bool()),
            r"'mask' must broadcast to \(2, 3, 3\), axis for axis, got \(3, 3\)",
        ),
        (lambda: layer(x, mask=torch.ones(2, 3, 4).bool()), r"got \(2, 3, 4\)"),
        (lambda: layer(x, mask=torch.ones(2, 1, 3)), "mask"),
        (
            lambda: MultiHeadAttention.from_torch(nn.MultiheadAttention(4, 2, add_zero_attn=True)),
            "'module' must be made without add_bias_kv and add_zero_attn",
        ),
        (
            lambda: MultiHeadAttention.from_torch(nn.MultiheadAttention(4, 2, add_bias_kv=True)),
            "'module' must be made without add_bias_kv and add_zero_attn",
        ),
        (
            lambda: multi_head_attention(draws(1, 4, 2, 2), draws(1, 3, 2, 2), draws(1, 3, 2, 2)),
            "'k' must have a number of heads that divides 4, got 3",
        ),
        (
            lambda: multi_head_attention(
                draws(1, 2, 3, 2), draws(1, 2, 2, 2), draws(1, 2, 2, 2), causal=True
            ),
            "'causal' needs a key for each of 3 queries, got 2 keys",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
