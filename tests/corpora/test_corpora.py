"""The texts: long and varied enough, whole, and a download that fails says so and keeps nothing."""

import hashlib
import http.server
import importlib
import threading
import unicodedata
import zipfile

import pytest

from lmcourse.corpora import fetch, osier_bay, osier_bay_names, stdlib_docstrings, text8


def test_the_collection_is_large_and_varied():
    texts = osier_bay()
    assert sum(len(t.split()) for t in texts) >= 40_000
    assert len(texts) == len(osier_bay_names()) >= 15
    whole = "\n".join(texts)
    scripts = {unicodedata.name(c, "?").split()[0] for c in whole if c.isalpha()}
    assert {
        "LATIN",
        "GREEK",
        "CYRILLIC",
        "ARABIC",
        "HEBREW",
        "DEVANAGARI",
        "HIRAGANA",
        "CJK",
        "HANGUL",
        "THAI",
    } <= scripts
    assert "def " in whole
    assert sum(c.isdigit() for c in whole) > 3_000


def test_no_paragraph_stands_twice():
    paragraphs = [p.strip() for t in osier_bay() for p in t.split("\n\n") if len(p.split()) >= 12]
    assert len(paragraphs) == len(set(paragraphs))


def test_documents_can_be_chosen_by_name():
    assert osier_bay(["recipes", "letters"]) == [osier_bay(["recipes"])[0], osier_bay("letters")[0]]
    with pytest.raises(KeyError, match="'names' must be among .*recipes.*, got 'recipe'"):
        osier_bay(["recipe"])


def test_docstrings_come_in_one_order_up_to_a_size():
    some = list(stdlib_docstrings(max_bytes=100_000))
    assert some == list(stdlib_docstrings(max_bytes=100_000))
    assert 90_000 < sum(len(t.encode()) for t in some) <= 100_000
    with pytest.raises(ValueError, match="'max_bytes' must be positive or None, got 0"):
        next(stdlib_docstrings(max_bytes=0))


@pytest.fixture
def server(tmp_path):
    """A web server of one folder on this machine."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "text.txt").write_text("the tide comes in")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path / "web"))

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/text.txt"
        running.shutdown()


def test_a_file_is_fetched_once_and_then_read_from_the_cache(server, tmp_path, monkeypatch):
    monkeypatch.setenv("LMCOURSE_CACHE", str(tmp_path / "cache"))
    sha = hashlib.sha256(b"the tide comes in").hexdigest()
    path = fetch(server, sha, progress=False)
    assert path.read_text() == "the tide comes in"
    (tmp_path / "web" / "text.txt").unlink()
    assert fetch(server, sha, progress=False) == path


def test_an_altered_file_is_refused_and_not_kept(server, tmp_path, monkeypatch):
    monkeypatch.setenv("LMCOURSE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="does not have the expected checksum"):
        fetch(server, "0" * 64, progress=False)
    assert not list((tmp_path / "cache").glob("*.txt"))
    with pytest.raises(ValueError, match="'sha256' must be 64 hexadecimal digits"):
        fetch(server, "md5:abc")


def test_without_a_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("LMCOURSE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ConnectionError, match=r"cannot be reached.*put the file as text\.txt into"):
        fetch("http://127.0.0.1:9/text.txt", "0" * 64, progress=False)


def test_text8_is_read_from_its_zip_as_words(server, tmp_path, monkeypatch):
    module = importlib.import_module("lmcourse.corpora.text8")
    with zipfile.ZipFile(tmp_path / "web" / "text8.zip", "w") as archive:
        archive.writestr("text8", " anarchism originated as a term")
    sha = hashlib.sha256((tmp_path / "web" / "text8.zip").read_bytes()).hexdigest()
    monkeypatch.setenv("LMCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "URL", server.rsplit("/", 1)[0] + "/text8.zip")
    with pytest.raises(ValueError, match="expected checksum"):
        text8(progress=False)
    monkeypatch.setattr(module, "SHA256", sha)
    assert text8(progress=False) == ["anarchism", "originated", "as", "a", "term"]
    assert text8(2, progress=False) == ["anarchism", "originated"]
    with pytest.raises(ValueError, match="'max_words' must be positive or None, got 0"):
        text8(0)
