"""Llama and its relatives (Mistral, Qwen2) in the format of the hub.

The names differ from ours and nothing else: the files pair the entries of queries and keys for RoPE as our `rotate` does ("half").
Meta's own files pair neighbours; whoever made the hub's files from them reordered the rows, as `interleaved_to_half` would.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from lmcourse.encoder_decoder.hub import must_be, size
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.matching import Match
from lmcourse.language_model.model import LanguageModel

IGNORED = r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq"  # the speeds of RoPE, stored as if they were weights
COPIES = {"lm_head.weight": "model.embed_tokens.weight"}
NAMES = {
    "input_layernorm": "around_attention.norm",
    "self_attn.q_proj": "attention.q_proj",
    "self_attn.k_proj": "attention.k_proj",
    "self_attn.v_proj": "attention.v_proj",
    "self_attn.o_proj": "attention.out_proj",
    "post_attention_layernorm": "around_feed_forward.norm",
    "mlp.gate_proj": "feed_forward.gate_proj",
    "mlp.up_proj": "feed_forward.up_proj",
    "mlp.down_proj": "feed_forward.down_proj",
}


def llama_from_hub(hub: Mapping[str, Any]) -> LanguageModelConfig:
    """Return our configuration of a config.json with "model_type": "llama", "mistral" or "qwen2".

    A model whose attention reaches back over a window only (`sliding_window`) is the same model as one without, in texts
    that are not longer than the window: that is then its `max_length`.

    Raises:
        ValueError: something that is missing, or that the blocks here do not compute, such as stretched rotary positions.
    """
    must_be(hub, "hidden_act", "silu")
    must_be(hub, "mlp_bias", False)
    must_be(hub, "attention_bias", False)
    heads, max_length = size(hub, "num_attention_heads"), size(hub, "max_position_embeddings", default=2048)
    if hub.get("use_sliding_window", True):
        max_length = min(max_length, size(hub, "sliding_window", default=max_length))
    return LanguageModelConfig(
        vocab_size=size(hub, "vocab_size"),
        d_model=size(hub, "hidden_size"),
        n_heads=heads,
        n_layers=size(hub, "num_hidden_layers"),
        d_ff=size(hub, "intermediate_size"),
        n_kv_heads=size(hub, "num_key_value_heads", default=heads),
        d_head=size(hub, "head_dim", default=size(hub, "hidden_size") // heads),
        max_length=max_length,
        base=_base(hub),
        tied=must_be(hub, "tie_word_embeddings", False, True),
        eps=hub.get("rms_norm_eps", 1e-6),
    )


def _base(hub: Mapping[str, Any]) -> float:
    """The base of the rotary speeds: "rope_theta", which newer files keep in "rope_parameters"."""
    rope = hub.get("rope_parameters") or hub.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise ValueError(f"config.json: 'rope_type' must be 'default' to be loaded here, got {kind!r}")
    return float(rope.get("rope_theta", hub.get("rope_theta", 10_000.0)))


def llama_to_hub(config: LanguageModelConfig) -> dict[str, Any]:
    """Return the config.json of a model in the manner of Llama."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "hidden_size": config.d_model,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "max_position_embeddings": config.max_length,
        "hidden_act": "silu",
        "rms_norm_eps": config.eps,
        "rope_theta": config.base,
        "rope_parameters": {"rope_theta": config.base, "rope_type": "default"},
        "tie_word_embeddings": config.tied,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def llama_matches(config: LanguageModelConfig) -> list[Match]:
    """Return which tensor of the file is which of ours."""
    matches = [
        Match("model.embed_tokens.weight", ("stack.tokens.weight",)),
        Match("model.norm.weight", ("stack.norm.weight",)),
    ]
    for layer in range(config.n_layers):
        matches += [
            Match(f"model.layers.{layer}.{theirs}.weight", (f"stack.blocks.{layer}.{ours}.weight",))
            for theirs, ours in NAMES.items()
        ]
    if not config.tied:
        matches.append(Match("lm_head.weight", ("head.weight",)))
    return matches


def qwen2_model(config: LanguageModelConfig) -> LanguageModel:
    """Return a model with what Qwen2 has and Llama has not: biases of queries, keys and values, and of nothing else."""
    model = LanguageModel(config)
    for block in model.stack.blocks:
        for projection in (block.attention.q_proj, block.attention.k_proj, block.attention.v_proj):
            projection.bias = nn.Parameter(torch.zeros(projection.out_features))
    return model


def qwen2_matches(config: LanguageModelConfig) -> list[Match]:
    """Return which tensor of the file is which of ours."""
    biases = [
        Match(
            f"model.layers.{layer}.self_attn.{name}_proj.bias",
            (f"stack.blocks.{layer}.attention.{name}_proj.bias",),
        )
        for layer in range(config.n_layers)
        for name in "qkv"
    ]
    return llama_matches(config) + biases
