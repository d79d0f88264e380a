"""Attention alone: what the layers compute, that nothing leaks, the scores of heads, and that recall takes two layers."""

import numpy as np
import pytest
import torch
from torch import nn

from lmcourse.attention import (
    SelfAttentionLM,
    SelfAttentionLMConfig,
    induction_score,
    influence,
    previous_token_score,
)
from lmcourse.embeddings import POSITION_SCHEMES
from tests.attention.support import draws

TIME = 7


def model_with(**sizes) -> SelfAttentionLM:
    return SelfAttentionLM(SelfAttentionLMConfig(11, **{"d_model": 8, **sizes})).double()


def some_ids(n: int = 2, length: int = TIME, seed: int = 0) -> torch.Tensor:
    return torch.randint(11, (n, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("feed_forward", [0, 12])
def test_it_is_torchs_attention_in_pre_norm_layers_on_a_stream(feed_forward):
    """With positions "none", so that torch's module computes the same."""
    model = model_with(positions="none", n_layers=3, feed_forward=feed_forward)
    x = model.embedding.weight[some_ids()]
    future = nn.Transformer.generate_square_subsequent_mask(TIME, dtype=torch.float64)
    for n, attention in enumerate(model.layers.layers):
        theirs = nn.MultiheadAttention(8, 2, batch_first=True).double()
        with torch.no_grad():
            projections = (attention.q_proj, attention.k_proj, attention.v_proj)
            theirs.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
            theirs.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
            theirs.out_proj.load_state_dict(attention.out_proj.state_dict())
        normed = model.layers.norms[n](x)
        x = x + theirs(normed, normed, normed, attn_mask=future, need_weights=False)[0]
        if feed_forward:
            norm, first, _, second = model.layers.feed_forwards[n]
            x = x + second(nn.functional.gelu(first(norm(x))))
    logits = model.layers.norm(x) @ model.embedding.weight.T
    torch.testing.assert_close(model(some_ids()), logits)


@pytest.mark.parametrize("name", POSITION_SCHEMES)
def test_no_vector_depends_on_a_later_place(name):
    layers = model_with(positions=name).layers
    found = influence(lambda x: layers(x, causal=True), draws(TIME, 8))
    assert not found.triu(1).any()
    assert found[np.tril_indices(TIME)].min() > 1e-9


def test_each_layer_has_its_own_part_of_the_scheme():
    """Shaw's scheme has tables for each layer: all of them are used."""
    model = model_with(positions="shaw", n_layers=3)
    model(some_ids()).square().sum().backward()
    assert (model.layers.positions.tables.grad.flatten(1).abs().sum(-1) > 0).all()


def test_changing_later_tokens_leaves_earlier_logits_to_the_last_bit():
    model, ids = model_with(), some_ids()
    for t in range(1, TIME):
        changed = ids.clone()
        changed[:, t:] = (ids[:, t:] + 1) % 11
        before, after = model(ids), model(changed)
        assert torch.equal(before[:, :t], after[:, :t])
        assert not torch.equal(before[:, t], after[:, t])


def test_weights_are_those_that_the_fused_model_uses():
    model, ids = model_with(n_layers=1), some_ids()
    (weights,) = model.weights(ids)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, TIME).double())
    assert not weights.triu(1).any()
    attention = model.layers.layers[0]
    x = model.embedding(ids)
    normed = model.layers.norms[0](x)
    values = attention.v_proj(normed).view(2, TIME, 2, 4)
    taken = torch.einsum("bhqk,bkhd->bqhd", weights, values).flatten(2)
    out = model.layers.norm(x + attention.out_proj(taken))
    torch.testing.assert_close(model(ids), out @ model.embedding.weight.T)


def test_the_seed_makes_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (model_with(seed=seed)(some_ids()) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


# --- what heads do -------------------------------------------------------------------------------------------


def test_scores_of_heads_are_means_over_the_places_that_count():
    ids = some_ids(3, 12)
    weights = draws(3, 2, 12, 12).softmax(-1)
    where = draws(3, 12) > 0
    terms: list[list[float]] = [[], []]
    for b, row in enumerate(ids.tolist()):
        for t, token in enumerate(row):
            if token in row[:t] and where[b, t]:
                behind = [j + 1 for j in range(t) if row[j] == token]
                for head in range(2):
                    terms[head].append(sum(weights[b, head, t, k].item() for k in behind))
    found = induction_score(weights, ids, where)
    assert found.tolist() == pytest.approx([np.mean(terms[0]), np.mean(terms[1])])
    before = [np.mean([weights[b, h, t, t - 1] for b in range(3) for t in range(1, 12)]) for h in range(2)]
    assert previous_token_score(weights).tolist() == pytest.approx(before)


def test_a_head_that_copies_scores_1():
    ids = torch.tensor([[1, 2, 3, 1, 2, 3]])
    perfect = torch.zeros(1, 1, 6, 6)
    for t in range(6):
        perfect[0, 0, t, max(t - 2, 0)] = 1  # behind the place three back
    assert induction_score(perfect, ids).item() == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: induction_score(torch.zeros(1, 1, 3, 3), some_ids(1, 4)),
            "'weights' must have shape .1, heads, 4, 4",
        ),
        (
            lambda: induction_score(torch.zeros(1, 1, 3, 3), torch.tensor([[1, 2, 3]])),
            "'ids' must hold a token",
        ),
        (lambda: model_with(positions="x"), "'name' must be one of"),
        (lambda: model_with(n_heads=3), "'d_model' must be a multiple of n_heads=3, got 8"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
