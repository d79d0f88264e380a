"""How the exercises of chapter 05 are judged: cases, known mistakes with hints, other right answers."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, tensor

from lmcourse.authoring.spec import Call, Exercise, Written
from lmcourse.exercises.compare import close
from lmcourse.exercises.outcome import TookTooLong

HIDDEN = -math.inf
COUNTS = {1: "One thing is", 2: "Two things are", 3: "Three things are"}


def quarters(rng: random.Random, *shape: int, largest: float = 2.0) -> Tensor:
    """Random multiples of 1/4, which a person can read and a float holds exactly."""
    top = int(4 * largest)
    return tensor(
        [rng.randint(-top, top) / 4 for _ in range(math.prod(shape))]
    ).view(shape)


def normal(rng: random.Random, *shape: int, scale: float = 1.0) -> Tensor:
    return tensor([rng.gauss(0, scale) for _ in range(math.prod(shape))]).view(
        shape
    )


def words_first(rng: random.Random, batch: int, time: int) -> Tensor:
    """True for the words of each row, False for the filling behind them."""
    lengths = tensor([rng.randint(1, time) for _ in range(batch)])
    return torch.arange(time) < lengths[:, None]


# 1 ----------------------------------------------------------------------------------------- predict_parameters


def predict_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("your four numbers")


predict_parameters = Exercise(
    "predict_parameters",
    title="Count the numbers",
    points=2,
    minutes=10,
    cases=predict_cases,
    secret=True,
)


def _counts(
    *,
    attention_bias=10,
    ff_bias=50,
    squares=4,
    norm=20,
    encoder_norms=2,
    decoder_norms=3,
    attentions=2,
    last_norms=2,
    copies=1,
    blocks=2,
    output_bias=0,
    heads=1,
    more=2000,
    ff_matrices=2,
) -> list[int]:
    """The four numbers; the mistakes differ in what is counted."""
    attention = squares * (100 + attention_bias) * heads
    network = 400 * ff_matrices + ff_bias
    encoder = attention + network + encoder_norms * norm
    decoder = attentions * attention + network + decoder_norms * norm
    ends = last_norms * norm + copies * 1000 + output_bias
    return [encoder, decoder, blocks * (encoder + decoder) + ends, more]


# What is counted, how it is said, and in which of the numbers it shows.
SLIPS: list[tuple[dict, str]] = [
    (
        {"attentions": 1},
        "a decoder block has two attentions, to itself and to the source: each has its own four layers",
    ),
    (
        {"attentions": 1, "decoder_norms": 2},
        "the decoder's look at the source is left out: it is a third sublayer, with an attention and a norm of its own",
    ),
    (
        {"decoder_norms": 2},
        "a decoder block has three sublayers, so three norms",
    ),
    (
        {"encoder_norms": 1, "decoder_norms": 1},
        "each sublayer has its own norm",
    ),
    (
        {"attention_bias": 0, "ff_bias": 0},
        "the biases are left out: a linear layer from 10 to 10 has 10 · 10 + 10 numbers",
    ),
    (
        {"attention_bias": 0},
        "the biases of the attention are left out: each of its layers has 10 · 10 + 10 numbers",
    ),
    (
        {"ff_bias": 0},
        "the biases of the feed-forward network are left out: 40 inside and 10 at its end",
    ),
    (
        {"ff_bias": 40},
        "the feed-forward network has a second bias, of its output: 10 numbers",
    ),
    (
        {"ff_bias": 10},
        "the feed-forward network has a bias inside, too: 40 numbers",
    ),
    (
        {"ff_bias": 80},
        "the second bias of the feed-forward network has as many numbers as come out: 10, not 40",
    ),
    (
        {"norm": 10},
        "a norm has a gain and a bias: 2 · 10 numbers",
    ),
    (
        {"norm": 0},
        "the norms are left out: each has a gain and a bias, 2 · 10 numbers",
    ),
    (
        {"norm": 2},
        "the gain of a norm has a number for each of the 10 dimensions, and so has its bias",
    ),
    (
        {"squares": 3},
        "an attention has four linear layers: for queries, keys, values, and the one that mixes the heads' output",
    ),
    (
        {"heads": 2},
        "the heads share out the 10 columns: two heads have 5 each, and all together one layer of 10 by 10 numbers",
    ),
    (
        {"ff_matrices": 1},
        "the feed-forward network has two matrices, 10 by 40 and 40 by 10",
    ),
    (
        {"encoder_norms": 0, "decoder_norms": 0},
        "the norms inside the blocks are left out: each sublayer has one, with 2 · 10 numbers",
    ),
    ({"last_norms": 0}, "each of the two stacks ends with a norm: 2 · 20 more"),
    (
        {"last_norms": 1},
        "the encoder's stack and the decoder's each end with a norm: 2 · 20",
    ),
    (
        {"copies": 3},
        "the embedding is counted three times: it is one matrix, whatever it serves for",
    ),
    (
        {"copies": 2},
        "the embedding is counted twice, though it is one matrix, whatever it serves for (or you count positions, which are not learnt)",
    ),
    (
        {"copies": 0},
        "the embedding is left out of the whole model: 100 · 10 numbers",
    ),
    ({"blocks": 1}, "there are two blocks on each side"),
    ({"output_bias": 100}, "here the output layer has no bias"),
    (
        {"more": 1000},
        "in 4, one matrix becomes three: those are two more of 1000 numbers",
    ),
    (
        {"more": 3000},
        "in 4, one of the three matrices was there before: only two are new",
    ),
    (
        {"more": 0},
        "in 4, the heads change nothing, but the matrices do: two more of 100 · 10 numbers",
    ),
]


def _told(texts: list[str]) -> str:
    text = "; and ".join(texts)
    return f"{text[0].upper()}{text[1:]}."


def _counted(numbers):
    return lambda: numbers


_seen = {tuple(_counts())}
for _size in (1, 2):
    for _chosen in itertools.combinations(SLIPS, _size):
        _changed = [set(options) for options, _ in _chosen]
        if _size == 2 and _changed[0] & _changed[1]:
            continue
        _numbers = _counts(
            **{k: v for slip, _ in _chosen for k, v in slip.items()}
        )
        if tuple(_numbers) in _seen:
            continue
        _seen.add(tuple(_numbers))
        _function = _counted(_numbers)
        _function.__name__ = "count_" + "_and_".join(
            "_".join(f"{k}_{v}" for k, v in slip.items()) for slip, _ in _chosen
        )
        predict_parameters.mistake(_told([text for _, text in _chosen]))(
            _function
        )


@predict_parameters.mistake(
    "Four numbers are wanted: encoder block, decoder block, whole model, and how many more."
)
def count_three():
    return [1330, 1790, 7280]


@predict_parameters.mistake(
    "In 4 you give the new sum. Asked for is how many more than in 3: the difference."
)
def count_new_sum():
    return [1330, 1790, 7280, 9280]


@predict_parameters.mistake(
    "Numbers 1 and 2 are asked for *one* block each; yours are for both blocks of a stack."
)
def count_stacks():
    return [2660, 3580, 7280, 2000]


@predict_parameters.mistake(
    "Numbers 1 and 2 are asked for *one* block each; yours are for both blocks of a stack, with the last norm."
)
def count_stacks_with_norm():
    return [2680, 3600, 7280, 2000]


@predict_parameters.mistake(
    "A last norm belongs to a stack, not to each block: in 1 and 2 it does not count."
)
def count_last_norm_in_each_block():
    return [1350, 1810, 7360, 2000]


@predict_parameters.mistake(
    "Right numbers; return them as whole numbers, not floats."
)
def count_floats():
    return [1330.0, 1790.0, 7280.0, 2000.0]


@predict_parameters.mistake("Right numbers, as a tuple: return a list, [...].")
def count_tuple():
    return (1330, 1790, 7280, 2000)


@predict_parameters.alternative
def count_by_formula():
    return _counts()


@predict_parameters.alternative
def count_by_torch():
    """The layers themselves, made and counted."""

    def size(*layers):
        return sum(p.numel() for layer in layers for p in layer.parameters())

    nn = torch.nn
    attention = size(*(nn.Linear(10, 10) for _ in range(4)))
    network = size(nn.Linear(10, 40), nn.Linear(40, 10))
    norm = size(nn.LayerNorm(10))
    table = size(nn.Embedding(100, 10))
    encoder = attention + network + 2 * norm
    decoder = 2 * attention + network + 3 * norm
    whole = 2 * encoder + 2 * decoder + 2 * norm + table
    return [encoder, decoder, whole, 2 * table]


# 2 -------------------------------------------------------------------------------------------- shortest_warmup


def _rate(step, d_model, warmup):
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)


def _fits(warmup, d_model, largest, gentle, n) -> bool:
    peak = _rate(warmup, d_model, warmup)
    begin = _rate(min(n, warmup), d_model, warmup)  # the highest of the first n
    return peak <= largest and begin <= gentle


def _smallest(fits) -> int:
    """The smallest whole number from 1 on that fits; if one does, so do all larger ones."""
    high = 1
    while not fits(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def _no_close_call(d_model, largest, gentle, n) -> bool:
    """Whether rounding cannot decide: with bounds a little looser or tighter, the answer is the same."""
    answers = {
        _smallest(lambda w, f=f: _fits(w, d_model, f * largest, f * gentle, n))
        for f in (1 - 1e-9, 1 + 1e-9)
    }
    return len(answers) == 1


def warmup_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("the peak alone decides", 4, 0.125, 1.0, 16)
    yield Call("a gentle beginning", 4, 0.125, 0.03, 16)
    yield Call(
        "the paper's model, near the paper's warm-up", 512, 0.0007, 0.0007, 1
    )
    yield Call("a bound that is met exactly", 256, 2**-9, 1.0, 1)
    yield Call("just below it", 256, 0.999 * 2**-9, 1.0, 1)
    yield Call("a very gentle beginning", 1024, 0.000319, 6.38e-06, 10_000)
    yield Call("a wide model and a very low rate", 1024, 0.0001, 0.00005, 1000)
    yield Call("any rate will do", 64, 10.0, 10.0, 5)
    yield Call("the first step alone is to be gentle", 16, 0.05, 0.0001, 1)
    yield Call(
        "the peak may stand within the first n steps", 16, 0.03, 0.02, 500
    )
    yield Call("gentle for longer than the warm-up", 16, 0.5, 0.02, 5000)
    yield Call("the peak falls on step n", 16, 1.0, 2**-5, 64)
    yield Call("the peak would fall one step behind n", 16, 1.0, 2**-5, 63)
    yield Call("gentle allows more than largest", 32, 0.01, 0.5, 100)
    yield Call("both bind nearly alike", 64, 0.004, 0.0036, 900)
    yield Call("a warm-up of one step", 4, 0.5, 0.5, 1)
    while True:
        d_model = rng.choice([16, 64, 128, 256, 512, 1024])
        peak = rng.randint(20, 20_000)
        largest = float(f"{(d_model * peak) ** -0.5:.3g}")
        gentle = float(f"{largest * rng.choice([0.02, 0.1, 0.5, 0.9, 2]):.3g}")
        n = rng.choice([1, 10, 100, 1000, 10_000])
        if _no_close_call(d_model, largest, gentle, n):
            yield Call("random bounds", d_model, largest, gentle, n)


shortest_warmup = Exercise(
    "shortest_warmup",
    title="How long to warm up?",
    points=2,
    minutes=30,
    cases=warmup_cases,
    visible=25,
)


@shortest_warmup.mistake(
    "You look at the largest rate alone. The first n steps have a bound of their own: compute the rate of the highest of them."
)
def warmup_peak_only(d_model, largest, gentle, n):
    return max(1, math.ceil(1 / (d_model * largest**2)))


@shortest_warmup.mistake(
    "You look at the first n steps alone. The peak may come behind them, and has a bound of its own."
)
def warmup_begin_only(d_model, largest, gentle, n):
    return _smallest(lambda w: _fits(w, d_model, math.inf, gentle, n))


@shortest_warmup.mistake(
    "For the first n steps you take step n as the highest. Where the warm-up is shorter than n, the peak stands among them, and that is the highest."
)
def warmup_step_n_always(d_model, largest, gentle, n):
    begin = (n / (gentle * math.sqrt(d_model))) ** (2 / 3)
    return max(1, math.ceil(1 / (d_model * largest**2)), math.ceil(begin))


@shortest_warmup.mistake(
    "For the first n steps you take the rate of step n, with the root and the rise as they are. Where n is behind the peak, the rate has fallen again by then: the highest of the first n steps is the peak."
)
def warmup_rate_at_step_n(d_model, largest, gentle, n):
    def fits(w):
        return (
            _rate(w, d_model, w) <= largest and _rate(n, d_model, w) <= gentle
        )

    w = 1
    while not fits(w):
        w += 1
    return w


@shortest_warmup.mistake(
    "You hold the whole of the schedule to `gentle`. That bound is for the first n steps only: the peak may come behind them and be higher."
)
def warmup_gentle_always(d_model, largest, gentle, n):
    return max(1, math.ceil(1 / (d_model * min(largest, gentle) ** 2)))


@shortest_warmup.mistake(
    "Rounded down: then a rate is still a little above its bound. The smallest whole number that is large enough is the next one up."
)
def warmup_floor(d_model, largest, gentle, n):
    begin = 1 / (d_model * gentle**2)
    if begin > n:
        begin = (n / (gentle * math.sqrt(d_model))) ** (2 / 3)
    return max(1, int(max(1 / (d_model * largest**2), begin)))


@shortest_warmup.mistake(
    "Rounded to the nearest whole number: where that is down, a rate is still a little above its bound. Round up."
)
def warmup_rounded(d_model, largest, gentle, n):
    begin = 1 / (d_model * gentle**2)
    if begin > n:
        begin = (n / (gentle * math.sqrt(d_model))) ** (2 / 3)
    return max(1, round(max(1 / (d_model * largest**2), begin)))


@shortest_warmup.mistake(
    "A rate that is equal to its bound is allowed: not above it means at most, <=. (Where you round, int(x) + 1 is one too many for a whole x; math.ceil is not.)"
)
def warmup_strict(d_model, largest, gentle, n):
    def fits(w):
        peak = _rate(w, d_model, w)
        return peak < largest and _rate(min(n, w), d_model, w) < gentle

    return _smallest(fits)


@shortest_warmup.mistake(
    "The width of the model is left out: each rate is divided by the root of d_model."
)
def warmup_without_width(d_model, largest, gentle, n):
    return _smallest(lambda w: _fits(w, 1, largest, gentle, n))


@shortest_warmup.mistake(
    "Each rate is divided by the *root* of d_model, not by d_model."
)
def warmup_divided_by_width(d_model, largest, gentle, n):
    return _smallest(lambda w: _fits(w, d_model**2, largest, gentle, n))


@shortest_warmup.mistake(
    "Each rate is multiplied by the root of d_model in yours. The wider the model, the lower the rate: divide."
)
def warmup_times_width(d_model, largest, gentle, n):
    return _smallest(lambda w: _fits(w, 1 / d_model, largest, gentle, n))


@shortest_warmup.mistake(
    "Steps count from 1, so the last of the first n steps is step n: yours look at n - 1."
)
def warmup_steps_from_0(d_model, largest, gentle, n):
    def fits(w):
        begin = _rate(min(n - 1, w), d_model, w) if n > 1 else 0.0
        return _rate(w, d_model, w) <= largest and begin <= gentle

    return _smallest(fits)


@shortest_warmup.mistake(
    "Your rate rises with s / warmup. The warm-up stands to the power 1.5 there: only so do the two halves meet at s = warmup."
)
def warmup_wrong_power(d_model, largest, gentle, n):
    def fits(w):
        begin = d_model**-0.5 * min(n, w) / w
        return _rate(w, d_model, w) <= largest and (
            begin <= gentle or w > 10**9
        )

    return _smallest(fits)


@shortest_warmup.mistake(
    "You double the warm-up until it fits. That is long enough, but seldom the shortest."
)
def warmup_doubled(d_model, largest, gentle, n):
    w = 1
    while not _fits(w, d_model, largest, gentle, n):
        w *= 2
    return w


@shortest_warmup.mistake(
    "One bound is enough in yours. Both must hold, so the *longer* of the two warm-ups is needed."
)
def warmup_either(d_model, largest, gentle, n):
    begin = _smallest(lambda w: _fits(w, d_model, math.inf, gentle, n))
    return min(max(1, math.ceil(1 / (d_model * largest**2))), begin)


@shortest_warmup.mistake(
    "You compute every rate for every warm-up that you try: with a hundred thousand steps that are billions. Ask first which step has the highest rate, and look at that one alone."
)
def warmup_every_step(d_model, largest, gentle, n):
    answer = _smallest(lambda w: _fits(w, d_model, largest, gentle, n))
    if answer > 30_000:
        raise TookTooLong("as it would")
    return answer


@shortest_warmup.mistake(
    "Your search ends at a warm-up of 100,000 steps, and a longer one may be needed: up to two hundred thousand."
)
def warmup_search_ends(d_model, largest, gentle, n):
    answer = _smallest(lambda w: _fits(w, d_model, largest, gentle, n))
    return answer if answer <= 100_000 else None


@shortest_warmup.mistake(
    "Your warm-ups are never below n. A warm-up may be shorter than n."
)
def warmup_from_n(d_model, largest, gentle, n):
    return max(n, _smallest(lambda w: _fits(w, d_model, largest, gentle, n)))


POWER = "To undo warmup^1.5, take the power 2/3, not 1.5."


@shortest_warmup.mistake(POWER)
def warmup_power_of_begin(d_model, largest, gentle, n):
    begin = 1 / (d_model * gentle**2)
    if begin > n:
        begin = (n / (gentle * math.sqrt(d_model))) ** 1.5
    return max(1, math.ceil(max(1 / (d_model * largest**2), begin)))


@shortest_warmup.mistake(POWER)
def warmup_power_not_inverted(d_model, largest, gentle, n):
    peak = 1 / (d_model * largest**2)
    begin = (n / (gentle * math.sqrt(d_model))) ** 1.5
    return max(1, math.ceil(max(peak, begin)))


@shortest_warmup.mistake(
    "You look at the first step only. The rate rises from there: of the first n steps, the n-th is the highest, unless the peak stands among them."
)
def warmup_first_step(d_model, largest, gentle, n):
    return _smallest(lambda w: _fits(w, d_model, largest, gentle, 1))


@shortest_warmup.mistake(
    "The peak is 1 / √(d_model · warmup). To get the warm-up alone, square: 1 / (d_model · largest²)."
)
def warmup_not_squared(d_model, largest, gentle, n):
    peak = math.ceil(1 / (math.sqrt(d_model) * largest))
    begin = _smallest(lambda w: _fits(w, d_model, math.inf, gentle, n))
    return max(1, peak, begin)


@shortest_warmup.mistake(
    "Where the warm-up that `largest` asks for ends within the first n steps, you take the peak itself down to `gentle`. A longer warm-up may move the peak behind step n instead, and that may be the shorter way."
)
def warmup_peak_stays(d_model, largest, gentle, n):
    first = math.ceil(1 / (d_model * largest**2))
    if n >= first:
        return max(1, math.ceil(1 / (d_model * min(largest, gentle) ** 2)))
    return _smallest(lambda w: _fits(w, d_model, largest, gentle, n))


@shortest_warmup.mistake("Right numbers, as floats: return an int.")
def warmup_float(d_model, largest, gentle, n):
    return float(_smallest(lambda w: _fits(w, d_model, largest, gentle, n)))


@shortest_warmup.alternative
def warmup_by_bisection(d_model, largest, gentle, n):
    return _smallest(lambda w: _fits(w, d_model, largest, gentle, n))


@shortest_warmup.alternative
def warmup_one_by_one(d_model, largest, gentle, n):
    """Up from where the peak is low enough, or just not."""
    w = max(1, math.floor(1 / (d_model * largest**2)))
    while not _fits(w, d_model, largest, gentle, n):
        w += 1
    return w


@shortest_warmup.alternative
def warmup_by_table(d_model, largest, gentle, n):
    """All candidates at once, by numpy."""
    size = 1024
    while True:
        w = np.arange(1, size + 1, dtype=np.float64)
        peak = 1 / np.sqrt(d_model * w)
        first = np.minimum(w, n)
        begin = first / w**1.5 / np.sqrt(d_model)
        found = np.flatnonzero((peak <= largest) & (begin <= gentle))
        if len(found):
            return int(found[0]) + 1
        size *= 4


# 3 --------------------------------------------------------------------------------------------- pre_norm_stack


def _sublayer(rng, d, d_ff, plain=False):
    gain = torch.ones(d) if plain else quarters(rng, d)
    bias = torch.zeros(d) if plain else quarters(rng, d)
    return gain, bias, quarters(rng, d, d_ff), quarters(rng, d_ff, d)


def stack_cases(rng: random.Random) -> Iterator[Call]:
    one, none = torch.ones(2), torch.zeros(2)
    turn = (one, none, tensor([[0.0], [10.0]]), tensor([[1.0, -1.0]]))
    yield Call(
        "no sublayers: the last norm",
        tensor([[[3.0, 11.0]]]),
        [],
        one,
        none,
        9.0,
    )
    yield Call("one sublayer", tensor([[[3.0, 11.0]]]), [turn], one, none, 9.0)
    words = tensor([[[3.0, 11.0], [2.0, 0.0], [4.0, 5.0]]])
    yield Call("three words, no sublayers", words, [], one, none, 9.0)
    yield Call("three words, one sublayer", words, [turn], one, none, 9.0)
    four, zeros = torch.ones(4), torch.zeros(4)
    yield Call(
        "a gain and a bias",
        tensor([[[1.0, 2.0, 3.0, 6.0]]]),
        [],
        tensor([1.0, 2.0, -1.0, 0.5]),
        tensor([0.0, 1.0, 2.0, -1.0]),
        0.5,
    )
    yield Call(
        "all numbers of a vector are alike",
        tensor([[[2.0, 2.0, 2.0, 2.0], [1.0, 0.0, 1.0, 0.0]]]),
        [],
        four,
        tensor([0.25, 0.5, 0.0, 0.0]),
        1e-5,
    )
    yield Call(
        "around 1000",
        1000 + quarters(rng, 2, 3, 4),
        [],
        four,
        zeros,
        0.01,
    )
    yield Call(
        "a large eps",
        quarters(rng, 1, 2, 4),
        [_sublayer(rng, 4, 3)],
        four,
        zeros,
        4.0,
    )
    yield Call(
        "tiny numbers, beside which eps counts",
        quarters(rng, 1, 2, 4) / 256,
        [],
        four,
        zeros,
        1e-4,
    )
    # Sums of exact numbers: whatever a colleague took for the norm, a constant shift of a word changes nothing.
    yield Call(
        "two sublayers with plain norms",
        quarters(rng, 2, 3, 4),
        [_sublayer(rng, 4, 5, plain=True) for _ in range(2)],
        four,
        zeros,
        0.25,
    )
    yield Call(
        "the norms differ from sublayer to sublayer",
        quarters(rng, 2, 2, 4),
        [_sublayer(rng, 4, 3) for _ in range(3)],
        quarters(rng, 4),
        quarters(rng, 4),
        0.25,
    )
    yield Call(
        "as many words as numbers in a vector",
        quarters(rng, 1, 4, 4),
        [_sublayer(rng, 4, 4)],
        quarters(rng, 4),
        quarters(rng, 4),
        0.25,
    )
    yield Call(
        "a batch of many sentences of one word",
        quarters(rng, 4, 1, 3),
        [_sublayer(rng, 3, 2)],
        quarters(rng, 3),
        quarters(rng, 3),
        0.5,
    )
    while True:
        d, sizes = rng.randint(2, 6), (rng.randint(1, 3), rng.randint(1, 4))
        yield Call(
            "random numbers",
            quarters(rng, *sizes, d),
            [
                _sublayer(rng, d, rng.randint(1, 6))
                for _ in range(rng.randint(0, 3))
            ],
            quarters(rng, d),
            quarters(rng, d),
            rng.choice([0.01, 0.25, 1.0]),
        )


pre_norm_stack = Exercise(
    "pre_norm_stack",
    title="Repair the pre-norm stack",
    points=3,
    minutes=30,
    cases=stack_cases,
    compare=close(
        rtol=1e-4,
        atol=2e-4,
        why="float32 through up to four norms; eps of at least 0.01 keeps each from magnifying rounding by more than 10",
    ),
    visible=20,
    refuse=(
        "layer_norm",
        "LayerNorm",
        "native_layer_norm",
        "group_norm",
        "GroupNorm",
    ),
)


def _norm(
    x, gain, bias, eps, *, dim=-1, unbiased=False, outside=False, spread=None
):
    n = math.prod(x.shape[i] for i in ((dim,) if isinstance(dim, int) else dim))
    mean = x.mean(dim=dim, keepdim=True)
    squares = (x - mean).square().sum(dim=dim, keepdim=True)
    variance = squares / (n - 1 if unbiased and n > 1 else n)
    if unbiased and n == 1:
        variance = variance * math.nan
    if spread is not None:
        variance = spread(x, mean)
    size = variance.sqrt() + eps if outside else (variance + eps).sqrt()
    return gain * (x - mean) / size + bias


def _stack(
    x,
    sublayers,
    gain,
    bias,
    eps,
    *,
    residual="x",
    last=True,
    relu=torch.relu,
    norm=_norm,
    **how,
):
    for g, b, W_1, W_2 in sublayers:
        y = norm(x, g, b, eps, **how)
        f = relu(y @ W_1) @ W_2
        x = {"x": x, "normed": y, "none": 0.0}[residual] + f
    return norm(x, gain, bias, eps, **how) if last else x


# The five things, and what is said of each that is left.
FAULTS: list[tuple[dict, str]] = [
    (
        {"dim": 1},
        "the norm goes over the words of the sentence: it is over the d numbers of each vector, dim=-1",
    ),
    (
        {"unbiased": True},
        "the spread is divided by d - 1 (torch.std and torch.var do so unless told otherwise): the mean over all d numbers is wanted",
    ),
    (
        {"outside": True},
        "eps is added to the root: it belongs to the variance, under the root",
    ),
    (
        {"residual": "normed"},
        "what passes the sublayer by is the *normed* x: the norm is for what goes into f only, so keep x",
    ),
    (
        {"last": False},
        "the last norm is missing: what leaves a pre-norm stack is normed once more, with `gain` and `bias`",
    ),
]


def _faulty(how):
    return lambda x, sublayers, gain, bias, eps: _stack(
        x, sublayers, gain, bias, eps, **how
    )


for _size in range(1, 6):
    for _chosen in itertools.combinations(FAULTS, _size):
        _how = {k: v for fault, _ in _chosen for k, v in fault.items()}
        _function = _faulty(_how)
        _function.__name__ = "stack_with_" + "_".join(_how)
        if _size == 1:
            _text = _told([_chosen[0][1]])
        elif _size <= 3:
            _text = (
                f"{COUNTS[_size]} left. {_told([text for _, text in _chosen])}"
            )
        else:
            _text = f"There is more than half of it left. To begin with: {_chosen[0][1]}; and {_chosen[1][1]}."
        pre_norm_stack.mistake(_text)(_function)


@pre_norm_stack.mistake(
    "The norm goes over the whole sentence, words and numbers. Each vector is normed on its own: dim=-1."
)
def stack_over_the_sentence(x, sublayers, gain, bias, eps):
    return _stack(x, sublayers, gain, bias, eps, dim=(1, 2))


@pre_norm_stack.mistake(
    "You take one mean and one variance of all numbers there are. Each vector is normed on its own: dim=-1."
)
def stack_over_everything(x, sublayers, gain, bias, eps):
    return _stack(x, sublayers, gain, bias, eps, dim=(0, 1, 2))


@pre_norm_stack.mistake(
    "`return` stands inside your loop: the first sublayer is the only one, and where there is none, nothing comes back."
)
def stack_returns_too_soon(x, sublayers, gain, bias, eps):
    return _stack(x, sublayers[:1], gain, bias, eps) if sublayers else None


@pre_norm_stack.mistake(
    "The norm goes over the batch. Each vector is normed on its own: dim=-1."
)
def stack_over_the_batch(x, sublayers, gain, bias, eps):
    return _stack(x, sublayers, gain, bias, eps, dim=0)


@pre_norm_stack.mistake(
    "That is post-norm: the sum x + f(x) is normed. In pre-norm only what goes into f is, and the stack's end."
)
def stack_post_norm(x, sublayers, gain, bias, eps):
    for g, b, W_1, W_2 in sublayers:
        x = _norm(x + torch.relu(x @ W_1) @ W_2, g, b, eps)
    return _norm(x, gain, bias, eps)


@pre_norm_stack.mistake(
    "That is post-norm, without a last norm. In pre-norm only what goes into f is normed, and what leaves the stack."
)
def stack_post_norm_without_last(x, sublayers, gain, bias, eps):
    for g, b, W_1, W_2 in sublayers:
        x = _norm(x + torch.relu(x @ W_1) @ W_2, g, b, eps)
    return x


@pre_norm_stack.mistake(
    "You norm what f gives, before it is added. Normed is what goes *into* f: x + f(norm(x))."
)
def stack_norms_the_output_of_f(x, sublayers, gain, bias, eps):
    for g, b, W_1, W_2 in sublayers:
        x = x + _norm(torch.relu(x @ W_1) @ W_2, g, b, eps)
    return _norm(x, gain, bias, eps)


@pre_norm_stack.mistake(
    "Nothing passes the sublayer by in yours: x + f(norm(x)), not f(norm(x))."
)
def stack_without_residual(x, sublayers, gain, bias, eps):
    return _stack(x, sublayers, gain, bias, eps, residual="none")


@pre_norm_stack.mistake(
    "The norm's output is normed again before it goes on: in yours every sublayer ends with the last norm. That comes once, at the very end."
)
def stack_last_norm_each_time(x, sublayers, gain, bias, eps):
    for g, b, W_1, W_2 in sublayers:
        x = x + torch.relu(_norm(x, g, b, eps) @ W_1) @ W_2
        x = _norm(x, gain, bias, eps)
    return x if sublayers else _norm(x, gain, bias, eps)


@pre_norm_stack.mistake(
    "The mean is not taken off: that is another norm, RMSNorm. Subtract the mean before you divide."
)
def stack_rms(x, sublayers, gain, bias, eps):
    def norm(x, g, b, eps):
        return g * x / (x.square().mean(-1, keepdim=True) + eps).sqrt() + b

    return _stack(x, sublayers, gain, bias, eps, norm=norm)


@pre_norm_stack.mistake(
    "The mean of the squares minus the square of the mean: for numbers around 1000 both are near a million, and float32 has no digits left for the difference. Take the mean off first, then square."
)
def stack_cancels(x, sublayers, gain, bias, eps):
    def spread(x, mean):
        return x.square().mean(-1, keepdim=True) - mean.square()

    return _stack(x, sublayers, gain, bias, eps, spread=spread)


@pre_norm_stack.mistake(
    "The difference is divided by the variance. It is divided by its root: only so the variance becomes 1."
)
def stack_without_root(x, sublayers, gain, bias, eps):
    def norm(x, g, b, eps):
        return (
            g
            * (x - x.mean(-1, keepdim=True))
            / (x.var(-1, keepdim=True, unbiased=False) + eps)
            + b
        )

    return _stack(x, sublayers, gain, bias, eps, norm=norm)


@pre_norm_stack.mistake(
    "eps is left out. It is not always too small to matter, and where all numbers of a vector are alike, you divide 0 by 0."
)
def stack_without_eps(x, sublayers, gain, bias, eps):
    return _stack(x, sublayers, gain, bias, 0.0)


@pre_norm_stack.mistake(
    "You take 1e-5 for eps. It is an argument here, and not always so small."
)
def stack_fixed_eps(x, sublayers, gain, bias, eps):
    return _stack(x, sublayers, gain, bias, 1e-5)


@pre_norm_stack.mistake(
    "eps is added twice, under the root and to it. It belongs under the root only."
)
def stack_eps_twice(x, sublayers, gain, bias, eps):
    def norm(x, g, b, eps):
        centred = x - x.mean(-1, keepdim=True)
        variance = centred.square().mean(-1, keepdim=True)
        return g * centred / ((variance + eps).sqrt() + eps) + b

    return _stack(x, sublayers, gain, bias, eps, norm=norm)


@pre_norm_stack.mistake(
    "eps is squared in yours, or added before squaring: it is added to the variance as it is."
)
def stack_eps_squared(x, sublayers, gain, bias, eps):
    return _stack(x, sublayers, gain, bias, eps**2)


@pre_norm_stack.mistake(
    "All norms have the last one's gain and bias in yours. Each sublayer brings its own."
)
def stack_one_gain(x, sublayers, gain, bias, eps):
    plain = [(gain, bias, W_1, W_2) for _, _, W_1, W_2 in sublayers]
    return _stack(x, plain, gain, bias, eps)


@pre_norm_stack.mistake(
    "Your last norm has the last sublayer's gain and bias: the loop's names have replaced the arguments."
)
def stack_shadowed_names(x, sublayers, gain, bias, eps):
    if sublayers:
        gain, bias = sublayers[-1][:2]
    x = _stack(x, sublayers, gain, bias, eps, last=False)
    return _norm(x, gain, bias, eps)


@pre_norm_stack.mistake(
    "The last norm has no gain and bias in yours: it gets `gain` and `bias`."
)
def stack_last_without_gain(x, sublayers, gain, bias, eps):
    return _stack(
        x, sublayers, torch.ones_like(gain), torch.zeros_like(bias), eps
    )


@pre_norm_stack.mistake(
    "Only the last norm has a gain and a bias in yours. Each sublayer's norm brings its own."
)
def stack_plain_inside(x, sublayers, gain, bias, eps):
    plain = [(1.0, 0.0, W_1, W_2) for _, _, W_1, W_2 in sublayers]
    return _stack(x, plain, gain, bias, eps)


@pre_norm_stack.mistake(
    "Gain and bias are left out: what was normed is multiplied by the gain, and the bias is added."
)
def stack_without_gain(x, sublayers, gain, bias, eps):
    return _stack(
        x,
        sublayers,
        gain,
        bias,
        eps,
        norm=lambda x, g, b, eps: _norm(x, 1, 0, eps),
    )


@pre_norm_stack.mistake(
    "The bias is added before the gain multiplies. First times the gain, then plus the bias."
)
def stack_bias_first(x, sublayers, gain, bias, eps):
    return _stack(
        x,
        sublayers,
        gain,
        bias,
        eps,
        norm=lambda x, g, b, eps: g * (_norm(x, 1, 0, eps) + b),
    )


@pre_norm_stack.mistake(
    "The relu is missing. Without it W₁ and W₂ are together but one matrix."
)
def stack_without_relu(x, sublayers, gain, bias, eps):
    return _stack(x, sublayers, gain, bias, eps, relu=lambda y: y)


@pre_norm_stack.mistake(
    "You changed `x` in place, with +=, and it is the caller's. Write x = x + ..."
)
def stack_in_place(x, sublayers, gain, bias, eps):
    for g, b, W_1, W_2 in sublayers:
        x += torch.relu(_norm(x, g, b, eps) @ W_1) @ W_2
    return _norm(x, gain, bias, eps)


@pre_norm_stack.mistake(
    "You add eps to the standard deviation and take the root of that. The root is taken once: of the variance plus eps."
)
def stack_root_twice(x, sublayers, gain, bias, eps):
    def norm(x, g, b, eps):
        centred = x - x.mean(-1, keepdim=True)
        std = centred.square().mean(-1, keepdim=True).sqrt()
        return g * centred / (std + eps).sqrt() + b

    return _stack(x, sublayers, gain, bias, eps, norm=norm)


@pre_norm_stack.mistake(
    "The squared distances are added up in yours. The variance is their *mean*."
)
def stack_sum_of_squares(x, sublayers, gain, bias, eps):
    def spread(x, mean):
        return (x - mean).square().sum(-1, keepdim=True)

    return _stack(x, sublayers, gain, bias, eps, spread=spread)


@pre_norm_stack.mistake(
    "Each sublayer's result is added to the very first x, so what the sublayers before it did is lost. It is added to the x that went into this sublayer."
)
def stack_first_x(x, sublayers, gain, bias, eps):
    y = x
    for g, b, W_1, W_2 in sublayers:
        y = x + torch.relu(_norm(y, g, b, eps) @ W_1) @ W_2
    return _norm(y, gain, bias, eps)


@pre_norm_stack.mistake(
    "The relu stands behind both matrices in yours. It is between them: relu(y W₁) W₂."
)
def stack_relu_last(x, sublayers, gain, bias, eps):
    for g, b, W_1, W_2 in sublayers:
        x = x + torch.relu(_norm(x, g, b, eps) @ W_1 @ W_2)
    return _norm(x, gain, bias, eps)


@pre_norm_stack.mistake(
    "The last norm comes first in yours. It norms what *leaves* the stack."
)
def stack_last_norm_first(x, sublayers, gain, bias, eps):
    x = _norm(x, gain, bias, eps)
    return _stack(x, sublayers, gain, bias, eps, last=False)


@pre_norm_stack.mistake(
    "Right numbers, but in float64: return float32, with .float()."
)
def stack_in_float64(x, sublayers, gain, bias, eps):
    return _stack(x, sublayers, gain, bias, eps).double()


@pre_norm_stack.alternative
def stack_by_var(x, sublayers, gain, bias, eps):
    def normed(x, gain, bias):
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return (x - mean) * torch.rsqrt(variance + eps) * gain + bias

    for g, b, W_1, W_2 in sublayers:
        x = x + (normed(x, g, b) @ W_1).clamp(min=0) @ W_2
    return normed(x, gain, bias)


@pre_norm_stack.alternative
def stack_by_numpy(x, sublayers, gain, bias, eps):
    def normed(row, gain, bias):
        return gain * (row - row.mean()) / np.sqrt(row.var() + eps) + bias

    out = x.double().numpy().copy()
    for sentence in out:
        for row in sentence:
            for sublayer in sublayers:
                g, b, W_1, W_2 = (p.double().numpy() for p in sublayer)
                row += np.maximum(normed(row, g, b) @ W_1, 0) @ W_2
            row[:] = normed(row, gain.double().numpy(), bias.double().numpy())
    return torch.from_numpy(out).float()


@pre_norm_stack.alternative
def stack_by_loops(x, sublayers, gain, bias, eps):
    def normed(vector, gain, bias):
        d = len(vector)
        mean = sum(vector) / d
        size = math.sqrt(sum((v - mean) ** 2 for v in vector) / d + eps)
        return [
            g * (v - mean) / size + b
            for v, g, b in zip(
                vector, gain.tolist(), bias.tolist(), strict=True
            )
        ]

    def through(vector, W):
        return [
            sum(v * w for v, w in zip(vector, column, strict=True))
            for column in W.T.tolist()
        ]

    def one(vector):
        for g, b, W_1, W_2 in sublayers:
            inner = [max(0.0, v) for v in through(normed(vector, g, b), W_1)]
            vector = [
                v + f for v, f in zip(vector, through(inner, W_2), strict=True)
            ]
        return normed(vector, gain, bias)

    return tensor([[one(vector) for vector in words] for words in x.tolist()])


# 4 ---------------------------------------------------------------------------------------------- smoothed_loss


def _laws(*rows: list[float]) -> Tensor:
    """Logits whose softmax is these laws, as (1, time, vocab)."""
    return tensor(rows).log()[None]


def loss_cases(rng: random.Random) -> Iterator[Call]:
    law = [0.125, 0.125, 0.25, 0.5]
    yield Call("one place", _laws(law), tensor([[3]]), 0.3, 0)
    yield Call("no smoothing", _laws(law), tensor([[3]]), 0.0, 0)
    yield Call(
        "the true token is improbable", _laws(law), tensor([[1]]), 0.3, 0
    )
    yield Call(
        "two places",
        _laws(law, [0.5, 0.25, 0.125, 0.125]),
        tensor([[3, 1]]),
        0.1,
        0,
    )
    yield Call(
        "filling behind a word",
        _laws(law, [0.25, 0.25, 0.25, 0.25], law),
        tensor([[3, 0, 0]]),
        0.3,
        0,
    )
    yield Call(
        "<pad> has another id",
        _laws(law, law[::-1], law),
        tensor([[0, 3, 2]]),
        0.3,
        2,
    )
    yield Call(
        "sentences of different length",
        quarters(rng, 2, 4, 5),
        tensor([[1, 4, 2, 3], [2, 0, 0, 0]]),
        0.1,
        0,
    )
    yield Call(
        "a sentence of nothing but filling",
        quarters(rng, 2, 2, 4),
        tensor([[1, 3], [0, 0]]),
        0.2,
        0,
    )
    yield Call(
        "a model that cannot say <pad>",
        tensor([[[HIDDEN, 1.0, 2.0, 0.5], [HIDDEN, 0.0, 0.25, 1.5]]]),
        tensor([[2, 3]]),
        0.2,
        0,
    )
    yield Call(
        "large logits",
        tensor([[[0.0, 1000.0, 999.0, -1000.0], [-1000.0, 1000.0, 0.0, 0.0]]]),
        tensor([[2, 1]]),
        0.1,
        0,
    )
    broken = quarters(rng, 2, 3, 4)
    broken[0, 2], broken[1, 1:] = math.nan, math.nan
    yield Call(
        "nan at the filling",
        broken,
        tensor([[2, 1, 3], [2, 3, 3]]),
        0.1,
        3,
    )
    yield Call(
        "as many places as tokens",
        quarters(rng, 1, 4, 4),
        tensor([[1, 2, 3, 0]]),
        0.4,
        0,
    )
    yield Call(
        "a vocabulary of two",
        quarters(rng, 1, 3, 2),
        tensor([[1, 1, 0]]),
        0.5,
        0,
    )
    while True:
        batch, time, vocab = (
            rng.randint(1, 3),
            rng.randint(1, 4),
            rng.randint(3, 7),
        )
        pad_id = rng.randrange(vocab)
        mask = words_first(rng, batch, time)
        others = [w for w in range(vocab) if w != pad_id]
        words = tensor([rng.choice(others) for _ in range(batch * time)])
        yield Call(
            "random logits",
            quarters(rng, batch, time, vocab, largest=4.0),
            words.view(batch, time).masked_fill(~mask, pad_id),
            rng.choice([0.0, 0.1, 0.2, 0.5]),
            pad_id,
        )


smoothed_loss = Exercise(
    "smoothed_loss",
    title="Smooth labels, but not onto the filling",
    points=3,
    minutes=30,
    cases=loss_cases,
    compare=close(
        rtol=1e-4,
        atol=1e-5,
        why="a mean of float32 logarithms, added in any order",
    ),
    visible=22,
    refuse=("cross_entropy", "CrossEntropyLoss", "kl_div", "KLDivLoss"),
)


def _law_of(
    logits, targets, smoothing, pad_id, *, spread="sayable", keep=True
) -> Tensor:
    """The law that is wanted at each place. `keep`: the true token has its share of the smoothing on top."""
    vocab = logits.shape[-1]
    true = torch.nn.functional.one_hot(targets, vocab).double()
    able = torch.ones_like(true)
    if spread != "all":
        able[..., pad_id] = 0
    if not keep:
        able = able * (1 - true)
    shares = able / able.sum(-1, keepdim=True).clamp(min=1)
    return (1 - smoothing) * true + smoothing * shares


def _loss(
    logits,
    targets,
    smoothing,
    pad_id,
    *,
    law=_law_of,
    over="real",
    log=lambda x: x.double().log_softmax(-1),
    careful=True,
    entropy=False,
    padding=None,
    **how,
):
    q = law(logits, targets, smoothing, pad_id, **how)
    terms = q * log(logits)
    if careful:
        terms = terms.masked_fill(q == 0, 0)
    losses = -terms.sum(-1)
    if entropy:
        losses = losses + torch.special.xlogy(q, q).sum(-1)
    real = targets != (pad_id if padding is None else padding)
    if over == "real":
        return losses[real].mean().float()
    if over == "zeroed":  # filling counts as 0 in the sum, and in the number
        return (losses * real).mean().float()
    if over == "nan":
        return ((losses * real).sum() / real.sum()).float()
    if over == "all":
        return losses.mean().float()
    if over == "sum":
        return losses[real].sum().float()
    rows = [
        row[mark].mean()
        for row, mark in zip(losses, real, strict=True)
        if mark.any()
    ]
    if over == "rows":
        return torch.stack(rows).mean().float()
    if over == "rows_with_nan":
        kept = torch.where(real, losses, 0).sum(1)
        return (kept / real.sum(1)).mean().float()
    if over == "sum_of_all":
        return (losses.sum() / real.sum()).float()
    if over == "batch":
        return (losses[real].sum() / len(losses)).float()
    raise ValueError(over)


def _wrong_loss(name: str, hint: str, **how) -> None:
    def function(logits, targets, smoothing, pad_id):
        return _loss(logits, targets, smoothing, pad_id, **how)

    function.__name__ = f"loss_{name}"
    smoothed_loss.mistake(hint)(function)


SMOOTHED_PAD = "Some of the smoothing goes to <pad> in yours, as in torch. It is shared out among the others: vocab - 1 tokens, <pad> not."
LARGE_LOGITS = "Not for large logits: exp(1000) is inf; and a softmax first, its logarithm then, gives log 0 = -inf where a probability has become 0. log_softmax does both at once and stays finite."
OTHERS_ONLY = "The smoothing goes to the *other* tokens only in yours. Here the true token has its equal part of it, too, on top of 1 - smoothing."
_wrong_loss("onto_pad", SMOOTHED_PAD, spread="all", careful=False)
_wrong_loss("onto_pad_careful", SMOOTHED_PAD, spread="all")
_wrong_loss("others_only", OTHERS_ONLY, keep=False)
_wrong_loss(
    "others_only_nan",
    OTHERS_ONLY + " And mind 0 · -inf, which is nan, at <pad>.",
    keep=False,
    careful=False,
)
_wrong_loss(
    "others_and_pad",
    "Two things at once. The true token has its equal part of the smoothing, too; and <pad> has none.",
    spread="all",
    keep=False,
    careful=False,
)


def _divided_by_others(logits, targets, smoothing, pad_id, *, parts):
    """The smoothing is cut into so many parts, and each token but <pad> gets one."""
    vocab = logits.shape[-1]
    true = torch.nn.functional.one_hot(targets, vocab).double()
    able = torch.ones_like(true)
    able[..., pad_id] = 0
    return (1 - smoothing) * true + smoothing * able / max(1, vocab - parts)


_wrong_loss(
    "divided_by_the_vocabulary",
    "You divide the smoothing by the whole vocabulary and leave out the part of <pad>: q adds up to less than 1. Divide by the number of tokens that get some, vocab - 1.",
    law=lambda *a: _divided_by_others(*a, parts=0),
)
_wrong_loss(
    "divided_by_two_less",
    "You divide the smoothing by vocab - 2 and give a part to vocab - 1 tokens, the true one among them: q adds up to more than 1. Divide by vocab - 1.",
    law=lambda *a: _divided_by_others(*a, parts=2),
)


def _not_on_top(logits, targets, smoothing, pad_id):
    vocab = logits.shape[-1]
    true = torch.nn.functional.one_hot(targets, vocab).double()
    able = 1 - true
    able[..., pad_id] = 0
    return (1 - smoothing) * true + smoothing * able / (vocab - 1)


def _parts_law(logits, targets, smoothing, pad_id, *, share, onto_pad):
    true = torch.nn.functional.one_hot(targets, logits.shape[-1]).double()
    able = torch.ones_like(true)
    able[..., pad_id] = float(onto_pad)
    return (1 - smoothing) * true + share * able


_wrong_loss(
    "not_on_top",
    "The true token gets 1 - smoothing and nothing more in yours, though the smoothing is cut into vocab - 1 parts: q adds up to less than 1. Add its part on top.",
    law=_not_on_top,
)
_wrong_loss(
    "no_smoothing",
    "There is no smoothing in yours: the true token has all of q. Where smoothing is 0 that is right.",
    law=lambda x, t, s, p: _law_of(x, t, 0.0, p),
)
_wrong_loss(
    "turned_round",
    "You have smoothing and 1 - smoothing the wrong way round: most of q belongs to the true token.",
    law=lambda x, t, s, p: _law_of(x, t, 1 - s, p),
)
_wrong_loss(
    "mean_with_filling",
    "Filling counts as a place of loss 0 in your mean. Divide by the number of *real* places.",
    over="zeroed",
)
_wrong_loss(
    "nan_times_zero",
    "You multiply the loss at filling by 0. That takes away any number, but nan · 0 is nan: choose the real places, as in losses[real] or with torch.where.",
    over="nan",
)
_wrong_loss(
    "filling_learned",
    "Filling takes part in yours: the model would learn to say <pad>. The mean is over the real places.",
    over="all",
)
_wrong_loss(
    "sum",
    "You return the sum over the real places. Asked for is the mean.",
    over="sum",
)
_wrong_loss(
    "mean_of_rows",
    "You take the mean of each sentence and then the mean of these. So a word in a short sentence counts more than one in a long sentence: take one mean over all real places.",
    over="rows",
)
_wrong_loss(
    "mean_of_rows_with_nan",
    "You take the mean of each sentence and then the mean of these. So a word in a short sentence counts more than one in a long one, and a sentence of filling gives 0 / 0: take one mean over all real places.",
    over="rows_with_nan",
)
_wrong_loss(
    "by_batch",
    "You divide the sum by the number of sentences. Divide by the number of real places.",
    over="batch",
)
_wrong_loss(
    "zero_times_inf",
    "Where the logit of <pad> is -inf, its part of the sum is 0 · -inf in yours, which is nan. Leave <pad> out of the sum instead of multiplying by 0.",
    careful=False,
)
_wrong_loss(
    "log_of_softmax",
    LARGE_LOGITS,
    log=lambda x: x.softmax(-1).log().double(),
)
_wrong_loss(
    "log_of_softmax_plus",
    "A little number is added inside the logarithm, so very small probabilities come out wrong. log_softmax needs no such help.",
    log=lambda x: (x.double().softmax(-1) + 1e-9).log(),
)
_wrong_loss(
    "exp_overflows",
    LARGE_LOGITS,
    log=lambda x: (x.exp() / x.exp().sum(-1, keepdim=True)).log().double(),
)
_wrong_loss(
    "two_logs",
    "Your logarithm is to base 2, so the loss is in bits. Asked for are nats.",
    log=lambda x: x.double().log_softmax(-1) / math.log(2),
)
_wrong_loss(
    "entropy_off",
    "You take the entropy of q off: that is the Kullback-Leibler divergence. Asked for is -Σ q log p as it is.",
    entropy=True,
)
PAD_IS_0 = (
    "You take 0 for <pad>, as id or as column. It is the argument pad_id."
)
_wrong_loss("pad_is_0_as_id", PAD_IS_0, padding=0)
_wrong_loss(
    "pad_is_0_as_column",
    PAD_IS_0,
    law=lambda x, t, s, p: _law_of(x, t, s, 0),
)
_wrong_loss(
    "pad_is_0",
    PAD_IS_0,
    law=lambda x, t, s, p: _law_of(x, t, s, 0),
    padding=0,
)
_wrong_loss(
    "true_token_gets_1",
    "The true token gets 1 in yours. It gets 1 - smoothing, plus its share of the smoothing.",
    law=lambda x, t, s, p: _parts_law(
        x, t, s, p, share=s / (x.shape[-1] - 1), onto_pad=False
    ).scatter(-1, t[..., None], 1.0),
)


_wrong_loss(
    "sum_with_filling",
    "Filling takes part in the sum of your losses, though not in the number you divide by. Choose the real places for both.",
    over="sum_of_all",
)
_wrong_loss(
    "smoothing_undivided",
    "Every token gets the whole smoothing in yours. It is cut into equal parts, vocab - 1 of them.",
    law=lambda x, t, s, p: _parts_law(x, t, s, p, share=s, onto_pad=False),
)
_wrong_loss(
    "pad_in_the_sum",
    "You divide by vocab - 1, but the sum runs over <pad>, too: it gets a part, and q adds up to more than 1.",
    law=lambda x, t, s, p: _parts_law(
        x, t, s, p, share=s / (x.shape[-1] - 1), onto_pad=True
    ),
    careful=False,
)


@smoothed_loss.mistake(
    "You take <pad> out of the softmax. A model that puts probability on it should pay for that: p is over the whole vocabulary."
)
def loss_softmax_without_pad(logits, targets, smoothing, pad_id):
    able = torch.arange(logits.shape[-1]) != pad_id
    without = logits.masked_fill(~able, HIDDEN)
    return _loss(without, targets, smoothing, pad_id)


@smoothed_loss.mistake(
    "Your softmax runs over the wrong axis. The tokens of the vocabulary are the last one: dim=-1."
)
def loss_softmax_over_time(logits, targets, smoothing, pad_id):
    return _loss(
        logits,
        targets,
        smoothing,
        pad_id,
        log=lambda x: x.double().log_softmax(1),
    )


@smoothed_loss.mistake(
    "Your mean runs over the vocabulary, too. Add up over the vocabulary, then take the mean over places."
)
def loss_mean_over_the_vocabulary(logits, targets, smoothing, pad_id):
    return _loss(logits, targets, smoothing, pad_id) / logits.shape[-1]


@smoothed_loss.mistake(
    "The sign is wrong: logarithms of probabilities are negative, and a loss is positive."
)
def loss_sign(logits, targets, smoothing, pad_id):
    return -_loss(logits, targets, smoothing, pad_id)


@smoothed_loss.mistake(
    "You use the logits as logarithms of probabilities. That they are only after log_softmax."
)
def loss_of_logits(logits, targets, smoothing, pad_id):
    return _loss(logits, targets, smoothing, pad_id, log=lambda x: x.double())


@smoothed_loss.mistake(
    "Right, as a float: return a tensor without axes, as a loss to train on."
)
def loss_float(logits, targets, smoothing, pad_id):
    return float(_loss(logits, targets, smoothing, pad_id))


@smoothed_loss.mistake("Right, but in float64: return float32, with .float().")
def loss_in_float64(logits, targets, smoothing, pad_id):
    return _loss(logits, targets, smoothing, pad_id).double()


@smoothed_loss.mistake("Right, but with an axis: return a tensor of shape ().")
def loss_with_an_axis(logits, targets, smoothing, pad_id):
    return _loss(logits, targets, smoothing, pad_id)[None]


@smoothed_loss.mistake(
    "You return a loss for each place. Asked for is one number, their mean."
)
def loss_of_places(logits, targets, smoothing, pad_id):
    q = _law_of(logits, targets, smoothing, pad_id)
    terms = (q * logits.double().log_softmax(-1)).masked_fill(q == 0, 0)
    return -terms.sum(-1)[targets != pad_id].float()


@smoothed_loss.alternative
def loss_by_law(logits, targets, smoothing, pad_id):
    return _loss(logits, targets, smoothing, pad_id)


@smoothed_loss.alternative
def loss_by_loops(logits, targets, smoothing, pad_id):
    losses = []
    for rows, row_targets in zip(
        logits.tolist(), targets.tolist(), strict=True
    ):
        for row, true in zip(rows, row_targets, strict=True):
            if true == pad_id:
                continue
            top = max(row)
            log_sum = top + math.log(sum(math.exp(x - top) for x in row))
            even = smoothing / (len(row) - 1)
            losses.append(
                sum(
                    (even + (1 - smoothing) * (w == true)) * (log_sum - x)
                    for w, x in enumerate(row)
                    if w != pad_id
                )
            )
    return tensor(sum(losses) / len(losses))


@smoothed_loss.alternative
def loss_by_where(logits, targets, smoothing, pad_id):
    """In float64, with filling replaced and not selected."""
    real = targets != pad_id
    clean = torch.where(real[..., None], logits.double(), 0.0)
    log_p = clean - torch.logsumexp(clean, -1, keepdim=True)
    log_p[..., pad_id] = 0
    even = log_p.sum(-1) / (logits.shape[-1] - 1)
    true = log_p.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    losses = -((1 - smoothing) * true + smoothing * even)
    return (torch.where(real, losses, 0.0).sum() / real.sum()).float()


@smoothed_loss.alternative
def loss_by_nll(logits, targets, smoothing, pad_id):
    real = targets != pad_id
    log_p = torch.log_softmax(logits[real], dim=1)
    plain = torch.nn.functional.nll_loss(log_p, targets[real])
    able = [w for w in range(logits.shape[-1]) if w != pad_id]
    return (1 - smoothing) * plain - smoothing * log_p[:, able].mean()


# 5 -------------------------------------------------------------------------------------------- cross_attention


def cross_cases(rng: random.Random) -> Iterator[Call]:
    one = tensor([[1.0]])
    two_words = tensor([[[1.0], [2.0]]])
    yes = torch.tensor([[True, True]])
    log_4 = math.log(4)
    yield Call(
        "one source, two hypotheses",
        tensor([[[0.0]], [[log_4]]]),
        two_words,
        yes,
        one,
        one,
        tensor([[10.0]]),
    )
    yield Call(
        "filling behind the source's one word",
        tensor([[[0.0]], [[log_4]]]),
        two_words,
        torch.tensor([[True, False]]),
        one,
        one,
        tensor([[10.0]]),
    )

    def case(
        about,
        batch,
        width,
        target,
        source,
        d_model,
        d_memory,
        d_head,
        d_value,
        mask=None,
    ):
        return Call(
            about,
            quarters(rng, batch * width, target, d_model),
            quarters(rng, batch, source, d_memory),
            words_first(rng, batch, source) if mask is None else tensor(mask),
            quarters(rng, d_model, d_head),
            quarters(rng, d_memory, d_head),
            quarters(rng, d_memory, d_value),
        )

    yes = [[True] * 3] * 2
    yield case("a hypothesis a source, no filling", 2, 1, 2, 3, 4, 4, 4, 4, yes)
    yield case("two sources, two hypotheses", 2, 2, 2, 3, 4, 4, 4, 4, yes)
    yield case(
        "sources of different length",
        2, 2, 2, 3, 4, 4, 4, 4,
        [[True, True, True], [True, False, False]],
    )  # fmt: skip
    yield case(
        "filling in front",
        2, 3, 1, 3, 4, 4, 4, 4,
        [[False, True, True], [True, True, True]],
    )  # fmt: skip
    yield case(
        "as many target as source words", 1, 1, 3, 3, 4, 4, 4, 4, [[True] * 3]
    )
    yield case("all sizes differ", 2, 3, 4, 5, 6, 3, 2, 7)
    yield case(
        "many target words, a short source",
        1,
        2,
        5,
        2,
        4,
        4,
        4,
        4,
        [[True] * 2],
    )
    yield case("as many sources as hypotheses", 3, 3, 2, 4, 4, 5, 3, 4)
    yield case("one number a head", 2, 2, 2, 3, 3, 3, 1, 2, yes)
    call = case(
        "large scores",
        2,
        2,
        2,
        3,
        4,
        4,
        4,
        4,
        [[True] * 3, [True, True, False]],
    )
    yield Call(call.about, 40 * call.args[0], *call.args[1:])
    yield Call(
        "a very negative score, and filling",
        tensor([[[-1e5]]]),
        two_words,
        torch.tensor([[True, False]]),
        one,
        one,
        tensor([[10.0]]),
    )
    while True:
        sizes = [rng.randint(1, 3) for _ in range(2)]
        sizes += [rng.randint(1, 4) for _ in range(2)]
        yield case(
            "random numbers", *sizes, *(rng.randint(1, 5) for _ in range(4))
        )


cross_attention = Exercise(
    "cross_attention",
    title="One source, several beginnings",
    points=3,
    minutes=35,
    cases=cross_cases,
    compare=close(
        rtol=1e-4,
        atol=1e-4,
        why="float32 sums in any order, and scores of hundreds, whose rounding the softmax passes on",
    ),
    visible=21,
    refuse=(
        "scaled_dot_product_attention",
        "multi_head_attention_forward",
        "MultiheadAttention",
    ),
)


def _spread_over(memory, rows, order="neighbours"):
    """The memory of each row's source."""
    width = rows // len(memory)
    if order == "neighbours":
        return memory.repeat_interleave(width, dim=0)
    return torch.cat([memory] * width)


