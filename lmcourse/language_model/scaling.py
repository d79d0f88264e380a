"""How the loss falls with size and with text: straight lines on logarithmic paper, once the floor is taken away.

Kaplan et al. 2020, "Scaling Laws for Neural Language Models", found that the loss of a language model falls as a power of its
parameters N, of the tokens D that it was trained on, and of the compute, about 6 N D operations. Hoffmann et al. 2022, "Training
Compute-Optimal Large Language Models" (the model was called Chinchilla), wrote

    loss(N, D) = E + A / N^alpha + B / D^beta

with alpha = 0.34 and beta = 0.28, and concluded that N and D should grow together, with about 20 tokens for each parameter. E is
the entropy of text: what no model can guess. They had to fit it. For a text of a grammar we know it, so what is left, the
excess, can be drawn by itself.

The grammar is `preferences`: 48 verbs, each with a law of its own over 300 subjects and 300 objects, some 29,000 probabilities. A
small model holds the coarse of it and a larger one the fine; a short text shows the frequent and a longer one the rare.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lmcourse.attention.cost import fit_exponent
from lmcourse.corpora import preferences
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.model import LanguageModel
from lmcourse.language_model.sizes import flops_per_token
from lmcourse.recurrence.floor import train_on_documents
from lmcourse.recurrence.language_model import document_surprisal
from lmcourse.training import TrainConfig, side_by_side

WIDTHS = (2, 4, 8, 16, 32, 64)  # 1,500 to 95,000 parameters
ROW = 16  # tokens: four sentences
HELD_OUT = 20_000
# (d_model, steps, rows in a batch) of each training
SIZES = tuple((d_model, 512, 64) for d_model in WIDTHS)  # 524,288 tokens for each
# 98,304 to 524,288 tokens; after fewer than 700 updates some seeds have hardly begun to learn, whatever the text
TEXTS = tuple((32, steps, 8) for steps in (768, 1024, 1536, 2048, 4096))


class PowerLaw(NamedTuple):
    """y = constant * x^exponent. `r2` is the share of the variance of log y that the line explains; `spread` the standard
    deviation of the exponent over the seeds, each fitted alone (0 for one seed)."""

    exponent: float
    constant: float
    r2: float
    spread: float


def fit_power_law(
    x: Sequence[float | int] | np.ndarray, y: Sequence[float] | Sequence[Sequence[float]] | np.ndarray
) -> PowerLaw:
    """Return the power law through the points, by least squares on the logarithms.

    Args:
        x: parameters, tokens or operations, (points). y: an excess for each, (points) or (seeds, points).

    Raises:
        ValueError: fewer than two different x, a number of y that differs, a value that is not positive. An excess below 0 is the
            noise of a short held-out text.

    >>> law = fit_power_law([1, 4, 16], [6.0, 3.0, 1.5])
    >>> round(law.exponent, 6), round(law.constant, 6), round(law.r2, 6)
    (-0.5, 6.0, 1.0)
    """
    x, y = np.asarray(x, float), np.atleast_2d(np.asarray(y, float))
    if y.ndim != 2 or y.shape[1] != len(x):
        raise ValueError(
            f"'y' must have one value, or one a seed, for each of {len(x)} x, got shape {y.shape}"
        )
    alone = [fit_exponent(x.tolist(), row.tolist()) for row in y]
    exponent = float(np.mean(alone))  # the x are those of every seed, so this is the fit of all points
    log_x, log_y = np.log(x), np.log(y)
    constant = float(np.exp((log_y - exponent * log_x).mean()))
    left = log_y - np.log(constant) - exponent * log_x
    r2 = 1 - float((left**2).sum() / ((log_y - log_y.mean()) ** 2).sum())
    return PowerLaw(exponent, constant, r2, float(np.std(alone, ddof=1)) if len(alone) > 1 else 0.0)


@dataclass(frozen=True)
class Scaling:
    """What some trainings came to: the excess over the floor in nats per token, for each seed (a row) and training.

    `parameters`, `tokens` (seen in training) and `flops` (the operations of the matrix products, forward and backward) belong
    to the trainings, whatever the seed.
    """

    parameters: list[int]
    tokens: list[int]
    flops: list[float]
    excess: list[list[float]]

    def fit(self, against: str, first: int | None = None) -> PowerLaw:
        """Return the power law of the excess against "parameters", "tokens" or "flops", through the `first` trainings (None: all).

        A law holds while nothing else is short. The widest model of `SIZES` is no better than the one before it: there the
        text is what is short, the term B / D^beta of Hoffmann et al., and the line ends.
        """
        return fit_power_law(getattr(self, against)[:first], [row[:first] for row in self.excess])


def scaling_config(vocab_size: int, d_model: int, seed: int = 0) -> LanguageModelConfig:
    """Return a model of one block and that width, with heads of 16 numbers where it is wide enough.

    The head has a matrix of its own: in this text no word follows itself, and a tied model would first have to unlearn that.
    """
    return LanguageModelConfig(
        vocab_size,
        d_model,
        max(1, d_model // 16),
        n_layers=1,
        max_length=ROW,
        base=100.0,
        std=0.5 / math.sqrt(d_model),
        tied=False,
        seed=seed,
    )


def train_for_scaling(d_model: int, steps: int, batch_size: int, seed: int = 0) -> tuple[int, float, float]:
    """Train one model on a text that it reads once; return its parameters, its operations and its excess in nats per token.

    A wide model wants smaller steps: lr = 0.06 / sqrt(d_model). The cosine ends where the text ends: half a run of this
    recipe is no run of half the length (Hoffmann et al. 2022, section 3.1).
    """
    source = preferences()
    config = scaling_config(len(source.vocab), d_model, seed)
    recipe = TrainConfig(
        steps=steps,
        batch_size=batch_size,
        lr=0.06 / math.sqrt(d_model),
        warmup=steps // 10,
        schedule="cosine",
        final_share=0.0,
        seed=seed,
    )
    model = LanguageModel(config)
    tokens = steps * batch_size * ROW
    # Sentences have four tokens, so rows and sentences begin together; the one before the first row is given.
    text = source.sample(tokens + 4 + ROW, seed=2 * seed)
    train_on_documents(model, text, recipe, ROW, progress=False)
    held_out = source.sample(HELD_OUT, seed=2 * seed + 1)
    # Token by token against the exact law: the luck of the draw, the same in both, falls out.
    excess = document_surprisal(model, held_out.documents()) - source.surprisal(held_out)
    parameters = sum(weights.numel() for weights in model.parameters())
    return parameters, 3.0 * flops_per_token(config, ROW) * tokens, float(excess.mean())


def measure_scaling(
    trainings: Sequence[tuple[int, int, int]],
    seeds: Sequence[int] = (0,),
    n_jobs: int | None = None,
    progress: bool = False,
) -> Scaling:
    """Train a model for each (d_model, steps, rows in a batch) and seed, side by side; return what they came to.

    `SIZES` are trainings that differ in width, `TEXTS` in the length of the text.

    Raises:
        ValueError: no training or no seed.
    """
    if not trainings or not seeds:
        raise ValueError(
            f"'trainings' and 'seeds' must not be empty, got {list(trainings)} and {list(seeds)}"
        )
    jobs = [(*training, seed) for seed in seeds for training in trainings]
    found = np.array(side_by_side(train_for_scaling, jobs, n_jobs, progress))
    found = found.reshape(len(seeds), len(trainings), 3)
    return Scaling(
        parameters=[int(n) for n in found[0, :, 0]],
        tokens=[steps * batch_size * ROW for _, steps, batch_size in trainings],
        flops=found[0, :, 1].tolist(),
        excess=found[:, :, 2].round(5).tolist(),
    )
