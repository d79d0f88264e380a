"""Rotary positions (RoPE): turn queries and keys by an angle that grows with their position.

Two vectors turned by angles a and b have the dot product of the first with the second turned by b - a. So if a query
at position m is turned by m w and a key at position n by n w, their product depends on n - m alone: absolute
positions go in, relative ones come out, and no vector changes its length. A vector of length d is cut into d/2 pairs,
each of which turns at a speed of its own; the speeds are those of the sinusoids. Su et al. 2021, "RoFormer: Enhanced
Transformer with Rotary Position Embedding", section 3.2, equations 14 to 16 and 34.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

Pairing = Literal["interleaved", "half"]


def rotate(
    x: Float[Tensor, "*batch time d_head"], angles: Float[Tensor, "time half"], pairing: Pairing = "half"
) -> Float[Tensor, "*batch time d_head"]:
    """Return `x` with each pair (a, b) turned: (a cos - b sin, a sin + b cos).

    Which two entries are a pair is a convention, and the weights of a trained model only fit their own:
    "interleaved" pairs 2i with 2i + 1 (the paper, GPT-J); "half" pairs i with i + d_head/2 (GPT-NeoX, Llama), which needs no
    strided reads. `interleaved_to_half` carries one into the other.

    Args:
        x: queries or keys. angles: from `lmcourse.embeddings.position_angles`; base^(-2i / d_head) are the speeds.

    Raises:
        ValueError: an unknown `pairing`, or angles for another `d_head`.

    >>> x = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    >>> quarter = torch.tensor([[torch.pi / 2, 0.0]])
    >>> rotate(x, quarter, "interleaved").round().tolist(), rotate(x, quarter, "half").round().tolist()
    ([[-0.0, 1.0, 0.0, 0.0]], [[-0.0, 0.0, 1.0, 0.0]])
    """
    half = angles.shape[-1]
    if x.shape[-1] != 2 * half:
        raise ValueError(f"'angles' must have d_head/2={x.shape[-1] / 2:g} columns, got {half}")
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    if pairing == "interleaved":
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)
    if pairing == "half":
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
    raise ValueError(f"'pairing' must be 'interleaved' or 'half', got {pairing!r}")


def interleaved_to_half(d_head: int) -> Int64[Tensor, "{d_head}"]:
    """Return the permutation s with rotate(x, angles, "interleaved")[..., s] = rotate(x[..., s], angles, "half").

    To move weights from one convention to the other, reorder the rows of the query and key matrices by it within
    each head. Scores stay the same, since a dot product does not mind a reordering of both its sides.

    >>> interleaved_to_half(6).tolist()
    [0, 2, 4, 1, 3, 5]
    """
    return torch.arange(d_head).view(-1, 2).T.flatten()
