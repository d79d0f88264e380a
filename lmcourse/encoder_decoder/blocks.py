"""The blocks of the Transformer: attention and a feed-forward network, each inside a residual connection with a norm.

A block reads the vector of each place and adds to it. What stands there already goes round each sublayer on a path of
its own, and so does the gradient on its way back: this is what makes deep stacks trainable (He et al. 2016, "Deep
Residual Learning for Image Recognition").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lmcourse.attention.heads import Weights
from lmcourse.attention.multi_head import MultiHeadAttention, MultiHeadConfig
from lmcourse.embeddings.positions import PositionScheme
from lmcourse.encoder_decoder.feed_forward import FeedForward
from lmcourse.encoder_decoder.norms import make_norm

Stream = Float[Tensor, "batch time d_model"]
Memory = Float[Tensor, "batch source d_model"]
KeysOrValues = Float[Tensor, "batch heads key d_head"]
ORDERS = ("pre", "post")


class Sublayer(nn.Module):
    """The residual connection around a function f, and where the norm stands.

        post: norm(x + dropout(f(x)))    Vaswani et al. 2017, sections 3.1 and 5.4
        pre:  x + dropout(f(norm(x)))    see Xiong et al. 2020, table 1

    In "post" every norm stands on the path itself. In "pre" the path from the first layer to the last is free, and
    one more norm has to come after the last block, since the sum of all that was added has no set size.

    Raises:
        ValueError: another order.

    >>> double = Sublayer(nn.Identity(), "pre")
    >>> double(torch.tensor([1.0, 2.0]), lambda h: h)
    tensor([2., 4.])
    """

    def __init__(self, norm: nn.Module, order: str = "pre", dropout: float = 0.0) -> None:
        super().__init__()
        if order not in ORDERS:
            raise ValueError(f"'order' must be one of {list(ORDERS)}, got {order!r}")
        self.norm = norm
        self.order = order
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
        return self.leave(x, f(self.enter(x)))

    def enter(self, x: Tensor) -> Tensor:
        """Return what f reads: norm(x) or x."""
        return self.norm(x) if self.order == "pre" else x

    def leave(self, x: Tensor, y: Tensor) -> Tensor:
        """Return what comes out when f wrote y: x + y or norm(x + y)."""
        x = x + self.dropout(y)
        return self.norm(x) if self.order == "post" else x


@dataclass(frozen=True)
class BlockConfig:
    """The sizes of a block, of the encoder or the decoder.

    Args:
        d_ff: hidden units of the feed-forward network. dropout: of what each sublayer adds, while training.
        order: "pre" or "post", see `Sublayer`. norm: "layer" or "rms", see `make_norm`; eps is the norm's.
        activation: see `ACTIVATIONS`. bias: whether attention and feed-forward network have biases.
        scale: of the scores; None: 1 / sqrt(d_head). fused: leave attention to torch's kernel.

    Raises:
        ValueError: a name that is not known; sizes that do not fit, from the parts that are made of them.
    """

    d_model: int
    n_heads: int
    d_ff: int
    dropout: float = 0.0
    order: str = "pre"
    norm: str = "layer"
    activation: str = "relu"
    bias: bool = True
    scale: float | None = None
    eps: float = 1e-5
    fused: bool = True

    @property
    def heads(self) -> MultiHeadConfig:
        return MultiHeadConfig(self.d_model, self.n_heads, bias=self.bias, scale=self.scale, fused=self.fused)

    def sublayer(self) -> Sublayer:
        return Sublayer(make_norm(self.norm, self.d_model, self.eps), self.order, self.dropout)

    def network(self) -> FeedForward:
        return FeedForward(self.d_model, self.d_ff, self.activation, self.bias)


class EncoderBlock(nn.Module):
    """Every place looks at all places of its own text, then thinks about it. Vaswani et al. 2017, section 3.1.

    >>> block = EncoderBlock(BlockConfig(d_model=8, n_heads=2, d_ff=16))
    >>> block(torch.randn(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(config.heads)
        self.feed_forward = config.network()
        self.around_attention, self.around_feed_forward = config.sublayer(), config.sublayer()

    def forward(
        self,
        x: Stream,
        mask: Bool[Tensor, "..."] | None = None,
        *,
        positions: PositionScheme | None = None,
        layer: int = 0,
        return_weights: bool = False,
    ) -> Stream | tuple[Stream, Weights]:
        """Return the vectors of the places, and on request where they looked, (batch, heads, query, key).

        Args:
            mask: True = may be looked at, for padding: (batch, 1, time). positions, layer: as in `MultiHeadAttention`.
        """
        h = self.around_attention.enter(x)
        options = {"mask": mask, "positions": positions, "layer": layer}
        if return_weights:
            seen, weights = self.attention(h, **options, return_weights=True)
        else:
            seen, weights = self.attention(h, **options), None
        x = self.around_attention.leave(x, seen)
        x = self.around_feed_forward(x, self.feed_forward)
        return (x, weights) if return_weights else x


class DecoderCache(NamedTuple):
    """What a decoder block need not compute twice while it writes: keys and values, (batch, heads, key, d_head).

    Attributes:
        keys, values: of the target places read so far; they grow. memory_keys, memory_values: of the memory; made once.
    """

    keys: KeysOrValues
    values: KeysOrValues
    memory_keys: KeysOrValues
    memory_values: KeysOrValues

    @property
    def length(self) -> int:
        """Return how many target places were read."""
        return self.keys.shape[2]


class DecoderWeights(NamedTuple):
    """Where the heads of a decoder block look: on the target so far, and on the memory."""

    own: Float[Tensor, "batch heads query target"]
    cross: Float[Tensor, "batch heads query source"]


class DecoderBlock(nn.Module):
    """Every place looks at the target so far, then at the memory, then thinks. Vaswani et al. 2017, section 3.1.

    In cross-attention the queries come from the target, the keys and values from the memory, the output of the whole
    encoder.

    >>> block = DecoderBlock(BlockConfig(d_model=8, n_heads=2, d_ff=16))
    >>> target, memory = torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    >>> whole = block(target, memory)
    >>> whole.shape
    torch.Size([1, 3, 8])

    The same, place by place:

    >>> cache, pieces = block.start(memory), []
    >>> for place in target.split(1, dim=1):
    ...     x, cache, _ = block.extend(place, cache)
    ...     pieces.append(x)
    >>> torch.allclose(torch.cat(pieces, dim=1), whole, atol=1e-5)
    True
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(config.heads)
        self.cross_attention = MultiHeadAttention(config.heads)
        self.feed_forward = config.network()
        self.around_attention, self.around_cross_attention = config.sublayer(), config.sublayer()
        self.around_feed_forward = config.sublayer()

    def forward(
        self,
        x: Stream,
        memory: Memory,
        memory_mask: Bool[Tensor, "..."] | None = None,
        *,
        positions: PositionScheme | None = None,
        layer: int = 0,
    ) -> Stream:
        """Return the vectors of the target places, all at once, as in training; no place sees a later one.

        Args:
            memory_mask: True = may be looked at, for padding of the source: (batch, 1, source).
        """
        return self.extend(x, self.start(memory), memory_mask, positions=positions, layer=layer)[0]

    def start(self, memory: Memory) -> DecoderCache:
        """Return the cache before the first target place."""
        keys, values = self.cross_attention.keys_and_values(memory)
        return DecoderCache(keys[:, :, :0], values[:, :, :0], keys, values)

    def extend(
        self,
        x: Stream,
        cache: DecoderCache,
        memory_mask: Bool[Tensor, "..."] | None = None,
        *,
        positions: PositionScheme | None = None,
        layer: int = 0,
        return_weights: bool = False,
    ) -> tuple[Stream, DecoderCache, DecoderWeights | None]:
        """Return the vectors of the next target places, one or many, the cache behind them, and where they looked.

        The places of x follow those in the cache, which is left as it was. The weights are None unless
        `return_weights`.
        """
        h, start = self.around_attention.enter(x), cache.length
        q = self.attention.queries(h, positions, start)
        k, v = self.attention.keys_and_values(h, positions=positions, start=start)
        if start:
            k, v = torch.cat([cache.keys, k], dim=2), torch.cat([cache.values, v], dim=2)
        bias = None if positions is None else positions.bias(q, layer, start)
        seen = self.attention.look(q, k, v, causal=True, bias=bias, return_weights=return_weights)
        seen, own = seen if return_weights else (seen, None)
        x = self.around_attention.leave(x, seen)

        q = self.cross_attention.queries(self.around_cross_attention.enter(x))
        memory = (cache.memory_keys, cache.memory_values)
        seen = self.cross_attention.look(q, *memory, mask=memory_mask, return_weights=return_weights)
        seen, cross = seen if return_weights else (seen, None)
        x = self.around_cross_attention.leave(x, seen)

        x = self.around_feed_forward(x, self.feed_forward)
        return x, DecoderCache(k, v, *memory), DecoderWeights(own, cross) if return_weights else None
