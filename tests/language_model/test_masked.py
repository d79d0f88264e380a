"""Masked language models: what they see, what they learn, and what both sides are worth."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lmcourse.language_model.both_sides import (
    TRAINING,
    compare_both_sides,
    decoder_losses,
    entropy,
    floors,
    masked_losses,
    small_sentences,
)
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.masked import MaskedLM, bert_config, guess_masked, pseudo_surprisal
from lmcourse.language_model.sizes import count_parameters

SMALL = bert_config(vocab_size=11, d_model=12, n_heads=2, n_layers=2, max_length=9)
MASK = 10


def ids(rows: int = 2, length: int = 7, seed: int = 0) -> torch.Tensor:
    return torch.randint(MASK, (rows, length), generator=torch.Generator().manual_seed(seed))


def influences(model: MaskedLM, text: torch.Tensor, place: int) -> torch.Tensor:
    """How much each place of the logits moves when the word at `place` is another one."""
    other = text.clone()
    other[:, place] = (other[:, place] + 1) % MASK
    with torch.no_grad():
        return (model(text) - model(other)).abs().amax(dim=(0, 2))


def test_every_place_sees_every_place():
    model = MaskedLM(replace(SMALL, std=0.3)).eval()
    for place in range(7):
        assert (influences(model, ids(), place) > 1e-6).all()


def test_padding_on_the_right_changes_nothing():
    model, text = MaskedLM(SMALL).double().eval(), ids(2, 6)
    mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
    with torch.no_grad():
        short = model(text[:1, :4])
        torch.testing.assert_close(model(text, attention_mask=mask)[:1, :4], short, rtol=0, atol=1e-12)
        assert not torch.allclose(model(text)[:1, :4], short)


def test_the_kind_of_text_counts():
    model, text = MaskedLM(SMALL).eval(), ids()
    with torch.no_grad():
        none, first, second = (model(text, token_types=kind) for kind in (None, text * 0, text * 0 + 1))
    assert torch.equal(none, first)
    assert not torch.allclose(first, second)


def test_the_same_seed_gives_the_same_model_and_leaves_the_generator_alone():
    torch.manual_seed(5)
    one = MaskedLM(SMALL)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    two, other = MaskedLM(SMALL), MaskedLM(replace(SMALL, seed=1))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.head.transform.weight, other.head.transform.weight)


@pytest.mark.parametrize("tied", [True, False])
def test_the_head_has_a_matrix_a_norm_and_a_bias_for_each_token(tied: bool):
    config = replace(SMALL, tied=tied)
    own = 12 * 12 + 12 + 2 * 12 + 11
    assert sum(w.numel() for w in MaskedLM(config).parameters()) == count_parameters(config).total + own


def test_a_causal_configuration_is_refused():
    with pytest.raises(ValueError, match="causal=False"):
        MaskedLM(LanguageModelConfig(11, 12))


def test_guesses_are_the_likeliest_words():
    model, text = MaskedLM(SMALL).eval(), ids(1)[0]
    text[[2, 5]] = MASK
    with torch.no_grad():
        law = model(text[None])[0].softmax(-1)
    guesses = guess_masked(model, text, MASK, top=3)
    for place, of_place in zip((2, 5), guesses, strict=True):
        assert [token for token, _ in of_place] == law[place].argsort(descending=True)[:3].tolist()
        assert [p for _, p in of_place] == pytest.approx(law[place].sort(descending=True).values[:3].tolist())


def test_pseudo_surprisal_hides_one_word_at_a_time():
    model, text = MaskedLM(SMALL).eval(), ids()
    given = pseudo_surprisal(model, text, MASK)
    for row, place in itertools.product(range(2), range(7)):
        hidden = text[row].clone()
        hidden[place] = MASK
        with torch.no_grad():
            expected = -model(hidden[None])[0, place].log_softmax(-1)[text[row, place]]
        assert given[row, place].item() == pytest.approx(expected.item(), abs=1e-5)


# --- both sides ---

SENTENCES = small_sentences(n_verbs=4, n_nouns=6)


def test_the_table_holds_the_whole_law():
    assert SENTENCES.law.sum().item() == pytest.approx(1, abs=1e-12)
    assert entropy(SENTENCES.law) == pytest.approx(SENTENCES.source.entropy_per_document, abs=1e-12)
    drawn = SENTENCES.source.sample(80_000, seed=3).tensor().view(-1, 4)
    keys = [tuple(row) for row in SENTENCES.ids[:, 1:].tolist()]
    counts = dict.fromkeys(keys, 0)
    for row in drawn.tolist():
        counts[tuple(row)] += 1
    from scipy.stats import chisquare

    assert chisquare(list(counts.values()), SENTENCES.law.flatten().numpy() * len(drawn)).pvalue > 1e-3


def test_floors_are_conditional_entropies():
    law = SENTENCES.law.numpy()
    for place, (alone, left, both) in enumerate(floors(SENTENCES.law)):
        rest = tuple(other for other in range(3) if other != place)
        later = tuple(range(place + 1, 3))
        p_left = law.sum(later, keepdims=True)
        given_left = p_left / p_left.sum(place, keepdims=True)
        given_both = law / law.sum(place, keepdims=True)
        assert alone == pytest.approx(-(law * np.log(law.sum(rest, keepdims=True))).sum(), abs=1e-12)
        assert left == pytest.approx(-(law * np.log(given_left)).sum(), abs=1e-12)
        assert both == pytest.approx(-(law * np.log(given_both)).sum(), abs=1e-12)


def test_the_left_adds_up_to_the_sentence_and_both_sides_do_not():
    columns = np.array(floors(SENTENCES.law)).sum(axis=0)
    whole = SENTENCES.source.entropy_per_document
    assert columns[1] == pytest.approx(whole, abs=1e-12)
    assert columns[2] < whole - 0.5


class Oracle(torch.nn.Module):
    """Knows the law: of the next word from its left side, or of a hidden word from both sides."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        size = SENTENCES.mask_id + 1
        self.table = torch.zeros(size, size, size, dtype=torch.float64)
        for (_, s, v, o, _), p in zip(SENTENCES.ids.tolist(), SENTENCES.law.flatten(), strict=True):
            self.table[s, v, o] += p

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        logits = torch.full((*rows.shape, SENTENCES.mask_id + 1), -math.inf, dtype=torch.float64)
        for at, row in enumerate(rows.tolist()):
            if self.masked:
                place = row.index(SENTENCES.mask_id)
                key = [slice(None) if word == SENTENCES.mask_id else word for word in row[1:4]]
                logits[at, place] = self.table[tuple(key)].log()
            else:
                logits[at, 0] = self.table.sum((1, 2)).log()
                logits[at, 1] = self.table[row[1]].sum(1).log()
                logits[at, 2] = self.table[row[1], row[2]].log()
        return logits


def test_who_knows_the_law_reaches_the_floors():
    expected = np.array(floors(SENTENCES.law))
    assert decoder_losses(Oracle(masked=False), SENTENCES) == pytest.approx(expected[:, 1], abs=1e-9)
    assert masked_losses(Oracle(masked=True), SENTENCES) == pytest.approx(expected[:, 2], abs=1e-9)


def test_seeing_both_sides_beats_every_model_that_sees_the_left():
    training = replace(TRAINING, steps=300, batch_size=128)
    words = compare_both_sides(SENTENCES, training, d_model=16, rate=0.3, progress=False)
    for word in words:
        assert word.decoder > word.left - 1e-6
        assert word.masked > word.both - 1e-6
    subject, verb, _ = words
    assert subject.masked < subject.left - 0.15  # nothing on its left tells a subject
    assert verb.masked < verb.left - 0.15
    assert sum(word.decoder - word.left for word in words) < 0.1
