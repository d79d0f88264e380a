"""n-gram models of real text, and general-purpose compressors on the same bytes.

A model and a compressor are the same thing seen from two sides: with P, an arithmetic coder writes -log2 P bits. So
the size of a compressed file is a loss, and bits per byte compares them all.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lmcourse.sequences.counts import flatten
from lmcourse.sequences.measure import bits_per_byte
from lmcourse.sequences.ngram import NGramModel
from lmcourse.sequences.smoothing import Smoothing

NEW_LINE = 10  # ends each paragraph; no byte inside one is a new line
BYTES = 256

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 9, mtime=0),
    "bz2": lambda data: bz2.compress(data, 9),
    "lzma": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
}


def paragraphs(texts: Sequence[str]) -> list[str]:
    """Return what stands between empty lines, each on one line with single spaces.

    >>> paragraphs(["The tide\\n came  in.\\n\\nIt left."])
    ['The tide came in.', 'It left.']
    """
    found = (" ".join(part.split()) for text in texts for part in re.split(r"\n\s*\n", text))
    return [part for part in found if part]


def hold_out(items: Sequence[str], every: int = 10) -> tuple[list[str], list[str]]:
    """Return the items without each `every`-th one, and those: the same kinds of text on both sides.

    >>> hold_out("abcdef", every=3)
    (['a', 'b', 'd', 'e'], ['c', 'f'])
    """
    if every < 2:
        raise ValueError(f"'every' must be at least 2, got {every}")
    held_out = list(items[every - 1 :: every])
    return [item for place, item in enumerate(items, start=1) if place % every], held_out


def byte_documents(lines: Sequence[str]) -> list[np.ndarray]:
    """Return each line as its UTF-8 bytes and a new line: 256 tokens, and no text that they cannot write.

    >>> byte_documents(["añ"])[0].tolist()
    [97, 195, 177, 10]
    """
    return [np.frombuffer((line + "\n").encode(), np.uint8).astype(np.int64) for line in lines]


def byte_model_bits(
    train: Sequence[str], held_out: Sequence[str], order: int, smoothing: Smoothing | None = None
) -> float:
    """Return the bits per byte of an n-gram model over bytes (for English text nearly the same as characters)."""
    test = byte_documents(held_out)
    model = NGramModel.train(byte_documents(train), order, BYTES, smoothing)
    return bits_per_byte(model.surprisal(test), sum(map(len, test)))


@dataclass(frozen=True)
class WordBits:
    """What a word model needs for a text, in bits per byte, and what of it goes into spelling unknown words.

    `words_only` is what a report would show that lets <unk> stand for any word: lower, and wrong, since no reader
    could restore the text.
    """

    words_only: float
    spelling: float
    unknown_share: float

    @property
    def bits_per_byte(self) -> float:
        return self.words_only + self.spelling


def word_model_bits(
    train: Sequence[str],
    held_out: Sequence[str],
    order: int,
    *,
    spelling_order: int = 5,
    smoothing: Smoothing | None = None,
) -> WordBits:
    """Return the bits per byte of an n-gram model over what white space separates, unknown words spelled byte by byte.

    Words seen once in `train` count as unknown there, so that the model knows how often new words come; they also
    teach the spelling model, an n-gram model over bytes, what such words look like.
    """
    words, counts = np.unique([word for line in train for word in line.split()], return_counts=True)
    ids = {str(word): place for place, word in enumerate(words[counts > 1], start=2)}
    unknown, end = 0, 1

    def encode(lines: Sequence[str]) -> list[list[int]]:
        return [[*(ids.get(word, unknown) for word in line.split()), end] for line in lines]

    model = NGramModel.train(encode(train), order, len(ids) + 2, smoothing)
    speller = NGramModel.train(byte_documents(words[counts == 1].tolist()), spelling_order, BYTES, smoothing)
    test = encode(held_out)
    new = [word for line in held_out for word in line.split() if word not in ids]
    n_bytes = sum(len(line.encode()) + 1 for line in held_out)
    return WordBits(
        bits_per_byte(model.surprisal(test), n_bytes),
        bits_per_byte(speller.surprisal(byte_documents(new)), n_bytes) if new else 0.0,
        len(new) / len(flatten(test, len(ids) + 2)[0]),
    )


def compressed_bits(
    compress: Callable[[bytes], bytes], held_out: Sequence[str], train: Sequence[str] = ()
) -> float:
    """Return the bits per byte of the compressed text; with `train`, of what the text adds behind the training text.

    Alone, a compressor has to learn the language from the text that it packs; a model comes with what it learned.
    Size(train + text) - size(train) gives both the same start. gzip remembers 32 kB only, bz2 works in blocks of
    900 kB, lzma remembers all of it.
    """
    before, text = ("".join(line + "\n" for line in lines).encode() for lines in (train, held_out))
    base = len(compress(before)) if train else 0
    return 8 * (len(compress(before + text)) - base) / len(text)
