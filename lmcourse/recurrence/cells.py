"""The cells: the weights of a step, under the names that torch gives them."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lmcourse.recurrence.steps import NONLINEARITIES, gru_step, lstm_step, rnn_step

State = tuple[Tensor, ...]  # (h,), or (h, c) for an LSTM; h is also the output


class Cell(nn.Module):
    """The weights of one cell, and its step. The weights have the names, shapes and order of torch's cells.

    `cell.load_state_dict(torch_cell.state_dict())` therefore takes over the weights of `torch.nn.RNNCell`, `LSTMCell`
    or `GRUCell`. All start as draws from U(-1/sqrt(d), 1/sqrt(d)), d = hidden_size, as in torch. The state is a tuple,
    (h,) or (h, c); None is zeros.

    Args:
        generator: where the draws come from; the global one by default.

    Raises:
        ValueError: a size below 1; in a call, an `x` or a `state` of another size.
    """

    gates: ClassVar[tuple[str, ...]]  # the parts of the weights, from the first rows to the last
    parts: ClassVar[tuple[str, ...]] = ("h",)  # of the state

    def __init__(
        self, input_size: int, hidden_size: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise ValueError(f"'{name}' must be at least 1, got {size}")
        self.input_size, self.hidden_size = input_size, hidden_size
        rows, bound = len(self.gates) * hidden_size, hidden_size**-0.5

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))

        self.weight_ih, self.weight_hh = draw(rows, input_size), draw(rows, hidden_size)
        self.bias_ih, self.bias_hh = draw(rows), draw(rows)

    def project(self, x: Float[Tensor, "*shape d_in"]) -> Float[Tensor, "*shape gates"]:
        """Return what the input says to the gates: x W_ih^T + b_ih, for one step or for all steps at once."""
        if x.shape[-1] != self.input_size:
            raise ValueError(f"'x' must end in input_size={self.input_size} numbers, got {tuple(x.shape)}")
        return F.linear(x, self.weight_ih, self.bias_ih)

    def initial_state(self, x: Float[Tensor, "batch *rest"]) -> State:
        """Return zeros for a batch as large as `x`, on its device, in its precision."""
        return tuple(x.new_zeros(len(x), self.hidden_size) for _ in self.parts)

    def check_state(self, state: State, batch: int) -> State:
        """Return `state` if it has one tensor [batch, hidden_size] for each of `parts`; else raise ValueError."""
        shapes = [tuple(part.shape) for part in state]
        if shapes != [(batch, self.hidden_size)] * len(self.parts):
            names = ", ".join(self.parts)
            raise ValueError(
                f"'state' must be ({names}), each of shape {(batch, self.hidden_size)}, got shapes {shapes}"
            )
        return state

    def step(self, from_x: Float[Tensor, "batch gates"], state: State) -> State:
        """Return the next state; `from_x` comes from `project`."""
        raise NotImplementedError

    def forward(self, x: Float[Tensor, "batch d_in"], state: State | None = None) -> State:
        from_x = self.project(x)
        state = self.initial_state(x) if state is None else self.check_state(state, len(x))
        return self.step(from_x, state)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"


class RNNCell(Cell):
    """A plain recurrent cell: `rnn_step` with its weights.

    Args:
        nonlinearity: "tanh", "relu" or "linear".

    >>> (h,) = RNNCell(3, 5)(torch.zeros(2, 3))
    >>> h.shape
    torch.Size([2, 5])
    """

    gates = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        nonlinearity: str = "tanh",
        generator: torch.Generator | None = None,
    ) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"'nonlinearity' must be one of {list(NONLINEARITIES)}, got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, generator=generator)
        self.nonlinearity = nonlinearity

    def step(self, from_x: Float[Tensor, "batch gates"], state: State) -> State:
        return (rnn_step(from_x, *state, self.weight_hh, self.bias_hh, self.nonlinearity),)


class LSTMCell(Cell):
    """An LSTM cell: `lstm_step` with its weights. The state is (h, c).

    Args:
        forget_bias: added to the forget gate's bias at the start. With 0, as in torch, a memory is about halved at
            each step before anything is learnt; with 1 about 0.73 of it stays (Jozefowicz, Zaremba and Sutskever, "An
            Empirical Exploration of Recurrent Network Architectures", ICML 2015).

    >>> h, c = LSTMCell(3, 5)(torch.zeros(2, 3))
    >>> h.shape, c.shape
    (torch.Size([2, 5]), torch.Size([2, 5]))
    """

    gates = ("i", "f", "g", "o")
    parts = ("h", "c")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, generator=generator)
        with torch.no_grad():
            self.bias_ih[hidden_size : 2 * hidden_size] += forget_bias

    def step(self, from_x: Float[Tensor, "batch gates"], state: State) -> State:
        return lstm_step(from_x, *state, self.weight_hh, self.bias_hh)


class GRUCell(Cell):
    """A GRU cell: `gru_step` with its weights.

    >>> (h,) = GRUCell(3, 5)(torch.zeros(2, 3))
    >>> h.shape
    torch.Size([2, 5])
    """

    gates = ("r", "z", "n")

    def step(self, from_x: Float[Tensor, "batch gates"], state: State) -> State:
        return (gru_step(from_x, *state, self.weight_hh, self.bias_hh),)


CELLS: dict[str, type[Cell]] = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}
