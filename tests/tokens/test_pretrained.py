"""The loader of published tokenizers and the table that compares them."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest
import requests

from lmcourse.tokens import (
    PUBLISHED,
    BPETokenizer,
    CharTokenizer,
    WordTokenizer,
    compare,
    load_pretrained,
    pretrained,
)
from tests.tokens.support import FIXTURE, hf_byte_level, hf_sentencepiece_bpe

MODELS = {
    "bert-base-uncased",
    "gpt2",
    "Xenova/gpt-4",
    "google/flan-t5-small",
    "bigcode/starcoder2-15b",
    "microsoft/Phi-3-mini-4k-instruct",
    "Qwen/Qwen2-VL-7B-Instruct",
}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A server on this machine that has one model, `some/model`, and counts what is asked of it."""
    folder = tmp_path / "hub" / "some" / "model" / "resolve" / "main"
    folder.mkdir(parents=True)
    hf_byte_level([FIXTURE], 400, ["<eos>"]).save(str(folder / "tokenizer.json"))
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path / "hub"))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setattr(
        pretrained, "HUB_URL", f"http://127.0.0.1:{server.server_port}/{{name}}/resolve/main/tokenizer.json"
    )
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    yield asked
    server.shutdown()
    server.server_close()


def test_a_name_is_fetched_once_and_read_from_the_cache_afterwards(hub):
    text = "the lamp<eos>"
    ids = hf_byte_level([FIXTURE], 400, ["<eos>"]).encode(text).ids
    assert load_pretrained("some/model").encode(text) == ids
    assert load_pretrained("some/model").encode(text) == ids
    assert hub == ["/some/model/resolve/main/tokenizer.json"]


def test_a_model_that_the_hub_does_not_have_is_a_clear_error(hub):
    with pytest.raises(ConnectionError, match=r"'some/other' .*404.*load_pretrained\('path/to/folder'\)"):
        load_pretrained("some/other")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_without_a_network_the_error_says_what_to_do(name, monkeypatch, tmp_path):
    def no_network(*_, **__):
        raise requests.exceptions.ConnectionError("Name or service not known")

    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path)
    monkeypatch.setattr(requests.Session, "request", no_network)
    monkeypatch.setattr(requests, "get", no_network)
    with pytest.raises(
        ConnectionError, match="Connect to the network and try again; or fetch the file elsewhere"
    ):
        load_pretrained(name)


def test_a_folder_and_a_file_need_no_network(tmp_path):
    theirs = hf_sentencepiece_bpe([FIXTURE * 3], 400)
    theirs.save(str(tmp_path / "tokenizer.json"))
    ids = theirs.encode(FIXTURE, add_special_tokens=False).ids
    for place in (tmp_path, str(tmp_path), tmp_path / "tokenizer.json"):
        assert load_pretrained(place).encode(FIXTURE) == ids


def test_a_folder_without_the_file_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="must hold a file tokenizer.json"):
        load_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["", "gpt-3", "a/b/c", "../x", "some/mo del", "/no/such/folder"])
def test_what_is_no_name_is_refused_without_asking_the_network(name, hub):
    with pytest.raises((ValueError, FileNotFoundError)):
        load_pretrained(name)
    assert hub == []


def test_the_models_of_the_lesson_are_in_the_table():
    assert set(PUBLISHED) == MODELS
    assert all(
        10_000 < published.vocab_size < 200_000 and published.source for published in PUBLISHED.values()
    )


def test_the_table_says_what_each_tokenizer_does_with_a_text(tmp_path):
    text = "The lamps won't wait!  Ж"
    theirs = {
        "gpt": hf_byte_level([FIXTURE], 400, ["<eos>"]),
        "phi": hf_sentencepiece_bpe([FIXTURE * 3], 400),
    }
    read = {}
    for name, tokenizer in theirs.items():
        tokenizer.save(str(tmp_path / f"{name}.json"))
        read[name] = load_pretrained(tmp_path / f"{name}.json")
    rows = {row.name: row for row in compare(read, text)}
    assert list(rows) == ["gpt", "phi"]
    for name, tokenizer in theirs.items():
        encoding = tokenizer.encode(text, add_special_tokens=False)
        assert rows[name].tokens == encoding.tokens
        assert rows[name].n_tokens == len(encoding.ids)
        assert rows[name].characters_per_token == len(text) / len(encoding.ids)
        assert rows[name].vocab_size == tokenizer.get_vocab_size()
        assert rows[name].comes_back
    assert rows["gpt"].kind == "BPE"
    assert rows["gpt"].special_tokens == ("<eos>",)


def test_the_table_counts_what_is_unknown_and_what_is_lost():
    tokenizers = {
        "words": WordTokenizer.train(["the lamp waits"], 10),
        "characters": CharTokenizer.train(["the lampwis!"], 30, ["<unk>"]),
        "bytes": BPETokenizer([]),
    }
    words, characters, in_bytes = compare(tokenizers, "the old lamp  waits é")
    assert (words.n_unknown, words.comes_back, words.n_tokens) == (2, False, 5)
    assert (characters.n_unknown, characters.comes_back) == (3, False)  # o, d and é
    assert (in_bytes.n_unknown, in_bytes.comes_back, in_bytes.n_tokens) == (0, True, 22)
    assert compare({"bytes": BPETokenizer([])}, "")[0].characters_per_token == 0
