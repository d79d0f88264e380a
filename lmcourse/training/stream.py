"""Batches on their way into the loop: read without end, moved to a device, cut for several processes, recognized again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


def endless(batches: Iterable[Any], steps: int) -> Iterator[Any]:
    """Yield the batches, again from the beginning when they end.

    Raises:
        ValueError: `batches` is an iterator that ended, or holds nothing.

    >>> stream = endless([1, 2], steps=3)
    >>> [next(stream) for _ in range(3)]
    [1, 2, 1]
    """
    read = before = 0
    while True:
        for batch in batches:
            read += 1
            yield batch
        if read == before:
            raise ValueError(
                f"'batches' must last for steps = {steps} batches, or be a list that can be read again; "
                f"it ended after {read}"
            )
        before = read


def map_tensors(function: Callable[[Tensor], Tensor], batch: Any) -> Any:
    """Return a batch of the same form (tuple, list, dict, NamedTuple, nested) with `function` applied to each tensor."""
    if isinstance(batch, Tensor):
        return function(batch)
    if isinstance(batch, Mapping):
        return {name: map_tensors(function, value) for name, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):  # a NamedTuple stays one
        return type(batch)(*(map_tensors(function, value) for value in batch))
    if isinstance(batch, tuple | list):
        return type(batch)(map_tensors(function, value) for value in batch)
    return batch


def tensors_of(batch: Any) -> list[Tensor]:
    """Return all tensors of a batch, in its order."""
    found: list[Tensor] = []
    map_tensors(lambda tensor: found.append(tensor) or tensor, batch)
    return found


def share(batch: Any, rank: int, world_size: int) -> Any:
    """Return the rows of a batch that are for process `rank`: each tensor cut along its first dimension.

    Raises:
        ValueError: tensors with different numbers of rows, or rows that cannot be shared out evenly.

    >>> share(torch.arange(6), rank=1, world_size=2)
    tensor([3, 4, 5])
    """
    if world_size == 1:
        return batch
    rows = {len(tensor) for tensor in tensors_of(batch)}
    if len(rows) != 1 or min(rows) % world_size:
        raise ValueError(
            f"a batch must have tensors of as many rows each, and a multiple of world_size={world_size}, "
            f"got {sorted(rows)} rows"
        )
    part = rows.pop() // world_size
    return map_tensors(lambda tensor: tensor[rank * part : (rank + 1) * part], batch)


def fingerprint(batch: Any) -> str:
    """Return a short text that is the same for equal batches, and for no others that one will ever meet.

    >>> fingerprint([torch.tensor([1, 2])]) == fingerprint([torch.tensor([1, 2])])
    True
    >>> fingerprint([torch.tensor([1, 2])]) == fingerprint([torch.tensor([2, 1])])
    False
    """
    digest = hashlib.sha256()
    for tensor in tensors_of(batch):
        digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        digest.update(tensor.detach().cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
