"""From scores to weights: the softmax, what it does to what may not be seen, and what large scores do to it.

Two random vectors of length d with entries of variance 1 have a dot product of variance d. So scores grow with
sqrt(d), the softmax of large scores puts all weight on one place, and there its gradient vanishes. Dividing the
scores by sqrt(d) takes that away: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1 and its footnote 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from lmcourse.attention.masks import check_mask


def masked_softmax(
    scores: Float[Tensor, "*batch query key"], mask: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*batch query key"]:
    """Return w[i, j] = exp(s[i, j]) / sum over the j' that i may look at of exp(s[i, j']), and 0 where it may not look.

    A query that may look at nothing gets weights of 0, not NaN: nothing seen, nothing taken. (The quotient would be 0/0.)
    In half precision torch's softmax sums in float32 and rounds once, at the end.

    Args:
        mask: True = may look (`lmcourse.attention.masks`); it broadcasts to the scores, axis for axis.

    Raises:
        TypeError: a mask that is not boolean. ValueError: one of another shape.

    >>> scores = torch.tensor([[0.0, 0.0, 9.0], [1.0, 2.0, 3.0]])
    >>> masked_softmax(scores, torch.tensor([[True, True, False], [False, False, False]]))
    tensor([[0.5000, 0.5000, 0.0000],
            [0.0000, 0.0000, 0.0000]])
    """
    if mask is None:
        return scores.softmax(dim=-1)
    check_mask(mask, scores.shape)
    # The lowest number, not -infinity: a row without a key is then even, not NaN, until the last line clears it.
    hidden = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return hidden.softmax(dim=-1).masked_fill(~mask, 0.0)


def softmax_jacobian(weights: Float[Tensor, "*batch key"]) -> Float[Tensor, "*batch key key"]:
    """Return J[i, j] = dw_i / ds_j = w_i (1[i = j] - w_j) for the weights w = softmax(s).

    Each row sums to 0 (adding the same number to all scores changes nothing), and J is 0 where one weight is 1: a
    softmax that is sure of itself passes no gradient on.

    >>> softmax_jacobian(torch.tensor([0.5, 0.5]))
    tensor([[ 0.2500, -0.2500],
            [-0.2500,  0.2500]])
    """
    return torch.diag_embed(weights) - weights[..., :, None] * weights[..., None, :]


def weight_entropy(weights: Float[Tensor, "*batch key"]) -> Float[Tensor, "*batch"]:
    """Return H = -sum over j of w_j log w_j in nats: log(n) for even weights on n keys, 0 for all on one.

    exp(H) reads as the number of keys that are looked at. Weights of 0 add nothing.

    >>> weight_entropy(torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.0, 1.0, 0.0, 0.0]])).exp()
    tensor([4., 1.])
    """
    return torch.special.entr(weights).sum(dim=-1)


class ScoreVariance(NamedTuple):
    """The variance of sampled scores, for each size of head."""

    d_head: Int64[np.ndarray, "sizes"]
    plain: Float64[np.ndarray, "sizes"]  # of q . k
    scaled: Float64[np.ndarray, "sizes"]  # of q . k / sqrt(d_head)


def score_variance(d_heads: Sequence[int], n_pairs: int = 10_000, seed: int = 0) -> ScoreVariance:
    """Return the variances of q . k and of q . k / sqrt(d_head), over pairs of q and k with entries from N(0, 1).

    They estimate d_head and 1: q . k is a sum of d_head products, each with mean 0 and variance 1. The standard error of
    a sample variance is about sqrt((2 + 6/d_head) / n_pairs) of it.

    Raises:
        ValueError: a size below 1, or fewer than 2 pairs.

    >>> score_variance([1, 64]).plain.round(-1).tolist()
    [0.0, 60.0]
    """
    if min(d_heads) < 1:
        raise ValueError(f"'d_heads' must be at least 1, got {min(d_heads)}")
    if n_pairs < 2:
        raise ValueError(f"'n_pairs' must be at least 2, got {n_pairs}")
    generator = torch.Generator().manual_seed(seed)
    plain = []
    for d_head in d_heads:
        q, k = torch.randn(2, n_pairs, d_head, dtype=torch.float64, generator=generator)
        plain.append((q * k).sum(dim=-1).var().item())
    return ScoreVariance(np.array(d_heads), np.array(plain), np.array(plain) / np.array(d_heads))


class Saturation(NamedTuple):
    """What the softmax makes of scores of each size: means over many rows of scores."""

    std: Float64[np.ndarray, "sizes"]  # of the scores; sqrt(d_head) without the scale, 1 with it
    entropy: Float64[np.ndarray, "sizes"]  # of the weights, in nats
    largest: Float64[np.ndarray, "sizes"]  # the largest weight of a row
    gradient: Float64[np.ndarray, "sizes"]  # Frobenius norm of the softmax's Jacobian


def softmax_saturation(
    stds: Sequence[float], n_keys: int = 16, n_rows: int = 2000, seed: int = 0
) -> Saturation:
    """Return entropy, largest weight and gradient of the softmax as its scores, drawn from N(0, std^2), grow.

    At std = 0 all weights are 1/n_keys: the entropy is log(n_keys), the norm of the Jacobian sqrt(n_keys - 1) / n_keys.
    As std grows, the three go to 0, 1 and 0; the gradient rises a little first, since it is shared out among many keys as
    long as the weights are even. All sizes share one set of draws, so the curves are smooth.

    Raises:
        ValueError: a negative `std`, or fewer than 2 keys.

    >>> with_scale, without = softmax_saturation([1.0, 512**0.5]).gradient.round(2)  # d_head = 512
    >>> print(with_scale, without)
    0.31 0.07
    """
    if min(stds) < 0:
        raise ValueError(f"'stds' must not be negative, got {min(stds)}")
    if n_keys < 2:
        raise ValueError(f"'n_keys' must be at least 2, got {n_keys}")
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(n_rows, n_keys, dtype=torch.float64, generator=generator)
    weights = torch.stack([std * draws for std in stds]).softmax(dim=-1)  # (sizes, rows, keys)
    gradient = softmax_jacobian(weights).flatten(-2).norm(dim=-1)  # (sizes, rows)
    means = (x.mean(dim=-1).numpy() for x in (weight_entropy(weights), weights.amax(dim=-1), gradient))
    return Saturation(np.array(stds, dtype=np.float64), *means)
