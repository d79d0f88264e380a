"""What the tests of the tokenizers share."""

from importlib.resources import files

import pytest


@pytest.fixture(scope="session")
def osier_bay() -> list[str]:
    """The texts of the course's corpus, one string a file."""
    folder = files("lmcourse.corpora") / "data" / "osier_bay"
    paths = sorted(
        (path for path in folder.iterdir() if path.name.endswith(".txt")), key=lambda path: path.name
    )
    assert paths, f"no texts in {folder}"
    return [path.read_text(encoding="utf-8") for path in paths]
