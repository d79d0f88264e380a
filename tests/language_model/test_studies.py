"""The recorded experiments: they belong to these models, they say what the lesson says, and they can be made again."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from lmcourse.corpora import preferences
from lmcourse.language_model import studies
from lmcourse.language_model.bits_per_byte import PerByte
from lmcourse.language_model.floor import floor_model, language_models
from lmcourse.language_model.scaling import SIZES, TEXTS, WIDTHS, Scaling, scaling_config
from lmcourse.language_model.sizes import count_parameters


def test_recorded_models_of_several_sizes_lie_near_a_line_that_falls():
    recorded = studies.recorded_scaling("sizes")
    vocab_size = len(preferences().vocab)
    assert recorded.parameters == [count_parameters(scaling_config(vocab_size, d)).total for d in WIDTHS]
    assert recorded.tokens == [512 * 64 * 16] * len(SIZES)
    for excess in recorded.excess:
        assert min(excess) > 0
        assert all(larger < smaller for smaller, larger in zip(excess, excess[1:5], strict=False))
        assert excess[5] > 0.9 * excess[4], "the widest model would need more text"
    law = recorded.fit("parameters", first=5)
    assert -0.7 < law.exponent < -0.5
    assert law.r2 > 0.96
    assert law.spread < 0.1
    assert recorded.fit("parameters").exponent > law.exponent + 0.05


def test_recorded_texts_of_several_lengths_too():
    recorded = studies.recorded_scaling("texts")
    assert recorded.tokens == [steps * 8 * 16 for _, steps, _ in TEXTS]
    assert len(set(recorded.parameters)) == 1
    assert (np.diff(recorded.excess) < 0).all()
    law = recorded.fit("tokens")
    assert -1.0 < law.exponent < -0.4
    assert law.r2 > 0.9


def test_the_tokenizer_with_the_lowest_perplexity_is_the_worst_in_bits_per_byte():
    recorded = studies.recorded_bytes()
    for of_seed in zip(*recorded.values(), strict=True):
        scores = dict(zip(recorded, of_seed, strict=True))
        by_perplexity = sorted(scores, key=lambda name: scores[name].perplexity)
        assert by_perplexity[0] == "characters" == max(scores, key=lambda name: scores[name].bits_per_byte)
        # seven times the perplexity, and the same text in about as many bits
        fine, coarse = scores["BPE, 500"], scores["BPE, 2,000"]
        assert coarse.perplexity > 5 * fine.perplexity
        assert coarse.bits_per_byte == pytest.approx(fine.bits_per_byte, rel=0.05)


def test_a_study_is_what_its_parts_say(monkeypatch, tmp_path):
    scaling, score = Scaling([1], [2], [3.0], [[0.5], [0.25]]), PerByte(10, 20, 30, 0.5, 2.0, 1.5)
    asked = []

    def measure(trainings, seeds, progress):
        asked.append((trainings, tuple(seeds)))
        return scaling

    monkeypatch.setattr(studies, "measure_scaling", measure)
    monkeypatch.setattr(
        studies, "compare_tokenizers", lambda seed, progress: {"one": score._replace(steps=seed)}
    )
    path = tmp_path / "data" / "studies.json"
    written = studies.record_studies([3, 4], path, progress=False)
    assert json.loads(path.read_text()) == json.loads(json.dumps(written))
    assert asked == [(SIZES, (3, 4)), (TEXTS, (3, 4))]
    assert asdict(studies.recorded_scaling("texts", path)) == asdict(scaling)
    assert studies.recorded_bytes(path) == {"one": [score._replace(steps=3), score._replace(steps=4)]}


def test_the_model_of_the_table_has_biases_that_prefer_a_distance():
    model, again, other = (
        floor_model(50),
        language_models()["Transformer, 2 layers"](50, 0),
        floor_model(50, 1),
    )
    biases = [model.stack.blocks[1].attention.k_proj.bias, model.stack.blocks[0].attention.q_proj.bias]
    assert all(0.7 < bias.std() < 1.3 for bias in biases)
    assert not biases[0].equal(biases[1])
    assert biases[0].equal(again.stack.blocks[1].attention.k_proj.bias)
    assert not biases[0].equal(other.stack.blocks[1].attention.k_proj.bias)
    assert (model.stack.blocks[0].attention.v_proj.bias == 0).all()
