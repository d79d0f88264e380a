"""Characters and words as tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcourse.tokens import CharTokenizer, WordTokenizer
from tests.tokens.support import FIXTURE, any_text


def test_characters_are_numbered_in_the_order_of_their_code_points():
    tokenizer = CharTokenizer.train(["cab", "a"], 10, ["<pad>"])
    assert tokenizer.vocab == {"<pad>": 0, "a": 1, "b": 2, "c": 3}
    assert tokenizer.encode("abc<pad>") == [1, 2, 3, 0]


@given(any_text.filter(bool))
def test_text_of_known_characters_comes_back(text):
    tokenizer = CharTokenizer.train([text], 10_000, ["<eos>"])
    assert tokenizer.decode(tokenizer.encode(text + "<eos>")) == text + "<eos>"
    assert len(tokenizer.encode(text.replace("<eos>", ""))) == len(text.replace("<eos>", ""))


def test_an_unknown_character_is_an_error_unless_there_is_a_token_for_it():
    with pytest.raises(
        ValueError, match=r"'text' must be made of the 2 tokens of the vocabulary, got 'z'.*'<unk>'"
    ):
        CharTokenizer.train(["ab"], 10).encode("az")
    assert CharTokenizer.train(["ab"], 10, ["<unk>"]).tokenize("azb") == ["a", "<unk>", "b"]


def test_a_small_vocabulary_keeps_the_commonest_characters():
    tokenizer = CharTokenizer.train(["aaabbbcd"], 3, ["<unk>"])
    assert list(tokenizer.vocab) == ["<unk>", "a", "b"]
    with pytest.raises(ValueError, match=r"at least 4 \(4 characters and 0 special tokens\), got 3"):
        CharTokenizer.train(["aaabbbcd"], 3)


def test_words_are_numbered_from_the_commonest():
    tokenizer = WordTokenizer.train(["b a, a b a"], 5, ["<pad>"])
    assert tokenizer.vocab == {"<pad>": 0, "<unk>": 1, "a": 2, "b": 3, ",": 4}
    assert WordTokenizer.train(["b a, a b a"], 3).vocab == {"<unk>": 0, "a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't stop", ["don't", "stop"]),
        ("well-known — ‘well’", ["well-known", "—", "‘", "well", "’"]),
        ("'tis the boys' end-", ["'", "tis", "the", "boys", "'", "end", "-"]),
        ("3.5 km_h x2", ["3", ".", "5", "km_h", "x2"]),
        ("naïve e\u0301t नमस्ते", ["naïve", "e\u0301t", "नमस्ते"]),
        ("?!  \n\t...", ["?", "!", ".", ".", "."]),
    ],
)
def test_the_rule_of_words(text, words):
    assert WordTokenizer.train([text], 100).tokenize(text) == words


@pytest.mark.parametrize(
    "text", ["Hello, world!", "It's (almost) over; isn't it?", "He said “no”.", "a [b] {c}: d", "x y"]
)
def test_ordinary_prose_comes_back(text):
    tokenizer = WordTokenizer.train([text], 100)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(any_text)
def test_only_white_space_is_lost(text):
    tokenizer = WordTokenizer.train([text + "."], 10_000)
    kept = tokenizer.decode(tokenizer.encode(text))
    assert "".join(kept.split(" ")) == "".join("".join(tokenizer.tokenize(text)).split(" "))
    assert tokenizer.encode(kept) == tokenizer.encode(text) or "<" in text


@given(st.integers(2, 60))
def test_rare_words_become_unknown_and_nothing_else(vocab_size):
    tokenizer = WordTokenizer.train([FIXTURE], vocab_size)
    everything = WordTokenizer.train([FIXTURE], 10_000).tokenize(FIXTURE)
    assert tokenizer.vocab_size == vocab_size
    assert tokenizer.tokenize(FIXTURE) == [
        word if word in tokenizer.vocab else "<unk>" for word in everything
    ]
