"""Label smoothing against torch's and its closed form, the paper's learning rate, and the gradients before the first step."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.encoder_decoder import (
    Transformer,
    TransformerConfig,
    gradient_norms_by_layer,
    label_smoothing_loss,
    smoothed_translation_loss,
    warmup_rate,
)
from lmcourse.recurrence import pad_pairs, translation_loss
from lmcourse.training import TrainConfig, train
from tests.attention.support import draws
from tests.encoder_decoder.support import transformer, unhurried

BATCH = pad_pairs([[4, 5, 6, 2], [8, 2], [7, 3, 2]], [[1, 3, 5, 2], [1, 6, 4, 3, 2], [1, 2]])


@unhurried
@given(
    vocab=st.integers(1, 9),
    smoothing=st.sampled_from([0.0, 0.1, 0.9]),
    padded=st.booleans(),
    seed=st.integers(0, 99),
)
def test_label_smoothing_is_that_of_torch(vocab, smoothing, padded, seed):
    logits = (3 * draws(2, 4, vocab, seed=seed)).requires_grad_()
    targets = torch.randint(0, vocab, (2, 4), generator=torch.Generator().manual_seed(seed))
    if padded:
        targets[0, 2:] = -100
    expected = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), label_smoothing=smoothing)
    found = label_smoothing_loss(logits, targets, smoothing)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found, logits), torch.autograd.grad(expected, logits))


def test_the_smallest_loss_is_the_entropy_of_the_smoothed_law():
    vocab, e = 5, 0.2
    law = torch.full((vocab,), e / vocab, dtype=torch.float64)
    law[3] += 1 - e
    best = label_smoothing_loss(law.log()[None], torch.tensor([3]), e)
    assert best.item() == pytest.approx(-(law * law.log()).sum().item())
    for seed in range(9):
        other = law.log() + 0.1 * draws(vocab, seed=seed)
        assert label_smoothing_loss(other[None], torch.tensor([3]), e) > best


def test_padding_gets_no_gradient():
    logits = torch.tensor([[0.0, 0.0], [5.0, 1.0]], requires_grad=True)
    loss = label_smoothing_loss(logits, torch.tensor([1, -100]), 0.1)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert not logits.grad[1].any()


def test_the_smoothed_loss_of_a_model_is_that_of_its_logits():
    model = transformer()
    logits = model(BATCH.source_ids, BATCH.lengths, BATCH.target_ids)
    expected = F.cross_entropy(logits.flatten(0, 1), BATCH.targets.flatten(), label_smoothing=0.1)
    torch.testing.assert_close(smoothed_translation_loss(0.1)(model, BATCH), expected)
    torch.testing.assert_close(smoothed_translation_loss(0.0)(model, BATCH), translation_loss(model, BATCH))


@given(d_model=st.integers(1, 1024), warmup=st.integers(1, 5000))
def test_the_rate_rises_in_a_line_to_its_peak_and_falls_as_the_root(d_model, warmup):
    peak = warmup_rate(warmup, d_model, warmup)
    assert peak == pytest.approx((d_model * warmup) ** -0.5)
    assert warmup_rate(1, d_model, warmup) == pytest.approx(peak / warmup)
    assert warmup_rate(4 * warmup, d_model, warmup) == pytest.approx(peak / 2)
    for step in {1, max(1, warmup // 2), max(1, warmup - 1), warmup + 1, 3 * warmup}:
        expected = d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
        assert warmup_rate(step, d_model, warmup) == pytest.approx(expected)
        assert step == warmup or warmup_rate(step, d_model, warmup) < peak


def test_the_papers_rate_at_its_peak():
    assert warmup_rate(4000, 512) == pytest.approx(6.99e-4, rel=1e-3)


@pytest.mark.parametrize("order", ["pre", "post"])
def test_gradient_norms_are_the_lengths_of_the_gradients(order):
    model = transformer(order=order, n_decoder_layers=3)
    encoder, decoder = gradient_norms_by_layer(model, BATCH)
    assert all(p.grad is None for p in model.parameters())
    translation_loss(model, BATCH).backward()
    for norms, side in ((encoder, model.encoder), (decoder, model.decoder)):
        expected = [block.feed_forward.down_proj.weight.grad.norm().item() for block in side.blocks]
        np.testing.assert_allclose(norms, expected)


def test_deeper_makes_the_last_gradient_smaller_with_the_norm_in_front_and_not_behind():
    """Xiong et al. 2020, theorem 1: as 1 / sqrt(depth), and not at all. (Four times as deep: 0.5 and 1.)"""
    words = torch.randint(3, 50, (32, 9), generator=torch.Generator().manual_seed(0)).tolist()
    batch = pad_pairs([[*ids, 2] for ids in words], [[1, *ids, 2] for ids in words])

    def last(order: str, depth: int) -> float:
        sizes = {"d_model": 32, "n_layers": depth, "order": order}
        models = [Transformer(TransformerConfig(50, 50, **sizes, seed=seed)) for seed in range(3)]
        return np.mean([gradient_norms_by_layer(model, batch)[1][-1] for model in models])

    assert last("pre", 8) < 0.75 * last("pre", 2)
    assert last("post", 8) > 0.9 * last("post", 2)


def test_it_learns_to_copy_in_a_few_steps():
    """Not how well, only that all parts are trained: the loss falls far below that of a model that knows no source."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(3, 9, (64, 4), generator=generator).tolist()
    batch = pad_pairs([[*ids, 2] for ids in words], [[1, *ids, 2] for ids in words])
    model = Transformer(TransformerConfig(9, 9, d_model=32, n_layers=1, d_ff=64))
    config = TrainConfig(steps=120, lr=5e-3, warmup=10)

    def forever():
        while True:
            yield batch

    train(model, forever(), smoothed_translation_loss(0.0), config, progress=False)
    assert translation_loss(model, batch) < 0.3 < math.log(6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: label_smoothing_loss(torch.zeros(1, 2), torch.tensor([0]), 1.0),
            "'smoothing' must be from 0 .*, got 1.0",
        ),
        (lambda: warmup_rate(0, 4, 4), "'step' must be at least 1, got 0"),
        (lambda: warmup_rate(1, 0, 4), "'d_model' must be at least 1, got 0"),
        (lambda: warmup_rate(1, 4, 0), "'warmup' must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
