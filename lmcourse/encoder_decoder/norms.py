"""Normalization: each vector of the residual stream brought to one size, whatever the others are.

The mean and the variance are those of *one* vector, over its d_model entries, never over the batch or over time. So a
text gives the same result alone and in a batch, and a causal model does not see the future through a mean.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Vectors = Float[Tensor, "*batch d_model"]
Gains = Float[Tensor, "d_model"]


def layer_norm(x: Vectors, weight: Gains, bias: Gains, eps: float = 1e-5) -> Vectors:
    """Return (x - mean) / sqrt(var + eps) * weight + bias, each vector with its own mean and variance.

    var is the mean of the squared deviations: divided by d, not by d - 1. Ba, Kiros and Hinton 2016, "Layer
    Normalization", section 3. The result does not change when a constant is added to all entries of x, and (but for
    eps) when x is multiplied by a positive number.

    >>> layer_norm(torch.tensor([1.0, 3.0]), torch.ones(2), torch.zeros(2), eps=0.0)
    tensor([-1.,  1.])
    """
    mean = x.mean(-1, keepdim=True)
    variance = (x - mean).square().mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


def rms_norm(x: Vectors, weight: Gains, eps: float = 1e-6) -> Vectors:
    """Return x / sqrt(mean of x_i^2 + eps) * weight: the length is brought to sqrt(d), the direction kept.

    Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", equation 4: the mean is not taken away, and there
    is no bias. They find that it is the scale that matters, and it costs less.

    >>> rms_norm(torch.tensor([3.0, 4.0, 0.0, 0.0]), torch.ones(4), eps=0.0)
    tensor([1.2000, 1.6000, 0.0000, 0.0000])
    """
    return x / torch.sqrt(x.square().mean(-1, keepdim=True) + eps) * weight


class RMSNorm(nn.Module):
    """`rms_norm` with trained gains, which start at 1; computed by torch's kernel, in half precision too.

    >>> round(RMSNorm(4)(torch.tensor([3.0, 4.0, 0.0, 0.0])).norm().item(), 4)
    2.0
    """

    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x: Vectors) -> Vectors:
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


NORMS: dict[str, type[nn.Module]] = {"layer": nn.LayerNorm, "rms": RMSNorm}


def make_norm(kind: str, d_model: int, eps: float = 1e-5) -> nn.Module:
    """Return the norm called `kind`: "layer" is torch's LayerNorm (the same numbers as `layer_norm`), "rms" is `RMSNorm`.

    Raises:
        ValueError: a kind that is not in `NORMS`.

    >>> make_norm("rms", 4)(torch.ones(4)).shape
    torch.Size([4])
    """
    if kind not in NORMS:
        raise ValueError(f"'kind' must be one of {list(NORMS)}, got {kind!r}")
    return NORMS[kind](d_model, eps=eps)
