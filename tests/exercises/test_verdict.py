"""When a hint is given, and how an answer is judged that yields while its input is still being made."""

from __future__ import annotations

import math

import pytest
import torch

from lmcourse.authoring.chapter import Chapter
from lmcourse.authoring.spec import Call, Exercise
from lmcourse.exercises.codec import pack
from lmcourse.exercises.compare import law
from lmcourse.exercises.outcome import call_packed
from lmcourse.exercises.verdict import judge


def record_of(exercise, reference):
    return Chapter("00_test", [exercise], [], {exercise.name: reference}).record().exercises[0]


def verdict_of(record, answer):
    return judge(record, lambda packed: call_packed(answer, packed, collect=record.collect))


# Hints ---------------------------------------------------------------------------------------------------------------


def double_cases(rng):
    for n in range(20):
        yield Call(f"the number {n}", n)


double = Exercise("double", title="Double", points=1, minutes=1, cases=double_cases, visible=20)


@double.mistake("From 10 on you forget to double: the number comes back as it was.")
def from_ten_on(n):
    return n if n >= 10 else 2 * n


@pytest.fixture(scope="module")
def doubled():
    return record_of(double, lambda n: 2 * n)


def test_a_hint_is_given_where_answer_and_mistake_go_wrong_alike(doubled):
    assert verdict_of(doubled, from_ten_on).hint.startswith("From 10 on")


def test_a_hint_is_still_given_when_the_answer_has_one_slip_more(doubled):
    verdict = verdict_of(doubled, lambda n: n + [][0] if n == 19 else from_ten_on(n))
    assert (verdict.passed, verdict.mistake) == (10, 0)


def test_no_hint_where_the_mistake_would_have_failed_cases_that_pass(doubled):
    """The single failure looks like the mistake, but the answer gets right what the mistake gets wrong."""
    verdict = verdict_of(doubled, lambda n: n if n == 10 else 2 * n)
    assert (verdict.status, verdict.passed, verdict.hint) == ("failed", 19, None)


def test_no_hint_where_the_mistake_explains_too_few_of_the_failures(doubled):
    verdict = verdict_of(doubled, lambda n: n if 10 <= n < 17 else 2 * n if n < 10 else -1)
    assert (verdict.passed, verdict.hint) == (10, None)


def test_no_hint_where_the_first_failure_is_another_one(doubled):
    assert verdict_of(doubled, lambda n: from_ten_on(n) if n else "zero").hint is None


# Streams -------------------------------------------------------------------------------------------------------------


def shout_cases(rng):
    yield Call("three words", ["a", "b", "c"], "!")
    yield Call("an empty word", ["a", "", "c"], "!")
    yield Call("nothing", [], "!")


def shout(words, mark):
    for word in words:
        if word:
            yield word + mark


shouting = Exercise("shout", title="Shout", points=1, minutes=1, cases=shout_cases, collect="stream")


@pytest.fixture(scope="module")
def shouted():
    return record_of(shouting, shout)


def test_an_answer_that_yields_as_it_takes_passes(shouted):
    assert verdict_of(shouted, shout).status == "passed"
    assert verdict_of(shouted, lambda words, mark: (w + mark for w in words if w)).status == "passed"


def test_an_answer_that_takes_all_before_it_yields_is_told_when_it_should_have(shouted):
    failure = verdict_of(shouted, lambda words, mark: shout(list(words), mark)).failure
    assert failure.difference == "yielded 'a!' only after 3 words were taken, expected after 1"
    assert failure.call == "shout(iter(['a', 'b', 'c']), '!')"
    assert failure.expected == "'a!' after 1, 'b!' after 2, 'c!' after 3"
    assert failure.got == "'a!' after 3, 'b!' after 3, 'c!' after 3"


def test_what_was_yielded_is_told_before_when(shouted):
    failure = verdict_of(shouted, lambda words, mark: iter(list(words))).failure
    assert failure.difference == "[0] is 'a', expected 'a!'"
    assert (failure.expected, failure.got) == ("['a!', 'b!', 'c!']", "['a', 'b', 'c']")


def test_what_comes_before_its_word_was_taken_is_too_early(shouted):
    def guesses(words, mark):
        yield "a!"
        yield from [w + mark for w in words if w][1:]

    failure = verdict_of(shouted, guesses).failure
    assert failure.difference == "yielded 'a!' too early: 0 of the words had been taken, expected 1"


def test_a_stream_has_no_length_and_an_answer_must_be_an_iterator(shouted):
    failure = verdict_of(shouted, lambda words, mark: iter([len(words)])).failure
    assert "has no len()" in failure.difference
    failure = verdict_of(shouted, lambda words, mark: [w + mark for w in words]).failure
    assert "expected an iterator (use yield), got a list" in failure.difference


