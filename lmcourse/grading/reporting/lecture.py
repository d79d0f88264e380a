"""A few sentences for the next lecture, each said only where the numbers carry it."""

from __future__ import annotations

from collections.abc import Sequence

from lmcourse.grading.reporting.statistics import ENOUGH, ExerciseFigures

MOST_MISTAKES = 3


def lecture_notes(figures: Sequence[ExerciseFigures], number: int, *, public: bool = False) -> list[str]:
    """Return what to say or to do before the next lecture, from the figures of `number` graded students.

    With `public` only what may be shown to the class: no word on how well an exercise separates, or on what to repair.
    """
    if not number:
        return ["Nothing has been graded yet, so there is nothing to say."]
    if not any(figure.failing for figure in figures):
        notes = ["Every answer that was given is right; no mistake has to be talked about."]
    else:
        notes = [*_frequent(figures, number), *_hardest(figures)]
    notes += _left_out(figures)
    if not public:
        notes += [*_unknown(figures, number), *_separates_least(figures)]
    if not notes:
        notes = ["No mistake was made by two people, and no exercise stands out."]
    if number < ENOUGH:
        who = "one person's work" if number == 1 else f"the work of {number} people"
        notes.append(f"All of this is {who}: it may say nothing about those who come next.")
    return notes


def _several(number: int) -> int:
    """From how many people on something is more than one person's slip: two, and one in thirty of a large class."""
    return max(2, round(number / 30))


def _frequent(figures: Sequence[ExerciseFigures], number: int) -> list[str]:
    found = [(len(e.students), figure, e) for figure in figures for e in figure.explained]
    found = sorted((f for f in found if f[0] >= _several(number)), key=lambda f: -f[0])[:MOST_MISTAKES]
    return [
        f"{count} of the {figure.failing} wrong answers to “{figure.title}” come from one mistake. {mistake.hint}"
        for count, figure, mistake in found
    ]


def _hardest(figures: Sequence[ExerciseFigures]) -> list[str]:
    lowest = min(figure.share_solved for figure in figures)
    hardest = [figure for figure in figures if figure.share_solved == lowest]
    if lowest >= 0.7 or len(hardest) == len(figures):
        return []
    names = " and ".join(f"“{figure.title}”" for figure in hardest)
    first = hardest[0]
    if len(hardest) > 1:
        return [f"{names} were solved least, each by {first.counts['solved']} of {first.answers}."]
    return [f"{names} was solved least, by {first.counts['solved']} of {first.answers}."]


def _left_out(figures: Sequence[ExerciseFigures]) -> list[str]:
    most = max(figures, key=lambda figure: figure.counts["not started"], default=None)
    if most is None or most.counts["not started"] < max(2, 0.2 * most.answers):
        return []
    left = most.counts["not started"]
    return [
        f"{left} of {most.answers} did not begin “{most.title}”. Ask whether time was short or the statement unclear."
    ]


def _unknown(figures: Sequence[ExerciseFigures], number: int) -> list[str]:
    groups = [(len(u.students), figure, u) for figure in figures for u in figure.unexplained]
    count, figure, group = max(groups, key=lambda g: g[0], default=(0, None, None))
    if count < _several(number):
        return []
    return [
        f"{count} wrong answers to “{figure.title}” fail first in the same way ({group.about}), and no known mistake explains "
        "them. Read one of them: it is the next known mistake to write."
    ]


def _separates_least(figures: Sequence[ExerciseFigures]) -> list[str]:
    known = [figure for figure in figures if figure.separation.value is not None]
    least = min(known, key=lambda figure: figure.separation.value, default=None)
    if least is None or least.separation.value >= 0.2:
        return []
    value = least.separation.value
    did = "did worse elsewhere than" if value < -0.05 else "did hardly better elsewhere than"
    return [
        f"“{least.title}” separates least ({signed(value)}): whoever solved it {did} the others. "
        "Look at its statement and its cases."
    ]


def signed(value: float) -> str:
    """Return a correlation as it is printed, with a true minus sign.

    >>> signed(-0.214), signed(0.5), signed(-0.001)
    ('−0.21', '0.50', '0.00')
    """
    text = f"{abs(value):.2f}"
    return f"−{text}" if value < 0 and float(text) else text
