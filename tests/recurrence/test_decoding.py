"""Greedy decoding and beam search: against enumeration of all translations, on models whose law is known."""

import itertools
import math

import pytest
import torch

from lmcourse.recurrence import (
    BOS,
    EOS,
    Context,
    Hypothesis,
    Seq2Seq,
    Seq2SeqConfig,
    Translator,
    beam_search,
    greedy,
)

VOCAB = 4
SOURCE = torch.tensor([[5, 7, 3, 2], [8, 2, 0, 0], [4, 4, 2, 0]])
LENGTHS = torch.tensor([4, 2, 3])


def random_model(seed: int, cell: str = "lstm", sharpness: float = 6.0, vocab: int = VOCAB) -> Seq2Seq:
    model = Seq2Seq(Seq2SeqConfig(9, vocab, d_model=5, hidden_size=6, cell=cell, seed=seed)).double()
    with torch.no_grad():
        model.decoder.output.weight.mul_(sharpness)
    return model


def every_hypothesis(model: Seq2Seq, b: int, max_length: int, length_penalty: float) -> list[Hypothesis]:
    """All translations up to `max_length`, scored by teacher forcing, the best first."""
    found = []
    for n in range(1, max_length + 1):
        paths = [
            (*path, last)
            for path in itertools.product({*range(VOCAB)} - {EOS}, repeat=n - 1)
            for last in (range(VOCAB) if n == max_length else [EOS])
        ]
        read = torch.tensor([[BOS, *ids[:-1]] for ids in paths])
        law = model(SOURCE[b].expand(len(paths), -1), LENGTHS[b].expand(len(paths)), read).log_softmax(-1)
        log_ps = law.gather(-1, torch.tensor(paths)[..., None]).sum((1, 2)).tolist()
        found += [
            Hypothesis(ids, log_p, log_p / ((5 + n) / 6) ** length_penalty)
            for ids, log_p in zip(paths, log_ps, strict=True)
        ]
    assert sum(math.exp(one.log_probability) for one in found) == pytest.approx(1)
    return sorted(found, key=lambda one: -one.score)


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_beam_as_wide_as_the_tree_finds_the_best_translation(seed, length_penalty):
    model, max_length = random_model(seed), 4
    width = VOCAB**max_length
    results = beam_search(model, SOURCE, LENGTHS, width, max_length, length_penalty)
    for b, result in enumerate(results):
        expected = every_hypothesis(model, b, max_length, length_penalty)
        assert result[0].ids == expected[0].ids
        scores = {one.ids: one for one in expected}
        for one in result:  # those found besides are real, too
            assert one.log_probability == pytest.approx(scores[one.ids].log_probability)
            assert one.score == pytest.approx(scores[one.ids].score)
        assert [one.score for one in result] == sorted((one.score for one in result), reverse=True)


@pytest.mark.parametrize("length_penalty", [0.0, 3.0])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_beam_of_one_is_greedy(cell, length_penalty):
    for seed in range(10):
        model = random_model(seed, cell, vocab=7)
        one_by_one = [
            greedy(model, SOURCE[b : b + 1], LENGTHS[b : b + 1], max_length=9)[0] for b in range(len(SOURCE))
        ]
        assert greedy(model, SOURCE, LENGTHS, max_length=9) == one_by_one
        beams = beam_search(model, SOURCE, LENGTHS, 1, 9, length_penalty)
        assert [[list(one.ids) for one in found] for found in beams] == [[ids] for ids in one_by_one]


def test_greedy_takes_the_most_probable_token_after_its_own():
    model = random_model(3, vocab=7)
    for b, ids in enumerate(greedy(model, SOURCE, LENGTHS, max_length=9)):
        logits = model(SOURCE[b : b + 1], LENGTHS[b : b + 1], torch.tensor([[BOS, *ids[:-1]]]))
        assert logits[0].argmax(-1).tolist() == ids
        assert EOS not in ids[:-1]
        assert ids[-1] == EOS or len(ids) == 9


def test_wider_beams_find_better_translations():
    """Not always, sentence by sentence; but the widest beats them all."""
    gains = []
    for seed in range(12):
        model = random_model(seed)
        best = [[found[0].score for found in beam_search(model, SOURCE, LENGTHS, w, 4)] for w in (1, 4, 256)]
        assert all(one <= all_ + 1e-9 for row in best[:2] for one, all_ in zip(row, best[2], strict=True))
        gains += [four - one for one, four in zip(best[0], best[1], strict=True)]
    assert sum(gains) > 1
    assert sum(gain > 1e-9 for gain in gains) >= 5 * sum(gain < -1e-9 for gain in gains)


NONE = [1.0, 0.0, 0.0, 0.0, 0.0]  # after <eos>; nobody asks for it


class Table(Translator):
    """P(next | last two tokens) from a table; the source says nothing."""

    def __init__(self, laws: dict[tuple[int, ...], list[float]]) -> None:
        super().__init__()
        self.laws = laws

    def read(self, source_ids, lengths):
        batch = len(source_ids)
        return Context(
            torch.zeros(batch, 1, 1), torch.ones(batch, 1, dtype=torch.bool), (torch.zeros(batch).long(),)
        )

    def write(self, target_ids, context):
        rows, before = [], context.state[0].tolist()
        for last, (token,) in zip(before, target_ids.tolist(), strict=True):
            rows.append(self.laws.get((last, token), self.laws.get((token,), NONE)))
        logits = torch.tensor(rows).log()[:, None]
        return logits, context._replace(state=(target_ids[:, 0],))


