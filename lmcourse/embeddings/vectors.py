"""Word vectors with their words: how alike, who is near, and a file to keep them in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float


def cosine(a: Float[np.ndarray, "d"], b: Float[np.ndarray, "d"]) -> float:
    """Return a.b / (|a| |b|): 1 for the same direction, 0 for a right angle, -1 for opposite; 0 if one has no length.

    >>> round(cosine(np.array([1.0, 0.0]), np.array([3.0, 3.0])), 4)
    0.7071
    """
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / lengths) if lengths > 0 else 0.0


def unit_rows(matrix: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return the rows divided by their length, so that a dot product is a cosine. A row of zeros stays as it is.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, 1)


class WordVectors:
    """A vector for each word of a vocabulary.

    Args:
        matrix: row i is the vector of vocab[i]. vocab: the words, each once.

    Raises:
        ValueError: the numbers of rows and words differ, a word comes twice, or a number is not finite.
        KeyError: a word that is not in the vocabulary, from every method that is asked for one.

    >>> vectors = WordVectors(np.array([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.1]]), ["cat", "dog", "tax"])
    >>> vectors.neighbours("cat", n=1)
    [('dog', 0.8)]
    >>> vectors["dgo"]
    Traceback (most recent call last):
    KeyError: "'word' must be one of the 3 words of the vocabulary, got 'dgo' (did you mean 'dog'?)"
    """

    def __init__(self, matrix: Float[np.ndarray, "vocab d"], vocab: Sequence[str]) -> None:
        self.matrix, self.vocab = matrix, tuple(vocab)
        self._index = {word: number for number, word in enumerate(self.vocab)}
        if len(matrix) != len(self.vocab):
            raise ValueError(
                f"'matrix' must have a row for each of {len(self.vocab)} words, got {len(matrix)} rows"
            )
        if len(self._index) != len(self.vocab):
            raise ValueError(
                f"'vocab' must hold each word once, got {len(self.vocab) - len(self._index)} repeats"
            )
        if not np.isfinite(matrix).all():
            raise ValueError("'matrix' must be finite, got infinity or not-a-number")

    def __repr__(self) -> str:
        return f"WordVectors({len(self.vocab)} words, d={self.matrix.shape[1]})"

    def __len__(self) -> int:
        return len(self.vocab)

    def __contains__(self, word: str) -> bool:
        return word in self._index

    def __getitem__(self, word: str) -> Float[np.ndarray, "d"]:
        return self.matrix[self.index(word)]

    def index(self, word: str) -> int:
        """Return the row of a word."""
        if word not in self._index:
            near = get_close_matches(str(word), self.vocab, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise KeyError(
                f"'word' must be one of the {len(self)} words of the vocabulary, got {word!r}{hint}"
            )
        return self._index[word]

    @cached_property
    def unit(self) -> Float[np.ndarray, "vocab d"]:
        """The matrix with rows of length 1."""
        return unit_rows(self.matrix)

    def normalized(self) -> WordVectors:
        """Return the same words with vectors of length 1. Cosines stay; dot products become cosines."""
        return WordVectors(self.unit, self.vocab)

    def similarity(self, a: str, b: str) -> float:
        """Return the cosine between the vectors of two words."""
        return cosine(self[a], self[b])

    def neighbours(
        self, query: str | Float[np.ndarray, "d"], n: int = 10, *, exclude: Iterable[str] = ()
    ) -> list[tuple[str, float]]:
        """Return the `n` words with the largest cosine to a word, or to any vector, the nearest first.

        A word is not its own neighbour. `exclude` names more words to leave out.
        """
        excluded = set(exclude) | ({query} if isinstance(query, str) else set())
        vector = self[query] if isinstance(query, str) else query
        return self.best(self.unit @ unit_rows(vector[None])[0], n, excluded)

    def best(
        self, scores: Float[np.ndarray, "vocab"], n: int, exclude: Iterable[str] = ()
    ) -> list[tuple[str, float]]:
        """Return the `n` words with the highest scores, of equal ones the first of the vocabulary."""
        if n < 1:
            raise ValueError(f"'n' must be at least 1, got {n}")
        excluded = {self.index(word) for word in exclude}
        order = np.argsort(-scores, kind="stable")[: n + len(excluded)]
        return [(self.vocab[i], float(scores[i])) for i in order if i not in excluded][:n]

    def save(self, path: str | Path) -> None:
        """Write matrix and vocabulary to an .npz file. A path without that ending is given it."""
        np.savez_compressed(path, matrix=self.matrix, vocab=np.array(self.vocab))

    @classmethod
    def load(cls, path: str | Path) -> WordVectors:
        """Read what `save` wrote. Nothing in the file is run.

        Raises:
            ValueError: a file that lacks the matrix or the vocabulary.
        """
        with np.load(path, allow_pickle=False) as file:
            if not {"matrix", "vocab"} <= set(file.files):
                raise ValueError(
                    f"'path' must be a file with 'matrix' and 'vocab', got one with {file.files}"
                )
            return cls(file["matrix"], file["vocab"].tolist())
