"""The report to the instructor: right numbers, nothing of the class's text at work in the page, nobody named to the class."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from lmcourse.authoring.chapter import load
from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.reporting.answers import (
    Submission,
    authors_code,
    given_code,
    reaching,
    read_submissions,
)
from lmcourse.grading.reporting.lecture import lecture_notes
from lmcourse.grading.reporting.report import write_report
from lmcourse.grading.reporting.statistics import Spread, figures_of, separation, spread_of, state_of
from tests.conftest import ROOT
from tests.grading.conftest import ANSWERS, NAME
from tests.grading.made_class import (
    CHAPTER,
    EXERCISES,
    answer,
    plausible_class,
    put_notebook,
    put_result,
    put_rows,
    put_source,
    result,
)

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def forty(tmp_path_factory) -> ClassFolder:
    return plausible_class(tmp_path_factory.mktemp("forty"), 40)


def page_of(folder: ClassFolder, **options) -> str:
    return write_report(folder, NAME, CHAPTER, **options).read_text(encoding="utf-8")


def words(html: str) -> str:
    """The text of the page as it is read, with single spaces."""
    reader = _Reader()
    reader.feed(html)
    return " ".join(" ".join(reader.words).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        if self.lasttag != "style":
            self.words.append(data)


# ------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("number", [1, 2, 3, 10, 57])
def test_quartiles_are_numpys(number):
    points = np.random.default_rng(number).integers(0, 21, number).astype(float).tolist()
    assert Spread(points, 20.0).quartiles == pytest.approx(tuple(np.percentile(points, [25, 50, 75])))
    assert Spread([], 20.0).quartiles is None


@pytest.mark.parametrize("maximum", [4, 20, 24, 25, 100, 1000, 20.5])
def test_each_mark_is_in_the_bar_that_names_it(maximum):
    for mark in (0.0, 0.5, 1.0, maximum / 3, maximum / 2, maximum - 0.25, float(maximum)):
        bars = Spread([mark], maximum).bars
        (bar,) = [bar for bar in bars if bar.count]
        assert bar.low <= mark < bar.high or (mark == maximum and bar is bars[-1])
    assert len(bars) <= 26
    thirteen = Spread([12.5] + [13.0] * 3 + [14.0], 20.0).bars[13]
    assert (thirteen.low, thirteen.high, thirteen.count) == (12.5, 13.5, 4)


def test_separation_is_the_correlation_with_all_other_exercises():
    rng = np.random.default_rng(0)
    solved = rng.random((50, len(EXERCISES))) < rng.random((50, 1))
    results = [
        result(
            f"s{i}",
            [answer(name, "passed" if ok else "failed") for name, ok in zip(EXERCISES, row, strict=True)],
        )
        for i, row in enumerate(solved)
    ]
    points = solved * np.array([e.points for e in EXERCISES.values()])
    for k, figure in enumerate(figures_of(results, CHAPTER)):
        others = points.sum(axis=1) - points[:, k]
        assert figure.separation.value == pytest.approx(np.corrcoef(solved[:, k], others)[0, 1])
        assert figure.share_solved == pytest.approx(solved[:, k].mean())


def test_separation_says_why_there_is_none():
    assert separation([0, 2] * 4, range(8)).why == "fewer than 10 answers"
    assert separation([2] * 12, range(12)).why == "all did the same here"
    assert separation([0, 2] * 6, [5] * 12).why == "all did the same elsewhere"


def test_how_each_answer_ended_is_counted_once():
    ends = [
        [answer("merge_pair")],
        [answer("merge_pair", "failed")],
        [answer("merge_pair", "failed", got="raised TookTooLong: no answer within 20 s")],
        [answer("merge_pair", "refused", reason="no")],
        [answer("merge_pair", "not started")],
        [answer("merge_pair", "missing")],
        [],
    ]
    results = [result(f"s{i}", answers) for i, answers in enumerate(ends)]
    results.append(result("failed", status="failed", why="its box broke"))
    counts = figures_of(results, CHAPTER)[0].counts
    assert counts == {"solved": 1, "wrong": 1, "stopped": 1, "refused": 1, "not started": 1, "missing": 2}


def test_an_answer_that_ended_its_program_was_stopped():
    verdict = answer("merge_pair", "missing", reason="It was stopped: it ended the program.").verdict
    verdict = type(verdict)(**{**vars(verdict), "status": "failed"})
    assert state_of(verdict) == "stopped"


def test_marks_count_neither_failed_runs_nor_what_is_read_by_hand():
    results = [
        result("ada", [answer("merge_pair")], scores={"why_languages": None}),
        result("bob", [answer("bpe_encode")], scores={"why_languages": 0.0}),
        result("carl", status="failed", why="no"),
    ]
    marks = spread_of(results, CHAPTER)
    assert (marks.points, marks.maximum) == ([2.0, 3.0], 20.0)


def test_mistakes_are_ranked_and_what_is_left_is_grouped_by_its_first_failure():
    results = [
        *[result(f"a{i}", [answer("merge_pair", "failed", mistake=3)]) for i in range(2)],
        *[result(f"b{i}", [answer("merge_pair", "failed", mistake=1, hidden=True)]) for i in range(3)],
        *[
            result(f"c{i}", [answer("merge_pair", "failed", about="x", difference="y", got=str(i))])
            for i in range(2)
        ],
        result("d", [answer("merge_pair", "failed", about="x", difference="z")]),
        result("e", [answer("merge_pair")]),
    ]
    figure = figures_of(results, CHAPTER)[0]
    hints = EXERCISES["merge_pair"].hints
    assert [(e.hint, e.students) for e in figure.explained] == [
        (hints[1], ["b0", "b1", "b2"]),
        (hints[3], ["a0", "a1"]),
    ]
    assert [(u.about, u.difference, u.students) for u in figure.unexplained] == [
        ("x", "y", ["c0", "c1"]),
        ("x", "z", ["d"]),
    ]
    assert figure.failing == 8


# ------------------------------------------------------------------------------------------------- sentences


def _notes(results, **options) -> str:
    return " ".join(lecture_notes(figures_of(results, CHAPTER), len(results), **options))


def test_the_most_frequent_mistake_is_said_with_its_numbers():
    results = [result(f"s{i}", [answer("merge_pair", "failed", mistake=1)]) for i in range(9)]
    results += [result(f"t{i}", [answer("merge_pair", "failed", mistake=0)]) for i in range(4)]
    said = _notes(results)
    assert (
        f"9 of the 13 wrong answers to “Merge one pair” come from one mistake. {CHAPTER.exercises[0].hints[1]}"
        in said
    )
    assert said.index("9 of the 13") < said.index("4 of the 13")


def test_one_slip_is_no_tendency_and_few_are_no_class():
    rights = [answer(name) for name in list(EXERCISES)[1:]]
    results = [result(f"s{i}", [answer("merge_pair"), *rights]) for i in range(11)]
    one_slip = [*results, result("t", [answer("merge_pair", "failed", mistake=1), *rights])]
    assert _notes(one_slip) == "No mistake was made by two people, and no exercise stands out."
    assert "Every answer that was given is right" in _notes(results)
    assert "the work of 3 people" in _notes(results[:3])
    assert lecture_notes([], 0) == ["Nothing has been graded yet, so there is nothing to say."]


def test_the_exercise_that_separates_least_is_named_to_the_instructor_alone():
    def row(i):
        able = i >= 10
        most = [answer(name, "passed" if able else "failed") for name in list(EXERCISES)[1:]]
        return result(f"s{i}", [answer("merge_pair", "failed" if able else "passed"), *most])

    results = [row(i) for i in range(20)]
    assert "“Merge one pair” separates least (−1.00): whoever solved it did worse elsewhere" in _notes(
        results
    )
    assert "separates" not in _notes(results, public=True)


def test_a_mistake_that_nobody_knows_yet_is_named():
    results = [result(f"s{i}", [answer("cut_word", "failed", about="an empty word")]) for i in range(12)]
    assert (
        "12 wrong answers to “Repair the WordPiece cutter” fail first in the same way (an empty word)"
        in _notes(results)
    )


# ------------------------------------------------------------------------------------------------- the page


def test_page_of_a_class_says_who_and_how_many(forty):
    said = words(page_of(forty))
    results = [json.loads(p.read_text(encoding="utf-8")) for p in forty.graded(NAME).glob("*.json")]
    to_read = sum(None in r["scores"].values() for r in results)
    assert "Handed in 40 " in said
    assert f"To be read by hand {to_read} " in said
    median = np.median([sum(s or 0 for s in r["scores"].values()) for r in results])
    assert f"Median mark {median:g} of 20" in said
    assert "gc.get_objects" in said
    assert "Cell 5 was interrupted after 30 s." in said


@pytest.mark.parametrize("number", [0, 1, 3])
def test_page_of_hardly_anybody(tmp_path, number):
    folder = plausible_class(tmp_path, number)
    said = words(page_of(folder))
    assert f"Handed in {number} " in said
    shown = words(page_of(folder, names=False))
    assert "Median mark" not in shown
    if number:
        assert "Fewer than 5 were graded" in shown
        assert "it is not computed: it would be chance" in said
    else:
        assert "Nobody has handed anything in" in said


def test_what_has_to_be_looked_at_is_there(tmp_path):
    folder = ClassFolder(tmp_path)
    put_result(
        folder,
        result("ada", [answer("merge_pair", "refused", reason="codecs is the answer")], untrusted=["extra"]),
    )
    put_result(folder, result("bob", status="failed", why="its box broke"))
    put_notebook(folder, "carl", {})
    put_rows(
        folder,
        [
            {"student": "ada", "late": True, "notes": ["Handed in late.", "The kernel was replaced."]},
            {"status": "refused", "student": "dora", "file": "dora.pdf", "why": "it is a .pdf file"},
            {"status": "earlier", "student": "ada", "notes": ["an old repair"]},
        ],
    )
    said = words(page_of(folder))
    assert "Handed in 3 1 of them late" in said
    assert "Graded 1 1 not yet" in said
    assert "bob : its box broke" in said
    assert "dora , dora.pdf : it is a .pdf file" in said
    assert "merge_pair: codecs is the answer who (1) ada" in said
    assert "extra who (1) ada" in said
    assert "Not graded yet who (1) carl" in said
    assert "The kernel was replaced. who (1) ada" in said
    assert "an old repair" not in said


def test_text_from_outside_is_text(tmp_path):
    folder = ClassFolder(tmp_path)
    failed = answer("merge_pair", "failed", about=EVIL, difference=EVIL, got=EVIL, call=EVIL)
    refused = answer("bpe_encode", "refused", reason=EVIL)
    name = EVIL.replace("/", "")
    put_result(folder, result(name, [failed, refused], incidents=[EVIL], untrusted=[EVIL]))
    put_result(folder, result("bob", status="failed", why=EVIL))
    put_notebook(folder, name, {"merge_pair": f"# {EVIL}\nimport ctypes; '{EVIL}'"})
    for i in range(20):
        evil = "".join(f"x{k} = '{EVIL}', {i}, {k}\n" for k in range(300)) if i < 2 else ANSWERS["merge_pair"]
        put_notebook(folder, f"s{i:02}", {"best_segmentation": evil.replace(", 1,", ", 0,")})
    put_rows(
        folder,
        [
            {"status": "refused", "student": EVIL, "file": EVIL, "why": EVIL},
            {"student": EVIL, "notes": [EVIL], "late": True},
        ],
    )
    html = page_of(folder)
    reader = _Reader()
    reader.feed(html)
    assert not {"script", "img", "iframe", "object"} & reader.tags
    assert reader.handlers == []
    assert words(html).count(EVIL) >= 15
    assert "s00 and s01" in words(html).replace(" , ", ", ")


def test_page_needs_nothing_else_and_runs_nothing(forty):
    for names in (True, False):
        reader = _Reader()
        html = page_of(forty, names=names)
        reader.feed(html)
        assert all(link.startswith("#") for link in reader.links)
        assert "default-src 'none'" in html
        assert "url(" not in html
        assert "@import" not in html
        targets = set(re.findall(r'id="([^"]+)"', html))
        assert {link[1:] for link in reader.links} <= targets


def test_page_for_the_class_names_nobody_and_shows_no_hidden_case(tmp_path):
    folder = plausible_class(tmp_path, 30)
    secret = {
        "call": "merge_pair(SECRET)",
        "got": "SECRETGOT",
        "difference": "SECRETDIFF",
        "about": "SECRETABOUT",
    }
    for i in range(8):
        failed = answer("merge_pair", "failed", hidden=True, **secret)
        put_result(
            folder, result(f"mallory{i}", [failed], incidents=["SECRETINCIDENT"], untrusted=["SECRETCELL"])
        )
        put_notebook(folder, f"mallory{i}", {"merge_pair": f"import ctypes  # SECRETCODE {i}"})
    put_rows(
        folder,
        [{"student": "mallory1", "notes": ["SECRETNOTE"]}, {"status": "refused", "file": "SECRETFILE"}],
    )
    open_to_all, own = page_of(folder, names=False), page_of(folder)
    for student in folder.students(NAME):
        assert student not in open_to_all
    assert all(f"mallory{i}" in own for i in range(8))
    assert "SECRET" not in open_to_all
    assert {"SECRETDIFF", "SECRETGOT", "SECRETINCIDENT", "SECRETCODE"} <= set(
        re.findall(r"SECRET[A-Z]*", own)
    )
    assert "Merge one pair" in open_to_all
    assert (folder.graded(NAME) / "report.html").read_text(encoding="utf-8") == own
    assert (folder.graded(NAME) / "lecture.html").read_text(encoding="utf-8") == open_to_all


def test_writing_twice_changes_nothing(forty):
    path = write_report(forty, NAME, CHAPTER)
    before = path.stat().st_mtime_ns
    assert write_report(forty, NAME, CHAPTER).stat().st_mtime_ns == before


def test_a_damaged_report_of_collecting_is_named(tmp_path):
    folder = ClassFolder(tmp_path)
    put_rows(folder, [{}])
    folder.collected(NAME).write_text('{"files": [{"status": 1}]}', encoding="utf-8")
    with pytest.raises(ValueError, match="collected.json is not the report of `lmcourse grade collect`"):
        write_report(folder, NAME, CHAPTER)


def test_copies_stand_side_by_side(tmp_path):
    from tests.grading.test_similar import COPY, OWN

    folder = plausible_class(tmp_path, 15)
    put_notebook(folder, "yves", {"best_segmentation": OWN})
    put_notebook(folder, "zita", {"best_segmentation": COPY})
    said = words(page_of(folder))
    assert "yves and zita" in said
    assert "This is no verdict." in said
    assert "table = {0: (0.0, [0.0], None)}" in said
    assert "memo = {0: (0.0, [0.0], None)}" in said
    said = words(page_of(folder, known={"best_segmentation": [OWN, COPY]}))
    assert "Nothing stands out" in said


# ------------------------------------------------------------------------------------------------- what was written


@pytest.mark.parametrize("number", [1, 6])
def test_lines_that_reach_around_the_rules_are_found_and_the_assignments_own_are_not(tmp_path, number):
    folder = ClassFolder(tmp_path)
    put_source(folder)
    for i in range(number):
        put_notebook(folder, f"s{i}", ANSWERS)
    text = "# gc.get_objects is only talked of here\nx = 1\nfor c in object.__subclasses__(): print(c)"
    put_notebook(folder, "zoe", {"merge_pair": text}, added="import os\nos._exit(0)")
    cells, solutions = given_code(folder, NAME)
    assert set(EXERCISES) <= set(solutions)
    submissions, unread = read_submissions(folder, NAME, list(EXERCISES), cells)
    assert unread == {}
    found = [(r.student, r.where, r.number) for r in reaching(submissions)]
    assert found == [("zoe", "merge_pair", 3), ("zoe", "a cell of their own", 2)]


def test_right_answers_and_common_ways_are_not_suspected():
    code = [text for texts in authors_code(load(NAME, ROOT)).values() for text in texts]
    found = reaching([Submission(f"s{i}", {"merge_pair": text}, []) for i, text in enumerate(code)])
    assert [reach for reach in found if "exec" in reach.line or "re." in reach.line] == []
    assert reaching([Submission("s", {"cut_word": "pattern = re.compile('a')\nmodel.eval()"}, [])]) == []
    assert len(code) > 100
    assert len(found) < 3, found


def test_notebooks_that_cannot_be_read_are_named(tmp_path):
    folder = ClassFolder(tmp_path)
    for name, data in {
        "ada": b"",
        "bob": b"[" * 100_000,
        "carl": b'{"cells": 3}',
        "dora": b"\xff\xfe\x00",
    }.items():
        path = folder.submitted(name, NAME)
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    submissions, unread = read_submissions(folder, NAME, list(EXERCISES))
    assert submissions == []
    assert set(unread) == {"ada", "bob", "carl", "dora"}
    assert "Notebooks that could not be read for this report" in words(page_of(folder))
