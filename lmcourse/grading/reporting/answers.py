"""What students wrote, read from `submitted/`: their answers, the cells they added, and lines that a person may want to see.

The code of students is read as text here; nothing of it is run.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lmcourse.grading.class_folder import NOTEBOOK, ClassFolder
from lmcourse.grading.intake.reading import Cell, Refused, read_notebook

if TYPE_CHECKING:
    from lmcourse.authoring.chapter import Chapter

MOST_BYTES = 20 * 2**20
MOST_LINES = 12

# What an answer has no need of. A list of words stops nobody; it says where to look first.
REACHES = {
    "looks into Python's own objects": r"__(?:subclasses|globals|builtins|code|closure|mro|bases|dict)__\b",
    "looks at who called": r"\b(?:inspect\.(?:stack|currentframe|getouterframes)|sys\._(?:getframe|current_frames)|f_(?:back|locals|globals))\b",
    "looks at all objects in memory": r"\bgc\.get_(?:objects|referrers|referents)\b|\bctypes\b|\bmmap\b|/proc/",
    "changes loaded modules or how Python runs": r"\bsys\.(?:modules|settrace|setprofile|meta_path|path_hooks)\b|\b__import__\b|\bimportlib\b",
    "ends or starts processes": r"\bos\.(?:_exit|kill|fork|system|popen|abort|exec\w+|spawn\w+)\b|\b(?:subprocess|multiprocessing)\b|\bsignal\.\w+\(",
    "asks the network": r"\b(?:import|from)\s+(?:socket|urllib|http|requests|httpx|aiohttp)\b|\bsocket\.socket\b",
    "touches the checks or the marks": r"\blmcourse\.(?:exercises|grading)\b|\bget_ipython\b|\blm-check\b|\bgradebook\b|\bautograded\b|^\s*(?:def check\b|check\s*=)",
    "always says equal": r"\bdef __eq__\b|\bbuiltins\.\w+\s*=|\btorch\.(?:allclose|equal|isclose)\s*=",
    "reads or runs text": r"(?<![\w.])(?:eval|exec|compile|open)\s*\(",
}
_REACHES = {what: re.compile(pattern) for what, pattern in REACHES.items()}


@dataclass(frozen=True)
class Submission:
    """The code of one student: `answers` by exercise, and `added` cells that the assignment does not have."""

    student: str
    answers: dict[str, str]
    added: list[str]


@dataclass(frozen=True)
class Reach:
    """A line of code that seems to reach around the rules: for a person to look at. It stands in `more` places besides."""

    student: str
    where: str
    number: int
    line: str
    what: str
    more: int = 0


def read_submissions(
    folder: ClassFolder, assignment: str, names: Collection[str], given: Sequence[str] = ()
) -> tuple[list[Submission], dict[str, str]]:
    """Return what each student wrote, and `{student: why}` for notebooks that cannot be read.

    `names` are the exercises, `given` the code cells of the assignment. A cell that more than half of a class of
    four or more has letter for letter counts as given, too.
    """
    cells: dict[str, list[Cell]] = {}
    unread: dict[str, str] = {}
    for student in folder.students(assignment):
        path = folder.submitted(student, assignment)
        try:
            if path.stat().st_size > MOST_BYTES:
                raise Refused(f"it is larger than {MOST_BYTES} bytes")
            cells[student] = [c for c in read_notebook(path.read_bytes()).cells if c.kind == "code"]
        except (OSError, Refused) as error:
            unread[student] = str(error)
    held = Counter(text for own in cells.values() for text in {c.text.strip() for c in own})
    most = len(cells) / 2 if len(cells) >= 4 else len(cells)
    known = {text.strip() for text in given} | {text for text, number in held.items() if number > most}
    return [_submission(student, own, names, known) for student, own in cells.items()], unread


def _submission(student: str, cells: list[Cell], names: Collection[str], known: set[str]) -> Submission:
    answers = {c.grade_id: c.text for c in cells if c.grade_id in names}
    added = [c.text for c in cells if c.grade_id is None and c.text.strip() and c.text.strip() not in known]
    return Submission(student, answers, added)


def given_code(folder: ClassFolder, assignment: str) -> tuple[list[str], dict[str, list[str]]]:
    """Return the code cells of the assignment's source in this class folder, and its solutions by exercise.

    Both are empty where the class folder holds no source.
    """
    path = folder.root / "source" / assignment / f"{NOTEBOOK}.ipynb"
    try:
        cells = [c for c in read_notebook(path.read_bytes()).cells if c.kind == "code"]
    except (OSError, Refused):
        return [], {}
    return [c.text for c in cells], {c.grade_id: [c.text] for c in cells if c.grade_id}


def authors_code(chapter: Chapter) -> dict[str, list[str]]:
    """Return the code that the authors know for each exercise: the reference, other right answers and known mistakes."""
    found = {}
    for exercise in chapter.exercises:
        functions = [chapter.references[exercise.name], *exercise.alternatives]
        functions += [mistake.function for mistake in exercise.mistakes]
        found[exercise.name] = [code for function in functions if (code := _source(function))]
    return found


def _source(function: Callable[..., Any]) -> str | None:
    try:
        return inspect.cleandoc(inspect.getsource(function))
    except (OSError, TypeError):
        return None


def reaching(submissions: Sequence[Submission]) -> list[Reach]:
    """Return the lines that hold a word of `REACHES`, each once for a student, at most `MOST_LINES` of them."""
    found = []
    for submission in submissions:
        parts = [
            *submission.answers.items(),
            *(("a cell of their own", text) for text in submission.added),
        ]
        own = [
            Reach(submission.student, where, number, line.strip()[:160], what)
            for where, text in parts
            for number, line in enumerate(text.splitlines(), 1)
            if not line.lstrip().startswith("#")
            for what in [_what(line[:2000])]
            if what
        ]
        first = {reach.line: reach for reach in reversed(own)}
        counts = Counter(reach.line for reach in own)
        alone = [replace(reach, more=counts[reach.line] - 1) for reach in own if first[reach.line] is reach]
        found += alone[:MOST_LINES]
    return found


def _what(line: str) -> str | None:
    return next((what for what, pattern in _REACHES.items() if pattern.search(line)), None)
