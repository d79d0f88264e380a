"""Grading a class: same marks again, whatever happened in between; on threads here and on Dask's workers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.isolation import NoIsolation, isolation_for
from lmcourse.grading.limits import Limits
from lmcourse.grading.run import grade_class
from tests.conftest import ROOT
from tests.grading.conftest import NAME, as_bytes, cell_of, needs_boxes, put

pytestmark = needs_boxes
WRONG = "def merge_pair(ids, pair, new_id):\n    return []"


@pytest.fixture
def folder(tmp_path, answered) -> ClassFolder:
    """Ada has all right, Ben all but one, and Cem handed in what is no notebook."""
    hand_in(tmp_path, "ada", as_bytes(answered))
    cell_of(answered, "merge_pair")["source"] = WRONG
    hand_in(tmp_path, "ben", as_bytes(answered))
    hand_in(tmp_path, "cem", b"<html>")
    return ClassFolder(tmp_path)


def hand_in(root: Path, student: str, data: bytes) -> None:
    put(root, f"submitted/{student}/{NAME}/exercises.ipynb", data)


def grade(folder: ClassFolder, **settings):
    return grade_class(folder, NAME, course=ROOT, **settings)


def marks(folder: ClassFolder) -> dict[str, list]:
    with Gradebook(folder.db_url) as book:
        return {
            s.student.id: sorted(
                (g.name, g.auto_score, g.needs_manual_grade) for n in s.notebooks for g in n.grades
            )
            for s in book.find_assignment(NAME).submissions
        }


def state(folder: ClassFolder) -> dict[str, object]:
    files = {
        str(p.relative_to(folder.root)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in folder.root.rglob("*")
        if p.is_file() and p.suffix != ".db"
    }
    return {"files": files, "marks": marks(folder)}


def test_a_class_is_graded_and_a_second_run_changes_nothing(folder):
    results = grade(folder)
    assert [(r.student, r.status, r.points) for r in results] == [
        ("ada", "graded", 20),
        ("ben", "graded", 18),
        ("cem", "failed", 0),
    ]
    assert {n: s for n, s, _ in marks(folder)["ben"]}["check_merge_pair"] == 0
    assert all(score is None and manual for _, score, manual in marks(folder)["cem"])
    before = state(folder)
    assert [r.to_json() for r in grade(folder)][:2] == [r.to_json() for r in results][:2]
    assert state(folder) == before


def test_a_gradebook_that_is_gone_is_filled_again_without_grading(folder):
    grade(folder)
    before, executed = marks(folder), folder.autograded("ada", NAME).read_bytes()
    (folder.root / "gradebook.db").unlink()
    grade(folder)
    assert marks(folder) == before
    assert folder.autograded("ada", NAME).read_bytes() == executed


def test_only_what_has_changed_is_graded_again(folder, answered):
    grade(folder)
    before = state(folder)
    hand_in(folder.root, "ben", folder.submitted("ada", NAME).read_bytes())
    assert [r.points for r in grade(folder)] == [20, 20, 0]
    after = state(folder)
    ada = [name for name in after["files"] if "ada" in name]
    assert ada
    assert all(after["files"][name] == before["files"][name] for name in ada)


def test_a_new_notebook_that_cannot_be_graded_leaves_no_old_mark(folder):
    grade(folder)
    hand_in(folder.root, "ada", b"not a notebook any more")
    assert grade(folder)[0].status == "failed"
    assert all(score is None and manual for _, score, manual in marks(folder)["ada"])
    assert "graded" not in folder.result("ada", NAME).read_text().split('"status": ')[1].split(",")[0]


def test_the_seed_is_kept_and_is_for_the_instructor_alone(folder):
    grade(folder)
    seed = folder.graded(NAME) / "seed"
    text = seed.read_text()
    assert int(text) > 2**20
    assert seed.stat().st_mode & 0o077 == 0
    grade(folder, again=True)
    assert seed.read_text() == text
    grade(folder, seed=5)
    assert seed.read_text() == "5\n"


def test_killed_at_any_moment_it_finishes_with_the_same_marks(folder, answered):
    for n in range(4):
        hand_in(folder.root, f"dora-{n}", as_bytes(answered))
    program = f"from pathlib import Path\nfrom lmcourse.grading.class_folder import ClassFolder\nfrom lmcourse.grading.run import grade_class\ngrade_class(ClassFolder(Path({str(folder.root)!r})), {NAME!r}, course=Path({str(ROOT)!r}))"
    for wanted in (1, 3):
        child = subprocess.Popen([sys.executable, "-c", program], cwd="/")
        deadline = time.monotonic() + 60
        while len(list(folder.graded(NAME).glob("*.json"))) < wanted and time.monotonic() < deadline:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert 3 <= len(list(folder.graded(NAME).glob("*.json"))) < 7
    assert [r.points for r in grade(folder)] == [20, 18, 0, 18, 18, 18, 18]
    assert sum(score or 0 for _, score, _ in marks(folder)["dora-3"]) == 18
    deadline = time.monotonic() + 10
    while _zygotes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _zygotes()


def _zygotes() -> list[str]:
    """Forking processes that have lost their grader."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (
                b"grading.box.zygote" in (path / "cmdline").read_bytes()
                and (path / "stat").read_text().rsplit(")", 1)[1].split()[1] == "1"
            ):
                found.append(path.name)
        except OSError:
            continue
    return found


def test_several_workers_give_the_same_marks(folder):
    assert [r.points for r in grade(folder, workers=2)] == [20, 18, 0]


def test_dask_workers_give_the_same_marks(folder):
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    ) as cluster:
        results = grade(folder, scheduler=cluster.scheduler_address)
        assert [r.points for r in results] == [20, 18, 0]
        with distributed.Client(cluster) as client:
            assert len(client.nthreads()) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "'workers' must be at least 1"),
        ({"scheduler": "tcp://127.0.0.1:9"}, "'scheduler' must be the address"),
    ],
)
def test_wrong_arguments_are_told(folder, settings, message):
    if "scheduler" in settings:
        pytest.importorskip("distributed", reason="Dask is not installed")
    with pytest.raises(ValueError, match=message):
        grade(folder, **settings)


def test_nobody_and_no_such_chapter_are_told(tmp_path, folder):
    with pytest.raises(ValueError, match="nobody has handed in"):
        grade_class(ClassFolder(tmp_path / "submitted"), NAME, course=ROOT)
    with pytest.raises(ValueError, match="'assignment' must be one of 00_sequences, 01_tokens"):
        grade_class(folder, "99_dreams", course=ROOT)


def test_without_a_box_nothing_is_graded_unless_one_insists(folder, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoIsolation, match=r"(?s)nothing was graded.*--unsafe"):
        grade(folder)
    assert not folder.graded(NAME).exists()
    with pytest.raises(NoIsolation):
        isolation_for(unsafe=True)
    monkeypatch.undo()
    assert isolation_for(unsafe=True) == "none"


def test_unsafe_grades_without_walls(folder):
    assert [r.points for r in grade(folder, unsafe=True, limits=Limits(notebook_seconds=60))] == [20, 18, 0]
