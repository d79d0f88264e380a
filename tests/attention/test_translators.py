"""Translators that look back: their formulas, teacher forcing, padding, and steps in one call or one by one."""

import pytest
import torch
from torch import nn

from lmcourse.attention import (
    AttentiveConfig,
    AttentiveSeq2Seq,
    SelfAttentionTranslator,
    SelfAttentionTranslatorConfig,
    prefix_mask,
)
from lmcourse.recurrence import Seq2Seq, Seq2SeqConfig, Translator

SOURCE = torch.tensor([[5, 7, 3, 8, 2], [8, 6, 2, 0, 0]])
LENGTHS = torch.tensor([5, 3])
TARGET = torch.tensor([[1, 4, 3, 6], [1, 5, 5, 3]])


def attentive(score: str = "general", **sizes) -> AttentiveSeq2Seq:
    return AttentiveSeq2Seq(AttentiveConfig(9, 7, d_model=4, hidden_size=6, score=score, **sizes)).double()


def self_attention(**sizes) -> SelfAttentionTranslator:
    config = SelfAttentionTranslatorConfig(9, 7, **{"d_model": 8, "n_heads": 2, "n_layers": 2, **sizes})
    model = SelfAttentionTranslator(config).double()
    with torch.no_grad():  # the first embeddings are small; larger ones leave no error too small to be seen
        model.source_embedding.weight.mul_(20)
        model.target_embedding.weight.mul_(20)
    return model


MAKE = {
    "additive": lambda: attentive("additive"),
    "general": attentive,
    "dot": lambda: attentive("dot"),
    "lstm": lambda: attentive(cell="lstm", n_layers=2),
    "self": self_attention,
    "self, feed-forward": lambda: self_attention(feed_forward=12),
}
of_each_kind = pytest.mark.parametrize("kind", MAKE)


@pytest.mark.parametrize("score", ["additive", "general", "dot"])
def test_the_attentive_decoder_is_luongs_formula_step_by_step(score):
    model = attentive(score)
    context = model.read(SOURCE, LENGTHS)
    cell = nn.GRUCell(4, 6).double()
    cell.load_state_dict(model.decoder.layers.cells[0].state_dict())
    attention = model.decoder.attention
    for b in range(2):
        memory = context.memory[b, : LENGTHS[b]]  # padding does not exist here
        state = context.state[0][b, 0]
        for t in range(4):
            state = cell(model.decoder.embedding.weight[TARGET[b, t]], state)
            if score == "additive":
                scores = torch.tanh(attention.W.weight @ state + memory @ attention.U.weight.T) @ attention.v
            elif score == "general":
                scores = torch.stack([state @ attention.W.weight @ h for h in memory])
            else:
                scores = memory @ state
            weights = scores.softmax(-1)
            both = torch.cat([weights @ memory, state])
            logits = model.decoder.output(torch.tanh(model.decoder.combine.weight @ both))
            torch.testing.assert_close(model(SOURCE, LENGTHS, TARGET)[b, t], logits)
            found = model.weights(SOURCE, LENGTHS, TARGET)[b, t]
            torch.testing.assert_close(found[: LENGTHS[b]], weights)
            assert not found[LENGTHS[b] :].any()


def test_the_encoder_is_the_one_of_the_fixed_context_number_for_number():
    fixed = Seq2Seq(Seq2SeqConfig(9, 7, d_model=4, hidden_size=6, seed=3))
    looking = AttentiveSeq2Seq(AttentiveConfig(9, 7, d_model=4, hidden_size=6, seed=3))
    for mine, other in zip(looking.encoder.parameters(), fixed.encoder.parameters(), strict=True):
        assert torch.equal(mine, other)


@of_each_kind
def test_logits_depend_on_the_target_so_far_and_on_no_later_token(kind):
    model = MAKE[kind]()
    before = model(SOURCE, LENGTHS, TARGET)
    for t in range(4):
        changed = TARGET.clone()
        changed[:, t] = (changed[:, t] + 1) % 7
        after = model(SOURCE, LENGTHS, changed)
        assert torch.equal(before[:, :t], after[:, :t])
        assert ((before[:, t:] - after[:, t:]).abs().amax(-1) > 1e-9).all()


