"""The price of a vocabulary: fewer tokens against more rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from lmcourse.figures import Figure

_HERE = Path(__file__).parent

TITLE = "What a larger vocabulary buys, and what it costs"
CAPTION = (
    "Move V: the text becomes shorter, more and more slowly, while the embedding and the output layer grow with "
    "every new token. A block is counted as 12 d² parameters, each used once per token; the embedding is tied to "
    "the output layer and counted once; attention's own products are left out."
)


def vocab_tradeoff(
    rows: Sequence[Mapping[str, object]],
    *,
    d_models: Sequence[int] = (64, 128, 256, 512, 768, 1024, 2048, 4096),
    blocks: Sequence[int] = (2, 6, 12, 24, 48),
    d_model: int = 768,
    n_blocks: int = 12,
    title: str = TITLE,
    caption: str = CAPTION,
) -> Figure:
    """An interactive figure: tokens, parameters and multiply-adds against the size of the vocabulary.

    For V tokens of vocabulary, T tokens in a text of 1,000 words, width d and B blocks: embedding V d, output
    layer T V d, blocks T 12 B d^2, share of the embedding V d / (V d + 12 B d^2).

    Args:
        rows: one mapping for each size: `{"vocab_size": 1000, "BPE": 1.52, "Unigram": 1.49}`, where every
            further name is a tokenizer and its value the tokens per word it needs. Sizes ascending.
        d_models, blocks: what the reader can choose; `d_model`, `n_blocks`: what is chosen at first.

    Raises:
        ValueError: fewer than two rows, sizes out of order, other tokenizers in another row, a value <= 0.

    >>> vocab_tradeoff([{"vocab_size": 500, "BPE": 1.9}, {"vocab_size": 1000, "BPE": 1.6}])
    Figure('What a larger vocabulary buys, and what it costs')
    """
    sizes, names = _check_rows(rows)
    for argument, value, choices in (("d_model", d_model, d_models), ("n_blocks", n_blocks, blocks)):
        if value not in choices:
            raise ValueError(f"{argument!r} must be one of {tuple(choices)}, got {value}")
    rates = {name: [float(row[name]) for row in rows] for name in names}
    first, last = (f"{1000 * rates[names[0]][i]:,.0f}" for i in (0, -1))
    table = [("Vocabulary", *(f"{name}: tokens per 1,000 words" for name in names))]
    table += [(f"{row['vocab_size']:,}", *(f"{1000 * row[name]:,.0f}" for name in names)) for row in rows]
    return Figure(
        _HERE / "vocab_tradeoff.js",
        {
            "names": names,
            "sizes": sizes,
            "tokens_per_word": rates,
            "d_models": list(d_models),
            "blocks": list(blocks),
        },
        state={"index": len(rows) // 2, "name": names[0], "d_model": d_model, "n_blocks": n_blocks},
        css=_HERE / "vocab_tradeoff.css",
        title=title,
        caption=caption,
        alt=f"With {names[0]}, a vocabulary of {sizes[0]:,} tokens needs {first} tokens for 1,000 words and one "
        f"of {sizes[-1]:,} needs {last}; the embedding grows {sizes[-1] / sizes[0]:.3g} times.",
        fallback=table,
    )


def _check_rows(rows: Sequence[Mapping[str, object]]) -> tuple[list[int], list[str]]:
    if len(rows) < 2:
        raise ValueError(f"'rows' must hold at least two vocabulary sizes, got {len(rows)}")
    names = [name for name in rows[0] if name != "vocab_size"]
    for row in rows:
        if set(row) != {"vocab_size", *names} or not names:
            raise ValueError(f"'rows' must each have 'vocab_size' and the same tokenizers, got {dict(row)}")
        if not all(isinstance(v, int | float) and math.isfinite(v) and v > 0 for v in row.values()):
            raise ValueError(f"'rows' must hold numbers above 0, got {dict(row)}")
    sizes = [int(row["vocab_size"]) for row in rows]
    if any(a >= b for a, b in zip(sizes, sizes[1:], strict=False)):
        raise ValueError(f"'rows' must have ascending vocabulary sizes, got {sizes}")
    return sizes, names
