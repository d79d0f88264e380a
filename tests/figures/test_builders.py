"""Builders of interactive figures: what they refuse, and what they put into the page."""

import json
import math
import re
from copy import deepcopy
from dataclasses import replace
from itertools import combinations, pairwise, product

import numpy as np
import pytest

from lmcourse.widgets.attention import attention_by_hand, attention_map, mask_painter, softmax_playground
from lmcourse.widgets.embeddings import rope_dials, window_pairs, word_map
from lmcourse.widgets.encoder_decoder import BeamNode, BeamTree, HeadMaps, beam_tree, head_explorer
from lmcourse.widgets.encoder_decoder.beam_tree import finished_paths
from lmcourse.widgets.language_model import FlowRound, FlowStage, NextToken, flow, sampling_playground
from lmcourse.widgets.language_model.sampling_playground import PRESETS, sampled_law
from lmcourse.widgets.recurrence import TracedSentence, encoder_decoder_steps, gate_playground
from lmcourse.widgets.recurrence.encoder_decoder_steps import common_words, encode_states
from lmcourse.widgets.sequences import guessing_game, reader_bits

LAW = {"a": 0.5, "b": 0.25, "C": 0.25}
MODEL = {"nats": [0.7, None], "rank": [1, 2], "guesses": [[["a", 0.5], ["b", 0.5]], [["b", 1.0], ["a", 0.0]]]}
OTHER = {"nats": [0.2, 0.1], "rank": [1, 1], "guesses": [[["a", 0.8], ["C", 0.2]], [["C", 0.9], ["b", 0.1]]]}
GAME = {"tokens": ["a", "C"], "models": {"exact": OTHER, "bigram": MODEL}}


class Space:
    """Three words in a row."""

    def neighbours(self, query, n):
        return [(word, 0.5) for word in ("a", "b", "beyond") if word != query][:n]


def data_of(figure) -> dict:
    return json.loads(re.search(r'class="lm-data">(.*?)</script>', figure.html(), re.S)[1])


def changed(*path_and_value) -> dict:
    """GAME with one entry replaced."""
    game, (*path, last, value) = deepcopy(GAME), path_and_value
    at = game
    for key in path:
        at = at[key]
    at[last] = value
    return game


@pytest.mark.parametrize("picks", [[], ["a"], ["b", "C"], ["a", "C"]])
@pytest.mark.parametrize("confidence", [0.3, 0.95])
def test_the_readers_law_is_a_distribution(picks, confidence):
    scaled = {word: 7 * p for word, p in LAW.items()}  # counts do as well as frequencies
    bits = {word: reader_bits(picks, confidence, word, scaled) for word in LAW}
    assert sum(2**-b for b in bits.values()) == pytest.approx(1)
    if picks:
        assert sum(2 ** -bits[word] for word in picks) == pytest.approx(confidence)
    others = [word for word in LAW if word not in picks]
    ratios = [2 ** -bits[word] / LAW[word] for word in others]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))


def test_guessing_game_offers_the_models_guesses_in_turn_but_not_those_of_the_floor():
    data = data_of(guessing_game([GAME], LAW))
    assert data["vocab"] == ["a", "b", "C"]
    assert data["models"] == ["bigram", "floor"]
    (sentence,) = data["sentences"]
    assert sentence["words"] == [0, 2]
    assert sentence["choices"] == [[0, 1], [0, 1]]
    assert sentence["nats"] == [[0.7, None], [0.2, 0.1]]
    assert sentence["guesses"][0][1] == [[1, 1.0]]  # a guess without probability is none
    three = {"tokens": ["a", "C"], "models": {"x": MODEL, "y": OTHER, "exact": OTHER}}
    assert data_of(guessing_game([three], LAW, choices=2))["sentences"][0]["choices"] == [[0, 1], [1, 2]]


def test_guessing_game_says_what_the_models_need():
    figure = guessing_game([GAME], {word: 4 * p for word, p in LAW.items()})
    assert (
        figure.alt
        == f"Over 1 texts the models need, in bits per word: bigram inf, floor {0.15 / math.log(2):.2f}."
    )
    assert figure.fallback[1] == ("a C", 2, "inf", "0.22")
    assert data_of(figure)["frequencies"] == [0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("games", "frequencies", "message"),
    [
        ([], LAW, "'games' must hold at least one text"),
        ([changed("models", {"bigram": MODEL})], LAW, "'floor' must be one of"),
        ([changed("models", {"exact": MODEL})], LAW, "'floor' must be one of at least two models"),
        ([GAME, changed("models", {"bigram": MODEL, "exact": OTHER})], LAW, "the models"),
        ([changed("tokens", ["a", "b", "a"])], LAW, "a number for each of 3 tokens, got \\[2\\]"),
        ([changed("tokens", ["a", "zebra"])], LAW, "got none for 'zebra'"),
        ([GAME], {"a": 0.5, "b": 0.5}, "got none for 'C'"),
        ([GAME], {**LAW, "b": 0.0}, "above 0, got 0.0 for 'b'"),
        ([GAME], {**LAW, "b": math.nan}, "above 0, got nan for 'b'"),
    ],
)
def test_guessing_game_refuses_games_that_do_not_fit(games, frequencies, message):
    with pytest.raises(ValueError, match=message):
        guessing_game(games, frequencies)


