"""A mask to paint: who may look at whom, and whom a word has heard of after a few layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "Paint a mask: who sees whom?"
CAPTION = (
    "A filled cell lets the word of its row look at the word of its column. Paint by dragging, or with the arrow keys and the space "
    "bar; the window of 2 is the word itself and the one before it. Beside it: what one layer of attention lets through, and what two and three do, since a word hands on what it has "
    "seen (as boolean products of the mask with itself, without residual connections)."
)


def mask_painter(
    words: Sequence[str] = ("the", "cat", "sees", "a", "dog", "<pad>", "<pad>"),
    *,
    pad: str = "<pad>",
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: a mask over a short text, True = may look, with what it lets through in one to three layers.

    Args:
        words: 3 to 10 of them; those equal to `pad` only fill the row (on the right or on the left), and the padding masks hide them.

    Raises:
        ValueError: too few or too many words, or nothing but padding.

    >>> mask_painter()
    Figure('Paint a mask: who sees whom?')
    """
    words = list(words)
    if not 3 <= len(words) <= 10:
        raise ValueError(f"'words' must hold 3 to 10 words, got {len(words)}")
    padding = [word == pad for word in words]
    if all(padding):
        raise ValueError(f"'words' must hold a word that is not pad={pad!r}, got {words}")
    presets = {
        "full": lambda i, j: True,
        "causal": lambda i, j: j <= i,
        "padding": lambda i, j: not padding[j],
        "causal + padding": lambda i, j: j <= i and not padding[j],
        "window of 2": lambda i, j: i - 2 < j <= i,
        "self only": lambda i, j: j == i,
    }
    if not any(padding):
        presets = {name: rule for name, rule in presets.items() if "padding" not in name}
    places = range(len(words))
    masks = {name: [[int(rule(i, j)) for j in places] for i in places] for name, rule in presets.items()}
    table = [("Mask", *(f"“{word}” sees" for word in words))]
    table += [
        (name, *(", ".join(words[j] for j in places if row[j]) or "nobody" for row in mask))
        for name, mask in masks.items()
    ]
    return Figure(
        _HERE / "mask_painter.js",
        {"words": words, "padding": padding, "presets": masks},
        state={"mask": masks["causal"], "word": len(words) - 1 - padding[::-1].index(False)},
        css=_HERE / "mask_painter.css",
        title=title,
        caption=caption,
        alt=f"The causal mask of {len(words)} words has {sum(map(sum, masks['causal']))} of {len(words) ** 2} cells and none "
        "above the diagonal; no number of layers lets anything through from the future. A window of 2 reaches one word "
        "further back with each layer.",
        fallback=table,
    )
