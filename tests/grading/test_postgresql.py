"""The same writer on a real PostgreSQL server, on a socket of its own and without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.gradebook.writer import Writer
from tests.grading.conftest import NAME
from tests.grading.test_gradebook import executed, failed, files, result, rows, source

PROGRAMS = max(
    Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=Path(shutil.which("initdb") or "/none")
)

pytestmark = [
    pytest.mark.skipif(
        not PROGRAMS.exists(), reason="no PostgreSQL server is installed (Debian: postgresql)"
    ),
    pytest.mark.skipif(not find_spec("psycopg2"), reason="psycopg2 is not installed (pip: psycopg2-binary)"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a fresh server's database. The server refuses to be root, so for root it belongs to `postgres`."""
    owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    # A socket's path may have 107 signs, which pytest's folders exceed.
    with tempfile.TemporaryDirectory(prefix="lm-pg-", dir="/tmp") as folder:
        if owner:
            shutil.chown(folder, owner["user"])
        data = f"{folder}/data"
        common = {"check": True, "cwd": folder, "capture_output": True, **owner}
        subprocess.run(
            [PROGRAMS, "-D", data, "-U", "grader", "-A", "trust", "-E", "UTF8", "--no-sync"], **common
        )
        command = [PROGRAMS.with_name("postgres"), "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"]
        with open(f"{folder}/log", "wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **owner)
        try:
            ready = [PROGRAMS.with_name("pg_isready"), "-h", folder, "-t", "1"]
            for _ in range(100):
                if subprocess.run(ready, capture_output=True).returncode == 0:
                    break
                assert process.poll() is None, Path(folder, "log").read_text()
                time.sleep(0.1)
            yield f"postgresql+psycopg2://grader@/postgres?host={folder}"
        finally:
            process.terminate()
            process.wait(20)


def test_a_class_is_written_to_postgresql_as_to_sqlite(server, tmp_path, template):
    written = {}
    for url in (server, None):
        folder = ClassFolder(tmp_path / ("sqlite" if url is None else "postgresql"))
        folder.root.mkdir()
        config = "" if url is None else f"c = get_config()\nc.CourseDirectory.db_url = {url!r}\n"
        (folder.root / "nbgrader_config.py").write_text(config)
        for _ in range(2):
            with Writer(folder, NAME, source()) as writer:
                writer.write(result("Zoë 李"), executed(template), "2026-01-02 12:00:00")
                writer.write(failed("bob"), executed(template))
                writer.write(result("ada", wrong=(), key="k3"), executed(template, wrong=()))
                assert writer.written(failed("bob"))
                assert not writer.write(failed("bob"), executed(template))
                assert not writer.missing()
        shown = files(folder.root)
        shown.pop("nbgrader_config.py")
        written[folder.root.name] = rows(folder.db_url), shown
        assert (folder.root / "gradebook.db").exists() == (url is None)
    assert written["postgresql"] == written["sqlite"]


def test_a_server_that_is_not_there_is_said_without_the_password(tmp_path):
    url = f"postgresql+psycopg2://grader:secret@/postgres?host={tmp_path}"
    (tmp_path / "nbgrader_config.py").write_text(f"c = get_config()\nc.CourseDirectory.db_url = {url!r}\n")
    with pytest.raises(ValueError, match="cannot be opened: connection to server") as error, Writer(
        ClassFolder(tmp_path), NAME, source()
    ):  # fmt: skip
        pass
    assert "secret" not in str(error.value)
