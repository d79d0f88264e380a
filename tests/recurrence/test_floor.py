"""Distances to the floor: on a source whose law is written down here, and the recorded rows against the sources."""

import numpy as np
import pytest

from lmcourse.corpora import Corpus, filler
from lmcourse.figures.floor import load_rows
from lmcourse.recurrence import RecurrentLM, RecurrentLMConfig, train_on_documents
from lmcourse.recurrence.floor import CHAPTER, floor_rows, recurrent_models
from lmcourse.sequences import book_sources, cross_entropy
from lmcourse.training import TrainConfig


class Alternating:
    """1 2 1 2 or 3 4 3 4, each with probability 1/2, then 0: one free choice in five tokens."""

    vocab = (".", "a", "b", "c", "d")

    def sample(self, n_tokens, *, seed):
        first = np.random.default_rng(seed).integers(0, 2, n_tokens // 5) * 2 + 1
        rows = np.concatenate([first[:, None] + np.arange(4) % 2, np.zeros((len(first), 1))], axis=1)
        ids, starts = rows.astype(np.int32).ravel(), np.arange(len(first)) * 5
        nothing = np.zeros_like(ids), ("",)  # no parts of speech, no senses
        return Corpus(ids, self.vocab, starts, *nothing, *nothing)

    def surprisal(self, corpus):
        return np.where(np.arange(len(corpus)) % 5 == 0, np.log(2), 0.0)


CONFIG = TrainConfig(steps=300, batch_size=8, lr=1e-2)


def test_a_recurrent_model_reaches_the_floor_of_a_source_that_needs_memory():
    """A model that mixed up its rows, or lost its state, could not."""
    (row,) = floor_rows(
        {"alternating": Alternating()},
        {"GRU": recurrent_models(hidden_size=16)["GRU"]},
        config=CONFIG,
        train_tokens=20_000,
        held_out_tokens=1_000,
        seeds=[0],
        n_jobs=1,
    )
    assert (row.chapter, row.corpus, row.model, row.seeds, row.spread) == (
        CHAPTER,
        "alternating",
        "GRU",
        1,
        0,
    )
    assert row.floor == pytest.approx(np.log(2) / 5)
    assert 0 <= row.excess_nats < 0.01


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="'seeds' must hold at least one seed, got none"):
        floor_rows({"x": Alternating()}, recurrent_models(), seeds=[])
    model = RecurrentLM(RecurrentLMConfig(5))
    with pytest.raises(ValueError, match="at least batch_size=8 rows of 80 tokens, got 7"):
        train_on_documents(model, Alternating().sample(600, seed=0), CONFIG, progress=False)


def test_the_recorded_rows_belong_to_these_sources_and_models():
    """After a change of a source or a model: `record(floor_rows(book_sources(), recurrent_models()))`, from lmcourse.figures.floor."""
    recorded = {(row.corpus, row.model): row for row in load_rows() if row.chapter == CHAPTER}
    sources = book_sources()
    assert set(recorded) == {(corpus, name) for corpus in sources for name in recurrent_models()}
    for (corpus, name), row in recorded.items():
        source = sources[corpus]
        floors = [cross_entropy(source.surprisal(source.sample(20_000, seed=2 * s + 1))) for s in range(3)]
        assert row.floor == pytest.approx(np.mean(floors), abs=1e-5)
        model = recurrent_models()[name](len(source.vocab), 0)
        assert row.parameters == sum(weights.numel() for weights in model.parameters())
        assert 0 < row.spread < 0.15 * row.excess_nats + 0.01


def test_a_recorded_row_comes_out_again():
    """One seed of one row: trained weights differ between machines, so within what the seeds differ by, and a little."""
    (row,) = [row for row in load_rows() if row.key == (CHAPTER, "filler", "RNN")]
    (again,) = floor_rows({"filler": filler()}, {"RNN": recurrent_models()["RNN"]}, seeds=[0], n_jobs=1)
    assert again.excess_nats == pytest.approx(row.excess_nats, abs=3 * row.spread + 0.01)
