"""How the exercises of chapter 02 are judged: cases, known mistakes with hints, other right answers."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from lmcourse.authoring.spec import Call, Exercise, Written
from lmcourse.exercises.compare import close


def quarters(rng: random.Random, *shape: int, largest: float = 2.0) -> Tensor:
    """Random multiples of 1/4, which a person can read and a float holds exactly."""
    top = int(4 * largest)
    return torch.tensor(
        [rng.randint(-top, top) / 4 for _ in range(math.prod(shape))]
    ).view(shape)


def integers(rng: random.Random, top: int, *shape: int) -> Tensor:
    return torch.tensor(
        [rng.randrange(top) for _ in range(math.prod(shape))], dtype=torch.int64
    ).view(shape)


# 1 ----------------------------------------------------------------------------------------------- odd_one_out


def _unit(vectors: Tensor) -> Tensor:
    lengths = vectors.norm(dim=1, keepdim=True)
    return vectors / torch.where(lengths > 0, lengths, 1.0)


def _mean_cosines(vectors: Tensor) -> Tensor:
    unit = _unit(vectors.double())
    cosines = unit @ unit.T
    return (cosines.sum(1) - cosines.diagonal()) / (len(vectors) - 1)


def odd_cases(rng: random.Random) -> Iterator[Call]:
    yield Call(
        "two alike, one not", torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    )
    yield Call(
        "the long one points the same way as others",
        torch.tensor([[1.0, 1.0], [40.0, 36.0], [1.0, 0.75], [3.0, -1.0]]),
    )
    yield Call(
        "a row of zeros is the odd one",
        torch.tensor([[1.0, 0.5], [1.0, 0.0], [0.0, 0.0], [0.5, 0.25]]),
    )
    yield Call(
        "a row of zeros, and another is the odd one",
        torch.tensor([[0.0, 0.0], [1.0, 0.25], [1.0, 0.0], [-1.0, 0.0]]),
    )
    yield Call(
        "a word's cosine with itself does not count",
        torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, -1.0], [-0.25, 1.0]]),
    )
    yield Call(
        "opposite is not alike",
        torch.tensor(
            [[1.0, 0.0], [-2.0, 0.0], [3.0, 0.5], [1.0, 1.0], [1.0, 0.75]]
        ),
    )
    yield Call(
        "four that point all round",
        torch.tensor([[-0.5, -1.0], [1.0, 1.0], [-1.5, 1.0], [0.5, -1.5]]),
    )
    yield Call(
        "five whose angles are wide",
        torch.tensor(
            [[0.5, -1.0], [-1.5, 1.5], [0.0, 2.0], [2.0, 2.0], [0.5, -1.5]]
        ),
    )
    yield Call(
        "two rows tie, and the first wins",
        torch.tensor([[0.0, 2.0], [1.0, 0.0]]),
    )
    yield Call(
        "all tie",
        torch.tensor(
            [[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
        ),
    )
    yield Call(
        "the odd one stands first",
        torch.tensor([[0.0, 1.0], [1.0, 0.25], [2.0, -0.25], [1.0, 0.0]]),
    )
    yield Call(
        "two pairs and one between",
        torch.tensor(
            [
                [1.0, 0.0],
                [1.0, 0.25],
                [0.0, 1.0],
                [0.25, 1.0],
                [-1.0, -0.5],
                [0.75, 0.5],
            ]
        ),
    )
    while True:
        n, d = rng.randint(3, 6), rng.randint(2, 4)
        vectors = quarters(rng, n, d) + torch.tensor(
            [rng.choice([0.0, 1.0])] * d
        )
        vectors *= torch.tensor(
            [[rng.choice([0.0, 0.5, 1.0, 1.0, 2.0, 8.0])] for _ in range(n)]
        )
        lowest = _mean_cosines(vectors).sort().values
        # No ties, which rounding would decide, and something to compare.
        if lowest[1] - lowest[0] > 1e-3:
            yield Call("random vectors", vectors)


odd_one_out = Exercise(
    "odd_one_out",
    title="The odd one out",
    points=2,
    minutes=8,
    cases=odd_cases,
    visible=30,
)


def _odd(vectors: Tensor) -> int:
    return int(_mean_cosines(vectors).round(decimals=9).argmin())


@odd_one_out.mistake(
    "You compare dot products. A long vector has large ones whatever its direction: divide by both lengths."
)
def odd_by_dot(vectors):
    products = vectors @ vectors.T
    return int(products.fill_diagonal_(0).sum(1).argmin())


@odd_one_out.mistake(
    "You compare distances between points. A long vector is far from all, though it may point the same way: use cosines."
)
def odd_by_distance(vectors):
    return int(torch.cdist(vectors, vectors).sum(1).argmax())


@odd_one_out.mistake(
    "You take distances between vectors of length 1. They grow with the angle in another way than the cosine does, so their means rank otherwise: use dot products."
)
def odd_by_distance_of_units(vectors):
    unit = _unit(vectors)
    return int(torch.cdist(unit, unit).sum(1).argmax())


@odd_one_out.mistake(
    "A row of zeros has length 0, and 0 / 0 is nan, which spreads to the means of all rows. Divide such a row by 1, or add nothing for it."
)
def odd_with_nan(vectors):
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    cosines = unit @ unit.T
    return int(cosines.fill_diagonal_(0).sum(1).argmin())


@odd_one_out.mistake(
    "A row of zeros has length 0, and 0 / 0 is nan, which spreads to the means of all rows. Divide such a row by 1, or add nothing for it."
)
def odd_with_nan_and_itself(vectors):
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    return int((unit @ unit.T).mean(1).argmin())


@odd_one_out.mistake(
    "Python does not divide by zero. A row of zeros has length 0: its cosine with everything is 0."
)
def odd_zero_division(vectors):
    lengths = [float(v.norm()) for v in vectors]
    n = len(vectors)
    return min(
        range(n),
        key=lambda i: sum(
            float(vectors[i] @ vectors[j]) / (lengths[i] * lengths[j])
            for j in range(n)
            if j != i
        ),
    )


@odd_one_out.mistake(
    "A row of zeros looks odder than it is in yours. With itself, too, it has cosine 0, not 1: leave out each row's cosine with itself, and take nothing off instead."
)
def odd_with_itself(vectors):
    unit = _unit(vectors)
    return int((unit @ unit.T).round(decimals=6).sum(1).argmin())


@odd_one_out.mistake(
    "You return the most typical word: the odd one has the lowest mean, argmin and not argmax."
)
def odd_argmax(vectors):
    return int(_mean_cosines(vectors).round(decimals=9).argmax())


@odd_one_out.mistake(
    "You take absolute values. A cosine of -1 is as far as can be: opposite directions are not alike."
)
def odd_absolute(vectors):
    unit = _unit(vectors)
    return int((unit @ unit.T).abs().fill_diagonal_(0).sum(1).argmin())


@odd_one_out.mistake(
    "You look for the least similar pair. One bad neighbour does not make a word odd: take the mean over all others."
)
def odd_by_pair(vectors):
    unit = _unit(vectors)
    return int((unit @ unit.T).min(1).values.argmin())


@odd_one_out.mistake(
    "You compare with the mean of the vectors as they are, in which the long ones rule. Wanted is the mean of the cosines."
)
def odd_by_plain_mean(vectors):
    return int((_unit(vectors) @ vectors.mean(0)).argmin())


@odd_one_out.mistake(
    "You take the cosine to the mean of the others. That is another number than the mean of the cosines: it divides by the mean's length, too."
)
def odd_by_cosine_to_the_mean_of_the_others(vectors):
    unit = _unit(vectors)
    others = unit.sum(0) - unit
    return int((unit * _unit(others)).sum(1).argmin())


@odd_one_out.mistake(
    "A correlation takes each row's own mean away before it compares. A cosine does not: divide the dot products by the lengths."
)
def odd_by_correlation(vectors):
    unit = _unit(vectors - vectors.mean(1, keepdim=True))
    return int((unit @ unit.T).fill_diagonal_(0).sum(1).argmin())


@odd_one_out.mistake(
    "The lengths are taken along the wrong side: each row is a word, so sum over dim=1."
)
def odd_columns(vectors):
    lengths = vectors.norm(dim=0, keepdim=True)
    unit = vectors / torch.where(lengths > 0, lengths, 1.0)
    return int((unit @ unit.T).fill_diagonal_(0).sum(1).argmin())


@odd_one_out.mistake(
    "On a tie the first row wins: in your loop write <, not <=."
)
def odd_last_on_tie(vectors):
    means = _mean_cosines(vectors).round(decimals=9)
    return int((means == means.min()).nonzero()[-1])


@odd_one_out.mistake(
    "Right row; return a plain int: argmin() gives a tensor, and .item() takes the number out."
)
def odd_as_tensor(vectors):
    return _mean_cosines(vectors).round(decimals=9).argmin()


@odd_one_out.mistake(
    "You changed the vectors that were passed in (/= works in place). The caller still needs them: make new ones."
)
def odd_in_place(vectors):
    answer = _odd(vectors)
    vectors /= torch.where(
        vectors.norm(dim=1, keepdim=True) > 0,
        vectors.norm(dim=1, keepdim=True),
        0.5,
    )
    vectors[0] += 0.125  # whatever the lengths, something has changed
    return answer


@odd_one_out.alternative
def odd_by_loops(vectors):
    rows = vectors.tolist()
    best, lowest = 0, math.inf
    for i, a in enumerate(rows):
        total = 0.0
        for j, b in enumerate(rows):
            lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(
                sum(y * y for y in b)
            )
            if i != j and lengths > 0:
                total += sum(x * y for x, y in zip(a, b, strict=True)) / lengths
        if total / (len(rows) - 1) < lowest - 1e-9:
            best, lowest = i, total / (len(rows) - 1)
    return best


@odd_one_out.alternative
def odd_by_library_cosine(vectors):
    cosines = F.cosine_similarity(vectors[:, None], vectors[None, :], dim=-1)
    n = len(vectors)
    others = ~torch.eye(n, dtype=torch.bool)
    return int((cosines * others).sum(1).argmin())


@odd_one_out.alternative
def odd_by_sum(vectors):
    unit = F.normalize(vectors.double(), dim=1)
    own = (unit * unit).sum(1).round()
    return int((unit @ unit.sum(0) - own).round(decimals=9).argmin())


# 2 ------------------------------------------------------------------------------------------ predict_contexts

SENTENCES = [
    text.split()
    for text in (
        "the storm broke the wall of the mill",
        "of stone was the mill",
    )
]
DROPPED = {"the", "of", "was"}


def predict_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("your contexts")


predict_contexts = Exercise(
    "predict_contexts",
    title="Predict the contexts",
    points=2,
    minutes=10,
    cases=predict_cases,
    secret=True,
)


def _contexts(
    sentences,
    before=2,
    behind=2,
    *,
    drop_first=True,
    dropped=DROPPED,
    itself=False,
):
    found: dict[str, set[str]] = {}
    for sentence in sentences:
        words = (
            [w for w in sentence if w not in dropped]
            if drop_first
            else sentence
        )
        for i, word in enumerate(words):
            if word in dropped:
                continue
            near = (
                words[max(0, i - before) : i + behind + 1]
                if itself
                else (
                    words[max(0, i - before) : i]
                    + words[i + 1 : i + behind + 1]
                )
            )
            found.setdefault(word, set()).update(
                w for w in near if w not in dropped
            )
    return found


BEFORE_WINDOWS = "You lay the windows over the full sentence and drop afterwards. Sub-sampling goes first: what is left moves together, and windows reach further."


@predict_contexts.mistake(BEFORE_WINDOWS)
def predict_drops_afterwards():
    return _contexts(SENTENCES, drop_first=False)


@predict_contexts.mistake(BEFORE_WINDOWS)
def predict_drops_afterwards_without_empty():
    return {
        word: near
        for word, near in _contexts(SENTENCES, drop_first=False).items()
        if near
    }


@predict_contexts.mistake(
    "Nothing is dropped in yours. In this pass 'the', 'of' and 'was' are gone: neither centres nor contexts."
)
def predict_drops_nothing():
    return _contexts(SENTENCES, dropped=set())


@predict_contexts.mistake(
    "Dropped words are still contexts in yours. They are gone from the text: neither centres nor contexts."
)
def predict_drops_centres_only():
    full = _contexts(SENTENCES, dropped=set())
    return {word: near for word, near in full.items() if word not in DROPPED}


DROPPED_WORDS = "Not all of the frequent words are gone in yours: 'the', 'of' and 'was' are dropped, wherever they stand."


@predict_contexts.mistake(DROPPED_WORDS)
def predict_keeps_was():
    return _contexts(SENTENCES, dropped={"the", "of"})


@predict_contexts.mistake(DROPPED_WORDS)
def predict_drops_the_only():
    return _contexts(SENTENCES, dropped={"the"})


@predict_contexts.mistake(
    "Your window runs from the first sentence into the second. A context stands in the same sentence."
)
def predict_across_sentences():
    return _contexts([SENTENCES[0] + SENTENCES[1]])


@predict_contexts.mistake(
    "Your window runs from the first sentence into the second. A context stands in the same sentence."
)
def predict_across_sentences_without_itself():
    found = _contexts([SENTENCES[0] + SENTENCES[1]])
    return {word: near - {word} for word, near in found.items()}


@predict_contexts.mistake(
    "You look only to the right. A window reaches to both sides of its centre."
)
def predict_right_only():
    return _contexts(SENTENCES, before=0)


@predict_contexts.mistake(
    "You look only to the right. A window reaches to both sides of its centre."
)
def predict_right_only_without_empty():
    return {
        word: near
        for word, near in _contexts(SENTENCES, before=0).items()
        if near
    }


@predict_contexts.mistake(
    "You look only to the left. A window reaches to both sides of its centre."
)
def predict_left_only():
    return _contexts(SENTENCES, behind=0)


@predict_contexts.mistake(
    "You look only to the left. A window reaches to both sides of its centre."
)
def predict_left_only_without_empty():
    return {
        word: near
        for word, near in _contexts(SENTENCES, behind=0).items()
        if near
    }


@predict_contexts.mistake(
    "Your window reaches one word to each side. A window of 2 reaches two words to the left and two to the right."
)
def predict_window_of_one():
    return _contexts(SENTENCES, 1, 1)


@predict_contexts.mistake(
    "Your window reaches three words to each side. A window of 2 reaches two words to the left and two to the right."
)
def predict_window_of_three():
    return _contexts(SENTENCES, 3, 3)


@predict_contexts.mistake(
    "A word is no context of itself: the centre is left out of its own window."
)
def predict_itself():
    return _contexts(SENTENCES, itself=True)


@predict_contexts.mistake(
    "The second sentence has replaced what the first one gave to a word. Contexts of the whole corpus add up."
)
def predict_last_sentence_wins():
    return _contexts(SENTENCES[:1]) | _contexts(SENTENCES[1:])


@predict_contexts.mistake(
    "The second sentence is not yet in your answer, at least not for every word of it. Both words that it is left with get a context."
)
def predict_first_sentence_only():
    return _contexts(SENTENCES[:1])


@predict_contexts.mistake(
    "The second sentence is not yet in your answer, at least not for every word of it. Both words that it is left with get a context."
)
def predict_second_sentence_one_way():
    return _contexts(SENTENCES[:1]) | {"stone": {"mill"}}


@predict_contexts.mistake(
    "Right words, but as lists. Contexts have no order here: use sets, {...}."
)
def predict_lists():
    return {
        "storm": ["broke", "wall"],
        "broke": ["storm", "wall", "mill"],
        "wall": ["storm", "broke", "mill"],
        "mill": ["broke", "wall", "stone"],
        "stone": ["mill"],
    }


@predict_contexts.mistake(
    "Right words, but as tuples. Contexts have no order here: use sets, {...}."
)
def predict_tuples():
    return {word: tuple(near) for word, near in predict_lists().items()}


@predict_contexts.mistake(
    "Right words; each value should be a set of strings, {'mill'}, and not a string."
)
def predict_string_for_one():
    return _contexts(SENTENCES) | {"stone": "mill"}


@predict_contexts.alternative
def predict_by_counting():
    return _contexts(SENTENCES)


# 3 -------------------------------------------------------------------------------------- mean_lookup_gradient


def mean_cases(rng: random.Random) -> Iterator[Call]:
    tensor = torch.tensor
    yield Call("one word twice", tensor([[6.0]]), tensor([[1, 3, 1]]), 4, 0)
    yield Call("one word alone", tensor([[2.0, -1.0]]), tensor([[2]]), 3, 0)
    yield Call(
        "padding takes no part in the mean",
        tensor([[6.0]]),
        tensor([[1, 2, 0, 0]]),
        4,
        0,
    )
    yield Call(
        "the same word in two examples",
        tensor([[2.0], [10.0]]),
        tensor([[1, 2], [2, 3]]),
        4,
        0,
    )
    yield Call(
        "the padding id is not 0",
        tensor([[4.0], [3.0]]),
        tensor([[0, 1, 5], [5, 5, 0]]),
        6,
        5,
    )
    yield Call(
        "nothing but padding",
        tensor([[4.0], [8.0]]),
        tensor([[0, 0], [1, 0]]),
        3,
        0,
    )
    yield Call(
        "windows of different lengths",
        tensor([[6.0, 0.0], [0.0, 6.0]]),
        tensor([[1, 2, 3], [3, 0, 0]]),
        5,
        0,
    )
    yield Call(
        "words that never come get zero",
        tensor([[1.0, 2.0]]),
        tensor([[4, 4]]),
        7,
        3,
    )
    yield Call(
        "a word twice in each of two examples",
        tensor([[3.0, 9.0], [4.0, -8.0]]),
        tensor([[2, 2, 1, 0], [2, 1, 2, 3]]),
        4,
        0,
    )
    yield Call(
        "the examples differ in their number of real words",
        tensor([[12.0], [12.0], [12.0]]),
        tensor([[1, 0, 0], [1, 1, 0], [1, 2, 3]]),
        4,
        0,
    )
    while True:
        batch, window, vocab, d = (
            rng.randint(1, 4),
            rng.randint(1, 4),
            rng.randint(3, 6),
            rng.randint(1, 3),
        )
        yield Call(
            "random windows",
            quarters(rng, batch, d, largest=6.0),
            integers(rng, vocab, batch, window),
            vocab,
            rng.randrange(vocab),
        )


mean_lookup_gradient = Exercise(
    "mean_lookup_gradient",
    title="Who learns from a mean?",
    points=3,
    minutes=25,
    cases=mean_cases,
    # A sum of at most 16 terms of size 6, in any order, is off by some 1e-6 in float32.
    compare=close(
        rtol=1e-5, atol=1e-5, why="repeated ids are added up in any order"
    ),
    visible=22,
)


def _scatter(
    grad_means,
    ids,
    vocab_size,
    pad_id,
    *,
    share=None,
    keep_pad=False,
    repeats=True,
    set_rows=False,
) -> Tensor:
    """The gradient with a share for each place of the window; the mistakes differ in what is given."""
    real = ids != pad_id
    if share is None:
        share = real / real.sum(1, keepdim=True).clamp(min=1)
    rows = share[:, :, None] * grad_means[:, None, :]
    gradient = torch.zeros(vocab_size, grad_means.shape[1])
    for b in range(len(ids)):
        done = set()
        for place, word in enumerate(ids[b].tolist()):
            if (word == pad_id and not keep_pad) or (
                word in done and not repeats
            ):
                continue
            done.add(word)
            gradient[word] = (
                rows[b, place] if set_rows else gradient[word] + rows[b, place]
            )
    return gradient


@mean_lookup_gradient.mistake(
    "Each word gets the whole gradient. The mean divides by the number of words, and the chain rule divides with it (word2vec.c does not, which is a known oddity)."
)
def mean_undivided(grad_means, ids, vocab_size, pad_id):
    return _scatter(
        grad_means, ids, vocab_size, pad_id, share=torch.ones(ids.shape)
    )


@mean_lookup_gradient.mistake(
    "You divide by the whole window, padding included. The mean is over the real words of each example only."
)
def mean_over_window(grad_means, ids, vocab_size, pad_id):
    share = torch.full(ids.shape, 1 / ids.shape[1])
    return _scatter(grad_means, ids, vocab_size, pad_id, share=share)


@mean_lookup_gradient.mistake(
    "Padding is treated as a word: it is counted in the mean, and its row learns. It takes no part."
)
def mean_padding_is_a_word(grad_means, ids, vocab_size, pad_id):
    share = torch.full(ids.shape, 1 / ids.shape[1])
    return _scatter(
        grad_means, ids, vocab_size, pad_id, share=share, keep_pad=True
    )


@mean_lookup_gradient.mistake(
    "The division is right, but the row of padding gets a gradient as well. It stays zero."
)
def mean_padding_learns(grad_means, ids, vocab_size, pad_id):
    share = (1 / (ids != pad_id).sum(1, keepdim=True).clamp(min=1)).expand(
        ids.shape
    )
    return _scatter(
        grad_means, ids, vocab_size, pad_id, share=share, keep_pad=True
    )


@mean_lookup_gradient.mistake(
    "A word that comes again overwrites what was there: gradient[ids] += ... keeps one of several. Add them up (index_add, or a loop)."
)
def mean_indexed_add(grad_means, ids, vocab_size, pad_id):
    return _scatter(grad_means, ids, vocab_size, pad_id, set_rows=True)


@mean_lookup_gradient.mistake(
    "A word that comes again in another example overwrites what was there. Add up over the whole batch."
)
def mean_last_example_wins(grad_means, ids, vocab_size, pad_id):
    gradient = torch.zeros(vocab_size, grad_means.shape[1])
    for b in range(len(ids)):
        own = _scatter(
            grad_means[b : b + 1], ids[b : b + 1], vocab_size, pad_id
        )
        met = [w for w in ids[b].tolist() if w != pad_id]
        gradient[met] = own[met]
    return gradient


@mean_lookup_gradient.mistake(
    "gradient[ids] += ... in a loop over examples still keeps one of several where a word comes twice in *one* example. Go through the words one by one, or use index_add."
)
def mean_indexed_add_by_example(grad_means, ids, vocab_size, pad_id):
    return _scatter(grad_means, ids, vocab_size, pad_id, repeats=False)


@mean_lookup_gradient.mistake(
    "A word that comes twice in a window counts twice in the mean. You count different words: with a set, it counts once."
)
def mean_distinct_words(grad_means, ids, vocab_size, pad_id):
    real = [len(set(row) - {pad_id}) for row in ids.tolist()]
    share = torch.tensor([[1 / max(n, 1)] * ids.shape[1] for n in real])
    return _scatter(
        grad_means, ids, vocab_size, pad_id, share=share, repeats=False
    )


@mean_lookup_gradient.mistake(
    "A word that was met several times gets the average of its gradients. Gradients of the same row add up."
)
def mean_averages_repeats(grad_means, ids, vocab_size, pad_id):
    times = torch.bincount(ids.flatten(), minlength=vocab_size).clamp(min=1)
    return _scatter(grad_means, ids, vocab_size, pad_id) / times[:, None]


@mean_lookup_gradient.mistake(
    "You divide by the size of the batch as well. The gradient that you are handed has that in it already."
)
def mean_over_batch(grad_means, ids, vocab_size, pad_id):
    return _scatter(grad_means, ids, vocab_size, pad_id) / len(ids)


@mean_lookup_gradient.mistake(
    "An example with nothing but padding divides 0 by 0, and the nan spreads. Nobody learns from it: divide by at least 1 there, or leave it out."
)
def mean_nan(grad_means, ids, vocab_size, pad_id):
    real = ids != pad_id
    rows = (real / real.sum(1, keepdim=True))[:, :, None] * grad_means[:, None]
    gradient = torch.zeros(vocab_size, grad_means.shape[1])
    return gradient.index_add(0, ids.flatten(), rows.flatten(0, 1))


@mean_lookup_gradient.mistake(
    "An example with nothing but padding makes you divide by zero. Nobody learns from it: leave it out."
)
def mean_zero_division(grad_means, ids, vocab_size, pad_id):
    gradient = torch.zeros(vocab_size, grad_means.shape[1])
    for row, grad in zip(ids.tolist(), grad_means, strict=True):
        share = 1 / sum(word != pad_id for word in row)
        for word in row:
            if word != pad_id:
                gradient[word] += share * grad
    return gradient


@mean_lookup_gradient.mistake(
    "You take 0 for the padding id. It is an argument, `pad_id`; 0 may be a word like any other."
)
def mean_pad_is_0(grad_means, ids, vocab_size, pad_id):
    return _scatter(grad_means, ids, vocab_size, 0)


@mean_lookup_gradient.mistake(
    "You return rows for the words that were met. The gradient has a row for every word of the vocabulary, zero where it was not met."
)
def mean_met_rows_only(grad_means, ids, vocab_size, pad_id):
    gradient = _scatter(grad_means, ids, vocab_size, pad_id)
    return gradient[ids[ids != pad_id].unique()]


@mean_lookup_gradient.mistake(
    "All real words of the batch are divided by together. Each example has its own mean, with its own number of words."
)
def mean_over_all_words(grad_means, ids, vocab_size, pad_id):
    share = torch.full(ids.shape, 1 / max(int((ids != pad_id).sum()), 1))
    return _scatter(grad_means, ids, vocab_size, pad_id, share=share)


@mean_lookup_gradient.alternative
def mean_by_loops(grad_means, ids, vocab_size, pad_id):
    rows = [[0.0] * grad_means.shape[1] for _ in range(vocab_size)]
    for example, grad in zip(ids.tolist(), grad_means.tolist(), strict=True):
        words = [word for word in example if word != pad_id]
        for word in words:
            rows[word] = [
                old + new / len(words)
                for old, new in zip(rows[word], grad, strict=True)
            ]
    return torch.tensor(rows)


@mean_lookup_gradient.alternative
def mean_by_one_hot(grad_means, ids, vocab_size, pad_id):
    counts = F.one_hot(ids, vocab_size).sum(1).float()  # (batch, vocab)
    counts[:, pad_id] = 0
    return (counts / counts.sum(1, keepdim=True).clamp(min=1)).T @ grad_means


@mean_lookup_gradient.alternative
def mean_by_autograd(grad_means, ids, vocab_size, pad_id):
    """Not what is asked, but right."""
    with torch.enable_grad():
        weight = torch.zeros(
            vocab_size, grad_means.shape[1], requires_grad=True
        )
        means = F.embedding_bag(ids, weight, mode="mean", padding_idx=pad_id)
        (gradient,) = torch.autograd.grad((means * grad_means).sum(), weight)
    return gradient


@mean_lookup_gradient.alternative
def mean_in_float64(grad_means, ids, vocab_size, pad_id):
    real = (ids != pad_id).double()
    share = torch.nan_to_num(real / real.sum(1, keepdim=True))
    rows = torch.einsum("bw,bd->bwd", share, grad_means.double())
    index = (
        ids[:, :, None]
        .expand(-1, -1, grad_means.shape[1])
        .reshape(-1, grad_means.shape[1])
    )
    zero = torch.zeros(vocab_size, grad_means.shape[1], dtype=torch.float64)
    return zero.scatter_add(0, index, rows.flatten(0, 1)).float()


# 4 --------------------------------------------------------------------------------------------- skipgram_loss


def loss_cases(rng: random.Random) -> Iterator[Call]:
    tensor = torch.tensor
    line = tensor([[0.0], [1.0], [120.0]])
    yield Call(
        "the example", line, line, tensor([1]), tensor([1]), tensor([[0, 1, 0]])
    )
    yield Call(
        "a true pair with score -120",
        line,
        0.0 - line,
        tensor([1]),
        tensor([2]),
        tensor([[0, 0, 0]]),
    )
    yield Call(
        "a noise word with score 200",
        line,
        line + 200,
        tensor([1]),
        tensor([1]),
        tensor([[0]]),
    )
    yield Call(
        "a noise word that is left out, with score 120",
        line,
        line,
        tensor([1]),
        tensor([2]),
        tensor([[2, 1]]),
    )
    yield Call(
        "a noise word with score 30",
        line,
        line + 30,
        tensor([1]),
        tensor([1]),
        tensor([[0, 0]]),
    )
    yield Call(
        "all as it should be",
        line / 20,
        line,
        tensor([2]),
        tensor([1]),
        tensor([[0, 0]]),
    )
    plane = tensor([[1.0, 0.5], [-0.5, 2.0], [0.25, -1.0], [1.5, 1.0]])
    yield Call(
        "two tables",
        plane,
        plane.flip(0) - 0.25,
        tensor([0, 3]),
        tensor([1, 2]),
        tensor([[2, 3], [0, 3]]),
    )
    yield Call(
        "all noise is the true context",
        plane,
        plane,
        tensor([0]),
        tensor([3]),
        tensor([[3, 3]]),
    )
    yield Call(
        "the true context of another pair is noise as any other",
        plane,
        plane,
        tensor([0, 1]),
        tensor([1, 2]),
        tensor([[2, 2], [1, 3]]),
    )
    yield Call(
        "the centre itself is noise as any other",
        plane,
        plane,
        tensor([1]),
        tensor([0]),
        tensor([[1, 2]]),
    )
    yield Call(
        "the same noise word twice",
        plane,
        plane,
        tensor([2]),
        tensor([0]),
        tensor([[3, 3, 1]]),
    )
    while True:
        vocab, d, batch, k = (
            rng.randint(3, 5),
            rng.randint(1, 3),
            rng.randint(1, 3),
            rng.randint(1, 4),
        )
        yield Call(
            "random ids",
            quarters(rng, vocab, d),
            quarters(rng, vocab, d),
            integers(rng, vocab, batch),
            integers(rng, vocab, batch),
            integers(rng, vocab, batch, k),
        )


skipgram_loss = Exercise(
    "skipgram_loss",
    title="Repair the skip-gram loss",
    points=3,
    minutes=30,
    cases=loss_cases,
    compare=close(
        rtol=1e-5,
        atol=1e-5,
        why="float32 sums of a few logarithms in any order",
    ),
    visible=22,
)


def _scores(inputs, outputs, centres, contexts, negatives):
    centre = inputs[centres]
    true = (centre * outputs[contexts]).sum(-1)
    noise = (centre[:, None] * outputs[negatives]).sum(-1)
    return true, noise, negatives != contexts[:, None]


def _log_of_sigmoid(x: Tensor) -> Tensor:
    return torch.log(torch.sigmoid(x))


FAULTS = {
    "sign": "noise scores should go down, so the minus stands inside: log σ(-score)",
    "mean": "the costs of a pair's noise words are added up, not averaged",
    "log": "σ(-200) is 0 in a float32 and its logarithm infinite: F.logsigmoid computes both in one and stays exact",
    "mask": "a score set to 0 still costs log 2: multiply the costs by 0, not the scores",
}


def _with_faults(left: tuple[str, ...]):
    def answer(inputs, outputs, centres, contexts, negatives):
        true, noise, counts = _scores(
            inputs, outputs, centres, contexts, negatives
        )
        log = _log_of_sigmoid if "log" in left else F.logsigmoid
        noise = noise * counts if "mask" in left else noise
        cost = log(noise if "sign" in left else -noise)
        cost = cost if "mask" in left else torch.where(counts, cost, 0.0)
        return -(
            log(true) + (cost.mean(-1) if "mean" in left else cost.sum(-1))
        ).mean()

    answer.__name__ = "loss_with_" + "_".join(left)
    return answer


# Who repairs some of the four is told which are left.
for _count, _number in (
    (4, "All four are"),
    (3, "Three are"),
    (2, "Two are"),
    (1, "One is"),
):
    for _left in itertools.combinations(FAULTS, _count):
        _hint = (
            f"{_number} still there: "
            + "; ".join(FAULTS[fault] for fault in _left)
            + "."
        )
        skipgram_loss.mistake(_hint)(_with_faults(_left))


@skipgram_loss.mistake(
    "log(1 - σ(x)) is right on paper. But σ(30) is exactly 1 in float32, and log 0 is infinite. 1 - σ(x) is σ(-x): use F.logsigmoid(-x)."
)
def loss_one_minus(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    cost = torch.where(counts, torch.log(1 - torch.sigmoid(noise)), 0.0)
    return -(F.logsigmoid(true) + cost.sum(-1)).mean()


@skipgram_loss.mistake(
    "log(1 - σ(x)) is right on paper. But σ(30) is exactly 1 in float32, and log 0 is infinite. 1 - σ(x) is σ(-x): use F.logsigmoid, also for the true pair."
)
def loss_one_minus_and_log(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    cost = torch.where(counts, torch.log(1 - torch.sigmoid(noise)), 0.0)
    return -(_log_of_sigmoid(true) + cost.sum(-1)).mean()


@skipgram_loss.mistake(
    "log(σ(x)) and log(1 + exp(-x)) both become infinite at -120, and infinity times 0 is nan where noise is left out. F.logsigmoid and F.softplus stay exact."
)
def loss_nan(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    return -(
        _log_of_sigmoid(true) + (_log_of_sigmoid(-noise) * counts).sum(-1)
    ).mean()


def _guarded(how):
    def answer(inputs, outputs, centres, contexts, negatives):
        true, noise, counts = _scores(
            inputs, outputs, centres, contexts, negatives
        )
        cost = torch.where(counts, how(torch.sigmoid(-noise)).log(), 0.0)
        return -(how(torch.sigmoid(true)).log() + cost.sum(-1)).mean()

    return answer


for _digits in (5, 6, 7, 8, 9, 10, 12, 15, 20, 30):
    for _way, _how in (
        ("added", lambda p, e=10.0**-_digits: p + e),
        ("clamped", lambda p, e=10.0**-_digits: p.clamp(min=e)),
    ):
        _wrong = _guarded(_how)
        _wrong.__name__ = f"loss_{_way}_1e_{_digits}"
        skipgram_loss.mistake(
            "A small number under the logarithm hides infinity, but the cost then stops growing, and so does the gradient: a score of -120 costs 120. F.logsigmoid is exact."
        )(_wrong)


@skipgram_loss.mistake(
    "Noise that is the true context of its own pair is counted. It should cost nothing."
)
def loss_hits_count(inputs, outputs, centres, contexts, negatives):
    true, noise, _ = _scores(inputs, outputs, centres, contexts, negatives)
    return -(F.logsigmoid(true) + F.logsigmoid(-noise).sum(-1)).mean()


@skipgram_loss.mistake(
    "A noise word is left out when it is the true context of *its own* pair. You leave out those of the whole batch."
)
def loss_hits_of_the_batch(inputs, outputs, centres, contexts, negatives):
    true, noise, _ = _scores(inputs, outputs, centres, contexts, negatives)
    counts = ~torch.isin(negatives, contexts)
    return -(
        F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1)
    ).mean()


@skipgram_loss.mistake(
    "You leave out noise that is the centre. It is the true *context* that is no noise."
)
def loss_skips_centre(inputs, outputs, centres, contexts, negatives):
    true, noise, _ = _scores(inputs, outputs, centres, contexts, negatives)
    counts = negatives != centres[:, None]
    return -(
        F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1)
    ).mean()


@skipgram_loss.mistake(
    "You average over the noise words that are left. The formula adds their costs up: k noise words weigh k times."
)
def loss_mean_of_left(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    cost = (F.logsigmoid(-noise) * counts).sum(-1) / counts.sum(-1).clamp(min=1)
    return -(F.logsigmoid(true) + cost).mean()


@skipgram_loss.mistake(
    "You average over the noise words that are left, and over none of them where all are left out: 0 / 0. The formula adds up, and the sum over nothing is 0."
)
def loss_mean_of_none(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    return -(
        F.logsigmoid(true)
        + (F.logsigmoid(-noise) * counts).sum(-1) / counts.sum(-1)
    ).mean()


@skipgram_loss.mistake(
    "What is left out got the score plus infinity, and so an infinite cost. -log σ(-x) is 0 where x is *minus* infinity."
)
def loss_left_out_at_infinity(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    noise = noise.masked_fill(~counts, math.inf)
    return -(F.logsigmoid(true) + F.logsigmoid(-noise).sum(-1)).mean()


ALL_PAIRS = "A matrix product scores every centre of the batch with the words of every other pair. Each centre meets its own: multiply elementwise and sum over d, or give the centre a dimension of its own, centre[:, None]."


@skipgram_loss.mistake(ALL_PAIRS)
def loss_true_of_all_pairs(inputs, outputs, centres, contexts, negatives):
    _, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    true = inputs[centres] @ outputs[contexts].T
    return -(
        F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1)
    ).mean()


@skipgram_loss.mistake(ALL_PAIRS)
def loss_noise_of_all_pairs(inputs, outputs, centres, contexts, negatives):
    true, _, counts = _scores(inputs, outputs, centres, contexts, negatives)
    noise = inputs[centres] @ outputs[negatives].mT
    return -(
        F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1)
    ).mean()


@skipgram_loss.mistake(ALL_PAIRS)
def loss_of_all_pairs(inputs, outputs, centres, contexts, negatives):
    _, _, counts = _scores(inputs, outputs, centres, contexts, negatives)
    true = inputs[centres] @ outputs[contexts].T
    noise = inputs[centres] @ outputs[negatives].mT
    return -(
        F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1)
    ).mean()


@skipgram_loss.mistake(
    "The minus of the noise stands before the logarithm instead of inside σ: -log σ(-x), not log σ(x), which is a gain that grows without end."
)
def loss_noise_as_gain(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    return (-F.logsigmoid(true) + (F.logsigmoid(noise) * counts).sum(-1)).mean()


@skipgram_loss.mistake(
    "You average over all noise words of the batch. Add up the costs of each pair's noise words; the mean is over pairs."
)
def loss_mean_of_all_noise(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    return -F.logsigmoid(true).mean() - F.logsigmoid(-noise)[counts].mean()


@skipgram_loss.mistake(
    "You add up over the batch. The loss is the mean over its pairs."
)
def loss_sum_over_batch(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    return -(F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1)).sum()


@skipgram_loss.mistake(
    "One number for each pair comes back. The loss is their mean, a tensor of shape ()."
)
def loss_for_each_pair(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    return -(F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1))


@skipgram_loss.mistake(
    "The whole is upside down: a loss is *minus* the logarithms, so it is never below zero."
)
def loss_negative(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    return (F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1)).mean()


@skipgram_loss.mistake(
    "Your noise words are read from `inputs`. What is predicted, true or noise, is read from `outputs`."
)
def loss_noise_from_inputs(inputs, outputs, centres, contexts, negatives):
    true, _, counts = _scores(inputs, outputs, centres, contexts, negatives)
    noise = (inputs[centres][:, None] * inputs[negatives]).sum(-1)
    return -(
        F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1)
    ).mean()


@skipgram_loss.mistake(
    "The tables are exchanged: the centre is read from `inputs`, what it predicts from `outputs`."
)
def loss_tables_exchanged(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(outputs, inputs, centres, contexts, negatives)
    return -(
        F.logsigmoid(true) + (F.logsigmoid(-noise) * counts).sum(-1)
    ).mean()


@skipgram_loss.mistake(
    "Pairs with a noise word to be left out are dropped whole. Only that noise word costs nothing; the rest of the pair counts."
)
def loss_drops_pairs(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    whole = counts.all(-1)
    cost = -(F.logsigmoid(true) + F.logsigmoid(-noise).sum(-1))
    return (cost * whole).sum() / len(centres)


@skipgram_loss.mistake(
    "Right number; return the tensor itself: .item() cuts it off from its gradient."
)
def loss_as_number(inputs, outputs, centres, contexts, negatives):
    return float(
        loss_by_softplus(inputs, outputs, centres, contexts, negatives)
    )


@skipgram_loss.alternative
def loss_by_softplus(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(inputs, outputs, centres, contexts, negatives)
    return (
        F.softplus(-true) + F.softplus(noise).masked_fill(~counts, 0).sum(-1)
    ).mean()


@skipgram_loss.alternative
def loss_by_loops(inputs, outputs, centres, contexts, negatives):
    def cost(x):  # -log σ(x)
        return max(-x, 0) + math.log1p(math.exp(-abs(x)))

    total = 0.0
    for c, o, row in zip(
        centres.tolist(), contexts.tolist(), negatives.tolist(), strict=True
    ):
        total += cost(float(inputs[c] @ outputs[o]))
        total += sum(
            cost(-float(inputs[c] @ outputs[n])) for n in row if n != o
        )
    return torch.tensor(total / len(centres))


@skipgram_loss.alternative
def loss_by_cross_entropy(inputs, outputs, centres, contexts, negatives):
    words = torch.cat([contexts[:, None], negatives], dim=1)
    scores = torch.einsum("bd,bkd->bk", inputs[centres], outputs[words])
    target = torch.zeros_like(scores)
    target[:, 0] = 1
    weight = (words != contexts[:, None]).float()
    weight[:, 0] = 1
    total = F.binary_cross_entropy_with_logits(
        scores, target, weight=weight, reduction="sum"
    )
    return total / len(centres)


@skipgram_loss.alternative
def loss_in_float64(inputs, outputs, centres, contexts, negatives):
    true, noise, counts = _scores(
        inputs.double(), outputs.double(), centres, contexts, negatives
    )
    zero = torch.zeros((), dtype=torch.float64)
    cost = torch.logaddexp(zero, -true) + (
        torch.logaddexp(zero, noise) * counts
    ).sum(-1)
    return cost.mean().float()


# 5 ------------------------------------------------------------------------------------------------ rope_score


def rope_cases(rng: random.Random) -> Iterator[Call]:
    tensor = torch.tensor
    yield Call(
        "one pair, at a right angle",
        tensor([1.0, 0.0]),
        tensor([0.0, 1.0]),
        tensor([0, 1, -1]),
    )
    yield Call(
        "one pair, the same vector",
        tensor([1.0, 0.0]),
        tensor([1.0, 0.0]),
        tensor([0, 1, -1]),
    )
    yield Call(
        "distance 0 is the plain product",
        tensor([1.0, 2.0, 3.0, 4.0]),
        tensor([0.5] * 4),
        tensor([0, 0]),
    )
    yield Call(
        "the second pair turns slowly",
        tensor([0.0, 0.0, 1.0, 0.0]),
        tensor([0.0, 0.0, 0.0, 1.0]),
        tensor([7, -50]),
    )
    yield Call(
        "entries 0 and 1 are a pair, not 0 and 2",
        tensor([1.0, 0.0, 0.0, 0.0]),
        tensor([0.0, 1.0, 2.0, 0.0]),
        tensor([2, 5]),
    )
    yield Call(
        "three pairs",
        tensor([1.0, -1.0, 2.0, 0.5, 0.0, 1.0]),
        tensor([0.5, 1.0, 1.0, -2.0, 1.5, 1.0]),
        tensor([-3, 3]),
    )
    yield Call(
        "another base",
        tensor([1.0, 0.5, 2.0, 1.0]),
        tensor([-1.0, 1.0, 1.5, 1.0]),
        tensor([-4, 4, 9]),
        100.0,
    )
    yield Call(
        "far away",
        tensor([1.0, 1.0, 1.0, 1.0]),
        tensor([1.0, 0.5, 0.25, 1.0]),
        tensor([-150, 150]),
    )
    while True:
        d_head = rng.choice([2, 4, 6, 8])
        distances = tensor(
            [rng.randint(-60, 60) for _ in range(rng.randint(2, 4))]
        )
        base = rng.choice([10_000.0, 10_000.0, 100.0, 500.0])
        yield Call(
            "random vectors",
            quarters(rng, d_head),
            quarters(rng, d_head),
            distances,
            base,
        )


rope_score = Exercise(
    "rope_score",
    title="RoPE without positions",
    points=3,
    minutes=30,
    cases=rope_cases,
    # An angle of 150 radians is known to 1e-5 in float32; up to eight products of up to 4 stand behind it.
    compare=close(
        rtol=1e-4,
        atol=3e-4,
        why="angles of many radians are rounded in float32",
    ),
    visible=20,
)


def _rope(q, k, angles, *, half=False) -> Tensor:
    """The scores when the key is turned by `angles` [n, pairs]."""
    if half:
        (qa, qb), (ka, kb) = q.view(2, -1), k.view(2, -1)
    else:
        (qa, qb), (ka, kb) = q.view(-1, 2).T, k.view(-1, 2).T
    cos, sin = angles.cos(), angles.sin()
    return (qa * (ka * cos - kb * sin) + qb * (ka * sin + kb * cos)).sum(-1)


def _angles(distances, d_head, base=10_000.0, exponents=None) -> Tensor:
    exponents = (
        torch.arange(0, d_head, 2) / d_head if exponents is None else exponents
    )
    return (distances[:, None] * base ** -exponents.double()).float()


@rope_score.mistake(
    "The distance has the wrong sign, or the wrong one of the two is turned: turn the key by +distance, or the query by -distance."
)
def rope_other_sign(q, k, distances, base=10_000.0):
    return _rope(q, k, -_angles(distances, len(q), base))


@rope_score.mistake(
    "You pair entry i with entry i + d_head/2, as Llama does. Here neighbours are a pair: 0 and 1, 2 and 3."
)
def rope_half(q, k, distances, base=10_000.0):
    return _rope(q, k, _angles(distances, len(q), base), half=True)


@rope_score.mistake(
    "Two things at once. Neighbours are a pair, 0 and 1, 2 and 3 (you pair i with i + d_head/2); and the distance has the wrong sign."
)
def rope_half_other_sign(q, k, distances, base=10_000.0):
    return _rope(q, k, -_angles(distances, len(q), base), half=True)


@rope_score.mistake(
    "The exponent is -2 i / d_head for pair i. Yours lacks the 2: the slow pairs turn too fast."
)
def rope_exponent_without_2(q, k, distances, base=10_000.0):
    return _rope(
        q,
        k,
        _angles(distances, len(q), base, torch.arange(len(q) // 2) / len(q)),
    )


@rope_score.mistake(
    "The 2 in the exponent is there twice: torch.arange(0, d_head, 2) is 2 i already. The slow pairs turn too slowly."
)
def rope_exponent_with_4(q, k, distances, base=10_000.0):
    return _rope(
        q,
        k,
        _angles(
            distances, len(q), base, 2 * torch.arange(0, len(q), 2) / len(q)
        ),
    )


@rope_score.mistake(
    "Your pairs are counted from 1. The first pair is i = 0: it turns by one radian a position, whatever the base."
)
def rope_counts_from_1(q, k, distances, base=10_000.0):
    return _rope(
        q,
        k,
        _angles(
            distances, len(q), base, torch.arange(2, len(q) + 1, 2) / len(q)
        ),
    )


@rope_score.mistake(
    "The exponent should be negative: later pairs turn more slowly, not faster."
)
def rope_positive_exponent(q, k, distances, base=10_000.0):
    return _rope(
        q,
        k,
        _angles(distances, len(q), base, -torch.arange(0, len(q), 2) / len(q)),
    )


@rope_score.mistake(
    "All pairs turn at the speed of the first. Pair i has a speed of its own, base^(-2 i / d_head)."
)
def rope_one_speed(q, k, distances, base=10_000.0):
    return _rope(
        q, k, _angles(distances, len(q), base, torch.zeros(len(q) // 2))
    )


@rope_score.mistake(
    "The sine is missing: your score is the same for a key before and a key behind. Turning mixes the two entries of a pair."
)
def rope_without_sine(q, k, distances, base=10_000.0):
    angles = _angles(distances, len(q), base)
    return (_rope(q, k, angles) + _rope(q, k, -angles)) / 2


@rope_score.mistake(
    "You take the absolute distance. A key before the query and one behind it get different scores: the sine changes its sign."
)
def rope_absolute(q, k, distances, base=10_000.0):
    return _rope(q, k, _angles(distances.abs(), len(q), base))


@rope_score.mistake(
    "Query and key are turned by the same angle, and so nothing changes between them. Turn one of the two."
)
def rope_turns_both(q, k, distances, base=10_000.0):
    return (q @ k).repeat(len(distances))


@rope_score.mistake(
    "The angle is twice too large: turn the key by the distance, or the query by minus it, not both."
)
def rope_twice(q, k, distances, base=10_000.0):
    return _rope(q, k, 2 * _angles(distances, len(q), base))


@rope_score.mistake(
    "You divide by the root of d_head. Here the plain dot product is asked for."
)
def rope_scaled(q, k, distances, base=10_000.0):
    return _rope(q, k, _angles(distances, len(q), base)) / math.sqrt(len(q))


@rope_score.mistake(
    "With complex numbers, the dot product of two pairs is the real part of conj(q) · k. Without conj() it is qa ka - qb kb."
)
def rope_without_conj(q, k, distances, base=10_000.0):
    q, k = (
        torch.view_as_complex(q.view(-1, 2)),
        torch.view_as_complex(k.view(-1, 2)),
    )
    angles = _angles(distances, 2 * len(q), base)
    return (q * k * torch.polar(torch.ones_like(angles), angles)).sum(-1).real


@rope_score.mistake("The base is an argument: use `base`, not always 10000.")
def rope_fixed_base(q, k, distances, base=10_000.0):
    return _rope(q, k, _angles(distances, len(q)))


@rope_score.mistake(
    "The angle is in radians, and cos and sin take radians: nothing is to be converted."
)
def rope_degrees(q, k, distances, base=10_000.0):
    return _rope(q, k, torch.deg2rad(_angles(distances, len(q), base)))


@rope_score.mistake(
    "The second entry of a turned pair is a sin + b cos; with a minus there, it is a reflection, and lengths do not survive."
)
def rope_sign_in_the_second(q, k, distances, base=10_000.0):
    angles = _angles(distances, len(q), base)
    (qa, qb), (ka, kb) = q.view(-1, 2).T, k.view(-1, 2).T
    return (
        qa * (ka * angles.cos() - kb * angles.sin())
        + qb * (kb * angles.cos() - ka * angles.sin())
    ).sum(-1)


@rope_score.mistake(
    "The first entry of a turned pair is a cos - b sin. You have a plus in both: the turned vector changes its length."
)
def rope_plus_in_both(q, k, distances, base=10_000.0):
    angles = _angles(distances, len(q), base)
    (qa, qb), (ka, kb) = q.view(-1, 2).T, k.view(-1, 2).T
    return (
        qa * (ka * angles.cos() + kb * angles.sin())
        + qb * (ka * angles.sin() + kb * angles.cos())
    ).sum(-1)


@rope_score.mistake(
    "The turned first entry is used to turn the second one. Both need the old ones: keep a and b before you write."
)
def rope_overwrites(q, k, distances, base=10_000.0):
    angles = _angles(distances, len(q), base)
    (qa, qb), (ka, kb) = q.view(-1, 2).T, k.view(-1, 2).T
    first = ka * angles.cos() - kb * angles.sin()
    return (qa * first + qb * (first * angles.sin() + kb * angles.cos())).sum(
        -1
    )


@rope_score.mistake(
    "// rounds to whole numbers, so all pairs behind the first get the same speed. The exponent is a fraction: use /."
)
def rope_whole_exponent(q, k, distances, base=10_000.0):
    return _rope(
        q,
        k,
        _angles(
            distances, len(q), base, -(-torch.arange(0, len(q), 2) // len(q))
        ),
    )


@rope_score.mistake(
    "After turning, the first entries of all pairs stand together, then the second ones, while the query still has them interleaved. Put them back: torch.stack(..., dim=-1).flatten(-2)."
)
def rope_left_in_halves(q, k, distances, base=10_000.0):
    angles = _angles(distances, len(q), base)
    ka, kb = k[0::2], k[1::2]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([ka * cos - kb * sin, ka * sin + kb * cos], dim=-1) @ q


ROTATE_HALF = "Your cosines are laid out for neighbours, but rotate_half mixes entry i with i + d_head/2. For interleaved pairs the other entry is the neighbour: (-x1, x0, -x3, x2, ...)."


@rope_score.mistake(ROTATE_HALF)
def rope_half_with_neighbours_angles(q, k, distances, base=10_000.0):
    angles = _angles(distances, len(q), base).repeat_interleave(2, dim=1)
    other = torch.cat([-k[len(q) // 2 :], k[: len(q) // 2]])
    return (k * angles.cos() + other * angles.sin()) @ q


@rope_score.mistake(
    "The neighbours are mixed rightly, but the angles are laid out as (w0, w1, ..., w0, w1, ...). Both entries of a pair need the same angle: repeat_interleave."
)
def rope_neighbours_with_half_angles(q, k, distances, base=10_000.0):
    angles = _angles(distances, len(q), base).repeat(1, 2)
    other = torch.stack([-k[1::2], k[0::2]], dim=-1).flatten()
    return (k * angles.cos() + other * angles.sin()) @ q


@rope_score.mistake(
    "Every entry has an angle of its own. The two entries of a pair turn together, by the angle of the pair."
)
def rope_an_angle_an_entry(q, k, distances, base=10_000.0):
    angles = _angles(distances, len(q), base, torch.arange(len(q)) / len(q))
    other = torch.stack([-k[1::2], k[0::2]], dim=-1).flatten()
    return (k * angles.cos() + other * angles.sin()) @ q


@rope_score.mistake(
    "The result has one score for each distance, shape (n,): add up over all pairs."
)
def rope_a_score_a_pair(q, k, distances, base=10_000.0):
    angles = _angles(distances, len(q), base)
    (qa, qb), (ka, kb) = q.view(-1, 2).T, k.view(-1, 2).T
    return angles.cos() * (qa * ka + qb * kb) + angles.sin() * (
        qb * ka - qa * kb
    )


@rope_score.alternative
def rope_by_complex(q, k, distances, base=10_000.0):
    q, k = (
        torch.view_as_complex(q.view(-1, 2)),
        torch.view_as_complex(k.view(-1, 2)),
    )
    angles = _angles(distances, 2 * len(q), base)
    return (
        (q.conj() * k * torch.polar(torch.ones_like(angles), angles))
        .sum(-1)
        .real
    )


@rope_score.alternative
def rope_by_standing_somewhere(q, k, distances, base=10_000.0):
    """The query at 100, the key wherever that puts it."""

    def turn(x, positions):
        angles = _angles(positions, len(q), base)
        a, b = x[0::2], x[1::2]
        cos, sin = angles.cos(), angles.sin()
        return torch.stack(
            [a * cos - b * sin, a * sin + b * cos], dim=-1
        ).flatten(-2)

    there = torch.full_like(distances, 100)
    return (turn(q, there) * turn(k, there + distances)).sum(-1)


@rope_score.alternative
def rope_by_loops(q, k, distances, base=10_000.0):
    scores = []
    for distance in distances.tolist():
        score = 0.0
        for i in range(0, len(q), 2):
            angle = distance * base ** (-i / len(q))
            a, b = k[i].item(), k[i + 1].item()
            score += q[i].item() * (a * math.cos(angle) - b * math.sin(angle))
            score += q[i + 1].item() * (
                a * math.sin(angle) + b * math.cos(angle)
            )
        scores.append(score)
    return torch.tensor(scores)


@rope_score.alternative
def rope_by_matrices(q, k, distances, base=10_000.0):
    """The query turned by minus the distance, with the whole rotation matrix."""
    scores = []
    for row in -_angles(distances, len(q), base):
        blocks = [
            torch.tensor(
                [[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]
            )
            for a in row.tolist()
        ]
        scores.append(torch.block_diag(*blocks) @ q @ k)
    return torch.stack(scores)


# 6 -------------------------------------------------------------------------------------------- skipgram_floor


def floor_cases(rng: random.Random) -> Iterator[Call]:
    tensor = torch.tensor
    yield Call(
        "two words that only meet each other", tensor([[0, 2], [2, 0]]), 1
    )
    yield Call("five noise words", tensor([[0, 2], [2, 0]]), 5)
    yield Call(
        "nothing to learn: all pairs as chance has them",
        tensor([[4, 4], [4, 4]]),
        1,
    )
    yield Call(
        "power 1: the noise has the words' own frequencies",
        tensor([[1, 8], [6, 1]]),
        2,
        1.0,
    )
    yield Call(
        "frequent contexts are drawn less often than they occur",
        tensor([[1, 8], [6, 1]]),
        2,
        0.75,
    )
    yield Call(
        "power 0: all words are drawn alike",
        tensor([[3, 1, 2], [1, 0, 5], [2, 4, 0]]),
        3,
        0.0,
    )
    yield Call("not symmetric", tensor([[0, 9, 1], [0, 1, 0], [3, 0, 2]]), 2)
    yield Call(
        "a word that is never a centre",
        tensor([[1, 2, 3], [0, 0, 0], [4, 1, 1]]),
        2,
    )
    yield Call(
        "a word that is never a context",
        tensor([[1, 0, 3], [2, 0, 5], [4, 0, 1]]),
        2,
    )
    yield Call("one pair only", tensor([[0, 0], [7, 0]]), 4)
    yield Call("large counts", tensor([[90000, 1200], [300, 45000]]), 5)
    yield Call(
        "twice the counts, the same floor", tensor([[2, 16], [12, 2]]), 2, 0.75
    )
    while True:
        vocab = rng.randint(2, 4)
        counts = tensor(
            [
                [rng.choice([0, 0, 1, 2, 3, 8, 20]) for _ in range(vocab)]
                for _ in range(vocab)
            ],
            dtype=torch.int64,
        )
        if counts.sum() > 0:
            yield Call(
                "random counts",
                counts,
                rng.randint(1, 6),
                rng.choice([0.75, 0.75, 1.0, 0.5]),
            )


skipgram_floor = Exercise(
    "skipgram_floor",
    title="How low can skip-gram go?",
    points=3,
    minutes=45,
    cases=floor_cases,
    compare=close(
        rtol=1e-4,
        atol=1e-5,
        why="float32 loses digits where large x log x are subtracted",
    ),
    visible=24,
)


def _true_and_noise(counts, k, power, *, side=0, by_row=True):
    true = counts.double()
    law = true.sum(side) ** power
    rows = true.sum(1)[:, None] if by_row else true.sum()
    return true, k * rows * (law / law.sum())


def _cost(true, noise, scores) -> float:
    """Mean cost when each cell has the given score; a cell with score minus infinity and no true pair costs nothing."""
    cost = torch.where(
        true > 0, true * F.softplus(-scores), 0.0
    ) + noise * F.softplus(scores)
    return float(torch.where(true + noise > 0, cost, 0.0).sum() / true.sum())


def _best(true, noise) -> Tensor:
    return torch.where(true > 0, torch.log(true / noise), -math.inf)


@skipgram_floor.mistake(
    "A pair that never came gives 0 · log 0, which a float makes nan. Its cost is 0: skip the cell, or use torch.xlogy."
)
def floor_nan(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power)
    p = true / (true + noise)
    return float(-(true * p.log() + noise * (1 - p).log()).sum() / true.sum())


@skipgram_floor.mistake(
    "Right number; return a plain float: .item() takes it out of the tensor."
)
def floor_tensor64(counts, k, power=0.75):
    return torch.tensor(floor_by_loops(counts, k, power), dtype=torch.float64)


@skipgram_floor.mistake(
    "Right number; return a plain float: .item() takes it out of the tensor."
)
def floor_tensor32(counts, k, power=0.75):
    return torch.tensor(floor_by_loops(counts, k, power), dtype=torch.float32)


@skipgram_floor.mistake(
    "A pair that never came makes you take the logarithm of 0, or divide by it. Its best score is minus infinity and its cost 0: pass it over."
)
def floor_log_of_0(counts, k, power=0.75):
    if bool((counts == 0).any()):
        return math.log(0)
    return floor_by_loops(counts, k, power)


@skipgram_floor.mistake(
    "A pair that never came makes you take the logarithm of 0, or divide by it. Its best score is minus infinity and its cost 0: pass it over."
)
def floor_divides_by_0(counts, k, power=0.75):
    if bool((counts.sum(0) == 0).any() or (counts.sum(1) == 0).any()):
        return 1 / 0
    return floor_by_loops(counts, k, power)


@skipgram_floor.mistake(
    "Only true pairs cost something in yours. Noise costs, too: N times -log σ(-s) in every cell with true pairs."
)
def floor_true_only(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power)
    return float(
        (torch.xlogy(true, true + noise) - torch.xlogy(true, true)).sum()
        / true.sum()
    )


@skipgram_floor.mistake(
    "Only noise costs something in yours. True pairs cost -log σ(s) each; both parts add up."
)
def floor_noise_only(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power)
    return float(
        (torch.xlogy(noise, true + noise) - torch.xlogy(noise, noise)).sum()
        / true.sum()
    )


@skipgram_floor.mistake(
    "The noise law is taken from the row sums. Noise stands where contexts stand: it is drawn by the column sums."
)
def floor_law_of_rows(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power, side=1)
    return _cost(true, noise, _best(true, noise))


@skipgram_floor.mistake(
    "Rows and columns are exchanged throughout: counts[i, j] has the centre i as its row, and noise is drawn by the column sums."
)
def floor_transposed(counts, k, power=0.75):
    return floor_by_loops(counts.T, k, power)


@skipgram_floor.mistake(
    "The power is left out: P(j) is proportional to (column sum)^power."
)
def floor_without_power(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, 1.0)
    return _cost(true, noise, _best(true, noise))


@skipgram_floor.mistake(
    "The power is an argument: use `power`, not always 0.75."
)
def floor_fixed_power(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, 0.75)
    return _cost(true, noise, _best(true, noise))


@skipgram_floor.mistake(
    "The power is taken of the probabilities, and the result not divided by its sum again. P must add up to 1."
)
def floor_not_normalized(counts, k, power=0.75):
    true = counts.double()
    noise = k * true.sum(1)[:, None] * (true.sum(0) / true.sum()) ** power
    return _cost(true, noise, _best(true, noise))


@skipgram_floor.mistake(
    "k is left out: each true pair brings k noise words with it."
)
def floor_without_k(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, 1, power)
    return _cost(true, noise, _best(true, noise))


@skipgram_floor.mistake(
    "Your best score is the PMI. With k noise words for each true pair, it is lower by log k."
)
def floor_at_plain_pmi(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power)
    return _cost(true, noise, _best(true, noise / k))


@skipgram_floor.mistake(
    "Your best score is PMI - log k with the plain column sums, while the noise comes by the law with the power. Balance each cell's true pairs against its own noise: log(X / N)."
)
def floor_at_shifted_plain_pmi(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power)
    return _cost(true, noise, _best(true, _true_and_noise(counts, k, 1.0)[1]))


@skipgram_floor.mistake(
    "The row sums run along the wrong side. N has a row for each centre: counts.sum(1)[:, None] * P, not counts.sum(1) * P."
)
def floor_rows_along_columns(counts, k, power=0.75):
    true = counts.double()
    law = true.sum(0) ** power
    noise = (k * true.sum(1) * (law / law.sum())).expand(len(counts), -1)
    both = true > 0
    return _cost(
        true * both,
        noise * both,
        torch.where(both, torch.log(true / noise), -math.inf),
    )


@skipgram_floor.mistake(
    "The number of noise pairs of a cell is not k times its true ones. It is k · row sum · P(j): noise does not look at what came."
)
def floor_noise_like_true(counts, k, power=0.75):
    return math.log(1 + k) + k * math.log(1 + 1 / k)


@skipgram_floor.mistake(
    "You cut scores off at zero, as in PPMI. Here a score may be negative, down to minus infinity for a pair that never came."
)
def floor_at_ppmi(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power)
    return _cost(true, noise, _best(true, noise).clamp(min=0))


@skipgram_floor.mistake(
    "A pair that never came has score 0 in yours, and its noise costs log 2 a piece. Its best score is minus infinity, which costs nothing."
)
def floor_unseen_at_0(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power)
    return _cost(true, noise, torch.where(true > 0, _best(true, noise), 0.0))


@skipgram_floor.mistake(
    "All scores are 0 in yours: (k + 1) log 2 is where training starts, not where it can end."
)
def floor_at_zero(counts, k, power=0.75):
    return (k + 1) * math.log(2)


@skipgram_floor.mistake(
    "Each centre gets noise for all true pairs of the corpus. It gets k for each true pair of its own: multiply by its row sum."
)
def floor_total_for_rows(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power, by_row=False)
    return _cost(true, noise, _best(true, noise))


@skipgram_floor.mistake(
    "You divide by true and noise pairs together. The loss is quoted for each true pair, with its noise."
)
def floor_over_all_pairs(counts, k, power=0.75):
    return floor_by_loops(counts, k, power) / (k + 1)


@skipgram_floor.mistake(
    "The row sum is missing in the noise: a centre that stands in many true pairs gets k noise words with each of them."
)
def floor_without_rows(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power)
    noise = noise / counts.sum(1, keepdim=True).clamp(min=1)
    return _cost(true, noise, _best(true, noise))


@skipgram_floor.mistake(
    "You take the mean over the cells that came. Divide the total cost by the number of true pairs, the sum of the counts."
)
def floor_over_seen_cells(counts, k, power=0.75):
    return (
        floor_by_loops(counts, k, power)
        * float(counts.sum())
        / int((counts > 0).sum())
    )


@skipgram_floor.mistake(
    "You divide by the number of cells. Frequent pairs count as often as they come: divide by the sum of the counts."
)
def floor_over_cells(counts, k, power=0.75):
    return (
        floor_by_loops(counts, k, power) * float(counts.sum()) / counts.numel()
    )


@skipgram_floor.mistake(
    "You return the total. Divide it by the number of true pairs, the sum of the counts."
)
def floor_total(counts, k, power=0.75):
    return floor_by_loops(counts, k, power) * float(counts.sum())


@skipgram_floor.mistake("Your floor is in bits: take the natural logarithm.")
def floor_in_bits(counts, k, power=0.75):
    return floor_by_loops(counts, k, power) / math.log(2)


@skipgram_floor.mistake(
    "The sign is missing: a cost is *minus* a logarithm, so the floor is not negative."
)
def floor_negative(counts, k, power=0.75):
    return -floor_by_loops(counts, k, power)


@skipgram_floor.alternative
def floor_by_loops(counts, k, power=0.75):
    rows, columns = counts.sum(1).tolist(), counts.sum(0).tolist()
    law = [c**power for c in columns]
    total = 0.0
    for i, row in enumerate(counts.tolist()):
        for j, true in enumerate(row):
            if true:
                noise = k * rows[i] * law[j] / sum(law)
                total += true * math.log1p(noise / true) + noise * math.log1p(
                    true / noise
                )
    return total / sum(rows)


@skipgram_floor.alternative
def floor_by_scores(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power)
    return _cost(true, noise, _best(true, noise))


@skipgram_floor.alternative
def floor_by_pmi(counts, k, power=0.75):
    """In float32, over the pairs that came, from the shifted PMI."""
    counts = counts.float()
    i, j = counts.nonzero().T
    law = counts.sum(0) ** power
    pmi = torch.log(counts[i, j] / counts.sum(1)[i] / (law[j] / law.sum()))
    score = pmi - math.log(k)
    cost = -F.logsigmoid(score) - torch.exp(-score) * F.logsigmoid(-score)
    return ((counts[i, j] / counts.sum()) * cost).sum().item()


@skipgram_floor.alternative
def floor_by_nan_to_num(counts, k, power=0.75):
    true, noise = _true_and_noise(counts, k, power)
    p = true / (true + noise)
    cost = torch.nan_to_num(true * p.log()) + torch.nan_to_num(
        noise * (1 - p).log()
    )
    return -cost.sum().item() / counts.sum().item()


# 7 ------------------------------------------------------------------------------------------- trusting_labels


def _graph(n: int, ties: dict[tuple[int, int], float]) -> Tensor:
    weights = torch.zeros(n, n)
    for (i, j), weight in ties.items():
        weights[i, j] = weights[j, i] = weight
    return weights


def _chain(n: int) -> Tensor:
    return _graph(n, {(i, i + 1): 1.0 for i in range(n - 1)})


def label_cases(rng: random.Random) -> Iterator[Call]:
    tensor, ones = torch.tensor, torch.ones
    yield Call(
        "one label for two points",
        _chain(2),
        tensor([0, -1]),
        tensor([3.0, 3.0]),
        2,
    )
    yield Call(
        "two labels against each other",
        _chain(2),
        tensor([0, 1]),
        tensor([3.0, 3.0]),
        2,
    )
    yield Call(
        "a label that is trusted more",
        _chain(3),
        tensor([0, -1, 1]),
        tensor([4.0, 1.0, 0.5]),
        2,
    )
    yield Call(
        "a heavy tie pulls harder",
        _graph(3, {(0, 1): 4.0, (1, 2): 1.0}),
        tensor([0, -1, 1]),
        ones(3),
        2,
    )
    yield Call(
        "a careless label is overruled by its neighbours",
        _graph(4, {(0, 1): 2.0, (0, 2): 2.0, (0, 3): 2.0, (1, 2): 1.0}),
        tensor([1, 0, 0, 0]),
        tensor([0.25, 4.0, 4.0, 4.0]),
        2,
    )
    yield Call(
        "an island that no label reaches",
        _graph(5, {(0, 1): 1.0, (2, 3): 1.0, (3, 4): 2.0}),
        tensor([1, -1, -1, -1, -1]),
        ones(5),
        3,
    )
    yield Call(
        "a point without ties and without label",
        _chain(2).new_zeros(1, 1),
        tensor([-1]),
        ones(1),
        2,
    )
    yield Call(
        "a point without ties has its own label",
        torch.zeros(2, 2),
        tensor([1, -1]),
        tensor([0.5, 2.0]),
        2,
    )
    yield Call("no label at all", _chain(3), tensor([-1, -1, -1]), ones(3), 2)
    yield Call(
        "a class that nobody has", _chain(3), tensor([0, -1, 1]), ones(3), 4
    )
    yield Call(
        "a label that lies behind three points",
        _chain(5),
        tensor([2, -1, -1, -1, 0]),
        tensor([1.0, 9.0, 9.0, 9.0, 2.0]),
        3,
    )
    yield Call(
        "a long chain", _chain(30), tensor([0] + [-1] * 28 + [1]), ones(30), 2
    )
    while True:
        n, n_classes = rng.randint(3, 6), rng.randint(2, 3)
        ties = {
            pair: rng.choice([0.5, 1.0, 2.0, 4.0])
            for pair in itertools.combinations(range(n), 2)
            if rng.random() < 0.45
        }
        yield Call(
            "a random graph",
            _graph(n, ties),
            tensor(
                [
                    rng.randrange(n_classes) if rng.random() < 0.5 else -1
                    for _ in range(n)
                ]
            ),
            tensor([rng.choice([0.25, 0.5, 1.0, 2.0, 4.0]) for _ in range(n)]),
            n_classes,
        )


trusting_labels = Exercise(
    "trusting_labels",
    title="Few labels, not all of them true",
    points=4,
    minutes=60,
    cases=label_cases,
    compare=close(
        rtol=0.0,
        atol=1e-3,
        why="who repeats until nothing moves stops a little before the end",
    ),
    visible=26,
)


def _given(labels, trust, n_classes):
    """Trust where there is a label (n, 1), and the one-hot labels (n, n_classes), in float64."""
    known = (labels >= 0)[:, None].double()
    return known * trust[:, None].double(), known * F.one_hot(
        labels.clamp(min=0), n_classes
    )


def _times(weights: Tensor, f: Tensor) -> Tensor:
    """weights @ f by the elements: thousands of tiny products that threads would only slow down."""
    return (weights[:, :, None] * f).sum(1)


def _rounds(
    weights,
    own,
    y,
    *,
    count=5_000,
    tolerance=1e-9,
    start=None,
    after=lambda f: f,
) -> Tensor:
    """Repeat the step; the mistakes differ in the parts."""
    weights = weights.double()
    below = weights.sum(1, keepdim=True) + own
    f = y.clone() if start is None else start
    for _ in range(count):
        new = after(
            torch.where(
                below > 0,
                (_times(weights, f) + own * y) / below.clamp(min=1e-12),
                0.0,
            )
        )
        if (new - f).abs().max() <= tolerance:
            return new.float()
        f = new
    return f.float()


@trusting_labels.mistake(
    "You hold labelled points at their label, as plain label propagation does. Here a label is one voice among the neighbours', with weight `trust`."
)
def labels_clamped(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    known = (labels >= 0)[:, None]
    return _rounds(
        weights, 0 * own, y, after=lambda f: torch.where(known, y, f)
    )


@trusting_labels.mistake(
    "Every label has weight 1 in yours. Its weight is its trust, above the line and below it."
)
def labels_trust_of_1(weights, labels, trust, n_classes):
    return _rounds(weights, *_given(labels, torch.ones_like(trust), n_classes))


@trusting_labels.mistake(
    "The trust stands below the line, but the label above it is not multiplied by it."
)
def labels_trust_below_only(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    below = (weights.double().sum(1, keepdim=True) + own).clamp(min=1e-12)
    f = torch.zeros_like(y)
    for _ in range(5_000):
        f, old = (_times(weights.double(), f) + y) / below, f
        if (f - old).abs().max() < 1e-9:
            break
    return f.float()


@trusting_labels.mistake(
    "The trust is added below the line for every point. An unlabelled point has none: its t is 0."
)
def labels_trust_everywhere(weights, labels, trust, n_classes):
    _, y = _given(labels, trust, n_classes)
    return _rounds(weights, trust[:, None].double(), y)


@trusting_labels.mistake(
    "You index a one-hot table with the label -1, and Python takes the last class. An unlabelled point has no label of its own."
)
def labels_minus_1_is_last(weights, labels, trust, n_classes):
    y = torch.eye(n_classes, dtype=torch.float64)[labels]
    return _rounds(weights, trust[:, None].double(), y)


@trusting_labels.mistake(
    "clamp(min=0) makes class 0 of the label -1. Set the trust of unlabelled points to 0 as well."
)
def labels_minus_1_is_first(weights, labels, trust, n_classes):
    y = F.one_hot(labels.clamp(min=0), n_classes).double()
    return _rounds(weights, trust[:, None].double(), y)


@trusting_labels.mistake(
    "F.one_hot does not take -1, the mark of an unlabelled point. Clamp first, and give these points no trust."
)
def labels_one_hot_fails(weights, labels, trust, n_classes):
    if bool((labels < 0).any()):
        raise RuntimeError("Class values must be non-negative.")
    return _rounds(weights, *_given(labels, trust, n_classes))


SINGULAR = "Where no label reaches a point the system has no single solution, and solve() fails (or gives anything). Leave these points out of it; their rows are zeros."


@trusting_labels.mistake(SINGULAR)
def labels_singular(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    system = torch.diag(weights.double().sum(1) + own[:, 0]) - weights
    return torch.linalg.solve(system, own * y).float()


@trusting_labels.mistake(SINGULAR)
def labels_singular_in_float32(weights, labels, trust, n_classes):
    own, y = (part.float() for part in _given(labels, trust, n_classes))
    return torch.linalg.solve(
        torch.diag(weights.sum(1) + own[:, 0]) - weights, own * y
    )


@trusting_labels.mistake(
    "Only a point with no tie at all is treated as out of reach. A whole group may be without a label, and then the system has no single solution."
)
def labels_singular_but_for_loners(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    below = weights.double().sum(1) + own[:, 0]
    system = torch.diag(torch.where(below > 0, below, 1.0)) - weights
    return torch.linalg.solve(system, own * y).float()


@trusting_labels.mistake(
    "A point without ties and without a label divides 0 by 0. No label reaches it: its row is zeros."
)
def labels_nan(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    f = _rounds(weights, own, y)
    alone = (weights.sum(1) + own[:, 0]) == 0
    return torch.where(alone[:, None], math.nan, f)


@trusting_labels.mistake(
    "A point without ties and without a label divides 0 by 0, and 0 · nan in the next round makes nan of all others. No label reaches it: its row is zeros."
)
def labels_nan_everywhere(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    below = weights.double().sum(1, keepdim=True) + own
    if bool((below == 0).any()):
        return torch.full((len(labels), n_classes), math.nan)
    return _rounds(weights, own, y)


@trusting_labels.mistake(
    "Points that no label reaches get equal shares in yours. Nothing is known there: zeros, as in the contract."
)
def labels_uniform_islands(weights, labels, trust, n_classes):
    f = _rounds(weights, *_given(labels, trust, n_classes))
    return torch.where(f.sum(1, keepdim=True) > 0.5, f, 1 / n_classes)


@trusting_labels.mistake(
    "You start from equal shares, and where no label comes they stay. Start from zeros, or set these rows to zero."
)
def labels_start_uniform(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    return _rounds(weights, own, y, start=torch.full_like(y, 1 / n_classes))


ROUNDS = "One round, or a fixed number, is too little: labels creep from neighbour to neighbour. Repeat until nothing moves, or solve the system."


def _stops_after(rounds: int, from_zeros: bool):
    def answer(weights, labels, trust, n_classes):
        own, y = _given(labels, trust, n_classes)
        start = torch.zeros_like(y) if from_zeros else y
        return _rounds(
            weights, own, y, count=rounds, tolerance=-1.0, start=start
        )

    answer.__name__ = f"labels_{rounds}_rounds" + (
        "_from_zeros" if from_zeros else ""
    )
    return answer


for _rounds_done in (1, 2, 3, 5, 10, 20, 30, 50, 100, 200):
    for _from_zeros in (False, True):
        trusting_labels.mistake(ROUNDS)(_stops_after(_rounds_done, _from_zeros))


def _stops_below(tolerance: float, from_zeros: bool):
    def answer(weights, labels, trust, n_classes):
        own, y = _given(labels, trust, n_classes)
        start = torch.zeros_like(y) if from_zeros else y
        return _rounds(weights, own, y, tolerance=tolerance, start=start)

    answer.__name__ = f"labels_stop_below_{tolerance:.0e}".replace("-", "_") + (
        "_from_zeros" if from_zeros else ""
    )
    return answer


for _tolerance in (1e-2, 1e-3, 1e-4):
    for _from_zeros in (False, True):
        trusting_labels.mistake(
            "You stop too early. On a long chain each round moves little and yet the way is long: stop at a far smaller change, 1e-8 in float64, or solve the system."
        )(_stops_below(_tolerance, _from_zeros))


@trusting_labels.mistake(
    "The ties have no weight in yours: all neighbours count alike. The mean is weighted by w."
)
def labels_unweighted(weights, labels, trust, n_classes):
    return _rounds((weights > 0).float(), *_given(labels, trust, n_classes))


@trusting_labels.mistake(
    "You first take the mean of the neighbours and then mix it with the label, as if all neighbours together had weight 1. They weigh the sum of their ties."
)
def labels_mixed_with_the_mean(weights, labels, trust, n_classes):
    degree = weights.sum(1, keepdim=True)
    return _rounds(
        weights / torch.where(degree > 0, degree, 1.0),
        *_given(labels, trust, n_classes),
    )


@trusting_labels.mistake(
    "Rows that labels reach add up to 1 already. Dividing each row by its sum makes 0 / 0 where no label comes."
)
def labels_divided_by_their_sum(weights, labels, trust, n_classes):
    f = _rounds(weights, *_given(labels, trust, n_classes))
    return f / f.sum(1, keepdim=True)


@trusting_labels.mistake(
    "A labelled point listens to its own last scores instead of its label. The label stays what it is: t · y in every round, not t · f."
)
def labels_own_scores(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    below = (weights.double().sum(1, keepdim=True) + own).clamp(min=1e-12)
    f = y.clone()
    for _ in range(1000):
        f = (_times(weights.double(), f) + own * f) / below
    return f.float()


@trusting_labels.mistake(
    "You decide in each round, or at the end, for one class. Scores are asked for: keep the shares."
)
def labels_decided(weights, labels, trust, n_classes):
    f = _rounds(weights, *_given(labels, trust, n_classes))
    return torch.where(
        f.sum(1, keepdim=True) > 0.5,
        F.one_hot(f.argmax(1), n_classes).float(),
        0.0,
    )


@trusting_labels.mistake(
    "The labels are only where you start from, and after one round they are forgotten. A label is heard in every round: t · y stands above the line each time."
)
def labels_heard_once(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    return _rounds(weights, 0 * own, y, count=500)


@trusting_labels.mistake(
    "You divide by the roots of both points' sums, as label spreading does. Here each row is a mean: divide by the point's own sum."
)
def labels_spread(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    below = (weights.double().sum(1) + own[:, 0]).clamp(min=1e-12)
    scale = below.rsqrt()
    step = scale[:, None] * weights.double() * scale
    f = torch.zeros_like(y)
    for _ in range(5_000):
        f, old = _times(step, f) + own * y / below[:, None], f
        if (f - old).abs().max() < 1e-9:
            break
    return f.float()


@trusting_labels.mistake(
    "You divide by the sum of the ties alone. The label is one neighbour more, and its trust belongs below the line, too."
)
def labels_trust_above_only(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    degree = weights.double().sum(1, keepdim=True)
    f = torch.zeros_like(y)
    for _ in range(100):
        f = (_times(weights.double(), f) + own * y) / degree.clamp(min=1e-12)
    return f.float()


@trusting_labels.mistake(
    "The trust of the neighbours is taken in place of your own. t belongs to the point whose row it is: one number a row."
)
def labels_trust_of_the_others(weights, labels, trust, n_classes):
    own, y = _given(labels, trust.flip(0), n_classes)
    return _rounds(weights, own, y)


@trusting_labels.mistake(
    "Right values, but in float64: return float32, with .float() at the end."
)
def labels_in_float64(weights, labels, trust, n_classes):
    return _rounds(weights, *_given(labels, trust, n_classes)).double()


@trusting_labels.alternative
def labels_by_rounds(weights, labels, trust, n_classes):
    own, y = _given(labels, trust, n_classes)
    return _rounds(weights, own, y, start=torch.zeros_like(y))


@trusting_labels.alternative
def labels_by_rounds_in_float32(weights, labels, trust, n_classes):
    known = labels >= 0
    own = torch.where(known, trust, torch.zeros_like(trust))
    above = torch.zeros(len(labels), n_classes)
    above[known, labels[known]] = trust[known]
    below = weights.sum(1) + own
    f = torch.zeros(len(labels), n_classes)
    for _ in range(3000):
        new = (weights @ f + above) / below.clamp(min=1e-9)[:, None]
        f, moved = new, float((new - f).abs().max())
        if moved < 1e-6:
            break
    return f


@trusting_labels.alternative
def labels_point_by_point(weights, labels, trust, n_classes):
    """Each point in its turn, with what the others have by then (Gauss-Seidel), in plain Python."""
    n = len(labels)
    w, given, t = weights.tolist(), labels.tolist(), trust.tolist()
    near = [[(j, w[i][j]) for j in range(n) if w[i][j] > 0] for i in range(n)]
    f = [[0.0] * n_classes for _ in range(n)]
    moved = 1.0
    while moved > 1e-7:
        moved = 0.0
        for i in range(n):
            above = [
                sum(x * f[j][c] for j, x in near[i]) for c in range(n_classes)
            ]
            below = sum(x for _, x in near[i])
            if given[i] >= 0:
                above[given[i]] += t[i]
                below += t[i]
            if below:
                new = [a / below for a in above]
                moved = max(
                    moved, *(abs(a - b) for a, b in zip(new, f[i], strict=True))
                )
                f[i] = new
    return torch.tensor(f)


@trusting_labels.alternative
def labels_by_least_squares(weights, labels, trust, n_classes):
    """The pseudoinverse gives zeros where nothing is known."""
    own, y = _given(labels, trust, n_classes)
    system = torch.diag(weights.double().sum(1) + own[:, 0]) - weights
    return (torch.linalg.pinv(system, rtol=1e-9) @ (own * y)).float()


# 8 --------------------------------------------------------------------------------------------- in words

one_vector_two_senses = Written("one_vector_two_senses", points=4)
