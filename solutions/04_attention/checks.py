"""How the exercises of chapter 04 are judged: cases, known mistakes with hints, other right answers."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lmcourse.authoring.spec import Call, Exercise, Written
from lmcourse.exercises.compare import close


def quarters(rng: random.Random, *shape: int, largest: float = 2.0) -> Tensor:
    """Random multiples of 1/4, which a person can read and a float holds exactly."""
    top = int(4 * largest)
    return torch.tensor(
        [rng.randint(-top, top) / 4 for _ in range(math.prod(shape))]
    ).view(shape)


def coins(rng: random.Random, share: float, *shape: int) -> Tensor:
    """Random True and False."""
    return torch.tensor(
        [rng.random() < share for _ in range(math.prod(shape))]
    ).view(shape)


# 1 ------------------------------------------------------------------------------------------- predict_context

PRODUCTS = [0.0, math.log(4), math.log(25), math.log(64)]  # the last is <pad>
VALUES = [(4, 8), (2, 0), (4, -4), (8, 8)]


def predict_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("your two numbers")


predict_context = Exercise(
    "predict_context",
    title="One query, by hand",
    points=2,
    minutes=8,
    cases=predict_cases,
    # Exact, after rounding: a fingerprint of two floats is met by a whole line of others.
    secret=True,
)


def _mixed(weights) -> list[float]:
    sums = [
        sum(w * value[i] for w, value in zip(weights, VALUES, strict=False))
        for i in (0, 1)
    ]
    return [round(float(number), 1) for number in sums]


def _weights(scale=0.5, n=3, power=math.exp) -> list[float]:
    grown = [power(scale * product) for product in PRODUCTS[:n]]
    return [x / sum(grown) for x in grown]


@predict_context.mistake(
    "The scale is missing. Before the softmax, the products are divided by the root of d_head, here by 2."
)
def predict_without_scale():
    return _mixed(_weights(scale=1))


@predict_context.mistake(
    "You divide by d_head. The scale is the *root* of d_head, here 2."
)
def predict_scale_by_d():
    return _mixed(_weights(scale=1 / 4))


@predict_context.mistake(
    "You multiply by the root of d_head. The products are divided by it: scores should become smaller."
)
def predict_times_root():
    return _mixed(_weights(scale=2))


@predict_context.mistake(
    "The filling takes part in yours. Nobody looks at <pad>: it has no weight, and it does not count in the sum that the others are divided by."
)
def predict_padding_attended():
    return _mixed(_weights(n=4))


@predict_context.mistake(
    "Two things at once. The scale is missing (divide by the root of d_head), and the filling takes part."
)
def predict_padding_attended_without_scale():
    return _mixed(_weights(scale=1, n=4))


@predict_context.mistake(
    "The filling's weight is dropped after the softmax, so the others no longer add up to 1. Leave it out of the sum that they are divided by."
)
def predict_mask_after_softmax():
    return _mixed(_weights(n=4)[:3])


@predict_context.mistake(
    "The filling has the score 0 in yours, and exp(0) is 1. A place that is not seen has the score minus infinity."
)
def predict_padding_score_0():
    grown = [1, 2, 5, 1]
    return _mixed([x / 9 for x in grown])


NOT_DIVIDED = "The values are multiplied by exp(score), but not divided by the sum. Weights add up to 1: 1/8, ..."


@predict_context.mistake(NOT_DIVIDED)
def predict_not_divided():
    return _mixed([1, 2, 5])


@predict_context.mistake(NOT_DIVIDED)
def predict_not_divided_in_whole_numbers():
    return [28, -12]


@predict_context.mistake(
    "Your weights are the scores, divided by their sum. The softmax takes exp of each score first."
)
def predict_without_exp():
    return _mixed(_weights(power=float))


@predict_context.mistake(
    "You use the scores themselves as weights. The softmax comes between: exp of each, divided by the sum."
)
def predict_without_softmax():
    return _mixed([product / 2 for product in PRODUCTS[:3]])


@predict_context.mistake(
    "That is the plain mean of the values. Each is weighted by how well its key fits the query."
)
def predict_plain_mean():
    return _mixed([1 / 3] * 3)


@predict_context.mistake(
    "You take the value of the best key alone. Attention mixes all values, most from the best."
)
def predict_best_only():
    return _mixed([0, 0, 1])


@predict_context.mistake(
    "Those are the weights, the first half of the way. The output is the mean of the values, weighted by them: two numbers."
)
def predict_weights():
    return _weights()


@predict_context.mistake(
    "Those are the weights, the first half of the way. The output is the mean of the values, weighted by them: two numbers."
)
def predict_weights_with_padding():
    return [*_weights(), 0.0]


@predict_context.mistake(
    "The sign of the second number is wrong: `mill` brings -4, with the largest weight."
)
def predict_sign():
    return [3.5, 1.5]


@predict_context.mistake(
    "Two things at once. The scale is missing (divide by the root of d_head), and the filling has the score 0, whose exp is 1: it should be minus infinity."
)
def predict_padding_score_0_without_scale():
    return _mixed([x / 31 for x in (1, 4, 25, 1)])


@predict_context.mistake(
    "Two things at once. The scale is the *root* of d_head, here 2, and the filling takes part."
)
def predict_padding_attended_scale_by_d():
    return _mixed(_weights(scale=1 / 4, n=4))


@predict_context.mistake(
    "The first half is right: each value times its weight. Add the three up: the output is one vector of two numbers."
)
def predict_not_added_up():
    return [
        [w * x for x in value]
        for w, value in zip(_weights(), VALUES, strict=False)
    ]


@predict_context.mistake("Right numbers, as a tuple: return a list, [...].")
def predict_tuple():
    return (3.5, -1.5)


@predict_context.mistake(
    "Right numbers, as a tensor: return a list of floats, [...]."
)
def predict_tensor():
    return torch.tensor([3.5, -1.5])


@predict_context.alternative
def predict_by_computing():
    return _mixed(_weights())


@predict_context.alternative
def predict_by_fractions():
    return [4 / 8 + 2 * 2 / 8 + 5 * 4 / 8, 8 / 8 + 5 * -4 / 8]


# 2 ---------------------------------------------------------------------------------------------- longest_text


def _bytes(n, batch, n_layers, n_heads, d_model, bytes_per_number) -> int:
    numbers = 2 * n_heads * n * n + 4 * n * d_model
    return batch * n_layers * numbers * bytes_per_number


def longest_cases(rng: random.Random) -> Iterator[Call]:
    yield Call("filled to the last byte", 192, 1, 1, 1, 4, 2)
    yield Call("one byte is missing for 5", 259, 1, 1, 1, 4, 2)
    yield Call("and now 5 fit", 260, 1, 1, 1, 4, 2)
    yield Call("not one token fits", 35, 1, 1, 1, 4, 2)
    yield Call("one token fits", 36, 1, 1, 1, 4, 2)
    yield Call("no memory at all", 0, 2, 2, 4, 8, 4)
    yield Call("a batch of texts", 4000, 5, 1, 1, 4, 2)
    yield Call("several layers", 4000, 1, 6, 1, 4, 2)
    yield Call("several heads", 4000, 1, 1, 4, 16, 2)
    yield Call("long vectors, and tables hardly count", 90_000, 1, 1, 1, 512, 4)
    yield Call("four bytes a number", 4000, 1, 1, 1, 4, 4)
    yield Call("one GiB", 2**30, 8, 12, 12, 768, 4)
    yield Call("80 GB in half precision", 80 * 10**9, 1, 32, 32, 4096, 2)
    while True:
        batch, n_layers, n_heads = (
            rng.choice([1, 2, 3, 8]),
            rng.choice([1, 2, 4, 6]),
            rng.choice([1, 2, 4, 8]),
        )
        sizes = (batch, n_layers, n_heads, n_heads * rng.choice([2, 4, 8, 16]))
        number = rng.choice([2, 4])
        used = _bytes(rng.randint(2, 400), *sizes, number)
        # The edge itself and its neighbours, where rounding shows; or anywhere.
        budget = rng.choice([used, used - 1, used + rng.randrange(used)])
        yield Call("random sizes", budget, *sizes, number)


longest_text = Exercise(
    "longest_text",
    title="How long may a text be?",
    points=2,
    minutes=15,
    cases=longest_cases,
    visible=26,
)


def _longest(
    budget,
    batch,
    n_layers,
    n_heads,
    d_model,
    bytes_per_number,
    *,
    tables=2,
    vectors=4,
    strict=False,
) -> int:
    """The largest n by bisection; the mistakes differ in what is counted."""

    def fits(n):
        numbers = tables * n_heads * n * n + vectors * n * d_model
        used = batch * n_layers * numbers * bytes_per_number
        return used < budget if strict else used <= budget

    low, high = 0, 1
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@longest_text.mistake(
    "A budget that is filled to the last byte is enough: at most, <=, not <."
)
def longest_strict(budget, batch, n_layers, n_heads, d_model, bytes_per_number):
    return _longest(
        budget,
        batch,
        n_layers,
        n_heads,
        d_model,
        bytes_per_number,
        strict=True,
    )


@longest_text.mistake(
    "You return the first length that does not fit any more. Wanted is the last one that does."
)
def longest_one_more(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return 1 + _longest(
        budget, batch, n_layers, n_heads, d_model, bytes_per_number
    )


@longest_text.mistake(
    "You count one table for each head. Two are kept: the scores and the weights."
)
def longest_one_table(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(
        budget,
        batch,
        n_layers,
        n_heads,
        d_model,
        bytes_per_number,
        tables=1,
    )


@longest_text.mistake(
    "The tables are counted once a layer. Each head has its own n × n table of scores and of weights."
)
def longest_without_heads(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(budget, batch, n_layers, 1, d_model, bytes_per_number)


@longest_text.mistake(
    "The vectors of all heads *together* have d_model numbers: they are not to be multiplied by the number of heads."
)
def longest_vectors_for_each_head(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(
        budget, batch, n_layers, n_heads, n_heads * d_model, bytes_per_number
    )


@longest_text.mistake(
    "You count the vectors of one head, d_model / n_heads numbers. The four vectors are those of all heads together: d_model numbers each."
)
def longest_vectors_of_one_head(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(
        budget, batch, n_layers, n_heads, d_model / n_heads, bytes_per_number
    )


@longest_text.mistake(
    "The vectors are left out. Each token keeps four of d_model numbers, and in short texts they outweigh the tables."
)
def longest_tables_only(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(
        budget,
        batch,
        n_layers,
        n_heads,
        d_model,
        bytes_per_number,
        vectors=0,
    )


@longest_text.mistake(
    "You count three vectors a token. The output is kept, too: query, key, value, output."
)
def longest_three_vectors(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(
        budget,
        batch,
        n_layers,
        n_heads,
        d_model,
        bytes_per_number,
        vectors=3,
    )


@longest_text.mistake(
    "You count one vector a token. Four are kept: query, key, value, output."
)
def longest_one_vector(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(
        budget,
        batch,
        n_layers,
        n_heads,
        d_model,
        bytes_per_number,
        vectors=1,
    )


@longest_text.mistake(
    "The tables are halved, as if the causal mask saved memory. Written out, a table has n × n numbers, hidden ones too."
)
def longest_half_a_table(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    def fits(n):
        numbers = n_heads * n * (n + 1) + 4 * n * d_model
        return batch * n_layers * numbers * bytes_per_number <= budget

    n = 0
    while fits(n + 1):
        n += 1
    return n


@longest_text.mistake(
    "The batch is left out: each of its texts has its own tables and vectors."
)
def longest_without_batch(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(budget, 1, n_layers, n_heads, d_model, bytes_per_number)


@longest_text.mistake(
    "The layers are left out: what each of them keeps stays until the backward pass."
)
def longest_without_layers(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(budget, batch, 1, n_heads, d_model, bytes_per_number)


@longest_text.mistake(
    "You count numbers, and the budget is in bytes: multiply by bytes_per_number."
)
def longest_in_numbers(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(budget, batch, n_layers, n_heads, d_model, 1)


VECTORS_TOO = "The batch, the layers or the bytes are counted for the tables but not for the vectors. Both are kept for each text and each layer."


@longest_text.mistake(VECTORS_TOO)
def longest_vectors_once(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    each = batch * n_layers * bytes_per_number
    return _longest(budget, 1, 1, each * n_heads, d_model, 1)


@longest_text.mistake(VECTORS_TOO)
def longest_vectors_once_in_bytes(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    each = batch * n_layers
    return _longest(budget, 1, 1, each * n_heads, d_model, bytes_per_number)


@longest_text.mistake(
    "The vectors are counted once for the whole text. Each of the n tokens has four of them: 4 · n · d_model numbers."
)
def longest_vectors_of_one_token(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    each = batch * n_layers * bytes_per_number
    return _longest(
        max(budget - 4 * d_model * each, 0),
        batch,
        n_layers,
        n_heads,
        d_model,
        bytes_per_number,
        vectors=0,
    )


@longest_text.mistake(
    "A table has n rows and n columns: it grows with the square of n, not with n."
)
def longest_linear(budget, batch, n_layers, n_heads, d_model, bytes_per_number):
    each = batch * n_layers * bytes_per_number
    return budget // (each * (2 * n_heads + 4 * d_model))


@longest_text.mistake(
    "You round to the nearest length. The next longer one does not fit: round down."
)
def longest_rounded(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return round(
        _longest_float(
            budget, batch, n_layers, n_heads, d_model, bytes_per_number
        )
    )


@longest_text.mistake(
    "You round up. The next longer one does not fit: round down."
)
def longest_rounded_up(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return math.ceil(
        _longest_float(
            budget, batch, n_layers, n_heads, d_model, bytes_per_number
        )
    )


@longest_text.mistake(
    "A length is a whole number: round down, and return an int."
)
def longest_float(budget, batch, n_layers, n_heads, d_model, bytes_per_number):
    return _longest_float(
        budget, batch, n_layers, n_heads, d_model, bytes_per_number
    )


@longest_text.mistake(
    "Right number, but a float: // of floats and math.floor of a torch number stay floats. Return an int."
)
def longest_whole_float(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return float(
        _longest(budget, batch, n_layers, n_heads, d_model, bytes_per_number)
    )


@longest_text.mistake(
    "Where not even one token fits, the answer is 0: begin to try with n = 1, and return what fitted last."
)
def longest_at_least_1(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return max(
        1,
        _longest(budget, batch, n_layers, n_heads, d_model, bytes_per_number),
    )


def _longest_float(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
) -> float:
    numbers = budget / (batch * n_layers * bytes_per_number)
    half = d_model / n_heads
    return math.sqrt(half**2 + numbers / (2 * n_heads)) - half


@longest_text.alternative
def longest_by_trying(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    n = 0
    while (
        _bytes(n + 1, batch, n_layers, n_heads, d_model, bytes_per_number)
        <= budget
    ):
        n += 1
    return n


@longest_text.alternative
def longest_by_bisection(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    return _longest(budget, batch, n_layers, n_heads, d_model, bytes_per_number)


@longest_text.alternative
def longest_by_formula(
    budget, batch, n_layers, n_heads, d_model, bytes_per_number
):
    sizes = (batch, n_layers, n_heads, d_model, bytes_per_number)
    n = int(_longest_float(budget, *sizes))
    while _bytes(n, *sizes) > budget:
        n -= 1
    while _bytes(n + 1, *sizes) <= budget:
        n += 1
    return n


# 3 ------------------------------------------------------------------------------------------------- attention


def attention_cases(rng: random.Random) -> Iterator[Call]:
    tensor = torch.tensor

    def seen(*rows):
        return tensor([list(rows)]).bool()

    q = tensor([[[2.0, 0.0, 0.0, 0.0]]])
    k = tensor([[[math.log(4), 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]])
    v = tensor([[[1.0, 0.0], [0.0, 1.0]]])
    yield Call("the example, all in sight", q, k, v, seen([1, 1]))
    yield Call("the best key is hidden", q, k, v, seen([0, 1]))
    yield Call(
        "scores of 0 that may be seen",
        tensor([[[1.0, 0.0], [0.0, 1.0]]]),
        tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]),
        tensor([[[4.0, 0.0], [0.0, 4.0], [8.0, 8.0]]]),
        seen([1, 1, 1], [1, 1, 0]),
    )
    yield Call(
        "a query that may look at nothing",
        tensor([[[1.0, 2.0], [1.0, 1.0]]]),
        tensor([[[1.0, 0.5], [0.5, 2.0]]]),
        tensor([[[3.0], [5.0]]]),
        seen([1, 1], [0, 0]),
    )
    yield Call(
        "a key that nobody may look at",
        tensor([[[1.0, 2.0, 1.0], [1.0, 1.0, -1.0]]]),
        tensor([[[1.0, 0.5, 1.0], [0.5, 2.0, 1.0], [-1.0, 0.5, 2.0]]]),
        tensor([[[3.0], [5.0], [-2.0]]]),
        seen([1, 0, 1], [1, 0, 1]),
    )
    yield Call(
        "values longer than keys",
        tensor([[[1.0, -1.0]]]),
        tensor([[[1.0, 0.5], [0.5, 1.0]]]),
        tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]]]),
        seen([1, 1]),
    )
    yield Call(
        "one key, which is always looked at",
        tensor([[[1.0, 1.0], [0.5, -1.0], [2.0, 0.25]]]),
        tensor([[[1.0, 0.5]]]),
        tensor([[[7.0, 3.0]]]),
        seen([1], [1], [1]),
    )
    yield Call(
        "a batch of two, each with its own mask",
        tensor([[[1.0, 2.0]], [[1.0, 2.0]]]),
        tensor([[[1.0, 1.0], [2.0, 0.5]]] * 2),
        tensor([[[1.0], [9.0]], [[1.0], [9.0]]]),
        tensor([[[1, 1]], [[0, 1]]]).bool(),
    )
    yield Call(
        "scores of 1000 and 995",
        tensor([[[40.0, 0.0, 0.0, 0.0]]]),
        tensor([[[50.0, 0.0, 0.0, 0.0], [49.75, 0.0, 0.0, 0.0]]]),
        tensor([[[2.0], [4.0]]]),
        seen([1, 1]),
    )
    yield Call(
        "scores of -1000 beside a hidden one",
        tensor([[[40.0, 0.0, 0.0, 0.0]]]),
        tensor([[[-50.0, 1.0, 0.0, 0.0], [1.0] * 4, [-50.0, 0.0, 1.0, 0.0]]]),
        tensor([[[2.0], [64.0], [4.0]]]),
        seen([1, 0, 1]),
    )
    yield Call(
        "scores of -150 beside a hidden one of -148",
        tensor([[[20.0, 0.0, 0.0, 0.0]]]),
        tensor(
            [
                [
                    [-15.0, 1.0, 0.0, 0.0],
                    [-14.8, 0.0, 0.0, 0.0],
                    [-15.0, 0.0, 1.0, 0.0],
                ]
            ]
        ),
        tensor([[[2.0], [64.0], [4.0]]]),
        seen([1, 0, 1]),
    )
    yield Call(
        "many numbers a head",
        tensor([[[0.5] * 16, [-0.25] * 16]]),
        tensor([[[1.0] * 16, [0.5] * 16, [0.25] * 16]]),
        tensor([[[1.0, 2.0], [0.0, 4.0], [3.0, 1.0]]]),
        seen([1, 1, 1], [1, 1, 0]),
    )
    half = torch.zeros(1, 2, 4, dtype=torch.float16)
    yield Call(
        "float16",
        half,
        half,
        tensor([[[1.0, 8.0], [3.0, 4.0]]], dtype=torch.float16),
        seen([1, 0], [1, 1]),
    )
    yield Call(
        "float16, and a query that may look at nothing",
        half,
        half,
        tensor([[[1.0, 8.0], [3.0, 4.0]]], dtype=torch.float16),
        seen([1, 1], [0, 0]),
    )
    while True:
        batch, n_queries, n_keys = (
            rng.randint(1, 2),
            rng.randint(1, 3),
            rng.randint(1, 4),
        )
        d_head, d_value = rng.choice([2, 3, 4, 8]), rng.randint(1, 3)
        yield Call(
            "random vectors",
            quarters(rng, batch, n_queries, d_head),
            quarters(rng, batch, n_keys, d_head),
            quarters(rng, batch, n_keys, d_value, largest=4.0),
            coins(rng, 0.7, batch, n_queries, n_keys),
        )


# torch's own, by which attention would be one call.
TORCH_HAS = (
    "scaled_dot_product_attention",
    "MultiheadAttention",
    "multi_head_attention_forward",
)

attention = Exercise(
    "attention",
    title="Repair the attention",
    points=3,
    minutes=30,
    cases=attention_cases,
    # Scores of up to 30 are known to 3e-6 in float32, and so are weights, relatively.
    compare=close(
        rtol=3e-5, atol=1e-5, why="float32 sums of a few products in any order"
    ),
    visible=26,
    refuse=TORCH_HAS,
)


def _scores(q, k, scale=None) -> Tensor:
    return q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)


def _attended(scores, v, mask, *, fill=-math.inf, clear=True):
    """Output and weights with what is hidden filled by `fill`; rows without a key are cleared at the end."""
    weights = scores.masked_fill(~mask, fill).softmax(-1)
    if clear:
        weights = weights.masked_fill(~mask, 0.0)
    return weights @ v, weights


ATTENTION_FAULTS = {
    "scale": "scores are divided by the *root* of d_head",
    "mask": "what is hidden is found by its score being 0, and so a score that is 0 by itself is hidden, too: ask the mask, ~mask",
    "axis": "the weights of each *query* add up to 1, so the softmax runs over the keys, dim=-1",
    "empty": "a softmax over nothing but -inf gives nan: a query that may look at nothing gets weights of 0",
}


def _with_attention_faults(left: tuple[str, ...]):
    def answer(q, k, v, mask):
        d_head = q.shape[-1]
        scores = q @ k.mT / (d_head if "scale" in left else math.sqrt(d_head))
        hidden = scores * mask == 0 if "mask" in left else ~mask
        scores = scores.masked_fill(hidden, -torch.inf)
        weights = scores.softmax(dim=-2 if "axis" in left else -1)
        if "empty" not in left:
            weights = weights.nan_to_num(0.0)
        return weights @ v, weights

    answer.__name__ = "attention_with_" + "_".join(left)
    return answer


# Who repairs some of the four is told which are left.
for _count, _number in (
    (4, "All four are"),
    (3, "Three are"),
    (2, "Two are"),
    (1, "One is"),
):
    for _left in itertools.combinations(ATTENTION_FAULTS, _count):
        _hint = (
            f"{_number} still there: "
            + "; ".join(ATTENTION_FAULTS[fault] for fault in _left)
            + "."
        )
        attention.mistake(_hint)(_with_attention_faults(_left))


@attention.mistake(
    "The mask comes after the softmax: what is left no longer adds up to 1. Hide before the softmax, with a score of -inf or the lowest number."
)
def attention_mask_after_softmax(q, k, v, mask):
    weights = _scores(q, k).softmax(-1) * mask
    return weights @ v, weights


@attention.mistake(
    "What is hidden gets the score 0, or nearly (multiplying by the mask does that, and so does 1e-9, which is not -1e9). But exp(0) is 1: it still gets weight. It should be as low as can be."
)
def attention_mask_times_score(q, k, v, mask):
    weights = (_scores(q, k) * mask).softmax(-1)
    return weights @ v, weights


@attention.mistake(
    "A hidden score becomes 0 before the softmax and its weight 0 behind it. In between it took its share: weights no longer add up to 1."
)
def attention_mask_times_score_and_after(q, k, v, mask):
    weights = (_scores(q, k) * mask).softmax(-1) * mask
    return weights @ v, weights


MASK_IGNORED = "The mask is not used at all (masked_fill without _ changes nothing: keep what it returns). Hide the scores where it is False, before the softmax"

# Who leaves the mask out may have mended the scale and the axis or not.
for _left in ((), ("scale",), ("axis",), ("scale", "axis")):

    def _wrong(q, k, v, mask, left=_left):
        scores = _scores(q, k, 1 / q.shape[-1] if "scale" in left else None)
        weights = scores.softmax(-2 if "axis" in left else -1)
        return weights @ v, weights

    _wrong.__name__ = "_".join(("attention_mask_ignored", *_left))
    attention.mistake(
        "; and ".join(
            [MASK_IGNORED, *(ATTENTION_FAULTS[fault] for fault in _left)]
        )
        + "."
    )(_wrong)


@attention.mistake(
    "The mask is not used at all, and neither is the scale. Scores are divided by the root of d_head, and hidden where the mask is False, before the softmax."
)
def attention_mask_and_scale_ignored(q, k, v, mask):
    weights = _scores(q, k, 1.0).softmax(-1)
    return weights @ v, weights


@attention.mistake(
    "You clear the queries that may look at nothing; for the others the mask is not used. Hide the scores where it is False, before the softmax."
)
def attention_only_empty_cleared(q, k, v, mask):
    some = mask.any(-1, keepdim=True)
    weights = _scores(q, k).softmax(-1) * some
    return weights @ v, weights


MASK_ADDED = "You add the mask to the scores (or take ~mask off). What may be seen then counts for 1 more than what is hidden, which still gets weight. Fill instead: masked_fill(~mask, ...)."


@attention.mistake(MASK_ADDED)
def attention_mask_added(q, k, v, mask):
    weights = (_scores(q, k) + mask).softmax(-1)
    return weights @ v, weights


@attention.mistake(
    "You add the mask to the scores, and what is hidden still takes its share in the softmax; set to 0 behind it, the rest no longer adds up to 1. Fill before it: masked_fill(~mask, ...)."
)
def attention_mask_added_and_after(q, k, v, mask):
    weights = (_scores(q, k) + mask).softmax(-1) * mask
    return weights @ v, weights


@attention.mistake(
    "You add ~mask to the scores, so what is hidden counts for 1 more than what may be seen. Fill instead: masked_fill(~mask, ...)."
)
def attention_inverted_mask_added(q, k, v, mask):
    weights = (_scores(q, k) + ~mask).softmax(-1)
    return weights @ v, weights


@attention.mistake(
    "You lift what may be seen by 1e9. A float of 1e9 has no room for the score beside it: all that may be seen weighs the same. Push down what is hidden instead: masked_fill(~mask, ...)."
)
def attention_lifted_by_1e9(q, k, v, mask):
    weights = (_scores(q, k) + mask * 1e9).softmax(-1)
    return weights @ v, weights


@attention.mistake(
    "The mask comes after the softmax, and only on the way to the output. What is left no longer adds up to 1, and the weights that you return are not masked. Hide the scores before the softmax."
)
def attention_masked_on_the_way(q, k, v, mask):
    weights = _scores(q, k).softmax(-1)
    return (weights * mask) @ v, weights


@attention.mistake(
    "Only the outputs of queries that may look at nothing are cleared; else the mask is not used. Hide the scores where it is False, before the softmax."
)
def attention_output_cleared(q, k, v, mask):
    weights = _scores(q, k).softmax(-1)
    return (weights @ v) * mask.any(-1, keepdim=True), weights


@attention.mistake(
    "You put the mask on the output, which has the numbers of a value where the mask has keys. Hide the scores, (batch, query, key), before the softmax."
)
def attention_output_masked(q, k, v, mask):
    weights = _scores(q, k).softmax(-1)
    return (weights @ v) * mask, weights


@attention.mistake(
    "The output is right, but the weights that you return are those without the mask. Return the ones that made the output."
)
def attention_weights_without_mask(q, k, v, mask):
    return _attended(_scores(q, k), v, mask)[0], _scores(q, k).softmax(-1)


@attention.mistake(
    "The output is right, but the weights of a query that may look at nothing are still spread evenly: clear them, too, before they are used."
)
def attention_even_in_weights(q, k, v, mask):
    low = torch.finfo(q.dtype).min
    output = _attended(_scores(q, k), v, mask)[0]
    return output, _attended(_scores(q, k), v, mask, fill=low, clear=False)[1]


LOW_AFTER = "What is hidden gets -inf, or a very low number, *after* the softmax. There it is a weight, by which values are multiplied. It belongs among the scores, before the softmax; the softmax makes 0 of it."


def _low_after(q, k, mask, low=-math.inf, scale=None) -> Tensor:
    return _scores(q, k, scale).softmax(-1).masked_fill(~mask, low)


@attention.mistake(LOW_AFTER)
def attention_inf_after(q, k, v, mask):
    weights = _low_after(q, k, mask)
    return weights @ v, weights


@attention.mistake(LOW_AFTER)
def attention_inf_after_without_nan(q, k, v, mask):
    weights = _low_after(q, k, mask).nan_to_num(0.0)
    return weights @ v, weights


@attention.mistake(LOW_AFTER)
def attention_inf_after_without_nan_at_the_end(q, k, v, mask):
    weights = _low_after(q, k, mask)
    return (weights @ v).nan_to_num(0.0), weights.nan_to_num(0.0)


@attention.mistake(LOW_AFTER)
def attention_inf_after_but_for_empty(q, k, v, mask):
    weights = _low_after(q, k, mask)
    weights = weights.masked_fill(~mask.any(-1, keepdim=True), 0.0)
    return weights @ v, weights


@attention.mistake(LOW_AFTER)
def attention_lowest_after(q, k, v, mask):
    weights = _low_after(q, k, mask, torch.finfo(q.dtype).min)
    return weights @ v, weights


@attention.mistake(LOW_AFTER)
def attention_minus_1e9_after(q, k, v, mask):
    weights = _low_after(q, k, mask, -1e9)
    return weights @ v, weights


@attention.mistake(
    "Two things. "
    + LOW_AFTER
    + " And the scores are divided by the *root* of d_head."
)
def attention_inf_after_scale_by_d(q, k, v, mask):
    weights = _low_after(q, k, mask, scale=1 / q.shape[-1])
    return weights @ v, weights


@attention.mistake(
    "There are two softmaxes, one before the mask and one behind it. One is enough: hide the scores, then take it."
)
def attention_two_softmaxes(q, k, v, mask):
    weights = _low_after(q, k, mask).softmax(-1).nan_to_num(0.0)
    return weights @ v, weights


RENORMALIZED = "The mask comes after the softmax, and what is left is divided by its sum. On paper that is right. But beside a hidden score that is far larger, all others have been rounded to 0: hide before the softmax."


def _renormalized(q, k, mask, least) -> Tensor:
    weights = _scores(q, k).softmax(-1) * mask
    return weights / weights.sum(-1, keepdim=True).clamp(min=least)


@attention.mistake(RENORMALIZED)
def attention_renormalized(q, k, v, mask):
    weights = _renormalized(q, k, mask, 1e-7)
    return weights @ v, weights


@attention.mistake(RENORMALIZED)
def attention_renormalized_too_small_for_half(q, k, v, mask):
    weights = _renormalized(q, k, mask, 1e-9)
    return weights @ v, weights


@attention.mistake(
    RENORMALIZED
    + " And a query that may look at nothing divides 0 by 0, which is nan."
)
def attention_renormalized_with_nan(q, k, v, mask):
    weights = _renormalized(q, k, mask, 0.0)
    return weights @ v, weights


@attention.mistake(
    "The output is right, but the weights of a query that may look at nothing are nan: clear them, too, before they are used."
)
def attention_nan_in_weights(q, k, v, mask):
    output, weights = _attended(_scores(q, k), v, mask, clear=False)
    return output.nan_to_num(0.0), weights


@attention.mistake(
    "The mask is the wrong way round. True = may look, so fill where it is False: masked_fill(~mask, ...)."
)
def attention_inverted(q, k, v, mask):
    return _attended(_scores(q, k), v, ~mask)


@attention.mistake(
    "The mask is the wrong way round (True = may look), and a query that may look at nothing gives nan."
)
def attention_inverted_with_nan(q, k, v, mask):
    return _attended(_scores(q, k), v, ~mask, clear=False)


EVEN = "A query that may look at nothing spreads its weight evenly over what is hidden: all its scores are equally low. Set the weights to 0 where the mask is False, once more behind the softmax."


@attention.mistake(EVEN)
def attention_even_for_nothing(q, k, v, mask):
    return _attended(
        _scores(q, k),
        v,
        mask,
        fill=torch.finfo(q.dtype).min,
        clear=False,
    )


@attention.mistake(EVEN)
def attention_even_for_nothing_at_minus_10000(q, k, v, mask):
    return _attended(_scores(q, k), v, mask, fill=-1e4, clear=False)


IN_HALF = "In float16 it fails. -1e9 does not fit: the lowest number is -65504, torch.finfo(scores.dtype).min. And a mask of float32 numbers makes the scores float32, which cannot be multiplied with float16 values."


@attention.mistake(IN_HALF)
def attention_too_low_for_half(q, k, v, mask):
    return _attended(_scores(q, k), v, mask, fill=-1e9)


@attention.mistake(
    "Two things. -1e9 does not fit into a float16: torch.finfo(scores.dtype).min does. And a query that may look at nothing spreads its weight evenly: clear it behind the softmax."
)
def attention_too_low_for_half_and_even(q, k, v, mask):
    return _attended(_scores(q, k), v, mask, fill=-1e9, clear=False)


IN_FLOAT32 = "Right numbers, but float16 comes back as float32 (adding a mask of float32 numbers does that, too). Return the type that came in: .to(q.dtype)."


@attention.mistake(IN_FLOAT32)
def attention_adds_minus_1e9(q, k, v, mask):
    scores = _scores(q, k).float() + (~mask).float() * -1e9
    weights = scores.softmax(-1) * mask
    return weights @ v.float(), weights


@attention.mistake(IN_FLOAT32)
def attention_in_float32(q, k, v, mask):
    return _attended(_scores(q.float(), k.float()), v.float(), mask)


@attention.mistake(
    "Right numbers, but in float64: return the type that came in, with .to(q.dtype)."
)
def attention_in_float64(q, k, v, mask):
    return _attended(_scores(q.double(), k.double()), v.double(), mask)


@attention.mistake(
    "-100 is not low enough: a score that may be seen can lie below it, and then the hidden place wins. Use torch.finfo(scores.dtype).min, or -inf."
)
def attention_minus_100(q, k, v, mask):
    return _attended(_scores(q, k), v, mask, fill=-100.0)


@attention.mistake(
    "exp(1000) is infinite, and infinity / infinity is nan. Take the largest score of a row off first, or let softmax do it."
)
def attention_exp_by_hand(q, k, v, mask):
    grown = torch.exp(_scores(q, k)) * mask
    total = grown.sum(-1, keepdim=True)
    weights = grown / torch.where(total == 0, 1.0, total).to(q.dtype)
    return weights @ v, weights


@attention.mistake(
    "exp(1000) is infinite, and infinity / infinity is nan; and a query that may look at nothing divides 0 by 0. Let softmax do it, and clear such rows."
)
def attention_exp_by_hand_with_nan(q, k, v, mask):
    grown = torch.exp(_scores(q, k)) * mask
    weights = grown / grown.sum(-1, keepdim=True)
    return weights @ v, weights


@attention.mistake(
    "exp(1000) is infinite, and infinity / infinity is nan, which you then turn into 0. Take the largest score of a row off first, or let softmax do it."
)
def attention_exp_by_hand_then_0(q, k, v, mask):
    grown = torch.exp(_scores(q, k)) * mask
    weights = (grown / grown.sum(-1, keepdim=True)).nan_to_num(0.0)
    return weights @ v, weights


@attention.mistake(
    "In float16, 1e9 is infinite, and 0 times infinity is nan, so adding (mask - 1) * 1e9 breaks. Fill instead: masked_fill(~mask, torch.finfo(scores.dtype).min)."
)
def attention_adds_in_half(q, k, v, mask):
    scores = _scores(q, k) + (mask.to(q.dtype) - 1) * 1e9
    weights = scores.softmax(-1) * mask
    return weights @ v, weights


@attention.mistake(
    "As soon as one query may look at nothing, you clear the weights of all. Clear that row only."
)
def attention_clears_all(q, k, v, mask):
    output, weights = _attended(_scores(q, k), v, mask)
    some_empty = not bool(mask.any(-1).all())
    return (output * 0, weights * 0) if some_empty else (output, weights)


@attention.mistake(
    "Two things. A query that may look at nothing spreads its weight evenly: clear it behind the softmax. And float16 comes back as float32: .to(q.dtype)."
)
def attention_even_in_float32(q, k, v, mask):
    return _attended(
        _scores(q.float(), k.float()), v.float(), mask, fill=-1e9, clear=False
    )


@attention.mistake(
    "The weights are applied to the keys. Keys are there to be found; what is handed over are the values."
)
def attention_of_keys(q, k, v, mask):
    return _attended(_scores(q, k), k, mask)


@attention.mistake(
    "Keys and values are swapped: the query is held against the keys, and the weights mix the values."
)
def attention_keys_and_values_swapped(q, k, v, mask):
    return _attended(_scores(q, v), k, mask)


for _left in (("scale",), ("axis",), ("scale", "axis")):

    def _wrong(q, k, v, mask, left=_left):
        d_head = q.shape[-1]
        scores = q @ k.mT / (d_head if "scale" in left else math.sqrt(d_head))
        scores = scores.masked_fill(~mask, -1e9)
        weights = scores.softmax(dim=-2 if "axis" in left else -1)
        return weights @ v, weights

    _wrong.__name__ = "attention_at_minus_1e9_with_" + "_".join(_left)
    attention.mistake(
        "Still there: "
        + "; ".join(ATTENTION_FAULTS[fault] for fault in _left)
        + ". And -1e9 hides well but for two cases: it does not fit into a float16, and a query that may look at nothing spreads its weight evenly."
    )(_wrong)


# Who mends the scale in a wrong way may have mended the last fault or not.
for _way, _scale, _hint in (
    (
        "without_scale",
        lambda q, k, v: 1.0,
        "The scale is gone altogether. Scores are divided by the root of d_head",
    ),
    (
        "times_root",
        lambda q, k, v: q.shape[-1] ** 0.5,
        "You multiply by the root of d_head. The scores should become smaller: divide",
    ),
    (
        "scaled_by_keys",
        lambda q, k, v: k.shape[1] ** -0.5,
        "The root is that of the number of keys. It should be that of d_head, over which the dot product adds up: q.shape[-1]",
    ),
    (
        "scaled_by_d_value",
        lambda q, k, v: v.shape[-1] ** -0.5,
        "The root is that of the length of the values. It should be that of d_head, over which the dot product adds up: q.shape[-1]",
    ),
    (
        "scaled_by_queries",
        lambda q, k, v: q.shape[1] ** -0.5,
        "The root is that of the number of queries. It should be that of d_head, over which the dot product adds up: q.shape[-1]",
    ),
):
    for _clear, _rest in (
        (True, "."),
        (False, "; and a query that may look at nothing gives nan."),
    ):

        def _wrong(q, k, v, mask, scale=_scale, clear=_clear):
            return _attended(
                _scores(q, k, scale(q, k, v)), v, mask, clear=clear
            )

        _wrong.__name__ = f"attention_{_way}" + ("" if _clear else "_with_nan")
        attention.mistake(_hint + _rest)(_wrong)


@attention.mistake(
    "The scale stands behind the softmax and shrinks the weights. It belongs on the scores."
)
def attention_scaled_behind(q, k, v, mask):
    _, weights = _attended(_scores(q, k, 1.0), v, mask)
    weights = weights * q.shape[-1] ** -0.5
    return weights @ v, weights


@attention.mistake(
    "The softmax runs over the batch, dim=0. The weights of each query add up to 1: over the keys, dim=-1."
)
def attention_over_batch(q, k, v, mask):
    scores = _scores(q, k).masked_fill(~mask, torch.finfo(q.dtype).min)
    weights = scores.softmax(0).masked_fill(~mask, 0)
    return weights @ v, weights


@attention.mistake(
    "Right numbers in the wrong order: first the output, then the weights."
)
def attention_order(q, k, v, mask):
    return _attended(_scores(q, k), v, mask)[::-1]


@attention.mistake("The weights are asked for as well: return output, weights.")
def attention_output_only(q, k, v, mask):
    return _attended(_scores(q, k), v, mask)[0]


@attention.mistake(
    "The scores come back where the weights should: return what the softmax gave."
)
def attention_returns_scores(q, k, v, mask):
    scores = _scores(q, k)
    return _attended(scores, v, mask)[0], scores


@attention.mistake(
    "You changed the tensors that were passed in (/=, *= and masked_fill_ work in place). The caller still needs them."
)
def attention_in_place(q, k, v, mask):
    result = _attended(_scores(q, k), v, mask)
    q += 1  # whatever the values, something has changed
    return result


@attention.alternative
def attention_clears_nan(q, k, v, mask):
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(1, 2)
    weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), 2)
    weights = torch.nan_to_num(weights, 0.0)
    return weights @ v, weights


@attention.alternative
def attention_by_einsum(q, k, v, mask):
    scores = torch.einsum("bqd,bkd->bqk", q.double(), k.double())
    scores = torch.where(mask, scores / math.sqrt(q.shape[-1]), -math.inf)
    top = scores.amax(-1, keepdim=True).clamp(min=-1e30)
    grown = torch.exp(scores - top)
    weights = grown / grown.sum(-1, keepdim=True).clamp(min=1e-30)
    output = torch.einsum("bqk,bkd->bqd", weights, v.double())
    return output.to(q.dtype), weights.to(q.dtype)


@attention.alternative
def attention_by_loops(q, k, v, mask):
    output = torch.zeros(q.shape[0], q.shape[1], v.shape[2], dtype=q.dtype)
    weights = torch.zeros(mask.shape, dtype=q.dtype)
    for b, i in itertools.product(range(q.shape[0]), range(q.shape[1])):
        places = [j for j in range(k.shape[1]) if mask[b, i, j]]
        if not places:
            continue
        scores = [
            float(q[b, i] @ k[b, j]) / math.sqrt(q.shape[2]) for j in places
        ]
        grown = [math.exp(s - max(scores)) for s in scores]
        for j, x in zip(places, grown, strict=True):
            weights[b, i, j] = x / sum(grown)
            output[b, i] += x / sum(grown) * v[b, j]
    return output, weights


@attention.alternative
def attention_by_numpy(q, k, v, mask):
    a, b, c = (x.double().numpy() for x in (q, k, v))
    scores = a @ b.transpose(0, 2, 1) / np.sqrt(a.shape[-1])
    scores = np.where(mask.numpy(), scores, -1e30)
    weights = np.exp(scores - scores.max(-1, keepdims=True)) * mask.numpy()
    weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-30)
    return (
        torch.from_numpy(weights @ c).to(q.dtype),
        torch.from_numpy(weights).to(q.dtype),
    )


# 4 ----------------------------------------------------------------------------------------------- packed_mask


def packed_cases(rng: random.Random) -> Iterator[Call]:
    def ids(*rows):
        return torch.tensor(rows, dtype=torch.int64)

    yield Call("two texts and filling on the right", ids([7, 7, 3, 0]))
    yield Call("one text alone", ids([1, 1, 1]))
    yield Call("one token", ids([4]))
    yield Call("filling on the left", ids([0, 0, 5, 5, 5]))
    yield Call("nothing but filling", ids([0, 0, 0]))
    yield Call("numbers that rise", ids([1, 1, 2, 2, 3]))
    yield Call("numbers that fall", ids([9, 9, 4, 4]))
    yield Call("filling between two texts", ids([2, 2, 0, 0, 1, 1]))
    yield Call("each row has its own texts", ids([1, 1, 2, 2], [1, 2, 2, 2]))
    yield Call(
        "one row padded on the left, one on the right",
        ids([0, 0, 6, 6], [6, 6, 0, 0]),
    )
    yield Call("texts of one token", ids([3, 1, 2]))
    yield Call("large numbers", ids([1000, 1000, 0, 999, 999, 999]))
    while True:
        batch, time = rng.randint(1, 3), rng.randint(1, 7)
        rows = []
        for _ in range(batch):
            row, names = [], rng.sample(range(1, 30), time)
            while len(row) < time:
                name = 0 if rng.random() < 0.25 else names.pop()
                row += [name] * rng.randint(1, 3)
            rows.append(row[:time])
        yield Call("random texts", ids(*rows))


packed_mask = Exercise(
    "packed_mask",
    title="Several texts in one row",
    points=3,
    minutes=30,
    cases=packed_cases,
    visible=22,
)


def _pairs(text_ids):
    """Same text, not later, real query, itself: the parts of the mask, to be combined."""
    time = text_ids.shape[1]
    same = text_ids[:, :, None] == text_ids[:, None, :]
    earlier = torch.ones(time, time, dtype=torch.bool).tril().expand_as(same)
    real = (text_ids != 0)[:, :, None].expand_as(same)
    itself = torch.eye(time, dtype=torch.bool).expand_as(same)
    return same, earlier, real, itself


def _packed(text_ids) -> Tensor:
    same, earlier, real, itself = _pairs(text_ids)
    return same & earlier & real | itself


def _places(text_ids) -> Tensor:
    return _packed(text_ids).sum(-1) - 1


@packed_mask.mistake(
    "Tokens look ahead inside their text. A token sees itself and the *earlier* ones: keep what is on and below the diagonal (tril)."
)
def packed_not_causal(text_ids):
    same, _, real, itself = _pairs(text_ids)
    return same & real | itself, _places(text_ids)


ONE_TEXT = "A text can read the ones before it in the row: the causal mask alone does not part them. Compare the numbers of query and key."


@packed_mask.mistake(ONE_TEXT)
def packed_one_text(text_ids):
    _, earlier, real, itself = _pairs(text_ids)
    return earlier & real & real.mT | itself, _places(text_ids)


@packed_mask.mistake(ONE_TEXT)
def packed_one_text_with_filling(text_ids):
    return _pairs(text_ids)[1], _places(text_ids)


@packed_mask.mistake(ONE_TEXT)
def packed_one_text_with_filling_hidden(text_ids):
    _, earlier, real, _ = _pairs(text_ids)
    return earlier & real.mT, _places(text_ids)


@packed_mask.mistake(
    "Each text can read the ones whose numbers are lower. The numbers are names, without an order: the same number, ==, and not <=."
)
def packed_by_order(text_ids):
    _, earlier, real, itself = _pairs(text_ids)
    lower = text_ids[:, None, :] <= text_ids[:, :, None]
    return (
        lower & earlier & real & real.mT | itself,
        _places(text_ids),
    )


@packed_mask.mistake(
    "Filling looks at filling: 0 equals 0, but it is not a text. Each place of filling looks at itself alone."
)
def packed_filling_is_a_text(text_ids):
    same, earlier, *_ = _pairs(text_ids)
    return same & earlier, _places(text_ids)


@packed_mask.mistake(
    "Filling is taken for a text called 0, in the mask and in the positions. It looks at itself alone, and its position is 0."
)
def packed_filling_is_a_text_with_places(text_ids):
    same, earlier, *_ = _pairs(text_ids)
    return same & earlier, (same & earlier).sum(-1) - 1


@packed_mask.mistake(
    "Filling may look at nothing in yours, and a softmax over nothing is nan in many libraries. Give it itself: put the diagonal back."
)
def packed_filling_sees_nothing(text_ids):
    same, earlier, real, _ = _pairs(text_ids)
    return same & earlier & real, _places(text_ids)


@packed_mask.mistake(
    "Filling may look at nothing in yours: give it itself, put the diagonal back. And in the positions it is counted like a text: it gets 0."
)
def packed_filling_sees_nothing_and_counts(text_ids):
    same, earlier, real, _ = _pairs(text_ids)
    return same & earlier & real, (same & earlier).sum(-1) - 1


@packed_mask.mistake(
    "Two things. Filling is taken for a text called 0: it looks at itself alone. And your positions are those in the row: each text starts again at 0, and filling gets 0."
)
def packed_filling_is_a_text_and_places_in_the_row(text_ids):
    same, earlier, *_ = _pairs(text_ids)
    places = torch.arange(text_ids.shape[1]).repeat(len(text_ids), 1)
    return same & earlier, places


@packed_mask.mistake(
    "Filling looks at tokens of texts. It looks at itself alone."
)
def packed_filling_sees_all(text_ids):
    same, earlier, real, itself = _pairs(text_ids)
    return (
        same & earlier & real | ~real & real.mT & earlier | itself,
        _places(text_ids),
    )


@packed_mask.mistake(
    "Filling may look at nothing in yours, and so its position comes out as -1. Put the diagonal back: each place of filling looks at itself alone, and its position is 0."
)
def packed_filling_sees_nothing_at_minus_1(text_ids):
    same, earlier, real, _ = _pairs(text_ids)
    mask = same & earlier & real
    return mask, mask.sum(-1) - 1


@packed_mask.mistake(
    "Filling looks at the whole row. It looks at itself alone."
)
def packed_filling_sees_the_row(text_ids):
    same, earlier, real, _ = _pairs(text_ids)
    return same & earlier & real | ~real, _places(text_ids)


@packed_mask.mistake(
    "Everybody looks at filling. Nobody does but that place of filling itself: the diagonal only."
)
def packed_filling_seen_by_all(text_ids):
    same, earlier, real, _ = _pairs(text_ids)
    return same & earlier & real | ~real.mT, _places(text_ids)


@packed_mask.mistake(
    "Tokens of texts look at the filling before them. Nobody looks at filling but itself."
)
def packed_filling_seen_later(text_ids):
    same, earlier, real, itself = _pairs(text_ids)
    return (
        (same | ~real.mT) & earlier & real | itself,
        _places(text_ids),
    )


@packed_mask.mistake(
    "The diagonal is lost: a token may look at itself, too. tril() keeps it; tril(-1) and < do not."
)
def packed_without_itself(text_ids):
    same, earlier, real, itself = _pairs(text_ids)
    return same & earlier & real & ~itself, _places(text_ids)


@packed_mask.mistake(
    "The diagonal is lost for tokens of texts: they may look at themselves, too."
)
def packed_without_itself_in_texts(text_ids):
    same, earlier, real, itself = _pairs(text_ids)
    return (
        same & earlier & real & ~itself | ~real & itself,
        _places(text_ids),
    )


@packed_mask.mistake(
    "Rows and columns are exchanged: the query is the row, so what may be seen lies on the diagonal and *left* of it (tril, not triu)."
)
def packed_transposed(text_ids):
    return _packed(text_ids).mT, _places(text_ids)


@packed_mask.mistake(
    "The mask is the wrong way round. Here True = may look, as in scaled_dot_product_attention; in torch.nn.MultiheadAttention it is the other way."
)
def packed_inverted(text_ids):
    return ~_packed(text_ids), _places(text_ids)


@packed_mask.mistake(
    "Right pattern, but as numbers 0 and 1: a mask of numbers would be added to the scores. Return bool."
)
def packed_as_numbers(text_ids):
    return _packed(text_ids).long(), _places(text_ids)


@packed_mask.mistake(
    "Right pattern, but as floats: a mask of numbers would be added to the scores. Return bool."
)
def packed_as_floats(text_ids):
    return _packed(text_ids).float(), _places(text_ids)


@packed_mask.mistake(
    "You return what is to be added to the scores, 0 and -inf. Asked for is the boolean mask, True = may look."
)
def packed_additive(text_ids):
    zero = torch.zeros(_packed(text_ids).shape)
    return zero.masked_fill(~_packed(text_ids), -math.inf), _places(text_ids)


@packed_mask.mistake(
    "The mask is right. Your positions run on through the row: each text starts again at 0."
)
def packed_places_in_the_row(text_ids):
    places = torch.arange(text_ids.shape[1]).expand_as(text_ids)
    return _packed(text_ids), places * (text_ids != 0)


@packed_mask.mistake(
    "The mask is right. Your positions are those in the row: each text starts again at 0, and filling gets 0."
)
def packed_places_in_the_row_with_filling(text_ids):
    places = torch.arange(text_ids.shape[1]).repeat(len(text_ids), 1)
    return _packed(text_ids), places


BY_CUMSUM = "The mask is right. Your positions count the tokens of the whole row, as cumsum does: each text starts again at 0, and filling gets 0."


@packed_mask.mistake(BY_CUMSUM)
def packed_places_by_cumsum(text_ids):
    real = (text_ids != 0).long()
    return _packed(text_ids), (real.cumsum(1) - 1).clamp(min=0) * real


@packed_mask.mistake(BY_CUMSUM)
def packed_places_by_cumsum_with_filling(text_ids):
    return _packed(text_ids), (text_ids != 0).cumsum(1) - 1


@packed_mask.mistake(
    "The mask is right. Positions are counted from 1 in yours: the first token of a text has position 0."
)
def packed_places_from_1(text_ids):
    return _packed(text_ids), (_places(text_ids) + 1) * (text_ids != 0)


@packed_mask.mistake(
    "The mask is right. Positions are counted from 1 in yours, for filling, too: each text starts with 0, and filling gets 0."
)
def packed_places_from_1_with_filling(text_ids):
    return _packed(text_ids), _places(text_ids) + 1


@packed_mask.mistake(
    "The mask is right. In the positions, filling is counted like a text: it gets 0 everywhere."
)
def packed_places_count_filling(text_ids):
    same, earlier, *_ = _pairs(text_ids)
    return _packed(text_ids), (same & earlier).sum(-1) - 1


@packed_mask.mistake(
    "The mask is right. Filling gets position -1 in yours: set it to 0."
)
def packed_places_minus_1(text_ids):
    return (
        _packed(text_ids),
        torch.where(text_ids == 0, -1, _places(text_ids)),
    )


NOT_INT64 = (
    "Right positions, but not as int64: they are looked up in a table later."
)


@packed_mask.mistake(NOT_INT64)
def packed_places_as_int32(text_ids):
    return _packed(text_ids), _places(text_ids).int()


@packed_mask.mistake(NOT_INT64)
def packed_places_as_floats(text_ids):
    return _packed(text_ids), _places(text_ids).float()


@packed_mask.mistake(
    "Your mask has an axis for the heads. Asked for is (batch, time, time)."
)
def packed_axis_for_heads(text_ids):
    return _packed(text_ids)[:, None], _places(text_ids)


@packed_mask.mistake("Only the mask comes back. Return mask, positions.")
def packed_mask_only(text_ids):
    return _packed(text_ids)


@packed_mask.mistake(
    "All rows get the mask of the first one. Each row of the batch has its own texts."
)
def packed_first_row(text_ids):
    first = text_ids[:1].expand_as(text_ids)
    return _packed(first), _places(first)


@packed_mask.alternative
def packed_by_loops(text_ids):
    batch, time = text_ids.shape
    mask = torch.zeros(batch, time, time, dtype=torch.bool)
    positions = torch.zeros(batch, time, dtype=torch.int64)
    for b, row in enumerate(text_ids.tolist()):
        for i, name in enumerate(row):
            mask[b, i, i] = True
            if name and i and row[i - 1] == name:
                positions[b, i] = positions[b, i - 1] + 1
                mask[b, i, :i] = mask[b, i - 1, :i]
    return mask, positions


@packed_mask.alternative
def packed_by_starts(text_ids):
    """A text starts where the number changes; filling starts anew at each place."""
    time = text_ids.shape[1]
    places = torch.arange(time).expand_as(text_ids)
    before = torch.cat([torch.zeros_like(text_ids[:, :1]), text_ids], 1)[:, :-1]
    new = (text_ids != before) | (text_ids == 0)
    start = torch.where(new, places, 0).cummax(1).values
    mask = (places[:, None, :] >= start[:, :, None]) & (
        places[:, None, :] <= places[:, :, None]
    )
    return mask, places - start


@packed_mask.alternative
def packed_by_numpy(text_ids):
    ids = text_ids.numpy()
    i, j = np.indices((ids.shape[1],) * 2)
    same = (ids[:, :, None] == ids[:, None, :]) & (ids[:, :, None] > 0)
    mask = (same & (j <= i)) | (i == j)
    return torch.from_numpy(mask), torch.from_numpy(mask.sum(-1) - 1)


# 5 -------------------------------------------------------------------------------------- write_with_attention


def _decoder(rng, batch, steps, source, d_in, d_state, d_memory, d_attention):
    """Random arguments; each source has at least one word."""
    mask = coins(rng, 0.7, batch, source)
    mask[torch.arange(batch), [rng.randrange(source) for _ in range(batch)]] = (
        True
    )
    return (
        quarters(rng, batch, steps, d_in),
        quarters(rng, batch, d_state, largest=1.0),
        quarters(rng, batch, source, d_memory),
        mask,
        quarters(rng, d_attention, d_state, largest=1.0),
        quarters(rng, d_attention, d_memory, largest=1.0),
        quarters(rng, d_attention, largest=1.5),
        quarters(rng, d_state, d_in, largest=0.5),
        quarters(rng, d_state, d_state, largest=0.5),
        quarters(rng, d_state, d_memory, largest=0.5),
    )


def write_cases(rng: random.Random) -> Iterator[Call]:
    tensor = torch.tensor
    one = tensor([[1.0]])
    ones = (one, one, tensor([1.0]), one, one, one)
    yield Call(
        "the example, two steps",
        torch.zeros(1, 2, 1),
        torch.zeros(1, 1),
        tensor([[[1.0], [-1.0]]]),
        tensor([[True, True]]),
        *ones,
    )
    yield Call(
        "one step",
        torch.zeros(1, 1, 1),
        tensor([[0.5]]),
        tensor([[[1.0], [-1.0], [2.0]]]),
        tensor([[True, True, True]]),
        *ones,
    )
    yield Call(
        "filling behind the source",
        torch.zeros(1, 2, 1),
        tensor([[0.25]]),
        tensor([[[1.0], [-1.0], [4.0]]]),
        tensor([[True, True, False]]),
        *ones,
    )
    yield Call(
        "filling before the source",
        torch.zeros(1, 2, 1),
        tensor([[0.25]]),
        tensor([[[4.0], [1.0], [-1.0]]]),
        tensor([[False, True, True]]),
        *ones,
    )
    yield Call(
        "a source of one word",
        tensor([[[0.5], [-0.5]]]),
        torch.zeros(1, 1),
        tensor([[[2.0], [3.0]]]),
        tensor([[False, True]]),
        *ones,
    )
    yield Call(
        "the inputs count",
        tensor([[[1.0], [-1.0], [0.5]]]),
        torch.zeros(1, 1),
        tensor([[[1.0], [-1.0]]]),
        tensor([[True, True]]),
        *ones,
    )
    yield Call("all sizes equal", *_decoder(rng, 2, 2, 2, 2, 2, 2, 2))
    yield Call("all sizes different", *_decoder(rng, 2, 3, 4, 1, 2, 3, 5))
    yield Call("the matrices are square", *_decoder(rng, 1, 3, 3, 2, 2, 2, 2))
    yield Call("a batch of three", *_decoder(rng, 3, 2, 3, 2, 3, 2, 3))
    yield Call("many steps", *_decoder(rng, 1, 6, 3, 2, 2, 2, 2))
    while True:
        d = rng.randint(1, 3)
        sizes = [d if rng.random() < 0.6 else rng.randint(1, 3) for _ in "abcd"]
        yield Call(
            "random numbers",
            *_decoder(
                rng,
                rng.randint(1, 3),
                rng.randint(1, 4),
                rng.randint(1, 4),
                *sizes,
            ),
        )


write_with_attention = Exercise(
    "write_with_attention",
    title="Looking back while writing",
    points=3,
    minutes=40,
    cases=write_cases,
    compare=close(
        rtol=1e-4,
        atol=2e-5,
        why="float32 sums in any order, handed on through a few steps",
    ),
    visible=22,
)


def _look(
    state,
    memory,
    mask,
    W,
    U,
    v,
    *,
    bend=torch.tanh,
    fill=-math.inf,
    dim=-1,
    after=False,
):
    """Weights (batch, source) for one state; the mistakes differ in the parts."""
    scores = bend((state @ W.T)[:, None] + memory @ U.T) @ v
    if after:
        return scores.softmax(dim) * mask
    return scores.masked_fill(~mask, fill).softmax(dim)


def _mix(weights, memory) -> Tensor:
    return (weights[:, :, None] * memory).sum(1)


def _loop(
    inputs,
    state,
    memory,
    mask,
    W,
    U,
    v,
    A,
    B,
    C,
    *,
    look=_look,
    bend=torch.tanh,
    mix=_mix,
    asks=lambda first, now: now,
):
    first, states, weights = state, [], []
    for x in inputs.unbind(1):
        w = look(asks(first, state), memory, mask, W, U, v)
        state = bend(x @ A.T + state @ B.T + mix(w, memory) @ C.T)
        states.append(state)
        weights.append(w)
    return torch.stack(states, 1), torch.stack(weights, 1)


@write_with_attention.mistake(
    "The tanh of the score is missing. Without it W s adds the same to the scores of all places, and the weights are the same at each step."
)
def write_without_tanh_in_score(*args):
    return _loop(*args, look=lambda *a: _look(*a, bend=lambda x: x))


@write_with_attention.mistake(
    "The tanh of the score stands outside of v. It bends each number of the hidden layer first: v · tanh(...), not tanh(v · ...)."
)
def write_tanh_outside(*args):
    def look(state, memory, mask, W, U, v):
        scores = torch.tanh(((state @ W.T)[:, None] + memory @ U.T) @ v)
        return scores.masked_fill(~mask, -math.inf).softmax(-1)

    return _loop(*args, look=look)


@write_with_attention.mistake(
    "The tanh is taken of W s and of U h apart. It is taken of their sum: only so do they act on each other."
)
def write_tanh_of_each(*args):
    def look(state, memory, mask, W, U, v):
        hidden = torch.tanh(state @ W.T)[:, None] + torch.tanh(memory @ U.T)
        return (hidden @ v).masked_fill(~mask, -math.inf).softmax(-1)

    return _loop(*args, look=look)


@write_with_attention.mistake(
    "The tanh of the new state is missing: s = tanh(A x + B s + C c)."
)
def write_without_tanh_in_state(*args):
    return _loop(*args, bend=lambda x: x)


@write_with_attention.mistake(
    "Both tanh are missing, that of the score and that of the new state."
)
def write_without_any_tanh(*args):
    return _loop(
        *args,
        look=lambda *a: _look(*a, bend=lambda x: x),
        bend=lambda x: x,
    )


@write_with_attention.mistake(
    "Filling takes part: the mask is not used. Give hidden places the score -inf before the softmax."
)
def write_padding_attended(*args):
    return _loop(*args[:3], torch.ones_like(args[3]), *args[4:])


@write_with_attention.mistake(
    "The mask comes after the softmax: the weights of the words no longer add up to 1."
)
def write_mask_after_softmax(*args):
    return _loop(*args, look=lambda *a: _look(*a, after=True))


@write_with_attention.mistake(
    "The scores of filling become 0, and exp(0) is 1: it still gets weight. Give it the score -inf."
)
def write_mask_as_score_0(*args):
    return _loop(*args, look=lambda *a: _look(*a, fill=0.0))


@write_with_attention.mistake(
    "The mask is the wrong way round. True = there is a word; what is False gets the score -inf."
)
def write_mask_inverted(*args):
    return _loop(*args[:3], ~args[3], *args[4:])


@write_with_attention.mistake(
    "The mask is the wrong way round. True = there is a word; what is False gets the low score: masked_fill(~mask, ...)."
)
def write_mask_inverted_at_minus_1e9(*args):
    return _loop(
        *args[:3],
        ~args[3],
        *args[4:],
        look=lambda *a: _look(*a, fill=-1e9),
    )


@write_with_attention.mistake(
    "You set the memory of filling to 0. Its score is then v · tanh(W s), not -inf, so it still gets weight. Hide the scores."
)
def write_memory_set_to_0(*args):
    inputs, state, memory, mask, *matrices = args
    memory = memory * mask[:, :, None]
    return _loop(inputs, state, memory, torch.ones_like(mask), *matrices)


@write_with_attention.mistake(
    "You divide the scores by a root. Additive scores are not scaled: their size does not grow as that of dot products does, since tanh lies between -1 and 1."
)
def write_scaled(*args):
    return _loop(*args[:6], args[6] / math.sqrt(len(args[6])), *args[7:])


@write_with_attention.mistake(
    "You take the mean of w h over the source, and so divide by its length once more. The weights add up to 1 already: sum(1)."
)
def write_mean_of_products(*args):
    return _loop(*args, mix=lambda w, memory: (w[:, :, None] * memory).mean(1))


@write_with_attention.mistake(
    "You make two steps of one: a state without the context asks, and then the context is added to it. In Bahdanau's decoder the state *before* the step asks, and A x, B s and C c go into one tanh."
)
def write_in_two_steps(inputs, state, memory, mask, W, U, v, A, B, C):
    states, weights = [], []
    for x in inputs.unbind(1):
        state = torch.tanh(x @ A.T + state @ B.T)
        w = _look(state, memory, mask, W, U, v)
        state = torch.tanh(state + _mix(w, memory) @ C.T)
        states.append(state)
        weights.append(w)
    return torch.stack(states, 1), torch.stack(weights, 1)


@write_with_attention.mistake(
    "The first state asks at every step, or one context serves for all of them. Look anew at each step, with the state that the step before has made."
)
def write_first_state_asks(*args):
    return _loop(*args, asks=lambda first, now: first)


@write_with_attention.mistake(
    "The state that enters a step is always the first one. Put the new state in its place at the end of the loop."
)
def write_state_not_renewed(*args):
    inputs, state = args[:2]
    parts = [_loop(x[:, None], state, *args[2:]) for x in inputs.unbind(1)]
    return (
        torch.cat([p[0] for p in parts], 1),
        torch.cat([p[1] for p in parts], 1),
    )


@write_with_attention.mistake(
    "The context comes from the wrong step: you make the new state with the last context, and look afterwards. Look first, with the state before; what is found goes into the same step."
)
def write_context_of_the_step_before(
    inputs, state, memory, mask, W, U, v, A, B, C
):
    context = torch.zeros(len(memory), memory.shape[2])
    states, weights = [], []
    for x in inputs.unbind(1):
        state = torch.tanh(x @ A.T + state @ B.T + context @ C.T)
        w = _look(state, memory, mask, W, U, v)
        context = _mix(w, memory)
        states.append(state)
        weights.append(w)
    return torch.stack(states, 1), torch.stack(weights, 1)


@write_with_attention.mistake(
    "That is Luong's order: a step without context first, then the look, with the new state. In Bahdanau's, the state *before* the step asks."
)
def write_as_luong(inputs, state, memory, mask, W, U, v, A, B, C):
    states, weights = [], []
    for x in inputs.unbind(1):
        plain = torch.tanh(x @ A.T + state @ B.T)
        w = _look(plain, memory, mask, W, U, v)
        state = torch.tanh(x @ A.T + state @ B.T + _mix(w, memory) @ C.T)
        states.append(state)
        weights.append(w)
    return torch.stack(states, 1), torch.stack(weights, 1)


@write_with_attention.mistake(
    "The context is not used: C c is missing from the new state."
)
def write_without_context(*args):
    return _loop(*args[:9], torch.zeros_like(args[9]))


@write_with_attention.mistake("The old state is missing from the new one: B s.")
def write_without_old_state(*args):
    return _loop(*args[:8], torch.zeros_like(args[8]), args[9])


@write_with_attention.mistake("The input is missing from the new state: A x.")
def write_without_input(*args):
    return _loop(*args[:7], torch.zeros_like(args[7]), *args[8:])


@write_with_attention.mistake(
    "The context mixes the keys, U h. The mean is taken of the memory itself: c = Σ w h."
)
def write_mixes_keys(*args):
    return _loop(*args, mix=lambda w, memory: _mix(w, memory @ args[5].T))


@write_with_attention.mistake(
    "The context is the sum of the memory at all places, or its mean, and the weights are not used: c = Σ w h."
)
def write_plain_mean(*args):
    return _loop(*args, mix=lambda w, memory: memory.mean(1))


@write_with_attention.mistake(
    "The softmax runs over the batch, dim=0. The weights of each text add up to 1 over its own source."
)
def write_softmax_over_batch(*args):
    return _loop(*args, look=lambda *a: _look(*a, dim=0))


@write_with_attention.mistake(
    "The softmax runs over the batch, dim=0 (and filling of -1e9 is let in where no text of the batch has a word). The weights of each text add up to 1 over its own source: dim=-1."
)
def write_softmax_over_batch_at_minus_1e9(*args):
    return _loop(*args, look=lambda *a: _look(*a, dim=0, fill=-1e9))


@write_with_attention.mistake(
    "The softmax runs over the batch, dim=0, and what is hidden is set to 0 behind it. The weights of each text add up to 1 over its own source: dim=-1."
)
def write_softmax_over_batch_then_0(*args):
    return _loop(
        *args, look=lambda *a: _look(*a, dim=0, fill=-math.inf).nan_to_num(0.0)
    )


@write_with_attention.mistake(
    "Two things. The softmax runs over the batch, dim=0: the weights of each text add up to 1 over its own source. And the mask is not used in it: give hidden places the score -inf before."
)
def write_softmax_over_batch_without_mask(*args):
    inputs, state, memory, mask, *matrices = args
    return _loop(
        inputs,
        state,
        memory,
        torch.ones_like(mask),
        *matrices,
        look=lambda *a: _look(*a, dim=0),
    )


def _look_alone(state, memory, mask, W, U, v, *, fill=-math.inf):
    """The softmax over a last axis of length 1."""
    hidden = torch.tanh((state @ W.T)[:, None] + memory @ U.T)
    scores = (hidden @ v[:, None]).masked_fill(~mask[:, :, None], fill)
    return scores.softmax(-1).squeeze(-1)


ALONE = "The softmax runs over an axis of length 1, the last of scores of shape (batch, source, 1), so each place stands alone and has the weight 1"


@write_with_attention.mistake(
    ALONE
    + ", filling too. Let it run over the source, or squeeze the axis first."
)
def write_softmax_alone(*args):
    return _loop(*args, look=lambda *a: _look_alone(*a, fill=-1e9))


@write_with_attention.mistake(
    ALONE
    + ", and where it is hidden nan. Let it run over the source, or squeeze the axis first."
)
def write_softmax_alone_with_nan(*args):
    return _loop(*args, look=_look_alone)


@write_with_attention.mistake(
    ALONE
    + ", or 0 where it is hidden. Let it run over the source, or squeeze the axis first."
)
def write_softmax_alone_then_0(*args):
    return _loop(*args, look=lambda *a: _look_alone(*a).nan_to_num(0.0))


INPUTS_LATE = "The inputs are one step late: your step t takes the input of step t - 1. s₁ is made with the first input, x₁."
INPUTS_EARLY = "The inputs are one step early: your step t takes the input of step t + 1. s₁ is made with the first input, x₁."


@write_with_attention.mistake(INPUTS_LATE)
def write_inputs_late(inputs, *rest):
    first = torch.zeros_like(inputs[:, :1])
    return _loop(torch.cat([first, inputs[:, :-1]], 1), *rest)


@write_with_attention.mistake(INPUTS_LATE)
def write_inputs_late_first_twice(inputs, *rest):
    return _loop(torch.cat([inputs[:, :1], inputs[:, :-1]], 1), *rest)


@write_with_attention.mistake(INPUTS_LATE)
def write_inputs_late_from_the_end(inputs, *rest):
    """inputs[:, t - 1], which takes the last one first."""
    return _loop(inputs.roll(1, 1), *rest)


@write_with_attention.mistake(INPUTS_EARLY)
def write_inputs_early(inputs, *rest):
    last = torch.zeros_like(inputs[:, :1])
    return _loop(torch.cat([inputs[:, 1:], last], 1), *rest)


@write_with_attention.mistake(INPUTS_EARLY)
def write_inputs_early_last_twice(inputs, *rest):
    return _loop(torch.cat([inputs[:, 1:], inputs[:, -1:]], 1), *rest)


@write_with_attention.mistake(INPUTS_EARLY)
def write_inputs_early_from_the_start(inputs, *rest):
    return _loop(inputs.roll(-1, 1), *rest)


CONTEXT_LATE = "The context comes one step late: what step t has found goes into step t + 1. It goes into the same step: look, mix, and then make the new state."


def _late(context, *args):
    def mix(w, memory):
        nonlocal context
        used, context = context, _mix(w, memory)
        return used

    return _loop(*args, mix=mix)


@write_with_attention.mistake(CONTEXT_LATE)
def write_context_late(*args):
    return _late(torch.zeros_like(args[2][:, 0]), *args)


@write_with_attention.mistake(CONTEXT_LATE)
def write_context_late_after_the_mean(*args):
    return _late(args[2].mean(1), *args)


@write_with_attention.mistake(CONTEXT_LATE)
def write_context_late_after_the_mean_of_words(*args):
    memory, mask = args[2:4]
    return _late(_mix(mask / mask.sum(1, keepdim=True), memory), *args)


def _scored(score):
    """A way to look, by other scores."""

    def look(state, memory, mask, W, U, v):
        scores = score(state, memory, W, U, v)
        return scores.masked_fill(~mask, -math.inf).softmax(-1)

    return look


# Each gets W s and U h, (batch, source, d_attention), and v.
for _name, _score in {
    "dot": lambda s, h, v: (s * h).sum(-1),
    "dot_scaled": lambda s, h, v: (s * h).sum(-1) / math.sqrt(len(v)),
    "dot_with_v": lambda s, h, v: (s * h) @ v,
    "dot_of_tanh": lambda s, h, v: (s.tanh() * h.tanh()).sum(-1),
    "dot_of_tanh_with_v": lambda s, h, v: (s.tanh() * h.tanh()) @ v,
    "tanh_of_products": lambda s, h, v: (s * h).tanh() @ v,
}.items():

    def _wrong(*args, score=_score):
        look = _scored(
            lambda s, h, W, U, v: score((s @ W.T)[:, None], h @ U.T, v)
        )
        return _loop(*args, look=look)

    _wrong.__name__ = f"write_{_name}"
    write_with_attention.mistake(
        "W s and U h are multiplied in yours, as in a dot product. In the additive score they are added, and v makes one number of what tanh gives: v · tanh(W s + U h)."
    )(_wrong)


PLAIN_DOT = "Your score is the dot product of state and memory, which needs both to be of one size; W, U and v are not used. The additive score is v · tanh(W s + U h)."


@write_with_attention.mistake(PLAIN_DOT)
def write_plain_dot(*args):
    look = _scored(lambda s, h, W, U, v: (h @ s[:, :, None]).squeeze(-1))
    return _loop(*args, look=look)


@write_with_attention.mistake(PLAIN_DOT)
def write_plain_dot_scaled(*args):
    look = _scored(
        lambda s, h, W, U, v: (
            (h @ s[:, :, None]).squeeze(-1) * s.shape[1] ** -0.5
        )
    )
    return _loop(*args, look=look)


@write_with_attention.mistake(
    "v is not used: you add up what tanh gives. The score is v · tanh(W s + U h)."
)
def write_without_v(*args):
    return _loop(*args[:6], torch.ones_like(args[6]), *args[7:])


@write_with_attention.mistake(
    "The matrices stand on the left of what they multiply, W s: with rows of vectors that is `s @ W.T`. Yours is `s @ W`, which fails, or is another product, where a matrix is square."
)
def write_without_transposing(*args):
    return _loop(
        *args[:4],
        args[4].T,
        args[5].T,
        args[6],
        *(matrix.T for matrix in args[7:]),
    )


@write_with_attention.mistake(
    "W and U are swapped: W belongs to the state, which asks, and U to the memory."
)
def write_W_and_U_swapped(*args):
    return _loop(*args[:4], args[5], args[4], *args[6:])


@write_with_attention.mistake(
    "The states are shifted by one: you return those that asked, s₀ first. Returned are the new ones, s₁, s₂, ..."
)
def write_states_shifted(*args):
    states, weights = _loop(*args)
    return torch.cat([args[1][:, None], states[:, :-1]], 1), weights


@write_with_attention.mistake(
    "You return the contexts where the weights are asked for."
)
def write_contexts_returned(*args):
    states, weights = _loop(*args)
    return states, weights @ args[2]


@write_with_attention.mistake(
    "The axes come as (steps, batch, ...): stack along dim=1, so that the batch stands first."
)
def write_steps_first(*args):
    states, weights = _loop(*args)
    return states.transpose(0, 1), weights.transpose(0, 1)


@write_with_attention.mistake(
    "Only the last state comes back. Keep the states of all steps, (batch, steps, d_state)."
)
def write_last_state_only(*args):
    states, weights = _loop(*args)
    return states[:, -1], weights


@write_with_attention.mistake(
    "Right numbers in the wrong order: first the states, then the weights."
)
def write_order(*args):
    return _loop(*args)[::-1]


@write_with_attention.mistake("The weights are asked for as well: return both.")
def write_states_only(*args):
    return _loop(*args)[0]


@write_with_attention.alternative
def write_by_einsum(inputs, state, memory, mask, W, U, v, A, B, C):
    state, memory = state.double(), memory.double()
    W, U, v, A, B, C = (m.double() for m in (W, U, v, A, B, C))
    states, weights = [], []
    for t in range(inputs.shape[1]):
        asked = torch.einsum("ad,bd->ba", W, state).unsqueeze(1)
        found = torch.einsum("am,bjm->bja", U, memory)
        scores = torch.einsum("a,bja->bj", v, torch.tanh(asked + found))
        grown = torch.exp(scores) * mask
        weights.append(grown / grown.sum(1, keepdim=True))
        context = torch.einsum("bj,bjm->bm", weights[-1], memory)
        state = torch.tanh(
            torch.einsum("di,bi->bd", A, inputs[:, t].double())
            + torch.einsum("de,be->bd", B, state)
            + torch.einsum("dm,bm->bd", C, context)
        )
        states.append(state)
    return torch.stack(states, 1).float(), torch.stack(weights, 1).float()


@write_with_attention.alternative
def write_text_by_text(inputs, state, memory, mask, W, U, v, A, B, C):
    """Only the words of each source, without a mask."""
    all_states = torch.zeros(*inputs.shape[:2], state.shape[1])
    all_weights = torch.zeros(*inputs.shape[:2], memory.shape[1])
    for b in range(len(inputs)):
        s, words = state[b], memory[b][mask[b]]
        for t in range(inputs.shape[1]):
            scores = torch.stack([v @ torch.tanh(W @ s + U @ h) for h in words])
            w = torch.softmax(scores, 0)
            s = torch.tanh(A @ inputs[b, t] + B @ s + C @ (w @ words))
            all_states[b, t] = s
            all_weights[b, t, mask[b]] = w
    return all_states, all_weights


@write_with_attention.alternative
def write_by_numpy(inputs, state, memory, mask, W, U, v, A, B, C):
    x, s, h, W, U, v, A, B, C = (
        y.double().numpy() for y in (inputs, state, memory, W, U, v, A, B, C)
    )
    states, weights = [], []
    for t in range(x.shape[1]):
        e = np.tanh((s @ W.T)[:, None, :] + h @ U.T) @ v
        e = np.where(mask.numpy(), np.exp(e - e.max(1, keepdims=True)), 0)
        weights.append(e / e.sum(1, keepdims=True))
        c = np.einsum("bj,bjm->bm", weights[-1], h)
        s = np.tanh(x[:, t] @ A.T + s @ B.T + c @ C.T)
        states.append(s)
    return tuple(
        torch.from_numpy(np.stack(part, 1)).float()
        for part in (states, weights)
    )


# 6 ----------------------------------------------------------------------------------------------- head_shares


def _layer(rng, batch, time, d_model, n_heads, n_kv_heads, d_head):
    return (
        quarters(rng, batch, time, d_model),
        quarters(rng, d_model, n_heads * d_head, largest=1.0),
        quarters(rng, d_model, n_kv_heads * d_head, largest=1.0),
        quarters(rng, d_model, n_kv_heads * d_head, largest=1.0),
        quarters(rng, n_heads * d_head, d_model, largest=1.0),
        n_heads,
        n_kv_heads,
    )


def shares_cases(rng: random.Random) -> Iterator[Call]:
    tensor = torch.tensor
    yield Call(
        "one token, two heads that share keys and values",
        tensor([[[1.0, 2.0]]]),
        torch.eye(2),
        tensor([[1.0], [0.0]]),
        tensor([[1.0], [1.0]]),
        tensor([[1.0, 0.0], [0.0, 10.0]]),
        2,
        1,
    )
    yield Call(
        "two tokens whose scores are all 0",
        tensor([[[1.0, 2.0], [3.0, 2.0]]]),
        torch.zeros(2, 2),
        tensor([[1.0], [0.0]]),
        tensor([[1.0], [1.0]]),
        tensor([[1.0, 0.0], [0.0, 10.0]]),
        2,
        1,
    )
    yield Call(
        "one token, four heads, two of keys and values",
        tensor([[[1.0]]]),
        torch.ones(1, 4),
        torch.ones(1, 2),
        tensor([[3.0, 5.0]]),
        tensor([[1.0], [10.0], [100.0], [1000.0]]),
        4,
        2,
    )
    yield Call(
        "two tokens, two heads with values of their own",
        tensor([[[1.0], [2.0]]]),
        torch.zeros(1, 2),
        torch.zeros(1, 2),
        tensor([[1.0, 10.0]]),
        tensor([[1.0], [1.0]]),
        2,
        2,
    )
    yield Call("one head, one token", *_layer(rng, 1, 1, 2, 1, 1, 2))
    yield Call("one head, several tokens", *_layer(rng, 1, 4, 2, 1, 1, 2))
    yield Call("two heads", *_layer(rng, 1, 3, 4, 2, 2, 2))
    yield Call("as many tokens as heads", *_layer(rng, 1, 2, 4, 2, 2, 2))
    yield Call("four heads, two of keys", *_layer(rng, 1, 3, 4, 4, 2, 1))
    yield Call("six heads, three of keys", *_layer(rng, 1, 3, 3, 6, 3, 2))
    yield Call("six heads, two of keys", *_layer(rng, 1, 2, 2, 6, 2, 1))
    yield Call("one head of keys for all", *_layer(rng, 1, 3, 4, 4, 1, 2))
    yield Call("d_head is not d_model / heads", *_layer(rng, 1, 3, 3, 2, 2, 4))
    yield Call("two texts", *_layer(rng, 2, 3, 4, 4, 2, 2))
    while True:
        n_kv_heads = rng.choice([1, 2, 2, 3])
        n_heads = n_kv_heads * rng.choice([1, 2, 2, 3])
        d_head = rng.randint(1, 3)
        d_model = rng.choice([n_heads * d_head, rng.randint(2, 5)])
        yield Call(
            "random numbers",
            *_layer(
                rng,
                rng.randint(1, 2),
                rng.randint(2, 4),
                min(d_model, 6),
                n_heads,
                n_kv_heads,
                d_head,
            ),
        )


head_shares = Exercise(
    "head_shares",
    title="What each head says",
    points=3,
    minutes=40,
    cases=shares_cases,
    # Scores of up to 100 are known to 1e-5 in float32, and so are weights, relatively.
    compare=close(
        rtol=1e-4, atol=1e-4, why="float32 sums of many products in any order"
    ),
    visible=24,
    refuse=TORCH_HAS,
)


def _by_head(y, n, d_head=-1) -> Tensor:
    """(batch, time, n * d_head) -> (batch, n, time, d_head)."""
    return y.unflatten(-1, (n, d_head)).transpose(1, 2)


def _repeated(y, group) -> Tensor:
    return y.repeat_interleave(group, dim=1)


def _said(
    x,
    W_q,
    W_k,
    W_v,
    W_o,
    n_heads,
    n_kv_heads,
    *,
    split=_by_head,
    share=_repeated,
    scale=None,
    ahead=1,
    dim=-1,
    fill=-math.inf,
) -> Tensor:
    """What each head takes, (batch, n_heads, time, d_head), before its slice of W_o."""
    group, time = n_heads // n_kv_heads, x.shape[1]
    q = split(x @ W_q, n_heads)
    k = share(split(x @ W_k, n_kv_heads), group)
    v = share(split(x @ W_v, n_kv_heads), group)
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if ahead is not None:
        hidden = torch.ones(time, time, dtype=torch.bool).triu(ahead)
        scores = scores.masked_fill(hidden, fill)
    return scores.softmax(dim) @ v


def _through(said, W_o) -> Tensor:
    n_heads = said.shape[1]
    return said @ W_o.unflatten(0, (n_heads, -1))


def _shares(*args, **options) -> Tensor:
    return _through(_said(*args, **options), args[4])


WRONG_ORDER = "You share in the wrong order: repeat() and % deal the heads of keys out in turn, 0, 1, 0, 1. Neighbours share, 0, 0, 1, 1: repeat_interleave, or head // group."


@head_shares.mistake(WRONG_ORDER)
def shares_repeated_in_turn(*args):
    return _shares(*args, share=lambda y, group: y.repeat(1, group, 1, 1))


@head_shares.mistake(
    "view(batch, heads, time, d_head) mixes tokens and heads. First (batch, time, heads, d_head), then transpose(1, 2)."
)
def shares_view_without_transpose(*args):
    return _shares(
        *args,
        split=lambda y, n: y.reshape(
            y.shape[0], n, y.shape[1], y.shape[2] // n
        ),
    )


@head_shares.mistake(
    "You cut the columns in the wrong way: (d_head, heads) deals them out in turn. The columns of a head lie side by side: (heads, d_head)."
)
def shares_columns_in_turn(*args):
    return _shares(
        *args,
        split=lambda y, n: y.unflatten(-1, (-1, n)).permute(0, 3, 1, 2),
    )


@head_shares.mistake(
    "Before W_o you reshape (batch, heads, time, d_head) as if time stood first. transpose(1, 2) back, and then cut or join."
)
def shares_joined_without_transpose(*args):
    said = _said(*args)
    batch, n_heads, time, d_head = said.shape
    said = said.reshape(batch, time, n_heads, d_head).transpose(1, 2)
    return _through(said, args[4])


@head_shares.mistake(
    "You cut the *output* of the layer into pieces. Every number of it has a part from each head: cut W_o by rows, and send each head through its own."
)
def shares_output_cut(*args):
    whole = _shares(*args).sum(1)
    return _by_head(whole, args[5])


@head_shares.mistake(
    "The head of keys is head // n_kv_heads in yours. How many share one is n_heads / n_kv_heads: divide by that."
)
def shares_divided_by_kv_heads(*args):
    n_heads, n_kv_heads = args[5:]
    chosen = [h // n_kv_heads for h in range(n_heads)]
    if max(chosen) >= n_kv_heads:
        raise RuntimeError("there is no such head of keys")
    return _shares(*args, share=lambda y, group: y[:, chosen])


@head_shares.mistake(
    "The heads' columns are cut rightly, but the rows of W_o in turn. Head h has the rows from h · d_head on, side by side."
)
def shares_rows_in_turn(*args):
    said, n_heads = _said(*args), args[5]
    return said @ args[4].unflatten(0, (-1, n_heads)).transpose(0, 1)


@head_shares.mistake(
    "The scores are not scaled: divide them by the root of d_head."
)
def shares_without_scale(*args):
    return _shares(*args, scale=1.0)


@head_shares.mistake(
    "You divide by the root of d_model. A score adds up over the d_head numbers of one head: the root of d_head."
)
def shares_scale_by_d_model(*args):
    return _shares(*args, scale=args[0].shape[-1] ** -0.5)


@head_shares.mistake(
    "You divide by the root of the width of W_q, all heads together. A score adds up over the d_head numbers of one head."
)
def shares_scale_by_width(*args):
    return _shares(*args, scale=args[1].shape[1] ** -0.5)


@head_shares.mistake(
    "You divide by the root of the width of W_k, all heads of keys together. A score adds up over the d_head numbers of one head."
)
def shares_scale_by_kv_width(*args):
    return _shares(*args, scale=args[2].shape[1] ** -0.5)


@head_shares.mistake(
    "What is mixed are the keys. The values have a matrix of their own, W_v."
)
def shares_values_from_keys(x, W_q, W_k, W_v, *rest):
    return _shares(x, W_q, W_k, W_k, *rest)


@head_shares.mistake(
    "The keys are shared rightly, but the values in turn. Both go to neighbours: repeat_interleave for k and for v."
)
def shares_values_in_turn(x, W_q, W_k, W_v, W_o, n_heads, n_kv_heads):
    group = n_heads // n_kv_heads
    k, v = (W.unflatten(1, (n_kv_heads, -1)) for W in (W_k, W_v))
    k = k.repeat_interleave(group, dim=1).flatten(1)
    v = v.repeat(1, group, 1).flatten(1)
    return _shares(x, W_q, k, v, W_o, n_heads, n_heads)


@head_shares.mistake("You divide by d_head. The scale is its root.")
def shares_scale_by_d_head(*args):
    return _shares(*args, scale=args[5] / args[1].shape[1])


D_HEAD_BY_DIVISION = "d_head is taken as d_model / n_heads. It is what the matrices say: W_q has n_heads · d_head columns."


@head_shares.mistake(D_HEAD_BY_DIVISION)
def shares_scale_by_division(*args):
    return _shares(*args, scale=(args[0].shape[-1] / args[5]) ** -0.5)


def _divided_by_root(d) -> float:
    """1 / sqrt(d) as a tensor takes it: infinite where d is 0."""
    return float(torch.tensor(float(d)) ** -0.5)


@head_shares.mistake(D_HEAD_BY_DIVISION)
def shares_scale_by_whole_division(*args):
    scale = _divided_by_root(args[0].shape[-1] // args[5])
    return _shares(*args, scale=scale)


@head_shares.mistake(D_HEAD_BY_DIVISION)
def shares_scale_by_power_of_whole_division(*args):
    return _shares(*args, scale=(args[0].shape[-1] // args[5]) ** -0.5)


@head_shares.mistake(D_HEAD_BY_DIVISION)
def shares_view_by_division(*args):
    """Where d_head is another number, view and unflatten fail."""
    d_head = args[0].shape[-1] // args[5]
    return _shares(*args, split=lambda y, n: _by_head(y, n, d_head))


def _sliced(x, W_q, W_k, W_v, W_o, n_heads, n_kv_heads, d_head, scale):
    """Head by head, with slices, which go wrong in silence where d_head does."""
    shares, ahead = [], torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
    for h in range(n_heads):
        g = h // (n_heads // n_kv_heads)
        own = slice(h * d_head, (h + 1) * d_head)
        shared = slice(g * d_head, (g + 1) * d_head)
        scores = (x @ W_q[:, own]) @ (x @ W_k[:, shared]).mT * scale
        weights = scores.masked_fill(ahead, -math.inf).softmax(-1)
        shares.append(weights @ (x @ W_v[:, shared]) @ W_o[own])
    return torch.stack(shares, 1)


@head_shares.mistake(D_HEAD_BY_DIVISION)
def shares_slices_by_division(*args):
    d_head = args[0].shape[-1] // args[5]
    return _sliced(*args, d_head, _divided_by_root(d_head))


@head_shares.mistake(D_HEAD_BY_DIVISION)
def shares_slices_by_division_with_power(*args):
    d_head = args[0].shape[-1] // args[5]
    return _sliced(*args, d_head, d_head**-0.5)


@head_shares.mistake(D_HEAD_BY_DIVISION)
def shares_slices_by_division_rightly_scaled(*args):
    d_head = args[0].shape[-1] // args[5]
    return _sliced(*args, d_head, (args[1].shape[1] // args[5]) ** -0.5)


@head_shares.mistake("Tokens look ahead: hide what is right of the diagonal.")
def shares_not_causal(*args):
    return _shares(*args, ahead=None)


@head_shares.mistake(
    "The mask is the wrong way round: each token sees itself and what comes after it. Hide what is *right* of the diagonal."
)
def shares_looks_ahead_only(*args):
    """Causal on the reversed text."""
    return _shares(args[0].flip(1), *args[1:]).flip(2)


@head_shares.mistake(
    "A token may look at itself, too. Your mask takes the diagonal away, and the first token sees nothing."
)
def shares_without_itself(*args):
    return _shares(*args, ahead=0)


@head_shares.mistake(
    "A token may look at itself, too. Your mask takes the diagonal away: the first token sees nothing and says zeros."
)
def shares_without_itself_then_0(*args):
    scores, v = _all_scores(*args)
    hidden = torch.ones_like(scores).triu(0).bool()
    weights = scores.masked_fill(hidden, -math.inf).softmax(-1)
    return _through(weights.nan_to_num(0.0) @ v, args[4])


@head_shares.mistake(
    "A token may look at itself, too. Your mask takes the diagonal away, and the first token, whose scores are all equally low then, spreads its weight over the whole text."
)
def shares_without_itself_at_minus_1e9(*args):
    return _shares(*args, ahead=0, fill=-1e9)


@head_shares.mistake(
    "Hidden scores are set to 0, and exp(0) is 1: the future leaks. Set them to -inf before the softmax."
)
def shares_hidden_score_0(*args):
    return _shares(*args, fill=0.0)


def _all_scores(x, W_q, W_k, W_v, W_o, n_heads, n_kv_heads):
    """Scores of all pairs, nothing hidden, and the values."""
    group, d_head = n_heads // n_kv_heads, W_q.shape[1] // n_heads
    q = _by_head(x @ W_q, n_heads)
    k, v = (_repeated(_by_head(x @ W, n_kv_heads), group) for W in (W_k, W_v))
    return q @ k.mT * d_head**-0.5, v


@head_shares.mistake(
    "You hide what has the score 0, after tril(scores). But a score that may be seen can be 0 by itself. Build the mask from places: torch.ones(time, time).triu(1)."
)
def shares_mask_by_value(*args):
    scores, v = _all_scores(*args)
    scores = scores.tril()
    weights = scores.masked_fill(scores == 0, -math.inf).softmax(-1)
    return _through(weights @ v, args[4])


@head_shares.mistake(
    "You hide what has the score 0, after tril(scores). But a score that may be seen can be 0 by itself; and where a row has nothing else, its weights become 0. Build the mask from places: torch.ones(time, time).triu(1)."
)
def shares_mask_by_value_then_0(*args):
    scores, v = _all_scores(*args)
    scores = scores.masked_fill(scores.tril() == 0, -math.inf)
    return _through(scores.softmax(-1).nan_to_num(0.0) @ v, args[4])


@head_shares.mistake(
    "You hide what has the score 0, after tril(scores). But a score that may be seen can be 0 by itself; and where a row has nothing else, all its places are equally low, and the future leaks. Build the mask from places: torch.ones(time, time).triu(1)."
)
def shares_mask_by_value_at_minus_1e9(*args):
    scores, v = _all_scores(*args)
    weights = scores.masked_fill(scores.tril() == 0, -1e9).softmax(-1)
    return _through(weights @ v, args[4])


@head_shares.mistake(
    "triu(scores, 1).bool() is False where a score is exactly 0, and there the future leaks. Build the mask from places: torch.ones(time, time).triu(1).bool()."
)
def shares_leaks_at_0(*args):
    scores, v = _all_scores(*args)
    weights = scores.masked_fill(scores.triu(1).bool(), -math.inf).softmax(-1)
    return _through(weights @ v, args[4])


@head_shares.mistake(
    "The weights of what is hidden are set to 0 behind the softmax, and the rest no longer adds up to 1. Hide the scores before it."
)
def shares_mask_after_softmax(*args):
    scores, v = _all_scores(*args)
    return _through(scores.softmax(-1).tril() @ v, args[4])


@head_shares.mistake(
    "The softmax runs over the queries. The weights of each query add up to 1 over the keys: dim=-1."
)
def shares_softmax_over_queries(*args):
    return _shares(*args, dim=-2)


@head_shares.mistake(
    "The softmax runs over the heads, dim=1. Each head has weights of its own, which add up to 1 over the keys: dim=-1."
)
def shares_softmax_over_heads(*args):
    return _shares(*args, dim=1, fill=-1e9)


@head_shares.mistake(
    "Keys and values are swapped: scores come from the keys, and what is mixed are the values."
)
def shares_keys_and_values_swapped(x, W_q, W_k, W_v, *rest):
    return _shares(x, W_q, W_v, W_k, *rest)


@head_shares.mistake(
    "Queries and keys are swapped: row i holds what token i asks, of all keys."
)
def shares_scores_transposed(*args):
    scores, v = _all_scores(*args)
    hidden = torch.ones(scores.shape[-2:]).triu(1).bool()
    weights = scores.mT.masked_fill(hidden, -math.inf).softmax(-1)
    return _through(weights @ v, args[4])


@head_shares.mistake(
    "W_o is transposed. Here matrices stand on the right, so a head has d_head *rows* of W_o: heads @ W_o."
)
def shares_W_o_transposed(*args):
    return _through(_said(*args), args[4].T)


@head_shares.mistake(
    "The sum over the heads comes back, the output of the layer. Asked for are its parts, one a head."
)
def shares_added_up(*args):
    return _shares(*args).sum(1)


@head_shares.mistake(
    "What the heads have taken comes back as it is. Each goes through its own d_head rows of W_o."
)
def shares_without_W_o(*args):
    return _said(*args)


@head_shares.mistake(
    "Every head gets the output of the whole layer. Cut W_o: head h has the rows from h · d_head on."
)
def shares_whole_output_for_each(*args):
    shares = _shares(*args)
    return shares.sum(1, keepdim=True).expand_as(shares)


@head_shares.mistake(
    "Each head gets an equal part of the output. Its part is what its own rows of W_o make of it."
)
def shares_equal_parts(*args):
    shares = _shares(*args)
    return shares.mean(1, keepdim=True).expand_as(shares)


@head_shares.mistake(
    "Every head goes through the first slice of W_o. Head h has the rows from h · d_head on."
)
def shares_first_slice(*args):
    said, n_heads = _said(*args), args[5]
    return said @ args[4].unflatten(0, (n_heads, -1))[0]


@head_shares.mistake(
    "Right numbers, but the axes come as (batch, time, heads, d_model): heads stand before time."
)
def shares_time_first(*args):
    return _shares(*args).transpose(1, 2)


@head_shares.mistake(
    "Right numbers, but the axes come as (heads, batch, time, d_model): torch.stack(..., dim=1) puts the batch first."
)
def shares_heads_first(*args):
    return _shares(*args).transpose(0, 1)


@head_shares.mistake(
    "Keys and values are cut into n_heads pieces. There are n_kv_heads of them, of d_head numbers each, and several heads share one."
)
def shares_cuts_keys_into_n_heads(*args):
    if args[5] != args[6]:
        raise RuntimeError("the last axes of queries and keys differ")
    return _shares(*args)


@head_shares.alternative
def shares_head_by_head(x, W_q, W_k, W_v, W_o, n_heads, n_kv_heads):
    d = W_q.shape[1] // n_heads
    time, parts = x.shape[1], []
    for h in range(n_heads):
        g = h // (n_heads // n_kv_heads)
        own, shared = slice(h * d, (h + 1) * d), slice(g * d, (g + 1) * d)
        q, k, v = x @ W_q[:, own], x @ W_k[:, shared], x @ W_v[:, shared]
        scores = (q @ k.transpose(1, 2)) / math.sqrt(d)
        allowed = torch.tril(torch.ones(time, time)).bool()
        scores = torch.where(allowed, scores, torch.tensor(-1e30))
        parts.append(torch.softmax(scores, 2) @ v @ W_o[own])
    return torch.stack(parts, 1)


@head_shares.alternative
def shares_by_einsum(x, W_q, W_k, W_v, W_o, n_heads, n_kv_heads):
    x, W_q, W_k, W_v, W_o = (m.double() for m in (x, W_q, W_k, W_v, W_o))
    group = n_heads // n_kv_heads
    q = torch.einsum(
        "btm,mgsd->bgstd", x, W_q.unflatten(1, (n_kv_heads, group, -1))
    )
    k = torch.einsum("btm,mgd->bgtd", x, W_k.unflatten(1, (n_kv_heads, -1)))
    v = torch.einsum("btm,mgd->bgtd", x, W_v.unflatten(1, (n_kv_heads, -1)))
    scores = torch.einsum("bgsid,bgjd->bgsij", q, k) / math.sqrt(q.shape[-1])
    ahead = torch.ones(scores.shape[-2:]).triu(1).bool()
    weights = scores.masked_fill(ahead, -math.inf).softmax(-1)
    out = W_o.unflatten(0, (n_kv_heads, group, -1))
    said = torch.einsum("bgsij,bgjd,gsdm->bgsim", weights, v, out)
    return said.flatten(1, 2).float()


@head_shares.alternative
def shares_by_silencing(x, W_q, W_k, W_v, W_o, n_heads, n_kv_heads):
    """The whole layer, with the rows of all other heads set to 0."""
    said = _said(x, W_q, W_k, W_v, W_o, n_heads, n_kv_heads)
    joined = said.transpose(1, 2).flatten(2)
    d = W_q.shape[1] // n_heads
    parts = []
    for h in range(n_heads):
        only = torch.zeros_like(W_o)
        only[h * d : (h + 1) * d] = W_o[h * d : (h + 1) * d]
        parts.append(joined @ only)
    return torch.stack(parts, dim=1)


# 7 ----------------------------------------------------------------------------------------- running_attention

HIDDEN = -math.inf


def _block(scores, *rows):
    return torch.tensor(scores), torch.tensor(rows)


def running_cases(rng: random.Random) -> Iterator[Call]:
    yield Call(
        "the second block has the larger score",
        [_block([0.0], [4.0]), _block([math.log(3)], [8.0])],
    )
    yield Call(
        "scores of 1000, then one of -1000",
        [
            _block([1000.0, 1000.0], [2.0], [4.0]),
            _block([-1000.0], [50.0]),
        ],
    )
    yield Call("no blocks", [])
    yield Call(
        "one block",
        [_block([0.0, 1.0, -1.0], [1.0, 2.0], [3.0, 0.0], [5.0, 8.0])],
    )
    yield Call(
        "the second block has the smaller score",
        [_block([2.0], [4.0]), _block([1.0], [8.0])],
    )
    yield Call(
        "blocks of different sizes, all scores equal",
        [
            _block([1.0, 1.0, 1.0], [3.0], [3.0], [3.0]),
            _block([1.0], [7.0]),
        ],
    )
    yield Call(
        "all scores far below 0",
        [
            _block([-1000.0, -1001.0], [2.0], [4.0]),
            _block([-1000.0], [8.0]),
        ],
    )
    yield Call(
        "the largest score rises by a thousand",
        [
            _block([-1000.0], [1.0, 2.0]),
            _block([0.0], [3.0, 1.0]),
            _block([1000.0], [7.0, 0.0]),
            _block([1000.0], [9.0, 4.0]),
        ],
    )
    yield Call(
        "scores of 100, where the sum overflows",
        [_block([100.0, 99.0], [2.0], [4.0]), _block([101.0], [6.0])],
    )
    yield Call(
        "a masked key in a block",
        [
            _block([1.0, HIDDEN, 0.0], [1.0], [90.0], [5.0]),
            _block([0.5], [3.0]),
        ],
    )
    yield Call(
        "a block that is masked whole, in between",
        [
            _block([1.0, 0.0], [1.0, 0.0], [5.0, 2.0]),
            _block([HIDDEN, HIDDEN], [90.0, 1.0], [80.0, 1.0]),
            _block([2.0], [4.0, 4.0]),
        ],
    )
    yield Call(
        "all masked at first",
        [
            _block([HIDDEN], [90.0, 70.0]),
            _block([HIDDEN, HIDDEN], [30.0, 20.0], [10.0, 50.0]),
            _block([1.0], [4.0, 2.0]),
            _block([0.0, HIDDEN], [8.0, 6.0], [1.0, 1.0]),
        ],
    )
    yield Call("nothing but masked keys", [_block([HIDDEN], [3.0, 1.0])])
    yield Call(
        "the first keys weigh most",
        [_block([5.0, 4.0], [1.0], [2.0])]
        + [_block([1.0, 0.5], [6.0], [8.0]) for _ in range(5)],
    )
    yield Call(
        "many blocks",
        [
            (quarters(rng, 2, largest=3.0), quarters(rng, 2, 1, largest=4.0))
            for _ in range(40)
        ],
    )
    while True:
        d, level = (
            rng.randint(1, 3),
            rng.choice([0.0, 0.0, 50.0, -200.0, 900.0, -900.0]),
        )
        step = rng.choice([0.0, 0.0, 3.0, -3.0, 40.0])
        blocks = []
        for i in range(rng.randint(1, 5)):
            n = rng.randint(1, 3)
            scores = quarters(rng, n, largest=3.0) + level + i * step
            scores[coins(rng, 0.15, n)] = HIDDEN
            blocks.append((scores, quarters(rng, n, d, largest=4.0)))
        yield Call("random blocks", blocks)


running_attention = Exercise(
    "running_attention",
    title="Attention in one pass",
    points=4,
    minutes=60,
    cases=running_cases,
    compare=close(
        # A float32 near 1000 is known to 3e-5, and so is exp of it, relatively, for who keeps logarithms.
        rtol=5e-4,
        atol=1e-3,
        why="a logarithm of a sum near 1000 is rounded at each of a few blocks",
    ),
    visible=28,
    collect="stream",
)


def _attend_all(scores, values) -> Tensor:
    """Attention over all keys, zeros where all are masked."""
    if bool((scores == HIDDEN).all()):
        return torch.zeros(values.shape[1])
    return (scores.double().softmax(0) @ values.double()).float()


def _pass(
    blocks,
    *,
    start=HIDDEN,
    shrink_total=True,
    shrink_mixed=True,
    shrink=lambda old, new: torch.exp(old - new),
    guard=True,
):
    """The one pass; the mistakes differ in the parts."""
    top, total, mixed = torch.tensor(start), torch.tensor(0.0), None
    for scores, values in blocks:
        mixed = torch.zeros(values.shape[1]) if mixed is None else mixed
        new = torch.maximum(top, scores.max())
        if guard and new == HIDDEN:
            yield mixed
            continue
        factor, weights = shrink(top, new), torch.exp(scores - new)
        total = total * (factor if shrink_total else 1) + weights.sum()
        mixed = mixed * (factor if shrink_mixed else 1) + weights @ values
        top = new
        yield mixed / total


def _plain_sums(
    blocks,
    *,
    low=None,
    high=None,
    dtype=torch.float32,
    clear=False,
    zeros=False,
):
    """Sums of exp without a maximum, of scores cut off at `low` and `high`."""
    total, mixed = 0.0, 0.0
    for scores, values in blocks:
        cut = scores.to(dtype)
        if low is not None or high is not None:
            cut = cut.clamp(low, high)
        grown = torch.exp(cut)
        if clear:
            grown = grown.masked_fill(scores == HIDDEN, 0.0)
        total = total + grown.sum()
        mixed = mixed + grown @ values.to(dtype)
        if zeros and total == 0:
            yield torch.zeros(values.shape[1])
        else:
            yield (mixed / total).float()


NO_MAXIMUM = "exp(1000) is infinite, and exp(-1000) is 0: you get infinity / infinity, or 0 / 0. Take the largest score so far off before exp, and rescale the sums when it changes."


@running_attention.mistake(NO_MAXIMUM)
def running_without_maximum(blocks):
    yield from _plain_sums(blocks)


@running_attention.mistake(NO_MAXIMUM)
def running_without_maximum_in_float64(blocks):
    yield from _plain_sums(blocks, dtype=torch.float64)


ZEROS_FOR_NAN = "exp(1000) is infinite, in float64 too, and exp(-1000) is 0. You yield zeros wherever that makes nan, but there are keys. Take the largest score so far off before exp, and rescale the sums when it changes."


@running_attention.mistake(ZEROS_FOR_NAN)
def running_without_maximum_but_for_nan(blocks):
    for out in _plain_sums(blocks):
        yield out.nan_to_num(0.0)


@running_attention.mistake(ZEROS_FOR_NAN)
def running_without_maximum_but_for_nan_in_float64(blocks):
    for out in _plain_sums(blocks, dtype=torch.float64):
        yield out.nan_to_num(0.0)


ZEROS_FOR_SUM_0 = "exp(1000) is infinite, in float64 too, which makes nan; and exp(-1000) is 0, so the sum may be 0 though there are keys. Take the largest score so far off before exp, and rescale the sums when it changes."


@running_attention.mistake(ZEROS_FOR_SUM_0)
def running_without_maximum_but_for_sum_0(blocks):
    yield from _plain_sums(blocks, zeros=True)


@running_attention.mistake(ZEROS_FOR_SUM_0)
def running_without_maximum_but_for_sum_0_in_float64(blocks):
    yield from _plain_sums(blocks, zeros=True, dtype=torch.float64)


def _beside(blocks, way):
    """Each block with what `way` yields for it."""
    held = []

    def passing():
        for block in blocks:
            held.append(block)
            yield block

    for out in way(passing()):
        yield held[-1], out


# Scores are cut off where exp of them still fits, or a good deal below.
for _bound, _type in (
    (80.0, torch.float32),
    (50.0, torch.float32),
    (30.0, torch.float32),
    (700.0, torch.float64),
):
    for _way, _options, _hint in (
        (
            "above",
            {"high": _bound},
            "Cutting scores off at some bound keeps exp finite, but all scores above it become equal; and exp(-1000) is still 0, which gives 0 / 0. Take the largest score so far off instead.",
        ),
        (
            "above_then_0",
            {"high": _bound, "zeros": True},
            "Cutting scores off at some bound keeps exp finite, but all scores above it become equal; and exp(-1000) is still 0, so you yield zeros though there are keys. Take the largest score so far off instead.",
        ),
        (
            "both_ways",
            {"low": -_bound, "high": _bound},
            "Cutting scores off above and below keeps exp finite, but all scores beyond a bound become equal; and a masked key gets the lower bound for its score, which is not nothing. Take the largest score so far off instead.",
        ),
        (
            "both_ways_but_masked",
            {"low": -_bound, "high": _bound, "clear": True, "zeros": True},
            "Cutting scores off above and below keeps exp finite, but all scores beyond a bound become equal. Take the largest score so far off instead.",
        ),
    ):

        def _wrong(blocks, options=_options, dtype=_type):
            yield from _plain_sums(blocks, dtype=dtype, **options)

        _wrong.__name__ = f"running_clamped_at_{_bound:.0f}_{_way}"
        running_attention.mistake(_hint)(_wrong)


# Just below the largest score whose exp fits: two of them do not.
for _bound, _type in ((88.0, torch.float32), (709.0, torch.float64)):
    for _way, _options in (
        ("above", {"high": _bound}),
        ("both_ways", {"low": -_bound, "high": _bound}),
    ):

        def _wrong(blocks, options=_options, dtype=_type):
            yield from _plain_sums(blocks, dtype=dtype, **options)

        _wrong.__name__ = f"running_clamped_at_{_bound:.0f}_{_way}"
        running_attention.mistake(
            "Scores are cut off where exp still fits, but the sum of two such numbers is infinite; and all scores beyond the bound become equal. Take the largest score so far off instead."
        )(_wrong)


@running_attention.mistake(
    "When the largest score changes, your old sums stay relative to the old one. Multiply both, the sum and the vector, by exp(old maximum - new maximum)."
)
def running_not_rescaled(blocks):
    yield from _pass(blocks, shrink_total=False, shrink_mixed=False)


@running_attention.mistake(
    "You rescale the sum of the weights but not the vector. Both were made relative to the old maximum."
)
def running_vector_not_rescaled(blocks):
    yield from _pass(blocks, shrink_mixed=False)


@running_attention.mistake(
    "You rescale the vector but not the sum of the weights. Both were made relative to the old maximum."
)
def running_sum_not_rescaled(blocks):
    yield from _pass(blocks, shrink_total=False)


UPSIDE_DOWN = "The rescaling is upside down: exp(old - new), which is at most 1, for the maximum only rises."


@running_attention.mistake(UPSIDE_DOWN)
def running_rescaled_upside_down(blocks):
    yield from _pass(
        blocks,
        shrink=lambda old, new: (
            torch.tensor(1.0) if old == HIDDEN else torch.exp(new - old)
        ),
    )


@running_attention.mistake(UPSIDE_DOWN)
def running_rescaled_upside_down_from_the_first(blocks):
    yield from _pass(blocks, shrink=lambda old, new: torch.exp(new - old))


@running_attention.mistake(
    "You add the new block first and then rescale all. Only the old sums are relative to the old maximum: rescale them, and then add."
)
def running_rescales_the_new_too(blocks):
    top, total, mixed = torch.tensor(HIDDEN), torch.tensor(0.0), None
    for scores, values in blocks:
        mixed = torch.zeros(values.shape[1]) if mixed is None else mixed
        new = torch.maximum(top, scores.max())
        if new != HIDDEN:
            factor, weights = torch.exp(top - new), torch.exp(scores - new)
            total = (total + weights.sum()) * factor
            mixed = (mixed + weights @ values) * factor
            top = new
            yield mixed / total
        else:
            yield mixed


@running_attention.mistake(
    "The maximum of the first block is taken off for good. A later score may be larger by a thousand, and its exp infinite: the maximum goes on, and the sums are rescaled."
)
def running_first_maximum(blocks):
    top, total, mixed = None, 0.0, 0.0
    for scores, values in blocks:
        top = scores.max() if top is None else top
        weights = torch.exp(scores - top)
        total, mixed = total + weights.sum(), mixed + weights @ values
        yield mixed / total


@running_attention.mistake(
    "You add the *mean* of a block's weights to the sum. The vector grows by all of them, and so must the sum."
)
def running_mean_of_weights(blocks):
    top, total, mixed = torch.tensor(HIDDEN), torch.tensor(0.0), None
    for scores, values in blocks:
        mixed = torch.zeros(values.shape[1]) if mixed is None else mixed
        new = torch.maximum(top, scores.max())
        if new != HIDDEN:
            factor, weights = torch.exp(top - new), torch.exp(scores - new)
            total = total * factor + weights.mean()
            mixed, top = mixed * factor + weights @ values, new
        yield mixed / total if total else mixed


@running_attention.mistake(
    "A masked key has a low number for its score in yours, and while all are masked they share the weight. The output is zeros then: ask whether a score was above -inf."
)
def running_masked_is_low(blocks):
    yield from _pass(
        (scores.clamp(min=-1e9), values) for scores, values in blocks
    )


@running_attention.mistake(
    "While all keys are masked, the maximum is -inf, and -inf - (-inf) is nan, which stays in the sums for ever. Yield zeros and go on, as long as the new maximum is -inf."
)
def running_nan_at_first(blocks):
    yield from _pass(blocks, guard=False)


NAN_WHILE_MASKED = "While all keys are masked you yield nan: 0 / 0, or a softmax of nothing but -inf. The output is zeros then."


@running_attention.mistake(NAN_WHILE_MASKED)
def running_starts_low(blocks):
    yield from _pass(blocks, start=-1e9)


@running_attention.mistake(NAN_WHILE_MASKED)
def running_starts_lowest(blocks):
    yield from _pass(blocks, start=torch.finfo(torch.float32).min)


STARTS_AT_0 = "Your maximum starts at 0, so where all scores are -1000, every exp is 0. Start at -inf, or with the first block."


@running_attention.mistake(STARTS_AT_0)
def running_starts_at_0(blocks):
    yield from _pass(blocks, start=0.0)


@running_attention.mistake(STARTS_AT_0)
def running_starts_at_0_with_guard(blocks):
    for out in _pass(blocks, start=0.0):
        yield out.nan_to_num(0.0)


@running_attention.mistake(
    "Each block takes its own maximum off, and the sums of blocks are added as they are. They are relative to different numbers: bring them to one maximum first."
)
def running_maximum_of_each_block(blocks):
    total, mixed = 0.0, None
    for scores, values in blocks:
        mixed = torch.zeros(values.shape[1]) if mixed is None else mixed
        if scores.max() != HIDDEN:
            weights = torch.exp(scores - scores.max())
            total, mixed = total + weights.sum(), mixed + weights @ values
        yield mixed / total if total else mixed


@running_attention.mistake(
    "Each block takes its own maximum off, and the sums of blocks are added as they are; and a block that is masked whole gives nan. Bring all to one maximum, and pass over what is masked."
)
def running_maximum_of_each_block_with_nan(blocks):
    total, mixed = 0.0, 0.0
    for scores, values in blocks:
        weights = torch.exp(scores - scores.max())
        total, mixed = total + weights.sum(), mixed + weights @ values
        yield mixed / total


@running_attention.mistake(
    "A block that is masked whole turns all to nan: in it, scores minus its own maximum is -inf - (-inf). The maximum to take off is that of all keys so far."
)
def running_nan_in_masked_block(blocks):
    broken = False
    for (scores, values), out in _beside(blocks, _pass):
        broken = broken or bool((scores == HIDDEN).all())
        yield torch.full((values.shape[1],), math.nan) if broken else out


@running_attention.mistake(
    "You yield the attention of each block alone. The output is over *all* keys so far. (Where the running maximum is not renewed, exp(-inf - new) wipes out what was before.)"
)
def running_block_alone(blocks):
    for scores, values in blocks:
        yield _attend_all(scores, values)


@running_attention.mistake(
    "You yield the attention of each block alone, and nan where it is masked whole. The output is over *all* keys so far."
)
def running_block_alone_with_nan(blocks):
    for scores, values in blocks:
        yield scores.softmax(0) @ values


@running_attention.mistake(
    "The weights of a block are taken relative to the block's own maximum, but the sums are kept relative to the largest score so far. Take the same maximum off in both."
)
def running_two_maxima(blocks):
    top, total, mixed = torch.tensor(HIDDEN), torch.tensor(0.0), None
    for scores, values in blocks:
        mixed = torch.zeros(values.shape[1]) if mixed is None else mixed
        new = torch.maximum(top, scores.max())
        if scores.max() != HIDDEN:
            factor, weights = (
                torch.exp(top - new),
                torch.exp(scores - scores.max()),
            )
            total = total * factor + weights.sum()
            mixed = mixed * factor + weights @ values
            top = new
        yield mixed / total if total else mixed


@running_attention.mistake(
    "Key by key, a masked key that comes before all others gives -inf - (-inf), which is nan and stays. Pass over masked keys."
)
def running_nan_by_key(blocks):
    top, total, mixed = HIDDEN, 0.0, None
    for scores, values in blocks:
        mixed = torch.zeros(values.shape[1]) if mixed is None else mixed
        for score, value in zip(scores.tolist(), values, strict=True):
            new = max(top, score)
            factor, weight = math.exp(top - new), math.exp(score - new)
            total, mixed = (
                total * factor + weight,
                mixed * factor + weight * value,
            )
            top = new
        yield mixed / total


@running_attention.mistake(
    "While all is masked you yield the running vector itself, and later change it in place (+=, *=): who kept it sees it change. Yield a new tensor of zeros."
)
def running_zeros_change(blocks):
    top, total, mixed = torch.tensor(HIDDEN), torch.tensor(0.0), None
    for scores, values in blocks:
        mixed = torch.zeros(values.shape[1]) if mixed is None else mixed
        new = torch.maximum(top, scores.max())
        if new != HIDDEN:
            factor, weights = torch.exp(top - new), torch.exp(scores - new)
            total = total * factor + weights.sum()
            mixed *= factor
            mixed += weights @ values
            top = new
        yield mixed / total if total else mixed


@running_attention.mistake(
    "You yield the value of the best key alone. The output mixes all values, most from the best."
)
def running_best(blocks):
    top, best = HIDDEN, None
    for scores, values in blocks:
        best = torch.zeros(values.shape[1]) if best is None else best
        if scores.max() > top:
            top, best = scores.max(), values[scores.argmax()]
        yield best


@running_attention.mistake(
    "The values are added up as they are. Each is multiplied by its weight first: weights @ values."
)
def running_values_unweighted(blocks):
    top, total, mixed = torch.tensor(HIDDEN), torch.tensor(0.0), None
    for scores, values in blocks:
        mixed = torch.zeros(values.shape[1]) if mixed is None else mixed
        new = torch.maximum(top, scores.max())
        if new != HIDDEN:
            factor, weights = torch.exp(top - new), torch.exp(scores - new)
            total = total * factor + weights.sum()
            mixed, top = mixed * factor + values.sum(0), new
        yield mixed / total if total else mixed


@running_attention.mistake(
    "You average the outputs of the blocks. A block with large scores counts more: weigh each by its sum of exp(score)."
)
def running_mean_of_blocks(blocks):
    mixed = 0.0
    for i, (scores, values) in enumerate(blocks, 1):
        mixed = mixed + _attend_all(scores, values)
        yield mixed / i


@running_attention.mistake(
    "You average the outputs of the blocks, each weighted by its number of keys. What counts are their scores: weigh each by its sum of exp(score)."
)
def running_mean_by_size(blocks):
    mixed, n = 0.0, 0
    for scores, values in blocks:
        mixed = mixed + len(scores) * _attend_all(scores, values)
        n += len(scores)
        yield mixed / n


@running_attention.mistake(
    "A block that is masked whole gives zeros in yours. It changes nothing: what came before it still holds."
)
def running_zeros_for_masked_block(blocks):
    for (scores, values), out in _beside(blocks, _pass):
        masked = bool((scores == HIDDEN).all())
        yield torch.zeros(values.shape[1]) if masked else out


@running_attention.mistake(
    "For a block that is masked whole, you yield nothing. Each block gives one output, be it the last one again, or zeros."
)
def running_passes_over_masked_block(blocks):
    for (scores, _), out in _beside(blocks, _pass):
        if not bool((scores == HIDDEN).all()):
            yield out


@running_attention.mistake(
    "You yield nothing while all keys are masked. The output is zeros then."
)
def running_nothing_while_masked(blocks):
    some = False
    for (scores, _), out in _beside(blocks, _pass):
        some = some or bool((scores != HIDDEN).any())
        if some:
            yield out


@running_attention.mistake(NAN_WHILE_MASKED)
def running_softmax_of_all(blocks):
    all_scores, all_values = [], []
    for scores, values in blocks:
        all_scores.append(scores)
        all_values.append(values)
        yield torch.cat(all_scores).softmax(0) @ torch.cat(all_values)


@running_attention.mistake(
    "The outputs are right, but all blocks are taken before the first output is yielded. Take one block, yield, then take the next."
)
def running_takes_all_first(blocks):
    yield from _pass(list(blocks))


@running_attention.mistake(
    "Only the last output comes, when the stream is over. Yield one after each block."
)
def running_at_the_end(blocks):
    yield from list(_pass(blocks))[-1:]


@running_attention.mistake(
    "Each output comes one block late. Yield before you take the next block."
)
def running_one_behind(blocks):
    waiting = None
    for out in _pass(blocks):
        if waiting is not None:
            yield waiting
        waiting = out
    if waiting is not None:
        yield waiting


@running_attention.mistake(
    "You yield the running vector before it is divided by the sum of the weights."
)
def running_not_divided(blocks):
    top, mixed = torch.tensor(HIDDEN), None
    for scores, values in blocks:
        mixed = torch.zeros(values.shape[1]) if mixed is None else mixed
        new = torch.maximum(top, scores.max())
        if new != HIDDEN:
            mixed = mixed * torch.exp(top - new)
            mixed = mixed + torch.exp(scores - new) @ values
            top = new
        yield mixed


@running_attention.mistake(
    "The vector is divided by the sum at each block and then added to as if it were not. Divide only what you yield, and keep the undivided one; or multiply by the old sum first."
)
def running_divides_twice(blocks):
    top, total, out = torch.tensor(HIDDEN), torch.tensor(0.0), None
    for scores, values in blocks:
        out = torch.zeros(values.shape[1]) if out is None else out
        new = torch.maximum(top, scores.max())
        if new != HIDDEN:
            factor, weights = torch.exp(top - new), torch.exp(scores - new)
            total = total * factor + weights.sum()
            out = (out * factor + weights @ values) / total
            top = new
        yield out


@running_attention.mistake(
    "You yield one and the same tensor and change it in place (+=, *=, /=), so who kept an output sees it change. Yield a new one, such as mixed / total."
)
def running_one_tensor(blocks):
    out = None
    for step in _pass(blocks):
        out = torch.zeros_like(step) if out is None else out
        out[:] = step
        yield out


@running_attention.mistake(
    "You changed the scores or values that were passed in. Subtract and multiply into new tensors."
)
def running_in_place(blocks):
    for (scores, _), out in _beside(blocks, _pass):
        scores -= 1
        yield out


@running_attention.mistake(
    "Right numbers, but in float64: yield float32, with .float()."
)
def running_in_float64(blocks):
    for out in _pass(blocks):
        yield out.double()


@running_attention.mistake(
    "Your outputs have one axis too many: (1, d). Asked for is (d,)."
)
def running_with_an_axis(blocks):
    for out in _pass(blocks):
        yield out[None]


@running_attention.alternative
def running_by_log_sums(blocks):
    """The output so far and the logarithm of its sum: two numbers that merge."""
    log_total, out = torch.tensor(HIDDEN), None
    for scores, values in blocks:
        out = torch.zeros(values.shape[1]) if out is None else out
        log_block = torch.logsumexp(scores, 0)
        if log_block > HIDDEN:
            both = torch.logaddexp(log_total, log_block)
            out = torch.exp(log_total - both) * out
            out = out + torch.exp(scores - both) @ values
            log_total = both
        yield out


@running_attention.alternative
def running_key_by_key(blocks):
    top, total, mixed = -math.inf, 0.0, []
    for scores, values in blocks:
        mixed = mixed or [0.0] * values.shape[1]
        for score, value in zip(scores.tolist(), values.tolist(), strict=True):
            if score == -math.inf:
                continue
            if score > top:
                factor = math.exp(top - score)
                total, mixed = total * factor, [m * factor for m in mixed]
                top = score
            weight = math.exp(score - top)
            total += weight
            mixed = [m + weight * x for m, x in zip(mixed, value, strict=True)]
        yield torch.tensor([m / total if total else 0.0 for m in mixed])


@running_attention.alternative
def running_with_a_memory(blocks):
    """All is kept, which is not what is asked, but right."""
    scores, values = [], []
    for block in blocks:
        scores.append(block[0])
        values.append(block[1])
        yield _attend_all(torch.cat(scores), torch.cat(values))


@running_attention.alternative
def running_by_numpy(blocks):
    state = None
    for scores, values in blocks:
        s, x = scores.double().numpy(), values.double().numpy()
        top, total, mixed = state or (-np.inf, 0.0, np.zeros(x.shape[1]))
        new = max(top, s.max())
        if np.isfinite(new):
            weights, factor = np.exp(s - new), np.exp(top - new)
            state = (
                new,
                total * factor + weights.sum(),
                mixed * factor + weights @ x,
            )
        yield (
            torch.from_numpy(state[2] / state[1]).float()
            if state
            else torch.zeros(x.shape[1])
        )


# 8 ------------------------------------------------------------------------------------------------- in words

is_it_an_alignment = Written("is_it_an_alignment", points=4)
