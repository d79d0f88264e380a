"""The student's side of the exercises: `check`, hints and points."""

from lmcourse.exercises.student import Checker, CheckFailed, open_exercises

__all__ = ["CheckFailed", "Checker", "open_exercises"]
