"""Builders of interactive figures: what they refuse, and what they put into the page."""

import json
import math
import re
from copy import deepcopy

import numpy as np
import pytest

from lmcourse.widgets.embeddings import rope_dials, window_pairs, word_map
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
