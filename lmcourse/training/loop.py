"""One training loop for every model of the course.

Each step: read a batch, compute the loss, compute its gradients, shorten them if they are too long, set the
learning rate of the step, let AdamW change the weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from lmcourse.training.config import TrainConfig, learning_rate
from lmcourse.training.history import History

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
) -> History:
    """Train `model` in place and return what happened. The model stays on `config.device`, in evaluation mode.

    Args:
        batches: tensors, or tuples, lists or dicts of them; a list or a DataLoader is read again when it ends.
        loss_fn: `loss_fn(model, batch)` is the mean loss of a batch: one number, with its gradient.
        evaluate: `evaluate(model)` is a number, kept under "held out", or a dict of numbers by name. It is called in
            evaluation mode, without gradients, and cannot disturb the training's random numbers.

    The same model, batches and configuration give the same weights, bit for bit, on the same machine; the caller's
    random numbers are left as they were. AdamW: Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (ICLR
    2019), algorithm 2.

    Raises:
        FloatingPointError: the loss or its gradient is not finite; names the step. The model is then what it was
            when its loss was last finite.
        ValueError: `batches` ended before all steps were done.
    """
    model.to(config.device)
    weights = list(model.parameters())
    optimizer = torch.optim.AdamW(
        weights,
        lr=config.lr,
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=True,
    )
    last_good = [weight.detach().clone() for weight in weights]
    history = History()
    stream = _endless(batches, config.steps)
    steps = tqdm(range(1, config.steps + 1), disable=not progress, desc="training", unit="step")
    try:
        with _own_random_numbers(config.device):
            torch.manual_seed(config.seed)
            _evaluate(model, evaluate, 0, config, history)
            for step in steps:
                start = time.perf_counter()
                batch = _on_device(next(stream), config.device)
                model.train()
                loss = loss_fn(model, batch)
                loss.backward()
                norm = nn.utils.clip_grad_norm_(weights, config.clip or math.inf).item()
                value = loss.item()
                _check_finite(step, value, norm, weights, last_good)
                for kept, weight in zip(last_good, weights, strict=True):
                    kept.copy_(weight.detach())
                rate = learning_rate(step, config)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                optimizer.step()
                optimizer.zero_grad()
                history.add(value, rate, norm, batch)
                history.seconds += time.perf_counter() - start
                if step % 10 == 0:
                    steps.set_postfix_str(f"loss {value:.3f}", refresh=False)
                _evaluate(model, evaluate, step, config, history)
    finally:
        optimizer.zero_grad()
        model.eval()
        steps.close()
    return history


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


def _evaluate(
    model: nn.Module, evaluate: Evaluate | None, step: int, config: TrainConfig, history: History
) -> None:
    due = step in (0, config.steps) or (config.eval_every and step % config.eval_every == 0)
    if evaluate is None or not due:
        return
    model.eval()
    with torch.no_grad(), _own_random_numbers(config.device):
        values = evaluate(model)
    named = values if isinstance(values, Mapping) else {"held out": values}
    history.evaluated_at.append(step)
    for name, value in named.items():
        history.evaluations.setdefault(name, []).append(float(value))


def _own_random_numbers(device: str) -> AbstractContextManager:
    """Inside, torch's random numbers may be seeded and drawn; outside, nothing of it is seen."""
    return torch.random.fork_rng(devices=[torch.device(device)] if device.startswith("cuda") else [])


def _endless(batches: Iterable[Any], steps: int) -> Iterator[Any]:
    read = before = 0
    while True:
        for batch in batches:
            read += 1
            yield batch
        if read == before:
            raise ValueError(
                f"'batches' must last for steps = {steps} batches, or be a list that can be read again; "
                f"it ended after {read}"
            )
        before = read


def _on_device(batch: Any, device: str) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {name: _on_device(value, device) for name, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):  # a NamedTuple stays one
        return type(batch)(*(_on_device(value, device) for value in batch))
    if isinstance(batch, tuple | list):
        return type(batch)(_on_device(value, device) for value in batch)
    return batch
