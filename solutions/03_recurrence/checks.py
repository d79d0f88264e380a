"""How the exercises of chapter 03 are judged: cases, known mistakes with hints, other right answers."""

from __future__ import annotations

import functools
import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from lmcourse.authoring.spec import Call, Exercise, Written
from lmcourse.exercises.compare import close

tensor = torch.tensor


def quarters(rng: random.Random, *shape: int, largest: float = 2.0) -> Tensor:
    """Random multiples of 1/4, which a person can read and a float holds exactly."""
    top = int(4 * largest)
    return tensor(
        [rng.randint(-top, top) / 4 for _ in range(math.prod(shape))],
        dtype=torch.float32,
    ).view(shape)


def some_lengths(rng: random.Random, batch: int, time: int) -> Tensor:
    return tensor([rng.randint(1, time) for _ in range(batch)])


# 1 ------------------------------------------------------------------------------------------- sentence_vectors


def numbered(batch: int, time: int, d: int) -> Tensor:
    """Forwards 1, 2, ... along a sentence, backwards 100, 200, ...; d numbers that differ by a half."""
    steps = (
        torch.arange(1.0, time + 1)[None, :, None]
        + torch.arange(batch)[:, None, None] * 10
    )
    halves = torch.arange(d) / 2
    return torch.cat([steps + halves, 100 * steps + halves], dim=2)


def vector_cases(rng: random.Random) -> Iterator[Call]:
    yield Call(
        "one sentence and a column of padding",
        tensor([[[1.0, 10.0], [2.0, 20.0], [9.0, 90.0]]]),
        tensor([2]),
    )
    yield Call("no padding", numbered(1, 3, 2), tensor([3]))
    yield Call("a sentence of one word", numbered(1, 3, 1), tensor([1]))
    yield Call(
        "one word, one column", tensor([[[0.5, -0.25, 3.0, 4.0]]]), tensor([1])
    )
    yield Call(
        "two sentences, the second is longer", numbered(2, 3, 2), tensor([1, 3])
    )
    yield Call(
        "as many sentences as words", numbered(3, 3, 1), tensor([2, 3, 1])
    )
    yield Call(
        "zeros at the padding",
        numbered(2, 4, 1) * (torch.arange(4) < tensor([[2], [3]]))[:, :, None],
        tensor([2, 3]),
    )
    yield Call(
        "a state of zeros at the last word",
        tensor(
            [
                [[0.5, 0.25], [0.0, 0.5], [0.0, 0.0]],
                [[1.0, 0.0], [0.5, -1.0], [0.25, 2.0]],
            ]
        ),
        tensor([2, 3]),
    )
    yield Call(
        "states below zero",
        tensor(
            [[[-0.5, -0.25], [-1.0, -0.75]], [[-0.75, -1.0], [-0.25, -0.5]]]
        ),
        tensor([2, 1]),
    )
    yield Call("no sentence fills the batch", numbered(2, 5, 3), tensor([3, 2]))
    while True:
        batch, time, d = rng.randint(1, 4), rng.randint(1, 5), rng.randint(1, 3)
        yield Call(
            "random states",
            quarters(rng, batch, time, 2 * d),
            some_lengths(rng, batch, time),
        )


sentence_vectors = Exercise(
    "sentence_vectors",
    title="One vector a sentence",
    points=2,
    minutes=8,
    cases=vector_cases,
    visible=20,
)


def _both(outputs: Tensor, forwards: Tensor, backwards: Tensor) -> Tensor:
    """Pick a step for each direction in each sentence."""
    d, rows = outputs.shape[2] // 2, torch.arange(len(outputs))
    return torch.cat(
        [outputs[rows, forwards, :d], outputs[rows, backwards, d:]], dim=1
    )


def _ends(outputs: Tensor) -> Tensor:
    return torch.full((len(outputs),), outputs.shape[1] - 1)


PADDING_READ = "You take the last column. In a short sentence that is padding: its last word stands at lengths - 1."
BACKWARDS = "The cell that reads from right to left has seen the whole sentence when it arrives at the *first* word. Where you take it, it has read one word."
ONE_TOO_FAR = "You are one step too far: positions count from 0, so the last of `n` words stands at n - 1."


@sentence_vectors.mistake(PADDING_READ)
def vectors_last_column(outputs, lengths):
    return _both(outputs, _ends(outputs), torch.zeros_like(lengths))


@sentence_vectors.mistake(
    PADDING_READ + " And the other direction ends at the *first* word."
)
def vectors_last_column_both(outputs, lengths):
    return outputs[:, -1]


@sentence_vectors.mistake(BACKWARDS)
def vectors_last_word_both(outputs, lengths):
    return outputs[torch.arange(len(outputs)), lengths - 1]


@sentence_vectors.mistake(
    "You take the second half from the last column. In a short sentence that is padding, and in the longest the cell that reads from right to left has read one word there. It has seen the whole sentence at the *first* word."
)
def vectors_backwards_at_the_end(outputs, lengths):
    return _both(outputs, lengths - 1, _ends(outputs))


@sentence_vectors.mistake(
    "At the first word the cell that reads from left to right has read one word. It has seen the whole sentence at the last."
)
def vectors_first_word_both(outputs, lengths):
    return outputs[:, 0]


@sentence_vectors.mistake(
    "You have the two directions exchanged: left to right ends at the last word, right to left at the first."
)
def vectors_exchanged(outputs, lengths):
    return _both(outputs, torch.zeros_like(lengths), lengths - 1)


@sentence_vectors.mistake(ONE_TOO_FAR)
def vectors_one_too_far(outputs, lengths):
    return _both(outputs, lengths, torch.zeros_like(lengths))


@sentence_vectors.mistake(ONE_TOO_FAR)
def vectors_one_too_far_within(outputs, lengths):
    return _both(
        outputs,
        lengths.clamp(max=outputs.shape[1] - 1),
        torch.zeros_like(lengths),
    )


@sentence_vectors.mistake(
    "The second half comes first in yours: left to right, then right to left."
)
def vectors_halves_exchanged(outputs, lengths):
    return _both(outputs, lengths - 1, torch.zeros_like(lengths)).roll(
        outputs.shape[2] // 2, 1
    )


@sentence_vectors.mistake(
    "The halves of the numbers are exchanged: the *first* d belong to the cell that reads from left to right."
)
def vectors_wrong_half(outputs, lengths):
    d = outputs.shape[2] // 2
    return _both(outputs.roll(d, 2), lengths - 1, torch.zeros_like(lengths))


@sentence_vectors.mistake(
    "You take every other number for a direction. The first d numbers are one direction, the last d the other."
)
def vectors_interleaved(outputs, lengths):
    rows = torch.arange(len(outputs))
    return torch.cat(
        [outputs[rows, lengths - 1, 0::2], outputs[:, 0, 1::2]], dim=1
    )


@sentence_vectors.mistake(
    "The two directions are added in yours. Side by side means torch.cat: 2 d numbers."
)
def vectors_added(outputs, lengths):
    d = outputs.shape[2] // 2
    return (
        outputs[torch.arange(len(outputs)), lengths - 1, :d] + outputs[:, 0, d:]
    )


@sentence_vectors.mistake(
    "You take the mean over the words. Here the vector is the last state of each direction."
)
def vectors_mean(outputs, lengths):
    real = (torch.arange(outputs.shape[1]) < lengths[:, None])[:, :, None]
    return (outputs * real).sum(1) / lengths[:, None]


@sentence_vectors.mistake(
    "You take the largest value over the words. Here the vector is the last state of each direction."
)
def vectors_max(outputs, lengths):
    real = (torch.arange(outputs.shape[1]) < lengths[:, None])[:, :, None]
    return outputs.masked_fill(~real, -math.inf).max(1).values


@sentence_vectors.mistake(
    "You look for the last word that is not zero. Padding may hold anything, and a state may be zero: use `lengths`."
)
def vectors_last_nonzero(outputs, lengths):
    d = outputs.shape[2] // 2
    steps = torch.arange(outputs.shape[1])
    last = ((outputs[:, :, :d] != 0).any(2) * steps).argmax(1)
    return _both(outputs, last, torch.zeros_like(lengths))


@sentence_vectors.mistake(
    "outputs[:, lengths - 1] takes *every* sentence at the end of *each* one. Pair them: outputs[torch.arange(batch), lengths - 1]."
)
def vectors_all_pairs(outputs, lengths):
    d = outputs.shape[2] // 2
    forwards = outputs[:, lengths - 1, :d]
    return torch.cat([forwards, outputs[:, :1, d:].expand_as(forwards)], dim=2)


@sentence_vectors.mistake(
    "outputs[:, lengths - 1] takes *every* sentence at the end of *each* one. Pair them: outputs[torch.arange(batch), lengths - 1]."
)
def vectors_all_pairs_mixed(outputs, lengths):
    d = outputs.shape[2] // 2
    return torch.cat([outputs[:, lengths - 1, :d], outputs[:, 0, d:]], dim=1)


@sentence_vectors.mistake(
    "Every sentence ends where the first one does in yours. Each has a length of its own."
)
def vectors_length_of_the_first(outputs, lengths):
    return _both(
        outputs, lengths[0].expand(len(outputs)) - 1, torch.zeros_like(lengths)
    )


@sentence_vectors.mistake(
    "Every sentence ends where the longest one does in yours. Each has a length of its own."
)
def vectors_longest(outputs, lengths):
    return _both(
        outputs,
        lengths.max().expand(len(outputs)) - 1,
        torch.zeros_like(lengths),
    )


@sentence_vectors.mistake(
    "Right numbers; return a tensor (batch, 2 d) instead of a list of vectors: torch.stack makes one."
)
def vectors_as_list(outputs, lengths):
    return list(_both(outputs, lengths - 1, torch.zeros_like(lengths)))


@sentence_vectors.mistake(
    "-lengths counts from the end of the batch, not of the sentence. The last word stands at lengths - 1."
)
def vectors_from_behind(outputs, lengths):
    return _both(outputs, -lengths, torch.zeros_like(lengths))


@sentence_vectors.mistake(
    "You take the second half at -lengths, counted from the end of the batch. In a short sentence that is not its first word: the cell that reads from right to left ends at column 0 in each."
)
def vectors_backwards_from_behind(outputs, lengths):
    return _both(outputs, lengths - 1, -lengths)


@sentence_vectors.mistake(
    PADDING_READ + " And the other direction ends at the *first* word."
)
def vectors_last_column_and_last_word(outputs, lengths):
    return _both(outputs, _ends(outputs), lengths - 1)


@sentence_vectors.mistake(
    "You are one step too early: the last of n words stands at n - 1."
)
def vectors_one_too_early(outputs, lengths):
    return _both(outputs, (lengths - 2).clamp(min=0), torch.zeros_like(lengths))


@sentence_vectors.mistake(
    "You are one step too early: the last of n words stands at n - 1."
)
def vectors_one_too_early_and_round(outputs, lengths):
    return _both(outputs, lengths - 2, torch.zeros_like(lengths))


@sentence_vectors.mistake(
    "The states of all words are added up. Here the vector is the last state of each direction."
)
def vectors_sum(outputs, lengths):
    real = torch.arange(outputs.shape[1]) < lengths[:, None]
    return (outputs * real[:, :, None]).sum(1)


@sentence_vectors.mistake(
    "Only one direction comes back. Put both last states side by side: 2 d numbers."
)
def vectors_forwards_only(outputs, lengths):
    return _both(outputs, lengths - 1, torch.zeros_like(lengths))[
        :, : outputs.shape[2] // 2
    ]


@sentence_vectors.mistake(
    "The two directions lie in a dimension of their own, or below one another. Side by side is torch.cat along dim=1."
)
def vectors_stacked(outputs, lengths):
    both = _both(outputs, lengths - 1, torch.zeros_like(lengths))
    return torch.stack(both.chunk(2, dim=1), dim=1)


@sentence_vectors.mistake(
    "The two directions lie in a dimension of their own, or below one another. Side by side is torch.cat along dim=1."
)
def vectors_below_one_another(outputs, lengths):
    return torch.cat(
        _both(outputs, lengths - 1, torch.zeros_like(lengths)).chunk(2, dim=1)
    )


@sentence_vectors.mistake(
    "You changed `lengths` in place (-= 1). The caller still needs it: write lengths - 1."
)
def vectors_in_place(outputs, lengths):
    lengths -= 1
    return _both(outputs, lengths, torch.zeros_like(lengths))


@sentence_vectors.alternative
def vectors_by_loop(outputs, lengths):
    d = outputs.shape[2] // 2
    rows = [
        torch.cat([row[n - 1, :d], row[0, d:]])
        for row, n in zip(outputs, lengths.tolist(), strict=True)
    ]
    return torch.stack(rows)


@sentence_vectors.alternative
def vectors_by_gather(outputs, lengths):
    forwards, backwards = outputs.chunk(2, dim=-1)
    index = (lengths - 1)[:, None, None].expand(-1, 1, forwards.shape[-1])
    return torch.cat(
        [forwards.gather(1, index).squeeze(1), backwards[:, 0]], dim=-1
    )


@sentence_vectors.alternative
def vectors_by_numpy(outputs, lengths):
    states, ends = outputs.numpy(), lengths.numpy() - 1
    d = states.shape[2] // 2
    return torch.from_numpy(
        np.hstack([states[np.arange(len(ends)), ends, :d], states[:, 0, d:]])
    )


@sentence_vectors.alternative
def vectors_by_one_hot(outputs, lengths):
    d = outputs.shape[2] // 2
    last = nn.functional.one_hot(lengths - 1, outputs.shape[1]).float()
    return torch.cat(
        [torch.einsum("bt,btd->bd", last, outputs[..., :d]), outputs[:, 0, d:]],
        -1,
    )


# 2 --------------------------------------------------------------------------------------- predict_what_is_left


def predict_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("your five numbers")


predict_what_is_left = Exercise(
    "predict_what_is_left",
    title="Predict what is left",
    points=2,
    minutes=12,
    cases=predict_cases,
    secret=True,
)

LEFT = [0.125, 0.0, 2.25, 4.0, 0.0625]
SLIPS: list[list[tuple[float, str]]] = [
    [
        (
            0.0625,
            "in 1, count the steps from h₂ to h₅: x₂ enters h₂ undiminished",
        ),
        (0.25, "in 1, count the steps from h₂ to h₅: there are more than two"),
        (0.03125, "in 1, x₂ enters at step 2, not at the beginning"),
        (1.5, "in 1, the factors of the steps are multiplied, not added"),
    ],
    [
        (
            8.0,
            "in 2, compute the states first: relu has slope 0 where it cuts off",
        ),
        (
            4.0,
            "in 2, compute the states first: relu has slope 0 where it cuts off",
        ),
        (
            1.0,
            "in 2, compute the states first: relu has slope 0 where it cuts off, and then nothing comes through",
        ),
        (
            2.0,
            "in 2, compute the states first: relu has slope 0 where it cuts off, and then nothing comes through",
        ),
    ],
    [
        (4.0, "in 3, each step also has the slope of tanh, 1 - h²"),
        (0.5625, "in 3, each step also has the factor 2 of the old state"),
        (
            0.57,
            "in 3, the slope of a step is taken where it arrives: at h₂ and h₃, not at h₁ and h₂",
        ),
        (1.5, "in 3, from h₁ to h₃ there are two steps"),
        (3.0, "in 3, each of the two steps has its own slope, 1 - h²"),
        (1.0, "in 3, the slope of tanh is 1 - h², with a square"),
        (1.125, "in 3, the factor 2 comes in each of the two steps"),
        (
            0.855,
            "in 3, from h₁ to h₃ there are two steps, and the slope at h₁ belongs to an earlier one",
        ),
    ],
    [
        (
            64.0,
            "in 4, W does not stretch the same direction at each step: 4³ is only a bound. Work out W · W",
        ),
        (
            16.0,
            "in 4, W does not stretch the same direction at each step: work out W · W, and count the steps",
        ),
        (
            256.0,
            "in 4, W does not stretch the same direction at each step, and from h₁ to h₄ there are three",
        ),
        (
            1.0,
            "in 4, the eigenvalues are 1 and -1, but in three steps a vector is stretched by W · W · W: work it out",
        ),
        (
            0.25,
            "in 4, the *worst* direction is asked: the one that is stretched, not the one that shrinks",
        ),
    ],
    [
        (0.125, "in 5, g₁ comes in through the input gate i₁"),
        (
            0.0469,
            "in 5, the forget gate f₁ acts on c₀, not on what comes in at step 1",
        ),
        (
            0.0938,
            "in 5, g₁ comes in through the input gate i₁, and f₁ acts on what was there before",
        ),
        (0.1875, "in 5, the forget gates between are f₂, f₃ and f₄"),
        (0.25, "in 5, c₄ is one step later: f₄ counts, too"),
        (
            0.0,
            "in 5, i₃ = 0 lets nothing new in at step 3; what came in at step 1 is already in the memory",
        ),
        (
            0.5,
            "in 5, after it has come in, the forget gates f₂, f₃ and f₄ act on it",
        ),
    ],
]


def _slipped(
    changes: tuple[tuple[int, float], ...],
) -> Callable[[], list[float]]:
    def answer() -> list[float]:
        numbers = list(LEFT)
        for i, value in changes:
            numbers[i] = value
        return numbers

    answer.__name__ = "left_" + "_".join(
        f"{i + 1}_is_{value:g}" for i, value in changes
    ).replace(".", "p")
    return answer


def _told(slips: list[str]) -> str:
    start = {
        1: "Four of the five are right:",
        2: "Three of the five are right:",
        3: "Two of the five are right:",
        4: "One of the five is right:",
    }.get(len(slips), "Not all are right:")
    return f"{start} {'; '.join(slips)}."


for _count in (1, 2, 3, 4):
    for _places in itertools.combinations(range(5), _count):
        # Of several slips at once only the likely ones, or there would be hundreds.
        for _chosen in itertools.product(
            *(SLIPS[i][: {1: 8, 2: 2}.get(_count, 1)] for i in _places)
        ):
            _values = tuple(
                (i, value)
                for i, (value, _) in zip(_places, _chosen, strict=True)
            )
            predict_what_is_left.mistake(_told([text for _, text in _chosen]))(
                _slipped(_values)
            )


