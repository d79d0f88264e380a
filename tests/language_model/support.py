"""What the tests of chapter 06 share."""

from itertools import product

import torch
from torch import Tensor

from lmcourse.language_model import LanguageModel, LanguageModelConfig

VOCAB = 13
# Each choice of the configuration stands in at least one of these, with every kind of neighbour.
VARIANTS: dict[str, dict] = {
    "default": {},
    "gpt2": {"norm": "layer", "feed_forward": "gelu_tanh", "positions": "learned", "bias": True},
    "llama": {"n_kv_heads": 1, "tied": False, "base": 500.0, "d_ff": 20},
    "post": {"order": "post", "norm": "layer", "feed_forward": "relu", "positions": "sinusoidal"},
    "wide": {"d_head": 6, "n_kv_heads": 2, "bias": True, "positions": "none", "feed_forward": "gelu"},
    "alibi": {"positions": "alibi", "n_kv_heads": 2, "feed_forward": "silu"},
    "t5": {"positions": "t5", "n_kv_heads": 4},
    "shaw": {"positions": "shaw", "embedding_norm": True, "token_types": 2},
}
FUSED = [False, True]
EVERY = list(product(VARIANTS, FUSED))


def model_of(variant: str = "default", fused: bool = True, **changes) -> LanguageModel:
    """Return a small model in float64 whose weights are far from their first values, so that every part of it counts."""
    sizes = {"d_model": 16, "n_heads": 4, "n_layers": 3, "max_length": 24, "fused": fused}
    model = LanguageModel(LanguageModelConfig(VOCAB, **sizes | VARIANTS[variant] | changes)).double()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return model.eval()


def some_ids(batch: int = 2, time: int = 9, seed: int = 0) -> Tensor:
    return torch.randint(VOCAB, (batch, time), generator=torch.Generator().manual_seed(seed))
