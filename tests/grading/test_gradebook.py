"""The gradebook's writer against stock nbgrader: same rows; a person's marks survive; killed anywhere, it ends the same."""

from __future__ import annotations

import copy
import json
import os
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.gradebook.writer import Writer
from lmcourse.grading.intake.template import Template
from lmcourse.grading.results import Result
from tests.grading.conftest import ANSWERS, NAME, SOLUTION

POINTS = {
    cell.metadata.nbgrader.grade_id: float(cell.metadata.nbgrader.points)
    for cell in nbformat.read(SOLUTION, as_version=4).cells
    if cell.metadata.get("nbgrader", {}).get("grade")
}
WRONG = "check_bpe_encode"
TABLES = ("student", "submitted_assignment", "submitted_notebook", "grade", "comment")


@pytest.fixture
def bare(tmp_path) -> ClassFolder:
    """The folder of a class of which nothing is known."""
    (tmp_path / "class").mkdir()
    return ClassFolder(tmp_path / "class")


@pytest.fixture(scope="session")
def registered(tmp_path_factory) -> Path:
    folder = ClassFolder(tmp_path_factory.mktemp("registered"))
    with Writer(folder, NAME, source()):
        pass
    return folder.root


@pytest.fixture
def folder(bare, registered) -> ClassFolder:
    """The folder of a class with the assignment registered."""
    shutil.copytree(registered, bare.root, dirs_exist_ok=True)
    return bare


def source() -> nbformat.NotebookNode:
    return nbformat.read(SOLUTION, as_version=4)


def executed(template: Template, *, wrong=(WRONG,), untouched=(), said: str = "") -> str:
    """A notebook as the runner leaves it: answers typed in, each check with its panel, an error where it does not pass."""
    notebook = copy.deepcopy(template.notebook)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in ANSWERS and name not in untouched:
            cell.source = ANSWERS[name] + said
        if name in POINTS and cell.cell_type == "code":
            panel = {
                "text/plain": f"{name}: judged",
                "text/html": f"<div class='lm-check'>{name}: judged</div>",
            }
            cell.outputs = [nbformat.v4.new_output("display_data", panel)]
            if name in wrong:
                cell.outputs.append(
                    nbformat.v4.new_output("error", ename="NotPassed", evalue="not yet", traceback=[])
                )
    return nbformat.writes(notebook) + "\n"


HOSTILE = """<script>hit()</script> <img src=x onerror="hit()"> <svg/onload=hit()> <SCRIPT
>hit()</SCRIPT> <b onclick="hit()">c</b> [a](javascript:hit()) [a](JavaScript\\:hit()) [a](&#106;avascript:hit())
[a](<\tjava\tscript:hit()>) [a](javascript&colon;hit()) <b>bold</b> $a<b$ `<i x>` ![p](attachment:gone.png)"""


def with_hostile_cells(text: str) -> str:
    """With what repairing leaves in: tags in the answer in words, in a raw cell, in a picture."""
    notebook = nbformat.reads(text, as_version=4)
    answer = next(
        c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "why_languages"
    )
    answer.source = HOSTILE
    answer["attachments"] = {"gone.png": {"image/png": 'x" onerror="evil'}, "here.png": {"image/png": "aGk="}}
    notebook.cells.append(nbformat.v4.new_raw_cell(HOSTILE))
    return nbformat.writes(notebook)


def result(student: str = "ada", *, wrong=(WRONG,), untouched=(), key: str = "k1", **more) -> Result:
    scores = {name: 0.0 if name in wrong else points for name, points in POINTS.items()}
    scores["why_languages"] = 0.0 if "why_languages" in untouched else None
    return replace(Result(student, NAME, key, "graded", scores=scores, max_scores=POINTS), **more)


def failed(student: str = "ada", key: str = "k2") -> Result:
    return Result(student, NAME, key, "failed", why="its notebook <b>ran</b> out of memory")


def rows(url: str, *, ids: bool = False) -> dict[str, list]:
    """Every table; without `ids`, each row with names in place of the random ids."""
    from sqlalchemy import MetaData, create_engine

    engine, meta = create_engine(url), MetaData()
    meta.reflect(engine)
    with engine.connect() as db:
        found = {t.name: [dict(r) for r in db.execute(t.select()).mappings()] for t in meta.sorted_tables}
    engine.dispose()
    if not ids:
        _name(found)
    return {table: sorted(map(repr, some)) for table, some in found.items()}


