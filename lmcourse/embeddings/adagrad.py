"""Adagrad for tables of vectors: only the rows that a step touches are read and written."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor


class RowAdagrad:
    """Gradient descent in which each row of `weight` has a learning rate of its own, lower the more it has moved.

    For a row with summed gradient g in a step: S += mean(g^2), row -= lr g / sqrt(S). A frequent word takes small steps,
    a rare one, met for the first time, takes a full one. Duchi et al. 2011 keep one S for each *entry*; one for each row is
    what large embedding tables are often trained with: as good here, and less to keep.

    >>> weight = torch.zeros(3, 2)
    >>> RowAdagrad(weight).step(torch.tensor([2, 2]), torch.tensor([[3.0, 3.0], [1.0, 1.0]]), lr=0.5)
    >>> weight
    tensor([[ 0.0000,  0.0000],
            [ 0.0000,  0.0000],
            [-0.5000, -0.5000]])
    """

    def __init__(self, weight: Float[Tensor, "vocab d"]) -> None:
        self.weight = weight
        self.squares = torch.full((len(weight),), 1e-10, dtype=weight.dtype, device=weight.device)

    def step(self, ids: Int64[Tensor, "n"], gradients: Float[Tensor, "n d"], lr: float) -> None:
        """Move the rows `ids` in place. Gradients of an id that comes twice add up, as in `lookup_gradient`."""
        rows, place = torch.unique(ids, return_inverse=True)
        gradient = gradients.new_zeros(len(rows), gradients.shape[1]).index_add_(0, place, gradients)
        squares = self.squares[rows] + gradient.square().mean(1)
        self.squares[rows] = squares
        self.weight[rows] -= gradient * (lr * squares.rsqrt())[:, None]
