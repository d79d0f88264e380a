"""Classes made by hand for the report: results of any kind, and a plausible class of any size."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from lmcourse.exercises.records import ChapterRecord, load_chapter
from lmcourse.exercises.verdict import Failure, Verdict
from lmcourse.grading.class_folder import ClassFolder
from lmcourse.grading.results import ExerciseResult, Result
from tests.grading.conftest import ANSWERS, NAME, SOLUTION, STUDENT, cell_of

CHAPTER: ChapterRecord = load_chapter(NAME)
EXERCISES = {e.name: e for e in CHAPTER.exercises}


def answer(name: str, status: str = "passed", **more) -> ExerciseResult:
    """A verdict on one exercise: `mistake=2`, `about=...`, `difference=...`, `got=...`, `hidden=True`."""
    exercise = EXERCISES[name]
    hidden, mistake = more.pop("hidden", False), more.pop("mistake", None)
    failure = None
    if status == "failed":
        about, difference = (
            more.get("about", "two places"),
            more.get("difference", "the result is 1, expected 2"),
        )
        call, got = more.get("call", f"{name}([1])"), more.get("got", "1")
        failure = Failure(about, call, "2", got, difference)
    points = exercise.points if status == "passed" else 0
    hint = None if mistake is None else exercise.hints[mistake]
    verdict = Verdict(
        name, status, points, exercise.points, 0, 16, failure, hint, mistake, more.get("reason")
    )
    return ExerciseResult(f"check_{name}", verdict, hidden)


def result(student: str, answers: list[ExerciseResult] = (), **more) -> Result:
    scores = {a.grade_id: float(a.verdict.points) for a in answers}
    return Result(
        student,
        NAME,
        "key",
        more.pop("status", "graded"),
        exercises=list(answers),
        scores={**scores, **more.pop("scores", {})},
        max_scores={f"check_{e.name}": float(e.points) for e in CHAPTER.exercises} | {"why_languages": 4.0},
        **{"seconds": 0.3, "peak_bytes": 250 * 2**20, **more},
    )


def put_result(folder: ClassFolder, made: Result) -> None:
    path = folder.result(made.student, NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(made.to_json(), encoding="utf-8")


def put_notebook(
    folder: ClassFolder, student: str, answers: dict[str, str], added: str | None = None
) -> None:
    notebook = json.loads(STUDENT.read_text(encoding="utf-8"))
    for name, text in answers.items():
        cell_of(notebook, name)["source"] = text
    if added is not None:
        notebook["cells"].append(
            {"cell_type": "code", "source": added, "metadata": {}, "outputs": [], "execution_count": None}
        )
    path = folder.submitted(student, NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def put_source(folder: ClassFolder) -> None:
    """The assignment's source, where nbgrader keeps it."""
    path = folder.root / "source" / NAME / "exercises.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SOLUTION.read_text(encoding="utf-8"), encoding="utf-8")