def _cross(
    x,
    memory,
    mask,
    W_q,
    W_k,
    W_v,
    *,
    order="neighbours",
    mask_order=None,
    scale=None,
    hide="before",
    low=-1e9,
    dim=-1,
    causal=False,
    keys="memory",
    double=True,
    scale_of_memory=False,
    renorm=False,
    plain_exp=False,
):
    if double:
        x, memory, W_q, W_k, W_v = (
            t.double() for t in (x, memory, W_q, W_k, W_v)
        )
    own = _spread_over(memory, len(x), order)
    seen = _spread_over(mask, len(x), mask_order or order)[:, None]
    source_of_keys = own if keys == "memory" else x
    q, k, v = x @ W_q, source_of_keys @ W_k, own @ W_v
    scores = (
        q @ k.mT / (math.sqrt(W_q.shape[1]) if scale is None else scale(W_q))
    )
    if scale_of_memory:
        scores = scores * math.sqrt(W_q.shape[1] / memory.shape[-1])
    if hide == "before":
        scores = scores.masked_fill(~seen, HIDDEN)
    if hide == "low":
        scores = scores.masked_fill(~seen, low)
    if hide == "times":
        scores = scores * seen
    if hide == "inverted":
        scores = scores.masked_fill(seen, HIDDEN)
    if causal:
        ahead = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(ahead, HIDDEN)
    weights = scores.softmax(dim)
    if plain_exp:
        grown = scores.exp() * seen
        weights = grown / grown.sum(-1, keepdim=True)
    if hide == "after":
        weights = weights * seen
    if renorm:
        weights = weights / weights.sum(-1, keepdim=True)
    return (weights @ v).float(), weights.float()


