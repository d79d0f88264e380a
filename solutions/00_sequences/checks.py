"""How the exercises of chapter 00 are judged: cases, known mistakes with hints, other right answers."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import torch

from lmcourse.authoring.spec import Call, Exercise, Written
from lmcourse.exercises.compare import close

WORDS = ["the", "tide", "boat", "is", "low", "late", "a", "harbour"]


def some_documents(rng: random.Random, words: list[str]) -> list[list[str]]:
    lengths = [
        rng.choice([0, 1, 2, 4, 6, 9]) for _ in range(rng.randrange(1, 5))
    ]
    return [rng.choices(words, k=length) for length in lengths]


# 1 ---------------------------------------------------------------------------------------------- ngram_counts


def ngram_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("one document, pairs", [["high", "tide"]], 2)
    yield Call(
        "single words, and a document without any", [["no", "no"], []], 1
    )
    yield Call(
        "two documents: no pair across the border", [["a", "b"], ["c", "d"]], 2
    )
    yield Call("three at a time: two marks of the start", [["a", "b"]], 3)
    yield Call("an empty document has a start and an end", [[]], 2)
    yield Call("a document shorter than n", [["a"]], 4)
    yield Call("no documents", [], 2)
    yield Call("the same pair in two documents", [["a", "b"], ["a", "b"]], 2)
    yield Call("n-grams overlap", [["a", "a", "a", "a"]], 2)
    yield Call("single words that return", [["a", "b", "a"], ["a"]], 1)
    yield Call(
        "words that spell the same when joined", [["a", "bc"], ["ab", "c"]], 3
    )
    while True:
        words = rng.sample(WORDS, k=rng.randrange(2, 5))
        yield Call(
            "random documents", some_documents(rng, words), rng.randrange(1, 5)
        )


ngram_counts = Exercise(
    "ngram_counts",
    title="Count n-grams",
    points=1,
    minutes=5,
    cases=ngram_cases,
    visible=16,
)


def _ngrams(documents, n, *, starts=None, ends=1, size=None, step=1, key=tuple):
    starts, size = (
        n - 1 if starts is None else starts,
        n if size is None else size,
    )
    counts = Counter()
    for document in documents:
        padded = ["<s>"] * starts + document + ["</s>"] * ends
        for place in range(0, len(padded) - size + 1, step):
            counts[key(padded[place : place + size])] += 1
    return dict(counts)


@ngram_counts.mistake(
    "An n-gram reaches from one document into the next. Pad and count each document for itself."
)
def ngrams_across(documents, n):
    return _ngrams([[word for document in documents for word in document]], n)


@ngram_counts.mistake(
    "You mark the documents, but then count over all in one row: some n-grams hold the end of one and the start of the next."
)
def ngrams_across_marks(documents, n):
    row = [
        word
        for document in documents
        for word in ["<s>"] * (n - 1) + document + ["</s>"]
    ]
    return _ngrams([row], n, starts=0, ends=0)


@ngram_counts.mistake(
    "One '<s>' is not enough for longer n-grams: the first word has n - 1 marks before it. For n = 1 there is none."
)
def ngrams_one_start(documents, n):
    return _ngrams(documents, n, starts=1)


@ngram_counts.mistake(
    "One '<s>' is not enough for longer n-grams: the first word has n - 1 marks before it."
)
def ngrams_one_start_but_for_words(documents, n):
    return _ngrams(documents, n, starts=min(n - 1, 1))


@ngram_counts.mistake(
    "The marks of the start are missing. What the first word follows is n - 1 times '<s>'."
)
def ngrams_no_start(documents, n):
    return _ngrams(documents, n, starts=0)


@ngram_counts.mistake(
    "The n-grams with '</s>' are missing: either the mark was not put behind the document, or the loop stops one place early."
)
def ngrams_no_end(documents, n):
    return _ngrams(documents, n, ends=0)


@ngram_counts.mistake(
    "Both marks are missing: n - 1 times '<s>' before each document and one '</s>' behind it."
)
def ngrams_no_marks(documents, n):
    return _ngrams(documents, n, starts=0, ends=0)


@ngram_counts.mistake(
    "One mark of the end is enough, for nothing comes after it. Only the start needs n - 1 of them."
)
def ngrams_many_ends(documents, n):
    return _ngrams(documents, n, ends=n - 1)


@ngram_counts.mistake(
    "One mark of the end is enough, for nothing comes after it. For n = 1, too: that a document ends is a word of it."
)
def ngrams_many_ends_but_one_for_words(documents, n):
    return _ngrams(documents, n, ends=max(n - 1, 1))


@ngram_counts.mistake(
    "There is one '<s>' too many: an n-gram of nothing but marks predicts nothing. n - 1 are enough."
)
def ngrams_n_starts(documents, n):
    return _ngrams(documents, n, starts=n)


@ngram_counts.mistake(
    "Your loop runs to the end of the document, so the last tuples are shorter than n. Stop while n words are left."
)
def ngrams_with_short_ones(documents, n):
    counts = Counter()
    for document in documents:
        padded = ["<s>"] * (n - 1) + document + ["</s>"]
        counts.update(
            tuple(padded[place : place + n]) for place in range(len(padded))
        )
    return dict(counts)


@ngram_counts.mistake(
    "Your n-grams do not overlap. After an n-gram go on by one word, not by n."
)
def ngrams_side_by_side(documents, n):
    return _ngrams(documents, n, step=n)


@ngram_counts.mistake(
    "Each n-gram is counted once. Count every time that it occurs."
)
def ngrams_as_types(documents, n):
    return dict.fromkeys(_ngrams(documents, n), 1)


@ngram_counts.mistake(
    "Each document counts an n-gram once. Count every time that it occurs, inside one document, too."
)
def ngrams_once_a_document(documents, n):
    return dict(
        Counter(
            gram for document in documents for gram in _ngrams([document], n)
        )
    )


@ngram_counts.mistake(
    "Keys are tuples of n words, also for n = 1: ('no',) and not 'no'. The comma makes the tuple."
)
def ngrams_words_bare(documents, n):
    counts = _ngrams(documents, n)
    return (
        {gram[0]: count for gram, count in counts.items()} if n == 1 else counts
    )


@ngram_counts.mistake(
    "Keys are tuples of words, not texts: joined, ('a', 'bc') and ('ab', 'c') may become the same."
)
def ngrams_joined(documents, n):
    return _ngrams(documents, n, key=" ".join)


@ngram_counts.mistake(
    "You return a dictionary of dictionaries. Wanted is one, from each whole n-gram, its last word included, to a number."
)
def ngrams_nested(documents, n):
    nested = {}
    for gram, count in _ngrams(documents, n).items():
        nested.setdefault(gram[:-1], {})[gram[-1]] = count
    return nested


@ngram_counts.mistake(
    "Not the number of times but its share: return counts, whole numbers. Dividing comes later."
)
def ngrams_as_shares(documents, n):
    counts = _ngrams(documents, n)
    return {
        gram: count / sum(counts.values()) for gram, count in counts.items()
    }


@ngram_counts.mistake(
    "You always count pairs: how many words an n-gram has is `n`."
)
def ngrams_always_pairs(documents, n):
    return _ngrams(documents, 2)


@ngram_counts.mistake(
    "A document without words is left out. It begins and ends, too: n - 1 times '<s>' and then '</s>'."
)
def ngrams_without_empty_documents(documents, n):
    return _ngrams([document for document in documents if document], n)


@ngram_counts.mistake(
    "Only the first document is counted: `return` stands inside the loop, so it never comes to the second."
)
def ngrams_of_the_first(documents, n):
    return _ngrams(documents[:1], n)


@ngram_counts.mistake(
    "Only the last document is counted: make the empty counter once, before the loop over documents."
)
def ngrams_of_the_last(documents, n):
    return _ngrams(documents[-1:], n)


@ngram_counts.mistake(
    "The first time that an n-gram occurs counts, too: it begins with 1, not with 0."
)
def ngrams_from_zero(documents, n):
    return {gram: count - 1 for gram, count in _ngrams(documents, n).items()}


@ngram_counts.mistake(
    "Two things at once. There are n - 1 marks '<s>', not always one; and behind the document stands one '</s>'."
)
def ngrams_one_start_no_end(documents, n):
    return _ngrams(documents, n, starts=1, ends=0)


@ngram_counts.mistake(
    "Too many marks: n - 1 times '<s>' before each document and one '</s>' behind it, not n of each."
)
def ngrams_n_of_each(documents, n):
    return _ngrams(documents, n, starts=n, ends=n)


@ngram_counts.mistake(
    "A list cannot be a key of a dictionary, since it can change. Make a tuple of the slice: tuple(padded[i:i + n])."
)
def ngrams_lists_as_keys(documents, n):
    return _ngrams(documents, n, key=list)


@ngram_counts.mistake(
    "Your n-grams have n + 1 words: n counts the predicted word, too, so its context has n - 1."
)
def ngrams_one_longer(documents, n):
    return _ngrams(documents, n, starts=n, size=n + 1)


@ngram_counts.mistake(
    "You changed the documents that were passed in. Make a new list: ['<s>'] * (n - 1) + document + ['</s>']."
)
def ngrams_in_place(documents, n):
    for document in documents:
        document[:0] = ["<s>"] * (n - 1)
        document.append("</s>")
    return _ngrams(documents, n, starts=0, ends=0)


@ngram_counts.alternative
def ngrams_by_zip(documents, n):
    counts = defaultdict(int)
    for document in documents:
        padded = [*itertools.repeat("<s>", n - 1), *document, "</s>"]
        for gram in zip(*(padded[shift:] for shift in range(n)), strict=False):
            counts[gram] += 1
    return counts


@ngram_counts.alternative
def ngrams_by_history(documents, n):
    counts = {}
    for document in documents:
        history = ("<s>",) * (n - 1)
        for word in [*document, "</s>"]:
            gram = (*history, word)
            counts[gram] = counts.get(gram, 0) + 1
            history = gram[1:]
    return counts


# 2 ------------------------------------------------------------------------------------------ predict_perplexity


def predict_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("your four perplexities")


predict_perplexity = Exercise(
    "predict_perplexity",
    title="Predict the perplexity",
    points=1,
    minutes=10,
    cases=predict_cases,
    secret=True,
)

RIGHT = [6, 8, 2, 4]
WHOLE = "that is 1/p of the whole text. Take its {} root: per token."
LENGTH = "how long the text is plays no part, perplexity is per token."
BITS = "those are the bits per token. Perplexity is 2 to that power."
ALL_BITS = "those are the bits of the whole text. Divide by its tokens, and take 2 to that power."
SEEN = "the text was never seen as a whole, but each pair of it was: no factor is 0."
MEAN = "perplexities are not averaged, weighted or not. Average bits per token, each part by its length."
# Wrong answers to each of the four, with what to say to them.
WRONG = [
    {6**100: WHOLE.format("100th"), 100: LENGTH, 600: LENGTH},
    {
        10: "you average 1/p. It is logarithms that are averaged: 2, 4, 2 and 4 bits.",
        4096: WHOLE.format("fourth"),
        12: ALL_BITS,
        3: BITS,
    },
    {
        32: "that is 1/p of the whole text. Take its fifth root: four words and the end are five tokens.",
        1: BITS,
        5: ALL_BITS,
        math.inf: SEEN,
        0: SEEN,
    },
    {
        17: MEAN,
        8: "averaging bits is right; but one part has three times as many tokens.",
        9: MEAN,
        10: MEAN,
        34: "perplexities do not add up. Average bits per token, each part by its length.",
        64: "perplexities are not multiplied. Average bits per token, each part by its length.",
        2: BITS,
    },
]
# So frequent that two may come together: (which of the four, what is answered).
FREQUENT = [(1, 10), (1, 4096), (2, 32), (3, 17), (3, 8)]


def _register_prediction(name, answer, hint):
    def predict():
        return answer

    predict.__name__ = f"predict_{name}"
    predict_perplexity.mistake(hint)(predict)


def _register_wrong(*values):
    """Register the right answers but for `values`, each the number of a question and what is answered there."""
    wrong = dict(values)
    ordinals = ["first", "second", "third", "fourth"]
    hint = " ".join(
        f"The {ordinals[which]}: {WRONG[which][value]}"
        for which, value in values
    )
    name = "_".join(f"{ordinals[which]}_{value}" for which, value in values)
    _register_prediction(
        name,
        [wrong.get(which, value) for which, value in enumerate(RIGHT)],
        hint,
    )


for _which, _values in enumerate(WRONG):
    for _value in _values:
        _register_wrong((_which, _value))
for _one, _two in itertools.combinations(FREQUENT, 2):
    if _one[0] != _two[0]:
        _register_wrong(_one, _two)
for _name, _answer in {
    "floats": [float(value) for value in RIGHT],
    "tuple": tuple(RIGHT),
    "texts": [str(value) for value in RIGHT],
    "dictionary": dict(enumerate(RIGHT, start=1)),
}.items():
    _register_prediction(
        _name,
        _answer,
        "Right numbers; write them as a list of four whole numbers: [6, ...], not 6.0.",
    )


@predict_perplexity.mistake(
    "Those are bits per token, the logarithms of perplexities. Perplexity is 2 to that power."
)
def predict_bits():
    return [math.log2(6), 3, 1, 2]


@predict_perplexity.mistake(
    "Those are bits per token, the logarithms of perplexities. Perplexity is 2 to that power."
)
def predict_bits_as_floats():
    return [math.log2(6), 3.0, 1.0, 2.0]


@predict_perplexity.mistake(
    "In the third, the end of the text is a token like the others: five factors, and the fifth root."
)
def predict_without_end():
    return [6, 8, 32 ** (1 / 4), 4]


@predict_perplexity.alternative
def predict_by_computing():
    lines = [
        "the tide is low",
        "a boat is late",
        "we saw the boat",
        "one storm came",
    ]
    counts = _ngrams([line.split() for line in lines], 2)
    text = ["<s>", "the", "boat", "is", "low", "</s>"]
    bits = 0.0
    for pair in itertools.pairwise(text):
        after = sum(
            count for gram, count in counts.items() if gram[0] == pair[0]
        )
        bits -= math.log2(counts[pair] / after)
    die = (6**100) ** (1 / 100)
    four = math.prod([1 / 4, 1 / 16, 1 / 4, 1 / 16]) ** (-1 / 4)
    parts = 2 ** ((300 * math.log2(2) + 100 * math.log2(32)) / 400)
    return [round(value) for value in (die, four, 2 ** (bits / 5), parts)]


# 3 ------------------------------------------------------------------------------------------ corpus_perplexity


def perplexity_cases(rng: random.Random) -> Iterator[Call]:
    yield Call(
        "three easy tokens and a hard one, in two documents",
        [[1 / 2, 1 / 2, 1 / 2], [1 / 32]],
    )
    yield Call("a document without tokens", [[1 / 4], []])
    yield Call(
        "a token that the model called impossible", [[1 / 2], [0.0, 1 / 2]]
    )
    yield Call("no token at all", [[], []])
    yield Call("no document", [])
    yield Call("a fair coin", [[1 / 2, 1 / 2, 1 / 2]])
    yield Call("a model that is always sure, and right", [[1.0, 1.0], [1.0]])
    yield Call("one document", [[1 / 4, 1 / 16, 1 / 4, 1 / 16]])
    yield Call("a long document of rare tokens", [[1 / 1024] * 120, [1 / 2]])
    yield Call(
        "a long document, and one impossible token", [[1 / 1024] * 120, [0.0]]
    )
    yield Call("nothing but an impossible token", [[0.0]])
    yield Call("documents of equal length", [[1 / 2, 1 / 8], [1 / 4, 1 / 32]])
    while True:
        lengths = [
            rng.choice([0, 1, 2, 5, 9]) for _ in range(rng.randrange(1, 5))
        ] + [3]
        documents = [
            [round(rng.uniform(0.01, 1), 3) for _ in range(length)]
            for length in lengths
        ]
        if rng.random() < 0.1:
            documents[-1][rng.randrange(3)] = 0.0
        yield Call("random documents", documents)


corpus_perplexity = Exercise(
    "corpus_perplexity",
    title="Repair the perplexity",
    points=2,
    minutes=15,
    cases=perplexity_cases,
    compare=close(
        rtol=1e-5,
        atol=1e-9,
        why="float32 is enough here: sums of logarithms differ in the seventh digit",
    ),
    visible=20,
)


def _log(p, *, zero):
    if p == 0 and zero == "infinite":
        return -math.inf
    return math.log(p)


def _pooled(documents):
    return [p for document in documents for p in document]


def _repaired_in_part(
    documents, *, mixed, by_document, zero_fails, empty_fails
):
    """The colleague's function with some of its faults repaired."""
    zero = "fails" if zero_fails else "infinite"
    if by_document:
        parts = (
            documents
            if empty_fails
            else [document for document in documents if document]
        )
    else:
        parts = [_pooled(documents)]
    if not empty_fails and not _pooled(documents):
        raise ValueError("no token")
    losses = [
        -sum(_log(p, zero=zero) for p in part) / len(part) for part in parts
    ]
    values = [
        math.exp(loss / math.log(2) if mixed else loss) for loss in losses
    ]
    return sum(values) / len(values)


