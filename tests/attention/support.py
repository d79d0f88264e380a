"""What the tests of attention share."""

import torch
from hypothesis import settings
from torch import Tensor

F64 = torch.float64
unhurried = settings(deadline=None, max_examples=40)  # a busy machine fails nothing


def draws(*shape: int, seed: int = 0, dtype: torch.dtype = F64) -> Tensor:
    """Return draws from N(0, 1), made in float64 so that all types get the same numbers."""
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def coin_mask(*shape: int, seed: int = 0, p: float = 0.5) -> Tensor:
    """Return a random mask; some of its rows are all False."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < p


def gradients(output: Tensor, *inputs: Tensor, seed: int = 9) -> tuple[Tensor, ...]:
    """Return the gradients of a random projection of `output`, so that no two errors cancel."""
    probe = draws(*output.shape, seed=seed).to(output)
    return torch.autograd.grad((output * probe).sum(), inputs)
