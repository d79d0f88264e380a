"""The whole Transformer: an encoder that reads a sentence, a decoder that writes another one while it looks at it.

Vaswani et al. 2017, "Attention Is All You Need", figure 1. It reads and writes as every translator of this course
does, so what trained, decoded and measured the models of chapters 03 and 04 does the same with this one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from lmcourse.attention.heads import Weights
from lmcourse.attention.masks import length_mask
from lmcourse.embeddings import Embedding
from lmcourse.embeddings.positions import position_scheme
from lmcourse.encoder_decoder.blocks import DecoderBlock, DecoderCache, DecoderWeights, EncoderBlock
from lmcourse.encoder_decoder.config import TransformerConfig
from lmcourse.encoder_decoder.norms import make_norm
from lmcourse.recurrence.translator import Context, Translator

Vectors = Float[Tensor, "batch time d_model"]


class TransformerWeights(NamedTuple):
    """Where the heads look, for each layer, (batch, heads, query, key); each row sums to 1.

    `cross[layer][b, h, t]` is where head h looks in the source when the decoder has read `target_ids[b, t]` and
    writes the token after it.
    """

    encoder: list[Weights]
    decoder: list[Weights]
    cross: list[Weights]


class Side(nn.Module):
    """What encoder and decoder have in common: tokens become vectors that know their places, and a last norm.

    With the norm in front of each sublayer ("pre") one more comes after the last block; with "post" there has just
    been one.
    """

    def __init__(self, config: TransformerConfig, encoder: bool) -> None:
        super().__init__()
        vocab_size = config.source_vocab_size if encoder else config.target_vocab_size
        self.embedding = Embedding(vocab_size, config.d_model)  # entries N(0, 1 / d_model)
        self.embedding_scale = config.embedding_scale
        self.positions = position_scheme(*config.places(encoder))
        self.norm_in = self._norm(config, config.embedding_norm)
        self.dropout = nn.Dropout(config.dropout)
        kind, n = (EncoderBlock, config.n_layers) if encoder else (DecoderBlock, config.decoder_layers)
        self.blocks = nn.ModuleList(kind(config.block) for _ in range(n))
        self.norm_out = self._norm(config, config.order == "pre")

    @staticmethod
    def _norm(config: TransformerConfig, wanted: bool) -> nn.Module:
        return make_norm(config.norm, config.d_model, config.eps) if wanted else nn.Identity()

    def embed(self, ids: Int64[Tensor, "batch time"], start: int = 0) -> Vectors:
        """Return the vectors that the first block reads; the tokens stand at places start, start + 1, ..."""
        x = self.embedding(ids) * self.embedding_scale
        return self.dropout(self.norm_in(self.positions.embed(x, start)))


class Encoder(Side):
    """From the source tokens to the memory: one vector for each, which knows about all the others."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config, encoder=True)

    def forward(
        self,
        ids: Int64[Tensor, "batch source"],
        mask: Bool[Tensor, "batch source"],
        return_weights: bool = False,
    ) -> tuple[Vectors, list[Weights]]:
        """Return the memory and, on request, the weights of each layer. `mask`: True where a token is real."""
        x, kept = self.embed(ids), []
        options = {"mask": mask[:, None], "positions": self.positions, "return_weights": return_weights}
        for layer, block in enumerate(self.blocks):
            x = block(x, **options, layer=layer)
            if return_weights:
                x, weights = x
                kept.append(weights)
        return self.norm_out(x), kept


class Decoder(Side):
    """From the target tokens so far and the memory to the logits of the token after each."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config, encoder=False)
        self.output = nn.Linear(config.d_model, config.target_vocab_size, bias=config.output_bias)
        nn.init.normal_(self.output.weight, std=config.d_model**-0.5)
        if config.output_bias:
            nn.init.zeros_(self.output.bias)
        self.output_scale = config.output_scale

    def forward(
        self,
        ids: Int64[Tensor, "batch steps"],
        caches: list[DecoderCache],
        mask: Bool[Tensor, "batch source"],
        return_weights: bool = False,
    ) -> tuple[Float[Tensor, "batch steps vocab"], list[DecoderCache], list[DecoderWeights]]:
        """Return logits, the caches behind these tokens, and on request the weights of each layer."""
        x, behind, kept = self.embed(ids, start=caches[0].length), [], []
        options = {"positions": self.positions, "return_weights": return_weights}
        for layer, (block, cache) in enumerate(zip(self.blocks, caches, strict=True)):
            x, cache, weights = block.extend(x, cache, mask[:, None], **options, layer=layer)
            behind.append(cache)
            kept.append(weights)
        return self.output(self.norm_out(x) * self.output_scale), behind, kept if return_weights else []


class Transformer(Translator):
    """P(target | source) by an encoder and a decoder of attention; the same seed makes the same first weights.

    The context that `read` returns keeps the keys and values of the memory, made once, and those of the target so
    far: for one more token only one place is computed, however many there are. Its `state` has four tensors for each
    layer, those of `DecoderCache`.

    Positions count from 0 on both sides, and padding stands on the right, so that every scheme counts real tokens.
    Cross-attention knows no positions beyond what the vectors carry: there is no common order.

    >>> model = Transformer(TransformerConfig(9, 7, d_model=8, n_heads=2, n_layers=2))
    >>> source, lengths, target = torch.tensor([[5, 7, 2]]), torch.tensor([3]), torch.tensor([[1, 4]])
    >>> model(source, lengths, target).shape
    torch.Size([1, 2, 7])
    >>> [w.shape for w in model.weights(source, lengths, target).cross]  # (batch, heads, target, source)
    [torch.Size([1, 2, 2, 3]), torch.Size([1, 2, 2, 3])]
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.encoder, self.decoder = Encoder(config), Decoder(config)
        if config.tie != "none":
            self.decoder.output.weight = self.decoder.embedding.weight
        if config.tie == "all":
            self.encoder.embedding.weight = self.decoder.embedding.weight
        self.config = config

    def read(self, source_ids: Int64[Tensor, "batch source"], lengths: Int64[Tensor, "batch"]) -> Context:
        mask = length_mask(lengths, source_ids.shape[1])[:, 0]  # (batch, source)
        memory, _ = self.encoder(source_ids, mask)
        caches = [block.start(memory) for block in self.decoder.blocks]
        return Context(memory, mask, _flat(caches))

    def write(
        self, target_ids: Int64[Tensor, "batch steps"], context: Context
    ) -> tuple[Float[Tensor, "batch steps vocab"], Context]:
        logits, caches, _ = self.decoder(target_ids, _caches(context.state), context.mask)
        return logits, context._replace(state=_flat(caches))

    def weights(
        self,
        source_ids: Int64[Tensor, "batch source"],
        lengths: Int64[Tensor, "batch"],
        target_ids: Int64[Tensor, "batch target"],
    ) -> TransformerWeights:
        """Return where every head of every layer looks while this pair is read and written."""
        context = self.read(source_ids, lengths)
        _, encoder = self.encoder(source_ids, context.mask, return_weights=True)
        _, _, both = self.decoder(target_ids, _caches(context.state), context.mask, return_weights=True)
        return TransformerWeights(encoder, [w.own for w in both], [w.cross for w in both])


def _flat(caches: list[DecoderCache]) -> tuple[Tensor, ...]:
    return tuple(part for cache in caches for part in cache)


def _caches(state: tuple[Tensor, ...]) -> list[DecoderCache]:
    n = len(DecoderCache._fields)
    return [DecoderCache(*state[i : i + n]) for i in range(0, len(state), n)]
