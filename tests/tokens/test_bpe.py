"""Byte-level BPE against the lesson's version, the `tokenizers` library and tiktoken."""

import random
import re

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from lmcourse.tokens import (
    BYTE_ALPHABET,
    GPT2_PATTERN,
    GPT4_PATTERN,
    BPETokenizer,
    byte_to_character,
    count_pairs,
    from_byte_characters,
    gpt2_words,
    merge_pair,
    merging,
    to_byte_characters,
    train_bpe,
    train_bpe_simple,
)
from lmcourse.tokens.merging import Merger
from lmcourse.tokens.split_rules import QWEN_PATTERN, SplitRule
from tests.tokens.support import FIXTURE, any_text, bpe_merges, hf_byte_level, tiktoken_twin

# Of the kind that newer models use: capitals apart from small letters.
NEWER_PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{Lu}+"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
small_ids = st.lists(st.integers(0, 3), max_size=20)
few_letters = st.text(st.sampled_from("ab c"), min_size=1, max_size=120)


@pytest.fixture(scope="module")
def trained(osier_bay) -> BPETokenizer:
    return BPETokenizer.train([FIXTURE, *osier_bay], 1500, ["<eos>", "<pad>"])


@pytest.fixture(scope="module")
def theirs(osier_bay):
    return hf_byte_level([FIXTURE, *osier_bay], 1500, ["<eos>", "<pad>"])


# --- the lesson's functions ---


@given(st.lists(small_ids, max_size=4), st.data())
def test_pairs_are_counted_with_overlap_and_weight(sequences, data):
    weights = data.draw(st.lists(st.integers(1, 5), min_size=len(sequences), max_size=len(sequences)))
    expected = {}
    for ids, weight in zip(sequences, weights, strict=True):
        for at in range(len(ids) - 1):
            expected[ids[at], ids[at + 1]] = expected.get((ids[at], ids[at + 1]), 0) + weight
    assert count_pairs(sequences, weights) == expected


@given(small_ids, st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_merge_pair_is_what_replacing_text_from_the_left_is(ids, pair):
    as_text = "".join(map(str, ids)).replace(f"{pair[0]}{pair[1]}", "9")
    assert merge_pair(ids, pair, 9) == [int(digit) for digit in as_text]


def test_counts_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"'counts' must have one number for each of the 2 sequences, got 1"):
        count_pairs([[1, 2], [2, 3]], [5])


# --- training ---


@given(st.one_of(few_letters, any_text.filter(bool)), st.integers(256, 300), st.integers(1, 3))
def test_fast_and_simple_trainer_learn_the_same_merges(text, vocab_size, min_frequency):
    counts = {word: gpt2_words(text).count(word) for word in gpt2_words(text)}
    expected = train_bpe_simple(text, vocab_size, min_frequency)
    assert list(train_bpe(counts, vocab_size, min_frequency).items()) == list(expected.items())


@given(few_letters, st.integers(256, 320), st.integers(1, 3))
def test_ties_are_broken_as_tokenizers_breaks_them(text, vocab_size, min_frequency):
    ours = BPETokenizer.train([text], vocab_size, min_frequency=min_frequency)
    assert ours.merges == bpe_merges(hf_byte_level([text], vocab_size, min_frequency=min_frequency))


def test_vocabulary_learnt_from_the_corpus_is_that_of_tokenizers(trained, theirs):
    assert trained.merges == bpe_merges(theirs)
    assert trained.vocab == theirs.get_vocab()
    assert trained.vocab_size == 1500


def test_special_tokens_come_first_then_the_bytes(trained):
    assert trained.id_to_token[:2] == ["<eos>", "<pad>"]
    assert trained.id_to_token[2:258] == BYTE_ALPHABET


def test_training_stops_when_no_pair_occurs_often_enough():
    assert BPETokenizer.train(["abab abab cd"], 1000).vocab_size < 270
    assert "cd" in BPETokenizer.train(["abab abab cd"], 1000, min_frequency=1).vocab
    assert "cd" not in BPETokenizer.train(["abab abab cd"], 1000, min_frequency=2).vocab


