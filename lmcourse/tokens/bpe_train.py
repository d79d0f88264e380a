"""The fast trainer of byte-pair encoding.

After a merge only the words that had the pair change, and of their pairs only those beside it. So the trainer
keeps, for each pair, its count and the words that have (or had) it, and corrects both merge by merge. The next
pair comes from a heap that is corrected late: an entry whose count is out of date goes back with the right one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from operator import add

from tqdm.auto import tqdm

from lmcourse.tokens.bpe_simple import Pair
from lmcourse.tokens.pretokenize import BYTE_ALPHABET, BYTE_CHARACTERS

_id_of_byte = {byte: BYTE_ALPHABET.index(character) for byte, character in BYTE_CHARACTERS.items()}
_to_ids = bytes(_id_of_byte[byte] for byte in range(256))  # a table for bytes.translate


def train_bpe(
    word_counts: Mapping[str, int],
    vocab_size: int,
    min_frequency: int = 2,
    *,
    never: Iterable[str] = (),
    progress: bool = False,
) -> dict[Pair, int]:
    """Learn merges from words and how often they occur; the result is that of `train_bpe_simple`.

    The piece with id n is held as the character number n: a word is a str, a pair a str of two characters, and
    pairs compare as their ids do. No two pairs ever spell the same piece: the bytes of a piece were always
    merged in the same order, wherever they stand.

    Args:
        word_counts: word -> count. vocab_size: how many pieces to end with, the 256 bytes included.
        min_frequency: pairs that occur less often are not merged. never: pieces that must not come about.

    >>> train_bpe({"low": 2, "lower": 1}, vocab_size=300)
    {(75, 78): 256, (256, 86): 257}
    """
    if min_frequency < 1:
        raise ValueError(f"'min_frequency' must be at least 1, got {min_frequency}")
    words = [word.encode().translate(_to_ids).decode("latin-1") for word in word_counts]
    index = _PairIndex(words, list(word_counts.values()))
    heap = [(-count, pair) for pair, count in index.counts.items()]
    heapify(heap)
    pieces, never = list(BYTE_ALPHABET), set(never)
    merges: dict[Pair, int] = {}
    bar = tqdm(total=vocab_size - len(pieces), desc="merges", disable=not progress)
    while len(pieces) < vocab_size and heap:
        count, pair = heappop(heap)
        count, now = -count, index.counts[pair]
        if now < count:  # merges since have used up some of its occurrences
            if now >= min_frequency:
                heappush(heap, (-now, pair))
            continue
        if count < min_frequency:
            break
        left, right = map(ord, pair)
        piece = pieces[left] + pieces[right]
        if piece in never:
            continue
        merges[left, right] = len(pieces)
        for changed in index.merge(pair, chr(len(pieces))):
            heappush(heap, (-index.counts[changed], changed))
        pieces.append(piece)
        bar.update()
    bar.close()
    return merges


class _PairIndex:
    """The words, the count of every pair in them, and where each pair may be found."""

    def __init__(self, words: list[str], word_counts: list[int]) -> None:
        self.words, self.word_counts = words, word_counts
        self.counts: dict[str, int] = defaultdict(int)
        # An index of a word for each occurrence of the pair in it; some occurrences may be gone by now.
        self.places: dict[str, list[int]] = defaultdict(list)
        for place, (word, count) in enumerate(zip(words, word_counts, strict=True)):
            for pair in map(add, word, word[1:]):
                self.counts[pair] += count
                self.places[pair].append(place)

    def merge(self, pair: str, new: str) -> set[str]:
        """Replace `pair` by `new` in all words; return the pairs that came about."""
        words, counts, places = self.words, self.counts, self.places
        left, right = pair
        born = set()
        for place in places.pop(pair):
            word, count = words[place], self.word_counts[place]
            at = word.find(pair)
            if at < 0:
                continue  # what was here has been merged with another neighbour
            if at > 0:
                before = word[at - 1]
                counts[before + left] -= count
                counts[before + new] += count
                places[before + new].append(place)
                born.add(before + new)
            if at + 2 < len(word):
                after = word[at + 2]
                counts[right + after] -= count
                counts[new + after] += count
                places[new + after].append(place)
                born.add(new + after)
            words[place] = word[:at] + new + word[at + 2 :]
        return born
