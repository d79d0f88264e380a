"""The auto-regressive loop, step by step: what goes in, what the model expects next, what is fed back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from lmcourse.recurrence.translator import BOS, EOS, Translator


class WritingStep(NamedTuple):
    """One turn of the loop.

    Attributes:
        read: the target tokens so far, <bos> first: what the next token depends on, besides the source.
        candidates: the most probable next tokens and their probabilities, the best first.
        written: the token that is taken, and read in the next turn.
    """

    read: tuple[int, ...]
    candidates: tuple[tuple[int, float], ...]
    written: int


def write_step_by_step(
    model: Translator, source_ids: Int64[Tensor, "source"], max_length: int = 60, top: int = 3
) -> Iterator[WritingStep]:
    """Yield the turns of greedy decoding for one sentence, up to <eos>: what one writes, the next reads.

    "gen ai is" -> "interesting"; "gen ai is interesting" -> "domain". Only the newest token is handed to the
    model: what came before it is known to its context. The tokens written are those of `lmcourse.recurrence.greedy`.

    Raises:
        ValueError: `max_length` or `top` below 1.

    >>> from lmcourse.encoder_decoder import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(9, 7, d_model=8))
    >>> steps = list(write_step_by_step(model, torch.tensor([5, 7, 2]), max_length=3))
    >>> steps[1].read == (1, steps[0].written)
    True
    """
    for name, value in (("max_length", max_length), ("top", top)):
        if value < 1:
            raise ValueError(f"'{name}' must be at least 1, got {value}")
    return _turns(model, source_ids, max_length, top)


@torch.no_grad()
def _turns(model: Translator, source_ids: Tensor, max_length: int, top: int) -> Iterator[WritingStep]:
    context = model.read(source_ids[None], torch.tensor([len(source_ids)], device=source_ids.device))
    read = (BOS,)
    while len(read) <= max_length and read[-1] != EOS:
        logits, context = model.write(source_ids.new_tensor([[read[-1]]]), context)
        law = logits[0, -1].double().softmax(-1)  # (vocab,)
        ids = law.argsort(descending=True, stable=True)[
            :top
        ]  # of equal ones the smaller first, as in greedy decoding
        candidates = tuple(zip(ids.tolist(), law[ids].tolist(), strict=True))
        yield WritingStep(read, candidates, candidates[0][0])
        read = (*read, candidates[0][0])
