"""Cutting a text into words before any vocabulary is consulted, and writing bytes as characters.

Subword tokenizers do not merge across the whole text: a rule cuts it into *pre-tokens* first (roughly words,
with the space in front), and no piece of the vocabulary crosses a cut. GPT-2's rule loses nothing, its
pre-tokens joined are the text; BERT's drops the white space.
"""

import unicodedata
from collections.abc import Iterator

import regex

# GPT-2's rule (from the code published with Radford et al. 2019): English contractions; letters, digits or
# other signs with at most one space in front; white space, leaving the last space to the next word.
GPT2_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""

# GPT-4's rule: contractions in capitals too, a sign may stand where the space did, digits in groups of three.
GPT4_PATTERN = (
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"""
    r"""|\s*[\r\n]+|\s+(?!\S)|\s+"""
)

_gpt2 = regex.compile(GPT2_PATTERN)
_white_space = regex.compile(r"\s+")


def gpt2_words(text: str) -> list[str]:
    """Cut a text by GPT-2's pattern.

    >>> gpt2_words("We'll meet at 10  o'clock.")
    ['We', "'ll", ' meet', ' at', ' 10', ' ', ' o', "'", 'clock', '.']
    """
    return _gpt2.findall(text)


def byte_to_character() -> dict[int, str]:
    """A visible character for each of the 256 bytes, in the order of the characters (GPT-2's table).

    Bytes that print as themselves in Latin-1 keep their character. The others (controls, space, soft hyphen)
    take the characters from U+0100 on in turn, so the space becomes `Ġ` and the line feed `Ċ`.

    >>> table = byte_to_character()
    >>> table[ord("a")], table[ord(" ")], list(table)[:3]
    ('a', 'Ġ', [33, 34, 35])
    """
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


BYTE_CHARACTERS = byte_to_character()
BYTE_ALPHABET = list(
    BYTE_CHARACTERS.values()
)  # the first 256 pieces of a byte-level vocabulary, in this order
_byte_of = {character: byte for byte, character in BYTE_CHARACTERS.items()}
_visible = str.maketrans(BYTE_CHARACTERS)


def to_byte_characters(text: str) -> str:
    """Write the UTF-8 bytes of a text as visible characters.

    >>> to_byte_characters(" né")
    'ĠnÃ©'
    """
    # Latin-1 reads byte b as character number b, which is what `translate` looks up.
    return text.encode().decode("latin-1").translate(_visible)


def to_bytes(pieces: str) -> bytes:
    """The bytes that visible byte characters stand for.

    >>> to_bytes("ĠnÃ©")
    b' n\\xc3\\xa9'
    """
    return bytes(map(_byte_of.__getitem__, pieces))


def from_byte_characters(pieces: str) -> str:
    """The text of visible byte characters; bytes that are no UTF-8 become the replacement character U+FFFD.

    A piece of a vocabulary may hold half a character; only the joined bytes of a text must be whole.

    >>> from_byte_characters("ĠnÃ©"), from_byte_characters("Ã")
    (' né', '�')
    """
    return to_bytes(pieces).decode(errors="replace")


def bert_words(text: str) -> list[str]:
    """Cut a text as BERT does: at white space, which is dropped, and around every punctuation sign.

    >>> bert_words("don't  stop (now)")
    ['don', "'", 't', 'stop', '(', 'now', ')']
    """
    return list(_bert_words(text))


def _bert_words(text: str) -> Iterator[str]:
    for word in _white_space.split(text):  # str.split() would also cut at four separators of ASCII
        start = 0
        for position, character in enumerate(word):
            if is_punctuation(character):
                if start < position:
                    yield word[start:position]
                yield character
                start = position + 1
        if start < len(word):
            yield word[start:]


def is_punctuation(character: str) -> bool:
    """Whether BERT counts a character as punctuation: Unicode's class P, and the ASCII signs such as `$`.

    >>> [is_punctuation(sign) for sign in "a$ 。"]
    [False, True, False, True]
    """
    ascii_sign = (
        character.isascii() and character.isprintable() and not character.isalnum() and character != " "
    )
    return ascii_sign or unicodedata.category(character).startswith("P")
