"""How far attention is from the truth: its weights against the links that the grammar knows.

Attention is often read as an alignment: the source word with the largest weight is taken for the one that is being translated.
The translations of `lmcourse.corpora` come with their true links, so that reading can be measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

Links = Iterable[tuple[int, int]]  # (i, j): source word i and target word j


class AlignmentErrors(NamedTuple):
    """One entry for each target word that has a true link, all sentences in a row."""

    sentence: Int64[np.ndarray, "words"]
    target: Int64[np.ndarray, "words"]  # the place of the word in its sentence
    found: Int64[np.ndarray, "words"]  # the source place with the largest weight
    offset: Int64[
        np.ndarray, "words"
    ]  # found minus the nearest true place: 0 is right, -1 the left neighbour

    @property
    def error(self) -> float:
        """The share of words whose largest weight is not on a true link."""
        return float((self.offset != 0).mean())

    def share(self, offset: int) -> float:
        """The share of words, of all, with this offset."""
        return float((self.offset == offset).mean())


def alignment_error(weights: Sequence[Float[Tensor, "_ _"]], alignments: Sequence[Links]) -> AlignmentErrors:
    """Hold the argmax of each row of the weights against the true links.

    Target words without a link (particles that only mark a role) are left out: there is no right place to look for them.
    Of two true places equally near, the left one counts.

    Args:
        weights: for each pair (target, source): row j says where the model looked when it wrote word j. Rows and columns beyond
            the words (the end token) may stand there too.
        alignments: for each pair its links (i, j), source word i for target word j, as in `lmcourse.corpora.Pairs.alignment`.

    Raises:
        ValueError: another number of alignments than of weights; a link outside the weights; no link at all.

    >>> import torch
    >>> weights = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    >>> alignment_error([weights], [[(0, 0), (2, 1)]]).offset  # word 2 has no link
    array([ 0, -1])
    """
    if len(weights) != len(alignments):
        raise ValueError(f"'alignments' must be as many as weights, {len(weights)}, got {len(alignments)}")
    rows = []
    for number, (table, links) in enumerate(zip(weights, alignments, strict=True)):
        best = table.argmax(dim=-1).tolist()
        true: dict[int, list[int]] = {}
        for i, j in sorted(links):
            if not (0 <= i < table.shape[1] and 0 <= j < table.shape[0]):
                raise ValueError(
                    f"'alignments' must link places inside weights of shape {tuple(table.shape)}, got {(i, j)}"
                )
            true.setdefault(j, []).append(i)
        for j, places in sorted(true.items()):
            rows.append((number, j, best[j], min((best[j] - i for i in places), key=abs)))
    if not rows:
        raise ValueError("'alignments' must hold at least one link, got none")
    return AlignmentErrors(*np.array(rows, dtype=np.int64).T)


def alignment_error_rate(predicted: Links, sure: Links, possible: Links | None = None) -> float:
    """Return AER = 1 - (|A and S| + |A and P|) / (|A| + |S|), from 0 (perfect) to 1.

    A are the predicted links, S those that are sure, P those that are possible and hold all of S; without `possible`, P = S, and
    AER is 1 minus the F-measure of the links. It counts links, so a word with two true places wants both. Och and Ney 2003, "A
    Systematic Comparison of Various Statistical Alignment Models" (Computational Linguistics 29), section 6.

    Raises:
        ValueError: no link in `predicted` and `sure` together.

    >>> alignment_error_rate([(0, 0), (1, 1)], sure=[(0, 0)], possible=[(0, 0), (1, 1)])
    0.0
    >>> alignment_error_rate([(0, 0), (1, 1)], sure=[(0, 0), (2, 1)])
    0.5
    """
    a, s = set(predicted), set(sure)
    p = s if possible is None else s | set(possible)
    if not a and not s:
        raise ValueError("'predicted' and 'sure' must hold at least one link together, got none")
    return 1 - (len(a & s) + len(a & p)) / (len(a) + len(s))
