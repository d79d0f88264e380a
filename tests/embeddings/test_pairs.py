"""Windows, sub-sampling and noise, against loops, gensim's own tables and the law of large numbers."""

from collections import Counter

import numpy as np
import pytest
from gensim.models import Word2Vec as GensimWord2Vec

from lmcourse.embeddings.pairs import (
    context_pairs,
    document_numbers,
    draw,
    keep_probability,
    keep_probability_paper,
    noise_law,
    subsample,
)


def pairs_by_loop(ids, starts, window):
    ends = [*starts[1:], len(ids)]
    for start, end in zip(starts, ends, strict=True):
        for i in range(start, end):
            for j in range(max(start, i - window), min(end, i + window + 1)):
                if i != j:
                    yield int(ids[i]), int(ids[j])


@pytest.mark.parametrize("window", [1, 2, 5, 40])
def test_fixed_windows_are_what_a_loop_finds(window):
    ids, starts = np.random.default_rng(window).integers(0, 9, 30), [0, 1, 4, 20]
    centres, contexts = context_pairs(ids, starts, window)
    found = Counter(zip(centres.tolist(), contexts.tolist(), strict=True))
    assert found == Counter(pairs_by_loop(ids, starts, window))


def test_a_dynamic_window_reaches_distance_j_in_window_minus_j_plus_1_of_window_cases():
    n, window = 20_000, 4
    ids = np.arange(n)
    centres, contexts = context_pairs(ids, [0], window, np.random.default_rng(0))
    distances = np.abs(centres - contexts)
    for j in range(1, window + 1):
        share = (window - j + 1) / window
        expected, spread = 2 * n * share, 2 * (n * share * (1 - share)) ** 0.5
        # Both sides of a centre share its reach: n draws, each counted twice. Five standard deviations and the ends.
        assert (distances == j).sum() == pytest.approx(expected, abs=5 * spread + 2 * window)
    left, right = np.zeros((2, n), dtype=int)
    np.maximum.at(left, centres, centres - contexts)
    np.maximum.at(right, centres, contexts - centres)
    assert np.array_equal(left[window:-window], right[window:-window])  # one draw for both sides
    assert len(contexts) == (left + right).sum()  # no gap in a window


def test_a_text_without_neighbours_has_no_pairs():
    for ids, starts in (([], []), ([5], [0]), ([5, 6], [0, 1])):
        assert len(context_pairs(np.array(ids, dtype=int), starts, 3).centres) == 0


def gensim_tables(counts, sample):
    model = GensimWord2Vec(vector_size=2, sample=sample, min_count=1, negative=5)
    model.build_vocab_from_freq({str(word): int(count) for word, count in enumerate(counts)})
    order = [int(word) for word in model.wv.index_to_key]
    keep, noise = np.empty(len(counts)), np.empty(len(counts))
    keep[order] = np.array([model.wv.get_vecattr(str(word), "sample_int") for word in order]) / (2**32 - 1)
    noise[order] = np.diff(model.cum_table / (2**31 - 1), prepend=0.0)
    return keep, noise


def test_the_program_keeps_and_draws_as_gensim_does():
    counts = np.array([9000, 600, 250, 100, 30, 15, 4, 1])
    keep, noise = gensim_tables(counts, sample=0.01)
    np.testing.assert_allclose(keep_probability(counts / counts.sum(), 0.01), keep, rtol=1e-6)
    np.testing.assert_allclose(noise_law(counts), noise, atol=2e-9)  # gensim rounds to 31 bits


def test_the_papers_formula_keeps_less():
    frequency = np.array([0.5, 0.04, 0.02, 0.01, 0.001, 0.0])
    paper, program = keep_probability_paper(frequency, 0.01), keep_probability(frequency, 0.01)
    np.testing.assert_allclose(1 - paper[:3], 1 - np.sqrt(0.01 / frequency[:3]))  # equation 5
    assert (paper[:3] < program[:3]).all()
    assert paper[3:].tolist() == program[3:].tolist() == [1, 1, 1]


def test_subsampling_drops_the_promised_share_and_keeps_documents_apart():
    rng = np.random.default_rng(0)
    ids, starts = rng.integers(0, 3, 60_000), np.arange(0, 60_000, 3)
    keep = np.array([0.1, 0.5, 1.0])
    text = subsample(ids, starts, keep, rng)
    before, after = np.bincount(ids), np.bincount(text.ids)
    spread = np.sqrt(before * keep * (1 - keep))
    assert (np.abs(after - before * keep) <= 5 * spread).all()
    documents = document_numbers(len(text.ids), text.starts)
    assert np.bincount(documents).max() <= 3
    everything = subsample(ids, starts, np.ones(3), rng)
    assert np.array_equal(everything.ids, ids)
    assert np.array_equal(everything.starts, starts)


def test_draws_follow_the_law():
    law = noise_law(np.array([81, 0, 16, 1]))
    np.testing.assert_allclose(law, np.array([27, 0, 8, 1]) / 36)
    n = 40_000
    counts = np.bincount(draw(law, (n // 4, 4), np.random.default_rng(0)).ravel(), minlength=4)
    assert (np.abs(counts - n * law) <= 5 * np.sqrt(n * law * (1 - law))).all()


@pytest.mark.parametrize("starts", [[], [1, 2], [0, 2, 2], [0, 3, 1], [0, 5]])
def test_bad_starts_are_named(starts):
    with pytest.raises(ValueError, match="'starts' must rise from 0"):
        document_numbers(5, starts)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="'window' must be at least 1, got 0"):
        context_pairs(np.array([1, 2]), [0], 0)
    for counts in ([], [0, 0], [3, -1]):
        with pytest.raises(ValueError, match="'counts' must be at least 0"):
            noise_law(np.array(counts, dtype=int))
