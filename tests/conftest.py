"""Shapes and types in the signatures of the chapters' packages are checked while the tests run."""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

CHECKED = [
    "lmcourse.training",
    "lmcourse.sequences",
    "lmcourse.tokens",
    "lmcourse.embeddings",
    "lmcourse.recurrence",
    "lmcourse.attention",
    "lmcourse.encoder_decoder",
    "lmcourse.language_model",
]
install_import_hook(CHECKED, "beartype.beartype")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The clone of the course."""
    return ROOT
