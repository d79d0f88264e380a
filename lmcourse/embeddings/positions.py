"""Seven ways to give a model word order, behind one face, so that a model can take any of them by name.

A scheme may act in three places: it adds something to the token embeddings, it turns queries and keys, it adds a bias to
the attention scores. Each scheme below uses one of the three; "none" uses none, and a causal model is
then left with what the mask gives away (Haviv et al. 2022, "Transformer Language Models without Positional Encodings
Still Learn Positional Information").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lmcourse.embeddings.absolute import LearnedPositions, position_angles, sinusoidal_positions
from lmcourse.embeddings.alibi import alibi_bias, alibi_slopes
from lmcourse.embeddings.relative import relative_positions, shaw_scores, t5_bias, t5_buckets
from lmcourse.embeddings.rotary import rotate

Heads = Float[Tensor, "batch heads time d_head"]


@dataclass(frozen=True)
class PositionConfig:
    """The sizes of the model, and the one or two numbers each scheme needs."""

    d_model: int
    n_heads: int
    n_layers: int
    max_length: int = 512  # learned: the rows of its table
    reach: int = 16  # shaw: the farthest distance with a vector of its own; t5: where the last bucket begins
    n_buckets: int = 16  # t5
    base: float = 10_000.0  # sinusoidal, rope
    bidirectional: bool = False  # t5: half of its buckets for what comes later, as in an encoder

    def __post_init__(self) -> None:
        if self.d_model % self.n_heads:
            raise ValueError(f"'d_model' must be a multiple of n_heads={self.n_heads}, got {self.d_model}")

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads


class PositionScheme(nn.Module):
    """No positions at all, and the three places where a scheme may act. One serves all layers of a causal model.

    `start` is the place of the first token that is given: a text may come in pieces.
    """

    def __init__(self, config: PositionConfig) -> None:
        super().__init__()
        self.config = config

    def embed(
        self, x: Float[Tensor, "batch time d_model"], start: int = 0
    ) -> Float[Tensor, "batch time d_model"]:
        """Return the token embeddings `x` with what the scheme adds to them."""
        return x

    def turn(self, x: Heads, start: int = 0) -> Heads:
        """Return queries, or keys, as they go into the dot product."""
        return x

    def bias(self, q: Heads, layer: int, start: int = 0) -> Float[Tensor, "#batch heads time key"] | None:
        """Return what is added to the scores q . k / sqrt(d_head) of this layer, or None for nothing.

        The keys are those of all places up to the last query, key = start + time.
        """
        return None


class Sinusoidal(PositionScheme):
    """Adds sinusoids, as they are."""

    def embed(self, x: Tensor, start: int = 0) -> Tensor:
        places = torch.arange(start, start + x.shape[1])
        return x + sinusoidal_positions(places, x.shape[2], self.config.base).to(x)


class Learned(PositionScheme):
    """Adds a trained vector; raises a ValueError for texts longer than `max_length`.

    The vectors start half as large as the embeddings of a model that scales these to entries of size 1, as
    sinusoids ask for.
    """

    def __init__(self, config: PositionConfig) -> None:
        super().__init__(config)
        self.positions = LearnedPositions(config.max_length, config.d_model, std=0.5)

    def embed(self, x: Tensor, start: int = 0) -> Tensor:
        return x + self.positions(torch.arange(start, start + x.shape[1], device=x.device))


class Shaw(PositionScheme):
    """A trained vector for each clipped distance, for each layer and head."""

    def __init__(self, config: PositionConfig) -> None:
        super().__init__(config)
        shape = (config.n_layers, config.n_heads, 2 * config.reach + 1, config.d_head)
        self.tables = nn.Parameter(0.02 * torch.randn(shape))

    def bias(self, q: Tensor, layer: int, start: int = 0) -> Tensor:
        return shaw_scores(q, self.tables[layer], _distances(q, start))


class T5(PositionScheme):
    """A trained number for each bucket of distances and head, the same for all layers, as in T5."""

    def __init__(self, config: PositionConfig) -> None:
        super().__init__(config)
        self.table = nn.Parameter(torch.zeros(config.n_buckets, config.n_heads))

    def bias(self, q: Tensor, layer: int, start: int = 0) -> Tensor:
        config = self.config
        buckets = t5_buckets(_distances(q, start), config.n_buckets, config.reach, config.bidirectional)
        return t5_bias(self.table, buckets)[None]


class Rotary(PositionScheme):
    """Turns queries and keys."""

    def turn(self, x: Tensor, start: int = 0) -> Tensor:
        places = torch.arange(start, start + x.shape[2])
        return rotate(x, position_angles(places, x.shape[3], self.config.base))


class Alibi(PositionScheme):
    """Lowers the score by a slope times the distance."""

    def bias(self, q: Tensor, layer: int, start: int = 0) -> Tensor:
        slopes = alibi_slopes(self.config.n_heads).to(q)
        return alibi_bias(slopes, _distances(q, start))[None]


def _distances(q: Tensor, start: int) -> Tensor:
    places = torch.arange(start + q.shape[2], device=q.device)
    return relative_positions(places[start:], places)


POSITION_SCHEMES: dict[str, type[PositionScheme]] = {
    "none": PositionScheme,
    "sinusoidal": Sinusoidal,
    "learned": Learned,
    "shaw": Shaw,
    "t5": T5,
    "rope": Rotary,
    "alibi": Alibi,
}


def position_scheme(name: str, config: PositionConfig) -> PositionScheme:
    """Return the scheme called `name` for a model of these sizes.

    Raises:
        ValueError: a name that is not in `POSITION_SCHEMES`.

    >>> config = PositionConfig(d_model=8, n_heads=2, n_layers=1)
    >>> q = torch.ones(1, 2, 3, 4)
    >>> position_scheme("alibi", config).bias(q, layer=0)[0, 0]
    tensor([[-0.0000, -0.0625, -0.1250],
            [-0.0625, -0.0000, -0.0625],
            [-0.1250, -0.0625, -0.0000]])
    """
    if name not in POSITION_SCHEMES:
        raise ValueError(f"'name' must be one of {', '.join(POSITION_SCHEMES)}, got {name!r}")
    return POSITION_SCHEMES[name](config)
