"""A text whose every token carries the truth: its word, its part of speech, its sense, and where documents begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor


class Word(NamedTuple):
    """A word as a grammar knows it. A homonym is one text with two senses, hence two such words.

    >>> Word("bark", "NOUN", "bark of a tree").text == Word("bark", "VERB", "bark like a dog").text
    True
    """

    text: str
    tag: str
    sense: str


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents in one long row of ids, as sampled from a source.

    Attributes:
        ids: the tokens, indices into `vocab`.
        vocab: the words.
        starts: the position of each document's first token, in rising order from 0.
        tags, tag_names: each token's part of speech, an index into the names.
        senses, sense_names: each token's sense, an index into the names; forms of one lexeme share a sense.

    >>> corpus = Corpus(np.array([1, 2, 0, 1, 0], np.int32), (".", "tides", "turn"), np.array([0, 3]),
    ...                 np.array([1, 2, 0, 1, 0]), ("PUNCT", "NOUN", "VERB"), np.array([1, 2, 0, 1, 0]), (".", "tide", "turn"))
    >>> len(corpus), corpus.words, [document.tolist() for document in corpus.documents()]
    (5, ['tides', 'turn', '.', 'tides', '.'], [[1, 2, 0], [1, 0]])
    >>> corpus.text()
    'tides turn .\\ntides .'

    Raises:
        ValueError: arrays that do not fit together.
    """

    ids: Int[np.ndarray, "tokens"]
    vocab: tuple[str, ...]
    starts: Int[np.ndarray, "documents"]
    tags: Int[np.ndarray, "_"]
    tag_names: tuple[str, ...]
    senses: Int[np.ndarray, "_"]
    sense_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("tags", "senses"):
            if len(getattr(self, name)) != len(self.ids):
                raise ValueError(
                    f"'{name}' must have one entry for each of the {len(self.ids)} tokens, "
                    f"got {len(getattr(self, name))}"
                )
        edges = np.append(self.starts, len(self.ids))
        if edges[0] != 0 or (np.diff(edges) <= 0).any():
            raise ValueError(f"'starts' must rise from 0 and stay below {len(self.ids)}, got {self.starts}")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Corpus({len(self):,} tokens in {len(self.starts):,} documents, {len(self.vocab)} words)"

    @property
    def words(self) -> list[str]:
        """The tokens as words."""
        return np.array(self.vocab, dtype=object)[self.ids].tolist()

    def text(self, n_tokens: int | None = None) -> str:
        """Return the first `n_tokens` (default: all) with spaces between them, each document on a line of its own."""
        end = len(self) if n_tokens is None else min(n_tokens, len(self))
        words = np.array(self.vocab, dtype=object)[self.ids[:end]].tolist()
        edges = [*self.starts[self.starts < end].tolist(), end]
        return "\n".join(" ".join(words[a:b]) for a, b in zip(edges, edges[1:], strict=False))

    def documents(self) -> list[Int[np.ndarray, "length"]]:
        """Return the ids of each document (views, nothing is copied)."""
        return np.split(self.ids, self.starts[1:])

    def tensor(self) -> Int[Tensor, "tokens"]:
        """Return the ids as a tensor of int64, the type that embeddings and losses want."""
        return torch.from_numpy(self.ids.astype(np.int64))

    def split(self, fraction: float = 0.9) -> tuple[Corpus, Corpus]:
        """Return the first documents and the rest, for training and for validation.

        The cut is at the boundary of documents that is nearest to `fraction` of the tokens and leaves neither side empty.

        Raises:
            ValueError: a fraction that is not between 0 and 1, or a corpus of a single document.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"'fraction' must be between 0 and 1, got {fraction}")
        if len(self.starts) < 2:
            raise ValueError("a corpus must have at least two documents to be split, got 1")
        cut = 1 + int(np.abs(self.starts[1:] - fraction * len(self)).argmin())
        return self._part(0, cut), self._part(cut, len(self.starts))

    def _part(self, first: int, last: int) -> Corpus:
        """The documents from number `first` up to, but not including, number `last`."""
        begin, end = np.append(self.starts, len(self))[[first, last]]
        return Corpus(
            self.ids[begin:end],
            self.vocab,
            self.starts[first:last] - begin,
            self.tags[begin:end],
            self.tag_names,
            self.senses[begin:end],
            self.sense_names,
        )


def numbered(names: Sequence[str]) -> tuple[tuple[str, ...], Int[np.ndarray, "names"]]:
    """Return the different names in the order in which they first come, and the number of each name in that list.

    >>> numbered(["b", "a", "b"])
    (('b', 'a'), array([0, 1, 0], dtype=int32))
    """
    number = {name: at for at, name in enumerate(dict.fromkeys(names))}
    return tuple(number), np.array([number[name] for name in names], dtype=np.int32)