@predict_what_is_left.mistake(
    "Five numbers are wanted, one for each network, in their order."
)
def left_four():
    return LEFT[:4]


@predict_what_is_left.mistake(
    "Right numbers; return them as floats, as the last line of the cell does."
)
def left_whole_numbers():
    return [0.125, 0, 2.25, 4, 0.0625]


@predict_what_is_left.mistake(
    "Right numbers; return a list, with square brackets."
)
def left_tuple():
    return tuple(LEFT)


@predict_what_is_left.alternative
def left_by_computing():
    def relu_state(x1):
        h = 0.0
        for x in (x1, -3.0, 2.0, 1.0):
            h = max(0.0, 2 * h + x)
        return h

    W = np.array([[0, 4], [0.25, 0]])
    numbers = [
        0.5**3,
        (relu_state(1.001) - relu_state(0.999)) / 0.002,
        2 * (1 - 0.5**2) * 2 * (1 - 0.5**2),
        float(np.linalg.svd(W @ W @ W)[1].max()),
        0.5 * 0.5 * 1.0 * 0.25,
    ]
    return [round(number, 4) for number in numbers]


# 3 ---------------------------------------------------------------------------------------------- decoder_batch


def decoder_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("two sentences", [[5, 6], [7]], 1, 2, 0, 10)
    yield Call("the same, cut after two steps", [[5, 6], [7]], 1, 2, 0, 2)
    yield Call("one sentence, nothing to fill up", [[3, 4, 5]], 1, 2, 0, 8)
    yield Call("a sentence that just fits", [[3, 4, 5], [6]], 1, 2, 0, 4)
    yield Call("a sentence that is one too long", [[3, 4, 5], [6]], 1, 2, 0, 3)
    yield Call("an empty sentence beside another", [[], [8, 9]], 1, 2, 0, 5)
    yield Call("nothing but an empty sentence", [[]], 1, 2, 0, 5)
    yield Call("one step is all", [[4, 5], []], 1, 2, 0, 1)
    yield Call("<pad> is also <eos>", [[5, 6], [7]], 1, 2, 2, 10)
    yield Call("<pad> is also <bos>", [[5, 6, 7], [8]], 0, 2, 0, 10)
    yield Call("a word has the id of <pad>", [[5, 0, 6], [0]], 1, 2, 0, 10)
    yield Call(
        "words have the ids of <bos> and <eos>", [[2, 1], [1, 2, 3]], 1, 2, 0, 6
    )
    yield Call("all are cut", [[3, 4, 5], [6, 7, 8, 9]], 1, 2, 0, 2)
    yield Call("other ids for the special tokens", [[0, 1], [2]], 90, 91, 92, 7)
    while True:
        sentences = [
            [rng.randint(3, 9) for _ in range(rng.randint(0, 5))]
            for _ in range(rng.randint(1, 4))
        ]
        bos, eos, pad = rng.sample(range(3), 3)
        pad = rng.choice([pad, pad, bos, eos, 4])
        yield Call(
            "random sentences", sentences, bos, eos, pad, rng.randint(1, 8)
        )


decoder_batch = Exercise(
    "decoder_batch",
    title="What the decoder reads, and what it should say",
    points=2,
    minutes=20,
    cases=decoder_cases,
    visible=24,
)


def _filled(
    rows: list[list[int]],
    value: int,
    steps: int | None = None,
    left: bool = False,
) -> Tensor:
    steps = max(map(len, rows)) if steps is None else steps
    full = [
        ([value] * (steps - len(r)) + r)
        if left
        else (r + [value] * (steps - len(r)))
        for r in rows
    ]
    return tensor(full, dtype=torch.int64).view(len(rows), steps)


def _reads_and_says(sentences, bos_id, eos_id, max_steps):
    reads = [[bos_id, *s][:max_steps] for s in sentences]
    says = [[*s, eos_id][:max_steps] for s in sentences]
    return reads, says


@decoder_batch.mistake(
    "Off by one: in yours the decoder should say what it has just read. Labels are one step ahead: they begin with the first word."
)
def decoder_not_shifted(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, _ = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, pad_id), _filled(reads, -100)


TWO_AHEAD = "Your labels are two ahead of the inputs: while it reads <bos>, the decoder should say the *first* word. Inputs have <bos> in front and labels have not, which makes them one apart already."