def test_window_pairs_have_their_still_version():
    figure = window_pairs(["a", "b", "c"], {"a": 0.5, "b": 1, "c": 0}, window=1)
    assert figure.fallback[1:] == [("a", "0.50", "b"), ("b", "1.00", "a, c"), ("c", "0.00", "b")]
    assert "4 pairs from the 3 words" in figure.alt
    assert data_of(figure) == data_of(window_pairs(["a", "b", "c"], {"a": 0.5, "b": 1, "c": 0}, window=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sentence": ["a"]}, "'sentence' must hold at least two words"),
        ({"sentence": ["a", "zebra"]}, "for 'zebra', got None"),
        ({"keep": {"a": 1.0, "b": 1.5}}, "for 'b', got 1.5"),
        ({"window": 0}, "'window' must be from 1 to longest=5, got 0"),
        ({"window": 6}, "'window' must be from 1 to longest=5, got 6"),
        ({"draws": 0}, "'draws' must be at least 1"),
    ],
)
def test_window_pairs_refuse_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        window_pairs(**{"sentence": ["a", "b"], "keep": {"a": 1.0, "b": 0.5}, **arguments})


def test_word_map_scales_both_axes_alike_and_keeps_neighbours_beyond_the_map():
    figure = word_map(Space(), {"a": "x", "b": "y"}, {"PCA": [[-1.0, 5.0], [3.0, 7.0]]})
    data = data_of(figure)
    assert data["layouts"] == {"PCA": [[0.0, 0.0], [1.0, 0.5]]}
    assert data["beyond"] == ["beyond"]
    assert data["neighbours"] == [[[1, 0.5], [2, 0.5]], [[0, 0.5], [2, 0.5]]]
    assert figure.alt.endswith("the same class for 0 of 2 words.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": {"a": "x"}}, "at least two words and at most 10 classes, got 1 and 1"),
        ({"classes": {str(i): str(i) for i in range(11)}}, "got 11 and 11"),
        ({"layouts": {}}, "'layouts' must hold at least one projection"),
        ({"layouts": {"PCA": [[0, 0]]}}, r"each of 2 words two finite coordinates, got \(1, 2\) for 'PCA'"),
        ({"layouts": {"t-SNE": [[0, 0, 0], [1, 1, 1]]}}, r"got \(2, 3\) for 't-SNE'"),
        ({"layouts": {"PCA": [[0, 0], [1, np.nan]]}}, "finite"),
        ({"chosen": "zebra"}, "'chosen' must be one of the 2 words of the map, got 'zebra'"),
    ],
)
def test_word_map_refuses_bad_arguments(arguments, message):
    good = {"classes": {"a": "x", "b": "y"}, "layouts": {"PCA": [[0, 0], [1, 1]]}}
    with pytest.raises(ValueError, match=message):
        word_map(Space(), **{**good, **arguments})


def test_rope_dials_say_where_the_dot_product_is_largest():
    figure = rope_dials(100.0, [1, 0, 0, 0], [0, 1, 0, 0], d_head=4, m=0, n=0, max_position=6)
    # one pair, the key a quarter turn ahead at w = 1: the product is cos(distance + pi/2)
    best = max(range(-6, 7), key=lambda distance: math.cos(distance + math.pi / 2))
    assert figure.alt.endswith(f"largest, {math.cos(best + math.pi / 2):.3f}, at {best}.")
    rows = {row[0]: row[1:] for row in figure.fallback[1:]}
    assert rows[3] == ("3.00", "0.30", f"{math.cos(3 + math.pi / 2):.3f}")
    assert data_of(figure)["speeds"] == [1.0, 0.1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"d_head": 7}, "'d_head' must be even and from 2 to 12, .* got 7"),
        ({"d_head": 14}, "got 14"),
        ({"base": 1.0}, "'base' must be above 1, got 1.0"),
        ({"query": [1.0, 0.0]}, "'query' must be d_head=8 finite numbers"),
        ({"key": [0.0] * 8}, "'key' must be d_head=8 finite numbers, not all 0"),
        ({"key": [math.inf] * 8}, "'key' must be d_head=8 finite numbers"),
        ({"max_position": 0}, "'max_position' must be at least 1, got 0"),
        ({"m": 25}, "'m' must be from 0 to max_position=24, got 25"),
        ({"n": -1}, "'n' must be from 0 to max_position=24, got -1"),
    ],
)
def test_rope_dials_refuse_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        rope_dials(**arguments)


