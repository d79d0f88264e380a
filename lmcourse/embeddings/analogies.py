"""Analogies: a is to b as c is to which word?

If king - man and queen - woman are the same step, then queen is near king - man + woman. Two ways to choose the word
x: 3CosAdd, Mikolov et al. 2013 ("Linguistic Regularities in Continuous Space Word Representations"), and 3CosMul,
Levy and Goldberg 2014 ("Linguistic Regularities in Sparse and Explicit Word Representations", equations 3 and 5).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmcourse.embeddings.vectors import WordVectors

Method = Literal["add", "multiply"]
Question = tuple[str, str, str, str]


def analogy_scores(
    to_a: Float[np.ndarray, "*shape"],
    to_b: Float[np.ndarray, "*shape"],
    to_c: Float[np.ndarray, "*shape"],
    method: Method = "add",
    epsilon: float = 0.001,
) -> Float[np.ndarray, "*shape"]:
    """Return how well each word x completes a : b = c : x, from its cosines to a, b and c.

    "add": cos(x, b) - cos(x, a) + cos(x, c). "multiply": cos'(x, b) cos'(x, c) / (cos'(x, a) + epsilon), with
    cos' = (cos + 1) / 2 so that nothing is negative. The product is large only if both similarities are; in the sum a large
    one can hide a small one.

    >>> analogy_scores(np.array([0.0]), np.array([0.5]), np.array([0.25])).tolist()
    [0.75]
    """
    if method == "add":
        return to_b - to_a + to_c
    if method == "multiply":
        return ((to_b + 1) / 2) * ((to_c + 1) / 2) / ((to_a + 1) / 2 + epsilon)
    raise ValueError(f"'method' must be 'add' or 'multiply', got {method!r}")


def analogy(
    vectors: WordVectors,
    a: str,
    b: str,
    c: str,
    n: int = 1,
    *,
    method: Method = "add",
    exclude: bool = True,
    epsilon: float = 0.001,
) -> list[tuple[str, float]]:
    """Return the `n` words that best complete a : b = c : x, with their scores.

    With `exclude`, a, b and c are no answers. That is the custom, and it does much of the work: where words differ
    from a common step by more than the step is long, the word nearest to b - a + c is c itself. `exclude=False` shows it.

    Raises:
        KeyError: a word that is not in the vocabulary. ValueError: an unknown `method`.

    >>> vectors = WordVectors(
    ...     np.array([[1.0, 0.0, 0.2], [1.0, 0.0, 1.0], [0.0, 1.0, 0.2], [0.0, 1.0, 1.0]]),
    ...     ["man", "woman", "king", "queen"],
    ... )
    >>> analogy(vectors, "man", "woman", "king")[0][0]
    'queen'
    """
    to_a, to_b, to_c = (vectors.unit @ vectors.unit[vectors.index(word)] for word in (a, b, c))
    scores = analogy_scores(to_a, to_b, to_c, method, epsilon)
    return vectors.best(scores, n, (a, b, c) if exclude else ())


@dataclass(frozen=True)
class AnalogyResult:
    """How many questions were answered right, and what was answered to each (in the order of the questions)."""

    right: int
    answers: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        return self.right / len(self.answers)


def answer_analogies(
    vectors: WordVectors, questions: Iterable[Question], *, method: Method = "add", exclude: bool = True
) -> AnalogyResult:
    """Ask questions (a, b, c, expected) and count the answers that are exactly the expected word.

    Guessing is right once in `len(vectors)` times: accuracy needs no other baseline.

    Raises:
        ValueError: no question. KeyError: a word that is not in the vocabulary.

    >>> vectors = WordVectors(np.array([[1.0, 0.1], [1.0, 1.0], [0.1, 0.2]]), ["x", "y", "z"])
    >>> answer_analogies(vectors, [("x", "y", "x", "z")], exclude=False)
    AnalogyResult(right=0, answers=('y',))
    """
    questions = list(questions)
    if not questions:
        raise ValueError("'questions' must hold at least one question, got none")
    index = np.array([[vectors.index(word) for word in question] for question in questions])
    answers = []
    for part in np.array_split(index, -(-len(index) // 1024)):  # a slice at a time, for its memory
        to_a, to_b, to_c = (
            vectors.unit[part[:, column]] @ vectors.unit.T for column in range(3)
        )  # (part, vocab)
        scores = analogy_scores(to_a, to_b, to_c, method)
        if exclude:
            np.put_along_axis(scores, part[:, :3], -np.inf, axis=1)
        answers.extend(scores.argmax(1).tolist())
    right = int((np.array(answers) == index[:, 3]).sum())
    return AnalogyResult(right, tuple(vectors.vocab[i] for i in answers))
