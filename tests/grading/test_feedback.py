"""The page that a student gets back: what it must say, and what it must never show."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lmcourse.exercises.records import load_chapter
from lmcourse.exercises.verdict import Failure, Verdict
from lmcourse.grading.handing_back.feedback import write_feedback
from lmcourse.grading.handing_back.safe_html import IMAGE_LIMIT, code_html, words_html
from tests.grading.class_by_hand import WRITTEN, HandMadeClass, wrong
from tests.grading.conftest import NAME

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def made(tmp_path, answered):
    return HandMadeClass(tmp_path, load_chapter(NAME), answered)


def _pages(made):
    pages = list(write_feedback(made.folder, NAME, made.chapter))
    return {page.student: page.path.read_text(encoding="utf-8") for page in pages}


def _text(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.split("</style>")[1]))


def test_page_says_points_by_checks_and_people_and_what_is_still_to_be_read(made):
    made.add("ada", verdicts={"bpe_encode": wrong("bpe_encode", 3)})
    made.add("bob", late=True)
    given = {"points": {WRITTEN: 2.5}, "extra": {WRITTEN: 1.0}, "comment": {WRITTEN: "Clear.\nGo on <so>."}}
    made.gradebook({"bob": {**given, "penalty": 2.0, "first_name": "Bob", "last_name": "O'Neill"}})
    pages = _pages(made)
    ada, bob = _text(pages["ada"]), _text(pages["bob"])
    assert "17 of 24 points so far" in ada
    assert "still has to read 1 of your answers" in ada
    assert "In words Still to be read , up to 4 points" in ada
    assert "21.5 of 24 points" in bob
    assert "so far" not in bob
    assert (
        "From the checks 20 For answers in words 2.5 Extra credit +1 Taken off because it was late −2" in bob
    )
    assert "2.5 of 4 points, and 1 extra" in bob
    assert "Feedback for Bob O&#39;Neill (bob), handed in late" in bob
    assert "Clear.\nGo on &lt;so&gt;." in pages["bob"]


def test_first_failing_case_hint_and_own_code_are_shown(made):
    failure = Failure(
        "a <run>", "merge_pair([1, 1], <img>)", "[9]", "[1, 1]", "length differs", "line 7, in merge_pair"
    )
    made.add(
        "ada",
        verdicts={"merge_pair": wrong("merge_pair", 2, failure=failure, hint="Go on *behind* <it>: n * m.")},
        code={"merge_pair": "def merge_pair(ids, pair, new_id):\n    return '</code><script>'"},
    )
    html = _pages(made)["ada"]
    said = _text(html)
    assert "6 of 12 cases pass. This is the first that does not:" in said
    for part in (
        "a &lt;run&gt;",
        "merge_pair([1, 1], &lt;img&gt;)",
        "[9]",
        "length differs",
        "line 7",
        "Go on behind &lt;it&gt;: n * m.",
    ):
        assert part in said, part
    assert "Go on <em>behind</em> &lt;it&gt;: n * m." in html
    assert '<span class="nf">merge_pair</span>' in html
    assert "&lt;/code&gt;&lt;script&gt;" in html
    assert "All 12 cases pass." in said


def test_nothing_of_a_hidden_case_is_on_the_page(made):
    secret = Failure(
        "ties", "SECRETCALL(90210)", "SECRETEXPECTED", "SECRETGOT", "SECRETDIFFERENCE", "SECRETTRACE"
    )
    verdict = replace(wrong("merge_pair", 2, failure=secret, hint="Mind the ties."), passed=28, total=30)
    made.add("ada", verdicts={"merge_pair": verdict}, hidden={"merge_pair"})
    path = made.folder.autograded("ada", NAME)
    leak = '"outputs": [{"output_type": "stream", "name": "stdout", "text": "SECRETPRINTED"}]'
    path.write_text(path.read_text().replace('"outputs": []', leak))
    html = _pages(made)["ada"]
    assert "SECRETPRINTED" in path.read_text()
    assert "SECRET" not in html
    assert "2 of 30 further cases do not" in html
    assert "is about: ties" in html
    assert "Mind the ties." in html


def test_a_page_holds_nothing_of_another_student(made):
    made.add(
        "ada",
        words="ADAWORDS",
        code={"merge_pair": "# ADACODE"},
        notes=["ADANOTE"],
        incidents=["ADAINCIDENT"],
    )
    made.add("bob", words="BOBWORDS", notes=["BOBNOTE"])
    made.gradebook(
        {"ada": {"points": {WRITTEN: 4.0}, "comment": {WRITTEN: "ADACOMMENT", "merge_pair": "ADATOO"}}}
    )
    pages = _pages(made)
    for mark in ("ADAWORDS", "ADACODE", "ADANOTE", "ADAINCIDENT", "ADACOMMENT", "ADATOO"):
        assert mark in pages["ada"], mark
    assert "ADA" not in pages["bob"]
    assert "ada" not in _text(pages["bob"])
    assert "BOBWORDS" in pages["bob"]


def test_a_failed_grading_claims_no_points_and_says_why(made):
    made.fail("eve", "the notebook took longer than 120 s")
    made.gradebook()
    html = _pages(made)["eve"]
    assert "could not be graded" in html
    assert "took longer than 120 s" in html
    assert not re.search(r"\d points|of 24", _text(html))


def test_points_given_for_an_earlier_answer_are_not_shown_as_the_mark(made):
    made.add("ada")
    old = {"points": {WRITTEN: 1.0}, "again": {WRITTEN}, "comment": {WRITTEN: "On the old answer."}}
    made.gradebook({"ada": old})
    html = _pages(made)["ada"]
    assert "20 <small>of 24 points so far" in html
    assert "On the old answer." not in html


def test_points_that_a_grader_set_for_code_count_and_are_named(made):
    made.add("ada", verdicts={"bpe_encode": wrong("bpe_encode", 3)}, words=None)
    made.gradebook({"ada": {"points": {"check_bpe_encode": 1.5}, "comment": {"bpe_encode": "A good start."}}})
    said = _text(_pages(made)["ada"])
    assert "18.5 of 24 points" in said
    assert "Your grader set these points by hand." in said
    assert "A good start." in said
    assert "In words Not answered , 0 of 4 points" in said


def test_without_a_gradebook_pages_are_written_and_none_is_made(made):
    made.add("ada")
    made.add("bob", verdicts={"merge_pair": Verdict("merge_pair", "not started", 0, 2, total=12)})
    pages = _pages(made)
    assert "20 <small>of 24 points so far" in pages["ada"]
    assert "Not started" in pages["bob"]
    assert not (made.folder.root / "gradebook.db").exists()


def test_only_changed_pages_are_written_again(made):
    made.add("ada")
    made.add("bob")
    assert [page.changed for page in write_feedback(made.folder, NAME, made.chapter)] == [True, True]
    assert [page.changed for page in write_feedback(made.folder, NAME, made.chapter)] == [False, False]
    made.add("bob", words="Another answer.")
    assert [page.changed for page in write_feedback(made.folder, NAME, made.chapter)] == [False, True]


def test_an_answer_in_words_is_rendered_and_cannot_run(made):
    words = (
        "# Title\n\nMore **tokens** ![plot](attachment:p.png) ![gone](attachment:none.png) [b](data:text/html,x)\n\n"
        "<script>steal()</script><img src=x onerror=steal()><iframe src='data:text/html,x'></iframe>"
        "<svg onload=steal()></svg><a href='javascript:steal()'>a</a> <style>body{display:none}</style>"
        "<form action='https://e.org'><input></form><img src='https://e.org/spy.png' alt='far'>"
    )
    made.add("ada", words=words, attachments={"p.png": {"image/png": PIXEL}})
    html = _pages(made)["ada"]
    shown = html.split('aria-label="Your answer">')[1].split("</section>")[0]
    assert "<strong>tokens</strong>" in shown
    assert f'src="data:image/png;base64,{PIXEL}" alt="plot"' in shown
    assert "<strong>Title</strong>" in shown
    assert not re.search(
        r"<(script|iframe|svg|style|form|input|h1)|\son\w+=|javascript:|data:text|e\.org", shown
    )
    assert "[far: not shown here]" in shown
    assert html.count("<script") == 0
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html


@pytest.mark.parametrize(
    "text", ["<div>" * 4000, "[" * 20000, "> " * 20000, "<b>" * 9000, "\\begin{a}" * 4000, "$a" * 20000, "\ud800", "&" * 20000]
)  # fmt: skip
def test_no_text_makes_the_page_fail_or_take_long(text):
    # Seconds are what a hostile text would cost if one of the parsers were quadratic in it.
    assert len(words_html(text)) < 200_000
    assert len(code_html(text)) < 2_000_000


def test_long_answers_and_pictures_are_cut_and_say_so():
    assert "too long to show" in words_html("word " * 10_000)
    assert "the rest is not shown" in code_html("#" * 60_000)
    assert max(len(words_html("word " * 10_000)), len(code_html("#" * 60_000))) < 25_000
    assert "<img" not in words_html("![p](attachment:p)", {"p": {"image/png": "A" * (IMAGE_LIMIT + 1)}})


def test_a_student_whose_notebook_is_gone_still_gets_the_verdicts(made):
    made.add("ada", verdicts={"bpe_encode": wrong("bpe_encode", 3)})
    made.folder.autograded("ada", NAME).unlink()
    assert "item 1 differs" in _pages(made)["ada"]


def test_who_was_not_graded_gets_no_page_unless_a_file_was_refused(made):
    made.add("ada")
    made.add("bob")
    made.gradebook()
    made.student_of_the_gradebook("nil")
    made.folder.result("bob", NAME).unlink()
    made.row("ref", "folder", "ref", "ref.pdf", status="refused", why="it is a .pdf file.")
    pages = _pages(made)
    assert list(pages) == ["ada", "ref"]
    assert "could not be used, so there are no points yet. The reason: it is a .pdf file." in pages["ref"]


def test_names_and_reasons_are_escaped(made):
    made.add("ada", incidents=["cell <5> was stopped"], notes=["<b>note</b>"])
    made.gradebook({"ada": {"first_name": "<img src=x>", "last_name": "A"}})
    html = _pages(made)["ada"]
    assert "<img src=x>" not in html
    assert "cell &lt;5&gt; was stopped" in html
    assert "&lt;b&gt;note" in html
