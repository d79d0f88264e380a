"""Published models in the code of this book: GPT-2, Llama and its relatives, BERT; and the way back.

The blocks are the same as those of the small models that are trained in the lessons. What makes a model is its configuration, which
config.json says, and its weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lmcourse.encoder_decoder import hub
from lmcourse.encoder_decoder.hub import TOKENIZER
from lmcourse.language_model import hub_bert, hub_gpt2, hub_llama
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.masked import MaskedLM
from lmcourse.language_model.matching import Match, drop_copies, give_tensors, rename, take_tensors
from lmcourse.language_model.model import LanguageModel
from lmcourse.tokens import Tokenizer
from lmcourse.tokens.pretrained import load_pretrained as load_tokenizer


class Architecture(NamedTuple):
    """How one kind of file becomes a model of ours.

    Args:
        config: our configuration of a config.json. make: the model of a configuration. matches: which tensor is which.
        old_names, ignored, copies: see `rename`, `take_tensors`, `drop_copies`.
    """

    config: Callable[[Mapping[str, Any]], LanguageModelConfig]
    make: Callable[[LanguageModelConfig], LanguageModel]
    matches: Callable[[LanguageModelConfig], list[Match]]
    old_names: Mapping[str, str]
    ignored: str
    copies: Mapping[str, str]


_LLAMA = Architecture(
    hub_llama.llama_from_hub, LanguageModel, hub_llama.llama_matches, {}, hub_llama.IGNORED, hub_llama.COPIES
)
ARCHITECTURES = {
    "gpt2": Architecture(
        hub_gpt2.gpt2_from_hub,
        LanguageModel,
        hub_gpt2.gpt2_matches,
        hub_gpt2.OLD_NAMES,
        hub_gpt2.IGNORED,
        hub_gpt2.COPIES,
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA._replace(make=hub_llama.qwen2_model, matches=hub_llama.qwen2_matches),
    "bert": Architecture(
        hub_bert.bert_from_hub,
        MaskedLM,
        hub_bert.bert_matches,
        hub_bert.OLD_NAMES,
        hub_bert.IGNORED,
        hub_bert.COPIES,
    ),
}


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Return how to read a model with this config.json.

    Raises:
        ValueError: a "model_type" that is not in `ARCHITECTURES`.
    """
    model_type = config.get("model_type")
    if model_type not in ARCHITECTURES:
        raise ValueError(f"'model_type' must be one of {', '.join(ARCHITECTURES)}, got {model_type!r}")
    return ARCHITECTURES[model_type]


def empty_model(config: Mapping[str, Any]) -> LanguageModel:
    """Return the model of a config.json without weights: all shapes, no memory, whatever its size (torch's device "meta").

    >>> from lmcourse.language_model.published import PUBLISHED_MODELS
    >>> llama = empty_model(PUBLISHED_MODELS["meta-llama/Llama-2-7b-hf"].config)
    >>> sum(weights.numel() for weights in llama.parameters())
    6738415616
    """
    kind = architecture(config)
    with torch.device("meta"):
        return kind.make(kind.config(config))


