"""Drawings of this chapter's lesson."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from lmcourse.figures.plots import LINE, PALETTE, SOFT, label_lines


def plot_matrix(
    values: np.ndarray,
    *,
    title: str,
    xlabel: str = "",
    ylabel: str = "",
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    digits: int | None = None,
) -> None:
    """Show a matrix as colours; with `digits` each number is written in its place."""
    height = 0.9 + 0.34 * len(values) if rows else 3.4
    _, ax = plt.subplots(figsize=(7, height))
    drawn = ax.imshow(values, aspect="auto", cmap="cividis")
    if digits is not None:
        middle = (values.max() + values.min()) / 2
        for (r, c), value in np.ndenumerate(values):
            color = "black" if value > middle else "white"
            ax.text(c, r, f"{value:.{digits}f}", ha="center", va="center", fontsize=8.5, color=color)
    else:
        ax.figure.colorbar(drawn, ax=ax, shrink=0.9)
    if rows:
        ax.set_yticks(range(len(rows)), rows)
    if columns:
        ax.set_xticks(range(len(columns)), columns)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.grid(False)
    plt.show()


def plot_steps(
    heights: Mapping[str, float], pairs: Sequence[tuple[str, str]], title: str, ylabel: str
) -> None:
    """Show each pair of words in a column of its own, at their heights, with an arrow from the first to the second."""
    _, ax = plt.subplots(figsize=(7, 3.6))
    for x, (a, b) in enumerate(pairs):
        arrow = {"arrowstyle": "->", "color": PALETTE["blue"], "lw": 1.4, "shrinkA": 5, "shrinkB": 5}
        ax.annotate("", (x, heights[b]), (x, heights[a]), arrowprops=arrow)
        for word, below in ((a, True), (b, False)):
            ax.plot(x, heights[word], "o", color=PALETTE["orange"], markersize=4)
            ax.annotate(word, (x, heights[word]), xytext=(0, -7 if below else 7), textcoords="offset points",
                        ha="center", va="top" if below else "bottom", fontsize=9)  # fmt: skip
    ax.set(title=title, ylabel=ylabel, xticks=[])
    ax.margins(0.08, 0.2)
    plt.show()


def plot_agreement(x: np.ndarray, y: np.ndarray, *, xlabel: str, ylabel: str, title: str) -> None:
    """Show pairs of numbers that a theory says are equal, with the line on which they should lie."""
    _, ax = plt.subplots(figsize=(7, 4))
    ax.plot(x, y, ".", markersize=2.5, alpha=0.35, rasterized=True)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    ax.plot(ends, ends, color=PALETTE["orange"], linestyle="--")
    ax.annotate(
        "equal", (ends[0], ends[0]), xytext=(14, 2), textcoords="offset points", color=PALETTE["orange"]
    )
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    plt.show()


def plot_excess(excess: Mapping[str, np.ndarray], trained: int, title: str) -> None:
    """Show the excess at each position for each scheme, smoothed over eight positions, and where training ended."""
    colors = [SOFT, *PALETTE.values(), PALETTE["blue"]]
    dashes = ["-", "-", "-", (0, (6, 2)), (0, (2, 1.2)), "-", (0, (6, 2))]
    _, ax = plt.subplots(figsize=(7, 4.2))
    for (name, values), color, dash in zip(excess.items(), colors, dashes, strict=False):
        smooth = np.convolve(values[np.isfinite(values)], np.ones(8) / 8, mode="valid")
        ax.plot(np.arange(len(smooth)) + 4.5, smooth, color=color, linestyle=dash, label=name)
    ax.axvline(trained, color=LINE, linewidth=1.2, label="_")
    ax.set(xlabel="position in the row", ylabel="excess over the floor (nats)", title=title, ylim=(0, None))
    ax.annotate("trained up to here", (trained, ax.get_ylim()[1]), xytext=(4, -12), textcoords="offset points", color=SOFT)  # fmt: skip
    label_lines(ax)
    plt.show()
