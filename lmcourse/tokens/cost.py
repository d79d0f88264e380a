"""What a vocabulary costs: counted in parameters and multiply-adds, and measured on the device at hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmcourse.tokens.base import Tokenizer


def tokens_per_word(tokenizer: Tokenizer, texts: Iterable[str]) -> float:
    """Return tokens divided by words (what white space separates): the *fertility* of a tokenizer on `texts`.

    Raises:
        ValueError: the texts hold no word.

    >>> from lmcourse.tokens import CharTokenizer
    >>> tokens_per_word(CharTokenizer.train(["a bc"], 10), ["abc cab"])
    3.5
    """
    tokens = words = 0
    for text in texts:
        tokens += len(tokenizer.encode(text))
        words += len(text.split())
    if words == 0:
        raise ValueError("'texts' must hold at least one word, got none")
    return tokens / words


def embedding_parameters(vocab_size: int, d_model: int) -> int:
    """Return V d: one row of `d_model` numbers for each token."""
    return vocab_size * d_model


def output_multiply_adds(tokens: int, vocab_size: int, d_model: int) -> int:
    """Return t V d: for each of `tokens` tokens one product of width `d_model` with each row of the output layer."""
    return tokens * vocab_size * d_model


@dataclass(frozen=True)
class VocabularyTime:
    """The shortest of the rounds, in seconds, for one batch of tokens."""

    vocab_size: int
    lookup_seconds: float
    output_seconds: float


def measure(
    vocab_sizes: Sequence[int], *, d_model: int = 256, tokens: int = 512, device: str = "cpu", rounds: int = 7
) -> list[VocabularyTime]:
    """Time the embedding lookup and the output layer with its softmax for each vocabulary size.

    The sizes take turns in each round, so that a slow spell of the machine touches all of them, and the shortest
    time of each is kept: other work on the machine can only add to it. Weights are random, float32 on a CPU and bfloat16 on a GPU.
    """
    generator = torch.Generator().manual_seed(0)
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    cases = []
    for size in vocab_sizes:
        weight = torch.randn(size, d_model, generator=generator).to(device, dtype)  # (V, d)
        ids = torch.randint(size, (tokens,), generator=generator).to(device)  # (t,)
        hidden = torch.randn(tokens, d_model, generator=generator).to(device, dtype)  # (t, d)
        cases.append((size, weight, ids, hidden))
    lookup: dict[int, list[float]] = {size: [] for size in vocab_sizes}
    output: dict[int, list[float]] = {size: [] for size in vocab_sizes}
    for i in range(rounds + 1):
        for size, weight, ids, hidden in cases:
            a = _seconds(lambda w=weight, x=ids: w[x], device, repeat=20)
            b = _seconds(lambda w=weight, h=hidden: torch.softmax(h @ w.T, dim=-1), device)
            if i:  # the first round warms up
                lookup[size].append(a)
                output[size].append(b)
    return [VocabularyTime(size, min(lookup[size]), min(output[size])) for size in vocab_sizes]


def layer_seconds(
    tokens: Sequence[int], *, d_model: int = 256, layers: int = 2, device: str = "cpu", rounds: int = 5
) -> dict[int, float]:
    """Time torch's Transformer layers on one text of each length in `tokens`; the shortest of the rounds, lengths taking turns."""
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(d_model, 4, 4 * d_model, dropout=0.0, batch_first=True)
    stack = torch.nn.Sequential(*[layer] * layers).to(device).eval()
    texts = {n: torch.randn(1, n, d_model, device=device) for n in tokens}  # (1, t, d)
    times: dict[int, list[float]] = {n: [] for n in tokens}
    with torch.no_grad():
        for i in range(rounds + 1):
            for n, x in texts.items():
                seconds = _seconds(lambda x=x: stack(x), device, repeat=3)
                if i:  # the first round warms up
                    times[n].append(seconds)
    return {n: min(times[n]) for n in tokens}


def _seconds(work: Callable[[], Tensor], device: str, repeat: int = 1) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeat):
        work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeat


def table(measured: Sequence[VocabularyTime]) -> str:
    """Return the measurements as text, in microseconds."""
    lines = [f"{'vocabulary':>10} {'lookup (µs)':>12} {'output (µs)':>12}"]
    lines += [
        f"{m.vocab_size:>10,} {1e6 * m.lookup_seconds:>12.1f} {1e6 * m.output_seconds:>12.1f}"
        for m in measured
    ]
    return "\n".join(lines)
