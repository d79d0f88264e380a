"""Measures: against scipy, closed forms and the bootstrap."""

import math

import numpy as np
import pytest
from scipy import stats

from lmcourse.sequences import (
    bits_from_nats,
    bits_per_byte,
    cross_entropy,
    excess_nats,
    excess_percent,
    nats_from_bits,
    perplexity,
    standard_error,
)

P = np.array([0.5, 0.25, 0.125, 0.125])
Q = np.array([0.4, 0.3, 0.2, 0.1])


def test_the_mean_surprisal_of_a_text_that_follows_p_is_entropy_plus_divergence():
    text = np.repeat(np.arange(4), [4, 2, 1, 1])  # exactly in the proportions of P
    assert cross_entropy(-np.log(P[text])) == pytest.approx(stats.entropy(P))
    assert cross_entropy(-np.log(Q[text])) == pytest.approx(stats.entropy(P) + stats.entropy(P, Q))
    excess = excess_nats(-np.log(Q[text]), -np.log(P[text]))
    assert excess.mean() == pytest.approx(stats.entropy(P, Q))
    assert (excess < 0).any(), "single tokens may be luckier under the wrong law"


def test_perplexity_of_a_fair_choice_is_the_number_of_sides():
    assert perplexity(cross_entropy(np.full(5, math.log(300)))) == pytest.approx(300)
    assert perplexity(stats.entropy(P)) == pytest.approx(2 ** stats.entropy(P, base=2))


def test_bits_and_nats_are_converted_both_ways():
    assert bits_from_nats(stats.entropy(P)) == pytest.approx(stats.entropy(P, base=2)) == 1.75
    assert nats_from_bits(bits_from_nats(2.5)) == pytest.approx(2.5)


def test_bits_per_byte_do_not_depend_on_the_cut():
    """A fair choice of 256 bytes costs 8 bits a byte, also when two bytes are one token of 65,536."""
    assert bits_per_byte(np.full(10, math.log(256)), 10) == pytest.approx(8)
    assert bits_per_byte(np.full(5, math.log(65536)), 10) == pytest.approx(8)


def test_excess_in_per_cent_is_of_the_floor():
    assert excess_percent(3.0, 2.0) == 50
    with pytest.raises(ValueError, match="'floor' must be positive, got 0"):
        excess_percent(1.0, 0)


def test_the_standard_error_of_single_values_is_scipys():
    values = np.random.default_rng(0).normal(size=50)
    assert standard_error(values) == pytest.approx(stats.sem(values))
    assert standard_error(values, [1] * 50) == pytest.approx(stats.sem(values))


def test_the_standard_error_of_documents_is_that_of_the_bootstrap():
    """Documents with a luck of their own: twice the error that independent tokens would have."""
    random = np.random.default_rng(1)
    lengths = random.integers(1, 20, 300)
    values = 3 + np.repeat(random.normal(size=300), lengths) + 0.5 * random.normal(size=lengths.sum())
    sums = np.array([part.sum() for part in np.split(values, np.cumsum(lengths)[:-1])])
    picks = random.integers(0, 300, (4000, 300))
    means = sums[picks].sum(1) / lengths[picks].sum(1)
    assert standard_error(values, lengths) == pytest.approx(means.std(), rel=0.05)
    assert standard_error(values, lengths) > 2 * standard_error(values)
    assert standard_error(values, [*lengths.tolist(), 0]) == standard_error(values, lengths)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cross_entropy(np.array([])), "'surprisal' must have at least one token"),
        (lambda: cross_entropy(np.array([1.0, -0.5])), "'surprisal' must be -log P .* got -0.5"),
        (lambda: cross_entropy(np.array([np.nan])), "'surprisal' must be -log P .* got nan"),
        (lambda: bits_per_byte(np.ones(2), 0), "'n_bytes' must be at least 1, got 0"),
        (lambda: excess_nats(np.ones(2), np.ones(3)), "'exact' must have one value .* 2 tokens, got 3"),
        (lambda: standard_error(np.ones(3), [1, 1]), "'lengths' must add up to 3 values, got 2"),
        (lambda: standard_error(np.ones(3), [3]), "'values' must come from at least two documents, got 1"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
