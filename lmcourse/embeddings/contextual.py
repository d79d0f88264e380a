"""A small causal Transformer, used as an instrument before the chapters that explain it.

It reads ids from left to right and guesses each next one. On its way it gives every token a vector that depends on the
tokens before it: a *contextual* embedding. This chapter only looks at those vectors and at what the
position schemes do to the guesses; attention is taken from torch and explained in chapters 04 to 06.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn

from lmcourse.embeddings.lookup import Embedding
from lmcourse.embeddings.positions import PositionConfig, PositionScheme, position_scheme


@dataclass(frozen=True)
class ProbeConfig:
    """The sizes of a `ProbeTransformer`."""

    vocab_size: int
    d_model: int = 64
    n_heads: int = 4
    n_layers: int = 2
    positions: str = "rope"  # a name in POSITION_SCHEMES
    max_length: int = 512  # where the table of learned positions ends; no other scheme has an end
    reach: int = 16  # the distance from which shaw and t5 tell no more distances apart
    base: float = 100.0  # of sinusoids and rope: 10,000 is meant for longer texts than ours
    seed: int = 0

    @property
    def position_config(self) -> PositionConfig:
        return PositionConfig(
            self.d_model, self.n_heads, self.n_layers, self.max_length, self.reach, base=self.base
        )


class Attention(nn.Module):
    """Causal multi-head attention from torch, with the three places for a position scheme left open."""

    def __init__(self, config: ProbeConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model)
        self.out = nn.Linear(config.d_model, config.d_model)
        # Biases of queries and keys let a head ask for a distance, whatever the tokens; so they do not start near zero.
        nn.init.normal_(self.qkv.bias[: 2 * config.d_model])

    def forward(
        self, x: Float[Tensor, "batch time d_model"], positions: PositionScheme, layer: int
    ) -> Float[Tensor, "batch time d_model"]:
        time = x.shape[1]
        qkv = self.qkv(x).unflatten(-1, (3, self.n_heads, -1))  # (batch, time, 3, heads, d_head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (batch, heads, time, d_head) each
        bias = positions.bias(q, layer)
        q, k = positions.turn(q), positions.turn(k)
        if bias is None:
            heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            future = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1)
            heads = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.masked_fill(future, -torch.inf))
        return self.out(heads.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    """Pre-norm: x + attention(norm(x)), then x + feed_forward(norm(x))."""

    def __init__(self, config: ProbeConfig) -> None:
        super().__init__()
        d = config.d_model
        self.attention_norm, self.attention = nn.LayerNorm(d), Attention(config)
        self.feed_forward_norm = nn.LayerNorm(d)
        self.feed_forward = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x: Tensor, positions: PositionScheme, layer: int) -> Tensor:
        x = x + self.attention(self.attention_norm(x), positions, layer)
        return x + self.feed_forward(self.feed_forward_norm(x))


class ProbeTransformer(nn.Module):
    """A pre-norm causal Transformer whose output layer is its embedding matrix; positions by the name of a scheme.

    The weights are drawn with `config.seed` and leave torch's global generator as it was.

    >>> model = ProbeTransformer(ProbeConfig(vocab_size=10, d_model=8, positions="alibi"))
    >>> ids = torch.tensor([[1, 2, 3]])
    >>> model(ids).shape, len(model.hidden(ids))
    (torch.Size([1, 3, 10]), 3)
    """

    def __init__(self, config: ProbeConfig) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.embedding = Embedding(config.vocab_size, config.d_model)
            self.positions = position_scheme(config.positions, config.position_config)
            self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
            self.norm = nn.LayerNorm(config.d_model)
        self.config = config

    def hidden(self, ids: Int64[Tensor, "batch time"]) -> list[Float[Tensor, "batch time d_model"]]:
        """Return the vectors between the layers: [0] goes into the first layer, [l] comes out of layer l.

        The last ones are normalized, ready for the output.

        Raises:
            ValueError: with learned positions, a text longer than `max_length`; ids beyond the vocabulary.
        """
        # The embeddings are drawn with std 1/sqrt(d_model); times sqrt(d_model) they are as large as sinusoids
        # (Vaswani et al. 2017, section 3.4).
        x = self.positions.embed(self.embedding(ids) * self.config.d_model**0.5)
        between = [x]
        for layer, block in enumerate(self.blocks):
            x = block(x, self.positions, layer)
            between.append(x)
        between[-1] = self.norm(x)
        return between

    def forward(self, ids: Int64[Tensor, "batch time"]) -> Float[Tensor, "batch time vocab"]:
        """Return the logits: [b, t] scores every token as the one after position t."""
        return self.hidden(ids)[-1] @ self.embedding.weight.T


def token_losses(model: nn.Module, rows: Int64[Tensor, "batch length"]) -> Float[Tensor, "batch length-1"]:
    """Return -log p(row[t] | row[0], ..., row[t-1]) in nats, for t = 1 ... length - 1. The first token is given."""
    logits = model(rows[:, :-1])  # (batch, length-1, vocab)
    return F.cross_entropy(logits.transpose(1, 2), rows[:, 1:], reduction="none")


def row_index(
    starts: Int[np.ndarray, "documents"] | Sequence[int], n_tokens: int, length: int
) -> Int[np.ndarray, "rows {length}+1"]:
    """Return the places in a flat corpus of rows that hold `length` tokens each, behind one token that is given.

    The token in front is the last of a document, so that the first token to be guessed begins one, and a model that
    sees only the row knows all that the exact surprisal of `lmcourse.corpora` knows. No token is guessed in two rows.
    `ids[row_index(...)]` are the rows and `surprisal[row_index(...)[:, 1:]]` the floor of each of their losses.

    Raises:
        ValueError: `length` below 1, or no row of that length in the corpus.

    >>> row_index([0, 3, 5, 8], n_tokens=11, length=3)
    array([[ 2,  3,  4,  5],
           [ 7,  8,  9, 10]])
    """
    if length < 1:
        raise ValueError(f"'length' must be at least 1, got {length}")
    first, free = [], 0
    for start in np.asarray(starts)[1:]:
        if start >= free and start + length <= n_tokens:
            first.append(start - 1)
            free = start + length
    if not first:
        raise ValueError(f"'length' must leave at least one row in {n_tokens} tokens, got {length}")
    return np.array(first)[:, None] + np.arange(length + 1)


@torch.no_grad()
def excess_by_position(
    model: nn.Module,
    rows: Int64[Tensor, "rows length"],
    surprisal: Float[np.ndarray, "rows length-1"],
    batch_size: int = 64,
) -> Float[np.ndarray, "length-1"]:
    """Return, for each position, the model's loss minus the exact surprisal of the same tokens: nats, mean over the rows.

    0 is a perfect model. Row means of single tokens may fall a little below: the loss of one text can be lucky.
    """
    losses = torch.cat([token_losses(model, batch) for batch in rows.split(batch_size)])
    return (losses.double().cpu().numpy() - surprisal).mean(axis=0)
