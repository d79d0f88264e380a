"""How far back a gradient reaches: its length against the distance in time.

The gradient over k steps is a product of k Jacobians. If they shrink vectors, it vanishes exponentially in k; if
they stretch them, it may explode. Bengio, Simard and Frasconi, "Learning Long-Term Dependencies with Gradient Descent
Is Difficult" (IEEE Transactions on Neural Networks 1994); Pascanu, Mikolov and Bengio, "On the Difficulty of
Training Recurrent Neural Networks" (ICML 2013), section 2.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from lmcourse.recurrence.cells import Cell
from lmcourse.recurrence.language_model import RecurrentLM


def gradient_norms(
    cell: Cell, inputs: Float[Tensor, "sequences time d_in"]
) -> Float64[np.ndarray, "sequences time+1"]:
    """Return, for each sequence and each distance k = 0 ... time, the largest singular value of d h_T / d s_{T-k}.

    T = time is the last step, s_t the whole state after step t: h_t, or (h_t, c_t) side by side for an LSTM. s_0 is the
    zero state. So it is by how much a small change of the state, in the worst direction, moves the output k
    steps later; 1 at distance 0. For a plain RNN it is at most (g ||W_hh||)^k, with ||W_hh|| its largest singular value
    and g the steepest slope of the nonlinearity, 1 for tanh (Pascanu et al. 2013, section 2.1); for the linear one it is
    exactly ||W_hh^k||, whatever the inputs. All is computed in float64.

    Raises:
        ValueError: no step, or inputs of another size.

    >>> from lmcourse.recurrence.cells import RNNCell
    >>> cell = RNNCell(1, 2, nonlinearity="linear")
    >>> _ = cell.weight_hh.data.copy_(torch.tensor([[0.5, 0.0], [0.0, 0.1]]))
    >>> gradient_norms(cell, torch.randn(1, 3, 1)).round(4)
    array([[1.   , 0.5  , 0.25 , 0.125]])
    """
    n, time, _ = inputs.shape
    if time < 1:
        raise ValueError(f"'inputs' must have at least one step, got shape {tuple(inputs.shape)}")
    cell = copy.deepcopy(cell).double()
    d = cell.hidden_size
    # Each sequence stands d times in the batch; copy number i is asked for the gradient of h_T[i]. One pass backwards
    # then gives all rows of all Jacobians.
    x = inputs.double().repeat_interleave(d, dim=0)  # (sequences * d, time, d_in)
    states = [tuple(part.requires_grad_() for part in cell.initial_state(x))]
    for from_x in cell.project(x).unbind(1):
        # Clones, since an LSTM's h is made from its c: only what the *next* step reads is to count.
        states.append(tuple(part.clone() for part in cell.step(from_x, states[-1])))
    rows = torch.eye(d, dtype=x.dtype, device=x.device).repeat(n, 1)  # (sequences * d, d)
    parts = [part for state in reversed(states) for part in state]
    # c_T is read by no step: its gradient is zero.
    gradients = torch.autograd.grad(states[-1][0], parts, rows, allow_unused=True, materialize_grads=True)
    jacobians = torch.stack(gradients).view(time + 1, len(cell.parts), n, d, d)  # ... output, state
    jacobians = jacobians.permute(2, 0, 3, 1, 4).flatten(-2)  # (sequences, time + 1, d, parts * d)
    return torch.linalg.matrix_norm(jacobians, ord=2).detach().cpu().numpy()


def input_gradient_norms(
    model: RecurrentLM, rows: Int64[Tensor, "sequences length"]
) -> Float64[np.ndarray, "sequences length-1"]:
    """Return the length of the gradient of the last token's loss with respect to the embedding k tokens before it.

    Element [i, k - 1] belongs to distance k = 1 ... length - 1: with L = -log P(row[-1] | row[:-1]) in nats it is
    ||d L / d e_{-1-k}||, e being the vectors that the layers read. It is what the loss at the end says to the
    weights about the token so far back.

    Raises:
        ValueError: rows of fewer than two tokens.
    """
    if rows.shape[1] < 2:
        raise ValueError(f"'rows' must have at least two tokens, got shape {tuple(rows.shape)}")
    model = copy.deepcopy(model).double()
    vectors = model.embedding(rows[:, :-1]).detach().requires_grad_()  # (sequences, length - 1, d_model)
    logits = model.output(model.layers(vectors)[0][:, -1])  # (sequences, vocab)
    loss = torch.nn.functional.cross_entropy(logits, rows[:, -1], reduction="sum")
    (gradient,) = torch.autograd.grad(loss, vectors)
    return gradient.norm(dim=-1).flip(1).cpu().numpy()
