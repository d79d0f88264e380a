"""Training WordPiece: merge the pair of pieces that belongs together most, again and again.

Like byte-pair encoding, but a pair is judged by how much more often its parts stand together than they would
if they met by chance:

    score(a, b) = count(ab) / (count(a) * count(b))

Where does it come from? Merging a and b changes the log-likelihood of the text under a unigram model by about
log p(ab) - log p(a) - log p(b) for each occurrence of the pair, and with p = count / total that is the log of
this score plus a constant. Adding the unit that raises the likelihood of the training text most is the criterion
of Schuster & Nakajima, "Japanese and Korean Voice Search" (ICASSP 2012). Google's trainer was never published, so
the formula is a reconstruction. (`WordPieceTrainer` of the `tokenizers` library ranks pairs by count, as BPE does.)

The score has no sense of quantity: two characters that occur once in the whole text, side by side, get the
highest score there is, 1. `min_frequency` keeps such pairs out; see `train_wordpiece`.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from tqdm.auto import tqdm

PREFIX = "##"  # marks a piece that continues a word

Pair = tuple[str, str]


def split_characters(word: str) -> list[str]:
    """The smallest pieces of a word.

    >>> split_characters("hug")
    ['h', '##u', '##g']
    """
    return [word[:1], *(PREFIX + character for character in word[1:])] if word else []


def join_pair(pair: Pair) -> str:
    """The piece that a pair is merged into.

    >>> join_pair(("##u", "##g"))
    '##ug'
    """
    return pair[0] + pair[1].removeprefix(PREFIX)


def pair_scores(words: Mapping[tuple[str, ...], int]) -> dict[Pair, float]:
    """score(a, b) = count(ab) / (count(a) * count(b)) of all neighbours in `words` (pieces -> frequency).

    >>> pair_scores({("h", "##u", "##g"): 2, ("b", "##u", "##g", "##s"): 1})[("##g", "##s")]
    0.3333333333333333
    """
    pieces: Counter[str] = Counter()
    pairs: Counter[Pair] = Counter()
    for word, frequency in words.items():
        for piece in word:
            pieces[piece] += frequency
        for pair in pairwise(word):
            pairs[pair] += frequency
    return {(a, b): count / (pieces[a] * pieces[b]) for (a, b), count in pairs.items()}


def merge_in_word(word: Sequence[str], pair: Pair) -> list[str]:
    """`word` with each occurrence of `pair` merged, from the left.

    >>> merge_in_word(["a", "##b", "##b", "##b"], ("##b", "##b"))
    ['a', '##bb', '##b']
    """
    merged: list[str] = []
    left = ""  # what may become the first half of the pair
    for piece in word:
        if (left, piece) == pair:
            merged[-1], left = join_pair(pair), ""
        else:
            merged.append(piece)
            left = piece
    return merged


class _Corpus:
    """The words of a corpus, each with its frequency and present pieces, and the counts that a merge changes."""

    def __init__(self, word_counts: Mapping[str, int]) -> None:
        self.words = [split_characters(word) for word in word_counts]
        self.frequencies = list(word_counts.values())
        self.pieces: Counter[str] = Counter()
        self.pairs: Counter[Pair] = Counter()
        self.words_with: defaultdict[Pair, set[int]] = defaultdict(set)  # pair -> words that have (or had) it
        self.pairs_with: defaultdict[str, set[Pair]] = defaultdict(set)  # piece -> pairs that it is in
        for index in range(len(self.words)):
            self._count(index, +1)

    def _count(self, index: int, sign: int) -> None:
        word, frequency = self.words[index], sign * self.frequencies[index]
        for piece in word:
            self.pieces[piece] += frequency
        for pair in pairwise(word):
            self.pairs[pair] += frequency
            if sign > 0:
                self.words_with[pair].add(index)
                for piece in pair:
                    self.pairs_with[piece].add(pair)

    def merge(self, pair: Pair) -> set[Pair]:
        """Merge `pair` in all words; return the pairs whose score may have changed."""
        for index in self.words_with.pop(pair):
            self._count(index, -1)
            self.words[index] = merge_in_word(self.words[index], pair)
            self._count(index, +1)
        touched: set[Pair] = set()
        for piece in (*pair, join_pair(pair)):
            live = {other for other in self.pairs_with[piece] if self.pairs[other] > 0}
            self.pairs_with[piece] = live
            touched |= live
        return touched

    def rank(self, pair: Pair) -> tuple[float, int, Pair]:
        """Pairs sort best first by this: higher score, then higher count, then by their spelling."""
        count = self.pairs[pair]
        return -count / (self.pieces[pair[0]] * self.pieces[pair[1]]), -count, pair


def merges(word_counts: Mapping[str, int], min_frequency: int = 1) -> Iterator[Pair]:
    """The pairs that the trainer merges, one after the other, until no pair occurs `min_frequency` times.

    The best pair has the highest score; of equals, the one that occurs more often; then the one whose pieces
    sort first. Only what a merge touches is counted again: the counts of its two pieces and of the new one,
    and so the scores of the pairs that one of them is in. Scores wait in a heap; those out of date are
    recognized when they come to the top.

    >>> list(merges({"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}))[:3]
    [('##g', '##s'), ('p', '##u'), ('h', '##u')]
    """
    corpus = _Corpus(word_counts)
    heap = [corpus.rank(pair) for pair, count in corpus.pairs.items() if count >= min_frequency]
    heapq.heapify(heap)
    while heap:
        ranked = heapq.heappop(heap)
        pair = ranked[-1]
        if corpus.pairs[pair] < min_frequency or ranked != corpus.rank(pair):
            continue
        yield pair
        for other in corpus.merge(pair):
            if corpus.pairs[other] >= min_frequency:
                heapq.heappush(heap, corpus.rank(other))


def alphabet(word_counts: Mapping[str, int]) -> list[str]:
    """The characters that begin words and, with `##`, those that continue them, each in the order of Unicode."""
    pieces = {piece for word in word_counts for piece in split_characters(word)}
    return sorted(pieces, key=lambda piece: (piece.startswith(PREFIX) and piece != PREFIX, piece))


def train_wordpiece(
    word_counts: Mapping[str, int], size: int, min_frequency: int = 1, progress: bool = False
) -> list[str]:
    """The alphabet and then merged pieces in the order they are found, `size` in all (fewer if pairs run out).

    >>> train_wordpiece({"hug": 10, "hugs": 5}, size=7)
    ['h', '##g', '##s', '##u', '##ug', 'hug', 'hugs']
    """
    pieces = dict.fromkeys(alphabet(word_counts))
    with tqdm(total=size, initial=len(pieces), desc="WordPiece", unit="piece", disable=not progress) as bar:
        for pair in merges(word_counts, min_frequency):
            if len(pieces) >= size:
                break
            # Should two pairs spell the same piece ("a" + "##bc", "ab" + "##c"), it counts once.
            if join_pair(pair) not in pieces:
                pieces[join_pair(pair)] = None
                bar.update()
    return list(pieces)


def fitting_min_frequency(word_counts: Mapping[str, int], size: int) -> int:
    """The largest `min_frequency` with which training still finds `size` pieces (by bisection); 1 if none does.

    The rarer the pairs that may be merged, the more of the vocabulary goes to rare words spelt in full, and the
    longer everything else becomes. The largest threshold that fills the vocabulary is the way out.

    >>> [fitting_min_frequency({"hug": 10, "hugs": 5}, size) for size in (6, 7, 8)]
    [15, 5, 1]
    """
    low, high = 1, sum(word_counts.values())
    while low < high:
        middle = (low + high + 1) // 2
        if len(train_wordpiece(word_counts, size, middle)) == size:
            low = middle
        else:
            high = middle - 1
    return low
