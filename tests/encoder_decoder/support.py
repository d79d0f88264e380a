"""What the tests of the Transformer share."""

import torch
from hypothesis import settings
from torch import nn

from lmcourse.encoder_decoder import Transformer, TransformerConfig
from tests.attention.support import draws

unhurried = settings(deadline=None, max_examples=10)
SOURCE = torch.tensor([[5, 7, 3, 8, 2], [8, 6, 2, 0, 0]])
LENGTHS = torch.tensor([5, 3])
TARGET = torch.tensor([[1, 4, 3, 6], [1, 5, 5, 3]])


def randomize(module: nn.Module, seed: int = 0, size: float = 0.5) -> nn.Module:
    """Return the module in float64 with every parameter drawn anew, gains and biases too."""
    module = module.double()
    with torch.no_grad():
        for n, parameter in enumerate(module.parameters()):
            parameter.copy_(size * draws(*parameter.shape, seed=1000 * seed + n))
    return module


def transformer(**changes) -> Transformer:
    """Return a small Transformer in float64 with parameters of which none is 0 or 1, so that no error is too small to be seen."""
    sizes = {
        "d_model": 8,
        "n_heads": 2,
        "n_layers": 2,
        "d_ff": 12,
        "max_length": 16,
        "reach": 4,
        "n_buckets": 6,
    }
    return randomize(Transformer(TransformerConfig(9, 7, **{**sizes, **changes}))).eval()
