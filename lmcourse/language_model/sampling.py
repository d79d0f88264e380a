"""From logits to a token: temperature, top-k, top-p.

A model gives every token some probability, and thousands of bad ones have a good deal of it together. What is drawn from the whole law
sooner or later steps off the path; what always takes the best token runs in circles. These are the ways between. Each
maps logits to logits, where -infinity means "never"; they are applied in the order temperature, top-k, top-p, as
in the `transformers` library.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

Logits = Float[Tensor, "*batch vocab"]


@dataclass(frozen=True)
class SamplingConfig:
    """How a token is chosen.

    Args:
        temperature: 0 takes the most probable token (greedy; of equals the one with the smallest id).
        top_k: only the k most probable tokens; None: all.
        top_p: only the most probable ones that have probability p together; None: all.

    Raises:
        ValueError: a temperature below 0, `top_k` below 1, `top_p` not above 0 and up to 1.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise ValueError(f"'temperature' must be at least 0, got {self.temperature}")
        if self.top_k is not None:
            _check_k(self.top_k)
        if self.top_p is not None:
            _check_p(self.top_p)


GREEDY = SamplingConfig(temperature=0.0)


def apply_temperature(logits: Logits, temperature: float) -> Logits:
    """Return logits / temperature, whose softmax is proportional to P^(1 / temperature).

    Below 1 the probable tokens gain, towards 0 the best one takes all; above 1 all become more alike. Ackley, Hinton and Sejnowski
    1985, "A Learning Algorithm for Boltzmann Machines".

    Raises:
        ValueError: a temperature not above 0; the limit at 0 is the argmax.

    >>> logits = torch.tensor([0.8, 0.2]).log()
    >>> apply_temperature(logits, 0.5).softmax(-1)  # 0.64 : 0.04
    tensor([0.9412, 0.0588])
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"'temperature' must be above 0, got {temperature}")
    return logits / temperature


def top_k(logits: Logits, k: int) -> Logits:
    """Return the logits with all but the k largest at -infinity.

    Tokens that tie with the k-th all stay, so that the result does not depend on an order among equals. A k as large as the vocabulary
    or larger changes nothing. Fan, Lewis and Dauphin 2018, "Hierarchical Neural Story Generation", section 5.4.

    Raises:
        ValueError: `k` below 1.

    >>> top_k(torch.tensor([1.0, 3.0, 2.0]), k=2)
    tensor([-inf, 3., 2.])
    """
    _check_k(k)
    if k >= logits.shape[-1]:
        return logits
    least = logits.topk(k, dim=-1).values[..., -1:]  # (*batch, 1)
    return logits.masked_fill(logits < least, -math.inf)


def top_p(logits: Logits, p: float) -> Logits:
    """Return the logits with all tokens at -infinity but the smallest set whose probability reaches p.

    The most probable tokens are taken one by one until their sum is at least p: the token that crosses p belongs to the set, so it is never
    empty. Of equal tokens those with smaller ids are taken first. p = 1 keeps all. Holtzman et al. 2020, "The Curious Case
    of Neural Text Degeneration", section 3.1 (nucleus sampling).

    Raises:
        ValueError: `p` not above 0, or above 1.

    >>> top_p(torch.tensor([0.1, 0.5, 0.4]).log(), p=0.6).exp()
    tensor([0.0000, 0.5000, 0.4000])
    """
    _check_p(p)
    if p == 1:
        return logits
    law, order = logits.double().softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = law.cumsum(-1) - law  # what is taken when a token's turn comes
    cut = torch.zeros_like(law, dtype=torch.bool).scatter(
        -1, order, before >= p
    )  # back in the order of the ids
    return logits.masked_fill(cut, -math.inf)


def next_token_law(logits: Logits, config: SamplingConfig) -> Float[Tensor, "*batch vocab"]:
    """Return the probabilities that `sample_token` draws from; with temperature 0 all of it is on one token.

    `lmcourse.attention.weight_entropy` of it says in nats how open the choice still is.

    >>> logits = torch.tensor([0.1, 0.5, 0.4]).log()
    >>> next_token_law(logits, SamplingConfig(top_k=2))
    tensor([0.0000, 0.5556, 0.4444])
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    if config.temperature == 0:
        best = logits.argmax(-1, keepdim=True)
        return torch.zeros_like(logits).scatter(-1, best, 1.0)
    logits = apply_temperature(logits, config.temperature)
    if config.top_k is not None:
        logits = top_k(logits, config.top_k)
    if config.top_p is not None:
        logits = top_p(logits, config.top_p)
    return logits.softmax(-1)


def sample_token(
    logits: Float[Tensor, "batch vocab"], config: SamplingConfig, generator: torch.Generator | None = None
) -> Int64[Tensor, "batch"]:
    """Return a token for each row, drawn from `next_token_law`.

    >>> sample_token(torch.tensor([[1.0, 5.0, 2.0]]), GREEDY)
    tensor([1])
    """
    if config.temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial(next_token_law(logits, config), 1, generator=generator)[:, 0]


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"'top_k' must be at least 1, got {k}")


def _check_p(p: float) -> None:
    if not 0 < p <= 1:
        raise ValueError(f"'top_p' must be above 0 and at most 1, got {p}")