# Token 3 is likelier at first, but what follows it is spread; after 4 everything is sure.
GARDEN_PATH = Table(
    {
        (BOS,): [0.0, 0.0, 0.0, 0.6, 0.4],
        (3,): [0.0, 0.0, 0.4, 0.3, 0.3],
        (4,): [0.0, 0.0, 1.0, 0.0, 0.0],
    }
)
ONE = torch.tensor([[2]]), torch.tensor([1])


def test_a_garden_path_by_hand():
    assert greedy(GARDEN_PATH, *ONE) == [[3, 2]]
    (found,) = beam_search(GARDEN_PATH, *ONE, width=2)
    assert [one.ids for one in found] == [(4, 2), (3, 2)]
    assert [math.exp(one.log_probability) for one in found] == pytest.approx([0.4, 0.24])
    assert [one.score for one in found] == [one.log_probability for one in found]


def test_the_length_penalty_is_that_of_wu_et_al():
    (found,) = beam_search(GARDEN_PATH, *ONE, width=3, length_penalty=0.6)
    for one in found:
        assert one.score == pytest.approx(one.log_probability / ((5 + len(one.ids)) / 6) ** 0.6)
    # <eos> at once: 0.5; in two more steps, 0.2 * 1. Only a large penalty prefers the longer one.
    table = Table({(BOS,): [0, 0, 0.5, 0.5, 0], (3,): [0, 0, 0.1, 0.4, 0.5], (4,): [0, 0, 1.0, 0, 0]})
    best = {
        alpha: beam_search(table, *ONE, width=4, length_penalty=alpha)[0][0].ids for alpha in (0.0, 1.0, 9.0)
    }
    assert best[0.0] == best[1.0] == (2,)
    assert len(best[9.0]) > 3


def test_it_stops_at_eos_or_at_max_length_or_when_hope_is_gone():
    endless = Table({(token,): [0.0, 0.0, 0.0, 1.0, 0.0] for token in range(5)})
    assert greedy(endless, *ONE, max_length=5) == [[3] * 5]
    (found,) = beam_search(endless, *ONE, width=2, max_length=5)
    assert found == [Hypothesis((3,) * 5, 0.0, 0.0)]

    calls = []
    eager = Table({(token,): [0.0, 0.0, 0.9, 0.1, 0.0] for token in range(5)})
    write = eager.write
    eager.write = lambda ids, context: calls.append(len(ids)) or write(ids, context)
    (found,) = beam_search(eager, *ONE, width=3, max_length=50)
    assert calls == [3]  # after one step nothing can beat 0.9
    assert found[0].ids == (2,)
    calls.clear()
    assert greedy(eager, *ONE, max_length=50) == [[2]]
    assert calls == [1]


def test_the_context_follows_its_hypothesis():
    """The next token depends on the last two: a state left with the wrong beam would show."""
    table = Table(
        {
            (BOS,): [0.0, 0.0, 0.0, 0.55, 0.45],
            (3,): [0.0, 0.0, 0.0, 0.3, 0.7],
            (4,): [0.0, 0.0, 0.0, 0.8, 0.2],
            (3, 4): [0.0, 0.0, 0.2, 0.4, 0.4],
            (4, 3): [0.0, 0.0, 1.0, 0.0, 0.0],
            (3, 3): [0.0, 0.0, 0.5, 0.25, 0.25],
        }
    )
    (found,) = beam_search(table, *ONE, width=2, max_length=8)
    assert found[0].ids == (4, 3, 2)
    assert math.exp(found[0].log_probability) == pytest.approx(0.45 * 0.8)


def test_a_finished_hypothesis_leaves_a_narrower_beam():
    """<eos> at once takes one of two places, so (3, 4), which would win with 0.36, is dropped for (3, 3)."""
    table = Table(
        {
            (BOS,): [0.0, 0.0, 0.15, 0.8, 0.05],
            (3,): [0.0, 0.0, 0.0, 0.55, 0.45],
            (3, 3): [0.0, 0.0, 0.4, 0.3, 0.3],
            (3, 4): [0.0, 0.0, 1.0, 0.0, 0.0],
        }
    )
    (two,) = beam_search(table, *ONE, width=2)
    assert [one.ids for one in two] == [(3, 3, 2), (2,)]
    assert [math.exp(one.log_probability) for one in two] == pytest.approx([0.8 * 0.55 * 0.4, 0.15])
    (three,) = beam_search(table, *ONE, width=3)
    assert three[0].ids == (3, 4, 2)


def test_decoding_keeps_no_gradients():
    model = random_model(0)
    assert not any(
        beam.score != beam.score for found in beam_search(model, SOURCE, LENGTHS) for beam in found
    )
    greedy(model, SOURCE, LENGTHS)
    assert all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: greedy(GARDEN_PATH, *ONE, max_length=0), "'max_length' must be at least 1, got 0"),
        (lambda: beam_search(GARDEN_PATH, *ONE, max_length=0), "'max_length' must be at least 1, got 0"),
        (lambda: beam_search(GARDEN_PATH, *ONE, width=0), "'width' must be at least 1, got 0"),
        (lambda: beam_search(GARDEN_PATH, *ONE, length_penalty=-1.0), "'length_penalty' must be .* got -1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
