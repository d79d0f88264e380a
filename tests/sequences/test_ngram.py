"""n-gram models: against counting by dictionaries, against nltk, against tables worked by hand."""

import itertools
from collections import Counter

import numpy as np
import pytest
from nltk.lm import MLE, Laplace, Lidstone, Vocabulary
from nltk.lm import StupidBackoff as NltkStupidBackoff
from nltk.lm.counter import NgramCounter
from nltk.lm.models import AbsoluteDiscountingInterpolated, KneserNeyInterpolated
from nltk.lm.smoothing import AbsoluteDiscounting as NltkAbsoluteDiscounting
from nltk.lm.smoothing import KneserNey as NltkKneserNey

from lmcourse.sequences import (
    AbsoluteDiscounting,
    AddK,
    Katz,
    KneserNey,
    MaximumLikelihood,
    NGramModel,
    StupidBackoff,
    count_ngrams,
    flatten,
    windows,
)
from lmcourse.sequences.counts import continuation_counts
from lmcourse.sequences.smoothing import estimated_discount
from tests.sequences.naive import BEGIN, Naive, all_smoothings, ngrams

V = 6


def texts(seed: int, documents: int = 25, vocab_size: int = V) -> list[list[int]]:
    """Documents of a skewed law, some of them empty; 0 ends each of the others, and token V - 1 never comes."""
    random = np.random.default_rng(seed)
    law = np.array([0, *(1 / np.arange(1, vocab_size - 1)), 0])
    lengths = random.integers(0, 7, documents)
    return [[*random.choice(vocab_size, n - 1, p=law / law.sum()).tolist(), 0] if n else [] for n in lengths]


def named(level, levels):
    """The n-grams of a level as tuples, with their counts."""
    found = {}
    for ngram, count in zip(level.ngrams.tolist(), level.counts.tolist(), strict=True):
        context, token = divmod(ngram, V)
        past = []
        for upper in reversed(levels[1 : level.depth + 1]):
            context, older = divmod(upper.keys[context].item(), V + 1)
            past.append(BEGIN if older == V else older)
        found[*past, token] = count
    return found


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_those_of_a_dictionary(seed):
    documents = texts(seed)
    levels = count_ngrams(windows(documents, 4, V), V)
    expected = Counter(ngrams(documents, 4))
    for length, level in enumerate(levels, start=1):
        assert named(level, levels) == {n: c for n, c in expected.items() if len(n) == length}


@pytest.mark.parametrize("seed", range(5))
def test_continuations_are_different_left_neighbours(seed):
    documents = texts(seed)
    levels = count_ngrams(windows(documents, 4, V), V)
    types = set(ngrams(documents, 4))
    for level, longer in itertools.pairwise(levels):
        counted = dict(zip(named(level, levels), continuation_counts(level, longer).tolist(), strict=True))
        assert counted == {
            n: len({m[0] for m in types if m[1:] == n}) for n in types if len(n) == level.depth + 1
        }


@pytest.mark.parametrize("smoothing", all_smoothings(), ids=repr)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_each_smoothing_is_its_definition(smoothing, order):
    documents = texts(order, documents=12)
    model = NGramModel.train(documents, order, V, smoothing)
    naive = Naive(documents, order, V, smoothing)
    seen = {context[:-1] for context in ngrams(documents, order) if len(context) == order}
    unseen = {(V - 1,) * (order - 1), (V - 1, *[1] * (order - 2)), (*[1] * (order - 2), V - 1)}
    for context in seen | {context for context in unseen if len(context) == order - 1}:
        prefix = [token for token in context if token != BEGIN]
        if BEGIN not in context:
            prefix = [3, *prefix]  # in the middle of a document, so that no beginning is in reach
        expected = [naive.probability(context, token) for token in range(V)]
        np.testing.assert_allclose(model.next_probabilities(prefix), expected, rtol=1e-12)


@pytest.mark.parametrize("smoothing", [s for s in all_smoothings() if s.is_distribution], ids=repr)
@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "documents", [texts(0), texts(1), [[0]], [[0, 1, 2, 3, 4, 5] * 3], [list(range(6)), [5, 5, 0]]]
)
def test_probabilities_sum_to_one_after_any_prefix(smoothing, order, documents):
    model = NGramModel.train(documents, order, V, smoothing)
    for prefix in [
        [],
        *itertools.product(range(V), repeat=2),
        *([5, a, 5, 1, b] for a in range(V) for b in range(V)),
    ]:
        law = model.next_probabilities(prefix)
        assert law.min() >= 0
        assert law.sum() == pytest.approx(1, abs=1e-12)


