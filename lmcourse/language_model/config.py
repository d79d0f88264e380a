"""The sizes and the choices of a language model, in one place. GPT-2, Llama and BERT differ in little more than these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lmcourse.attention.multi_head import MultiHeadConfig
from lmcourse.embeddings.positions import POSITION_SCHEMES, PositionConfig
from lmcourse.encoder_decoder.blocks import ORDERS
from lmcourse.encoder_decoder.feed_forward import ACTIVATIONS
from lmcourse.encoder_decoder.norms import NORMS

FEED_FORWARDS = ("swiglu", *ACTIVATIONS)


@dataclass(frozen=True)
class LanguageModelConfig:
    """What a `LanguageModel` is made of. The defaults are today's block: RMSNorm, SwiGLU, rotary positions, no biases.

    Args:
        d_ff: hidden units of the feed-forward network; None: 4 d_model, and for "swiglu", which has three matrices instead of two,
            8/3 d_model (rounded up to a multiple of 8), so that it has as many parameters.
        n_kv_heads: heads of keys and values; None: n_heads; fewer: grouped-query attention.
        d_head: None: d_model / n_heads.
        max_length: the context length: the tokens of a prompt and of what is generated, together. Learned positions have so many rows.
        norm: "rms" or "layer". order: "pre" or "post", see `lmcourse.encoder_decoder.Sublayer`. eps: the norms'.
        feed_forward: "swiglu", or the activation of a plain network: "gelu", "gelu_tanh", "relu", "silu".
        positions: a name in `lmcourse.embeddings.POSITION_SCHEMES`. base: of rope and sinusoids.
        bias: whether the matrices have biases. ("layer" norms always have one, "rms" norms and the head never.)
        tied: whether the head uses the matrix of the embedding.
        token_types: kinds of text (first and second sentence) with a vector each, as in BERT; 0: none.
        embedding_norm: one more norm between the embedding and the first block, as in BERT.
        dropout: of the embedding and of what each sublayer adds, while training.
        fused: leave attention to torch's kernel. causal: whether a place sees only those before it; not in BERT.
        std: of the first weights, see `Stack`. seed: of the first weights.

    Raises:
        ValueError: a size below 1, a name that is not known, heads that do not fit.

    >>> config = LanguageModelConfig(vocab_size=1000, d_model=96)
    >>> config.hidden, config.heads.n_heads
    (256, 4)
    """

    vocab_size: int
    d_model: int = 128
    n_heads: int = 4
    n_layers: int = 4
    d_ff: int | None = None
    n_kv_heads: int | None = None
    d_head: int | None = None
    max_length: int = 256
    norm: str = "rms"
    order: str = "pre"
    feed_forward: str = "swiglu"
    positions: str = "rope"
    base: float = 10_000.0
    bias: bool = False
    tied: bool = True
    token_types: int = 0
    embedding_norm: bool = False
    dropout: float = 0.0
    eps: float = 1e-5
    fused: bool = True
    causal: bool = True
    std: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "n_layers", "max_length", "hidden"):
            size = getattr(self, name)
            if size < 1:
                raise ValueError(f"'{'d_ff' if name == 'hidden' else name}' must be at least 1, got {size}")
        known = {"norm": NORMS, "order": ORDERS, "feed_forward": FEED_FORWARDS, "positions": POSITION_SCHEMES}
        for name, choices in known.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"'{name}' must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"'dropout' must be from 0 to below 1, got {self.dropout}")
        if not self.std > 0:
            raise ValueError(f"'std' must be above 0, got {self.std}")
        _ = self.heads  # checks the rest of the sizes

    @property
    def hidden(self) -> int:
        """Hidden units of the feed-forward network."""
        if self.d_ff is not None:
            return self.d_ff
        return -(-self.d_model // 3) * 8 if self.gated else 4 * self.d_model

    @property
    def gated(self) -> bool:
        """Whether the feed-forward network has a gate."""
        return self.feed_forward == "swiglu"

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values."""
        return self.n_kv_heads or self.n_heads

    @property
    def head_size(self) -> int:
        """The length of a query, a key or a value in one head."""
        return self.d_head or self.d_model // self.n_heads

    @property
    def heads(self) -> MultiHeadConfig:
        """The sizes of the attention."""
        return MultiHeadConfig(
            self.d_model, self.n_heads, self.n_kv_heads, self.d_head, bias=self.bias, fused=self.fused
        )

    @property
    def places(self) -> PositionConfig:
        """The sizes of the position scheme."""
        return PositionConfig(self.d_model, self.n_heads, self.n_layers, self.max_length, base=self.base)


def gpt2_config(**changes: Any) -> LanguageModelConfig:
    """Return the configuration of the smallest GPT-2 (Radford et al. 2019), with `changes`.

    >>> gpt2_config(n_layers=2, d_model=64, n_heads=2).norm
    'layer'
    """
    gpt2 = {"vocab_size": 50_257, "d_model": 768, "n_heads": 12, "n_layers": 12, "max_length": 1024}
    gpt2 |= {"norm": "layer", "feed_forward": "gelu_tanh", "positions": "learned", "bias": True}
    return LanguageModelConfig(**gpt2 | changes)


def llama_config(**changes: Any) -> LanguageModelConfig:
    """Return the configuration of Llama 2 with 7 billion parameters (Touvron et al. 2023), with `changes`.

    Its rule for the feed-forward network is 8/3 d_model, rounded up to a multiple of 256.

    >>> llama_config().hidden, llama_config(d_model=512, n_heads=8).hidden
    (11008, 1536)
    """
    llama = {
        "vocab_size": 32_000,
        "d_model": 4096,
        "n_heads": 32,
        "n_layers": 32,
        "max_length": 4096,
        "tied": False,
    }
    d_model = changes.get("d_model", llama["d_model"])
    return LanguageModelConfig(**llama | {"d_ff": -(-8 * d_model // (3 * 256)) * 256} | changes)
