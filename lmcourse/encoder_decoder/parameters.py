"""How many numbers a Transformer learns, counted without making it: arithmetic that one can do on paper."""

from __future__ import annotations

from lmcourse.encoder_decoder.config import TransformerConfig


def count_parameters(config: TransformerConfig) -> dict[str, int]:
    """Return the number of parameters by part; their sum is the number of the model's.

    With d = d_model, V tokens, N blocks in the encoder and M in the decoder, biases included:

        embedding      V d for each matrix that is not tied to another, and V for a bias of the output
        positions      0 unless they are learned: max_length d for each side (Shaw, T5: their tables)
        attention      4 (d^2 + d), N + 2 M times: queries, keys, values and output; a decoder block has two
        feed-forward   2 d d_ff + d_ff + d, N + M times
        norms          2 d, in 2 N + 3 M places, and 2 more with the norm in front, 2 more after the embeddings (RMS: d)

    The paper's base model, with the 37,000 tokens that its two languages share, has 63.1 million; table 3 says 65.

    >>> count_parameters(TransformerConfig.paper_base(37_000, 37_000))
    {'embedding': 18944000, 'positions': 0, 'attention': 18911232, 'feed-forward': 25196544, 'norms': 30720}
    """
    d, n, m, d_ff = config.d_model, config.n_layers, config.decoder_layers, config.block.d_ff
    v, w = config.source_vocab_size, config.target_vocab_size
    matrices = {"none": v + 2 * w, "output": v + w, "all": w}[config.tie]
    bias = 1 if config.bias else 0
    norms = 2 * n + 3 * m + 2 * (config.order == "pre") + 2 * config.embedding_norm
    return {
        "embedding": matrices * d + (w if config.output_bias else 0),
        "positions": _positions(config, encoder=True) + _positions(config, encoder=False),
        "attention": (n + 2 * m) * 4 * (d * d + bias * d),
        "feed-forward": (n + m) * (2 * d * d_ff + bias * (d_ff + d)),
        "norms": norms * d * (2 if config.norm == "layer" else 1),
    }


def _positions(config: TransformerConfig, encoder: bool) -> int:
    scheme, places = config.places(encoder)
    if scheme == "learned":
        return places.max_length * config.d_model
    if scheme == "shaw":
        return places.n_layers * (2 * places.reach + 1) * config.d_model
    return places.n_buckets * config.n_heads if scheme == "t5" else 0