def _wrong_cross(name: str, hint: str, **how) -> None:
    def function(x, memory, mask, W_q, W_k, W_v):
        return _cross(x, memory, mask, W_q, W_k, W_v, **how)

    function.__name__ = f"cross_{name}"
    cross_attention.mistake(hint)(function)


ROWS_IN_TURN = "The hypotheses of one source are *neighbours* in x: rows 0 to width - 1 belong to source 0. You hand out the sources in turn (as repeat and torch.cat do): repeat_interleave, or a reshape to (batch, width · target), keeps them together."
_wrong_cross("rows_in_turn", ROWS_IN_TURN, order="turns")
_wrong_cross(
    "mask_in_turn",
    "The memories are handed out to the right rows, the masks are not: the hypotheses of a source are neighbours in both.",
    mask_order="turns",
)
_wrong_cross(
    "mask_in_neighbours_only",
    "The masks are handed out to the right rows, the memories are not: the hypotheses of a source are neighbours in both.",
    order="turns",
    mask_order="neighbours",
)
_wrong_cross(
    "filling_seen",
    "The filling of the source takes part in yours. In cross-attention it is the source's mask that hides places: a mask over the keys.",
    hide="none",
)
_wrong_cross(
    "filling_seen_rows_in_turn",
    "Two things at once. The filling of the source takes part; and the hypotheses of a source are neighbours in x, which repeat and torch.cat do not keep.",
    hide="none",
    order="turns",
)
_wrong_cross(
    "causal",
    "No word of the source is in the future: the causal mask belongs to the decoder's look at itself. Here every word may look at the whole source.",
    causal=True,
)
_wrong_cross(
    "causal_only",
    "The mask is the wrong one. The causal mask belongs to the decoder's look at itself; here the filling of the source is hidden, nothing else.",
    causal=True,
    hide="none",
)
_wrong_cross(
    "not_scaled",
    "The scale is missing: the scores are divided by the root of d_head.",
    scale=lambda W: 1.0,
)
_wrong_cross(
    "scaled_by_d_head",
    "You divide by d_head. The scale is its *root*.",
    scale=lambda W: W.shape[1],
)
_wrong_cross(
    "scaled_by_d_model",
    "You divide by the root of d_model. Queries and keys have d_head numbers here, and that is what counts.",
    scale=lambda W: math.sqrt(W.shape[0]),
)
_wrong_cross(
    "softmax_over_targets",
    "Your softmax runs over the target words. The weights of one query, over the source, add up to 1: dim=-1.",
    dim=-2,
)
_wrong_cross(
    "mask_after_softmax",
    "You hide the filling after the softmax, so the weights of the words no longer add up to 1. Hide it before, with -inf.",
    hide="after",
)
_wrong_cross(
    "mask_multiplied",
    "A hidden place has the score 0 in yours, as if its score had been multiplied by the mask. It still gets weight, for exp(0) is 1: its score should be -inf.",
    hide="times",
)
_wrong_cross(
    "mask_inverted",
    "The mask is the wrong way round in yours: True = may look, so it is the False places that get -inf.",
    hide="inverted",
)
_wrong_cross(
    "keys_of_the_decoder",
    "Your keys come from x. The decoder asks (queries from x), the encoder answers: keys and values both come from the memory.",
    keys="x",
)