@decoder_batch.mistake(TWO_AHEAD)
def decoder_two_ahead(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, _ = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    says = [[*s, eos_id][1 : max_steps + 1] for s in sentences]
    return _filled(reads, pad_id), _filled(says, -100, max(map(len, reads)))


@decoder_batch.mistake(TWO_AHEAD)
def decoder_two_ahead_after_cut(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    steps = max(map(len, reads))
    return _filled(reads, pad_id), _filled([s[1:] for s in says], -100, steps)


FROM_INPUTS = "You make the labels from the inputs, moved by one. What the last step should say is not in the inputs: <eos>, or in a cut sentence the word after the cut. Build both rows from the sentence."


@decoder_batch.mistake(
    FROM_INPUTS
    + " And in short rows the padding is moved along, so that the loss would count it."
)
def decoder_moves_inputs(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, _ = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    inputs = _filled(reads, pad_id)
    labels = torch.full_like(inputs, -100)
    labels[:, :-1] = inputs[:, 1:]
    return inputs, labels


@decoder_batch.mistake(FROM_INPUTS)
def decoder_moves_rows(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, _ = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    steps = max(map(len, reads))
    return _filled(reads, pad_id), _filled([r[1:] for r in reads], -100, steps)


@decoder_batch.mistake(
    FROM_INPUTS + " And padding is known by lengths, not by its value."
)
def decoder_moves_inputs_and_masks_by_value(
    sentences, bos_id, eos_id, pad_id, max_steps
):
    inputs, labels = decoder_moves_inputs(
        sentences, bos_id, eos_id, pad_id, max_steps
    )
    return inputs, labels.masked_fill(labels == pad_id, -100)


@decoder_batch.mistake(
    "Off by one: inputs and labels both hold <bos> and <eos>, and the label of a step is what it reads. Inputs begin with <bos> and have no <eos>; labels the other way round."
)
def decoder_both_whole(sentences, bos_id, eos_id, pad_id, max_steps):
    rows = [[bos_id, *s, eos_id][:max_steps] for s in sentences]
    return _filled(rows, pad_id), _filled(rows, -100)


@decoder_batch.mistake(
    "Off by one: the decoder reads the word that it should say. Inputs begin with <bos>."
)
def decoder_reads_the_answer(sentences, bos_id, eos_id, pad_id, max_steps):
    _, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(says, pad_id), _filled(says, -100)


@decoder_batch.mistake(
    "The labels lack <eos>. A decoder that never learns to say it goes on for ever."
)
def decoder_without_eos(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, _ = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, pad_id), _filled(
        [s[:max_steps] for s in sentences], -100, max(map(len, reads))
    )


@decoder_batch.mistake(
    "The labels lack <eos>. A decoder that never learns to say it goes on for ever."
)
def decoder_without_eos_and_its_step(
    sentences, bos_id, eos_id, pad_id, max_steps
):
    rows = [[bos_id, *s] for s in sentences]
    reads, says = (
        [r[:-1][:max_steps] for r in rows],
        [r[1:][:max_steps] for r in rows],
    )
    return _filled(reads, pad_id), _filled(says, -100)


@decoder_batch.mistake(
    "The inputs end with <eos>. Nothing is said after it, so no step needs to read it."
)
def decoder_reads_eos(sentences, bos_id, eos_id, pad_id, max_steps):
    reads = [[bos_id, *s, eos_id][:max_steps] for s in sentences]
    _, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    steps = max(map(len, reads))
    return _filled(reads, pad_id), _filled(says, -100, steps)


@decoder_batch.mistake(
    "The loss would count padding: labels are filled up with -100, inputs with pad_id."
)
def decoder_pads_labels(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, pad_id), _filled(says, pad_id)


@decoder_batch.mistake(
    "-100 is no id that an embedding knows: inputs are filled up with pad_id, labels with -100."
)
def decoder_reads_minus_100(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, -100), _filled(says, -100)


@decoder_batch.mistake(
    "The two fillings are exchanged: inputs get pad_id, labels -100."
)
def decoder_fillings_exchanged(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, -100), _filled(says, pad_id)


BY_VALUE = "You find the padding by its value. A word, and even <eos>, may have the same id, and would be left out of the loss: go by the lengths."


@decoder_batch.mistake(BY_VALUE)
def decoder_masks_by_value(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    labels = _filled(says, pad_id)
    return _filled(reads, pad_id), labels.masked_fill(labels == pad_id, -100)


@decoder_batch.mistake(BY_VALUE)
def decoder_masks_where_inputs_are_pad(
    sentences, bos_id, eos_id, pad_id, max_steps
):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    inputs = _filled(reads, pad_id)
    return inputs, _filled(says, pad_id).masked_fill(inputs == pad_id, -100)


@decoder_batch.mistake(
    "A cut sentence does not end where its row ends: its last label is a word, not <eos>. Else the model learns to stop in the middle."
)
def decoder_eos_after_cut(sentences, bos_id, eos_id, pad_id, max_steps):
    kept = [s[: max_steps - 1] for s in sentences]
    return _filled([[bos_id, *s] for s in kept], pad_id), _filled(
        [[*s, eos_id] for s in kept], -100
    )


@decoder_batch.mistake(
    "A cut sentence does not end where its row ends: its last label is a word, not <eos>. Else the model learns to stop in the middle."
)
def decoder_last_becomes_eos(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, pad_id), _filled(
        [[*row[:-1], eos_id] for row in says], -100
    )


@decoder_batch.mistake(
    "You cut the sentences to max_steps words; with <bos> the row has one step more. Cut the rows."
)
def decoder_cuts_words(sentences, bos_id, eos_id, pad_id, max_steps):
    kept = [s[:max_steps] for s in sentences]
    return _filled([[bos_id, *s] for s in kept], pad_id), _filled(
        [[*s, eos_id] for s in kept], -100
    )


@decoder_batch.mistake(
    "You cut <bos> ... <eos> to max_steps tokens before you shift. That gives max_steps - 1 steps: cut to one token more."
)
def decoder_cuts_before_shift(sentences, bos_id, eos_id, pad_id, max_steps):
    rows = [[bos_id, *s, eos_id][:max_steps] for s in sentences]
    return _filled([r[:-1] for r in rows], pad_id), _filled(
        [r[1:] for r in rows], -100
    )


@decoder_batch.mistake(
    "Nothing is cut in yours: no row has more than max_steps steps."
)
def decoder_never_cuts(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, 10**6)
    return _filled(reads, pad_id), _filled(says, -100)


@decoder_batch.mistake(
    "You cut at the beginning of a sentence. What goes beyond max_steps is cut off at its end."
)
def decoder_keeps_ends(sentences, bos_id, eos_id, pad_id, max_steps):
    reads = [[bos_id, *s][-max_steps:] for s in sentences]
    says = [[*s, eos_id][-max_steps:] for s in sentences]
    return _filled(reads, pad_id), _filled(says, -100)


@decoder_batch.mistake(
    "Every batch has max_steps steps in yours. It needs only as many as its longest row."
)
def decoder_always_widest(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, pad_id, max_steps), _filled(says, -100, max_steps)


@decoder_batch.mistake(
    "You fill up on the left. A decoder begins at the first column: fill up on the right."
)
def decoder_fills_left(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, pad_id, left=True), _filled(says, -100, left=True)


@decoder_batch.mistake(
    "<bos> is missing: before the first word the decoder reads it, or it would have to know the first word already."
)
def decoder_without_bos(sentences, bos_id, eos_id, pad_id, max_steps):
    rows = [[*s, eos_id] for s in sentences]
    reads, says = (
        [r[:-1][:max_steps] for r in rows],
        [r[1:][:max_steps] for r in rows],
    )
    return _filled(reads, pad_id), _filled(says, -100)


SHIFTED_LATE = "You fill up first and drop the last column of the inputs then. In a short row the <eos> stays in the inputs: build both rows of a sentence before you fill up."


@decoder_batch.mistake(SHIFTED_LATE)
def decoder_shifts_after_filling(sentences, bos_id, eos_id, pad_id, max_steps):
    rows = [[bos_id, *s, eos_id][: max_steps + 1] for s in sentences]
    return _filled(rows, pad_id)[:, :-1], _filled(rows, -100)[:, 1:]


@decoder_batch.mistake(
    SHIFTED_LATE + " And padding is known by lengths, not by its value."
)
def decoder_shifts_and_masks_by_value(
    sentences, bos_id, eos_id, pad_id, max_steps
):
    rows = _filled(
        [[bos_id, *s, eos_id][: max_steps + 1] for s in sentences], pad_id
    )
    labels = rows[:, 1:]
    return rows[:, :-1], labels.masked_fill(labels == pad_id, -100)


@decoder_batch.mistake("Labels first in yours: return (inputs, labels).")
def decoder_exchanged(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(says, -100), _filled(reads, pad_id)


@decoder_batch.mistake(
    "<bos> and <eos> are exchanged: a sentence begins with bos_id and ends with eos_id."
)
def decoder_bos_and_eos_exchanged(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, eos_id, bos_id, max_steps)
    return _filled(reads, pad_id), _filled(says, -100)


@decoder_batch.mistake(
    "Right numbers; return two int64 tensors, not lists: torch.tensor(rows) makes one."
)
def decoder_as_lists(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, pad_id).tolist(), _filled(says, -100).tolist()


@decoder_batch.mistake(
    "Right numbers, but as floats: ids are int64. Give dtype=torch.int64 when you make the tensor."
)
def decoder_as_floats(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, pad_id).float(), _filled(says, -100).float()


@decoder_batch.mistake(
    "Your lists grow in place: the sentences that were passed in now hold special tokens. The caller still needs them."
)
def decoder_in_place(sentences, bos_id, eos_id, pad_id, max_steps):
    result = decoder_by_lists(sentences, bos_id, eos_id, pad_id, max_steps)
    for sentence in sentences:
        sentence.append(eos_id)
    return result


@decoder_batch.mistake(
    SHIFTED_LATE + " And the labels are filled up with -100."
)
def decoder_shifts_and_pads_labels(
    sentences, bos_id, eos_id, pad_id, max_steps
):
    rows = _filled(
        [[bos_id, *s, eos_id][: max_steps + 1] for s in sentences], pad_id
    )
    return rows[:, :-1], rows[:, 1:]


@decoder_batch.mistake(
    "You take every <eos> id out of the inputs by its value. A word may have this id: build the inputs without <eos> instead."
)
def decoder_replaces_eos(sentences, bos_id, eos_id, pad_id, max_steps):
    rows = [[bos_id, *s, eos_id][: max_steps + 1] for s in sentences]
    inputs = _filled(rows, pad_id)[:, :-1]
    return inputs.masked_fill(inputs == eos_id, pad_id), _filled(
        [row[1:] for row in rows], -100
    )


@decoder_batch.mistake(
    "<eos> stands at the end of the *row*, behind the padding. It comes right after the last word of the sentence."
)
def decoder_eos_behind_padding(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, _ = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    steps = max(map(len, reads))
    rows = [
        [*s, *[-100] * (steps - 1 - len(s)), eos_id][:steps] for s in sentences
    ]
    return _filled(reads, pad_id), _filled(rows, -100)


@decoder_batch.mistake(
    "You leave room for <bos> and <eos> in the same row and cut two words too early. <bos> is in the inputs only, <eos> in the labels only."
)
def decoder_leaves_room_for_both(sentences, bos_id, eos_id, pad_id, max_steps):
    kept = [s[: max(0, max_steps - 2)] for s in sentences]
    return _filled([[bos_id, *s] for s in kept], pad_id), _filled(
        [[*s, eos_id] for s in kept], -100
    )


@decoder_batch.mistake(
    "You leave room for <bos> and <eos> in the same row and cut two words too early. <bos> is in the inputs only, <eos> in the labels only."
)
def decoder_leaves_room_for_both_by_slice(
    sentences, bos_id, eos_id, pad_id, max_steps
):
    kept = [
        s[: max_steps - 2] if len(s) > max_steps - 2 else s for s in sentences
    ]
    return _filled([[bos_id, *s] for s in kept], pad_id), _filled(
        [[*s, eos_id] for s in kept], -100
    )


@decoder_batch.mistake(
    "The inputs are filled up with eos_id. They are filled up with pad_id."
)
def decoder_fills_with_eos(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, eos_id), _filled(says, -100)


@decoder_batch.mistake(
    "Empty sentences are left out. They are a row, too: the decoder reads <bos> and should say <eos>."
)
def decoder_drops_empty(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, says = _reads_and_says(
        [s for s in sentences if s], bos_id, eos_id, max_steps
    )
    return _filled(reads, pad_id), _filled(says, -100)


@decoder_batch.mistake(
    "Only the inputs are cut. The labels have as many steps: cut both."
)
def decoder_cuts_inputs_only(sentences, bos_id, eos_id, pad_id, max_steps):
    reads, _ = _reads_and_says(sentences, bos_id, eos_id, max_steps)
    return _filled(reads, pad_id), _filled(
        [[*s, eos_id] for s in sentences], -100
    )


@decoder_batch.mistake(
    "The label of a step is what it reads, with <bos> left out of the loss. A label is the *next* word: shift by one."
)
def decoder_masks_bos(sentences, bos_id, eos_id, pad_id, max_steps):
    rows = [[bos_id, *s, eos_id][:max_steps] for s in sentences]
    return _filled(rows, pad_id), _filled(
        [[-100, *row[1:]] for row in rows], -100
    )


@decoder_batch.alternative
def decoder_by_lists(sentences, bos_id, eos_id, pad_id, max_steps):
    steps = min(max_steps, 1 + max(len(s) for s in sentences))
    inputs, labels = [], []
    for s in sentences:
        more = max(0, steps - len(s) - 1)
        inputs.append(([bos_id] + s + [pad_id] * more)[:steps])
        labels.append((s + [eos_id] + [-100] * more)[:steps])
    return torch.tensor(inputs), torch.tensor(labels)


@decoder_batch.alternative
def decoder_by_pad_sequence(sentences, bos_id, eos_id, pad_id, max_steps):
    rows = [
        tensor([bos_id, *s, eos_id], dtype=torch.int64)[: max_steps + 1]
        for s in sentences
    ]
    pad = nn.utils.rnn.pad_sequence
    return (
        pad([r[:-1] for r in rows], batch_first=True, padding_value=pad_id),
        pad([r[1:] for r in rows], batch_first=True, padding_value=-100),
    )


@decoder_batch.alternative
def decoder_by_steps(sentences, bos_id, eos_id, pad_id, max_steps):
    steps = min(max_steps, max(map(len, sentences)) + 1)
    inputs = np.full((len(sentences), steps), pad_id)
    labels = np.full((len(sentences), steps), -100)
    for i, sentence in enumerate(sentences):
        before = bos_id
        for t, token in enumerate((*sentence, eos_id)):
            if t < steps:
                inputs[i, t], labels[i, t] = before, token
            before = token
    return torch.from_numpy(inputs), torch.from_numpy(labels)


# 4 --------------------------------------------------------------------------------------------- run_checkpoint


def checkpoint_cases(rng: random.Random) -> Iterator[Call]:
    zeros = torch.zeros
    yield Call(
        "a kernel of zeros, two steps",
        torch.ones(1, 2, 1),
        zeros(2, 4),
        tensor([0.0, 1.0, -1.0, 0.0]),
        1.0,
    )
    yield Call(
        "one step from zeros",
        tensor([[[1.0]]]),
        tensor([[1.0, -0.5, 2.0, 0.5], [0.25, 1.0, -1.0, 0.75]]),
        zeros(4),
        1.0,
    )
    yield Call(
        "three steps",
        tensor([[[1.0], [-0.5], [2.0]]]),
        tensor([[1.0, -0.5, 2.0, 0.5], [0.25, 1.0, -1.0, 0.75]]),
        tensor([0.5, 0.25, -0.5, 0.0]),
        1.0,
    )
    yield Call(
        "no forget bias",
        tensor([[[1.0], [-0.5], [2.0]]]),
        tensor([[1.0, -0.5, 2.0, 0.5], [0.25, 1.0, -1.0, 0.75]]),
        tensor([0.5, 0.25, -0.5, 0.0]),
        0.0,
    )
    yield Call(
        "a large forget bias: all is kept",
        tensor([[[1.0], [0.5], [1.0]]]),
        tensor([[0.0, 2.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]),
        tensor([3.0, 0.0, 0.0, 0.0]),
        20.0,
    )
    yield Call(
        "two numbers in the state",
        tensor([[[1.0], [-1.0]]]),
        quarters(rng, 3, 8),
        quarters(rng, 8),
        1.0,
    )
    yield Call(
        "two numbers in the input",
        tensor([[[1.0, 0.5], [-1.0, 2.0], [0.25, 0.0]]]),
        quarters(rng, 3, 4),
        quarters(rng, 4),
        1.0,
    )
    yield Call(
        "as many inputs as states",
        tensor([[[1.0, 0.5], [-1.0, 2.0], [0.25, -0.5]]]),
        quarters(rng, 4, 8),
        quarters(rng, 8),
        0.5,
    )
    yield Call(
        "two sequences",
        quarters(rng, 2, 3, 2),
        quarters(rng, 4, 8),
        quarters(rng, 8),
        1.0,
    )
    yield Call(
        "as many sequences as steps",
        quarters(rng, 3, 3, 1),
        quarters(rng, 3, 8),
        quarters(rng, 8),
        1.0,
    )
    while True:
        d_in, d = rng.randint(1, 3), rng.randint(1, 3)
        yield Call(
            "random weights",
            quarters(rng, rng.randint(1, 3), rng.randint(2, 5), d_in),
            quarters(rng, d_in + d, 4 * d, largest=1.5),
            quarters(rng, 4 * d, largest=1.0),
            rng.choice([0.5, 1.0, 1.0, 1.5]),
        )


run_checkpoint = Exercise(
    "run_checkpoint",
    title="An LSTM from another house",
    points=3,
    minutes=30,
    cases=checkpoint_cases,
    compare=close(
        rtol=1e-4,
        atol=1e-5,
        why="float32 sums in any order, through a few steps of a recurrence",
    ),
    visible=20,
)


def _checkpoint(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor,
    forget_bias: float,
    *,
    order: str = "ijfo",
    swap_input: bool = False,
    rule: Callable[..., tuple[Tensor, Tensor]] | None = None,
    keep: str = "hc",
) -> tuple[Tensor, Tensor]:
    """The LSTM with a choice of faults: what comes of (i, j, f, o, h, c), and what is carried on."""
    d = kernel.shape[1] // 4
    h = c = x.new_zeros(len(x), d)
    outputs = []
    for x_t in x.unbind(1):
        parts = [h, x_t] if swap_input else [x_t, h]
        gates = dict(
            zip(
                order,
                (torch.cat(parts, 1) @ kernel + bias).chunk(4, dim=1),
                strict=True,
            )
        )
        i, j, f, o = (gates[k] for k in "ijfo")
        new_h, new_c = (rule or _right_rule)(
            i, j, f + forget_bias, o, h, c, forget_bias
        )
        outputs.append(new_h)
        h = new_h if "h" in keep else h
        c = new_c if "c" in keep else c
        last = new_c
    return torch.stack(outputs, dim=1), last


def _right_rule(i, j, f, o, h, c, forget_bias):
    c = f.sigmoid() * c + i.sigmoid() * j.tanh()
    return o.sigmoid() * c.tanh(), c


for _order, _hint in {
    "ifjo": "The parts are in torch's order in yours: i, f, g, o. This checkpoint has i, j, f, o: the candidate comes second, the forget gate third.",
    "ijof": "Forget and output gate are exchanged: the order is i, j, f, o.",
    "jifo": "Input gate and candidate are exchanged: the order is i, j, f, o.",
    "fijo": "The parts begin with the forget gate in yours, as the formula for c does. The order is i, j, f, o.",
    "fjio": "Input and forget gate are exchanged: the order is i, j, f, o.",
    "ifoj": "The candidate comes last in yours. The order is i, j, f, o.",
    "ojfi": "Input and output gate are exchanged: the order is i, j, f, o.",
}.items():

    def _wrong_order(x, kernel, bias, forget_bias=1.0, _order=_order):
        return _checkpoint(x, kernel, bias, forget_bias, order=_order)

    _wrong_order.__name__ = f"checkpoint_{_order}"
    run_checkpoint.mistake(_hint)(_wrong_order)


@run_checkpoint.mistake(
    "The four parts are cut as (d, 4), so that gates are mixed up. Each part is d numbers in a row: chunk(4, dim=1)."
)
def checkpoint_interleaved(x, kernel, bias, forget_bias=1.0):
    d = kernel.shape[1] // 4
    shuffle = torch.arange(4 * d).view(d, 4).T.flatten()
    return _checkpoint(x, kernel[:, shuffle], bias[shuffle], forget_bias)


@run_checkpoint.mistake(
    "forget_bias is missing: it is not part of b, and is added to the forget gate at every step."
)
def checkpoint_without_forget_bias(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, bias, 0.0)


@run_checkpoint.mistake(
    "forget_bias is missing, and the parts are in torch's order. Here they are i, j, f, o."
)
def checkpoint_as_torch(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, bias, 0.0, order="ifjo")


@run_checkpoint.mistake(
    "You always add 1 to the forget gate. The argument forget_bias says how much."
)
def checkpoint_forget_bias_one(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, bias, 1.0)


@run_checkpoint.mistake(
    "forget_bias goes inside σ: σ(f + forget_bias). You add it to the gate, which then lies above 1."
)
def checkpoint_forget_bias_outside(x, kernel, bias, forget_bias=1.0):
    def rule(i, j, f, o, h, c, more):
        c = ((f - more).sigmoid() + more) * c + i.sigmoid() * j.tanh()
        return o.sigmoid() * c.tanh(), c

    return _checkpoint(x, kernel, bias, forget_bias, rule=rule)


@run_checkpoint.mistake(
    "forget_bias is added to all four parts. Only the forget gate gets it."
)
def checkpoint_forget_bias_everywhere(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, bias + forget_bias, 0.0)


@run_checkpoint.mistake(
    "forget_bias is added twice to the forget gate, once for each of torch's two biases. Let one of them be zeros."
)
def checkpoint_forget_bias_twice(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, bias, 2 * forget_bias)


@run_checkpoint.mistake(
    "torch adds two biases, bias_ih and bias_hh. You gave b to both, so it counts twice: let one of them be zeros."
)
def checkpoint_bias_twice(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, 2 * bias, forget_bias)


@run_checkpoint.mistake(
    "torch adds two biases, bias_ih and bias_hh. You gave both b with forget_bias added, so all of it counts twice: let one of them be zeros."
)
def checkpoint_all_biases_twice(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, 2 * bias, 2 * forget_bias)


@run_checkpoint.mistake("The bias b is not added in yours.")
def checkpoint_without_bias(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, torch.zeros_like(bias), forget_bias)


@run_checkpoint.mistake(
    "[x, h] has the input first: the first d_in rows of the kernel belong to x, the last d to h."
)
def checkpoint_h_first(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, bias, forget_bias, swap_input=True)


def _rule_mistake(
    hint: str,
    name: str,
    rule: Callable[..., tuple[Tensor, Tensor]],
    keep: str = "hc",
) -> None:
    def answer(x, kernel, bias, forget_bias=1.0):
        return _checkpoint(x, kernel, bias, forget_bias, rule=rule, keep=keep)

    answer.__name__ = f"checkpoint_{name}"
    run_checkpoint.mistake(hint)(answer)


def _rule(
    cell: Callable[..., Tensor],
    show: Callable[[Tensor, Tensor], Tensor] | None = None,
):
    def rule(i, j, f, o, h, c, more):
        new = cell(i, j, f, o, h, c)
        return (show or (lambda o, c: o.sigmoid() * c.tanh()))(o, new), new

    return rule


_memory = lambda i, j, f, o, h, c: f.sigmoid() * c + i.sigmoid() * j.tanh()  # noqa: E731
for _name, _hint, _how in (
    (
        "candidate_without_tanh",
        "The candidate j goes in without its tanh, so the memory is not held within bounds.",
        _rule(lambda i, j, f, o, h, c: f.sigmoid() * c + i.sigmoid() * j),
    ),
    (
        "candidate_sigmoid",
        "The candidate j goes through σ like a gate. What is written may be negative: tanh(j).",
        _rule(
            lambda i, j, f, o, h, c: f.sigmoid() * c + i.sigmoid() * j.sigmoid()
        ),
    ),
    (
        "output_without_tanh",
        "The output is the gated memory itself. The memory goes through tanh before it is shown: σ(o) tanh(c).",
        _rule(_memory, lambda o, c: o.sigmoid() * c),
    ),
    (
        "no_tanh",
        "Both tanh are missing: that of the candidate j, and that of the memory before it is shown.",
        _rule(
            lambda i, j, f, o, h, c: f.sigmoid() * c + i.sigmoid() * j,
            lambda o, c: o.sigmoid() * c,
        ),
    ),
    (
        "tanh_outside",
        "tanh stands around the product. Only the memory goes through it: σ(o) tanh(c).",
        _rule(_memory, lambda o, c: (o.sigmoid() * c).tanh()),
    ),
    (
        "output_sigmoid",
        "The memory goes through σ before it is shown. It should be tanh: σ(o) tanh(c).",
        _rule(_memory, lambda o, c: o.sigmoid() * c.sigmoid()),
    ),
    (
        "gates_cross",
        "The forget gate acts on the candidate and the input gate on the old memory: it is the other way round.",
        _rule(
            lambda i, j, f, o, h, c: i.sigmoid() * c + f.sigmoid() * j.tanh()
        ),
    ),
    (
        "forgets_h",
        "The forget gate acts on h in yours. It is the memory c that is kept: hidden and cell state are two things.",
        _rule(
            lambda i, j, f, o, h, c: f.sigmoid() * h + i.sigmoid() * j.tanh()
        ),
    ),
    (
        "coupled",
        "You take 1 - f for the input gate, as some variants do. Here i is a gate of its own.",
        _rule(
            lambda i, j, f, o, h, c: (
                f.sigmoid() * c + (1 - f.sigmoid()) * j.tanh()
            )
        ),
    ),
    (
        "gates_without_sigmoid",
        "The gates go in as they are. σ makes each a number between 0 and 1.",
        _rule(
            lambda i, j, f, o, h, c: f * c + i * j.tanh(),
            lambda o, c: o * c.tanh(),
        ),
    ),
    (
        "memory_tanh",
        "The new memory goes through tanh before it is kept. It is shown through tanh, but carried on as it is.",
        _rule(
            lambda i, j, f, o, h, c: _memory(i, j, f, o, h, c).tanh(),
            lambda o, c: o.sigmoid() * c,
        ),
    ),
    (
        "never_written",
        "The input gate is missing: σ(i) says how much of the candidate is written.",
        _rule(lambda i, j, f, o, h, c: f.sigmoid() * c + j.tanh()),
    ),
    (
        "never_forgotten",
        "The forget gate is missing: σ(f + forget_bias) says how much of the old memory is kept.",
        _rule(lambda i, j, f, o, h, c: c + i.sigmoid() * j.tanh()),
    ),
    (
        "always_shown",
        "The output gate is missing: the output is σ(o) tanh(c).",
        _rule(_memory, lambda o, c: c.tanh()),
    ),
):
    _rule_mistake(_hint, _name, _how)


def _shows_old(i, j, f, o, h, c, more):
    return o.sigmoid() * c.tanh(), _memory(i, j, f, o, h, c)


_rule_mistake(
    "The output shows the *old* memory. First c is renewed, then h = σ(o) tanh(c) is made from the new one.",
    "shows_old",
    _shows_old,
)
_rule_mistake(
    "The memory starts anew at each step: the c of this step is the c_{t-1} of the next.",
    "c_not_carried",
    _right_rule,
    "h",
)
_rule_mistake(
    "The output is not read at the next step: h_{t-1} belongs beside x_t.",
    "h_not_carried",
    _right_rule,
    "c",
)
_rule_mistake(
    "Each step starts from zeros: neither h nor c is carried on.",
    "nothing_carried",
    _right_rule,
    "",
)


@run_checkpoint.mistake(
    "Hidden and cell state are exchanged at the end: you return the last h, and c is asked. c is what is kept, h what is shown."
)
def checkpoint_last_h(x, kernel, bias, forget_bias=1.0):
    outputs, _ = _checkpoint(x, kernel, bias, forget_bias)
    return outputs, outputs[:, -1]


@run_checkpoint.mistake(
    "Hidden and cell state are exchanged: you return all memories and the last output. Asked are all h and the last c."
)
def checkpoint_states_exchanged(x, kernel, bias, forget_bias=1.0):
    memories = _memories(x, kernel, bias, forget_bias)
    return memories, _checkpoint(x, kernel, bias, forget_bias)[0][:, -1]


def _memories(x, kernel, bias, forget_bias):
    pieces = [
        _checkpoint(x[:, : t + 1], kernel, bias, forget_bias)[1]
        for t in range(x.shape[1])
    ]
    return torch.stack(pieces, dim=1)


@run_checkpoint.mistake(
    "You collect the memories c as outputs. The outputs are the h; only the last c is asked."
)
def checkpoint_all_memories(x, kernel, bias, forget_bias=1.0):
    memories = _memories(x, kernel, bias, forget_bias)
    return memories, memories[:, -1]


@run_checkpoint.mistake(
    "All memories come back. Only the last one is asked, (batch, d)."
)
def checkpoint_every_memory(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, bias, forget_bias)[0], _memories(
        x, kernel, bias, forget_bias
    )


@run_checkpoint.mistake(
    "Only the last output comes back. Return all of them, (batch, time, d): torch.stack(outputs, dim=1)."
)
def checkpoint_only_last(x, kernel, bias, forget_bias=1.0):
    outputs, c = _checkpoint(x, kernel, bias, forget_bias)
    return outputs[:, -1], c


@run_checkpoint.mistake(
    "The outputs are (time, batch, d) in yours. Stack the steps along dim=1, behind the batch."
)
def checkpoint_time_first(x, kernel, bias, forget_bias=1.0):
    outputs, c = _checkpoint(x, kernel, bias, forget_bias)
    return outputs.transpose(0, 1), c


@run_checkpoint.mistake(
    "You step through the sequences of the batch instead of their steps: x is (batch, time, d_in), so x[:, t] is step t."
)
def checkpoint_steps_through_batch(x, kernel, bias, forget_bias=1.0):
    outputs, c = _checkpoint(x.transpose(0, 1), kernel, bias, forget_bias)
    return outputs.transpose(0, 1), c


@run_checkpoint.mistake(
    "torch.nn.LSTM reads (time, batch, d_in) unless it is made with batch_first=True. Yours steps through the batch."
)
def checkpoint_not_batch_first(x, kernel, bias, forget_bias=1.0):
    outputs, c = _checkpoint(x.transpose(0, 1), kernel, bias, forget_bias)
    return outputs.transpose(0, 1), c[None]


@run_checkpoint.mistake(
    "torch.nn.LSTM returns its memory as (layers, batch, d). Take the only layer: c[0]."
)
def checkpoint_memory_with_layers(x, kernel, bias, forget_bias=1.0):
    outputs, c = _checkpoint(x, kernel, bias, forget_bias)
    return outputs, c[None]


@run_checkpoint.mistake(
    "The sequence is read backwards in yours. Step 0 comes first."
)
def checkpoint_backwards(x, kernel, bias, forget_bias=1.0):
    outputs, c = _checkpoint(x.flip(1), kernel, bias, forget_bias)
    return outputs.flip(1), c


@run_checkpoint.mistake(
    "The two results are exchanged: return (outputs, memory)."
)
def checkpoint_results_exchanged(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, bias, forget_bias)[::-1]


@run_checkpoint.mistake(
    "Hidden and cell state are exchanged on the way: what the next step reads as h is the c of this one. In `h, c = ...` keep the order."
)
def checkpoint_states_cross(x, kernel, bias, forget_bias=1.0):
    return _crossed(x, kernel, bias, forget_bias, lambda h, c: (c, h))


@run_checkpoint.mistake(
    "The memory c is read beside x_t. It is the old *output* h that stands there: [x, h]."
)
def checkpoint_reads_memory(x, kernel, bias, forget_bias=1.0):
    return _crossed(x, kernel, bias, forget_bias, lambda h, c: (c, c))


def _crossed(x, kernel, bias, forget_bias, carried):
    """The LSTM in which `carried(h, c)` is what the next step takes for h and c."""
    h = c = x.new_zeros(len(x), kernel.shape[1] // 4)
    outputs = []
    for x_t in x.unbind(1):
        i, j, f, o = (torch.cat([x_t, h], 1) @ kernel + bias).chunk(4, dim=1)
        out, memory = _right_rule(i, j, f + forget_bias, o, h, c, forget_bias)
        outputs.append(out)
        h, c = carried(out, memory)
    return torch.stack(outputs, dim=1), memory


def _shifted(bias: Tensor, part: int, by: float) -> Tensor:
    """Return `bias` with `by` added to one of its four parts."""
    parts = list(bias.chunk(4))
    parts[part] = parts[part] + by
    return torch.cat(parts)


@run_checkpoint.mistake(
    "forget_bias went to the candidate: after the parts are in torch's order i, f, g, o, the forget gate is the *second*."
)
def checkpoint_forget_bias_to_candidate(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, _shifted(bias, 1, forget_bias), 0.0)


@run_checkpoint.mistake(
    "The matrices are in the other order, the bias is not: its four parts move, too."
)
def checkpoint_bias_not_moved(x, kernel, bias, forget_bias=1.0):
    i, f, j, o = bias.chunk(4)
    return _checkpoint(x, kernel, torch.cat([i, j, f, o]), forget_bias)


@run_checkpoint.mistake(
    "view(4, ...) cuts the numbers of different sequences into one part. The parts lie along dim=1: chunk(4, dim=1)."
)
def checkpoint_by_view(x, kernel, bias, forget_bias=1.0):
    d = kernel.shape[1] // 4
    h = c = x.new_zeros(len(x), d)
    outputs = []
    for x_t in x.unbind(1):
        i, j, f, o = (torch.cat([x_t, h], 1) @ kernel + bias).view(4, -1, d)
        h, c = _right_rule(i, j, f + forget_bias, o, h, c, forget_bias)
        outputs.append(h)
    return torch.stack(outputs, dim=1), c


@run_checkpoint.mistake(
    "forget_bias is added to the same numbers again at each step, so it grows. It is added once to the f of each step."
)
def checkpoint_forget_bias_grows(x, kernel, bias, forget_bias=1.0):
    h = c = x.new_zeros(len(x), kernel.shape[1] // 4)
    outputs = []
    for t, x_t in enumerate(x.unbind(1)):
        i, j, f, o = (torch.cat([x_t, h], 1) @ kernel + bias).chunk(4, dim=1)
        h, c = _right_rule(
            i, j, f + (t + 1) * forget_bias, o, h, c, forget_bias
        )
        outputs.append(h)
    return torch.stack(outputs, dim=1), c


@run_checkpoint.mistake(
    "forget_bias is subtracted. It is added: it opens the forget gate."
)
def checkpoint_forget_bias_subtracted(x, kernel, bias, forget_bias=1.0):
    return _checkpoint(x, kernel, bias, -forget_bias)


@run_checkpoint.mistake(
    "You changed the bias that was passed in (+= works in place). The caller still needs it: clone it first."
)
def checkpoint_in_place(x, kernel, bias, forget_bias=1.0):
    d = kernel.shape[1] // 4
    bias[2 * d : 3 * d] += forget_bias
    return _checkpoint(x, kernel, bias, 0.0)


@run_checkpoint.alternative
def checkpoint_by_torch_lstm(x, kernel, bias, forget_bias=1.0):
    d_in = x.shape[2]
    d = kernel.shape[1] // 4
    lstm = nn.LSTM(d_in, d, batch_first=True)
    i, j, f, o = (torch.arange(d) + k * d for k in range(4))
    order = torch.cat([i, f, j, o])
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(kernel[:d_in].T[order])
        lstm.weight_hh_l0.copy_(kernel[d_in:].T[order])
        lstm.bias_ih_l0.copy_(bias[order])
        lstm.bias_hh_l0.zero_()
        lstm.bias_hh_l0[d : 2 * d] = forget_bias
        outputs, (_, c) = lstm(x)
    return outputs, c[0]


@run_checkpoint.alternative
def checkpoint_by_numpy(x, kernel, bias, forget_bias=1.0):
    def logistic(a):
        return 1 / (1 + np.exp(-a))

    x, K, b = (a.numpy().astype(np.float64) for a in (x, kernel, bias))
    batch, time, d_in = x.shape
    d = K.shape[1] // 4
    h, c = np.zeros((batch, d)), np.zeros((batch, d))
    outputs = np.zeros((batch, time, d))
    for t in range(time):
        a = x[:, t] @ K[:d_in] + h @ K[d_in:] + b
        c = logistic(a[:, 2 * d : 3 * d] + forget_bias) * c + logistic(
            a[:, :d]
        ) * np.tanh(a[:, d : 2 * d])
        h = logistic(a[:, 3 * d :]) * np.tanh(c)
        outputs[:, t] = h
    return torch.from_numpy(outputs).float(), torch.from_numpy(c).float()


@run_checkpoint.alternative
def checkpoint_one_by_one(x, kernel, bias, forget_bias=1.0):
    d = kernel.shape[1] // 4
    shifted = bias.clone()
    shifted[2 * d : 3 * d] += forget_bias
    outputs, memories = [], []
    for sequence in x.double():
        h = c = torch.zeros(d, dtype=torch.float64)
        row = []
        for vector in sequence:
            i, j, f, o = (
                kernel.double().T @ torch.cat([vector, h]) + shifted
            ).view(4, d)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(j)
            h = torch.sigmoid(o) * torch.tanh(c)
            row.append(h)
        outputs.append(torch.stack(row))
        memories.append(c)
    return torch.stack(outputs).float(), torch.stack(memories).float()


# 5 --------------------------------------------------------------------------------------------------- gru_last


def gru_cases(rng: random.Random) -> Iterator[Call]:
    zeros = torch.zeros
    renew = (tensor([[0.0], [9.0], [1.0]]), zeros(3, 1), zeros(3))
    yield Call(
        "the state is renewed each time",
        tensor([[[1.0], [2.0]]]),
        tensor([2]),
        *renew,
    )
    yield Call(
        "the same, with padding", tensor([[[1.0], [2.0]]]), tensor([1]), *renew
    )
    yield Call(
        "half of the state is renewed",
        tensor([[[1.0], [-1.0], [2.0]]]),
        tensor([3]),
        tensor([[0.0], [0.0], [1.0]]),
        zeros(3, 1),
        zeros(3),
    )
    yield Call(
        "a quarter is renewed",
        tensor([[[1.0], [-1.0], [2.0]]]),
        tensor([3]),
        tensor([[0.0], [0.0], [1.0]]),
        zeros(3, 1),
        tensor([0.0, -1.0, 0.0]),
    )
    yield Call(
        "one number: before or after the matrix is the same",
        tensor([[[1.0], [0.5], [-2.0]]]),
        tensor([3]),
        tensor([[-1.0], [0.5], [1.0]]),
        tensor([[0.5], [-1.0], [2.0]]),
        tensor([0.25, 0.0, -0.5]),
    )
    mixing = (
        tensor([[2.0], [-2.0], [0.0], [0.0], [1.0], [-1.0]]),
        tensor(
            [
                [0.0, 1.0],
                [1.0, 0.0],
                [0.5, 0.0],
                [0.0, -0.5],
                [0.0, 2.0],
                [1.5, 0.0],
            ]
        ),
        zeros(6),
    )
    yield Call(
        "a matrix that exchanges two numbers",
        tensor([[[1.0], [0.5]]]),
        tensor([2]),
        *mixing,
    )
    yield Call(
        "the same, with padding between long and short",
        tensor([[[1.0], [0.5], [2.0]], [[-1.0], [3.0], [-2.0]]]),
        tensor([3, 1]),
        *mixing,
    )
    yield Call(
        "padding of zeros",
        tensor([[[1.0], [0.0], [0.0]], [[-1.0], [2.0], [0.0]]]),
        tensor([1, 2]),
        *mixing,
    )
    yield Call(
        "two inputs, three numbers in the state",
        quarters(rng, 2, 3, 2),
        tensor([2, 3]),
        quarters(rng, 9, 2),
        quarters(rng, 9, 3),
        quarters(rng, 9),
    )
    yield Call(
        "no sequence fills the batch",
        quarters(rng, 3, 4, 1),
        tensor([2, 1, 3]),
        quarters(rng, 6, 1),
        quarters(rng, 6, 2),
        quarters(rng, 6),
    )
    yield Call(
        "the state ends below zero",
        tensor([[[1.0], [1.0]]]),
        tensor([2]),
        tensor([[0.0], [1.0], [-2.0]]),
        tensor([[1.0], [0.0], [1.0]]),
        zeros(3),
    )
    while True:
        batch, time, d_in, d = (
            rng.randint(1, 3),
            rng.randint(2, 5),
            rng.randint(1, 3),
            rng.randint(2, 3),
        )
        yield Call(
            "random weights",
            quarters(rng, batch, time, d_in),
            some_lengths(rng, batch, time),
            quarters(rng, 3 * d, d_in, largest=1.5),
            quarters(rng, 3 * d, d, largest=1.5),
            quarters(rng, 3 * d, largest=1.0),
        )


gru_last = Exercise(
    "gru_last",
    title="Repair the GRU",
    points=3,
    minutes=30,
    cases=gru_cases,
    compare=close(
        rtol=1e-4,
        atol=1e-5,
        why="float32 sums in any order, through a few steps of a recurrence",
    ),
    visible=22,
)


def _gru_step(x_t, h, W, U, b, faults=()):
    U_r, U_z, U_n = U.chunk(3)
    r_x, z_x, n_x = (x_t @ W.T + b).chunk(3, dim=1)
    r, z = torch.sigmoid(r_x + h @ U_r.T), torch.sigmoid(z_x + h @ U_z.T)
    n = torch.tanh(
        n_x + (r * (h @ U_n.T) if "reset" in faults else (r * h) @ U_n.T)
    )
    return z * h + (1 - z) * n if "keep" in faults else (1 - z) * h + z * n


def _before_the_end(t: int, lengths: Tensor) -> Tensor:
    return t < lengths


def _gru(x, lengths, W, U, b, step=_gru_step, moves=_before_the_end):
    """Run `step` over time; `moves(t, lengths)` says whose state moves at step t."""
    h = torch.zeros(len(x), U.shape[1])
    for t in range(x.shape[1]):
        h = torch.where(
            moves(t, lengths)[:, None], step(x[:, t], h, W, U, b), h
        )
    return h


def _always(t: int, lengths: Tensor) -> Tensor:
    return torch.full_like(lengths, True, dtype=torch.bool)


GRU_FAULTS = {
    "keep": "z says how much is renewed, so (1 - z) belongs to the old state and z to n",
    "reset": "r acts before the matrix: first r * h, then U_n times it, which is not r times U_n h",
    "pad": "the steps behind the end of a sequence are padding: there the state stays as it is",
}


def _gru_with_faults(left: tuple[str, ...]):
    def answer(x, lengths, W, U, b):
        def step(*args):
            return _gru_step(*args, faults=left)

        return _gru(
            x,
            lengths,
            W,
            U,
            b,
            step,
            _always if "pad" in left else _before_the_end,
        )

    answer.__name__ = "gru_with_" + "_".join(left)
    return answer


for _count, _number in ((3, "All three are"), (2, "Two are"), (1, "One is")):
    for _left in itertools.combinations(GRU_FAULTS, _count):
        _hint = f"{_number} still there: {'; '.join(GRU_FAULTS[fault] for fault in _left)}."
        gru_last.mistake(_hint)(_gru_with_faults(_left))


@gru_last.mistake(
    "At padding your state becomes zero. It should stay as it was at the last real step: torch.where(real, new, h)."
)
def gru_padding_clears(x, lengths, W, U, b):
    h = torch.zeros(len(x), U.shape[1])
    for t in range(x.shape[1]):
        h = _gru_step(x[:, t], h, W, U, b) * (t < lengths)[:, None]
    return h


@gru_last.mistake(
    "You set the padding in x to zero, but the state still moves there: b and U h push it on. At padding keep the old state."
)
def gru_padding_read_as_zeros(x, lengths, W, U, b):
    real = (torch.arange(x.shape[1]) < lengths[:, None])[:, :, None]
    return _gru(x * real, lengths, W, U, b, moves=_always)


@gru_last.mistake(
    "You find padding by its zeros. What stands behind a sequence means nothing, zero or not: go by `lengths`."
)
def gru_padding_by_value(x, lengths, W, U, b):
    h = torch.zeros(len(x), U.shape[1])
    for t in range(x.shape[1]):
        h = torch.where(
            (x[:, t] != 0).any(1, keepdim=True),
            _gru_step(x[:, t], h, W, U, b),
            h,
        )
    return h


@gru_last.mistake(
    "You go one step too far: t counts from 0, so step t is real where t < length."
)
def gru_one_too_far(x, lengths, W, U, b):
    return _gru(x, lengths, W, U, b, moves=lambda t, n: t <= n)


@gru_last.mistake(
    "You stop one step too early: t counts from 0, so the last real step is length - 1, and it counts."
)
def gru_one_too_short(x, lengths, W, U, b):
    return _gru(x, lengths, W, U, b, moves=lambda t, n: t < n - 1)


@gru_last.mistake(
    "All sequences end with the shortest in yours. Each has a length of its own."
)
def gru_ends_with_the_shortest(x, lengths, W, U, b):
    return _gru(
        x, lengths, W, U, b, moves=lambda t, n: (t < n.min()).expand(len(n))
    )


@gru_last.mistake(
    "Every sequence ends where the longest does in yours. Each has a length of its own."
)
def gru_ends_with_the_longest(x, lengths, W, U, b):
    return _gru(
        x, lengths, W, U, b, moves=lambda t, n: (t < n.max()).expand(len(n))
    )


@gru_last.mistake(
    "All sequences end where the first one does in yours. Each has a length of its own."
)
def gru_ends_with_the_first(x, lengths, W, U, b):
    return _gru(
        x, lengths, W, U, b, moves=lambda t, n: (t < n[0]).expand(len(n))
    )


def _gru_mistake(hint: str, name: str, step: Callable[..., Tensor]) -> None:
    def answer(x, lengths, W, U, b):
        return _gru(x, lengths, W, U, b, step)

    answer.__name__ = f"gru_{name}"
    gru_last.mistake(hint)(answer)


def _gru_parts(x_t, h, W, U, b):
    """Return r, z, what x says to n, and U_n."""
    U_r, U_z, U_n = U.chunk(3)
    r_x, z_x, n_x = (x_t @ W.T + b).chunk(3, dim=1)
    return (
        torch.sigmoid(r_x + h @ U_r.T),
        torch.sigmoid(z_x + h @ U_z.T),
        n_x,
        U_n,
    )


def _reset_is_kept(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - z) * (r * h) + z * torch.tanh(n_x + (r * h) @ U_n.T)


def _reset_all(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - z) * h + z * torch.tanh(r * n_x + (r * h) @ U_n.T)


def _reset_in_z(x_t, h, W, U, b):
    r, _, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    _, z, _, _ = _gru_parts(x_t, r * h, W, U, b)
    return (1 - z) * h + z * torch.tanh(n_x + (r * h) @ U_n.T)


def _no_reset(x_t, h, W, U, b):
    _, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - z) * h + z * torch.tanh(n_x + h @ U_n.T)


def _reset_by_z(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - r) * h + r * torch.tanh(n_x + (z * h) @ U_n.T)


def _reset_twice(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - z) * h + z * torch.tanh(n_x + r * ((r * h) @ U_n.T))


def _reset_around_sum(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - z) * h + z * torch.tanh(r * (n_x + h @ U_n.T))


def _reset_around_tanh(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - z) * h + z * r * torch.tanh(n_x + h @ U_n.T)


def _reset_inside_and_around_tanh(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - z) * h + z * r * torch.tanh(n_x + (r * h) @ U_n.T)


def _reset_by_z_and_keep(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return r * h + (1 - r) * torch.tanh(n_x + (z * h) @ U_n.T)


def _proposal_by_sigmoid(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - z) * h + z * torch.sigmoid(n_x + (r * h) @ U_n.T)


def _transposed(x_t, h, W, U, b):
    return _gru_step(x_t, h, W, torch.cat([part.T for part in U.chunk(3)]), b)


RESET_AROUND = "r multiplies the whole proposal, what x and b say included. It acts on the old state alone, before the matrix: U_n (r * h)."

for _name, _hint, _how in (
    (
        "reset_is_kept",
        "r clears the old state also where it is kept. It acts on what the proposal n sees; (1 - z) multiplies the whole old state.",
        _reset_is_kept,
    ),
    (
        "resets_the_input",
        "r acts on the input, too. The proposal reads x_t in full; only the old state is reset.",
        _reset_all,
    ),
    (
        "reset_in_z",
        "z is computed from the reset state. Both gates read the old state as it is; r acts inside the proposal n alone.",
        _reset_in_z,
    ),
    (
        "no_reset",
        "r is not used: the proposal n reads r * h, not h.",
        _no_reset,
    ),
    (
        "gates_exchanged",
        "The two gates are exchanged: the order of the parts is r, z, n; r resets, z renews.",
        _reset_by_z,
    ),
    (
        "gates_exchanged_and_keep",
        "The two gates are exchanged: the order of the parts is r, z, n. And the blend is the wrong way round: z, how much is renewed, belongs to n, and (1 - z) to the old state.",
        _reset_by_z_and_keep,
    ),
    (
        "reset_around_sum",
        RESET_AROUND,
        _reset_around_sum,
    ),
    (
        "reset_around_tanh",
        RESET_AROUND,
        _reset_around_tanh,
    ),
    (
        "reset_inside_and_around_tanh",
        "r multiplies the whole proposal once more. It acts on the old state alone, before the matrix: n = tanh(... + U_n (r * h) + ...).",
        _reset_inside_and_around_tanh,
    ),
    (
        "reset_twice",
        "r acts twice, before the matrix and behind it. Only before it: U_n (r * h).",
        _reset_twice,
    ),
    (
        "proposal_by_sigmoid",
        "The proposal goes through σ. A state may be negative: n = tanh(...).",
        _proposal_by_sigmoid,
    ),
    (
        "transposed",
        "U h is written as h @ U. With one state in each row it is h @ U.T.",
        _transposed,
    ),
):
    _gru_mistake(_hint, _name, _how)


ALL_STATES = "The states of all steps come back. Only the last real one of each sequence is asked, (batch, d)."


@gru_last.mistake(ALL_STATES)
def gru_all_states(x, lengths, W, U, b):
    return torch.stack(
        [_gru(x[:, : t + 1], lengths, W, U, b) for t in range(x.shape[1])],
        dim=1,
    )


def _gru_that_clears(left: tuple[str, ...]):
    def answer(x, lengths, W, U, b):
        h = torch.zeros(len(x), U.shape[1])
        for t in range(x.shape[1]):
            h = _gru_step(x[:, t], h, W, U, b, left) * (t < lengths)[:, None]
        return h

    answer.__name__ = "gru_clears_with_" + "_".join(left)
    return answer


for _count in (1, 2):
    for _left in itertools.combinations(("keep", "reset"), _count):
        _hint = f"Still there: {'; '.join(GRU_FAULTS[fault] for fault in _left)}. And at padding your state becomes zero; it should stay as it was."
        gru_last.mistake(_hint)(_gru_that_clears(_left))


@gru_last.mistake(
    "Your condition is upside down: the state moves at the padding and stays at the real steps. torch.where(real, new, h)."
)
def gru_moves_at_padding(x, lengths, W, U, b):
    return _gru(x, lengths, W, U, b, moves=lambda t, n: t >= n)


def _all_states(x, W, U, b):
    h, states = torch.zeros(len(x), U.shape[1]), []
    for x_t in x.unbind(1):
        h = _gru_step(x_t, h, W, U, b)
        states.append(h)
    return torch.stack(states, dim=1)  # (batch, time, d)


@gru_last.mistake(ALL_STATES)
def gru_all_states_and_padding(x, lengths, W, U, b):
    return _all_states(x, W, U, b)


@gru_last.mistake(ALL_STATES)
def gru_all_states_time_first(x, lengths, W, U, b):
    return gru_all_states(x, lengths, W, U, b).transpose(0, 1)


@gru_last.mistake(ALL_STATES)
def gru_all_states_and_padding_time_first(x, lengths, W, U, b):
    return _all_states(x, W, U, b).transpose(0, 1)


@gru_last.mistake(
    "You pick one step too early: steps count from 0, so the last of n real ones is n - 1."
)
def gru_picks_too_early(x, lengths, W, U, b):
    return _all_states(x, W, U, b)[torch.arange(len(x)), lengths - 2]


@gru_last.mistake(
    "You pick one step too late: steps count from 0, so the last of n real ones is n - 1."
)
def gru_picks_too_late(x, lengths, W, U, b):
    return _all_states(x, W, U, b)[torch.arange(len(x)), lengths]


@gru_last.mistake(
    "states[:, lengths - 1] takes *every* sequence at the end of *each* one. Pair them: states[torch.arange(batch), lengths - 1]."
)
def gru_picks_all_pairs(x, lengths, W, U, b):
    return _all_states(x, W, U, b)[:, lengths - 1]


@gru_last.mistake("The bias b is not added in yours.")
def gru_without_bias(x, lengths, W, U, b):
    return _gru(x, lengths, W, U, torch.zeros_like(b))


def _last_transposed(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - z) * h + z * torch.tanh(n_x + (r * h) @ U_n)


def _reset_inverted(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return (1 - z) * h + z * torch.tanh(n_x + ((1 - r) * h) @ U_n.T)


def _only_adds(x_t, h, W, U, b):
    r, z, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return h + z * torch.tanh(n_x + (r * h) @ U_n.T)


def _never_blends(x_t, h, W, U, b):
    r, _, n_x, U_n = _gru_parts(x_t, h, W, U, b)
    return torch.tanh(n_x + (r * h) @ U_n.T)


for _name, _hint, _how in (
    (
        "last_transposed",
        "U_n (r * h) is written as (r * h) @ U_n. With one state in each row it is (r * h) @ U_n.T.",
        _last_transposed,
    ),
    (
        "reset_inverted",
        "You multiply by 1 - r. r itself says how much of the old state the proposal sees.",
        _reset_inverted,
    ),
    (
        "only_adds",
        "Nothing of the old state is given up: it keeps only the part 1 - z.",
        _only_adds,
    ),
    (
        "never_blends",
        "z is not used: the new state is a blend of the old one and of the proposal, (1 - z) h + z n.",
        _never_blends,
    ),
):
    _gru_mistake(_hint, _name, _how)


@gru_last.alternative
def gru_picks_afterwards(x, lengths, W, U, b):
    h = torch.zeros(len(x), U.shape[1])
    states = []
    for x_t in x.unbind(1):
        h = _gru_step(x_t, h, W, U, b)
        states.append(h)
    return torch.stack(states)[lengths - 1, torch.arange(len(x))]


@gru_last.alternative
def gru_one_by_one(x, lengths, W, U, b):
    d = U.shape[1]
    W, U, b = W.double(), U.double(), b.double()
    last = []
    for sequence, n in zip(x.double(), lengths.tolist(), strict=True):
        h = torch.zeros(d, dtype=torch.float64)
        for v in sequence[:n]:
            r = torch.sigmoid(W[:d] @ v + U[:d] @ h + b[:d])
            z = torch.sigmoid(
                W[d : 2 * d] @ v + U[d : 2 * d] @ h + b[d : 2 * d]
            )
            n_ = torch.tanh(W[2 * d :] @ v + U[2 * d :] @ (r * h) + b[2 * d :])
            h = h + z * (n_ - h)
        last.append(h.float())
    return torch.stack(last)


@gru_last.alternative
def gru_by_numpy(x, lengths, W, U, b):
    def logistic(a):
        return 1 / (1 + np.exp(-a))

    d = U.shape[1]
    X, n, W, U, b = (a.numpy() for a in (x, lengths, W, U, b))
    h = np.zeros((len(X), d), np.float32)
    for t in range(X.shape[1]):
        a = np.einsum("bi,oi->bo", X[:, t], W) + b
        gates = logistic(a[:, : 2 * d] + h @ U[: 2 * d].T)
        r, z = gates[:, :d], gates[:, d:]
        new = np.tanh(a[:, 2 * d :] + (r * h) @ U[2 * d :].T)
        z = z * (t < n)[:, None]  # nothing is renewed at padding
        h = (1 - z) * h + z * new
    return torch.from_numpy(h.astype(np.float32))


# 6 ------------------------------------------------------------------------------------------------ forget_bias


def bias_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("a quarter after two steps", 0.25, 2, 0.0)
    yield Call("the push is against it", 0.81, 2, 1.5)
    yield Call("one step", 0.5, 1, 0.0)
    yield Call("one step, and little is asked: a negative bias", 0.125, 1, 0.0)
    yield Call("half after a hundred steps", 0.5, 100, 0.5)
    yield Call("nearly all after one step", 0.999, 1, 1.0)
    yield Call("a trace after many steps", 1e-6, 5000, 2.0)
    yield Call("half after a billion steps", 0.5, 1_000_000_000, 0.0)
    yield Call("nearly all after a billion steps", 0.999999, 1_000_000_000, 1.0)
    yield Call(
        "all but a billionth after a billion steps",
        1 - 1e-9,
        1_000_000_000,
        0.0,
    )
    yield Call("next to nothing after one step", 1e-300, 1, 0.0)
    while True:
        share = rng.choice(
            [
                rng.uniform(0.01, 0.99),
                rng.uniform(0.01, 0.99),
                10.0 ** -rng.randint(1, 9),
                1 - 10.0 ** -rng.randint(1, 9),
            ]
        )
        yield Call(
            "random demands",
            share,
            int(10 ** rng.uniform(0, rng.choice([2, 9]))),
            rng.choice([0.0, 0.5, 1.0, 2.5]),
        )


forget_bias = Exercise(
    "forget_bias",
    title="Design a memory",
    points=2,
    minutes=20,
    cases=bias_cases,
    compare=close(
        rtol=1e-9,
        atol=1e-9,
        why="float64 with care loses no more; 1 - gate without care is wrong in the fifth digit",
    ),
    visible=26,
)


def _bias(share, steps, push):
    log_gate = math.log(share) / steps
    return push + log_gate - math.log(-math.expm1(log_gate))


DIGITS = "Right on paper, but the gate is so near to 1 that 1 - gate has lost its digits, or is 0. From the logarithm of the gate, log g, the function math.expm1 gives g - 1 in full."


@forget_bias.mistake(DIGITS)
def bias_without_digits(share, steps, push):
    gate = share ** (1 / steps)
    return math.log(gate / (1 - gate)) + push


@forget_bias.mistake(DIGITS)
def bias_without_digits_by_difference(share, steps, push):
    gate = share ** (1 / steps)
    return push + math.log(gate) - math.log(1 - gate)


@forget_bias.mistake(DIGITS)
def bias_without_digits_by_reciprocal(share, steps, push):
    return push - math.log(1 / share ** (1 / steps) - 1)


@forget_bias.mistake(DIGITS)
def bias_without_digits_by_exp(share, steps, push):
    gate = math.exp(math.log(share) / steps)
    return push + math.log(gate / (1 - gate))


@forget_bias.mistake(DIGITS)
def bias_without_digits_log1p(share, steps, push):
    gate = share ** (1 / steps)
    return push + math.log(gate) - math.log1p(-gate)


@forget_bias.mistake(DIGITS)
def bias_without_digits_by_torch(share, steps, push):
    gate = tensor(share, dtype=torch.float64) ** (1 / steps)
    return push + float(torch.logit(gate))


@forget_bias.mistake(
    "float32 is too coarse here: it has seven digits, and the gate has lost them all. Give dtype=torch.float64, or use Python's floats, and math.expm1."
)
def bias_in_float32(share, steps, push):
    return push + float(torch.logit(tensor(share) ** (1 / steps)))


@forget_bias.mistake(
    "The push is left out. At worst it is against you, -push at every step, so the bias must make up for it."
)
def bias_without_push(share, steps, push):
    return _bias(share, steps, 0.0)


@forget_bias.mistake(
    "The push helps in yours. Guaranteed is what holds when it is against you: -push at every step."
)
def bias_push_helps(share, steps, push):
    return _bias(share, steps, 0.0) - push


@forget_bias.mistake(
    "The push acts at each step, but on the gate of that step only: it is added once, not `steps` times."
)
def bias_push_adds_up(share, steps, push):
    return _bias(share, steps, push * steps)


@forget_bias.mistake(
    "You return the gate. The bias is what becomes this gate under σ: log(gate / (1 - gate)), with the push on top."
)
def bias_is_the_gate(share, steps, push):
    return share ** (1 / steps)


@forget_bias.mistake(
    "You return the gate and the push. The bias is what becomes the gate under σ: log(gate / (1 - gate)), with the push on top."
)
def bias_is_the_gate_and_push(share, steps, push):
    return share ** (1 / steps) + push


@forget_bias.mistake(
    "You put the gate through σ once more. Wanted is the inverse: which number becomes this gate under σ?"
)
def bias_sigmoid_again(share, steps, push):
    return 1 / (1 + math.exp(-(share ** (1 / steps)))) + push


@forget_bias.mistake(
    "You invert tanh. The gate is σ(bias): its inverse is log(gate / (1 - gate))."
)
def bias_atanh(share, steps, push):
    return math.atanh(share ** (1 / steps)) + push


@forget_bias.mistake(
    "One step is looked at in yours: the gates of all steps are multiplied, so each must be the n-th root of the share."
)
def bias_of_one_step(share, steps, push):
    return _bias(share, 1, push)


@forget_bias.mistake(
    "The gates are multiplied, so each must be the n-th *root* of the share. You take the power."
)
def bias_power(share, steps, push):
    return _bias(share, 1 / steps, push)


@forget_bias.mistake(
    "You divide the loss evenly over the steps, 1 - (1 - share) / steps. Each step keeps a *factor*: the n-th root of the share."
)
def bias_linear(share, steps, push):
    lost = (1 - share) / steps
    return math.log((1 - lost) / lost) + push


@forget_bias.mistake(
    "The share divided by the steps is not the gate: the gates are multiplied, so each is the n-th root of the share."
)
def bias_share_by_steps(share, steps, push):
    return _bias(share / steps, 1, push)


@forget_bias.mistake(
    "The inverse of σ is upside down: log(gate / (1 - gate)), which grows with the gate."
)
def bias_upside_down(share, steps, push):
    return 2 * push - _bias(share, steps, push)


@forget_bias.mistake(
    "Close for long memories: -log(-log(gate)) leaves out the logarithm of the gate itself. The inverse of σ is log(gate) - log(1 - gate)."
)
def bias_approximated(share, steps, push):
    return push - math.log(-math.log(share) / steps)


@forget_bias.mistake(
    "log(steps) is a good rule of thumb. Here the share says exactly how large the gate must be."
)
def bias_rule_of_thumb(share, steps, push):
    return math.log(steps) + push


@forget_bias.mistake(
    "You take one gate too few: after n steps n gates have acted."
)
def bias_one_gate_less(share, steps, push):
    return _bias(share, max(1, steps - 1), push)


@forget_bias.mistake(
    "You use another logarithm (log2 or log10). σ is made with e: take math.log."
)
def bias_log2(share, steps, push):
    return _bias(share, steps, 0.0) / math.log(2) + push


@forget_bias.mistake(
    "You use another logarithm (log2 or log10). σ is made with e: take math.log."
)
def bias_log10(share, steps, push):
    return _bias(share, steps, 0.0) / math.log(10) + push


@forget_bias.mistake(
    "Right number; return a plain float: float(tensor) or .item() takes it out."
)
def bias_as_tensor(share, steps, push):
    return tensor(_bias(share, steps, push), dtype=torch.float64)


@forget_bias.mistake(
    "You round the result. The smallest bias that is enough has more digits: return it in full."
)
def bias_rounded(share, steps, push):
    return round(_bias(share, steps, push), 4)


GUARDED = "A small number keeps the division from failing, but the answer is wrong then. From the logarithm of the gate, log g, the function math.expm1 gives g - 1 in full."


def _guarded(how: Callable[[float], float]):
    def answer(share, steps, push):
        gate = share ** (1 / steps)
        return push + math.log(gate / how(1 - gate))

    return answer


for _digits in (6, 7, 8, 9, 10, 12, 15, 16):
    for _way, _how in (
        ("added", lambda rest, e=10.0**-_digits: rest + e),
        ("clamped", lambda rest, e=10.0**-_digits: max(rest, e)),
    ):
        _wrong = _guarded(_how)
        _wrong.__name__ = f"bias_{_way}_1e_{_digits}"
        forget_bias.mistake(GUARDED)(_wrong)


for _digits in (6, 9, 10, 12, 15):

    def _below_one(share, steps, push, _most=1 - 10.0**-_digits):
        gate = min(share ** (1 / steps), _most)
        return push + math.log(gate / (1 - gate))

    _below_one.__name__ = f"bias_gate_below_1_by_1e_{_digits}"
    forget_bias.mistake(GUARDED)(_below_one)


@forget_bias.mistake(
    "The push goes inside σ with the bias. You add it to the gate, which may then lie above 1."
)
def bias_push_on_the_gate(share, steps, push):
    gate = share ** (1 / steps) + push
    return math.log(gate / (1 - gate))


@forget_bias.mistake(
    "A bias may be negative. Where little is asked, the smallest that is enough is below zero."
)
def bias_never_negative(share, steps, push):
    return max(0.0, _bias(share, steps, push))


@forget_bias.mistake(
    "A bias may be negative. Where little is asked, the smallest that is enough is below zero, and the push goes on top."
)
def bias_never_negative_before_push(share, steps, push):
    return max(0.0, _bias(share, steps, 0.0)) + push


LOG_GATE = "The inverse of σ is log(gate) - log(1 - gate). The logarithm of the gate is missing, or has the wrong sign."


@forget_bias.mistake(LOG_GATE)
def bias_without_log_gate(share, steps, push):
    return push - math.log(-math.expm1(math.log(share) / steps))


@forget_bias.mistake(LOG_GATE)
def bias_log_gate_subtracted(share, steps, push):
    log_gate = math.log(share) / steps
    return push - log_gate - math.log(-math.expm1(log_gate))


@forget_bias.mistake(
    LOG_GATE + " And 1 - gate has lost its digits: use math.expm1."
)
def bias_without_log_gate_and_digits(share, steps, push):
    return push - math.log(1 - share ** (1 / steps))


@forget_bias.mistake(
    "The worst push is -push, so +push makes up for it: neither half of it nor twice as much."
)
def bias_half_push(share, steps, push):
    return _bias(share, steps, push / 2)


@forget_bias.mistake(
    "The worst push is -push, so +push makes up for it: neither half of it nor twice as much."
)
def bias_double_push(share, steps, push):
    return _bias(share, steps, 2 * push)


@forget_bias.mistake(
    "First the root, then the inverse of σ. You invert the share and divide by the steps: the gates are multiplied, their biases are not added."
)
def bias_root_after_inverse(share, steps, push):
    return _bias(share, 1, 0.0) / steps + push


@forget_bias.mistake(
    "For long memories nearly right; the exact gate is the n-th root of the share, and the bias its inverse under σ."
)
def bias_log_steps_on_top(share, steps, push):
    return _bias(share, 1, 0.0) + math.log(steps) + push


@forget_bias.alternative
def bias_by_expm1_of_the_inverse(share, steps, push):
    # 1 / gate - 1 is exp(-bias)
    return push - math.log(math.expm1(-math.log(share) / steps))


@forget_bias.alternative
def bias_by_torch(share, steps, push):
    log_gate = torch.log(tensor(share, dtype=torch.float64)) / steps
    return float(push + log_gate - torch.log(-torch.expm1(log_gate)))


@forget_bias.alternative
def bias_by_numpy(share, steps, push):
    log_gate = np.log(share) / steps
    return float(push + log_gate - np.log(-np.expm1(log_gate)))


@forget_bias.alternative
def bias_by_halving(share, steps, push):
    def log_left(bias):  # of `steps` gates σ(bias)
        if bias < 0:
            return steps * (bias - math.log1p(math.exp(bias)))
        return -steps * math.log1p(math.exp(-bias))

    low, high = -800.0, 100.0
    while low < (middle := (low + high) / 2) < high:
        low, high = (
            (low, middle)
            if log_left(middle) >= math.log(share)
            else (middle, high)
        )
    return high + push


# 7 ----------------------------------------------------------------------------------------- truncated_gradient


def gradient_cases(rng: random.Random) -> Iterator[Call]:
    ones, zeros = torch.ones, torch.zeros
    yield Call(
        "one piece: nothing is cut", ones(4, 1), zeros(4, 1), tensor([[2.0]]), 4
    )
    yield Call("two pieces", ones(4, 1), zeros(4, 1), tensor([[2.0]]), 2)
    yield Call("each step a piece", ones(4, 1), zeros(4, 1), tensor([[2.0]]), 1)
    yield Call(
        "the last piece is shorter", ones(5, 1), zeros(5, 1), tensor([[0.5]]), 3
    )
    yield Call(
        "a piece longer than the text",
        ones(3, 1),
        zeros(3, 1),
        tensor([[0.5]]),
        8,
    )
    yield Call(
        "targets",
        tensor([[1.0], [0.0], [2.0], [-1.0]]),
        tensor([[0.5], [1.0], [-1.0], [2.0]]),
        tensor([[0.5]]),
        2,
    )
    yield Call(
        "one step, from zeros",
        tensor([[1.0, -2.0]]),
        zeros(1, 2),
        tensor([[0.5, 1.0], [0.0, 0.25]]),
        1,
    )
    yield Call(
        "a matrix that is not symmetric",
        tensor([[1.0, 0.0], [0.0, 0.5], [0.0, 0.0], [0.0, 1.0]]),
        zeros(4, 2),
        tensor([[0.5, 1.0], [0.0, 0.25]]),
        2,
    )
    yield Call(
        "states that hit their targets",
        ones(3, 1),
        tensor([[1.0], [1.5], [1.75]]),
        tensor([[0.5]]),
        2,
    )
    yield Call(
        "an impulse, and silence",
        tensor([[2.0], [0.0], [0.0], [0.0], [0.0], [0.0]]),
        zeros(6, 1),
        tensor([[0.5]]),
        3,
    )
    yield Call(
        "negative weight", ones(6, 1), ones(6, 1) / 2, tensor([[-1.0]]), 4
    )
    while True:
        time, d = rng.randint(2, 8), rng.randint(1, 3)
        yield Call(
            "random text",
            quarters(rng, time, d),
            quarters(rng, time, d),
            quarters(rng, d, d, largest=0.75),
            rng.randint(1, time),
        )


truncated_gradient = Exercise(
    "truncated_gradient",
    title="The gradient that truncation leaves",
    points=2,
    minutes=30,
    cases=gradient_cases,
    compare=close(
        rtol=1e-4,
        atol=1e-4,
        why="float32 sums of products of a few steps, in any order",
    ),
    visible=22,
)


def _gradient(
    x: Tensor,
    y: Tensor,
    W: Tensor,
    cut: Callable[[int], bool],
    *,
    reset: bool = False,
    counts: Callable[[int], bool] = lambda t: True,
    factor: float = 0.5,
) -> Tensor:
    """The gradient with the state cut off before each step t where `cut(t)`; the loss is of steps where `counts(t)`."""
    W = W.clone().requires_grad_()
    h = torch.zeros(x.shape[1])
    loss = (W * 0).sum()
    for t in range(len(x)):
        if cut(t):
            h = torch.zeros_like(h) if reset else h.detach()
        h = W @ h + x[t]
        if counts(t):
            loss = loss + factor * (h - y[t]).square().sum()
    return torch.autograd.grad(loss, W)[0]


@truncated_gradient.mistake(
    "Nothing is cut: this is the full gradient. At the beginning of a piece the state counts as a given number: h = h.detach()."
)
def gradient_not_cut(x, y, W, piece):
    return _gradient(x, y, W, lambda t: False)


@truncated_gradient.mistake(
    "Each piece starts from zeros. The gradient is cut, the state is not: it is carried from piece to piece, h.detach()."
)
def gradient_resets_state(x, y, W, piece):
    return _gradient(x, y, W, lambda t: t % piece == 0, reset=True)


CUT_EACH_STEP = "Each step hears of its own loss only in yours. Inside a piece the gradient flows back: W.T times what came back to h_t goes on to h_{t-1}. It is cut only where a piece begins."


@truncated_gradient.mistake(CUT_EACH_STEP)
def gradient_cut_each_step(x, y, W, piece):
    return _gradient(x, y, W, lambda t: True)


@truncated_gradient.mistake(
    "You cut one step too late: the first step of a piece already starts from a given state. Detach before it, not behind it."
)
def gradient_cut_late(x, y, W, piece):
    return _gradient(x, y, W, lambda t: t % piece == 1 % piece and t > 0)


@truncated_gradient.mistake(
    "You cut one step too early: t counts from 0, so a piece begins where t % piece == 0."
)
def gradient_cut_early(x, y, W, piece):
    return _gradient(x, y, W, lambda t: (t + 1) % piece == 0)


@truncated_gradient.mistake(
    "Your pieces are counted from the end of the text. The first piece has `piece` steps; the *last* may be shorter."
)
def gradient_pieces_from_the_end(x, y, W, piece):
    return _gradient(x, y, W, lambda t: (len(x) - t) % piece == 0)


@truncated_gradient.mistake(
    "The steps behind the last full piece are left out. The last piece may be shorter, and counts as well."
)
def gradient_without_the_rest(x, y, W, piece):
    n = len(x) // piece * piece
    return _gradient(x[:n], y[:n], W, lambda t: t % piece == 0)


@truncated_gradient.mistake(
    "Only the last piece is left. Gradients of all pieces add up: call zero_grad before the first one only."
)
def gradient_of_the_last_piece(x, y, W, piece):
    start = (len(x) - 1) // piece * piece
    return _gradient(
        x, y, W, lambda t: t % piece == 0, counts=lambda t: t >= start
    )


@truncated_gradient.mistake(
    "Only the first piece counts. Go on with the next: its first state is the last one of the piece before, detached."
)
def gradient_of_the_first_piece(x, y, W, piece):
    return _gradient(
        x, y, W, lambda t: t % piece == 0, counts=lambda t: t < piece
    )


@truncated_gradient.mistake(
    "Only the loss at the end of each piece counts in yours. L is a sum over all steps."
)
def gradient_of_last_losses(x, y, W, piece):
    return _gradient(
        x,
        y,
        W,
        lambda t: t % piece == 0,
        counts=lambda t: t % piece == piece - 1 or t == len(x) - 1,
    )


@truncated_gradient.mistake(
    "Only the loss of the last step counts in yours. L is a sum over all steps."
)
def gradient_of_the_last_loss(x, y, W, piece):
    return _gradient(
        x, y, W, lambda t: t % piece == 0, counts=lambda t: t == len(x) - 1
    )


@truncated_gradient.mistake(
    "Each loss reaches back over `piece` steps in yours, wherever it stands. Here the text is cut into pieces: early in a piece the reach is shorter."
)
def gradient_sliding(x, y, W, piece):
    total = torch.zeros_like(W)
    for last in range(len(x)):
        total += _gradient(
            x,
            y,
            W,
            lambda t, s=last - piece + 1: t == s,
            counts=lambda t, n=last: t == n,
        )
    return total


@truncated_gradient.mistake(
    "The gradient is twice as large: L has a factor 1/2 before the squares."
)
def gradient_twice(x, y, W, piece):
    return _gradient(x, y, W, lambda t: t % piece == 0, factor=1.0)


@truncated_gradient.mistake(
    "You divide by the number of steps. L is a sum over the steps, not their mean."
)
def gradient_mean_over_steps(x, y, W, piece):
    return _gradient(x, y, W, lambda t: t % piece == 0) / len(x)


@truncated_gradient.mistake(
    "You divide by the number of pieces. The gradients of the pieces add up."
)
def gradient_mean_over_pieces(x, y, W, piece):
    return _gradient(x, y, W, lambda t: t % piece == 0) / math.ceil(
        len(x) / piece
    )


def _sum_of_means(x, y, W, piece, each):
    total = torch.zeros_like(W)
    for start in range(0, len(x), piece):
        part = _gradient(
            x,
            y,
            W,
            lambda t: t % piece == 0,
            counts=lambda t, s=start: s <= t < s + piece,
        )
        total += part / each(min(piece, len(x) - start))
    return total


@truncated_gradient.mistake(
    "You take the mean over the steps of each piece. L is a sum over all steps, with 1/2 before it."
)
def gradient_mean_in_pieces(x, y, W, piece):
    return _sum_of_means(x, y, W, piece, lambda n: n)


@truncated_gradient.mistake(
    "mean() divides by steps and numbers, as F.mse_loss does. L is half of the *sum* of squares."
)
def gradient_mse(x, y, W, piece):
    return _sum_of_means(x, y, W, piece, lambda n: n * x.shape[1] / 2)


@truncated_gradient.mistake(
    "mean() divides by steps and numbers, as F.mse_loss does. L is half of the *sum* of squares."
)
def gradient_half_mse(x, y, W, piece):
    return _sum_of_means(x, y, W, piece, lambda n: n * x.shape[1])


@truncated_gradient.mistake(
    "The gradient is transposed: dL/dW[i, j] is (what comes back to number i of h_t) times (number j of h_{t-1})."
)
def gradient_transposed(x, y, W, piece):
    return _gradient(x, y, W, lambda t: t % piece == 0).T.contiguous()


@truncated_gradient.mistake(
    "You write h @ W for W h. In this order the matrix acts transposed: W @ h."
)
def gradient_of_the_transposed(x, y, W, piece):
    return _gradient(x, y, W.T, lambda t: t % piece == 0).T.contiguous()


@truncated_gradient.mistake(
    "Going back from step to step takes the *transposed* W: what comes back to h_{t-1} is W.T times what came back to h_t."
)
def gradient_back_without_transpose(x, y, W, piece):
    return _by_chain_rule(x, y, W, piece, W)


@truncated_gradient.mistake(CUT_EACH_STEP)
def gradient_direct_only(x, y, W, piece):
    states = _states(x, W)
    return sum(
        (torch.outer(states[t + 1] - y[t], states[t]) for t in range(len(x))),
        torch.zeros_like(W),
    )


@truncated_gradient.mistake(
    "The state that a piece starts with counts as given, but W acts on it: in the first step of a piece, too, W gets a gradient from W h. Detach h, not W @ h."
)
def gradient_detaches_too_much(x, y, W, piece):
    W_ = W.clone().requires_grad_()
    h = torch.zeros(x.shape[1])
    loss = (W_ * 0).sum()
    for t in range(len(x)):
        h = ((W_ @ h).detach() if t % piece == 0 else W_ @ h) + x[t]
        loss = loss + 0.5 * (h - y[t]).square().sum()
    return torch.autograd.grad(loss, W_)[0]


@truncated_gradient.mistake(
    "W learns after each piece in yours. Here it stays the same all the time: collect the gradients only."
)
def gradient_with_updates(x, y, W, piece):
    W, total, h = W.clone(), torch.zeros_like(W), torch.zeros(x.shape[1])
    for start in range(0, len(x), piece):
        weight = W.clone().requires_grad_()
        h, loss = h.detach(), torch.zeros(())
        for t in range(start, min(start + piece, len(x))):
            h = weight @ h + x[t]
            loss = loss + 0.5 * (h - y[t]).square().sum()
        gradient = torch.autograd.grad(loss, weight)[0]
        total, W = total + gradient, W - 0.1 * gradient
    return total


@truncated_gradient.mistake(
    "The gradient has the wrong sign. h - y is what comes back from the loss: you return what W should *change* by, not its gradient."
)
def gradient_negative(x, y, W, piece):
    return -_gradient(x, y, W, lambda t: t % piece == 0)


@truncated_gradient.mistake("You return the loss, not its gradient.")
def gradient_is_the_loss(x, y, W, piece):
    return 0.5 * (torch.stack(_states(x, W)[1:]) - y).square().sum()


def _states(x: Tensor, W: Tensor) -> list[Tensor]:
    states = [torch.zeros(x.shape[1])]
    for x_t in x:
        states.append(W @ states[-1] + x_t)
    return states


def _by_chain_rule(x, y, W, piece, back):
    states, gradient = _states(x, W), torch.zeros_like(W)
    for start in range(0, len(x), piece):
        from_later = torch.zeros(x.shape[1])
        for t in reversed(range(start, min(start + piece, len(x)))):
            delta = states[t + 1] - y[t] + from_later
            gradient += torch.outer(delta, states[t])
            from_later = back @ delta
    return gradient


def _in_pieces(x, y, W, piece, between):
    """Autograd piece by piece: `between(h, loss)` says what of the state and the loss goes on to the next piece."""
    W = W.clone().requires_grad_()
    h, loss = torch.zeros(x.shape[1]), torch.zeros(())
    for start in range(0, len(x), piece):
        h, loss = between(h, loss)
        for t in range(start, min(start + piece, len(x))):
            h = W @ h + x[t]
            loss = loss + 0.5 * (h - y[t]).square().sum()
        loss.backward(retain_graph=between is _loss_goes_on)
    return W.grad


def _loss_goes_on(h, loss):
    return h.detach(), loss


@truncated_gradient.mistake(
    "The loss of earlier pieces is still in the sum when the next piece goes backwards, so they count again and again. Begin each piece with a loss of 0, or go backwards once, at the end."
)
def gradient_of_growing_loss(x, y, W, piece):
    return _in_pieces(x, y, W, piece, _loss_goes_on)


@truncated_gradient.mistake(
    "backward() of the second piece runs into the first, whose graph is gone. That is the place to cut: h = h.detach() before each piece."
)
def gradient_backward_twice(x, y, W, piece):
    return _in_pieces(x, y, W, piece, lambda h, loss: (h, torch.zeros(())))


@truncated_gradient.mistake(
    "There is no tanh in this network: h_t = W h_{t-1} + x_t."
)
def gradient_of_tanh(x, y, W, piece):
    W = W.clone().requires_grad_()
    h, loss = torch.zeros(x.shape[1]), torch.zeros(())
    for t in range(len(x)):
        h = torch.tanh(W @ (h.detach() if t % piece == 0 else h) + x[t])
        loss = loss + 0.5 * (h - y[t]).square().sum()
    return torch.autograd.grad(loss, W)[0]


@truncated_gradient.mistake(
    "W meets the state from *before* the step: dL/dW at step t is (what comes back to h_t) times h_{t-1}. You multiply by h_t."
)
def gradient_with_the_new_state(x, y, W, piece):
    states, gradient = _states(x, W), torch.zeros_like(W)
    for start in range(0, len(x), piece):
        delta = torch.zeros(x.shape[1])
        for t in reversed(range(start, min(start + piece, len(x)))):
            delta = W.T @ delta + states[t + 1] - y[t]
            gradient += torch.outer(delta, states[t + 1])
    return gradient


@truncated_gradient.mistake(
    "What comes back from one piece goes on into the next. It begins with zero at the end of every piece."
)
def gradient_carried_on(x, y, W, piece):
    states, gradient = _states(x, W), torch.zeros_like(W)
    delta = torch.zeros(x.shape[1])
    for start in range(0, len(x), piece):
        for t in reversed(range(start, min(start + piece, len(x)))):
            delta = W.T @ delta + states[t + 1] - y[t]
            gradient += torch.outer(delta, states[t])
    return gradient


@truncated_gradient.mistake(
    "The targets are not used: what comes back from the loss is h_t - y_t, not h_t."
)
def gradient_without_targets(x, y, W, piece):
    return _gradient(x, torch.zeros_like(y), W, lambda t: t % piece == 0)


@truncated_gradient.mistake(
    "The inputs are not read: h_t = W h_{t-1} + x_t, in each step."
)
def gradient_without_inputs(x, y, W, piece):
    return _gradient(
        torch.cat([x[:1], torch.zeros_like(x[1:])]),
        y,
        W,
        lambda t: t % piece == 0,
    )


@truncated_gradient.alternative
def gradient_by_chain_rule(x, y, W, piece):
    return _by_chain_rule(x, y, W, piece, W.T)


@truncated_gradient.alternative
def gradient_by_backward(x, y, W, piece):
    weight = W.double().clone().requires_grad_()
    h = torch.zeros(1, x.shape[1], dtype=torch.float64)
    for xs, ys in zip(
        x.double().split(piece), y.double().split(piece), strict=True
    ):
        h = h.detach()
        outputs = []
        for row in xs:
            h = h @ weight.T + row
            outputs.append(h)
        (0.5 * ((torch.cat(outputs) - ys) ** 2).sum()).backward()
    return weight.grad.float()


@truncated_gradient.alternative
def gradient_forwards(x, y, W, piece):
    d = len(W)
    W, h = W.double().numpy(), np.zeros(d)
    total = np.zeros((d, d))
    for t, (x_t, y_t) in enumerate(
        zip(x.double().numpy(), y.double().numpy(), strict=True)
    ):
        if t % piece == 0:
            dh = np.zeros((d, d, d))  # of h[a] with respect to W[i, j]
        dh = np.einsum("ab,bij->aij", W, dh) + np.einsum(
            "ai,j->aij", np.eye(d), h
        )
        h = W @ h + x_t
        total += np.einsum("a,aij->ij", h - y_t, dh)
    return torch.from_numpy(total).float()


# 8 ---------------------------------------------------------------------------------------------- most_probable

Decoder = tuple[
    Tensor, Tensor, Tensor, Tensor, int, int
]  # the arguments of most_probable


def _from_table(
    rows: list[list[float]], eos_id: int, max_length: int
) -> Decoder:
    """A decoder whose state is its last token: a row of probabilities after each token, and one for the beginning."""
    probabilities = tensor(rows)
    n = len(rows)
    return (
        torch.eye(n)[-1],
        20 * torch.eye(n)[:-1],
        torch.zeros(n, n),
        probabilities.log().T.contiguous(),
        eos_id,
        max_length,
    )


def _random_decoder(rng: random.Random, longest: int = 9) -> Decoder:
    d, vocab = rng.randint(2, 4), rng.randint(3, 5)
    return (
        quarters(rng, d, largest=1.0),
        quarters(rng, vocab, d, largest=2.0),
        quarters(rng, d, d, largest=1.5),
        quarters(rng, vocab, d, largest=3.0),
        rng.randrange(vocab),
        rng.randint(1, longest),
    )


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    top = scores.max()
    return scores - top - math.log(np.exp(scores - top).sum())


def _parts(
    embedding: Tensor, W: Tensor, output: Tensor
) -> tuple[Callable, Callable]:
    """Return what the decoder says in a state, and how a token moves the state."""
    E, M, O = (a.numpy().astype(np.float64) for a in (embedding, W, output))  # noqa: E741
    return lambda h: _log_softmax(O @ h), lambda h, token: np.tanh(
        M @ h + E[token]
    )


def _raw_parts(
    embedding: Tensor, W: Tensor, output: Tensor
) -> tuple[Callable, Callable]:
    """The same decoder, with scores taken for log-probabilities."""
    scores = output.numpy().astype(np.float64)
    return lambda h: scores @ h, _parts(embedding, W, output)[1]


class TooFar(Exception):
    """More beginnings had to be followed than a case may ask for."""


def _best_first(
    start,
    says,
    moves,
    eos_id,
    max_length,
    *,
    best=1,
    limit=100_000,
    first_found=False,
):
    """Return the `best` most probable sentences with their log-probabilities."""
    number = itertools.count()
    waiting = [(0.0, next(number), (), start)]
    found = []
    for _ in range(limit):
        if not waiting:
            return found
        cost, _, tokens, state = heapq.heappop(waiting)
        if state is None:
            found.append((list(tokens), -cost))
            if len(found) == best:
                return found
            continue
        for token, log_p in enumerate(says(state).tolist()):
            if token == eos_id:
                if first_found:
                    return [(list(tokens), log_p - cost)]
                heapq.heappush(
                    waiting, (cost - log_p, next(number), tokens, None)
                )
            elif len(tokens) < max_length:
                heapq.heappush(
                    waiting,
                    (
                        cost - log_p,
                        next(number),
                        (*tokens, token),
                        moves(state, token),
                    ),
                )
    raise TooFar


def _exact(h, embedding, W, output, eos_id, max_length, **how):
    says, moves = _parts(embedding, W, output)
    return _best_first(
        h.numpy().astype(np.float64), says, moves, eos_id, max_length, **how
    )


def _beam(
    width,
    h,
    embedding,
    W,
    output,
    eos_id,
    max_length,
    *,
    normalized=False,
    stop_early=False,
    all_complete=False,
    parts=_parts,
):
    says, moves = parts(embedding, W, output)
    live, done = [(0.0, [], h.numpy().astype(np.float64))], []
    for _ in range(max_length + 1):
        wider = [
            (total + log_p, tokens, state, token)
            for total, tokens, state in live
            for token, log_p in enumerate(says(state).tolist())
            if token == eos_id or len(tokens) < max_length
        ]
        wider.sort(key=lambda way: -way[0])
        done += [
            (total, tokens)
            for total, tokens, _, token in (
                wider if all_complete else wider[:width]
            )
            if token == eos_id
        ]
        if all_complete:
            wider = [way for way in wider if way[3] != eos_id]
        live = [
            (total, [*tokens, token], moves(state, token))
            for total, tokens, state, token in wider[:width]
            if token != eos_id
        ]
        if not live or (stop_early and done):
            break
    total, tokens = max(
        done,
        key=lambda way: way[0] / (len(way[1]) + 1) if normalized else way[0],
    )
    return tokens, total


def _fair(decoder: Decoder) -> bool:
    """Whether the answer is clear and near: no ties that rounding would decide, and not too many beginnings."""
    try:
        found = _exact(*decoder, best=2, limit=150)
    except TooFar:
        return False
    return len(found) == 2 and found[0][1] - found[1][1] > 2e-3


def _until(
    rng: random.Random, condition: Callable[[Decoder], bool], longest: int = 9
) -> Decoder:
    while True:
        decoder = _random_decoder(rng, longest)
        if _fair(decoder) and condition(decoder):
            return decoder


def _rank_of_the_first(decoder: Decoder) -> int:
    """How many tokens are likelier at the beginning than the one that begins the best sentence."""
    tokens, (says, _) = _exact(*decoder)[0][0], _parts(*decoder[1:4])
    log_p = says(decoder[0].numpy().astype(np.float64))
    return int((log_p > log_p[tokens[0]]).sum()) if tokens else 0


def _missed_by(decoder: Decoder, *widths: int) -> bool:
    right = _exact(*decoder)[0][0]
    return all(_beam(width, *decoder)[0] != right for width in widths)


def _line(n: int, p: float) -> list[list[float]]:
    """Token 1, 2, ... n in a row, each with probability p after the one before it; then <eos> (0)."""
    rest = (1 - p) / n
    rows = [[rest] * (n + 1) for _ in range(n + 2)]
    for token in range(1, n):
        rows[token][token + 1] = p
    rows[0][0] = rows[n][0] = rows[-1][1] = p
    return rows


def _crowd(n: int) -> list[list[float]]:
    """n tokens, each a likelier beginning than the last one, of which alone a sentence can come."""
    flat = [1 / (n + 1)] * (n + 1)
    return [
        *[flat] * n,
        [0.96, *[0.04 / n] * n],
        [0.01, *[0.955 / (n - 1)] * (n - 1), 0.035],
    ]


def _crowds(n: int) -> list[list[float]]:
    """n tokens (1 to n) that never end well, and one after which a sentence ends: n * n beginnings look better.

    After each of the n come the n again, all a little different, and only then the good one, which is likeliest
    after the least likely of the n. The next best is to say nothing at all.
    """
    rng = random.Random(n)

    def crowd(total: float) -> list[float]:
        shares = [rng.uniform(0.95, 1.05) for _ in range(n)]
        return [total * share / sum(shares) for share in shares]

    rows = [[0.001, *crowd(0.974), 0.025] for _ in range(n)]
    rows[-1] = [0.001, *crowd(0.964), 0.035]
    first = [0.00115, *crowd(0.9985), 0.00035]
    return [
        [1 / (n + 2)] * (n + 2),
        *rows,
        [0.98, *[0.02 / (n + 1)] * (n + 1)],
        first,
    ]


UNLIKELY = math.log(0.04)


SEARCHED: dict[str, Callable[[Decoder], bool]] = {
    "greedy decoding misses it": lambda x: _missed_by(x, 1),
    "a beam of two misses it": lambda x: _missed_by(x, 1, 2),
    "a beam of three misses it": lambda x: _missed_by(x, 2, 3),
    "a long one": lambda x: len(_exact(*x)[0][0]) >= 5,
    "the best one is unlikely, too": lambda x: _exact(*x)[0][1] < UNLIKELY,
    "the third-best token begins the best sentence": lambda x: (
        _rank_of_the_first(x) == 2
    ),
    "the fourth-best token begins the best sentence": lambda x: (
        _rank_of_the_first(x) == 3
    ),
    "the last token alone does not tell the state": lambda x: (
        _exact(*x)[0] != _merged_by_last_token(*x)
    ),
}


@functools.cache
def _searched(about: str) -> Decoder:
    """The first decoder of a fixed seed that is as `about` says: an edge case, the same every time."""
    return _until(random.Random(about), SEARCHED[about])


def probable_cases(rng: random.Random) -> Iterator[Call]:
    example = [
        [0.90, 0.05, 0.05],
        [0.30, 0.30, 0.40],
        [0.90, 0.05, 0.05],
        [0.20, 0.50, 0.30],
    ]
    yield Call("the decoder of the example", *_from_table(example, 0, 5))
    yield Call("no token at all is allowed", *_from_table(example, 0, 0))
    yield Call(
        "the empty sentence wins",
        *_from_table(
            [
                [0.9, 0.06, 0.04],
                [0.3, 0.45, 0.25],
                [0.5, 0.3, 0.2],
                [0.45, 0.3, 0.25],
            ],
            0,
            4,
        ),
    )
    yield Call(
        "greedy decoding is right",
        *_from_table(
            [
                [0.2, 0.3, 0.5],
                [0.8, 0.15, 0.05],
                [0.15, 0.8, 0.05],
                [0.1, 0.2, 0.7],
            ],
            1,
            4,
        ),
    )
    late = [
        [0.25] * 4,
        [0.02, 0.05, 0.90, 0.03],
        [0.03, 0.02, 0.05, 0.90],
        [0.90, 0.05, 0.03, 0.02],
        [0.02, 0.90, 0.05, 0.03],
    ]
    yield Call("a sentence of just max_length tokens", *_from_table(late, 0, 3))
    yield Call(
        "the best sentence is one token too long", *_from_table(late, 0, 2)
    )
    yield Call(
        "many halves: a sentence that cannot end",
        *_from_table(
            [
                [0.5, 0.3, 0.2],
                [0.04, 0.5, 0.46],
                [0.05, 0.49, 0.46],
                [0.01, 0.59, 0.4],
            ],
            0,
            3,
        ),
    )
    for about in SEARCHED:
        yield Call(about, *_searched(about))
    yield Call("a beam of twenty misses it", *_from_table(_crowd(25), 0, 3))
    yield Call(
        "a beam of five hundred misses it", *_from_table(_crowds(25), 0, 3)
    )
    yield Call(
        "twelve tokens: too many sentences to try them all",
        *_from_table(_line(12, 0.88), 0, 16),
    )
    while True:
        # What greedy decoding misses, what sampling hardly meets, and anything but (mostly) the empty sentence.
        wanted = rng.choice(
            [
                lambda x: _missed_by(x, 1),
                lambda x: _exact(*x)[0][1] < UNLIKELY,
                lambda x: len(_exact(*x)[0][0]) > 0 or rng.random() < 0.1,
            ]
        )
        yield Call("a random decoder", *_until(rng, wanted))


def _merged_by_last_token(h, embedding, W, output, eos_id, max_length):
    """Viterbi's way: of all beginnings of a length that end in the same token, only the best is followed."""
    says, moves = _parts(embedding, W, output)
    live, done = {None: (0.0, [], h.numpy().astype(np.float64))}, []
    for length in range(max_length + 1):
        after: dict[int, tuple] = {}
        for total, tokens, state in live.values():
            for token, log_p in enumerate(says(state).tolist()):
                if token == eos_id:
                    done.append((total + log_p, tokens))
                elif length < max_length and (
                    token not in after or total + log_p > after[token][0]
                ):
                    after[token] = (
                        total + log_p,
                        [*tokens, token],
                        moves(state, token),
                    )
        live = after
    total, tokens = max(done, key=lambda way: way[0])
    return tokens, total


most_probable = Exercise(
    "most_probable",
    title="What the beam misses",
    points=4,
    minutes=75,
    cases=probable_cases,
    compare=close(
        rtol=1e-4,
        atol=1e-4,
        why="float32 logarithms of a few probabilities, added in any order",
    ),
    visible=24,
)


@most_probable.mistake(
    "This is greedy decoding: the best token at each step. A beginning with a poorer first token may belong to a better sentence."
)
def probable_greedy(h, embedding, W, output, eos_id, max_length):
    return _greedy(
        h, embedding, W, output, eos_id, max_length, forced_costs=True
    )


def _greedy(
    h, embedding, W, output, eos_id, max_length, forced_costs, parts=_parts
):
    says, moves = parts(embedding, W, output)
    state, tokens, total = h.numpy().astype(np.float64), [], 0.0
    while True:
        log_p = says(state)
        if len(tokens) == max_length:
            return tokens, total + float(log_p[eos_id]) * forced_costs
        token = int(log_p.argmax())
        total += float(log_p[token])
        if token == eos_id:
            return tokens, total
        tokens.append(token)
        state = moves(state, token)


@most_probable.mistake(
    "This is greedy decoding: the best token at each step. And a sentence without its <eos> is not complete: where max_length is reached, only <eos> may follow, at its price."
)
def probable_greedy_unfinished(h, embedding, W, output, eos_id, max_length):
    return _greedy(
        h, embedding, W, output, eos_id, max_length, forced_costs=False
    )


BEAM = "This is beam search: what falls out of the beam is lost, however good its end. Follow every beginning that is more probable than the best complete sentence so far."

for _width in (2, 3, 4, 5, 8, 10, 16, 20, 30, 50, 100, 200):

    def _of_beam(*decoder, _width=_width):
        return _beam(_width, *decoder)

    _of_beam.__name__ = f"probable_beam_{_width}"
    most_probable.mistake(BEAM)(_of_beam)
    if _width < 6:

        def _of_first_in_beam(*decoder, _width=_width):
            return _beam(_width, *decoder, stop_early=True)

        _of_first_in_beam.__name__ = f"probable_beam_{_width}_stops"
        most_probable.mistake(
            "You stop at the first complete sentence that a beam finds. Others that are still open may be more probable, and so may those that fell out of the beam."
        )(_of_first_in_beam)


def _beam_with_finished(width, h, embedding, W, output, eos_id, max_length):
    """A beam in which complete sentences keep a place."""
    says, moves = _parts(embedding, W, output)
    beam = [(0.0, [], h.numpy().astype(np.float64))]
    for _ in range(max_length + 1):
        wider = [way for way in beam if way[2] is None]
        for total, tokens, state in beam:
            if state is None:
                continue
            for token, log_p in enumerate(says(state).tolist()):
                if token == eos_id:
                    wider.append((total + log_p, tokens, None))
                elif len(tokens) < max_length:
                    wider.append(
                        (total + log_p, [*tokens, token], moves(state, token))
                    )
        beam = sorted(wider, key=lambda way: -way[0])[:width]
    return beam[0][1], beam[0][0]


for _width in (2, 3, 4, 5, 8, 10, 16, 20, 30):

    def _of_full_beam(*decoder, _width=_width):
        return _beam_with_finished(_width, *decoder)

    _of_full_beam.__name__ = f"probable_beam_{_width}_with_finished"
    most_probable.mistake(BEAM)(_of_full_beam)


for _width in (1, 2, 3, 5, 8, 10, 20):

    def _of_beam_and_all_complete(*decoder, _width=_width):
        return _beam(_width, *decoder, all_complete=True)

    _of_beam_and_all_complete.__name__ = f"probable_beam_{_width}_all_complete"
    most_probable.mistake(BEAM)(_of_beam_and_all_complete)


for _width in (2, 3, 4, 5, 8, 10):

    def _of_normalized_beam(*decoder, _width=_width):
        return _beam(_width, *decoder, normalized=True)

    _of_normalized_beam.__name__ = f"probable_beam_{_width}_per_token"
    most_probable.mistake(
        BEAM
        + " And you choose by probability *per token*: asked is the most probable one, whatever its length."
    )(_of_normalized_beam)


ALWAYS_EMPTY = "You always return the empty sentence. Either the state never moves on with what is said, or the search stops at the first <eos> it meets: that one is only *found*, and a beginning that still waits may lead to a better one."


@most_probable.mistake(ALWAYS_EMPTY)
def probable_first_found(*decoder):
    return _exact(*decoder, first_found=True)[0]


STOPS_WHEN_PUT_IN = "You stop at the first beginning whose likeliest next token is <eos>. Stop when a complete sentence is *taken* from the queue, not when one is put in: its <eos> has a price, and a beginning that still waits may lead to a better one."


def _stops_where_eos_is_likeliest(
    h, embedding, W, output, eos_id, max_length, puts_in_eos
):
    says, moves = _parts(embedding, W, output)
    number = itertools.count()
    waiting = [(0.0, next(number), [], h.numpy().astype(np.float64))]
    while True:
        cost, _, tokens, state = heapq.heappop(waiting)
        if state is None:
            return tokens, -cost
        log_p = says(state)
        only_eos = len(tokens) == max_length and not puts_in_eos
        if only_eos or int(log_p.argmax()) == eos_id:
            return tokens, float(log_p[eos_id]) - cost
        for token, more in enumerate(log_p.tolist()):
            if token == eos_id:
                if puts_in_eos:
                    entry = (cost - more, next(number), tokens, None)
                    heapq.heappush(waiting, entry)
            elif len(tokens) < max_length:
                entry = (
                    cost - more,
                    next(number),
                    [*tokens, token],
                    moves(state, token),
                )
                heapq.heappush(waiting, entry)


@most_probable.mistake(STOPS_WHEN_PUT_IN)
def probable_stops_where_eos_is_likeliest(*decoder):
    return _stops_where_eos_is_likeliest(*decoder, puts_in_eos=True)


@most_probable.mistake(STOPS_WHEN_PUT_IN)
def probable_follows_until_eos_is_likeliest(*decoder):
    return _stops_where_eos_is_likeliest(*decoder, puts_in_eos=False)


@most_probable.mistake(
    "Of several beginnings that end in the same token you follow only the best. That is right for a Markov chain; the state of an RNN holds the whole past, so each beginning goes on differently."
)
def probable_viterbi(*decoder):
    return _merged_by_last_token(*decoder)


def _with(
    hint: str,
    name: str,
    start=None,
    says=None,
    moves=None,
    longer=0,
    result=None,
) -> None:
    """Register the exact search in a decoder that is read wrongly, or whose result is."""

    def answer(h, embedding, W, output, eos_id, max_length):
        E, M, out, state = (
            a.numpy().astype(np.float64) for a in (embedding, W, output, h)
        )
        if start is not None:
            state = start(state, E, M, eos_id)
        found = _best_first(
            state,
            (lambda s: says(s, out))
            if says
            else (lambda s: _log_softmax(out @ s)),
            (lambda s, t: moves(s, t, E, M))
            if moves
            else (lambda s, t: np.tanh(M @ s + E[t])),
            eos_id,
            max_length + longer,
            limit=3000,
        )[0]
        return found if result is None else result(*found, eos_id)

    answer.__name__ = f"probable_{name}"
    most_probable.mistake(hint)(answer)


_with(
    "You let the decoder read <eos> before its first token. Here the first token is said in the state `h` itself.",
    "reads_first",
    start=lambda s, E, M, eos: np.tanh(M @ s + E[eos]),
)
_with(
    "Each sentence starts from a state of zeros. It starts from `h`, in which the encoder has left what it read.",
    "starts_from_zeros",
    start=lambda s, E, M, eos: 0 * s,
)
_with(
    "The state forgets what came before the last token: W @ h is missing in the step.",
    "without_W",
    moves=lambda s, t, E, M: np.tanh(E[t]),
)
_with(
    "The state does not hear which token was said: embedding[w] is missing in the step.",
    "without_token",
    moves=lambda s, t, E, M: np.tanh(M @ s),
)
_with(ALWAYS_EMPTY, "state_stays", moves=lambda s, t, E, M: s)
_with(
    "tanh is missing in the step of the state.",
    "without_tanh",
    moves=lambda s, t, E, M: M @ s + E[t],
)
_with(
    "tanh goes around W @ h only. It goes around the sum: tanh(W @ h + embedding[w]).",
    "tanh_inside",
    moves=lambda s, t, E, M: np.tanh(M @ s) + E[t],
)
_with(
    "You write h @ W for W @ h: the matrix acts transposed.",
    "transposed",
    moves=lambda s, t, E, M: np.tanh(M.T @ s + E[t]),
)
_with(
    "The embedding goes through W, too. W acts on the state only: tanh(W @ h + embedding[w]).",
    "token_through_W",
    moves=lambda s, t, E, M: np.tanh(M @ (s + E[t])),
)
_with(
    "A sentence may have max_length tokens *before* the <eos>: your limit counts the <eos> as well.",
    "counts_eos",
    longer=-1,
)
_with(
    "Your sentences may be longer than max_length by one token. When max_length tokens are said, only <eos> may follow.",
    "one_more",
    longer=1,
)
_with(
    "max_length is not heeded: when so many tokens are said, only <eos> may follow.",
    "endless",
    longer=10**6,
)
_with(
    "The sentence is right, and its <eos> is still there: return the tokens before it.",
    "with_eos",
    result=lambda tokens, log_p, eos: ([*tokens, eos], log_p),
)
_with(
    "You return the probability. Asked is its natural logarithm.",
    "probability",
    result=lambda tokens, log_p, eos: (tokens, math.exp(log_p)),
)
_with(
    "The sign is wrong: the logarithm of a probability is not above zero. Costs go into the heap, -cost comes back.",
    "cost",
    result=lambda tokens, log_p, eos: (tokens, -log_p),
)
_with(
    "Asked is the natural logarithm; yours has the base 2.",
    "log2",
    result=lambda tokens, log_p, eos: (tokens, log_p / math.log(2)),
)
_with(
    "You divide by the length at the end. Asked is the logarithm of the sentence's probability itself.",
    "mean_at_the_end",
    result=lambda tokens, log_p, eos: (tokens, log_p / (len(tokens) + 1)),
)
_with(
    "Right sentence; return its tokens as a list.",
    "tuple",
    result=lambda tokens, log_p, eos: (tuple(tokens), log_p),
)
_with(
    "Right numbers; return log_prob as a plain float: .item() takes it out of a tensor.",
    "as_tensor",
    result=lambda tokens, log_p, eos: (tokens, tensor(log_p)),
)
_with(
    "The log-probability comes first in yours: return (tokens, log_prob).",
    "exchanged",
    result=lambda tokens, log_p, eos: (log_p, tokens),
)


@most_probable.mistake(
    "You take token 0 for the end of the sentence. Which token ends it, `eos_id` says, and it is not always 0."
)
def probable_eos_is_0(h, embedding, W, output, eos_id, max_length):
    return _exact(h, embedding, W, output, 0, max_length)[0]


@most_probable.mistake(
    "The price of <eos> is missing in log_prob. That the sentence ends here is said with a probability, too."
)
def probable_without_price_of_eos(h, embedding, W, output, eos_id, max_length):
    tokens, _ = _exact(h, embedding, W, output, eos_id, max_length)[0]
    return tokens, _price(h, embedding, W, output, tokens)


def _price(h, embedding, W, output, tokens):
    says, moves = _parts(embedding, W, output)
    state, total = h.numpy().astype(np.float64), 0.0
    for token in tokens:
        total += float(says(state)[token])
        state = moves(state, token)
    return total


@most_probable.mistake(
    "Each token is scored in the state from *before* the last token was heard: the context of the wrong step. First the state moves on, then it says the next token."
)
def probable_one_state_behind(h, embedding, W, output, eos_id, max_length):
    says, moves = _parts(embedding, W, output)
    start = h.numpy().astype(np.float64)
    pairs = _best_first(
        (start, start),
        lambda pair: says(pair[0]),
        lambda pair, token: (pair[1], moves(pair[1], token)),
        eos_id,
        max_length,
        limit=3000,
    )
    return pairs[0]


@most_probable.mistake(
    "All beginnings share one state in yours, that of the last one looked at. Each goes on from its own: keep the state beside the tokens."
)
def probable_shared_state(h, embedding, W, output, eos_id, max_length):
    says, moves = _parts(embedding, W, output)
    state, number = h.numpy().astype(np.float64), itertools.count()
    waiting = [(0.0, next(number), [])]
    while True:
        cost, _, tokens = heapq.heappop(waiting)
        if tokens and tokens[-1] == eos_id:
            return tokens[:-1], -cost
        if tokens:
            state = moves(state, tokens[-1])
        for token, log_p in enumerate(says(state).tolist()):
            if token == eos_id or len(tokens) < max_length:
                heapq.heappush(
                    waiting, (cost - log_p, next(number), [*tokens, token])
                )


@most_probable.mistake(
    "The empty sentence is left out. <eos> may be the first thing that is said."
)
def probable_never_empty(h, embedding, W, output, eos_id, max_length):
    found = _exact(h, embedding, W, output, eos_id, max_length, best=2)
    return next((tokens, log_p) for tokens, log_p in found if tokens)


@most_probable.mistake(
    "You compare probabilities *per token*. That favours long sentences. Asked is the most probable one, whatever its length."
)
def probable_per_token(h, embedding, W, output, eos_id, max_length):
    tokens, log_p = _best_per_token(h, embedding, W, output, eos_id, max_length)
    return tokens, log_p


@most_probable.mistake(
    "You compare probabilities *per token*, and return that. Asked are the most probable sentence, whatever its length, and the logarithm of its probability."
)
def probable_per_token_and_its_mean(
    h, embedding, W, output, eos_id, max_length
):
    tokens, log_p = _best_per_token(h, embedding, W, output, eos_id, max_length)
    return tokens, log_p / (len(tokens) + 1)


def _best_per_token(h, embedding, W, output, eos_id, max_length):
    """Enough of all sentences: those that best-first search meets among its first hundreds."""
    says, moves = _parts(embedding, W, output)
    waiting, number = (
        [(0.0, 0, (), h.numpy().astype(np.float64))],
        itertools.count(1),
    )
    best = (-math.inf, [], 0.0)
    for _ in range(3000):
        if not waiting:
            break
        cost, _, tokens, state = heapq.heappop(waiting)
        for token, log_p in enumerate(says(state).tolist()):
            if token == eos_id:
                best = max(
                    best,
                    (
                        (log_p - cost) / (len(tokens) + 1),
                        list(tokens),
                        log_p - cost,
                    ),
                )
            elif (
                len(tokens) < max_length
                and (cost - log_p) / (max_length + 1) < -best[0]
            ):
                heapq.heappush(
                    waiting,
                    (
                        cost - log_p,
                        next(number),
                        (*tokens, token),
                        moves(state, token),
                    ),
                )
    return best[1], best[2]


@most_probable.mistake(
    "Sentences that were cut off at max_length count as complete in yours. Only <eos> completes a sentence, and it has its price."
)
def probable_cut_counts(h, embedding, W, output, eos_id, max_length):
    says, moves = _parts(embedding, W, output)
    waiting, number = (
        [(0.0, 0, [], h.numpy().astype(np.float64), False)],
        itertools.count(1),
    )
    while True:
        cost, _, tokens, state, done = heapq.heappop(waiting)
        if done or len(tokens) == max_length:
            return tokens, -cost
        for token, log_p in enumerate(says(state).tolist()):
            if token == eos_id:
                heapq.heappush(
                    waiting, (cost - log_p, next(number), tokens, state, True)
                )
            else:
                heapq.heappush(
                    waiting,
                    (
                        cost - log_p,
                        next(number),
                        [*tokens, token],
                        moves(state, token),
                        False,
                    ),
                )


for _tokens in (2, 3):

    def _of_few_tokens(
        h, embedding, W, output, eos_id, max_length, _tokens=_tokens
    ):
        says, moves = _parts(embedding, W, output)

        def few(state):
            log_p = says(state)
            least = np.sort(log_p)[::-1][:_tokens].min()
            kept = np.where(log_p >= least, log_p, -math.inf)
            kept[eos_id] = log_p[eos_id]
            return kept

        return _best_first(
            h.numpy().astype(np.float64),
            few,
            moves,
            eos_id,
            max_length,
            limit=3000,
        )[0]

    _of_few_tokens.__name__ = f"probable_{_tokens}_tokens"
    most_probable.mistake(
        "After each beginning you follow only a few of the tokens. A token with a low rank may begin the best sentence: drop a beginning only when it is less probable than a complete sentence."
    )(_of_few_tokens)


@most_probable.mistake(
    "You take <eos> for possible only where it is the likeliest token. A sentence may end anywhere, at the price of <eos>."
)
def probable_ends_by_argmax(h, embedding, W, output, eos_id, max_length):
    says, moves = _parts(embedding, W, output)
    best = [-math.inf, []]

    def follow(state, tokens, total):
        log_p = says(state)
        if int(log_p.argmax()) == eos_id or len(tokens) == max_length:
            if total + float(log_p[eos_id]) > best[0]:
                best[:] = [total + float(log_p[eos_id]), tokens]
            return
        for token, more in enumerate(log_p.tolist()):
            if token != eos_id and total + more > best[0]:
                follow(moves(state, token), [*tokens, token], total + more)

    follow(h.numpy().astype(np.float64), [], 0.0)
    return best[1], best[0]


@most_probable.mistake(
    "heapq gives the *smallest* first, and with log-probabilities that is the least probable beginning. Put costs into the heap: -log_prob."
)
def probable_worst_first(h, embedding, W, output, eos_id, max_length):
    says, moves = _parts(embedding, W, output)
    number = itertools.count()
    waiting = [(0.0, next(number), [], h.numpy().astype(np.float64))]
    while True:
        total, _, tokens, state = heapq.heappop(waiting)
        if tokens and tokens[-1] == eos_id:
            return tokens[:-1], total
        if tokens:
            state = moves(state, tokens[-1])
        for token, log_p in enumerate(says(state).tolist()):
            if token == eos_id or len(tokens) < max_length:
                heapq.heappush(
                    waiting,
                    (total + log_p, next(number), [*tokens, token], state),
                )


@most_probable.mistake(
    "Two entries of the heap cost the same, so Python compares what comes next, and tensors have no order. Put a running number behind the cost: next(itertools.count())."
)
def probable_compares_tensors(h, embedding, W, output, eos_id, max_length):
    waiting = [(0.0, h, [])]
    while True:
        cost, state, tokens = heapq.heappop(waiting)
        if tokens and tokens[-1] == eos_id:
            return tokens[:-1], -cost
        if tokens:
            state = torch.tanh(W @ state + embedding[tokens[-1]])
        for token, log_p in enumerate(
            torch.log_softmax(output @ state, 0).tolist()
        ):
            if token == eos_id or len(tokens) < max_length:
                heapq.heappush(waiting, (cost - log_p, state, [*tokens, token]))


@most_probable.mistake(
    "All beginnings share one list of tokens, for append changes it in place. Make a new list for each: [*tokens, token]."
)
def probable_shared_list(h, embedding, W, output, eos_id, max_length):
    says, moves = _parts(embedding, W, output)
    number = itertools.count()
    waiting = [(0.0, next(number), [], h.numpy().astype(np.float64))]
    while True:
        cost, _, tokens, state = heapq.heappop(waiting)
        if tokens and tokens[-1] == eos_id:
            return tokens[:-1], -cost
        if tokens:
            state = moves(state, tokens[-1])
        for token, log_p in enumerate(says(state).tolist()):
            if token == eos_id or len(tokens) < max_length:
                tokens.append(token)
                heapq.heappush(
                    waiting, (cost - log_p, next(number), tokens, state)
                )


WITHOUT_SOFTMAX = "The scores output @ h are no logarithms of probabilities yet, and may be above zero: log_softmax makes them so."


@most_probable.mistake(WITHOUT_SOFTMAX)
def probable_without_softmax(h, embedding, W, output, eos_id, max_length):
    says, moves = _raw_parts(embedding, W, output)
    try:
        return _best_first(
            h.numpy().astype(np.float64),
            says,
            moves,
            eos_id,
            max_length,
            limit=3000,
        )[0]
    except TooFar:
        return [], 0.0


@most_probable.mistake(WITHOUT_SOFTMAX)
def probable_depth_first_without_softmax(
    h, embedding, W, output, eos_id, max_length
):
    says, moves = _raw_parts(embedding, W, output)
    best = [-math.inf, []]

    def follow(state, tokens, total):
        scores = says(state)
        if total + float(scores[eos_id]) > best[0]:
            best[:] = [total + float(scores[eos_id]), tokens]
        if len(tokens) == max_length:
            return
        for token, more in enumerate(scores.tolist()):
            if token != eos_id and total + more > best[0]:
                follow(moves(state, token), [*tokens, token], total + more)

    follow(h.numpy().astype(np.float64), [], 0.0)
    return best[1], best[0]


@most_probable.mistake(
    WITHOUT_SOFTMAX
    + " And this is greedy decoding: a beginning with a poorer first token may belong to a better sentence."
)
def probable_greedy_without_softmax(*decoder):
    return _greedy(*decoder, forced_costs=True, parts=_raw_parts)


for _width in (2, 3, 5, 10):

    def _of_beam_without_softmax(*decoder, _width=_width):
        return _beam(_width, *decoder, parts=_raw_parts)

    _of_beam_without_softmax.__name__ = (
        f"probable_beam_{_width}_without_softmax"
    )
    most_probable.mistake(
        WITHOUT_SOFTMAX
        + " And this is beam search: what falls out of the beam is lost, however good its end."
    )(_of_beam_without_softmax)


@most_probable.alternative
def probable_depth_first(h, embedding, W, output, eos_id, max_length):
    best = [-math.inf, []]

    def follow(state, tokens, total):
        log_p = (output @ state).log_softmax(0)
        if total + float(log_p[eos_id]) > best[0]:
            best[:] = [total + float(log_p[eos_id]), tokens]
        if len(tokens) == max_length:
            return
        for token in log_p.argsort(descending=True).tolist():
            further = total + float(log_p[token])
            if token != eos_id and further > best[0]:
                follow(
                    torch.tanh(W @ state + embedding[token]),
                    [*tokens, token],
                    further,
                )

    follow(h, [], 0.0)
    return best[1], best[0]


@most_probable.alternative
def probable_level_by_level(h, embedding, W, output, eos_id, max_length):
    """All beginnings of one length at once, in a batch; what is poorer than the best sentence is dropped."""
    best, answer = -math.inf, []
    states, totals, rows = h[None], torch.zeros(1), [[]]
    for length in range(max_length + 1):
        log_p = totals[:, None] + torch.log_softmax(states @ output.T, dim=1)
        value, at = log_p[:, eos_id].max(0)
        if float(value) > best:
            best, answer = float(value), rows[int(at)]
        log_p[:, eos_id] = -math.inf
        open_ = (log_p > best).nonzero()
        if length == max_length or len(open_) == 0:
            break
        parents, tokens = open_.unbind(1)
        states = torch.tanh(states[parents] @ W.T + embedding[tokens])
        totals = log_p[parents, tokens]
        rows = [[*rows[p], t] for p, t in open_.tolist()]
    return answer, best


@most_probable.alternative
def probable_by_growing_threshold(h, embedding, W, output, eos_id, max_length):
    """Ask for all sentences above a threshold, and lower it until there is one."""
    says, moves = _parts(embedding, W, output)

    def above(state, tokens, total, least):
        for token, log_p in enumerate(says(state).tolist()):
            if total + log_p < least:
                continue
            if token == eos_id:
                yield total + log_p, tokens
            elif len(tokens) < max_length:
                yield from above(
                    moves(state, token), [*tokens, token], total + log_p, least
                )

    least = -1.0
    while not (
        found := list(above(h.numpy().astype(np.float64), [], 0.0, least))
    ):
        least -= 0.5
    total, tokens = max(found, key=lambda way: way[0])
    return tokens, total


# 9 --------------------------------------------------------------------------------------------- written answer

bottleneck_or_exposure = Written("bottleneck_or_exposure", points=4)
