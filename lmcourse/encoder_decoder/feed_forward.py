"""The feed-forward network: what is thought at a place, between two rounds of looking elsewhere.

Attention mixes vectors of different places, but each value passes through it by linear maps only. The feed-forward
network is the other half: it works on each place alone, and it is not linear. With d_ff = 4 d_model two thirds of the
parameters of an encoder block are here, and half of those of a decoder block.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Activation = Callable[[Tensor], Tensor]

# GELU is x times the probability that a standard normal number lies below x (Hendrycks and Gimpel 2016). "gelu_tanh"
# is its approximation by a tanh, which GPT-2 was trained with. SiLU, also called swish, is x sigmoid(x).
ACTIVATIONS: dict[str, Activation] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
}


def check_activation(name: str) -> None:
    """Raise a ValueError unless `name` is in `ACTIVATIONS`."""
    if name not in ACTIVATIONS:
        raise ValueError(f"'activation' must be one of {list(ACTIVATIONS)}, got {name!r}")


class FeedForward(nn.Module):
    """W2 act(W1 x + b1) + b2, at each place alone: from d_model to d_ff numbers and back.

    Vaswani et al. 2017, section 3.3, equation 2, where act is the ReLU and d_ff = 4 d_model. The matrices start as
    draws from Glorot's uniform law, of the global generator, and the biases at 0.

    Raises:
        ValueError: a size below 1, or an activation that is not in `ACTIVATIONS`.

    >>> import torch
    >>> FeedForward(d_model=4, d_ff=16)(torch.randn(2, 3, 4)).shape
    torch.Size([2, 3, 4])
    """

    def __init__(self, d_model: int, d_ff: int, activation: str = "relu", bias: bool = True) -> None:
        super().__init__()
        for name, size in (("d_model", d_model), ("d_ff", d_ff)):
            if size < 1:
                raise ValueError(f"'{name}' must be at least 1, got {size}")
        check_activation(activation)
        self.activation = activation
        self.up_proj = nn.Linear(d_model, d_ff, bias=bias)  # W1
        self.down_proj = nn.Linear(d_ff, d_model, bias=bias)  # W2
        for projection in (self.up_proj, self.down_proj):
            nn.init.xavier_uniform_(projection.weight)
            if bias:
                nn.init.zeros_(projection.bias)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return self.down_proj(ACTIVATIONS[self.activation](self.up_proj(x)))
