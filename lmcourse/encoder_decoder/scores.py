"""How good a translation is: exact match, BLEU and chrF.

Exact match asks whether every word is right. It is fair where a sentence has one right translation, and harsh: one wrong word in twenty
counts as much as twenty. BLEU counts the runs of up to four words that also stand in the right translation, chrF the runs of
up to six letters. Both give credit for what is nearly right, and so they may put two translators in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sacrebleu.metrics import BLEU, CHRF

from lmcourse.corpora import Pairs
from lmcourse.recurrence.decoding import greedy
from lmcourse.recurrence.translation_training import Decode, pad_pairs
from lmcourse.recurrence.translator import EOS, Translator

Sentences = Sequence[Sequence[str]]


class Scores(NamedTuple):
    """What `n` translations are worth; `exact` is a share from 0 to 1, `bleu` and `chrf` go from 0 to 100, as they are always given."""

    exact: float
    bleu: float
    chrf: float
    n: int


def score_sentences(written: Sentences, right: Sentences) -> Scores:
    """Return how near the sentences in `written` come to those in `right`, word lists each, without <eos>.

        BLEU = 100 BP (p_1 p_2 p_3 p_4)^(1/4)       BP = min(1, exp(1 - r / c))

    p_n is the share of all written runs of n words that also stand in the right sentence, each at most as often as there; c and r
    are the lengths of all written and all right sentences. BP, the brevity penalty, takes the place of recall: without it a
    translator would best write only the words it is sure of. BLEU belongs to a whole test set: a mean of the BLEUs of its sentences is
    another number, and where no sentence has four words it is 0. Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of
    Machine Translation", section 2.

        chrF = 100 (1 + 2^2) P R / (2^2 P + R)

    P and R are precision and recall of runs of 1 to 6 letters, spaces left out, each a mean over the six. Popovic 2015, "chrF:
    character n-gram F-score for automatic MT evaluation". It is kind to a right stem with a wrong ending. Our invented language has
    no endings and spells by chance, so some of this credit is for words that are just wrong.

    Computed by sacrebleu (Post 2018, "A Call for Clarity in Reporting BLEU Scores"), so that the numbers may be compared with those of
    others; `tokenize="none"`, because our sentences are lists of words already, and a tokenizer of its own would split some of
    them again.

    Raises:
        ValueError: no sentence, or not as many written as right ones.

    >>> right = [["anna", "pemu", "tami", "luni", "koli"]]
    >>> score_sentences([["anna", "pemu", "tami", "luni"]], right)  # nothing wrong, one word missing: BP = exp(1 - 5/4)
    Scores(exact=0.0, bleu=77.88, chrf=80.64, n=1)
    """
    if not written or len(written) != len(right):
        raise ValueError(
            f"'written' and 'right' must hold as many sentences, at least 1, got {len(written)} and {len(right)}"
        )
    texts, references = [" ".join(words) for words in written], [" ".join(words) for words in right]
    exact = sum(one == other for one, other in zip(texts, references, strict=True)) / len(texts)
    # force: no warning that the text "looks tokenized"; it is.
    bleu = BLEU(tokenize="none", force=True).corpus_score(texts, [references]).score
    chrf = CHRF().corpus_score(texts, [references]).score
    return Scores(exact, round(bleu, 2), round(chrf, 2), len(texts))


def translate(
    model: Translator, pairs: Pairs, decode: Decode = greedy, batch_size: int = 256, max_length: int = 60
) -> list[tuple[str, ...]]:
    """Return the model's translation of each source sentence, in words, without <eos>.

    Args:
        decode: `decode(model, source_ids, lengths, max_length)` is a list of ids for each sentence, <eos> included.
    """
    source, target = pairs.ids()
    device = next(model.parameters()).device
    order = sorted(range(len(source)), key=lambda i: len(source[i]))  # little padding
    translations: list[tuple[str, ...]] = [()] * len(source)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        batch = pad_pairs([source[i] for i in chosen], [target[i] for i in chosen])
        written = decode(model, batch.source_ids.to(device), batch.lengths.to(device), max_length)
        for i, ids in zip(chosen, written, strict=True):
            translations[i] = tuple(pairs.target_vocab[one] for one in ids if one != EOS)
    return translations


def translation_scores(
    model: Translator, pairs: Pairs, decode: Decode = greedy, batch_size: int = 256, max_length: int = 60
) -> Scores:
    """Return the scores of the model's translations of `pairs`; arguments as in `translate`."""
    return score_sentences(translate(model, pairs, decode, batch_size, max_length), pairs.target)
