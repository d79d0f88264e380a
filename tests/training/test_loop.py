"""The training loop does what a loop in plain torch does, bit for bit, and says clearly when it cannot go on."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lmcourse.training import (
    History,
    Rows,
    TrainConfig,
    batches_by_length,
    batches_of_rows,
    learning_rate,
    next_token_loss,
    seed_everything,
    train,
)

VOCAB = 11


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Models this small only lose time when threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small_model(seed: int = 0, dropout: float = 0.2) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Embedding(VOCAB, 8), nn.Linear(8, 16), nn.GELU(), nn.Dropout(dropout), nn.Linear(16, VOCAB)
    )


def text(n: int = 400, seed: int = 0) -> torch.Tensor:
    return torch.randint(VOCAB, (n,), generator=torch.Generator().manual_seed(seed))


def config(**changes) -> TrainConfig:
    return TrainConfig(**({"steps": 30, "batch_size": 4, "warmup": 6, "lr": 0.02, "seed": 5} | changes))


def run(model: nn.Module, settings: TrainConfig, loss_fn=next_token_loss, evaluate=None) -> History:
    batches = batches_of_rows(text(), row=10, batch_size=settings.batch_size, seed=settings.seed)
    return train(model, batches, loss_fn, settings, evaluate, progress=False)


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize(("clip", "scale"), [(0.32, 1), (None, 100)])
def test_it_is_the_loop_that_one_would_write_by_hand(clip, scale):
    ours, by_hand = small_model(), small_model()
    history = run(ours, config(clip=clip), lambda model, batch: scale * next_token_loss(model, batch))

    rows = text()[: 39 * 10 + 1]
    order_of = torch.Generator().manual_seed(5)
    order = torch.cat([torch.randperm(39, generator=order_of)[:36] for _ in range(4)])
    optimizer = torch.optim.AdamW(by_hand.parameters(), betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    torch.manual_seed(5)
    losses, norms = [], []
    for step in range(30):
        starts = [10 * i for i in order[4 * step : 4 * step + 4].tolist()]
        inputs = torch.stack([rows[s : s + 10] for s in starts])
        targets = torch.stack([rows[s + 1 : s + 11] for s in starts])
        optimizer.zero_grad()
        loss = scale * F.cross_entropy(by_hand(inputs).view(-1, VOCAB), targets.view(-1))
        loss.backward()
        norm = torch.cat([p.grad.flatten() for p in by_hand.parameters()]).norm().item()
        if clip is not None:
            nn.utils.clip_grad_norm_(by_hand.parameters(), clip)
        optimizer.param_groups[0]["lr"] = learning_rate(step + 1, config())
        optimizer.step()
        losses.append(loss.item())
        norms.append(norm)

    assert same_weights(ours, by_hand)
    assert history.loss == losses
    assert history.grad_norm == pytest.approx(norms, rel=1e-5)
    assert clip is None or max(norms) > clip > min(norms), "the test must see long and short gradients"
    assert history.lr == [learning_rate(step, config()) for step in range(1, 31)]
    assert history.examples[-1] == 120
    assert history.tokens[-1] == 1200


@pytest.mark.parametrize(
    ("steps", "warmup", "flat_until", "final_share"),
    [(100, 10, 0.6, 0.03), (37, 0, 0.5, 0.0), (50, 25, 0.5, 0.1), (20, 5, 1.0, 0.5), (9, 0, 0.0, 1.0)],
)
def test_the_learning_rate_goes_through_three_straight_lines(steps, warmup, flat_until, final_share):
    settings = TrainConfig(steps=steps, lr=0.7, warmup=warmup, flat_until=flat_until, final_share=final_share)
    got = [learning_rate(step, settings) for step in range(1, steps + 1)]
    corners = {0: 0.0, warmup: 0.7, flat_until * steps: 0.7}
    if flat_until < 1:
        corners[steps] = 0.7 * final_share
    assert np.allclose(got, np.interp(range(1, steps + 1), list(corners), list(corners.values())))


def test_one_seed_gives_one_result_and_leaves_other_random_numbers_alone():
    torch.manual_seed(77)
    expected = torch.rand(3)
    models = [small_model() for _ in range(3)]
    torch.manual_seed(77)
    histories = [run(model, config(seed=seed)) for model, seed in zip(models, [5, 5, 6], strict=True)]
    assert torch.equal(torch.rand(3), expected)
    assert same_weights(models[0], models[1])
    assert histories[0] == histories[1]
    assert not same_weights(models[0], models[2])


def test_an_evaluation_comes_on_time_sees_a_calm_model_and_changes_nothing():
    calls = []

    def evaluate(model):
        calls.append((model.training, torch.is_grad_enabled()))
        return {"accuracy": torch.rand(()), "steps": torch.tensor(len(calls))}

    watched, alone = small_model(), small_model()
    history = run(watched, config(eval_every=8), evaluate=evaluate)
    run(alone, config())
    assert same_weights(watched, alone)
    assert calls == [(False, False)] * 5
    assert history.evaluated_at == [0, 8, 16, 24, 30]
    assert history.evaluations["steps"] == [1, 2, 3, 4, 5]
    assert not watched.training

    history = run(small_model(), config(), evaluate=lambda model: 0.5)
    assert (history.evaluated_at, history.evaluations) == ([0, 30], {"held out": [0.5, 0.5]})


def test_dropout_is_on_in_training_only():
    modes = []

    def loss_fn(model, batch):
        modes.append(model.training)
        return next_token_loss(model, batch)

    run(small_model(), config(eval_every=1), loss_fn, evaluate=lambda model: 0.0)
    assert modes == [True] * 30


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_at_the_last_good_weights(bad):
    states, model = [], small_model()

    def loss_fn(model, batch):
        states.append([weight.detach().clone() for weight in model.parameters()])
        return next_token_loss(model, batch) * (bad if len(states) == 12 else 1.0)

    with pytest.raises(FloatingPointError, match=r"the loss is not finite in step 12 \(loss (nan|-?inf)"):
        run(model, config(), loss_fn)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), states[10], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(states[10], states[11], strict=True))
    assert all(weight.grad is None for weight in model.parameters())
    assert not model.training


def test_a_gradient_that_is_not_finite_changes_nothing():
    states, model = [], small_model()

    def loss_fn(model, batch):
        states.append([weight.detach().clone() for weight in model.parameters()])
        loss = next_token_loss(model, batch)
        return loss + (0 * loss).sqrt() if len(states) == 4 else loss  # the slope of sqrt at 0

    with pytest.raises(FloatingPointError, match="the gradient is not finite in step 4"):
        run(model, config(), loss_fn)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), states[3], strict=True))


def test_the_weights_that_are_frozen_stay():
    model = small_model()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    run(model, config())
    assert torch.equal(model[0].weight, before)


def test_a_list_of_batches_is_read_again_and_an_iterator_must_last():
    batches = list(itertools.islice(batches_of_rows(text(), 10, 4), 7))
    one, other = small_model(), small_model()
    train(one, batches, next_token_loss, config(), progress=False)
    train(other, itertools.cycle(batches), next_token_loss, config(), progress=False)
    assert same_weights(one, other)
    with pytest.raises(ValueError, match="'batches' must last for steps = 30 .* it ended after 7"):
        train(one, iter(batches), next_token_loss, config(), progress=False)


def test_long_work_shows_its_progress_unless_it_is_told_not_to(capsys):
    run(small_model(), config())
    assert capsys.readouterr().err == ""
    train(small_model(), batches_of_rows(text(), 10, 4), next_token_loss, config())
    assert re.search(r"training: 100%.*30/30 .*loss \d\.\d{3}", capsys.readouterr().err)


def test_batches_keep_their_form():
    kinds = []

    def loss_fn(model, batch):
        kinds.append(type(batch))
        rows = batch["rows"] if isinstance(batch, dict) else batch
        return next_token_loss(model, tuple(rows[:2]))

    rows = next(batches_of_rows(text(), 10, 4))
    history = train(
        small_model(),
        [rows, {"rows": rows, "name": "second"}, [*rows], (*rows, None)],
        loss_fn,
        config(steps=4, warmup=1),
        progress=False,
    )
    assert kinds == [Rows, dict, list, tuple]
    assert history.examples == [4, 8, 12, 16]


def test_it_learns_a_law_down_to_its_entropy():
    rng = np.random.default_rng(0)
    law = rng.dirichlet(np.full(VOCAB, 0.3), size=VOCAB)
    ids = [0]
    for u in rng.random(20_000):
        ids.append(min(int(np.searchsorted(law[ids[-1]].cumsum(), u)), VOCAB - 1))
    surprisal = -np.log(law[ids[:-1], ids[1:]])
    model = nn.Embedding(VOCAB, VOCAB)  # a row of logits for each token
    batches = batches_of_rows(ids, 50, 16)
    history = train(
        model, batches, next_token_loss, config(steps=300, lr=0.1, weight_decay=0.0), progress=False
    )
    inputs, targets = torch.tensor(ids[:-1]), torch.tensor(ids[1:])
    with torch.no_grad():
        excess = F.cross_entropy(model(inputs), targets).item() - surprisal.mean()
    # a table fitted to n tokens is below the true law on these tokens by about V (V - 1) / 2n = 0.003
    assert -0.004 < excess < 0.01
    assert history.loss[0] > 2.2 > 1.6 > history.mean_loss(10)[1][-1]


def test_the_history_can_be_plotted_and_summed_up():
    history = History(loss=[float(n) for n in range(1, 11)], examples=list(range(10)))
    assert history.mean_loss(points=3) == ([2.5, 6.5, 9.5], [2.5, 6.5, 9.5])
    assert history.mean_loss(points=100)[1] == history.loss
    history.evaluations = {"held out": [3.0, 2.0]}
    assert repr(history) == "10 steps, 9 examples: loss 1.000 -> 10.000, held out 3.000 -> 2.000"
    assert repr(History()) == "no steps"
    with pytest.raises(ValueError, match="'points' must be at least 1, got 0"):
        history.mean_loss(0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "'steps' must be at least 1, got 0"),
        ({"batch_size": 0}, "'batch_size' must be at least 1, got 0"),
        ({"eval_every": 0}, "'eval_every' must be at least 1, got 0"),
        ({"lr": 0.0}, "'lr' must be a positive number, got 0.0"),
        ({"lr": math.inf}, "'lr' must be a positive number, got inf"),
        ({"clip": -1.0}, "'clip' must be a positive number, got -1.0"),
        ({"flat_until": 1.2}, "'flat_until' must be a share from 0 to 1, got 1.2"),
        ({"final_share": -0.1}, "'final_share' must be a share from 0 to 1, got -0.1"),
        ({"betas": (0.9, 1.0)}, "'betas' must be two numbers from 0 to below 1"),
        ({"weight_decay": -1.0}, "'weight_decay' must be 0 or a positive number, got -1.0"),
        ({"warmup": 19}, r"'warmup' must be from 0 to flat_until \* steps = 18, got 19"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


@pytest.mark.parametrize("kind", [torch.as_tensor, lambda ids: np.array(ids, dtype=np.int32), list])
def test_a_pass_over_rows_predicts_each_token_once(kind):
    ids = kind(range(100, 162))  # 61 targets: 15 rows of 4, and one target left over
    stream = batches_of_rows(ids, row=4, batch_size=5, seed=1)
    passes = [list(itertools.islice(stream, 3)) for _ in range(2)]
    for batches in passes:
        assert all(torch.equal(batch.targets, batch.input_ids + 1) for batch in batches)
        assert all((batch.input_ids[:, 0] % 4 == 0).all() for batch in batches)
        assert sorted(torch.cat([b.targets.flatten() for b in batches]).tolist()) == list(range(101, 161))
    assert not torch.equal(passes[0][0].input_ids, passes[1][0].input_ids), "a new order in each pass"
    again = batches_of_rows(ids, row=4, batch_size=5, seed=1)
    assert torch.equal(next(again).input_ids, passes[0][0].input_ids)
    assert passes[0][0].input_ids.dtype == torch.int64


def test_rows_need_enough_ids():
    assert next(batches_of_rows(range(13), row=4, batch_size=3)).input_ids.shape == (3, 4)
    with pytest.raises(ValueError, match=r"'ids' must hold at least row \* batch_size \+ 1 = 13 ids, got 12"):
        batches_of_rows(range(12), row=4, batch_size=3)
    with pytest.raises(ValueError, match=r"'ids' must be one row of ids, got shape \(2, 3\)"):
        batches_of_rows(torch.zeros(2, 3), row=1, batch_size=1)
    with pytest.raises(ValueError, match="'row' must be at least 1, got 0"):
        batches_of_rows(range(12), row=0, batch_size=3)


def test_batches_by_length_hold_each_example_once_and_little_padding():
    lengths = np.random.default_rng(0).integers(4, 25, size=1000).tolist()
    stream = batches_by_length(lengths, batch_size=10, seed=3)
    batches = list(itertools.islice(stream, 100))
    assert sorted(itertools.chain(*batches)) == list(range(1000))

    def padding(batches):
        filled = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
        return 1 - sum(lengths) / filled

    in_order = [list(range(i, i + 10)) for i in range(0, 1000, 10)]
    assert padding(batches) < 0.04 < 0.3 < padding(in_order)
    first = [lengths[batch[0]] for batch in batches]
    assert abs(np.corrcoef(first[:32], range(32))[0, 1]) < 0.4, "short and long batches are mixed"
    assert next(batches_by_length(lengths, 10, seed=3)) == batches[0]
    assert next(stream) != batches[0]
    with pytest.raises(ValueError, match="'lengths' must hold at least batch_size = 4 examples, got 3"):
        batches_by_length([1, 2, 3], 4)
    with pytest.raises(ValueError, match="'pool' must be at least 1, got 0"):
        batches_by_length([1, 2, 3], 2, pool=0)


def test_examples_that_fill_no_batch_come_in_another_pass():
    seen = set(itertools.chain(*itertools.islice(batches_by_length([1] * 7, 3), 20)))
    assert seen == set(range(7))


def test_a_seed_is_checked():
    with pytest.raises(ValueError, match=r"'seed' must be from 0 to 2\*\*32 - 1, got -1"):
        seed_everything(-1)