_wrong_cross(
    "scaled_by_d_memory",
    "You divide by the root of d_memory. Queries and keys have d_head numbers here, and that is what counts.",
    scale=None,
    scale_of_memory=True,
)
for _low in (-50, -1e2, -1e3, -1e4, -1e5):
    _wrong_cross(
        f"filled_with_{-_low:.0f}_below_0",
        "A word's score can be lower than the number you give to filling: use -inf.",
        hide="low",
        low=_low,
    )
_wrong_cross(
    "renormed_after_softmax",
    "You take the filling out after the softmax and divide by what is left. Where a filling has a large score, nothing is left, and 0 / 0 is nan: hide it before, with -inf.",
    hide="after",
    renorm=True,
    double=False,
)


@cross_attention.mistake(
    "You divide by the root of d_value. Queries and keys have d_head numbers here, and that is what counts."
)
def cross_scaled_by_d_value(x, memory, mask, W_q, W_k, W_v):
    return _cross(
        x,
        memory,
        mask,
        W_q,
        W_k,
        W_v,
        scale=lambda W: math.sqrt(W_v.shape[1]),
    )


@cross_attention.mistake(
    "x has a row for each hypothesis, the memory one for each source: with several of both, the rows do not meet. Hand each hypothesis its source, or put the hypotheses of a source on an axis of their own."
)
def cross_rows_do_not_meet(x, memory, mask, W_q, W_k, W_v):
    scores = (x @ W_q) @ (memory @ W_k).mT / math.sqrt(W_q.shape[1])
    weights = scores.masked_fill(~mask[:, None], HIDDEN).softmax(-1)
    return weights @ (memory @ W_v), weights


