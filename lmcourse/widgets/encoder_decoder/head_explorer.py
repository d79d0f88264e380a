"""All heads of all layers at a glance, and one of them large: attention weights of a text, or between two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from lmcourse.figures import Figure
from lmcourse.widgets import attention

_HERE = Path(__file__).parent
_MAP = Path(attention.__file__).parent  # the large map is that of chapter 04

TITLE = "Every head of every layer"
CAPTION = (
    "Each small map is a head: a row for each word that looks, a column for each word it looks at, the stronger the colour, the more "
    "weight. Below it stands how often its largest weight is right or, where nothing is known to be right, what takes most of its weight: the "
    "word before, the word itself, the first one; “over 7” means spread as if over 7 words evenly. Choose a head by mouse or arrow "
    "keys to see it large, and a row there to see its weights as bars."
)
_MOST = 255  # a weight of 1, as it travels


@dataclass(frozen=True)
class HeadMaps:
    """The attention weights of every head of every layer over one text, or from one text to another.

    Attributes:
        queries: the words that look, one for each row. keys: the words that are looked at. The same ones in self-attention.
        weights: how much queries[j] looks at keys[i] in head h of layer l: weights[l, h, j, i].
        links: (i, j) says that keys[i] is the true place for queries[j], as in `lmcourse.corpora.Pair.alignment`.
        kind: what attention this is, as the reader should see it: "cross-attention", "encoder", ...
        causal: nobody sees what comes later; only for self-attention.
    """

    queries: Sequence[str]
    keys: Sequence[str]
    weights: Float[np.ndarray, "layers heads query key"]
    links: Sequence[tuple[int, int]] = ()
    kind: str = ""
    causal: bool = False


def head_explorer(texts: Sequence[HeadMaps], *, title: str = TITLE, caption: str = CAPTION) -> Figure:
    """An interactive figure: layers x heads as small maps, one of them large with its words, a chosen word's weights as bars.

    A text with links is judged as in `attention_map`: a row is *right* if its largest weight lies on a linked place. Without links a
    head of self-attention is told by what it likes: the mean weight on the word itself, on the word before and on the first word (over
    all words but the first), and by its spread, e to the mean entropy: as if it looked at so many words evenly.

    Args:
        texts: the reader chooses kind and text. Weights travel in steps of 1/255 and are judged as they travel.

    Raises:
        ValueError: no text, weights that do not fit the words or are no distributions, a link to a missing word, causal attention
            between two texts or with weight on what comes later.

    >>> weights = np.array([[[[1.0, 0.0], [0.5, 0.5]]]])  # one layer with one head
    >>> head_explorer([HeadMaps(["a", "fox"], ["a", "fox"], weights, causal=True)])
    Figure('Every head of every layer')
    """
    if not texts:
        raise ValueError("'texts' must hold at least one text, got none")
    packed = [_pack(number, one) for number, one in enumerate(texts)]
    table = [("Attention", "Layer", "Head", "Rows right", "Weight on itself", "On the word before", "Spread")]
    finding = []
    for kind in dict.fromkeys(one.kind for one in texts):
        rows = _heads(kind, [one for one in texts if one.kind == kind])
        table += rows
        finding.append(_finding(kind, rows))
    return Figure(
        [
            _MAP / "softmax.js",
            _MAP / "weight_map.js",
            _HERE / "head_explorer.js",
        ],
        {"texts": packed},
        state={"text": 0, "layer": 0, "head": 0, "word": 0, "truth": False},
        css=(_MAP / "weight_map.css").read_text(encoding="utf-8")
        + (_HERE / "head_explorer.css").read_text(encoding="utf-8"),
        title=title,
        caption=caption,
        alt=" ".join(finding),
        fallback=table,
    )


def _levels(one: HeadMaps) -> Int[np.ndarray, "layers heads query key"]:
    return (np.asarray(one.weights, dtype=np.float64) * _MOST).round().astype(int)


def _links(one: HeadMaps) -> list[list[int]]:
    """The linked places of each query."""
    return [[int(i) for i, j in sorted(one.links) if j == query] for query in range(len(one.queries))]


def _pack(number: int, one: HeadMaps) -> dict:
    """A text as the module reads it."""
    weights, words = np.asarray(one.weights, dtype=np.float64), (len(one.queries), len(one.keys))
    if not all(words) or weights.ndim != 4 or weights.shape[2:] != words or not all(weights.shape):
        raise ValueError(
            f"'weights' must be (layers, heads, {words[0]}, {words[1]}) numbers, got {weights.shape} in text {number}"
        )
    if not (weights >= 0).all() or abs(weights.sum(-1) - 1).max() > 1e-3:
        raise ValueError(
            f"'weights' must be 0 or more and sum to 1 over the keys, got another row in text {number}"
        )
    for i, j in one.links:
        if not (0 <= i < words[1] and 0 <= j < words[0]):
            raise ValueError(f"'links' must be pairs below {words[::-1]}, got ({i}, {j}) in text {number}")
    if one.causal and (list(one.queries) != list(one.keys) or np.triu(weights, 1).max() > 1e-6):
        raise ValueError(
            f"'causal' must be a text that looks at itself and never ahead, got weight there in text {number}"
        )
    return {
        "queries": list(one.queries),
        "keys": list(one.keys),
        "links": _links(one),
        "kind": one.kind,
        "causal": bool(one.causal),
        "layers": weights.shape[0],
        "heads": weights.shape[1],
        "maps": _levels(one).astype(np.uint8).tobytes().hex(),
    }


def _heads(kind: str, texts: Sequence[HeadMaps]) -> list[tuple]:
    """A row of the table for each head, over all texts of a kind."""
    rows = []
    for layer, head in np.ndindex(*max(np.shape(one.weights)[:2] for one in texts)):
        right, itself, before, spread = [], [], [], []
        for one in texts:
            if layer >= np.shape(one.weights)[0] or head >= np.shape(one.weights)[1]:
                continue
            levels = _levels(one)[layer, head]
            right += [
                int(row.argmax()) in linked for row, linked in zip(levels, _links(one), strict=True) if linked
            ]
            shares = levels / levels.sum(-1, keepdims=True)
            if list(one.queries) == list(one.keys):
                itself += list(np.diag(levels)[1:] / _MOST)
                before += list(np.diag(levels, -1) / _MOST)
                shares = shares[1:]
            spread += list(-(shares * np.log(np.where(shares > 0, shares, 1))).sum(-1))
        share = f"{sum(right)} of {len(right)}" if right else "–"
        rows.append(
            (
                kind,
                layer + 1,
                head + 1,
                share,
                _mean(itself),
                _mean(before),
                f"{np.exp(np.mean(spread)) if spread else 1:.1f}",
            )
        )
    return rows


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.2f}" if values else "–"


def _finding(kind: str, rows: Sequence[tuple]) -> str:
    """Which head is right most often, or which one looks at the word before."""
    what = f"{kind}: {len(rows)} heads." if kind else f"{len(rows)} heads."
    if rows[0][3] != "–":
        best = max(rows, key=lambda row: int(row[3].split()[0]))
        return f"{what} Layer {best[1]}, head {best[2]} is right most often, for {best[3]} words."
    if rows[0][5] != "–":
        best = max(rows, key=lambda row: float(row[5]))
        return f"{what} Layer {best[1]}, head {best[2]} looks most at the word before, with a mean weight of {best[5]}."
    return what
