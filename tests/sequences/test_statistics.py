"""Statistics of text: against brute force and against laws whose answer is known; and what shuffling leaves alone."""

import math
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from lmcourse.sequences import (
    AbsoluteDiscounting,
    MaximumLikelihood,
    fit_power_law,
    heaps,
    mutual_information,
    rank_frequency,
    seen_share,
    shuffle_documents,
    vocabulary_growth,
    worth_of_order,
    zipf,
)


def flip_chain(tokens: int, flip: float, seed: int, length: int = 1000) -> list[list[int]]:
    """Documents of a two-letter chain that changes its letter with probability `flip`."""
    random = np.random.default_rng(seed)
    changes = random.random((tokens // length, length)) < flip
    changes[:, 0] = random.random(tokens // length) < 0.5
    return (np.cumsum(changes, axis=1) % 2).tolist()


def entropy_of_flip(flip: float) -> float:
    return float(stats.entropy([flip, 1 - flip]))


# --- counting ------------------------------------------------------------------------------------------------


def test_ranks_and_growth_are_those_of_counting():
    ids = np.random.default_rng(0).integers(0, 30, 200) ** 2
    assert rank_frequency(ids).tolist() == sorted(Counter(ids.tolist()).values(), reverse=True)
    assert vocabulary_growth(ids).tolist() == [len(set(ids[: n + 1].tolist())) for n in range(200)]


def test_an_exact_power_law_is_found_again():
    x = np.arange(1, 5001)
    law = fit_power_law(x, 7.5 * x**-1.25)
    assert (law.factor, law.exponent) == (pytest.approx(7.5), pytest.approx(-1.25))
    np.testing.assert_allclose(law([1, 4]), [7.5, 7.5 * 4**-1.25])


def test_a_fit_weighs_decades_not_ranks():
    """Slope -1 over the first thousand ranks, -2 over the 9,000 behind: the plain fit sees the tail almost alone."""
    x = np.arange(1, 10_001)
    y = np.where(x <= 1000, 1 / x, 1000 / x**2.0)
    plain = np.polyfit(np.log(x), np.log(y), 1)[0]
    assert plain < -1.5
    assert -1.35 < fit_power_law(x, y).exponent < -1.1


def test_words_drawn_from_zipfs_law_show_it_and_heaps_law_follows():
    """With frequencies r^-a the vocabulary grows like n^(1/a) (a = 1.5, no end of the vocabulary in reach)."""
    law = 1 / np.arange(1, 400_001) ** 1.5
    ids = np.random.default_rng(0).choice(len(law), 100_000, p=law / law.sum())
    assert fit_power_law(np.arange(1, 101), rank_frequency(ids)[:100]).exponent == pytest.approx(
        -1.5, abs=0.05
    )
    assert heaps(ids).exponent == pytest.approx(1 / 1.5, abs=0.05)
    assert zipf(ids).exponent == pytest.approx(-1.5, abs=0.25)  # the tail of words seen once is flat


def test_the_first_words_of_a_text_are_all_new_and_are_left_out():
    length = np.arange(1, 10_001)
    growth = np.where(length <= 100, length, np.floor(10 * np.sqrt(length)))
    new = np.diff(growth, prepend=0) > 0
    ids = np.where(new, np.cumsum(new), 1)
    assert vocabulary_growth(ids).tolist() == growth.tolist()
    assert heaps(ids).exponent == pytest.approx(0.5, abs=0.01)


def test_what_was_seen_in_training_is_counted_by_sets():
    random = np.random.default_rng(2)
    train, held_out = ([random.integers(0, 6, 9).tolist() for _ in range(n)] for n in (12, 5))

    def runs(documents, n):
        return [tuple(["<"] * (n - 1) + d)[i : i + n] for d in documents for i in range(len(d))]

    found = seen_share(train, held_out, 6)
    for n in range(1, 6):
        known = set(runs(train, n))
        assert found[n] == pytest.approx(np.mean([run in known for run in runs(held_out, n)]))
    assert 0 < found[4] < found[2] < 1


# --- shared information --------------------------------------------------------------------------------------


def test_a_chain_shares_what_theory_says_at_each_distance():
    """After d steps the letter is another one with probability (1 - (1 - 2 f)^d) / 2, so I = log 2 - H(that)."""
    flip, distances = 0.1, [1, 2, 3, 5, 10]
    for row in mutual_information(flip_chain(200_000, flip, seed=0), 2, distances):
        changed = (1 - (1 - 2 * flip) ** row.distance) / 2
        assert row.nats == pytest.approx(math.log(2) - entropy_of_flip(changed), abs=0.004)
        assert row.corrected == row.nats - row.shuffled


def test_without_any_dependence_the_shuffled_text_shows_the_bias():
    """Of K^2 pairs of K letters the bias is about (K - 1)^2 / 2 n (Miller 1955)."""
    documents = np.random.default_rng(1).integers(0, 30, (100, 100)).tolist()
    (row,) = mutual_information(documents, 30, [4])
    assert row.nats == pytest.approx(29**2 / (2 * 9600), rel=0.1)
    assert abs(row.corrected) < 0.1 * row.nats


def test_one_token_that_never_changes_shares_nothing():
    for documents in ([[0, 2], [1, 2]], [[2, 0], [2, 1]]):
        assert mutual_information(documents, 3, [1])[0].nats == pytest.approx(0, abs=1e-12)


def test_pairs_do_not_cross_documents():
    (row,) = mutual_information([[0, 1], [0, 1], [2, 3], [2, 3]], 4, [1])
    assert row.nats == pytest.approx(math.log(2))
    for distance in (0, 2):
        with pytest.raises(ValueError, match=f"'distances' must be from 1 to below .* got {distance}"):
            mutual_information([[0, 1], [0]], 2, [distance])


# --- shuffling -----------------------------------------------------------------------------------------------


def test_shuffling_keeps_every_documents_words_and_its_end():
    documents = [[1, 2, 3, 4, 5, 0], [], [0], [3, 3, 1, 0]]
    shuffled = shuffle_documents(documents, 6, seed=1)
    assert [sorted(d) for d in shuffled] == [sorted(d) for d in documents]
    assert all(d[-1] == 0 for d in shuffled if len(d))
    assert [d.tolist() for d in shuffled] == [d.tolist() for d in shuffle_documents(documents, 6, seed=1)]
    loose = [shuffle_documents(documents, 6, seed=s, keep_last=False)[0][-1] for s in range(20)]
    assert len(set(loose)) > 2


def test_every_order_is_equally_likely():
    counts = Counter(tuple(d) for d in shuffle_documents([[1, 2, 3]] * 6000, 4, keep_last=False))
    assert len(counts) == 6
    assert stats.chisquare(list(counts.values())).pvalue > 0.001


def test_order_is_worth_what_the_chain_says():
    """Ordered letters cost H(flip); a short shuffled text keeps no order, and costs close to log 2."""
    train, held_out = (flip_chain(100_000, 0.1, seed, length=200) for seed in (0, 1))
    one, two = worth_of_order(train, held_out, 2, orders=(1, 2), smoothing=AbsoluteDiscounting())
    assert one.ordered == pytest.approx(one.misled) == pytest.approx(one.shuffled)
    assert two.ordered == pytest.approx(entropy_of_flip(0.1), abs=0.01)
    assert two.shuffled == pytest.approx(math.log(2), abs=0.03)
    assert two.worth == two.shuffled - two.ordered
    # Shuffled, half of the letters change, and each change costs -log 0.1.
    assert two.misled == pytest.approx(-(math.log(0.1) + math.log(0.9)) / 2, abs=0.05)


def test_all_three_losses_of_one_text_by_hand():
    """Learnt from 1 1 2 in every order, a bigram model gives 112 the probability 2/3 1/3 1/3 1/3, 121 2/3 1/3 2/3 1/3, and
    211 1/3 2/3 1/3 1/3. Learnt from 1 1 2 alone it gives that 1 1/2 1/2 1, and thinks that nothing begins with 2.
    """
    documents = [[1, 1, 2, 0]] * 3000
    (row,) = worth_of_order(documents, documents, 3, orders=(2,), smoothing=MaximumLikelihood())
    assert row.ordered == pytest.approx(math.log(4) / 4)
    assert row.shuffled == pytest.approx(-(2 * math.log(2 / 81) + math.log(4 / 81)) / 3 / 4, abs=0.005)
    assert row.misled == math.inf


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2], [1], "'x' and 'y' must hold the same number of points, two or more, got 2, 1"),
        ([1], [1], "two or more, got 1, 1"),
        ([1, 2], [1, 0], "'x' and 'y' must be positive, got 1 and 0"),
    ],
)
def test_a_fit_refuses_what_has_no_logarithm(x, y, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(x, y)