@pytest.mark.parametrize("value", [None, "ab", ["a!"], [("a!", "1")], [("a!", 1, 2)]])
def test_a_damaged_stream_of_a_strange_process_is_a_failure_and_no_crash(shouted, value):
    outcome = pack({"kind": "returned", "value": value, "mutated": False})
    verdict = judge(shouted, lambda packed: outcome)
    assert (verdict.status, verdict.failure.difference) == (
        "failed",
        "the outcome does not have the agreed form",
    )


def test_items_are_judged_alone_where_the_input_is_no_stream():
    listed = Exercise("shout", title="Shout", points=1, minutes=1, cases=shout_cases, collect="list")
    record = record_of(listed, shout)
    assert verdict_of(record, lambda words, mark: shout(words[:], mark)).status == "passed"
    assert verdict_of(record, lambda words, mark: iter([len(words)])).status == "failed"
    with pytest.raises(ValueError, match="'collect' must be '', 'list' or 'stream', got True"):
        Exercise("shout", title="Shout", points=1, minutes=1, cases=shout_cases, collect=True)


# Laws of a trained model ---------------------------------------------------------------------------------------------


def coin_cases(rng):
    yield Call("three coins", 3)


def coins(n):
    return torch.full((n, 2), 0.5).log()


def biased(n, heads=0.25):
    return torch.tensor([[heads, 1 - heads]]).log().expand(n, 2)


def unasked(n):
    raise AssertionError("where there is an oracle, nobody asks the reference")


guessing = Exercise(
    "guess",
    title="Guess",
    points=1,
    minutes=1,
    cases=coin_cases,
    compare=law(within=0.15, why=""),
    oracle=coins,
)


@guessing.mistake("Those are probabilities; wanted are their natural logarithms.")
def in_probabilities(n):
    return torch.full((n, 2), 0.25).double() + torch.tensor([0.0, 0.5])


@guessing.mistake("Your model is sure of what cannot be known, so look at its targets.")
def sure(n):
    return biased(n, heads=1e-4)


@pytest.fixture(scope="module")
def guessed():
    return record_of(guessing, unasked)


def test_a_law_passes_that_is_near_enough_to_the_true_one(guessed):
    for answer in (coins, biased, lambda n: coins(n).double(), lambda n: biased(n).numpy()):
        assert verdict_of(guessed, answer).status == "passed"


def test_how_far_the_loss_is_above_its_floor_is_told(guessed):
    # -(ln 0.2 + ln 0.8) / 2 = 0.9163, and the floor is ln 2 = 0.6931.
    failure = verdict_of(guessed, lambda n: biased(n, heads=0.2)).failure
    assert failure.difference == (
        "the loss is 0.916 nats per token, the floor 0.693: 0.223 above it, at most 0.15 is allowed"
    )


def test_the_mean_over_the_rows_counts_and_each_row_is_weighted_by_the_true_law():
    uneven = Exercise(
        "guess", title="Guess", points=1, minutes=1, cases=coin_cases, compare=law(within=0.1, why=""),
        oracle=lambda n: torch.tensor([[1.0, 0.0], [0.5, 0.5]]).log(),
    )  # fmt: skip
    record = record_of(uneven, unasked)
    # -ln 0.9 = 0.105 in the first row and 0 above the floor in the second: 0.053 on the mean.
    near = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log()
    assert verdict_of(record, lambda n: near).status == "passed"
    assert "0.112 above it" in verdict_of(record, lambda n: torch.tensor([[0.8, 0.2], [0.5, 0.5]]).log()).failure.difference  # fmt: skip
    assert "inf above it" in verdict_of(record, lambda n: torch.tensor([[0.0, 1.0], [0.5, 0.5]]).log()).failure.difference  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda n: coins(n) + 0.7, "add up to 2.01375, expected 1: no law"),
        (lambda n: coins(n)[0], "has shape (2,), expected (3, 2)"),
        (lambda n: coins(n) * math.nan, "the result[0] holds nan, expected log-probabilities"),
        (lambda n: torch.zeros(n, 2, dtype=torch.int64), "has dtype torch.int64, expected floats"),
        (lambda n: coins(n).tolist(), "is a list, expected a tensor of shape (3, 2)"),
        (lambda n: torch.full((n, 2), -math.inf), "add up to 0, expected 1: no law"),
    ],
)
def test_what_is_no_law_is_told(guessed, answer, said):
    verdict = verdict_of(guessed, answer)
    assert (verdict.status, verdict.hint) == ("failed", None)
    assert said in verdict.failure.difference


def test_a_hint_goes_by_the_kind_of_what_came_since_no_two_trainings_are_alike(guessed):
    assert verdict_of(guessed, lambda n: biased(n, heads=0.3).exp()).mistake == 0
    assert verdict_of(guessed, lambda n: biased(n, heads=1 - 1e-3)).mistake == 1
    assert verdict_of(guessed, lambda n: biased(n, heads=0.05)).mistake is None, (
        "not near, and not sure either"
    )
