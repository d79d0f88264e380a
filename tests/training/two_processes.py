"""What the test of data parallel training runs, in one process or in two: train, save, go on, and leave the weights."""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from lmcourse.training import TrainConfig, batches_of_rows, data_parallel, train
from lmcourse.training.distributed import rank, world_size

VOCAB = 11


def loss_fn(model, batch):
    inputs, targets = batch
    loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    begins = inputs[:, 0] == 3  # rows that use one more weight; often none of them is in a process's share
    return loss + (begins * model.sometimes.exp()).mean() if begins.any() else loss


def run(folder: Path, device: str) -> None:
    torch.manual_seed(rank())  # each process draws other weights: those of process 0 count
    model = nn.Sequential(nn.Embedding(VOCAB, 8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, VOCAB)).double()
    model.never = nn.Parameter(torch.randn(2, dtype=torch.float64))
    model.sometimes = nn.Parameter(torch.randn((), dtype=torch.float64))
    text = torch.randint(VOCAB, (400,), generator=torch.Generator().manual_seed(0))
    for steps in (6, 12):  # the second call goes on from a checkpoint after step 6
        config = TrainConfig(
            steps=12, batch_size=8, warmup=2, lr=0.02, clip=0.2, device=device, schedule="cosine"
        )
        batches = batches_of_rows(text, row=10, batch_size=8, seed=5)
        try:
            history = train(
                model,
                batches,
                loss_fn if steps == 12 else stop_after(6),
                config,
                progress=True,
                checkpoint=folder / "checkpoint.pt",
                checkpoint_every=6,
                resume=steps == 12,
            )
        except KeyboardInterrupt:
            continue
    weights = [weight.detach() for weight in model.parameters()]
    torch.save({"weights": weights, "loss": history.loss}, folder / f"{rank()}_of_{world_size()}.pt")


def stop_after(steps: int):
    calls = []

    def loss(model, batch):
        calls.append(0)
        if len(calls) > steps:
            raise KeyboardInterrupt
        return loss_fn(model, batch)

    return loss


if __name__ == "__main__":
    torch.set_num_threads(1)
    with data_parallel("cpu") as device:
        run(Path(sys.argv[1]), device)
