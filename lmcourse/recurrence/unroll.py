"""A cell over time: whole sequences, of different lengths, from left to right or from right to left."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from lmcourse.recurrence.cells import Cell, State


def run(
    cell: Cell,
    x: Float[Tensor, "batch time d_in"],
    state: State | None = None,
    lengths: Int64[Tensor, "batch"] | None = None,
    reverse: bool = False,
) -> tuple[Float[Tensor, "batch time d"], State]:
    """Return the outputs of all steps and the last state: state_t = cell(x_t, state_{t-1}), output_t = h_t.

    Args:
        state: where to begin; None is zeros.
        lengths: how many steps of each sequence are real; the rest, at the right end, is padding. There the state stays
            as it was and the output is zero. None: all are real.
        reverse: read from right to left: state_t = cell(x_t, state_{t+1}). Since padding does not move the state,
            each sequence begins at its last real step. Outputs stand where their inputs stand.

    Raises:
        ValueError: no step at all; lengths below 0 or beyond the steps of `x`, or not one for each sequence.

    >>> from lmcourse.recurrence.cells import GRUCell
    >>> cell = GRUCell(3, 5)
    >>> outputs, (h,) = run(cell, torch.randn(2, 4, 3), lengths=torch.tensor([4, 2]))
    >>> outputs.shape, torch.equal(h, torch.stack([outputs[0, 3], outputs[1, 1]]))
    (torch.Size([2, 4, 5]), True)
    """
    time = x.shape[1]
    if time < 1:
        raise ValueError(f"'x' must have at least one step, got shape {tuple(x.shape)}")
    real = None if lengths is None else real_steps(lengths, len(x), time)  # (batch, time)
    from_x = cell.project(x).unbind(1)  # for each step (batch, gates): one product for all steps
    state = cell.initial_state(x) if state is None else cell.check_state(state, len(x))
    outputs = [x.new_empty(0)] * time
    for t in reversed(range(time)) if reverse else range(time):
        new = cell.step(from_x[t], state)
        if real is None:
            state, outputs[t] = new, new[0]
        else:
            on = real[:, t, None]  # (batch, 1)
            state = tuple(torch.where(on, after, before) for after, before in zip(new, state, strict=True))
            outputs[t] = torch.where(on, new[0], 0.0)
    return torch.stack(outputs, dim=1), state


def real_steps(lengths: Int64[Tensor, "batch"], batch: int, time: int) -> Bool[Tensor, "{batch} {time}"]:
    """Return [batch, time], True where t < length: a real step, no padding.

    Raises:
        ValueError: not one length for each sequence; on a CPU, a length below 0 or above `time`.

    >>> real_steps(torch.tensor([1, 3]), batch=2, time=3)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    if lengths.shape != (batch,):
        raise ValueError(
            f"'lengths' must be one number for each of {batch} sequences, got shape {tuple(lengths.shape)}"
        )
    # On a GPU the check would make every call wait for the device.
    if lengths.device.type == "cpu" and batch and not 0 <= lengths.min() <= lengths.max() <= time:
        raise ValueError(f"'lengths' must be from 0 to time={time}, got {lengths.tolist()}")
    return torch.arange(time, device=lengths.device) < lengths[:, None]


def detach(state: State) -> State:
    """Return the same state with its history cut off: no gradient flows into the steps that led to it.

    >>> h = torch.ones(1, 2, requires_grad=True)
    >>> [part.requires_grad for part in detach((2 * h,))]
    [False]
    """
    return tuple(part.detach() for part in state)
