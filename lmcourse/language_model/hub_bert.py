"""BERT with its masked-word head in the format of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcourse.encoder_decoder.hub import must_be, size
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.hub_gpt2 import ACTIVATIONS
from lmcourse.language_model.masked import bert_config
from lmcourse.language_model.matching import Match

OLD_NAMES = {r"(.*LayerNorm)\.gamma$": r"\1.weight", r"(.*LayerNorm)\.beta$": r"\1.bias"}
# What judges whether two sentences belong together, BERT's other task, which nobody trains any more.
IGNORED = (
    r"bert\.pooler\.dense\.(weight|bias)|cls\.seq_relationship\.(weight|bias)|bert\.embeddings\.position_ids"
)
COPIES = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
NAMES = {
    "attention.self.query": "attention.q_proj",
    "attention.self.key": "attention.k_proj",
    "attention.self.value": "attention.v_proj",
    "attention.output.dense": "attention.out_proj",
    "attention.output.LayerNorm": "around_attention.norm",
    "intermediate.dense": "feed_forward.up_proj",
    "output.dense": "feed_forward.down_proj",
    "output.LayerNorm": "around_feed_forward.norm",
}


def bert_from_hub(hub: Mapping[str, Any]) -> LanguageModelConfig:
    """Return our configuration of a config.json with "model_type": "bert".

    Raises:
        ValueError: something that is missing, or that the blocks here do not compute.
    """
    must_be(hub, "position_embedding_type", "absolute")
    must_be(hub, "is_decoder", False)
    must_be(hub, "tie_word_embeddings", True)
    return bert_config(
        vocab_size=size(hub, "vocab_size"),
        d_model=size(hub, "hidden_size"),
        n_heads=size(hub, "num_attention_heads"),
        n_layers=size(hub, "num_hidden_layers"),
        d_ff=size(hub, "intermediate_size"),
        max_length=size(hub, "max_position_embeddings"),
        feed_forward=ACTIVATIONS[must_be(hub, "hidden_act", "gelu", *ACTIVATIONS)],
        token_types=size(hub, "type_vocab_size"),
        eps=hub.get("layer_norm_eps", 1e-12),
    )


def bert_matches(config: LanguageModelConfig) -> list[Match]:
    """Return which tensor of the file is which of ours."""
    embeddings = "bert.embeddings"
    matches = [
        Match(f"{embeddings}.word_embeddings.weight", ("stack.tokens.weight",)),
        Match(f"{embeddings}.position_embeddings.weight", ("stack.positions.positions.table.weight",)),
        Match(f"{embeddings}.token_type_embeddings.weight", ("stack.token_types.weight",)),
        Match("cls.predictions.bias", ("head.bias",)),
    ]
    for kind in ("weight", "bias"):
        matches += [
            Match(f"{embeddings}.LayerNorm.{kind}", (f"stack.embedding_norm.{kind}",)),
            Match(f"cls.predictions.transform.dense.{kind}", (f"head.transform.{kind}",)),
            Match(f"cls.predictions.transform.LayerNorm.{kind}", (f"head.norm.{kind}",)),
        ]
        matches += [
            Match(f"bert.encoder.layer.{layer}.{theirs}.{kind}", (f"stack.blocks.{layer}.{ours}.{kind}",))
            for layer in range(config.n_layers)
            for theirs, ours in NAMES.items()
        ]
    return matches
