"""What every tokenizer is: text -> tokens -> ids, and back.

A tokenizer is a component of its own: a vocabulary, a way to cut text into pieces of that vocabulary, and a
way to put the pieces together again. This module holds what all of them share: special tokens, decoding,
streaming, files and the checks. The pieces themselves are the business of the modules that follow.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from os import PathLike
from typing import SupportsIndex

from lmcourse.tokens.checks import check_ids, check_special_tokens, check_text
from lmcourse.tokens.special import AddedToken, TokenSplitter

STREAM_BLOCK = 8192  # characters that encode_iterable gathers before it looks for a place to cut


class Tokenizer(ABC):
    """A vocabulary with `encode` and `decode`.

    A trained tokenizer numbers its vocabulary 0, 1, 2, ...: first the special tokens in the order given, then
    the pieces. A tokenizer read from another project's file keeps the ids of that file.

    Args:
        vocab: token -> id.
        special_tokens: those of the tokens that are never split and that mean something to the model instead
            of standing for text (`<pad>`, `<eos>`, ...).
        unk_token: the token for what the vocabulary cannot spell, or None.

    Raises:
        ValueError: two tokens share an id, a special token is empty, named twice or not in `vocab`.
    """

    # Sections of a file that `encode` makes no use of, kept for the next `save`.
    kept_sections: Mapping[str, dict | None] = {}

    def __init__(
        self, vocab: Mapping[str, int], special_tokens: Sequence[str] = (), unk_token: str | None = None
    ) -> None:
        special_tokens = check_special_tokens(special_tokens)
        self.vocab = dict(vocab)
        self.unk_token = unk_token
        for token, name in [(t, "special_tokens") for t in special_tokens] + [(unk_token, "unk_token")]:
            if token is not None and token not in self.vocab:
                raise ValueError(
                    f"'{name}' must be in the vocabulary of {len(self.vocab)} tokens, got {token!r}"
                )
        self._set_added_tokens([AddedToken(token) for token in special_tokens])

    def _set_added_tokens(self, tokens: Sequence[AddedToken], ids: Mapping[str, int] | None = None) -> None:
        """Make `tokens` the ones that are cut out of a text; `ids` are those that `vocab` lacks."""
        self.vocab.update(ids or {})
        check_ids(self.vocab)
        self.special_tokens = tuple(token.content for token in tokens if token.special)
        self.added_tokens = tuple(tokens)
        self._splitter = TokenSplitter(tokens)
        self._known_ids = frozenset(self.vocab.values())
        self.__dict__.pop("id_to_token", None)  # made anew from the vocabulary when it is next asked for

    @cached_property
    def id_to_token(self) -> list[str]:
        """The vocabulary in the order of the ids. (An id that a file leaves unused holds `""`.)"""
        tokens = [""] * (max(self.vocab.values(), default=-1) + 1)
        for token, token_id in self.vocab.items():
            tokens[token_id] = token
        return tokens

    @property
    def vocab_size(self) -> int:
        """The highest id plus one: the rows of an embedding matrix that can look up every id."""
        return len(self.id_to_token)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(vocab_size={self.vocab_size}, special_tokens={self.special_tokens})"

    # --- what a concrete tokenizer defines ---

    @classmethod
    @abstractmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        special_tokens: Sequence[str] = (),
        *,
        progress: bool = False,
        **options,
    ) -> Tokenizer:
        """Learn a vocabulary of at most `vocab_size` tokens, special tokens included, from `texts`."""

    @abstractmethod
    def _encode_ordinary(self, text: str) -> list[int]:
        """The ids of a text, not empty, with no special token in it."""

    @abstractmethod
    def _decode_ordinary(self, tokens: list[str]) -> str:
        """The text of tokens, none of them special."""

    def _safe_cut(self, text: str) -> int:
        """A place `cut` such that, for every `more`, what is encoded of `text + more` is what is encoded of
        `text[:cut]` followed by `_encode_continuation(text[cut:] + more)`; 0 if none is in sight."""
        return 0

    def _encode_continuation(self, text: str) -> list[int]:
        """The ids of the rest of a text whose beginning, up to a safe cut, was encoded before."""
        return self._encode_ordinary(text)

    def _decode_tokens(self, tokens: list[str]) -> str:
        """The text of any tokens: added tokens stand for themselves, the runs between them are pieces."""
        added = self._splitter.tokens
        if added.keys().isdisjoint(tokens):
            return self._decode_ordinary(tokens) if tokens else ""
        runs = groupby(tokens, key=added.__contains__)
        return "".join(
            "".join(run) if is_added else self._decode_ordinary(list(run)) for is_added, run in runs
        )

    @abstractmethod
    def _model_json(self) -> dict:
        """The sections `normalizer`, `pre_tokenizer`, `decoder` and `model` of a tokenizer.json."""

    @classmethod
    @abstractmethod
    def _from_json(cls, spec: dict) -> Tokenizer:
        """The tokenizer of a parsed tokenizer.json; its added tokens are put in afterwards by the caller."""

    # --- what every tokenizer can do ---

    def encode(self, text: str) -> list[int]:
        """The ids of a text. A special token in the text is never split: it becomes its id.

        Nothing is added in front or behind (no `<bos>`, no `[CLS]`): that is a decision of the model's input.

        Raises:
            TypeError: `text` is not a str. ValueError: it has a lone surrogate, which no text encoding knows.
        """
        return self._encode_parts(self._splitter.split(check_text(text))[0], continues=False)

    def encode_iterable(self, chunks: Iterable[str]) -> Iterator[int]:
        """The ids of `"".join(chunks)`, one after the other, without ever holding the whole text.

        Text is kept back only while a later chunk could still change its tokens: the beginning of what may
        become a special token, and the last piece or pieces (see `_safe_cut`).
        """
        if isinstance(chunks, str | bytes):
            raise TypeError(
                f"'chunks' must be an iterable of strings, got one {type(chunks).__name__}: wrap it in a list"
            )
        buffer, continues, wanted = "", False, STREAM_BLOCK
        waiting: list[str] = []
        for chunk in chunks:
            waiting.append(check_text(chunk, "chunks"))
            wanted -= len(chunk)
            if wanted > 0:
                continue
            buffer, waiting = buffer + "".join(waiting), []
            ids, used, continues = self._encode_decided(buffer, continues)
            yield from ids
            buffer = buffer[used:]
            wanted = max(STREAM_BLOCK, len(buffer))  # a long rest doubles before it is looked at again
        parts, _, _ = self._splitter.split(buffer + "".join(waiting))
        yield from self._encode_parts(parts, continues)

    def _encode_decided(self, buffer: str, continues: bool) -> tuple[list[int], int, bool]:
        """The ids of as much of `buffer` as no later text can change, how many characters that is, and
        whether the rest continues a stretch of ordinary text (as `buffer` does if `continues`)."""
        parts, done, sure = self._splitter.split(buffer, final=False)
        ids = self._encode_parts(parts, continues)
        continues = continues and not parts
        ordinary = buffer[done:sure]
        cut = self._safe_cut(ordinary)
        if cut:
            ids += self._encode_parts([(ordinary[:cut], False)], continues)
            continues = True
        return ids, done + cut, continues

    def _encode_parts(self, parts: Iterable[tuple[str, bool]], continues: bool) -> list[int]:
        """The ids of the parts of a text; the first part may continue ordinary text from before."""
        ids: list[int] = []
        for part, is_token in parts:
            if is_token:
                ids.append(self.vocab[part])
            else:
                ids += self._encode_continuation(part) if continues else self._encode_ordinary(part)
            continues = False
        return ids

    def decode(self, ids: Iterable[SupportsIndex], *, skip_special_tokens: bool = False) -> str:
        """The text of ids (a list, an array, a one-dimensional tensor).

        Raises:
            ValueError: an id that the vocabulary does not have. TypeError: something that is not an integer.
        """
        tokens = self._tokens_of(ids)
        if skip_special_tokens:
            hidden = set(self.special_tokens)
            tokens = [token for token in tokens if token not in hidden]
        return self._decode_tokens(tokens)

    def _tokens_of(self, ids: Iterable[SupportsIndex]) -> list[str]:
        ids, names = list(ids), self.id_to_token
        for position, given in enumerate(ids):
            if not isinstance(given, int):
                try:
                    ids[position] = operator.index(given)
                except TypeError:
                    raise TypeError(f"'ids' must be integers, got {given!r} at position {position}") from None
        unknown = set(ids) - self._known_ids
        if unknown:
            position = next(position for position, token_id in enumerate(ids) if token_id in unknown)
            raise ValueError(
                f"'ids' must be ids of this vocabulary, 0 to {len(names) - 1}, "
                f"got {ids[position]} at position {position}"
            )
        return list(map(names.__getitem__, ids))

    def tokenize(self, text: str) -> list[str]:
        """The pieces of a text as the vocabulary writes them."""
        names = self.id_to_token
        return [names[token_id] for token_id in self.encode(text)]

    def save(self, path: str | PathLike[str]) -> None:
        """Write a `tokenizer.json` that `tokenizers` and `transformers` read too.

        It is written beside `path` under another name first: if that fails, an old file stays as it was.
        """
        # That module imports every class, so it cannot be imported at the top of this one.
        from lmcourse.tokens.tokenizer_json import write_tokenizer

        write_tokenizer(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Tokenizer:
        """Read a `tokenizer.json`, ours or another project's; `Tokenizer.load` picks the class from the file.

        Raises:
            FileNotFoundError: no such file. ValueError: a damaged file, the file of another kind of tokenizer
            than this class, or one that asks for something that this course does not have (it says what).
        """
        from lmcourse.tokens.tokenizer_json import read_tokenizer

        tokenizer = read_tokenizer(path)
        if not isinstance(tokenizer, cls):
            raise ValueError(
                f"'path' must be the file of a {cls.__name__}, got a {type(tokenizer).__name__}: {path}"
            )
        return tokenizer
