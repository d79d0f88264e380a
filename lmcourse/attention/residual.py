"""Layers of attention on a residual stream: each reads the vectors of a text and adds to them, nothing else happens.

The residual stream carries one vector for each place; a layer's attention moves information between places. What one layer
wrote, the next can ask for: a head of the second layer may look for what a head of the first has put there. Elhage et al.
2021, "A Mathematical Framework for Transformer Circuits", calls such models attention-only Transformers.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor, nn

from lmcourse.attention.heads import Weights
from lmcourse.attention.multi_head import MultiHeadAttention, MultiHeadConfig
from lmcourse.embeddings.positions import PositionConfig, position_scheme

Stream = Float[Tensor, "batch time d_model"]


@dataclass(frozen=True)
class ResidualConfig:
    """The sizes of a `ResidualAttention`.

    Args:
        positions: the name of a scheme of `lmcourse.embeddings.POSITION_SCHEMES`. max_length: learned positions end there.
        base: of sinusoids and rope: 10,000 is meant for longer texts than ours.
        feed_forward: hidden units of a feed-forward network after each attention; 0: none.
    """

    d_model: int
    n_heads: int
    n_layers: int
    positions: str = "rope"
    max_length: int = 512
    base: float = 100.0
    feed_forward: int = 0


class ResidualAttention(nn.Module):
    """x = x + attention(norm(x)), n_layers times, and a last norm; queries and keys know places by a scheme of chapter 02.

    With `feed_forward` > 0 each layer also adds W_2 gelu(W_1 norm(x)), a network of so many hidden units that works on each
    place alone. The weights come from the global generator.

    Biases of queries and keys start as draws from N(0, 1), not at 0: turned by their places (RoPE), they let a head
    prefer a distance whatever the tokens are, and heads that look one place back are found sooner.

    Raises:
        ValueError: as `MultiHeadConfig` and `position_scheme`.
    """

    def __init__(self, config: ResidualConfig) -> None:
        super().__init__()
        d, hidden = config.d_model, config.feed_forward
        places = PositionConfig(d, config.n_heads, config.n_layers, config.max_length, base=config.base)
        self.positions = position_scheme(config.positions, places)
        heads = MultiHeadConfig(d, config.n_heads, fused=True)
        self.layers = nn.ModuleList(MultiHeadAttention(heads) for _ in range(config.n_layers))
        for layer in self.layers:
            nn.init.normal_(layer.q_proj.bias)
            nn.init.normal_(layer.k_proj.bias)
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(config.n_layers))
        self.feed_forwards = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(d), nn.Linear(d, hidden), nn.GELU(), nn.Linear(hidden, d))
            for _ in range(config.n_layers if hidden else 0)
        )
        self.norm = nn.LayerNorm(d)

    def forward(
        self,
        x: Stream,
        mask: Bool[Tensor, "..."] | None = None,
        *,
        causal: bool = False,
        return_weights: bool = False,
    ) -> Stream | tuple[Stream, list[Weights]]:
        """Return the vectors after the last norm, and on request the weights of each layer, (batch, heads, query, key).

        Args:
            mask, causal: as in `MultiHeadAttention`, the same in all layers.
        """
        x, kept = self.positions.embed(x), []
        for layer, (norm, attention) in enumerate(zip(self.norms, self.layers, strict=True)):
            options = {"mask": mask, "causal": causal, "positions": self.positions, "layer": layer}
            if return_weights:
                taken, weights = attention(norm(x), **options, return_weights=True)
                kept.append(weights)
            else:
                taken = attention(norm(x), **options)
            x = x + taken
            if self.feed_forwards:
                x = x + self.feed_forwards[layer](x)
        x = self.norm(x)
        return (x, kept) if return_weights else x
