"""Recall over a gap: what a model that can, or cannot, remember reaches."""

import pytest
import torch

from lmcourse.recurrence import RecurrentLM, RecurrentLMConfig, recall_accuracy
from lmcourse.training import TrainConfig


def model(**sizes):
    return RecurrentLM(RecurrentLMConfig(6, 8, 32, fused=True, **sizes))


def test_memory_that_is_kept_open_is_learnt_and_a_forgetful_one_guesses():
    """Four symbols: guessing is right in a quarter of the cases. What is open is decided by the forget gate's first bias."""
    config = TrainConfig(steps=150, batch_size=16, lr=1e-2)
    assert recall_accuracy(model(forget_bias=4.0), 20, config) == 1
    assert recall_accuracy(model(forget_bias=-4.0), 20, config) == pytest.approx(0.25, abs=0.08)


def test_it_is_asked_what_it_has_not_seen_in_training_and_trains_the_model_it_was_given():
    config = TrainConfig(steps=150, batch_size=16, lr=1e-2)
    gru = model(cell="gru")
    before = gru.output.weight.clone()
    assert recall_accuracy(gru, 0, config) == 1
    assert not torch.equal(before, gru.output.weight)


def test_the_forget_bias_reaches_the_cell_and_only_an_lstm_has_one():
    plain, open_ = model(forget_bias=0.0).layers.cells[0], model(forget_bias=3.0).layers.cells[0]
    difference = (open_.bias_ih - plain.bias_ih).detach()
    assert torch.allclose(difference[32:64], torch.full((32,), 3.0), atol=1e-6)
    assert difference.abs().sum() == pytest.approx(32 * 3, rel=1e-5)
    a, b = model(cell="gru"), model(cell="gru", forget_bias=3.0)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
