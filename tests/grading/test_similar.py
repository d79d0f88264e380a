"""Which answers look alike: copies are found whatever they are called, and what all would write is not."""

from __future__ import annotations

import random
import re
import time

import pytest

from lmcourse.grading.reporting.similar import FEWEST, alike, fingerprints, how_alike
from lmcourse.grading.reporting.syntax import normal_form
from tests.grading.conftest import ANSWERS

LOOP = """def merge_pair(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
"""
OWN = '''def best_segmentation(text: str, log_probs: dict[str, float]) -> tuple[list[str], float]:
    """Best cut and its share."""
    # a table from the place to score, scores of all ways, and the piece
    table = {0: (0.0, [0.0], None)}
    for place in range(1, len(text) + 1):
        ways: list = []
        sums = []
        for piece, score in log_probs.items():
            before = place - len(piece)
            if before in table and text[before:place] == piece:
                known = table[before]
                ways.append((known[0] + score, piece))
                high = max(known[1])
                sums.append(score + high + math.log(sum(math.exp(s - high) for s in known[1])))
        if ways:
            value, piece = max(ways, key=lambda way: way[0])
            table[place] = (value, sums, piece)
    if len(text) not in table:
        raise ValueError("no way to spell it")
    found, place = [], len(text)
    while place:
        found.insert(0, table[place][2])
        place -= len(table[place][2])
    return found, math.exp(table[len(text)][0] - math.log(sum(map(math.exp, table[len(text)][1]))))
'''
COPY = """def best_segmentation(text, log_probs):
    memo = {0: (0.0, [0.0], None)}
    for j in range(1, len(text) + 1):
        options, totals = [], None
        totals = []
        for word, lp in log_probs.items():
            start = j - len(word)
            if start in memo and text[start:j] == word:
                prev = memo[start]
                options.append((prev[0] + lp, word))
                top = max(prev[1])
                totals.append(lp + top + math.log(sum(math.exp(t - top) for t in prev[1])))
        if options:
            best, word = max(options, key=lambda o: o[0])
            memo[j] = (best, totals, word)
    if len(text) not in memo:
        raise ValueError("cannot be spelled")
    pieces, j = [], len(text)
    while j:
        pieces.insert(0, memo[j][2])
        j -= len(memo[j][2])
    return pieces, math.exp(memo[len(text)][0] - math.log(sum(map(math.exp, memo[len(text)][1]))))
"""


def renamed(
    code: str, rng: random.Random, words=("merged", "i", "best", "total", "ways", "start", "score")
) -> str:
    for word in words:
        code = re.sub(rf"\b{word}\b", f"{word}_{rng.randrange(5)}", code)
    return code


def a_class(exercise: str, code: str, number: int = 40) -> dict[str, dict[str, str]]:
    rng = random.Random(1)
    return {exercise: {f"s{i:02}": renamed(code, rng) for i in range(number)}}


def random_answer(rng: random.Random, lines: int = 25) -> str:
    """A long answer that nobody else has: what an own way of one's own would be."""
    a, op = (
        lambda: rng.choice("abcdefg"),
        lambda: rng.choice(("+", "-", "*", "//", "%", "and", "or", "<", ">")),
    )
    body = [
        f"    {a()} = {a()} {op()} {rng.choice(('len', 'max', 'sum'))}({a()}) {op()} {rng.randrange(9)}"
        for _ in range(lines)
    ]
    return "\n".join(["def best_segmentation(text, log_probs):", *body, "    return a"])


def test_a_copy_is_found_under_other_names_hints_comments_and_order():
    answers = a_class("best_segmentation", ANSWERS["best_segmentation"])
    answers["best_segmentation"] |= {"s03": OWN, "s21": COPY}
    (group,) = alike(answers)
    assert group.students == ["s03", "s21"]
    (found,) = group.alike
    assert found.exercise == "best_segmentation"
    assert found.rare > 40
    assert found.kind == "alike in large parts"


@pytest.mark.parametrize("number", [3, 12, 60])
def test_a_class_that_wrote_the_obvious_loop_is_left_in_peace(number):
    answers = {f"{name}{k}": code for name in ("merge", "cut", "encode") for k in range(3) for code in [LOOP]}
    assert alike({name: a_class(name, code, number)[name] for name, code in answers.items()}) == []


def test_a_class_of_a_few_common_ways_and_many_own_ones_is_left_in_peace():
    rng = random.Random(5)
    ways = [
        LOOP,
        ANSWERS["bpe_encode"],
        ANSWERS["cut_word"],
        ANSWERS["decode_stream"],
        ANSWERS["batch_for_generation"],
    ]
    answers = {
        f"exercise{k}": {
            f"s{i}": renamed(rng.choice(ways), rng) if i % 2 else random_answer(rng, 12) for i in range(60)
        }
        for k in range(4)
    }
    assert alike(answers) == []