def load_pretrained(
    folder: str | Path, *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> LanguageModel:
    """Return the model in a folder of the hub's format: config.json, model.safetensors or its shards, tokenizer.json.

    Every tensor of the file is used, or is known to mean nothing here; none of the model is missing. `model.tokenizer` is set where
    the folder has a tokenizer.json that this book can read, and None otherwise (with a warning, if the file is there). A BERT
    comes back as a `MaskedLM`. The model is in evaluation mode.

    Raises:
        FileNotFoundError: no config.json, or no weights.
        ValueError: a model_type that is not in `ARCHITECTURES`; an option that the blocks here do not compute; tensors that are missing,
            unknown or of another shape; only a pickle (pytorch_model.bin). Nothing is returned half-loaded.
    """
    config = hub.read_config(folder)
    model, kind = empty_model(config), architecture(config)
    tensors = rename(hub.read_tensors(folder), kind.old_names)
    if model.config.tied:
        tensors = drop_copies(tensors, kind.copies)
    shapes = {name: tensor.shape for name, tensor in _own_tensors(model).items()}
    taken = take_tensors(tensors, kind.matches(model.config), shapes, kind.ignored)
    weights = {name: tensor.to(device, dtype) for name, tensor in taken.items()}
    model.load_state_dict(weights, assign=True, strict=False)  # not strict: a tied head is not among them
    if model.config.tied:
        model.head.weight = model.stack.tokens.weight
    model.tokenizer = _tokenizer(Path(folder), model.config.vocab_size)
    return model.eval()


def _own_tensors(model: LanguageModel) -> dict[str, Tensor]:
    """The tensors of a model, each once: a tied head is the embedding."""
    tensors = model.state_dict()
    if model.config.tied:
        del tensors["head.weight"]
    return tensors


def _tokenizer(folder: Path, vocab_size: int) -> Tokenizer | None:
    if not (folder / TOKENIZER).is_file():
        return None
    try:
        tokenizer = load_tokenizer(folder)
    except ValueError as error:
        warnings.warn(f"the model has no tokenizer: {TOKENIZER} cannot be read here. {error}", stacklevel=3)
        return None
    if tokenizer.vocab_size > vocab_size:
        raise ValueError(
            f"{TOKENIZER} must have at most vocab_size={vocab_size} ids, got {tokenizer.vocab_size}"
        )
    return tokenizer


def save_pretrained(model: LanguageModel, folder: str | Path) -> None:
    """Write a model so that `transformers.AutoModelForCausalLM.from_pretrained(folder)` opens it: Llama's format, or GPT-2's.

    Llama's: RMSNorm, SwiGLU, rotary positions, no biases. GPT-2's: LayerNorm, a plain feed-forward network, learned positions, biases,
    no grouped heads. Both pre-norm. The tokenizer is saved too, if the model has one.

    Raises:
        ValueError: a model of any other kind; says what is in the way.
    """
    config = model.config
    if isinstance(model, MaskedLM):
        raise ValueError("'model' must be a causal language model to be saved, got a MaskedLM")
    misfits = {name: _misfits(config, wanted) for name, wanted in _STYLES.items()}
    if not misfits["llama"]:
        described, kind = hub_llama.llama_to_hub(config), ARCHITECTURES["llama"]
    elif not misfits["gpt2"]:
        described, kind = hub_gpt2.gpt2_to_hub(config), ARCHITECTURES["gpt2"]
    else:
        ways = "; ".join(f"for {name} {', '.join(wanted)}" for name, wanted in misfits.items())
        raise ValueError(f"'model' must be in the manner of Llama or GPT-2, got one that would need: {ways}")
    tensors = give_tensors(_own_tensors(model), kind.matches(config))
    dtype = str(model.stack.tokens.weight.dtype).removeprefix("torch.")
    hub.write_folder(folder, described | {"dtype": dtype, "torch_dtype": dtype}, tensors)
    if model.tokenizer is not None:
        model.tokenizer.save(Path(folder) / TOKENIZER)


_BOTH = {"order": ("pre",), "causal": (True,), "token_types": (0,), "embedding_norm": (False,)}
_STYLES: dict[str, dict[str, tuple]] = {
    "llama": _BOTH | {"norm": ("rms",), "feed_forward": ("swiglu",), "positions": ("rope",), "bias": (False,)},
    "gpt2": _BOTH
    | {"norm": ("layer",), "feed_forward": tuple(hub_gpt2.ACTIVATIONS.values())}
    | {"positions": ("learned",), "bias": (True,), "n_kv_heads": (None,), "d_head": (None,)},
}  # fmt: skip


def _misfits(config: LanguageModelConfig, wanted: Mapping[str, tuple]) -> list[str]:
    return [f"{name}={values[0]!r}" for name, values in wanted.items() if getattr(config, name) not in values]
