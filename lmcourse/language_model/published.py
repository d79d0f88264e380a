"""What published models say about themselves: the config.json of a few, cut to what decides their size.

The numbers are those of the files on the Hugging Face hub. `parameters` is what the weights of the model hold, each tensor counted
once, as its makers' checkpoint gives it; it is not needed to build the model and stands here to be compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PublishedModel:
    """A model as its makers describe it.

    Args:
        config: the part of config.json that decides shapes and sizes.
        parameters: of the whole model with its output layer.
        source: the paper.
    """

    name: str
    config: dict[str, Any]
    parameters: int
    source: str


def _gpt2(n_embd: int, n_layer: int, n_head: int) -> dict[str, Any]:
    return {
        "model_type": "gpt2",
        "vocab_size": 50_257,
        "n_positions": 1024,
        "n_embd": n_embd,
        "n_layer": n_layer,
        "n_head": n_head,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
    }


def _llama(
    model_type: str,
    vocab_size: int,
    hidden_size: int,
    intermediate_size: int,
    num_hidden_layers: int,
    num_attention_heads: int,
    num_key_value_heads: int,
    max_position_embeddings: int,
    rope_theta: float = 10_000.0,
    rms_norm_eps: float = 1e-5,
    tie_word_embeddings: bool = False,
) -> dict[str, Any]:
    return {**locals(), "hidden_act": "silu"}


_BERT = {
    "model_type": "bert",
    "vocab_size": 30_522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
}

PUBLISHED_MODELS = {
    published.name: published
    for published in [
        PublishedModel("bert-base-uncased", _BERT, 109_514_298, "Devlin et al. 2019"),
        PublishedModel("gpt2", _gpt2(768, 12, 12), 124_439_808, "Radford et al. 2019"),
        PublishedModel("gpt2-xl", _gpt2(1600, 48, 25), 1_557_611_200, "Radford et al. 2019"),
        PublishedModel(
            "HuggingFaceTB/SmolLM2-135M",
            _llama("llama", 49_152, 576, 1536, 30, 9, 3, 8192, 100_000.0, tie_word_embeddings=True),
            134_515_008,
            "Ben Allal et al. 2025",
        ),
        PublishedModel(
            "Qwen/Qwen2-0.5B",
            _llama("qwen2", 151_936, 896, 4864, 24, 14, 2, 131_072, 1e6, 1e-6, tie_word_embeddings=True),
            494_032_768,
            "Yang et al. 2024",
        ),
        PublishedModel(
            "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
            _llama("llama", 32_000, 2048, 5632, 22, 32, 4, 2048),
            1_100_048_384,
            "Zhang et al. 2024",
        ),
        PublishedModel(
            "meta-llama/Llama-2-7b-hf",
            _llama("llama", 32_000, 4096, 11_008, 32, 32, 32, 4096),
            6_738_415_616,
            "Touvron et al. 2023",
        ),
        PublishedModel(
            "mistralai/Mistral-7B-v0.3",
            _llama("mistral", 32_768, 4096, 14_336, 32, 32, 8, 32_768, 1e6),
            7_248_023_552,
            "Jiang et al. 2023, with a larger vocabulary",
        ),
    ]
}
