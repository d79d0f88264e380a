"""A decoder that was trained on the truth, and has to live with its own mistakes: exposure bias, and scheduled sampling.

With teacher forcing every beginning that the decoder ever sees is right. Used alone it reads what it wrote itself, and after
its first mistake it stands where it has never been. Ranzato et al., "Sequence Level Training with Recurrent Neural Networks"
(ICLR 2016), name this exposure bias.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from lmcourse.corpora import Pairs
from lmcourse.recurrence.translation_training import PairBatch, pad_pairs, translation_loss
from lmcourse.recurrence.translator import Translator


def write_mixed(
    model: Translator,
    batch: PairBatch,
    own: Bool[Tensor, "batch target"],
) -> tuple[Float[Tensor, "batch target vocab"], Int64[Tensor, "batch target"]]:
    """Write step by step; where `own[b, t]`, input t is the most probable token after input t - 1 and not `target_ids[b, t]`.

    Returns the logits, and the inputs that were read. The first input is <bos>, whatever `own` says. The choice of a token has no
    gradient; the logits have theirs.
    """
    context = model.read(batch.source_ids, batch.lengths)
    token = batch.target_ids[:, :1]
    logits, inputs = [], [token]
    for t in range(batch.target_ids.shape[1]):
        scores, context = model.write(token, context)  # (batch, 1, vocab)
        logits.append(scores)
        if t + 1 < batch.target_ids.shape[1]:
            here = slice(t + 1, t + 2)
            token = torch.where(own[:, here], scores.detach().argmax(-1), batch.target_ids[:, here])
            inputs.append(token)
    return torch.cat(logits, dim=1), torch.cat(inputs, dim=1)


def scheduled_loss(
    model: Translator, batch: PairBatch, p: float, generator: torch.Generator | None = None
) -> Float[Tensor, ""]:
    """Return the loss where each input token is the model's own with probability p, and the true one otherwise.

    The targets are the true ones all the same. Each token has its own toss. p = 0 is teacher forcing; otherwise the steps
    follow one another, since an input is known only when the step before is done. Bengio et al., "Scheduled
    Sampling for Sequence Prediction with Recurrent Neural Networks" (NeurIPS 2015), section 2.4, in its greedy variant: the model's own token
    is its most probable one.

    It has a price. Behind a wrong word the true next one is still asked for, whether or not it goes with what now stands there; a
    model that gives in to this trusts its inputs less. Huszár, "How (not) to Train your Generative Model: Scheduled Sampling,
    Likelihood, Adversary?" (2015), shows that the true law is then not the best answer.

    Args:
        generator: where the tosses come from, on the CPU; the global one by default.

    Raises:
        ValueError: `p` is no probability.

    >>> from lmcourse.recurrence.seq2seq import Seq2Seq, Seq2SeqConfig
    >>> model = Seq2Seq(Seq2SeqConfig(9, 7, d_model=4, hidden_size=6))
    >>> batch = pad_pairs([[4, 5, 2], [6, 2]], [[1, 3, 2], [1, 3, 4, 2]])
    >>> bool(scheduled_loss(model, batch, p=0.0) == translation_loss(model, batch))
    True
    """
    if not 0 <= p <= 1:
        raise ValueError(f"'p' must be a probability from 0 to 1, got {p}")
    if p == 0:
        return translation_loss(model, batch)
    own = torch.rand(batch.target_ids.shape, generator=generator) < p
    logits, _ = write_mixed(model, batch, own.to(batch.target_ids.device))
    return F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())


class ScheduledSampling:
    """A loss for `lmcourse.training.train` whose p grows in a straight line: 0 up to step `start`, `final` from step `end` on.

    Each call is a step. Early in training the model's own tokens are noise; so it begins with the truth (Bengio et al. 2015,
    section 2.4, "linear decay"). Use a new object for each training.

    Raises:
        ValueError: `final` is no probability, or not 0 <= start < end.

    >>> schedule = ScheduledSampling(start=100, end=300, final=0.5)
    >>> [schedule.share(step) for step in (1, 100, 200, 300, 900)]
    [0.0, 0.0, 0.25, 0.5, 0.5]
    """

    def __init__(self, start: int, end: int, final: float = 0.5, seed: int = 0) -> None:
        if not 0 <= final <= 1:
            raise ValueError(f"'final' must be a probability from 0 to 1, got {final}")
        if not 0 <= start < end:
            raise ValueError(f"'start' and 'end' must be steps with 0 <= start < end, got {start} and {end}")
        self.start, self.end, self.final = start, end, final
        self.steps = 0
        self._generator = torch.Generator().manual_seed(seed)

    def share(self, step: int) -> float:
        """Return p at a step; the first is 1."""
        return self.final * min(1.0, max(0.0, (step - self.start) / (self.end - self.start)))

    def __call__(self, model: Translator, batch: PairBatch) -> Float[Tensor, ""]:
        self.steps += 1
        return scheduled_loss(model, batch, self.share(self.steps), self._generator)


class Exposure(NamedTuple):
    """How good a translator is at each place of the target, fed the truth and fed its own output.

    Attributes:
        n: sentences that have a token at this place.
        truth_loss, own_loss: mean of -log P(true token), nats.
        truth_accuracy, own_accuracy: how often the true token is the most probable one.
    """

    n: Int64[np.ndarray, "places"]
    truth_loss: Float64[np.ndarray, "places"]
    own_loss: Float64[np.ndarray, "places"]
    truth_accuracy: Float64[np.ndarray, "places"]
    own_accuracy: Float64[np.ndarray, "places"]


@torch.no_grad()
def exposure(model: Translator, pairs: Pairs, batch_size: int = 256) -> Exposure:
    """Return loss and accuracy for each place in the target, once behind true tokens and once behind the model's own.

    Fed its own output, the model writes as in greedy decoding, but over as many places as the true translation has, past an <eos>
    that comes too early; each place is held against the true token there. A word left out therefore makes everything
    after it wrong: this is the price of a mistake, whether it is confusion or a shift.
    """
    source, target = pairs.ids()
    device = next(model.parameters()).device
    order = sorted(range(len(source)), key=lambda i: len(target[i]))
    places = max(map(len, target)) - 1
    sums = torch.zeros(5, places, dtype=torch.float64)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        batch = PairBatch(
            *(part.to(device) for part in pad_pairs([source[i] for i in chosen], [target[i] for i in chosen]))
        )
        everywhere = torch.ones_like(batch.target_ids, dtype=torch.bool)
        truth = model(batch.source_ids, batch.lengths, batch.target_ids)
        own, _ = write_mixed(model, batch, everywhere)
        real = batch.targets != -100
        rows = [real, *(_losses(logits, batch.targets) for logits in (truth, own))]
        rows += [(logits.argmax(-1) == batch.targets) & real for logits in (truth, own)]
        sums[:, : real.shape[1]] += torch.stack([row.double().sum(0) for row in rows]).cpu()
    n, *totals = sums
    return Exposure(n.long().numpy(), *((total / n).numpy() for total in totals))


def _losses(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.double().transpose(1, 2), targets, reduction="none")  # 0 on padding
