"""The training script: a model comes out that can be loaded, a run that was stopped goes on, mistakes are named."""

import os
import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from lmcourse.language_model import train
from lmcourse.language_model.pretrained import load_pretrained
from lmcourse.training import load_checkpoint

SMALL = "--vocab-size 300 --d-model 16 --n-layers 1 --n-heads 2 --context 16 --batch-size 4 --steps 12 --eval-every 6 --dropout 0.1"


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("The tide came in, and the boats went out.\n" * 60, encoding="utf-8")
    return path


def run(*arguments, more=""):
    return CliRunner().invoke(
        train.app, [*map(str, arguments), *SMALL.split(), "--device", "cpu", *more.split()]
    )


def test_a_model_comes_out_and_a_run_that_was_stopped_goes_on(text, tmp_path, monkeypatch):
    whole = run(text, tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    model = load_pretrained(tmp_path / "whole")
    weights = load_checkpoint(tmp_path / "whole" / "checkpoint.pt")["model"]
    assert torch.equal(model.stack.tokens.weight, weights["stack.tokens.weight"])
    assert model.to_text(model.from_text("The tide")[0].tolist()) == "The tide"
    assert "nats per token" in whole.output
    assert "tokens a second" in whole.output

    calls, real = [], train.next_token_loss

    def stops(model, batch):
        calls.append(0)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return real(model, batch)

    monkeypatch.setattr(train, "next_token_loss", stops)
    run(text, tmp_path / "broken", more="--checkpoint-every 4")
    assert load_checkpoint(tmp_path / "broken" / "checkpoint.pt")["step"] == 8
    resumed = run(text, tmp_path / "broken", more="--checkpoint-every 4 --resume")
    assert resumed.exit_code == 0, resumed.output
    assert len(calls) == 9 + 4
    again = load_checkpoint(tmp_path / "broken" / "checkpoint.pt")["model"]
    assert all(torch.equal(again[name], weights[name]) for name in weights)
    assert resumed.output.splitlines()[-1] == whole.output.splitlines()[-1], "the same text is written"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("--precision fp8", "'precision' must be one of ['float32', 'bf16'], got 'fp8'"),
        ("--context 4096", "'ids' must hold at least row * batch_size + 1 = 16385 ids"),
        ("--n-heads 3", "'d_model' must be a multiple of n_heads=3, got 16"),
    ],
)
def test_a_mistake_is_named_without_a_traceback(text, tmp_path, more, message):
    found = run(text, tmp_path / "out", more=more)
    assert found.exit_code == 2
    assert message in found.output
    assert "Traceback" not in found.output


def test_a_text_that_is_not_there_is_named(tmp_path):
    found = run("osier", tmp_path / "out")
    assert found.exit_code == 2
    assert "'data' must be one of osier_bay, docstrings, text8 or a text file, got 'osier'" in found.output


@pytest.mark.slow
def test_it_runs_in_two_processes(text, tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*launch, "-m", "lmcourse.language_model.train", text, tmp_path / "out", *SMALL.split()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run(
        [*command, "--device", "cpu"], env=environment, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.count("tokens a second") == 1
    assert "2 x cpu" in found.stdout
    assert load_pretrained(tmp_path / "out").config.d_model == 16