FAULTS = {
    "mixed": "log2 goes with 2 **, and math.log with math.exp: one counts bits, the other nats",
    "by_document": "the mean goes over all tokens, not over documents: a document of three tokens counts three times as much as one of a single token",
    "zero_fails": "a probability of 0 has no logarithm, but it is no error: the perplexity is math.inf then",
    "empty_fails": "a document without tokens adds nothing, and with no token at all ValueError is raised: you divide by 0",
}


def _register_faults() -> None:
    for count in range(1, len(FAULTS) + 1):
        for left in itertools.combinations(FAULTS, count):

            def answer(documents, left=left):
                return _repaired_in_part(
                    documents, **{fault: fault in left for fault in FAULTS}
                )

            answer.__name__ = "perplexity_left_" + "_".join(left)
            number = {
                1: "One thing is",
                2: "Two things are",
                3: "Three things are",
                4: "All four things are",
            }
            corpus_perplexity.mistake(
                f"{number[count]} still wrong: {'; '.join(FAULTS[fault] for fault in left)}."
            )(answer)


_register_faults()


def _total_bits(documents):
    """Bits of all documents together and the number of their tokens, where that can be said."""
    probabilities = _pooled(documents)
    if not probabilities:
        raise ValueError("no token")
    return -sum(math.log2(p) if p else -math.inf for p in probabilities), len(
        probabilities
    )


