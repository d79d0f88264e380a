"""Calls side by side: the same results, in the order of the arguments, whatever runs at a time."""

import os

import pytest
import torch

from lmcourse.training import TrainConfig, batches_of_rows, next_token_loss, side_by_side, train


def threads_and_process(_):
    return torch.get_num_threads(), os.getpid()


def trained(seed):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Embedding(5, 8), torch.nn.Linear(8, 5))
    batches = batches_of_rows([0, 1, 2, 3, 4] * 30, row=5, batch_size=4)
    train(model, batches, next_token_loss, TrainConfig(steps=30, warmup=5), progress=False)
    return model


def divide(a, b):
    return a / b


def test_each_call_has_a_process_with_one_thread_and_this_process_keeps_its_own():
    before = torch.get_num_threads()
    found = side_by_side(threads_and_process, [(0,), (1,)], n_jobs=2, progress=False)
    assert [threads for threads, _ in found] == [1, 1]
    assert os.getpid() not in [process for _, process in found]
    assert side_by_side(threads_and_process, [(0,)], n_jobs=1, progress=False)[0][0] == 1
    assert torch.get_num_threads() == before


def test_trained_models_come_back_in_order_and_do_not_depend_on_how_many_run():
    together = side_by_side(trained, [(3,), (4,)], n_jobs=2, progress=False)
    alone = side_by_side(trained, [(3,), (4,)], n_jobs=1, progress=False)
    for a, b in zip(together, alone, strict=True):
        for ours, theirs in zip(a.parameters(), b.parameters(), strict=True):
            assert torch.equal(ours, theirs)
    assert not torch.equal(together[0][0].weight, together[1][0].weight)


def test_an_error_in_a_call_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        side_by_side(divide, [(1, 1), (1, 0)], progress=False)
    with pytest.raises(ValueError, match="'n_jobs' must be at least 1, got 0"):
        side_by_side(divide, [(1, 1)], n_jobs=0)
    assert side_by_side(divide, [], progress=False) == []