FOX = (
    ["a", "fox", "<eos>"],
    ["lomi", "su", "rusa"],
    [[0.2, 0.5, 0.3], [1, 0, 0], [0.7, 0.2, 0.1]],
    [(1, 0), (2, 2), (1, 2)],
)


def test_attention_map_judges_words_with_a_link():
    data = data_of(attention_map([FOX]))
    assert data["sentences"][0]["links"] == [[1], [], [1, 2]]
    assert data["sentences"][0]["weights"] == [[[2000, 5000, 3000], [10000, 0, 0], [7000, 2000, 1000]]]
    figure = attention_map([FOX, (["x"] * 3, ["y"], [[0, 0, 1.0]], [(0, 0)])])
    assert figure.alt == (
        "The largest weight of 3 translated words in 2 sentences, against the true alignment. "
        "Right for 1, one place beside it for 1, elsewhere for 1."
    )
    assert figure.fallback[1:] == [("a fox <eos>", "lomi su rusa", 1, 2), ("x x x", "y", 0, 1)]


def test_attention_map_tells_heads_apart():
    source, target, weights, links = FOX
    two = [weights, np.eye(3)[[1, 2, 1]]]
    figure = attention_map([(source, target, two, links)], heads=["first", "second"])
    assert data_of(figure)["heads"] == ["first", "second"]
    assert figure.fallback[0][2:] == ("first: right", "second: right", "Words with a link")
    assert figure.fallback[1][2:] == (1, 2, 2)
    assert figure.alt.endswith(
        "first: right for 1, one place beside it for 1, elsewhere for 0. "
        "second: right for 2, one place beside it for 0, elsewhere for 0."
    )


@pytest.mark.parametrize(
    ("pair", "heads", "message"),
    [
        (None, None, "'pairs' must hold at least one pair"),
        ((["a"], ["x"], [[0.5, 0.5]], []), None, r"shape \(1, 1\), .* got \(1, 1, 2\) in pair 1"),
        ((["a", "b"], ["x", "y"], [0.5, 0.5], []), None, r"got \(2,\) in pair 1"),
        ((["a"], [], np.zeros((0, 1)), []), None, r"got \(1, 0, 1\) in pair 1"),
        ((["a", "b"], ["x"], [[0.5, 0.6]], []), None, "sum to 1 over the source, got another row in pair 1"),
        ((["a", "b"], ["x"], [[1.5, -0.5]], []), None, "weights of 0 or more"),
        ((["a", "b"], ["x"], [[np.nan, 1.0]], []), None, "weights of 0 or more"),
        ((["a", "b"], ["x"], [[0.5, 0.5]], [(2, 0)]), None, r"words below \(2, 1\), got \(2, 0\) in pair 1"),
        ((["a", "b"], ["x"], [[0.5, 0.5]], [(0, -1)]), None, r"got \(0, -1\) in pair 1"),
        ((["a"], ["x"], [[[1.0]], [[1.0]]], []), None, "one number of heads, got 1 and, in pair 1, 2"),
        ((["a"], ["x"], [[1.0]], []), ["one", "two"], "'heads' must name each of 1 heads"),
    ],
)
def test_attention_map_refuses_pairs_that_do_not_fit(pair, heads, message):
    with pytest.raises(ValueError, match=message):
        attention_map([FOX, pair] if pair else [], heads=heads)


def test_attention_by_hand_has_its_still_version():
    query, key, value = np.zeros((3, 2)), [[2, 0], [0, 1], [1, 1]], [[0.3, 0.0], [0.0, 0.9], [-0.3, 0.6]]
    query[2] = [math.sqrt(2) / 2 * math.log(3), 0]  # scaled scores of log 3, 0 and half of log 3
    figure = attention_by_hand("abc", query, key, value, looks=2)
    assert figure.fallback[1] == ("a", "0.33", "0.33", "0.33", "(0.00, 0.50)")
    weights = np.array([3, 1, math.sqrt(3)]) / (4 + math.sqrt(3))
    assert figure.fallback[3][1:4] == tuple(f"{w:.2f}" for w in weights)
    assert f"“c” looks most at “a”, with a weight of {weights[0]:.2f}" in figure.alt


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"words": ["a", "b"]}, "'words' must be three different words, got"),
        ({"words": ["a", "b", "a"]}, "'words' must be three different words, got"),
        ({"query": [[0, 0]]}, "'query' must hold three vectors of two numbers from -2 to 2"),
        ({"key": [[0, 0], [0, 0], [0, 2.1]]}, "'key' must hold three vectors"),
        ({"value": [[0, 0], [0, 0], [0, math.nan]]}, "'value' must hold three vectors"),
        ({"looks": 3}, "'looks' must be 0, 1 or 2, got 3"),
    ],
)
def test_attention_by_hand_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        attention_by_hand(**arguments)


