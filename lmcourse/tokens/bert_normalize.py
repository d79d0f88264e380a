"""What BERT does to a text before it is cut into words."""

import unicodedata
from functools import cache

# The blocks of Chinese characters. Japanese syllables and Korean letters are not meant: they form words.
CJK_RANGES = (
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0x2F800, 0x2FA1F),
)  # fmt: skip


@cache
def clean(character: str) -> str:
    """A character as BERT sees it: a space for white space, nothing for controls, room around a Chinese sign."""
    if character in "\t\n\r" or unicodedata.category(character) in ("Zs", "Zl", "Zp"):
        return " "
    if character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs"):
        return ""
    if any(first <= ord(character) <= last for first, last in CJK_RANGES):
        return f" {character} "
    return character


def bert_normalize(text: str, lowercase: bool = True, strip_accents: bool | None = None) -> str:
    """BERT's clean-up of a text.

    White space becomes spaces, control characters go, each Chinese character becomes a word of its own. With
    `strip_accents` (None: as `lowercase`) a letter with an accent is taken apart (NFD) and the accent dropped.

    >>> bert_normalize("Café\\tNOIR 北京")
    'cafe noir  北  京 '
    """
    text = "".join(map(clean, text))
    if lowercase if strip_accents is None else strip_accents:
        text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    # Letter by letter: str.lower() would look around for the two small forms of the Greek sigma.
    return "".join([character.lower() for character in text]) if lowercase else text
