"""Rotary positions against the two programs that made their two conventions, and against what the paper proves."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig
from transformers.models.gptj import modeling_gptj
from transformers.models.llama import modeling_llama

from lmcourse.embeddings.absolute import position_angles
from lmcourse.embeddings.rotary import interleaved_to_half, rotate

F64 = torch.float64
pairings = st.sampled_from(["interleaved", "half"])


def draws(*shape: int, seed: int = 0, dtype: torch.dtype = F64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def at(x: torch.Tensor, position: int, pairing: str) -> torch.Tensor:
    return rotate(x[None], position_angles(torch.tensor([position]), len(x)), pairing)[0]


@given(m=st.integers(0, 4000), n=st.integers(0, 4000), shift=st.integers(0, 100_000), pairing=pairings)
def test_the_dot_product_depends_on_distance_alone(m, n, shift, pairing):
    q, k = draws(16), draws(16, seed=1)
    here = at(q, m, pairing) @ at(k, n, pairing)
    there = at(q, m + shift, pairing) @ at(k, n + shift, pairing)
    torch.testing.assert_close(here, there, atol=1e-8, rtol=0)


def test_the_dot_product_does_depend_on_distance():
    q, k = draws(16), draws(16, seed=1)
    assert len({round((at(q, 0, "half") @ at(k, n, "half")).item(), 6) for n in range(20)}) == 20


@given(m=st.integers(0, 100_000), pairing=pairings)
def test_lengths_are_kept_and_position_zero_changes_nothing(m, pairing):
    x = draws(16)
    torch.testing.assert_close(at(x, m, pairing).norm(), x.norm())
    assert torch.equal(at(x, 0, pairing), x)


def test_half_split_is_that_of_llama():
    config = LlamaConfig(hidden_size=32, num_attention_heads=2, max_position_embeddings=64)
    q, k = draws(1, 2, 50, 16, dtype=torch.float32), draws(1, 2, 50, 16, seed=1, dtype=torch.float32)
    cos, sin = modeling_llama.LlamaRotaryEmbedding(config)(q, torch.arange(50)[None])
    theirs = modeling_llama.apply_rotary_pos_emb(q, k, cos, sin)
    angles = position_angles(torch.arange(50), 16)
    for ours, expected in zip((rotate(q, angles), rotate(k, angles)), theirs, strict=True):
        torch.testing.assert_close(ours, expected, atol=2e-5, rtol=0)  # their angles are float32


def test_interleaved_is_that_of_gptj():
    x = draws(1, 50, 2, 16, dtype=torch.float32)  # GPT-J has time before heads
    sin, cos = modeling_gptj.create_sinusoidal_positions(50, 16)[None].chunk(2, dim=-1)
    theirs = modeling_gptj.apply_rotary_pos_emb(x, sin, cos).transpose(1, 2)
    ours = rotate(x.transpose(1, 2), position_angles(torch.arange(50), 16), "interleaved")
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)


def test_a_permutation_carries_one_convention_into_the_other():
    x, angles = draws(3, 20, 10), position_angles(torch.arange(20), 10)
    order = interleaved_to_half(10)
    assert torch.equal(rotate(x, angles, "interleaved")[..., order], rotate(x[..., order], angles, "half"))
    assert not torch.allclose(rotate(x, angles, "interleaved"), rotate(x, angles, "half"))


@pytest.mark.parametrize("pairing", ["interleaved", "half"])
def test_gradients(pairing):
    angles = position_angles(torch.arange(3), 4)
    assert torch.autograd.gradcheck(lambda x: rotate(x, angles, pairing), draws(2, 3, 4).requires_grad_())


def test_bad_arguments_are_refused_by_name():
    angles = position_angles(torch.arange(3), 4)
    with pytest.raises(ValueError, match="'angles' must have d_head/2=3 columns, got 2"):
        rotate(draws(3, 6), angles)
    with pytest.raises((ValueError, TypeError), match="pairing"):
        rotate(draws(3, 4), angles, "neox")
