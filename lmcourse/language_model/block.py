"""The block of a language model: the decoder's block without an encoder to look at.

What has changed in ten years is small and stands in `LanguageModelConfig`: the norm, where it stands, a gate in the
feed-forward network, how places are known, how many heads have keys and values of their own.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lmcourse.attention.heads import Weights
from lmcourse.attention.multi_head import MultiHeadAttention
from lmcourse.embeddings.positions import PositionScheme
from lmcourse.encoder_decoder.blocks import Stream, Sublayer
from lmcourse.encoder_decoder.feed_forward import FeedForward
from lmcourse.encoder_decoder.norms import make_norm
from lmcourse.language_model.cache import KVCache
from lmcourse.language_model.config import LanguageModelConfig


class GatedFeedForward(nn.Module):
    """W_down (silu(W_gate x) * W_up x), at each place alone: SwiGLU (Shazeer 2020, "GLU Variants Improve Transformer", equation 6).

    Each hidden unit is a number times a gate, and the gate reads x too: a product of two views of x, which a plain network
    does not have. It has three matrices; 2/3 of the hidden units give as many parameters as a plain network.

    >>> import torch
    >>> GatedFeedForward(d_model=4, d_ff=8)(torch.randn(2, 3, 4)).shape
    torch.Size([2, 3, 4])
    """

    def __init__(self, d_model: int, d_ff: int, bias: bool = False) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(d_model, d_ff, bias=bias)
        self.up_proj = nn.Linear(d_model, d_ff, bias=bias)
        self.down_proj = nn.Linear(d_ff, d_model, bias=bias)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """Every place looks at the text so far, then thinks about what it has seen; both add to what was there.

    >>> import torch
    >>> block = Block(LanguageModelConfig(vocab_size=10, d_model=8, n_heads=2))
    >>> block(torch.randn(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self.causal = config.causal
        self.attention = MultiHeadAttention(config.heads)
        sizes = (config.d_model, config.hidden)
        if config.gated:
            self.feed_forward = GatedFeedForward(*sizes, config.bias)
        else:
            self.feed_forward = FeedForward(*sizes, config.feed_forward, config.bias)
        self.around_attention, self.around_feed_forward = (
            Sublayer(make_norm(config.norm, config.d_model, config.eps), config.order, config.dropout)
            for _ in range(2)
        )

    def forward(
        self,
        x: Stream,
        *,
        mask: Bool[Tensor, "..."] | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
        positions: PositionScheme | None = None,
        return_weights: bool = False,
    ) -> Stream | tuple[Stream, Weights]:
        """Return the vectors of the places, and on request where they looked, (batch, heads, query, key).

        Args:
            mask: True = may look, (batch, 1 or query, key): for padding. Those in the cache are keys too.
            cache: the keys and values of the places before these; theirs are added to it.
            layer: of the model: its part of the cache and of the position scheme.
        """
        options = {"mask": mask, "cache": cache, "layer": layer, "positions": positions}
        h = self.around_attention.enter(x)
        seen, weights = self.attend(h, **options, return_weights=return_weights)
        x = self.around_attention.leave(x, seen)
        x = self.around_feed_forward(x, self.feed_forward)
        return (x, weights) if return_weights else x

    def attend(
        self,
        h: Stream,
        *,
        mask: Bool[Tensor, "..."] | None = None,
        cache: KVCache | None = None,
        layer: int = 0,
        positions: PositionScheme | None = None,
        return_weights: bool = False,
    ) -> tuple[Stream, Weights | None]:
        """Return what the attention of this block gives for `h`, and the weights (None unless asked for)."""
        start = 0 if cache is None else cache.length
        q = self.attention.queries(h, positions, start)  # (batch, heads, query, d_head)
        k, v = self.attention.keys_and_values(h, positions=positions, start=start)
        if cache is not None:
            k, v = cache.update(layer, k, v)  # (batch, kv_heads, start + query, d_head)
        bias = None if positions is None else positions.bias(q, layer, start)
        causal = self.causal and h.shape[1] > 1  # the last place may see all the others
        seen = self.attention.look(
            q, k, v, mask=mask, causal=causal, bias=bias, return_weights=return_weights
        )
        return seen if return_weights else (seen, None)
