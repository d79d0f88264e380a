"""Heads: several attentions side by side, as one computation.

A vector is cut into pieces, one for each head; the heads become an axis like the batch, and the attention of all heads is one
call. With fewer heads for keys and values than for queries there is less to keep while a text is generated (one: Shazeer
2019, "Fast Transformer Decoding", multi-query attention; several: Ainslie et al. 2023, "GQA: Training Generalized Multi-Query
Transformer Models", section 2.2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from lmcourse.attention.masks import causal_mask, combine_masks
from lmcourse.attention.scaled import scaled_dot_product_attention

Heads = Float[Tensor, "batch heads query d_head"]
KVHeads = Float[Tensor, "batch kv_heads key d_head"]
Weights = Float[Tensor, "batch heads query key"]


def split_heads(
    x: Float[Tensor, "batch time width"], n_heads: int
) -> Float[Tensor, "batch {n_heads} time d_head"]:
    """Cut each vector into `n_heads` pieces and put the heads before time, so that each head is a batch of its own.

    >>> split_heads(torch.arange(4.0).view(1, 1, 4), n_heads=2)[0, :, 0]
    tensor([[0., 1.],
            [2., 3.]])
    """
    pieces = x.unflatten(-1, (n_heads, -1))  # (batch, time, heads, d_head)
    return pieces.transpose(1, 2)  # (batch, heads, time, d_head)


def join_heads(x: Float[Tensor, "batch heads time d_head"]) -> Float[Tensor, "batch time width"]:
    """Undo `split_heads`: the pieces of a place side by side again, width = heads * d_head.

    >>> x = torch.randn(2, 5, 6)
    >>> torch.equal(join_heads(split_heads(x, 3)), x)
    True
    """
    return x.transpose(1, 2).flatten(-2)


def multi_head_attention(
    q: Heads,
    k: KVHeads,
    v: KVHeads,
    mask: Bool[Tensor, "#batch #query #key"] | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    bias: Float[Tensor, "#batch heads query key"] | None = None,
    fused: bool = False,
    return_weights: bool = False,
) -> Heads | tuple[Heads, Weights]:
    """Return `scaled_dot_product_attention` of each head; query head h uses the keys and values of head h // (heads / kv_heads).

    Args:
        mask: (batch, query, key), the same for all heads, True = may look. causal: and nobody looks ahead. Where there are
            more keys than queries, the queries are the last places of the text.
        scale: of the scores, instead of 1 / sqrt(d_head).
        fused: leave it to torch's kernel, which never writes the (query, key) table where it can avoid it. The weights are not
            known there, so `return_weights` takes the written-out way.

    Raises:
        ValueError: heads of the queries that are no multiple of those of the keys; `causal` with fewer keys than queries.

    >>> q, k = torch.randn(1, 4, 3, 8), torch.randn(1, 2, 3, 8)
    >>> written_out = multi_head_attention(q, k, k, causal=True)
    >>> torch.allclose(written_out, multi_head_attention(q, k, k, causal=True, fused=True), atol=1e-6)
    True
    """
    if q.shape[1] % k.shape[1]:
        raise ValueError(f"'k' must have a number of heads that divides {q.shape[1]}, got {k.shape[1]}")
    if causal and q.shape[2] > k.shape[2]:
        raise ValueError(f"'causal' needs a key for each of {q.shape[2]} queries, got {k.shape[2]} keys")
    if fused and not return_weights:
        return _fused_attention(q, k, v, mask, causal, scale, bias)
    if causal:
        mask = combine_masks(_causal(q, k), mask)
    per_head = None if mask is None else mask[:, None]  # (batch, 1, query, key): the same for all heads
    group = q.shape[1] // k.shape[1]
    if group > 1:
        k, v = (x.repeat_interleave(group, dim=1) for x in (k, v))  # (batch, kv_heads -> heads, key, d_head)
    return scaled_dot_product_attention(q, k, v, per_head, scale, bias=bias, return_weights=return_weights)


def _causal(q: Heads, k: KVHeads) -> Bool[Tensor, "1 query key"]:
    return causal_mask(q.shape[2], q.device, start=k.shape[2] - q.shape[2])


def _fused_attention(
    q: Heads,
    k: KVHeads,
    v: KVHeads,
    mask: Tensor | None,
    causal: bool,
    scale: float | None,
    bias: Tensor | None,
) -> Heads:
    causal = causal and q.shape[2] > 1  # a single query is the last place: it may look at all
    # Where causal is all there is, the kernel need not read a mask; it takes queries for the *first* places, though.
    only_causal = causal and mask is None and bias is None and q.shape[2] == k.shape[2]
    if causal and not only_causal:
        mask = combine_masks(_causal(q, k), mask)
    allowed = None if mask is None else mask[:, None]
    if bias is not None:  # the kernel takes a mask or a bias, not both
        allowed = bias if allowed is None else bias.masked_fill(~allowed, -torch.inf)
    gqa = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=allowed, is_causal=only_causal, scale=scale, enable_gqa=gqa
    )
