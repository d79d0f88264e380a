"""Recall in a play: which tokens can be known, what a model pays for them, and that it is learned."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from lmcourse.attention import (
    SelfAttentionLM,
    SelfAttentionLMConfig,
    play_rows,
    recall_excess,
    short_play,
    train_on_plays,
)
from lmcourse.corpora import filler
from lmcourse.recurrence import RecurrentLM, RecurrentLMConfig
from lmcourse.training import TrainConfig

SOURCE = short_play(turns=6)
ROWS = play_rows(SOURCE, 40, seed=5)


def test_a_play_is_a_row_behind_an_end_token_and_its_lines_are_what_comes_back():
    assert ROWS.ids.shape == (40, 31)
    assert (ROWS.ids[:, 0] == SOURCE.end_id).all()
    for row, recalled in zip(ROWS.ids[:, 1:].tolist(), ROWS.recalled, strict=True):
        heard = set()
        for turn in range(6):
            name = row[5 * turn]
            known = name in heard and SOURCE.vocab[name] != "narrator:"
            # The full stop is always certain: every line has three words.
            assert recalled[5 * turn : 5 * turn + 5].tolist() == [False, known, known, known, False]
            heard.add(name)


def test_the_exact_surprisal_is_that_of_the_plays_law():
    """A fresh word costs log 32, a name what its speaker's share says."""
    costs = set(np.round(ROWS.surprisal, 6).ravel())
    names = {round(-math.log(0.15), 6), round(-math.log(0.85 / 3), 6)}
    assert costs == names | {round(math.log(32), 6), 0.0}


class Oracle(nn.Module):
    """Logits that are the exact law, with the recalled tokens known or as if all lines were fresh."""

    def __init__(self, recalls: bool) -> None:
        super().__init__()
        self.recalls = recalls

    def forward(self, ids):
        law = torch.full((*ids.shape, len(SOURCE.vocab)), -torch.inf).double()
        for b, row in enumerate(ids.tolist()):
            for t in range(len(row)):
                prefix = row[1 : t + 1]
                if not self.recalls:
                    prefix = prefix[len(prefix) // 5 * 5 :]  # forgets all turns before this one
                law[b, t] = torch.from_numpy(SOURCE.next_probabilities(prefix)).log()
        return law


def test_excess_of_perfect_and_of_no_memory():
    few = ROWS._replace(ids=ROWS.ids[:4], surprisal=ROWS.surprisal[:4])
    assert recall_excess(Oracle(True), few) == pytest.approx({"recalled": 0, "other": 0}, abs=1e-9)
    found = recall_excess(Oracle(False), few, batch_size=3)
    assert found == pytest.approx({"recalled": math.log(32), "other": 0}, abs=1e-9)


@pytest.mark.parametrize(
    "config",
    [
        SelfAttentionLMConfig(len(SOURCE.vocab), d_model=16),
        RecurrentLMConfig(len(SOURCE.vocab), d_model=8, hidden_size=8, fused=True),
    ],
)
def test_training_reads_whole_plays_and_is_judged_on_the_way(config):
    training = TrainConfig(steps=4, batch_size=3, warmup=1, eval_every=2)
    model, history = train_on_plays(config, SOURCE, training, n_plays=20, n_held_out=10, progress=False)
    assert isinstance(model, SelfAttentionLM | RecurrentLM)
    assert history.tokens[-1] == 4 * 3 * 30
    assert history.evaluated_at == [0, 2, 4]
    assert history.evaluations.keys() == {"recalled", "other"}
    last = recall_excess(model, play_rows(SOURCE, 10, seed=1))
    assert {name: values[-1] for name, values in history.evaluations.items()} == last
    again, _ = train_on_plays(config, SOURCE, training, n_plays=20, n_held_out=10, progress=False)
    for mine, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_plays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="'source' must write plays of one length, got lengths"):
        play_rows(filler(), 3, seed=0)