def _name(found: dict[str, list[dict]]) -> None:
    by_id = {r["id"]: r for table in found.values() for r in table if "id" in r}

    def name_of(row: dict) -> str:
        links = [
            name_of(by_id[row[k]])
            for k in sorted(row)
            if k.endswith("_id") and row[k] in by_id and k != "course_id"
        ]
        return "/".join(
            [str(row.get("name") or row.get("id") if "first_name" in row else row.get("name")), *links]
        )

    names = {key: name_of(row) for key, row in by_id.items()}
    for table in found.values():
        for row in table:
            row.update({k: names.get(v, v) for k, v in row.items() if k == "id" or k.endswith("_id")})


def files(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(p.relative_to(root)): (stat.S_IMODE(p.stat().st_mode), p.read_bytes())
        for p in sorted(root.rglob("*"))
        if p.is_file() and p.suffix != ".db"
    }


def hand_in(folder: ClassFolder, student: str, text: str) -> None:
    path = folder.submitted(student, NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def change(url: str, what) -> None:
    """What a person does in formgrader."""
    from nbgrader.api import Gradebook

    with Gradebook(url) as gradebook:
        what(gradebook)
        gradebook.db.commit()


def row_of(url: str, cell: str, student: str = "ada") -> dict:
    from nbgrader.api import Gradebook

    with Gradebook(url) as gradebook:
        grade = gradebook.find_grade(cell, "exercises", NAME, student)
        return {
            "auto": grade.auto_score,
            "manual": grade.manual_score,
            "look": grade.needs_manual_grade,
            "score": grade.score,
        }


# As stock nbgrader would

PLUGIN = """
from nbgrader.plugins import BasePlugin

class Tenth(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score / 10 + total_seconds_late / 3600
"""


@pytest.fixture(scope="session")
def stock(tmp_path_factory) -> Path:
    """A class folder in which `nbgrader generate_assignment` has run."""
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    root, config = tmp_path_factory.mktemp("stock"), Config()
    (root / "source" / NAME).mkdir(parents=True)
    shutil.copy(SOLUTION, root / "source" / NAME)
    config.CourseDirectory.root, config.CourseDirectory.course_id = str(root), "default_course"
    directory = CourseDirectory(config=config)
    directory.assignment_id = NAME
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        GenerateAssignment(coursedir=directory, config=config).start()
    return root / "gradebook.db"


def stock_autograde(url: str, notebook: str, stamp: str | None, config) -> None:
    """What `nbgrader autograde` does with the gradebook, with an executed notebook."""
    from nbgrader.api import Gradebook
    from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades

    with Gradebook(url) as gradebook:
        gradebook.update_or_create_student("ada")
        gradebook.update_or_create_submission(NAME, "ada", **({"timestamp": stamp} if stamp else {}))
    where = {"notebook": "exercises", "assignment": NAME, "student": "ada", "db_url": url}
    for step in (SaveAutoGrades, AssignLatePenalties):
        step(config=config).preprocess(nbformat.reads(notebook, as_version=4), {"nbgrader": where})


def set_due(gradebook) -> None:
    gradebook.update_or_create_assignment(NAME, duedate="2026-01-02 12:00:00 UTC")


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize(
    ("given", "in_utc", "penalty"),
    [
        (None, None, None),
        ("2026-01-02 12:00:00", "2026-01-02 12:00:00 UTC", None),
        ("2026-01-02T15:30:00+02:00", "2026-01-02 13:30:00 UTC", 1.7 + 1.5),
    ],
)
def test_the_rows_are_those_of_stock_nbgrader(
    given, in_utc, penalty, folder, stock, template, tmp_path, monkeypatch
):
    (folder.root / "late_plugin.py").write_text(PLUGIN)
    config = "c = get_config()\nc.AssignLatePenalties.plugin_class = 'late_plugin.Tenth'\n"
    (folder.root / "nbgrader_config.py").write_text(config)
    change(folder.db_url, set_due)
    untouched = ("cut_word", "why_languages")
    notebook = executed(template, untouched=untouched)
    with Writer(folder, NAME, source()) as writer:
        # Twice, for stock nbgrader leaves rows of its own from the first time.
        assert writer.write(result(untouched=untouched), notebook, given)
        assert writer.write(
            result(untouched=untouched, wrong=(), key="k"), executed(template, wrong=(), untouched=untouched)
        )
        assert writer.write(result(untouched=untouched), notebook)
    theirs = f"sqlite:///{shutil.copy(stock, tmp_path / 'stock.db')}"
    change(theirs, set_due)
    monkeypatch.syspath_prepend(str(folder.root))
    stock_autograde(theirs, notebook, in_utc, folder.config)
    ours = rows(folder.db_url)
    assert ours == rows(theirs)
    (row,) = ours["submitted_notebook"]
    assert f"'late_submission_penalty': {penalty}" in row
    assert sum("No response." in row for row in ours["comment"]) == 2


def test_an_assignment_that_is_registered_is_left_alone(folder):
    before, shown = rows(folder.db_url, ids=True), files(folder.root)
    assert list(shown) == [f"source/{NAME}/exercises.ipynb"]
    written = (folder.root / "gradebook.db").read_bytes()
    with Writer(folder, NAME, source()):
        pass
    assert (rows(folder.db_url, ids=True), files(folder.root)) == (before, shown)
    assert (folder.root / "gradebook.db").read_bytes() == written


def test_a_changed_source_is_taken_over_and_submissions_survive(folder, template):
    with Writer(folder, NAME, source()) as writer:
        writer.write(result(), executed(template))
    before = rows(folder.db_url)
    changed = source()
    cell = next(
        c for c in changed.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "check_merge_pair"
    )
    cell.metadata.nbgrader.points = 5
    with Writer(folder, NAME, changed):
        pass
    after = rows(folder.db_url)
    assert "'max_score': 5.0" in str(after["grade_cells"])
    assert after["grade"] == before["grade"]
    changed.cells.remove(cell)
    with pytest.raises(ValueError, match="went: check_merge_pair"), Writer(folder, NAME, changed):
        pass
    assert rows(folder.db_url) == after


# What a person gave


def test_what_a_person_gave_survives_and_is_to_be_looked_at_only_after_a_change(folder, template):
    def by_hand(gradebook):
        grade = gradebook.find_grade("why_languages", "exercises", NAME, "ada")
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 3.0, 0.5, False
        gradebook.find_grade(WRONG, "exercises", NAME, "ada").manual_score = 1.0
        gradebook.find_comment("why_languages", "exercises", NAME, "ada").manual_comment = "Well said."

    with Writer(folder, NAME, source()) as writer:
        writer.write(result(), executed(template))
        change(folder.db_url, by_hand)
        before = rows(folder.db_url, ids=True)
        assert not writer.write(result(), executed(template))
        assert rows(folder.db_url, ids=True) == before
        assert writer.write(result(key="new"), executed(template, said="\n"))
        assert row_of(folder.db_url, "why_languages") == {
            "auto": None,
            "manual": 3.0,
            "look": True,
            "score": 3.5,
        }
        assert row_of(folder.db_url, WRONG) == {"auto": 0.0, "manual": 1.0, "look": True, "score": 1.0}
        assert writer.write(failed(), executed(template))
        assert row_of(folder.db_url, "why_languages")["score"] == 3.5
    assert "'manual_comment': 'Well said.'" in str(rows(folder.db_url)["comment"])


def test_nothing_is_new_the_second_time(folder, template):
    with Writer(folder, NAME, source()) as writer:
        assert not writer.written(result())
        assert writer.write(result(), executed(template), "2026-01-02 12:00:00 UTC")
        assert writer.written(result())
        assert not writer.written(result(key="another"))
    before, shown = rows(folder.db_url, ids=True), files(folder.root)
    with Writer(folder, NAME, source()) as writer:
        assert not writer.write(result(), executed(template), "2026-01-02 12:00:00 UTC")
    assert (rows(folder.db_url, ids=True), files(folder.root)) == (before, shown)


def test_a_gradebook_that_was_lost_is_written_again(folder, template):
    with Writer(folder, NAME, source()) as writer:
        writer.write(result(), executed(template))
    before = rows(folder.db_url)
    (folder.root / "gradebook.db").unlink()
    with Writer(folder, NAME, source()) as writer:
        assert not writer.written(result())
        assert writer.write(result(), executed(template))
    assert rows(folder.db_url) == before


# No mark where there is none


def test_of_a_result_that_failed_no_old_mark_stands(folder, template):
    with Writer(folder, NAME, source()) as writer:
        writer.write(result(), executed(template))
        assert row_of(folder.db_url, "check_merge_pair")["score"] == 2.0
        assert writer.write(failed(), executed(template))
        assert writer.written(failed())
        assert not writer.write(failed(), executed(template))
    for cell in POINTS:
        assert row_of(folder.db_url, cell) == {"auto": None, "manual": None, "look": True, "score": 0.0}
    comments = rows(folder.db_url)["comment"]
    assert all("Not graded: its notebook <b>ran</b> out of memory" in row for row in comments)
    shown = nbformat.read(folder.autograded("ada", NAME), as_version=4)
    assert "Not graded: its notebook &lt;b&gt;ran" in shown.cells[0].source
    assert not any(cell.get("outputs") for cell in shown.cells)
    assert ANSWERS["merge_pair"] in [cell.source for cell in shown.cells]


def test_a_notebook_that_cannot_be_read_shows_the_empty_assignment(folder, template):
    with Writer(folder, NAME, source()) as writer:
        writer.write(failed(), '{"cells": [')
    shown = nbformat.read(folder.autograded("ada", NAME), as_version=4)
    assert "cannot be shown" in shown.cells[0].source
    marked = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in shown.cells}
    assert set(POINTS) < marked
    assert "SOLUTION" not in str(shown)


