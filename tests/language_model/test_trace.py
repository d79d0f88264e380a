"""The end-to-end record: its last tensors are the model's, its tokens are those that `generate` takes."""

import numpy as np
import pytest
import torch

from lmcourse.language_model import GREEDY, LanguageModel, SamplingConfig, generate, trace
from lmcourse.tokens import WordTokenizer
from lmcourse.widgets.language_model import flow
from tests.language_model.support import VARIANTS, model_of

WORDS = "the fox sees a hen and runs by night over some hills"
TEXT = "the fox sees"


def reader(variant: str = "default", **changes) -> LanguageModel:
    model = model_of(variant, **changes)
    model.tokenizer = WordTokenizer.train([WORDS], vocab_size=13, special_tokens=["<unk>"])
    return model


def by_name(round) -> dict:
    return {stage.name: stage for stage in round.stages}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_stages_are_the_models_own_tensors(variant):
    model = reader(variant)
    (one,) = trace(model, TEXT, top=5)
    stages, ids = by_name(one), model.from_text(TEXT)
    assert one.ids == ids[0].tolist()
    assert one.tokens == TEXT.split()
    logits = model(ids)[0].detach()
    best = logits[-1].topk(5).indices
    np.testing.assert_allclose(stages["logits"].values, logits[:, best], atol=1e-12)
    assert stages["logits"].shape == (1, 3, 13)
    for layer, weights in enumerate(model.weights(ids)):
        shown = stages[f"blocks[{layer}].attention.weights"]
        assert shown.shape == (1, 4, 3, 3)
        np.testing.assert_allclose(shown.values, weights[0].mean(0), atol=1e-12)
    seen = model.hidden(ids)[0].detach()
    np.testing.assert_allclose(stages["norm" if "norm" in stages else "blocks[2]"].values, seen, atol=1e-12)


def test_the_stream_is_a_sum():
    stages = by_name(trace(reader("gpt2"), TEXT)[0])
    x = stages["embed"].values
    assert not np.allclose(x, stages["embedding"].values)
    for layer in range(3):
        inside = [
            stages[f"blocks[{layer}]{name}"].values
            for name in (".attention", ".after_attention", ".feed_forward", "")
        ]
        np.testing.assert_allclose(inside[1], x + inside[0])
        np.testing.assert_allclose(inside[3], inside[1] + inside[2])
        x = inside[3]


@pytest.mark.parametrize("sampling", [GREEDY, SamplingConfig(1.5, top_k=6)])
def test_rounds_write_what_generate_writes(sampling):
    model = reader()
    rounds = trace(model, TEXT, 6, sampling, seed=3)
    (one,) = generate(model, model.from_text(TEXT), 6, sampling, seed=3)
    assert [round.chosen for round in rounds] == model.to_text(one.ids).split()
    for before, after in zip(rounds, rounds[1:], strict=False):
        assert after.text == f"{before.text} {before.chosen}"
    for round in rounds:
        law = by_name(round)["probabilities"]
        assert list(law.values[-1]) == [p for _, p in round.guesses]
        assert round.chosen in dict(round.guesses)
        assert sampling != GREEDY or round.chosen == round.guesses[0][0]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_figure_takes_them(variant):
    rounds = trace(reader(variant), TEXT, 2, SamplingConfig())
    assert "sees" in flow(rounds).html()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: trace(model_of(), TEXT), "must have a 'tokenizer'"),
        (lambda: trace(reader(), ""), "'text' must have from 1 to 23 tokens"),
        (lambda: trace(reader(max_length=4), TEXT, 2), "'text' must have from 1 to 2 tokens, .* got 3"),
        (lambda: trace(reader(), TEXT, 0), "'max_new_tokens' must be at least 1"),
        (lambda: trace(reader(), TEXT, top=0), "'top' must be at least 1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_model_is_left_as_it_was():
    model = reader()
    before = torch.get_rng_state()
    trace(model, TEXT, 2, SamplingConfig())
    assert torch.equal(torch.get_rng_state(), before)
