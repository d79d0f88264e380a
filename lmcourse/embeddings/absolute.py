"""Where a token stands, added to what it is: absolute positions.

Attention weighs a *set* of tokens; shuffle them and its outputs are shuffled, nothing more. The first cure gives each
position a vector of its own and adds it, element by element, to the embedding of the token that stands there.
Either the vectors follow a formula (Vaswani et al. 2017, "Attention Is All You Need", section 3.5), or they are
learned like any other embedding (Gehring et al. 2017, "Convolutional Sequence to Sequence Learning", section 3.1;
BERT and GPT-2 do so too).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from lmcourse.embeddings.lookup import Embedding


def frequencies(d: int, base: float = 10_000.0) -> Float[Tensor, "half"]:
    """Return w_i = base^(-2 i / d) for i = 0 ... d/2 - 1, in radians per position, as float64.

    The first turns fastest, 2 pi positions to a circle; the last needs nearly 2 pi * base.

    Raises:
        ValueError: an odd `d` or one below 2, or a `base` not above 1.

    >>> frequencies(4, base=100.0).tolist()
    [1.0, 0.1]
    """
    if d < 2 or d % 2:
        raise ValueError(f"'d' must be even and at least 2, since sine and cosine come in pairs, got {d}")
    if not base > 1:
        raise ValueError(f"'base' must be above 1, got {base}")
    return base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)


def position_angles(
    positions: Int64[Tensor, "time"], d: int, base: float = 10_000.0
) -> Float[Tensor, "time half"]:
    """Return p w_i for each position p and frequency i, in radians, as float64: for sinusoids and rotary positions.

    >>> position_angles(torch.tensor([0, 2]), d=4, base=100.0).tolist()
    [[0.0, 0.0], [2.0, 0.2]]
    """
    return positions[:, None] * frequencies(d, base).to(positions.device)


def sinusoidal_positions(
    positions: Int64[Tensor, "time"], d_model: int, base: float = 10_000.0
) -> Float[Tensor, "time {d_model}"]:
    """Return PE with PE[p, 2i] = sin(p w_i) and PE[p, 2i + 1] = cos(p w_i), as float64.

    The frequencies are w_i = base^(-2i / d_model). Vaswani et al. 2017, section 3.5. Each row has length sqrt(d_model / 2), whatever the position.

    >>> sinusoidal_positions(torch.tensor([0, 1]), d_model=2).round(decimals=3).tolist()
    [[0.0, 1.0], [0.841, 0.54]]
    """
    angles = position_angles(positions, d_model, base)  # (time, d/2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)  # (time, d/2, 2) -> (time, d)


def shift_matrix(offset: int, d_model: int, base: float = 10_000.0) -> Float[Tensor, "{d_model} {d_model}"]:
    """Return the matrix M_k with PE(p + k) = M_k PE(p) for *every* position p, where k is `offset`; float64.

    It turns each pair of sine and cosine by the angle k w_i, so "k places further on" is one fixed linear map,
    which is why Vaswani et al. chose sinusoids. M_k is a rotation: M_k^-1 = M_k^T = M_(-k).

    >>> one, two = sinusoidal_positions(torch.tensor([1, 2]), d_model=4)
    >>> torch.allclose(shift_matrix(1, d_model=4) @ one, two)
    True
    """
    angles = offset * frequencies(d_model, base)
    cos, sin = angles.cos(), angles.sin()
    turns = torch.stack([cos, sin, -sin, cos], dim=-1).view(-1, 2, 2)  # one 2 x 2 turn for each frequency
    return torch.block_diag(*turns)


class LearnedPositions(nn.Module):
    """A table with one trained vector for each position below `max_length`; beyond it the model has nothing to add.

    Args:
        std: the vectors start as draws from N(0, std^2). GPT-2 uses 0.02 for tokens and 0.01 for positions.

    >>> LearnedPositions(max_length=8, d_model=4)(torch.arange(3)).shape
    torch.Size([3, 4])
    """

    def __init__(self, max_length: int, d_model: int, std: float = 0.02) -> None:
        super().__init__()
        self.table = Embedding(max_length, d_model, std=std)

    def forward(self, positions: Int64[Tensor, "time"]) -> Float[Tensor, "time d_model"]:
        """Return the rows of the table.

        Raises:
            ValueError: a position at or beyond `max_length`.
        """
        max_length = len(self.table.weight)
        if len(positions) and not 0 <= positions.min() <= positions.max() < max_length:
            raise ValueError(
                f"'positions' must be below max_length={max_length}, where the learned table ends, "
                f"got {positions.min().item()} to {positions.max().item()}"
            )
        return self.table(positions)