def test_who_handed_in_nothing_has_no_submission(folder, template):
    with Writer(folder, NAME, source()) as writer:
        change(folder.db_url, lambda g: g.add_student("bob"))
        writer.write(result(), executed(template))
        assert writer.missing() == ["bob"]
    assert len(rows(folder.db_url)["submitted_assignment"]) == 1


def test_marks_that_the_notebook_does_not_show_are_refused(folder, template):
    with Writer(folder, NAME, source()) as writer:
        with pytest.raises(ValueError, match=f"gives {WRONG} the score 3.0, its notebook gives it 0"):
            writer.write(result(wrong=()), executed(template))
        with pytest.raises(ValueError, match="check why_languages"):
            writer.write(
                result(scores={k: v for k, v in POINTS.items() if k != "why_languages"}), executed(template)
            )
        with pytest.raises(ValueError, match="must be a date and time, got 'soon'"):
            writer.write(result(), executed(template), "soon")
        with pytest.raises(ValueError, match="must be of 01_tokens"):
            writer.write(result(assignment="02"), executed(template))
    assert not rows(folder.db_url)["student"]
    assert list(files(folder.root)) == [f"source/{NAME}/exercises.ipynb"]


def test_a_students_tags_become_text_and_the_courses_own_stay(folder, template):
    with Writer(folder, NAME, source()) as writer:
        writer.write(result(), with_hostile_cells(executed(template)))
    shown = nbformat.read(folder.autograded("ada", NAME), as_version=4)
    answer = next(c for c in shown.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "why_languages")
    for source_text in (answer.source, shown.cells[-1].source):
        assert "<b>bold</b>" in source_text
        assert source_text.replace("\u200b", "") == HOSTILE.replace("attachment:gone", "missing picture gone")
        for tag in (
            "<script",
            "<img",
            "<svg",
            "<SCRIPT",
            "<b onclick",
            "</script",
            "script:",
            "&#",
            "&colon",
        ):
            assert tag not in source_text
    assert list(answer.attachments) == ["here.png"]
    own = [c.source for c in template.notebook.cells if c.cell_type == "markdown"][:-1]
    assert [c.source for c in shown.cells if c.cell_type == "markdown"][: len(own)] == own


