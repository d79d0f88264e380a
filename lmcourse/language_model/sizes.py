"""What a model costs, by arithmetic: parameters and floating-point operations from the configuration alone."""

from __future__ import annotations

from typing import NamedTuple

from lmcourse.language_model.config import LanguageModelConfig


class ParameterCount(NamedTuple):
    """Parameters by part; `total` is their sum."""

    embedding: int  # of tokens and token types
    positions: int
    attention: int
    feed_forward: int
    norms: int
    head: int  # 0 if tied

    @property
    def total(self) -> int:
        return sum(self)


def count_parameters(config: LanguageModelConfig) -> ParameterCount:
    """Return how many numbers a `LanguageModel` of this configuration learns.

    With H heads of length d_h and G heads of keys and values, one layer's attention has 2 d H d_h + 2 d G d_h weights (q and out, k and v), its
    feed-forward network 2 d d_ff, or 3 d d_ff with a gate. With H d_h = G d_h = d and d_ff = 4 d that is 4 d^2 + 8 d^2.

    >>> from lmcourse.language_model.config import gpt2_config
    >>> count_parameters(gpt2_config()).total
    124439808
    """
    d, layers, hidden, bias = config.d_model, config.n_layers, config.hidden, int(config.bias)
    wide, narrow = config.n_heads * config.head_size, config.kv_heads * config.head_size
    attention = 2 * d * wide + 2 * d * narrow + bias * (wide + 2 * narrow + d)
    to_hidden = 2 if config.gated else 1  # matrices
    feed_forward = (to_hidden + 1) * d * hidden + bias * (to_hidden * hidden + d)
    norm = d if config.norm == "rms" else 2 * d
    norms = 2 * layers + (config.order == "pre") + config.embedding_norm
    places = config.places
    positions = {
        "learned": config.max_length * d,
        "shaw": layers * config.n_heads * (2 * places.reach + 1) * places.d_head,
        "t5": places.n_buckets * config.n_heads,
    }
    return ParameterCount(
        embedding=(config.vocab_size + config.token_types) * d,
        positions=positions.get(config.positions, 0),
        attention=layers * attention,
        feed_forward=layers * feed_forward,
        norms=norms * norm,
        head=0 if config.tied else config.vocab_size * d,
    )


def flops_per_token(config: LanguageModelConfig, length: int) -> int:
    """Return the floating-point operations of the matrix products for one token that looks at `length` places.

    A weight of a matrix costs 2, a multiplication and an addition; the head counts, the lookup of the embedding does not. Attention adds 4
    n_heads d_head length in each layer (scores and weighted mean). Norms, softmax and activations are left out: they are few. Training
    costs three times as much, since the gradients need two more products for each. For long models and short texts that is
    the 6 N of Kaplan et al. 2020, "Scaling Laws for Neural Language Models", section 2.1.

    Raises:
        ValueError: `length` below 1.

    >>> config = LanguageModelConfig(vocab_size=100, d_model=8, n_heads=2, n_layers=1, d_ff=16)
    >>> flops_per_token(config, length=1) == 2 * (4 * 8 * 8 + 3 * 8 * 16 + 8 * 100) + 4 * 8
    True
    """
    if length < 1:
        raise ValueError(f"'length' must be at least 1, got {length}")
    counts = count_parameters(config)
    hidden, wide = config.hidden, config.n_heads * config.head_size
    to_hidden = 2 if config.gated else 1
    biases = (
        wide + 2 * config.kv_heads * config.head_size + to_hidden * hidden + 2 * config.d_model
    ) * config.bias
    weights = counts.attention + counts.feed_forward - config.n_layers * biases
    weights += config.vocab_size * config.d_model
    return 2 * weights + 4 * config.n_layers * wide * length