def test_scores_sum_to_something_else():
    model = NGramModel.train(texts(0), 3, V, StupidBackoff())
    sums = [model.next_probabilities(prefix).sum() for prefix in itertools.product(range(V), repeat=2)]
    assert max(sums) > 1.01
    assert min(sums) < 0.99
    with pytest.raises(ValueError, match="'smoothing' must give probabilities .* got StupidBackoff: scores"):
        model.surprisal([[1, 0]])


@pytest.mark.parametrize("smoothing", [s for s in all_smoothings() if s.is_distribution], ids=repr)
def test_surprisal_is_the_logarithm_of_the_next_probability(smoothing):
    model = NGramModel.train(texts(3), 3, V, smoothing)
    held_out = [[1, 2, 1, 0], [], [4, 5, 5, 0], [0]]
    with np.errstate(divide="ignore"):
        expected = [
            -np.log(model.next_probabilities(d[:place])[token])
            for d in held_out
            for place, token in enumerate(d)
        ]
    np.testing.assert_allclose(model.surprisal(held_out), expected, rtol=1e-12)


def test_maximum_likelihood_is_infinitely_surprised_by_what_it_never_saw():
    model = NGramModel.train([[1, 2, 0]], 2, V, MaximumLikelihood())
    assert repr(model.surprisal([[1, 2, 0]]).tolist()) == "[0.0, 0.0, 0.0]", "and not -0.0"
    assert model.surprisal([[1, 0]]).tolist() == [0, np.inf]


# --- nltk ----------------------------------------------------------------------------------------------------


def nltk_counts(documents, order) -> NgramCounter:
    """nltk's counter, given only n-grams that end in a token: its own padding predicts the beginning as well."""
    counter = NgramCounter()
    counter.update([[n for n in ngrams([d], order) if n[-1] != BEGIN] for d in documents])
    return counter


def compare_with_nltk(model, theirs, documents, order):
    contexts = {n[:-1] for n in ngrams(documents, order) if len(n) == order} | {(4,) * (order - 1)}
    for context in contexts:
        prefix = [3] * (BEGIN not in context) + [token for token in context if token != BEGIN]
        ours = model.next_probabilities(prefix)
        for token in range(V):
            assert ours[token] == pytest.approx(theirs.unmasked_score(token, context), rel=1e-12), (
                context,
                token,
            )


def vocabulary() -> Vocabulary:
    words = Vocabulary(range(V - 1))  # it counts its own <UNK> as a word
    assert len(words) == V
    return words


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(
    ("smoothing", "kind", "options"),
    [
        (AddK(1.0), Laplace, {}),
        (AddK(0.05), Lidstone, {"gamma": 0.05}),
        (StupidBackoff(0.3), NltkStupidBackoff, {"alpha": 0.3}),
    ],
)
def test_nltk_agrees(smoothing, kind, options, order):
    documents = texts(5)
    theirs = kind(**options, order=order, vocabulary=vocabulary(), counter=nltk_counts(documents, order))
    compare_with_nltk(NGramModel.train(documents, order, V, smoothing), theirs, documents, order)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_nltk_agrees_on_maximum_likelihood_where_the_context_was_seen(order):
    documents = texts(5)
    model = NGramModel.train(documents, order, V, MaximumLikelihood())
    theirs = MLE(order, vocabulary=vocabulary(), counter=nltk_counts(documents, order))
    for *context, token in (n for n in ngrams(documents, order) if len(n) == order):
        prefix = [3] * (BEGIN not in context) + [t for t in context if t != BEGIN]
        ours = model.next_probabilities(prefix)[token]
        assert ours == pytest.approx(theirs.unmasked_score(token, tuple(context)), rel=1e-12)


class DownToUniform:
    """nltk ends with bare unigrams; Chen & Goodman discount these too and share out 1 / V. All else stays nltk's."""

    def unigram_score(self, word):
        counts = self.unigram_counts()
        total, given = sum(counts.values()), self.discount * len(counts)
        return max(counts.get(word, 0) - self.discount, 0) / total + given / total / V


class NltkAbsoluteToUniform(DownToUniform, NltkAbsoluteDiscounting):
    def unigram_counts(self):
        return dict(self.counts.unigrams)


