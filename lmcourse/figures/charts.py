"""Charts that many lessons draw, one call each: lines with labels, bars, small histograms side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from lmcourse.figures.plots import label_lines


def curves(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    log_x: bool = False,
    log_y: bool = False,
    y_from: float | None = None,
) -> None:
    """Show one line for each of `series`, named at its end; a single line needs no name.

    Args:
        x: where the values were measured; with `log_x` these places are the ticks. With many places no dots are drawn.
        series: name -> values, as many as `x` has.
        y_from: where the vertical axis begins; None leaves it to the data.

    Raises:
        ValueError: a series of another length than `x`.
    """
    for name, values in series.items():
        if len(values) != len(x):
            raise ValueError(
                f"'series' must have {len(x)} values for each line, got {len(values)} for {name!r}"
            )
    _, ax = plt.subplots()
    for name, values in series.items():
        marker = "o" if len(x) <= 25 else None
        ax.plot(x, values, marker=marker, label=name if len(series) > 1 else None)
    if log_x:
        ax.set_xscale("log")
        ax.set_xticks(x, [f"{value:,g}" for value in x])
        ax.minorticks_off()
    elif all(value == int(value) for value in x):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if log_y:
        ax.set_yscale("log")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if y_from is not None:
        ax.set_ylim(bottom=y_from)
    label_lines(ax)
    plt.show()


def bars(
    values: Mapping[str, float], *, xlabel: str, title: str, notes: Mapping[str, str] | None = None
) -> None:
    """Show a horizontal bar for each value, the smallest on top, with a note behind it."""
    names = sorted(values, key=values.__getitem__, reverse=True)
    _, ax = plt.subplots(figsize=(7, 0.8 + 0.29 * len(names)))
    ax.barh(names, [values[name] for name in names])
    for y, name in enumerate(names):
        text = (notes or {}).get(name, f"{values[name]:,g}")
        ax.annotate(text, (values[name], y), xytext=(5, 0), textcoords="offset points", va="center")
    ax.set(xlabel=xlabel, title=title)
    ax.margins(x=0.12)
    ax.grid(axis="y", visible=False)
    plt.show()


def histograms(counts: Mapping[str, Mapping[int, int]], *, xlabel: str, ylabel: str) -> None:
    """Show one panel for each entry: whole numbers and how often each came, in per cent of the panel."""
    everything = [value for panel in counts.values() for value in panel]
    _, axes = plt.subplots(1, len(counts), figsize=(7, 3), sharey=True, squeeze=False)
    for ax, (name, panel) in zip(axes[0], counts.items(), strict=True):
        total = sum(panel.values())
        ax.bar(list(panel), [100 * n / total for n in panel.values()])
        ax.set(xlabel=xlabel, title=name, xlim=(min(everything) - 0.7, max(everything) + 0.7))
        ax.set_xticks(range(min(everything), max(everything) + 1))
    axes[0][0].set_ylabel(ylabel)
    plt.show()
