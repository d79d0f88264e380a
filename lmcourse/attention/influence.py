"""Who depends on whom: the test for leaks of the future, by gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def influence(layer: Callable[[Tensor], Tensor], x: Float[Tensor, "time d_in"]) -> Float[Tensor, "time time"]:
    """Return n[i, j] = Frobenius norm of d output_i / d input_j, for a layer that maps (1, time, d_in) to (1, time, d_out).

    A causal layer has n[i, j] = 0, exactly, for each j > i: nothing to the right of the diagonal. Look at it for several inputs. A
    gradient of 0 at one input says nothing about others, and a step such as argmax has none at all; so a full
    test also changes later tokens and sees that earlier outputs stay, to the last bit.

    >>> def running_mean(x):
    ...     return x.cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]
    >>> influence(running_mean, torch.ones(2, 1))
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000]])
    """
    jacobian = torch.autograd.functional.jacobian(lambda row: layer(row[None])[0], x)
    return jacobian.norm(dim=(1, 3))  # (time, d_out, time, d_in) -> (time, time)
