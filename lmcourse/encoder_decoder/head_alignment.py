"""What each head of cross-attention looks at, held against the true alignment, with allowance for heads that are early or late.

When a decoder writes word j, its row of weights says where it looked. A head may look at the source of the word that is about to be
written: that is an alignment as a translator would draw it. Or it may look back at the source of the word that has just been read, to find
out what comes next to it: its rows are right as well, only for the word before. An error at one of the two is no error at the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lmcourse.attention import alignment_error
from lmcourse.attention.alignment_error import Links
from lmcourse.corpora import Pairs
from lmcourse.encoder_decoder.transformer import Transformer
from lmcourse.recurrence import pad_pairs

SHIFTS = (-1, 0, 1)

CrossWeights = list[Float[Tensor, "_ _ _"]]  # (heads, target, source) for each layer


class HeadAlignment(NamedTuple):
    """How far one head is from the truth.

    `errors[s]` is the share of linked target words whose largest weight is not on a true link, if row j is read as the alignment of word
    j + s: 0 is the word about to be written, -1 the word just read, 1 the one after next.
    """

    layer: int
    head: int
    errors: dict[int, float]

    @property
    def shift(self) -> int:
        """The shift that fits best; of equals the one nearest to 0."""
        return min(self.errors, key=lambda s: (self.errors[s], abs(s), s))

    @property
    def error(self) -> float:
        """The error at the best shift."""
        return self.errors[self.shift]


def head_alignment(
    weights: Sequence[CrossWeights], alignments: Sequence[Links], shifts: Sequence[int] = SHIFTS
) -> list[HeadAlignment]:
    """Return one row for each head of each layer.

    Args:
        weights: for each pair the cross-attention of all layers; row j is where the head looked when it wrote word j, the row of
            <eos> included, as in `cross_weights`.
        alignments: for each pair its links (i, j), as in `lmcourse.corpora.Pairs.alignment`.

    Only words that have a row at each of `shifts` are counted, so that all errors are of the same words: with the
    default all but the first.

    Raises:
        ValueError: as `alignment_error`.

    >>> late = torch.tensor([[[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.1, 0.9, 0.0]]])  # one head; word by word with <eos>
    >>> (head,) = head_alignment([[late]], [[(0, 0), (1, 1)]])
    >>> head.errors[0], head.shift, head.error
    (1.0, -1, 0.0)
    """
    low, high = max(0, *shifts), -min(0, *shifts)
    rows = []
    for layer in range(len(weights[0])):
        for head in range(len(weights[0][layer])):
            maps = [of_layers[layer][head] for of_layers in weights]
            kept = [
                [(i, j) for i, j in links if low <= j < len(table) - high]
                for table, links in zip(maps, alignments, strict=True)
            ]
            errors = {}
            for s in shifts:
                moved = [[(i, j - s) for i, j in links] for links in kept]  # word j stands in row j - s
                errors[s] = alignment_error(maps, moved).error
            rows.append(HeadAlignment(layer, head, errors))
    return rows


@torch.no_grad()
def cross_weights(model: Transformer, pairs: Pairs, batch_size: int = 64) -> list[CrossWeights]:
    """Return, for each pair, where each head of each layer looked in the source while the true translation was written.

    Rows are the words and <eos>, columns the source words and <eos>; padding is cut off.
    """
    source, target = pairs.ids()
    device = next(model.parameters()).device
    found: list[CrossWeights] = []
    for start in range(0, len(source), batch_size):
        some = slice(start, start + batch_size)
        batch = pad_pairs(source[some], target[some])
        layers = model.weights(*(part.to(device) for part in batch[:3])).cross
        for row, (x, y) in enumerate(zip(source[some], target[some], strict=True)):
            found.append([layer[row, :, : len(y) - 1, : len(x)].cpu() for layer in layers])
    return found


def cross_attention_errors(
    model: Transformer, pairs: Pairs, shifts: Sequence[int] = SHIFTS
) -> list[HeadAlignment]:
    """Return `head_alignment` of the model's cross-attention while it reads and writes the true pairs."""
    return head_alignment(cross_weights(model, pairs), pairs.alignment, shifts)