def test_special_tokens_in_the_texts_teach_nothing():
    text = "low lower " * 5
    plain = BPETokenizer.train([text], 270, ["<eos>"])
    assert BPETokenizer.train([text.replace("lower", "lower<eos>")], 270, ["<eos>"]).merges == plain.merges


def test_a_piece_that_is_spelt_like_a_special_token_never_comes_about():
    # "Ġthe" would be the piece for " the" too; as a special token it stands for the four characters it shows.
    tokenizer = BPETokenizer.train(["see the lamp, the boat, the pier " * 5], 300, ["Ġthe"])
    assert "Ġthe" not in map("".join, tokenizer.merges)
    assert tokenizer.decode(tokenizer.encode("see the Ġthe")) == "see the Ġthe"
    assert tokenizer.encode("see the Ġthe").count(tokenizer.vocab["Ġthe"]) == 1


def test_texts_are_learnt_from_one_by_one():
    # One text that ends and one that begins with a letter are two words, not one.
    assert "ab" not in BPETokenizer.train(["a", "b"] * 10, 300).vocab
    assert BPETokenizer.train(iter(["ab", "ab"]), 257).merges == [("a", "b")]


def test_progress_shows_a_bar_and_is_silent_otherwise(capsys):
    BPETokenizer.train(["low lower"], 260, progress=True)
    assert "merges" in capsys.readouterr().err
    BPETokenizer.train(["low lower"], 260)
    assert capsys.readouterr().err == ""


# --- cutting into words ---


@pytest.mark.parametrize("pattern", [GPT2_PATTERN, GPT4_PATTERN, QWEN_PATTERN, NEWER_PATTERN])
@given(text=any_text)
def test_words_are_those_that_tokenizers_cuts(pattern, text):
    split = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    assert SplitRule(pattern).words([text]) == [word for word, _ in split.pre_tokenize_str(text)]


odd_patterns = [
    r"(a)\1",
    "a$",
    "^a",
    "(?<=a)b",
    "[[:alpha:]]",
    r"\h",
    "a.b",
    "(?m:a)",
    "[a&&b]",
    r"\bfoo",
    "a(",
]
odd_patterns += ["(?<n>a)", "(?i:ss)", "a{1,3}+", "+" * 50 + "^", ""]


@pytest.mark.parametrize("pattern", odd_patterns)
def test_patterns_that_tokenizers_may_read_otherwise_are_refused(pattern):
    with pytest.raises(ValueError, match="'pattern' must be"):
        SplitRule(pattern)


@pytest.mark.parametrize("pattern", [GPT2_PATTERN, GPT4_PATTERN, QWEN_PATTERN])
@given(text=st.text(st.characters(max_codepoint=127)))
def test_the_engine_for_ascii_cuts_as_the_other_does(pattern, text):
    assert SplitRule(pattern)._ascii.findall(text) == SplitRule(pattern).compiled.findall(text)


@given(st.binary())
def test_byte_characters_hold_any_bytes_and_show_broken_ones(raw):
    shown = "".join(byte_to_character()[byte] for byte in raw)
    assert from_byte_characters(shown) == raw.decode(errors="replace")


def test_the_byte_alphabet_is_that_of_tokenizers():
    assert sorted(BYTE_ALPHABET) == sorted(pre_tokenizers.ByteLevel.alphabet())
    assert to_byte_characters(" \n\u00ad") == "ĠĊÂŃ"


# --- encoding and decoding ---


@given(text=any_text)
def test_ids_are_those_of_tokenizers_and_tiktoken(trained, theirs, text):
    ids = trained.encode(text)
    assert ids == theirs.encode(text).ids
    assert ids == tiktoken_twin(trained, GPT2_PATTERN).encode(text, allowed_special="all")


@given(text=any_text)
def test_any_text_comes_back(trained, text):
    assert trained.decode(trained.encode(text)) == text
    plain = text.replace("<eos>", "").replace("<pad>", "")
    assert "".join(BPETokenizer(trained.merges).tokenize(plain)) == to_byte_characters(plain)


@given(ids=st.lists(st.integers(0, 1499), max_size=20), skip=st.booleans())
def test_any_ids_decode_as_tokenizers_decodes_them(trained, theirs, ids, skip):
    assert trained.decode(ids, skip_special_tokens=skip) == theirs.decode(ids, skip_special_tokens=skip)


