"""Notebooks as they come from real classes: each a function from the answered notebook to the bytes that are handed in.

What should become of it stands above it: the automatic points (20 is all), or words from the reason for which it is refused.
Whoever has the right answers must not lose points by a tool's fault, nor for what stands in a cell of the student's own.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.grading.conftest import ANSWERS, STUDENT, as_bytes, cell_of, grade_id, text_of

Notebook = dict[str, Any]


@dataclass(frozen=True)
class Broken:
    make: Callable[[Notebook], bytes | None]
    points: float | None
    refused: str
    incident: str

    def bytes_of(self, answered: Notebook) -> bytes:
        made = self.make(answered)
        return as_bytes(answered) if made is None else made


BROKEN: dict[str, Broken] = {}


def ends(points: float | None = None, *, refused: str = "", incident: str = "") -> Callable:
    """Register a function under its name. `incident`: words that the result's incidents must hold."""

    def register(make: Callable[[Notebook], bytes | None]) -> Callable:
        BROKEN[make.__name__] = Broken(make, points, refused, incident)
        return make

    return register


def own_cell(notebook: Notebook, text: str, at: int = 3) -> None:
    """Put a cell of the student's own in front of cell `at`; 3 is behind the imports and `check`."""
    cell = {"cell_type": "code", "id": f"own-{len(notebook['cells'])}", "metadata": {}, "source": text}
    notebook["cells"].insert(at, {**cell, "outputs": [], "execution_count": None})


def change(notebook: Notebook, name: str, old: str, new: str) -> None:
    cell = cell_of(notebook, name)
    assert old in cell["source"], f"{name} does not hold {old!r}"
    cell["source"] = cell["source"].replace(old, new)


# --- the file ---------------------------------------------------------------------------------------------------------


@ends(refused="cut off")
def cut_off(n):
    return as_bytes(n)[:-3000]


@ends(refused="empty")
def empty(n):
    return b""


@ends(refused="web page")
def web_page(n):
    return b"<!DOCTYPE html><html><body>Please log in</body></html>"


@ends(refused="zip or a PDF")
def pdf(n):
    return b"%PDF-1.7\n" + bytes(range(256)) * 20


@ends(refused="conflict")
def merge_conflict(n):
    return json.dumps(n, indent=1).replace(' "cells"', '<<<<<<< HEAD\n "cells"', 1).encode()


@ends(refused="belongs")
def another_assignment(n):
    cells = [{"cell_type": "code", "metadata": {}, "source": "def attention(q, k, v):\n    return v"}]
    return as_bytes({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})


@ends(20)
def byte_order_mark(n):
    return b"\xef\xbb\xbf" + as_bytes(n)


@ends(20)
def utf_16(n):
    return json.dumps(n).encode("utf-16")


@ends(20)
def no_minor(n):
    del n["nbformat_minor"]


@ends(20)
def format_3(n):
    for cell in n["cells"]:
        cell.pop("id")
        if cell["cell_type"] == "code":
            cell.update(input=cell.pop("source"), language="python", collapsed=False)
            cell["prompt_number"] = cell.pop("execution_count", None) or 1
    n.update(nbformat=3, nbformat_minor=0, worksheets=[{"metadata": {}, "cells": n.pop("cells")}])


@ends(20)
def foreign_kernel(n):
    n["metadata"] = {
        "kernelspec": {"name": "my-env-3.9", "display_name": "torch (conda)", "language": "python"}
    }


@ends(20)
def colab(n):
    n["metadata"] = {"colab": {"provenance": [], "gpuType": "T4"}, "accelerator": "GPU"}
    for cell in n["cells"]:
        cell["metadata"] = {"id": cell.pop("id"), "executionInfo": {"user": {"displayName": "A. Student"}}}
    own_cell(n, "from google.colab import drive\n\ndrive.mount('/content/drive')")


@ends(20)
def windows_line_ends(n):
    for cell in n["cells"]:
        cell["source"] = text_of(cell).replace("\n", "\r\n")


@ends(20)
def ten_megabytes_of_outputs(n):
    stream = {"output_type": "stream", "name": "stdout", "text": "x" * 10_000_000}
    cell_of(n, "merge_pair")["outputs"] = [stream]


@ends(20)
def pictures_attached(n):
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(100_000)).decode()
    cell = cell_of(n, "why_languages")
    cell["attachments"] = {"image.png": {"image/png": picture}}
    cell["source"] += "\n\n![my drawing](attachment:image.png)"


# --- cells and their marks --------------------------------------------------------------------------------------------


@ends(20)
def marks_lost(n):
    for cell in n["cells"]:
        cell["metadata"] = {}


@ends(20)
def marks_and_ids_lost(n):
    for cell in n["cells"]:
        cell["metadata"] = {}
        del cell["id"]
    n["nbformat_minor"] = 4


@ends(20)
def ids_twice(n):
    for cell in n["cells"]:
        cell["id"] = "cell"


@ends(20)
def cells_reordered(n):
    n["cells"] = n["cells"][17:] + n["cells"][:17]


@ends(18)
def answer_deleted(n):
    n["cells"].remove(cell_of(n, "merge_pair"))


@ends(20)
def check_deleted(n):
    n["cells"].remove(cell_of(n, "check_merge_pair"))


@ends(20)
def check_twice(n):
    n["cells"].insert(6, copy.deepcopy(cell_of(n, "check_merge_pair")))
    n["cells"].append(copy.deepcopy(cell_of(n, "check_bpe_encode")))


@ends(20)
def check_changed(n):
    cell_of(n, "check_merge_pair")["source"] = "# check(merge_pair)\nmerge_pair([1, 2, 3, 1, 2], (1, 2), 9)"


@ends(20)
def setup_deleted(n):
    n["cells"] = [cell for cell in n["cells"] if "open_exercises" not in text_of(cell)]


@ends(20)
def all_in_one_cell(n):
    first = cell_of(n, "merge_pair")
    names = [name for name in ANSWERS if name != "why_languages"]
    first["source"] = "\n\n\n".join(ANSWERS[name] for name in names)
    n["cells"] = [c for c in n["cells"] if c is first or grade_id(c) not in names]


@ends(20)
def only_one_cell(n):
    names = [name for name in ANSWERS if name != "why_languages"]
    text = "import math\nimport torch\nfrom collections.abc import Iterable, Iterator\n\n"
    text += "\n\n\n".join(ANSWERS[name] for name in names)
    n["cells"] = [{"cell_type": "code", "metadata": {}, "source": text, "outputs": [], "execution_count": 1}]


@ends(20)
def answer_became_markdown(n):
    cell = cell_of(n, "cut_word")
    cell["cell_type"] = "markdown"
    del cell["outputs"], cell["execution_count"]


@ends(18)
def answers_in_each_others_cells(n):
    """The first is not there when its check comes, as in the student's own notebook."""
    a, b = cell_of(n, "merge_pair"), cell_of(n, "predict_merges")
    a["source"], b["source"] = b["source"], a["source"]


@ends(20)
def answer_in_a_cell_below(n):
    stub = cell_of(json.loads(STUDENT.read_text(encoding="utf-8")), "bpe_encode")
    own_cell(n, cell_of(n, "bpe_encode")["source"], n["cells"].index(cell_of(n, "check_bpe_encode")))
    cell_of(n, "bpe_encode")["source"] = text_of(stub)
