"""A task that needs nothing but memory: say at the end what came first."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from lmcourse.recurrence.language_model import RecurrentLM
from lmcourse.training import Rows, TrainConfig, next_token_loss, train

RECALL_CONFIG = TrainConfig(steps=400, batch_size=32, lr=3e-3)


def recall_batches(n_symbols: int, gap: int, batch_size: int, seed: int = 0) -> Iterator[Rows]:
    """Yield batches of a task that needs `gap + 1` steps of memory, without end: say at the end what came first.

    A row is one of `n_symbols` symbols, `gap` blanks (id n_symbols), a question (id n_symbols + 1); the target after the
    question is the symbol, the other targets are -100 and do not count. Guessing costs log(n_symbols) nats. After the
    noise-free long-lag tasks of Hochreiter and Schmidhuber (1997), section 5.2.

    Raises:
        ValueError: fewer than 2 symbols, a negative gap, a batch size below 1.

    >>> batch = next(recall_batches(n_symbols=4, gap=2, batch_size=1))
    >>> batch.input_ids[0, 1:].tolist(), bool(batch.targets[0, -1] == batch.input_ids[0, 0])
    ([4, 4, 5], True)
    """
    for name, value, least in (
        ("n_symbols", n_symbols, 2),
        ("gap", gap, 0),
        ("batch_size", batch_size, 1),
    ):
        if value < least:
            raise ValueError(f"'{name}' must be at least {least}, got {value}")
    return _recall(n_symbols, gap, batch_size, torch.Generator().manual_seed(seed))


def _recall(n_symbols: int, gap: int, batch_size: int, generator: torch.Generator) -> Iterator[Rows]:
    while True:
        symbols = torch.randint(n_symbols, (batch_size,), generator=generator)
        input_ids = torch.full((batch_size, gap + 2), n_symbols)
        input_ids[:, 0], input_ids[:, -1] = symbols, n_symbols + 1
        targets = torch.full_like(input_ids, -100)
        targets[:, -1] = symbols
        yield Rows(input_ids, targets)


def recall_accuracy(
    model: RecurrentLM,
    gap: int,
    config: TrainConfig = RECALL_CONFIG,
    tests: int = 512,
    progress: bool = False,
) -> float:
    """Train `model` on `recall_batches` with this gap; return the share of new rows whose first symbol it says at the end.

    The model's vocabulary must be n_symbols + 2 tokens; guessing is right in 1 of n_symbols cases.

    Raises:
        ValueError: as `recall_batches`.
    """
    n_symbols = model.config.vocab_size - 2
    train(
        model,
        recall_batches(n_symbols, gap, config.batch_size, config.seed),
        next_token_loss,
        config,
        progress=progress,
    )
    batch = next(recall_batches(n_symbols, gap, tests, config.seed + 1))
    with torch.no_grad():
        said = model(batch.input_ids.to(config.device))[:, -1].argmax(-1)
    return (said.cpu() == batch.targets[:, -1]).double().mean().item()
