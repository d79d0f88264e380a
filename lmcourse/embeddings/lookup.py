"""The embedding: a matrix with one row for each token, and the lookup that picks rows by their numbers.

Ids are names, not quantities: token 7 is not "more" than token 6. A model needs vectors. The plain way to make them
is a one-hot vector times a matrix; the product picks one row, so nobody multiplies: the row is read.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn


def one_hot(ids: Int64[Tensor, "*shape"], vocab_size: int) -> Float[Tensor, "*shape {vocab_size}"]:
    """Return, for each id, a row of `vocab_size` zeros with a one at the place of the id.

    Raises:
        ValueError: an id below 0 or not below `vocab_size`.

    >>> one_hot(torch.tensor([2, 0]), 3)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    _check_ids(ids, vocab_size)
    rows = torch.zeros(*ids.shape, vocab_size)
    return rows.scatter_(-1, ids[..., None], 1.0)


def lookup(
    weight: Float[Tensor, "vocab d"], ids: Int64[Tensor, "*shape"], padding_idx: int | None = None
) -> Float[Tensor, "*shape d"]:
    """Return the rows of `weight` with the numbers `ids`: what `one_hot(ids, vocab) @ weight` would compute.

    Args:
        weight: the embedding matrix. ids: of any shape; each becomes a vector of length d.
        padding_idx: a token that only fills rows. Its vector is read as it stands and no gradient flows into it.

    Raises:
        ValueError: an id below 0 or not below `vocab`. (Plain indexing takes -1 for the last row without a word.)

    >>> weight = torch.tensor([[1., 2.], [3., 4.], [5., 6.]])
    >>> lookup(weight, torch.tensor([2, 2, 0]))
    tensor([[5., 6.],
            [5., 6.],
            [1., 2.]])
    """
    _check_ids(ids, len(weight))
    rows = weight[ids]  # (*shape, d)
    if padding_idx is None:
        return rows
    return torch.where((ids == padding_idx)[..., None], rows.detach(), rows)


def lookup_gradient(
    grad_rows: Float[Tensor, "*shape d"],
    ids: Int64[Tensor, "*shape"],
    vocab_size: int,
    padding_idx: int | None = None,
) -> Float[Tensor, "{vocab_size} d"]:
    """Return the gradient of the loss with respect to the matrix, given that with respect to the rows looked up.

    It is `one_hot(ids).T @ grad_rows`, done as a scatter-add: each row's gradient is added to the row of its id. An
    id that was looked up twice gets the sum of both; an id that was not gets zero, and so it learns nothing
    from this batch. The same holds for `padding_idx` by decree.

    >>> grad_rows = torch.tensor([[1., 1.], [10., 10.], [5., 5.]])
    >>> lookup_gradient(grad_rows, torch.tensor([2, 2, 0]), vocab_size=3)
    tensor([[ 5.,  5.],
            [ 0.,  0.],
            [11., 11.]])
    """
    _check_ids(ids, vocab_size)
    d = grad_rows.shape[-1]
    gradient = grad_rows.new_zeros(vocab_size, d)
    gradient.index_add_(0, ids.reshape(-1), grad_rows.reshape(-1, d))
    if padding_idx is not None:
        gradient[padding_idx] = 0
    return gradient


class Embedding(nn.Module):
    """A matrix of `vocab_size` rows of length `d_model`, to be trained, and the lookup in it.

    Each entry starts as a draw from N(0, std^2). With the default, std = 1 / sqrt(d_model), a vector has length
    about 1 whatever its dimension, so dot products between vectors start between -1 and 1. `torch.nn.Embedding`
    starts with std = 1, where lengths are about sqrt(d_model); GPT-2 uses 0.02. The row of `padding_idx`, if
    there is one, starts at zero and stays there.

    Args:
        generator: where the draws come from; the global one by default.

    Raises:
        ValueError: a size below 1, or a `padding_idx` that is not an id.

    >>> embedding = Embedding(10, 4, generator=torch.Generator().manual_seed(0))
    >>> embedding(torch.tensor([[1, 2, 3], [4, 5, 6]])).shape
    torch.Size([2, 3, 4])
    """

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        *,
        std: float | None = None,
        padding_idx: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("vocab_size", vocab_size), ("d_model", d_model)):
            if size < 1:
                raise ValueError(f"'{name}' must be at least 1, got {size}")
        if padding_idx is not None and not 0 <= padding_idx < vocab_size:
            raise ValueError(f"'padding_idx' must be an id below vocab_size={vocab_size}, got {padding_idx}")
        std = d_model**-0.5 if std is None else std
        weight = std * torch.randn(vocab_size, d_model, generator=generator)
        if padding_idx is not None:
            weight[padding_idx] = 0
        self.weight = nn.Parameter(weight)
        self.padding_idx = padding_idx

    def forward(self, ids: Int64[Tensor, "*shape"]) -> Float[Tensor, "*shape d"]:
        return lookup(self.weight, ids, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return "{}, {}{}".format(*self.weight.shape, padding)


def _check_ids(ids: Tensor, vocab_size: int) -> None:
    # On a GPU the check would make every step wait for the device.
    if ids.device.type == "cpu" and ids.numel() and not 0 <= ids.min() <= ids.max() < vocab_size:
        raise ValueError(
            f"'ids' must be from 0 to vocab_size-1={vocab_size - 1}, got {ids.min().item()} to {ids.max().item()}"
        )