def put_rows(folder: ClassFolder, rows: list[dict]) -> None:
    path = folder.collected(NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    row = {"status": "taken", "student": None, "late": False, "why": None, "notes": []}
    files = [{**row, "file": f"{number}.ipynb", **given} for number, given in enumerate(rows)]
    path.write_text(json.dumps({"assignment": NAME, "files": files}), encoding="utf-8")


FIRST = (
    "ada", "bola", "chen", "dana", "emeka", "farah", "georg", "hana", "igor", "jun", "kofi", "lena", "maja",
    "nils", "olga", "pia", "quang", "rosa", "samir", "tuva", "uma", "víctor", "wanjiru", "xu", "yara", "zoë",
)  # fmt: skip
LAST = (
    "abebe", "berg", "castro", "diallo", "eriksen", "fujita", "gupta", "haddad", "ivanova", "jansen", "kaya",
    "lindqvist", "müller", "nguyen", "okafor", "petrov", "rossi", "silva", "tanaka", "ueda", "varga", "weber",
)  # fmt: skip
HARD = dict(zip(EXERCISES, (-2.0, -1.2, 0.0, -0.6, 0.6, 0.1, -0.9, 1.4), strict=True))
ENDLESS = "TookTooLong was raised: no answer within 20 s: is there a loop that does not end?"


def plausible_class(root: Path, number: int, seed: int = 0) -> ClassFolder:
    """A class of `number` with better and weaker students, frequent and rare mistakes, and a few odd cases."""
    rng = random.Random(seed)
    folder = ClassFolder(root)
    put_source(folder)
    rows = []
    for i in range(number):
        student = f"{FIRST[i % len(FIRST)]}.{LAST[(i * 7) % len(LAST)]}{i // len(FIRST) or ''}"
        able = rng.gauss(0.2, 1.2)
        answers = [_answered(rng, name, able) for name in EXERCISES]
        put_result(
            folder,
            result(
                student,
                answers,
                scores={"why_languages": None if rng.random() < 0.9 else 0.0},
                incidents=["Cell 5 was interrupted after 30 s."] if i % 45 == 9 else [],
                seconds=rng.lognormvariate(-1.2, 0.6) * (20 if i % 40 == 7 else 1),
                peak_bytes=int(rng.uniform(240, 420) * 2**20),
            ),
        )
        put_notebook(
            folder, student, _written(rng), "import gc\nprint(gc.get_objects()[:3])" if i % 60 == 31 else None
        )
        notes = ["Colab's notes on who ran which cell were removed."] if rng.random() < 0.4 else []
        rows.append({"student": student, "late": rng.random() < 0.07, "notes": notes})
    why = "it is a .pdf file, not a notebook (.ipynb)"
    rows += [{"status": "refused", "file": f"carl_{i}.pdf", "why": why} for i in range(number // 60)]
    put_rows(folder, rows)
    return folder


def _answered(rng: random.Random, name: str, able: float) -> ExerciseResult:
    """What becomes of one exercise, more often right the more `able`; but for one that says nothing about it."""
    margin = able - HARD[name] + rng.gauss(0, 0.9) if name != "cheapest_vocabulary" else rng.gauss(0.8, 1.0)
    if margin > 0:
        return answer(name)
    if margin < -2.2:
        return answer(name, "not started")
    chance = rng.random()
    if chance < 0.03:
        return answer(
            name, "refused", reason="codecs comes from codecs: this exercise is answered with your own code."
        )
    if chance < 0.08:
        return answer(
            name, "failed", about="a long text", difference=ENDLESS, got="raised TookTooLong: no answer"
        )
    if chance < 0.7:
        mistake = min(int(rng.expovariate(0.5)), len(EXERCISES[name].hints) - 1)
        return answer(name, "failed", mistake=mistake, hidden=rng.random() < 0.4)
    which = min(int(rng.expovariate(0.8)), 6)
    about = ("an empty text", "a random list", "one token alone")[which % 3]
    difference = f"the result has length {which + 2}, expected {which + 3}"
    return answer(name, "failed", about=about, difference=difference, hidden=which > 1)


NAMES = ("merged", "tokens", "pieces", "waiting", "best", "start", "end", "kept", "width")
STYLES = (
    ("i += 2", "i = i + 2"),
    ("[]", "list()"),
    ("    while", "    # go on\n    while"),
    (".append(", " .append("),
)


def _written(rng: random.Random) -> dict[str, str]:
    """Answers in somebody's own style: other names, other ways to write the same."""
    made = {}
    for name in EXERCISES:
        text = ANSWERS[name]
        if rng.random() < 0.15:
            continue
        for word in NAMES:
            if rng.random() < 0.5:
                text = re.sub(rf"\b{word}\b", f"{rng.choice(('my', 'the', 'cur', 'all'))}_{word}", text)
        for old, new in STYLES:
            if rng.random() < 0.3:
                text = text.replace(old, new)
        made[name] = text
    return made
