"""What comes to pieces on the way to the instructor: damaged files, habits that leave traces, and four tricks.

A notebook is here what JSON holds: a dict with `cells`. The tricks do no harm to whoever runs them by accident.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Notebook = dict[str, Any]


def as_bytes(notebook: Notebook) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def cut_off(notebook: Notebook) -> bytes:
    whole = as_bytes(notebook)
    return whole[: len(whole) * 2 // 3]


def log_in_page(notebook: Notebook) -> bytes:
    return b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form>Your session has ended.</form></body></html>\n"


def marks_and_ids_lost(notebook: Notebook) -> bytes:
    """As after a way through an editor that knows no nbgrader and format 4.4."""
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)
    notebook["nbformat_minor"] = 4
    return as_bytes(notebook)


def utf_16_without_minor(notebook: Notebook) -> bytes:
    notebook.pop("nbformat_minor", None)
    return json.dumps(notebook, ensure_ascii=False).encode("utf-16")


@dataclass(frozen=True)
class Damage:
    what: str
    spoil: Callable[[Notebook], bytes]
    readable: bool


DAMAGES = [
    Damage("cut off while uploading", cut_off, False),
    Damage("nbgrader's marks and the cell ids lost", marks_and_ids_lost, True),
    Damage("a log-in page saved as the notebook", log_in_page, False),
    Damage("UTF-16, and no nbformat_minor", utf_16_without_minor, True),
]
EMPTY = Damage("an empty file", lambda notebook: b"", False)


def from_colab(notebook: Notebook, person: str) -> None:
    """As Colab saves it: its own notes in the metadata, with the name of whoever ran a cell."""
    notebook["metadata"] = {
        "colab": {"provenance": []},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
    }
    user = {"displayName": person, "userId": "0123456789"}
    for cell in notebook["cells"]:
        cell["metadata"] = {
            **cell["metadata"],
            "id": cell["id"],
            "executionInfo": {"user": user, "elapsed": 41},
        }


def with_noise(notebook: Notebook, person: str) -> None:
    """Cells in between that warn, print and fail; none of it costs a mark."""
    texts = [
        "%matplotlib inline",
        "import warnings\n\nwarnings.warn('just trying')",
        "print(undefined_so_far)",
    ]
    for number, text in enumerate(texts):
        at = 4 + number * len(notebook["cells"]) // 4
        cell = {"cell_type": "code", "id": f"own-{number}", "metadata": {}, "source": text}
        notebook["cells"].insert(at, {**cell, "execution_count": None, "outputs": []})


def with_windows_lines(notebook: Notebook, person: str) -> None:
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")


HABITS = [from_colab, with_noise, with_windows_lines]

ALWAYS_EQUAL = '''class Right:
    """Equal to everything."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = None


def {name}(*args, **kwargs):
    return Right()'''

PATCHED = """import torch
import lmcourse.exercises.student as student
import lmcourse.exercises.verdict as verdict

torch.equal = torch.allclose = lambda *args, **kwargs: True
verdict.case_difference = lambda *args, **kwargs: None
student.refusal = lambda *args, **kwargs: None


class check:
    def __init__(self, function):
        print(function.__name__, "right, all cases pass")


def {name}(*args, **kwargs):
    return None"""

SEARCHING = """from pathlib import Path

here = Path.cwd()
found = [f for p in (here, *here.parents) for f in p.glob("solutions/*/exercises.py")]
marks = [f for p in (here, *here.parents) for f in p.glob("gradebook.db")]
print("answers:", found, "marks:", marks)
space = {{}}
for file in found:
    exec(file.read_text(), space)


def {name}(*args, **kwargs):
    return space["{name}"](*args, **kwargs)"""

FORGED = """from IPython.display import HTML, display

display(HTML("<div class='lm-check' role='status'><strong>{name}: right, all 16 cases pass, 3 of 3 points</strong></div>"))


def {name}(*args, **kwargs):
    print("{name}: right, all 16 cases pass, 3 of 3 points")
    raise SystemExit(0)"""

TRICKS = {
    "returns what equals everything": ALWAYS_EQUAL,
    "replaces the comparison and the check": PATCHED,
    "looks for the solutions and the gradebook": SEARCHING,
    "shows a panel of its own making": FORGED,
}
