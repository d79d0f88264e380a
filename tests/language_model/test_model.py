"""The whole model: the picture, the first weights, padding, text, and the arithmetic of its size."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lmcourse.language_model import (
    LanguageModel,
    LanguageModelConfig,
    LMHead,
    count_parameters,
    flops_per_token,
    gpt2_config,
    llama_config,
)
from lmcourse.tokens import BPETokenizer
from tests.language_model.support import EVERY, VARIANTS, VOCAB, model_of, some_ids

every = pytest.mark.parametrize(("variant", "fused"), EVERY)


@every
def test_changing_later_tokens_leaves_earlier_logits_to_the_last_bit(variant, fused):
    model, ids = model_of(variant, fused), some_ids()
    before = model(ids)
    for t in range(1, ids.shape[1]):
        changed = ids.clone()
        changed[:, t:] = (ids[:, t:] + 1) % VOCAB
        after = model(changed)
        assert torch.equal(before[:, :t], after[:, :t])
        assert not torch.equal(before[:, t], after[:, t])


@every
def test_the_model_is_its_parts_one_after_the_other(variant, fused):
    model, ids = model_of(variant, fused), some_ids()
    stack = model.stack
    x = stack.embed(ids)
    for layer, block in enumerate(stack.blocks):
        x = block(x, layer=layer, positions=stack.positions)
    torch.testing.assert_close(model(ids), stack.norm(x) @ model.head.weight.T)


@every
def test_the_first_block_reads_tokens_places_and_token_types(variant, fused):
    model, ids = model_of(variant, fused), some_ids()
    stack, config = model.stack, model.config
    expected = stack.tokens.weight[ids]
    if config.positions == "learned":
        expected = expected + stack.positions.positions.table.weight[: ids.shape[1]]
    if config.token_types:
        expected = expected + stack.token_types.weight[0]
    if config.positions != "sinusoidal":
        torch.testing.assert_close(stack.embed(ids), stack.embedding_norm(expected))
    if config.token_types:
        second = stack.embed(ids, token_types=torch.ones_like(ids))
        expected = expected + stack.token_types.weight[1] - stack.token_types.weight[0]
        torch.testing.assert_close(second, stack.embedding_norm(expected))


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_are_those_of_each_layer(variant):
    model, ids = model_of(variant), some_ids()
    weights = model.weights(ids)
    assert [w.shape for w in weights] == 3 * [(2, 4, 9, 9)]
    assert len({w.sum(dim=0)[0, 5].numpy().tobytes() for w in weights}) == 3
    for w in weights:
        torch.testing.assert_close(w.sum(-1), torch.ones(2, 4, 9).double())
        assert not w.triu(1).any()


# --- padding -------------------------------------------------------------------------------------------------


@every
def test_padding_in_front_or_behind_changes_nothing(variant, fused):
    model, ids = model_of(variant, fused), some_ids(1)
    alone = model(ids)
    for side in ("left", "right"):
        fill = torch.full((1, 3), 5)
        parts = (fill, ids) if side == "left" else (ids, fill)
        text = torch.cat([torch.full_like(part, part is ids) for part in parts], dim=1)
        padded = model(torch.cat(parts, dim=1), attention_mask=text)
        torch.testing.assert_close(padded[text.bool()][None], alone, rtol=0, atol=1e-12)


def test_without_causal_padding_changes_nothing_either():
    model, ids = model_of("post", causal=False, positions="learned"), some_ids(1)
    text = torch.tensor([9 * [1] + 3 * [0]])
    padded = model(torch.cat([ids, ids[:, :3]], dim=1), attention_mask=text)
    torch.testing.assert_close(padded[:, :9], model(ids), rtol=0, atol=1e-12)


# --- the first weights ---------------------------------------------------------------------------------------


def test_first_weights_are_gpt2s():
    model = LanguageModel(
        LanguageModelConfig(500, d_model=64, n_layers=8, bias=True, tied=False, positions="learned")
    )
    for name, weight in model.named_parameters():
        if name.endswith("bias"):
            assert not weight.any(), name
        elif "norm" in name:
            assert (weight == 1).all(), name
        else:
            writes = "out_proj" in name or "down_proj" in name
            expected = 0.02 / (4 if writes else 1)  # sqrt(2 * 8) = 4
            standard_error = expected / math.sqrt(2 * weight.numel())
            assert abs(weight.std().item() - expected) < 5 * standard_error, name
            assert abs(weight.mean().item()) < 5 * expected / math.sqrt(weight.numel()), name


def test_at_first_every_token_is_about_equally_probable():
    model = LanguageModel(LanguageModelConfig(100, tied=False))  # a tied head expects the same token again
    law = model(torch.arange(50)[None]).log_softmax(-1)
    assert abs(law + math.log(100)).max() < 1.5
    assert abs(law.mean() + math.log(100)) < 0.05


def test_the_seed_makes_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (
        LanguageModel(LanguageModelConfig(VOCAB, d_model=16, tied=False, seed=seed))(some_ids())
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_a_tied_head_is_the_embedding_and_learns_with_it():
    model = LanguageModel(LanguageModelConfig(VOCAB, d_model=16))
    assert model.head.weight is model.stack.tokens.weight
    apart = LanguageModel(LanguageModelConfig(VOCAB, d_model=16, tied=False))
    assert not torch.equal(apart.head.weight, apart.stack.tokens.weight)
    assert LMHead(model.stack.tokens, tied=True).weight is model.stack.tokens.weight


# --- text ----------------------------------------------------------------------------------------------------


def test_text_goes_in_and_comes_out_through_the_tokenizer():
    tokenizer = BPETokenizer.train(["low lower lowest newer wider"] * 3, vocab_size=270)
    model = LanguageModel(LanguageModelConfig(tokenizer.vocab_size, d_model=16), tokenizer)
    ids = model.from_text("lower wide")
    assert ids.shape[0] == 1
    assert ids[0].tolist() == tokenizer.encode("lower wide")
    assert model.to_text(ids[0]) == "lower wide"
    with pytest.raises(ValueError, match="'tokenizer' must have at most vocab_size=9 ids"):
        LanguageModel(LanguageModelConfig(9, d_model=16), tokenizer)
    for call in (lambda m: m.from_text("a"), lambda m: m.to_text([1])):
        with pytest.raises(ValueError, match="must have a 'tokenizer'"):
            call(model_of())


# --- sizes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_are_counted_by_arithmetic(variant):
    model = model_of(variant)
    counts = count_parameters(model.config)
    assert counts.total == sum(p.numel() for p in model.parameters())

    def of(*parts):
        return sum(p.numel() for name, p in model.named_parameters() if any(part in name for part in parts))

    assert counts.embedding == of("stack.tokens.", "token_types")
    assert counts.positions == of("positions")
    assert counts.attention == of(".attention.")
    assert counts.feed_forward == of(".feed_forward.")
    assert counts.norms == of("norm")
    assert counts.head == (0 if model.config.tied else of("head"))


def test_published_models_have_as_many_parameters_as_published():
    assert count_parameters(gpt2_config()).total == 124_439_808
    assert count_parameters(llama_config()).total == 6_738_415_616


def test_the_modules_count_is_that_of_the_arithmetic_without_taking_memory():
    with torch.device("meta"):
        model = LanguageModel(llama_config())
    assert sum(p.numel() for p in model.parameters()) == count_parameters(llama_config()).total


@pytest.mark.parametrize(
    "variant", [name for name in VARIANTS if name != "shaw"]
)  # its bias is a product too
def test_flops_are_those_that_torch_counts(variant):
    model, ids = model_of(variant, fused=False), some_ids(3, 9)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(ids)
    assert counter.get_total_flops() == ids.numel() * flops_per_token(model.config, length=9)


def test_a_gate_costs_no_parameters_with_two_thirds_of_the_hidden_units():
    for d in (48, 96, 192):
        gated, plain = (
            count_parameters(LanguageModelConfig(VOCAB, d_model=d, feed_forward=kind)).feed_forward
            for kind in ("swiglu", "gelu")
        )
        assert gated == plain


def test_what_follows_from_the_sizes_follows_from_changed_sizes():
    config = LanguageModelConfig(VOCAB, d_model=48)
    wider = dataclasses.replace(config, d_model=96)
    assert (config.hidden, wider.hidden) == (128, 256)
    assert (config.head_size, wider.head_size) == (12, 24)


def test_lengths_below_1_are_named():
    with pytest.raises(ValueError, match="'length' must be at least 1"):
        flops_per_token(LanguageModelConfig(VOCAB), 0)


def test_hidden_states_are_what_the_head_reads():
    model, ids = model_of("llama"), some_ids()
    assert model.hidden(ids).shape == (2, 9, 16)
    np.testing.assert_allclose(
        model(ids).detach().numpy(), (model.hidden(ids) @ model.head.weight.T).detach().numpy()
    )
