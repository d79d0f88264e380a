"""Broken notebooks: each comes back with the student's answers in the right cells, or is refused with a reason."""

from __future__ import annotations

import copy
import json
import re

import nbformat
import pytest

from lmcourse.authoring.course import chapter_names
from lmcourse.grading.intake.reading import Refused
from lmcourse.grading.intake.repair import repair
from lmcourse.grading.intake.template import Template
from tests.conftest import ROOT
from tests.grading.conftest import ANSWERS, SOLUTION, STUDENT, as_bytes, cell_of, grade_id, text_of

STUB = "raise NotImplementedError"


def _without(notebook, *names):
    notebook["cells"] = [cell for cell in notebook["cells"] if grade_id(cell) not in names]


def _strip(notebook, *, ids=True, metadata=True):
    for cell in notebook["cells"]:
        if metadata:
            cell["metadata"] = {}
        if ids:
            cell.pop("id")
    if ids:
        notebook["nbformat_minor"] = 4


def colab(n):
    n["metadata"] = {
        "colab": {"provenance": [], "authorship": "Ada Secret"},
        "kernelspec": {"name": "python3"},
    }
    for cell in n["cells"]:
        user = {"displayName": "Ada Secret", "userId": "0815"}
        cell["metadata"] = {"id": cell.pop("id"), "executionInfo": {"user": user}, "outputId": "Secret"}
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "Secret"}]


def metadata_lost(n):
    _strip(n, ids=False)


def metadata_and_ids_lost(n):
    _strip(n)


def all_lost_and_reversed(n):
    _strip(n)
    n["cells"].reverse()


def reordered(n):
    n["cells"] = n["cells"][20:] + n["cells"][:20]


def ids_twice(n):
    for cell in n["cells"]:
        cell["id"] = "same"


def answer_copied_below(n):
    n["cells"].insert(8, copy.deepcopy(cell_of(n, "merge_pair")) | {"source": "merge_pair_again = 1"})


def stub_copied_below(n):
    n["cells"].append(copy.deepcopy(cell_of(json.loads(STUDENT.read_text()), "merge_pair")))


def answer_in_a_new_cell_below(n):
    cell = cell_of(n, "bpe_encode")
    n["cells"].append({"cell_type": "code", "metadata": {}, "id": "new", "source": cell["source"]})
    cell["source"] = text_of(cell_of(json.loads(STUDENT.read_text()), "bpe_encode"))


def graded_cell_twice(n):
    n["cells"].append(copy.deepcopy(cell_of(n, "check_merge_pair")))


def check_deleted(n):
    _without(n, "check_merge_pair", "check_bpe_encode")


def check_edited(n):
    cell_of(n, "check_merge_pair")["source"] = "check = lambda f: None  # check(merge_pair)"


def answer_typed_into_check(n):
    cell_of(n, "check_cut_word")["source"] = ANSWERS["cut_word"] + "\ncheck(cut_word)"
    _without(n, "cut_word")


def minor_missing(n):
    del n["nbformat_minor"]


def format_3(n):
    for cell in n["cells"]:
        if cell["cell_type"] == "code":
            cell.update(input=cell.pop("source"), language="python", collapsed=False, prompt_number=1)
            cell.pop("execution_count", None)
        cell.pop("id")
    n.update(nbformat=3, nbformat_minor=0, worksheets=[{"metadata": {}, "cells": n.pop("cells")}])


