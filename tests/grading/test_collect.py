"""Zips and folders of a class, also hostile ones, into `submitted/` and a report."""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile

import pytest
from typer.testing import CliRunner

from lmcourse.cli import app
from lmcourse.grading.intake.collect import collect
from lmcourse.grading.intake.handed_in import Limits
from tests.conftest import ROOT
from tests.grading.conftest import ANSWERS, NAME, as_bytes, cell_of, put, text_of


def _zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), data, zipfile.ZIP_DEFLATED)
    return path


def _marked(answered, mark):
    cell_of(answered, "merge_pair")["source"] = ANSWERS["merge_pair"] + f"\n# {mark}"
    return as_bytes(answered)


def _mark(path):
    text = text_of(cell_of(json.loads(path.read_text(encoding="utf-8")), "merge_pair"))
    return text.rsplit("# ", 1)[1]


def _submitted(to, student):
    return to / "submitted" / student / NAME / "exercises.ipynb"


def _state(folder):
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


def _by_file(rows):
    return {row["file"]: row for row in rows}


def test_canvas_newest_counts_and_late_is_noted(tmp_path, answered, template):
    files = {
        "ada_1_100_exercises.ipynb": _marked(answered, "first"),
        "ada_LATE_1_102_exercises-2.ipynb": _marked(answered, "third"),
        "ada_1_101_exercises-1.ipynb": _marked(answered, "second"),
        "bob_2_103_Copy of exercises (1).ipynb": _marked(answered, "bob"),
        "carl_3_104_essay.pdf": b"%PDF",
    }
    rows = _by_file(collect(_zip(tmp_path / "c.zip", files), NAME, tmp_path / "to", template))
    assert [rows[name]["status"] for name in files] == ["earlier", "taken", "earlier", "taken", "refused"]
    assert rows["ada_LATE_1_102_exercises-2.ipynb"]["late"]
    assert _mark(_submitted(tmp_path / "to", "ada")) == "third"
    earlier = sorted(_mark(p) for p in (tmp_path / "to" / "collected" / NAME / "earlier" / "ada").iterdir())
    assert earlier == ["first", "second"]
    assert not _submitted(tmp_path / "to", "carl").exists()


def test_moodle_keeps_two_people_of_one_name_apart(tmp_path, answered, template):
    files = {f"Ada Byron_{n}_assignsubmission_file_/x.ipynb": _marked(answered, str(n)) for n in (41, 42)}
    to = tmp_path / "to"
    for _ in range(2):
        collect(_zip(tmp_path / "m.zip", files), NAME, to, template)
        assert (_mark(_submitted(to, "Ada_Byron")), _mark(_submitted(to, "Ada_Byron-42"))) == ("41", "42")


def test_twice_changes_nothing_and_an_old_zip_replaces_nothing(tmp_path, answered, template):
    old = _zip(tmp_path / "old.zip", {"ada_1_100_exercises.ipynb": _marked(answered, "old"), "x.txt": b""})
    new = _zip(tmp_path / "new.zip", {"ada_1_200_exercises.ipynb": _marked(answered, "new")})
    to = tmp_path / "to"
    collect(old, NAME, to, template)
    assert _mark(_submitted(to, "ada")) == "old"
    collect(new, NAME, to, template)
    assert _mark(_submitted(to, "ada")) == "new"
    before = _state(to)
    collect(old, NAME, to, template)
    collect(new, NAME, to, template)
    assert _state(to) == before
    report = json.loads((to / "collected" / NAME / "collected.json").read_text(encoding="utf-8"))
    assert [row["status"] for row in report["files"]] == ["earlier", "taken", "refused"]


def test_a_broken_newer_file_leaves_the_older_one_and_says_so(tmp_path, answered, template):
    files = {"ada_1_1_exercises.ipynb": _marked(answered, "good"), "ada_1_2_exercises-1.ipynb": b"{"}
    rows = _by_file(collect(_zip(tmp_path / "z.zip", files), NAME, tmp_path / "to", template))
    assert _mark(_submitted(tmp_path / "to", "ada")) == "good"
    assert any("newer file was refused" in note for note in rows["ada_1_1_exercises.ipynb"]["notes"])


def test_names_that_lead_outside_write_nothing(tmp_path, answered, template):
    names = [
        "../../evil.ipynb",
        "/evil/x.ipynb",
        "C:/evil/x.ipynb",
        "a/../../evil.ipynb",
        "..\\evil\\x.ipynb",
    ]
    source = _zip(tmp_path / "in.zip", {n: as_bytes(answered) for n in names})
    rows = collect(source, NAME, tmp_path / "deep" / "to", template)
    assert len(rows) == len(names)
    assert all(row["status"] == "refused" and "outside" in row["why"] for row in rows)
    assert not list(tmp_path.rglob("*evil*"))