@of_each_kind
def test_every_logit_depends_on_every_source_token(kind):
    model = MAKE[kind]()
    before = model(SOURCE, LENGTHS, TARGET)
    for j in range(5):
        changed = SOURCE.clone()
        changed[:, j] = (changed[:, j] + 1) % 9
        moved = model(changed, LENGTHS, TARGET) - before
        moved = moved.abs().amax(-1)  # (batch, target)
        assert (moved[0] > 1e-9).all()
        assert (moved[1] > 1e-9).all() if j < 3 else not moved[1].any()  # padding: not even a bit


@of_each_kind
def test_a_sentence_alone_and_in_a_padded_batch_is_the_same(kind):
    model = MAKE[kind]()
    alone = model(SOURCE[1:, :3], LENGTHS[1:], TARGET[1:])
    torch.testing.assert_close(model(SOURCE, LENGTHS, TARGET)[1:], alone)


@of_each_kind
def test_one_call_for_each_step_gives_what_one_call_for_all_gives(kind):
    model = MAKE[kind]()
    expected = model(SOURCE, LENGTHS, TARGET)
    context = model.read(SOURCE, LENGTHS)
    pieces = []
    for t in (slice(0, 1), slice(1, 3), slice(3, 4)):
        logits, context = model.write(TARGET[:, t], context)
        pieces.append(logits)
        context = context.select(torch.tensor([0, 1]))
    torch.testing.assert_close(torch.cat(pieces, dim=1), expected)


@of_each_kind
def test_selected_rows_are_written_on_as_if_alone(kind):
    model = MAKE[kind]()
    _, context = model.write(TARGET[:, :2], model.read(SOURCE, LENGTHS))
    rows = torch.tensor([1, 1, 0])
    logits, _ = model.write(TARGET[rows, 2:], context.select(rows))
    torch.testing.assert_close(logits, model(SOURCE, LENGTHS, TARGET)[rows, 2:])


def test_the_layers_see_one_sequence_without_padding():
    """The oracle: a sentence pair alone, source then target, through the layers with a mask written by hand."""
    model = self_attention()
    ids, target = SOURCE[1, :3], TARGET[1]
    x = torch.cat([model.source_embedding.weight[ids], model.target_embedding.weight[target]])[None]
    mask = torch.tensor([[j < 3 or j <= i for j in range(7)] for i in range(7)])[None]
    expected = model.layers(x, mask)[:, 3:] @ model.target_embedding.weight.T
    torch.testing.assert_close(model(SOURCE, LENGTHS, TARGET)[1:], expected)
    kept = model.layers(x, mask, return_weights=True)[1]
    for found, right in zip(model.weights(SOURCE, LENGTHS, TARGET), kept, strict=True):
        torch.testing.assert_close(found[1:, :, :, :3], right[:, :, 3:, :3])
        assert not found[1, :, :, 3:].any()


def test_the_prefix_mask_is_what_it_says():
    source = torch.tensor([[False, True, True], [True, True, True]])
    mask = prefix_mask(source, 2)
    for b in range(2):
        for i in range(5):
            for j in range(5):
                assert mask[b, i, j] == (source[b, j] if j < 3 else j <= i)


@of_each_kind
def test_padding_gets_no_gradient(kind):
    model = MAKE[kind]()
    model(SOURCE, LENGTHS, TARGET)[1].square().sum().backward()  # the padded sentence
    table = model.source_embedding if isinstance(model, SelfAttentionTranslator) else model.encoder.embedding
    assert isinstance(model, Translator)
    assert not table.weight.grad[[0, 1, 3, 4, 5, 7]].any()
    assert (table.weight.grad[[8, 6, 2]].abs().sum(-1) > 0).all()


def test_the_seed_makes_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (self_attention(seed=seed)(SOURCE, LENGTHS, TARGET) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attentive("x"), "'score' must be one of .*, got 'x'"),
        (lambda: attentive("additive", d_attention=0), "'d_attention' must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