def foreign_kernel(n):
    n["metadata"]["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}


def no_metadata_at_all(n):
    del n["metadata"]
    for cell in n["cells"]:
        del cell["metadata"]


def code_became_markdown(n):
    cell = cell_of(n, "merge_pair")
    cell["cell_type"] = "markdown"
    cell.pop("outputs"), cell.pop("execution_count")


def sources_as_lines(n):
    for cell in n["cells"]:
        cell["source"] = text_of(cell).splitlines(keepends=True)


def windows_lines(n):
    for cell in n["cells"]:
        cell["source"] = text_of(cell).replace("\n", "\r\n")


def entries_that_are_no_cells(n):
    n["cells"][3:3] = [None, 7, "text"]


def cells_without_outputs(n):
    for cell in n["cells"]:
        cell.pop("outputs", None), cell.pop("execution_count", None)


def text_cells_deleted(n):
    n["cells"] = [cell for cell in n["cells"] if cell["cell_type"] == "code" or grade_id(cell)]


def setup_deleted(n):
    n["cells"] = [cell for cell in n["cells"] if "open_exercises" not in text_of(cell)]


def half_a_character(n):
    n["cells"].append({"cell_type": "markdown", "metadata": {}, "id": "x", "source": "\ud83d"})


def unknown_cell_type(n):
    n["cells"].append({"cell_type": "sql", "metadata": {}, "id": "x", "source": "select 1"})


REPAIRS = [
    (colab, "Colab's notes"), (metadata_lost, "marks were lost"), (metadata_and_ids_lost, "Cell ids were lost"),
    (all_lost_and_reversed, "another order"), (reordered, "another order"), (ids_twice, "stood twice were made different"),
    (answer_copied_below, "merge_pair stood twice"), (stub_copied_below, "An empty copy of merge_pair"),
    (answer_in_a_new_cell_below, "An empty copy of bpe_encode"), (graded_cell_twice, "check_merge_pair stood twice"),
    (check_deleted, "check_merge_pair was deleted"), (check_edited, "text of check_merge_pair was changed"),
    (minor_missing, "'nbformat_minor'"), (format_3, "format 3 was upgraded"), (foreign_kernel, "'ir' was replaced"),
    (no_metadata_at_all, "missing kernel"), (code_became_markdown, "merge_pair had become a markdown cell"),
    (sources_as_lines, None), (windows_lines, None), (entries_that_are_no_cells, "3 entries"),
    (cells_without_outputs, None), (text_cells_deleted, "was deleted"), (setup_deleted, "was deleted"),
    (half_a_character, None), (unknown_cell_type, "unknown type 'sql'"),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "said"), REPAIRS, ids=[broken.__name__ for broken, _ in REPAIRS])
def test_a_broken_notebook_keeps_its_answers(broken, said, answered, template):
    broken(answered)
    made = repair(as_bytes(answered), template)
    assert said in " ".join(made.notes) if said else not made.notes, made.notes
    notebook = json.loads(made.text)
    nbformat.validate(notebook)
    graded = [grade_id(cell) for cell in notebook["cells"] if grade_id(cell)]
    assert graded == [slot.grade_id for slot in template.slots if slot.grade_id]
    for name, answer in ANSWERS.items():
        assert text_of(cell_of(notebook, name)) == answer, name
    for slot in template.slots:
        if slot.locked:
            assert text_of(cell_of(notebook, slot.grade_id)) == slot.text
    assert "Secret" not in made.text
    assert "lambda f: None" not in made.text or broken is check_edited
    assert repair(made.text.encode(), template).text == made.text


def test_the_untouched_notebook_comes_back_as_it_is(template):
    made = repair(STUDENT.read_bytes(), template)
    assert made.notes == ["No answer was typed in."]
    assert json.loads(made.text) == json.loads(STUDENT.read_text(encoding="utf-8"))


def test_a_deleted_answer_comes_back_as_its_stub(answered, template):
    _without(answered, "merge_pair")
    notebook = json.loads(repair(as_bytes(answered), template).text)
    assert STUB in text_of(cell_of(notebook, "merge_pair"))
    assert "SOLUTION" not in json.dumps(notebook)
    assert text_of(cell_of(notebook, "bpe_encode")) == ANSWERS["bpe_encode"]


def test_an_answer_typed_into_the_check_cell_is_kept_and_no_stub_hides_it(answered, template):
    answer_typed_into_check(answered)
    cells = json.loads(repair(as_bytes(answered), template).text)["cells"]
    at = next(i for i, cell in enumerate(cells) if grade_id(cell) == "check_cut_word")
    assert text_of(cells[at - 1]) == ANSWERS["cut_word"]
    assert text_of(cells[at]) == "check(cut_word)"
    assert STUB not in "".join(map(text_of, cells))


