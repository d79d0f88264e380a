"""How good a language model is, in one number, and how sure that number is.

Surprisal is -log P of a token. Everything here counts in nats (natural logarithm) until a name says bits; 1 nat
is 1.4427 bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64


def cross_entropy(surprisal: Float64[np.ndarray, "tokens"]) -> float:
    """Return the mean surprisal: nats per token. This is the loss of every model in the book.

    Raises:
        ValueError: no token, or a surprisal below zero (then it is no surprisal).

    >>> cross_entropy(-np.log([0.5, 0.125])) / math.log(2)
    2.0
    """
    return float(np.mean(_checked(surprisal)))


def perplexity(nats_per_token: float) -> float:
    """Return e to the loss: a fair die with so many sides would surprise as much.

    >>> round(perplexity(math.log(6)), 9)
    6.0
    """
    return math.exp(nats_per_token)


def bits_from_nats(nats: float) -> float:
    """Return nats / ln 2.

    >>> bits_from_nats(math.log(8))
    3.0
    """
    return nats / math.log(2)


def nats_from_bits(bits: float) -> float:
    """Return bits * ln 2."""
    return bits * math.log(2)


def bits_per_byte(surprisal: Float64[np.ndarray, "tokens"], n_bytes: int) -> float:
    """Return the bits of a whole text divided by its length in UTF-8 bytes.

    Loss per token depends on how the text is cut into tokens; this does not, so models with different tokens can be
    compared. It is what an ideal (arithmetic) coder would need with this model.

    Raises:
        ValueError: `n_bytes` below 1.
    """
    if n_bytes < 1:
        raise ValueError(f"'n_bytes' must be at least 1, got {n_bytes}")
    return bits_from_nats(float(np.sum(_checked(surprisal)))) / n_bytes


def excess_nats(
    surprisal: Float64[np.ndarray, "tokens"], exact: Float64[np.ndarray, "as_many"]
) -> Float64[np.ndarray, "tokens"]:
    """Return for each token what the model pays above the source's exact surprisal.

    Single tokens may be below zero; the expected value never is (it is the Kullback-Leibler divergence). Most of
    the luck of the sample is in both terms and cancels, so the mean excess is far surer than the loss.

    Raises:
        ValueError: the two do not have the same number of tokens.
    """
    if len(surprisal) != len(exact):
        raise ValueError(
            f"'exact' must have one value for each of the {len(surprisal)} tokens, got {len(exact)}"
        )
    return surprisal - exact


def standard_error(
    values: Float64[np.ndarray, "tokens"],
    lengths: Sequence[int] | np.ndarray | None = None,
) -> float:
    """Return the standard error of the mean of `values`.

    Args:
        lengths: of the documents. Tokens of one document share their luck, so it is documents that are independent.
            With D documents of n_d tokens and sums s_d, and m the mean over all tokens, the error is
            sqrt(D / (D - 1) sum_d (s_d - m n_d)^2) / sum_d n_d, that of a ratio of two means (Cochran 1977, "Sampling
            Techniques", chapter 6). None takes every value as independent.

    Raises:
        ValueError: fewer than two documents, or lengths that do not add up to the number of values.

    >>> round(standard_error(np.array([1.0, 2.0, 3.0])), 4)  # 1 / sqrt(3)
    0.5774
    """
    sizes = np.ones(len(values), int) if lengths is None else np.asarray(lengths)
    if sizes.sum() != len(values):
        raise ValueError(f"'lengths' must add up to {len(values)} values, got {int(sizes.sum())}")
    sizes = sizes[sizes > 0]
    if len(sizes) < 2:
        raise ValueError(f"'values' must come from at least two documents, got {len(sizes)}")
    sums = np.add.reduceat(values, np.cumsum(sizes) - sizes)
    deviations = sums - values.mean() * sizes
    return float(math.sqrt(len(sizes) / (len(sizes) - 1) * (deviations**2).sum()) / len(values))


def _checked(surprisal: Float64[np.ndarray, "tokens"]) -> Float64[np.ndarray, "tokens"]:
    if len(surprisal) == 0:
        raise ValueError("'surprisal' must have at least one token, got none")
    if not np.min(surprisal) >= -1e-9:  # also when it is not a number
        raise ValueError(
            f"'surprisal' must be -log P and so never below zero, got {float(np.min(surprisal))}"
        )
    return surprisal