@corpus_perplexity.mistake(
    "You average the probabilities. It is their logarithms that are averaged: perplexity is 1 / geometric mean."
)
def perplexity_mean_probability(documents):
    _, tokens = _total_bits(documents)
    total = sum(_pooled(documents))
    return tokens / total if total and 0 not in _pooled(documents) else math.inf


@corpus_perplexity.mistake(
    "You average the probabilities. It is their logarithms that are averaged: perplexity is 1 / geometric mean."
)
def perplexity_mean_probability_unguarded(documents):
    _, tokens = _total_bits(documents)
    total = sum(_pooled(documents))
    return tokens / total if total else math.inf


@corpus_perplexity.mistake(
    "You average 1/p over the tokens. Average the logarithms instead, and take exp() of the mean."
)
def perplexity_mean_inverse(documents):
    _, tokens = _total_bits(documents)
    return sum(1 / p if p else math.inf for p in _pooled(documents)) / tokens


@corpus_perplexity.mistake(
    "That is the loss, in nats per token. The perplexity is e to that power: math.exp(loss)."
)
def perplexity_nats(documents):
    bits, tokens = _total_bits(documents)
    return bits * math.log(2) / tokens


@corpus_perplexity.mistake(
    "That is the loss, in bits per token. The perplexity is 2 to that power: 2 ** loss."
)
def perplexity_bits(documents):
    bits, tokens = _total_bits(documents)
    return bits / tokens


@corpus_perplexity.mistake(
    "math.log counts in nats and goes with math.exp; 2 ** belongs to math.log2. You mixed them the other way round."
)
def perplexity_mixed_the_other_way(documents):
    bits, tokens = _total_bits(documents)
    return 2 ** (bits * math.log(2) / tokens)


@corpus_perplexity.mistake(
    "The documents' losses are averaged, each as much as the other. A document of ten tokens counts ten times as much as one of a single token."
)
def perplexity_geometric_over_documents(documents):
    _total_bits(documents)
    losses = [
        bits / tokens
        for bits, tokens in (_total_bits([d]) for d in documents if d)
    ]
    return 2 ** (sum(losses) / len(losses))


@corpus_perplexity.mistake(
    "You weight by length, which is right, but perplexities cannot be averaged: average their logarithms, the losses."
)
def perplexity_weighted_over_documents(documents):
    _, total = _total_bits(documents)
    parts = [_total_bits([document]) for document in documents if document]
    return sum(tokens * 2 ** (bits / tokens) for bits, tokens in parts) / total


@corpus_perplexity.mistake(
    "You divide by the number of documents. The mean goes over tokens: add up their number."
)
def perplexity_divides_by_documents(documents):
    bits, _ = _total_bits(documents)
    return _two_to(bits / len(documents))


@corpus_perplexity.mistake(
    "You forgot to divide by the number of tokens: that is 1/p of the whole text, and it grows with its length."
)
def perplexity_of_the_whole(documents):
    bits, _ = _total_bits(documents)
    return _two_to(bits)


def _two_to(bits):
    return math.exp2(bits) if bits < 1024 or math.isinf(bits) else math.inf


@corpus_perplexity.mistake(
    "You left out the tokens with probability 0. They are the worst that can happen to a model: the perplexity is infinite."
)
def perplexity_skips_zeros(documents):
    kept = [p for p in _pooled(documents) if p > 0]
    bits, tokens = _total_bits([kept]) if kept else _total_bits(documents)
    return 2 ** (bits / tokens)


@corpus_perplexity.mistake(
    "You left out the tokens with probability 0 but still count them. The perplexity is infinite then: the model was sure, and wrong."
)
def perplexity_zeros_for_free(documents):
    _, tokens = _total_bits(documents)
    return 2 ** (
        sum(-math.log2(p) for p in _pooled(documents) if p > 0) / tokens
    )


SMALL = "A small number in place of 0 makes a large perplexity out of an infinite one. It is infinite: return math.inf."


def _with_floor(small, add):
    def answer(documents):
        _total_bits(documents)
        probabilities = [
            p + small if add else max(p, small) for p in _pooled(documents)
        ]
        return 2 ** (-sum(map(math.log2, probabilities)) / len(probabilities))

    return answer