def test_helpers_stay_in_front_of_what_uses_them(answered, template):
    at = next(i for i, cell in enumerate(answered["cells"]) if grade_id(cell) == "bpe_encode")
    answered["cells"].insert(
        at, {"cell_type": "code", "id": "h", "metadata": {}, "source": "def helper(): ..."}
    )
    _strip(answered)
    texts = [text_of(cell) for cell in json.loads(repair(as_bytes(answered), template).text)["cells"]]
    assert texts.index("def helper(): ...") == texts.index(ANSWERS["bpe_encode"]) - 1


def test_an_answer_with_another_signature_is_found_by_its_name(answered, template):
    cell_of(answered, "merge_pair")["source"] = "merge_pair = lambda ids, pair, new: ids"
    _strip(answered)
    notebook = json.loads(repair(as_bytes(answered), template).text)
    assert text_of(cell_of(notebook, "merge_pair")) == "merge_pair = lambda ids, pair, new: ids"


REFUSALS = {
    "empty": (b"", "empty"), "blank": (b" \n", "empty"), "zeros": (b"\0" * 100, "empty"),
    "cut off": (STUDENT.read_bytes()[:9000], "cut off"), "not UTF-8": (b'{"cells": ["\xe9\xff"]}', "not UTF-8"),
    "web page": (b"<!DOCTYPE html><html></html>", "web page"), "pdf": (b"%PDF-1.7", "PDF"), "zip": (b"PK\3\4", "zip"),
    "deep": (b'{"cells":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
    "deep and open": (b"[" * 3_000_000, "nested"), "a list": (b"[]", "not a notebook"),
    "no cells": (b'{"nbformat": 4}', "no list of cells"), "format 9": (b'{"nbformat": 9, "cells": []}', "format is 9"),
    "format 3, broken": (b'{"nbformat": 3, "worksheets": [5]}', "cannot be upgraded"),
    "conflict": (b'{"cells": [\n<<<<<<< HEAD\n', "conflict"), "huge number": (b'{"cells": ' + b"9" * 9000 + b"}", "not JSON"),
    "another notebook": (b'{"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "source": "1"}]}', "belongs"),
    "too many cells": (b'{"nbformat": 4, "cells": [' + b"1," * 3000 + b"1]}", "at most"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "why"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_cannot_be_repaired_is_refused_with_a_reason(data, why, template):
    with pytest.raises(Refused, match=why):
        repair(data, template)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings_of_unicode_are_read(encoding, answered, template):
    made = repair(json.dumps(answered, ensure_ascii=False).encode(encoding), template)
    assert text_of(cell_of(json.loads(made.text), "merge_pair")) == ANSWERS["merge_pair"]


def test_braces_in_code_are_not_depth(answered, template):
    cell_of(answered, "merge_pair")["source"] += "\n# " + "{[" * 500
    assert "{[{[" in repair(as_bytes(answered), template).text


def test_the_template_is_what_the_student_received(template):
    # Else a stub that comes back would differ from the one that nbgrader knows.
    student = nbformat.read(STUDENT, as_version=4).cells
    parts = ("id", "cell_type", "source", "metadata")
    assert [[c[p] for p in parts] for c in template.notebook.cells] == [
        [c[p] for p in parts] for c in student
    ]
    assert "BEGIN SOLUTION" in SOLUTION.read_text(encoding="utf-8")


@pytest.mark.parametrize("chapter", chapter_names(ROOT))
def test_each_exercise_has_the_cell_that_defines_it(chapter):
    """Where a cell begins with a helper, what it defines is still what the exercise is called."""
    folder = ROOT / "solutions" / chapter
    slots = Template.load(folder / "exercises.ipynb").slots
    names = re.findall(r'exercise="(\w+)"', (folder / "exercises.py").read_text(encoding="utf-8"))
    assert [slot.defines for slot in slots if slot.defines] == names
    assert all(re.match(rf"(def|class) {slot.defines}\b", slot.signature) for slot in slots if slot.defines)
