"""How the report looks: the page drawn from a `ClassReport`, and how it says numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lmcourse.grading.reporting.lecture import lecture_notes, signed
from lmcourse.grading.reporting.statistics import STATES

if TYPE_CHECKING:
    from lmcourse.grading.reporting.report import ClassReport

FEW = 5  # of fewer people, marks without names still say who has which
MOST_GROUPS, MOST_BESIDE, MOST_CODE = 25, 4, 4000


def render(report: ClassReport, *, names: bool = True) -> str:
    """Return the page as HTML. Everything from outside is escaped; the page runs no script and loads nothing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("lmcourse.grading", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "signed": signed,
        "percent": percent,
        "duration": duration,
        "size": size,
        "number": number,
    }
    number_graded = len(report.graded)
    return environment.get_template("report.html.j2").render(
        report=report,
        names=names,
        shown=names or number_graded >= FEW,
        few=FEW,
        notes=lecture_notes(report.figures, number_graded, public=not names),
        states=STATES,
        cut=cut,
        beside=MOST_BESIDE,
        most_groups=MOST_GROUPS,
        answers_for=answers_for,
        split=split,
    )


def split(groups: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the groups to show at once and those to fold away: the small ones, where there are many."""
    at_least = 2 if len(groups) > 4 and len(groups[0].students) > 1 else 1
    shown = [group for group in groups[:6] if len(group.students) >= at_least]
    return shown, groups[len(shown) :]


def answers_for(report: ClassReport, exercise: str, students: Sequence[str]) -> list[tuple[str, str]]:
    """Return [(student, answer)] to be put side by side, cut where they are very long."""
    codes = report.answers[exercise]
    return [(student, cut(codes[student], MOST_CODE)) for student in students[:MOST_BESIDE]]


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n... ({len(text)} characters in all)"


def percent(share: float | None) -> str:
    """Return a share as people read it: "<1 %" is not 0, and 99.7 % is not all.

    >>> percent(0.5), percent(0.001), percent(0.997), percent(None)
    ('50 %', '<1 %', '>99 %', '–')
    """
    if share is None:
        return "–"
    if 0 < share < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < share < 1 else f"{share:.0%}".replace("%", " %")


def number(value: float) -> str:
    """Return a mark without useless digits.

    >>> number(14.0), number(13.25)
    ('14', '13.25')
    """
    return f"{round(value, 2):g}"


def duration(seconds: float) -> str:
    """Return a time in the unit that fits.

    >>> duration(0.21), duration(75), duration(5000)
    ('0.2 s', '1 min 15 s', '1 h 23 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Return a number of bytes in MiB or GiB.

    >>> size(300 * 2**20), size(3 * 2**30)
    ('300 MiB', '3.0 GiB')
    """
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"
