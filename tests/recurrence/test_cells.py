"""One step of each cell, against torch's cells, the equations written out number by number, and finite differences."""

import math

import pytest
import torch
from torch import nn

from lmcourse.recurrence import CELLS, GRUCell, LSTMCell, RNNCell, gru_step, lstm_step, rnn_step

TORCH = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def pair(name: str, n_in: int, d: int) -> tuple[nn.Module, nn.Module]:
    """Our cell and torch's with the same weights."""
    theirs, ours = TORCH[name](n_in, d).double(), CELLS[name](n_in, d).double()
    for seed, weight in enumerate(theirs.parameters()):
        weight.data = normal(*weight.shape, seed=seed)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("with_state", [True, False])
def test_a_step_is_torchs_forward_and_backward(name, with_state):
    ours, theirs = pair(name, 3, 5)
    results = []
    for cell in (ours, theirs):
        x = normal(4, 3, seed=10).requires_grad_()
        state = tuple(normal(4, 5, seed=11 + i).requires_grad_() for i in range(len(ours.parts)))
        given = (state if name == "lstm" or cell is ours else state[0]) if with_state else None
        out = cell(x, given)
        out = out if isinstance(out, tuple) else (out,)
        loss = sum((part * normal(4, 5, seed=20 + i)).sum() for i, part in enumerate(out))
        wanted = [x, *cell.parameters(), *(state if with_state else ())]
        results.append([*out, *torch.autograd.grad(loss, wanted)])
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_agree_with_finite_differences(name):
    parts, gates = len(CELLS[name].parts), len(CELLS[name].gates)
    step = {"rnn": rnn_step, "lstm": lstm_step, "gru": gru_step}[name]
    shapes = [(2, gates * 3)] + [(2, 3)] * parts + [(gates * 3, 3), (gates * 3,)]
    inputs = [normal(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(step, inputs)


def test_the_equations_of_the_lstm_number_by_number():
    from_x, h, c, w, b = normal(1, 8), normal(1, 2), normal(1, 2, seed=1), normal(8, 2, seed=2), normal(8)
    h_new, c_new = lstm_step(from_x, h, c, w, b)

    def s(a):
        return 1 / (1 + math.exp(-a))

    for unit in range(2):
        i, f, g, o = (
            float(from_x[0, row] + b[row] + sum(w[row, j] * h[0, j] for j in range(2)))
            for row in (unit, 2 + unit, 4 + unit, 6 + unit)
        )
        memory = s(f) * float(c[0, unit]) + s(i) * math.tanh(g)
        assert float(c_new[0, unit]) == pytest.approx(memory)
        assert float(h_new[0, unit]) == pytest.approx(s(o) * math.tanh(memory))


def test_an_open_forget_gate_passes_the_memory_and_its_gradient_on_untouched():
    """Hochreiter and Schmidhuber's constant error carousel: 50 steps, and the gradient is still one."""
    closed, open_ = -1e3, 1e3
    from_x = torch.tensor([[closed, open_, 0.3, 0.0]], dtype=torch.float64)
    start = c = torch.tensor([[0.7]], dtype=torch.float64, requires_grad=True)
    h = torch.zeros_like(c)
    for _ in range(50):
        h, c = lstm_step(from_x, h, c, torch.zeros(4, 1).double(), torch.zeros(4).double())
    assert c.item() == 0.7
    assert torch.autograd.grad(c, start)[0].item() == 1


def test_a_gru_lies_between_its_old_state_and_its_proposal():
    h, weight, bias = normal(6, 4), normal(12, 4, seed=1), normal(12, seed=2)
    new = gru_step(normal(6, 12, seed=3), h, weight, bias)
    assert ((new >= h.clamp(max=-1)) & (new <= h.clamp(min=1))).all()
    keep = torch.cat([torch.zeros(6, 4), torch.full((6, 4), 1e3), torch.zeros(6, 4)], dim=1).double()
    assert torch.equal(gru_step(keep, h, weight, bias), h)


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_the_nonlinearities_are_torchs(name):
    theirs = nn.RNNCell(3, 5, nonlinearity=name).double()
    ours = RNNCell(3, 5, nonlinearity=name).double()
    ours.load_state_dict(theirs.state_dict())
    x, h = normal(4, 3), normal(4, 5, seed=1)
    torch.testing.assert_close(ours(x, (h,))[0], theirs(x, h))


def test_a_linear_network_adds_up():
    cell = RNNCell(3, 5, nonlinearity="linear").double()
    x, h = normal(4, 3), normal(4, 5, seed=1)
    (out,) = cell(x, (h,))
    expected = x @ cell.weight_ih.T + h @ cell.weight_hh.T + cell.bias_ih + cell.bias_hh
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("name", CELLS)
def test_the_first_weights_are_uniform_as_torchs_and_come_from_the_generator(name):
    cell = CELLS[name](40, 64, generator=torch.Generator().manual_seed(0))
    again = CELLS[name](40, 64, generator=torch.Generator().manual_seed(0))
    for weight, same in zip(cell.parameters(), again.parameters(), strict=True):
        assert torch.equal(weight, same)
    for weight in (cell.weight_ih, cell.weight_hh, cell.bias_hh):
        assert 0.98 / 8 < weight.abs().max() <= 1 / 8 or weight.numel() < 500
        # The standard deviation of U(-b, b) is b / sqrt(3).
        assert weight.std().item() == pytest.approx(1 / 8 / math.sqrt(3), rel=0.2)


def test_the_forget_bias_moves_the_forget_gate_alone():
    plain, kept = (
        LSTMCell(3, 5, forget_bias=bias, generator=torch.Generator().manual_seed(0)) for bias in (0.0, 1.0)
    )
    moved = (kept.bias_ih - plain.bias_ih).tolist()
    assert moved == pytest.approx([0] * 5 + [1] * 5 + [0] * 10)
    assert all(
        torch.equal(a, b) for a, b in zip(list(plain.parameters())[:2], kept.parameters(), strict=False)
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GRUCell(0, 5), "'input_size' must be at least 1, got 0"),
        (lambda: GRUCell(3, 0), "'hidden_size' must be at least 1, got 0"),
        (lambda: RNNCell(3, 5, nonlinearity="cos"), "'nonlinearity' must be one of .*got 'cos'"),
        (lambda: GRUCell(3, 5)(torch.zeros(2, 4)), r"'x' must end in input_size=3 numbers, got \(2, 4\)"),
        (
            lambda: LSTMCell(3, 5)(torch.zeros(2, 3), (torch.zeros(2, 5),)),
            r"'state' must be \(h, c\), each of shape \(2, 5\), got shapes \[\(2, 5\)\]",
        ),
        (
            lambda: GRUCell(3, 5)(torch.zeros(2, 3), (torch.zeros(1, 5),)),
            r"'state' must be \(h\), each of shape \(2, 5\), got shapes \[\(1, 5\)\]",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
