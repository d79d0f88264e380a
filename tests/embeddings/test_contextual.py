"""The Transformer used as an instrument: it does not see the future, it knows order where it should, and probes are honest."""

import numpy as np
import pytest
import torch

from lmcourse.embeddings.contextual import (
    ProbeConfig,
    ProbeTransformer,
    excess_by_position,
    row_index,
    token_losses,
)
from lmcourse.embeddings.lengths import length_generalization, train_probe
from lmcourse.embeddings.positions import POSITION_SCHEMES
from lmcourse.embeddings.senses import hidden_states, sense_probe
from lmcourse.training import TrainConfig

CONFIG = ProbeConfig(vocab_size=11, d_model=16, n_heads=2, n_layers=2, max_length=20)


def model_with(positions: str, **sizes: int) -> ProbeTransformer:
    return ProbeTransformer(ProbeConfig(**{**vars(CONFIG), **sizes, "positions": positions})).double().eval()


def rows(n: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(11, (n, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("positions", POSITION_SCHEMES)
def test_no_output_depends_on_a_later_token(positions):
    model = model_with(positions)
    embedded = []
    model.embedding.register_forward_hook(lambda module, args, out: embedded.append(out.requires_grad_()))
    logits = model(rows(1, 9))
    for t in range(9):
        (gradient,) = torch.autograd.grad(logits[0, t].sum(), embedded[0], retain_graph=True)
        reached = gradient[0].abs().sum(-1) > 0
        assert reached.tolist() == [True] * (t + 1) + [False] * (8 - t)


@pytest.mark.parametrize("positions", POSITION_SCHEMES)
def test_with_one_layer_only_a_scheme_can_tell_the_order_of_the_past(positions):
    """Without positions a causal layer sees the tokens before the last as a set."""
    model = model_with(positions, n_layers=1)
    for parameter in model.positions.parameters():
        torch.nn.init.normal_(parameter)
    one, other = torch.tensor([[1, 2, 3, 4, 5]]), torch.tensor([[3, 1, 4, 2, 5]])
    same = torch.allclose(model(one)[0, -1], model(other)[0, -1], atol=1e-9)
    assert same == (positions == "none")


@pytest.mark.parametrize("positions", [n for n in POSITION_SCHEMES if n not in ("sinusoidal", "learned")])
def test_what_stands_out_of_reach_does_not_count_where_positions_are_relative(positions):
    """The same text further to the right gives the same vector at layer 0: nothing absolute is added."""
    model = model_with(positions)
    text = rows(1, 5)
    later = torch.cat([rows(1, 7, seed=1), text], dim=1)
    assert torch.equal(model.hidden(text)[0], model.hidden(later)[0][:, 7:])


def test_learned_positions_end_and_say_so():
    model = model_with("learned")
    model(rows(1, 20))
    with pytest.raises(ValueError, match="'positions' must be below max_length=20"):
        model(rows(1, 21))
    assert model_with("alibi")(rows(1, 50)).shape == (1, 50, 11)


def test_loss_is_the_surprisal_of_the_next_token_in_nats():
    model, text = model_with("rope"), rows(3, 6)
    log_probabilities = model(text).log_softmax(-1)
    losses = token_losses(model, text)
    for b in range(3):
        for t in range(5):
            torch.testing.assert_close(losses[b, t], -log_probabilities[b, t, text[b, t + 1]])


def test_excess_is_loss_minus_surprisal_for_each_position():
    model, text = model_with("rope"), rows(5, 6)
    surprisal = np.random.default_rng(0).random((5, 5))
    excess = excess_by_position(model, text, surprisal, batch_size=2)
    expected = (token_losses(model, text).detach().numpy() - surprisal).mean(0)
    np.testing.assert_allclose(excess, expected)


def test_the_seed_makes_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (ProbeTransformer(ProbeConfig(11, d_model=8, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    weights = [torch.cat([p.flatten() for p in m.parameters()]) for m in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_rows_begin_behind_the_end_of_a_document_and_do_not_overlap():
    starts = np.array([0, 3, 5, 8, 13])
    index = row_index(starts, 20, length=4)
    assert index.tolist() == [[2, 3, 4, 5, 6], [7, 8, 9, 10, 11], [12, 13, 14, 15, 16]]
    assert row_index([0, 4, 8, 12], 16, length=4)[:, 0].tolist() == [3, 7, 11]  # no document is left out
    with pytest.raises(ValueError, match="'length' must leave at least one row in 20 tokens, got 30"):
        row_index(starts, 20, length=30)


# Train short, test long

COPY = np.tile(np.array([3, 1, 4, 1, 5, 9, 2], dtype=np.int32), 100)  # two tokens tell the next


def test_a_trained_model_knows_a_text_that_repeats_also_beyond_its_training_length():
    config, training = (
        ProbeConfig(11, d_model=16, n_heads=2),
        TrainConfig(steps=100, batch_size=8, lr=1e-2, warmup=10),
    )
    test_rows, floor = torch.from_numpy(COPY[:66].astype(np.int64)).view(2, 33), np.zeros((2, 32))
    excess = length_generalization(
        config, COPY, 8, test_rows, floor, training, ["shaw", "learned"], progress=False
    )
    assert excess["shaw"][2:].max() < 0.1
    assert excess["learned"][2:8].max() < 0.1
    assert np.isnan(excess["learned"][8:]).all()
    assert not np.isnan(excess["shaw"]).any()


def test_each_scheme_is_trained_as_if_alone():
    config, training = ProbeConfig(11, d_model=8), TrainConfig(steps=3, batch_size=4, warmup=1, seed=7)
    test_rows, floor = torch.from_numpy(COPY[:36].astype(np.int64)).view(2, 18), np.zeros((2, 17))
    together = length_generalization(
        config, COPY, 8, test_rows, floor, training, ["t5", "rope"], progress=False
    )
    alone, history = train_probe(
        ProbeConfig(11, d_model=8, positions="rope"), COPY, 8, training, progress=False
    )
    np.testing.assert_array_equal(together["rope"], excess_by_position(alone, test_rows, floor))
    assert not np.array_equal(together["t5"], together["rope"])
    assert history.tokens[-1] == 3 * 4 * 8


# Senses


def test_a_probe_finds_what_is_there_and_nothing_where_nothing_is():
    rng = np.random.default_rng(0)
    senses = rng.integers(0, 2, 400)
    noise = rng.normal(size=(400, 8))
    blind = sense_probe(noise, senses, seed=1)
    seeing = sense_probe(noise + 3 * np.outer(senses, rng.normal(size=8)), senses, seed=1)
    assert seeing.accuracy > 0.95
    assert abs(blind.accuracy - 0.5) < 0.1
    assert abs(seeing.shuffled - 0.5) < 0.1


def test_equal_rows_give_the_majority():
    senses = np.array([0] * 70 + [1] * 30)
    result = sense_probe(np.ones((100, 5)), senses)
    assert result.accuracy == pytest.approx(0.7)
    assert result.majority == 0.7


def test_hidden_states_are_those_of_the_tokens_asked_for():
    model, text = model_with("rope"), rows(7, 6)
    where = np.array([[0, 0], [6, 5], [3, 2]])
    layers = hidden_states(model, text, where, batch_size=4)
    for layer, expected in zip(layers, model.hidden(text), strict=True):
        np.testing.assert_allclose(layer, expected.detach()[[0, 6, 3], [0, 5, 2]].numpy(), atol=1e-12)


def test_bad_arguments_of_a_probe_are_refused_by_name():
    with pytest.raises(
        ValueError, match="'senses' must hold two senses or more, each at least 5 times, got \\[9, 1\\]"
    ):
        sense_probe(np.ones((10, 2)), np.array([0] * 9 + [1]))
