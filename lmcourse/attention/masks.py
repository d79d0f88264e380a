"""Who may look at whom: masks as tables of True and False.

The convention of this course: a mask is boolean, and **True = may look**. Its last two axes are the query (who looks) and the key
(who is looked at); an axis of length 1 stands for "the same for all". Others write it differently, and a mask in the
wrong convention raises no error, it only teaches the model nonsense:

- `torch.nn.functional.scaled_dot_product_attention`: boolean, True = may look, as here; or numbers that are added to the
  scores, 0 and -infinity.
- `torch.nn.MultiheadAttention`: boolean, True = may *not* look, in `attn_mask` and in `key_padding_mask`.
- the `attention_mask` of tokenizers and of the `transformers` library: one row for each text, 1 = text, 0 = filling.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int64
from torch import Tensor


def causal_mask(
    length: int, device: torch.device | str | None = None, *, start: int = 0
) -> Bool[Tensor, "1 {length} {start+length}"]:
    """Return m with m[0, i, j] = (j <= start + i): each token may look at itself and at those before it.

    Vaswani et al. 2017, section 3.2.3. Every token may look at itself, so no row of it is empty.

    Args:
        length: of the queries. start: so many keys stand before the first query's own.

    Raises:
        ValueError: `length` below 1, `start` below 0.

    >>> causal_mask(3)[0].int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    if length < 1:
        raise ValueError(f"'length' must be at least 1, got {length}")
    if start < 0:
        raise ValueError(f"'start' must be at least 0, got {start}")
    return torch.ones(1, length, start + length, dtype=torch.bool, device=device).tril(start)


def padding_mask(attention_mask: Tensor) -> Bool[Tensor, "batch 1 key"]:
    """Return m with m[b, 0, j] = True where `attention_mask[b, j]` is 1: nobody looks at what only fills the row.

    Args:
        attention_mask: (batch, key), 0 and 1 or boolean, as `lmcourse.tokens.pad_batch` makes it; padding on either side.

    The mask hides padding from others. What a padded place itself sees does not matter, if nobody reads it.

    Raises:
        TypeError: numbers that are no integers. ValueError: not two axes, or values other than 0 and 1.

    >>> padding_mask(torch.tensor([[1, 1, 1], [1, 0, 0]]))
    tensor([[[ True,  True,  True]],
    <BLANKLINE>
            [[ True, False, False]]])
    """
    if attention_mask.is_floating_point():
        raise TypeError(
            "'attention_mask' must be boolean or integers (a float mask would be added to the scores), "
            f"got {attention_mask.dtype}"
        )
    if attention_mask.ndim != 2:
        raise ValueError(
            f"'attention_mask' must have the axes (batch, key), got {tuple(attention_mask.shape)}"
        )
    # On a GPU the check would make every step wait for the device.
    if attention_mask.device.type == "cpu" and ((attention_mask != 0) & (attention_mask != 1)).any():
        raise ValueError(f"'attention_mask' must hold 0 and 1 only, got {attention_mask.unique().tolist()}")
    return attention_mask.bool()[:, None, :]  # (batch, 1, key)


def length_mask(lengths: Int64[Tensor, "batch"], length: int | None = None) -> Bool[Tensor, "batch 1 key"]:
    """Return the padding mask of rows whose first `lengths[b]` places are text: m[b, 0, j] = (j < lengths[b]).

    Args:
        length: how long the rows are; by default as long as the longest text. A text of length 0 may be looked at by nobody.

    Raises:
        ValueError: a length below 0 or above `length`.

    >>> length_mask(torch.tensor([3, 1]))[:, 0].int()
    tensor([[1, 1, 1],
            [1, 0, 0]], dtype=torch.int32)
    """
    shortest, longest = (int(n) for n in lengths.aminmax())
    length = longest if length is None else length
    if not 0 <= shortest <= longest <= length:
        raise ValueError(f"'lengths' must be from 0 to length={length}, got {shortest} to {longest}")
    places = torch.arange(length, device=lengths.device)
    return (places < lengths[:, None])[:, None, :]  # (batch, 1, key)


def combine_masks(*masks: Bool[Tensor, "..."] | None) -> Bool[Tensor, "..."] | None:
    """Return the mask that lets through what every one of `masks` lets through; None forbids nothing.

    >>> text = padding_mask(torch.tensor([[1, 1, 0]]))
    >>> combine_masks(causal_mask(3), None, text)[0].int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 0]], dtype=torch.int32)
    >>> combine_masks(None) is None
    True
    """
    combined = None
    for mask in masks:
        if mask is not None:
            combined = mask if combined is None else combined & mask
    return combined


def check_mask(mask: Tensor, shape: Sequence[int]) -> None:
    """Raise an error unless `mask` is boolean and broadcasts to `shape`, that of the scores, axis for axis.

    It must have as many axes as the scores. Padding as (batch, key) would otherwise be taken for (query, key) without a word
    where a batch is as large as a text is long.

    Raises:
        TypeError: a mask that is not boolean. ValueError: one of another shape.
    """
    if mask.dtype != torch.bool:
        raise TypeError(f"'mask' must be boolean, True = may look, got {mask.dtype}")
    fits = len(mask.shape) == len(shape) and all(m in (1, s) for m, s in zip(mask.shape, shape, strict=True))
    if not fits:
        raise ValueError(f"'mask' must broadcast to {tuple(shape)}, axis for axis, got {tuple(mask.shape)}")
