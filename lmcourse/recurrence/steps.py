"""One step of a recurrent network: from a state and an input to the next state. Plain, LSTM and GRU.

A recurrent network reads one vector at a time and keeps what it needs of the past in a state of fixed size. The
same weights are used at each step. The three kinds differ in how the new state comes from the old one: a plain
network writes all of it anew, an LSTM and a GRU have gates that decide what is kept.

Each step is a function of plain tensors. What the input says to all gates, `from_x = x W_ih^T + b_ih`, does not depend
on the state, so it is an argument: for a whole sequence it is one matrix product.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu, "linear": lambda a: a}


def rnn_step(
    from_x: Float[Tensor, "batch d"],
    h: Float[Tensor, "batch d"],
    weight_hh: Float[Tensor, "d d"],
    bias_hh: Float[Tensor, "d"],
    nonlinearity: str = "tanh",
) -> Float[Tensor, "batch d"]:
    """Return h' = tanh(from_x + W_hh h + b_hh): the next state of a plain recurrent network.

    Source: Elman, "Finding Structure in Time" (Cognitive Science 1990). "relu" and "linear" replace the tanh; the
    linear network is no good model, but its gradients can be computed by hand.

    >>> from_x, h = torch.tensor([[0.0, 1.0]]), torch.tensor([[3.0, 4.0]])
    >>> shift = torch.tensor([[0.0, 0.0], [1.0, 0.0]])  # the second number becomes the first
    >>> rnn_step(from_x, h, shift, torch.zeros(2), nonlinearity="linear")
    tensor([[0., 4.]])
    """
    return NONLINEARITIES[nonlinearity](from_x + F.linear(h, weight_hh, bias_hh))


def lstm_step(
    from_x: Float[Tensor, "batch gates"],
    h: Float[Tensor, "batch d"],
    c: Float[Tensor, "batch d"],
    weight_hh: Float[Tensor, "gates d"],
    bias_hh: Float[Tensor, "gates"],
) -> tuple[Float[Tensor, "batch d"], Float[Tensor, "batch d"]]:
    """Return the next output h' and memory c' of an LSTM; `gates` is 4 d, in the order i, f, g, o.

    With a = from_x + W_hh h + b_hh, cut into four parts, and s the logistic function:

        i = s(a_i)       input gate: how much of the new is written
        f = s(a_f)       forget gate: how much of the old memory is kept
        g = tanh(a_g)    what would be written
        o = s(a_o)       output gate: how much of the memory is shown
        c' = f * c + i * g
        h' = o * tanh(c')

    The memory is passed on by a product with f and a sum, with no matrix in between. Sources: Hochreiter and
    Schmidhuber, "Long Short-Term Memory" (Neural Computation 1997), without f; Gers, Schmidhuber and Cummins, "Learning
    to Forget" (Neural Computation 2000), with f.

    >>> closed, open_ = -100.0, 100.0
    >>> from_x = torch.tensor([[closed, open_, 0.0, open_]])  # write nothing, keep all, show all
    >>> h, c = lstm_step(from_x, torch.zeros(1, 1), torch.full((1, 1), 0.5), torch.zeros(4, 1), torch.zeros(4))
    >>> c, h  # tanh(0.5) is shown
    (tensor([[0.5000]]), tensor([[0.4621]]))
    """
    i, f, g, o = (from_x + F.linear(h, weight_hh, bias_hh)).chunk(4, dim=-1)  # (batch, d) each
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru_step(
    from_x: Float[Tensor, "batch gates"],
    h: Float[Tensor, "batch d"],
    weight_hh: Float[Tensor, "gates d"],
    bias_hh: Float[Tensor, "gates"],
) -> Float[Tensor, "batch d"]:
    """Return the next state h' of a GRU; `gates` is 3 d, in the order r, z, n.

    With x = from_x and u = W_hh h + b_hh, both cut into three parts, and s the logistic function:

        r = s(x_r + u_r)            reset gate: how much the proposal sees of the old state
        z = s(x_z + u_z)            update gate: how much of the old state is kept
        n = tanh(x_n + r * u_n)     the proposal
        h' = z * h + (1 - z) * n

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (EMNLP 2014), section 2.3, where
    the reset gate acts *before* the matrix: tanh(x_n + W (r * h)). Here, as in torch and cuDNN, it acts after it, so
    that one matrix product serves all three parts.

    >>> from_x = torch.tensor([[0.0, 100.0, 9.0]])  # z is 1: the old state stays
    >>> gru_step(from_x, torch.full((1, 1), 0.25), torch.zeros(3, 1), torch.zeros(3))
    tensor([[0.2500]])
    """
    x_r, x_z, x_n = from_x.chunk(3, dim=-1)  # (batch, d) each
    u_r, u_z, u_n = F.linear(h, weight_hh, bias_hh).chunk(3, dim=-1)
    r, z = (x_r + u_r).sigmoid(), (x_z + u_z).sigmoid()
    n = (x_n + r * u_n).tanh()
    return z * h + (1 - z) * n
