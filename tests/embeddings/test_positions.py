"""Absolute and relative positions against closed forms and the `transformers` library, and all schemes behind one face."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BloomConfig, T5Config
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.gptj.modeling_gptj import create_sinusoidal_positions
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor
from transformers.models.t5.modeling_t5 import T5Attention

from lmcourse.embeddings.absolute import LearnedPositions, frequencies, shift_matrix, sinusoidal_positions
from lmcourse.embeddings.alibi import alibi_bias, alibi_slopes
from lmcourse.embeddings.positions import POSITION_SCHEMES, PositionConfig, position_scheme
from lmcourse.embeddings.relative import relative_positions, shaw_scores, t5_bias, t5_buckets
from lmcourse.embeddings.rotary import interleaved_to_half

F64 = torch.float64
CONFIG = PositionConfig(d_model=16, n_heads=2, n_layers=3, max_length=12, reach=5, n_buckets=8)


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


# Absolute


@given(p=st.integers(0, 5000), pair=st.integers(0, 7), base=st.sampled_from([100.0, 10_000.0]))
def test_sinusoids_follow_the_papers_formula(p, pair, base):
    row = sinusoidal_positions(torch.tensor([p]), 16, base)[0]
    angle = p / base ** (2 * pair / 16)
    assert math.isclose(row[2 * pair], math.sin(angle), abs_tol=1e-9)
    assert math.isclose(row[2 * pair + 1], math.cos(angle), abs_tol=1e-9)


def test_sinusoids_are_those_of_transformers_in_another_order():
    theirs = create_sinusoidal_positions(100, 32)  # all sines, then all cosines; float32
    ours = sinusoidal_positions(torch.arange(100), 32)[:, interleaved_to_half(32)]
    torch.testing.assert_close(
        ours.float(), theirs, atol=1e-5, rtol=0
    )  # their angles are float32: 100 * 2^-24


@given(p=st.integers(0, 300), k=st.integers(-300, 300))
def test_a_shift_is_one_rotation_whatever_the_position(p, k):
    here, there = sinusoidal_positions(torch.tensor([p, p + k]), 12)
    matrix = shift_matrix(k, 12)
    torch.testing.assert_close(matrix @ here, there, atol=1e-10, rtol=0)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(12, dtype=F64))
    torch.testing.assert_close(matrix.T, shift_matrix(-k, 12))


def test_learned_positions_are_a_table_that_ends():
    positions = LearnedPositions(max_length=6, d_model=4)
    assert torch.equal(positions(torch.tensor([5, 2])), positions.table.weight[[5, 2]])
    with pytest.raises(ValueError, match="'positions' must be below max_length=6, .* got 0 to 6"):
        positions(torch.arange(7))


# Relative


def test_shaw_scores_are_the_dot_products_with_one_vector_for_each_pair():
    q, table = draws(2, 3, 9, 4), draws(3, 5, 4, seed=1)
    scores = shaw_scores(q, table, relative_positions(torch.arange(9), torch.arange(9)))
    for i in range(9):
        for j in range(9):
            vector = table[:, min(max(j - i, -2), 2) + 2]  # (heads, d_head)
            expected = (q[:, :, i] * vector).sum(-1) / math.sqrt(4)
            torch.testing.assert_close(scores[:, :, i, j], expected)


def test_shaw_scores_have_the_right_gradients():
    relative = relative_positions(torch.arange(4), torch.arange(4))
    q, table = draws(1, 2, 4, 3).requires_grad_(), draws(2, 3, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda q, table: shaw_scores(q, table, relative), (q, table))


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("n_buckets", "max_distance"), [(32, 128), (8, 20), (16, 1000), (4, 3)])
def test_buckets_are_those_of_t5(bidirectional, n_buckets, max_distance):
    relative = torch.arange(-1200, 1201)[None]
    theirs = T5Attention._relative_position_bucket(relative, bidirectional, n_buckets, max_distance)
    ours = t5_buckets(relative, n_buckets, max_distance, bidirectional)
    assert torch.equal(ours, theirs)
    assert ours.min() == 0
    assert ours.max() == n_buckets - 1


@pytest.mark.parametrize("decoder", [True, False])
def test_the_bias_is_that_of_t5(decoder):
    t5 = T5Config(d_model=8, num_heads=3, d_kv=4, is_decoder=decoder)
    theirs = T5Attention(t5, has_relative_attention_bias=True, layer_idx=0)
    relative = relative_positions(torch.arange(40), torch.arange(40))
    table = theirs.relative_attention_bias.weight
    with torch.no_grad():
        table.normal_(
            generator=torch.Generator().manual_seed(0)
        )  # the library leaves it as it found the memory
    ours = t5_bias(table, t5_buckets(relative, bidirectional=not decoder))
    assert torch.equal(ours[None], theirs.compute_bias(40, 40))


@pytest.mark.parametrize("n_heads", [1, 2, 3, 5, 6, 8, 12, 16, 71, 112])
def test_slopes_are_those_of_bloom_and_mpt(n_heads):
    mask = torch.ones(1, 7, dtype=torch.long)
    bloom = build_alibi_tensor(mask, n_heads, torch.float32)[
        :, 0
    ]  # slope * key position: equal but for a shift of each row
    ours = alibi_bias(alibi_slopes(n_heads).float(), relative_positions(torch.arange(7), torch.arange(7)))
    torch.testing.assert_close(ours[:, -1], bloom - bloom[:, -1:], rtol=1e-5, atol=1e-6)
    mpt = build_mpt_alibi_tensor(n_heads, 7)[:, 0]
    torch.testing.assert_close(ours[:, -1], mpt, rtol=1e-5, atol=1e-6)
    assert BloomConfig().n_head == len(alibi_slopes(BloomConfig().n_head))


# All schemes


@pytest.mark.parametrize("name", [n for n in POSITION_SCHEMES if n not in ("sinusoidal", "learned")])
def test_scores_of_relative_schemes_depend_on_distance_alone(name):
    """With one and the same query and key everywhere, a score is a function of j - i."""
    scheme = _started(name)
    q = draws(1, 2, 1, 8).expand(1, 2, 12, 8)
    k = draws(1, 2, 1, 8, seed=1).expand(1, 2, 12, 8)
    bias = scheme.bias(q, layer=2)
    turned_q, turned_k = scheme.turn(q), scheme.turn(k)
    scores = turned_q @ turned_k.mT / math.sqrt(8) + (0 if bias is None else bias)
    torch.testing.assert_close(scores[..., 1:, 1:], scores[..., :-1, :-1])
    same_everywhere = torch.allclose(scores, scores[..., :1, :1].expand_as(scores))
    assert same_everywhere == (name == "none")


@pytest.mark.parametrize("name", POSITION_SCHEMES)
def test_a_scheme_acts_in_the_one_place_it_says(name):
    scheme = _started(name)
    x, q, k = draws(1, 5, 16), draws(1, 2, 5, 8), draws(1, 2, 5, 8, seed=1)
    turned_q, turned_k = scheme.turn(q), scheme.turn(k)
    acts = {
        "embed": not torch.equal(scheme.embed(x), x),
        "turn": not (torch.equal(turned_q, q) and torch.equal(turned_k, k)),
        "bias": scheme.bias(q, 0) is not None,
    }
    place = {"sinusoidal": "embed", "learned": "embed", "rope": "turn", "none": None}.get(name, "bias")
    assert [p for p, does in acts.items() if does] == ([place] if place else [])


@pytest.mark.parametrize("name", POSITION_SCHEMES)
def test_a_text_may_come_in_pieces(name):
    """The last two of five places, told where they start, are treated as they are within the whole text."""
    scheme = _started(name)
    x, q = draws(1, 5, 16), draws(1, 2, 5, 8)
    torch.testing.assert_close(scheme.embed(x[:, 3:], start=3), scheme.embed(x)[:, 3:])
    torch.testing.assert_close(scheme.turn(q[:, :, 3:], start=3), scheme.turn(q)[:, :, 3:])
    whole, piece = scheme.bias(q, 1), scheme.bias(q[:, :, 3:], 1, start=3)
    if whole is None:
        assert piece is None
    else:
        torch.testing.assert_close(piece, whole[:, :, 3:])


def test_shaw_has_tables_for_each_layer_and_t5_one_for_all():
    q = draws(1, 2, 5, 8)
    shaw, t5 = _started("shaw"), _started("t5")
    assert not torch.allclose(shaw.bias(q, 0), shaw.bias(q, 1))
    assert torch.equal(t5.bias(q, 0), t5.bias(q, 1))


def _started(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    scheme = position_scheme(name, CONFIG).double()
    for parameter in scheme.parameters():
        torch.nn.init.normal_(parameter)
    return scheme


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: frequencies(5), "'d' must be even and at least 2, .* got 5"),
        (lambda: frequencies(4, base=1.0), "'base' must be above 1, got 1.0"),
        (lambda: alibi_slopes(0), "'n_heads' must be at least 1, got 0"),
        (lambda: t5_buckets(torch.zeros(1, 1, dtype=torch.long), 3), "'n_buckets' must be at least 4, got 3"),
        (
            lambda: t5_buckets(torch.zeros(1, 1, dtype=torch.long), 32, 8),
            "'max_distance' must be above 8, .* got 8",
        ),
        (
            lambda: shaw_scores(draws(1, 1, 1, 2), draws(1, 4, 2), torch.zeros(1, 1, dtype=torch.long)),
            "'table' must hold 2k \\+ 1 distances, an odd number, got 4",
        ),
        (lambda: position_scheme("rotary", CONFIG), "'name' must be one of none, .*, got 'rotary'"),
        (lambda: PositionConfig(10, 3, 1), "'d_model' must be a multiple of n_heads=3, got 10"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
