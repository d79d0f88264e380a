"""Alignment errors against counting by hand, and the error rate against the F-measure."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.attention import alignment_error, alignment_error_rate
from lmcourse.corpora import translation

links = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1)


def peaks(places: list[int], n_source: int) -> torch.Tensor:
    """Weights that are largest at `places`, and not 0 elsewhere."""
    return 0.1 + 0.5 * torch.nn.functional.one_hot(torch.tensor(places), n_source).double()


def test_weights_on_the_true_links_have_no_error():
    pairs = translation().sample(50, lengths=(4, 12), seed=3)
    weights = []
    for pair in pairs:
        places = [0] * (len(pair.target) + 1)  # the last row writes <eos>
        for i, j in pair.alignment:
            places[j] = i
        weights.append(peaks(places, len(pair.source) + 1))
    found = alignment_error(weights, pairs.alignment)
    assert found.error == 0
    linked = sum(len({j for _, j in pair.alignment}) for pair in pairs)
    assert (
        len(found.offset) == linked < sum(len(pair.target) for pair in pairs)
    )  # words without links are left out


def test_offsets_are_signed_and_to_the_nearest_true_place():
    weights = [peaks([3, 0, 2, 4], 5), peaks([1], 2)]
    found = alignment_error(weights, [[(4, 0), (1, 0), (0, 1), (0, 3), (2, 3)], [(1, 0)]])
    assert found.sentence.tolist() == [0, 0, 0, 1]
    assert found.target.tolist() == [0, 1, 3, 0]  # word 2 of the first sentence has no link
    assert found.found.tolist() == [3, 0, 4, 1]
    assert found.offset.tolist() == [-1, 0, 2, 0]
    assert found.error == 0.5
    assert [found.share(offset) for offset in (-1, 0, 1, 2)] == [0.25, 0.5, 0, 0.25]


def test_of_two_true_places_equally_near_the_left_one_counts():
    assert alignment_error([peaks([2], 5)], [[(3, 0), (1, 0)]]).offset.tolist() == [1]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), links)
def test_the_share_of_errors_by_counting(places, true):
    true = {(i, j) for i, j in true if j < len(places)} | {(0, 0)}
    found = alignment_error([peaks(places, 7)], [sorted(true)])
    words = {j for _, j in true}
    wrong = [j for j in words if (places[j], j) not in true]
    assert found.error == pytest.approx(len(wrong) / len(words))


@given(links, links)
def test_the_error_rate_is_one_minus_the_f_measure_of_the_links(predicted, true):
    both = len(predicted & true)
    f = 2 * both / (len(predicted) + len(true))
    assert alignment_error_rate(predicted, true) == pytest.approx(1 - f)
    if both:
        precision, recall = both / len(predicted), both / len(true)
        assert f == pytest.approx(2 / (1 / precision + 1 / recall))


@given(links, links, links)
def test_possible_links_hold_the_sure_ones_and_cost_no_recall(predicted, sure, more):
    found = alignment_error_rate(predicted, sure, more)
    possible = sure | more
    recalled = sum(link in sure for link in predicted)
    precise = sum(link in possible for link in predicted)
    assert found == pytest.approx(1 - (recalled + precise) / (len(predicted) + len(sure)))
    assert alignment_error_rate(sure, sure, more) == 0
    assert 0 <= found <= alignment_error_rate(predicted, sure)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: alignment_error([torch.zeros(2, 2)], []),
            "'alignments' must be as many as weights, 1, got 0",
        ),
        (
            lambda: alignment_error([torch.zeros(2, 3)], [[(0, 2)]]),
            r"inside weights of shape \(2, 3\), got \(0, 2\)",
        ),
        (
            lambda: alignment_error([torch.zeros(2, 3)], [[(3, 0)]]),
            r"inside weights of shape \(2, 3\), got \(3, 0\)",
        ),
        (lambda: alignment_error([torch.zeros(2, 3)], [[]]), "'alignments' must hold at least one link"),
        (lambda: alignment_error_rate([], []), "'predicted' and 'sure' must hold at least one link"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_errors_are_numpy_arrays_of_whole_numbers():
    found = alignment_error([peaks([0], 2)], [[(0, 0)]])
    assert all(column.dtype == np.int64 for column in found)