@cross_attention.mistake(
    "The mask stands on the axis of the queries: mask[:, :, None]. It is the *keys* that it hides: mask[:, None, :]."
)
def cross_mask_over_queries(x, memory, mask, W_q, W_k, W_v):
    own = _spread_over(memory, len(x))
    seen = _spread_over(mask, len(x))[:, :, None]
    scores = (x @ W_q) @ (own @ W_k).mT / math.sqrt(W_q.shape[1])
    weights = scores.masked_fill(~seen, -1e9).softmax(-1)
    return weights @ (own @ W_v), weights


@cross_attention.mistake(
    "Queries and keys have changed places: in yours the source asks and the decoder answers. Queries come from x, keys and values from the memory."
)
def cross_swapped(x, memory, mask, W_q, W_k, W_v):
    own = _spread_over(memory, len(x))
    scores = (own @ W_q) @ (x @ W_k).mT / math.sqrt(W_q.shape[1])
    weights = scores.softmax(-1)
    return weights @ (x @ W_v), weights


@cross_attention.mistake(
    "That is self-attention: queries, keys and values all come from x. Keys and values come from the memory."
)
def cross_to_itself(x, memory, mask, W_q, W_k, W_v):
    weights = ((x @ W_q) @ (x @ W_k).mT / math.sqrt(W_q.shape[1])).softmax(-1)
    return weights @ (x @ W_v), weights


@cross_attention.mistake(
    "You use the memory itself as values. They go through W_v."
)
def cross_raw_values(x, memory, mask, W_q, W_k, W_v):
    _, weights = _cross(x, memory, mask, W_q, W_k, W_v)
    return weights @ _spread_over(memory, len(x)), weights


@cross_attention.mistake(
    "You use the memory itself as keys. They go through W_k."
)
def cross_raw_keys(x, memory, mask, W_q, W_k, W_v):
    own = _spread_over(memory, len(x))
    seen = _spread_over(mask, len(x))[:, None]
    scores = (x @ W_q) @ own.mT / math.sqrt(W_q.shape[1])
    weights = scores.masked_fill(~seen, HIDDEN).softmax(-1)
    return weights @ (own @ W_v), weights


@cross_attention.mistake(
    "The keys serve as values in yours. Values have a matrix of their own, W_v."
)
def cross_keys_as_values(x, memory, mask, W_q, W_k, W_v):
    return _cross(x, memory, mask, W_q, W_k, W_k)


@cross_attention.mistake(
    "All hypotheses look at the first source in yours. Each looks at its own."
)
def cross_first_source(x, memory, mask, W_q, W_k, W_v):
    return _cross(x, memory[:1], mask[:1], W_q, W_k, W_v)


@cross_attention.mistake(
    "Your rows have lost their order: with the axes (batch, width) taken for (width, batch), the results go back to other hypotheses. They come in the order of x."
)
def cross_back_in_turn(x, memory, mask, W_q, W_k, W_v):
    output, weights = _cross(x, memory, mask, W_q, W_k, W_v)

    def shuffle(y):
        return y.unflatten(0, (len(memory), -1)).transpose(0, 1).flatten(0, 1)

    return shuffle(output), shuffle(weights)


_wrong_cross(
    "softmax_over_targets_low",
    "Your softmax runs over the target words. The weights of one query, over the source, add up to 1: dim=-1.",
    dim=-2,
    hide="low",
)
_wrong_cross(
    "exp_overflows",
    "exp of a large score is inf, and inf / inf is nan. Take the largest score off first, or let softmax do it.",
    plain_exp=True,
    double=False,
)
_wrong_cross(
    "exp_overflows_at_filling",
    "exp of a large score is inf, and inf / inf is nan, at filling inf · 0 as well. Take the largest score off first, or let softmax do it.",
    plain_exp=True,
    hide="none",
    double=False,
)


@cross_attention.mistake(
    "You set the filling of the memory to 0. Then its score is 0, and exp(0) is 1: it still gets weight. Hide its score, with -inf."
)
def cross_memory_zeroed(x, memory, mask, W_q, W_k, W_v):
    return _cross(x, memory * mask[..., None], mask, W_q, W_k, W_v, hide="none")


@cross_attention.mistake(
    "You take every n-th row of x for a source, n the number of sources, as in x[i::batch]. The hypotheses of a source are neighbours: x[i * width : (i + 1) * width]."
)
def cross_every_nth_row(x, memory, mask, W_q, W_k, W_v):
    n = len(memory)
    both = [
        _cross(x[i::n], memory[i : i + 1], mask[i : i + 1], W_q, W_k, W_v)
        for i in range(n)
    ]
    return tuple(torch.cat(parts) for parts in zip(*both, strict=True))


@cross_attention.mistake(
    "Output and weights have changed places: return (output, weights)."
)
def cross_turned_round(x, memory, mask, W_q, W_k, W_v):
    return _cross(x, memory, mask, W_q, W_k, W_v)[::-1]


@cross_attention.mistake(
    "You return the output alone. The weights are wanted, too: (output, weights)."
)
def cross_output_only(x, memory, mask, W_q, W_k, W_v):
    return _cross(x, memory, mask, W_q, W_k, W_v)[0]


@cross_attention.mistake(
    "The values are right, the shape is not: give batch and hypotheses back as one axis, as in x."
)
def cross_two_axes(x, memory, mask, W_q, W_k, W_v):
    both = _cross(x, memory, mask, W_q, W_k, W_v)
    return tuple(y.unflatten(0, (len(memory), -1)) for y in both)


@cross_attention.mistake(
    "Right numbers, but in float64: return float32, with .float()."
)
def cross_in_float64(x, memory, mask, W_q, W_k, W_v):
    output, weights = _cross(x, memory, mask, W_q, W_k, W_v)
    return output.double(), weights.double()


@cross_attention.alternative
def cross_repeated(x, memory, mask, W_q, W_k, W_v):
    """With a copy of keys and values for each hypothesis: not thrifty, but right."""
    return _cross(x, memory, mask, W_q, W_k, W_v, double=False)


@cross_attention.alternative
def cross_by_einsum(x, memory, mask, W_q, W_k, W_v):
    x = x.unflatten(0, (len(memory), -1))
    q = torch.einsum("bwtd,dh->bwth", x, W_q)
    scores = (
        torch.einsum("bwth,bsh->bwts", q, memory @ W_k) * W_q.shape[1] ** -0.5
    )
    weights = (scores + torch.where(mask, 0.0, -1e9)[:, None, None]).softmax(-1)
    output = torch.einsum("bwts,bsv->bwtv", weights, memory @ W_v)
    return output.flatten(0, 1), weights.flatten(0, 1)


