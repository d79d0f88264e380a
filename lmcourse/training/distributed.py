"""Data parallel: several processes with the same model, each with a share of every batch.

The gradient of a mean over 2 n rows is the mean of the gradients over n rows each. So two processes that start from the same
weights, each compute the gradient of their half, and then average, take the same step as one process with the whole batch; and
since both take it, they never need to compare weights again.

    python -m torch.distributed.run --nproc_per_node=2 -m lmcourse.language_model.train ...

torch has `DistributedDataParallel` for this. It wraps a model and averages while the backward pass still runs, piece by
piece, which hides much of the sending. It sees only calls of the model itself, though, and a loss of this course may call any of
its methods. Here the average is taken after the backward pass, in the open.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lmcourse.training.data import best_device


def rank() -> int:
    """Return this process's number among those that train together; 0 where there is one.

    >>> rank()
    0
    """
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Return how many processes train together.

    >>> world_size()
    1
    """
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def data_parallel(device: str | None = None) -> Iterator[str]:
    """Join the processes that `torchrun` started, and leave them at the end; gives the device of this one.

    Inside, `lmcourse.training.train` shares out each batch. Where no `torchrun` is, nothing is joined.

    Args:
        device: "cpu" (the processes talk over gloo) or "cuda" (one device for each process, over NCCL); None takes the best
            that is there.

    >>> with data_parallel("cpu") as device:
    ...     device, world_size()
    ('cpu', 1)
    """
    device = device or best_device()
    if "LOCAL_RANK" not in os.environ:
        yield device
        return
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def same_start(model: nn.Module) -> None:
    """Give all processes the weights and buffers of process 0."""
    if world_size() > 1:
        for tensor in [*model.parameters(), *model.buffers()]:
            dist.broadcast(tensor.detach(), src=0)


def average_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over all processes: sent as one long vector, summed, divided, cut up again."""
    if world_size() == 1:
        return
    trained = [weight for weight in weights if weight.requires_grad]
    used = torch.tensor([float(weight.grad is not None) for weight in trained], device=trained[0].device)
    dist.all_reduce(used, dist.ReduceOp.MAX)  # 1 where the rows of any process led to a gradient
    trained = [weight for weight, by_any in zip(trained, used.tolist(), strict=True) if by_any]
    for weight in trained:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    flat = torch.cat([weight.grad.flatten() for weight in trained])
    dist.all_reduce(flat)
    parts = (flat / world_size()).split([weight.numel() for weight in trained])
    for weight, part in zip(trained, parts, strict=True):
        weight.grad.copy_(part.view_as(weight))


def average(value: Tensor) -> Tensor:
    """Return the mean of a number over all processes, which is the same in each of them.

    >>> average(torch.tensor(2.5))
    tensor(2.5000)
    """
    if world_size() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


def gather(value: object) -> list:
    """Return what each process gave, in the order of their numbers.

    >>> gather("here")
    ['here']
    """
    found: list = [value] * world_size()
    if world_size() > 1:
        dist.all_gather_object(found, value)
    return found
