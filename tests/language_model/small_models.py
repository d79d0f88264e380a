"""Small random models of transformers, saved in the format of the hub, for tests of loading."""

from pathlib import Path

import torch
import transformers as hf
from torch import nn

VOCAB, CONTEXT = 37, 24
SHORT = {"vocab_size": VOCAB, "bos_token_id": None, "eos_token_id": None}
LLAMA = SHORT | {
    "hidden_size": 24,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
}
GPT2 = SHORT | {"n_positions": CONTEXT, "n_embd": 24, "n_layer": 3, "n_head": 4}
BERT = SHORT | {
    "hidden_size": 24,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
}

CAUSAL = {
    "gpt2": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(**GPT2)),
    "gpt2, narrow, relu, untied": lambda: hf.GPT2LMHeadModel(
        hf.GPT2Config(
            **GPT2 | {"n_inner": 10, "activation_function": "relu", "layer_norm_epsilon": 1e-3},
            tie_word_embeddings=False,
        )
    ),
    "llama": lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**LLAMA)),
    "llama, tied, other rope_theta, wide heads": lambda: hf.LlamaForCausalLM(
        hf.LlamaConfig(
            **LLAMA | {"head_dim": 10, "num_key_value_heads": 1, "rms_norm_eps": 1e-2},
            rope_parameters={"rope_theta": 500.0, "rope_type": "default"},
            tie_word_embeddings=True,
        )
    ),
    "mistral, window": lambda: hf.MistralForCausalLM(
        hf.MistralConfig(**LLAMA | {"max_position_embeddings": 4 * CONTEXT}, sliding_window=CONTEXT, head_dim=6)
    ),
    "qwen2": lambda: hf.Qwen2ForCausalLM(hf.Qwen2Config(**LLAMA, tie_word_embeddings=True)),
}  # fmt: skip
MASKED = {
    "bert": lambda: hf.BertForMaskedLM(hf.BertConfig(**BERT)),
    "bert, three types, gelu_new": lambda: hf.BertForMaskedLM(
        hf.BertConfig(**BERT | {"type_vocab_size": 3, "hidden_act": "gelu_new", "layer_norm_eps": 1e-3})
    ),
}


def small(name: str, folder: Path, dtype: torch.dtype = torch.float32, **options) -> nn.Module:
    """Return the model, saved in `folder`: every weight is random, gains and biases of the norms too."""
    torch.manual_seed(1)
    model = (CAUSAL | MASKED)[name]().to(dtype).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
    model.save_pretrained(folder, **options)
    return model


def ids(rows: int = 3, length: int = CONTEXT, seed: int = 2) -> torch.Tensor:
    return torch.randint(VOCAB, (rows, length), generator=torch.Generator().manual_seed(seed))
