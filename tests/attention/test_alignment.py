"""Additive and multiplicative attention against loops over the papers' formulas, and their decoder steps one by one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lmcourse.attention import AdditiveAttention, MultiplicativeAttention, length_mask
from tests.attention.support import F64, draws, gradients, unhurried

KINDS = {
    "additive": lambda: AdditiveAttention(d_state=3, d_memory=4, d_attention=5),
    "general": lambda: MultiplicativeAttention(d_state=3, d_memory=4, score="general"),
    "dot": lambda: MultiplicativeAttention(d_state=3, d_memory=3, score="dot"),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def started(kind: str) -> tuple[nn.Module, int]:
    """Return a module of this kind with random weights, in float64, and the length of its memory's vectors."""
    module = KINDS[kind]().double()
    with torch.no_grad():
        for n, parameter in enumerate(module.parameters()):
            parameter.copy_(draws(*parameter.shape, seed=50 + n))
    return module, 3 if kind == "dot" else 4


def paper_score(kind: str, module: nn.Module, s: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """Return the score of one state and one source place, from the module's weights."""
    if kind == "additive":
        return module.v @ torch.tanh(module.W.weight @ s + module.U.weight @ h)
    return s @ module.W.weight @ h if kind == "general" else s @ h


@kinds
@unhurried
@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    steps=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_weights_and_contexts_are_those_of_the_papers(kind, lengths, steps, seed):
    """Each sentence by itself, without padding, pair by pair."""
    module, d_memory = started(kind)
    states, memory = draws(len(lengths), steps, 3, seed=seed), draws(len(lengths), 5, d_memory, seed=seed + 1)
    context, weights = module(states, memory, length_mask(torch.tensor(lengths), 5))
    assert context.shape == (len(lengths), steps, d_memory)
    assert weights.shape == (len(lengths), steps, 5)
    for b, n in enumerate(lengths):
        for t in range(steps):
            scores = torch.stack([paper_score(kind, module, states[b, t], memory[b, j]) for j in range(n)])
            expected = scores.exp() / scores.exp().sum()
            torch.testing.assert_close(weights[b, t, :n], expected)
            assert not weights[b, t, n:].any()
            torch.testing.assert_close(context[b, t], expected @ memory[b, :n])


@kinds
def test_padding_changes_nothing_and_learns_nothing(kind):
    module, d_memory = started(kind)
    states, memory = draws(2, 4, 3), draws(2, 6, d_memory, seed=1).requires_grad_()
    mask = length_mask(torch.tensor([6, 2]))
    context, _ = module(states, memory, mask)
    changed = memory.detach().clone()
    changed[1, 2:] = 1e3 * draws(4, d_memory, seed=2)
    assert torch.equal(module(states, changed, mask)[0], context)
    (gradient,) = gradients(context, memory)
    assert not gradient[1, 2:].any()
    assert gradient[1, :2].all()


@kinds
def test_all_steps_at_once_are_the_steps_one_by_one(kind):
    module, d_memory = started(kind)
    states, memory = draws(2, 7, 3), draws(2, 5, d_memory, seed=1)
    mask = length_mask(torch.tensor([3, 5]))
    together = module(states, memory, mask)
    singly = [module(states[:, t : t + 1], memory, mask) for t in range(7)]
    for n in (0, 1):
        torch.testing.assert_close(together[n], torch.cat([step[n] for step in singly], dim=1))


@kinds
def test_a_source_of_padding_only_gives_zeros(kind):
    module, d_memory = started(kind)
    memory = draws(2, 5, d_memory).requires_grad_()
    context, weights = module(draws(2, 2, 3), memory, length_mask(torch.tensor([5, 0])))
    assert not context[1].any()
    assert not weights[1].any()
    assert gradients(context, memory)[0].isfinite().all()


@kinds
def test_gradients_are_right_by_finite_differences(kind):
    module, d_memory = started(kind)
    states, memory = draws(2, 2, 3).requires_grad_(), draws(2, 3, d_memory, seed=1).requires_grad_()
    mask = length_mask(torch.tensor([3, 1]))
    names = [name for name, _ in module.named_parameters()]

    def run(states, memory, *parameters):
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(module, given, (states, memory, mask))

    assert torch.autograd.gradcheck(run, (states, memory, *module.parameters()))


def test_general_with_the_identity_is_dot():
    general, dot = MultiplicativeAttention(3, 3, "general").double(), MultiplicativeAttention(3, 3, "dot")
    with torch.no_grad():
        general.W.weight.copy_(torch.eye(3, dtype=F64))
    states, memory = draws(2, 4, 3), draws(2, 5, 3, seed=1)
    torch.testing.assert_close(general(states, memory), dot(states, memory))
    assert not list(dot.parameters())


def test_a_mask_without_the_axis_of_steps_is_refused():
    """Where there are as many steps as sentences it would broadcast, and hide the wrong places."""
    module, _ = started("dot")
    with pytest.raises(
        ValueError, match=r"'mask' must broadcast to \(2, 2, 5\), axis for axis, got \(2, 5\)"
    ):
        module(draws(2, 2, 3), draws(2, 5, 3), torch.ones(2, 5, dtype=torch.bool))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AdditiveAttention(3, 4, 0), "'d_attention' must be at least 1, got 0"),
        (lambda: MultiplicativeAttention(0, 4), "'d_state' must be at least 1, got 0"),
        (
            lambda: MultiplicativeAttention(3, 4, "dot"),
            "'d_memory' must be d_state=3 for the score 'dot', got 4",
        ),
        (lambda: MultiplicativeAttention(3, 4, "concat"), "score"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
