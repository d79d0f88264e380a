"""Heads against the true links: on maps that are right, early, late or wrong by construction."""

import pytest
import torch

from lmcourse.attention import alignment_error
from lmcourse.corpora import translation
from lmcourse.encoder_decoder.head_alignment import (
    HeadAlignment,
    cross_attention_errors,
    cross_weights,
    head_alignment,
)
from lmcourse.encoder_decoder.transformer import Transformer, TransformerConfig
from lmcourse.recurrence import pad_pairs


def looking(pairs, shift):
    """Row j looks at the true source of word j + shift, else at the end token."""
    maps = []
    for pair in pairs:
        table = torch.zeros(len(pair.target) + 1, len(pair.source) + 1)
        table[:, -1] = 0.5
        for i, j in pair.alignment:
            if 0 <= j - shift < len(table):
                table[j - shift, i] = 1.0
        maps.append(table)
    return maps


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_a_head_that_is_early_or_late_is_found_out(shift):
    pairs = translation().sample(30, seed=1)
    nowhere = [
        torch.zeros_like(table).index_fill(1, torch.tensor(table.shape[1] - 1), 1.0)
        for table in looking(pairs, 0)
    ]
    weights = [
        [torch.stack([none, good]), torch.stack([good, none])]
        for none, good in zip(nowhere, looking(pairs, shift), strict=True)
    ]
    table = head_alignment(weights, pairs.alignment)
    assert [(row.layer, row.head) for row in table] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    good, bad = [table[1], table[2]], [table[0], table[3]]
    for row in good:
        assert (row.shift, row.error) == (shift, 0)
        assert min(error for s, error in row.errors.items() if s != shift) > 0.3
    for row in bad:
        assert (row.shift, row.error) == (0, 1.0)  # equally bad everywhere: no shift is claimed


def test_without_shifts_it_is_the_alignment_error_of_chapter_04():
    pairs = translation().sample(20, seed=2)
    generator = torch.Generator().manual_seed(0)
    maps = [torch.rand(1, len(p.target) + 1, len(p.source) + 1, generator=generator) for p in pairs]
    (row,) = head_alignment([[m] for m in maps], pairs.alignment, shifts=[0])
    assert row.errors == {0: alignment_error([m[0] for m in maps], pairs.alignment).error}


def test_all_shifts_are_held_against_the_same_words():
    """Word 0 has no row before it; it is left out at every shift, or the errors could not be compared."""
    right = torch.eye(4)[None, :, :]
    (row,) = head_alignment([[right]], [[(0, 0), (1, 1), (2, 2)]])
    assert row.errors == {-1: 1.0, 0: 0.0, 1: 1.0}
    wrong_at_first = torch.eye(4)[[1, 1, 2, 3]][None]
    (row,) = head_alignment([[wrong_at_first]], [[(0, 0), (1, 1), (2, 2)]])
    assert row.errors[0] == 0


def test_of_equal_shifts_the_smallest_is_taken():
    assert HeadAlignment(0, 0, {-1: 0.25, 0: 0.25, 1: 0.5}).shift == 0
    assert HeadAlignment(0, 0, {-1: 0.2, 0: 0.25, 1: 0.2}).shift == -1


def test_weights_of_a_batch_are_those_of_each_pair_alone():
    grammar = translation()
    sizes = (len(grammar.source_vocab), len(grammar.target_vocab))
    model = Transformer(TransformerConfig(*sizes, d_model=16, n_heads=2, n_layers=2, d_ff=16)).double().eval()
    pairs = grammar.sample(5, lengths=(4, 9), seed=0)
    found = cross_weights(model, pairs, batch_size=3)
    assert len(found) == 5
    assert cross_attention_errors(model, pairs, [0]) == head_alignment(found, pairs.alignment, [0])
    for k, layers in enumerate(found):
        alone = pad_pairs(*(list(side) for side in pairs[k : k + 1].ids()))
        expected = model.weights(alone.source_ids, alone.lengths, alone.target_ids).cross
        assert len(layers) == 2
        for ours, theirs in zip(layers, expected, strict=True):
            assert ours.shape == (2, len(pairs.target[k]) + 1, len(pairs.source[k]) + 1)
            torch.testing.assert_close(ours, theirs[0])
            assert not ours.requires_grad
