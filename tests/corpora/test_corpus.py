"""A corpus gives back what was put into it: words, documents, two halves."""

import numpy as np
import pytest
import torch

from lmcourse.corpora.corpus import Corpus
from lmcourse.corpora.grammar import Grammar

SOURCE = Grammar({"S": {"go/VERB": 0.5, "go/VERB S": 0.3, "we/PRON go/VERB": 0.2}})


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return SOURCE.sample(500, seed=1)


def test_documents_together_are_the_corpus_and_each_ends_with_the_end_token(corpus):
    documents = corpus.documents()
    assert np.array_equal(np.concatenate(documents), corpus.ids)
    assert len(documents) == len(corpus.starts) > 50
    for document in documents:
        assert document[-1] == 0
        assert (document[:-1] != 0).all()


def test_words_text_and_tensor_say_the_same(corpus):
    assert corpus.words == [SOURCE.vocab[number] for number in corpus.ids]
    assert corpus.text().split() == corpus.words
    assert corpus.text().count("\n") == len(corpus.starts) - 1
    assert corpus.text(7).split() == corpus.words[:7]
    assert corpus.text(0) == ""
    assert corpus.text(int(corpus.starts[2])) == "\n".join(corpus.text().split("\n")[:2])
    assert corpus.tensor().dtype == torch.int64
    assert corpus.tensor().tolist() == corpus.ids.tolist()


@pytest.mark.parametrize("fraction", [0.001, 0.5, 0.9, 0.999])
def test_split_is_at_the_nearest_boundary_and_loses_nothing(corpus, fraction):
    train, validation = corpus.split(fraction)
    assert np.array_equal(np.concatenate([train.ids, validation.ids]), corpus.ids)
    assert np.array_equal(np.concatenate([train.tags, validation.tags]), corpus.tags)
    assert np.array_equal(np.concatenate([train.senses, validation.senses]), corpus.senses)
    assert train.documents()[-1].tolist() == corpus.documents()[len(train.starts) - 1].tolist()
    assert validation.documents()[0].tolist() == corpus.documents()[len(train.starts)].tolist()
    errors = np.abs(corpus.starts[1:] - fraction * len(corpus))
    assert abs(len(train) - fraction * len(corpus)) == errors.min()


def test_what_cannot_be_split_is_refused(corpus):
    with pytest.raises(ValueError, match="'fraction' must be between 0 and 1, got 1.5"):
        corpus.split(1.5)
    with pytest.raises(ValueError, match="at least two documents to be split"):
        SOURCE.sample(1).split(0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tags": np.zeros(2, int)}, "'tags' must have one entry for each of the 3 tokens, got 2"),
        ({"starts": np.array([1])}, "'starts' must rise from 0 and stay below 3"),
        ({"starts": np.array([0, 3])}, "'starts' must rise from 0 and stay below 3"),
        ({"starts": np.array([0, 2, 2])}, "'starts' must rise from 0 and stay below 3"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    three = np.zeros(3, int)
    fields = {"ids": three, "vocab": (".",), "starts": np.array([0]), "tags": three, "tag_names": ("PUNCT",)}
    fields |= {"senses": three, "sense_names": (".",)}
    Corpus(**fields)
    with pytest.raises(ValueError, match=message):
        Corpus(**(fields | change))
