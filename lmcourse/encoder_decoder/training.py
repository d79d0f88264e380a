"""How the paper trained its Transformer: smoothed labels, and a learning rate that rises and falls."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lmcourse.recurrence.translation_training import PairBatch
from lmcourse.recurrence.translator import Translator

IGNORED = -100  # a target that is none: padding


def label_smoothing_loss(
    logits: Float[Tensor, "*batch vocab"], targets: Int64[Tensor, "*batch"], smoothing: float = 0.1
) -> Float[Tensor, ""]:
    """Return the mean cross-entropy, in nats, where the true token gets 1 - e and all `vocab` tokens share e.

        loss = (1 - e) * -log p(true)  +  e * mean over all tokens of -log p(token)

    So the true token gets 1 - e + e / vocab in all. Szegedy et al. 2016, "Rethinking the Inception Architecture for
    Computer Vision", section 7; Vaswani et al. 2017, section 5.4, take e = 0.1: it "hurts perplexity, as the model
    learns to be more unsure, but improves accuracy and BLEU score". The smallest loss is no longer 0 but the entropy
    of that law, and it is reached by logits of finite size. Targets of -100 do not count.

    Raises:
        ValueError: `smoothing` not from 0 to below 1.

    >>> logits = torch.tensor([[2.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    >>> label_smoothing_loss(logits, torch.tensor([0, -100]), smoothing=0.3).round(decimals=4)  # 0.2395 + 0.2 * 2
    tensor(0.6395)
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"'smoothing' must be from 0 to below 1, got {smoothing}")
    surprisal = -logits.log_softmax(-1)  # (*batch, vocab)
    real = targets != IGNORED
    true = surprisal.gather(-1, targets.clamp(min=0)[..., None])[..., 0]  # (*batch)
    loss = (1 - smoothing) * true + smoothing * surprisal.mean(-1)
    return torch.where(real, loss, 0.0).sum() / real.sum()


def smoothed_translation_loss(
    smoothing: float = 0.1,
) -> Callable[[Translator, PairBatch], Float[Tensor, ""]]:
    """Return the loss for `lmcourse.training.train`: teacher forcing, and `label_smoothing_loss` of what the model says.

    >>> from lmcourse.encoder_decoder import Transformer, TransformerConfig
    >>> from lmcourse.recurrence import pad_pairs
    >>> model, batch = Transformer(TransformerConfig(9, 7, d_model=8)), pad_pairs([[4, 5, 2]], [[1, 3, 2]])
    >>> smoothed_translation_loss(0.1)(model, batch).shape
    torch.Size([])
    """

    def loss(model: Translator, batch: PairBatch) -> Float[Tensor, ""]:
        logits = model(batch.source_ids, batch.lengths, batch.target_ids)
        return label_smoothing_loss(logits, batch.targets, smoothing)

    return loss


def warmup_rate(step: int, d_model: int, warmup: int = 4000) -> float:
    """Return d_model^-0.5 * min(step^-0.5, step * warmup^-1.5), the learning rate of a step; the first is 1.

    It rises in a straight line up to step `warmup`, where it is (d_model * warmup)^-0.5, and then falls as the
    inverse square root of the step. Vaswani et al. 2017, section 5.3, equation 3, with 4,000 steps. In Adam's first
    steps the estimate of the gradients' size is still poor, and a Transformer with the norm behind has large
    gradients near its output (`gradient_norms_by_layer`): with the full rate at once it may never recover.

    Raises:
        ValueError: `step`, `d_model` or `warmup` below 1.

    >>> [round(warmup_rate(step, d_model=4, warmup=4), 4) for step in (1, 2, 4, 16)]
    [0.0625, 0.125, 0.25, 0.125]
    """
    for name, value in (("step", step), ("d_model", d_model), ("warmup", warmup)):
        if value < 1:
            raise ValueError(f"'{name}' must be at least 1, got {value}")
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
