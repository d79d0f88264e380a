"""The unigram language model of subwords: best segmentation, all segmentations, samples.

A text is cut into pieces of a vocabulary, each piece with a probability of its own, independent of its
neighbours: P(x_1 ... x_n) = p(x_1) ... p(x_n). A text has many segmentations. They form a *lattice*: the
places between its characters are the nodes, a piece that fits from one place to another is an arc. Every
function below walks the arcs from left to right once, so the time grows with the length of the text and not
with the number of segmentations, which doubles with every character.

Source: Kudo, "Subword Regularization" (ACL 2018), sections 3.2 and 3.3.
"""

import heapq
import math
import random
from collections.abc import Mapping, Sequence
from functools import cached_property

UNKNOWN_PENALTY = 10.0  # an unknown character costs this much more than the rarest piece, as in SentencePiece

Arcs = list[list[tuple[int, float]]]  # arcs[end] = [(start, log p(text[start:end])), ...], starts ascending


class PieceScores(dict[str, float]):
    """Pieces with their log-probabilities; a dict that knows two things about itself. Not to be changed.

    Raises:
        ValueError: no pieces, an empty piece, or a log-probability that is not a finite number.
    """

    def __init__(self, scores: Mapping[str, float]) -> None:
        super().__init__(scores)
        if not self:
            raise ValueError("'pieces' must hold at least one piece, got none")
        for piece, score in self.items():
            if not piece or not math.isfinite(score):
                raise ValueError(
                    f"'pieces' must be non-empty strings with finite log-probabilities, got {piece!r}: {score}"
                )

    @cached_property
    def longest(self) -> int:
        """The length of the longest piece."""
        return max(map(len, self))

    @cached_property
    def unknown(self) -> float:
        """The score of a character that is not a piece."""
        return min(self.values()) - UNKNOWN_PENALTY


def piece_scores(pieces: Mapping[str, float]) -> PieceScores:
    """`pieces` themselves if they are `PieceScores`, else made into them."""
    return pieces if isinstance(pieces, PieceScores) else PieceScores(pieces)


def lattice(text: str, pieces: Mapping[str, float]) -> Arcs:
    """The arcs of a text by the place where they end; a character that is no piece gets an arc of its own.

    >>> lattice("ab", {"a": -1.0, "b": -2.0, "ab": -2.5})
    [[], [(0, -1.0)], [(0, -2.5), (1, -2.0)]]
    """
    pieces = piece_scores(pieces)
    arcs: Arcs = [[] for _ in range(len(text) + 1)]
    for start in range(len(text)):
        for end in range(start + 1, min(start + pieces.longest, len(text)) + 1):
            score = pieces.get(text[start:end])
            if score is not None:
                arcs[end].append((start, score))
        if text[start] not in pieces:
            arcs[start + 1].append((start, pieces.unknown))
    return arcs


def viterbi(text: str, pieces: Mapping[str, float]) -> list[str]:
    """The segmentation with the highest probability: argmax over x of sum_i log p(x_i).

    Of segmentations with equal scores, compare the last piece: the longer one wins; if both are equal, the
    piece before it, and so on. (SentencePiece and `tokenizers` have the same rule. But they add up the scores
    from the beginning of a long text, and then rounding may decide between `\\n`, `\\n\\n` and `\\n\\n`, `\\n`.)

    >>> viterbi("aab", {"a": -1.0, "b": -3.0, "ab": -2.5, "aa": -4.0})
    ['a', 'ab']
    """
    arcs = lattice(text, pieces)
    best, came_from = [0.0] * len(arcs), [0] * len(arcs)
    for end in range(1, len(arcs)):
        best[end] = -math.inf
        for start, score in arcs[end]:  # the longest piece first: a later one must be better to replace it
            if best[start] + score > best[end]:
                best[end], came_from[end] = best[start] + score, start
    end, segmentation = len(text), []
    while end:
        segmentation.append(text[came_from[end] : end])
        end = came_from[end]
    return segmentation[::-1]


def n_best(text: str, pieces: Mapping[str, float], n: int) -> list[tuple[list[str], float]]:
    """The `n` best segmentations with their log-probabilities, best first, exactly (fewer if there are fewer).

    The n best ways to reach a place are among the n best ways to reach the places before it. Ties are ordered
    as in `viterbi`.

    >>> n_best("ab", {"a": -1.0, "b": -2.0, "ab": -2.5}, n=5)
    [(['ab'], -2.5), (['a', 'b'], -3.0)]
    """
    if n < 1:
        raise ValueError(f"'n' must be at least 1, got {n}")
    arcs = lattice(text, pieces)
    # paths[end] = [(score, start, which of the paths to start), ...], best first
    paths: list[list[tuple[float, int, int]]] = [[(0.0, 0, 0)]]
    for end in range(1, len(arcs)):
        ways = (
            (before[0] + score, start, rank)
            for start, score in arcs[end]
            for rank, before in enumerate(paths[start])
        )
        paths.append(heapq.nlargest(n, ways, key=lambda way: way[0]))
    return [(_follow(text, paths, rank), path[0]) for rank, path in enumerate(paths[-1])]