for _power, _add in itertools.product((6, 8, 9, 10, 12, 15), (False, True)):
    _wrong = _with_floor(10.0**-_power, _add)
    _wrong.__name__ = f"perplexity_{'adds' if _add else 'at_least'}_1e_{_power}"
    corpus_perplexity.mistake(SMALL)(_wrong)

UNDERFLOW = "The product of many probabilities is 0 in a float, and then nothing can be told from it. Add up logarithms instead."


@corpus_perplexity.mistake(UNDERFLOW)
def perplexity_product(documents):
    _, tokens = _total_bits(documents)
    product = math.prod(_pooled(documents))
    return product ** (-1 / tokens) if product else math.inf


@corpus_perplexity.mistake(UNDERFLOW)
def perplexity_product_fails(documents):
    _, tokens = _total_bits(documents)
    if 0 in _pooled(documents):
        return math.inf
    return (1 / math.prod(_pooled(documents))) ** (1 / tokens)


@corpus_perplexity.mistake(UNDERFLOW)
def perplexity_product_unguarded(documents):
    _, tokens = _total_bits(documents)
    return math.prod(_pooled(documents)) ** (-1 / tokens)


@corpus_perplexity.mistake(
    "The minus is missing: the result is a mean probability, below 1. Perplexity is 1 over that."
)
def perplexity_upside_down(documents):
    bits, tokens = _total_bits(documents)
    return 2 ** (-bits / tokens)


@corpus_perplexity.mistake(
    "A probability of 0 gives an infinite perplexity, and a perplexity of 0 would be better than perfect, which is 1."
)
def perplexity_zero_for_zero(documents):
    bits, tokens = _total_bits(documents)
    return 0.0 if math.isinf(bits) else 2 ** (bits / tokens)


@corpus_perplexity.mistake(
    "Only a collection with no token at all is refused. One empty document among others adds nothing: go on."
)
def perplexity_refuses_empty_documents(documents):
    bits, tokens = _total_bits(documents)
    if any(not document for document in documents):
        raise ValueError("an empty document")
    return 2 ** (bits / tokens)


def _for_nothing(value):
    def answer(documents):
        if not _pooled(documents):
            return value
        bits, tokens = _total_bits(documents)
        return 2 ** (bits / tokens)

    return answer


for _name, _value in {
    "zero": 0.0,
    "one": 1.0,
    "inf": math.inf,
    "nan": math.nan,
    "none": None,
}.items():
    _wrong = _for_nothing(_value)
    _wrong.__name__ = f"perplexity_of_nothing_is_{_name}"
    corpus_perplexity.mistake(
        "With no token at all you return something, which looks like a result. Raise ValueError."
    )(_wrong)


@corpus_perplexity.mistake(
    "With no token at all ValueError is to be raised: `raise ValueError(...)`, not `return`."
)
def perplexity_returns_the_error(documents):
    return _for_nothing(ValueError("no token"))(documents)


@corpus_perplexity.mistake(
    "A geometric mean is the right idea, but the library's refuses a probability of 0. The perplexity is math.inf then."
)
def perplexity_by_the_librarys_mean(documents):
    bits, tokens = _total_bits(documents)
    if math.isinf(bits):
        raise statistics.StatisticsError(
            "geometric mean requires positive numbers"
        )
    return 2 ** (bits / tokens)


@corpus_perplexity.mistake(
    "Infinity is a float, not a text: return math.inf or float('inf')."
)
def perplexity_writes_inf(documents):
    bits, tokens = _total_bits(documents)
    return "inf" if math.isinf(bits) else 2 ** (bits / tokens)


@corpus_perplexity.mistake(
    f"Two things are still wrong: {FAULTS['by_document']}; and one empty document among others is no error, it adds nothing."
)
def perplexity_by_document_refuses_empty(documents):
    if not documents or any(not document for document in documents):
        raise ValueError("an empty document")
    return _repaired_in_part(
        documents,
        mixed=False,
        by_document=True,
        zero_fails=False,
        empty_fails=False,
    )


def _as_tensor(dtype):
    def answer(documents):
        bits, tokens = _total_bits(documents)
        return torch.tensor(2 ** (bits / tokens), dtype=dtype)

    return answer


for _dtype in (torch.float32, torch.float64):
    _wrong = _as_tensor(_dtype)
    _wrong.__name__ = (
        f"perplexity_as_{str(_dtype).removeprefix('torch.')}_tensor"
    )
    corpus_perplexity.mistake(
        "You return a tensor. A number is wanted: value.item() or float(value)."
    )(_wrong)


@corpus_perplexity.alternative
def perplexity_in_bits(documents):
    bits, tokens = _total_bits(documents)
    return 2 ** (bits / tokens)


@corpus_perplexity.alternative
def perplexity_by_loop(documents):
    nats, tokens = 0.0, 0
    for document in documents:
        for p in document:
            nats += math.inf if p == 0 else -math.log(p)
            tokens += 1
    if tokens == 0:
        raise ValueError("no token")
    return math.e ** (nats / tokens)


@corpus_perplexity.alternative
def perplexity_in_torch(documents):
    probabilities = torch.tensor(_pooled(documents))  # float32
    if len(probabilities) == 0:
        raise ValueError("no token")
    return (-probabilities.log().mean()).exp().item()


@corpus_perplexity.alternative
def perplexity_in_numpy(documents):
    if not any(documents):
        raise ValueError("no token")
    with np.errstate(divide="ignore"):
        return np.exp(-np.log(np.concatenate(documents)).mean())


# 4 --------------------------------------------------------------------------------------------- next_word_law


def law_cases(rng: random.Random) -> Iterator[Call]:
    small, vocab = [["a", "b"], ["a"]], ["a", "b", "</s>"]
    yield Call("the empty context", small, [], vocab)
    yield Call("one word", small, ["a"], vocab)
    yield Call(
        "a context that was never seen: ask the shorter one",
        small,
        ["b", "a"],
        vocab,
    )
    yield Call("the first word of a document", small, ["<s>"], vocab)
    yield Call("the second word of a document", small, ["<s>", "a"], vocab)
    yield Call("no document: nothing is known", [], ["a"], vocab)
    yield Call("an unknown word is nearest", small, ["z"], vocab)
    yield Call("the unknown word is further back", small, ["z", "a"], vocab)
    yield Call(
        "two words back, both known",
        [["a", "b", "c", "a", "b", "d"]],
        ["a", "b"],
        [*"abcd", "</s>"],
    )
    yield Call(
        "a word of the vocabulary that never occurs",
        small,
        ["a"],
        [*vocab, "never"],
    )
    yield Call("an empty document begins and ends", [[], ["a"]], ["<s>"], vocab)
    yield Call(
        "a context as long as n-grams get",
        [["a", "b"]],
        ["<s>", "<s>", "<s>", "a"],
        vocab,
    )
    yield Call(
        "the border of two documents is no pair",
        [["a", "b"], ["c", "a"]],
        ["b"],
        [*"abc", "</s>"],
    )
    yield Call(
        "the nearest words count, not the first",
        [["a", "b", "c"], ["c"]],
        ["b", "a"],
        [*"abc", "</s>"],
    )
    while True:
        words = rng.sample(WORDS, k=rng.randrange(2, 5))
        documents = [
            document
            for _ in range(2)
            for document in some_documents(rng, words)
        ]
        start = rng.random() < 0.3
        context = ["<s>"] * rng.randrange(1, 3) * start + rng.choices(
            words, k=rng.randrange(0, 3)
        )
        vocab = [*words, "</s>", "never"]
        rng.shuffle(vocab)
        yield Call("random documents", documents, context, vocab)


next_word_law = Exercise(
    "next_word_law",
    title="Ask the shorter context",
    points=3,
    minutes=35,
    cases=law_cases,
    compare=close(
        rtol=1e-5,
        atol=1e-7,
        why="float32 is enough here: a few sums and quotients differ in the seventh digit",
    ),
    visible=24,
)


