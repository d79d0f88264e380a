"""Closed-form entropy and exact surprisal, against complete enumeration, spans, and samples."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lmcourse.corpora.entropy import expected_counts
from lmcourse.corpora.filler import filler
from lmcourse.corpora.grammar import Grammar
from tests.corpora.oracles import (
    certainties,
    derivations,
    documents,
    entropy,
    inside,
    next_laws,
    told_derivations,
)

RELATIVE = {
    "S": {"NP VP": 1},
    "NP": {"the/DET N POST": 1},
    "N": {"gull/NOUN": 0.7, "seal/NOUN": 0.3},
    "POST": {"": 0.75, "that/SCONJ VP": 0.15, "that/SCONJ NP sees/VERB": 0.1},
    "VP": {"calls/VERB": 0.8, "sees/VERB NP": 0.2},
}
AMBIGUOUS = {  # "big cats and dogs": which are big? And two ways to say nothing.
    "S": {"X": 0.5, "X and/CCONJ S": 0.3, "big/ADJ S": 0.2},
    "X": {"big/ADJ X": 0.25, "dogs/NOUN": 0.25, "cats/NOUN": 0.25, "Y": 0.125, "": 0.125},
    "Y": {"": 0.5, "cats/NOUN/lions": 0.5},
}


@st.composite
def tables(draw, senses=("b/Y",)):
    """Grammars of four symbols, each made of later ones: finite, often ambiguous, often with empty bodies."""
    symbols = ["S", "A", "B", "C"]
    table = {}
    for at, symbol in enumerate(symbols):
        parts = st.sampled_from([*symbols[at + 1 :], "a/X", "b/X", *senses])
        bodies = draw(
            st.lists(st.lists(parts, max_size=3).map(" ".join), min_size=1, max_size=3, unique=True)
        )
        weights = draw(st.lists(st.integers(1, 5), min_size=len(bodies), max_size=len(bodies)))
        table[symbol] = {body: weight / sum(weights) for body, weight in zip(bodies, weights, strict=True)}
    reached, waiting = {"S"}, ["S"]
    while waiting:
        new = {part for body in table[waiting.pop()] for part in body.split() if part in table} - reached
        reached |= new
        waiting += new
    return {symbol: table[symbol] for symbol in symbols if symbol in reached}


@settings(max_examples=150, deadline=None)
@given(tables())
def test_small_grammars_are_what_writing_out_all_derivations_says(table):
    source = Grammar(table)
    each = list(derivations(table))
    found, ways = documents(table)
    assert math.fsum(found.values()) == pytest.approx(1)
    assert source.entropy_per_document == pytest.approx(entropy(p for _, p in each), abs=1e-9)
    assert source.tokens_per_document == pytest.approx(math.fsum(p * len(words) for words, p in each))
    # By the chain rule, what derivations have above documents is the entropy of the derivation given the document.
    hidden = math.fsum(p * math.log(found[words] / p) for words, p in each)
    assert source.entropy_per_document - entropy(found.values()) == pytest.approx(hidden, abs=1e-9)
    laws = next_laws(found)
    for words, p in list(found.items())[:30]:
        nats = source.surprisal(source.encode(words))
        assert nats.sum() == pytest.approx(-math.log(p), abs=1e-9)
        assert source.n_derivations(source.encode(words)) == ways[words]
        for end in range(len(words)):
            law = source.next_probabilities(source.encode(words[:end]))
            assert law.sum() == pytest.approx(1)
            expected = [laws[words[:end]].get(word, 0.0) for word in source.vocab]
            np.testing.assert_allclose(law, expected, atol=1e-12)
            assert -math.log(law[source.encode(words)[end]]) == pytest.approx(nats[end], abs=1e-12)


@pytest.mark.parametrize(("table", "longest"), [(RELATIVE, 13), (AMBIGUOUS, 7)])
def test_recursive_grammars_agree_with_enumeration_up_to_a_length(table, longest):
    source = Grammar(table)
    found, ways = documents(table, longest=longest)
    assert len(found) > 100
    assert (max(ways.values()) == 1) == (table is RELATIVE)
    for words, p in found.items():
        text = source.encode(words)
        assert source.surprisal(text).sum() == pytest.approx(-math.log(p), rel=1e-12)
        assert source.n_derivations(text) == ways[words]


def test_laws_across_relative_clauses_agree_with_enumeration():
    source = Grammar(RELATIVE)
    found, _ = documents(RELATIVE, longest=22)
    left_out = 1 - math.fsum(found.values())
    assert left_out < 2e-4
    laws = next_laws(found)
    for prefix in [
        "",
        "the",
        "the gull that",
        "the gull that the seal",
        "the gull that the seal sees",
        "the seal sees the",
    ]:
        mass = math.exp(-source.surprisal(prefix).sum())
        law = source.next_probabilities(prefix)
        expected = [laws[tuple(prefix.split())].get(word, 0.0) for word in source.vocab]
        np.testing.assert_allclose(law, expected, atol=2 * left_out / mass)  # the documents that are left out
        assert law.sum() == pytest.approx(1, abs=1e-12)
    assert source.next_probabilities("the gull that the seal sees")[source.encode("calls")[0]] > 0.5


def test_recursion_has_the_entropy_that_can_be_worked_out_by_hand():
    # A geometric number of words: q = 1/4 to go on. h = H(q) / (1 - q) nats, 1 / (1 - q) words and a full stop.
    source = Grammar({"S": {"go/VERB": 0.75, "go/VERB S": 0.25}})
    h = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / 0.75
    assert source.entropy_per_document == pytest.approx(h)
    assert source.tokens_per_document == pytest.approx(4 / 3 + 1)
    assert source.entropy_per_token == pytest.approx(h / (7 / 3))
    # Two copies of itself with probability p: n = 1 / (1 - 2 p) uses of S.
    branching = Grammar({"S": {"a/X S S": 0.3, "b/X": 0.7}})
    assert expected_counts(branching.rules, "S") == pytest.approx({"S": 2.5})
    assert branching.tokens_per_document == pytest.approx(2.5 + 1)


def test_probabilities_of_filler_sentences_are_those_of_the_inside_recursion():
    source = filler()
    corpus = source.sample(400, seed=11)
    lengths = []
    for document in corpus.documents():
        if len(document) <= 22:
            words = tuple(source.vocab[number] for number in document[:-1])
            p = inside(source.rules, "S", words)
            assert source.surprisal(document).sum() == pytest.approx(-math.log(p), rel=1e-10)
            lengths.append(len(document))
    assert len(lengths) > 20
    assert max(lengths) > 15


@settings(max_examples=60, deadline=None)
@given(tables(senses=("b/Y/other", "b/X/other", "a/X/third")))
def test_the_likeliest_sense_is_as_certain_as_all_derivations_say(table):
    source = Grammar(table)
    told = list(told_derivations(table))
    assume(len(told) < 500)
    for words in list(documents(table)[0])[:5]:
        np.testing.assert_allclose(source.sense_certainty(source.encode(words)), certainties(told, words))


def test_documents_are_told_apart_and_the_last_may_break_off():
    source = Grammar(RELATIVE)
    one, two = source.surprisal("the gull calls ."), source.surprisal("the seal sees the")
    np.testing.assert_array_equal(source.surprisal("the gull calls . the seal sees the"), [*one, *two])
    np.testing.assert_array_equal(source.next_probabilities("the gull calls ."), source.next_probabilities())
    assert source.n_derivations("the seal sees the") == 0
    assert source.n_derivations("the seal sees .") == 0
    assert source.surprisal([]).shape == (0,)
    assert (source.surprisal("the gull calls")[[0, 2]] == [0.0, -math.log(0.75 * 0.8)]).all()


def test_a_text_that_cannot_be_is_refused_at_its_first_wrong_token():
    source = Grammar(RELATIVE)
    with pytest.raises(ValueError, match=r"token 6, 'the', cannot stand after: the gull calls \. the seal$"):
        source.surprisal("the gull calls . the seal the")
    with pytest.raises(
        ValueError, match=r"'prefix' must .* token 0, 'gull', cannot stand after: \(the beginning\)"
    ):
        source.next_probabilities("gull")
    with pytest.raises(ValueError, match=r"token 1, 'id 99', cannot stand after: the"):
        source.surprisal([1, 99])
    with pytest.raises(ValueError, match=r"'text' must be made of the 7 words in 'vocab', got 'whale'"):
        source.encode("the whale")
    with pytest.raises(ValueError, match="with this source's vocabulary"):
        source.surprisal(filler().sample(1))
    with pytest.raises(TypeError):
        source.surprisal(np.array([1.0, 2.0]))
