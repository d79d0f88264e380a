"""The chain rule against enumeration, and generated texts against the law they are drawn from."""

import itertools
import json
import math

import numpy as np
import pytest
from scipy import stats

from lmcourse.sequences import (
    AddK,
    LanguageModel,
    MaximumLikelihood,
    NGramModel,
    StupidBackoff,
    generate,
    guessing_game,
    log_probabilities,
    log_probability,
)

END = 0
TEXTS = [[1, 2, 0], [1, 1, 2, 0], [2, 0], [1, 0], [0]]


@pytest.fixture
def model() -> NGramModel:
    return NGramModel.train(TEXTS, 2, 3, AddK(0.5))


def test_the_chain_rule_multiplies_what_the_steps_say(model):
    start, after_1, after_2 = (model.next_probabilities(prefix) for prefix in ([], [1], [1, 2]))
    expected = start[1] * after_1[2] * after_2[0]
    assert math.exp(log_probability(model, [1, 2, 0])) == pytest.approx(expected)
    np.testing.assert_allclose(log_probabilities(model, [1, 2, 0]), -model.surprisal([[1, 2, 0]]))
    assert log_probability(model, []) == 0


def test_the_probabilities_of_all_texts_and_all_unfinished_ones_sum_to_one(model):
    finished = sum(
        math.exp(log_probability(model, [*text, END]))
        for length in range(7)
        for text in itertools.product([1, 2], repeat=length)
    )
    unfinished = sum(math.exp(log_probability(model, text)) for text in itertools.product([1, 2], repeat=7))
    assert finished + unfinished == pytest.approx(1)
    assert finished < 1


def test_an_impossible_text_has_no_probability():
    model = NGramModel.train([[1, 0]], 2, 3, MaximumLikelihood())
    assert log_probability(model, [2, 0]) == -math.inf


def test_generated_texts_follow_the_law(model):
    """All 13 texts of up to two tokens and an end or a third token, counted among 4,000: chi-square at 0.001, seeds fixed."""
    drawn = [tuple(generate(model, end=END, max_new_tokens=3, seed=seed)) for seed in range(4000)]
    texts = [t for n in (1, 2, 3) for t in itertools.product(range(3), repeat=n)]
    texts = [t for t in texts if END not in t[:-1] and (t[-1] == END or len(t) == 3)]
    assert set(drawn) <= set(texts)
    expected = [4000 * math.exp(log_probability(model, text)) for text in texts]
    assert sum(expected) == pytest.approx(4000)
    assert stats.chisquare([drawn.count(text) for text in texts], expected).pvalue > 0.001


def test_the_prefix_is_context_and_is_not_returned():
    model = NGramModel.train([[1, 2, 0], [2, 1, 0]], 3, 3, MaximumLikelihood())
    assert generate(model, [1], end=END) == [2, 0]
    assert generate(model, [2], end=END) == [1, 0]


def test_a_seed_fixes_the_text_and_a_limit_cuts_it(model):
    assert generate(model, end=END, seed=3) == generate(model, end=END, seed=3)
    assert len({tuple(generate(model, end=END, seed=seed)) for seed in range(20)}) > 3
    assert all(len(generate(model, [1], end=END, max_new_tokens=2, seed=s)) <= 2 for s in range(20))
    with pytest.raises(ValueError, match="'max_new_tokens' must be at least 1, got 0"):
        generate(model, end=END, max_new_tokens=0)


def test_scores_are_refused():
    model = NGramModel.train(TEXTS, 2, 3, StupidBackoff())
    assert isinstance(model, LanguageModel)
    with pytest.raises(ValueError, match="'model' must give probabilities that sum to one, got"):
        generate(model, [1, 2], end=END)
    with pytest.raises(ValueError, match="'model' must give probabilities that sum to one, got"):
        log_probability(model, [1, 2, 0])


# --- the guessing game ---------------------------------------------------------------------------------------


def test_the_game_shows_surprisal_rank_and_guesses():
    class Fixed:
        def next_probabilities(self, prefix):
            return np.array([0.2, 0.5, 0.2, 0.1]) if len(prefix) < 2 else np.array([1.0, 0, 0, 0])

    (game,) = guessing_game([[2, 1, 3]], {"fixed": Fixed()}, [".", "the", "sea", "<b>"], top=3)
    assert game["tokens"] == ["sea", "the", "<b>"]
    played = game["models"]["fixed"]
    assert played["nats"] == [round(-math.log(0.2), 4), round(math.log(2), 4), None]
    assert played["rank"] == [3, 1, 4], "of equal guesses the smaller id comes first"
    assert played["guesses"][0] == [["the", 0.5], [".", 0.2], ["sea", 0.2]]
    assert played["guesses"][2][0] == [".", 1.0]


def test_equal_guesses_stand_in_the_order_of_their_ids():
    class Two:
        def next_probabilities(self, prefix):
            return np.where(np.arange(1000) % 2 == 0, 1.5, 0.5) / 1000

    words = [str(token) for token in range(1000)]
    (game,) = guessing_game([[700]], {"two": Two()}, words, top=1000)
    assert [word for word, _ in game["models"]["two"]["guesses"][0]] == words[::2] + words[1::2]
    assert game["models"]["two"]["rank"] == [351]


def test_the_game_is_json_and_agrees_with_the_models(model):
    games = guessing_game(TEXTS, {"bigram": model}, [".", "a", "b"], top=1)
    assert json.loads(json.dumps(games)) == games
    nats = [value for game in games for value in game["models"]["bigram"]["nats"]]
    np.testing.assert_allclose(nats, model.surprisal(TEXTS), atol=6e-5)
    with pytest.raises(ValueError, match="'top' must be from 1 to the size of the vocabulary, 3, got 4"):
        guessing_game(TEXTS, {"bigram": model}, [".", "a", "b"], top=4)
