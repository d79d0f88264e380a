"""The learning rate of each step against closed forms and torch's own schedulers; which weights shrink."""

import math

import pytest
import torch
from torch import nn

from lmcourse.training import TrainConfig, batches_of_rows, learning_rate, next_token_loss, train


def rates(**changes) -> list[float]:
    config = TrainConfig(**({"steps": 60, "lr": 0.7, "warmup": 10} | changes))
    return [learning_rate(step, config) for step in range(1, config.steps + 1)]


def test_the_cosine_is_torch_s_after_a_straight_rise():
    got = rates(schedule="cosine", final_share=0.1)
    assert got[:10] == pytest.approx([0.07 * step for step in range(1, 11)], rel=1e-12)
    weight = nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([weight], lr=0.7)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=0.07)
    expected = []
    for _ in range(50):
        optimizer.step()
        theirs.step()
        expected.append(optimizer.param_groups[0]["lr"])
    assert got[10:] == pytest.approx(expected, rel=1e-9)
    assert got[34] == pytest.approx((0.7 + 0.07) / 2), "half-way between step 10 and step 60"


def test_the_inverse_square_root_is_equation_3_of_the_paper():
    d_model, warmup = 512, 40
    paper = [d_model**-0.5 * min(step**-0.5, step * warmup**-1.5) for step in range(1, 401)]
    ours = rates(schedule="inverse_sqrt", steps=400, warmup=warmup, lr=(d_model * warmup) ** -0.5)
    assert ours == pytest.approx(paper, rel=1e-12)
    assert ours[159] == pytest.approx(ours[39] / 2), "after four times the warm-up, half"


@pytest.mark.parametrize("schedule", ["cosine", "inverse_sqrt", "linear"])
def test_no_schedule_jumps(schedule):
    got = rates(schedule=schedule, steps=1000, warmup=100)
    assert max(got) == 0.7 == got[99]
    assert max(abs(a - b) for a, b in zip(got, got[1:], strict=False)) <= 0.0070001


@pytest.mark.parametrize("warmup", [0, 60])
def test_a_cosine_may_have_no_warm_up_or_nothing_else(warmup):
    got = rates(schedule="cosine", warmup=warmup, final_share=0.0)
    assert got[-1] == pytest.approx(0.7 if warmup else 0.0)
    assert got[29] == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "cos"}, r"'schedule' must be one of \['linear', 'cosine', 'inverse_sqrt'\], got 'cos'"),
        ({"precision": "fp16"}, r"'precision' must be one of \['float32', 'bf16'\], got 'fp16'"),
        ({"decay": "none"}, r"'decay' must be one of \['all', 'matrices'\], got 'none'"),
        ({"schedule": "cosine", "warmup": 61}, r"'warmup' must be from 0 to steps = 60, got 61"),
        ({"schedule": "inverse_sqrt", "warmup": 0}, r"'warmup' must be from 1 to steps = 60, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        rates(**changes)


@pytest.mark.parametrize("decay", ["all", "matrices"])
def test_only_the_weights_that_are_named_shrink(decay):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4), nn.Linear(4, 5))
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    config = TrainConfig(
        steps=3, warmup=0, flat_until=1.0, batch_size=2, lr=0.1, weight_decay=0.5, decay=decay
    )
    # no gradient at all: what changes, changes by the decay, lr * weight_decay of it in each step
    batches = batches_of_rows([1, 2, 3] * 9, row=4, batch_size=2)
    train(model, batches, lambda m, b: 0.0 * next_token_loss(m, b), config, progress=False)
    for name, weight in model.named_parameters():
        shrinks = decay == "all" or weight.ndim == 2
        expected = before[name] * (math.pow(0.95, 3) if shrinks else 1.0)
        assert torch.allclose(weight, expected, rtol=1e-5, atol=0), name
