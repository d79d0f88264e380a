"""Batches of pairs, the loss, training, exact match, scheduled sampling and exposure."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lmcourse.corpora import Pairs, translation
from lmcourse.corpora.pairs import SPECIAL_TOKENS
from lmcourse.recurrence import (
    Band,
    Context,
    PairBatch,
    ScheduledSampling,
    Seq2Seq,
    Seq2SeqConfig,
    Translator,
    beam_search,
    exact_match_by_length,
    exposure,
    greedy,
    pad_pairs,
    pair_batches,
    scheduled_loss,
    train_translator,
    translation_loss,
    write_mixed,
)
from lmcourse.training import TrainConfig, train

GRAMMAR = translation()


def model_for(grammar=GRAMMAR, cell: str = "gru", hidden_size: int = 16, seed: int = 0) -> Seq2Seq:
    sizes = len(grammar.source_vocab), len(grammar.target_vocab)
    return Seq2Seq(Seq2SeqConfig(*sizes, d_model=8, hidden_size=hidden_size, cell=cell, seed=seed))


# --- batches -------------------------------------------------------------------------------------------------


def test_a_batch_holds_each_pair_and_nothing_else():
    pairs = GRAMMAR.sample(50, lengths=(4, 12), seed=3)
    source, target = pairs.ids()
    batch = pad_pairs(source, target)
    for b in range(50):
        n, m = len(source[b]), len(target[b]) - 1
        assert batch.lengths[b] == n
        assert batch.source_ids[b, :n].tolist() == source[b]
        assert not batch.source_ids[b, n:].any()
        assert batch.target_ids[b, :m].tolist() == target[b][:-1]
        assert batch.targets[b, :m].tolist() == target[b][1:]
        assert not batch.target_ids[b, m:].any()
        assert (batch.targets[b, m:] == -100).all()
    assert batch.source_ids.shape[1] == max(map(len, source))
    assert batch.targets.shape[1] == max(map(len, target)) - 1


def test_batches_show_every_pair_once_in_a_pass_with_little_padding():
    pairs = GRAMMAR.sample(640, lengths=(4, 24), seed=4)
    batches = list(itertools.islice(pair_batches(pairs, 16, seed=1), 40))
    seen = sorted(
        tuple(row[:n]) for b in batches for row, n in zip(b.source_ids.tolist(), b.lengths, strict=True)
    )
    assert seen == sorted(map(tuple, pairs.ids().source))
    for part, padding in (("source_ids", 0), ("targets", -100)):
        real = sum((getattr(batch, part) != padding).sum().item() for batch in batches)
        assert real > 0.85 * sum(getattr(batch, part).numel() for batch in batches)
    lengths = [batch.source_ids.shape[1] for batch in batches]
    assert lengths != sorted(lengths)
    again = list(itertools.islice(pair_batches(pairs, 16, seed=1), 40))
    assert all(
        torch.equal(x, y)
        for one, two in zip(batches, again, strict=True)
        for x, y in zip(one, two, strict=True)
    )
    assert not torch.equal(next(pair_batches(pairs, 16, seed=2)).targets, batches[0].targets)


# --- the loss ------------------------------------------------------------------------------------------------


def test_the_loss_is_the_mean_surprisal_of_the_targets_in_nats():
    model = model_for().double()
    source, target = GRAMMAR.sample(5, lengths=(4, 9), seed=5).ids()
    terms = []
    for one, other in zip(source, target, strict=True):
        context = model.read(torch.tensor([one]), torch.tensor([len(one)]))
        for token, following in itertools.pairwise(other):
            logits, context = model.write(torch.tensor([[token]]), context)
            terms.append(-logits[0, 0].log_softmax(-1)[following])
    torch.testing.assert_close(translation_loss(model, pad_pairs(source, target)), torch.stack(terms).mean())


class Echo(Translator):
    """Copies the source word for word; after `stumble` words it writes <bos> instead, if its input was right."""

    def __init__(self, vocab: int, stumble: int | None = None) -> None:
        super().__init__()
        self.vocab, self.stumble = vocab, stumble
        self.bias = torch.nn.Parameter(torch.zeros(1))
        self.read_by_writer: list[list[int]] = []

    def read(self, source_ids, lengths):
        memory = F.one_hot(source_ids, self.vocab).float()
        start = torch.zeros(len(source_ids), dtype=torch.int64)
        return Context(memory, source_ids != 0, (start,))

    def write(self, target_ids, context):
        self.read_by_writer.append(target_ids[:, 0].tolist())
        at = context.state[0][:, None] + torch.arange(target_ids.shape[1])
        places = at.clamp(max=context.memory.shape[1] - 1)
        logits = torch.gather(context.memory, 1, places[..., None].expand(-1, -1, self.vocab))
        if self.stumble is not None:
            wrong = F.one_hot(torch.tensor(1), self.vocab).float()
            logits = torch.where((at == self.stumble)[..., None], wrong, logits)
            # Having read <bos> in the middle, it never finds its way back.
            lost = (target_ids == 1) & (at > 0)
            logits = torch.where(lost[..., None], wrong, logits)
        return 20 * logits + self.bias, context._replace(state=(context.state[0] + target_ids.shape[1],))


WORDS = (*SPECIAL_TOKENS, *"abcdef")
SENTENCES = ("ab", "cdefab", "abc", "a", "fedcb")
COPIES = Pairs(
    tuple(map(tuple, SENTENCES)), tuple(map(tuple, SENTENCES)), ((),) * len(SENTENCES), WORDS, WORDS
)


# --- exact match ---------------------------------------------------------------------------------------------


def test_exact_match_counts_whole_sentences_in_bands_of_source_words():
    model = Echo(len(WORDS))
    bands = [(1, 2), (3, 5), (6, 6), (7, 9)]
    assert exact_match_by_length(model, COPIES, bands) == [
        Band(1, 2, 2, 2),
        Band(3, 5, 2, 2),
        Band(6, 6, 1, 1),
        Band(7, 9, 0, 0),
    ]
    stumbles = exact_match_by_length(Echo(len(WORDS), stumble=4), COPIES, bands, batch_size=2)
    assert [band.exact for band in stumbles] == [
        2,
        1,
        0,
        0,
    ]  # the fifth token of "fedcb" and of "cdefab" is wrong
    assert [band.share for band in stumbles[:3]] == [1.0, 0.5, 0.0]
    assert np.isnan(stumbles[3].share)


def test_a_missing_end_is_a_mistake():
    model = Echo(len(WORDS), stumble=2)
    for some in (
        COPIES[:1],
        COPIES[:2],
    ):  # "ab" alone and in a longer batch: all words right, and no <eos> behind them
        assert exact_match_by_length(model, some, [(2, 2)]) == [Band(2, 2, 0, 1)]


def test_decoding_can_be_chosen():
    def best_of_beam(model, source_ids, lengths, max_length):
        return [found[0].ids for found in beam_search(model, source_ids, lengths, 3, max_length)]

    for stumble in (None, 4):
        model = Echo(len(WORDS), stumble)
        bands = [(1, 3), (4, 6)]
        assert exact_match_by_length(model, COPIES, bands, decode=best_of_beam) == exact_match_by_length(
            model, COPIES, bands
        )
    nothing = exact_match_by_length(model, COPIES, [(1, 6)], decode=lambda m, ids, n, most: [[2]] * len(ids))
    assert nothing[0].exact == 0


# --- its own words -------------------------------------------------------------------------------------------


def test_mixed_inputs_are_the_models_own_where_it_says_so():
    model = model_for().double()
    batch = pad_pairs(*GRAMMAR.sample(6, lengths=(4, 9), seed=6).ids())
    own = torch.rand(batch.target_ids.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    logits, inputs = write_mixed(model, batch, own)
    assert torch.equal(inputs[:, 0], batch.target_ids[:, 0])
    said = logits.argmax(-1)
    expected = torch.where(own[:, 1:], said[:, :-1], batch.target_ids[:, 1:])
    assert torch.equal(inputs[:, 1:], expected)
    assert not torch.equal(inputs, batch.target_ids)
    torch.testing.assert_close(model(batch.source_ids, batch.lengths, inputs), logits)


def test_scheduled_loss_lies_between_the_truth_and_its_own_output():
    model = model_for().double()
    batch = pad_pairs(*GRAMMAR.sample(6, lengths=(4, 9), seed=6).ids())
    torch.testing.assert_close(
        scheduled_loss(model, batch, 0.0), translation_loss(model, batch), rtol=0, atol=0
    )
    everywhere = torch.ones_like(batch.target_ids, dtype=torch.bool)
    for own, p in ((~everywhere, 0.0), (everywhere, 1.0)):
        logits, _ = write_mixed(model, batch, own)
        expected = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        torch.testing.assert_close(scheduled_loss(model, batch, p), expected)
    draws = [
        scheduled_loss(model, batch, 0.5, torch.Generator().manual_seed(seed)).item() for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_the_share_of_own_tokens_is_p_and_grows_by_schedule():
    source, target = GRAMMAR.sample(400, lengths=(10, 10), seed=7).ids()
    batch = pad_pairs(source, [[1, *[4] * 20, 2] for _ in target])
    model = Echo(len(GRAMMAR.source_vocab))
    schedule = ScheduledSampling(start=2, end=4, final=0.8, seed=3)
    shares = []
    for _ in range(5):
        model.read_by_writer.clear()
        schedule(model, batch)
        columns = model.read_by_writer[1:]  # the first one is <bos>
        shares.append(np.mean([[token != 4 for token in column] for column in columns]) if columns else 0.0)
    # One token in a hundred or so is 4 by itself.
    assert shares == pytest.approx([0.0, 0.0, 0.4, 0.8, 0.8], abs=0.05)


def test_exposure_shows_what_a_first_mistake_costs():
    n, truth_loss, own_loss, truth_accuracy, own_accuracy = exposure(
        Echo(len(WORDS), stumble=2), COPIES, batch_size=2
    )
    assert n.tolist() == [5, 5, 4, 3, 2, 2, 1]  # with <eos>
    # Behind the truth, one mistake a sentence, at the third place.
    np.testing.assert_allclose(truth_accuracy, [1, 1, 0, 1, 1, 1, 1])
    # Behind its own words, nothing is right any more.
    np.testing.assert_allclose(own_accuracy, [1, 1, 0, 0, 0, 0, 0])
    rest = np.log(1 + (len(WORDS) - 1) * np.exp(-20))  # -log P of what it is sure of
    np.testing.assert_allclose(truth_loss, [rest, rest, 20 + rest, rest, rest, rest, rest], atol=1e-5)
    np.testing.assert_allclose(own_loss, [rest, rest, *[20 + rest] * 5], atol=1e-5)


def test_exposure_is_the_loss_place_by_place():
    pairs = GRAMMAR.sample(40, lengths=(4, 12), seed=8)
    model = model_for()
    result = exposure(model, pairs, batch_size=7)
    loss = translation_loss(model, pad_pairs(*pairs.ids())).item()
    assert (result.n * result.truth_loss).sum() / result.n.sum() == pytest.approx(loss, rel=1e-5)
    assert result.own_loss[0] == pytest.approx(result.truth_loss[0])
    assert result.n[0] == 40
    source, target = pairs.ids()
    written = greedy(model, *pad_pairs(source, target)[:2], max_length=result.n.size)
    right = [ids[0] == reference[1] for ids, reference in zip(written, target, strict=True)]
    assert result.own_accuracy[0] == pytest.approx(np.mean(right))


# --- what it learns ------------------------------------------------------------------------------------------


def reversals(n: int, seed: int) -> Pairs:
    """Words of one to four letters, and the same backwards."""
    rng = np.random.default_rng(seed)
    sources = tuple(tuple(rng.choice(list("abcdef"), size=rng.integers(1, 5)).tolist()) for _ in range(n))
    return Pairs(sources, tuple(row[::-1] for row in sources), ((),) * n, WORDS, WORDS)


REVERSALS = reversals(1500, seed=1)
SMALL = Seq2SeqConfig(len(WORDS), len(WORDS), d_model=16, hidden_size=64, cell="gru")


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_it_learns_to_write_short_words_backwards(cell):
    config = TrainConfig(steps=250, batch_size=64, lr=1e-2, warmup=20)
    model, history = train_translator(Seq2Seq(replace(SMALL, cell=cell)), REVERSALS, config, progress=False)
    held_out = reversals(600, seed=2).without(REVERSALS)
    (band,) = exact_match_by_length(model, held_out, [(1, 4)])
    assert band.n == len(held_out) > 100
    assert band.share > 0.9
    assert len(history.loss) == 250


def test_the_same_seed_trains_the_same_model():
    models = [
        train_translator(
            Seq2Seq(SMALL), REVERSALS, TrainConfig(steps=3, warmup=0, seed=seed), progress=False
        )[0]
        for seed in (1, 1, 2)
    ]
    one, two, other = (torch.cat([w.flatten() for w in model.parameters()]) for model in models)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_scheduled_sampling_trains():
    config = TrainConfig(steps=250, batch_size=64, lr=1e-2, warmup=20)
    model = Seq2Seq(SMALL)
    loss_fn = ScheduledSampling(start=100, end=200, final=0.5)
    train(model, pair_batches(REVERSALS, 64), loss_fn, config, progress=False)
    assert exact_match_by_length(model, REVERSALS, [(1, 4)])[0].share > 0.9


BATCH = PairBatch(*[torch.ones(1, 2, dtype=torch.int64)] * 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pad_pairs([], []), "must hold as many sentences, at least 1, got 0 and 0"),
        (lambda: pad_pairs([[2]], [[1, 2], [1, 2]]), "must hold as many sentences, .* got 1 and 2"),
        (lambda: pad_pairs([[]], [[1, 2]]), "'source' must hold at least one id"),
        (lambda: pad_pairs([[2]], [[1]]), "'target' <bos> and <eos>"),
        (lambda: pair_batches(GRAMMAR.sample(3), 4), "'lengths' must hold at least batch_size = 4"),
        (lambda: scheduled_loss(model_for(), BATCH, 1.5), "'p' must be a probability .* got 1.5"),
        (lambda: ScheduledSampling(5, 5), "'start' and 'end' must be steps .* got 5 and 5"),
        (lambda: ScheduledSampling(-1, 5), "'start' and 'end' must be"),
        (lambda: ScheduledSampling(0, 5, final=2.0), "'final' must be a probability .* got 2"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
