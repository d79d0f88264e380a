"""The experiments: each changes what its name says and nothing else, the numbers are those of its parts, and the file holds them."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from lmcourse.attention import recorded_study as recorded_in_04
from lmcourse.attention.studies import STUDY_BANDS
from lmcourse.corpora import translation
from lmcourse.encoder_decoder import studies
from lmcourse.encoder_decoder.studies import (
    Plan,
    ablations,
    by_beam,
    held_out_loss,
    patient_translators,
    searches,
    train_transformer,
    transformer_recipe,
)
from lmcourse.recurrence import beam_search, exact_match_by_length, greedy, pad_pairs, train_translator

GRAMMAR = translation()
TINY = Plan(
    {"d_model": 16, "n_heads": 2, "n_layers": 1, "d_ff": 16, "n_decoder_layers": 2},
    {"steps": 6, "batch_size": 4, "warmup": 2},
)


def test_the_same_seed_makes_the_same_model_and_another_one_another():
    one, again, other = (Plan().model(GRAMMAR, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["encoder.embedding.weight"], other["encoder.embedding.weight"])
    bias = "decoder.blocks.1.attention.k_proj.bias"
    assert not torch.equal(one[bias], other[bias])
    assert Plan().config(1) == replace(Plan().config(0), seed=1)


def test_wide_biases_are_those_of_queries_and_keys_in_self_attention_and_leave_the_rest_alone():
    wide, narrow = (replace(Plan(), wide_biases=wide).model(GRAMMAR).state_dict() for wide in (True, False))
    changed = {name for name in wide if not torch.equal(wide[name], narrow[name])}
    assert changed == {
        f"{side}.blocks.{layer}.attention.{part}_proj.bias"
        for side in ("encoder", "decoder")
        for layer in range(3)
        for part in "qk"
    }
    drawn = torch.cat([wide[name] for name in changed])
    assert drawn.mean().abs() < 0.15
    assert 0.85 < drawn.std() < 1.15


def test_each_ablation_changes_what_its_name_says():
    def all_of(plan):
        sizes = asdict(plan.model(GRAMMAR).config)
        recipe = asdict(plan.config())
        return sizes | recipe | {"smoothing": plan.smoothing, "wide_biases": plan.wide_biases}

    plans = ablations(steps=300)
    whole = all_of(plans["as in the lesson"])
    lesson = all_of(Plan())
    assert {name for name in whole if whole[name] != lesson[name]} == {"steps"}
    changed = {
        name: {key: value for key, value in all_of(plan).items() if value != whole[key]}
        for name, plan in plans.items()
    }
    assert changed == {
        "as in the lesson": {},
        "no positions": {"positions": "none"},
        "encoder without positions": {"encoder_positions": "none"},
        "sinusoids": {"positions": "sinusoidal", "base": 10_000.0},
        "no scale": {"scale": 1.0},
        "one head": {"n_heads": 1},
        "norm behind": {"order": "post"},
        "no warm-up": {"warmup": 0},
        "norm behind, no warm-up": {"order": "post", "warmup": 0},
        "label smoothing 0.1": {"smoothing": 0.1},
        "biases from 0": {"wide_biases": False},
    }


def test_one_head_has_as_many_weights_as_four():
    def size(plan):
        return sum(weights.numel() for weights in plan.model(GRAMMAR).parameters())

    assert size(ablations()["one head"]) == size(Plan())


def test_smoothing_is_used_in_training_and_not_in_the_loss_that_is_reported():
    pairs = GRAMMAR.sample(40, lengths=(4, 8), seed=0)
    plain, smooth, again = (TINY.model(GRAMMAR) for _ in range(3))
    _, history = train_transformer(plain, pairs, TINY.config(), progress=False)
    _, smooth_history = train_transformer(smooth, pairs, TINY.config(), smoothing=0.5, progress=False)
    assert history.loss[0] != smooth_history.loss[0]
    assert history == train_translator(again, pairs, TINY.config(), progress=False)[1]
    total = tokens = 0
    for k in range(len(pairs)):  # one by one, without padding
        batch = pad_pairs(*(list(side) for side in pairs[k : k + 1].ids()))
        with torch.no_grad():
            law = plain(batch.source_ids, batch.lengths, batch.target_ids).log_softmax(-1)[0]
        total -= law.gather(1, batch.targets.T).sum().item()
        tokens += batch.targets.numel()
    assert held_out_loss(plain, pairs) == pytest.approx(total / tokens, rel=1e-5)


def test_searches_are_greedy_decoding_and_beams_with_their_penalty():
    pairs = GRAMMAR.sample(4, lengths=(4, 8), seed=0)
    model = TINY.model(GRAMMAR)
    train_transformer(model, GRAMMAR.sample(40, lengths=(4, 8), seed=1), TINY.config(), progress=False)
    batch = pad_pairs(*pairs.ids())
    assert searches()["greedy"] is greedy
    assert by_beam(1)(model, *batch[:2], 8) == greedy(model, *batch[:2], 8)
    for penalty in (0.0, 1.5):
        found = beam_search(model, *batch[:2], 3, 8, penalty)
        assert by_beam(3, penalty)(model, *batch[:2], 8) == [list(one[0].ids) for one in found]


def test_a_study_is_what_its_parts_say(monkeypatch, tmp_path):
    """Small models, one process: the numbers of each seed in their place, and the file holds them."""
    pairs, test = GRAMMAR.sample(20, lengths=(4, 8), seed=0), GRAMMAR.sample(3, lengths=(4, 8), seed=1)
    smooth = replace(TINY, smoothing=0.1)
    monkeypatch.setattr(studies, "searches", lambda: {"greedy": greedy, "beam": by_beam(2)})
    monkeypatch.setattr(studies, "SIZES", studies.SIZES | TINY.sizes)
    monkeypatch.setattr(studies, "RECIPE", studies.RECIPE | TINY.recipe)
    monkeypatch.setattr(studies, "STUDY_BANDS", ((4, 8),))
    monkeypatch.setattr(studies, "ablations", lambda: {"plain": TINY, "smooth": smooth})
    patient = {"tiny, 3 x": (TINY.model(GRAMMAR), replace(TINY.config(), steps=18))}
    monkeypatch.setattr(studies, "patient_translators", lambda grammar, seed=0: patient)
    monkeypatch.setattr(studies, "_sentences", lambda: (pairs, test))
    monkeypatch.setattr(studies, "side_by_side", lambda f, jobs, n_jobs: [f(*job) for job in jobs])
    path = tmp_path / "data" / "studies.json"
    written = studies.record_studies([3, 4], path)
    assert json.loads(path.read_text()) == written
    assert {name: studies.recorded_study(name, path) for name in written} == written
    assert set(written) == {"lengths", "decoding", "heads", "ablations"}

    model, config = transformer_recipe(GRAMMAR, 4)
    train_transformer(model, pairs, config, progress=False)
    bands = exact_match_by_length(model, test, [(4, 8)])
    assert written["lengths"]["Transformer"][1] == [round(band.share, 4) for band in bands]
    assert list(written["lengths"]) == ["Transformer", "tiny, 3 x"]
    assert [len(shares) for shares in written["lengths"]["tiny, 3 x"]] == [1, 1]
    assert list(written["decoding"]) == ["greedy", "beam"]
    assert list(written["heads"]) == [
        f"layer {layer}, head {head}" for layer in range(2) for head in range(2)
    ]
    assert {len(errors) for seeds in written["heads"].values() for errors in seeds} == {3}
    plain = written["ablations"]["plain"]
    assert plain[1] == [0.0, plain[1][1], round(held_out_loss(model, test), 4)]
    assert plain[0] != plain[1]
    assert plain != written["ablations"]["smooth"]


def test_another_study_is_an_error(tmp_path):
    (tmp_path / "some.json").write_text('{"lengths": {}}')
    with pytest.raises(ValueError, match=r"'name' must be one of \['lengths'\], got 'sizes'"):
        studies.recorded_study("sizes", tmp_path / "some.json")


def test_what_was_recorded_belongs_to_these_experiments():
    """After a change: `record_studies()`."""
    lengths, table = studies.recorded_study("lengths"), studies.recorded_study("ablations")
    assert list(lengths) == ["Transformer", *patient_translators(GRAMMAR)]
    shares = {name: np.array(seeds) for name, seeds in lengths.items()}
    assert {of_name.shape for of_name in shares.values()} == {(3, len(STUDY_BANDS))}
    # What the lesson says: at equal time it is behind on long sentences, with patience it is not.
    beside = np.array(recorded_in_04("lengths")["RNN + attention"])
    assert shares["Transformer"][:, -2:].mean() < beside[:, -2:].mean() - 0.05
    assert np.abs(shares["Transformer, 3 x"] - shares["RNN + attention, 3 x"]).mean() < 0.05
    assert {np.array(seeds).shape for seeds in table.values()} == {(3, 3)}
    exact = {name: np.array(seeds)[:, 0] for name, seeds in table.items()}
    for missing in ("no positions", "encoder without positions", "no scale"):
        assert exact[missing].max() < 0.5 * exact["as in the lesson"].min()
    assert list(table) == list(ablations())
    assert list(studies.recorded_study("decoding")) == list(searches())
    config = Plan().model(GRAMMAR).config
    assert len(studies.recorded_study("heads")) == config.decoder_layers * config.n_heads