def _followers(documents, history, *, starts=None, end=True, past_start=False):
    """How often each word follows `history`; the flags make mistakes of it."""
    length = len(history)
    counts = Counter()
    for document in documents:
        padding = length if starts is None else starts
        padded = ["<s>"] * padding + document + ["</s>"] * end
        for place in range(length, len(padded)):
            if padded[place - length : place] == list(history) and (
                past_start or padded[place] != "<s>"
            ):
                counts[padded[place]] += 1
    return counts


def _histories(context):
    return [
        context[len(context) - length :] for length in range(len(context) + 1)
    ]


def _law(
    documents,
    context,
    vocab,
    *,
    histories=None,
    mix=None,
    count=_followers,
    base=None,
):
    """Witten and Bell's recursion; `mix(c, N, T, lower, V)` and the rest can be wrong."""
    mix = mix or (lambda c, n, t, lower, v: (c + t * lower) / (n + t))
    law = {word: 1 / len(vocab) if base is None else base for word in vocab}
    for history in _histories(context) if histories is None else histories:
        followers = count(documents, history)
        total, types = sum(followers.values()), len(followers)
        if total:
            law = {
                w: mix(followers[w], total, types, law[w], len(vocab))
                for w in vocab
            }
    return law


@next_word_law.mistake(
    "After a context that was never seen you give every word the same. Ask the shorter context: P(w | h) is P(w | h') then."
)
def law_unseen_is_uniform(documents, context, vocab):
    if not _followers(documents, context):
        return {word: 1 / len(vocab) for word in vocab}
    return _law(documents, context, vocab)


@next_word_law.mistake(
    "A context that was never seen has N = T = 0, and you divide by it. P(w | h) is P(w | h') then: keep the shorter context's law."
)
def law_divides_by_zero(documents, context, vocab):
    law = {word: 1 / len(vocab) for word in vocab}
    for history in _histories(context):
        followers = _followers(documents, history)
        total, types = sum(followers.values()), len(followers)
        law = {
            word: (followers[word] + types * law[word]) / (total + types)
            for word in vocab
        }
    return law


@next_word_law.mistake(
    "A context that was never seen gives 0 for every word. P(w | h) is P(w | h') then: keep the shorter context's law."
)
def law_unseen_is_zero(documents, context, vocab):
    law = {word: 1 / len(vocab) for word in vocab}
    for history in _histories(context):
        followers = _followers(documents, history)
        total, types = sum(followers.values()), len(followers)
        law = {
            w: (followers[w] + types * law[w]) / (total + types)
            if total
            else 0.0
            for w in vocab
        }
    return law


@next_word_law.mistake(
    "Your shorter contexts keep the far end: h' is h without its *oldest* word, the first. For ['b', 'a'] ask ['a'] next."
)
def law_drops_the_nearest(documents, context, vocab):
    histories = [context[:length] for length in range(len(context) + 1)]
    return _law(documents, context, vocab, histories=histories)


@next_word_law.mistake(
    "The empty context is never asked. If you write context[-length:]: context[-0:] is the whole list, not the empty one."
)
def law_minus_zero(documents, context, vocab):
    return _law(documents, context, vocab, histories=_histories(context)[1:])


@next_word_law.mistake(
    "If you write context[-length:], then context[-0:] is the whole list: your law for the empty context is that of the longest one."
)
def law_whole_context_first(documents, context, vocab):
    return _law(
        documents, context, vocab, histories=[context, *_histories(context)[1:]]
    )


@next_word_law.mistake(
    "Only the longest context and the uniform law are mixed. Between them stand all the shorter contexts, one after the other."
)
def law_without_middle(documents, context, vocab):
    return _law(documents, context, vocab, histories=[context])


@next_word_law.mistake(
    "Only the last word of the context is asked. Go on to the whole context: it may be longer than one word."
)
def law_stops_at_pairs(documents, context, vocab):
    return _law(documents, context, vocab, histories=_histories(context)[:2])


@next_word_law.mistake(
    "Below the empty context you put 0. The uniform law stands there: words that never occurred get something, too."
)
def law_without_uniform(documents, context, vocab):
    return _law(documents, context, vocab, base=0.0)


@next_word_law.mistake(
    "The recursion ends at the empty context's plain shares. Below it stands the uniform law: words that never occurred get something, too."
)
def law_from_shares(documents, context, vocab):
    followers = _followers(documents, [])
    total = sum(followers.values())
    if not total:
        return {word: 1 / len(vocab) for word in vocab}
    law = {word: followers[word] / total for word in vocab}
    for history in _histories(context)[1:]:
        after = _followers(documents, history)
        n, t = sum(after.values()), len(after)
        if n:
            law = {
                word: (after[word] + t * law[word]) / (n + t) for word in vocab
            }
    return law


@next_word_law.mistake(
    "T(h) is the number of *different* words that followed h, not the number of all. That one is N(h)."
)
def law_types_are_tokens(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        mix=lambda c, n, t, lower, v: (c + n * lower) / (n + n),
    )


@next_word_law.mistake(
    "T(h) is the number of different words that followed *this* context, not the size of the vocabulary."
)
def law_types_are_vocabulary(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        mix=lambda c, n, t, lower, v: (c + v * lower) / (n + v),
    )


@next_word_law.mistake(
    "You add one to every count. Here it is T(h) times the shorter context's probability that is added, and T(h) below."
)
def law_add_one(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        mix=lambda c, n, t, lower, v: (c + 1) / (n + v),
    )


@next_word_law.mistake(
    "You ask the shorter context only about words that never followed. It has a say on all of them: else the law does not sum to one."
)
def law_backs_off(documents, context, vocab):
    def mix(c, n, t, lower, v):
        return c / (n + t) if c else t * lower / (n + t)

    return _law(documents, context, vocab, mix=mix)


@next_word_law.mistake(
    "The two weights are exchanged: N / (N + T) belongs to the counts of this context, T / (N + T) to the shorter one."
)
def law_weights_exchanged(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        mix=lambda c, n, t, lower, v: (t * c / n + n * lower) / (n + t),
    )


@next_word_law.mistake(
    "T(h) is missing from the denominator, so the law sums to more than one: divide by N(h) + T(h)."
)
def law_divides_by_tokens(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        mix=lambda c, n, t, lower, v: (c + t * lower) / n,
    )


@next_word_law.mistake(
    "The shorter context's probability is multiplied by T(h): the more different words followed, the more is left for it."
)
def law_forgets_types_above(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        mix=lambda c, n, t, lower, v: (c + lower) / (n + 1),
    )


@next_word_law.mistake(
    "The shorter context's probability has the wrong factor: T(h) stands above, too. As it is, the law sums to less than one."
)
def law_types_only_below(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        mix=lambda c, n, t, lower, v: (c + lower) / (n + t),
    )


@next_word_law.mistake(
    "You return plain shares c(h w) / N(h). The shorter context has a say as well, so that no word gets 0."
)
def law_plain_shares(documents, context, vocab):
    return _law(documents, context, vocab, mix=lambda c, n, t, lower, v: c / n)


@next_word_law.mistake(
    "The end is missing: behind each document stands '</s>', and it follows the last words like any other word."
)
def law_without_end(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        count=lambda d, h: _followers(d, h, end=False),
    )


@next_word_law.mistake(
    "The start is missing: before each document stand as many '<s>' as the context is long, so that it can begin with them."
)
def law_without_start(documents, context, vocab):
    return _law(
        documents, context, vocab, count=lambda d, h: _followers(d, h, starts=0)
    )


