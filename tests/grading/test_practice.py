"""The class for practice: what is said of each student is what grading finds."""

from __future__ import annotations

import ast
import csv
import json
import zipfile

import pytest

from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.intake.collect import collect
from lmcourse.grading.practice.answers import Definitions, restyled
from lmcourse.grading.practice.invented import make_class
from tests.conftest import ROOT
from tests.grading.conftest import NAME, cell_of, needs_boxes, text_of

pytestmark = needs_boxes


@pytest.fixture(scope="module")
def practice(tmp_path_factory):
    return make_class(tmp_path_factory.mktemp("practice"), NAME, ROOT, students=24, seed=3)


@pytest.fixture(scope="module")
def collected(practice, template, tmp_path_factory):
    root = tmp_path_factory.mktemp("class")
    return ClassFolder(root), collect(practice.zip, NAME, root, template)


def test_the_same_seed_gives_the_same_class(practice, tmp_path):
    again, other = (make_class(tmp_path / str(seed), NAME, ROOT, students=24, seed=seed) for seed in (3, 4))
    assert again.zip.read_bytes() == practice.zip.read_bytes()
    assert again.gradebook_csv.read_bytes() == practice.gradebook_csv.read_bytes()
    assert again.expected == practice.expected != other.expected


def test_everybody_comes_through_collecting_or_is_refused_as_said(practice, collected):
    folder, rows = collected
    assert {row["student"] for row in rows} == set(practice.expected)
    assert {s for s, points in practice.expected.items() if points is not None} == set(folder.students(NAME))
    assert len(practice.expected) == 24
    assert any(row["late"] for row in rows)
    assert any(row["status"] == "earlier" for row in rows)
    assert sum("-" in student for student in practice.expected) == 1  # two people have one name


def test_the_gradebook_has_everybody_by_the_number_in_the_zip_and_two_who_handed_in_nothing(practice):
    with practice.gradebook_csv.open(encoding="utf-8-sig", newline="") as file:
        head, points, *rows = csv.reader(file)
    assert head[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert points[5] == "24.00"
    listed = {row[1] for row in rows if row[0] != "Student, Test"}
    handed_in = {
        name.replace("_LATE_", "_").split("_")[1] for name in zipfile.ZipFile(practice.zip).namelist()
    }
    assert handed_in < listed
    assert len(listed - handed_in) == 2


def test_the_class_is_a_class(practice):
    """All right, partly right, nothing; several of the known mistakes, some of them more than once."""
    points = [p for p in practice.expected.values() if p is not None]
    assert {0.0, 20.0} < set(points)
    assert len(set(points)) > 6
    mistakes = [
        f"{e} {p}" for picks in practice.picks.values() for e, p in picks.items() if p.startswith("mistake")
    ]
    assert len(set(mistakes)) > 15
    assert max(map(mistakes.count, mistakes)) > 2


def test_two_hand_in_one_work_with_other_names(practice, collected):
    folder, _ = collected
    pair = [s for s, about in practice.about.items() if about.startswith(("copies", "copied"))]
    assert practice.picks[pair[0]] == practice.picks[pair[1]]
    one, other = (json.loads(folder.submitted(s, NAME).read_text(encoding="utf-8")) for s in pair)
    changed = 0
    for name, pick in practice.picks[pair[0]].items():
        texts = [text_of(cell_of(notebook, name)) for notebook in (one, other)]
        if pick != "not started":
            assert _shape(texts[0]) == _shape(texts[1])
            changed += texts[0] != texts[1]
    assert changed >= 3


def _shape(text: str) -> list[str]:
    return [type(node).__name__ for node in ast.walk(ast.parse(text))]


def test_grading_finds_what_is_said(practice, collected):
    from lmcourse.exercises.records import load_chapter
    from lmcourse.grading.run import grade_class

    folder, _ = collected
    results = {r.student: r for r in grade_class(folder, NAME, course=ROOT, workers=2)}
    wanted = {s: points for s, points in practice.expected.items() if points is not None}
    assert {s: r.points for s, r in results.items()} == wanted
    told = 0
    for student, result in results.items():
        for e in result.exercises:
            pick = practice.picks[student][e.verdict.name]
            if pick.startswith("mistake"):
                hints = load_chapter(NAME).find(e.verdict.name).hints
                assert e.verdict.hint == hints[int(pick.split()[1])], (student, e.verdict.name)
                told += 1
            elif pick != "not right":
                assert e.verdict.status == {"right": "passed"}.get(pick, pick)
    assert told > 20


def test_a_class_too_small_for_all_kinds_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 12"):
        make_class(tmp_path, NAME, ROOT, students=5)


def test_an_answer_brings_its_helpers_and_leaves_the_authors_things_behind():
    source = (
        "from functools import lru_cache\nimport math\nfrom lmcourse.authoring.spec import Exercise\n\nquad = Exercise('quad')\nHINT = 'no'\n\n"
        "@lru_cache(maxsize=None)\ndef double(x):\n    return math.floor(2 * x)\n\n"
        "@quad.mistake(HINT)\ndef wrong(x):\n    '''The author's note.'''\n    return double(x) if x else wrong(1)\n\n"
        "def leans_on_the_exercise(x):\n    return quad\n"
    )
    stub = "def quad(x: float) -> float:\n    '''Four times.'''\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    text = Definitions(source).answer("wrong", "quad", stub)
    scope: dict = {}
    exec(text, scope)
    assert scope["quad"](0) == 2
    assert text.startswith(
        "from functools import lru_cache\nimport math\n\n\n@lru_cache(maxsize=None)\ndef double"
    )
    assert (
        "def quad(x: float) -> float:\n    '''Four times.'''\n    return double(x) if x else quad(1)" in text
    )
    assert "author" not in text
    assert "HINT" not in text
    assert Definitions(source).answer("leans_on_the_exercise", "quad", stub) is None


def test_a_restyled_answer_computes_the_same():
    text = "def f(out, n):\n    i = 0  # from the start\n    def step(i):\n        return i + n\n    total = [step(k) for k in out]\n    return total, i"
    scope: dict = {}
    exec(restyled(text, {"i": "pos", "out": "given", "total": "n", "k": "each"}), scope)
    assert scope["f"](out=[1, 2], n=3) == ([4, 5], 0)