def test_softmax_playground_draws_scores_whose_variance_is_the_size_of_the_head():
    data = data_of(softmax_playground([4, 64], n_keys=8, draws=2000, seed=3))
    for d, drawn in zip(data["d_heads"], data["drawn"], strict=True):
        assert np.var(drawn) / d == pytest.approx(1, abs=0.1)  # keys of one draw share the query
    assert data == data_of(softmax_playground([4, 64], n_keys=8, draws=2000, seed=3))
    assert data["drawn"] != data_of(softmax_playground([4, 64], n_keys=8, draws=2000, seed=4))["drawn"]


def test_softmax_playground_has_its_still_version():
    figure = softmax_playground([16], n_keys=2, draws=1)
    (scores,) = data_of(figure)["drawn"][0]
    for column, gap in ((1, scores[1] - scores[0]), (3, (scores[1] - scores[0]) / 4)):
        first = 1 / (1 + math.exp(gap))
        assert figure.fallback[1][column] == f"{first:.2f}, {1 - first:.2f}"
        assert figure.fallback[1][column + 1] == f"{first * (1 - first):.3f}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"d_heads": []}, "'d_heads' must hold sizes of at least 1"),
        ({"d_heads": [4, 0]}, "'d_heads' must hold sizes of at least 1, got"),
        ({"n_keys": 1}, "'n_keys' must be from 2 to 8, .* got 1"),
        ({"n_keys": 9}, "got 9"),
        ({"draws": 0}, "'draws' must be at least 1, got 0"),
    ],
)
def test_softmax_playground_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        softmax_playground(**arguments)


def test_mask_painter_offers_masks_for_padding_where_there_is_some():
    plain = data_of(mask_painter(["a", "b", "c"]))["presets"]
    assert list(plain) == ["full", "causal", "window of 2", "self only"]
    assert plain["window of 2"] == [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    figure = mask_painter(["[P]", "a", "b"], pad="[P]")
    assert data_of(figure)["presets"]["causal + padding"] == [[0, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert ("causal + padding", "nobody", "a", "a, b") in figure.fallback
    assert data_of(figure)["word"] == 2
    assert data_of(mask_painter())["word"] == 4  # the last word that is no padding


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b"], "'words' must hold 3 to 10 words, got 2"),
        (list("abcdefghijk"), "got 11"),
        (["<pad>"] * 3, "'words' must hold a word that is not pad='<pad>'"),
    ],
)
def test_mask_painter_refuses_bad_texts(words, message):
    with pytest.raises(ValueError, match=message):
        mask_painter(words)


SPOKEN = TracedSentence(
    source=["a", "dog", "<eos>"],
    reference=["hund", "su"],
    encoder_states=np.linspace(-1, 1, 24).reshape(2, 3, 4),
    decoder_states=np.linspace(1, -1, 24).reshape(3, 8),
    guesses=[[("hund", 0.8), ("su", 0.104)], [("su", 1.0), ("<eos>", 0.0)], [("<eos>", 0.5), ("hund", 0.5)]],
)


def decoded(text: str, directions: int, times: int, units: int) -> np.ndarray:
    """The levels back: sums of base-9 digits, brought to -4 ... 4."""
    digits = [digit for sign in text for digit in divmod(ord(sign) - 35, 9)][: directions * times * units]
    sums = np.cumsum(np.reshape(digits, (directions, times, units)), axis=1)
    return (sums + 4) % 9 - 4


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 3), (1, 4, 6), (2, 1, 8)])
def test_states_on_the_page_are_the_states_in_quarters(shape):
    states = np.random.default_rng(0).uniform(-1, 1, size=shape)
    states.ravel()[0] = -1
    text = encode_states(states)
    assert text.isascii()
    assert len(text) == (states.size + 1) // 2
    assert decoded(text, *shape).tolist() == np.rint(4 * states).astype(int).tolist()


def test_common_words_are_as_many_as_can_be():
    for one, other in product(
        [tuple("abab"), tuple("bca"), (), tuple("aabbc")], [tuple("ba"), tuple("cabba"), ()]
    ):
        pairs = common_words(one, other)
        assert all(one[i] == other[j] for i, j in pairs)
        assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(pairs))
        subsequences = [set(combinations(words, len(pairs) + 1)) for words in (one, other)]
        assert not subsequences[0] & subsequences[1]  # none is longer


