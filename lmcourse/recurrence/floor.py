"""Rows of the book's table for models that are trained by gradients: how near they come to the floor of each source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lmcourse.corpora.corpus import Corpus
from lmcourse.embeddings import row_index
from lmcourse.figures.floor import FloorRow
from lmcourse.recurrence.language_model import RecurrentLM, RecurrentLMConfig, document_surprisal
from lmcourse.sequences import cross_entropy
from lmcourse.sequences.floor import ExactSource
from lmcourse.training import History, TrainConfig, next_token_loss, side_by_side, train

CHAPTER = "03_recurrence"
ROW = 80  # tokens that the gradient flows through: a whole play
FLOOR_CONFIG = TrainConfig(steps=1200, batch_size=16, lr=3e-3)

MakeModel = Callable[[int, int], nn.Module]  # from the size of a vocabulary and a seed


def recurrent_models(hidden_size: int = 128) -> dict[str, MakeModel]:
    """Return this chapter's models by the names that they have in the table."""

    def of(cell: str) -> MakeModel:
        return lambda vocab_size, seed: RecurrentLM(
            RecurrentLMConfig(vocab_size, hidden_size=hidden_size, cell=cell, fused=True, seed=seed)
        )

    return {cell.upper(): of(cell) for cell in ("rnn", "gru", "lstm")}


def train_on_documents(
    model: nn.Module, corpus: Corpus, config: TrainConfig, row: int = ROW, progress: bool = True
) -> History:
    """Train a language model on rows of `row` tokens, each from the beginning of a document; return what happened.

    Raises:
        ValueError: fewer rows than a batch holds; as `row_index`.
    """
    places = row_index(corpus.starts, len(corpus), row)
    if len(places) < config.batch_size:
        raise ValueError(
            f"'corpus' must have at least batch_size={config.batch_size} rows of {row} tokens, got {len(places)}"
        )
    ids = torch.as_tensor(corpus.ids[places].astype(np.int64))  # (rows, row + 1)
    order = torch.Generator().manual_seed(config.seed)
    pairs = TensorDataset(ids[:, :-1].contiguous(), ids[:, 1:].contiguous())
    batches = DataLoader(pairs, config.batch_size, shuffle=True, drop_last=True, generator=order)
    return train(model, batches, next_token_loss, config, progress=progress)


def floor_rows(
    sources: Mapping[str, ExactSource],
    models: Mapping[str, MakeModel],
    *,
    chapter: str = CHAPTER,
    config: TrainConfig = FLOOR_CONFIG,
    train_tokens: int = 200_000,
    held_out_tokens: int = 20_000,
    seeds: Sequence[int] = (0, 1, 2),
    n_jobs: int | None = None,
    progress: bool = False,
) -> list[FloorRow]:
    """Train each model on the texts of chapter 00's rows, or on more of them; return the losses beside the floor.

    Each seed draws the text to train on, the text to be judged by and the first weights; a row holds the means over the
    seeds. Unlike counts, trained weights differ a little between machines, in the third place of the loss or so.

    Raises:
        ValueError: no seed.
    """
    if not seeds:
        raise ValueError("'seeds' must hold at least one seed, got none")
    sizes = (config, train_tokens, held_out_tokens)
    jobs = [
        (source, make, seed, *sizes)
        for source in sources.values()
        for make in models.values()
        for seed in seeds
    ]
    results = iter(side_by_side(_measure, jobs, n_jobs, progress))
    rows = []
    for corpus in sources:
        for name in models:
            parameters, loss, floor = np.array([next(results) for _ in seeds]).T  # each (seeds,)
            spread = float((loss - floor).std(ddof=1)) if len(seeds) > 1 else 0.0
            means = round(parameters.mean()), float(loss.mean()), float(floor.mean())
            note = f"from {train_tokens:,} tokens, {config.steps:,} steps"
            rows.append(FloorRow(chapter, corpus, name, *means, len(seeds), spread, note))
    return rows


def _measure(
    source: ExactSource,
    make: MakeModel,
    seed: int,
    config: TrainConfig,
    train_tokens: int,
    held_out_tokens: int,
) -> tuple[int, float, float]:
    """The parameters of a trained model, its loss and the floor, in nats per token."""
    held_out = source.sample(held_out_tokens, seed=2 * seed + 1)
    model = make(len(source.vocab), seed)
    train_on_documents(model, source.sample(train_tokens, seed=2 * seed), config, progress=False)
    loss = cross_entropy(document_surprisal(model, held_out.documents()))
    floor = cross_entropy(source.surprisal(held_out))
    return sum(weights.numel() for weights in model.parameters()), loss, floor
