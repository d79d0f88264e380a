"""The judges themselves: right answers pass whatever the seed, known mistakes fail with their own hint."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lmcourse.authoring.chapter import load
from lmcourse.authoring.course import chapter_names
from lmcourse.authoring.judging import judge_function, judge_namespace
from lmcourse.exercises.outcome import call_packed
from lmcourse.exercises.verdict import judge
from tests.conftest import ROOT

CHAPTERS = {name: load(name, ROOT) for name in chapter_names(ROOT)}
RECORDS = {name: chapter.record() for name, chapter in CHAPTERS.items()}
EXERCISES = [
    pytest.param(name, e, id=f"{name}-{e.name}") for name, c in CHAPTERS.items() for e in c.exercises
]
SEEDS = range(1, 201)


@pytest.mark.parametrize(("chapter", "exercise"), EXERCISES)
def test_each_known_mistake_is_rejected_with_its_hint(chapter, exercise):
    visible = RECORDS[chapter].find(exercise.name)
    for mistake in exercise.mistakes:
        verdict = judge(
            visible, lambda packed, m=mistake: call_packed(m.function, packed, collect=exercise.collect)
        )
        assert (verdict.status, verdict.hint) == ("failed", mistake.hint), mistake.name


@pytest.mark.parametrize(("chapter", "exercise"), EXERCISES)
def test_right_answers_in_other_styles_are_accepted_on_hidden_cases_of_200_seeds(chapter, exercise):
    answers = [CHAPTERS[chapter].references[exercise.name], *exercise.alternatives]
    visible = RECORDS[chapter].find(exercise.name)
    for answer in answers:
        verdict = judge_function(answer, visible, visible)
        assert verdict.status == "passed", (answer.__name__, verdict)
    # The hidden cases of many seeds: the random tail of each, since the edge cases before it are the same every time.
    small = CHAPTERS[chapter].__class__(
        chapter, [_shorter(exercise)], [], {exercise.name: CHAPTERS[chapter].references[exercise.name]}
    )
    for seed in SEEDS:
        record = small.record(seed, hidden=True).exercises[0]
        for answer in exercise.alternatives:
            verdict = judge(record, lambda packed, a=answer: call_packed(a, packed, collect=exercise.collect))
            assert verdict.status == "passed", (answer.__name__, seed, verdict)


def _shorter(exercise):
    """The exercise with only its random cases, five a seed."""
    edges = len({c.about for c in exercise.take(1, exercise.visible)}) - 1

    def random_cases(rng):
        for i, call in enumerate(exercise.cases(rng)):
            if i >= edges or exercise.secret:
                yield call

    return type(exercise)(
        exercise.name,
        title=exercise.title,
        points=exercise.points,
        minutes=exercise.minutes,
        cases=random_cases,
        compare=exercise.compare,
        hidden=5,
        secret=exercise.secret,
        collect=exercise.collect,
        may_mutate=exercise.may_mutate,
        oracle=exercise.oracle,
    )


@pytest.mark.parametrize(("chapter", "exercise"), EXERCISES)
def test_an_exercise_has_what_a_good_judge_needs(chapter, exercise):
    assert len(exercise.mistakes) >= 5
    assert exercise.alternatives
    names = [m.name for m in exercise.mistakes]
    assert len(set(names)) == len(names)
    for mistake in exercise.mistakes:
        assert len(mistake.hint.split()) >= 6, "a hint says what was misunderstood"
    if not exercise.secret:
        assert len(exercise.take(0, 100)) == 100, "random cases must not run out"
        abouts = [c.about for c in exercise.take(0, exercise.visible)]
        assert len(set(abouts)) >= 6, "edge cases come first, each with a name"


@pytest.mark.parametrize(("chapter", "exercise"), EXERCISES)
def test_what_an_exercise_refuses_is_what_a_library_calls_it(chapter, exercise):
    homes = [np, np.linalg, torch, torch.nn, torch.nn.functional, torch.linalg]
    for name in exercise.refuse:
        found = [getattr(home, name) for home in homes if hasattr(home, name)]
        assert found, name
        assert {each.__name__ for each in found} == {name}


def test_an_attempt_that_uses_what_is_refused_is_not_judged():
    def attention(q, k, v, mask):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, mask), mask

    visible = RECORDS["04_attention"].find("attention")
    verdict = judge_function(attention, visible, visible)
    assert (verdict.status, verdict.points) == ("refused", 0)
    assert verdict.reason.startswith("attention uses scaled_dot_product_attention: ")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_gives_20_points_and_asks_one_answer_in_words(chapter):
    points = 10 if chapter == "00_sequences" else 20  # the prelude is half as long
    assert sum(e.points for e in CHAPTERS[chapter].exercises) == points
    assert len(CHAPTERS[chapter].written) == 1
    assert 4 <= len(CHAPTERS[chapter].exercises) <= 8


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_solution_judged_as_an_attempt_earns_full_points(chapter):
    verdicts = judge_namespace(CHAPTERS[chapter], CHAPTERS[chapter].references, seed=12345)
    assert [v.status for v in verdicts] == ["passed"] * len(verdicts)


def test_other_seeds_ask_other_cases():
    chapter = CHAPTERS["01_tokens"]
    one, two = chapter.record(1, hidden=True), chapter.record(2, hidden=True)
    for a, b in zip(one.exercises, two.exercises, strict=True):
        if a.name != "predict_merges":
            assert {c.packed_args for c in a.cases} != {c.packed_args for c in b.cases}
    assert chapter.record(1, hidden=True) == one
