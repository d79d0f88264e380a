"""Writing: against a loop that keeps nothing, at every end that a text can have, and beams against all texts."""

from itertools import product

import pytest
import torch

from lmcourse.language_model import GREEDY, KVCache, SamplingConfig, beam, generate, next_token_law
from lmcourse.language_model.generate import _Reader
from tests.language_model.support import EVERY, VARIANTS, VOCAB, model_of, some_ids

HOT = SamplingConfig(temperature=1.3, top_k=9, top_p=0.95)
RAGGED = [[1, 2, 3, 4, 5], [6], [7, 8, 9]]
variants = pytest.mark.parametrize("variant", VARIANTS)
caching = pytest.mark.parametrize("cache", [True, False])


@torch.no_grad()
def naive(model, prompt, n, window=10**9):
    """Greedy, one text, everything read again each time."""
    ids, log_p = list(prompt), []
    for _ in range(n):
        law = model(torch.tensor([ids[-window:]]))[0, -1].log_softmax(-1)
        ids.append(int(law.argmax()))
        log_p.append(law[ids[-1]].item())
    return tuple(ids[len(prompt) :]), log_p


@caching
@pytest.mark.parametrize(("variant", "fused"), EVERY)
def test_greedy_texts_of_different_lengths_are_those_written_alone(variant, fused, cache):
    model = model_of(variant, fused)
    found = generate(model, RAGGED, 8, cache=cache)
    for prompt, one in zip(RAGGED, found, strict=True):
        ids, log_p = naive(model, prompt, 8)
        assert one.ids == ids
        assert one.reason == "length"
        assert one.log_probabilities == pytest.approx(log_p, abs=1e-12)


@variants
def test_draws_are_the_same_with_and_without_a_cache(variant):
    model = model_of(variant)
    kept, anew, other = (
        generate(model, RAGGED, 12, HOT, stop_ids={0, 1}, seed=seed, cache=cache)
        for seed, cache in ((4, True), (4, False), (5, True))
    )
    assert [one[:2] for one in kept] == [one[:2] for one in anew]
    assert kept != other
    assert len({len(one.ids) for one in kept}) > 1 or variant != "default"  # rows end at different times


def test_a_tensor_of_prompts_will_do():
    model, ids = model_of(), some_ids(2, 4)
    assert generate(model, ids, 3) == generate(model, ids.tolist(), 3)


@pytest.mark.parametrize("config", [HOT, SamplingConfig(temperature=0.5)])
def test_log_probabilities_are_the_models_whatever_is_drawn_from(config):
    model = model_of()
    (one,) = generate(model, [[1, 2]], 6, config)
    law = model(torch.tensor([[1, 2, *one.ids]])).log_softmax(-1)[0, 1:-1]
    expected = law[torch.arange(6), torch.tensor(one.ids)]
    torch.testing.assert_close(torch.tensor(one.log_probabilities).double(), expected)


def test_first_tokens_come_from_the_law():
    model = model_of()
    found = generate(model, [[1, 2]] * 4000, 1, HOT)
    law = next_token_law(model(torch.tensor([[1, 2]]))[:, -1], HOT)[0]
    shares = torch.bincount(torch.tensor([one.ids[0] for one in found]), minlength=VOCAB) / 4000
    assert (shares - law).abs().max() < 4 * (0.25 / 4000) ** 0.5
    assert not shares[law == 0].any()


# --- the ends of a text --------------------------------------------------------------------------------------


@caching
def test_a_stop_token_ends_its_text_and_no_other(cache):
    model = model_of()
    free = generate(model, RAGGED, 10)
    stop = free[0].ids[3]
    found = generate(model, RAGGED, 10, stop_ids=[stop], cache=cache)
    for one, longer in zip(found, free, strict=True):
        n = longer.ids.index(stop) + 1 if stop in longer.ids else 10
        assert one.ids == longer.ids[:n]
        assert one.reason == ("stop" if stop in longer.ids else "length")
    assert found[0].reason == "stop"
    assert stop not in found[0].ids[:-1]


@caching
@variants
def test_the_context_counts_prompt_and_new_tokens(variant, cache):
    model = model_of(variant, max_length=8)
    found = generate(model, RAGGED, 6, cache=cache)
    assert [len(one.ids) for one in found] == [3, 6, 5]
    assert [one.reason for one in found] == ["context", "length", "context"]
    for prompt, one in zip(RAGGED, found, strict=True):
        assert one.ids == naive(model, prompt, 6)[0][: len(one.ids)] if variant != "gpt2" else True


def test_a_prompt_that_fills_the_context_gets_nothing():
    model = model_of(max_length=5)
    full, short = generate(model, [[1, 2, 3, 4, 5], [6]], 9)
    assert full == ((), "context", ())
    assert len(short.ids) == 4
    assert short.reason == "context"


@caching
@variants
def test_sliding_drops_the_oldest_tokens_and_reads_the_rest_as_a_text(variant, cache):
    model = model_of(variant, max_length=6)
    prompts = [*RAGGED, [1, 2, 3, 4, 5, 6, 7, 8]]  # one is too long from the beginning
    for some in (prompts[:3], prompts):
        found = generate(model, some, 9, on_limit="slide", cache=cache)
        for prompt, one in zip(some, found, strict=True):
            assert one.ids == naive(model, prompt, 9, window=6)[0]
            assert one.reason == "length"


def test_asked_to_raise_it_raises_before_it_writes():
    model = model_of(max_length=8)
    with pytest.raises(
        ValueError, match="'max_new_tokens' must fit into the context of 8 .* prompt of 5, got 4"
    ):
        generate(model, RAGGED, 4, on_limit="error")
    assert [one.reason for one in generate(model, RAGGED, 3, on_limit="error")] == 3 * ["length"]


