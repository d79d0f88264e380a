"""The programs in `hostile/`, and honest answers, typed into the student's notebook.

The programs are text, so that no tool takes them for modules and runs them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.grading.conftest import ANSWERS, STUDENT, cell_of

PROGRAMS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted(Path(__file__).with_name("hostile").glob("*.txt"))
}
EXERCISES = [name for name in ANSWERS if name != "why_languages"]
HONEST = "HONEST-WORK-5c1d"


def notebook_with(program: str, values: dict[str, object]) -> dict:
    """Return the student's notebook with the program's parts typed in where they say."""
    notebook = json.loads(STUDENT.read_text(encoding="utf-8"))
    head = f"{', '.join(values)} = {', '.join(map(repr, values.values()))}"
    own = [_code("own-head", head)]
    parts = re.split(r"^# %% (\w+)\n", program, flags=re.MULTILINE)[1:]
    for place, text in zip(parts[::2], parts[1::2], strict=True):
        text = text.strip("\n")
        if place == "all":
            for name in EXERCISES:
                cell_of(notebook, name)["source"] = text.replace("NAME", name)
        elif place in ("first", "last"):
            (own if place == "first" else notebook["cells"]).append(_code(f"own-{place}", text))
        else:
            cell_of(notebook, place)["source"] = text
    notebook["cells"][3:3] = own  # behind the imports and `check`
    return notebook


def _code(cell_id: str, source: str) -> dict:
    return {
        "cell_type": "code",
        "id": cell_id,
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def honest(names: list[str]) -> dict:
    notebook = json.loads(STUDENT.read_text(encoding="utf-8"))
    for name in names:
        cell_of(notebook, name)["source"] = f"{ANSWERS[name]}\n    # {HONEST}"
    return notebook
