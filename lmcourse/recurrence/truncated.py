"""Truncated backpropagation through time: the state is carried on, the gradient is not.

To train on a text of a million tokens as one sequence, all its states would have to be kept until the end. Instead the
text is read in pieces. Each piece begins with the state in which the one before it ended, so the model still sees
the whole past; but the gradient flows back only to the beginning of the piece. What lies further back can be used,
and its use cannot be learnt directly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lmcourse.recurrence.cells import State
from lmcourse.recurrence.language_model import RecurrentLM
from lmcourse.recurrence.unroll import detach
from lmcourse.training import Rows


class TruncatedLoss:
    """The loss of a batch that goes on where the last batch ended; for `lmcourse.training.train`.

    Each call starts from the state at the end of the call before, cut off from its history: backpropagation reaches
    back over one batch, and no longer. Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of
    Recurrent Network Trajectories" (Neural Computation 1990). Use a new object for each text and each training.

    >>> from lmcourse.recurrence.language_model import RecurrentLMConfig
    >>> model = RecurrentLM(RecurrentLMConfig(vocab_size=10, d_model=4, hidden_size=8))
    >>> loss_fn = TruncatedLoss()
    >>> for batch, _ in zip(batches_of_streams(range(10), row=2, batch_size=1), "123"):
    ...     loss = loss_fn(model, batch)
    >>> whole, _ = model.read(torch.arange(6)[None])  # in the third batch the model knows all six tokens
    >>> torch.allclose(loss, torch.nn.functional.cross_entropy(whole[0, 4:], torch.tensor([5, 6])))
    True
    """

    def __init__(self) -> None:
        self.state: State | None = None

    def __call__(self, model: RecurrentLM, batch: Rows) -> Float[Tensor, ""]:
        loss, state = model.loss(*batch, self.state)
        self.state = detach(state)
        return loss


def batches_of_streams(ids: Tensor | np.ndarray | Sequence[int], row: int, batch_size: int) -> Iterator[Rows]:
    """Yield batches in the order of the text, without end: row b of each batch goes on where row b of the last one ended.

    The text is cut into `batch_size` streams of equal length, read side by side. (What does not fill a row in every
    stream is left out.) After the last row the streams begin again.

    Args:
        ids: [n] token ids. row: tokens in a row. batch_size: streams.

    Raises:
        ValueError: `ids` is not one-dimensional, or too short for one batch; `row` or `batch_size` below 1.

    >>> for batch, _ in zip(batches_of_streams(range(100, 109), row=2, batch_size=2), "12"):
    ...     print(batch.input_ids.tolist(), batch.targets.tolist())
    [[100, 101], [104, 105]] [[101, 102], [105, 106]]
    [[102, 103], [106, 107]] [[103, 104], [107, 108]]
    """
    ids = torch.as_tensor(ids)
    if ids.ndim != 1:
        raise ValueError(f"'ids' must be one row of ids, got shape {tuple(ids.shape)}")
    for name, value in (("row", row), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"'{name}' must be at least 1, got {value}")
    rows = (len(ids) - 1) // (row * batch_size)  # in each stream
    if rows < 1:
        raise ValueError(
            f"'ids' must hold at least row * batch_size + 1 = {row * batch_size + 1} ids, got {len(ids)}"
        )
    return _streams(ids[: rows * row * batch_size + 1].long(), row, batch_size)


def _streams(ids: Tensor, row: int, batch_size: int) -> Iterator[Rows]:
    inputs, targets = ids[:-1].view(batch_size, -1), ids[1:].view(batch_size, -1)
    while True:
        for start in range(0, inputs.shape[1], row):
            piece = slice(start, start + row)
            yield Rows(inputs[:, piece].contiguous(), targets[:, piece].contiguous())
