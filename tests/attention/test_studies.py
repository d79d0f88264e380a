"""The recorded experiments: they belong to these models, they say what the lesson says, and they can be made again."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lmcourse.attention import (
    AdditiveAttention,
    MultiplicativeAttention,
    SelfAttentionLMConfig,
    short_play,
    studies,
)
from lmcourse.corpora import translation
from lmcourse.figures.floor import load_rows
from lmcourse.recurrence import Seq2Seq, Seq2SeqConfig, exact_match_by_length, train_translator
from lmcourse.sequences import book_sources, cross_entropy
from lmcourse.training import TrainConfig


def test_the_recurrent_translators_have_one_encoder_and_all_have_other_weights_for_another_seed():
    one, other = studies.translators(translation()), studies.translators(translation(), seed=1)
    encoders = [one[name][0].encoder.state_dict() for name in ("fixed context", "RNN + attention")]
    assert all(torch.equal(a, b) for a, b in zip(*(e.values() for e in encoders), strict=True))
    for name, (model, recipe) in one.items():
        again, recipe_again = other[name]
        assert recipe_again == replace(recipe, seed=1)
        assert not all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_the_additive_translator_differs_in_its_score_only():
    looking, additive = (
        studies.translators(translation())["RNN + attention"],
        studies.additive_translator(translation()),
    )
    assert additive[1] == looking[1]
    assert type(additive[0].decoder.attention) is AdditiveAttention
    assert type(looking[0].decoder.attention) is MultiplicativeAttention
    encoders = (additive[0].encoder.state_dict(), looking[0].encoder.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(*(e.values() for e in encoders), strict=True))


def test_the_lstm_that_reads_plays_has_about_as_many_weights_as_two_layers_of_attention():
    def weights(config):
        tiny = TrainConfig(steps=1, warmup=0, batch_size=1)
        model, _ = studies.train_on_plays(config, short_play(), tiny, 2, 1, progress=False)
        return sum(part.numel() for part in model.parameters())

    readers = studies.readers_of_plays(len(short_play().vocab))
    assert weights(readers["LSTM"][0]) == pytest.approx(weights(readers["two layers"][0]), rel=0.35)


def test_recorded_translators_are_those_of_the_lesson_and_attention_has_no_cliff():
    recorded = studies.recorded_study("lengths")
    assert list(recorded) == [*studies.translators(translation()), "additive"]
    shares = {name: np.array(seeds) for name, seeds in recorded.items()}
    assert {values.shape for values in shares.values()} == {(3, len(studies.STUDY_BANDS))}
    assert all(0 <= values.min() <= values.max() <= 1 for values in shares.values())
    # In each of the seeds, from 15 words on.
    for looking in ("RNN + attention", "additive"):
        assert (shares[looking][:, 3:] > shares["fixed context"][:, 3:] + 0.3).all()


def test_recorded_readers_of_plays_are_those_of_the_lesson_and_one_layer_never_recalls():
    recorded = studies.recorded_study("recall")
    readers = studies.readers_of_plays(len(short_play().vocab))
    assert list(recorded) == list(readers)
    for name, (_, recipe) in readers.items():
        assert {len(losses) for losses in recorded[name]} == {recipe.steps // recipe.eval_every + 1}
    assert min(recorded["two layers"][0]) < 0.5
    assert min(min(losses) for losses in recorded["one layer"] + recorded["LSTM"]) > 1.2


def test_a_study_is_what_its_parts_say(monkeypatch, tmp_path):
    """Small models, one process: the numbers of each seed in their place, and the file holds them."""
    recipe = TrainConfig(steps=20, batch_size=8, lr=1e-2, warmup=2)

    def small(grammar, seed=0):
        sizes = Seq2SeqConfig(
            len(grammar.source_vocab), len(grammar.target_vocab), 8, hidden_size=16, seed=seed
        )
        return {"small": (Seq2Seq(sizes), replace(recipe, seed=seed))}

    def readers(vocab_size, seed=0):
        config = SelfAttentionLMConfig(vocab_size, d_model=8, n_layers=1, seed=seed)
        return {"reader": (config, replace(recipe, seed=seed, eval_every=10))}

    monkeypatch.setattr(studies, "translators", small)
    monkeypatch.setattr(studies, "additive_translator", lambda grammar, seed: small(grammar, seed)["small"])
    monkeypatch.setattr(studies, "readers_of_plays", readers)
    monkeypatch.setattr(studies, "side_by_side", lambda f, jobs, n_jobs: [f(*job) for job in jobs])
    written = studies.record_studies([3, 4], tmp_path / "studies.json")
    assert json.loads((tmp_path / "studies.json").read_text()) == written
    assert studies.recorded_study("recall", tmp_path / "studies.json") == written["recall"]
    grammar = translation()
    pairs = grammar.sample(20_000, lengths=(4, 24), seed=0)
    model, _ = train_translator(
        *[small(grammar, 4)["small"][0], pairs, replace(recipe, seed=4)], progress=False
    )
    test = grammar.sample(1_000, lengths=(4, 24), seed=1).without(pairs)
    bands = exact_match_by_length(model, test, studies.STUDY_BANDS)
    assert written["lengths"]["small"][1] == [round(band.share, 4) for band in bands]
    assert [len(losses) for losses in written["recall"]["reader"]] == [3, 3]
    assert written["recall"]["reader"][0] != written["recall"]["reader"][1]


def test_the_recorded_rows_of_the_table_belong_to_these_sources_and_models():
    """After a change: `record(floor_rows(book_sources(), attention_models(), chapter="04_attention"))`."""
    recorded = {(row.corpus, row.model): row for row in load_rows() if row.chapter == "04_attention"}
    sources, models = book_sources(), studies.attention_models()
    assert set(recorded) == {(corpus, name) for corpus in sources for name in models}
    for (corpus, name), row in recorded.items():
        source = sources[corpus]
        floors = [cross_entropy(source.surprisal(source.sample(20_000, seed=2 * s + 1))) for s in range(3)]
        assert row.floor == pytest.approx(np.mean(floors), abs=1e-5)
        model = models[name](len(source.vocab), 0)
        assert row.parameters == sum(weights.numel() for weights in model.parameters())
        assert row.seeds == 3
        assert row.loss > row.floor