@pytest.mark.parametrize("name", ["..", "a/b", "", " ada", "x" * 129])
def test_names_that_are_no_folder_are_refused(name, folder, template):
    with Writer(folder, NAME, source()) as writer, pytest.raises(ValueError, match="student's name"):
        writer.write(result(name), executed(template))


@pytest.mark.parametrize("name", ["Zoë O'Neill", "ada@uni.edu", "李 雷", 'a+b;--"$(x)', "[x]*?"])
def test_odd_names_are_people_too(name, folder, template):
    with Writer(folder, NAME, source()) as writer:
        writer.write(result(name), executed(template))
        assert writer.written(result(name))
    assert row_of(folder.db_url, "check_merge_pair", name)["score"] == 2.0
    assert folder.autograded(name, NAME).is_file()


def test_files_are_left_as_nbgrader_leaves_them(folder, template):
    hand_in(folder, "ada", "{}")
    with Writer(folder, NAME, source()) as writer:
        writer.write(result(), executed(template), "2026-01-02 12:00:00 UTC")
    shown = files(folder.root)
    assert {name: mode for name, (mode, _) in shown.items() if name.startswith("autograded")} == {
        f"autograded/ada/{NAME}/exercises.ipynb": 0o444, f"autograded/ada/{NAME}/timestamp.txt": 0o444
    }  # fmt: skip
    # formgrader takes a submission for ungraded where this file and the gradebook differ.
    assert shown[f"submitted/ada/{NAME}/timestamp.txt"][1] == b"2026-01-02 12:00:00.000000 UTC"


