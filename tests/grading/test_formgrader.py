"""A real Jupyter server with nbgrader's formgrader reads what the writer wrote, and takes a person's marks."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import pytest

from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.gradebook.writer import Writer
from tests.grading.conftest import NAME
from tests.grading.test_gradebook import (
    executed,
    failed,
    hand_in,
    result,
    source,
    with_hostile_cells,
)

pytestmark = pytest.mark.skipif(not find_spec("jupyter_server"), reason="jupyter-server is not installed")

ODD = "Zoë O'Neill"


class Links(HTMLParser):
    """What a browser would run of a page: scripts, handlers, and links that are scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.active, self.bold, self.text, self._inside = [], [], "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        for name, value in attrs:
            url = re.sub(r"[\x00-\x20]", "", value or "").lower()
            if name.startswith("on") or url.startswith("javascript:"):
                self.active.append(f"{name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.active.append(data)
        elif self._inside == "b":
            self.bold.append(data)
        self.text += data


@dataclass
class Formgrader:
    folder: ClassFolder
    url: str
    token: str

    def get(self, path: str) -> str:
        request = urllib.request.Request(f"{self.url}/formgrader/{path}", headers=self._headers())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode()

    def api(self, path: str) -> list | dict:
        return json.loads(self.get(f"api/{path}"))

    def put(self, path: str, data: dict) -> dict:
        body = json.dumps(data).encode()
        request = urllib.request.Request(
            f"{self.url}/formgrader/api/{path}", body, self._headers(), method="PUT"
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def notebook(self, student: str) -> dict:
        (found,) = (n for n in self.api(f"submitted_notebooks/{NAME}/exercises") if n["student"] == student)
        return found

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def formgrader(tmp_path_factory, template) -> Iterator[Formgrader]:
    folder = ClassFolder(tmp_path_factory.mktemp("class"))
    with Writer(folder, NAME, source()) as writer:
        for student in ("ada", "bob", ODD):
            hand_in(folder, student, executed(template))
        hand_in(folder, "ungraded", executed(template))
        writer.write(result("ada"), executed(template), "2026-01-02 12:00:00")
        writer.write(failed("bob"), executed(template))
        writer.write(result(ODD, wrong=()), with_hostile_cells(executed(template, wrong=())))
    with serve(folder) as running:
        yield running


@contextmanager
def serve(folder: ClassFolder) -> Iterator[Formgrader]:
    """A server of its own, on this machine's own address, that ends with the block."""

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token, home = secrets.token_hex(16), folder.root.parent / f"{folder.root.name}-home"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "NBGRADER", "JPY"))}
    places = {
        name: str(home) for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    }
    home.mkdir(exist_ok=True)
    command = [
        sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder.root}",
        "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}",
        "--ServerApp.disable_check_xsrf=True",
    ]  # fmt: skip
    path = f"{Path(sys.executable).parent}:{kept.get('PATH', '')}"
    with open(home / "log", "wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder.root,
            env={**kept, **places, "PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        server = Formgrader(folder, f"http://127.0.0.1:{port}", token)
        for _ in range(200):
            try:
                server.api("assignments")
                break
            except (OSError, urllib.error.URLError):
                assert process.poll() is None, (home / "log").read_text()
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def test_formgrader_lists_what_was_graded(formgrader):
    (assignment,) = formgrader.api("assignments")
    assert (assignment["name"], assignment["max_score"], assignment["num_submissions"]) == (NAME, 24, 4)
    listed = {s["student"]: s for s in formgrader.api(f"submissions/{NAME}")}
    assert {name: (s["autograded"], s["score"], s["needs_manual_grade"]) for name, s in listed.items()} == {
        "ada": (True, 17, True), "bob": (True, 0, True), ODD: (True, 20, True), "ungraded": (False, 0, False)
    }  # fmt: skip
    assert listed["ada"]["timestamp"] == "2026-01-02T12:00:00"
    assert formgrader.api(f"submission/{NAME}/{quote(ODD)}")["score"] == 20


def test_the_page_of_a_submission_shows_panels_and_fields_for_marks(formgrader):
    page = formgrader.get(f"submissions/{formgrader.notebook('ada')['id']}/")
    assert page.count("lm-check") == 8
    assert re.search(r'<input class="score tabbable" id="why_languages"', page)
    assert "Not graded: its notebook &lt;b&gt;ran" in formgrader.get(
        f"submissions/{formgrader.notebook('bob')['id']}/"
    )


def test_a_students_html_does_not_run_in_the_instructors_browser(formgrader):
    shown = Links()
    shown.feed(formgrader.get(f"submissions/{formgrader.notebook(ODD)['id']}/"))
    assert shown.text.count("<\u200bscript>hit()") == 2
    assert "hit" not in " ".join(shown.active)
    assert "bold" in shown.bold


def test_a_mark_given_in_formgrader_survives_the_next_run(formgrader, template):
    own = formgrader.notebook("ada")
    grade = next(
        g for g in formgrader.api(f"grades?submission_id={own['id']}") if g["name"] == "why_languages"
    )
    formgrader.put(f"grade/{grade['id']}", {"manual_score": 3, "extra_credit": 1})
    assert formgrader.api(f"submission/{NAME}/ada")["needs_manual_grade"] is False
    with Writer(formgrader.folder, NAME, source()) as writer:
        assert not writer.write(result("ada"), executed(template), "2026-01-02 12:00:00")
        assert formgrader.api(f"submission/{NAME}/ada")["score"] == 21
        writer.write(result("ada", wrong=(), key="k3"), executed(template, wrong=()), "2026-01-02 12:00:00")
    again = formgrader.api(f"submission/{NAME}/ada")
    assert (again["score"], again["needs_manual_grade"]) == (24, True)


def test_stock_feedback_goes_on_working_on_the_folder(formgrader):
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [
        sys.executable,
        "-m",
        "nbgrader",
        "generate_feedback",
        NAME,
        "--student",
        "bob",
        "--course-dir",
        str(formgrader.folder.root),
    ]
    done = subprocess.run(command, cwd=formgrader.folder.root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Not graded: its notebook" in formgrader.folder.feedback("bob", NAME).read_text(encoding="utf-8")
