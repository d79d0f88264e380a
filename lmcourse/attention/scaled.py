"""Attention in two steps: how relevant is each token to me, and what do I take from them.

Each token asks with a *query*, is found by its *key* and hands over its *value*. Step one compares a query with all keys;
step two mixes the values, most from where the key fitted best. Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1.
"""

from __future__ import annotations

import math

from jaxtyping import Bool, Float
from torch import Tensor

from lmcourse.attention.softmax import masked_softmax

Output = Float[Tensor, "*batch query d_value"]
Weights = Float[Tensor, "*batch query key"]


def relevance(
    q: Float[Tensor, "*batch query d_head"], k: Float[Tensor, "*batch key d_head"], scale: float | None = None
) -> Float[Tensor, "*batch query key"]:
    """Return the scores s[i, j] = q_i . k_j * scale: how much key j is what query i asks for.

    Args:
        scale: 1 / sqrt(d_head) by default, which keeps the variance of the scores at 1 (`score_variance`).

    The queries are scaled before the product, so that in half precision a long dot product overflows less easily.

    Raises:
        ValueError: keys of another length than the queries.

    >>> import torch
    >>> q, k = torch.tensor([[2.0, 0.0, 0.0, 0.0]]), torch.eye(4)
    >>> relevance(q, k)
    tensor([[1., 0., 0., 0.]])
    """
    d_head = q.shape[-1]
    if k.shape[-1] != d_head:
        raise ValueError(f"'k' must hold vectors of length d_head={d_head}, as q does, got {k.shape[-1]}")
    scale = 1 / math.sqrt(d_head) if scale is None else scale
    return (q * scale) @ k.mT  # (*batch, query, d_head) @ (*batch, d_head, key) -> (*batch, query, key)


def combine(weights: Weights, v: Float[Tensor, "*batch key d_value"]) -> Output:
    """Return o_i = sum over j of w[i, j] v_j: the mean of the values, weighted anew for each query.

    Raises:
        ValueError: another number of values than of weights.

    >>> import torch
    >>> combine(torch.tensor([[0.75, 0.25]]), torch.tensor([[4.0, 0.0], [0.0, 4.0]]))
    tensor([[3., 1.]])
    """
    if v.shape[-2] != weights.shape[-1]:
        raise ValueError(f"'v' must hold one vector for each of {weights.shape[-1]} keys, got {v.shape[-2]}")
    return weights @ v  # (*batch, query, key) @ (*batch, key, d_value) -> (*batch, query, d_value)


def scaled_dot_product_attention(
    q: Float[Tensor, "*batch query d_head"],
    k: Float[Tensor, "*batch key d_head"],
    v: Float[Tensor, "*batch key d_value"],
    mask: Bool[Tensor, "..."] | None = None,
    scale: float | None = None,
    *,
    bias: Float[Tensor, "..."] | None = None,
    return_weights: bool = False,
) -> Output | tuple[Output, Weights]:
    """Return softmax(q k^T / sqrt(d_head) + bias) v, the softmax over the keys that the mask allows.

    Vaswani et al. 2017, equation 1. It knows no order: shuffle keys and values together, and nothing changes.

    Args:
        q, k, v: any axes in front (batch, heads), the same for all three. v may have another length than q and k.
        mask: True = may look, broadcast to (*batch, query, key), axis for axis. **A query that may look at nothing gets zeros**, and
            passes on a gradient of zero. torch's kernel does the same; torch.nn.MultiheadAttention gives NaN there when it
            returns weights.
        scale: instead of 1 / sqrt(d_head).
        bias: added to the scores, as T5 and ALiBi do (`lmcourse.embeddings.positions`); broadcast like the mask.
        return_weights: also return the weights, (*batch, query, key).

    Time and memory grow with query * key. In half precision the softmax sums in float32.

    Raises:
        TypeError: a mask that is not boolean. ValueError: sizes that do not fit, named by argument.

    >>> import torch
    >>> q = k = v = torch.eye(2)
    >>> mask = torch.tensor([[True, False], [False, False]])
    >>> scaled_dot_product_attention(q, k, v, mask)
    tensor([[1., 0.],
            [0., 0.]])
    """
    scores = relevance(q, k, scale)
    if bias is not None:
        scores = scores + bias
    weights = masked_softmax(scores, mask)
    output = combine(weights, v)
    return (output, weights) if return_weights else output