def test_encoder_decoder_steps_sort_by_length_and_count_what_is_right():
    wrong = replace(SPOKEN, reference=["su", "hund"])
    short = replace(SPOKEN, source=["dogs", "bark", "loudly"], reference=["su"])  # three words, no <eos>
    figure = encoder_decoder_steps([short, wrong, SPOKEN], glosses={"hund": "dog"}, units=3)
    data = data_of(figure)
    assert [len(source) for source in data["source"]] == [3, 3, 3]
    assert [data["source_vocab"][i] for i in data["source"][2]] == ["dogs", "bark", "loudly"]
    assert figure.fallback[1:] == [(2, 2, 1), (3, 1, 0)]
    assert figure.alt.startswith("3 sentences of 2 to 3 words, read into a state of 8 numbers")
    assert data["right"] == [[0, 1, 1], [1, 1, 1], [0, 1, 1]]
    assert data["met"] == [[1, 0], [1, 1], [1]]
    assert data["chances"][0] == [[80, 10], [100, 0], [50, 50]]
    assert data["glosses"][data["target_vocab"].index("hund")] == "dog"
    levels = decoded(data["encoder"][0], 2, 3, 3)
    assert levels.tolist() == np.rint(4 * SPOKEN.encoder_states[..., :3]).tolist()
    halves = SPOKEN.decoder_states.reshape(3, 2, 4)[..., :3].reshape(1, 3, 6)
    assert decoded(data["decoder"][0], 1, 3, 6).tolist() == np.rint(4 * halves).tolist()


def test_a_translation_without_its_end_is_not_right():
    assert SPOKEN.is_right
    assert not replace(SPOKEN, guesses=SPOKEN.guesses[:2]).is_right
    assert not replace(SPOKEN, reference=["hund"]).is_right


@pytest.mark.parametrize(
    ("sentence", "units", "message"),
    [
        (None, 4, "'sentences' must hold from 1 to 300, got 0"),
        (SPOKEN, 5, "'units' must be from 1 to 4, the size of a direction, got 5"),
        (SPOKEN, 0, "got 0"),
        (
            replace(SPOKEN, encoder_states=np.zeros((3, 3, 4))),
            4,
            r"of 1 or 2 directions, got shape \(3, 3, 4\)",
        ),
        (replace(SPOKEN, encoder_states=np.zeros((3, 4))), 4, r"of 1 or 2 directions, got shape \(3, 4\)"),
        (
            replace(SPOKEN, source=["a", "<eos>"]),
            4,
            r"'encoder_states' must be \(2, 2, 4\) .* got \(2, 3, 4\)",
        ),
        (
            replace(SPOKEN, decoder_states=np.zeros((3, 4))),
            4,
            r"'decoder_states' must be \(3, 8\) .* got \(3, 4\)",
        ),
        (replace(SPOKEN, decoder_states=np.full((3, 8), 1.5)), 4, "from -1 to 1, .* up to 1.5"),
        (replace(SPOKEN, decoder_states=np.full((3, 8), np.nan)), 4, "from -1 to 1, .* up to nan"),
        (
            replace(SPOKEN, guesses=[*SPOKEN.guesses[:2], [("su", 1.0)]]),
            4,
            r"at each step, at least 1, got \[1, 2\]",
        ),
        (replace(SPOKEN, guesses=[[("su", 1.2), ("hund", 0.0)]] * 3), 4, "from 0 to 1, got 0.0 to 1.2"),
    ],
)
def test_encoder_decoder_steps_refuse_what_does_not_fit(sentence, units, message):
    with pytest.raises(ValueError, match=message):
        encoder_decoder_steps([] if sentence is None else [sentence], units=units)


def test_encoder_decoder_steps_refuse_too_many_sentences():
    with pytest.raises(ValueError, match="from 1 to 300, got 301"):
        encoder_decoder_steps([SPOKEN] * 301, units=4)


def test_gate_playground_has_its_still_version():
    figure = gate_playground(forget=0.9, weight=0.7, start=0.0, steps=40)
    rows = {row[0]: row[1:] for row in figure.fallback[1:]}
    assert rows["LSTM, forget bias 0: 0.50"] == ("1", "0.5", "0.031", "9.5e-07", "9.1e-13")
    assert rows["LSTM, remember for ever"] == ("for ever", "1", "1", "1", "1")
    assert rows["plain cell, w = 0.7"] == (
        "2",
        *(f"{0.7**t:.2g}" for t in (1, 5, 20, 40)),
    )  # tanh has slope 1 at 0
    assert rows["plain cell, w = 1.2"][0] == "for ever"
    ends = [0.8 - 1e-6, 0.8 + 1e-6]  # away from 0 the slope counts: by a difference instead of a product
    for _ in range(5):
        ends = [math.tanh(0.7 * h) for h in ends]
    away = {row[0]: row[1:] for row in gate_playground(weight=0.7, start=0.8, steps=40).fallback[1:]}
    assert away["plain cell, w = 0.7"][2] == f"{(ends[1] - ends[0]) / 2e-6:.2g}"
    assert figure.alt.startswith(
        "With a forget gate of 0.9, an LSTM cell keeps 0.12 of its first value after 20 steps; its half-life is 7 "
    )
    presets = {name: gates for name, *gates in data_of(figure)["presets"]}
    assert presets["forget bias 4: 0.98"][0] == pytest.approx(math.exp(4) / (1 + math.exp(4)), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"forget": 1.1}, "'forget' must be from 0 to 1, got 1.1"),
        ({"weight": -0.1}, "'weight' must be from 0 to 1.5, got -0.1"),
        ({"start": math.nan}, "'start' must be from -1 to 1, got nan"),
        ({"steps": 5}, "'steps' must be from 10 to 200, got 5"),
    ],
)
def test_gate_playground_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        gate_playground(**arguments)


