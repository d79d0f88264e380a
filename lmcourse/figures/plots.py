"""The look of every matplotlib plot in the course: one palette, one size, labels on the lines, stable files.

Plots lie on white paper of their own. No single grey reaches a contrast of 4.5 on a white page and on a dark
one, so a transparent plot would be unreadable on one of them.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from statistics import fmean

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D

__all__ = ["INK", "LINE", "PALETTE", "SOFT", "label_line", "label_lines", "save_png", "use_style"]

# Hues of Okabe and Ito (2008), moved apart in lightness so that they also differ in greyscale, and dark
# enough to serve as text. The interactive figures' style.css names the same values.
PALETTE = {
    "blue": "#2862b8",
    "orange": "#b3561a",
    "green": "#003d26",
    "purple": "#4f2683",
    "rose": "#8c1d4f",
}
INK, SOFT, LINE = "#1b2430", "#515c6b", "#c9d0d9"
DASHES = ["-", (0, (6, 2)), (0, (2, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (1, 1.5))]

STYLE = {
    "figure.figsize": (7.0, 3.6),
    "figure.dpi": 144,
    "savefig.dpi": 144,
    "figure.facecolor": "#ffffff",
    "savefig.facecolor": "#ffffff",
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so the same pixels everywhere
    "font.size": 10.5,
    "text.color": INK,
    "axes.facecolor": "#ffffff",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=list(PALETTE.values())) + cycler(linestyle=DASHES),
    "grid.color": "#e1e5ea",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 5,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.frameon": False,
    "image.cmap": "cividis",  # even in lightness, and the same to colour-blind eyes
    "svg.hashsalt": "lmcourse",
    "svg.fonttype": "none",
}


class _Undo(ExitStack):
    """What `use_style` gives back; a notebook shows nothing of it, so that no object address gets in a file."""

    def __repr__(self) -> str:
        return "<style of the course>"

    def _ipython_display_(self) -> None:
        pass


def use_style() -> ExitStack:
    """Give every later plot the course's look; as `with use_style():` only those inside.

    In a notebook it also fixes what is stored: PNG of constant size with no date and no version in it.

    >>> with use_style():
    ...     mpl.rcParams["figure.dpi"]
    144.0
    """
    restore = _Undo()
    restore.callback(mpl.rcParams.update, {name: mpl.rcParams[name] for name in STYLE})
    mpl.rcParams.update(STYLE)
    if "inline" in mpl.get_backend():
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("png", metadata={"Software": None}, bbox_inches=None)
    return restore


def label_line(ax: Axes, line: Line2D, text: str | None = None, *, x: float | None = None, dy: float = 0.0):
    """Write a line's name beside it, in its colour: at its right end, or above the point nearest to `x`.

    Args:
        ax: the axes the line is in.
        line: what `ax.plot` returned (one of the list).
        text: the name; the line's own label by default.
        x: where along the line; its right end by default.
        dy: shift upward, in points.

    Raises:
        ValueError: the line has no points, or neither `text` nor a label.
    """
    text = line.get_label() if text is None else text
    if not text or str(text).startswith("_"):
        raise ValueError(f"'text' must name the line when the line has no label, got {text!r}")
    points = [p for p in zip(line.get_xdata(), line.get_ydata(), strict=True) if p[1] == p[1]]  # no NaN
    if not points:
        raise ValueError(f"'line' must have at least one point to be labelled, got none for {text!r}")
    at_end = x is None
    px, py = points[-1] if at_end else min(points, key=lambda p: abs(p[0] - x))
    return ax.annotate(
        text,
        (px, py),
        xytext=(6, dy) if at_end else (0, 6 + dy),
        textcoords="offset points",
        ha="left" if at_end else "center",
        va="center" if at_end else "bottom",
        color=line.get_color(),
        fontsize=10,
        fontweight="bold",
        annotation_clip=False,
    )


def label_lines(ax: Axes, gap: float = 13.0) -> None:
    """Label every named line at its right end, at least `gap` points apart; in place of a legend."""
    named = [line for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
    labels = sorted((label_line(ax, line) for line in named), key=lambda label: label.xy[1])
    ax.figure.draw_without_rendering()  # settles the scales, so that data can be measured in points
    heights = [ax.transData.transform(label.xy)[1] * 72 / ax.figure.dpi for label in labels]
    groups: list[list[float]] = []  # labels that push one another apart, around their common middle
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _top(groups[-2], gap) + gap > 2 * fmean(groups[-1]) - _top(groups[-1], gap):
            groups[-2:] = [groups[-2] + groups[-1]]
    placed = [_top(group, gap) - gap * below for group in groups for below in reversed(range(len(group)))]
    for label, height, new in zip(labels, heights, placed, strict=True):
        label.xyann = (6, new - height)


def _top(group: list[float], gap: float) -> float:
    return fmean(group) + gap * (len(group) - 1) / 2


def save_png(figure: MplFigure, path: str | Path) -> None:
    """Write a plot whose bytes depend on the plot alone: no date, no version."""
    figure.savefig(path, format="png", metadata={"Software": None})
