"""Names as Canvas, Moodle, Colab and people give them."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from lmcourse.grading.intake.names import handed_in, without_wrapper


@pytest.mark.parametrize(
    ("path", "student", "lms", "late", "rank"),
    [
        ("lovelaceada_1234_98765_exercises.ipynb", "lovelaceada", "canvas", False, (0, 98765)),
        ("lovelaceada_LATE_1234_98766_exercises-2.ipynb", "lovelaceada", "canvas", True, (2, 98766)),
        ("submissions/hopper_77_5_Copy of exercises (1).ipynb", "hopper", "canvas", False, (0, 5)),
        ("Ada Lovelace_4711_assignsubmission_file_/exercises.ipynb", "Ada_Lovelace", "moodle", False, (0, 0)),
        ("Ada Lovelace_4711_assignsubmission_file/x/Copy of exercises.ipynb", "Ada_Lovelace", "moodle", False, (0, 0)),
        ("Zoë O'Neill_12_assignsubmission_file_exercises.ipynb", "Zoë_O_Neill", "moodle", False, (0, 0)),
        ("grace/deep/er/exercises.ipynb", "grace", "folder", False, (0, 0)),
        ("grace/Copy of exercises (1).ipynb", "grace", "folder", False, (0, 0)),
        ("grace.ipynb", "grace", "folder", False, (0, 0)),
        ("Copy of grace (2).ipynb", "grace", "folder", False, (0, 0)),
    ],
)  # fmt: skip
def test_who_handed_in(path, student, lms, late, rank):
    who = handed_in(PurePosixPath(path), "01_tokens")
    assert (who.student, who.lms, who.late, who.rank) == (student, lms, late, rank)


@pytest.mark.parametrize(
    "path", ["exercises.ipynb", "Copy of exercises (1).ipynb", "01_tokens.ipynb", ".../x.ipynb", "(1).ipynb"]
)
def test_a_name_that_tells_nobody_is_nobody(path):
    assert handed_in(PurePosixPath(path), "01_tokens") is None


def test_a_folder_around_all_students_is_no_student():
    students = [PurePosixPath(f"class/{who}/exercises.ipynb") for who in ("ada", "bob")]
    assert without_wrapper(students, "01_tokens") == 1
    assert without_wrapper([PurePosixPath("ada/01_tokens/exercises.ipynb")], "01_tokens") == 0
    assert without_wrapper([*students, PurePosixPath("carl/exercises.ipynb")], "01_tokens") == 0
