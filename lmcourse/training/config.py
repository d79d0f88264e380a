"""How a model is trained: the numbers of a run, checked when they are given, and the learning rate of each step."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train. `batch_size` and `seed` are also there for whoever makes the batches.

    Args:
        steps: how many times the weights are changed.
        batch_size: examples in a batch.
        lr: the highest learning rate.
        betas: AdamW's two memories, of the gradient and of its square.
        weight_decay: AdamW's, on all weights.
        warmup: steps in which the learning rate rises to `lr`.
        flat_until: share of the steps after which it begins to fall.
        final_share: the learning rate of the last step, as a share of `lr`.
        clip: the longest gradient (all weights together) that is used as it is; None shortens none.
        seed: seeds dropout and whatever else is random in `loss_fn`; the model's first weights are older.
        eval_every: evaluate before the first step, each time so many are done, and after the last; None: only
            before the first and after the last.
        device: where to train.

    Raises:
        ValueError: a value that makes no sense, by name.
    """

    steps: int
    batch_size: int = 32
    lr: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    warmup: int = 50
    flat_until: float = 0.6
    final_share: float = 0.03
    clip: float | None = 1.0
    seed: int = 0
    eval_every: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        whole = {"steps": self.steps, "batch_size": self.batch_size, "eval_every": self.eval_every}
        for name, value in whole.items():
            if value is not None and value < 1:
                raise ValueError(f"'{name}' must be at least 1, got {value}")
        for name, value in {"lr": self.lr, "clip": self.clip}.items():
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"'{name}' must be a positive number, got {value}")
        for name, value in {"flat_until": self.flat_until, "final_share": self.final_share}.items():
            if not 0 <= value <= 1:
                raise ValueError(f"'{name}' must be a share from 0 to 1, got {value}")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"'betas' must be two numbers from 0 to below 1, got {self.betas}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"'weight_decay' must be 0 or a positive number, got {self.weight_decay}")
        if not 0 <= self.warmup <= self.flat_until * self.steps:
            raise ValueError(
                f"'warmup' must be from 0 to flat_until * steps = {self.flat_until * self.steps:g}, "
                f"got {self.warmup}"
            )


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step (the first is 1): a straight rise, a flat part, a straight fall.

    With W = warmup and F = flat_until * steps: lr * step / W up to step W, lr up to step F, and then
    lr * (1 - (1 - final_share) * (step - F) / (steps - F)), which is lr * final_share in the last step.

    >>> config = TrainConfig(steps=10, lr=1.0, warmup=4, flat_until=0.6, final_share=0.2)
    >>> [round(learning_rate(step, config), 2) for step in range(1, 11)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2]
    """
    flat = config.flat_until * config.steps
    if step <= config.warmup:
        return config.lr * step / config.warmup
    if step <= flat:
        return config.lr
    return config.lr * (1 - (1 - config.final_share) * (step - flat) / (config.steps - flat))
