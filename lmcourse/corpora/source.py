"""What all sources of text share: sampling, exact surprisal, exact next-token probabilities.

A source is a probability law over documents. One convention holds for all of them: a document ends with the
source's end token (the full stop, id 0), and the law says by itself where it ends. So documents written one
after the other can be told apart again, and entropy per token = entropy per document / expected tokens per document.
All entropies and surprisals are in nats.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Float64, Int
from torch import Tensor
from tqdm.auto import tqdm

from lmcourse.corpora.corpus import Corpus, Word, numbered

Text = Corpus | str | Sequence[SupportsIndex] | Int[np.ndarray, "tokens"] | Int[Tensor, "tokens"]
_DOCUMENTS_AT_ONCE = 8192


class Source(ABC):
    """A law over documents whose entropy is known.

    A subclass gives the lexicon, draws documents, and says the law of the next word in any state of reading. What a
    state is, is its own affair; `_first` is the state before a document, and the end of a document leads back to it.

    Attributes:
        lexicon: every word with its part of speech and its sense.
        vocab: the different texts of those words; ids index it.
        end_id: the id of the end token, 0 in all sources. In a play it ends each line, and the last line ends the play.
        tag_names, sense_names: the parts of speech and the senses.
    """

    def __init__(self, lexicon: Sequence[Word]) -> None:
        self.lexicon = tuple(lexicon)
        self.vocab, self._id_of = numbered([word.text for word in lexicon])
        self.tag_names, self._tag_of = numbered([word.tag for word in lexicon])
        self.sense_names, self._sense_of = numbered([word.sense for word in lexicon])
        self._ids = {text: number for number, text in enumerate(self.vocab)}

    end_id = 0

    # --- what a subclass must say ---

    _first: Any

    @property
    @abstractmethod
    def entropy_per_document(self) -> float:
        """The entropy of a document in nats, in closed form."""

    @property
    @abstractmethod
    def tokens_per_document(self) -> float:
        """The expected number of tokens of a document, its end token among them."""

    @abstractmethod
    def _draw(
        self, n_documents: int, rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, "tokens"], Int[np.ndarray, "{n_documents}"]]:
        """Draw documents: their words as indices into the lexicon, one row, and where each document starts."""

    @abstractmethod
    def _law(self, state: Any) -> Mapping[int, float]:
        """The probabilities of the ids that can come next."""

    @abstractmethod
    def _step(self, state: Any, token: int) -> Any:
        """The state after `token`, which must be one that can come next."""

    # --- what follows from it ---

    @property
    def entropy_per_token(self) -> float:
        """The entropy rate in nats per token: no model's loss can be lower, on average over the source's texts."""
        return self.entropy_per_document / self.tokens_per_document

    def sample(self, n_tokens: int, *, seed: int = 0, progress: bool = False) -> Corpus:
        """Return as few whole documents as have `n_tokens` tokens. A longer sample of the same seed begins with a shorter one.

        Raises:
            ValueError: `n_tokens` below 1.
        """
        if n_tokens < 1:
            raise ValueError(f"'n_tokens' must be at least 1, got {n_tokens}")
        rng = np.random.default_rng(seed)
        pieces, starts, total = [], [], 0
        with tqdm(total=n_tokens, unit=" tokens", disable=not progress) as bar:
            while total < n_tokens:
                words, begins = self._draw(_DOCUMENTS_AT_ONCE, rng)
                pieces.append(words)
                starts.append(begins + total)
                total += len(words)
                bar.update(min(len(words), n_tokens - bar.n))
        edges = np.append(np.concatenate(starts), total)
        n_documents = int(np.searchsorted(edges, n_tokens))
        words = np.concatenate(pieces)[: edges[n_documents]]
        return Corpus(
            self._id_of[words],
            self.vocab,
            edges[:n_documents],
            self._tag_of[words],
            self.tag_names,
            self._sense_of[words],
            self.sense_names,
        )

    def surprisal(self, text: Text, *, progress: bool = False) -> Float64[np.ndarray, "tokens"]:
        """Return -ln p(token | all tokens before it in its document) for each token, in nats, exactly.

        The text begins at the start of a document and may hold many of them; the last may break off. It is a corpus, ids,
        or words with spaces between them. Where a model reads rows cut from a corpus, cut the surprisals in the same way.

        Raises:
            ValueError: a corpus of another vocabulary, or a text that the source cannot write. It names the first
                token that cannot stand where it stands. TypeError: ids that are no integers.
        """
        ids = self._checked(text)
        nats = np.empty(len(ids))
        state = self._first
        for at, token in enumerate(tqdm(ids, unit=" tokens", disable=not progress)):
            probability = self._law(state).get(token)
            if probability is None:
                self._refuse(ids, at, "text")
            nats[at] = -math.log(probability)
            state = self._step(state, token)
        return np.maximum(nats, 0.0)  # a sum of probabilities may be 1 + 1e-16

    def next_probabilities(self, prefix: Text = ()) -> Float64[np.ndarray, "vocab"]:
        """Return the exact law of the token after `prefix`. After the end of a document that is the law of a first token.

        Raises:
            ValueError: a prefix that the source cannot write.
        """
        ids = self._checked(prefix)
        state = self._first
        for at, token in enumerate(ids):
            if token not in self._law(state):
                self._refuse(ids, at, "prefix")
            state = self._step(state, token)
        law = self._law(state)
        probabilities = np.zeros(len(self.vocab))
        probabilities[list(law)] = list(law.values())
        return probabilities

    def encode(self, text: str | Sequence[str]) -> list[int]:
        """Return the ids of words, given as a list or as a string with spaces between them.

        Raises:
            ValueError: a word that the source does not have.
        """
        words = text.split() if isinstance(text, str) else text
        for word in words:
            if word not in self._ids:
                raise ValueError(
                    f"'text' must be made of the {len(self.vocab)} words in 'vocab', got {word!r}"
                )
        return [self._ids[word] for word in words]

    def _checked(self, text: Text) -> list[int]:
        if isinstance(text, Corpus):
            if text.vocab != self.vocab:
                raise ValueError(
                    "'text' must be a corpus with this source's vocabulary, got one with another"
                )
            return text.ids.tolist()
        ids = np.asarray(self.encode(text) if isinstance(text, str) else text)
        if ids.size and (ids.ndim != 1 or ids.dtype.kind not in "iu"):
            raise TypeError(f"'text' must be one row of integer ids, got {ids.dtype} of shape {ids.shape}")
        return ids.tolist()

    def _refuse(self, ids: list[int], at: int, name: str) -> None:
        def show(token: int) -> str:
            return self.vocab[token] if 0 <= token < len(self.vocab) else f"id {token}"

        before = " ".join(map(show, ids[max(0, at - 12) : at])) or "(the beginning)"
        raise ValueError(
            f"'{name}' must be a text that this source can write, but token {at}, {show(ids[at])!r}, "
            f"cannot stand after: {before}"
        )


def spans(starts: Int[np.ndarray, "spans"], lengths: Int[np.ndarray, "spans"]) -> Int[np.ndarray, "total"]:
    """Return the indices start, start + 1, ... of each span, one span after the other.

    >>> spans(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
