"""Drawings of this chapter's lesson."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from lmcourse.figures.plots import LINE, PALETTE


def plot_laws(vocab: Sequence[str], laws: Mapping[str, np.ndarray], top: int = 6, title: str = "") -> None:
    """Show the `top` most probable next tokens under each law, a panel for each; `laws` are probabilities over `vocab`."""
    _, axes = plt.subplots(1, len(laws), figsize=(7, 0.7 + 0.28 * top), sharex=True, squeeze=False)
    for ax, (name, law) in zip(axes[0], laws.items(), strict=True):
        best = np.argsort(-np.asarray(law), kind="stable")[:top][::-1]
        ax.barh([vocab[i] for i in best], [law[i] for i in best])
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("probability")
        ax.grid(axis="y", visible=False)
    axes[0][0].get_figure().suptitle(title, x=0.01, ha="left", weight="bold", fontsize=11.5)
    plt.show()


def plot_surprisals(words: Sequence[str], surprisals: Mapping[str, Sequence[float]], title: str) -> None:
    """Show the surprisal of each word of a sentence in bits: lines for the models, bars for the last entry, the floor."""
    _, ax = plt.subplots(figsize=(7, 3.4))
    x = np.arange(len(words))
    *models, floor = surprisals
    for name in models:
        ax.plot(x, surprisals[name], marker="o", label=name)
    ax.bar(x, surprisals[floor], color=LINE, label=floor)
    ax.set(ylabel="surprisal (bits)", title=title, ylim=(0, None))
    ax.set_xticks(x, words)
    ax.legend(loc="upper left")
    plt.show()


def plot_estimates(
    lengths: Sequence[int], means: Sequence[float], errors: Sequence[float], exact: float, unit: str = "nats"
) -> None:
    """Show estimates of an entropy from texts of several lengths, with two standard errors, beside the exact one."""
    _, ax = plt.subplots()
    ax.errorbar(lengths, means, yerr=2 * np.asarray(errors), fmt="o", capsize=4, color=PALETTE["blue"])
    ax.axhline(exact, color=PALETTE["orange"], linestyle="--")
    between = (lengths[1] * lengths[2]) ** 0.5  # where no bar is in the way
    ax.annotate(f"closed form: {exact:.3f}", (between, exact), xytext=(0, -14), textcoords="offset points",
                ha="center", color=PALETTE["orange"])  # fmt: skip
    ax.set_xscale("log")
    ax.set_xticks(lengths, [f"{n:,}" for n in lengths])
    ax.minorticks_off()
    ax.set(
        xlabel="tokens sampled", ylabel=f"{unit} per token", title="A sample comes near; the grammar says it"
    )
    plt.show()


def plot_zipf(frequency: Sequence[int], exponent: float, factor: float) -> None:
    """Show how often the word of each rank occurs, with the fitted line factor * rank ** exponent."""
    ranks = np.arange(1, len(frequency) + 1)
    _, ax = plt.subplots()
    ax.loglog(ranks, frequency, ".", markersize=4)
    ax.loglog(ranks, factor * ranks**exponent, color=PALETTE["orange"])
    ax.set(xlabel="rank of the word", ylabel="times it occurs", title="Few words are frequent, most are rare")
    plt.show()