@given(word=st.text(st.sampled_from("abcelmpth "), min_size=2, max_size=60), copies=st.integers(1, 4))
def test_long_words_are_merged_like_short_ones(trained, word, copies):
    merger = Merger(trained.merges, trained.vocab)
    symbols = "".join(chr(trained.vocab[c]) for c in to_byte_characters(word * copies))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "LONG_WORD", 10**9)
        short_way = merger.merge(symbols)
    assert merger._merge_long(symbols) == short_way


def test_a_very_long_word_goes_to_the_heap(trained, theirs, monkeypatch):
    word = "abcdefgh" * 1000 + "a" * 2000
    ids = theirs.encode(word).ids
    assert trained.encode(word) == ids
    monkeypatch.setattr(Merger, "_merge_long", lambda self, symbols: symbols[:1])
    assert len(BPETokenizer(trained.merges, trained.special_tokens).encode(word)) == 1


def test_merge_order_decides_not_length():
    tokenizer = BPETokenizer([("b", "c"), ("a", "b"), ("ab", "c")])
    assert tokenizer.tokenize("abc") == ["a", "bc"]  # although "abc" is a piece
    assert BPETokenizer([("b", "c"), ("a", "b"), ("ab", "c")], ignore_merges=True).tokenize("abc") == ["abc"]


def test_the_memory_of_words_is_bounded_and_changes_nothing(trained, monkeypatch):
    monkeypatch.setattr(merging, "CACHED_WORDS", 10)
    fresh = BPETokenizer(trained.merges, trained.special_tokens)
    text = " ".join(f"w{number}" for number in range(200)) + "x" * 1000
    assert fresh.encode(text) == trained.encode(text) == fresh.encode(text)
    assert len(fresh._words) <= 10
    assert all(len(word) <= merging.CACHED_LENGTH for word in fresh._words)


def test_a_changed_result_does_not_change_the_memory(trained):
    ids = trained.encode("lamp")
    ids.append(7)
    assert trained.encode("lamp") == ids[:-1]


def test_composed_and_decomposed_text_share_ids_under_nfc():
    plain, nfc = BPETokenizer([]), BPETokenizer([], nfc=True)
    assert plain.encode("e\u0301") != plain.encode("é")
    assert nfc.encode("e\u0301") == nfc.encode("é") == plain.encode("é")


def test_ids_do_not_depend_on_what_was_encoded_before(trained):
    words = gpt2_words(FIXTURE) * 2
    random.Random(0).shuffle(words)
    fresh = BPETokenizer(trained.merges, trained.special_tokens)
    assert [trained.encode(word) for word in words] == [fresh.encode(word) for word in words]


# --- what is refused ---


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BPETokenizer.train(["ab"], 256, ["<eos>"]), "at least 257 (256 bytes and 1 special tokens), got 256"),
        (lambda: BPETokenizer.train(["", ""], 300), "'texts' must hold some text to learn from, got none"),
        (lambda: BPETokenizer.train([], 300), "'texts' must hold some text to learn from, got none"),
        (lambda: BPETokenizer.train(["ab"], 300, min_frequency=0), "'min_frequency' must be at least 1, got 0"),
        (lambda: BPETokenizer.train(["ab"], 300, ["Ġ"]), "'special_tokens' must not be one of the 256 byte"),
        (lambda: BPETokenizer.train(["ab"], 300, pattern="^a"), "'pattern' must be of the plain kind"),
        (lambda: BPETokenizer.train(["ab"], 300, pattern="a("), "'pattern' must be of the plain kind"),
        (lambda: BPETokenizer([("a", "bc")]), "got 'a' + 'bc' at position 0: no 'bc'"),
        (lambda: BPETokenizer([], vocab={"a": 0}), "'vocab' must have all 256 byte characters, 255 are missing"),
        (lambda: train_bpe_simple("", 300), "'text' must hold something to learn from"),
        (lambda: train_bpe_simple("a", 200), "'vocab_size' must be at least 256 (one piece for each byte), got 200"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        call()
