"""One training loop for every model of the course.

Each step: read a batch, compute the loss, compute its gradients, shorten them if they are too long, set the
learning rate of the step, let AdamW change the weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from lmcourse.training import distributed
from lmcourse.training.checkpoint import Run, go_on, save_checkpoint
from lmcourse.training.config import TrainConfig, learning_rate
from lmcourse.training.history import History
from lmcourse.training.optimizer import make_optimizer
from lmcourse.training.stream import endless, map_tensors, share

LossFn = Callable[[nn.Module, Any], Tensor]
Evaluate = Callable[[nn.Module], "float | Mapping[str, float]"]


def next_token_loss(model: nn.Module, batch: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, in nats per token, of `model(input_ids)` [batch, time, vocab] against the targets.

    A batch is (input_ids, targets), each [batch, time]. Targets of -100 are left out (padding, for example).

    >>> uniform = nn.Embedding.from_pretrained(torch.zeros(7, 7))  # the same logit for each of seven tokens
    >>> loss = next_token_loss(uniform, (torch.tensor([[1, 2]]), torch.tensor([[2, 3]])))
    >>> math.isclose(loss, math.log(7), rel_tol=1e-6)
    True
    """
    input_ids, targets = batch
    return F.cross_entropy(model(input_ids).flatten(0, 1), targets.flatten())


def train(
    model: nn.Module,
    batches: Iterable[Any],
    loss_fn: LossFn,
    config: TrainConfig,
    evaluate: Evaluate | None = None,
    progress: bool = True,
    *,
    checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
) -> History:
    """Train `model` in place and return what happened. The model stays on `config.device`, in evaluation mode.

    Args:
        batches: tensors, or tuples, lists or dicts of them; a list or a DataLoader is read again when it ends.
        loss_fn: `loss_fn(model, batch)` is the mean loss of a batch: one number, with its gradient.
        evaluate: `evaluate(model)` is a number, kept under "held out", or a dict of numbers by name. It is called in
            evaluation mode, without gradients, and cannot disturb the training's random numbers.
        checkpoint: a file for all that is needed to go on, written after the last step and each `checkpoint_every` steps.
        resume: go on from `checkpoint`, bit for bit as if nothing had happened; where there is no such file yet, begin. Give the
            same batches again, from their beginning: those that were used are read and passed over.

    The same model, batches and configuration give the same weights, bit for bit, on the same machine; the caller's
    random numbers are left as they were. Under `lmcourse.training.distributed.data_parallel` each process reads all batches and
    takes its share of the rows; the shares weigh the same, so the result is that of one process where each has as many targets.

    Raises:
        FloatingPointError: the loss or its gradient is not finite; names the step. The model is then what it was
            when its loss was last finite.
        ValueError: `batches` ended before all steps were done; `checkpoint` is of another run, or the batches are others than
            then; names what differs.
    """
    _check_checkpoint(checkpoint, checkpoint_every, resume)
    model.to(config.device)
    distributed.same_start(model)
    weights = list(model.parameters())
    last_good = [weight.detach().clone() for weight in weights]
    run = Run(model, make_optimizer(model, config), last_good, History(), config)
    stream = endless(batches, config.steps)
    silent = not progress or distributed.rank() != 0
    steps = tqdm(total=config.steps, disable=silent, desc="training", unit="step")
    try:
        with _own_random_numbers(config.device):
            torch.manual_seed(config.seed + distributed.rank())  # each process has its own dropout
            done = go_on(run, stream, checkpoint) if resume and Path(checkpoint).exists() else 0
            steps.update(done)
            if done == 0:
                _evaluate(run, evaluate, 0)
            for step in range(done + 1, config.steps + 1):
                batch = _step(run, step, stream, loss_fn)
                if step % 10 == 0:
                    steps.set_postfix_str(f"loss {run.history.loss[-1]:.3f}", refresh=False)
                steps.update()
                _evaluate(run, evaluate, step)
                if checkpoint and (
                    step == config.steps or (checkpoint_every and step % checkpoint_every == 0)
                ):
                    save_checkpoint(checkpoint, run, step, batch)
    finally:
        run.optimizer.zero_grad()
        model.eval()
        steps.close()
    return run.history


def _step(run: Run, step: int, stream: Iterator[Any], loss_fn: LossFn) -> Any:
    """One step of the training; return the batch, as it was read."""
    start = time.perf_counter()
    config, weights = run.config, list(run.model.parameters())
    batch = next(stream)
    mine = share(batch, distributed.rank(), distributed.world_size())
    mine = map_tensors(lambda tensor: tensor.to(config.device), mine)
    run.model.train()
    with _precision(config):
        loss = loss_fn(run.model, mine)
    loss.backward()
    distributed.average_gradients(weights)
    norm = nn.utils.clip_grad_norm_(weights, config.clip or math.inf).item()
    value = distributed.average(loss).item()
    _check_finite(step, value, norm, weights, run.last_good)
    for kept, weight in zip(run.last_good, weights, strict=True):
        kept.copy_(weight.detach())
    rate = learning_rate(step, config)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.optimizer.step()
    run.optimizer.zero_grad()
    run.history.add(value, rate, norm, batch)
    run.history.seconds += time.perf_counter() - start
    return batch


def _check_checkpoint(checkpoint: str | Path | None, every: int | None, resume: bool) -> None:
    if checkpoint is None and (every is not None or resume):
        raise ValueError("'checkpoint' must be a file for 'checkpoint_every' and 'resume', got None")
    if every is not None and every < 1:
        raise ValueError(f"'checkpoint_every' must be at least 1, got {every}")


def _check_finite(
    step: int, loss: float, norm: float, weights: list[nn.Parameter], last_good: list[Tensor]
) -> None:
    """Before the weights change: where the loss is not finite, take back the step before; raise."""
    what = "loss" if not math.isfinite(loss) else "gradient" if not math.isfinite(norm) else None
    if what is None:
        return
    if what == "loss":
        with torch.no_grad():
            for kept, weight in zip(last_good, weights, strict=True):
                weight.copy_(kept)
    raise FloatingPointError(
        f"the {what} is not finite in step {step} (loss {loss}, length of the gradient {norm}); the model is "
        "as it was when its loss was last finite. A lower 'lr' or 'clip', or a longer 'warmup', may help"
    )


def _evaluate(run: Run, evaluate: Evaluate | None, step: int) -> None:
    config, history = run.config, run.history
    due = step in (0, config.steps) or (config.eval_every and step % config.eval_every == 0)
    if evaluate is None or not due:
        return
    run.model.eval()
    with torch.no_grad(), _own_random_numbers(config.device), _precision(config):
        values = evaluate(run.model)
    named = values if isinstance(values, Mapping) else {"held out": values}
    history.evaluated_at.append(step)
    for name, value in named.items():
        history.evaluations.setdefault(name, []).append(float(value))


def _precision(config: TrainConfig) -> AbstractContextManager:
    """Inside, matrix products may be computed in bfloat16 where the configuration says so; the loss is in float32."""
    kind = torch.device(config.device).type
    return torch.autocast(kind, torch.bfloat16, enabled=config.precision == "bf16")


def _own_random_numbers(device: str) -> AbstractContextManager:
    """Inside, torch's random numbers may be seeded and drawn; outside, nothing of it is seen."""
    return torch.random.fork_rng(devices=[torch.device(device)] if device.startswith("cuda") else [])
