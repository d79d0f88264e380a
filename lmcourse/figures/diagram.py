"""Pictures of architectures: stacks of labelled boxes, read from the bottom to the top, with arrows between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.patches import FancyBboxPatch

from lmcourse.figures.plots import INK, LINE, PALETTE, SOFT

WIDTH, HEIGHT, STEP, APART = 3.0, 0.56, 0.95, 4.6
TINTS = {"blue": "#e4edf9", "orange": "#f9ebe0", "green": "#e2efe9", "purple": "#ece5f4", "grey": "#f1f3f6"}


def plot_stacks(
    stacks: Mapping[str, Sequence[str]],
    *,
    repeated: Mapping[str, tuple[int, int, str]] | None = None,
    across: Sequence[tuple[str, int, str, int]] = (),
    colours: Mapping[str, str] | None = None,
    title: str = "",
) -> MplFigure:
    """Draw each stack of boxes from the bottom to the top, the stacks side by side.

    Args:
        stacks: the labels of a stack's boxes by its name, the lowest first. A label may hold a line break.
        repeated: for a stack, (first, last, text): a frame around these boxes, counted from 0, with "x 6" or the like on it.
        across: arrows between stacks: from (stack, box) to (stack, box).
        colours: a colour of `TINTS` for each label that is to have one.
        title: above the picture.

    Raises:
        ValueError: no stack, a stack without boxes, a stack or a box that is not there, an unknown colour.

    >>> figure = plot_stacks({"model": ["ids", "embedding", "block"]}, repeated={"model": (2, 2, "x 4")})
    >>> [text.get_text() for text in figure.axes[0].texts if text.get_text()]
    ['ids', 'embedding', 'block', 'model', 'x 4']
    >>> plt.close(figure)
    """
    if not stacks or not all(stacks.values()):
        raise ValueError("'stacks' must hold at least one stack, and each at least one box")
    tints = dict(colours or {})
    if unknown := set(tints.values()) - set(TINTS):
        raise ValueError(f"'colours' must be some of {list(TINTS)}, got {sorted(unknown)}")
    names, tallest = list(stacks), max(map(len, stacks.values()))
    figure, ax = plt.subplots(figsize=(0.8 + 2.6 * len(stacks), 0.75 + 0.5 * tallest))
    for column, (name, labels) in enumerate(stacks.items()):
        x = APART * column
        for row, label in enumerate(labels):
            _box(ax, x, STEP * row, label, TINTS[tints.get(label, "grey")])
            if row:
                _arrow(ax, (x, STEP * (row - 1) + HEIGHT / 2), (x, STEP * row - HEIGHT / 2))
        ax.text(x, -0.75, name, ha="center", va="center", color=SOFT, fontsize=10.5, fontweight="bold")
    for name, (first, last, text) in (repeated or {}).items():
        _check(stacks, "repeated", name, first, last)
        x, bottom, top = APART * names.index(name), STEP * first - HEIGHT, STEP * last + HEIGHT
        frame = (x - WIDTH / 2 - 0.2, bottom + 0.13)
        ax.add_patch(
            FancyBboxPatch(
                frame,
                WIDTH + 0.4,
                top - bottom - 0.26,
                "round,pad=0,rounding_size=0.15",
                fill=False,
                ec=SOFT,
                ls="--",
            )
        )
        side = 1 if names.index(name) else -1  # outside, where no arrow passes
        at, align = x + side * (WIDTH / 2 + 0.32), "left" if side > 0 else "right"
        ax.text(at, (bottom + top) / 2, text, ha=align, va="center", color=SOFT)
    for source, from_box, target, to_box in across:
        _check(stacks, "across", source, from_box, from_box)
        _check(stacks, "across", target, to_box, to_box)
        side = 1 if names.index(source) < names.index(target) else -1
        start = (APART * names.index(source) + side * WIDTH / 2, STEP * from_box)
        end = (APART * names.index(target) - side * WIDTH / 2, STEP * to_box)
        _arrow(ax, start, end, PALETTE["orange"])
    ax.set(xlim=(-WIDTH / 2 - 1.1, APART * (len(stacks) - 1) + WIDTH / 2 + 1.1))
    ax.set(ylim=(-1.05, STEP * (tallest - 1) + HEIGHT + 0.1), title=title)
    ax.set_axis_off()
    return figure


def _box(ax: Axes, x: float, y: float, label: str, colour: str) -> None:
    corner = (x - WIDTH / 2, y - HEIGHT / 2)
    ax.add_patch(
        FancyBboxPatch(corner, WIDTH, HEIGHT, "round,pad=0,rounding_size=0.12", fc=colour, ec=LINE, lw=1.2)
    )
    ax.text(x, y, label, ha="center", va="center", color=INK, fontsize=9.5)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = SOFT) -> None:
    ax.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.4, "shrinkA": 0, "shrinkB": 0},
    )


def _check(stacks: Mapping[str, Sequence[str]], argument: str, name: str, first: int, last: int) -> None:
    if name not in stacks:
        raise ValueError(f"'{argument}' must name one of the stacks {list(stacks)}, got {name!r}")
    if not 0 <= first <= last < len(stacks[name]):
        raise ValueError(
            f"'{argument}' must count the {len(stacks[name])} boxes of {name!r} from 0, got {first} to {last}"
        )
