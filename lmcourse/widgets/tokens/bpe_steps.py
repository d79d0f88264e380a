"""Byte-pair encoding as a film of merges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "Byte-pair encoding, one merge at a time"
CAPTION = (
    "Each step joins the pair of neighbouring tokens that occurs most often, everywhere at once. "
    "The vocabulary grows by one token, the text becomes shorter. The new token has a heavy outline."
)


def bpe_steps(
    text_or_words: str | Mapping[str | Sequence[str], int] | Sequence[str | Sequence[str]],
    merges: Sequence[tuple[str, str]],
    *,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: the words of a text, cut into tokens, after 0, 1, 2, ... merges.

    Args:
        text_or_words: a text (cut at white space), words, or words with their counts. A word is a string, cut
            into characters, or a tuple of symbols, if its first tokens are something else (bytes, an end mark).
        merges: the pairs in the order in which training joined them.

    Raises:
        ValueError: no words, no merges, a count below 1, or a merge of symbols that do not exist at its turn.

    >>> bpe_steps("low low lower", [("l", "o"), ("lo", "w")])
    Figure('Byte-pair encoding, one merge at a time')
    """
    counts = _count_words(text_or_words)
    merges = [tuple(pair) for pair in merges]
    _check_merges(counts, merges)
    words = [[list(word), count] for word, count in sorted(counts.items(), key=lambda item: -item[1])]
    made = ", ".join(f"{left}{right}" for left, right in merges[:8]) + (
        " and so on" if len(merges) > 8 else ""
    )
    table = [("Merge", "Left", "Right", "New token")]
    table += [(step, left, right, left + right) for step, (left, right) in enumerate(merges, 1)]
    return Figure(
        _HERE / "bpe_steps.js",
        {"words": words, "merges": merges},
        state={"step": 0},
        css=_HERE / "bpe_steps.css",
        title=title,
        caption=caption,
        alt=f"{len(merges)} merges turn the characters of {len(words)} words into larger tokens: {made}.",
        fallback=table,
    )


def _count_words(text_or_words) -> Counter[tuple[str, ...]]:
    """Words as tuples of symbols, with their counts, in the order of first sight."""
    words = text_or_words.split() if isinstance(text_or_words, str) else text_or_words
    pairs = words.items() if isinstance(words, Mapping) else ((word, 1) for word in words)
    counts: Counter[tuple[str, ...]] = Counter()
    for word, count in pairs:
        if not word or isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"'text_or_words' must give words with counts >= 1, got {word!r}: {count!r}")
        counts[tuple(word)] += count
    if not counts:
        raise ValueError(f"'text_or_words' must hold at least one word, got {text_or_words!r}")
    return counts


def _check_merges(counts: Counter[tuple[str, ...]], merges: Sequence[tuple[str, ...]]) -> None:
    known = {symbol for word in counts for symbol in word}
    if not merges:
        raise ValueError("'merges' must hold at least one pair, got none")
    for step, pair in enumerate(merges, 1):
        missing = [symbol for symbol in pair if symbol not in known]
        if len(pair) != 2 or missing:
            raise ValueError(
                f"'merges' must be pairs of tokens that exist by then, got {pair!r} as merge {step}"
            )
        known.add(pair[0] + pair[1])
