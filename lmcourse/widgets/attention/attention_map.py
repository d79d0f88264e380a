"""Where a translator looks: the attention weights of sentence pairs as a map, held against the true alignment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

# Source words, target words, weights (target, source) or (head, target, source), and links (place in source, in target).
AttentionPair = tuple[Sequence[str], Sequence[str], ArrayLike, Sequence[tuple[int, int]]]

TITLE = "Where does the translator look?"
CAPTION = (
    "Each row is a word of the translation, each column a word of the source; the stronger the colour, the more weight. "
    "The bars above are the row that you point at or choose with the arrow keys. Switch the true alignment on, and see "
    "where the largest weight falls beside it (✓ right, ≈ one place off, ✗ elsewhere). Words without a true link (they only mark a role) are not counted."
)

_PER_ONE = 10_000  # weights travel as whole numbers of a ten-thousandth, and are judged as they travel


def attention_map(
    pairs: Sequence[AttentionPair],
    *,
    heads: Sequence[str] | None = None,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: attention maps of sentence pairs, each row judged by where its largest weight lies.

    A row is *right* if its largest weight (the first of equals) lies on a linked source word, a *neighbour* if it lies one place
    beside one, *elsewhere* otherwise. Rows without a link are not judged.

    Args:
        pairs: (source, target, weights, links) for each. weights[j, i] is how much the model looks at source word i when it
            writes target word j; with heads in front, weights[h, j, i]. A link (i, j) says that i stands for j, as in
            `lmcourse.corpora.Pair.alignment`. What the model reads beside the words (`<eos>`) is a word too.
        heads: their names, "Head 1" and so on by default. The reader chooses one.

    Raises:
        ValueError: no pair, a shape that does not fit the words, rows that are no distributions, a link to a missing word, a
            number of heads that changes or differs from that of the names.

    >>> attention_map([(["a", "fox"], ["lomi"], [[0.25, 0.75]], [(1, 0)])])
    Figure('Where does the translator look?')
    """
    if not pairs:
        raise ValueError("'pairs' must hold at least one pair of sentences, got none")
    sentences = [_sentence(number, *pair) for number, pair in enumerate(pairs)]
    n_heads = len(sentences[0]["weights"])
    for number, sentence in enumerate(sentences):
        if len(sentence["weights"]) != n_heads:
            raise ValueError(
                f"'pairs' must have one number of heads, got {n_heads} and, in pair {number}, {len(sentence['weights'])}"
            )
    names = [f"Head {h + 1}" for h in range(n_heads)] if heads is None else list(heads)
    if len(names) != n_heads:
        raise ValueError(f"'heads' must name each of {n_heads} heads, got {names}")
    table = [("Source", "Translation", *(f"{name}: right" for name in names), "Words with a link")]
    total = [Counter() for _ in names]
    for sentence in sentences:
        counts = [Counter(_judge(sentence, h)) for h in range(n_heads)]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        rights = (count["right"] for count in counts)
        table.append(
            (" ".join(sentence["source"]), " ".join(sentence["target"]), *rights, _linked(counts[0]))
        )
    findings = [
        f"{name}: right for {count['right']}, one place beside it for {count['neighbour']}, elsewhere for {count['elsewhere']}"
        for name, count in zip(names, total, strict=True)
    ]
    return Figure(
        [_HERE / "weight_map.js", _HERE / "attention_map.js"],
        {"sentences": sentences, "heads": names},
        state={"sentence": 0, "word": 0, "head": 0, "truth": False},
        css=_HERE / "weight_map.css",
        title=title,
        caption=caption,
        alt=f"The largest weight of {_linked(total[0])} translated words in {len(sentences)} sentences, against the true "
        f"alignment. {'. '.join(findings) if n_heads > 1 else findings[0].partition(': ')[2].capitalize()}.",
        fallback=table,
    )


def _sentence(
    number: int,
    source: Sequence[str],
    target: Sequence[str],
    weights: ArrayLike,
    links: Sequence[tuple[int, int]],
) -> dict:
    """One pair as the module reads it: weights as whole numbers, for each target word the source places linked to it."""
    source, target, weights = list(source), list(target), np.asarray(weights, dtype=np.float64)
    if weights.ndim == 2:
        weights = weights[None]
    if weights.ndim != 3 or weights.shape[1:] != (len(target), len(source)) or not len(weights) or not target:
        raise ValueError(
            f"'pairs' must give weights of shape ({len(target)}, {len(source)}), target by source words, or with heads in "
            f"front, got {weights.shape} in pair {number}"
        )
    if not (weights >= 0).all() or abs(weights.sum(-1) - 1).max() > 1e-3:
        raise ValueError(
            f"'pairs' must give weights of 0 or more that sum to 1 over the source, got another row in pair {number}"
        )
    linked = [[] for _ in target]
    for i, j in sorted(links):
        if not (0 <= i < len(source) and 0 <= j < len(target)):
            raise ValueError(
                f"'pairs' must link words below ({len(source)}, {len(target)}), got ({i}, {j}) in pair {number}"
            )
        linked[j].append(int(i))
    whole = (weights * _PER_ONE).round().astype(int).tolist()
    return {"source": source, "target": target, "weights": whole, "links": linked}


def _judge(sentence: dict, head: int) -> list[str]:
    """For each target word: right, neighbour, elsewhere, or "" if it has no link."""
    verdicts = []
    for row, linked in zip(sentence["weights"][head], sentence["links"], strict=True):
        off = min((abs(int(np.argmax(row)) - i) for i in linked), default=None)
        verdicts.append("" if off is None else ("right", "neighbour")[off] if off < 2 else "elsewhere")
    return verdicts


def _linked(count: Counter) -> int:
    return count.total() - count[""]
