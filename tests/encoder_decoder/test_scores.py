"""Scores of translations: against sacrebleu's own functions, and against numbers that can be worked out by hand."""

import math
from dataclasses import replace

import pytest
import sacrebleu
import torch

from lmcourse.corpora import translation
from lmcourse.encoder_decoder.scores import score_sentences, translate, translation_scores
from lmcourse.recurrence.translator import Context, Translator

RIGHT = [("anna", "pemu", "tami", "luni", "koli"), tuple("bcdefg"), tuple("hij")]


def test_right_translations_have_full_marks():
    assert score_sentences(RIGHT, RIGHT) == (1.0, 100.0, 100.0, 3)


def test_what_is_missing_costs_the_brevity_penalty_and_what_is_too_much_costs_precision():
    short = score_sentences([tuple("abcdefgh")], [tuple("abcdefghij")])
    assert short.bleu == pytest.approx(100 * math.exp(1 - 10 / 8), abs=0.01)  # every run is right
    long = score_sentences([tuple("abcdefghij")], [tuple("abcdefgh")])
    precisions = [8 / 10, 7 / 9, 6 / 8, 5 / 7]
    assert long.bleu == pytest.approx(100 * math.prod(precisions) ** (1 / 4), abs=0.01)


def test_a_word_counts_only_as_often_as_in_the_right_translation():
    written, right = tuple("aaabcde"), tuple("abcdefg")
    precisions = [5 / 7, 4 / 6, 3 / 5, 2 / 4]
    assert score_sentences([written], [right]).bleu == pytest.approx(
        100 * math.prod(precisions) ** (1 / 4), abs=0.01
    )


def test_bleu_is_of_the_whole_set_and_not_a_mean_over_sentences():
    written = [tuple("abcde"), tuple("vwxyz")]
    whole = score_sentences(written, [tuple("abcde"), tuple("uwxya")])
    precisions = [8 / 10, 6 / 8, 4 / 6, 2 / 4]
    assert whole.bleu == pytest.approx(100 * math.prod(precisions) ** (1 / 4), abs=0.01)


def test_scores_are_those_of_sacrebleu_on_real_sentences_with_mistakes():
    pairs = translation().sample(200, seed=3)
    written = [words[:-1] if n % 3 else words[::-1] for n, words in enumerate(pairs.target)]
    ours = score_sentences(written, pairs.target)
    texts, right = [" ".join(w) for w in written], [[" ".join(w) for w in pairs.target]]
    assert ours.bleu == round(sacrebleu.corpus_bleu(texts, right, tokenize="none").score, 2)
    assert ours.chrf == round(sacrebleu.corpus_chrf(texts, right).score, 2)
    assert 10 < ours.bleu < ours.chrf < 99


def test_words_are_taken_as_they_are():
    """A tokenizer of sacrebleu's would cut "in/out" into three pieces and find two of them again."""
    written, right = [("a", "b", "c", "d", "by/out")], [("a", "b", "c", "d", "in/out")]
    precisions = [4 / 5, 3 / 4, 2 / 3, 1 / 2]
    assert score_sentences(written, right).bleu == pytest.approx(
        100 * math.prod(precisions) ** (1 / 4), abs=0.01
    )


def test_bleu_and_exact_match_may_put_two_translators_in_another_order():
    right = [tuple("abcdefghij"), tuple("klmnopqrst")]
    all_or_nothing = score_sentences([right[0], tuple("zzzzzzzzzz")], right)
    nearly = score_sentences([tuple("abcdefghiz"), tuple("klmnopqrsz")], right)
    assert all_or_nothing.exact > nearly.exact
    assert all_or_nothing.bleu < nearly.bleu
    assert all_or_nothing.chrf < nearly.chrf


@pytest.mark.parametrize("written", [[], [("a",)] * 2])
def test_as_many_translations_as_sentences(written):
    with pytest.raises(ValueError, match="'written' and 'right' must hold as many"):
        score_sentences(written, [("a",)])


class Parrot(Translator):
    """Writes the ids of the source, whatever they mean."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def read(self, source_ids, lengths):
        mask = torch.arange(source_ids.shape[1]) < lengths[:, None]
        return Context(
            source_ids[..., None].double(), mask, (torch.zeros(len(source_ids), dtype=torch.long),)
        )

    def write(self, target_ids, context):
        at = context.state[0][:, None] + torch.arange(target_ids.shape[1])
        ids = context.memory[..., 0].long().gather(1, at.clamp(max=context.memory.shape[1] - 1))
        logits = 9.0 * torch.nn.functional.one_hot(ids, 200)
        return logits, context._replace(state=(context.state[0] + target_ids.shape[1],))


def test_a_translation_is_words_in_the_order_of_the_pairs_up_to_the_end_token():
    pairs = translation().sample(40, lengths=(4, 12), seed=0)
    pairs = replace(pairs, target=pairs.source, target_vocab=pairs.source_vocab)  # English into English
    assert translate(Parrot(), pairs, batch_size=3) == list(pairs.target)
    assert translation_scores(Parrot(), pairs, batch_size=3) == (1.0, 100.0, 100.0, 40)
    assert translate(Parrot(), pairs, max_length=2) == [words[:2] for words in pairs.target]
    backwards = replace(pairs, target=tuple(words[::-1] for words in pairs.source))
    assert translation_scores(Parrot(), backwards) == score_sentences(pairs.source, backwards.target)


def test_translations_are_found_by_the_search_that_is_given():
    pairs = translation().sample(10, lengths=(4, 6), seed=0)
    word = pairs.target_vocab[5]
    assert (
        translate(Parrot(), pairs, lambda model, ids, lengths, n: [[5] * n] * len(ids), 3, 4)
        == [(word,) * 4] * 10
    )
