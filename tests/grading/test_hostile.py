"""What clever and angry students try, all in one class beside two honest ones: no point gained, nothing read, nothing changed.

Each program in `hostile/` is typed into an unanswered notebook: `# %% merge_pair` begins the answer to an exercise, `# %% all` every answer
(with the exercise's name for NAME), `# %% first` and `# %% last` cells of the student's own. `# leak: TEXT` in its docstring
says what must not be seen in the outputs. The grader's places stand in CLASS_FOLDER, COURSE, HOME_FOLDER, PORT, SOCKET and ABSTRACT.
"""

from __future__ import annotations

import html
import json
import re
import time
import zipfile
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbgrader.utils import determine_grade

from lmcourse.exercises.records import load_chapter
from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.intake.collect import collect
from lmcourse.grading.judging.assignment import load_assignment, seed_of
from lmcourse.grading.limits import Limits
from lmcourse.grading.results import Result
from tests.conftest import ROOT
from tests.grading.conftest import NAME, as_bytes, grade_id, needs_boxes
from tests.grading.hostile_machine import Descendants, Doors
from tests.grading.hostile_typed import EXERCISES, HONEST, PROGRAMS, honest, notebook_with

pytestmark = needs_boxes

LIMITS = Limits(
    cell_seconds=1.0, call_seconds=0.4, exercise_seconds=1.0, notebook_seconds=6.0, cpu_seconds=20,
    memory_bytes=768 * 2**20, disk_bytes=32 * 2**20, file_bytes=16 * 2**20, output_bytes=64 * 1024, processes=32,
)  # fmt: skip
TOKENS = {where: f"CANARY-VALUE-{where}-7f3a91" for where in ("environment", "class", "home")}
HALF = EXERCISES[:4]
TWICE = "between_students"


@dataclass
class Batch:
    folder: ClassFolder
    home: Path
    results: dict[str, Result]
    secrets: list[str]
    left_alive: list[str]
    visitors: list[str]
    submitted: dict[str, bytes]
    seconds: float

    def outputs(self, student: str) -> str:
        """All that the student's notebook shows after it was run, as it would be read on a page."""
        notebook = nbformat.read(self.folder.autograded(student, NAME), as_version=4)
        shown = [json.dumps(c.get("outputs", []), ensure_ascii=False) for c in notebook.cells]
        return "\n".join(shown).replace("\\n", "\n").replace('\\"', '"')


@pytest.fixture(scope="module")
def batch(tmp_path_factory, template):
    from lmcourse.grading.handing_back.feedback import write_feedback
    from lmcourse.grading.run import grade_class

    root, home = tmp_path_factory.mktemp("class"), tmp_path_factory.mktemp("home")
    patch, doors = pytest.MonkeyPatch(), Doors(tmp_path_factory.mktemp("doors"))
    folder = ClassFolder(root)
    values = {
        "CLASS_FOLDER": str(root), "COURSE": str(ROOT), "HOME_FOLDER": str(home),
        "PORT": doors.port, "SOCKET": doors.path, "ABSTRACT": doors.abstract,
    }  # fmt: skip
    class_files = {name: notebook_with(program, values) for name, program in PROGRAMS.items()}
    class_files[f"{TWICE}_again"] = class_files[TWICE]
    class_files |= {"honest_full": honest(EXERCISES), "honest_half": honest(HALF)}
    with zipfile.ZipFile(root / "class.zip", "w") as archive:
        for name, notebook in class_files.items():
            archive.writestr(f"{name}/exercises.ipynb", as_bytes(notebook))
    collect(root / "class.zip", NAME, root, template)
    (root / "notes.txt").write_text(TOKENS["class"])
    (home / "notes.txt").write_text(TOKENS["home"])
    submitted = {str(p): p.read_bytes() for p in (root / "submitted").rglob("*") if p.is_file()}
    patch.setenv("HOME", str(home))
    patch.setenv("LMCOURSE_CANARY", TOKENS["environment"])
    began = time.monotonic()
    try:
        with Descendants() as below:
            results = grade_class(folder, NAME, course=ROOT, workers=2, limits=LIMITS)
        assert {page.student for page in write_feedback(folder, NAME, load_chapter(NAME))} >= set(class_files)
        yield Batch(
            folder, home, {r.student: r for r in results}, _hidden_cases(folder), below.alive(), doors.visitors(),
            submitted, time.monotonic() - began,
        )  # fmt: skip
    finally:
        patch.undo()
        doors.close()


def _hidden_cases(folder: ClassFolder) -> list[str]:
    """Arguments of hidden cases of the first exercise that no student has, as a program would print them."""
    from lmcourse.exercises.codec import unpack

    loaded = load_assignment(NAME, ROOT, seed_of(folder, NAME))
    visible = {case.packed_args for case in loaded.visible.find("merge_pair").cases}
    hidden = [c.packed_args for c in loaded.hidden.find("merge_pair").cases if c.packed_args not in visible]
    lists = [str(unpack(packed)[0][0]) for packed in hidden]
    return [text for text in lists if len(text) > 30]


