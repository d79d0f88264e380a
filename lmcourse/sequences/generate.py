"""What a language model is: a law for the next token. With it a text is scored, and a text is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64


@runtime_checkable
class LanguageModel(Protocol):
    """Whatever can say how probable each token is after a prefix."""

    def next_probabilities(self, prefix: Sequence[int]) -> np.ndarray:
        """Return P(w | prefix) for every token of the vocabulary; they sum to one."""
        ...


def log_probabilities(model: LanguageModel, document: Sequence[int]) -> Float64[np.ndarray, "tokens"]:
    """Return the factors of the chain rule as logarithms, log P(w_i | w_1 ... w_{i-1}), in nats.

    >>> class Coin:
    ...     def next_probabilities(self, prefix):
    ...         return np.array([0.25, 0.75])
    >>> np.exp(log_probabilities(Coin(), [1, 0]))
    array([0.75, 0.25])
    """
    factors = [_law(model, document[:place])[token] for place, token in enumerate(document)]
    with np.errstate(divide="ignore"):
        return np.log(np.array(factors, np.float64))


def log_probability(model: LanguageModel, document: Sequence[int]) -> float:
    """Return log P(document) in nats: by the chain rule the sum of `log_probabilities`.

    Over all documents that end with their end token, the probabilities themselves sum to one.
    """
    return float(log_probabilities(model, document).sum())


def generate(
    model: LanguageModel,
    prefix: Sequence[int] = (),
    *,
    end: int,
    max_new_tokens: int = 100,
    seed: int = 0,
) -> list[int]:
    """Return what follows `prefix`: tokens drawn one by one from the model's own law, each fed back as context.

    It stops after the token `end`, which is kept, or after `max_new_tokens`.

    Raises:
        ValueError: `max_new_tokens` below 1, or a model whose numbers do not sum to one.

    >>> class Counting:
    ...     def next_probabilities(self, prefix):
    ...         return np.eye(5)[len(prefix)]
    >>> generate(Counting(), [0, 1], end=4)
    [2, 3, 4]
    """
    if max_new_tokens < 1:
        raise ValueError(f"'max_new_tokens' must be at least 1, got {max_new_tokens}")
    random = np.random.default_rng(seed)
    tokens = list(prefix)
    while len(tokens) < len(prefix) + max_new_tokens:
        law = _law(model, tokens)
        tokens.append(int(random.choice(len(law), p=law / law.sum())))
        if tokens[-1] == end:
            break
    return tokens[len(prefix) :]


def _law(model: LanguageModel, prefix: Sequence[int]) -> np.ndarray:
    law = np.asarray(model.next_probabilities(prefix), np.float64)
    if not abs(law.sum() - 1) < 1e-6:
        raise ValueError(
            f"'model' must give probabilities that sum to one, got {law.sum():.6g} after {len(prefix)} tokens"
        )
    return law
