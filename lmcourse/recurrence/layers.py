"""Layers of cells: both directions, one layer above another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lmcourse.recurrence.cells import CELLS, State
from lmcourse.recurrence.unroll import real_steps, run


@dataclass(frozen=True)
class RecurrentConfig:
    """The sizes of a `Recurrent`.

    Args:
        input_size: of the vectors that are read. hidden_size: of the state, in each layer and direction.
        cell: "rnn", "lstm" or "gru".
        n_layers: the outputs of a layer are the inputs of the next.
        bidirectional: in each layer a second cell reads from right to left; outputs stand side by side.
        forget_bias: of an LSTM, see `LSTMCell`; other cells have no forget gate.
        fused: let torch's own kernels run over all steps: the same numbers, an LSTM several times as fast.

    Raises:
        ValueError: a size below 1 or an unknown cell, by name.
    """

    input_size: int
    hidden_size: int
    cell: str = "lstm"
    n_layers: int = 1
    bidirectional: bool = False
    fused: bool = False
    forget_bias: float = 1.0

    def __post_init__(self) -> None:
        for name in ("input_size", "hidden_size", "n_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"'{name}' must be at least 1, got {getattr(self, name)}")
        if self.cell not in CELLS:
            raise ValueError(f"'cell' must be one of {list(CELLS)}, got {self.cell!r}")

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        return self.directions * self.hidden_size


class Recurrent(nn.Module):
    """Layers of cells over time, batch first: what `torch.nn.RNN`, `LSTM` and `GRU` compute.

    The state is a tuple, (h,) or (h, c), of tensors [layers * directions, batch, d], in torch's order: layer 0 from
    left to right, layer 0 from right to left, layer 1 and so on. Bidirectional: Schuster and Paliwal, "Bidirectional
    Recurrent Neural Networks" (IEEE Transactions on Signal Processing 1997).

    Args:
        generator: where the first weights come from; the global one by default.

    >>> layers = Recurrent(RecurrentConfig(3, 5, cell="lstm", n_layers=2, bidirectional=True))
    >>> outputs, (h, c) = layers(torch.randn(7, 4, 3))
    >>> outputs.shape, h.shape
    (torch.Size([7, 4, 10]), torch.Size([4, 7, 5]))
    """

    def __init__(self, config: RecurrentConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        sizes = [config.input_size] + [config.output_size] * (config.n_layers - 1)
        options = {"forget_bias": config.forget_bias} if config.cell == "lstm" else {}
        self.cells = nn.ModuleList(
            CELLS[config.cell](size, config.hidden_size, generator=generator, **options)
            for size in sizes
            for _ in range(config.directions)
        )
        self.config = config

    def forward(
        self,
        x: Float[Tensor, "batch time d_in"],
        state: State | None = None,
        lengths: Int64[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch time d_out"], State]:
        """Return the outputs of the last layer and the last states of all layers; arguments as in `run`.

        Raises:
            ValueError: as `run`; or a `state` of another shape; fused, also a length of 0.
        """
        self._check(x, state)
        if self.config.fused:
            return run_fused(self, x, state, lengths)
        starts = [None] * len(self.cells) if state is None else list(zip(*state, strict=True))
        ends: list[State] = []
        while len(ends) < len(self.cells):  # a layer
            outputs = []
            for reverse in (False, True)[: self.config.directions]:
                at = len(ends)
                output, end = run(self.cells[at], x, starts[at], lengths, reverse)
                outputs.append(output)
                ends.append(end)
            x = torch.cat(outputs, dim=-1)  # (batch, time, directions * d): what the next layer reads
        return x, tuple(torch.stack(parts) for parts in zip(*ends, strict=True))

    def _check(self, x: Tensor, state: State | None) -> None:
        if x.shape[1] < 1 or x.shape[2] != self.config.input_size:
            raise ValueError(
                f"'x' must have at least one step, of input_size={self.config.input_size} numbers, "
                f"got shape {tuple(x.shape)}"
            )
        expected, names = (len(self.cells), len(x), self.config.hidden_size), self.cells[0].parts
        shapes = [expected] * len(names) if state is None else [tuple(part.shape) for part in state]
        if shapes != [expected] * len(names):
            raise ValueError(
                f"'state' must be ({', '.join(names)}), each of shape {expected}, got shapes {shapes}"
            )

    @classmethod
    def from_torch(cls, module: nn.RNNBase) -> Recurrent:
        """Return layers with the weights of a `torch.nn.RNN` (tanh), `LSTM` or `GRU`: they compute the same.

        Raises:
            ValueError: a module with what is not made here: no biases, projections, relu, dropout.

        >>> theirs = nn.GRU(3, 5, batch_first=True)
        >>> x = torch.randn(2, 4, 3)
        >>> torch.allclose(Recurrent.from_torch(theirs)(x)[0], theirs(x)[0], atol=1e-6)
        True
        """
        name = {"RNN_TANH": "rnn", "LSTM": "lstm", "GRU": "gru"}.get(module.mode)
        if name is None or not module.bias or module.proj_size or module.dropout:
            raise ValueError(
                "'module' must be a torch.nn.RNN with tanh, an LSTM or a GRU, with biases and without projections "
                f"and dropout, got {module}"
            )
        config = RecurrentConfig(
            module.input_size, module.hidden_size, name, module.num_layers, module.bidirectional
        )
        layers = cls(config).to(module.weight_ih_l0)  # its precision and device
        for cell, weights in zip(layers.cells, module.all_weights, strict=True):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            cell.load_state_dict(dict(zip(names, weights, strict=True)))
        return layers


def run_fused(
    layers: Recurrent,
    x: Float[Tensor, "batch time d_in"],
    state: State | None = None,
    lengths: Int64[Tensor, "batch"] | None = None,
) -> tuple[Float[Tensor, "batch time d_out"], State]:
    """Return what `layers(x, state, lengths)` returns, from the kernels behind `torch.nn.RNN`, `LSTM` and `GRU`.

    They want sequences of different lengths packed: all first steps, then all second steps, ..., the longest sequence first. Lengths must be
    at least 1.
    """
    config = layers.config
    batch, time, _ = x.shape
    kernel = {"rnn": torch.rnn_tanh, "lstm": torch.lstm, "gru": torch.gru}[config.cell]
    weights = [weight for cell in layers.cells for weight in cell.parameters()]
    # With biases, without dropout.
    options = (weights, True, config.n_layers, 0.0, layers.training, config.bidirectional)
    if state is None:
        zeros = x.new_zeros(len(layers.cells), batch, config.hidden_size)
        state = (zeros,) * len(layers.cells[0].parts)
    if lengths is None:
        outputs, *end = kernel(x, _as_torch(state), *options, True)
        return outputs, tuple(end)
    real_steps(lengths, batch, time)
    if lengths.device.type == "cpu" and lengths.min() < 1:
        raise ValueError(f"'lengths' must be at least 1 where fused, got {lengths.tolist()}")
    packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    state = tuple(part[:, packed.sorted_indices] for part in state)
    data, *end = kernel(packed.data, packed.batch_sizes, _as_torch(state), *options)
    outputs, _ = pad_packed_sequence(packed._replace(data=data), batch_first=True, total_length=time)
    return outputs, tuple(part[:, packed.unsorted_indices] for part in end)


def _as_torch(state: State) -> Tensor | State:
    return state if len(state) > 1 else state[0]
