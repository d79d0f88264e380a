"""Rules are read and checked; what is sampled follows them."""

import math
from collections import Counter

import numpy as np
import pytest

from lmcourse.corpora.grammar import Grammar
from lmcourse.corpora.rules import choice
from tests.corpora.oracles import documents

SMALL = {
    "S": {"the/DET N V": 0.6, "the/DET N that/SCONJ V V": 0.4},
    "N": {"gull/NOUN": 0.5, "seal/NOUN/seal,_the_animal": 0.3, "": 0.2},
    "V": {"calls/VERB/call": 0.9, "seal/VERB": 0.1},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"N": {"a/X": 0.5, "b/X": 0.4}},
            r"probabilities of 'N' must sum to 1, got 0.9 from 'N -> a/X' \(0.5\)",
        ),
        ({"N": {}}, "probabilities of 'N' must sum to 1, got 0 from no rule"),
        ({"N": {"a/X": 1.5, "b/X": -0.5}}, r"must be a positive number, got 'N -> b/X' \(-0.5\)"),
        ({"N": {"a/X": math.nan}}, r"must be a positive number, got 'N -> a/X' \(nan\)"),
        ({"N": {"a/X": 0.5, " a/X ": 0.5}}, r"must stand only once, got 'N -> a/X' \(0.5\) again"),
        ({"N": {"a/X Q": 1}}, r"'Q' in 'N -> a/X Q' \(1\) must have rules of its own, or be written Q/TAG"),
        ({"N": {"a/X ./PUNCT": 1}}, r"the end token '.' must stand in no rule, got 'N -> a/X ./PUNCT'"),
        ({"N": {"a//x": 1}}, "must be written word/TAG or word/TAG/sense, got 'a//x' in 'N -> a//x'"),
        ({"N": {"a/X/y/z": 1}}, "got 'a/X/y/z' in 'N -> a/X/y/z'"),
        ({"Q": {"a/X": 1}}, r"'Q -> a/X' \(1\) can never be used: no rule leads from 'S' to 'Q'"),
        ({"N": {"a/X N": 1}}, r"'N -> a/X N' \(1\) never ends, nor does any other rule of 'N'"),
        ({"N": {"a/X E N": 1}, "E": {"e/X": 1}}, r"'N -> a/X E N' \(1\) never ends"),
        (
            {"N": {"a/X": 0.7, "N a/X": 0.3}},
            r"'N -> N a/X' \(0.3\) is left recursive: 'N' would begin with 'N'",
        ),
        (
            {"N": {"a/X": 0.7, "E N": 0.3}, "E": {"": 0.5, "e/X": 0.5}},
            r"'N -> E N' \(0.3\) is left recursive",
        ),
        ({"N": {"a/X": 0.7, "M b/X": 0.3}, "M": {"N": 1}}, r"'M -> N' \(1\) is left recursive"),
        (
            {"N": {"a/X": 0.4, "b/X N N": 0.6}},
            r"'N -> b/X N N' \(0.6\) makes documents without a finite expected length: .* 1.2 symbols",
        ),
        ({"N": {"a/X": 0.5, "b/X N N": 0.5}}, r"'N -> b/X N N' \(0.5\) makes documents without a finite"),
        (
            {"N": {"a/X": 0.9, "b/X" + 10 * " N": 0.1}},  # ten times 0.1 adds up to 1 - 1e-16
            r"\(0.1\) makes documents without a finite",
        ),
        (
            {"N": {"a/X": 2 / 3, "b/X N N N": 1 / 3}},
            r"'N -> b/X N N N' \(0.3333\) makes documents without a finite",
        ),
        (
            {"N": {"a/X M": 0.5, "b/X": 0.5}, "M": {"a/X N": 0.3, "b/X N M M": 0.7}},
            r"'M -> b/X N M M' \(0.7\) makes documents without a finite",
        ),
    ],
)
def test_bad_rules_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        Grammar({"S": {"go/VERB N": 1}, "N": {"a/X": 1}} | change)


def test_the_start_must_have_rules():
    with pytest.raises(ValueError, match="'start' must be a symbol that has rules, got 'TOP'"):
        Grammar(SMALL, start="TOP")


def test_recursion_that_is_not_left_recursion_is_accepted():
    Grammar({"S": {"E a/X S": 0.4, "b/X": 0.6}, "E": {"": 0.5, "e/X": 0.5}})
    Grammar({"S": {"a/X S S": 0.49, "b/X": 0.51}})
    chain = {
        f"N{at}": {f"a/X N{at + 1}": 1} for at in range(300)
    }  # numerically its eigenvalues are far from 0
    assert Grammar({"S": {"N0": 1}, **chain, "N300": {"b/X": 1}}).tokens_per_document == pytest.approx(302)


def test_the_share_of_each_document_is_its_probability():
    expected, _ = documents(SMALL)
    corpus = Grammar(SMALL).sample(150_000, seed=3)
    drawn = Counter(tuple(text.split()) for text in corpus.text().split("\n"))
    n = len(corpus.starts)
    assert drawn.keys() <= expected.keys()
    z = [(drawn[words] - n * p) / math.sqrt(n * p * (1 - p)) for words, p in expected.items()]
    assert len(z) == 18
    assert max(map(abs, z)) < 4  # 18 draws from a standard normal law: one in 900 seeds would fail


def test_each_token_carries_its_part_of_speech_and_sense():
    corpus = Grammar(SMALL).sample(2000)
    seen = {
        (word, corpus.tag_names[tag], corpus.sense_names[sense])
        for word, tag, sense in zip(corpus.words, corpus.tags, corpus.senses, strict=True)
    }
    assert seen == {
        (".", "PUNCT", "."),
        ("the", "DET", "the"),
        ("that", "SCONJ", "that"),
        ("gull", "NOUN", "gull"),
        ("seal", "NOUN", "seal, the animal"),
        ("calls", "VERB", "call"),
        ("seal", "VERB", "seal"),
    }


def test_same_seed_same_text_and_longer_samples_begin_alike():
    source = Grammar(SMALL)
    short, long, other = (
        source.sample(300, seed=7),
        source.sample(200_000, seed=7),
        source.sample(300, seed=8),
    )
    assert np.array_equal(short.ids, source.sample(300, seed=7, progress=True).ids)
    assert np.array_equal(short.ids, Grammar(SMALL).sample(300, seed=7).ids)
    assert np.array_equal(short.ids, long.ids[: len(short)])
    assert np.array_equal(short.starts, long.starts[: len(short.starts)])
    assert not np.array_equal(short.ids, other.ids[: len(short)])


@pytest.mark.parametrize("n_tokens", [1, 5, 6, 1000])
def test_a_sample_has_as_few_whole_documents_as_do(n_tokens):
    corpus = Grammar(SMALL).sample(n_tokens, seed=2)
    assert len(corpus) >= n_tokens
    assert corpus.starts[-1] < n_tokens  # without its last document it would be too short
    assert corpus.ids[-1] == 0
    assert corpus.ids.dtype == np.int32


def test_no_tokens_are_no_sample():
    with pytest.raises(ValueError, match="'n_tokens' must be at least 1, got 0"):
        Grammar(SMALL).sample(0)


def test_choice_follows_a_power_of_the_rank():
    assert choice("a/X b/X") == {"a/X": 0.5, "b/X": 0.5}
    law = choice(["a/X", "b/X", "c/X"], skew=2)
    assert law["a/X"] == pytest.approx(36 / 49)
    assert law["a/X"] / law["c/X"] == pytest.approx(9)
