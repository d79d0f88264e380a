"""Distances to the floor: on a source whose law is written down here, and the recorded rows against a new computation."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from lmcourse.figures.floor import load_rows
from lmcourse.sequences import NGRAMS, NGramModel, book_sources, floor_rows
from lmcourse.sequences.floor import CHAPTER

LAW = np.array([0.25, 0.4, 0.2, 0.15])  # 0 ends a text


class Independent:
    """Tokens drawn one by one from `LAW`: order is worth nothing, and a unigram model is the right one."""

    vocab = (".", "a", "b", "c")

    def sample(self, n_tokens, *, seed):
        ids = np.random.default_rng(seed).choice(4, n_tokens, p=LAW).astype(np.int32)
        ids[-1] = 0
        return SimpleNamespace(ids=ids, documents=lambda: np.split(ids, np.flatnonzero(ids == 0)[:-1] + 1))

    def surprisal(self, corpus):
        return -np.log(LAW[corpus.ids])


@pytest.fixture(scope="module")
def rows():
    return floor_rows({"independent": Independent()}, train_tokens=20_000, held_out_tokens=5_000)


def test_the_floor_is_the_sources_entropy(rows):
    assert [row.model for row in rows] == list(NGRAMS)
    assert {row.floor for row in rows} == {rows[0].floor}
    assert rows[0].floor == pytest.approx(stats.entropy(LAW), abs=0.02)
    assert {(row.chapter, row.corpus, row.seeds) for row in rows} == {("00_sequences", "independent", 3)}


def test_the_right_model_reaches_the_floor_and_longer_contexts_only_cost(rows):
    """A model of p free numbers learnt from n tokens pays about p / 2n nats: 3 / 40,000 here."""
    excess = {row.model: row.excess_nats for row in rows}
    assert abs(excess["unigram"]) < 4e-4
    assert excess["unigram"] < excess["bigram"] < excess["trigram"]
    assert excess["bigram"] == pytest.approx(4 * 3 / 40_000, abs=4e-4)


def test_a_row_is_the_mean_over_its_seeds(rows):
    source, runs = Independent(), []
    for seed in range(3):
        model = NGramModel.train(
            source.sample(20_000, seed=2 * seed).documents(), *[3, 4, NGRAMS["trigram"][1]]
        )
        held_out = source.sample(5_000, seed=2 * seed + 1)
        runs.append((model.surprisal(held_out.documents()).mean(), source.surprisal(held_out).mean()))
    loss, floor = np.array(runs).T
    (trigram,) = [row for row in rows if row.model == "trigram"]
    assert trigram.loss == pytest.approx(loss.mean())
    assert trigram.floor == pytest.approx(floor.mean())
    assert trigram.spread == pytest.approx(stats.tstd(loss - floor))
    (single,) = [
        row
        for row in floor_rows({"x": source}, train_tokens=100, held_out_tokens=50, seeds=[1])
        if row.model == "bigram"
    ]
    assert (single.seeds, single.spread) == (1, 0)
    with pytest.raises(ValueError, match="'seeds' must hold at least one seed, got none"):
        floor_rows({"x": source}, seeds=[])


def test_what_is_recorded_is_what_is_computed_now():
    """After a change of a source or a model: `record(floor_rows(book_sources()))`, from lmcourse.figures.floor."""
    recorded = {row.key: row for row in load_rows() if row.chapter == CHAPTER}
    computed = {row.key: row for row in floor_rows(book_sources())}
    assert set(recorded) == set(computed)
    for key, row in computed.items():
        kept = recorded[key]
        assert (kept.parameters, kept.seeds, kept.note) == (row.parameters, row.seeds, row.note)
        for name in ("loss", "floor", "spread"):
            assert getattr(kept, name) == pytest.approx(getattr(row, name), abs=1e-5), (key, name)
