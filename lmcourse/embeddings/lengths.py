"""Train short, test long: what each way to give positions does beyond the length it was trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int, Int64
from torch import Tensor

from lmcourse.embeddings.contextual import ProbeConfig, ProbeTransformer, excess_by_position
from lmcourse.embeddings.positions import POSITION_SCHEMES
from lmcourse.training import History, TrainConfig, batches_of_rows, next_token_loss, train


def train_probe(
    config: ProbeConfig, ids: Int[np.ndarray, "n"], row: int, train_config: TrainConfig, progress: bool = True
) -> tuple[ProbeTransformer, History]:
    """Return a `ProbeTransformer` trained on rows of `row` tokens from the text `ids`, and what happened on the way."""
    model = ProbeTransformer(config)
    batches = batches_of_rows(ids, row, train_config.batch_size, train_config.seed)
    return model, train(model, batches, next_token_loss, train_config, progress=progress)


def length_generalization(
    config: ProbeConfig,
    ids: Int[np.ndarray, "n"],
    row: int,
    test_rows: Int64[Tensor, "rows length"],
    surprisal: Float64[np.ndarray, "rows length-1"],
    train_config: TrainConfig,
    schemes: Iterable[str] = tuple(POSITION_SCHEMES),
    progress: bool = True,
) -> dict[str, Float64[np.ndarray, "length-1"]]:
    """Train the same model with each scheme on rows of `row` tokens; return its excess at each position of longer rows.

    All models have the same seed, sizes, batches and steps. Excess is in nats per token, averaged over `test_rows`.
    Learned positions end with their table, at `row`: beyond it the excess is NaN, which plots leave empty. After
    a few hundred steps no model has learned all it can, so the numbers also tell how fast each scheme learns.

    Args:
        ids: the text to train on. test_rows, surprisal: other text, see `row_index`.

    Raises:
        ValueError: a scheme that is not in `POSITION_SCHEMES`.
    """
    excess = {}
    for name in schemes:
        model, _ = train_probe(
            replace(config, positions=name, max_length=row), ids, row, train_config, progress
        )
        end = row if name == "learned" else surprisal.shape[1]
        known = excess_by_position(model, test_rows[:, : end + 1], surprisal[:, :end])
        excess[name] = np.pad(known, (0, surprisal.shape[1] - end), constant_values=np.nan)
    return excess
