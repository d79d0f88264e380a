"""From sequences of different lengths to one tensor: padding, truncation and the mask that tells them apart."""

import operator
from collections.abc import Iterable
from typing import Literal, NamedTuple, SupportsIndex

import torch
from jaxtyping import Int64
from torch import Tensor

from lmcourse.tokens.checks import shorten

Side = Literal["left", "right"]


class Batch(NamedTuple):
    """What a model reads: ids, and 1 where they are text, 0 where they only fill the row."""

    input_ids: Int64[Tensor, "batch time"]
    attention_mask: Int64[Tensor, "batch time"]


def pad_batch(
    sequences: Iterable[Iterable[SupportsIndex]],
    pad_id: SupportsIndex,
    *,
    padding_side: Side = "right",
    max_length: int | None = None,
    truncation_side: Side = "right",
) -> Batch:
    """Fill sequences of ids with `pad_id` up to the longest of them and stack them.

    Args:
        sequences: one or more sequences of ids, of any lengths.
        pad_id: the id to fill with. The mask, not the id, says what is text.
        padding_side: where to fill. Generation goes on at the right end, so it wants "left".
        max_length: cut longer sequences to this length; None cuts nothing.
        truncation_side: the end that is cut off.

    >>> pad_batch([[5, 6, 7], [8]], pad_id=0, padding_side="left", max_length=2)
    Batch(input_ids=tensor([[5, 6],
            [0, 8]]), attention_mask=tensor([[1, 1],
            [0, 1]]))

    Raises:
        ValueError: no sequence, an unknown side, `max_length` below 1. TypeError: an id that is no integer.
    """
    for name, side in (("padding_side", padding_side), ("truncation_side", truncation_side)):
        if side not in ("left", "right"):
            raise ValueError(f"'{name}' must be 'left' or 'right', got {side!r}")
    if max_length is not None and max_length < 1:
        raise ValueError(f"'max_length' must be at least 1 or None, got {max_length}")
    rows = [_ids(sequence, number) for number, sequence in enumerate(sequences)]
    if not rows:
        raise ValueError("'sequences' must hold at least one sequence, got none")
    if max_length is not None:
        rows = [row[:max_length] if truncation_side == "right" else row[-max_length:] for row in rows]
    time = max(map(len, rows))
    input_ids = torch.full((len(rows), time), operator.index(pad_id), dtype=torch.int64)
    attention_mask = torch.zeros((len(rows), time), dtype=torch.int64)
    for number, row in enumerate(rows):
        text = slice(0, len(row)) if padding_side == "right" else slice(time - len(row), time)
        input_ids[number, text] = torch.tensor(row, dtype=torch.int64)
        attention_mask[number, text] = 1
    return Batch(input_ids, attention_mask)


def _ids(sequence: Iterable[SupportsIndex], number: int) -> list[int]:
    try:
        return [operator.index(token_id) for token_id in sequence]
    except TypeError:
        raise TypeError(
            f"'sequences' must be sequences of integers, got {shorten(sequence)} at position {number}"
        ) from None
