"""Training the unigram model: many candidate pieces, then fewer and fewer.

Start with every substring that is frequent enough. Then, in turns: *expectation-maximization* (how often is each
piece used, over all segmentations, weighted by their probability? these counts are the new probabilities) and
*pruning* (drop the pieces that the text would miss least). Single characters always stay, so that every text
of known characters can be spelt.

Source: Kudo 2018, section 3.2; where the paper is silent, the choices of SentencePiece or our own, as said.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping

from tqdm.auto import tqdm

from lmcourse.tokens.unigram_model import PieceScores, backward, forward, lattice, n_best

KEEP = 0.75  # of the pieces that could go, this share stays each round (Kudo: 80 %, SentencePiece: 75 %)
MIN_COUNT = 0.5  # a longer piece that is expected less often than this goes in the next round
CHARACTER_FLOOR = 0.5  # a character counts at least this often: a lone `q` must stay possible


def seed_pieces(chunks: Mapping[str, int], size: int = 1_000_000, max_length: int = 16) -> PieceScores:
    """All characters, and the `size` longer substrings that occur at least twice and cover the most text.

    The probabilities to start from are in proportion to frequency * length. (SentencePiece finds the same
    substrings with a suffix array; the substrings of a few thousand different chunks can be counted one by one.)

    >>> sorted(seed_pieces({"aba": 2}, size=2))
    ['a', 'ab', 'aba', 'b']
    """
    counts: Counter[str] = Counter()
    for chunk, count in chunks.items():
        for start in range(len(chunk)):
            for end in range(start + 1, min(start + max_length, len(chunk)) + 1):
                counts[chunk[start:end]] += count
    weights = {piece: count for piece, count in counts.items() if len(piece) == 1}
    longer = {piece: count * len(piece) for piece, count in counts.items() if len(piece) > 1 and count > 1}
    weights |= dict(_highest(longer, size))
    return _normalized(weights)


def expected_counts(chunks: Mapping[str, int], pieces: PieceScores) -> tuple[dict[str, float], float]:
    """E-step: how often each piece is used on average over all segmentations, and the log-likelihood.

    An arc from `start` to `end` is in the share exp(alpha[start] + log p + beta[end] - log P(chunk)) of the
    chunk's segmentations (weighted by probability). The log-likelihood is sum over chunks of count * log P.

    >>> counts, log_likelihood = expected_counts({"aa": 1}, PieceScores({"a": -1.0, "aa": -2.0}))
    >>> round(counts["a"], 6), round(counts["aa"], 6)  # both segmentations have probability exp(-2)
    (1.0, 0.5)
    """
    counts: defaultdict[str, float] = defaultdict(float)
    log_likelihood = 0.0
    for chunk, count in chunks.items():
        arcs = lattice(chunk, pieces)
        alpha, beta = forward(arcs), backward(arcs)
        log_likelihood += count * alpha[-1]
        for end, incoming in enumerate(arcs):
            for start, score in incoming:
                share = math.exp(alpha[start] + score + beta[end] - alpha[-1])
                counts[chunk[start:end]] += count * share
    return counts, log_likelihood


def maximize(counts: Mapping[str, int | float], character_floor: float = 0.0) -> PieceScores:
    """M-step: log p(piece) = log(count / sum of counts); pieces that are never used go.

    A count of a single character below `character_floor` is raised to it. With 0 this is the exact M-step, which
    never lowers the likelihood. (So it is in Kudo's paper; SentencePiece takes exp(digamma(count)) instead of
    the count, which presses rare pieces further down.)

    >>> {piece: round(math.exp(score), 3) for piece, score in maximize({"a": 1.0, "ab": 3.0, "b": 0.0}).items()}
    {'a': 0.25, 'ab': 0.75}
    """
    return _normalized(
        {
            piece: max(count, character_floor) if len(piece) == 1 else count
            for piece, count in counts.items()
            if count > 0
        }
    )


def removal_losses(counts: Mapping[str, int | float], pieces: PieceScores) -> dict[str, float]:
    """By how much the log-likelihood falls, about, if a piece of more than one character goes.

    Wherever it was used, the best segmentation of its characters into other pieces takes its place:
    loss = count(piece) * (log p(piece) - log p(best other segmentation)).

    >>> removal_losses({"ab": 4.0}, PieceScores({"a": -2.0, "b": -3.0, "ab": -2.5}))
    {'ab': 10.0}
    """
    losses = {}
    for piece, score in pieces.items():
        if len(piece) > 1:
            others = [other for segmentation, other in n_best(piece, pieces, 2) if segmentation != [piece]]
            losses[piece] = counts[piece] * (score - others[0])
    return losses


def prune(pieces: PieceScores, counts: Mapping[str, int | float], size: int) -> PieceScores:
    """The characters and, of the longer pieces in use, those that would be missed most: `size` at most in all.

    >>> pieces = PieceScores({"a": -2.0, "b": -3.0, "ab": -2.5, "aa": -3.9})
    >>> sorted(prune(pieces, {"a": 1.0, "b": 1.0, "ab": 4.0, "aa": 4.0}, size=3))
    ['a', 'ab', 'b']
    """
    kept = [piece for piece in pieces if len(piece) == 1]
    losses = removal_losses(counts, pieces)
    losses = {piece: loss for piece, loss in losses.items() if counts[piece] >= MIN_COUNT}
    kept += [piece for piece, _ in _highest(losses, size - len(kept))]
    return PieceScores({piece: pieces[piece] for piece in kept})


def train_unigram(
    chunks: Mapping[str, int], size: int, *, max_length: int = 16, iterations: int = 2, progress: bool = False
) -> PieceScores:
    """Train a model of `size` pieces, most probable first (fewer if the text has too few substrings).

    Each round is `iterations` times expectation-maximization and then pruning, until `size` is reached; after
    that, as many times again with the pieces that are left.

    >>> list(train_unigram({"▁boat": 5, "▁boats": 2}, size=7))[0]
    '▁boat'

    Raises:
        ValueError: there are more than `size` different characters.
    """
    pieces = seed_pieces(chunks, max_length=max_length)
    characters = sum(len(piece) == 1 for piece in pieces)
    if size < characters:
        raise ValueError(f"'size' must be at least {characters}, the number of characters, got {size}")
    with tqdm(desc="Unigram", unit="round", disable=not progress) as bar:
        while True:
            done = len(pieces) <= size
            for _ in range(iterations):
                counts, _ = expected_counts(chunks, pieces)
                pieces = maximize(counts, CHARACTER_FLOOR)
            bar.update()
            bar.set_postfix(pieces=len(pieces))
            if done:
                break
            pieces = prune(pieces, counts, max(size, int(KEEP * len(pieces))))
    return PieceScores(dict(_highest(pieces, len(pieces))))


def _highest(values: Mapping[str, int | float], size: int) -> list[tuple[str, int | float]]:
    """The `size` items with the highest values, highest first; of equals, the one that sorts first."""
    return sorted(values.items(), key=lambda item: (-item[1], item[0]))[: max(size, 0)]


def _normalized(weights: Mapping[str, int | float]) -> PieceScores:
    total = math.log(sum(weights.values()))
    return PieceScores({piece: math.log(weight) - total for piece, weight in weights.items()})
