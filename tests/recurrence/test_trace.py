"""What is shown of a translator at work is what the translator computes when nobody looks."""

from collections import Counter

import pytest
import torch

from lmcourse.corpora import translation
from lmcourse.recurrence.decoding import greedy
from lmcourse.recurrence.seq2seq import Seq2Seq, Seq2SeqConfig
from lmcourse.recurrence.trace import trace
from lmcourse.recurrence.translation_training import pad_pairs
from lmcourse.recurrence.translator import BOS
from lmcourse.widgets.recurrence import encoder_decoder_steps

PAIRS = translation().sample(120, lengths=(4, 8), seed=3)


def untrained(**options) -> Seq2Seq:
    """Random weights, with sharp outputs, so that what is written depends on the states."""
    config = Seq2SeqConfig(len(PAIRS.source_vocab), len(PAIRS.target_vocab), 8, 12, seed=1, **options)
    model = Seq2Seq(config).double()
    with torch.no_grad():
        model.decoder.output.weight.mul_(20)
    return model


@pytest.mark.parametrize(
    "options",
    [{}, {"bidirectional": False}, {"cell": "lstm", "n_layers": 2}, {"cell": "rnn", "fused": False}],
)
@torch.no_grad()
def test_trace_is_what_greedy_decoding_does(options):
    model = untrained(**options)
    chosen = trace(model, PAIRS, n=12, top=4, max_length=9)
    for one in chosen:
        k = PAIRS.source.index(tuple(one.source[:-1]))
        source, target = (side[k] for side in PAIRS.ids())
        assert [PAIRS.source_vocab[i] for i in source] == one.source
        assert list(PAIRS.target[k]) == one.reference
        batch = pad_pairs([source], [target])
        (written,) = greedy(model, batch.source_ids, batch.lengths, 9)
        assert [PAIRS.target_vocab[i] for i in written] == one.written
        # The same in one call for all steps, the written tokens as input.
        context = model.read(batch.source_ids, batch.lengths)
        assert torch.equal(torch.tensor(one.encoder_states).transpose(0, 1).flatten(1), context.memory[0])
        fed = torch.tensor([[BOS, *written[:-1]]])
        outputs, _ = model.decoder.recur(fed, context)  # h of the last layer at each step
        torch.testing.assert_close(torch.tensor(one.decoder_states), outputs[0])
        laws = model.write(fed, context)[0][0].softmax(-1)
        for law, guesses in zip(laws.tolist(), one.guesses, strict=True):
            best = sorted(zip(PAIRS.target_vocab, law, strict=True), key=lambda pair: -pair[1])[:4]
            assert [word for word, _ in guesses] == [word for word, _ in best]
            assert [p for _, p in guesses] == pytest.approx([p for _, p in best])
    assert len({one.guesses[0][0][1] for one in chosen}) == 12  # what is written depends on what was read
    encoder_decoder_steps(chosen, units=5)  # all of it is as the figure wants it


@pytest.mark.parametrize("cell", ["gru", "rnn"])
@torch.no_grad()
def test_the_decoder_begins_in_the_encoders_last_states(cell):
    model = untrained(cell=cell)
    for one in trace(model, PAIRS, n=5):
        left, right = torch.tensor(one.encoder_states)
        first = model.decoder.embedding(torch.tensor([BOS]))
        (h,) = model.decoder.layers.cells[0](first, (torch.cat([left[-1:], right[:1]], dim=1),))
        torch.testing.assert_close(h[0], torch.tensor(one.decoder_states[0]))


def test_sentences_are_different_and_of_all_lengths():
    twice = translation().sample(60, lengths=(3, 3), seed=0)
    different = len(set(twice.source))
    assert different < 60
    all_of_them = trace(untrained(), twice, n=different, max_length=1)
    assert {tuple(one.source[:-1]) for one in all_of_them} == set(twice.source)
    chosen = trace(untrained(), PAIRS, n=40, max_length=1)
    assert len({tuple(one.source) for one in chosen}) == 40
    counts = Counter(len(one.source) - 1 for one in chosen)
    available = Counter(map(len, set(PAIRS.source)))
    assert set(counts) == set(range(4, 9))
    most = max(counts.values())
    assert all(n >= most - 1 or n == available[length] for length, n in counts.items())
    firsts = [next(source for source in PAIRS.source if len(source) == length) for length in range(4, 9)]
    assert [tuple(one.source[:-1]) for one in chosen[:5]] == firsts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "'n' must be at least 1, got 0"),
        ({"n": 121}, "'n' must be at most the number of different sentences, [0-9]+, got 121"),
        ({"top": 0}, "'top' must be at least 1, got 0"),
        ({"max_length": 0}, "'max_length' must be at least 1, got 0"),
    ],
)
def test_trace_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        trace(untrained(), PAIRS, **{"n": 2, **arguments})
