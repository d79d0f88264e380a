"""Drawings of this chapter's lesson."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.patches as patches
from matplotlib.axes import Axes

from lmcourse.figures.plots import LINE, PALETTE, SOFT
from lmcourse.tokens.unigram_model import piece_scores, viterbi


def plot_lattice(ax: Axes, text: str, log_probs: Mapping[str, float]) -> None:
    """Draw every piece that fits `text` as an arc over the letters it spells; the best path is heavy, and below the line.

    Args:
        ax: axes to draw in.
        text: what is to be spelled, a word or so.
        log_probs: the pieces of a Unigram model.
    """
    scores = piece_scores(log_probs)
    best, start = set(), 0
    for piece in viterbi(text, scores):
        best.add((start, start + len(piece)))
        start += len(piece)
    arcs = [(i, j) for i in range(len(text)) for j in range(i + 1, len(text) + 1) if text[i:j] in scores]
    highest = max(j - i for i, j in arcs)
    for i, j in arcs:
        heavy = (i, j) in best
        middle, height = (i + j) / 2, 0.35 + 0.3 * (j - i)
        half = {"theta1": 180, "theta2": 360} if heavy else {"theta1": 0, "theta2": 180}
        color = PALETTE["blue"] if heavy else LINE
        ax.add_patch(patches.Arc((middle, 0), j - i, 2 * height, color=color, lw=3 if heavy else 1.2, **half))
        if heavy:
            ax.text(
                middle,
                -height - 0.1,
                text[i:j],
                ha="center",
                va="top",
                fontsize=9,
                color=color,
                weight="bold",
            )
        elif j - i > 1:
            ax.text(middle, height + 0.05, text[i:j], ha="center", va="bottom", fontsize=8, color=SOFT)
    for place in range(len(text) + 1):
        ax.plot(place, 0, "o", color=SOFT, markersize=5, zorder=3)
    for place, letter in enumerate(text):
        ax.text(place + 0.5, 0.04, letter, ha="center", va="bottom", fontsize=10)
    longest_best = max(j - i for i, j in best)
    ax.set(xlim=(-0.3, len(text) + 0.3), ylim=(-(1.1 + 0.3 * longest_best), 0.9 + 0.3 * highest))
    ax.axis("off")
