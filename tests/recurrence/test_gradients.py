"""How far gradients reach: Jacobians against torch's own, and the powers of a matrix in closed form."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lmcourse.recurrence import (
    CELLS,
    RecurrentLM,
    RecurrentLMConfig,
    RNNCell,
    gradient_norms,
    input_gradient_norms,
    run,
)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def linear_cell(weight_hh: torch.Tensor) -> RNNCell:
    cell = RNNCell(2, len(weight_hh), nonlinearity="linear").double()
    cell.weight_hh.data = weight_hh
    return cell


def test_a_linear_network_has_the_norms_of_the_powers_of_its_matrix():
    weight = normal(5, 5) / 2
    norms = gradient_norms(linear_cell(weight), normal(2, 12, 2))
    powers = [np.linalg.norm(np.linalg.matrix_power(weight.numpy(), k), ord=2) for k in range(13)]
    np.testing.assert_allclose(norms, [powers, powers], rtol=1e-9)


@pytest.mark.parametrize("singular_value", [0.9, 1.0, 1.1])
def test_an_orthogonal_matrix_times_s_gives_s_to_the_distance(singular_value):
    orthogonal = torch.linalg.qr(normal(6, 6)).Q
    norms = gradient_norms(linear_cell(singular_value * orthogonal), normal(1, 40, 2))
    np.testing.assert_allclose(norms[0], singular_value ** np.arange(41), rtol=1e-9)


def test_a_plain_network_stays_below_the_bound_of_its_largest_singular_value():
    cell = RNNCell(3, 8).double()
    norms = gradient_norms(cell, normal(4, 30, 3))
    bound = torch.linalg.matrix_norm(cell.weight_hh, ord=2).item() ** np.arange(31)
    assert (norms <= bound * (1 + 1e-9)).all()
    assert (norms[:, 1:] < bound[1:]).all()  # tanh is nowhere as steep as at 0


@pytest.mark.parametrize("name", CELLS)
def test_norms_are_those_of_torchs_jacobians(name):
    cell = CELLS[name](3, 4).double()
    inputs = normal(2, 5, 3)
    norms = gradient_norms(cell, inputs)
    assert norms.shape == (2, 6)
    for sequence, k in np.ndindex(2, 6):
        x = inputs[sequence : sequence + 1]
        start = tuple(torch.zeros(1, 4, dtype=torch.float64) for _ in cell.parts)
        start = run(cell, x[:, : 5 - k])[1] if k < 5 else start

        def later(*state, x=x, k=k):
            return run(cell, x[:, 5 - k :], state)[1][0][0] if k else state[0][0]

        jacobian = torch.autograd.functional.jacobian(later, tuple(part.detach() for part in start))
        whole = torch.cat([part[:, 0] for part in jacobian], dim=-1)  # (d, parts * d)
        assert norms[sequence, k] == pytest.approx(torch.linalg.matrix_norm(whole, ord=2).item(), rel=1e-9)


def test_the_cell_is_left_as_it_was():
    cell = RNNCell(3, 4)
    gradient_norms(cell, torch.randn(1, 5, 3))
    assert cell.weight_hh.dtype == torch.float32
    assert cell.weight_hh.grad is None


@pytest.mark.parametrize("name", CELLS)
def test_input_gradients_agree_with_finite_differences(name):
    model = RecurrentLM(RecurrentLMConfig(7, d_model=3, hidden_size=4, cell=name)).double()
    rows = torch.tensor([[1, 2, 3, 4, 5], [6, 5, 4, 3, 0]])
    norms = input_gradient_norms(model, rows)
    assert norms.shape == (2, 4)
    vectors = model.embedding(rows[:, :-1]).detach()

    def losses(vectors):
        logits = model.output(model.layers(vectors)[0][:, -1])
        return F.cross_entropy(logits, rows[:, -1], reduction="none")

    for sequence, k in np.ndindex(2, 4):
        slopes = []
        for place in range(3):
            step = torch.zeros_like(vectors)
            step[sequence, 3 - k, place] = 1e-6
            slopes.append((losses(vectors + step) - losses(vectors - step))[sequence].item() / 2e-6)
        assert norms[sequence, k] == pytest.approx(np.linalg.norm(slopes), rel=1e-5)


def test_what_has_no_steps_is_named():
    with pytest.raises(ValueError, match=r"'inputs' must have at least one step, got shape \(1, 0, 3\)"):
        gradient_norms(RNNCell(3, 4), torch.zeros(1, 0, 3))
    with pytest.raises(ValueError, match=r"'rows' must have at least two tokens, got shape \(2, 1\)"):
        input_gradient_norms(RecurrentLM(RecurrentLMConfig(7)), torch.zeros(2, 1, dtype=torch.int64))
