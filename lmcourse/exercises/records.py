"""What the student's side knows of an exercise: cases with expected outcomes, and marks of known mistakes.

One JSON file a chapter, written by `lmcourse notebooks` from `solutions/NN_name/checks.py`. It holds no
reference and no mistake's code: expected values, hints, and fingerprints from which no output can be read.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from lmcourse.exercises.compare import Compare

FORMAT = 1


@dataclass(frozen=True)
class Case:
    """One call. `expected` is None where only its fingerprint is shipped (a prediction to be made)."""

    about: str
    packed_args: bytes
    packed_expected: bytes | None
    mark: list[Any]
    mistake_marks: list[list[Any]]


@dataclass(frozen=True)
class ExerciseRecord:
    name: str
    title: str
    points: int
    minutes: int
    signature: str
    compare: Compare
    hints: list[str]
    allow: list[str]
    refuse: list[str]
    collect: str
    may_mutate: bool
    cases: list[Case] = field(repr=False)


@dataclass(frozen=True)
class ChapterRecord:
    chapter: str
    exercises: list[ExerciseRecord]

    def find(self, name: str) -> ExerciseRecord:
        for exercise in self.exercises:
            if exercise.name == name:
                return exercise
        known = ", ".join(e.name for e in self.exercises)
        raise KeyError(f"'name' must be an exercise of chapter {self.chapter} ({known}), got {name!r}")

    @property
    def points(self) -> int:
        return sum(e.points for e in self.exercises)


def _b64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _raw(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def to_json(record: ChapterRecord) -> str:
    """Return the record as deterministic JSON text, a case a line so that changes can be read."""
    lines = [f'{{"format": {FORMAT}, "chapter": {json.dumps(record.chapter)}, "exercises": [']
    for number, e in enumerate(record.exercises):
        entry = {k: v for k, v in vars(e).items() if k not in ("cases", "compare")}
        if not e.refuse:  # most exercises: what was recorded before it could be said stays as it is
            del entry["refuse"]
        entry["compare"] = e.compare.to_json()
        cases = [
            {
                "about": c.about,
                "args": _b64(c.packed_args),
                "expected": _b64(c.packed_expected),
                "mark": c.mark,
                "mistakes": c.mistake_marks,
            }
            for c in e.cases
        ]
        lines.append(("," if number else "") + json.dumps(entry)[:-1] + ', "cases": [')
        lines += [json.dumps(case) + ("," if case is not cases[-1] else "") for case in cases]
        lines.append("]}")
    return "\n".join([*lines, "]}"]) + "\n"


def from_json(text: str, *, source: str) -> ChapterRecord:
    """Return the record in `text`. `source` names the file in the error for a damaged one."""
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise ValueError(f"expected format {FORMAT}, got {data['format']}")
        exercises = []
        for e in data["exercises"]:
            cases = [
                Case(c["about"], _raw(c["args"]), _raw(c["expected"]), c["mark"], c["mistakes"])
                for c in e.pop("cases")
            ]
            exercises.append(
                ExerciseRecord(**{"refuse": [], **e, "compare": Compare(**e["compare"])}, cases=cases)
            )
        return ChapterRecord(data["chapter"], exercises)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{source} is not a file of recorded cases: {error}") from error


def load_chapter(chapter: str) -> ChapterRecord:
    """Return the visible cases of `chapter`, for example "01_tokens"."""
    folder = resources.files("lmcourse.exercises") / "recorded"
    file = folder / f"{chapter}.json"
    if not file.is_file():
        known = sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json"))
        raise KeyError(f"'chapter' must be one of {', '.join(known)}, got {chapter!r}")
    return from_json(file.read_text(encoding="utf-8"), source=str(file))


def load_file(path: str | Path) -> ChapterRecord:
    """Return the cases in a file, such as the hidden ones an instructor wrote with `lmcourse hidden`."""
    return from_json(Path(path).read_text(encoding="utf-8"), source=str(path))
