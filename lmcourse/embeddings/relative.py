"""How far apart two tokens stand: relative positions as a term of the attention score.

"Three tokens back" means the same at position 5 and at position 500. So the score of a query at position i for a key at
position j gets a term that depends on j - i. Two ways to learn it: a vector for each (clipped) distance, which the query is
compared with (Shaw et al. 2018), or a single number for each bucket of distances and each head (T5: Raffel et al. 2020).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def relative_positions(
    query_positions: Int64[Tensor, "query"], key_positions: Int64[Tensor, "key"]
) -> Int64[Tensor, "query key"]:
    """Return r[i, j] = position of key j minus position of query i: negative for what came before.

    >>> relative_positions(torch.arange(3), torch.arange(3))
    tensor([[ 0,  1,  2],
            [-1,  0,  1],
            [-2, -1,  0]])
    """
    return key_positions[None, :] - query_positions[:, None]


def shaw_scores(
    q: Float[Tensor, "batch heads query d_head"],
    table: Float[Tensor, "heads distances d_head"],
    relative: Int64[Tensor, "query key"],
) -> Float[Tensor, "batch heads query key"]:
    """Return the position term of Shaw et al. 2018: s[i, j] = q_i . a[clip(j - i, -k, k)] / sqrt(d_head).

    `table` holds the 2 k + 1 vectors a, from distance -k to k. Farther tokens share the vector of distance k ("precise
    relative position information is not useful beyond a certain distance", section 3.2). The sum with the
    usual q_i . k_j / sqrt(d_head) is equation 4. The paper also adds vectors to the values; its own ablation (table 3) finds
    that those on the keys do nearly all the work, so they are the only ones here.

    The obvious way gathers a vector for each pair (i, j), query * key * d_head numbers. Here the query meets each of the
    2 k + 1 vectors once, and the *scores* are gathered.

    Raises:
        ValueError: an even number of distances.

    >>> q, table = torch.ones(1, 1, 2, 4), torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1).expand(1, 3, 4)
    >>> shaw_scores(q, table, relative_positions(torch.arange(2), torch.arange(2)))
    tensor([[[[ 0.,  2.],
              [-2.,  0.]]]])
    """
    if table.shape[1] % 2 == 0:
        raise ValueError(f"'table' must hold 2k + 1 distances, an odd number, got {table.shape[1]}")
    k = table.shape[1] // 2
    by_distance = q @ table.mT / math.sqrt(q.shape[-1])  # (batch, heads, query, 2k + 1)
    columns = relative.clamp(-k, k) + k  # (query, key)
    return by_distance.gather(-1, columns.expand(*by_distance.shape[:2], -1, -1))


def t5_buckets(
    relative: Int64[Tensor, "query key"],
    n_buckets: int = 32,
    max_distance: int = 128,
    bidirectional: bool = True,
) -> Int64[Tensor, "query key"]:
    """Return for each relative position the number of its bucket, 0 ... n_buckets - 1.

    Near distances have a bucket each; farther ones share, in widths that grow with the logarithm; all from
    `max_distance` on are in the last. In a bidirectional model half of the buckets are for keys before the query and
    half for keys behind it. In a causal one (`bidirectional=False`) all are for what came before, and what comes later falls into
    bucket 0, since the mask hides it anyway. Raffel et al. 2020, section 2.1.

    Raises:
        ValueError: fewer than 2 buckets a direction, or a `max_distance` not beyond the near buckets.

    >>> t5_buckets(torch.tensor([[0, -1, -2, -3, -4, -8, -99]]), n_buckets=4, max_distance=8, bidirectional=False)
    tensor([[0, 1, 2, 2, 3, 3, 3]])
    """
    per_side = n_buckets // 2 if bidirectional else n_buckets
    near = per_side // 2
    if near < 1:
        raise ValueError(f"'n_buckets' must be at least {4 if bidirectional else 2}, got {n_buckets}")
    if max_distance <= near:
        raise ValueError(
            f"'max_distance' must be above {near}, the distances with a bucket each, got {max_distance}"
        )
    distance = relative.abs() if bidirectional else (-relative).clamp(min=0)
    steps = torch.log(distance.clamp(min=1) / near) / math.log(
        max_distance / near
    )  # 0 at `near`, 1 at the end
    far = near + (steps * (per_side - near)).long()
    bucket = torch.where(distance < near, distance, far.clamp(max=per_side - 1))
    return bucket + per_side * (relative > 0) if bidirectional else bucket


def t5_bias(
    table: Float[Tensor, "n_buckets heads"], buckets: Int64[Tensor, "query key"]
) -> Float[Tensor, "heads query key"]:
    """Return b[h, i, j] = table[buckets[i, j], h], to be added to the scores of head h.

    >>> t5_bias(torch.tensor([[0.0], [0.5]]), torch.tensor([[0, 0], [1, 0]]))
    tensor([[[0.0000, 0.0000],
             [0.5000, 0.0000]]])
    """
    return table[buckets].permute(2, 0, 1)
