"""What a training loop reads: seeds, a device, and endless batches in an order that a seed decides."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor


def seed_everything(seed: int) -> None:
    """Seed Python's `random`, numpy and torch (on all devices): call it before a model draws its first weights.

    Raises:
        ValueError: `seed` is negative or needs more than 32 bits, which numpy does not take.

    >>> seed_everything(3)
    >>> first = random.random(), np.random.rand(), torch.rand(1).item()
    >>> seed_everything(3)
    >>> first == (random.random(), np.random.rand(), torch.rand(1).item())
    True
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"'seed' must be from 0 to 2**32 - 1, got {seed}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def best_device() -> str:
    """Return "cuda" or "mps" where there is such a device, else "cpu".

    >>> best_device() in ("cuda", "mps", "cpu")
    True
    """
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


class Rows(NamedTuple):
    """A batch for a language model: `targets[:, t]` is the token that follows `input_ids[:, t]`."""

    input_ids: Int64[Tensor, "batch time"]
    targets: Int64[Tensor, "batch time"]


def batches_of_rows(
    ids: Tensor | np.ndarray | Sequence[int], row: int, batch_size: int, seed: int = 0
) -> Iterator[Rows]:
    """Yield batches of rows from one long text of ids, without end.

    The text is cut into rows at each multiple of `row`, so documents of that length are never cut. The target
    of a row's last token is the first token of the next row: in one pass each token but the first is predicted
    once. (What does not fill a row at the end of the text is left out.) The order of the rows is drawn anew for
    each pass; rows that do not fill a batch at the end of a pass wait for another pass.

    Args:
        ids: [n] token ids.
        row: tokens in a row.
        batch_size: rows in a batch.
        seed: decides the order of the rows; no other random numbers are touched.

    Raises:
        ValueError: `ids` is not one-dimensional, or too short for one batch; `row` or `batch_size` below 1.

    >>> batch = next(batches_of_rows(range(100, 113), row=4, batch_size=3))
    >>> batch.input_ids.sort(dim=0).values
    tensor([[100, 101, 102, 103],
            [104, 105, 106, 107],
            [108, 109, 110, 111]])
    >>> torch.equal(batch.targets, batch.input_ids + 1)
    True
    """
    ids = torch.as_tensor(ids)
    if ids.ndim != 1:
        raise ValueError(f"'ids' must be one row of ids, got shape {tuple(ids.shape)}")
    for name, value in (("row", row), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"'{name}' must be at least 1, got {value}")
    if len(ids) < row * batch_size + 1:
        raise ValueError(
            f"'ids' must hold at least row * batch_size + 1 = {row * batch_size + 1} ids, got {len(ids)}"
        )
    return _rows(ids.unfold(0, row + 1, row), batch_size, seed)  # [rows, row + 1], a view


def _rows(rows: Tensor, batch_size: int, seed: int) -> Iterator[Rows]:
    for index in _shuffled(len(rows), batch_size, torch.Generator().manual_seed(seed)):
        chosen = rows[index].long()  # [batch, row + 1]
        yield Rows(chosen[:, :-1].contiguous(), chosen[:, 1:].contiguous())


def _shuffled(n: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    while True:
        order = torch.randperm(n, generator=generator)
        for start in range(0, n - batch_size + 1, batch_size):
            yield order[start : start + batch_size]


def batches_by_length(
    lengths: Sequence[int], batch_size: int, seed: int = 0, pool: int = 32
) -> Iterator[list[int]]:
    """Yield batches of *positions*, without end, so that examples of about the same length stand together.

    Each pass shuffles all examples, sorts every `pool` batches by length, cuts them into batches and shuffles
    those. Little of a padded batch is then padding, and the order stays random. Examples that do not fill a
    batch at the end of a pass wait for another pass.

    Raises:
        ValueError: fewer examples than `batch_size`; `batch_size` or `pool` below 1.

    >>> lengths = [5, 2, 5, 2]
    >>> [sorted(lengths[i] for i in batch) for batch, _ in zip(batches_by_length(lengths, 2), "12")].count([2, 2])
    1
    """
    for name, value in (("batch_size", batch_size), ("pool", pool)):
        if value < 1:
            raise ValueError(f"'{name}' must be at least 1, got {value}")
    if len(lengths) < batch_size:
        raise ValueError(
            f"'lengths' must hold at least batch_size = {batch_size} examples, got {len(lengths)}"
        )
    return _by_length(torch.as_tensor(lengths), batch_size, pool, torch.Generator().manual_seed(seed))


def _by_length(
    lengths: Tensor, batch_size: int, pool: int, generator: torch.Generator
) -> Iterator[list[int]]:
    whole = len(lengths) - len(lengths) % batch_size  # as many as fill batches
    while True:
        order = torch.randperm(len(lengths), generator=generator)[:whole]
        parts = order.split(pool * batch_size)
        batches = torch.cat([part[lengths[part].argsort(stable=True)] for part in parts]).view(-1, batch_size)
        yield from batches[torch.randperm(len(batches), generator=generator)].tolist()
