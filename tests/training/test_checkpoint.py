"""A training that stopped goes on bit for bit as if it had not; a checkpoint of another run is refused by name."""

import os

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lmcourse.training import TrainConfig, batches_of_rows, load_checkpoint, next_token_loss, train

VOCAB = 11


def model_of(d: int = 8) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(VOCAB, d), nn.Linear(d, 16), nn.Dropout(0.3), nn.Linear(16, VOCAB))


def config(**changes) -> TrainConfig:
    sizes = {"steps": 30, "batch_size": 4, "warmup": 6, "lr": 0.02, "seed": 5, "schedule": "cosine"}
    return TrainConfig(**(sizes | {"eval_every": 5} | changes))


def rows(seed: int = 5):
    text = torch.randint(VOCAB, (400,), generator=torch.Generator().manual_seed(0))
    return batches_of_rows(text, row=10, batch_size=4, seed=seed)


def run(model, path=None, batches=None, loss_fn=next_token_loss, settings=None, **keywords):
    def held_out(model):
        return {"held out": next_token_loss(model, next(rows(9))), "random": torch.rand(())}

    batches = rows() if batches is None else batches
    return train(model, batches, loss_fn, settings or config(), held_out, False, checkpoint=path, **keywords)


def stops_in(step: int):
    calls = []

    def loss_fn(model, batch):
        calls.append(0)
        if len(calls) == step:
            raise KeyboardInterrupt
        return next_token_loss(model, batch)

    return loss_fn


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("decay", ["all", "matrices"])
def test_thirty_steps_are_fifteen_and_fifteen_more(tmp_path, decay):
    path, settings = tmp_path / "deep" / "checkpoint.pt", config(decay=decay)
    whole, broken, resumed = model_of(), model_of(), model_of()
    expected = run(whole, settings=settings)
    with pytest.raises(KeyboardInterrupt):
        run(broken, path, loss_fn=stops_in(18), settings=settings, checkpoint_every=5)
    assert load_checkpoint(path)["step"] == 15
    with torch.no_grad():
        for weight in resumed.parameters():
            weight.normal_()  # whatever the model was, the checkpoint decides
    torch.manual_seed(77)
    expected_random = torch.rand(3)
    torch.manual_seed(77)
    history = run(resumed, path, settings=settings, checkpoint_every=5, resume=True)
    assert torch.equal(torch.rand(3), expected_random), "the caller's random numbers are as they were"
    assert history == expected
    assert same(whole, resumed)
    assert not same(whole, broken)
    assert history.seconds > 0
    assert os.listdir(path.parent) == ["checkpoint.pt"], "nothing half-written is left"

    again = model_of()
    # the number of a device is another one in each process
    settings = config(decay=decay, device="cpu:0")
    assert run(again, path, settings=settings, resume=True) == expected, "what is done is not done again"
    assert same(again, whole)


def test_it_begins_where_no_checkpoint_is_and_writes_one_at_the_end(tmp_path):
    path = tmp_path / "checkpoint.pt"
    plain, kept = model_of(), model_of()
    assert run(plain) == run(kept, path, resume=True)
    assert same(plain, kept)
    loaded = model_of()
    loaded.load_state_dict(load_checkpoint(path)["model"])
    assert same(loaded, kept)


def test_a_loader_with_a_generator_of_its_own_is_read_to_its_place(tmp_path):
    pairs = TensorDataset(*(torch.randint(VOCAB, (28, 6), generator=torch.Generator()) for _ in range(2)))

    def loader(own: bool):
        generator = torch.Generator().manual_seed(3) if own else None
        return DataLoader(pairs, 4, shuffle=True, generator=generator)  # seven batches in a pass

    def broken_off(own: bool):
        model = model_of()
        with pytest.raises(KeyboardInterrupt):
            run(model, path, loader(own), stops_in(18), checkpoint_every=15)
        return run(model, path, loader(own), checkpoint_every=15, resume=True), model

    path, whole = tmp_path / "checkpoint.pt", model_of()
    expected = run(whole, batches=loader(own=True))
    history, model = broken_off(own=True)
    assert history == expected
    assert same(model, whole)
    with pytest.raises(ValueError, match="'batches' must begin as they did .* batch 15 is another one"):
        broken_off(own=False)  # its order depends on the dropout before it, which nobody draws again


def test_a_checkpoint_of_another_run_is_refused_by_name(tmp_path):
    path = tmp_path / "checkpoint.pt"
    run(model_of(), path)
    with pytest.raises(
        ValueError, match=r"of another run; weights: 0.weight was \(11, 8\) float32, is \(11, 9\)"
    ):
        run(model_of(9), path, resume=True)
    with pytest.raises(ValueError, match=r"of another run; weights: .* is None and 1 more"):
        run(nn.Sequential(nn.Embedding(VOCAB, VOCAB)), path, resume=True)
    with pytest.raises(
        ValueError, match=r"another run; training: lr was 0.02, is 0.03, schedule was cosine, is lin"
    ):
        run(model_of(), path, settings=config(lr=0.03, schedule="linear"), resume=True)
    with pytest.raises(ValueError, match="'batches' must begin as they did .* batch 30 is another one"):
        run(model_of(), path, rows(seed=6), resume=True)
    with pytest.raises(ValueError, match="'checkpoint' must be a file for 'checkpoint_every' and 'resume'"):
        run(model_of(), resume=True)
    with pytest.raises(ValueError, match="'checkpoint_every' must be at least 1, got 0"):
        run(model_of(), path, checkpoint_every=0)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    calls, save = [], torch.save

    def full_disk(state, where):
        calls.append(where)
        if len(calls) == 2:
            where.write_bytes(b"half")
            raise OSError("no space left")
        save(state, where)

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="no space left"):
        run(model_of(), path, checkpoint_every=10)
    assert load_checkpoint(path)["step"] == 10


def test_the_last_good_weights_are_kept_too(tmp_path):
    path = tmp_path / "checkpoint.pt"

    def breaks_in(step):
        calls = []

        def loss_fn(model, batch):
            calls.append(0)
            return next_token_loss(model, batch) * (float("nan") if len(calls) == step else 1.0)

        return loss_fn

    whole, resumed = model_of(), model_of()
    with pytest.raises(FloatingPointError, match="step 16"):
        run(whole, path, loss_fn=breaks_in(16), checkpoint_every=15)
    with pytest.raises(FloatingPointError, match="step 16"):
        run(resumed, path, loss_fn=breaks_in(1), resume=True)
    assert same(whole, resumed)
