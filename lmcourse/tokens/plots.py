"""Drawings of this chapter's lesson."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.patches as patches
import matplotlib.pyplot as plt

from lmcourse.figures.plots import LINE, PALETTE, SOFT
from lmcourse.tokens.base import Tokenizer
from lmcourse.tokens.batch import Batch
from lmcourse.tokens.bpe import BPETokenizer
from lmcourse.tokens.unigram_model import piece_scores, viterbi


def _visible(token: str) -> str:
    """A token as the lesson writes it: a dot for the space of byte-level vocabularies."""
    return token.replace("Ġ", "·").replace("Ċ", "↵")


def plot_merges(
    tokenizer: BPETokenizer, texts: Iterable[str], named: Sequence[int] = (4, 20, 100, 1000)
) -> None:
    """Show how often the token that each merge made is used in `texts`, and name those of the merges in `named`."""
    counts = Counter(token_id for text in texts for token_id in tokenizer.encode(text))
    tokens = ["".join(pair) for pair in tokenizer.merges]
    # A token that is never used stands at one half, since a logarithmic axis has no zero.
    times = [max(counts[tokenizer.vocab[token]], 0.5) for token in tokens]
    _, ax = plt.subplots()
    ax.loglog(range(1, len(times) + 1), times, ".", markersize=3)
    for rank in named:
        if rank <= len(times):
            place = (rank, times[rank - 1])
            ax.plot(*place, "o", color=PALETTE["orange"])
            ax.annotate(
                _visible(tokens[rank - 1]), place, xytext=(5, 6), textcoords="offset points", weight="bold"
            )
    ax.set(
        xlabel="merge number",
        ylabel="times the token is used",
        title="Early merges are everyday, late ones are rare",
    )
    plt.show()


def plot_lattice(text: str, log_probs: Mapping[str, float]) -> None:
    """Show every piece that fits `text` as an arc over the letters it spells; the best path hangs below, heavy.

    Args:
        text: what is to be spelled, a word or so.
        log_probs: the pieces of a Unigram model.
    """
    scores = piece_scores(log_probs)
    best, start = set(), 0
    for piece in viterbi(text, scores):
        best.add((start, start + len(piece)))
        start += len(piece)
    arcs = [(i, j) for i in range(len(text)) for j in range(i + 1, len(text) + 1) if text[i:j] in scores]
    _, ax = plt.subplots(figsize=(7, 3))
    for i, j in arcs:
        heavy = (i, j) in best
        middle, height = (i + j) / 2, 0.35 + 0.3 * (j - i)
        half = {"theta1": 180, "theta2": 360} if heavy else {"theta1": 0, "theta2": 180}
        color = PALETTE["blue"] if heavy else LINE
        ax.add_patch(patches.Arc((middle, 0), j - i, 2 * height, color=color, lw=3 if heavy else 1.2, **half))
        if heavy:
            ax.text(middle, -height - 0.1, text[i:j], ha="center", va="top", color=color, weight="bold")
        elif j - i > 1:
            ax.text(middle, height + 0.05, text[i:j], ha="center", va="bottom", fontsize=8, color=SOFT)
    for place in range(len(text) + 1):
        ax.plot(place, 0, "o", color=SOFT, markersize=5, zorder=3)
    for place, letter in enumerate(text):
        ax.text(place + 0.5, 0.04, letter, ha="center", va="bottom")
    highest, lowest = max(j - i for i, j in arcs), max(j - i for i, j in best)
    ax.set(xlim=(-0.3, len(text) + 0.3), ylim=(-(1.2 + 0.3 * lowest), 0.9 + 0.3 * highest))
    ax.set_title(f"Each path from left to right spells {text}")
    ax.axis("off")
    plt.show()


def plot_batches(batches: Mapping[str, Batch], tokenizer: Tokenizer, pad_token: str = "<pad>") -> None:
    """Show batches as grids: text dark, padding light."""
    _, axes = plt.subplots(1, len(batches), figsize=(7, 1.9), squeeze=False)
    for ax, (title, batch) in zip(axes[0], batches.items(), strict=True):
        ax.imshow(batch.attention_mask, cmap="Blues", vmin=-0.1, vmax=3, aspect="auto")
        for row, (ids, mask) in enumerate(
            zip(batch.input_ids.tolist(), batch.attention_mask.tolist(), strict=True)
        ):
            for column, (token_id, real) in enumerate(zip(ids, mask, strict=True)):
                text = _visible(tokenizer.id_to_token[token_id]) if real else pad_token.strip("<>")
                ax.text(column, row, text, ha="center", va="center", fontsize=7, color=None if real else SOFT)
        ax.set(title=title, xlabel="position", yticks=[])
        ax.grid(False)
    plt.show()


def plot_years(tokenizer: Tokenizer, first: int, decades: int) -> None:
    """Show how the years from `first` on are cut, a decade a row; darker means more tokens."""
    cuts = [[tokenizer.tokenize(f" {first + 10 * r + c}") for c in range(10)] for r in range(decades)]
    _, ax = plt.subplots(figsize=(7, 0.6 + 0.4 * decades))
    ax.imshow([[len(tokens) for tokens in row] for row in cuts], cmap="Blues", aspect="auto", vmin=-1, vmax=6)
    for r, row in enumerate(cuts):
        for c, tokens in enumerate(row):
            ax.text(c, r, _visible("|".join(tokens)), ha="center", va="center", fontsize=8)
    names = [f"{first + 10 * r}s" for r in range(decades)]
    ax.set(xticks=range(10), yticks=range(decades), yticklabels=names, xlabel="last digit")
    ax.set_title("Years side by side are not cut alike")
    ax.grid(False)
    plt.show()
