"""What it is worth to see both sides: a masked and a left-to-right model of one size guess the same words.

The text is `subject verb object .`, from verbs with tastes (`lmcourse.corpora.preferences`), few enough that the law of all sentences
fits into a table. So everything is exact: what can be known about a word from its left side, or from both sides, and
what the models know, as expectations over all sentences and not over a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from lmcourse.corpora import preferences
from lmcourse.corpora.source import Source
from lmcourse.language_model.config import LanguageModelConfig
from lmcourse.language_model.masked import MaskedLM
from lmcourse.language_model.masking import mask_tokens, masked_loss
from lmcourse.language_model.model import LanguageModel
from lmcourse.training import TrainConfig, next_token_loss, train

PLACES = ("subject", "verb", "object")
TRAINING = TrainConfig(steps=800, batch_size=256, lr=5e-3)


class Sentences(NamedTuple):
    """All sentences of a source `subject verb object .`, and their probabilities; the mask token is one id more."""

    source: Source
    subjects: list[int]  # ids; the objects are the same words
    verbs: list[int]
    law: Float64[Tensor, "subject verb object"]

    @property
    def mask_id(self) -> int:
        return len(self.source.vocab)

    @property
    def ids(self) -> Int64[Tensor, "sentences 5"]:
        """Every sentence between two end tokens, in the order of the law."""
        end, nouns = torch.tensor([Source.end_id]), torch.tensor(self.subjects)
        return torch.cartesian_prod(end, nouns, torch.tensor(self.verbs), nouns, end)


def small_sentences(n_verbs: int = 12, n_nouns: int = 40) -> Sentences:
    """Return the table of a small `preferences`.

    >>> sentences = small_sentences(n_verbs=2, n_nouns=3)
    >>> sentences.law.shape, round(sentences.law.sum().item(), 9)
    (torch.Size([3, 2, 3]), 1.0)
    """
    source = preferences(n_verbs=n_verbs, n_nouns=n_nouns)
    words = [word for word in source.lexicon if word.text != "."]
    verbs, nouns = (
        sorted({source.vocab.index(word.text) for word in words if word.tag == tag})
        for tag in ("VERB", "NOUN")
    )
    empty = Sentences(
        source, nouns, verbs, torch.zeros(len(nouns), len(verbs), len(nouns), dtype=torch.float64)
    )
    surprisal = source.surprisal(empty.ids[:, 1:].flatten().numpy()).reshape(-1, 4).sum(1)
    return empty._replace(law=torch.from_numpy(np.exp(-surprisal)).view(empty.law.shape))


def entropy(law: Float64[Tensor, "..."]) -> float:
    """Return -sum of p ln p, in nats.

    >>> round(entropy(torch.full((8,), 1 / 8, dtype=torch.float64)), 4)  # ln 8
    2.0794
    """
    return float(torch.special.entr(law).sum())


@dataclass(frozen=True)
class WordGuess:
    """One word of the sentence: what can be known about it, and what two models know, in nats.

    Args:
        place: the entropy of the word at this place, if nothing else is known. left: given all words before it. both: given all
            other words. decoder, masked: the expected surprisal of the two models, never below `left` and `both`.
    """

    word: str
    place: float
    left: float
    both: float
    decoder: float
    masked: float


def floors(law: Float64[Tensor, "subject verb object"]) -> list[tuple[float, float, float]]:
    """Return (place, left, both) of `WordGuess` for each of the three words.

    H(word | left) = H(left, word) - H(left), and with both sides H(all) - H(all others). The three on the left add up to the entropy of a
    sentence, which is the chain rule. The three with both sides do not: they say the same thing several times.
    """
    whole, places = entropy(law), range(3)
    rest = [tuple(other for other in places if other != place) for place in places]
    left = [entropy(law.sum(tuple(range(place, 3)))) if place else 0.0 for place in (*places,)] + [whole]
    return [
        (entropy(law.sum(rest[place])), left[place + 1] - left[place], whole - entropy(law.sum(place)))
        for place in places
    ]


def _rows(sentences: Sentences, n: int, seed: int) -> Int64[Tensor, "n 5"]:
    ids = sentences.source.sample(4 * n, seed=seed).tensor().view(-1, 4)
    return torch.cat([torch.full((len(ids), 1), Source.end_id), ids], dim=1)


def _batches(sentences: Sentences, config: TrainConfig) -> Iterator[Int64[Tensor, "batch 5"]]:
    """Fresh sentences in every step, the same for both models."""
    rows = _rows(sentences, config.steps * config.batch_size, seed=config.seed)
    yield from rows[: config.steps * config.batch_size].split(config.batch_size)


def train_decoder(
    sentences: Sentences, model_config: LanguageModelConfig, config: TrainConfig, progress: bool = True
) -> LanguageModel:
    """Return a model that has learned to guess each next word."""
    model = LanguageModel(model_config)
    batches = ((rows[:, :-1], rows[:, 1:]) for rows in _batches(sentences, config))
    train(model, batches, next_token_loss, config, progress=progress)
    return model


def train_masked(
    sentences: Sentences,
    model_config: LanguageModelConfig,
    config: TrainConfig,
    rate: float = 0.15,
    progress: bool = True,
) -> MaskedLM:
    """Return a model that has learned to guess hidden words, hidden anew in each batch with probability `rate`."""
    model = MaskedLM(replace(model_config, causal=False))
    draws = torch.Generator().manual_seed(config.seed)
    options = {"special": [Source.end_id], "rate": rate, "generator": draws}
    vocab_size = model_config.vocab_size
    batches = (
        mask_tokens(rows, sentences.mask_id, vocab_size, **options) for rows in _batches(sentences, config)
    )
    train(model, batches, masked_loss, config, progress=progress)
    return model


@torch.no_grad()
def decoder_losses(model: nn.Module, sentences: Sentences) -> list[float]:
    """Return E[-ln P(word | words before it)] of each of the three words, over all sentences, in nats."""
    ids, law = sentences.ids, sentences.law.flatten()
    logs = torch.cat([model(part[:, :3]).double().log_softmax(-1) for part in ids.split(4096)])
    surprisal = -logs.gather(2, ids[:, 1:4, None])[..., 0]  # (sentences, 3)
    return (law @ surprisal).tolist()


@torch.no_grad()
def masked_losses(model: nn.Module, sentences: Sentences) -> list[float]:
    """Return E[-ln P(word | all other words)] of each of the three words, hidden one at a time, in nats."""
    losses = []
    for place in range(3):
        ids = sentences.ids
        words = ids[:, place + 1].clone()
        ids[:, place + 1] = sentences.mask_id
        # Sentences that differ in the hidden word only are one question; it is asked once.
        questions, which = ids.unique(dim=0, return_inverse=True)
        logs = torch.cat(
            [model(part)[:, place + 1].double().log_softmax(-1) for part in questions.split(4096)]
        )
        losses.append(float(-sentences.law.flatten() @ logs[which, words]))
    return losses


def compare_both_sides(
    sentences: Sentences,
    training: TrainConfig = TRAINING,
    d_model: int = 32,
    n_layers: int = 1,
    rate: float = 0.15,
    progress: bool = True,
) -> list[WordGuess]:
    """Train a decoder and a masked model of the same blocks on the same sentences; return what they know of each word.

    `training.seed` decides first weights, sentences and masks.
    """
    model_config = LanguageModelConfig(
        len(sentences.source.vocab) + 1, d_model, n_layers=n_layers, base=100.0, std=0.05, seed=training.seed
    )
    decoder = train_decoder(sentences, model_config, training, progress)
    masked = train_masked(sentences, model_config, training, rate, progress)
    columns = (floors(sentences.law), decoder_losses(decoder, sentences), masked_losses(masked, sentences))
    return [WordGuess(word, *floor, *losses) for word, floor, *losses in zip(PLACES, *columns, strict=True)]
