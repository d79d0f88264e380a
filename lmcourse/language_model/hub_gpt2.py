"""GPT-2 in the format of the hub: what its config says, and which of its tensors is which of ours.

Two things differ. Its matrices are stored as (in, out), the transpose of torch's nn.Linear. And the projections to queries, keys and
values are one matrix, `c_attn`, in which they stand side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcourse.encoder_decoder.hub import must_be, size
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.matching import Match

ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
    "silu": "silu",
}
OLD_NAMES = {r"(wte|wpe|ln_f|h)\.": r"transformer.\1."}  # the first files had no prefix
IGNORED = r"transformer\.h\.\d+\.attn\.(bias|masked_bias)"  # the causal mask, stored as if it were a weight
COPIES = {"lm_head.weight": "transformer.wte.weight"}


def gpt2_from_hub(hub: Mapping[str, Any]) -> LanguageModelConfig:
    """Return our configuration of a config.json with "model_type": "gpt2".

    Raises:
        ValueError: something that is missing, or that the blocks here do not compute.
    """
    must_be(hub, "scale_attn_weights", True)
    must_be(hub, "scale_attn_by_inverse_layer_idx", False)
    must_be(hub, "add_cross_attention", False)
    d_model = size(hub, "n_embd")
    return LanguageModelConfig(
        vocab_size=size(hub, "vocab_size"),
        d_model=d_model,
        n_heads=size(hub, "n_head"),
        n_layers=size(hub, "n_layer"),
        d_ff=size(hub, "n_inner", default=4 * d_model),
        max_length=size(hub, "n_positions", "n_ctx"),
        norm="layer",
        feed_forward=ACTIVATIONS[must_be(hub, "activation_function", *ACTIVATIONS)],
        positions="learned",
        bias=True,
        tied=must_be(hub, "tie_word_embeddings", True, False),
        eps=hub.get("layer_norm_epsilon", 1e-5),
    )


def gpt2_to_hub(config: LanguageModelConfig) -> dict[str, Any]:
    """Return the config.json of a model in the manner of GPT-2."""
    names = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.vocab_size,
        "n_positions": config.max_length,
        "n_embd": config.d_model,
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_inner": config.hidden,
        "activation_function": names[config.feed_forward],
        "layer_norm_epsilon": config.eps,
        "tie_word_embeddings": config.tied,
        "resid_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "attn_pdrop": 0.0,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def gpt2_matches(config: LanguageModelConfig) -> list[Match]:
    """Return which tensor of the file is which of ours."""
    matches = [
        Match("transformer.wte.weight", ("stack.tokens.weight",)),
        Match("transformer.wpe.weight", ("stack.positions.positions.table.weight",)),
    ]
    for layer in range(config.n_layers):
        theirs, ours = f"transformer.h.{layer}", f"stack.blocks.{layer}"
        for kind in ("weight", "bias"):
            matches += [
                Match(f"{theirs}.ln_1.{kind}", (f"{ours}.around_attention.norm.{kind}",)),
                Match(f"{theirs}.ln_2.{kind}", (f"{ours}.around_feed_forward.norm.{kind}",)),
            ]
            transposed = kind == "weight"
            qkv = tuple(f"{ours}.attention.{name}_proj.{kind}" for name in "qkv")
            matches += [
                Match(f"{theirs}.attn.c_attn.{kind}", qkv, transposed),
                Match(f"{theirs}.attn.c_proj.{kind}", (f"{ours}.attention.out_proj.{kind}",), transposed),
                Match(f"{theirs}.mlp.c_fc.{kind}", (f"{ours}.feed_forward.up_proj.{kind}",), transposed),
                Match(f"{theirs}.mlp.c_proj.{kind}", (f"{ours}.feed_forward.down_proj.{kind}",), transposed),
            ]
    matches += [Match(f"transformer.ln_f.{kind}", (f"stack.norm.{kind}",)) for kind in ("weight", "bias")]
    if not config.tied:
        matches.append(Match("lm_head.weight", ("head.weight",)))
    return matches