@next_word_law.mistake(
    "One '<s>' before each document is not enough for longer contexts: put as many as the context is long."
)
def law_one_start(documents, context, vocab):
    return _law(
        documents, context, vocab, count=lambda d, h: _followers(d, h, starts=1)
    )


@next_word_law.mistake(
    "You count '<s>' as a word that follows. It is context only: it adds neither to N(h) nor to T(h)."
)
def law_predicts_start(documents, context, vocab):
    def count(documents, history):
        return _followers(
            documents, history, starts=len(context), past_start=True
        )

    return _law(documents, context, vocab, count=count)


@next_word_law.mistake(
    "You count '<s>' as a word that follows. It is context only: it adds neither to N(h) nor to T(h)."
)
def law_predicts_one_start(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        count=lambda d, h: _followers(d, h, starts=1, past_start=True),
    )


@next_word_law.mistake(
    "You count '<s>' as a word that follows. It is context only: it adds neither to N(h) nor to T(h)."
)
def law_predicts_two_starts(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        count=lambda d, h: _followers(d, h, starts=2, past_start=True),
    )


@next_word_law.mistake(
    "You count across the border of two documents. What follows the last word of a document is '</s>', and nothing else."
)
def law_across_documents(documents, context, vocab):
    row = [word for document in documents for word in [*document, "</s>"]]
    return _law(
        [row], context, vocab, count=lambda d, h: _followers(d, h, end=False)
    )


@next_word_law.mistake(
    "The dictionary holds only words that followed. Return a probability for *every* word of `vocab`."
)
def law_only_seen(documents, context, vocab):
    law = _law(documents, context, vocab)
    seen = set().union(
        *(_followers(documents, history) for history in _histories(context))
    )
    return {word: p for word, p in law.items() if word in seen}


@next_word_law.mistake(
    "You give a probability to '<s>', too. It is never predicted: return the words of `vocab` and no others."
)
def law_holds_start(documents, context, vocab):
    return _law(documents, context, [*vocab, "<s>"])


@next_word_law.mistake(
    "T(h) is counted once for the whole text. It is the number of different words that followed *this* context."
)
def law_types_of_the_text(documents, context, vocab):
    types = len(_followers(documents, []))
    return _law(
        documents,
        context,
        vocab,
        mix=lambda c, n, t, lower, v: (c + types * lower) / (n + types),
    )


@next_word_law.mistake(
    "T(h) is the number of different words that followed h, also of those that did so often; you count those seen once."
)
def law_types_seen_once(documents, context, vocab):
    law = dict.fromkeys(vocab, 1 / len(vocab))
    for history in _histories(context):
        followers = _followers(documents, history)
        total, once = (
            sum(followers.values()),
            sum(count == 1 for count in followers.values()),
        )
        if total:
            law = {
                w: (followers[w] + once * law[w]) / (total + once)
                for w in vocab
            }
    return law


@next_word_law.mistake(
    "Each context is mixed with the uniform law. It is the next shorter context that shares out; only the empty one leans on 1 / V."
)
def law_each_on_uniform(documents, context, vocab):
    return _law(
        documents,
        context,
        vocab,
        mix=lambda c, n, t, lower, v: (c + t / v) / (n + t),
    )


@next_word_law.mistake(
    "Looking up a word in a defaultdict puts it in, with 0, and so len() grows while you go through the vocabulary. Take T(h) before, or use a Counter."
)
def law_defaultdict_grows(documents, context, vocab):
    law = dict.fromkeys(vocab, 1 / len(vocab))
    for history in _histories(context):
        followers = defaultdict(int, _followers(documents, history))
        total = sum(followers.values())
        if total:
            law = {
                w: (followers[w] + len(followers) * law[w])
                / (total + len(followers))
                for w in vocab
            }
    return law


@next_word_law.mistake(
    "The longest context is never asked: lengths go from 0 to len(context), so range needs len(context) + 1."
)
def law_one_length_short(documents, context, vocab):
    return _law(documents, context, vocab, histories=_histories(context)[:-1])


@next_word_law.mistake(
    "With no document even the empty context was never seen, and you divide by 0. The law is the uniform one then."
)
def law_fails_on_no_documents(documents, context, vocab):
    if not documents:
        raise ZeroDivisionError("division by zero")
    return _law(documents, context, vocab)


@next_word_law.mistake(
    "No context is ever found. If you compare a list with a tuple: they are never equal, make both the same."
)
def law_list_against_tuple(documents, context, vocab):
    return _law(documents, context, vocab, count=lambda d, h: Counter())


@next_word_law.mistake(
    "You go from the longest context to the empty one, so the empty one has the last word. Begin below, with the uniform law."
)
def law_from_long_to_short(documents, context, vocab):
    return _law(documents, context, vocab, histories=_histories(context)[::-1])


@next_word_law.mistake(
    "You ask the shorter context only about words that never followed, and stretch the rest to sum to one. It has a say on all of them."
)
def law_backs_off_and_stretches(documents, context, vocab):
    law = law_backs_off(documents, context, vocab)
    return {word: p / sum(law.values()) for word, p in law.items()}


@next_word_law.mistake(
    "You changed the context that was passed in. Take slices of it, context[1:], which are new lists."
)
def law_pops_the_context(documents, context, vocab):
    law = _law(documents, context, vocab)
    context.clear()
    return law


@next_word_law.mistake(
    "Wanted is a dictionary, from each word of `vocab` to its probability, not a list of probabilities."
)
def law_as_list(documents, context, vocab):
    return list(_law(documents, context, vocab).values())


@next_word_law.mistake(
    "You return logarithms. Wanted are the probabilities themselves, which sum to one."
)
def law_in_logs(documents, context, vocab):
    return {
        word: math.log(p) for word, p in _law(documents, context, vocab).items()
    }


@next_word_law.alternative
def law_by_recursion(documents, context, vocab):
    followers = _followers(documents, context)
    total, types = sum(followers.values()), len(followers)
    if context:
        lower = law_by_recursion(documents, context[1:], vocab)
    else:
        lower = dict.fromkeys(vocab, 1 / len(vocab))
    if total == 0:
        return lower
    return {
        word: (followers[word] + types * lower[word]) / (total + types)
        for word in vocab
    }


@next_word_law.alternative
def law_by_tables(documents, context, vocab):
    """One pass over the documents fills the counts of all lengths; weights written out."""
    after = defaultdict(Counter)
    for document in documents:
        padded = ["<s>"] * len(context) + document + ["</s>"]
        for place in range(len(context), len(padded)):
            for length in range(len(context) + 1):
                after[tuple(padded[place - length : place])][padded[place]] += 1
    law = {}
    for word in vocab:
        p = 1 / len(vocab)
        for length in range(len(context) + 1):
            counts = after.get(tuple(context[len(context) - length :]))
            if counts:
                n = counts.total()
                weight = n / (n + len(counts))
                p = weight * counts[word] / n + (1 - weight) * p
        law[word] = p
    return law


@next_word_law.alternative
def law_in_float32(documents, context, vocab):
    law = torch.full((len(vocab),), 1 / len(vocab))
    for history in _histories(context):
        followers = _followers(documents, history)
        counts = torch.tensor([float(followers[word]) for word in vocab])
        if followers:
            types = int((counts > 0).sum())
            law = (counts + types * law) / (counts.sum() + types)
    return dict(zip(vocab, law.tolist(), strict=True))


# 5 ------------------------------------------------------------------------------------------------- best_loss


def _random_source(rng: random.Random) -> list[list[float]]:
    """A source in which a round trip visits every word, so that each can be reached, with some more ways beside it."""
    words = rng.randrange(2, 6)
    trip = rng.sample(range(words), k=words)
    weights = [
        [rng.choice([0, 0, 1, 2, 5]) for _ in range(words)]
        for _ in range(words)
    ]
    for here, there in zip(trip, [*trip[1:], trip[0]], strict=True):
        weights[here][there] = rng.choice([1, 3])
    return [[w / sum(row) for w in row] for row in weights]


