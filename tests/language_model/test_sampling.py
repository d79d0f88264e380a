"""Temperature, top-k, top-p: against transformers, against all subsets, and against the tokens that come out."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel
from transformers.generation.logits_process import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from lmcourse.attention import weight_entropy
from lmcourse.language_model import (
    GREEDY,
    SamplingConfig,
    apply_temperature,
    next_token_law,
    sample_token,
    top_k,
    top_p,
)

unhurried = settings(deadline=None, max_examples=40)
INF = math.inf


def some_logits(seed: int = 0, rows: int = 3, vocab: int = 12) -> torch.Tensor:
    return 2 * torch.randn(rows, vocab, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@unhurried
@given(st.integers(0, 10_000), st.floats(0.05, 5), st.integers(1, 14), st.floats(0.01, 0.99))
def test_each_step_is_transformers(seed, temperature, k, p):
    logits = some_logits(seed)
    for ours, theirs in (
        (apply_temperature(logits, temperature), TemperatureLogitsWarper(temperature)),
        (top_k(logits, k), TopKLogitsWarper(k)),
        (top_p(logits, p), TopPLogitsWarper(p)),
    ):
        torch.testing.assert_close(ours, theirs(None, logits.clone()))


@unhurried
@given(st.integers(0, 10_000), st.floats(0.2, 3), st.integers(1, 14), st.floats(0.05, 0.95))
def test_the_law_is_the_one_that_transformers_draws_from(seed, temperature, k, p):
    """Their own `generate` puts the steps in order."""
    options = GenerationConfig(do_sample=True, temperature=temperature, top_k=k, top_p=p)
    tiny = GPT2LMHeadModel(GPT2Config(vocab_size=12, n_embd=4, n_layer=1, n_head=1))
    steps = tiny._get_logits_processor(options, input_ids_seq_length=1)
    logits = some_logits(seed)
    theirs = steps(torch.zeros(3, 1, dtype=torch.long), logits.clone()).softmax(-1)
    torch.testing.assert_close(next_token_law(logits, SamplingConfig(temperature, k, p)), theirs)


def test_the_order_of_the_steps_matters():
    logits = torch.tensor([0.5, 0.3, 0.1, 0.1], dtype=torch.float64).log()
    config = SamplingConfig(temperature=0.5, top_k=3, top_p=0.7)
    # 25 : 9 : 1 : 1 after temperature; 25/36 = .694 < .7, but 25/35 = .714 of what top-k leaves (ties stay: 25/36 again).
    assert next_token_law(logits, config).tolist() == pytest.approx([25 / 34, 9 / 34, 0, 0])
    apart = torch.tensor([0.5, 0.3, 0.11, 0.09], dtype=torch.float64).log()
    one = SamplingConfig(top_k=2, top_p=0.6)  # .5 / .8 = .625 reaches .6; .5 alone does not
    assert next_token_law(apart, one).tolist() == [1, 0, 0, 0]
    assert next_token_law(apart, SamplingConfig(top_p=0.6)).count_nonzero() == 2


@unhurried
@given(st.integers(0, 10_000), st.floats(0.01, 0.99))
def test_no_smaller_set_reaches_p_than_the_one_that_is_kept(seed, p):
    logits = some_logits(seed, rows=1, vocab=7)[0]
    law, kept = logits.softmax(-1), top_p(logits, p).isfinite()
    assert law[kept].sum() >= p
    size = int(kept.sum())
    assert all(law[list(others)].sum() < p for others in combinations(range(7), size - 1))
    assert all(law[list(others)].sum() <= law[kept].sum() + 1e-15 for others in combinations(range(7), size))
    assert torch.equal(top_p(logits, p)[kept], logits[kept])


def test_the_token_that_crosses_p_is_kept_and_one_that_reaches_it_is_the_last():
    logits = torch.tensor([0.25, 0.5, 0.15, 0.1], dtype=torch.float64).log()
    for p, kept in ((0.49, 1), (0.51, 2), (0.74, 2), (0.76, 3), (0.89, 3), (0.91, 4), (1.0, 4)):
        assert top_p(logits, p).isfinite().sum() == kept, p
    assert top_p(logits, 0.01).isfinite().tolist() == [False, True, False, False]
    even = torch.zeros(4)  # 1/4 each, exactly
    for p, kept in ((0.25, 1), (0.26, 2), (0.5, 2), (0.51, 3), (0.75, 3), (0.76, 4), (1.0, 4)):
        assert top_p(even, p).isfinite().sum() == kept, p


def test_ties():
    even = torch.zeros(2, 4)
    assert torch.equal(top_k(even, 1), even)  # all tie with the first
    assert top_k(torch.tensor([1.0, 2.0, 2.0, 2.0]), 2).tolist() == [-INF, 2, 2, 2]
    assert top_p(even, 0.5).tolist() == 2 * [[0, 0, -INF, -INF]]
    assert sample_token(even, GREEDY).tolist() == [0, 0]
    assert next_token_law(even, GREEDY).tolist() == 2 * [[1, 0, 0, 0]]


def test_nothing_is_cut_where_nothing_is_asked_for():
    logits = some_logits()
    for unchanged in (
        top_k(logits, 12),
        top_k(logits, 99),
        top_p(logits, 1.0),
        apply_temperature(logits, 1.0),
    ):
        assert torch.equal(unchanged, logits)
    torch.testing.assert_close(next_token_law(logits, SamplingConfig()), logits.softmax(-1))


@unhurried
@given(st.integers(0, 10_000), st.floats(0.2, 4))
def test_entropy_rises_with_temperature_by_its_derivative(seed, temperature):
    """dH/dT = Var(logits) / T^3, the variance under the law at T."""
    logits = some_logits(seed)

    def entropy(t):
        return weight_entropy(next_token_law(logits, SamplingConfig(temperature=t)))

    law = next_token_law(logits, SamplingConfig(temperature=temperature))
    mean = (law * logits).sum(-1, keepdim=True)
    expected = (law * (logits - mean) ** 2).sum(-1) / temperature**3
    slope = (entropy(temperature + 1e-5) - entropy(temperature - 1e-5)) / 2e-5
    torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-7)


def test_the_limits_of_temperature():
    logits = some_logits()
    cold, hot = (next_token_law(logits, SamplingConfig(temperature=t)) for t in (1e-3, 1e6))
    torch.testing.assert_close(cold, next_token_law(logits, GREEDY))
    torch.testing.assert_close(hot, torch.full_like(hot, 1 / 12), rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    "config",
    [SamplingConfig(), SamplingConfig(0.7, 5, 0.8), SamplingConfig(2.0, None, 0.9), SamplingConfig(1.0, 3)],
    ids=str,
)
def test_tokens_come_as_often_as_the_law_says(config):
    logits, n = some_logits(rows=1), 20_000
    law = next_token_law(logits, config)[0]
    drawn = sample_token(logits.expand(n, -1), config, torch.Generator().manual_seed(3))
    counts = torch.bincount(drawn, minlength=12)
    assert not counts[law == 0].any()
    possible = law > 0
    assert chisquare(counts[possible], n * law[possible] / law.sum()).pvalue > 1e-3
    off = law[possible].roll(1)  # the test would see another law
    assert chisquare(counts[possible], n * off / off.sum()).pvalue < 1e-6


def test_a_seed_makes_the_draws():
    logits = some_logits(rows=50)
    one, two, other = (
        sample_token(logits, SamplingConfig(), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_half_precision_is_summed_in_more():
    logits = some_logits().bfloat16()
    assert next_token_law(logits, SamplingConfig()).dtype == torch.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SamplingConfig(temperature=-1.0), "'temperature' must be at least 0, got -1.0"),
        (lambda: SamplingConfig(temperature=math.nan), "'temperature' must be at least 0, got nan"),
        (lambda: SamplingConfig(top_k=0), "'top_k' must be at least 1, got 0"),
        (lambda: SamplingConfig(top_p=0.0), "'top_p' must be above 0 and at most 1, got 0.0"),
        (lambda: SamplingConfig(top_p=1.1), "'top_p' must be above 0 and at most 1, got 1.1"),
        (lambda: apply_temperature(some_logits(), 0.0), "'temperature' must be above 0, got 0.0"),
        (lambda: top_k(some_logits(), 0), "'top_k' must be at least 1, got 0"),
        (lambda: top_p(some_logits(), 0.0), "'top_p' must be above 0"),
    ],
)
def test_bad_numbers_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
