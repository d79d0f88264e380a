"""How a verdict looks: HTML in Jupyter and Colab, plain text elsewhere. No timing, so outputs stay stable."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from lmcourse.exercises.records import ChapterRecord
from lmcourse.exercises.verdict import Verdict

# Colours carry no meaning alone (a word stands beside each) and come from the page, so dark mode works.
_STYLE = (
    "border:1px solid color-mix(in srgb,currentColor 30%,transparent);border-left:.35em solid {edge};border-radius:.4em;"
    "padding:.7em 1em;margin:.4em 0;font-family:system-ui,sans-serif;line-height:1.5"
)
_EDGES = {"passed": "#1a7f5a", "failed": "#c4590b"}

# Code, or one or two stars that hug words, with a space or punctuation outside: a * b, x*y*z and *args are none.
_MARKED = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|(?<![^\s(\[\"'“‘—–-])(?P<stars>\*\*?)(?P<words>\w(?:[^*`]*\w)?)(?P=stars)(?![^\s.,;:!?)\]\"'”’—–-])"
)


@dataclass(frozen=True)
class Panel:
    """A verdict and the chapter's progress, shown by a notebook through `_repr_html_`."""

    verdict: Verdict
    chapter: ChapterRecord
    earned: dict[str, int]

    def __repr__(self) -> str:
        v = self.verdict
        lines = [headline(v)]
        if v.failure:
            f = v.failure
            lines += [
                f"  first failing case: {f.about}",
                f"    call      {f.call}",
                f"    expected  {f.expected}",
            ]
            lines += [f"    got       {f.got}", f"    problem   {f.difference}"]
            lines += [f"      {line}" for line in f.trace.splitlines()]
        if v.hint:
            lines.append(f"  hint: {v.hint}")
        if v.reason:
            lines.append(f"  {v.reason}")
        lines.append(f"  {self._total()}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        v = self.verdict
        edge = _EDGES.get(v.status, "#5b6b8c")
        parts = [
            f"<div class='lm-check' role='status' style='{_STYLE.format(edge=edge)}'>",
            f"<strong>{escape(headline(v))}</strong>",
        ]
        if v.failure:
            f = v.failure
            rows = [
                ("case", f.about, False),
                ("call", f.call, True),
                ("expected", f.expected, True),
                ("got", f.got, True),
            ]
            rows.append(("problem", f.difference, False))
            if f.trace:
                rows.append(("where", f.trace, True))
            # Divs, for the style sheets of notebooks give <dl>, <table> and <pre> widths of their own.
            parts.append(
                "<div style='display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em;margin:.6em 0'>"
            )
            for term, text, code in rows:
                font = (
                    "font-family:ui-monospace,monospace;font-size:.92em;white-space:pre-wrap" if code else ""
                )
                parts.append(f"<div style='white-space:nowrap;opacity:.8'>{term}</div>")
                parts.append(f"<div style='min-width:0;overflow-wrap:anywhere;{font}'>{escape(text)}</div>")
            parts.append("</div>")
        if v.hint:
            parts.append(f"<p style='margin:.5em 0'><strong>Hint.</strong> {hint_html(v.hint)}</p>")
        if v.reason:
            parts.append(f"<p style='margin:.5em 0'>{escape(v.reason)}</p>")
        parts.append(self._progress())
        parts.append("</div>")
        return "".join(parts)

    def _total(self) -> str:
        return f"points so far: {sum(self.earned.values())} of {self.chapter.points}"

    def _progress(self) -> str:
        """One mark an exercise: filled when it is solved, so that what is left can be seen."""
        marks = []
        for e in self.chapter.exercises:
            done = self.earned.get(e.name, 0) == e.points
            state = "solved" if done else "open"
            look = "background:#1a7f5a;border-color:#1a7f5a" if done else "background:transparent"
            marks.append(
                f"<span role='img' aria-label='{escape(e.name)}: {state}' title='{escape(e.name)}: {state}' style='flex:{e.points};"
                f"height:.6em;border:1px solid currentColor;border-radius:.2em;{look}'></span>"
            )
        bar = f"<div style='display:flex;gap:.2em;max-width:24em;margin:.5em 0 .2em'>{''.join(marks)}</div>"
        return f"{bar}<div>{escape(self._total())}</div>"


def hint_html(hint: str) -> str:
    """Return a hint as HTML: `code`, *stress* and **strong stress**; all else is escaped, and a product stays one.

    >>> hint_html("A *longer* text: `n * m` < k * n")
    'A <em>longer</em> text: <code>n * m</code> &lt; k * n'
    """
    made, done = [], 0
    for found in _MARKED.finditer(hint):
        tag = "code" if found["code"] else "em" if found["stars"] == "*" else "strong"
        made += [
            escape(hint[done : found.start()]),
            f"<{tag}>{escape(found['code'] or found['words'])}</{tag}>",
        ]
        done = found.end()
    return "".join([*made, escape(hint[done:])])


def headline(v: Verdict) -> str:
    """Return the verdict in one line.

    >>> headline(Verdict("merge_pair", "passed", 2, 2, passed=12, total=12))
    'merge_pair: right, all 12 cases pass, 2 of 2 points'
    """
    if v.status == "passed":
        cases = f", all {v.total} cases pass" if v.total > 1 else ""
        return f"{v.name}: right{cases}, {v.points} of {v.max_points} {_points(v.max_points)}"
    if v.status == "failed":
        return f"{v.name}: not yet, {v.passed} of {v.total} cases pass"
    if v.status == "refused":
        return f"{v.name}: not judged"
    return f"{v.name}: {v.status}, {v.max_points} {_points(v.max_points)} to win"


def _points(number: int) -> str:
    return "point" if number == 1 else "points"
