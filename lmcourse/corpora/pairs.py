"""Sentences with their translations and the true alignment of their words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>")  # ids 0, 1 and 2 on both sides


class Pair(NamedTuple):
    """A sentence, its translation, and the links (i, j): word i of the one stands for word j of the other."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    alignment: tuple[tuple[int, int], ...]


class PairIds(NamedTuple):
    """Ids of many pairs: the words and `<eos>` on the source side, `<bos>`, the words and `<eos>` on the target side."""

    source: list[list[int]]
    target: list[list[int]]


@dataclass(frozen=True)
class Pairs(Sequence[Pair]):
    """Sentences and their translations, like a list of `Pair`; a slice of it is `Pairs` again.

    The alignment is the true one. A word without a counterpart has no link: an article, the "does" of "does not", and in
    the translation the words that only mark a role (OBJ, MANY).

    >>> vocabs = {"source_vocab": (*SPECIAL_TOKENS, "sings", "the", "fox"), "target_vocab": (*SPECIAL_TOKENS, "rusa", "lomi")}
    >>> pairs = Pairs((("the", "fox", "sings"),), (("rusa", "lomi"),), (((1, 0), (2, 1)),), **vocabs)
    >>> pairs[0].target, len(pairs[:0])
    (('rusa', 'lomi'), 0)
    >>> pairs.ids()
    PairIds(source=[[4, 5, 3, 2]], target=[[1, 3, 4, 2]])
    """

    source: tuple[tuple[str, ...], ...]
    target: tuple[tuple[str, ...], ...]
    alignment: tuple[tuple[tuple[int, int], ...], ...]
    source_vocab: tuple[str, ...]
    target_vocab: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, at):
        if isinstance(at, slice):
            return replace(self, source=self.source[at], target=self.target[at], alignment=self.alignment[at])
        return Pair(self.source[at], self.target[at], self.alignment[at])

    def __iter__(self) -> Iterator[Pair]:
        return map(Pair, self.source, self.target, self.alignment)

    def __repr__(self) -> str:
        return f"Pairs({len(self):,}, vocabularies of {len(self.source_vocab)} and {len(self.target_vocab)} words)"

    def without(self, other: "Pairs") -> "Pairs":
        """Return the pairs whose source does not stand in `other`: what a model trained on `other` has not met."""
        met = set(other.source)
        kept = [pair for pair in self if pair.source not in met]
        columns = zip(*kept, strict=True) if kept else ((), (), ())
        return replace(self, **dict(zip(("source", "target", "alignment"), map(tuple, columns), strict=True)))

    def ids(self) -> PairIds:
        """Return all pairs as lists of ids, not padded.

        Links stay valid: word j of the target is what a model predicts at place j of `target[k][:-1]`.
        """
        _, bos, eos = range(3)
        source_id = {word: number for number, word in enumerate(self.source_vocab)}
        target_id = {word: number for number, word in enumerate(self.target_vocab)}
        return PairIds(
            [[*(source_id[word] for word in sentence), eos] for sentence in self.source],
            [[bos, *(target_id[word] for word in sentence), eos] for sentence in self.target],
        )
