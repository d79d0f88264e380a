"""`lmcourse judge` and `lmcourse hidden`, typed as an author or instructor types them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lmcourse.authoring.chapter import load
from lmcourse.cli import app
from lmcourse.exercises.records import load_file
from tests.conftest import ROOT

ATTEMPT = """
from lmcourse.tokens import BPETokenizer

def merge_pair(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        if tuple(ids[i:i + 2]) == pair:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out

def cut_word(word, vocab, unk="[UNK]"):
    raise NotImplementedError

def cheapest_vocabulary(tokens_by_size, d_model, stack_cost):
    return min(sorted(tokens_by_size), key=tokens_by_size.get)

def bpe_encode(word, merges):
    return BPETokenizer(word)
"""


@pytest.fixture
def attempt(tmp_path):
    path = tmp_path / "attempt.py"
    path.write_text(ATTEMPT)
    return path


def lmcourse(*words):
    return CliRunner().invoke(app, [*map(str, words), "--course", str(ROOT)])


def test_judge_gives_a_row_an_exercise_with_points_and_hint(attempt):
    result = lmcourse("judge", "01_tokens", attempt, "--json")
    assert result.exit_code == 1
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert len(rows) == 8
    assert (rows["merge_pair"]["status"], rows["merge_pair"]["points"]) == ("passed", 2)
    assert rows["merge_pair"]["total"] == 30, "after the visible cases the hidden ones are asked"
    assert rows["cut_word"]["status"] == "not started"
    assert rows["predict_merges"]["status"] == "missing"
    assert rows["cheapest_vocabulary"]["hint"].startswith("You count tokens only")
    assert rows["bpe_encode"]["status"] == "refused"
    assert "lmcourse.tokens" in rows["bpe_encode"]["reason"]


def test_judge_prints_a_table(attempt):
    result = lmcourse("judge", "01_tokens", attempt)
    assert "merge_pair" in result.stdout
    assert "2 of 20 points" in result.stdout


def test_brackets_in_a_message_reach_the_reader(tmp_path):
    path = tmp_path / "attempt.py"
    path.write_text("def cut_word(word, vocab, unk='[UNK]'):\n    return ['un', '##break', '[x]']\n")
    assert "'[x]'" in lmcourse("judge", "01_tokens", path).stdout


def test_judge_ends_well_when_all_is_right(tmp_path):
    import jupytext

    cells = jupytext.read(ROOT / "solutions" / "01_tokens" / "exercises.py").cells
    code = [c.source for c in cells if "exercise" in c.metadata or "imports" in c.metadata.get("tags", [])]
    (tmp_path / "right.py").write_text("\n\n".join(code))
    result = lmcourse("judge", "01_tokens", tmp_path / "right.py", "--seed", 5)
    assert result.exit_code == 0, result.output
    assert "20 of 20 points" in result.stdout


def test_what_an_attempt_prints_stays_out_of_the_json(tmp_path):
    (tmp_path / "loud.py").write_text("def predict_merges():\n    print('thinking')\n    return []\n")
    result = lmcourse("judge", "01_tokens", tmp_path / "loud.py", "--json")
    rows = {row["name"]: row["status"] for row in json.loads(result.stdout)}
    assert rows["predict_merges"] == "failed"
    assert "thinking" in result.stderr


def test_what_is_not_there_is_named(attempt, tmp_path):
    result = lmcourse("judge", "99_magic", attempt)
    assert result.exit_code == 2
    assert "'chapter' must be one of 00_sequences, 01_tokens, 02_embeddings" in result.output
    result = CliRunner().invoke(app, ["judge", "01_tokens", str(attempt), "--course", str(tmp_path)])
    assert result.exit_code == 2
    assert "must be a clone of the course" in result.output
    (tmp_path / "broken.py").write_text("def merge_pair(:")
    assert lmcourse("judge", "01_tokens", tmp_path / "broken.py").exit_code == 2


def test_hidden_cases_are_written_for_stock_nbgrader(tmp_path):
    result = lmcourse("hidden", "01_tokens", tmp_path / "private", "--seed", 99)
    assert result.exit_code == 0, result.output
    written = load_file(tmp_path / "private" / "01_tokens.json")
    assert written == load("01_tokens", ROOT).record(99, hidden=True)
