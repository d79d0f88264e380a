"""Real text: nothing is lost in the tokens, the bits pay for everything, and compressors agree that text is no noise."""

import bz2

import numpy as np
import pytest

from lmcourse.corpora import osier_bay
from lmcourse.sequences import (
    COMPRESSORS,
    AddK,
    KneserNey,
    byte_documents,
    byte_model_bits,
    compressed_bits,
    hold_out,
    paragraphs,
    word_model_bits,
)


@pytest.fixture(scope="module")
def halves() -> tuple[list[str], list[str]]:
    return hold_out(paragraphs(osier_bay()))


def test_no_word_is_lost_between_texts_paragraphs_and_bytes(halves):
    texts = osier_bay()
    found = paragraphs(texts)
    assert " ".join(found).split() == " ".join(texts).split()
    assert all("\n" not in line and "  " not in line for line in found)
    back = b"".join(bytes(d.tolist()) for d in byte_documents(found)).decode()
    assert back == "".join(line + "\n" for line in found)
    train, held_out = halves
    assert sorted(train + held_out) == sorted(found)
    assert 0.08 < len(held_out) / len(found) < 0.12


def test_longer_contexts_help_on_real_text_and_every_compressor_is_behind_them(halves):
    train, held_out = halves
    bits = [byte_model_bits(train, held_out, order) for order in (1, 2, 3, 5)]
    assert bits == sorted(bits, reverse=True)
    assert bits[-1] < 2.6
    assert bits[-1] < min(compressed_bits(compress, held_out) for compress in COMPRESSORS.values())
    assert byte_model_bits(train, held_out, 5, KneserNey()) == bits[-1], "the default"


def test_bytes_without_any_law_cost_eight_bits():
    """With a huge k the counts drown, and each of the 256 bytes is equally probable."""
    assert byte_model_bits(["ab"], ["xyz"], 1, AddK(1e9)) == pytest.approx(8, abs=1e-6)


def test_unknown_words_are_paid_for_letter_by_letter():
    train = ["the sea the sea the tide", "the sea a boat"]
    known = word_model_bits(train, ["the sea the sea"], 2)
    assert (known.spelling, known.unknown_share) == (0, 0)
    unknown = word_model_bits(train, ["the sea the lighthouse"], 2)
    assert unknown.unknown_share == pytest.approx(1 / 5)
    spelled = (
        10 + 1
    )  # bytes of lighthouse and its end, nearly 8 bits each for a speller that knows three words
    assert 5 * spelled / 23 < unknown.spelling < 9 * spelled / 23
    assert unknown.bits_per_byte == unknown.words_only + unknown.spelling


def test_a_word_model_that_does_not_spell_looks_better_than_it_is(halves):
    bits = word_model_bits(*halves, 2)
    assert bits.words_only < 1.5 < 2.4 < bits.bits_per_byte < 2.8
    assert 0.1 < bits.unknown_share < 0.3


def test_a_compressor_is_charged_for_what_the_text_adds():
    text = ["the tide comes in and the tide goes out"] * 20
    alone = compressed_bits(COMPRESSORS["bz2"], text)
    data = ("\n".join(text) + "\n").encode()
    assert alone == 8 * len(bz2.compress(data, 9)) / len(data)
    noise = np.random.default_rng(0).integers(33, 127, 3000).astype(np.uint8).tobytes().decode()
    for name in ("gzip", "lzma"):
        compress = COMPRESSORS[name]
        assert compressed_bits(compress, [noise], [noise]) < 0.3, "it has seen all of it"
        assert compressed_bits(compress, [noise]) > np.log2(94), "noise cannot be packed"


def test_holding_out_wants_something_to_keep():
    with pytest.raises(ValueError, match="'every' must be at least 2, got 1"):
        hold_out(["a"], every=1)
