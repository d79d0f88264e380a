"""ALiBi, attention with linear biases: the farther away a key, the lower its score. Nothing is learned.

Press et al. 2022, "Train Short, Test Long: Attention with Linear Biases Enables Input Length Extrapolation", section 3.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def alibi_slopes(n_heads: int) -> Float[Tensor, "{n_heads}"]:
    """Return the slope of each head, as float64: for n = 2^k heads, 2^(-8 h / n) for h = 1 ... n.

    Steep heads look nearby, flat ones far. For other numbers of heads the paper's program takes the slopes of the next
    lower power of two, and fills up with the 1st, 3rd, 5th ... slope of the next higher one, which lie between them.

    Raises:
        ValueError: `n_heads` below 1.

    >>> alibi_slopes(4).tolist()
    [0.25, 0.0625, 0.015625, 0.00390625]
    >>> alibi_slopes(3).tolist()
    [0.0625, 0.00390625, 0.25]
    """
    if n_heads < 1:
        raise ValueError(f"'n_heads' must be at least 1, got {n_heads}")
    lower = 2 ** math.floor(math.log2(n_heads))
    steps = torch.arange(1, lower + 1, dtype=torch.float64) / lower
    between = torch.arange(1, 2 * lower + 1, 2, dtype=torch.float64) / (2 * lower)
    return 2.0 ** (-8 * torch.cat([steps, between[: n_heads - lower]]))


def alibi_bias(
    slopes: Float[Tensor, "heads"], relative: Int64[Tensor, "query key"]
) -> Float[Tensor, "heads query key"]:
    """Return b[h, i, j] = -slopes[h] |j - i|, to be added to the scores of head h.

    The paper is about causal models, where only j <= i counts; the absolute value makes it symmetric for the others.

    >>> alibi_bias(torch.tensor([0.5]), torch.tensor([[0, 1], [-1, 0]]))
    tensor([[[-0.0000, -0.5000],
             [-0.5000, -0.0000]]])
    """
    return -slopes[:, None, None] * relative.abs()
