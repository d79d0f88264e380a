"""text8: the first hundred million characters of an English Wikipedia of 2006, as words in lower case."""

from __future__ import annotations

import zipfile

from lmcourse.corpora.download import fetch

URL = "http://mattmahoney.net/dc/text8.zip"
SHA256 = "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232"


def text8(max_words: int | None = None, *, progress: bool = True) -> list[str]:
    """Return the words of text8, 17 million, or the first `max_words`. It is fetched once, 31 MB, and checked.

    Letters a to z only: no capitals, digits are spelled, all else was taken out (Mahoney 2011, "About the Test Data").

    Raises:
        ValueError: `max_words` below 1, or what came is not the file. ConnectionError: it cannot be reached.
    """
    if max_words is not None and max_words < 1:
        raise ValueError(f"'max_words' must be positive or None, got {max_words}")
    with zipfile.ZipFile(fetch(URL, SHA256, progress=progress)) as archive:
        words = archive.read("text8").decode("ascii").split()
    return words[:max_words]