EVEN = np.full((2, 2, 2, 3), 1 / 3)
CROSS = HeadMaps(["lomi", "rusa"], ["the", "fox", "sings"], EVEN, [(1, 0), (2, 1)], "cross-attention")
LOOKS_BACK = np.array([[[[1.0, 0, 0], [1, 0, 0], [0, 0.75, 0.25]], [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]]])
DECODER = HeadMaps(["a", "b", "c"], ["a", "b", "c"], LOOKS_BACK, kind="decoder", causal=True)


def test_head_explorer_packs_weights_as_bytes_and_tells_the_heads_apart():
    weights = EVEN.copy()
    weights[1, 0] = [[0, 1, 0], [0, 0.25, 0.75]]
    figure = head_explorer([replace(CROSS, weights=weights), DECODER])
    first, second = data_of(figure)["texts"]
    levels = np.frombuffer(bytes.fromhex(first["maps"]), dtype=np.uint8).reshape(2, 2, 2, 3)
    assert levels.tolist() == np.rint(255 * weights).astype(int).tolist()
    assert first["links"] == [[1], [2]]
    assert (second["layers"], second["heads"], second["causal"]) == (1, 2, True)
    rows = {row[:3]: row[3:] for row in figure.fallback[1:]}
    assert rows["cross-attention", 2, 1] == (
        "2 of 2",
        "–",
        "–",
        f"{math.exp((0.25 * math.log(4) + 0.75 * math.log(4 / 3)) / 2):.1f}",
    )
    assert rows["cross-attention", 1, 1] == ("0 of 2", "–", "–", "3.0")  # of equal weights the first counts
    assert rows["decoder", 1, 1][:3] == ("–", "0.13", "0.87")
    assert rows["decoder", 1, 2][:3] == ("–", "0.75", "0.25")
    assert figure.alt == (
        "cross-attention: 4 heads. Layer 2, head 1 is right most often, for 2 of 2 words. "
        "decoder: 2 heads. Layer 1, head 1 looks most at the word before, with a mean weight of 0.87."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "'texts' must hold at least one text, got none"),
        (replace(CROSS, weights=EVEN[0]), r"must be \(layers, heads, 2, 3\) numbers, got \(2, 2, 3\) in text 0"),
        (replace(CROSS, queries=["lomi"]), r"\(layers, heads, 1, 3\) numbers, got \(2, 2, 2, 3\)"),
        (replace(CROSS, keys=[]), "in text 0"),
        (replace(CROSS, weights=EVEN[:, :0]), r"got \(2, 0, 2, 3\)"),
        (replace(CROSS, weights=EVEN * 2), "sum to 1 over the keys, got another row in text 0"),
        (replace(CROSS, weights=EVEN * np.nan), "'weights' must be 0 or more"),
        (replace(CROSS, links=[(3, 0)]), r"'links' must be pairs below \(3, 2\), got \(3, 0\) in text 0"),
        (replace(CROSS, links=[(0, 2)]), r"got \(0, 2\)"),
        (replace(CROSS, causal=True), "'causal' must be a text that looks at itself and never ahead"),
        (replace(DECODER, weights=np.full((1, 1, 3, 3), 1 / 3)), "never ahead, got weight there in text 0"),
    ],
)  # fmt: skip
def test_head_explorer_refuses_what_does_not_fit(text, message):
    with pytest.raises(ValueError, match=message):
        head_explorer([] if text is None else [text])


NODES = [
    BeamNode(-1, "lomi", -0.5, "kept"),
    BeamNode(-1, "su", -1.5, "kept"),
    BeamNode(-1, "tu", -3.0, "cut"),
    BeamNode(0, "<eos>", -1.0, "finished"),
    BeamNode(1, "mi", -0.25, "kept"),
    BeamNode(4, "rusa", -0.25, "finished"),
]
SEARCH = BeamTree(["the", "fox"], ["lomi"], 2, NODES)
GREEDY = BeamTree(["the", "fox"], ["lomi"], 1, [NODES[0], BeamNode(0, "<eos>", -1.0, "finished")])


