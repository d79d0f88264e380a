"""Byte-pair encoding as plain as can be: count all neighbours, merge the commonest pair, count again.

Sennrich, Haddow & Birch 2016, "Neural Machine Translation of Rare Words with Subword Units", section 3.2;
on bytes instead of characters as in Radford et al. 2019 (GPT-2), section 2.2. The module `bpe` learns the
same merges without counting everything anew each time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from lmcourse.tokens.checks import check_text, check_vocab_size
from lmcourse.tokens.pretokenize import BYTE_ALPHABET, gpt2_words, to_byte_characters

Pair = tuple[int, int]


def count_pairs(sequences: Iterable[Sequence[int]], counts: Iterable[int] | None = None) -> Counter[Pair]:
    """How often each two ids stand side by side; `counts` says how often each sequence occurs (once).

    >>> count_pairs([[1, 2, 1, 2], [2, 2]], counts=[1, 5])
    Counter({(2, 2): 5, (1, 2): 2, (2, 1): 1})
    """
    sequences = list(sequences)
    counts = [1] * len(sequences) if counts is None else list(counts)
    if len(counts) != len(sequences):
        raise ValueError(
            f"'counts' must have one number for each of the {len(sequences)} sequences, got {len(counts)}"
        )
    pairs: Counter[Pair] = Counter()
    for ids, count in zip(sequences, counts, strict=True):
        for pair in pairwise(ids):
            pairs[pair] += count
    return pairs


def merge_pair(ids: Sequence[int], pair: Pair, new_id: int) -> list[int]:
    """Replace each occurrence of `pair`, from left to right, by `new_id`.

    >>> merge_pair([1, 1, 1, 2], (1, 1), 9)
    [9, 1, 2]
    """
    if len(pair) != 2:
        raise ValueError(f"'pair' must be two ids, got {pair!r}")
    merged, position = [], 0
    while position < len(ids):
        if tuple(ids[position : position + 2]) == tuple(pair):
            merged.append(new_id)
            position += 2
        else:
            merged.append(ids[position])
            position += 1
    return merged


def train_bpe_simple(text: str, vocab_size: int, min_frequency: int = 2) -> dict[Pair, int]:
    """Learn merges from a text: `{pair of ids: id of the new piece}`, in the order in which they were learnt.

    Ids 0 to 255 are the bytes in the order of `BYTE_ALPHABET`. Each step merges the pair with the highest
    count; of pairs with equal counts it takes the smallest, that is the one whose pieces were learnt first.
    It stops at `vocab_size` pieces, or before when no pair occurs `min_frequency` times any more.

    >>> merges = train_bpe_simple("low lower lowest", vocab_size=259)
    >>> merge_names(merges)
    [('l', 'o'), ('lo', 'w'), ('Ġ', 'low')]

    Raises:
        ValueError: an empty text, or a vocabulary that has no room for the 256 bytes.
    """
    check_vocab_size(vocab_size, len(BYTE_ALPHABET), "one piece for each byte")
    if not check_text(text):
        raise ValueError("'text' must hold something to learn from, got ''")
    word_counts = Counter(to_byte_characters(word) for word in gpt2_words(text))
    words = [[BYTE_ALPHABET.index(character) for character in word] for word in word_counts]
    pieces = list(BYTE_ALPHABET)
    merges: dict[Pair, int] = {}
    while len(pieces) < vocab_size:
        counts = count_pairs(words, word_counts.values())
        pair = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if pair is None or counts[pair] < min_frequency:
            break
        merges[pair] = len(pieces)
        pieces.append(pieces[pair[0]] + pieces[pair[1]])
        words = [merge_pair(ids, pair, merges[pair]) for ids in words]
    return merges


def merge_names(merges: dict[Pair, int]) -> list[tuple[str, str]]:
    """The same merges with the pieces written out, as files of tokenizers hold them."""
    pieces = dict(enumerate(BYTE_ALPHABET))
    for (left, right), new_id in merges.items():
        pieces[new_id] = pieces[left] + pieces[right]
    return [(pieces[left], pieces[right]) for left, right in merges]
