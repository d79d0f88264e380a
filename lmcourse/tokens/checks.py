"""The checks that all tokenizers share: each error names the argument, what is wanted and what came."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

HIGHEST_ID = sys.maxunicode  # the modules on BPE hold the piece with id n as the character number n


def check_text(text: str, name: str = "text") -> str:
    """Return `text` if it is a str that can be written in UTF-8; else raise TypeError or ValueError."""
    if not isinstance(text, str):
        raise TypeError(f"'{name}' must be str, got {type(text).__name__}: {shorten(text)}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"'{name}' must be Unicode text, "
                f"got a lone surrogate {text[error.start]!r} at position {error.start}"
            ) from None
    return text


def checked_texts(texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts of a training corpus; raise if one is no text, or if all of them are empty."""
    if isinstance(texts, str | bytes):
        raise TypeError(
            f"'texts' must be an iterable of strings, got one {type(texts).__name__}: wrap it in a list"
        )
    empty = True
    for text in texts:
        yield check_text(text, "texts")
        empty = empty and not text
    if empty:
        raise ValueError("'texts' must hold some text to learn from, got none")


def check_special_tokens(special_tokens: Sequence[str]) -> tuple[str, ...]:
    """Return the special tokens as a tuple; raise if one is empty, not a str, or given twice."""
    if isinstance(special_tokens, str | bytes):
        raise TypeError(
            f"'special_tokens' must be a sequence of strings, got {special_tokens!r}: wrap it in a list"
        )
    special_tokens = tuple(special_tokens)
    for position, token in enumerate(special_tokens):
        check_text(token, "special_tokens")
        if not token:
            raise ValueError(f"'special_tokens' must not be empty strings, got '' at position {position}")
        if token in special_tokens[:position]:
            raise ValueError(f"'special_tokens' must be different from each other, got {token!r} twice")
    return special_tokens


def check_vocab_size(vocab_size: int, smallest: int, reason: str) -> int:
    """Return `vocab_size` if it is an integer of at least `smallest`; `reason` says what needs that many."""
    if isinstance(vocab_size, bool) or not isinstance(vocab_size, int):
        raise TypeError(f"'vocab_size' must be int, got {type(vocab_size).__name__}: {shorten(vocab_size)}")
    if vocab_size < smallest:
        raise ValueError(f"'vocab_size' must be at least {smallest} ({reason}), got {vocab_size}")
    return vocab_size


def check_ids(vocab: Mapping[str, int]) -> None:
    """Raise ValueError if two tokens share an id, or if an id is negative or beyond any vocabulary's size."""
    owner: dict[int, str] = {}
    for token, token_id in vocab.items():
        if token_id in owner or not 0 <= token_id <= HIGHEST_ID:
            also = f", as {owner[token_id]!r} has" if token_id in owner else ""
            raise ValueError(
                f"'vocab' must give each token an id of its own, 0 to {HIGHEST_ID}, "
                f"got {token!r}: {token_id}{also}"
            )
        owner[token_id] = token


def shorten(value: object, length: int = 60) -> str:
    """The repr of a value, cut to `length` characters: for error messages."""
    text = repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."
