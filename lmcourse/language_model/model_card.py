"""What a config.json tells a reader: how large a model is, what it costs to keep and to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lmcourse.encoder_decoder.hub import read_config
from lmcourse.language_model.cache import cache_bytes
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.model import LanguageModel
from lmcourse.language_model.pretrained import empty_model
from lmcourse.language_model.sizes import ParameterCount, flops_per_token


@dataclass(frozen=True)
class ModelCard:
    """The sizes of a model, and what follows from them. Print it.

    Args:
        model_type: as in config.json.
        config: the same model as a configuration of ours.
        parameters: counted on the model's own tensors, by part; a tied head counts once, as embedding.
    """

    model_type: str
    config: LanguageModelConfig
    parameters: ParameterCount

    def weight_bytes(self, dtype: torch.dtype) -> int:
        """Return the memory of the weights in this type."""
        return self.parameters.total * dtype.itemsize

    def cache_bytes_per_token(self, dtype: torch.dtype) -> int:
        """Return the keys and values that are kept of each token while a text is written; 0 for a model that does not write."""
        return cache_bytes(self.config, batch=1, length=1, dtype=dtype) if self.config.causal else 0

    def flops(self, length: int) -> int:
        """Return the operations of one token that looks at `length` places, see `flops_per_token`."""
        transform = (
            0 if self.config.causal else 2 * self.config.d_model**2
        )  # the head of BERT has a matrix more
        return flops_per_token(self.config, length) + transform

    def __str__(self) -> str:
        config, half = self.config, torch.bfloat16
        parts = {name.replace("_", "-"): n for name, n in self.parameters._asdict().items() if n}
        total, full = self.parameters.total, config.max_length
        lines = [
            ("type", f"{self.model_type}, {'causal' if config.causal else 'sees both sides'}"),
            ("layers", f"{config.n_layers}, {config.order}-norm ({config.norm}), {config.feed_forward}"),
            ("d_model", f"{config.d_model:,}"),
            (
                "heads",
                f"{config.n_heads} of length {config.head_size}, {config.kv_heads} for keys and values",
            ),
            ("d_ff", f"{config.hidden:,}"),
            ("context", f"{full:,} tokens, positions {config.positions}"),
            ("vocabulary", f"{config.vocab_size:,}, head {'tied' if config.tied else 'of its own'}"),
            ("parameters", f"{total:,}"),
            *((f"  {name}", f"{n:>13,} {n / total:6.1%}") for name, n in parts.items()),
            (
                "weights",
                f"{_size(self.weight_bytes(torch.float32))} in fp32, {_size(self.weight_bytes(half))} in bf16",
            ),
        ]
        kept = self.cache_bytes_per_token(half)
        if kept:
            lines.append(
                ("KV cache", f"{_size(kept)} a token in bf16, {_size(full * kept)} for a full context")
            )
        first, last = (f"{self.flops(length) / 1e9:.3g}" for length in (1, full))
        lines.append(
            ("FLOPs", f"{first} billion a token alone, {last} billion with a full context to look at")
        )
        return "\n".join(f"{name:<15}{text}" for name, text in lines)


def model_card(folder_or_config: str | Path | Mapping[str, Any]) -> ModelCard:
    """Return the card of a model in a folder of the hub's format, or of a config.json as a dict. Weights are not read.

    Raises:
        FileNotFoundError: a folder without config.json.
        ValueError: a model of a kind, or with an option, that `load_pretrained` would refuse too.

    >>> from lmcourse.language_model.published import PUBLISHED_MODELS
    >>> card = model_card(PUBLISHED_MODELS["TinyLlama/TinyLlama-1.1B-Chat-v1.0"].config)
    >>> card.parameters.total, card.cache_bytes_per_token(torch.bfloat16)
    (1100048384, 22528)
    """
    config = folder_or_config if isinstance(folder_or_config, Mapping) else read_config(folder_or_config)
    model = empty_model(config)
    return ModelCard(config["model_type"], model.config, _count(model))


def _count(model: LanguageModel) -> ParameterCount:
    """The parameters of a model by the names of its parts; what two names share counts where it stands first."""
    counts = dict.fromkeys(ParameterCount._fields, 0)
    for name, weights in model.named_parameters():
        counts[_part(name)] += weights.numel()
    return ParameterCount(**counts)


def _part(name: str) -> str:
    if name.startswith("head."):
        return "head"
    if name.startswith(("stack.tokens.", "stack.token_types.")):
        return "embedding"
    if "norm." in name:
        return "norms"
    return next(part for part in ("positions", "attention", "feed_forward") if f".{part}." in name)


def _size(n_bytes: int) -> str:
    unit, size = next(
        each for each in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1)) if n_bytes >= each[1]
    )
    return f"{n_bytes / size:.3g} {unit}"
