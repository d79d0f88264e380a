"""Which words are hidden, and how: shares, laws, and the collator of transformers."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from lmcourse.language_model.masking import IGNORED, Masked, mask_tokens, masked_loss

VOCAB, MASK, PAD = 12, 11, 0


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def text(rows: int = 400, length: int = 100, seed: int = 1) -> torch.Tensor:
    """Ids from 0 (the padding) to 10: the mask token never stands in the text."""
    return torch.randint(0, MASK, (rows, length), generator=generator(seed))


def fates(ids: torch.Tensor, read: torch.Tensor, targets: torch.Tensor) -> list[int]:
    """How many tokens that may be chosen were left alone, masked, changed to another word, or kept though asked for."""
    asked, free = targets != IGNORED, ids != PAD
    masked = asked & (read == MASK)
    changed = asked & ~masked & (read != ids)
    counts = (free & ~asked, masked, changed, asked & (read == ids))
    return [int(each.sum()) for each in counts]


def test_shares_are_those_of_the_paper():
    ids = text()
    masked = mask_tokens(ids, MASK, VOCAB, special=[PAD], generator=generator())
    counts = fates(ids, *masked)
    # A tenth of the chosen becomes any of 12 ids: one in 12 is the mask itself, one in 12 the word as it was.
    law = np.array([0.85, 0.15 * (0.8 + 0.1 / 12), 0.15 * 0.1 * 10 / 12, 0.15 * (0.1 + 0.1 / 12)])
    assert chisquare(counts, law * sum(counts)).pvalue > 1e-3


def test_random_words_are_equally_likely():
    ids = torch.full((200, 200), 5)
    read, _ = mask_tokens(ids, MASK, VOCAB, rate=1.0, masked=0.0, random=1.0, generator=generator())
    assert chisquare(read.flatten().bincount(minlength=VOCAB).numpy()).pvalue > 1e-3


def test_each_place_is_chosen_by_itself():
    _, targets = mask_tokens(text(2000, 20), MASK, VOCAB, generator=generator())
    chosen = (targets != IGNORED).double()
    assert chisquare(chosen.sum(0).numpy()).pvalue > 1e-3  # no place is preferred
    off_diagonal = torch.corrcoef(chosen.T)[~torch.eye(20, dtype=torch.bool)]
    assert off_diagonal.abs().max() < 0.1  # and none depends on another
    assert chosen.sum(1).var() == pytest.approx(20 * 0.15 * 0.85, rel=0.1)  # so their number is binomial


def test_targets_are_the_words_that_stood_there_and_the_rest_is_left_alone():
    ids = text()
    before = ids.clone()
    read, targets = mask_tokens(ids, MASK, VOCAB, special=[PAD, 3], generator=generator())
    asked = targets != IGNORED
    assert torch.equal(ids, before)
    assert torch.equal(targets[asked], ids[asked])
    assert torch.equal(read[~asked], ids[~asked])
    assert not asked[(ids == PAD) | (ids == 3)].any()


def test_the_same_seed_hides_the_same_words():
    one, two, other = (mask_tokens(text(), MASK, VOCAB, generator=generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(one.input_ids, two.input_ids)
    assert torch.equal(one.targets, two.targets)
    assert not torch.equal(one.targets, other.targets)


def test_the_law_is_that_of_the_collator_of_transformers():
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

    vocab = {"[PAD]": PAD, **{f"w{number}": number for number in range(1, MASK)}, "[MASK]": MASK}
    words = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(vocab, "w1")), pad_token="[PAD]", mask_token="[MASK]"
    )
    collate = DataCollatorForLanguageModeling(words, mlm=True, mlm_probability=0.3, seed=5)
    ids = text()
    theirs = collate([{"input_ids": row} for row in ids])
    ours = mask_tokens(ids, MASK, VOCAB, special=[PAD], rate=0.3, generator=generator())
    table = np.array([fates(ids, theirs["input_ids"], theirs["labels"]), fates(ids, *ours)])
    expected = table.sum(0) / 2
    assert table[0].sum() == table[1].sum()
    assert chisquare(table[1], expected).pvalue > 1e-3


def test_the_loss_is_the_mean_over_hidden_words():
    logits = torch.randn(10, 10, dtype=torch.float64, generator=generator())
    model = torch.nn.Embedding.from_pretrained(logits)
    batch = Masked(torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([[-100, 7, -100], [8, -100, 9]]))
    by_hand = -torch.stack([logits[a].log_softmax(-1)[b] for a, b in ((2, 7), (4, 8), (6, 9))]).mean()
    assert masked_loss(model, batch).item() == pytest.approx(by_hand.item(), abs=1e-12)
    nothing = Masked(batch.input_ids, torch.full((2, 3), IGNORED))
    assert masked_loss(model, nothing).item() == 0


@pytest.mark.parametrize(
    "options", [{"rate": 1.1}, {"rate": -0.1}, {"masked": 0.8, "random": 0.3}, {"mask_id": VOCAB}]
)
def test_bad_numbers_are_named(options: dict):
    arguments = {"mask_id": MASK, "vocab_size": VOCAB} | options
    with pytest.raises(ValueError, match=next(iter(options))):
        mask_tokens(text(1, 2), **arguments)