def test_links_are_not_followed(tmp_path, answered, template):
    secret = put(tmp_path, "secret.ipynb", as_bytes(answered))
    link = zipfile.ZipInfo("ada/exercises.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as archive:
        archive.writestr(link, str(secret))
    (tmp_path / "in" / "bob").mkdir(parents=True)
    os.symlink(secret, tmp_path / "in" / "bob" / "exercises.ipynb")
    os.symlink(tmp_path, tmp_path / "in" / "carl")
    os.mkfifo(tmp_path / "in" / "bob" / "pipe.ipynb")
    for source in (tmp_path / "l.zip", tmp_path / "in"):
        rows = collect(source, NAME, tmp_path / "to", template)
        assert rows
        assert all(row["status"] == "refused" and "link" in row["why"] for row in rows)


def test_a_student_folder_that_is_a_link_is_not_written_through(tmp_path, answered, template):
    (tmp_path / "to" / "submitted").mkdir(parents=True)
    (tmp_path / "away").mkdir()
    os.symlink(tmp_path / "away", tmp_path / "to" / "submitted" / "ada")
    put(tmp_path, "in/ada.ipynb", as_bytes(answered))
    with pytest.raises(ValueError, match="link"):
        collect(tmp_path / "in", NAME, tmp_path / "to", template)
    assert not list((tmp_path / "away").iterdir())


def test_a_zip_bomb_is_refused_by_its_declared_and_by_its_real_size(tmp_path, answered, template):
    limits = Limits(file_bytes=100_000)
    good = as_bytes(answered)
    path = _zip(tmp_path / "b.zip", {"ada.ipynb": b" " * 5_000_000, "bob.ipynb": good})
    rows = _by_file(collect(path, NAME, tmp_path / "to", template, limits))
    assert "5000000 bytes" in rows["ada.ipynb"]["why"]
    assert rows["bob.ipynb"]["status"] == "taken"
    data = path.read_bytes()
    lying = data.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 500))
    assert lying != data
    path.write_bytes(lying)
    rows = _by_file(collect(path, NAME, tmp_path / "to2", template, limits))
    assert rows["ada.ipynb"]["status"] == "refused"
    assert rows["bob.ipynb"]["status"] == "taken"


def test_limits_on_number_and_total(tmp_path, answered, template):
    data = as_bytes(answered)
    path = _zip(tmp_path / "n.zip", {f"s{i}.ipynb": data for i in range(4)})
    rows = collect(path, NAME, tmp_path / "a", template, Limits(files=3))
    assert [row["status"] for row in rows] == ["taken"] * 3 + ["refused"]
    rows = collect(path, NAME, tmp_path / "b", template, Limits(all_bytes=2 * len(data) + 1))
    assert [row["status"] for row in rows] == ["taken"] * 2 + ["refused"] * 2


def test_a_damaged_entry_does_not_stop_the_others(tmp_path, answered, template):
    path = _zip(tmp_path / "d.zip", {"ada.ipynb": as_bytes(answered), "bob.ipynb": as_bytes(answered)})
    data = bytearray(path.read_bytes())
    data[200:260] = b"\xff" * 60
    path.write_bytes(data)
    rows = _by_file(collect(path, NAME, tmp_path / "to", template))
    assert (rows["ada.ipynb"]["status"], rows["bob.ipynb"]["status"]) == ("refused", "taken")


def test_no_file_is_dropped_silently(tmp_path, answered, template):
    source = tmp_path / "in"
    put(source, "ada/exercises.ipynb", as_bytes(answered))
    put(source, "ada/.ipynb_checkpoints/exercises-checkpoint.ipynb", as_bytes(answered))
    put(source, "exercises.ipynb", as_bytes(answered))
    put(source, "bob/work.zip", b"PK")
    rows = _by_file(collect(source, NAME, tmp_path / "to", template))
    assert {name: row["status"] for name, row in rows.items()} == {
        "ada/exercises.ipynb": "taken", "ada/.ipynb_checkpoints/exercises-checkpoint.ipynb": "passed over",
        "exercises.ipynb": "refused", "bob/work.zip": "refused",
    }  # fmt: skip
    assert all(row["why"] for row in rows.values() if row["status"] != "taken")


def test_the_command_tells_by_its_exit_code(tmp_path, answered):
    def run(source, *more, assignment=NAME):
        common = ["--assignment", assignment, "--to", str(tmp_path / "to"), "--course", str(ROOT)]
        return CliRunner().invoke(app, ["grade", "collect", str(source), *common, *more])

    put(tmp_path, "good/ada/exercises.ipynb", as_bytes(answered))
    put(tmp_path, "bad/bob/exercises.ipynb", b"")
    done = run(tmp_path / "good", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["student"] == "ada"
    refused = run(tmp_path / "bad")
    assert refused.exit_code == 1
    assert "the file is empty" in refused.output
    assert run(put(tmp_path, "no.zip", b"no")).exit_code == 2
    assert run(tmp_path / "good", assignment="99_nothing").exit_code == 2
    assert run(tmp_path / "nowhere").exit_code == 2