def loss_cases(rng: random.Random) -> Iterator[Call]:
    example = [[1 / 2, 1 / 2], [1.0, 0.0]]
    star = [[0.0, 1 / 2, 1 / 2], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    weather = [[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.2, 0.3, 0.5]]
    yield Call("the example, one place back", example, 1)
    yield Call("the example, two places back", example, 2)
    yield Call(
        "the word before says nothing", [[1 / 4, 3 / 4], [1 / 4, 3 / 4]], 1
    )
    yield Call("weather", weather, 1)
    yield Call("weather, three days back", weather, 3)
    yield Call("weather, forty days back: all is forgotten", weather, 40)
    yield Call("one word, again and again", [[1.0]], 2)
    yield Call(
        "in a circle: all is known",
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]],
        1,
    )
    yield Call("a source that never settles", star, 1)
    yield Call("a source that never settles, two places back", star, 2)
    yield Call("a source that never settles, far back", star, 25)
    walk = [
        [0, 4, 0, 0, 0],
        [2, 0, 2, 0, 0],
        [0, 1, 0, 3, 0],
        [0, 0, 2, 0, 2],
        [0, 0, 0, 4, 0],
    ]
    there_and_back = [[quarters / 4 for quarters in row] for row in walk]
    yield Call("there and back: even and odd places", there_and_back, 1)
    yield Call("there and back, three places back", there_and_back, 3)
    yield Call(
        "a source that changes seldom", [[0.999, 0.001], [0.003, 0.997]], 1
    )
    yield Call(
        "one word is far more frequent",
        [[0.9, 0.1, 0.0], [0.5, 0.0, 0.5], [0.8, 0.2, 0.0]],
        1,
    )
    yield Call(
        "one word is far more frequent, four places back",
        [[0.9, 0.1], [0.6, 0.4]],
        4,
    )
    while True:
        yield Call(
            "a random source",
            _random_source(rng),
            rng.choice([1, 1, 2, 2, 3, 4, 7]),
        )


best_loss = Exercise(
    "best_loss",
    title="The floor, from a distance",
    points=3,
    minutes=60,
    cases=loss_cases,
    compare=close(
        rtol=1e-3,
        atol=1e-4,
        why="float32 is allowed: where words change seldom its shares are off by 1e-4",
    ),
    visible=36,
)


def _shares(step):
    """The shares of the words in the long run, from the equations."""
    system = step.T - np.eye(len(step))
    system[-1] = 1
    return np.linalg.solve(system, np.eye(len(step))[-1])


def _bits(law):
    """The entropy of each row, in bits."""
    return -np.sum(law * np.log2(np.where(law > 0, law, 1)), axis=-1)


def _loss(
    transitions,
    distance,
    *,
    shares=_shares,
    law=np.linalg.matrix_power,
    bits=_bits,
):
    step = np.array(transitions)
    return float(shares(step) @ bits(law(step, distance)))


@best_loss.mistake(
    "The distance plays no part. The law of the word `distance` steps later is the transitions taken that many times: a matrix power."
)
def loss_ignores_distance(transitions, distance):
    return _loss(transitions, 1)


@best_loss.mistake(
    "Each number is raised to the power by itself, which ** does. Steps after one another are a product of matrices: matrix_power, or @."
)
def loss_powers_numbers(transitions, distance):
    return _loss(transitions, distance, law=lambda step, d: step**d)


@best_loss.mistake(
    "Each number is raised to the power by itself, then made to sum to one. Steps after one another are a product of matrices: matrix_power, or @."
)
def loss_powers_numbers_and_normalizes(transitions, distance):
    return _loss(
        transitions,
        distance,
        law=lambda step, d: step**d / (step**d).sum(axis=1, keepdims=True),
    )


@best_loss.mistake(
    "You multiply the loss by the distance. That is what `distance` words cost together; wanted is one word, from further away."
)
def loss_times_distance(transitions, distance):
    return distance * _loss(transitions, 1)


@best_loss.mistake(
    "One step too many: at distance 1 the law of the next word is the row of `transitions` itself."
)
def loss_one_step_more(transitions, distance):
    return _loss(transitions, distance + 1)


@best_loss.mistake(
    "One step too few: at distance 1 the law of the next word is the row of `transitions` itself, after no step it is no law yet."
)
def loss_one_step_less(transitions, distance):
    return _loss(transitions, distance - 1)


@best_loss.mistake(
    "All rows count the same in your mean. Each counts as often as its word stands: the shares solve shares @ transitions = shares (an eigenvector of the *transposed* matrix)."
)
def loss_plain_mean(transitions, distance):
    return _loss(
        transitions,
        distance,
        shares=lambda step: np.full(len(step), 1 / len(step)),
    )


@best_loss.mistake(
    "You add up the rows' entropies. Each counts by the share of places where its word stands, and these shares sum to one."
)
def loss_sum_of_rows(transitions, distance):
    return _loss(transitions, distance, shares=lambda step: np.ones(len(step)))


@best_loss.mistake(
    "One step from equal shares is not the long run. The shares do not change any more by a step: solve for that."
)
def loss_one_step_shares(transitions, distance):
    return _loss(transitions, distance, shares=lambda step: step.mean(axis=0))


@best_loss.mistake("You take nats for bits: divide by log(2), or use log2.")
def loss_in_nats(transitions, distance):
    return math.log(2) * _loss(transitions, distance)


@best_loss.mistake(
    "That is the perplexity, 2 to the power of the loss. Wanted is the loss, in bits."
)
def loss_as_perplexity(transitions, distance):
    return 2 ** _loss(transitions, distance)


@best_loss.mistake(
    "A loss is not negative: -sum p log p, with the minus before it."
)
def loss_negative(transitions, distance):
    return -_loss(transitions, distance)


@best_loss.mistake(
    "That is the entropy of the shares, what a model pays that sees no word at all. This one sees one: average the entropies of the rows."
)
def loss_without_context(transitions, distance):
    return float(_bits(_shares(np.array(transitions))))


@best_loss.mistake(
    "That is the entropy of both words together. The model sees the first of them: take off the entropy of the shares."
)
def loss_of_pairs(transitions, distance):
    return _loss(transitions, distance) + loss_without_context(
        transitions, distance
    )


@best_loss.mistake(
    "Rows and columns are exchanged: row i holds the laws of what comes after word i, so the sums of rows are one, not of columns."
)
def loss_of_columns(transitions, distance):
    return _loss(transitions, distance, bits=lambda law: _bits(law.T))


@best_loss.mistake(
    "You average the rows first and take the entropy of the mean. The model knows which row it is in: entropy first, mean after."
)
def loss_entropy_of_mean_row(transitions, distance):
    return float(
        _bits(
            np.linalg.matrix_power(np.array(transitions), distance).mean(axis=0)
        )
    )


@best_loss.mistake(
    "0 · log 0 counts as 0, but in floats it is nan. Leave out what has the probability 0."
)
def loss_zero_is_nan(transitions, distance):
    with np.errstate(all="ignore"):
        return _loss(
            transitions,
            distance,
            bits=lambda law: -(law * np.log2(law)).sum(axis=1),
        )


@best_loss.mistake(
    "math.log2(0) is an error. 0 · log 0 counts as 0: leave out what has the probability 0."
)
def loss_zero_fails(transitions, distance):
    return _loss(
        transitions,
        distance,
        bits=lambda law: np.array(
            [-sum(p * math.log2(p) for p in row) for row in law.tolist()]
        ),
    )


