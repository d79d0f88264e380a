"""What full attention costs: numbers, bytes and steps in closed form, and clocks to hold them against.

Every place looks at every place. So time and memory grow with the square of the length, where a recurrent layer grows with the
length; but its steps wait for one another, and attention has all of its places at once. Vaswani et al. 2017, "Attention Is All You Need", table 1.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from torch.profiler import ProfilerActivity, profile


class Cost(NamedTuple):
    """What one layer asks for, for one text, forwards."""

    projection_flops: int  # the matrices: grows with the length
    pair_flops: int  # what is done for each pair of places: grows with its square
    pair_bytes: int  # the scores of all heads, kept until their softmax is done
    steps: int  # products that must wait for one another

    @property
    def flops(self) -> int:
        return self.projection_flops + self.pair_flops


def attention_cost(length: int, d_model: int, n_heads: int = 1, bytes_per_number: int = 4) -> Cost:
    """Return the cost of multi-head self-attention of n places, written out, with d_model / n_heads numbers a head.

    A multiplication and an addition count as two operations (FLOPs). Queries, keys, values and the output: 4 products of (n, d)
    with (d, d), 8 n d^2. Scores and weighted sums: 2 n^2 d each, whatever the number of heads. The softmax
    and the scale, some 5 h n^2, are left out, as is usual. The table of scores: h n^2 numbers. It takes a product, a
    softmax and a product; none of them waits for the place before it, so steps = 1.

    Raises:
        ValueError: a size below 1.

    >>> attention_cost(length=1024, d_model=64, n_heads=8).pair_bytes / 2**20  # MiB
    32.0
    >>> attention_cost(2048, 64).pair_flops / attention_cost(1024, 64).pair_flops
    4.0
    """
    _check_sizes(length=length, d_model=d_model, n_heads=n_heads, bytes_per_number=bytes_per_number)
    return Cost(
        projection_flops=8 * length * d_model**2,
        pair_flops=4 * length**2 * d_model,
        pair_bytes=n_heads * length**2 * bytes_per_number,
        steps=1,
    )


def recurrent_cost(length: int, d_model: int, cell: str = "lstm") -> Cost:
    """Return the cost of a recurrent layer with inputs and states of d_model numbers: 4 n d^2 FLOPs for each gate.

    There are 4 gates in an LSTM, 3 in a GRU, 1 in a plain cell; each multiplies an input and a state by a (d, d) matrix. No pairs,
    but n steps that wait for one another.

    Raises:
        ValueError: a size below 1, or an unknown cell.

    >>> recurrent_cost(1024, 64).steps
    1024
    """
    gates = {"rnn": 1, "gru": 3, "lstm": 4}
    _check_sizes(length=length, d_model=d_model)
    if cell not in gates:
        raise ValueError(f"'cell' must be one of {list(gates)}, got {cell!r}")
    return Cost(
        projection_flops=4 * gates[cell] * length * d_model**2, pair_flops=0, pair_bytes=0, steps=length
    )


def fit_exponent(
    lengths: Sequence[float | int] | np.ndarray, amounts: Sequence[float | int] | np.ndarray
) -> float:
    """Return the p of amount = a * length^p, by least squares on the logarithms.

    A straight line on paper with two logarithmic axes; p is its slope. A sum such as n + n^2 / 1000 is no power: its p
    depends on the lengths, and goes from 1 to 2.

    Raises:
        ValueError: fewer than two different lengths, a number of amounts that differs, or one that is not positive.

    >>> round(fit_exponent([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    if len(set(lengths)) < 2 or len(lengths) != len(amounts):
        raise ValueError(
            f"'lengths' must be at least two different ones, as many as amounts, got {list(lengths)} and {list(amounts)}"
        )
    if min(*lengths, *amounts) <= 0:
        raise ValueError(f"'lengths' and 'amounts' must be positive, got {list(lengths)} and {list(amounts)}")
    x, y = np.log(lengths), np.log(amounts)
    x = x - x.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum())


def seconds_against_length(
    make: Callable[[int], Callable[[], object]], lengths: Sequence[int], repeats: int = 5
) -> Float64[np.ndarray, "lengths"]:
    """Return the shortest time of `repeats` calls of `make(length)`, for each length, in seconds.

    Of several times of the same work the shortest is the one that was disturbed least. The lengths are gone through `repeats` times in
    turn, after a first call of each that does not count, so that a slow spell of the machine falls on all of them. On a GPU
    each call is waited for.

    Args:
        make: makes the inputs of a length and returns the function whose calls are timed.

    Raises:
        ValueError: `repeats` below 1.

    >>> times = seconds_against_length(lambda n: lambda: sum(range(n)), [10, 100_000], repeats=2)
    >>> bool(times[0] < times[1])
    True
    """
    _check_sizes(repeats=repeats)
    calls = [make(length) for length in lengths]
    for call in calls:
        call()
    times = np.full((repeats, len(calls)), np.inf)
    for turn in range(repeats):
        for at, call in enumerate(calls):
            _wait()
            start = time.perf_counter()
            call()
            _wait()
            times[turn, at] = time.perf_counter() - start
    return times.min(axis=0)


def peak_bytes(call: Callable[[], object], device: str = "cpu") -> int:
    """Return the most bytes of tensors that `call()` held at any one time, beyond what was held before.

    On the CPU torch's profiler notes every allocation and release, the workspace inside an operation too, and the largest running sum
    is the peak. On a GPU it is the allocator's own count (`torch.cuda.max_memory_allocated`), in blocks of 512 bytes. What
    the call returns counts as held.

    >>> x = torch.zeros(1000)
    >>> peak_bytes(lambda: (x + x) * x)  # two tensors of 1000 numbers of 4 bytes
    8000
    """
    if device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with _no_native_messages(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as noted:
        kept = call()
    del kept
    # `noted.events()` folds what happens inside an operation into one number; the raw notes have each allocation.
    changes = [e for e in noted.profiler.kineto_results.events() if e.name() == "[memory]"]
    changes.sort(key=lambda change: change.start_ns())
    return int(np.cumsum([0, *(change.nbytes() for change in changes)]).max())


@contextmanager
def _no_native_messages() -> Iterator[None]:
    """torch's profiler writes a line to the process's standard error each time; nobody asked for it."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"'{name}' must be at least 1, got {size}")
