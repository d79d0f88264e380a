"""What a student sees when a cell is checked."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from html import unescape

import pytest
import torch

from lmcourse.authoring.chapter import load
from lmcourse.exercises import Checker, CheckFailed, open_exercises
from lmcourse.exercises.codec import pack, unpack
from lmcourse.exercises.compare import Compare, close, difference, exact, fingerprint, same_fingerprint
from lmcourse.exercises.outcome import call_packed
from lmcourse.exercises.panel import Panel, hint_html
from lmcourse.exercises.policy import refusal
from lmcourse.exercises.records import from_json, load_chapter, to_json
from lmcourse.exercises.verdict import Verdict, case_difference
from tests.conftest import ROOT


@pytest.fixture
def check() -> Checker:
    return open_exercises("01_tokens")


def right_merge(ids, pair, new_id):
    out = []
    for token in ids:
        out.append(token)
        if out[-2:] == list(pair) and not getattr(out, "fresh", False):
            out[-2:] = [("new", new_id)]
    return [t[1] if isinstance(t, tuple) else t for t in out]


def test_a_right_answer_gives_points_and_a_panel(check, capsys):
    right_merge.__name__ = "merge_pair"
    check(right_merge)
    said = capsys.readouterr().out
    assert "right, all 16 cases pass, 2 of 2 points" in said
    assert "points so far: 2 of 20" in said


def test_a_wrong_answer_shows_input_expected_got_and_the_hint(check, capsys):
    def merge_pair(ids, pair, new_id):
        return [new_id if tuple(ids[i : i + 2]) == pair else token for i, token in enumerate(ids)]

    with pytest.raises(CheckFailed, match="not yet"):
        check(merge_pair)
    said = capsys.readouterr().out
    assert "merge_pair([1, 2, 3, 1, 2], (1, 2), 9)" in said
    assert "[9, 3, 9]" in said
    assert "[9, 2, 3, 9, 2]" in said
    assert "hint: You go on one step after a merge" in said
    assert check.earned == {"merge_pair": 0}


def test_points_are_lost_again_when_a_later_state_is_wrong(check):
    right_merge.__name__ = "merge_pair"
    check(right_merge)
    with pytest.raises(CheckFailed):
        check(
            type(right_merge)(
                compile("def merge_pair(a, b, c): return a", "x", "exec").co_consts[0], {}, "merge_pair"
            )
        )
    assert check.earned == {"merge_pair": 0}


def test_a_stub_is_not_started_and_not_wrong(check, capsys):
    def bpe_encode(word, merges):
        raise NotImplementedError

    with pytest.raises(CheckFailed):
        check(bpe_encode)
    assert "not started, 3 points to win" in capsys.readouterr().out


def test_an_error_is_shown_with_the_students_own_line(check, capsys):
    def bpe_encode(word, merges):
        return word.missing_method()

    with pytest.raises(CheckFailed):
        check(bpe_encode)
    said = capsys.readouterr().out
    assert "AttributeError" in said
    assert "return word.missing_method()" in said
    assert "outcome.py" not in said


def test_an_endless_loop_is_stopped():
    def loop():
        while True:
            pass

    outcome = unpack(call_packed(loop, pack(((), {})), seconds=0.2))
    assert outcome["error"][0] == "TookTooLong"
    assert "does not end" in outcome["message"]


def test_a_changed_argument_is_told(check, capsys):
    def cut_word(word, vocab, unk="[UNK]"):
        vocab.add(word)
        return [word]

    with pytest.raises(CheckFailed):
        check(cut_word)
    assert "an argument was changed" in capsys.readouterr().out


def test_a_value_that_cannot_be_judged_is_told(check, capsys):
    def merge_pair(ids, pair, new_id):
        return (x for x in ids)

    with pytest.raises(CheckFailed):
        check(merge_pair)
    assert "is a generator, which cannot be judged" in capsys.readouterr().out


def test_a_prediction_is_not_given_away(check, capsys):
    def predict_merges():
        return [("a", "b")]

    with pytest.raises(CheckFailed):
        check(predict_merges)
    said = capsys.readouterr().out
    assert "this is not the answer" in said
    assert "'ea'" not in said


def test_an_unknown_name_lists_the_exercises(check):
    def something():
        pass

    with pytest.raises(KeyError, match="merge_pair, predict_merges"):
        check(something)
    with pytest.raises(TypeError, match="for example check\\(merge_pair\\)"):
        check(3)


def test_hidden_cases_count_when_an_instructor_gives_them(tmp_path, monkeypatch, capsys):
    visible = load_chapter("01_tokens").find("cheapest_vocabulary").cases
    known = {repr(unpack(case.packed_args)[0]): unpack(case.packed_expected)["value"] for case in visible}

    def cheapest_vocabulary(tokens_by_size, d_model, stack_cost):
        return known[repr((tokens_by_size, d_model, stack_cost))]  # learned by heart

    open_exercises("01_tokens")(cheapest_vocabulary)
    hidden = load("01_tokens", ROOT).record(77, hidden=True)
    (tmp_path / "01_tokens.json").write_text(to_json(hidden))
    monkeypatch.setenv("LMCOURSE_HIDDEN_CASES", str(tmp_path))
    with pytest.raises(CheckFailed):
        open_exercises("01_tokens")(cheapest_vocabulary)


# Hints as the panel shows them -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("A token sees *earlier* ones.", "A token sees <em>earlier</em> ones."),
        ("*First* (*per token*), \"*last*\".", "<em>First</em> (<em>per token</em>), &quot;<em>last</em>&quot;."),
        ("**Not** this, *but* that", "<strong>Not</strong> this, <em>but</em> that"),
        ("n * m, x*y*z, 2 ** x, a ** b ** c", "n * m, x*y*z, 2 ** x, a ** b ** c"),
        ("(1 - z)*h*(n), (r * h) @ U * W", "(1 - z)*h*(n), (r * h) @ U * W"),
        ("f(*args, **kwargs), in place (+=, *=, /=), *=", "f(*args, **kwargs), in place (+=, *=, /=), *="),
        ("use `a *b* c` and `*x`, *not* `y*`", "use <code>a *b* c</code> and <code>*x</code>, <em>not</em> <code>y*</code>"),
        ("*<b>* is *a <i> b* & `<s>`", "*&lt;b&gt;* is <em>a &lt;i&gt; b</em> &amp; <code>&lt;s&gt;</code>"),
        ("z *h*(n), (z)*h* n", "z *h*(n), (z)*h* n"),
        ("one ` and one * alone", "one ` and one * alone"),
    ],
)  # fmt: skip
def test_stars_that_hug_words_are_stress_and_a_product_stays_one(hint, shown):
    assert hint_html(hint) == shown


def test_no_hint_of_a_chapter_keeps_a_stray_star_or_loses_a_product():
    files = sorted((ROOT / "lmcourse" / "exercises" / "recorded").glob("*.json"))
    hints = {hint for f in files for e in load_chapter(f.stem).exercises for hint in e.hints}
    assert sum("*" in hint for hint in hints) > 100
    for hint in hints:
        shown = re.sub(r"<code>.*?</code>", "", hint_html(hint))
        # Stress is words alone: what holds an operator, a bracket or a comma was code.
        for words in re.findall(r"<(?:em|strong)>(.*?)</", shown):
            assert re.fullmatch(r"[a-z]+( [a-z]+)*", words, re.IGNORECASE), (hint, words)
        # And what is left of stars has a space, an operator or a bracket beside it: it multiplies, raises or unpacks.
        left = unescape(re.sub(r"<(em|strong)>.*?</\1>", "", shown))
        for star in re.finditer(r"\*+", left):
            before, after = left[: star.start()], left[star.end() :]
            operator = before.endswith(" ") and after.startswith((" ", "=", ",", ";", "."))
            assert operator or (before.endswith("[") and re.match(r"\w+, ", after)), (hint, left)


def test_the_panel_shows_a_hint_with_its_stress(check):
    verdict = Verdict("merge_pair", "failed", 0, 2, passed=1, total=2, hint="Not `<s>`, the *last* <one>.")
    panel = Panel(verdict, check.chapter, {})
    assert "Not <code>&lt;s&gt;</code>, the <em>last</em> &lt;one&gt;.</p>" in panel._repr_html_()
    assert "hint: Not `<s>`, the *last* <one>." in repr(panel)


# What the student's copy holds ------------------------------------------------------------------------------------


def test_the_recorded_file_is_what_its_source_gives_and_holds_no_code(root):
    for path in (root / "lmcourse" / "exercises" / "recorded").glob("*.json"):
        text = path.read_text()
        made, kept = load(path.stem, root).record(), load_chapter(path.stem)
        assert from_json(text, source=path.name) == kept
        _assert_same(made, kept, f"{path.name} is stale: run `make notebooks`")
        data = json.loads(text)
        assert "def " not in text
        for exercise in data["exercises"]:
            for case in exercise["cases"]:
                assert all(isinstance(mark, list) and len(mark) <= 7 for mark in case["mistakes"])


def _assert_same(made, kept, why):
    """Byte for byte but for the last digits of floats, in which processors differ."""
    assert [replace(e, cases=[]) for e in made.exercises] == [replace(e, cases=[]) for e in kept.exercises], (
        why
    )
    for ours, theirs in zip(made.exercises, kept.exercises, strict=True):
        for a, b in zip(ours.cases, theirs.cases, strict=True):
            assert (a.about, a.packed_args) == (b.about, b.packed_args), why
            assert all(map(same_fingerprint, [a.mark, *a.mistake_marks], [b.mark, *b.mistake_marks])), why
            assert (a.packed_expected is None) == (b.packed_expected is None), why
            if a.packed_expected is not None:
                assert case_difference(b, unpack(a.packed_expected), theirs) is None, why


def test_a_damaged_recorded_file_is_named():
    with pytest.raises(ValueError, match=r"hidden\.json is not a file of recorded cases"):
        from_json('{"format": 1, "exercises": [', source="hidden.json")
    with pytest.raises(KeyError, match="'chapter' must be one of 00_sequences, 01_tokens"):
        open_exercises("99_magic")


# Names an answer may lean on ----------------------------------------------------------------------------------------


def uses_package():
    from lmcourse.tokens import BPETokenizer

    return BPETokenizer


def uses_helper_that_uses_package():
    return uses_package()


def uses_torch_and_compile():
    import re

    return re.compile("a"), torch.ones(1), max(1, 2)


def test_importing_the_answer_is_refused_at_once():
    import tokenizers

    def with_global(word, merges):
        return tokenizers.Tokenizer(word)

    def with_eval(word):
        return eval(word)

    assert "lmcourse.tokens" in refusal(uses_package)
    assert "lmcourse.tokens" in refusal(uses_helper_that_uses_package)
    assert "tokenizers" in refusal(with_global)
    assert "eval() is not used" in refusal(with_eval)
    assert "write it yourself" in refusal(max)
    assert refusal(uses_torch_and_compile) is None
    assert refusal(with_global, allow=["tokenizers"]) is None


def test_what_would_be_the_answer_itself_is_refused_in_words(capsys):
    def attention(q, k, v, mask):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, mask)

    assert refusal(attention) is None
    check = open_exercises("04_attention")
    with pytest.raises(CheckFailed, match="not judged"):
        check(attention)
    said = capsys.readouterr().out
    assert (
        "attention uses scaled_dot_product_attention: this exercise is answered with your own code." in said
    )


def test_what_is_refused_is_recorded_and_older_files_refuse_nothing():
    chapter = load_chapter("04_attention")
    assert "scaled_dot_product_attention" in chapter.find("attention").refuse
    assert from_json(to_json(chapter), source="now") == chapter
    older = load_chapter("01_tokens")
    text = to_json(older)
    assert '"refuse"' not in text
    assert from_json(text, source="older") == older
    assert [e.refuse for e in older.exercises] == [[]] * len(older.exercises)


UNKNOWN_TOKEN = "[UNK]"


def test_a_text_beside_the_function_is_no_import():
    def with_a_global_text(word):
        return [UNKNOWN_TOKEN, word]

    assert refusal(with_a_global_text) is None


def test_a_value_that_is_wrong_by_far_does_not_widen_the_tolerance():
    how = close(rtol=1e-5, why="rounding")
    right = fingerprint(("returned", 2.5), how)
    assert not same_fingerprint(fingerprint(("returned", 1e12), how), right)
    assert same_fingerprint(fingerprint(("returned", 2.50001), how), right)
    assert difference(2.5, 10**400, how)


def test_the_packages_own_function_is_refused(check, capsys):
    from lmcourse.tokens import merge_pair

    with pytest.raises(CheckFailed):
        check(merge_pair)
    assert "here you write it yourself" in capsys.readouterr().out


# Comparing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        ([1, 2], [1, 2], None),
        ([1, 2], (1, 2), "is a tuple, expected a list"),
        (1, True, "is a bool, expected a int"),
        (1, 1.0, "is a float, expected a int"),
        ({"a": 1}, {"b": 1}, "lacks 'a' and has 'b' too many"),
        ([[1, 2], [3, 4]], [[1, 2], [3, 5]], "[1][1] is 5, expected 4"),
        (torch.zeros(2, 3), torch.zeros(3, 2), "has shape (3, 2), expected (2, 3)"),
        (torch.zeros(2), torch.zeros(2).long(), "has dtype torch.int64, expected torch.float32"),
        (torch.zeros(2, 2), torch.eye(2), "[0, 0] is 1, expected 0 (2 of 4 values differ)"),
        (torch.zeros(2), [0.0, 0.0], "is a list, expected a tensor of shape (2,)"),
        (float("nan"), float("nan"), None),
        (0.5, 0.5 + 1e-12, "expected 0.5"),
    ],
)
def test_differences_are_told_in_words_shapes_first(expected, got, said):
    found = difference(expected, got, exact())
    assert found is None if said is None else said in found


def test_close_allows_rounding_and_no_more():
    how = close(rtol=1e-5, atol=0, why="test")
    assert difference([1.0], [1.0 + 1e-6], how) is None
    assert difference([1.0], [1.001], how) is not None
    assert difference(1.0, float("inf"), how) is not None
    assert difference(2.0, 2, how) is None


def test_fingerprints_know_equal_outcomes_up_to_tolerance_and_no_others():
    how = close(rtol=1e-6, atol=1e-9, why="test")
    a, b = ["x", torch.tensor([1.0, 2.0])], ["x", torch.tensor([1.0, 2.0 + 1e-7])]
    assert same_fingerprint(fingerprint(a, how), fingerprint(b, how))
    for other in (
        ["y", a[1]],
        ["x", torch.tensor([1.0, 2.1])],
        ["x", torch.tensor([2.0, 1.0])],
        ["x", torch.tensor([[1.0, 2.0]])],
    ):
        assert not same_fingerprint(fingerprint(a, how), fingerprint(other, how))
    assert not same_fingerprint(fingerprint([1], Compare()), fingerprint([True], Compare()))


def test_wrong_floats_that_meet_one_projection_do_not_meet_the_others():
    """From three floats on: moved in a direction that the first sum does not see, they are known all the same."""
    how = close(rtol=0.0, atol=1e-3, why="test")
    rng = random.Random(0)
    a, b = rng.uniform(-1, 1), rng.uniform(-1, 1)  # the first two weights of the first sum
    right, moved = [1.0, 2.0, 3.0], [1.0 + b * 5, 2.0 - a * 5, 3.0]
    marks = fingerprint(right, how), fingerprint(moved, how)
    assert marks[0][1] == pytest.approx(marks[1][1])
    assert not same_fingerprint(*marks)
    assert len(fingerprint([1.0, 2.0], how)) == 3, "two sums of two floats could be solved"