class NltkKneserNeyToUniform(DownToUniform, NltkKneserNey):
    def unigram_counts(self):
        return {w: self._continuation_counts(w)[0] for w in self.counts.unigrams}


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize(
    ("ours", "kind", "estimator"),
    [
        (AbsoluteDiscounting, AbsoluteDiscountingInterpolated, NltkAbsoluteToUniform),
        (KneserNey, KneserNeyInterpolated, NltkKneserNeyToUniform),
    ],
)
def test_nltk_agrees_on_discounts_above_the_unigrams(ours, kind, estimator, order):
    documents = texts(6)
    theirs = kind(order, discount=0.7, vocabulary=vocabulary(), counter=nltk_counts(documents, order))
    options = {"order": order} if kind is KneserNeyInterpolated else {}
    theirs.estimator = estimator(theirs.vocab, theirs.counts, discount=0.7, **options)
    compare_with_nltk(NGramModel.train(documents, order, V, ours(0.7)), theirs, documents, order)


# --- by hand -------------------------------------------------------------------------------------------------


def test_kneser_ney_by_hand():
    """a b . | a b . | c b . and one a c . with D = 1/2: b is frequent, but follows two tokens; . follows two as well."""
    end, a, b, c = range(4)
    documents = [[a, b, end], [a, b, end], [c, b, end], [a, c, end]]
    law = NGramModel.train(documents, 2, 4, KneserNey(0.5)).next_probabilities([a])
    # Pairs that occur: <>a <>c ab cb ac b. c. -> continuations: a 1, c 2, b 2, . 2, seven in all.
    lower = {w: (n - 0.5) / 7 + 0.5 * 4 / 7 / 4 for w, n in {a: 1, b: 2, c: 2, end: 2}.items()}
    assert sum(lower.values()) == pytest.approx(1)
    # After a: b twice, c once; 2 * 1/2 of 3 goes to the continuations.
    assert law[b] == pytest.approx(1.5 / 3 + 1 / 3 * lower[b])
    assert law[c] == pytest.approx(0.5 / 3 + 1 / 3 * lower[c])
    assert law[end] == pytest.approx(1 / 3 * lower[end])
    assert law[b] == pytest.approx(0.5 + 1 / 3 * 2 / 7)


def test_katz_by_hand():
    """After 1 came 2 twice and 3 once. With D = 1/2 a third is free, for 0 and 1 in proportion to their own shares."""
    model = NGramModel.train([[1, 2, 0], [1, 2, 0], [1, 3, 0]], 2, 4, Katz(0.5))
    # All four tokens occur: 0 and 1 three times each, 2 twice, 3 once; nothing to discount among unigrams.
    np.testing.assert_allclose(model.next_probabilities([1]), [1 / 6, 1 / 6, 1.5 / 3, 0.5 / 3])


def test_a_discount_is_estimated_from_what_was_seen_once_and_twice():
    assert estimated_discount(np.array([1, 1, 1, 2, 5])) == 3 / 5
    assert estimated_discount(np.array([5, 5])) == 0.1
    assert estimated_discount(np.array([1, 1])) == 0.9


def test_parameters_count_what_is_kept():
    model = NGramModel.train([[1, 2, 0], [1, 3, 0]], 2, 4)
    assert model.parameters == (4 + 1) + (5 + 4)  # tokens and the empty context; pairs and contexts <> 1 2 3


# --- errors --------------------------------------------------------------------------------------------------


def test_a_beginning_is_seen_and_never_predicted():
    ids, lengths = flatten([[2, 1], [], np.array([3], np.int32)], 4)
    assert (ids.tolist(), lengths.tolist()) == ([2, 1, 3], [2, 0, 1])
    assert windows([[2, 1], [], [3]], 2, 4).tolist() == [[2, 4], [1, 2], [3, 4]]
    assert len(NGramModel.train([[2, 1]], 2, 4).next_probabilities([])) == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: flatten([1, 2], 4), "'documents' must be a list of lists of ids, got .* at place 0"),
        (
            lambda: flatten([[1], [0.5]], 4),
            "'documents' must be a list of lists of ids, got .*float64.* at place 1",
        ),
        (lambda: flatten([[1, 4]], 4), "'documents' must hold ids from 0 to below vocab_size=4, got 4"),
        (lambda: flatten([[-1]], 4), "'documents' must hold ids from 0 to below vocab_size=4, got -1"),
        (lambda: flatten([[]], 0), "'vocab_size' must be positive, got 0"),
        (lambda: windows([[1]], 0, 4), "'order' must be at least 1, got 0"),
        (lambda: NGramModel.train([[], []], 2, 4), "'documents' must hold at least one token"),
        (
            lambda: NGramModel.train([[1]], 3, 4).next_probabilities([9, 1, 4]),
            r"'prefix' must hold ids from 0 to below vocab_size=4, got \[1, 4\]",
        ),
        (lambda: AddK(0.0), "'k' must be positive, got 0.0"),
        (lambda: KneserNey(1.0), "'discount' must lie between 0 and 1, or be None, got 1.0"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