def test_the_cache_is_as_long_as_it_can_become_and_no_longer(monkeypatch):
    made = []
    new = KVCache.__init__

    def noting(self, config, batch, length, **options):
        made.append((batch, length))
        new(self, config, batch, length, **options)

    monkeypatch.setattr(KVCache, "__init__", noting)
    for options, length in (
        ({"max_new_tokens": 4}, 9),
        ({"max_new_tokens": 50}, 5 + 24 - 1),  # the shortest can get 23 more
        ({"max_new_tokens": 50, "on_limit": "slide"}, 24),
    ):
        generate(model_of(), RAGGED, **options)
        assert made.pop() == (3, length)


def test_only_the_new_token_is_read(monkeypatch):
    model, read = model_of(), []
    hidden = model.hidden
    monkeypatch.setattr(model, "hidden", lambda ids, **k: read.append(ids.shape) or hidden(ids, **k))
    generate(model, RAGGED, 4)
    assert read == [(3, 5), (3, 1), (3, 1), (3, 1)]


def test_texts_that_have_ended_are_read_no_more(monkeypatch):
    model = model_of()
    (first, *_), batches = generate(model, RAGGED, 10), []
    go_on = _Reader._go_on
    monkeypatch.setattr(
        _Reader, "_go_on", lambda self, texts: batches.append(len(texts)) or go_on(self, texts)
    )
    found = generate(model, RAGGED, 10, stop_ids=[first.ids[3]])
    alive = [sum(len(one.ids) > n for one in found) for n in range(1, max(len(one.ids) for one in found))]
    assert batches == alive
    assert alive[-1] < 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_new_tokens": 0}, "'max_new_tokens' must be at least 1, got 0"),
        ({"prompts": []}, "'prompts' must be at least one row of at least one id"),
        ({"prompts": [[1], []]}, "'prompts' must be at least one row of at least one id"),
        ({"prompts": [[1] * 25]}, "'prompts' must fit into the context of 24 tokens, got one of 25"),
        ({"prompts": [[VOCAB]]}, "'ids' must be from 0 to vocab_size-1=12"),
        ({"model": model_of(causal=False)}, "'model' must be causal"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {"model": model_of(), "prompts": [[1]], "max_new_tokens": 2}
    with pytest.raises(ValueError, match=message):
        generate(**arguments | change)


# --- beams ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def all_texts(model, prompt, n, stop):
    """Every continuation of at most n tokens that ends with `stop` or is cut off, with its log-probability; the best first."""
    found = []
    for length in range(1, n + 1):
        for ids in product(range(model.config.vocab_size), repeat=length):
            ends = ids[-1] == stop
            if stop in ids[:-1] or not (ends or length == n):
                continue
            law = model(torch.tensor([[*prompt, *ids]])).log_softmax(-1)[0, len(prompt) - 1 : -1]
            found.append((law[torch.arange(length), torch.tensor(ids)].sum().item(), ids))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("stop", [None, 0, 3])
def test_a_wide_beam_finds_the_most_probable_of_all_texts(stop):
    model = model_of()
    small = type(model)(type(model.config)(4, d_model=16, n_layers=1)).double()
    with torch.no_grad():
        for n, weight in enumerate(small.parameters()):
            noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
            weight.add_(noise)
    (found,) = beam(small, [[1, 2]], 3, width=64, stop_id=stop)
    expected = all_texts(small, [1, 2], 3, stop)
    n = min(len(found), 10)
    assert [one.ids for one in found[:n]] == [ids for _, ids in expected[:n]]
    assert [one.log_probability for one in found[:n]] == pytest.approx([log_p for log_p, _ in expected[:n]])


@variants
def test_a_beam_of_one_is_greedy(variant):
    model = model_of(variant)
    stop = generate(model, RAGGED, 7)[1].ids[2]
    expected = generate(model, RAGGED, 7, GREEDY, stop_ids=[stop])
    found = beam(model, RAGGED, 7, width=1, stop_id=stop)
    assert [one[0].ids for one in found] == [one.ids for one in expected]
    for (one,), other in zip(found, expected, strict=True):
        assert one.log_probability == pytest.approx(sum(other.log_probabilities))


@variants
def test_beams_of_different_prompts_are_those_found_alone(variant):
    model = model_of(variant)
    together = beam(model, RAGGED, 6, width=3, stop_id=2, length_penalty=0.6)
    for prompt, found in zip(RAGGED, together, strict=True):
        (alone,) = beam(model, [prompt], 6, width=3, stop_id=2, length_penalty=0.6)
        assert [one.ids for one in found] == [one.ids for one in alone]
        for one in found:
            law = model(torch.tensor([[*prompt, *one.ids]])).log_softmax(-1)[0, len(prompt) - 1 : -1]
            log_p = law[torch.arange(len(one.ids)), torch.tensor(one.ids)].sum().item()
            assert one.log_probability == pytest.approx(log_p)
            assert one.score == pytest.approx(log_p / ((5 + len(one.ids)) / 6) ** 0.6)


def test_beams_end_with_the_context():
    found = beam(model_of(max_length=8), RAGGED, 6, width=2)
    assert [len(one.ids) for ones in found for one in ones] == 6 * [3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts": [[1] * 24]}, "'prompts' must be shorter than the context of 24 tokens"),
        ({"stop_id": VOCAB}, "'stop_id' must be an id below vocab_size=13"),
        ({"width": 0}, "'width' must be at least 1"),
        ({"model": model_of(causal=False)}, "'model' must be causal"),
    ],
)
def test_bad_beams_are_named(change, message):
    arguments = {"model": model_of(), "prompts": [[1]], "max_new_tokens": 2}
    with pytest.raises(ValueError, match=message):
        beam(**arguments | change)
