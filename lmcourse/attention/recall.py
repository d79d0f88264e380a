"""When does a model find out that lines come back? A play, its exact floor, and the loss on what could be recalled.

In a play (`lmcourse.corpora.play`) a speaker's line is new once and then comes back word for word. The tokens that come back can be known
for certain: their exact surprisal is 0. So the loss falls into two parts: what a model pays for tokens that it could have looked
up, and what it pays above the floor for all others.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor, nn

from lmcourse.attention.language_model import SelfAttentionLM, SelfAttentionLMConfig
from lmcourse.corpora import Source, play
from lmcourse.corpora.grammar import Grammar
from lmcourse.corpora.rules import choice
from lmcourse.embeddings import row_index, token_losses
from lmcourse.recurrence import RecurrentLM, RecurrentLMConfig
from lmcourse.training import History, TrainConfig, batches_of_rows, next_token_loss, train

ADJECTIVES = """ancient bitter brave bright broken calm clever cold curious distant early empty faithful famous gentle golden
    heavy hidden hollow hungry lazy lonely modern narrow patient polite proud quiet restless sleepy tiny wild"""
NOUNS = """actors bakers birds boats brides cats clouds cooks dancers doctors dogs dragons farmers foxes ghosts giants goats kings
    miners monks owls pilots pirates poets queens robots sailors singers thieves twins wolves wizards"""
VERBS = """argue arrive bark boast bow climb dance disappear dream escape fall fly giggle grow hesitate hide hurry jump laugh march
    nod pray return run shout sing sleep smile swim travel wait wander"""


def short_play(turns: int = 16) -> Source:
    """Return a play with lines of three words, `adjective noun verb .`, 32 of each; 16 turns are a row of exactly 80 tokens.

    With so many words a word seldom stands in two lines of a play: what followed it last time follows again.

    >>> source = short_play()
    >>> print(source.sample(1, seed=3).text(15))
    anna: distant kings disappear . anna: distant kings disappear . cleo: broken actors pray .
    """
    words = {"A": (ADJECTIVES, "ADJ"), "N": (NOUNS, "NOUN"), "V": (VERBS, "VERB")}
    rules = {
        symbol: choice([f"{word}/{tag}" for word in text.split()]) for symbol, (text, tag) in words.items()
    }
    return play(turns=turns, lines=Grammar({"S": {"A N V": 1.0}, **rules}))


class PlayRows(NamedTuple):
    """Plays to be judged by: each behind the end token of the play before, with the exact surprisal of its tokens."""

    ids: Int64[Tensor, "plays length+1"]
    surprisal: Float64[np.ndarray, "plays length"]  # nats, of ids[:, 1:]

    @property
    def recalled(self) -> Bool[np.ndarray, "plays length"]:
        """True = a word that can be known for certain, because its line has been said. The full stops do not count: where all
        lines are equally long, they are certain without any memory.
        """
        return (self.surprisal < 1e-9) & (self.ids[:, 1:].numpy() != Source.end_id)


def play_rows(source: Source, n_plays: int, seed: int) -> PlayRows:
    """Draw `n_plays` plays of `source`, which must all have the same length.

    Raises:
        ValueError: plays of different lengths.
    """
    length = _length(source)
    corpus = source.sample((n_plays + 1) * length, seed=seed)
    places = row_index(corpus.starts, len(corpus), length)
    ids = torch.from_numpy(corpus.ids.astype(np.int64))[places]
    return PlayRows(ids, source.surprisal(corpus)[places[:, 1:]])


def _length(source: Source) -> int:
    lengths = {len(document) for document in source.sample(1000, seed=0).documents()}
    if len(lengths) > 1:
        raise ValueError(f"'source' must write plays of one length, got lengths {sorted(lengths)}")
    return lengths.pop()


@torch.no_grad()
def recall_excess(model: nn.Module, rows: PlayRows, batch_size: int = 64) -> dict[str, float]:
    """Return the model's loss above the exact surprisal, in nats per token: of "recalled" tokens and of all "other" ones.

    A model without memory pays for a recalled token what a fresh one costs (log 32 in a `short_play`), one with perfect memory
    pays nothing. The mean of the others may fall a little below 0, where the text was lucky.
    """
    losses = torch.cat([token_losses(model, batch) for batch in rows.ids.split(batch_size)])
    excess = losses.double().cpu().numpy() - rows.surprisal
    return {"recalled": float(excess[rows.recalled].mean()), "other": float(excess[~rows.recalled].mean())}


def train_on_plays(
    config: SelfAttentionLMConfig | RecurrentLMConfig,
    source: Source,
    train_config: TrainConfig,
    n_plays: int = 20_000,
    n_held_out: int = 100,
    progress: bool = True,
) -> tuple[SelfAttentionLM | RecurrentLM, History]:
    """Train a model on plays, one play a row; return it and what happened, with `recall_excess` of held-out plays.

    The plays depend on the source only: models of all kinds and seeds read the same text and are judged by the same plays. The
    seed of `train_config` shuffles them. Evaluated every `train_config.eval_every` steps.
    """
    model = RecurrentLM(config) if isinstance(config, RecurrentLMConfig) else SelfAttentionLM(config)
    held_out, length = play_rows(source, n_held_out, seed=1), _length(source)
    ids = source.sample((n_plays + 1) * length, seed=0).ids[length - 1 :]  # each row begins with an end token
    batches = batches_of_rows(ids, length, train_config.batch_size, train_config.seed)
    judge = partial(recall_excess, rows=held_out)
    return model, train(model, batches, next_token_loss, train_config, judge, progress)
