"""The sizes of a Transformer, and the paper's own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lmcourse.embeddings.positions import POSITION_SCHEMES, PositionConfig
from lmcourse.encoder_decoder.blocks import BlockConfig

TIES = ("none", "output", "all")


@dataclass(frozen=True)
class TransformerConfig:
    """The sizes of a `Transformer`. What is None follows from the others.

    Args:
        n_layers: blocks of the encoder, and of the decoder unless `n_decoder_layers` says otherwise.
        d_ff: hidden units of the feed-forward networks; None: 4 d_model.
        dropout: of embeddings and of what each sublayer adds, while training.
        order, norm, activation, bias, scale, eps, fused: as in `BlockConfig`.
        positions: the name of a scheme of `lmcourse.embeddings.POSITION_SCHEMES`, for both sides, unless
            `encoder_positions` names another for the encoder. max_length, base: as in `PositionConfig`. n_buckets,
            reach: the same, of "t5" and "shaw".
        tie: which matrices are one (Press and Wolf 2017, "Using the Output Embedding to Improve Language Models").
            "output": the decoder's embedding is also the output layer. "all": the encoder's too, which needs one
            vocabulary for both languages, as in the paper (section 3.4). "none": three matrices.
        scale_embeddings: multiply what is looked up by sqrt(d_model), as the paper does: rows that start as draws
            from N(0, 1/d_model) make logits of size 1 as an output layer, and so they are also large enough beside
            the sinusoids.
        embedding_norm: a norm after embeddings and positions, as in BART. output_bias: a bias of each logit.
        output_scale: multiplies what the output layer reads; T5 takes 1 / sqrt(d_model) there instead of scaling the
            embeddings.

    Raises:
        ValueError: a size or a name that makes no sense, by name.
    """

    source_vocab_size: int
    target_vocab_size: int
    d_model: int = 128
    n_heads: int = 4
    n_layers: int = 3
    d_ff: int | None = None
    n_decoder_layers: int | None = None
    dropout: float = 0.0
    order: str = "pre"
    norm: str = "layer"
    activation: str = "relu"
    bias: bool = True
    scale: float | None = None
    eps: float = 1e-5
    fused: bool = True
    positions: str = "sinusoidal"
    encoder_positions: str | None = None
    max_length: int = 512
    base: float = 10_000.0
    n_buckets: int = 32
    reach: int = 128
    tie: str = "output"
    scale_embeddings: bool = True
    embedding_norm: bool = False
    output_bias: bool = False
    output_scale: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("source_vocab_size", "target_vocab_size", "n_layers", "n_decoder_layers"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"'{name}' must be at least 1, got {size}")
        if self.tie not in TIES:
            raise ValueError(f"'tie' must be one of {list(TIES)}, got {self.tie!r}")
        if self.tie == "all" and self.source_vocab_size != self.target_vocab_size:
            raise ValueError(
                "'tie' may only be 'all' for one vocabulary on both sides, "
                f"got {self.source_vocab_size} and {self.target_vocab_size} tokens"
            )
        for name in ("positions", "encoder_positions"):
            scheme = getattr(self, name)
            if scheme is not None and scheme not in POSITION_SCHEMES:
                raise ValueError(f"'{name}' must be one of {', '.join(POSITION_SCHEMES)}, got {scheme!r}")

    @classmethod
    def paper_base(cls, source_vocab_size: int, target_vocab_size: int, **changes) -> TransformerConfig:
        """Return the base model of Vaswani et al. 2017, table 3, with the norm behind.

        With vocabularies of one size both languages share the embedding, as in the paper; `tie="output"` takes two.

        >>> TransformerConfig.paper_base(37_000, 37_000).tie
        'all'
        """
        sizes = {"d_model": 512, "n_heads": 8, "n_layers": 6, "d_ff": 2048, "dropout": 0.1, "order": "post"}
        tie = "all" if source_vocab_size == target_vocab_size else "output"
        return cls(source_vocab_size, target_vocab_size, **{**sizes, "tie": tie, **changes})

    @property
    def block(self) -> BlockConfig:
        d_ff = 4 * self.d_model if self.d_ff is None else self.d_ff
        names = ("dropout", "order", "norm", "activation", "bias", "scale", "eps", "fused")
        return BlockConfig(self.d_model, self.n_heads, d_ff, **{name: getattr(self, name) for name in names})

    @property
    def decoder_layers(self) -> int:
        return self.n_layers if self.n_decoder_layers is None else self.n_decoder_layers

    @property
    def embedding_scale(self) -> float:
        return math.sqrt(self.d_model) if self.scale_embeddings else 1.0

    def places(self, encoder: bool) -> tuple[str, PositionConfig]:
        """Return the scheme of one side and its sizes."""
        name = self.encoder_positions if encoder and self.encoder_positions else self.positions
        layers = self.n_layers if encoder else self.decoder_layers
        sizes = (self.d_model, self.n_heads, layers, self.max_length, self.reach, self.n_buckets, self.base)
        return name, PositionConfig(*sizes, bidirectional=encoder)
