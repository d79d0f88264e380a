"""Padding against the `transformers` library."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from lmcourse.tokens import BPETokenizer, pad_batch
from tests.tokens.support import FIXTURE

sides = st.sampled_from(["left", "right"])
lines = [line for line in FIXTURE.splitlines() if line]


@pytest.fixture(scope="module")
def ours() -> BPETokenizer:
    return BPETokenizer.train([FIXTURE], 300, ["<eos>", "<pad>"])


@pytest.fixture(scope="module")
def theirs(ours, tmp_path_factory) -> PreTrainedTokenizerFast:
    path = tmp_path_factory.mktemp("batch") / "tokenizer.json"
    ours.save(path)
    return PreTrainedTokenizerFast(tokenizer_file=str(path), pad_token="<pad>")


@given(
    texts=st.lists(st.sampled_from([*lines, "a", "the lamp"]), min_size=1, max_size=5),
    padding_side=sides,
    truncation_side=sides,
    max_length=st.one_of(st.none(), st.integers(1, 40)),
)
def test_padding_and_truncation_are_those_of_transformers(
    ours, theirs, texts, padding_side, truncation_side, max_length
):
    theirs.padding_side, theirs.truncation_side = padding_side, truncation_side
    expected = theirs(
        texts, padding=True, truncation=max_length is not None, max_length=max_length, return_tensors="pt"
    )
    batch = pad_batch(
        map(ours.encode, texts),
        ours.vocab["<pad>"],
        padding_side=padding_side,
        max_length=max_length,
        truncation_side=truncation_side,
    )
    assert torch.equal(batch.input_ids, expected["input_ids"])
    assert torch.equal(batch.attention_mask, expected["attention_mask"])
    assert batch.input_ids.dtype == batch.attention_mask.dtype == torch.int64


def test_the_mask_marks_text_even_where_the_text_holds_the_padding_id():
    batch = pad_batch([[0, 5, 0], [7]], pad_id=0)
    assert batch.attention_mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_an_empty_sequence_is_a_row_of_padding():
    batch = pad_batch([[], [3, 4]], pad_id=9)
    assert batch.input_ids.tolist() == [[9, 9], [3, 4]]
    assert batch.attention_mask.tolist() == [[0, 0], [1, 1]]
    assert pad_batch([[]], pad_id=9).input_ids.shape == (1, 0)


def test_sequences_may_be_arrays_and_tensors_and_stay_as_they_are():
    row = torch.tensor([1, 2, 3])
    batch = pad_batch([row, np.array([4])], pad_id=0, max_length=2)
    assert batch.input_ids.tolist() == [[1, 2], [4, 0]]
    assert row.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("sequences", "options", "message"),
    [
        ([], {}, "'sequences' must hold at least one sequence, got none"),
        ([[1]], {"max_length": 0}, "'max_length' must be at least 1 or None, got 0"),
    ],
)
def test_bad_arguments_are_refused_by_name(sequences, options, message):
    with pytest.raises(ValueError, match=message):
        pad_batch(sequences, 0, **options)
