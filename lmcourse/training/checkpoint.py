"""All that a training needs to go on as if it had not stopped, in one file.

Weights alone are not enough. AdamW remembers the gradients it has seen, dropout draws its random numbers in a row, the
schedule depends on the step, and the batches stand in an order: whoever forgets one of these trains another model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim

from lmcourse.training import distributed
from lmcourse.training.config import TrainConfig
from lmcourse.training.history import History
from lmcourse.training.stream import fingerprint


@dataclass
class Run:
    """A training under way: what changes from step to step, and the configuration, which does not.

    `last_good` are the weights of the step before, whose loss was finite.
    """

    model: nn.Module
    optimizer: optim.Optimizer
    last_good: list[Tensor]
    history: History
    config: TrainConfig


def save_checkpoint(path: str | Path, run: Run, step: int, batch: Any) -> None:
    """Write the state after `step`, whose batch was `batch`, to `path`; a reader finds the old file or the new one, never half of one.

    Where several processes train together each must call this; process 0 writes.
    """
    random = distributed.gather(random_state(run.config.device))
    if distributed.rank() != 0:
        return
    state = {
        "step": step,
        "batch": fingerprint(batch),
        "config": _same_for_all(run.config),
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "last_good": run.last_good,
        "history": asdict(run.history),
        "random": random,
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    torch.save(state, part)
    os.replace(part, path)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return what `save_checkpoint` wrote, on the CPU. Reading it can run no code: `weights_only` lets in numbers and names.

    `model.load_state_dict(load_checkpoint(path)["model"])` is all that using a trained model needs.
    """
    return torch.load(path, map_location="cpu", weights_only=True)


def go_on(run: Run, stream: Iterator[Any], path: str | Path) -> int:
    """Set `run`, torch's random numbers and `stream` to where a checkpoint was written; return its step.

    Args:
        stream: the batches, from their beginning.

    Raises:
        ValueError: the checkpoint is of another configuration, model, or number of processes, or the batches are others; names
            what differs.
    """
    state = load_checkpoint(path)
    check_same_run(state, run)
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    for kept, value in zip(run.last_good, state["last_good"], strict=True):
        kept.copy_(value)
    vars(run.history).update(state["history"])
    for _ in range(state["step"]):
        batch = next(stream)
    if fingerprint(batch) != state["batch"]:
        raise ValueError(
            "'batches' must begin as they did when 'checkpoint' was written, but batch "
            f"{state['step']} is another one; make them anew, from the same data and with a seed of their own"
        )
    set_random_state(state["random"][distributed.rank()], run.config.device)
    return state["step"]


def check_same_run(state: dict[str, Any], run: Run) -> None:
    """Raise ValueError if a state is not one of this run: another configuration, other weights, other processes."""
    mine, theirs = _same_for_all(run.config), state["config"]
    kinds = [("training", theirs, mine)]
    kinds.append(("weights", _shapes(state["model"]), _shapes(run.model.state_dict())))
    kinds.append(("processes", {"number": len(state["random"])}, {"number": distributed.world_size()}))
    for kind, then, now in kinds:
        names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
        if names:
            shown = ", ".join(f"{name} was {then.get(name)}, is {now.get(name)}" for name in names[:4])
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            raise ValueError(f"'checkpoint' is of another run; {kind}: {shown}{more}")


def _same_for_all(config: TrainConfig) -> dict[str, Any]:
    """The configuration without the number of the device, which is another one in each process."""
    return asdict(config) | {"device": torch.device(config.device).type}


def _shapes(weights: dict[str, Tensor]) -> dict[str, str]:
    return {name: f"{tuple(w.shape)} {str(w.dtype).removeprefix('torch.')}" for name, w in weights.items()}


def random_state(device: str) -> dict[str, Tensor]:
    """Return the state of torch's random numbers, on the CPU and on a GPU if `device` is one."""
    state = {"cpu": torch.get_rng_state()}
    if device.startswith("cuda"):
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, Tensor], device: str) -> None:
    """Let torch's random numbers go on from `random_state`."""
    torch.set_rng_state(state["cpu"])
    if device.startswith("cuda"):
        torch.cuda.set_rng_state(state["cuda"], device)
