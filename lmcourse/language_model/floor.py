"""This chapter's row of the book's table: the whole model beside those of the chapters before.

After a change: `record(floor_rows(book_sources(), language_models(), **FLOOR_RECIPE))`, with `record` of `lmcourse.figures.floor`
and `floor_rows` of `lmcourse.recurrence.floor`.
"""

from __future__ import annotations

from typing import Any

import torch

from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.model import LanguageModel
from lmcourse.recurrence.floor import MakeModel
from lmcourse.training import TrainConfig

# Plays need both: lines that come back are found late, after some 2,000 steps, and what is in a line takes text to learn.
FLOOR_RECIPE: dict[str, Any] = {
    "chapter": "06_language_model",
    "config": TrainConfig(steps=5000, batch_size=16, lr=5e-3),
    "train_tokens": 1_600_000,
}


def floor_model(vocab_size: int, seed: int = 0) -> LanguageModel:
    """Return two blocks of today's kind, of width 64, for sources with a small vocabulary.

    As in chapter 04 the biases of queries and keys start as draws from N(0, 1): turned by their places they let a head
    prefer a distance whatever the tokens are, and the head that looks one place back is found sooner.

    >>> floor_model(vocab_size=100).config.norm
    'rms'
    """
    model = LanguageModel(
        LanguageModelConfig(
            vocab_size,
            d_model=64,
            n_heads=2,
            n_layers=2,
            d_ff=128,
            max_length=512,
            base=100.0,
            std=0.05,
            bias=True,
            seed=seed,
        )
    )
    generator = torch.Generator().manual_seed(seed)
    for block in model.stack.blocks:
        for projection in (block.attention.q_proj, block.attention.k_proj):
            torch.nn.init.normal_(projection.bias, generator=generator)
    return model


def language_models() -> dict[str, MakeModel]:
    """Return this chapter's model by the name that it has in the table."""
    return {"Transformer, 2 layers": floor_model}