STUDENTS = [*PROGRAMS, f"{TWICE}_again"]


@pytest.mark.parametrize("student", STUDENTS)
def test_nothing_is_gained(student, batch):
    result = batch.results[student]
    assert result.status == "graded", result.why
    assert result.points == 0, [e.verdict for e in result.exercises if e.verdict.points]
    notebook = nbformat.read(batch.folder.autograded(student, NAME), as_version=4)
    marks = [
        determine_grade(cell)[0] for cell in notebook.cells if grade_id(cell) and cell.metadata.nbgrader.grade
    ]
    assert not any(marks), "nbgrader reads a mark in the notebook that was run"


@pytest.mark.parametrize("student", STUDENTS)
def test_nothing_is_told(student, batch):
    page = batch.folder.feedback(student, NAME).read_text(encoding="utf-8")
    assert [text for text in [*TOKENS.values(), HONEST, *batch.secrets] if text in html.unescape(page)] == []
    shown = batch.outputs(student)
    program = PROGRAMS[student.removesuffix("_again")]
    forbidden = [
        *TOKENS.values(),
        HONEST,
        "HACKED:",
        *re.findall(r"^# leak: (.+)$", program, re.MULTILINE),
        *batch.secrets,
    ]
    assert [text for text in forbidden if text in shown] == []


@pytest.mark.parametrize("student", STUDENTS)
def test_what_was_run_is_a_notebook_of_a_size_to_be_opened(student, batch):
    path = batch.folder.autograded(student, NAME)
    assert path.stat().st_size < 5_000_000
    notebook = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(notebook)
    for output in (o for cell in notebook["cells"] for o in cell.get("outputs", [])):
        seen = Running()
        seen.feed("".join(output.get("data", {}).get("text/html", [])))
        assert seen.found == []
    seen = Running()
    seen.feed(batch.folder.feedback(student, NAME).read_text(encoding="utf-8"))
    assert [tag for tag in seen.found if tag != "meta"] == []


class Running(HTMLParser):
    """What in a piece of HTML would run in the browser of whoever looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        calls = [
            f"{name}={value}" for name, value in attrs if name.startswith("on") or "script:" in str(value)
        ]
        self.found += [tag] * (
            tag in ("script", "iframe", "object", "embed", "base", "link", "meta", "form")
        ) + calls


def test_honest_students_keep_their_marks(batch):
    full, half = batch.results["honest_full"], batch.results["honest_half"]
    assert (full.status, full.points) == ("graded", 20), [
        e.verdict for e in full.exercises if not e.verdict.points
    ]
    assert (half.status, half.points) == ("graded", 9)
    assert not full.incidents
    assert not half.incidents


def test_the_secrets_are_such_that_a_leak_would_be_seen(batch):
    assert len(batch.secrets) >= 5
    failed = {e.grade_id: e for e in batch.results["leak_by_error"].exercises}["check_merge_pair"]
    # It came as far as the hidden cases: the instructor sees what it told, its student does not.
    assert failed.hidden
    assert "hidden case: " in failed.verdict.failure.got
    assert failed.shown.failure is None


@pytest.mark.parametrize("student", STUDENTS)
def test_nobody_takes_much_more_than_is_allowed(student, batch):
    result = batch.results[student]
    assert result.seconds < LIMITS.notebook_seconds + 5
    assert result.peak_bytes < 2.5 * LIMITS.memory_bytes


def test_two_friends_find_nothing_of_each_other(batch):
    marks = [set(re.findall(r"MARK-OF-\w{16}", batch.outputs(name))) for name in (TWICE, f"{TWICE}_again")]
    assert [len(found) for found in marks] == [1, 1]
    assert marks[0] != marks[1]


def test_files_outside_are_as_they_were(batch):
    assert {
        str(p): p.read_bytes() for p in (batch.folder.root / "submitted").rglob("*") if p.is_file()
    } == batch.submitted
    assert (batch.folder.root / "notes.txt").read_text() == TOKENS["class"]
    assert sorted(p.name for p in batch.home.iterdir() if not p.name.startswith(".")) == ["notes.txt"]
    import torch

    for place in (
        batch.folder.root,
        batch.home,
        ROOT,
        ROOT / "lmcourse",
        Path(torch.__path__[0]),
        Path("/tmp"),
        Path("/etc"),
        Path("/usr"),
    ):
        assert not list(place.glob("HACKED*")), place


def test_nobody_was_reached_and_nobody_is_left(batch):
    assert batch.visitors == []
    assert batch.left_alive == []
