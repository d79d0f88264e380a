"""The stack: from ids to a vector for each place that knows its context."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from lmcourse.attention.heads import Weights
from lmcourse.attention.masks import padding_mask
from lmcourse.embeddings import Embedding
from lmcourse.embeddings.positions import position_scheme
from lmcourse.encoder_decoder.blocks import Stream
from lmcourse.encoder_decoder.norms import make_norm
from lmcourse.language_model.block import Block
from lmcourse.language_model.cache import KVCache
from lmcourse.language_model.config import LanguageModelConfig

Ids = Int64[Tensor, "batch time"]


class Stack(nn.Module):
    """Embedding, blocks, and (with pre-norm) a last norm: from ids to a vector for each place that knows its context.

    The weights are drawn with `config.seed` and leave torch's global generator as it was. As in GPT-2: matrices and embeddings from
    N(0, std^2), biases 0; the matrices that write to the residual stream (out_proj, down_proj) from N(0, std^2 / (2 n_layers)), since 2
    n_layers of them add up (Radford et al. 2019, section 2.3).
    """

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self.config = config
        d = config.d_model
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.tokens = Embedding(config.vocab_size, d, std=config.std)
            self.positions = position_scheme(config.positions, config.places)
            self.token_types = (
                Embedding(config.token_types, d, std=config.std) if config.token_types else None
            )
            self.embedding_norm = (
                make_norm(config.norm, d, config.eps) if config.embedding_norm else nn.Identity()
            )
            self.dropout = nn.Dropout(config.dropout)
            self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layers))
            last = config.order == "pre"
            self.norm = make_norm(config.norm, d, config.eps) if last else nn.Identity()
            self.apply(self._draw)

    @torch.no_grad()
    def _draw(self, part: nn.Module) -> None:
        std = self.config.std
        if isinstance(part, Embedding):
            part.weight.normal_(0, std)
        for name, child in part.named_children():
            if isinstance(child, nn.Linear):
                writes = name in ("out_proj", "down_proj")
                child.weight.normal_(0, std / math.sqrt(2 * self.config.n_layers) if writes else std)
                if child.bias is not None:
                    child.bias.zero_()

    def forward(
        self,
        ids: Ids,
        *,
        attention_mask: Tensor | None = None,
        cache: KVCache | None = None,
        token_types: Ids | None = None,
        return_weights: bool = False,
    ) -> Stream | tuple[Stream, list[Weights]]:
        """Return the vectors, and on request the attention weights of each layer, (batch, heads, query, key).

        Args:
            attention_mask: 1 = text, 0 = padding, (batch, key), on either side; keys are the tokens in the cache and then `ids`.
                Places are counted from the first token of a text, so padding in front changes nothing.
            cache: what an earlier call has filled: `ids` go on from there, and are added.
            token_types: the kind of text of each token; None: 0 for all.
        """
        start = 0 if cache is None else cache.length
        x, kept = self.embed(ids, attention_mask, start, token_types), []
        mask = None if attention_mask is None else padding_mask(attention_mask)
        for layer, block in enumerate(self.blocks):
            options = {"mask": mask, "cache": cache, "layer": layer, "positions": self.positions}
            if return_weights:
                x, weights = block(x, **options, return_weights=True)
                kept.append(weights)
            else:
                x = block(x, **options)
        x = self.norm(x)
        return (x, kept) if return_weights else x

    def embed(
        self, ids: Ids, attention_mask: Tensor | None = None, start: int = 0, token_types: Ids | None = None
    ) -> Stream:
        """Return what the first block reads: the vectors of the tokens, with what the position scheme adds at start, start + 1, ..."""
        x = self.tokens(ids)
        if attention_mask is None:
            x = self.positions.embed(x, start)
        else:
            x = x + self._places(attention_mask)[:, -ids.shape[1] :]
        if self.token_types is not None:
            x = x + self.token_types(torch.zeros_like(ids) if token_types is None else token_types)
        return self.dropout(self.embedding_norm(x))

    def _places(self, attention_mask: Tensor) -> Float[Tensor, "batch key d_model"]:
        """What the position scheme adds at each place, counted from a text's first token: 0 0 0 1 2 with two of padding."""
        places = (attention_mask.long().cumsum(1) - 1).clamp(min=0)  # (batch, key)
        nothing = self.tokens.weight.new_zeros(1, int(places.max()) + 1, self.config.d_model)
        return self.positions.embed(nothing, 0)[0][places]
