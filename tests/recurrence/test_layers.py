"""Cells over time against torch.nn.RNN, LSTM and GRU on packed sequences: outputs, last states and all gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lmcourse.recurrence import CELLS, Recurrent, RecurrentConfig, detach, real_steps, run

TORCH = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def theirs(name: str, n_in: int, d: int, n_layers: int, bidirectional: bool) -> nn.RNNBase:
    module = TORCH[name](n_in, d, n_layers, batch_first=True, bidirectional=bidirectional).double()
    for seed, weight in enumerate(module.parameters()):
        weight.data = normal(*weight.shape, seed=seed)
    return module


def by_torch(module, x, state, lengths):
    """Outputs and the state as a tuple, from packed sequences."""
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    given_state = state if isinstance(module, nn.LSTM) or state is None else state[0]
    out, end = module(packed, given_state)
    out, _ = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return out, end if isinstance(end, tuple) else (end,)


@settings(deadline=None, max_examples=40)
@given(
    name=st.sampled_from(sorted(CELLS)),
    n_in=st.integers(1, 4),
    d=st.integers(1, 4),
    n_layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    padding=st.integers(0, 2),
    with_state=st.booleans(),
)
def test_outputs_states_and_gradients_are_torchs(
    name, n_in, d, n_layers, bidirectional, lengths, padding, with_state
):
    module = theirs(name, n_in, d, n_layers, bidirectional)
    ours = Recurrent.from_torch(module)
    lengths, batch, time = torch.tensor(lengths), len(lengths), max(lengths) + padding
    results = []
    for layers in (ours, module):
        x = normal(batch, time, n_in, seed=50).requires_grad_()
        n_states = len(ours.cells[0].parts) if with_state else 0
        state = tuple(
            normal(len(ours.cells), batch, d, seed=60 + i).requires_grad_() for i in range(n_states)
        )
        if layers is ours:
            out, end = ours(x, state or None, lengths)
            weights = [w for cell in ours.cells for w in cell.parameters()]
        else:
            out, end = by_torch(module, x, state or None, lengths)
            weights = [w for cell in module.all_weights for w in cell]
        loss = sum((part * normal(*part.shape, seed=70 + i)).sum() for i, part in enumerate((out, *end)))
        results.append([out, *end, *torch.autograd.grad(loss, [x, *state, *weights])])
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_without_lengths_all_steps_are_real(name, bidirectional):
    module = theirs(name, 3, 4, 2, bidirectional)
    x = normal(2, 5, 3)
    out, end = Recurrent.from_torch(module)(x)
    out_torch, end_torch = module(x)
    torch.testing.assert_close(out, out_torch)
    end_torch = end_torch if name == "lstm" else (end_torch,)
    for mine, other in zip(end, end_torch, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("lengths", [None, [2, 5, 1]])
def test_fused_layers_give_the_same_numbers_and_gradients(name, bidirectional, with_state, lengths):
    results = []
    for fused in (False, True):
        config = RecurrentConfig(3, 4, name, n_layers=2, bidirectional=bidirectional, fused=fused)
        layers = Recurrent(config, generator=torch.Generator().manual_seed(0)).double()
        x = normal(3, 6, 3).requires_grad_()
        shape, parts = (len(layers.cells), 3, 4), len(layers.cells[0].parts) if with_state else 0
        state = tuple(normal(*shape, seed=60 + i).requires_grad_() for i in range(parts))
        out, end = layers(x, state or None, None if lengths is None else torch.tensor(lengths))
        loss = sum((part * normal(*part.shape, seed=70 + i)).sum() for i, part in enumerate((out, *end)))
        results.append([out, *end, *torch.autograd.grad(loss, [x, *state, *layers.parameters()])])
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_is_never_read(name, bidirectional):
    layers = Recurrent(RecurrentConfig(3, 4, name, n_layers=2, bidirectional=bidirectional)).double()
    lengths = torch.tensor([5, 2, 0])
    x = normal(3, 5, 3).requires_grad_()
    real = real_steps(lengths, 3, 5)[:, :, None]
    out, end = layers(x, lengths=lengths)
    out_other, end_other = layers(torch.where(real, x, 1e6), lengths=lengths)
    assert torch.equal(out, out_other)
    assert all(torch.equal(a, b) for a, b in zip(end, end_other, strict=True))
    assert not torch.where(real, 0.0, out).any()
    assert not end[0][:, 2].any(), "a sequence of no steps ends where it began"
    sum(part.square().sum() for part in (out, *end)).backward()
    assert ((x.grad.abs().sum(-1) > 0) == real[:, :, 0]).all()


def test_the_backward_direction_begins_at_the_last_real_step():
    cell = CELLS["gru"](3, 4).double()
    x = normal(1, 6, 3)
    out, (h,) = run(cell, x, lengths=torch.tensor([4]), reverse=True)
    out_mirrored, (h_mirrored,) = run(cell, x[:, :4].flip(1))
    assert torch.equal(out[:, :4], out_mirrored.flip(1))
    assert torch.equal(h, h_mirrored)


@pytest.mark.parametrize("name", CELLS)
def test_a_text_in_two_pieces_gives_what_it_gives_in_one(name):
    layers = Recurrent(RecurrentConfig(3, 4, name, n_layers=2)).double()
    x = normal(2, 7, 3)
    whole, end = layers(x)
    first, state = layers(x[:, :3])
    second, end_carried = layers(x[:, 3:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    for mine, other in zip(end_carried, end, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("cut", [True, False])
def test_a_detached_state_stops_the_gradient_and_changes_no_number(name, cut):
    layers = Recurrent(RecurrentConfig(3, 4, name, n_layers=2)).double()
    x = normal(2, 7, 3).requires_grad_()
    _, state = layers(x[:, :3])
    out, _ = layers(x[:, 3:], detach(state) if cut else state)
    torch.testing.assert_close(out, layers(x)[0][:, 3:])
    out[:, -1].sum().backward()
    reached = (x.grad.abs().sum((0, 2)) > 0).tolist()
    assert reached == [not cut] * 3 + [True] * 4


def test_no_output_depends_on_a_later_step_and_with_two_directions_each_depends_on_all():
    for bidirectional in (False, True):
        layers = Recurrent(RecurrentConfig(3, 4, "lstm", 2, bidirectional)).double()
        x = normal(1, 5, 3).requires_grad_()
        out, _ = layers(x)
        for t in range(5):
            (gradient,) = torch.autograd.grad(out[0, t].sum(), x, retain_graph=True)
            reached = (gradient[0].abs().sum(-1) > 0).tolist()
            assert reached == [s <= t or bidirectional for s in range(5)]


def test_the_generator_makes_the_weights():
    config = RecurrentConfig(3, 4, "lstm", 2)
    one, two, other = (Recurrent(config, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    flat = [torch.cat([w.flatten() for w in layers.parameters()]) for layers in (one, two, other)]
    assert torch.equal(flat[0], flat[1])
    assert not torch.equal(flat[0], flat[2])


LSTM = Recurrent(RecurrentConfig(3, 4))
FUSED = Recurrent(RecurrentConfig(3, 4, fused=True))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RecurrentConfig(0, 4), "'input_size' must be at least 1, got 0"),
        (lambda: RecurrentConfig(3, 4, n_layers=0), "'n_layers' must be at least 1, got 0"),
        (lambda: RecurrentConfig(3, 4, cell="gpu"), "'cell' must be one of .*got 'gpu'"),
        (lambda: LSTM(torch.zeros(2, 0, 3)), r"'x' must have at least one step, of .* got shape \(2, 0, 3\)"),
        (
            lambda: FUSED(torch.zeros(2, 5, 2)),
            r"'x' must have .* of input_size=3 numbers, got shape \(2, 5, 2\)",
        ),
        (lambda: run(LSTM.cells[0], torch.zeros(2, 0, 3)), r"'x' must have at least one step, got shape"),
        (lambda: LSTM(torch.zeros(2, 5, 3), lengths=torch.tensor([5, 6])), "'lengths' .* time=5, got .5, 6."),
        (
            lambda: FUSED(torch.zeros(2, 5, 3), lengths=torch.tensor([5, 6])),
            "'lengths' .* time=5, got .5, 6.",
        ),
        (lambda: FUSED(torch.zeros(2, 5, 3), lengths=torch.tensor([5, 0])), "'lengths' must be at least 1"),
        (lambda: LSTM(torch.zeros(2, 5, 3), lengths=torch.tensor([-1, 5])), "'lengths' .* got .-1, 5."),
        (lambda: real_steps(torch.tensor([5]), 2, 5), "'lengths' must be one number for each of 2 sequences"),
        (
            lambda: LSTM(torch.zeros(2, 5, 3), (torch.zeros(1, 2, 4),)),
            r"'state' must be \(h, c\), each of shape",
        ),
        (lambda: Recurrent.from_torch(nn.RNN(3, 4, nonlinearity="relu")), "'module' must be .* got RNN"),
        (lambda: Recurrent.from_torch(nn.LSTM(3, 4, proj_size=2)), "'module' must be .* got LSTM"),
        (lambda: Recurrent.from_torch(nn.LSTM(3, 4, bias=False)), "'module' must be .* got LSTM"),
        (lambda: Recurrent.from_torch(nn.LSTM(3, 4, 2, dropout=0.5)), "'module' must be .* got LSTM"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