def _follow(text: str, paths: Sequence[Sequence[tuple[float, int, int]]], rank: int) -> list[str]:
    end, segmentation = len(text), []
    while end:
        _, start, rank = paths[end][rank]
        segmentation.append(text[start:end])
        end = start
    return segmentation[::-1]


def log_sum_exp(values: Sequence[float]) -> float:
    """log(sum_i exp(values[i])) without overflow; -inf for no values.

    >>> log_sum_exp([1000.0, 1000.0]) == 1000.0 + math.log(2)
    True
    """
    highest = max(values, default=-math.inf)
    if len(values) <= 1 or highest == -math.inf:
        return highest
    return highest + math.log(sum([math.exp(value - highest) for value in values]))


def forward(arcs: Arcs) -> list[float]:
    """alpha[k] = log of the summed probability of all segmentations of text[:k].

    alpha[0] = 0 and alpha[end] = log sum over arcs exp(alpha[start] + log p). The last one is log P(text).

    >>> pieces = {"a": math.log(0.5), "b": math.log(0.25), "ab": math.log(0.25)}
    >>> round(math.exp(forward(lattice("ab", pieces))[-1]), 6)  # 0.5 * 0.25 + 0.25
    0.375
    """
    alpha = [0.0]
    for incoming in arcs[1:]:
        alpha.append(log_sum_exp([alpha[start] + score for start, score in incoming]))
    return alpha


def backward(arcs: Arcs) -> list[float]:
    """beta[k] = log of the summed probability of all segmentations of text[k:]; beta[0] = log P(text).

    >>> pieces = {"a": math.log(0.5), "b": math.log(0.25), "ab": math.log(0.25)}
    >>> [round(math.exp(beta), 6) for beta in backward(lattice("ab", pieces))]
    [0.375, 0.25, 1.0]
    """
    outgoing: list[list[float]] = [[] for _ in arcs]
    outgoing[-1] = [0.0]
    beta = [0.0] * len(arcs)
    for end in range(len(arcs) - 1, -1, -1):
        beta[end] = log_sum_exp(outgoing[end])
        for start, score in arcs[end]:
            outgoing[start].append(score + beta[end])
    return beta


def log_probability(text: str, pieces: Mapping[str, float]) -> float:
    """log P(text): the probability of the text, summed over all its segmentations."""
    return forward(lattice(text, pieces))[-1]


def sample(
    text: str, pieces: Mapping[str, float], alpha: float = 1.0, generator: random.Random | None = None
) -> list[str]:
    """Draw a segmentation x with probability P(x)^alpha / sum over x' of P(x')^alpha, exactly.

    Forward filtering, backward sampling: sum up the (smoothed) probabilities from the left, then choose the
    last piece, the piece before it, ... each in proportion to what it contributed. alpha=1 is the model's own
    distribution, alpha=0 makes all segmentations equally probable, a large alpha comes close to `viterbi`.
    Source: Kudo 2018, section 3.3.

    >>> sample("abab", {"a": -1.0, "b": -2.0, "ab": -2.5}, alpha=1.0, generator=random.Random(0))
    ['ab', 'a', 'b']

    Raises:
        ValueError: `alpha` is negative or not finite. TypeError: `generator` is not a `random.Random`.
    """
    if not (alpha >= 0 and math.isfinite(alpha)):
        raise ValueError(f"'alpha' must be a finite number >= 0, got {alpha}")
    if not isinstance(generator, random.Random | None):
        raise TypeError(f"'generator' must be a random.Random, got {type(generator).__name__}")
    draw = (generator or random).choices
    arcs = [[(start, alpha * score) for start, score in incoming] for incoming in lattice(text, pieces)]
    sums = forward(arcs)
    end, segmentation = len(text), []
    while end:
        starts = [start for start, _ in arcs[end]]
        weights = [math.exp(sums[start] + score - sums[end]) for start, score in arcs[end]]
        (start,) = draw(starts, weights)
        segmentation.append(text[start:end])
        end = start
    return segmentation[::-1]
