"""The embedding matrix as a lookup, against one-hot products, autograd and torch.nn.Embedding."""

import pytest
import torch
from torch import nn

from lmcourse.embeddings.lookup import Embedding, lookup, lookup_gradient, one_hot

IDS = torch.tensor([[3, 1, 3], [0, 3, 4]])  # 3 comes three times, 2 and 5 never


def matrix(vocab_size=6, d=4):
    return torch.randn(vocab_size, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_a_lookup_is_one_hot_times_the_matrix():
    hot = one_hot(IDS, 6)
    assert torch.equal(hot, nn.functional.one_hot(IDS, 6).float())
    assert torch.equal(lookup(matrix(), IDS), hot.double() @ matrix())


def test_the_gradient_adds_up_for_repeated_ids_and_is_zero_for_absent_ones():
    grad_rows = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    gradient = lookup_gradient(grad_rows, IDS, 6)
    by_product = one_hot(IDS, 6).double().reshape(-1, 6).T @ grad_rows.reshape(-1, 4)
    torch.testing.assert_close(gradient, by_product)
    assert torch.equal(gradient[[2, 5]], torch.zeros(2, 4, dtype=torch.float64))
    torch.testing.assert_close(gradient[3], grad_rows[0, 0] + grad_rows[0, 2] + grad_rows[1, 1])
    weight = matrix().requires_grad_()
    lookup(weight, IDS).backward(grad_rows)
    torch.testing.assert_close(gradient, weight.grad)


def test_the_gradient_agrees_with_finite_differences():
    assert torch.autograd.gradcheck(lambda w: lookup(w, IDS).tanh(), matrix().requires_grad_())


@pytest.mark.parametrize("padding_idx", [None, 3])
def test_the_module_is_torchs(padding_idx):
    ours = Embedding(6, 4, padding_idx=padding_idx, generator=torch.Generator().manual_seed(3))
    theirs = nn.Embedding(6, 4, padding_idx=padding_idx)
    theirs.load_state_dict(ours.state_dict())
    grad_rows = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(4))
    for module in (ours, theirs):
        module(IDS).backward(grad_rows)
    assert torch.equal(ours(IDS), theirs(IDS))
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(lookup_gradient(grad_rows, IDS, 6, padding_idx), theirs.weight.grad)


def test_padding_starts_at_zero_and_stays_there():
    embedding = Embedding(6, 4, padding_idx=3)
    assert not embedding.weight[3].any()
    before = embedding.weight.detach().clone()
    optimizer = torch.optim.SGD(embedding.parameters(), lr=1.0)
    embedding(IDS).sum().backward()
    optimizer.step()
    moved = (embedding.weight != before).any(1)
    assert moved.tolist() == [True, True, False, False, True, False]


@pytest.mark.parametrize(("std", "expected"), [(None, 1 / 16), (0.02, 0.02)])
def test_the_start_has_the_promised_spread(std, expected):
    weight = Embedding(400, 256, std=std, generator=torch.Generator().manual_seed(0)).weight
    # The standard error of a standard deviation over n draws is s / sqrt(2 n); five of them.
    assert weight.std().item() == pytest.approx(expected, abs=5 * expected / (2 * weight.numel()) ** 0.5)
    again = Embedding(400, 256, std=std, generator=torch.Generator().manual_seed(0)).weight
    assert torch.equal(weight, again)


@pytest.mark.parametrize("wrong", [-1, 6])
def test_ids_outside_the_matrix_are_named(wrong):
    ids = torch.tensor([0, wrong])
    with pytest.raises(ValueError, match=f"'ids' must be from 0 to vocab_size-1=5, got .*{wrong}"):
        lookup(matrix(), ids)
    with pytest.raises(ValueError, match="'ids' must be"):
        one_hot(ids, 6)


def test_no_ids_give_no_rows():
    assert Embedding(6, 4)(torch.zeros(2, 0, dtype=torch.int64)).shape == (2, 0, 4)


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((0, 4), {}, "'vocab_size' must be at least 1, got 0"),
        ((6, 0), {}, "'d_model' must be at least 1, got 0"),
        ((6, 4), {"padding_idx": 6}, "'padding_idx' must be an id below vocab_size=6, got 6"),
    ],
)
def test_bad_sizes_are_named(sizes, options, message):
    with pytest.raises(ValueError, match=message):
        Embedding(*sizes, **options)
