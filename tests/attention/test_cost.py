"""Costs in closed form against torch's own counters; exponents; clocks only in what they promise whatever the machine does."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from lmcourse.attention import (
    MultiHeadAttention,
    MultiHeadConfig,
    attention_cost,
    fit_exponent,
    peak_bytes,
    recurrent_cost,
    seconds_against_length,
)
from lmcourse.recurrence import CELLS, Recurrent, RecurrentConfig


def counted(call) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


@pytest.mark.parametrize("n_heads", [1, 2, 8])
@pytest.mark.parametrize("length", [1, 7, 64])
def test_flops_of_attention_are_those_that_torch_counts(length, n_heads):
    attention = MultiHeadAttention(MultiHeadConfig(16, n_heads))
    x = torch.randn(1, length, 16)
    cost = attention_cost(length, 16, n_heads)
    assert cost.flops == counted(lambda: attention(x))
    q = torch.randn(n_heads, length, 16 // n_heads)
    assert cost.pair_flops == counted(lambda: (q @ q.mT) @ q)
    assert cost.projection_flops == cost.flops - cost.pair_flops


@pytest.mark.parametrize("cell", CELLS)
def test_flops_of_a_recurrent_layer_are_those_that_torch_counts(cell):
    layer = Recurrent(RecurrentConfig(16, 16, cell))
    cost = recurrent_cost(9, 16, cell)
    assert cost.flops == counted(lambda: layer(torch.randn(1, 9, 16)))
    assert (cost.steps, cost.pair_bytes) == (9, 0)


def test_the_table_of_scores_has_the_bytes_it_is_said_to_have():
    scores = torch.zeros(1, 8, 50, 50, dtype=torch.float16)
    assert attention_cost(50, 64, 8, bytes_per_number=2).pair_bytes == scores.nbytes


def test_written_out_attention_holds_two_tables_and_the_fused_one_none():
    """Scores and their softmax are there at the same time."""

    def peak(fused: bool, length: int) -> int:
        attention = MultiHeadAttention(MultiHeadConfig(16, 4, fused=fused))
        x = torch.randn(1, length, 16)
        with torch.no_grad():
            attention(x)
            return peak_bytes(lambda: attention(x))

    lengths = [256, 512]
    for length in lengths:
        table = attention_cost(length, 16, 4).pair_bytes
        assert 2 * table < peak(False, length) < 2.4 * table
    assert peak(True, 512) < attention_cost(512, 16, 4).pair_bytes


def test_peak_bytes_of_a_known_sequence():
    x = torch.zeros(1000)  # 4,000 bytes each

    def rise_and_fall():
        y = x + x
        z = y + y
        del y
        return z + z

    def pile():
        return [x + x for _ in range(5)]

    assert peak_bytes(lambda: None) == 0
    assert peak_bytes(lambda: x + x) == 4000
    assert peak_bytes(rise_and_fall) == 8000
    assert peak_bytes(pile) == 20_000
    assert peak_bytes(lambda: x.add_(x)) == 0


@given(
    st.lists(st.integers(1, 4096), min_size=2, max_size=8, unique=True),
    st.floats(-1, 3),
    st.floats(1e-6, 1e3),
)
def test_the_exponent_of_an_exact_power_is_found(lengths, p, a):
    assert fit_exponent(lengths, [a * n**p for n in lengths]) == pytest.approx(p, abs=1e-6)


def test_the_exponent_is_the_least_squares_slope_on_logarithms():
    lengths, seconds = [10, 30, 100, 400], [0.2, 0.5, 3.0, 9.0]
    slope, _ = np.polyfit(np.log(lengths), np.log(seconds), 1)
    assert fit_exponent(lengths, seconds) == pytest.approx(slope)


def test_a_call_is_made_ready_once_and_called_once_more_than_it_is_timed():
    made, called = [], []

    def make(length: int):
        made.append(length)
        return lambda: called.append(length)

    seconds = seconds_against_length(make, [3, 5], repeats=4)
    assert made == [3, 5]
    assert called.count(3) == called.count(5) == 5
    assert called[2:6] == [3, 5, 3, 5]  # in turn
    assert seconds.shape == (2,)
    assert (seconds > 0).all()


def test_the_shortest_time_counts(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    monkeypatch.setattr("lmcourse.attention.cost.time.perf_counter", lambda: next(clock))
    assert seconds_against_length(lambda n: lambda: None, [1], repeats=3).tolist() == [2.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attention_cost(0, 4), "'length' must be at least 1, got 0"),
        (lambda: attention_cost(4, 4, n_heads=0), "'n_heads' must be at least 1, got 0"),
        (lambda: recurrent_cost(4, 0), "'d_model' must be at least 1, got 0"),
        (lambda: recurrent_cost(4, 4, "x"), "'cell' must be one of .*, got 'x'"),
        (lambda: fit_exponent([2, 2], [1, 1]), "'lengths' must be at least two different ones"),
        (lambda: fit_exponent([1, 2], [1]), "'lengths' must be at least two different ones"),
        (lambda: fit_exponent([1, 2], [0, 1]), "'lengths' and 'amounts' must be positive"),
        (
            lambda: seconds_against_length(lambda n: print, [1], repeats=0),
            "'repeats' must be at least 1, got 0",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
