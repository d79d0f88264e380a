"""The notebook that formgrader and feedback show of a submission, with the key of the result it belongs to.

nbgrader shows Markdown as it is, so a `<script>` in an answer would run in the instructor's browser, with the right
to change marks. nbconvert's `sanitize_html` does not reach these cells and takes the panels' styles away. So a
student's tags are made text here, all but bare ones such as `<b>`.
"""

from __future__ import annotations

import copy
import html
import re

import nbformat
from nbformat import NotebookNode

from lmcourse.grading.results import Result

BARE = "b|i|u|s|em|strong|sub|sup|br|hr|p|code|pre|kbd|ul|ol|li|table|thead|tbody|tr|td|th|blockquote|details|summary"
TAG = re.compile(rf"<(?!/?(?:{BARE})\s*/?>)(?=[A-Za-z/!?])", re.IGNORECASE)
# A link's `javascript:`, also with what Markdown and browsers take out of it again.
SCRIPT = re.compile(r"(s\s*c\s*r\s*i\s*p\s*t[\s\\]*)(?=:)", re.IGNORECASE)
HIDDEN = re.compile(r"&(?=#|colon|tab|newline)", re.IGNORECASE)
PICTURE = re.compile(r"image/(?:png|jpeg|gif|webp)")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def shown_notebook(result: Result, notebook: str, blank: NotebookNode) -> NotebookNode:
    """Return the executed notebook. `blank` is the assignment as it was released.

    For a result that failed it is what was handed in, without outputs, under a note.

    Raises:
        ValueError: a graded result's notebook cannot be read, or it says something else than the result.
    """
    own = {cell.source for cell in blank.cells}
    if result.status == "graded":
        shown = _read(notebook, result)
        _compare(result, shown)
    else:
        shown = _with_note(result, notebook, blank)
    for cell in shown.cells:
        if cell.cell_type != "code" and cell.source not in own:
            _disarm(cell)
    shown.metadata["lmcourse"] = seal(result)
    return shown


def seal(result: Result) -> dict[str, str]:
    """What marks a notebook as the one of this result."""
    return {"key": result.key, "status": result.status}


def reason(result: Result) -> str:
    """Why there are no marks, as the comment of each answer says it."""
    return f"Not graded: {result.why or 'the grader did not say why'}"


def _read(notebook: str, result: Result) -> NotebookNode:
    try:
        return nbformat.reads(notebook, as_version=4)
    except Exception as error:
        raise ValueError(f"the 'notebook' of {result.student} cannot be read: {error!s:.200}") from error


def _compare(result: Result, notebook: NotebookNode) -> None:
    """A page that shows other marks than the gradebook has would be worse than none."""
    from nbgrader.utils import determine_grade, is_grade

    says = {c.metadata.nbgrader["grade_id"]: determine_grade(c)[0] for c in notebook.cells if is_grade(c)}
    for cell, score in result.scores.items():
        if cell not in says or says[cell] != score:
            got = f"gives it {says[cell]}" if cell in says else "lacks it"
            raise ValueError(
                f"'result' of {result.student} gives {cell} the score {score}, its notebook {got}"
            )


def _with_note(result: Result, notebook: str, blank: NotebookNode) -> NotebookNode:
    """A person can give marks only in cells that are shown: where none can be read, in the empty assignment's."""
    try:
        shown, more = _read(notebook, result), ""
    except ValueError:
        shown, more = copy.deepcopy(blank), " The notebook cannot be shown: below is the empty assignment."
    for cell in shown.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    note = nbformat.v4.new_markdown_cell(f"**{html.escape(reason(result))}**{more}", id="lmcourse-not-graded")
    shown.cells.insert(0, note)
    return shown


def _disarm(cell: NotebookNode) -> None:
    """Break what a browser takes for a tag with a space of no width: in text, code and formulas it looks the same."""
    cell.source = TAG.sub("<\u200b", HIDDEN.sub("&\u200b", SCRIPT.sub("\\1\u200b", cell.source)))
    kept = {}
    for name, kinds in cell.get("attachments", {}).items():
        safe = {
            k: v
            for k, v in kinds.items()
            if PICTURE.fullmatch(k) and isinstance(v, str) and BASE64.fullmatch(v)
        }
        if safe:
            kept[name] = safe
    if "attachments" in cell:
        cell.attachments = kept
    # A picture that is not there makes nbconvert, and so the whole page, fail.
    there = "|".join(map(re.escape, kept)) or "(?!)"
    cell.source = re.sub(rf"attachment:(?!(?:{there})(?:[\s)\]>\"']|$))", "missing picture ", cell.source)
