"""Hiding words in a text so that a model has to guess them: the task that BERT was trained on.

A model that sees a whole text at once cannot be asked for the next token: it stands right there. So some tokens are taken out and the
model is asked for these. It may look to both sides, and it learns from about one token in seven instead of from each.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

IGNORED = -100  # the target where nothing is asked; torch's cross-entropy leaves it out


class Masked(NamedTuple):
    """A text with words hidden, and the hidden words: `targets` is -100 wherever nothing is asked."""

    input_ids: Int64[Tensor, "batch time"]
    targets: Int64[Tensor, "batch time"]


def mask_tokens(
    ids: Int64[Tensor, "batch time"],
    mask_id: int,
    vocab_size: int,
    *,
    special: Collection[int] = (),
    rate: float = 0.15,
    masked: float = 0.8,
    random: float = 0.1,
    generator: torch.Generator | None = None,
) -> Masked:
    """Return the text as the model reads it, and the tokens that it is asked for.

    Each token is chosen with probability `rate`, one by one, so their number varies. Of the chosen tokens a share `masked`
    becomes the mask token, a share `random` any id of the vocabulary, all equally likely, and the rest stays as it is. All of them are
    asked for. (The mask token never stands in a text that is read later on. The random and the kept words see to it that the model
    has something to say about each place and cannot trust what it reads there.) Devlin et al. 2019, "BERT", section 3.1, task 1.

    Args:
        special: ids that are never chosen, as padding or separators.
        generator: of torch, where the draws come from; the global one by default.

    Raises:
        ValueError: a rate or share that is not from 0 to 1, shares beyond 1 together, a mask token outside the vocabulary.

    >>> ids = torch.tensor([[5, 6, 7, 8, 0]])
    >>> mask_tokens(ids, mask_id=9, vocab_size=10, special=[0], rate=1.0, masked=1.0, random=0.0)
    Masked(input_ids=tensor([[9, 9, 9, 9, 0]]), targets=tensor([[   5,    6,    7,    8, -100]]))
    """
    for name, share in (("rate", rate), ("masked", masked), ("random", random)):
        if not 0 <= share <= 1:
            raise ValueError(f"'{name}' must be from 0 to 1, got {share}")
    if masked + random > 1 + 1e-9:
        raise ValueError(f"'masked' and 'random' must not be more than 1 together, got {masked} + {random}")
    if not 0 <= mask_id < vocab_size:
        raise ValueError(f"'mask_id' must be an id below vocab_size={vocab_size}, got {mask_id}")

    def uniform() -> Tensor:
        return torch.rand(ids.shape, generator=generator, device=ids.device)

    never = torch.isin(ids, torch.tensor(list(special), dtype=ids.dtype, device=ids.device))
    chosen = (uniform() < rate) & ~never
    fate = uniform()  # of the chosen: below `masked`, then below `masked + random`, then the rest
    anything = torch.randint(vocab_size, ids.shape, generator=generator, device=ids.device)
    read = torch.where(fate < masked, mask_id, torch.where(fate < masked + random, anything, ids))
    return Masked(torch.where(chosen, read, ids), ids.masked_fill(~chosen, IGNORED))


def masked_loss(model: nn.Module, batch: Masked) -> Float[Tensor, ""]:
    """Return the mean cross-entropy of the hidden tokens, in nats; 0, with no gradient to speak of, where none is hidden.

    >>> uniform = nn.Embedding.from_pretrained(torch.zeros(7, 7))  # the same logit for each of seven tokens
    >>> loss = masked_loss(uniform, Masked(torch.tensor([[6, 2]]), torch.tensor([[1, -100]])))
    >>> round(loss.item(), 4)  # log 7
    1.9459
    """
    logits = model(batch.input_ids).flatten(0, 1)  # (batch * time, vocab)
    total = F.cross_entropy(logits, batch.targets.flatten(), ignore_index=IGNORED, reduction="sum")
    return total / (batch.targets != IGNORED).sum().clamp(min=1)
