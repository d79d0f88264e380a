"""Three published encoder-decoders in the code of this chapter: Marian, BART and T5, from files in the hub's format.

A checkpoint is a folder with the sizes (config.json) and the weights (model.safetensors); a model of `transformers` has
both as `config.to_dict()` and `state_dict()`. What these models are is then a question of a few choices that
`TransformerConfig` names, and of what the weights are called:

            norm                 positions              embeddings            activation   scores
    Marian  layer, post          sinusoids              times sqrt(d)         SiLU         / sqrt(d_head)
    BART    layer, post          learned                with a norm           GELU         / sqrt(d_head)
    T5      RMS, pre, no biases  buckets of distances   output / sqrt(d)      ReLU         not scaled

Junczys-Dowmunt et al. 2018, "Marian: Fast Neural Machine Translation in C++"; Lewis et al. 2020, "BART: Denoising
Sequence-to-Sequence Pre-training"; Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified
Text-to-Text Transformer".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmcourse.embeddings.absolute import sinusoidal_positions
from lmcourse.embeddings.rotary import interleaved_to_half
from lmcourse.encoder_decoder.config import TransformerConfig
from lmcourse.encoder_decoder.hub import read_config, read_tensors
from lmcourse.encoder_decoder.transformer import Transformer

Sizes = Mapping[str, Any]
Weights = Mapping[str, Tensor]

ACTIVATION_NAMES = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}


def load_marian(folder: str | Path) -> Transformer:
    """Return the Marian translator in `folder`; see `marian`."""
    return marian(read_config(folder), read_tensors(folder))


def load_bart(folder: str | Path) -> Transformer:
    """Return the BART in `folder`; see `bart`."""
    return bart(read_config(folder), read_tensors(folder))


def load_t5(folder: str | Path) -> Transformer:
    """Return the T5 in `folder`; see `t5`."""
    return t5(read_config(folder), read_tensors(folder))


def marian(sizes: Sizes, weights: Weights) -> Transformer:
    """Return a `Transformer` with the weights of a Marian, from config.json and the file of weights as mappings.

    Its sinusoids have all sines before all cosines. Here they become the table of learned positions.

    Raises:
        ValueError: a variant that has no counterpart here, or weights that are missing or left over.
    """
    _require(sizes, share_encoder_decoder_embeddings=True, normalize_before=False, normalize_embedding=False)
    config = _bart_config(sizes, embedding_norm=False)
    places = sinusoidal_positions(torch.arange(config.max_length), config.d_model)
    table = places[:, interleaved_to_half(config.d_model)].to(weights["model.shared.weight"])
    positions = {f"model.{side}.embed_positions.weight": table for side in ("encoder", "decoder")}
    return _filled(config, {**positions, **weights}, _bart_name)


def bart(sizes: Sizes, weights: Weights) -> Transformer:
    """Return a `Transformer` with the weights of a BART, from config.json and the file of weights as mappings.

    Its table of positions begins with two rows that nothing stands at.

    Raises:
        ValueError: a variant that has no counterpart here, or weights that are missing or left over.
    """
    _require(sizes, normalize_before=False, normalize_embedding=True)
    tables = {f"model.{side}.embed_positions.weight" for side in ("encoder", "decoder")}
    weights = {name: weight[2:] if name in tables else weight for name, weight in weights.items()}
    return _filled(_bart_config(sizes, embedding_norm=True), weights, _bart_name)


def t5(sizes: Sizes, weights: Weights) -> Transformer:
    """Return a `Transformer` with the weights of a T5 as first published, from config.json and the weights as mappings.

    All layers share the biases of the first; half of the encoder's buckets are for what comes later. The later kinds
    (1.1, with gated networks and an output matrix of its own) have no counterpart here.

    Raises:
        ValueError: a variant that has no counterpart here, or weights that are missing or left over.
    """
    _require(sizes, tie_word_embeddings=True, feed_forward_proj="relu")
    d, heads, vocab_size = sizes["d_model"], sizes["num_heads"], sizes["vocab_size"]
    if sizes["d_kv"] * heads != d:
        raise ValueError(f"'sizes' must have d_kv = d_model / num_heads = {d / heads:g}, got {sizes['d_kv']}")
    layers = sizes["num_layers"]
    config = TransformerConfig(
        vocab_size,
        vocab_size,
        d,
        heads,
        layers,
        sizes["d_ff"],
        sizes.get("num_decoder_layers") or layers,
        order="pre",
        norm="rms",
        bias=False,
        scale=1.0,
        eps=sizes["layer_norm_epsilon"],
        positions="t5",
        n_buckets=sizes["relative_attention_num_buckets"],
        reach=sizes.get("relative_attention_max_distance", 128),
        tie="all",
        scale_embeddings=False,
        output_scale=d**-0.5,
    )
    return _filled(config, weights, _t5_name)


def _bart_config(sizes: Sizes, embedding_norm: bool) -> TransformerConfig:
    """Return the sizes of a BART or a Marian, whose files name them alike."""
    for name in ("attention_heads", "ffn_dim"):
        _require(sizes, **{f"decoder_{name}": sizes[f"encoder_{name}"]})
    return TransformerConfig(
        sizes["vocab_size"],
        sizes["vocab_size"],
        sizes["d_model"],
        sizes["encoder_attention_heads"],
        sizes["encoder_layers"],
        sizes["encoder_ffn_dim"],
        sizes["decoder_layers"],
        order="post",
        activation=_activation(sizes["activation_function"]),
        positions="learned",
        max_length=sizes["max_position_embeddings"],
        tie="all",
        scale_embeddings=sizes["scale_embedding"],
        embedding_norm=embedding_norm,
        output_bias=True,
    )


BART_PARTS = {
    "self_attn": "attention",
    "self_attn_layer_norm": "around_attention.norm",
    "encoder_attn": "cross_attention",
    "encoder_attn_layer_norm": "around_cross_attention.norm",
    "fc1": "feed_forward.up_proj",
    "fc2": "feed_forward.down_proj",
    "final_layer_norm": "around_feed_forward.norm",
}
BART_ENDS = {
    "shared.weight": "encoder.embedding.weight",  # of several names of one matrix torch lists the first
    "final_logits_bias": "decoder.output.bias",
    "encoder.embed_positions.weight": "encoder.positions.positions.table.weight",
    "decoder.embed_positions.weight": "decoder.positions.positions.table.weight",
    "encoder.layernorm_embedding.weight": "encoder.norm_in.weight",
    "encoder.layernorm_embedding.bias": "encoder.norm_in.bias",
    "decoder.layernorm_embedding.weight": "decoder.norm_in.weight",
    "decoder.layernorm_embedding.bias": "decoder.norm_in.bias",
}


def _bart_name(name: str) -> str | None:
    """Return our name of a weight of BART or Marian, None for one that has no place here."""
    name = name.removeprefix("model.")
    found = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.(\w+)\.(.+)", name)
    if found is None:
        return BART_ENDS.get(name)
    side, layer, part, rest = found.groups()
    return f"{side}.blocks.{layer}.{BART_PARTS[part]}.{rest}" if part in BART_PARTS else None


T5_PARTS = {
    "SelfAttention.q": "attention.q_proj",
    "SelfAttention.k": "attention.k_proj",
    "SelfAttention.v": "attention.v_proj",
    "SelfAttention.o": "attention.out_proj",
    "EncDecAttention.q": "cross_attention.q_proj",
    "EncDecAttention.k": "cross_attention.k_proj",
    "EncDecAttention.v": "cross_attention.v_proj",
    "EncDecAttention.o": "cross_attention.out_proj",
    "DenseReluDense.wi": "feed_forward.up_proj",
    "DenseReluDense.wo": "feed_forward.down_proj",
}
T5_NORMS = {
    ("encoder", "0"): "around_attention.norm",
    ("encoder", "1"): "around_feed_forward.norm",
    ("decoder", "0"): "around_attention.norm",
    ("decoder", "1"): "around_cross_attention.norm",
    ("decoder", "2"): "around_feed_forward.norm",
}
T5_ENDS = {
    "shared.weight": "encoder.embedding.weight",
    "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": "encoder.positions.table",
    "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": "decoder.positions.table",
    "encoder.final_layer_norm.weight": "encoder.norm_out.weight",
    "decoder.final_layer_norm.weight": "decoder.norm_out.weight",
}


def _t5_name(name: str) -> str | None:
    """Return our name of a weight of T5, None for one that has no place here."""
    found = re.fullmatch(r"(encoder|decoder)\.block\.(\d+)\.layer\.([012])\.(.+)\.weight", name)
    if found is None or name in T5_ENDS:
        return T5_ENDS.get(name)
    side, layer, number, part = found.groups()
    ours = T5_NORMS.get((side, number)) if part == "layer_norm" else T5_PARTS.get(part)
    return f"{side}.blocks.{layer}.{ours}.weight" if ours else None


# The shared embedding is also stored under these names, or is not; T5's first files hold a table that is not used.
IGNORED = re.compile(
    r"(model\.)?(encoder|decoder)\.embed_tokens\.weight|lm_head\.weight"
    r"|decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight"
)


def _filled(
    config: TransformerConfig, weights: Weights, our_name: Callable[[str], str | None]
) -> Transformer:
    """Return a model, in eval mode, in which every parameter comes from `weights` and each of these is used."""
    given = {
        our_name(name): (name, weight) for name, weight in weights.items() if not IGNORED.fullmatch(name)
    }
    model = Transformer(config).to(next(iter(weights.values())).dtype).eval()
    ours = dict(model.named_parameters())
    if None in given:
        raise ValueError(f"'weights' must have a place in the model each, got {given[None][0]!r}")
    if ours.keys() != given.keys():
        raise ValueError(
            f"'weights' must fill the model, got none for {sorted(ours.keys() - given.keys())[:4]}, "
            f"and too much: {sorted(given.keys() - ours.keys())[:4]}"
        )
    with torch.no_grad():
        for name, (theirs, weight) in given.items():
            if weight.numel() != ours[name].numel():
                shapes = tuple(ours[name].shape), tuple(weight.shape)
                raise ValueError(f"{theirs!r} must have the shape {shapes[0]}, got {shapes[1]}")
            ours[name].copy_(weight.view_as(ours[name]))  # a bias may come as one row
    return model


def _require(sizes: Sizes, **values: Any) -> None:
    """Raise a ValueError where `sizes` asks for something else than `values`; what is not said is as it should be."""
    for name, value in values.items():
        if sizes.get(name, value) != value:
            raise ValueError(f"'{name}' must be {value!r} to be loaded here, got {sizes[name]!r}")


def _activation(name: str) -> str:
    if name not in ACTIVATION_NAMES:
        raise ValueError(f"'activation_function' must be one of {list(ACTIVATION_NAMES)}, got {name!r}")
    return ACTIVATION_NAMES[name]