def test_beam_tree_marks_the_greedy_path_and_tells_what_won():
    assert finished_paths(SEARCH) == [(["lomi", "<eos>"], -1.5), (["su", "mi", "rusa"], -2.0)]
    figure = beam_tree([SEARCH, GREEDY])
    (sentence,) = data_of(figure)["sentences"]
    assert [tree["width"] for tree in sentence["trees"]] == [1, 2]
    assert sentence["trees"][1]["greedy"] == [1, 0, 0, 1, 0, 0]
    assert sentence["trees"][1]["fate"] == "KKCFKF"
    assert sentence["trees"][1]["parent"] == [-1, -1, -1, 0, 1, 4]
    assert figure.fallback[1:] == [
        ("the fox", 1, "lomi <eos>", "-1.50", "lomi <eos>", "yes"),
        ("the fox", 2, "lomi <eos>", "-1.50", "lomi <eos>", "yes"),
    ]
    longer = nodes(1, log_probability=-1.1)  # 1.6 / (8 / 6) < 1.5 / (7 / 6)
    figure = beam_tree([replace(longer, reference=["su"])])
    assert figure.fallback[1][2:] == ("lomi <eos>", "-1.50", "su mi rusa", "no")
    assert data_of(figure)["sentences"][0]["trees"][0]["greedy"] == [0] * 6  # nobody has said which it is
    assert figure.alt.endswith("the best hypothesis by log P is the reference in 0 of them.")


def nodes(at: int, **changes) -> BeamTree:
    return replace(SEARCH, nodes=[*NODES[:at], replace(NODES[at], **changes), *NODES[at + 1 :]])


@pytest.mark.parametrize(
    ("trees", "message"),
    [
        ([], "'trees' must hold at least one search, got none"),
        ([SEARCH, SEARCH], "other widths for one sentence, got 2 twice"),
        ([replace(SEARCH, width=0)], "'width' must be at least 1, got 0"),
        ([replace(SEARCH, width=1)], "keep at most width=1 in a step, got more in node 1 of width 1"),
        ([nodes(2, fate="lost")], "'fate' must be 'kept', 'cut' or 'finished', got 'lost' in node 2"),
        ([nodes(4, parent=2)], "'parent' must be -1 or the place of an earlier node that was kept, got 2 in node 4"),
        ([nodes(5, parent=3)], "got 3 in node 5"),
        ([nodes(0, parent=4)], "got 4 in node 0"),
        ([nodes(1, log_probability=0.5)], "'log_probability' must be finite and at most 0, got 0.5 in node 1"),
        ([nodes(1, log_probability=-math.inf)], "got -inf in node 1"),
        ([nodes(5, parent=-1)], "listed step by step, got one of step 1 behind 2 in node 5"),
        ([replace(SEARCH, nodes=NODES[:3])], "at least one that finished, got none for 'the fox'"),
    ],
)  # fmt: skip
def test_beam_tree_refuses_what_is_no_search(trees, message):
    with pytest.raises(ValueError, match=message):
        beam_tree(trees)


THREE = NextToken("the", ["fox", "<b>", "dog"], np.log([0.2, 0.5, 0.3]))


def test_sampling_playground_has_its_still_version():
    sure = NextToken("a", THREE.tokens, np.array([9.0, 0, 0]))
    figure = sampling_playground([THREE, sure], rows=2)
    data = data_of(figure)
    assert data["vocab"] == ["fox", "<b>", "dog"]
    assert data["prompts"][0]["logits"] == [round(1000 * math.log(p / 0.5)) for p in (0.2, 0.5, 0.3)]
    rows = {row[:2]: row[2:] for row in figure.fallback[1:]}
    assert len(rows) == 2 * len(PRESETS)
    assert rows["the", "greedy"] == ("0.00", 1, "<b> 1.00")
    assert rows["the", "as it is"] == ("1.03", 3, "<b> 0.50, dog 0.30, fox 0.20")
    assert rows["a", "nucleus"] == ("0.00", 1, "fox 1.00")
    assert figure.alt == (
        "The law of the next token over 3 tokens. Its entropy is lowest after “a”, 0.00 nats, and highest after “the”, 1.03 nats."
    )


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        ((1, 0, 1), [1, 1, 1, 1]),
        ((1, 2, 1), [0, 1, 1, 1]),  # who ties with the second stays
        ((1, 0, 0.5), [0, 1, 1, 0]),  # 0.4 and then 0.25: the one that crosses is in, of equals the first
        ((1, 0, 0.39), [0, 1, 0, 0]),
        ((1, 1, 0.9), [0, 1, 0, 0]),
        ((0, 3, 0.2), [0, 1, 0, 0]),
        ((9, 0, 0.5), [0, 1, 1, 0]),
    ],
)
def test_sampled_law_keeps_what_it_says(how, kept):
    law, which = sampled_law(np.log([0.1, 0.4, 0.25, 0.25]), *how)
    assert which.tolist() == [bool(k) for k in kept]
    assert law.sum() == pytest.approx(1)
    assert ((law > 0) == which).all()


