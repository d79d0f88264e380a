"""What happened while a model was trained: numbers for plots, and one line that sums them up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass
class History:
    """What happened, one entry a step: `loss[i]` is the loss of step i + 1, before it changed the weights.

    `grad_norm` is the gradient's length before it was shortened. `examples` and `tokens` are what was seen up to
    and with the step: rows and numbers in the first tensor of each batch (padding is counted). `evaluations`
    has a list for each name that `evaluate` returned, measured after `evaluated_at` steps. `seconds` is the time of
    the steps without the evaluations.
    """

    loss: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    grad_norm: list[float] = field(default_factory=list)
    examples: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    evaluated_at: list[int] = field(default_factory=list)
    evaluations: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)

    def add(self, loss: float, lr: float, grad_norm: float, batch: Any) -> None:
        """Note one step."""
        first = _first_tensor(batch)
        self.loss.append(loss)
        self.lr.append(lr)
        self.grad_norm.append(grad_norm)
        self.examples.append(len(first) + (self.examples[-1] if self.examples else 0))
        self.tokens.append(first.numel() + (self.tokens[-1] if self.tokens else 0))

    def mean_loss(self, points: int = 40) -> tuple[list[float], list[float]]:
        """Return `(steps, losses)`: means over at most `points` stretches of the run, for a curve one can read.

        >>> History(loss=[4.0, 2.0, 1.0, 1.0]).mean_loss(points=2)
        ([1.5, 3.5], [3.0, 1.0])
        """
        if points < 1:
            raise ValueError(f"'points' must be at least 1, got {points}")
        width = max(1, math.ceil(len(self.loss) / points))
        stretches = [range(i, min(i + width, len(self.loss))) for i in range(0, len(self.loss), width)]
        steps = [(stretch[0] + stretch[-1]) / 2 + 1 for stretch in stretches]
        return steps, [math.fsum(self.loss[i] for i in stretch) / len(stretch) for stretch in stretches]

    def summary(self) -> str:
        """Return one line: steps, examples, the first and last loss (means of a twentieth of the steps), evaluations.

        >>> History(loss=[4.0, 2.0], examples=[8, 16], evaluated_at=[0, 2], evaluations={"held out": [4.1, 1.9]})
        2 steps, 16 examples: loss 4.000 -> 2.000, held out 4.100 -> 1.900
        """
        if not self.loss:
            return "no steps"
        _, losses = self.mean_loss(points=20)
        parts = {"loss": losses} | self.evaluations
        text = ", ".join(f"{name} {values[0]:.3f} -> {values[-1]:.3f}" for name, values in parts.items())
        return f"{len(self.loss):,} steps, {self.examples[-1]:,} examples: {text}"

    __repr__ = summary


def _first_tensor(batch: Any) -> Tensor:
    while not isinstance(batch, Tensor):
        batch = next(iter(batch.values() if isinstance(batch, Mapping) else batch))
    return batch
