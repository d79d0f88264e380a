"""Masks against loops, and against what the tokenizers' batches say."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.attention import causal_mask, check_mask, combine_masks, length_mask, padding_mask
from lmcourse.tokens import pad_batch
from tests.attention.support import unhurried

lengths_of_texts = st.lists(st.integers(1, 6), min_size=1, max_size=4)


@unhurried
@given(length=st.integers(1, 9))
def test_a_token_may_look_at_itself_and_before(length):
    mask = causal_mask(length)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[[j <= i for j in range(length)] for i in range(length)]]


@unhurried
@given(lengths=lengths_of_texts, side=st.sampled_from(["left", "right"]))
def test_padding_of_a_batch_is_hidden_on_either_side(lengths, side):
    batch = pad_batch([[7] * n for n in lengths], pad_id=7, padding_side=side)  # the id says nothing
    mask = padding_mask(batch.attention_mask)
    time = max(lengths)
    for b, n in enumerate(lengths):
        text = range(n) if side == "right" else range(time - n, time)
        assert mask[b, 0].tolist() == [j in text for j in range(time)]


@unhurried
@given(lengths=lengths_of_texts, extra=st.integers(0, 3))
def test_lengths_and_a_tokenizers_mask_agree(lengths, extra):
    batch = pad_batch([[1] * n for n in lengths], pad_id=0)
    assert torch.equal(length_mask(torch.tensor(lengths)), padding_mask(batch.attention_mask))
    longer = length_mask(torch.tensor(lengths), max(lengths) + extra)
    assert longer.shape == (len(lengths), 1, max(lengths) + extra)
    assert longer.sum(dim=(1, 2)).tolist() == lengths


@unhurried
@given(lengths=lengths_of_texts)
def test_combined_masks_let_through_what_all_let_through(lengths):
    text = length_mask(torch.tensor(lengths))
    time = max(lengths)
    both = combine_masks(None, causal_mask(time), text)
    for b, n in enumerate(lengths):
        assert both[b].tolist() == [[j <= i and j < n for j in range(time)] for i in range(time)]
    assert combine_masks(text, None) is text
    assert combine_masks(None, None) is None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: causal_mask(0), ValueError, "'length' must be at least 1, got 0"),
        (lambda: padding_mask(torch.ones(2, 3)), TypeError, "'attention_mask' must be boolean or integers"),
        (lambda: padding_mask(torch.ones(3).long()), ValueError, "'attention_mask' must have the axes"),
        (
            lambda: padding_mask(torch.tensor([[0, 2]])),
            ValueError,
            r"'attention_mask' must hold 0 and 1 only, got \[0, 2\]",
        ),
        (
            lambda: length_mask(torch.tensor([1, 4]), 3),
            ValueError,
            "'lengths' must be from 0 to length=3, got 1 to 4",
        ),
        (
            lambda: length_mask(torch.tensor([-1, 4])),
            ValueError,
            "'lengths' must be from 0 to length=4, got -1 to 4",
        ),
        (
            lambda: check_mask(torch.ones(2, 3), (2, 3)),
            TypeError,
            "'mask' must be boolean, True = may look, got torch.float32",
        ),
        (
            lambda: check_mask(torch.ones(3, 3).bool(), (3, 3, 3)),
            ValueError,
            r"'mask' must broadcast to \(3, 3, 3\), axis for axis, got \(3, 3\)",
        ),
        (lambda: check_mask(torch.ones(1, 3, 2).bool(), (2, 3, 3)), ValueError, r"got \(1, 3, 2\)"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