# Killed


def _killed_at(step: int, what) -> bool:
    """Run `what` in a child that dies at its `step`-th statement or change of a file. Returns whether it died."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _die_at(step)
            what()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


def _die_at(step: int) -> None:
    from sqlalchemy import Engine, event

    left = [step]

    def count(*_: object, **__: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            os._exit(9)

    def counted(function):
        def call(*args, **kwargs):
            count()
            return function(*args, **kwargs)

        return call

    for name in ("before_cursor_execute", "commit"):
        event.listen(Engine, name, count)
    for name in ("replace", "chmod", "mkdir", "unlink", "fdopen"):
        setattr(os, name, counted(getattr(os, name)))


def test_killed_while_writing_it_ends_the_same(folder, registered, template, tmp_path):
    def write(folder: ClassFolder) -> None:
        with Writer(folder, NAME, source()) as writer:
            writer.write(result(), executed(template), "2026-01-02 12:00:00 UTC")
            writer.write(failed("bob"), executed(template))
            writer.write(
                result(wrong=(), key="again"), executed(template, wrong=()), "2026-01-03 12:00:00 UTC"
            )

    write(folder)
    want = rows(folder.db_url), files(folder.root)
    step, died = 0, True
    while died:
        step += 9
        again = ClassFolder(tmp_path / f"killed-{step}")
        shutil.copytree(registered, again.root)
        died = _killed_at(step, lambda again=again: write(again))
        write(again)
        assert (rows(again.db_url), files(again.root)) == want, step
    assert step > 30


def test_killed_while_registering_it_ends_the_same(folder, tmp_path):
    def register(folder: ClassFolder) -> None:
        with Writer(folder, NAME, source()):
            pass

    want, died = (rows(folder.db_url), files(folder.root)), []
    for step in (2, 8, 40, 120, 250):
        again = ClassFolder(tmp_path / f"killed-{step}")
        again.root.mkdir()
        died.append(_killed_at(step, lambda again=again: register(again)))
        register(again)
        assert (rows(again.db_url), files(again.root)) == want, step
    assert sum(died) >= 4


def test_a_gradebook_of_another_nbgrader_is_refused_in_words(folder):
    import sqlite3

    with sqlite3.connect(folder.root / "gradebook.db") as db:
        db.execute("UPDATE alembic_version SET version_num = 'old'")
    with pytest.raises(ValueError, match="nbgrader db upgrade"), Writer(folder, NAME, source()):
        pass
    (folder.root / "gradebook.db").write_text(json.dumps("no database"))
    with (
        pytest.raises(ValueError, match="cannot be opened: file is not a database"),
        Writer(folder, NAME, source()),
    ):
        pass
