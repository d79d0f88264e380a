"""What a student gets back: one page with points, what each check found, hints, and a grader's words.

A page shows `ExerciseResult.shown`, never the verdict itself, and no output of the executed notebook: student code has
run on hidden cases and could have printed them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmcourse.exercises.panel import hint_html
from lmcourse.exercises.records import ChapterRecord
from lmcourse.exercises.verdict import Verdict
from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.files import write_whole
from lmcourse.grading.gradebook.marks import Mark, Marks, marks_of
from lmcourse.grading.handing_back.safe_html import code_html, words_html

TEMPLATES = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True)
class Page:
    """The feedback of one student; `changed` says whether the file was written or said so already."""

    student: str
    path: Path
    changed: bool


@dataclass
class Part:
    """An exercise or an answer in words, as the page shows it. `look` is right, wrong, open or waiting."""

    anchor: str
    title: str
    look: str
    state: str
    points: str
    said: str = ""
    by_hand: bool = False
    shown: Verdict | None = None
    code: list[str] = field(default_factory=list)
    words: str | None = None
    comment: str | None = None


def write_feedback(folder: ClassFolder, assignment: str, chapter: ChapterRecord) -> Iterator[Page]:
    """Write the page of each student who was graded, or could not be, or whose file was refused, and yield it.

    Raises:
        ValueError: a result or collected.json cannot be read, or a page would be written outside the class folder.
    """
    template = _template()
    for marks in marks_of(folder, assignment):
        if marks.result is None and marks.status != "refused":
            continue
        notebook = Answers.read(folder.autograded(marks.student, assignment))
        parts = [] if marks.status in ("failed", "refused") else list(_parts(marks, chapter, notebook))
        html = template.render(marks=marks, parts=parts, title=chapter_title(assignment), pt=points_text)
        path = folder.feedback(marks.student, assignment)
        yield Page(marks.student, path, write_whole(folder.root, path, html))


def chapter_title(assignment: str) -> str:
    """
    >>> chapter_title("05_encoder_decoder")
    'Chapter 5: encoder decoder'
    """
    found = re.fullmatch(r"0*(\d+)_(.+)", assignment)
    return f"Chapter {found[1]}: {found[2].replace('_', ' ')}" if found else assignment


def points_text(points: float) -> str:
    """
    >>> points_text(2.0), points_text(1.50), points_text(-0.0)
    ('2', '1.5', '0')
    """
    return f"{round(points, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Answers:
    """The student's own cells: those that nbgrader knows, by grade_id, and all of them in order."""

    cells: list[dict[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Answers:
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError, KeyError):
            return cls([])  # a page without the code still says what matters
        for cell in cells:
            cell["source"] = "".join(cell["source"])
        return cls(cells)

    def find(self, grade_id: str) -> int | None:
        ids = (cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in self.cells)
        return next((i for i, found in enumerate(ids) if found == grade_id), None)

    def code(self, name: str) -> list[str]:
        """The answer's cell, and other cells that define `name`, too."""
        own, defines = self.find(name), re.compile(rf"^(?:def|class)\s+{re.escape(name)}\b", re.MULTILINE)
        return [
            cell["source"]
            for i, cell in enumerate(self.cells)
            if cell["cell_type"] == "code" and (i == own or defines.search(cell["source"]))
        ]

    def heading(self, grade_id: str) -> str | None:
        """The heading of the text above a cell, without number, points and minutes."""
        for cell in reversed(self.cells[: self.find(grade_id) or 0]):
            if cell["cell_type"] == "markdown" and (
                h := re.match(r"#+\s+(?:\d+\.\s*)?([^·\n]+)", cell["source"])
            ):
                return h[1].strip()
        return None


def _parts(marks: Marks, chapter: ChapterRecord, answers: Answers) -> Iterator[Part]:
    judged = {e.verdict.name: e for e in marks.result.exercises}
    rest = dict(marks.cells)
    for exercise in chapter.exercises:
        result = judged.get(exercise.name)
        mark = rest.pop(result.grade_id if result else f"check_{exercise.name}", None)
        part = Part(exercise.name, exercise.title, *_state(result.shown if result else None, mark))
        if result:
            part.shown, part.said = result.shown, _in_words(result.shown, result.hidden)
        part.by_hand = bool(mark and mark.by_hand)
        part.code = [code_html(source) for source in answers.code(exercise.name)]
        part.comment = marks.comments.get(exercise.name)
        yield part
    for name, mark in rest.items():
        part = Part(name, answers.heading(name) or name, *_state(None, mark))
        part.comment = marks.comments.get(name) if mark.points is not None else None
        where = answers.find(name)
        if where is not None and mark.written:
            cell = answers.cells[where]
            part.words = words_html(cell["source"], cell.get("attachments"))
            if marks.result.scores.get(name) == 0 and not mark.by_hand:
                part.state, part.look, part.words = "Not answered", "open", None
        elif name in marks.result.untrusted:
            part.said = "This cell ran beside your own code; it has no hidden cases."
        yield part


def _state(shown: Verdict | None, mark: Mark | None) -> tuple[str, str, str]:
    """Return the look, the state in two words, and the points in words."""
    if mark is None:
        return "open", "Not judged", "no points"
    if mark.points is None:
        return "waiting", "Still to be read", f"up to {_points(mark.maximum)}"
    points = f"{points_text(mark.points)} of {_points(mark.maximum)}"
    if mark.extra:
        points += f", and {points_text(mark.extra)} extra"
    if shown is not None:
        states = {
            "passed": ("right", "Right"), "failed": ("wrong", "Not yet"), "not started": ("open", "Not started"),
            "missing": ("open", "No answer found"), "refused": ("wrong", "Not judged"),
        }  # fmt: skip
        return *states[shown.status], points
    full = mark.points >= mark.maximum
    return ("right" if full else "open"), ("Read" if mark.written else "Run"), points


def _points(number: float) -> str:
    return f"{points_text(number)} point{'' if number == 1 else 's'}"


def _in_words(shown: Verdict, hidden: bool) -> str:
    if shown.status == "passed":
        return f"All {shown.total} cases pass." if shown.total > 1 else "It is what was asked for."
    if shown.status == "failed" and not hidden:
        return f"{shown.passed} of {shown.total} cases pass. This is the first that does not:"
    if shown.status == "not started":
        return "The answer still says NotImplementedError."
    if shown.status == "missing" and not shown.reason:
        return "No function of this name was defined when the notebook had run."
    return ""


def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = lambda hint: Markup(hint_html(hint))
    return environment.get_template("feedback.html.j2")
