"""Two processes with half of each batch train the model that one process trains with all of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lmcourse.training.stream import share
from tests.training import two_processes


def test_two_processes_with_half_a_batch_each_are_one_with_the_whole(tmp_path, capsys):
    script = Path(two_processes.__file__)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc_per_node=2",
            script,
            tmp_path,
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert len(re.findall(r"training:  ?\d*%.*12/12", found.stderr)) == 1, "one process shows its progress"
    (tmp_path / "checkpoint.pt").unlink()
    two_processes.run(tmp_path, "cpu")
    one, first, second = (torch.load(tmp_path / f"{name}.pt") for name in ("0_of_1", "0_of_2", "1_of_2"))
    for alone, a, b in zip(one["weights"], first["weights"], second["weights"], strict=True):
        assert torch.equal(a, b)
        assert (alone - a).abs().max() < 1e-10
    assert first["loss"] == second["loss"] == pytest.approx(one["loss"], abs=1e-10)


def test_a_batch_that_cannot_be_shared_out_is_refused():
    batch = {"ids": torch.arange(12).view(6, 2), "lengths": torch.arange(6)}
    parts = [share(batch, rank, 3) for rank in range(3)]
    assert torch.equal(torch.cat([part["ids"] for part in parts]), batch["ids"])
    assert torch.equal(parts[2]["lengths"], torch.tensor([4, 5]))
    with pytest.raises(ValueError, match=r"a multiple of world_size=4, got \[6\] rows"):
        share(batch, 0, 4)
    with pytest.raises(ValueError, match=r"as many rows each.* got \[2, 6\] rows"):
        share([*batch.values(), torch.zeros(2)], 0, 2)