@best_loss.mistake(
    "An eigenvector comes with a length of one and any sign. Shares sum to one: divide it by its sum."
)
def loss_raw_eigenvector(transitions, distance):
    def shares(step):
        return np.abs(_shares(step)) / np.linalg.norm(_shares(step))

    return _loss(transitions, distance, shares=shares)


@best_loss.mistake(
    "An eigenvector comes with a length of one and any sign. Shares sum to one: divide it by its sum."
)
def loss_raw_eigenvector_negative(transitions, distance):
    return -loss_raw_eigenvector(transitions, distance)


CIRCLES = "You take many steps until the shares settle. Some sources go round in circles and never do, others need thousands of steps: solve the equations."


def _by_steps(count, from_first):
    def shares(step):
        now = (
            np.eye(len(step))[0]
            if from_first
            else np.full(len(step), 1 / len(step))
        )
        return now @ np.linalg.matrix_power(step, count)

    def answer(transitions, distance):
        return _loss(transitions, distance, shares=shares)

    return answer


# An even and an odd number leave a circle at another place.
for _count, _first in itertools.product(
    (50, 100, 101, 1000, 1001, 10_000), (False, True)
):
    _wrong = _by_steps(_count, _first)
    _wrong.__name__ = f"loss_{_count}_steps_from_{'the_first_word' if _first else 'equal_shares'}"
    best_loss.mistake(CIRCLES)(_wrong)


@best_loss.mistake(
    "All shares 0 solve shares @ transitions = shares, too. That they sum to one is one more equation: put it in the place of one of the others."
)
def loss_of_no_shares(transitions, distance):
    return 0.0


def _singular(error):
    """What a solver makes of equations without the last condition: it fails where the numbers are exact, else it finds 0."""

    def answer(transitions, distance):
        if all((p * 1024).is_integer() for row in transitions for p in row):
            raise error("singular matrix")
        return 0.0

    return answer


for _library, _error in {
    "numpy": np.linalg.LinAlgError,
    "torch": torch.linalg.LinAlgError,
}.items():
    _wrong = _singular(_error)
    _wrong.__name__ = f"loss_singular_in_{_library}"
    best_loss.mistake(
        "The equations say the same twice, and so have no single solution. Put in the place of one of them that the shares sum to one."
    )(_wrong)


@best_loss.mistake(
    "You return a tensor. A number is wanted: value.item() or float(value)."
)
def loss_as_tensor(transitions, distance):
    return torch.tensor(_loss(transitions, distance), dtype=torch.float64)


@best_loss.mistake(
    "You return a tensor. A number is wanted: value.item() or float(value)."
)
def loss_as_float32_tensor(transitions, distance):
    return torch.tensor(_loss(transitions, distance), dtype=torch.float32)


# Two of these at once, or three: each with what to say to it.
SHARES_WRONG = {
    "plain_mean": (
        lambda step: np.full(len(step), 1 / len(step)),
        "each row counts by the share of its word, not all the same",
    ),
    "steps": (
        lambda step: np.linalg.matrix_power(step, 100).mean(axis=0),
        "many steps do not always settle, so solve the equations for the shares",
    ),
}
LAWS_WRONG = {
    "ignored_distance": (
        lambda step, d: step,
        "the distance has to play its part",
    ),
    "powered_numbers": (
        lambda step, d: step**d,
        "steps after one another are a product of matrices, while ** raises each number by itself",
    ),
}
RIGHT_SHARES, RIGHT_LAW = (
    {"": (_shares, "")},
    {"": (np.linalg.matrix_power, "")},
)
for (_one, (_of, _a)), (_two, (_law_of, _b)), _nats in itertools.product(
    (RIGHT_SHARES | SHARES_WRONG).items(),
    (RIGHT_LAW | LAWS_WRONG).items(),
    (False, True),
):
    _parts = [
        part for part in (_a, _b, _nats * "divide by log(2) for bits") if part
    ]
    if len(_parts) > 1:

        def _wrong(transitions, distance, shares=_of, law=_law_of, nats=_nats):
            return (math.log(2) if nats else 1.0) * _loss(
                transitions, distance, shares=shares, law=law
            )

        _wrong.__name__ = "_".join(
            ["loss", *filter(None, (_one, _two, _nats * "nats"))]
        )
        best_loss.mistake(
            f"{'Two' if len(_parts) == 2 else 'Three'} things at once: {'; '.join(_parts)}."
        )(_wrong)


@best_loss.mistake(
    "You begin at word 0 as if every text began there. The source has been writing for ever: use the shares of the long run."
)
def loss_from_first_word(transitions, distance):
    return _loss(
        transitions, distance, shares=lambda step: np.eye(len(step))[0]
    )


@best_loss.mistake(
    "You have subtracted from the entropy of the shares: that is what the word tells. Wanted is what is left to pay."
)
def loss_information(transitions, distance):
    return loss_without_context(transitions, distance) - _loss(
        transitions, distance
    )


@best_loss.alternative
def loss_by_pairs(transitions, distance):
    """The entropy of both words together, less that of the first."""
    step = np.array(transitions)
    shares = _shares(step)
    together = shares[:, None] * np.linalg.matrix_power(step, distance)
    return float(_bits(together.ravel()) - _bits(shares))


@best_loss.alternative
def loss_by_eigenvector(transitions, distance):
    step = np.array(transitions)
    values, vectors = np.linalg.eig(step.T)
    shares = np.real(vectors[:, np.argmin(abs(values - 1))])
    law = step
    for _ in range(distance - 1):
        law = law @ step
    return (shares / shares.sum()) @ _bits(law)  # a NumPy scalar


@best_loss.alternative
def loss_by_pausing(transitions, distance):
    """Pausing half the time leaves the shares as they are and breaks every circle; squaring takes 2 ** 40 steps."""
    step = torch.tensor(transitions, dtype=torch.float64)
    pausing = (step + torch.eye(len(step), dtype=torch.float64)) / 2
    shares = torch.linalg.matrix_power(pausing, 2**40)[0]
    law = torch.linalg.matrix_power(step, distance)
    return -torch.einsum(
        "i,ij->", shares, law * law.clamp_min(1e-300).log2()
    ).item()


@best_loss.alternative
def loss_in_float32(transitions, distance):
    step = torch.tensor(transitions)
    words = len(step)
    system = torch.cat([step.T - torch.eye(words), torch.ones(1, words)])
    right = torch.cat([torch.zeros(words), torch.ones(1)])
    shares = torch.linalg.lstsq(system, right[:, None]).solution[:, 0]
    law = torch.linalg.matrix_power(step, distance)
    return float(
        sum(shares[i] * torch.special.entr(law[i]).sum() for i in range(words))
        / math.log(2)
    )


@best_loss.alternative
def loss_in_plain_python(transitions, distance):
    words = range(len(transitions))
    # Gauss and Jordan on the equations, the last of which says that the shares sum to one.
    rows = [
        [transitions[i][j] - (i == j) for i in words] + [0.0] for j in words
    ]
    rows[-1] = [1.0] * (len(words) + 1)
    for column in words:
        pivot = max(
            range(column, len(words)), key=lambda r: abs(rows[r][column])
        )
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for other in words:
            if other != column:
                factor = rows[other][column]
                rows[other] = [
                    x - factor * y
                    for x, y in zip(rows[other], rows[column], strict=True)
                ]
    law = [[float(i == j) for j in words] for i in words]
    for _ in range(distance):
        law = [
            [sum(row[k] * transitions[k][j] for k in words) for j in words]
            for row in law
        ]
    return sum(
        rows[i][-1] * -p * math.log2(p) for i in words for p in law[i] if p > 0
    )


# 6 --------------------------------------------------------------------------------------------------- in words

why_not_perplexity = Written("why_not_perplexity", points=4)