@cross_attention.alternative
def cross_row_by_row(x, memory, mask, W_q, W_k, W_v):
    width = len(x) // len(memory)
    output = torch.zeros(len(x), x.shape[1], W_v.shape[1])
    weights = torch.zeros(len(x), x.shape[1], memory.shape[1])
    for i in range(len(x)):
        words = memory[i // width][mask[i // width]].double()
        scores = (x[i].double() @ W_q.double()) @ (words @ W_k.double()).T
        w = torch.softmax(scores / W_q.shape[1] ** 0.5, dim=1)
        weights[i][:, mask[i // width]] = w.float()
        output[i] = (w @ words @ W_v.double()).float()
    return output, weights


@cross_attention.alternative
def cross_by_numpy(x, memory, mask, W_q, W_k, W_v):
    a, m, Q, K, V = (t.double().numpy() for t in (x, memory, W_q, W_k, W_v))
    a = a.reshape(len(m), -1, *a.shape[1:])  # (batch, width, target, d)
    scores = (a @ Q) @ (m @ K).transpose(0, 2, 1)[:, None] / np.sqrt(Q.shape[1])
    scores = np.where(mask.numpy()[:, None, None], scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    output = weights @ (m @ V)[:, None]
    return tuple(
        torch.from_numpy(y.reshape(len(x), *y.shape[2:])).float()
        for y in (output, weights)
    )


# 6 ------------------------------------------------------------------------------------------------------- bleu


def _split(*texts: str) -> list[list[str]]:
    return [text.split() for text in texts]


WORDS = [
    "the",
    "old",
    "mill",
    "turns",
    "slowly",
    "by",
    "a",
    "river",
    "and",
    "nobody",
    "looks",
]


def _edited(rng: random.Random, words: list[str], edits: int) -> list[str]:
    words = list(words)
    for _ in range(edits):
        at = rng.randint(0, len(words))
        kind = rng.choice(["drop", "add", "change", "again"])
        if kind == "drop" and len(words) > 1:
            words.pop(min(at, len(words) - 1))
        elif kind == "add":
            words.insert(at, rng.choice(WORDS))
        elif kind == "again" and words:
            words.insert(at, words[at - 1])
        elif words:
            words[at - 1] = rng.choice(WORDS)
    return words


def bleu_cases(rng: random.Random) -> Iterator[Call]:
    mill = "the old mill turns slowly"
    yield Call(
        "the sentence of the statement",
        _split("the old the mill"),
        [_split(mill)],
        2,
    )
    yield Call("word for word", _split(mill), [_split(mill)], 4)
    yield Call(
        "one word again and again",
        _split("the the the the the the the"),
        [_split("the cat is on the mat", "there is a cat on the mat")],
        1,
    )
    yield Call(
        "two references, and a bit of each",
        _split("the cat sat on a mat"),
        [_split("the cat is on a rug", "a cat sat on the mat")],
        2,
    )
    yield Call(
        "an n-gram that both references have counts once",
        _split("on the mat on the mat on the mat"),
        [
            _split(
                "a cat on the mat on the roof",
                "on the mat on a mat on the floor",
            )
        ],
        3,
    )
    river = "by the river the old mill turns slowly and nobody looks"
    yield Call(
        "a long sentence and a short one",
        _split(
            "by the river an old mill turns slowly and nobody looks",
            "the mill turns now",
        ),
        [_split(river), _split("the mill turns slowly")],
        3,
    )
    yield Call(
        "a sentence without a match of four words, in a corpus that has one",
        _split(river, "a mill by the river"),
        [_split(river), _split("the old mill of the river")],
        4,
    )
    yield Call(
        "no match of four words anywhere",
        _split("the old mill turns"),
        [_split("the old mill stands")],
        4,
    )
    yield Call(
        "too short for four words",
        _split("the old mill"),
        [_split("the old mill")],
        4,
    )
    yield Call(
        "an empty hypothesis beside another",
        [[], mill.split()],
        [_split("a river"), _split(mill)],
        2,
    )
    yield Call(
        "nothing was written", [[], []], [_split("a river"), _split(mill)], 2
    )
    yield Call(
        "longer than its reference",
        _split("the old mill turns slowly by the river"),
        [_split("the old mill turns")],
        2,
    )
    yield Call(
        "two references are equally near",
        _split("the old mill turns"),
        [_split("the old mill turns slowly", "the old mill")],
        2,
    )
    yield Call(
        "a much shorter and a slightly longer reference",
        _split("the old mill turns"),
        [_split("the mill", "the old mill turns slowly")],
        2,
    )
    yield Call(
        "a much longer reference comes first",
        _split("the old mill turns by a river"),
        [_split(river, "the old mill turns by the old river")],
        2,
    )
    yield Call(
        "one sentence is too long, another too short",
        _split("the old old mill turns slowly by the river", "nobody looks"),
        [
            _split("the old mill turns slowly"),
            _split("nobody looks at the mill"),
        ],
        2,
    )
    yield Call(
        "words that contain each other",
        _split("mill a mill an the"),
        [_split("mill a the mills stand")],
        2,
    )
    yield Call(
        "pairs that are alike without the space between",
        _split("a now here"),
        [_split("a no where")],
        2,
    )
    yield Call(
        "a capital letter makes another word",
        _split("The mill"),
        [_split("the mill")],
        1,
    )
    yield Call(
        "a nearest reference for each sentence, whatever the sum",
        _split("the old mill turns", "by the river the old mill turns slowly"),
        [
            _split(
                "the old mill turns slowly",
                "the mill",
                "the old mill by the river",
            ),
            _split(
                "by the river the old mill turns slowly and",
                "by the river the old mill turns and nobody looks",
            ),
        ],
        2,
    )
    while True:
        texts, references = [], []
        for _ in range(rng.randint(1, 4)):
            true = [rng.choice(WORDS) for _ in range(rng.randint(2, 12))]
            group = [
                _edited(rng, true, rng.randint(0, 3))
                for _ in range(rng.randint(1, 3))
            ]
            texts.append(_edited(rng, true, rng.randint(0, 3)))
            references.append(group)
        yield Call("a random corpus", texts, references, rng.randint(1, 4))


bleu = Exercise(
    "bleu",
    title="The number in the paper's table",
    points=3,
    minutes=45,
    cases=bleu_cases,
    compare=close(
        rtol=1e-6, atol=1e-6, why="float64 logarithms and roots in any order"
    ),
    visible=31,
)


def _grams(words, n) -> Counter:
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def _clipped(found: Counter, group, n) -> int:
    counts = [_grams(reference, n) for reference in group]
    return sum(
        min(count, max(c[gram] for c in counts))
        for gram, count in found.items()
    )


def _unclipped(found, group, n):
    known = set().union(*(_grams(reference, n) for reference in group))
    return sum(count for gram, count in found.items() if gram in known)


def _clipped_by_sum(found, group, n):
    counts = sum((_grams(reference, n) for reference in group), Counter())
    return sum((found & counts).values())


def _kinds(found, group, n):
    return sum(
        1
        for gram in found
        if any(gram in _grams(reference, n) for reference in group)
    )


def _nearest(own: float, group) -> int:
    return min((abs(len(one) - own), len(one)) for one in group)[1]


def _bleu(
    hypotheses,
    references,
    max_n=4,
    *,
    match=_clipped,
    grams=_grams,
    nearest=_nearest,
    penalty=lambda c, r: 1.0 if c >= r else math.exp(1 - r / c),
    mean=lambda p: math.exp(sum(math.log(x) for x in p) / len(p)),
    total=lambda found, group, n: sum(found.values()),
    zero=0.0,
    plus=0,
    orders=None,
    times=100.0,
) -> float:
    precisions = []
    for n in orders(max_n) if orders else range(1, max_n + 1):
        matched, out_of = plus * (n > 1), plus * (n > 1)
        for hypothesis, group in zip(hypotheses, references, strict=True):
            found = grams(hypothesis, n)
            matched += match(found, group, n)
            out_of += total(found, group, n)
        if matched == 0 or out_of == 0:
            if callable(zero):
                return zero(matched, out_of)
            return zero
        precisions.append(matched / out_of)
    c = sum(map(len, hypotheses))
    r = sum(
        nearest(len(h), group)
        for h, group in zip(hypotheses, references, strict=True)
    )
    return float(times * penalty(c, r) * mean(precisions))


def _wrong_bleu(name: str, hint: str, **how) -> None:
    def function(hypotheses, references, max_n=4):
        return _bleu(hypotheses, references, max_n, **how)

    function.__name__ = f"bleu_{name}"
    bleu.mistake(hint)(function)


_wrong_bleu(
    "unclipped",
    "Matches are not clipped: `the the the` would be perfect wherever a reference has one `the`. An n-gram is matched at most as often as a reference has it.",
    match=_unclipped,
)
_wrong_bleu(
    "clipped_by_sum",
    "You add up an n-gram's counts over the references. It is matched at most as often as in the *one* reference that has it most.",
    match=_clipped_by_sum,
)
_wrong_bleu(
    "first_reference",
    "You match with the first reference only. An n-gram counts if any of them has it.",
    match=lambda found, group, n: _clipped(found, group[:1], n),
)
_wrong_bleu(
    "best_reference",
    "You choose one reference a sentence and match all its n-grams there. Each n-gram may look for its own reference.",
    match=lambda found, group, n: max(
        _clipped(found, [one], n) for one in group
    ),
)
_wrong_bleu(
    "smallest_count",
    "You clip by the reference that has the n-gram least often, so all must have it. Clip by the one that has it most often.",
    match=lambda found, group, n: sum(
        min(count, min(_grams(one, n)[gram] for one in group))
        for gram, count in found.items()
    ),
)
_wrong_bleu(
    "kinds",
    "You count different n-grams, as a set has them. One that occurs twice counts twice, above and below.",
    match=_kinds,
    total=lambda found, group, n: len(found),
)
_wrong_bleu(
    "kinds_matched",
    "The matches are counted as a set has them, once each. One that occurs twice in hypothesis and reference is matched twice.",
    match=_kinds,
)
_wrong_bleu(
    "recall",
    "You divide by the n-grams of the reference: that is a recall. A precision divides by those of the hypothesis.",
    total=lambda found, group, n: len(_flat(group[0], n)),
)
_wrong_bleu(
    "words_for_every_order",
    "You divide by the number of words for every n. A sentence of five words has four pairs and three triples.",
    total=lambda found, group, n: sum(found.values()) + n - 1 if found else 0,
)
_wrong_bleu(
    "no_penalty",
    "The brevity penalty is missing: without it, one safe word would be a perfect translation.",
    penalty=lambda c, r: 1.0,
)
_wrong_bleu(
    "penalty_for_length",
    "Your penalty is for texts that are too *long*. It is for those that are too short, c < r; too many words lower the precisions already.",
    penalty=lambda c, r: 1.0 if c <= r else math.exp(1 - c / r),
)
_wrong_bleu(
    "penalty_both_ways",
    "Your factor is above 1 where the text is longer than its reference. The penalty is 1 from c = r on.",
    penalty=lambda c, r: math.exp(1 - r / c),
)
_wrong_bleu(
    "penalty_turned_round",
    "In the exponent you have c / r. It is 1 - r / c, which falls without end as c goes to 0.",
    penalty=lambda c, r: 1.0 if c >= r else math.exp(1 - c / r),
)
_wrong_bleu(
    "penalty_as_share",
    "Your penalty is c / r. Asked for is exp(1 - r / c).",
    penalty=lambda c, r: min(1.0, c / r),
)
_wrong_bleu(
    "shortest_reference",
    "For r you take the shortest reference. It is the one *nearest* to the length of the hypothesis.",
    nearest=lambda own, group: min(map(len, group)),
)
_wrong_bleu(
    "longest_reference",
    "For r you take the longest reference. It is the one *nearest* to the length of the hypothesis.",
    nearest=lambda own, group: max(map(len, group)),
)
_wrong_bleu(
    "first_length",
    "For r you take the length of the first reference. It is the one *nearest* to the length of the hypothesis.",
    nearest=lambda own, group: len(group[0]),
)
_wrong_bleu(
    "mean_length",
    "For r you take the mean length of the references. It is the one *nearest* to the length of the hypothesis.",
    nearest=lambda own, group: sum(map(len, group)) / len(group),
)
_wrong_bleu(
    "longer_of_two",
    "Of two references that are equally near, the shorter counts for r: min over (distance, length).",
    nearest=lambda own, group: min(
        (abs(len(one) - own), -len(one), len(one)) for one in group
    )[2],
)
_wrong_bleu(
    "first_of_two",
    "Of two references that are equally near you take the first one. The shorter counts for r: min over (distance, length).",
    nearest=lambda own, group: len(
        min(group, key=lambda one: abs(len(one) - own))
    ),
)
_wrong_bleu(
    "plain_mean",
    "You take the plain mean of the precisions. It is the geometric one: their product, to the power 1 / max_n.",
    mean=lambda p: sum(p) / len(p),
)
_wrong_bleu(
    "no_root",
    "The root is missing: the product of the precisions is taken to the power 1 / max_n.",
    mean=math.prod,
)
_wrong_bleu(
    "fourth_root",
    "You always take the fourth root, whatever max_n is.",
    mean=lambda p: math.prod(p) ** 0.25,
)
_wrong_bleu(
    "always_four",
    "You always go up to n = 4. How far is an argument: max_n.",
    orders=lambda max_n: range(1, 5),
)
_wrong_bleu(
    "one_order_less",
    "You stop one order early: range(1, max_n) ends at max_n - 1.",
    orders=lambda max_n: range(1, max_n),
    mean=lambda p: math.exp(sum(math.log(x) for x in p) / len(p)) if p else 1.0,
)
_wrong_bleu(
    "last_order",
    "You use the precision of the longest n-grams only. All orders from 1 on count alike.",
    orders=lambda max_n: [max_n],
)
_wrong_bleu(
    "plus_one",
    "You add one to matches and totals. That is a smoothed BLEU, for single sentences; here 0 stays 0.",
    plus=1,
)
_wrong_bleu(
    "share",
    "Your number is from 0 to 1. Papers multiply it by 100.",
    times=1.0,
)


def _flat(words, n):
    return list(_grams(words, n).elements())


def _counted_as(grams) -> dict:
    """Options for n-grams that are counted in another way, in hypotheses and references alike."""

    def match(found, group, n):
        counts = [grams(one, n) for one in group]
        return sum(
            min(count, max(c[gram] for c in counts))
            for gram, count in found.items()
        )

    return {"grams": grams, "match": match}


_wrong_bleu(
    "joined",
    "You join the words of an n-gram with nothing between: `now here` and `no where` become the same. Take tuples.",
    **_counted_as(
        lambda words, n: Counter(
            "".join(words[i : i + n]) for i in range(len(words) - n + 1)
        )
    ),
)
_wrong_bleu(
    "lower",
    "You write all words in small letters first. Here `The` and `the` are two words: compare them as they are given.",
    **_counted_as(lambda words, n: _grams([w.lower() for w in words], n)),
)
_wrong_bleu(
    "without_the_last",
    "The last n-gram of each sentence is missing: there are len - n + 1.",
    **_counted_as(
        lambda words, n: Counter(
            tuple(words[i : i + n]) for i in range(len(words) - n)
        )
    ),
)
_wrong_bleu(
    "shorter_slices",
    "At the end of a sentence your slices are shorter than n, and count. There are len - n + 1 n-grams.",
    **_counted_as(
        lambda words, n: Counter(
            tuple(words[i : i + n]) for i in range(len(words))
        )
    ),
)


@bleu.mistake(
    "You leave out the orders that have no n-gram. An order without any n-gram counts as 0, and one 0 makes the whole 0."
)
def bleu_empty_orders_left_out(hypotheses, references, max_n=4):
    longest = max(map(len, hypotheses))
    if longest == 0:
        return 0.0
    return _bleu(hypotheses, references, min(max_n, longest))


@bleu.mistake(
    "Where nothing was written, c is 0, and you divide by it: the answer is 0.0."
)
def bleu_nothing_written(hypotheses, references, max_n=4):
    if not any(hypotheses):
        raise ZeroDivisionError("division by zero")
    return _bleu(hypotheses, references, max_n)


NEAREST_SUM = "You choose the references so that the *sum* of their lengths is nearest to c. Choose for each hypothesis on its own the one that is nearest to it, then add up."


def _bleu_with_sum(hypotheses, references, max_n, sums) -> float:
    c = sum(map(len, hypotheses))
    r = min((abs(length - c), length) for length in sums)[1]
    return _bleu(
        hypotheses,
        references,
        max_n,
        penalty=lambda c, _: 1.0 if c >= r else math.exp(1 - r / c),
    )


@bleu.mistake(NEAREST_SUM)
def bleu_nearest_sum_of_columns(hypotheses, references, max_n=4):
    """The first references of all sentences, the second ones, ..."""
    columns = range(max(map(len, references)))
    sums = [
        sum(len(group[min(i, len(group) - 1)]) for group in references)
        for i in columns
    ]
    return _bleu_with_sum(hypotheses, references, max_n, sums)


@bleu.mistake(NEAREST_SUM)
def bleu_nearest_sum_of_all_choices(hypotheses, references, max_n=4):
    sums = {0}
    for group in references:
        sums = {length + len(one) for length in sums for one in group}
    return _bleu_with_sum(hypotheses, references, max_n, sums)


@bleu.mistake(
    "You look for the references that are nearest to the *mean* length of the hypotheses. Compare each with its own hypothesis, then add up."
)
def bleu_nearest_to_the_mean(hypotheses, references, max_n=4):
    mean = sum(map(len, hypotheses)) / len(hypotheses)
    return _bleu(
        hypotheses,
        references,
        max_n,
        nearest=lambda own, group: _nearest(mean, group),
    )


@bleu.mistake("You round. Return all digits; only a table rounds them.")
def bleu_rounded(hypotheses, references, max_n=4):
    return round(_bleu(hypotheses, references, max_n), 2)


def _fail(matched, total):
    raise (
        ZeroDivisionError("division by zero")
        if total == 0
        else ValueError("math domain error")
    )


_wrong_bleu(
    "fails_at_zero",
    "Where nothing matches, or there is no n-gram of an order, the answer is 0.0: ask before you divide or take a logarithm.",
    zero=_fail,
)


def _fail_without_ngrams(matched, total):
    if total == 0:
        raise ZeroDivisionError("division by zero")
    return 0.0


_wrong_bleu(
    "fails_without_ngrams",
    "Where all sentences are too short, there is no n-gram of an order, and you divide by 0. The answer is 0.0 then.",
    zero=_fail_without_ngrams,
)


@bleu.mistake(
    "You add up the matches of all orders and divide once. Each order has a precision of its own, and their geometric mean is taken."
)
def bleu_orders_together(hypotheses, references, max_n=4):
    matched = total = 0
    for n in range(1, max_n + 1):
        for words, group in zip(hypotheses, references, strict=True):
            found = _grams(words, n)
            matched += _clipped(found, group, n)
            total += sum(found.values())
    if matched == 0:
        return 0.0
    return _penalty_of(hypotheses, references) * matched / total


@bleu.mistake(
    "You look for the n-gram as a text in the text: `mill` is found in `mills`, too. Compare words with words."
)
def bleu_of_texts(hypotheses, references, max_n=4):
    def match(found, group, n):
        texts = [" ".join(one) for one in group]
        return sum(
            min(count, max(text.count(" ".join(gram)) for text in texts))
            for gram, count in found.items()
        )

    return _bleu(hypotheses, references, max_n, match=match)


@bleu.mistake(
    "You leave out the orders in which nothing was matched. They count: one precision of 0 makes the whole 0."
)
def bleu_zeros_left_out(hypotheses, references, max_n=4):
    for top in range(max_n, 0, -1):
        if _bleu(hypotheses, references, top, penalty=lambda c, r: 1.0) > 0:
            return _bleu(hypotheses, references, top)
    return 0.0


@bleu.mistake(
    "A little number is added to a precision of 0, so that its logarithm exists. The answer is 0.0 then, not something small."
)
def bleu_epsilon(hypotheses, references, max_n=4):
    def match(found, group, n):
        return _clipped(found, group, n) + 1e-9 / len(hypotheses)

    def total(found, group, n):
        return sum(found.values()) + 1e-9 / len(hypotheses)

    if not any(hypotheses):
        return 0.0
    return _bleu(hypotheses, references, max_n, match=match, total=total)


_wrong_bleu(
    "all_references",
    "For r you add up all references. Of each group only one counts: the one *nearest* to the length of the hypothesis.",
    nearest=lambda own, group: sum(map(len, group)),
)


@bleu.mistake(
    "You compute the BLEU of each sentence and take the mean. Matches, n-grams and lengths are added up over the corpus first."
)
def bleu_mean_of_sentences(hypotheses, references, max_n=4):
    each = [
        _bleu([h], [group], max_n)
        for h, group in zip(hypotheses, references, strict=True)
    ]
    return sum(each) / len(each)


@bleu.mistake(
    "You take the precision of each sentence and the mean of these. Add matches and n-grams up over the corpus, then divide once."
)
def bleu_mean_of_precisions(hypotheses, references, max_n=4):
    logs = 0.0
    for n in range(1, max_n + 1):
        shares = []
        for h, group in zip(hypotheses, references, strict=True):
            found = _grams(h, n)
            size = sum(found.values())
            shares.append(_clipped(found, group, n) / size if size else 0.0)
        p = sum(shares) / len(shares)
        if p == 0:
            return 0.0
        logs += math.log(p) / max_n
    return _penalty_of(hypotheses, references) * math.exp(logs)


def _penalty_of(hypotheses, references) -> float:
    return _bleu(hypotheses, references, 1, mean=lambda p: 1.0)


@bleu.mistake(
    "You give each sentence a brevity penalty and take the mean. There is one, from the lengths of the whole corpus: a long sentence may make up for a short one."
)
def bleu_penalty_by_sentence(hypotheses, references, max_n=4):
    plain = _bleu(hypotheses, references, max_n, penalty=lambda c, r: 1.0)
    each = []
    for h, group in zip(hypotheses, references, strict=True):
        c, r = len(h), _nearest(len(h), group)
        each.append(0.0 if c == 0 else min(1.0, math.exp(1 - r / c)))
    return plain * sum(each) / len(each)


@bleu.mistake(
    "You join the sentences to one long text, so n-grams reach over the end of one into the next, and a word is matched in another sentence. Count sentence by sentence, then add up."
)
def bleu_of_one_text(hypotheses, references, max_n=4):
    def joined(texts):
        return [word for text in texts for word in text]

    longest = max(map(len, references))
    groups = [
        joined(group[min(i, len(group) - 1)] for group in references)
        for i in range(longest)
    ]
    return _bleu([joined(hypotheses)], [groups], max_n)


@bleu.mistake(
    "Your n-grams are of letters. Words are what is given: each sentence is a list of words."
)
def bleu_of_letters(hypotheses, references, max_n=4):
    texts = [list(" ".join(h)) for h in hypotheses]
    groups = [[list(" ".join(one)) for one in group] for group in references]
    return _bleu(texts, groups, max_n)


@bleu.alternative
def bleu_by_parts(hypotheses, references, max_n=4):
    return _bleu(hypotheses, references, max_n)


@bleu.alternative
def bleu_by_numpy(hypotheses, references, max_n=4):
    matched, total = np.zeros(max_n), np.zeros(max_n)
    lengths = np.zeros(2)
    for words, group in zip(hypotheses, references, strict=True):
        nearest = sorted(
            group, key=lambda one: (abs(len(one) - len(words)), len(one))
        )
        lengths += len(words), len(nearest[0])
        for n in range(1, max_n + 1):
            grams = [
                " ".join(words[i : i + n]) for i in range(len(words) - n + 1)
            ]
            total[n - 1] += len(grams)
            for gram in set(grams):
                most = max(
                    sum(
                        " ".join(one[i : i + n]) == gram
                        for i in range(len(one) - n + 1)
                    )
                    for one in group
                )
                matched[n - 1] += min(most, grams.count(gram))
    if (matched == 0).any():
        return 0.0
    score = np.exp(
        np.log(matched / total).mean() + min(0, 1 - lengths[1] / lengths[0])
    )
    return float(100 * score)


@bleu.alternative
def bleu_by_crossing_off(hypotheses, references, max_n=4):
    """Each n-gram of the hypothesis crosses one off in the references that still have it."""
    product = 1.0
    for n in range(1, max_n + 1):
        matched = total = 0
        for words, group in zip(hypotheses, references, strict=True):
            left = [_flat(one, n) for one in group]
            for gram in _flat(words, n):
                total += 1
                matched += any(gram in grams for grams in left)
                for grams in left:
                    if gram in grams:
                        grams.remove(gram)
        product *= matched / total if total else 0.0
    c = sum(len(words) for words in hypotheses)
    r = sum(
        _nearest(len(words), group)
        for words, group in zip(hypotheses, references, strict=True)
    )
    penalty = 0.0 if c == 0 else min(1.0, math.exp(1 - r / c))
    return 100 * penalty * product ** (1 / max_n)


# 7 -------------------------------------------------------------------------------------------------- translate

NAMES = ["self_q", "self_k", "self_v", "cross_q", "cross_k", "cross_v"]


def _softmax(scores):
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return scores / scores.sum(-1, keepdims=True)


def _arrays(value):
    if isinstance(value, dict):
        return {key: _arrays(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_arrays(item) for item in value]
    return value.double().numpy()


def _hidden(ids, memory, seen, w, **how):
    """What the last block gives for the places `ids`, (time, d). The mistakes differ in how."""
    time = len(ids)
    places = how.get("places", range)(time)
    x = w["embedding"][ids]
    x = x * how.get("embedded", lambda d: 1.0)(x.shape[1])
    if how.get("positions", True):
        last = len(w["positions"]) - 1
        x = x + w["positions"][[min(place, last) for place in places]]
    ahead = np.triu(np.ones((time, time), dtype=bool), 1)
    hide = np.zeros((time, len(seen)), dtype=bool)
    if how.get("hides_filling", True):
        hide = hide | ~seen
    if how.get("causal_cross"):
        hide = hide | np.triu(np.ones(hide.shape, dtype=bool), 1)
        hide[:, np.argmax(seen)] = False
    if not how.get("causal", True):
        ahead[:] = False
    if how.get("first_key_only"):
        ahead[:, 1:] = True
    if not how.get(
        "itself", True
    ):  # only the earlier ones, where there are any
        ahead = np.triu(np.ones((time, time), dtype=bool), 0)
        ahead[0, 0] = False
    for block in w["blocks"][:: how.get("direction", 1)][: how.get("blocks")]:
        x = _one_block(x, memory, ahead, hide, block, how)
    return x


def _look(x, over, hide, block, kind, how):
    q, k, v = (
        y @ block[f"{kind}_{name}"]
        for y, name in ((x, "q"), (over, "k"), (over, "v"))
    )
    scores = q @ k.T / how.get("scale", np.sqrt)(q.shape[1])
    weights = _softmax(np.where(hide, -np.inf, scores))
    return weights @ (k if how.get("keys_as_values") else v)


def _one_block(x, memory, ahead, hide, block, how):
    keep, first = how.get("residual", (1, 1, 1)), x

    def cross(x):
        if how.get("cross_over") == "x":
            return _look(x, x, ahead, block, "cross", how)
        return _look(x, memory, hide, block, "cross", how)

    def itself(x):
        return _look(x, x, ahead, block, "self", how)

    if how.get("side_by_side"):
        x = x + itself(x) + cross(x)
    elif how.get("cross_first"):
        x = keep[1] * x + cross(x)
        x = keep[0] * x + itself(x)
    else:
        x = keep[0] * x + itself(x)
        x = keep[1] * x + cross(x)
    inner = how.get("relu", lambda y: np.maximum(y, 0))(x @ block["ff_1"])
    kept = first if how.get("ff_to_the_first") else keep[2] * x
    x = kept + inner @ block["ff_2"]
    if how.get("normed"):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x


def _write(
    memory, mask, weights, bos_id, eos_id, max_length, *, margins=None, **how
):
    """Token by token, sentence by sentence, in float64; the raw rows with all that was said."""
    w = _arrays(weights)
    if how.get("transposed"):
        for block in w["blocks"]:
            block.update({name: block[name].T for name in NAMES})
    if how.get("memory_zeroed"):
        memory, how = memory * mask[..., None], {**how, "hides_filling": False}
    rows = []
    limit = max_length + how.get("more", 0)
    for m, seen in zip(memory.double().numpy(), mask.numpy(), strict=True):
        said: list[int] = []
        while len(said) < limit and (
            how.get("never_stops") or eos_id not in said
        ):
            ids = how.get("reads", lambda bos, said: [bos, *said])(bos_id, said)
            x = _hidden(ids, m, seen, w, **how)
            last = x.mean(0) if how.get("mean") else x[-1]
            logits = last @ w["embedding"].T
            if margins is not None:
                low, high = np.sort(logits)[-2:]
                margins.append(high - low)
            for token in how.get("forbidden", lambda bos, eos, n: [])(
                bos_id, eos_id, len(said)
            ):
                logits[token] = -np.inf
            said.append(int(how.get("pick", np.argmax)(logits)))
        rows.append(said)
    return rows


def _ended(rows, eos_id):
    return [row[: row.index(eos_id)] if eos_id in row else row for row in rows]


def _decoder(
    rng, batch, source, d, vocab, n_blocks, max_length, scale=1.0, full=False
):
    """Random weights, with ids for <bos> and <eos>."""
    d_ff = rng.choice([3, 6, 8])
    blocks = []
    for _ in range(n_blocks):
        b = {
            name: normal(
                rng, d, d, scale=scale * (0.6 if name[-1] == "v" else 0.7)
            )
            for name in NAMES
        }
        b["ff_1"], b["ff_2"] = (
            normal(rng, d, d_ff, scale=0.6),
            normal(rng, d_ff, d, scale=0.6),
        )
        blocks.append(b)
    weights = {
        "embedding": normal(rng, vocab, d, scale=0.9),
        "positions": normal(rng, max_length + rng.randint(0, 3), d, scale=1.1),
        "blocks": blocks,
    }
    mask = words_first(rng, batch, source) | full
    bos_id, eos_id = rng.sample(range(vocab), 2)
    memory = normal(rng, batch, source, d, scale=1.5)
    return memory, mask, weights, bos_id, eos_id, max_length


def _is_good(arguments) -> bool:
    """Whether no token is a close call, and there is something to read."""
    margins: list[float] = []
    rows = _write(*arguments, margins=margins)
    return min(margins) > 0.05 and len({w for row in rows for w in row}) >= 3


def _gelu(y):
    return torch.nn.functional.gelu(torch.from_numpy(y)).numpy()


LONG = "a long sentence"
# What a case is to show, as a way to go wrong that would be seen in it.
TO_SHOW: list[tuple[str, dict, list[dict]]] = [
    (
        "one source, one block",
        {"batch": 1, "n_blocks": 1, "full": True},
        [
            {"reads": lambda b, said: [b]},
            {"scale": lambda d: 1.0},
        ],
    ),
    (
        "two blocks, one on top of the other",
        {"batch": 1, "n_blocks": 2, "full": True},
        [{"causal": False}, {"direction": -1}],
    ),
    (
        "the filling of the source",
        {"batch": 2, "n_blocks": 1},
        [{"hides_filling": False}],
    ),
    (
        LONG,
        {"batch": 1, "n_blocks": 1, "max_length": 12},
        [{"positions": False}, {"places": lambda t: range(1, t + 1)}],
    ),
    (
        "the order of the sublayers",
        {"batch": 1, "n_blocks": 1},
        [{"cross_first": True}, {"side_by_side": True}],
    ),
    (
        "the residual connections",
        {"batch": 2, "n_blocks": 1},
        [
            {"residual": (0, 1, 1)},
            {"residual": (1, 0, 1)},
            {"residual": (1, 1, 0)},
        ],
    ),
    (
        "the scale of the scores",
        {"batch": 2, "n_blocks": 2},
        [{"scale": lambda d: 1.0}, {"scale": lambda d: d}],
    ),
    (
        "three sources, two blocks",
        {"batch": 3, "n_blocks": 2},
        [{"causal": False}, {"hides_filling": False}],
    ),
    (
        "only the last token would not be enough",
        {"batch": 2, "n_blocks": 1},
        [{"reads": lambda b, said: [(b, *said)[-1]], "places": lambda t: [0]}],
    ),
    (
        "the relu",
        {"batch": 2, "n_blocks": 2},
        [{"relu": lambda y: y}, {"relu": _gelu}],
    ),
]
_FOUND: list[Call] = []


def _searched() -> list[Call]:
    """The cases of TO_SHOW, found once, always the same."""
    if not _FOUND:
        rng = random.Random("translate")
        for about, sizes, ways in TO_SHOW:
            while True:
                options = {
                    "source": 4,
                    "d": 6,
                    "vocab": 7,
                    "max_length": 8,
                    **sizes,
                }
                arguments = _decoder(rng, **options)
                if not _is_good(arguments):
                    continue
                right, eos_id = _write(*arguments), arguments[4]
                if (
                    sizes["batch"] > 1
                    and len({eos_id in row for row in right}) < 2
                ):
                    continue  # one ends, another does not
                if about == LONG and len(right[0]) < 8:
                    continue
                if all(_write(*arguments, **way) != right for way in ways):
                    break
            _FOUND.append(Call(about, *arguments))
    return _FOUND


def _by_hand(
    cross_v=None, mask=None, memory=None, max_length=5, said=(3, 0, 2, 2)
):
    zeros = torch.zeros(4, 4)
    block = dict.fromkeys([*NAMES, "ff_1", "ff_2"], zeros)
    if cross_v is not None:
        block["cross_v"] = cross_v
    weights = {
        "embedding": torch.eye(4),
        "positions": 2 * torch.eye(4)[[*said]],
        "blocks": [block],
    }
    memory = tensor([[[5.0, 0, 0, 0]]]) if memory is None else memory
    mask = (
        torch.ones(memory.shape[:2], dtype=torch.bool) if mask is None else mask
    )
    return memory, mask, weights, 1, 2, max_length


def translate_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("blocks that add nothing", *_by_hand(max_length=4))
    yield Call(
        "the source says the same again and again",
        *_by_hand(torch.eye(4), max_length=3),
    )
    yield Call("<eos> at once", *_by_hand(said=(2, 0, 3, 3), max_length=4))
    yield Call(
        "<eos> as the last token that is allowed", *_by_hand(max_length=3)
    )
    yield Call("one token too few for <eos>", *_by_hand(max_length=2))
    yield Call("a single token", *_by_hand(max_length=1))
    yield Call(
        "<bos> may be said like any other token",
        *_by_hand(said=(3, 1, 0, 2), max_length=4),
    )
    yield Call(
        "one source ends, the other goes on",
        *_by_hand(
            torch.eye(4),
            memory=tensor([[[5.0, 0, 0, 0]], [[0, 0, 0.5, 0]]]),
            max_length=4,
        ),
    )
    yield from _searched()
    while True:
        arguments = _decoder(
            rng,
            rng.randint(1, 3),
            rng.randint(1, 4),
            rng.randint(3, 7),
            rng.randint(4, 8),
            rng.randint(1, 2),
            rng.randint(4, 9),
        )
        if _is_good(arguments):
            yield Call("random weights", *arguments)


translate = Exercise(
    "translate",
    title="Token by token",
    points=4,
    minutes=75,
    cases=translate_cases,
    visible=26,
    refuse=(
        "TransformerDecoder",
        "TransformerDecoderLayer",
        "Transformer",
        "MultiheadAttention",
    ),
)


def _together(memory, mask, weights, bos_id, eos_id, max_length):
    """The raw rows of a batch that goes on until all say <eos> at the same step."""
    arguments = (memory, mask, weights, bos_id, eos_id, max_length)
    rows = _write(*arguments, never_stops=True)
    same = (
        i
        for i, said in enumerate(zip(*rows, strict=True))
        if set(said) == {eos_id}
    )
    stop = next(same, max_length)
    return [row[: stop + 1] for row in rows]


def _wrong_translate(name: str, hint: str, finish=_ended, **how) -> None:
    def function(memory, mask, weights, bos_id, eos_id, max_length):
        rows = _write(memory, mask, weights, bos_id, eos_id, max_length, **how)
        return finish(rows, eos_id)

    function.__name__ = f"translate_{name}"
    translate.mistake(hint)(function)


_wrong_translate(
    "not_fed_back",
    "Every token follows from <bos> alone. Either what was said is not fed back, or you read the logits of the first place: the next token is said by the last place of <bos> and all that was said, x[:, -1].",
    reads=lambda bos, said: [bos],
)
_wrong_translate(
    "only_last",
    "The decoder reads only its last token, at place 0. It has no state that would remember the others: give it all that was said, or keep their keys and values.",
    reads=lambda bos, said: [(bos, *said)[-1]],
)


@translate.mistake(
    "The decoder reads only its last token, at its place. It has no state that would remember the others: self-attention looks at all that was said, so give it all, or keep their keys and values. (A causal mask the wrong way round does the same.)"
)
def translate_only_last_in_place(
    memory, mask, weights, bos_id, eos_id, max_length
):
    w, rows = _arrays(weights), []
    for m, seen in zip(memory.double().numpy(), mask.numpy(), strict=True):
        said = []
        while len(said) < max_length and eos_id not in said:
            place = [len(said)]
            x = _hidden(
                [(bos_id, *said)[-1]], m, seen, w, places=lambda t, p=place: p
            )
            said.append(int((x[-1] @ w["embedding"].T).argmax()))
        rows.append(said)
    return _ended(rows, eos_id)


@translate.mistake(
    "Each new token enters at place 0 in yours, while the keys and values of the earlier ones are kept. Count on: the token after n others stands at place n."
)
def translate_cache_at_place_0(
    memory, mask, weights, bos_id, eos_id, max_length
):
    rows = _write(
        memory,
        mask,
        weights,
        bos_id,
        eos_id,
        max_length,
        places=lambda t: [0] * t,
    )
    return _ended(rows, eos_id)


@translate.mistake(
    "All blocks share one list of kept keys and values in yours. Keys and values come from what *each block* got: one cache a block."
)
def translate_one_cache_for_all(
    memory, mask, weights, bos_id, eos_id, max_length
):
    w, rows = _arrays(weights), []
    for m, seen in zip(memory.double().numpy(), mask.numpy(), strict=True):
        said, keys, values = [], [], []
        while len(said) < max_length and eos_id not in said:
            x = w["embedding"][(bos_id, *said)[-1]] + w["positions"][len(said)]
            for b in w["blocks"]:
                keys.append(x @ b["self_k"])
                values.append(x @ b["self_v"])
                scores = np.stack(keys) @ (x @ b["self_q"]) / np.sqrt(len(x))
                x = x + _softmax(scores) @ np.stack(values)
                x = x + _look(x[None], m[seen], False, b, "cross", {})[0]
                x = x + np.maximum(x @ b["ff_1"], 0) @ b["ff_2"]
            said.append(int((w["embedding"] @ x).argmax()))
        rows.append(said)
    return _ended(rows, eos_id)


_wrong_translate(
    "without_bos",
    "From the second step on the decoder no longer reads <bos>, and every place is one too low. Keep <bos> at place 0.",
    reads=lambda bos, said: said or [bos],
)
_wrong_translate(
    "backwards_places",
    "The places are counted from the end in yours. <bos> stands at place 0, whatever comes later.",
    places=lambda t: range(t)[::-1],
)
_wrong_translate(
    "places_from_1",
    "Your places begin with 1. <bos> stands at place 0.",
    places=lambda t: range(1, t + 1),
)
_wrong_translate(
    "without_positions",
    "The positions are missing: the token w at place t enters as embedding[w] + positions[t].",
    positions=False,
)
_wrong_translate(
    "embedding_scaled",
    "You multiply the embedding by √d. Some models do; here it enters as it is.",
    embedded=math.sqrt,
)
_wrong_translate(
    "filling_seen",
    "Cross-attention looks at the filling of the source, too. Hide it with the mask, so that a sentence comes out the same whatever else is in the batch.",
    hides_filling=False,
)
_wrong_translate(
    "sees_ahead",
    "When you compute everything anew, the earlier places see the later ones in yours, and the second block passes that on. In training they could not: the causal mask is needed here, too.",
    causal=False,
)
_wrong_translate(
    "sees_ahead_and_filling",
    "Two things are missing, both masks: the causal one in self-attention, and the source's in cross-attention.",
    causal=False,
    hides_filling=False,
)
_wrong_translate(
    "not_itself",
    "A place does not see itself in yours. It looks at itself and at the earlier ones.",
    itself=False,
)
_wrong_translate(
    "not_scaled",
    "The scale is missing in your attention: the scores are divided by √d.",
    scale=lambda d: 1.0,
)
_wrong_translate(
    "scaled_by_d",
    "You divide the scores by d. The scale is its root.",
    scale=lambda d: d,
)
_wrong_translate(
    "no_self_residual",
    "What self-attention finds replaces x in yours. It is added to it.",
    residual=(0, 1, 1),
)
_wrong_translate(
    "no_cross_residual",
    "What cross-attention finds replaces x in yours: the decoder forgets what it was saying. It is added.",
    residual=(1, 0, 1),
)
_wrong_translate(
    "no_ff_residual",
    "What the feed-forward network gives replaces x in yours. It is added to it.",
    residual=(1, 1, 0),
)
_wrong_translate(
    "no_residuals",
    "Nothing is added in yours: each sublayer's result replaces its input. Each is added to its input x.",
    residual=(0, 0, 0),
)
_wrong_translate(
    "cross_first",
    "The decoder looks at the source before it looks at itself in yours. The order is: self-attention, cross-attention, feed-forward.",
    cross_first=True,
)
_wrong_translate(
    "side_by_side",
    "Both attentions start from the same x in yours, side by side. They come in a row: cross-attention asks with what self-attention has left.",
    side_by_side=True,
)
_wrong_translate(
    "memory_ignored",
    "The second attention looks at x again, so the source plays no part. Its keys and values come from the memory.",
    cross_over="x",
)
_wrong_translate(
    "causal_cross",
    "You put the causal mask on cross-attention, too. No word of the source is in the future: all may be seen.",
    causal_cross=True,
)
_wrong_translate(
    "keys_as_values",
    "The keys serve as values in yours. Values have matrices of their own.",
    keys_as_values=True,
)
_wrong_translate(
    "one_block",
    "You use the first block only. There may be several, one on top of the other.",
    blocks=1,
)
_wrong_translate(
    "blocks_reversed",
    "Your blocks run from the last to the first. The lowest comes first in the list, and it is the first to work.",
    direction=-1,
)
_wrong_translate(
    "causal_with_one_query",
    "With one query, is_causal=True shows it the first key only: torch lays the mask from the top left. The newest token may see all kept keys, so it needs no mask.",
    first_key_only=True,
)
_wrong_translate(
    "gelu",
    "You use gelu, as many models do. Here it is relu.",
    relu=_gelu,
)
_wrong_translate(
    "memory_zeroed",
    "You set the filling of the memory to 0. Then its score is 0, and exp(0) is 1: it still gets weight. Hide its score with the mask.",
    memory_zeroed=True,
)
_wrong_translate(
    "normed",
    "There are norms in your blocks. A real decoder has them; this one, to keep it short, has none.",
    normed=True,
)
_wrong_translate(
    "mean_speaks",
    "You take the mean over all places for the logits. The next token is said by the last place: x[:, -1].",
    mean=True,
)
_wrong_translate(
    "matrices_left",
    "Your matrices are transposed, as if they were in a torch.nn.Linear. Here they stand on the right: x @ W.",
    transposed=True,
)


_wrong_translate(
    "no_relu",
    "The relu is missing between the two matrices of the feed-forward network.",
    relu=lambda y: y,
)
_wrong_translate(
    "bos_forbidden",
    "You forbid <bos>. Written is the token with the largest logit, whichever it is.",
    forbidden=lambda bos, eos, n: [bos],
)
_wrong_translate(
    "not_empty",
    "You forbid <eos> at the first step. A model may have nothing to say: the sentence is empty then.",
    forbidden=lambda bos, eos, n: [eos] if n == 0 else [],
)
_wrong_translate(
    "one_fewer",
    "A sentence that max_length ended is one token short in yours. <bos> does not count among the max_length tokens; and only an <eos> is cut off at the end.",
    more=-1,
)
_wrong_translate(
    "one_more",
    "You write one token more than max_length.",
    more=1,
)
_wrong_translate(
    "keeps_eos",
    "<eos> is in your sentences. It ends them, and is left out.",
    finish=lambda rows, eos_id: rows,
)
_wrong_translate(
    "goes_on_after_eos",
    "A sentence goes on after <eos> in yours, or you cut its <eos> out of the middle. What comes behind <eos> is no part of it.",
    never_stops=True,
    finish=lambda rows, eos_id: [
        [w for w in row if w != eos_id] for row in rows
    ],
)
_wrong_translate(
    "never_stops",
    "Your sentences do not end with <eos>: they go on until max_length. Cut each at its first <eos>.",
    never_stops=True,
    finish=lambda rows, eos_id: rows,
)
_wrong_translate(
    "as_tuples",
    "Right tokens, as tuples: return a list of lists.",
    finish=lambda rows, eos_id: [tuple(row) for row in _ended(rows, eos_id)],
)
_wrong_translate(
    "all_end_with_first",
    "All sentences end as soon as one of them does. Go on until each has said <eos>, or max_length.",
    finish=lambda rows, eos_id: [
        row[: min(map(len, rows))]
        if eos_id not in row[: min(map(len, rows))]
        else _ended([row], eos_id)[0]
        for row in rows
    ],
)


@translate.mistake(
    "You take every <bos> out of the sentence. Only the one at its beginning was not written; if the model says <bos>, it stays."
)
def translate_drops_bos(memory, mask, weights, bos_id, eos_id, max_length):
    rows = _write(memory, mask, weights, bos_id, eos_id, max_length)
    return [[w for w in row if w not in (bos_id, eos_id)] for row in rows]


@translate.mistake(
    "You take every <bos> and <eos> out, wherever they stand. What comes behind the first <eos> is no part of the sentence, and a <bos> that the model says is."
)
def translate_drops_both(memory, mask, weights, bos_id, eos_id, max_length):
    rows = _together(memory, mask, weights, bos_id, eos_id, max_length)
    return [[w for w in row if w not in (bos_id, eos_id)] for row in rows]


@translate.mistake(
    "A sentence goes on after <eos> while another of the batch is not done, and you do not cut it off. Cut each at its own first <eos>."
)
def translate_cuts_together(memory, mask, weights, bos_id, eos_id, max_length):
    rows = _together(memory, mask, weights, bos_id, eos_id, max_length)
    if all(row[-1] == eos_id for row in rows):
        rows = [row[:-1] for row in rows]
    return rows


@translate.mistake(
    "All places are said at once, from <bos> at each of them. In training that works, since the true words are there to be read. Here each word must be said before the next can be."
)
def translate_in_one_go(memory, mask, weights, bos_id, eos_id, max_length):
    w, rows = _arrays(weights), []
    for m, seen in zip(memory.double().numpy(), mask.numpy(), strict=True):
        x = _hidden([bos_id] * max_length, m, seen, w)
        rows.append((x @ w["embedding"].T).argmax(-1).tolist())
    return _ended(rows, eos_id)


_wrong_translate(
    "ff_over_the_block",
    "What the feed-forward network gives is added to the x from the beginning of the block, so both attentions are passed over. Each sublayer adds to *its own* input.",
    ff_to_the_first=True,
)


@translate.mistake(
    "<bos> is in your sentences. It is read first, and no part of what was written."
)
def translate_keeps_bos(memory, mask, weights, bos_id, eos_id, max_length):
    rows = _write(memory, mask, weights, bos_id, eos_id, max_length)
    return [[bos_id, *row] for row in _ended(rows, eos_id)]


@translate.mistake(
    "<bos> and <eos> are in your sentences. Neither is part of what was written."
)
def translate_keeps_both(memory, mask, weights, bos_id, eos_id, max_length):
    rows = _write(memory, mask, weights, bos_id, eos_id, max_length)
    return [[bos_id, *row] for row in rows]


@translate.mistake(
    "You return a tensor, or rows filled up to one length. Return a list of lists, each as long as its sentence."
)
def translate_filled(memory, mask, weights, bos_id, eos_id, max_length):
    rows = _write(memory, mask, weights, bos_id, eos_id, max_length)
    longest = max(map(len, rows))
    return [row + [eos_id] * (longest - len(row)) for row in rows]


@translate.mistake(
    "All sources get the sentence of the first one. Each row of the memory has its own."
)
def translate_first_source(memory, mask, weights, bos_id, eos_id, max_length):
    rows = _write(memory[:1], mask[:1], weights, bos_id, eos_id, max_length)
    return _ended(rows, eos_id) * len(memory)


@translate.mistake(
    "All sources share the mask of the first one in yours. Each has its own filling, so its own row of the mask."
)
def translate_first_mask(memory, mask, weights, bos_id, eos_id, max_length):
    rows = [
        _write(
            memory[i : i + 1], mask[:1], weights, bos_id, eos_id, max_length
        )[0]
        for i in range(len(memory))
    ]
    return _ended(rows, eos_id)


@translate.mistake(
    "<eos> is left out only where it is the last token of the longest sentence: cut *each* row at its own first <eos>."
)
def translate_first_row_cut(memory, mask, weights, bos_id, eos_id, max_length):
    rows = _write(memory, mask, weights, bos_id, eos_id, max_length)
    longest = max(map(len, rows))
    return [
        _ended([row], eos_id)[0] if len(row) == longest else row for row in rows
    ]


@translate.alternative
def translate_by_numpy(memory, mask, weights, bos_id, eos_id, max_length):
    rows = _write(memory, mask, weights, bos_id, eos_id, max_length)
    return _ended(rows, eos_id)


@translate.alternative
def translate_with_caches(memory, mask, weights, bos_id, eos_id, max_length):
    """The new token alone goes in; keys and values of the earlier ones, and of the source, are kept."""
    attention = torch.nn.functional.scaled_dot_product_attention
    blocks = weights["blocks"]
    source = [(memory @ b["cross_k"], memory @ b["cross_v"]) for b in blocks]
    so_far = [(memory[:, :0], memory[:, :0]) for _ in blocks]
    token = torch.full((len(memory), 1), bos_id)
    rows, done = [[] for _ in memory], [False] * len(memory)
    for place in range(max_length):
        x = weights["embedding"][token] + weights["positions"][place]
        for i, b in enumerate(blocks):
            k = torch.cat([so_far[i][0], x @ b["self_k"]], dim=1)
            v = torch.cat([so_far[i][1], x @ b["self_v"]], dim=1)
            so_far[i] = (k, v)
            x = x + attention(x @ b["self_q"], k, v)
            x = x + attention(
                x @ b["cross_q"], *source[i], attn_mask=mask[:, None]
            )
            x = x + (x @ b["ff_1"]).clamp(min=0) @ b["ff_2"]
        token = (x @ weights["embedding"].T).argmax(-1)
        for i, said in enumerate(token[:, 0].tolist()):
            done[i] = done[i] or said == eos_id
            if not done[i]:
                rows[i].append(said)
        if all(done):
            break
    return rows


@translate.alternative
def translate_one_by_one(memory, mask, weights, bos_id, eos_id, max_length):
    def look(q, k, v):
        return torch.softmax(k @ q / math.sqrt(len(q)), 0) @ v

    rows = []
    for m, seen in zip(memory, mask, strict=True):
        words, row, token = m[seen], [], bos_id
        kept = [([], []) for _ in weights["blocks"]]
        while len(row) < max_length:
            x = weights["embedding"][token] + weights["positions"][len(row)]
            for b, (keys, values) in zip(weights["blocks"], kept, strict=True):
                keys.append(x @ b["self_k"])
                values.append(x @ b["self_v"])
                x = x + look(
                    x @ b["self_q"], torch.stack(keys), torch.stack(values)
                )
                x = x + look(
                    x @ b["cross_q"], words @ b["cross_k"], words @ b["cross_v"]
                )
                x = x + torch.relu(x @ b["ff_1"]) @ b["ff_2"]
            token = int((weights["embedding"] @ x).argmax())
            if token == eos_id:
                break
            row.append(token)
        rows.append(row)
    return rows


# 8 ------------------------------------------------------------------------------------------------- in words

why_pre_norm_trains = Written("why_pre_norm_trains", points=4)
