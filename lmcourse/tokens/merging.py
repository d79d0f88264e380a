"""Applying learnt merges to a word: the lowest rank first, of equal ranks the leftmost."""

from collections.abc import Callable, Iterable, Mapping
from heapq import heapify, heappop, heappush
from itertools import repeat
from operator import add

CACHED_WORDS = 65_536  # words whose ids are remembered; when that many are, the memory starts afresh
CACHED_LENGTH = 256  # longer "words" are not worth remembering
LONG_WORD = 100  # from here on looking at every pair anew after each merge costs more than a heap


class Merger:
    """Merges over symbols: the piece with id n is the character `chr(n)`, so a word is a str.

    Args:
        merges: pairs of pieces, the first is applied first. vocab: piece -> id.

    >>> vocab = {"l": 0, "o": 1, "w": 2, "lo": 3, "low": 4}
    >>> merger = Merger([("l", "o"), ("lo", "w")], vocab)
    >>> list(map(ord, merger.merge("\\0\\1\\2\\1")))
    [4, 1]

    Raises:
        ValueError: a merge whose parts or whose result are not in the vocabulary.
    """

    def __init__(self, merges: Iterable[tuple[str, str]], vocab: Mapping[str, int]) -> None:
        self._ranks: dict[str, int] = {}
        self._steps: list[tuple[str, str]] = []  # by rank: the pair and the symbol that takes its place
        for rank, (left, right) in enumerate(merges):
            for piece in (left, right, left + right):
                if piece not in vocab:
                    raise ValueError(
                        f"'merges' must join pieces of the vocabulary into one of its pieces, "
                        f"got {left!r} + {right!r} at position {rank}: no {piece!r}"
                    )
            pair = chr(vocab[left]) + chr(vocab[right])
            self._ranks[pair] = rank
            self._steps.append((pair, chr(vocab[left + right])))

    def merge(self, word: str) -> str:
        """Apply the merge with the lowest rank among the neighbours until none applies."""
        if len(word) >= LONG_WORD:
            return self._merge_long(word)
        rank_of, none = self._ranks.get, len(self._steps)
        ranks = list(map(rank_of, map(add, word, word[1:]), repeat(none)))  # of each symbol with the next
        while ranks:
            lowest = min(ranks)
            if lowest == none:
                break
            merged = self._steps[lowest][1]
            at = ranks.index(lowest)
            word = word[:at] + merged + word[at + 2 :]
            del ranks[at]
            if at > 0:
                ranks[at - 1] = rank_of(word[at - 1] + merged, none)
            if at < len(ranks):
                ranks[at] = rank_of(merged + word[at + 1], none)
        return word

    def _merge_long(self, word: str) -> str:
        """The same in O(n log n): a heap of the pairs, and a linked list of the symbols that are left."""
        symbols = [*word, ""]  # the empty symbol at the end has no pair
        following = list(range(1, len(symbols) + 1))
        before = list(range(-1, len(symbols) - 1))
        ranks = self._ranks
        heap = [(ranks[pair], at) for at, pair in enumerate(map(add, word, word[1:])) if pair in ranks]
        heapify(heap)
        while heap:
            rank, at = heappop(heap)
            pair, merged = self._steps[rank]
            right = following[at]
            if symbols[at] + symbols[right] != pair:
                continue  # one of the two has been merged with another neighbour since
            symbols[at], symbols[right] = merged, ""
            following[at] = after = following[right]
            before[after] = at
            for left in (before[at], at):
                if left >= 0:
                    pair = symbols[left] + symbols[following[left]]
                    if pair in ranks:
                        heappush(heap, (ranks[pair], left))
        return "".join(symbols)


class WordCache(dict[str, list[int]]):
    """word -> ids, filled on demand and emptied when it is full."""

    def __init__(self, encode_word: Callable[[str], list[int]]) -> None:
        super().__init__()
        self._encode_word = encode_word

    def __missing__(self, word: str) -> list[int]:
        ids = self._encode_word(word)
        if len(word) <= CACHED_LENGTH:
            if len(self) >= CACHED_WORDS:
                self.clear()
            self[word] = ids
        return ids