def test_short_answers_alone_name_nobody_but_several_together_do():
    """One short answer that two share may be chance; a whole notebook is not."""
    rng = random.Random(2)
    common = {f"exercise{k}": {f"s{i:02}": random_answer(rng, 8) for i in range(30)} for k in range(4)}
    common["exercise0"]["s01"] = common["exercise0"]["s07"]
    assert alike(common) == []
    for k in range(4):
        common[f"exercise{k}"]["s01"] = common[f"exercise{k}"]["s07"]
    (group,) = alike(common)
    assert group.students == ["s01", "s07"]
    assert len(group.alike) == 4


def test_code_that_everyone_has_counts_for_nothing():
    answers = a_class("best_segmentation", LOOP)
    answers["best_segmentation"] |= {"s03": OWN, "s21": COPY}
    assert alike(answers)
    assert alike(answers, {"best_segmentation": [OWN, COPY]}) == []
    assert alike(answers, {"": [OWN, COPY]}) == []


def test_three_who_share_are_one_group_and_two_pairs_are_two():
    answers, rng = a_class("best_segmentation", LOOP), random.Random(3)
    other, third = random_answer(rng, 40), random_answer(rng, 40)
    own = answers["best_segmentation"]
    own |= {"s01": third, "s02": third, "s03": third, "s10": other, "s11": other}
    groups = alike(answers)
    assert {tuple(group.students) for group in groups} == {("s01", "s02", "s03"), ("s10", "s11")}
    assert all(len(group.alike) == 1 for group in groups)


def test_too_few_answers_are_not_compared():
    assert alike({"best_segmentation": {f"s{i}": OWN for i in range(FEWEST - 1)}}) == []


def test_words_say_how_alike_two_answers_are():
    assert how_alike(OWN, OWN + "\n") == "the same, comments and names included"
    assert (
        how_alike(LOOP, renamed(LOOP, random.Random(0)))
        == "the same but for names, comments, type hints or layout"
    )
    assert how_alike(OWN, COPY) == "alike in large parts"


def test_normal_form_keeps_what_is_computed():
    same = (
        "def f(a: int, b=2) -> int:\n  '''doc'''\n  c: int = a+b\n  d: str\n  return len(c)",
        "def f(x, y=2):\n  z = x + y  # sum\n  pass\n  return len(z)",
    )
    assert normal_form(same[0]) == normal_form(same[1])
    for other in (
        "def f(a, b=3):\n  c = a+b\n  pass\n  return len(c)",
        "def f(a, b=2):\n  c = a-b\n  pass\n  return len(c)",
        "def f(a, b=2):\n  c = a+b\n  pass\n  return max(c)",
    ):
        assert normal_form(other) != normal_form(same[0])


def test_what_is_no_python_is_compared_as_text():
    broken, copied = (
        OWN.replace("return found,", "return found,,"),
        COPY.replace("return pieces,", "return pieces,,"),
    )
    assert len(fingerprints(broken) & fingerprints(copied)) > 20
    assert fingerprints("%matplotlib inline\n" + LOOP) >= fingerprints(LOOP) - fingerprints("")


HOSTILE = {
    "brackets": "(" * 9000 + ")" * 9000,
    "a long sum": "1" + "+1" * 9000,
    "many signs": "-" * 19_000 + "1",
    "calls of calls": "f" + "()" * 9000,
    "attributes": "a" + ".b" * 9000,
    "lambdas": "lambda:" * 2800 + "1",
    "an open f-string": "f'{" * 5000,
    "open quotes": "'" * 19_999,
    "backslashes": "'" + "\\" * 19_999,
    "a huge number": "x=" + "9" * 19_000,
    "a zero byte": "a\0b",
    "half a character": "x = '\ud800'",
    "elif without end": "if 1:\n pass\n" + "elif 1:\n pass\n" * 1200,
    "a megabyte": "x = [1, 2]\n" * 100_000,
    "one long line": "a" * 1_000_000,
    "nothing": "",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_code_is_read_quickly_and_breaks_nothing(name):
    began = time.process_time()
    assert isinstance(fingerprints(HOSTILE[name]), frozenset)
    assert isinstance(normal_form(HOSTILE[name]), str)
    assert time.process_time() - began < 3


def test_a_class_full_of_hostile_code_ends():
    began = time.process_time()
    junk = {f"s{i}": list(HOSTILE.values())[i % len(HOSTILE)] + f"\n# {i}" for i in range(32)}
    alike({"merge_pair": junk, "best_segmentation": {s: random_answer(random.Random(s), 300) for s in junk}})
    assert time.process_time() - began < 10
