"""The bytes of a file that somebody handed in, read as a notebook without trusting any of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 60
MAX_CELLS = 2000
# A string is skipped whole, so that braces in code do not count; possessive, so that no input makes it slow.
BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


class Refused(ValueError):
    """The file cannot be taken; the message says why, to a person."""


@dataclass
class Cell:
    """A cell with only what can matter: what it is, its text, and by what it may be recognized."""

    kind: str
    text: str
    ids: list[str] = field(default_factory=list)
    grade_id: str | None = None
    attachments: dict[str, Any] | None = None


@dataclass
class Read:
    cells: list[Cell]
    notes: list[str]


def read_notebook(data: bytes, kernel: str = "python3") -> Read:
    """Return the cells of a notebook and what had to be put right to read them.

    Raises:
        Refused: the bytes are not a notebook.
    """
    notes: list[str] = []
    notebook = _upgraded(_parsed(data, notes), notes)
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise Refused("it has no list of cells: it is JSON, but not a notebook")
    if len(cells) > MAX_CELLS:
        raise Refused(f"it has {len(cells)} cells; at most {MAX_CELLS} are read")
    if not isinstance(notebook.get("nbformat_minor"), int):
        notes.append("'nbformat_minor' was missing and is set.")
    meta = _dict(notebook.get("metadata"))
    foreign = _dict(meta.get("kernelspec")).get("name")
    if foreign != kernel:
        was = f"The kernel {str(foreign)[:40]!r}" if foreign else "The missing kernel"
        notes.append(f"{was} was replaced by {kernel!r}.")
    broken = sum(not isinstance(cell, dict) for cell in cells)
    if broken:
        notes.append(f"{broken} entries that are no cells were left out.")
    kept = [cell for cell in cells if isinstance(cell, dict)]
    metas = [_dict(cell.get("metadata")) for cell in kept]
    if "colab" in meta or any("executionInfo" in m or "colab" in m for m in metas):
        notes.append("Colab's notes on who ran which cell were removed.")
    return Read([_cell(cell, m, notes) for cell, m in zip(kept, metas, strict=True)], notes)


def _parsed(data: bytes, notes: list[str]) -> dict[str, Any]:
    if not data.strip(b"\0 \r\n\t"):
        raise Refused("the file is empty")
    if data[:2] in (b"PK", b"%P"):
        raise Refused("it is a zip or a PDF with a notebook's name")
    try:
        encoding = json.detect_encoding(data)
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Refused(
            f"its text is not UTF-8 (byte {error.start}), so it was not saved by a notebook"
        ) from error
    if encoding not in ("utf-8", "utf-8-sig"):
        notes.append(f"The file was {encoding.upper()} and is now UTF-8.")
        data = text.encode("utf-8", "replace")
    depth = 0
    for found in BRACKETS.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(found[0], 0)
        if depth > MAX_DEPTH:
            raise Refused(f"its JSON is nested more than {MAX_DEPTH} deep")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip()[:1] == "<":
            raise Refused("it is a web page, perhaps a log-in page saved in place of the notebook") from error
        if re.search(r"^<{7} ", text, re.MULTILINE):
            raise Refused(
                "it holds the conflict marks of git (<<<<<<<): the student must resolve them"
            ) from error
        raise Refused(f"it is not JSON, perhaps cut off while uploading ({str(error)[:80]})") from error
    if not isinstance(notebook, dict):
        raise Refused("it is JSON, but not a notebook")
    return notebook


def _upgraded(notebook: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    major = notebook.get("nbformat", 3 if "worksheets" in notebook else 4)
    if major == 4:
        return notebook
    if major not in (2, 3):
        raise Refused(f"its format is {str(major)[:20]}; formats 2, 3 and 4 are read")
    import nbformat

    try:
        old = nbformat.from_dict({"metadata": {}, "nbformat_minor": 0, **notebook, "nbformat": major})
        made = nbformat.convert(old, 4)
    except Exception as error:  # nbformat raises whatever a malformed old notebook makes it stumble over
        raise Refused(
            f"it is a notebook of format {major} that cannot be upgraded ({error!r:.80})"
        ) from error
    notes.append(f"Notebook format {major} was upgraded to 4.")
    return dict(made)


def _cell(cell: dict[str, Any], meta: dict[str, Any], notes: list[str]) -> Cell:
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    text = source if isinstance(source, str) else ""
    # A lone half of a surrogate pair is legal in JSON and cannot be written as UTF-8.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    kind = cell.get("cell_type")
    if kind not in ("code", "markdown", "raw"):
        notes.append(f"A cell of the unknown type {str(kind)[:20]!r} was read as raw text.")
        kind = "raw"
    grade_id = _dict(meta.get("nbgrader")).get("grade_id")
    ids = [i for i in (cell.get("id"), meta.get("id")) if isinstance(i, str)]
    attachments = cell.get("attachments")
    return Cell(
        kind,
        text.replace("\r\n", "\n"),
        ids,
        grade_id if isinstance(grade_id, str) else None,
        attachments if kind == "markdown" and _images(attachments) else None,
    )


def _images(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(image, dict) and all(isinstance(data, str) for data in image.values())
        for image in value.values()
    )


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
