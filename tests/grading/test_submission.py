"""From a notebook to its marks: what students write ends in the right mark, and costs nobody else's."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import nbformat
import pytest
from nbgrader.utils import determine_grade

from lmcourse.grading.box.client import Boxes
from lmcourse.grading.judging.assignment import load_assignment
from lmcourse.grading.judging.submission import grade_submission, prepare
from lmcourse.grading.limits import MIB, Limits
from tests.conftest import ROOT
from tests.grading.conftest import ANSWERS, NAME, as_bytes, cell_of, grade_id, needs_boxes

pytestmark = needs_boxes
LIMITS = Limits(
    cell_seconds=2, call_seconds=1, exercise_seconds=10, notebook_seconds=60, memory_bytes=900 * MIB
)


@pytest.fixture(scope="module")
def boxes():
    with Boxes() as made:
        yield made


@pytest.fixture(scope="module")
def assignment():
    return load_assignment(NAME, ROOT, seed=11)


@pytest.fixture
def graded(boxes, assignment):
    def grade(notebook: dict, limits: Limits = LIMITS):
        result, text = grade_submission(
            "ada", partial(prepare, as_bytes(notebook), assignment), assignment, boxes, limits, "key"
        )
        return result, nbformat.reads(text, as_version=4) if text else None

    return grade


def with_answer(notebook: dict, **sources: str) -> dict:
    for name, source in sources.items():
        cell_of(notebook, name)["source"] = source
    return notebook


def insert(notebook: dict, before: str, source: str) -> dict:
    at = next(i for i, c in enumerate(notebook["cells"]) if grade_id(c) == before)
    cell = {
        "cell_type": "code",
        "id": f"new-{len(notebook['cells'])}",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
    notebook["cells"].insert(at, cell)
    return notebook


def verdicts(result) -> dict[str, str]:
    return {e.verdict.name: e.verdict.status for e in result.exercises}


def test_right_answers_get_all_points_and_the_written_one_waits(graded, answered):
    result, notebook = graded(answered)
    assert (result.status, result.points, set(verdicts(result).values())) == ("graded", 20, {"passed"})
    assert result.scores["why_languages"] is None
    assert (result.incidents, result.untrusted) == ([], [])
    nbformat.validate(notebook)


def test_nbgrader_reads_the_same_marks_from_the_executed_notebook(graded, answered):
    result, notebook = graded(
        with_answer(answered, cut_word="def cut_word(word, vocab, unk='[UNK]'):\n    return [word]")
    )
    read = {
        c.metadata.nbgrader.grade_id: determine_grade(c)[0]
        for c in notebook.cells
        if c.metadata.get("nbgrader", {}).get("grade")
    }
    assert read == result.scores
    assert read["check_cut_word"] == 0


def test_an_untouched_notebook_gets_nothing_and_nothing_waits(graded, assignment):
    result, _ = graded(json.loads(nbformat.writes(assignment.template.notebook)))
    assert set(verdicts(result).values()) == {"not started"}
    assert set(result.scores.values()) == {0.0}


def test_a_known_mistake_is_told(graded, answered):
    source = "def merge_pair(ids, pair, new_id):\n    out, i = [], 0\n    while i < len(ids):\n        if tuple(ids[i:i+2]) == pair: out.append(new_id)\n        else: out.append(ids[i])\n        i += 1\n    return out"
    result, notebook = graded(with_answer(answered, merge_pair=source))
    verdict = result.exercises[0].verdict
    assert (verdict.status, result.exercises[0].hidden) == ("failed", False)
    assert verdict.hint
    panel = cell_of(json.loads(nbformat.writes(notebook)), "check_merge_pair")["outputs"][0]["data"][
        "text/plain"
    ]
    assert verdict.hint in "".join(panel)


def test_answers_from_memory_pass_the_visible_cases_and_get_nothing(graded, answered, assignment):
    from lmcourse.exercises.codec import unpack

    cases = assignment.visible.find("merge_pair").cases
    table = [(unpack(c.packed_args)[0], unpack(c.packed_expected)["value"]) for c in cases]
    result, notebook = graded(
        with_answer(
            answered,
            merge_pair=f"def merge_pair(ids, pair, new_id):\n    return dict([(repr(a), b) for a, b in {table!r}]).get(repr((ids, pair, new_id)), [])",
        )
    )
    first = result.exercises[0]
    assert (first.verdict.status, first.hidden, result.points) == ("failed", True, 18)
    # Not a number of a hidden case is in what the student may see.
    shown = nbformat.writes(notebook)
    hidden = [unpack(c.packed_args)[0] for c in assignment.hidden.find("merge_pair").cases]
    told = [str(args) for args in hidden if len(str(args)) > 25 and args not in [a for a, _ in table]]
    assert told
    assert not any(text in shown for text in told)
    assert "further cases do not" in shown


def test_what_a_function_was_asked_never_shows_in_a_later_cell(graded, answered, assignment):
    spy = ANSWERS["merge_pair"].replace(
        "    merged = []",
        "    torch.os.system('touch /tmp/asked')\n    SEEN.append(ids)\n    merged = []",
        1,
    )
    insert(
        with_answer(answered, merge_pair="SEEN = []\n" + spy),
        "check_cheapest_vocabulary",
        "import os\nprint('SPY', SEEN, os.path.exists('/tmp/asked'))",
    )
    result, notebook = graded(answered)
    assert result.points == 20
    assert "SPY [] False" in nbformat.writes(notebook)


@pytest.mark.parametrize(
    ("source", "incident"),
    [
        ("import os\nos._exit(0)", "it ended the program"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "it ended the program"),
        ("import ctypes\nctypes.string_at(0)", "it ended the program"),
        (
            "while True:\n    try:\n        x = 1\n        while True: x = 1\n    except BaseException: pass",
            "it did not stop when told to",
        ),
        ("while True: pass", "was interrupted after 2 s"),
        ("import mmap\nm = mmap.mmap(-1, 2 * 10**9)\nfor i in range(0, 2 * 10**9, 4096): m[i] = 1", None),
        ("raise SystemExit", None),
        ("exit()", None),
        ("1 / 0", None),
        ("import sys, warnings\nwarnings.warn('slow'); print('50%', file=sys.stderr)", None),
        ("get_ipython().ask_exit()", None),
    ],
)
def test_a_cell_that_goes_wrong_costs_no_mark_but_its_own(graded, answered, source, incident):
    result, _ = graded(insert(answered, "bpe_encode", source))
    assert result.points == 20
    assert incident is None or incident in " ".join(result.incidents)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import os; os._exit(0)", "imports os"),
        ("torch.os._exit(0)", "it ended the program"),
        ("\n    while True: pass", None),
        (
            "\n    while True:\n        try:\n            x = 1\n            while True: x = 1\n        except BaseException: pass",
            "did not answer",
        ),
        ("return [bytes(2**20) for _ in range(3000)]", None),
        ("return merge_pair(ids, pair, new_id)", None),
        ("raise SystemExit", None),
        ("raise KeyboardInterrupt", None),
        ("return ids.__class__.__base__.__subclasses__()", None),
    ],
)
def test_a_function_that_goes_wrong_costs_its_own_exercise(graded, answered, body, reason):
    result, _ = graded(
        with_answer(answered, merge_pair=f"import torch\ndef merge_pair(ids, pair, new_id): {body}")
    )
    assert result.points == 18
    first = result.exercises[0].verdict
    assert first.status in ("failed", "refused")
    assert reason is None or reason in first.reason


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("x = torch.nn.Identity\n", "merge_pair uses Identity"),  # which the text says, too
        ("x = torch.nn.Identity()\n", "merge_pair uses Identity"),  # which only the running program knows
        ("class Identity: pass\nx = Identity\n", None),
    ],
)
def test_what_an_exercise_refuses_is_refused_in_grading(boxes, assignment, answered, before, reason):
    exercises = [
        replace(e, refuse=["Identity"] if e.name == "merge_pair" else [])
        for e in assignment.visible.exercises
    ]
    told = replace(assignment, visible=replace(assignment.visible, exercises=exercises))
    source = ANSWERS["merge_pair"].replace("    merged = []", "    x\n    merged = []", 1)
    notebook = with_answer(answered, merge_pair=f"import torch\n{before}{source}")
    result, _ = grade_submission(
        "ada", partial(prepare, as_bytes(notebook), told), told, boxes, LIMITS, "key"
    )
    first = result.exercises[0].verdict
    assert (first.status, result.points) == (("refused", 18) if reason else ("passed", 20))
    assert reason is None or reason in first.reason


def test_everything_endless_at_once_ends(graded, answered):
    for name in ANSWERS:
        if name != "why_languages":
            cell_of(answered, name)["source"] = (
                f"def {name}(*a, **k):\n    while True:\n        try:\n            x = 1\n            while True: x = 1\n        except BaseException: pass"
            )
    result, _ = graded(
        answered, Limits(cell_seconds=1, call_seconds=0.2, exercise_seconds=1, notebook_seconds=5)
    )
    assert (result.status, result.points) == ("graded", 0)
    assert result.seconds < 15


def test_a_broken_answer_says_why_its_function_is_missing(graded, answered):
    result, _ = graded(with_answer(answered, merge_pair="def merge_pair(ids, pair, new_id):\nreturn ids"))
    verdict = result.exercises[0].verdict
    assert (verdict.status, result.points) == ("missing", 18)
    assert "IndentationError" in verdict.reason


def test_a_grade_cell_of_another_kind_is_run_and_said_to_be_untrusted(boxes, answered, tmp_path):
    from dataclasses import replace

    from lmcourse.grading.intake.template import Template

    source = json.loads((ROOT / "solutions" / NAME / "exercises.ipynb").read_text(encoding="utf-8"))
    for notebook in (source, answered):
        cell_of(notebook, "check_merge_pair")["source"] = (
            "import sys\nprint('a warning', file=sys.stderr)\nassert merge_pair([1, 1], (1, 1), 2) == [2]"
        )
    (tmp_path / "exercises.ipynb").write_text(json.dumps(source), encoding="utf-8")
    assignment = replace(
        load_assignment(NAME, ROOT, seed=1), template=Template.load(tmp_path / "exercises.ipynb")
    )
    result, _ = grade_submission(
        "ada", partial(prepare, as_bytes(answered), assignment), assignment, boxes, LIMITS, "key"
    )
    assert (result.points, result.untrusted) == (20, ["check_merge_pair"])
    assert len(result.exercises) == 7
    cell_of(answered, "merge_pair")["source"] = "def merge_pair(*a): return []"
    result, _ = grade_submission(
        "ada", partial(prepare, as_bytes(answered), assignment), assignment, boxes, LIMITS, "key"
    )
    assert result.points == 18


def test_what_is_no_notebook_is_refused_in_words(boxes, assignment):
    result, text = grade_submission(
        "ada", partial(prepare, b"<html>", assignment), assignment, boxes, LIMITS, "key"
    )
    assert (result.status, text, result.scores) == ("failed", "", {})
    assert "cannot be read" in result.why


def test_slow_cells_cost_no_check_that_was_reached(graded, answered):
    for _ in range(4):
        answered["cells"].append(
            {
                "cell_type": "code",
                "id": f"slow-{len(answered['cells'])}",
                "metadata": {},
                "source": "import time; time.sleep(1.5)",
                "outputs": [],
                "execution_count": None,
            }
        )
    result, _ = graded(answered, Limits(cell_seconds=2, notebook_seconds=4))
    assert result.points == 20
    assert "The notebook was stopped after 4 s" in " ".join(result.incidents)


def test_a_check_that_was_not_reached_in_time_says_so(graded, answered):
    for _ in range(4):
        insert(answered, "bpe_encode", "import time; time.sleep(1.5)")
    result, _ = graded(answered, Limits(cell_seconds=2, notebook_seconds=4))
    assert result.points == 4
    assert "was not reached" in result.exercises[-1].verdict.reason


def test_a_package_that_is_not_here_is_told(graded, answered):
    result, _ = graded(insert(answered, "bpe_encode", "import no_such_package_anywhere"))
    assert (
        "needs a package that is not installed here: No module named 'no_such_package_anywhere'"
        in " ".join(result.incidents)
    )


@pytest.mark.parametrize(
    "source",
    [
        "from IPython.display import HTML\nHTML('<a ' * 40000)",
        "from IPython.display import HTML\nHTML('<' * 19000)",
    ],
)
def test_html_that_is_slow_to_clean_stops_nobody(graded, answered, source):
    result, _ = graded(insert(answered, "bpe_encode", source))
    assert result.points == 20
    assert result.seconds < 10


@pytest.mark.parametrize(
    "value",
    [
        "{torch.zeros(1): 1}",
        "{k * (2**61 - 1) for k in range(30000)}",
        "[[0] * 10**5]",
        "float('nan')",
        "10**4200",
        "'\\ud800'",
    ],
)
def test_odd_values_are_wrong_and_no_more(graded, answered, value):
    result, _ = graded(
        with_answer(answered, merge_pair=f"import torch\ndef merge_pair(ids, pair, new_id): return {value}")
    )
    assert (result.points, result.exercises[0].verdict.status) == (18, "failed")
    assert result.seconds < 15
