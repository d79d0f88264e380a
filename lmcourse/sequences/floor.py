"""The first rows of the book's table: how near n-gram models come to the floor of each source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from tqdm.auto import tqdm

from lmcourse.corpora.filler import filler
from lmcourse.corpora.play import play
from lmcourse.corpora.preferences import preferences
from lmcourse.figures.floor import FloorRow
from lmcourse.sequences.measure import cross_entropy
from lmcourse.sequences.ngram import NGramModel
from lmcourse.sequences.smoothing import AbsoluteDiscounting, KneserNey, Smoothing

CHAPTER = "00_sequences"
NGRAMS: dict[str, tuple[int, Smoothing]] = {
    "unigram": (1, AbsoluteDiscounting()),
    "bigram": (2, AbsoluteDiscounting()),
    "trigram": (3, AbsoluteDiscounting()),
    "4-gram, Kneser-Ney": (4, KneserNey()),
    "5-gram, Kneser-Ney": (5, KneserNey()),
}


@runtime_checkable
class ExactSource(Protocol):
    """What is asked of a source of text: samples, and the exact surprisal of each token in nats."""

    vocab: tuple[str, ...]

    def sample(self, n_tokens: int, *, seed: int): ...

    def surprisal(self, corpus) -> np.ndarray: ...


def book_sources() -> dict[str, ExactSource]:
    """Return the sources by which the models of all chapters are judged, under the names of the table."""
    return {"filler": filler(), "play": play(), "preferences": preferences()}


def floor_rows(
    sources: Mapping[str, ExactSource],
    *,
    train_tokens: int = 200_000,
    held_out_tokens: int = 20_000,
    seeds: Sequence[int] = (0, 1, 2),
    progress: bool = False,
) -> list[FloorRow]:
    """Train the models of `NGRAMS` on samples of each source; return their losses beside the floor of the same tokens.

    Each seed draws its own text to train on and its own to be judged by; a row holds the means over the seeds. The
    shorter models interpolate with absolute discounts, the longer ones after Kneser & Ney.

    Raises:
        ValueError: no seed.
    """
    if not seeds:
        raise ValueError("'seeds' must hold at least one seed, got none")
    rows = []
    for corpus, source in tqdm(sources.items(), disable=not progress, unit="source"):
        measured = [_measure(source, train_tokens, held_out_tokens, seed) for seed in seeds]
        for model in NGRAMS:
            parameters, loss, floor = np.array([run[model] for run in measured]).T  # each (seeds,)
            spread = float((loss - floor).std(ddof=1)) if len(seeds) > 1 else 0.0
            means = round(parameters.mean()), float(loss.mean()), float(floor.mean())
            note = f"from {train_tokens:,} tokens"
            rows.append(FloorRow(CHAPTER, corpus, model, *means, len(seeds), spread, note))
    return rows


def _measure(
    source: ExactSource, train_tokens: int, held_out_tokens: int, seed: int
) -> dict[str, tuple[int, float, float]]:
    """For each model its parameters, its loss and the floor, in nats per token."""
    train = source.sample(train_tokens, seed=2 * seed).documents()
    held_out = source.sample(held_out_tokens, seed=2 * seed + 1)
    exact = source.surprisal(held_out)
    results = {}
    for name, (order, smoothing) in NGRAMS.items():
        model = NGramModel.train(train, order, len(source.vocab), smoothing)
        loss = cross_entropy(model.surprisal(held_out.documents()))
        results[name] = model.parameters, loss, cross_entropy(exact)
    return results
