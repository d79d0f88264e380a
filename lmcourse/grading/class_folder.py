"""Where the files of a class lie: nbgrader's own folders, and beside them what this grader keeps.

submitted/STUDENT/ASSIGNMENT/exercises.ipynb     what is graded
autograded/STUDENT/ASSIGNMENT/exercises.ipynb    the same, run, with the checks' panels
feedback/STUDENT/ASSIGNMENT/exercises.html       what the student gets back
collected/ASSIGNMENT/collected.json              every file that was handed in, and what became of it
graded/ASSIGNMENT/STUDENT.json                   a result, with everything that only the instructor sees
graded/ASSIGNMENT/seed                           the secret seed of the hidden cases
graded/ASSIGNMENT/report.html                    what the class has understood
gradebook.db                                     nbgrader's gradebook, or the one that `nbgrader_config.py` names
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

NOTEBOOK = "exercises"


@dataclass(frozen=True)
class ClassFolder:
    """The folder of one class.

    Raises:
        ValueError: `nbgrader_config.py` cannot be read, or it moves nbgrader's folders elsewhere.
    """

    root: Path

    @cached_property
    def config(self) -> Any:
        """What `nbgrader_config.py` in this folder says, as nbgrader itself would read it."""
        from traitlets.config import Config, PyFileConfigLoader

        config = Config()
        if (self.root / "nbgrader_config.py").is_file():
            try:
                config = PyFileConfigLoader("nbgrader_config.py", path=str(self.root)).load_config()
            except Exception as error:
                raise ValueError(f"{self.root / 'nbgrader_config.py'} cannot be read: {error}") from error
        moved = set(config.CourseDirectory) & {
            "directory_structure", "submitted_directory", "autograded_directory", "feedback_directory"
        }  # fmt: skip
        if moved:
            raise ValueError(f"nbgrader_config.py must leave {', '.join(sorted(moved))} as nbgrader has them")
        config.CourseDirectory.root = str(self.root.resolve())
        return config

    @property
    def db_url(self) -> str:
        return (
            self.config.CourseDirectory.get("db_url") or f"sqlite:///{self.root.resolve() / 'gradebook.db'}"
        )

    def submitted(self, student: str, assignment: str) -> Path:
        return self.root / "submitted" / student / assignment / f"{NOTEBOOK}.ipynb"

    def autograded(self, student: str, assignment: str) -> Path:
        return self.root / "autograded" / student / assignment / f"{NOTEBOOK}.ipynb"

    def feedback(self, student: str, assignment: str) -> Path:
        return self.root / "feedback" / student / assignment / f"{NOTEBOOK}.html"

    def collected(self, assignment: str) -> Path:
        return self.root / "collected" / assignment / "collected.json"

    def graded(self, assignment: str) -> Path:
        return self.root / "graded" / assignment

    def result(self, student: str, assignment: str) -> Path:
        return self.graded(assignment) / f"{student}.json"

    def students(self, assignment: str) -> list[str]:
        """Whoever has handed in, in the order of their names."""
        folder = self.root / "submitted"
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        return [name for name in names if self.submitted(name, assignment).is_file()]