@pytest.mark.parametrize(
    ("prompts", "rows", "message"),
    [
        ([], 5, "'prompts' must hold at least one prompt, got none"),
        ([THREE], 0, "'rows' must be at least 1, got 0"),
        ([THREE, replace(THREE, tokens=["fox", "dog", "<b>"])], 5, "'tokens' must be the same in all prompts, got others in prompt 1"),
        ([replace(THREE, logits=np.zeros(2))], 5, r"'logits' must be 3 finite numbers, one for each token, got \(2,\) in prompt 0"),
        ([replace(THREE, logits=np.array([0, np.nan, 0]))], 5, "'logits' must be 3 finite numbers"),
        ([replace(THREE, tokens=["a"] * 20_001)], 5, "at most 20000 logits, got 1 times 20001"),
    ],
)  # fmt: skip
def test_sampling_playground_refuses_what_does_not_fit(prompts, rows, message):
    with pytest.raises(ValueError, match=message):
        sampling_playground(prompts, rows=rows)


STAGE = FlowStage(
    "embedding",
    (1, 2, 5),
    "A row for each id.",
    np.array([[1.0, -2, 0, 4, 5], [0, 0, 1, 0, 0]]),
    part="Input",
)
LAWS = FlowStage(
    "probabilities",
    (1, 2, 9),
    "The softmax.",
    np.array([[0.25, 0.5, 0], [1, 0, 0]]),
    ["sings", ".", "<b>"],
    "Output",
)
PASS = FlowRound("a fox", ["a", "fox"], [3, 7], [STAGE, LAWS], [("sings", 0.9), (".", 0.1)], "sings")  # fmt: skip


def test_flow_packs_each_stage_relative_to_its_largest_value():
    figure = flow([PASS, replace(PASS, chosen=".")], columns=4)
    data = data_of(figure)
    assert data["names"] == [
        {"name": "embedding", "part": "Input"},
        {"name": "probabilities", "part": "Output"},
    ]
    one = data["rounds"][0]
    assert one["scales"] == [4.0, 1.0]  # of what is shown
    assert one["columns"] == [4, 3]
    levels = np.frombuffer(bytes.fromhex(one["maps"][0]), dtype=np.uint8)
    assert levels.tolist() == [160, 64, 128, 255, 128, 128, 160, 128]
    assert np.frombuffer(bytes.fromhex(one["maps"][1]), dtype=np.uint8).tolist() == [
        160,
        192,
        128,
        255,
        128,
        128,
    ]
    assert one["labels"] == [[], ["sings", ".", "<b>"]]
    assert figure.alt.endswith("in 2 rounds; the tokens taken are “sings” “.”.")
    assert [row[:2] for row in figure.fallback[1:]] == [
        *((1, "text"), (1, "embedding"), (1, "probabilities"), (1, "next token")),
        *((2, "text"), (2, "next token")),
    ]
    empty = replace(STAGE, values=np.zeros((2, 3)))
    assert data_of(flow([replace(PASS, stages=[empty])]))["rounds"][0]["maps"] == ["80" * 6]


@pytest.mark.parametrize(
    ("rounds", "columns", "message"),
    [
        ([], 4, "at least one round with a stage, got 0 rounds"),
        ([replace(PASS, stages=[])], 4, "at least one round with a stage, got 1 rounds"),
        ([PASS], 0, "'columns' must be at least 1, got 0"),
        ([PASS, replace(PASS, stages=[STAGE])], 4, "'stages' must be the same in every round, got others in round 1"),
        ([replace(PASS, ids=[3])], 4, "'ids' must be one for each of 2 tokens, got 1 in round 0"),
        ([replace(PASS, guesses=[("a", 1.5)])], 4, r"from 0 to 1, got \[1.5\] in round 0"),
        ([replace(PASS, guesses=[])], 4, r"got \[\] in round 0"),
        ([replace(PASS, stages=[replace(STAGE, values=np.zeros((3, 5)))])], 4, r"a row for each of 2 tokens, got \(3, 5\) in 'embedding' of round 0"),
        ([replace(PASS, stages=[replace(STAGE, values=np.full((2, 5), np.inf))])], 4, "'values' must be finite"),
        ([replace(PASS, stages=[replace(STAGE, columns=["a"])])], 4, "'columns' must name all 5 columns or none, got 1 in 'embedding'"),
    ],
)  # fmt: skip
def test_flow_refuses_what_does_not_fit(rounds, columns, message):
    with pytest.raises(ValueError, match=message):
        flow(rounds, columns=columns)
