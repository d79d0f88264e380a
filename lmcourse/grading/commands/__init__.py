"""`lmcourse grade ...`: what an instructor types."""

from __future__ import annotations

from lmcourse.grading.commands.app import app

from lmcourse.grading.commands import grade, hand_back, practice  # isort: skip

__all__ = ["app", "grade", "hand_back", "practice"]
