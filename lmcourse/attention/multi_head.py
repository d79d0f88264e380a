"""Multi-head attention: the layer, with its matrices.

One head can look at one thing at a time. Several heads, each with queries, keys and values of its own in a smaller space, look
at several; their outputs are joined and mixed. Vaswani et al. 2017, "Attention Is All You Need", section 3.2.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor, nn

from lmcourse.attention.heads import Heads, KVHeads, Weights, join_heads, multi_head_attention, split_heads
from lmcourse.attention.masks import check_mask
from lmcourse.embeddings.positions import PositionScheme


@dataclass(frozen=True)
class MultiHeadConfig:
    """The sizes of a `MultiHeadAttention`. What is None follows from the others.

    Raises:
        ValueError: a size below 1, a `d_model` that does not fall into heads, an `n_kv_heads` that does not divide n_heads.
    """

    d_model: int  # of what asks, and of the output
    n_heads: int
    n_kv_heads: int | None = None  # heads of keys and values; None: n_heads; 1 is multi-query attention
    d_head: int | None = None  # None: d_model / n_heads
    d_key: int | None = None  # of what the keys are made from; None: d_model
    d_value: int | None = None  # of what the values are made from; None: as the keys
    bias: bool = True
    fused: bool = False  # torch's kernel instead of the two steps written out; the results are the same
    scale: float | None = None  # of the scores; None: 1 / sqrt(d_head)

    def __post_init__(self) -> None:
        for name in ("d_model", "n_heads", "n_kv_heads", "d_head", "d_key", "d_value"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"'{name}' must be at least 1, got {size}")
        if self.d_head is None and self.d_model % self.n_heads:
            raise ValueError(f"'d_model' must be a multiple of n_heads={self.n_heads}, got {self.d_model}")
        if self.n_kv_heads is not None and self.n_heads % self.n_kv_heads:
            raise ValueError(f"'n_kv_heads' must divide n_heads={self.n_heads}, got {self.n_kv_heads}")


class MultiHeadAttention(nn.Module):
    """Concat(head_1, ..., head_n) W_o with head_i = attention(x_q W_q^i, x_k W_k^i, x_v W_v^i); batch first.

    A call goes through three steps that can also be called one by one: `queries`, `keys_and_values`, `look`.

    The matrices start as draws from Glorot's uniform law, of the global generator, and the biases at 0. A model
    that takes a seed makes its layers under it.

    >>> import torch
    >>> attention = MultiHeadAttention(MultiHeadConfig(d_model=8, n_heads=2))
    >>> x, memory = torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    >>> attention(x, causal=True).shape  # self-attention
    torch.Size([1, 3, 8])
    >>> output, weights = attention(x, memory, return_weights=True)  # cross-attention
    >>> weights.shape  # (batch, heads, query, key)
    torch.Size([1, 2, 3, 5])
    """

    def __init__(self, config: MultiHeadConfig) -> None:
        super().__init__()
        self.config = config
        self.n_kv_heads = config.n_kv_heads or config.n_heads
        d_head = config.d_head or config.d_model // config.n_heads
        d_key = config.d_key or config.d_model
        width, kv_width, bias = config.n_heads * d_head, self.n_kv_heads * d_head, config.bias
        self.q_proj = nn.Linear(config.d_model, width, bias=bias)
        self.k_proj = nn.Linear(d_key, kv_width, bias=bias)
        self.v_proj = nn.Linear(config.d_value or d_key, kv_width, bias=bias)
        self.out_proj = nn.Linear(width, config.d_model, bias=bias)
        for projection in (self.q_proj, self.k_proj, self.v_proj, self.out_proj):
            nn.init.xavier_uniform_(projection.weight)
            if config.bias:
                nn.init.zeros_(projection.bias)

    @classmethod
    def from_torch(cls, module: nn.MultiheadAttention, fused: bool = False) -> MultiHeadAttention:
        """Return this attention with a copy of torch's weights. Dropout is not taken over: it belongs to training.

        Raises:
            ValueError: a module made with `add_bias_kv` or `add_zero_attn`, which have no counterpart here.
        """
        if module.bias_k is not None or module.add_zero_attn:
            raise ValueError("'module' must be made without add_bias_kv and add_zero_attn, got one of them")
        has_bias = module.in_proj_bias is not None
        d_key, d_value = module.kdim, module.vdim
        ours = cls(
            MultiHeadConfig(module.embed_dim, module.num_heads, None, None, d_key, d_value, has_bias, fused)
        )
        if module.in_proj_weight is not None:  # one matrix for all three where their inputs are equally wide
            weights = module.in_proj_weight.chunk(3)
        else:
            weights = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
        biases = module.in_proj_bias.chunk(3) if has_bias else (None,) * 3
        projections = [*zip((ours.q_proj, ours.k_proj, ours.v_proj), weights, biases, strict=True)]
        projections.append((ours.out_proj, module.out_proj.weight, module.out_proj.bias))
        for projection, weight, bias in projections:
            projection.weight = nn.Parameter(weight.detach().clone())
            if bias is not None:
                projection.bias = nn.Parameter(bias.detach().clone())
        return ours

    def forward(
        self,
        query: Float[Tensor, "batch query d_model"],
        key: Float[Tensor, "batch key d_key"] | None = None,
        value: Float[Tensor, "batch key d_value"] | None = None,
        *,
        mask: Bool[Tensor, "..."] | None = None,
        causal: bool = False,
        positions: PositionScheme | None = None,
        layer: int = 0,
        return_weights: bool = False,
    ) -> Float[Tensor, "batch query d_model"] | tuple[Float[Tensor, "batch query d_model"], Weights]:
        """Return what each query took, (batch, query, d_model), and on request the weights, (batch, heads, query, key).

        Args:
            key, value: without them a text looks at itself (self-attention). With `key` it looks at another, for example
                the output of an encoder (cross-attention). The values are made from `value`, or else from `key`.
            mask: True = may look, as `padding_mask`, `length_mask` or `combine_masks` make it: (batch, query, key), axes of
                length 1 for "all". A query that may look at nothing takes nothing: its output is the bias of out_proj.
            causal: no place looks at a later one. Built as `causal_mask`, or left to torch's kernel where it is the only mask.
            positions: turns queries and keys or adds a bias to their scores, in `layer` of the model; self-attention only.

        Raises:
            ValueError: `causal` or `positions` with a `key` (there is no common order); a mask that does not fit.
            TypeError: a mask that is not boolean.
        """
        for name, given in (("causal", causal), ("positions", positions is not None)):
            if given and key is not None:
                raise ValueError(f"'{name}' must only be given without 'key', in self-attention; got both")
        key = query if key is None else key
        if mask is not None:
            check_mask(mask, (len(query), query.shape[1], key.shape[1]))
        q = self.queries(query)
        bias = None
        if positions is not None:
            bias = positions.bias(q, layer)
            q = positions.turn(q)
        k, v = self.keys_and_values(key, value, positions=positions)
        return self.look(q, k, v, mask=mask, causal=causal, bias=bias, return_weights=return_weights)

    def queries(
        self, x: Float[Tensor, "batch query d_model"], positions: PositionScheme | None = None, start: int = 0
    ) -> Heads:
        """Return what each place asks for, (batch, heads, query, d_head), turned by `positions` from place `start` on."""
        q = split_heads(self.q_proj(x), self.config.n_heads)
        return q if positions is None else positions.turn(q, start)

    def keys_and_values(
        self,
        x: Float[Tensor, "batch key d_key"],
        value: Float[Tensor, "batch key d_value"] | None = None,
        *,
        positions: PositionScheme | None = None,
        start: int = 0,
    ) -> tuple[KVHeads, KVHeads]:
        """Return what each place is found by and what it hands over, (batch, kv_heads, key, d_head) each.

        They depend on the place alone and on nothing later: who writes a text token by token can keep them.
        """
        k = split_heads(self.k_proj(x), self.n_kv_heads)
        v = split_heads(self.v_proj(x if value is None else value), self.n_kv_heads)
        return (k if positions is None else positions.turn(k, start)), v

    def look(
        self,
        q: Heads,
        k: KVHeads,
        v: KVHeads,
        *,
        mask: Bool[Tensor, "..."] | None = None,
        causal: bool = False,
        bias: Float[Tensor, "#batch heads query key"] | None = None,
        return_weights: bool = False,
    ) -> Float[Tensor, "batch query d_model"] | tuple[Float[Tensor, "batch query d_model"], Weights]:
        """Return what each query takes, the heads joined and mixed: (batch, query, d_model), and on request the weights.

        With `causal` the queries may be fewer than the keys: they are then the last places of the text.
        """
        options = {"causal": causal, "scale": self.config.scale, "bias": bias, "fused": self.config.fused}
        if return_weights:
            heads, weights = multi_head_attention(q, k, v, mask, **options, return_weights=True)
            return self.out_proj(join_heads(heads)), weights
        return self.out_proj(join_heads(multi_head_attention(q, k, v, mask, **options)))
