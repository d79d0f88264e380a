"""How a model is trained: the numbers of a run, checked when they are given, and the learning rate of each step."""

import math
from dataclasses import dataclass

SCHEDULES = ("linear", "cosine", "inverse_sqrt")
PRECISIONS = ("float32", "bf16")
DECAYS = ("all", "matrices")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train. `batch_size` and `seed` are also there for whoever makes the batches.

    Args:
        steps: how many times the weights are changed.
        batch_size: examples in a batch.
        lr: the highest learning rate.
        betas: AdamW's two memories, of the gradient and of its square.
        weight_decay: AdamW's, on the weights that `decay` names.
        warmup: steps in which the learning rate rises to `lr`.
        flat_until: share of the steps after which it begins to fall; "linear" only.
        final_share: the learning rate of the last step, as a share of `lr`; not of "inverse_sqrt", which only slows down.
        clip: the longest gradient (all weights together) that is used as it is; None shortens none.
        seed: seeds dropout and whatever else is random in `loss_fn`; the model's first weights are older.
        eval_every: evaluate before the first step, each time so many are done, and after the last; None: only
            before the first and after the last.
        device: where to train.
        schedule: how the learning rate falls after the warm-up: "linear", "cosine" or "inverse_sqrt"; see `learning_rate`.
        precision: of the matrix products, "float32" or "bf16". With "bf16" torch's autocast chooses what may be
            computed with 8 bits of mantissa; the weights, the softmax of the loss and AdamW stay as they are.
        decay: "all" weights shrink, or only "matrices": embeddings and linear maps, but no bias and no gain of a
            norm, for which 0 is no neutral value. GPT recipes do the second.

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
    schedule: str = "linear"
    precision: str = "float32"
    decay: str = "all"

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
        names = {"schedule": SCHEDULES, "precision": PRECISIONS, "decay": DECAYS}
        for name, known in names.items():
            if getattr(self, name) not in known:
                raise ValueError(f"'{name}' must be one of {list(known)}, got {getattr(self, name)!r}")
        least = 1 if self.schedule == "inverse_sqrt" else 0
        most = self.flat_until * self.steps if self.schedule == "linear" else self.steps
        if not least <= self.warmup <= most:
            bound = "flat_until * steps" if self.schedule == "linear" else "steps"
            raise ValueError(f"'warmup' must be from {least} to {bound} = {most:g}, got {self.warmup}")


def learning_rate(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step (the first is 1): a straight rise to `lr`, then what `schedule` says.

    With W = warmup it is lr * step / W up to step W. From there:

        linear        lr up to step F = flat_until * steps, then a straight fall:
                      lr * (1 - (1 - final_share) * (step - F) / (steps - F))
        cosine        half a cosine: lr * (final_share + (1 - final_share) * (1 + cos(pi * (step - W) / (steps - W))) / 2)
        inverse_sqrt  lr * sqrt(W / step): half as fast after four times W steps, whatever `steps` is

    The first two end at lr * final_share in the last step. Sources: the cosine without its restarts, Loshchilov and
    Hutter 2017, "SGDR"; the inverse square root, Vaswani et al. 2017, "Attention Is All You Need", equation 3, whose
    highest rate is lr = 1 / sqrt(d_model * W).

    >>> config = TrainConfig(steps=10, lr=1.0, warmup=4, flat_until=0.6, final_share=0.2)
    >>> [round(learning_rate(step, config), 2) for step in range(1, 11)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2]
    >>> config = TrainConfig(steps=10, lr=1.0, warmup=2, final_share=0.2, schedule="cosine")
    >>> [round(learning_rate(step, config), 2) for step in (2, 4, 6, 8, 10)]
    [1.0, 0.88, 0.6, 0.32, 0.2]
    """
    if step <= config.warmup:
        return config.lr * step / config.warmup
    if config.schedule == "inverse_sqrt":
        return config.lr * math.sqrt(config.warmup / step)
    if config.schedule == "cosine":
        done = (step - config.warmup) / (config.steps - config.warmup)  # from 0 to 1
        return config.lr * (
            config.final_share + (1 - config.final_share) * (1 + math.cos(math.pi * done)) / 2
        )
    flat = config.flat_until * config.steps
    if step <= flat:
        return config.lr
    return config.lr * (1 - (1 - config.final_share) * (step - flat) / (config.steps - flat))
