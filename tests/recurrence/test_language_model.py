"""The language model: its law, its state, truncated training, and what it learns against known floors."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lmcourse.recurrence import (
    CELLS,
    RecurrentLM,
    RecurrentLMConfig,
    TruncatedLoss,
    batches_of_streams,
    recall_batches,
)
from lmcourse.sequences import LanguageModel, generate, log_probabilities
from lmcourse.training import TrainConfig, batches_of_rows, next_token_loss, train

CONFIG = RecurrentLMConfig(vocab_size=7, d_model=5, hidden_size=6, n_layers=2)


def model_with(cell: str = "lstm", **sizes: int) -> RecurrentLM:
    return RecurrentLM(RecurrentLMConfig(**{**vars(CONFIG), "cell": cell, **sizes})).double()


def rows(n: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(7, (n, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("cell", CELLS)
def test_the_logits_are_those_of_torchs_layers(cell):
    model = model_with(cell)
    make = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    theirs = make(5, 6, 2, batch_first=True).double()
    with torch.no_grad():
        for cell_, weights in zip(model.layers.cells, theirs.all_weights, strict=True):
            for mine, other in zip(cell_.parameters(), weights, strict=True):
                other.copy_(mine)
    ids = rows(3, 4)
    vectors = F.embedding(ids, model.embedding.weight)
    expected = theirs(vectors)[0] @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(ids), expected)


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_is_carried_and_lengths_are_kept(cell):
    model, ids = model_with(cell), rows(3, 6)
    whole, end = model.read(ids)
    state = None
    for t in range(6):
        logits, state = model.read(ids[:, t : t + 1], state)
        torch.testing.assert_close(logits[:, 0], whole[:, t])
    for mine, other in zip(state, end, strict=True):
        torch.testing.assert_close(mine, other)
    _, stopped = model.read(ids, lengths=torch.tensor([6, 2, 6]))
    torch.testing.assert_close(stopped[0][:, 1], model.read(ids[1:2, :2])[1][0][:, 0])


def test_loss_is_the_mean_surprisal_of_the_targets_in_nats():
    model, ids, targets = model_with(), rows(2, 4), rows(2, 4, seed=1)
    targets[0, 3] = -100
    law = model(ids).log_softmax(-1)
    terms = [-law[b, t, targets[b, t]] for b in range(2) for t in range(4) if targets[b, t] >= 0]
    loss, state = model.loss(ids, targets)
    torch.testing.assert_close(loss, torch.stack(terms).mean())
    torch.testing.assert_close(loss, next_token_loss(model, (ids, targets)))
    later, _ = model.loss(ids, targets, state)
    assert not torch.isclose(later, loss)


def test_next_probabilities_are_a_law_that_scores_and_writes():
    model = model_with(start_id=3)
    assert isinstance(model, LanguageModel)
    expected = model(torch.tensor([[3, 1, 5]])).softmax(-1)[0].detach().numpy()
    for n in range(3):
        np.testing.assert_allclose(model.next_probabilities([1, 5][:n]), expected[n])
    np.testing.assert_allclose(model.next_probabilities(np.array([1, 5])), expected[2])
    total = sum(
        math.exp(log_probabilities(model, text).sum()) for text in itertools.product(range(7), repeat=3)
    )
    assert total == pytest.approx(1)
    text = generate(model.float(), [1], end=0, max_new_tokens=20, seed=2)
    assert text == generate(model, [1], end=0, max_new_tokens=20, seed=2)
    assert text != generate(model, [1], end=0, max_new_tokens=20, seed=3)


def test_surprisal_is_the_chain_rule_document_by_document():
    model = model_with()
    documents = [[1, 2, 0], [], [4], np.array([5, 5, 6, 1, 0]), [2, 0]]
    expected = np.concatenate([-log_probabilities(model, [*map(int, document)]) for document in documents])
    for batch_size in (1, 2, 64):
        np.testing.assert_allclose(model.surprisal(documents, batch_size), expected)
    assert len(model.surprisal([])) == 0


def test_the_seed_makes_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (model_with(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    flat = [torch.cat([w.flatten() for w in model.parameters()]) for model in (one, two, other)]
    assert torch.equal(flat[0], flat[1])
    assert not torch.equal(flat[0], flat[2])


# --- truncated backpropagation -------------------------------------------------------------------------------


def test_streams_read_the_text_in_order_and_begin_again():
    ids = np.arange(100, 125)
    batches = list(itertools.islice(batches_of_streams(ids, row=3, batch_size=2), 5))
    streams = torch.cat([batch.input_ids for batch in batches[:4]], dim=1)
    assert streams.tolist() == [list(range(100, 112)), list(range(112, 124))]
    assert all(torch.equal(batch.targets, batch.input_ids + 1) for batch in batches)
    assert torch.equal(batches[4].input_ids, batches[0].input_ids)
    assert next(batches_of_streams(ids, row=4, batch_size=2)).input_ids.tolist() == [
        [100, 101, 102, 103],
        [112, 113, 114, 115],
    ]


@pytest.mark.parametrize("cell", CELLS)
def test_truncated_losses_are_those_of_the_whole_text(cell):
    model, ids = model_with(cell), rows(1, 25)[0]
    loss_fn = TruncatedLoss()
    batches = itertools.islice(batches_of_streams(ids, row=3, batch_size=2), 4)
    losses = torch.stack([loss_fn(model, batch) for batch in batches])
    streams = torch.stack([ids[:12], ids[12:24]]), torch.stack([ids[1:13], ids[13:25]])
    torch.testing.assert_close(losses.mean(), model.loss(*streams)[0])


def test_the_gradient_reaches_back_to_the_beginning_of_its_piece_and_no_further():
    model = model_with()
    vectors = []
    model.embedding.register_forward_hook(lambda module, args, out: vectors.append(out))
    loss_fn = TruncatedLoss()
    losses = [
        loss_fn(model, batch)
        for batch in itertools.islice(batches_of_streams(rows(1, 10)[0], row=3, batch_size=1), 3)
    ]
    for piece in range(3):
        gradients = torch.autograd.grad(losses[piece], vectors, allow_unused=True, retain_graph=True)
        reached = [gradient is not None and gradient.abs().sum(-1).min().item() > 0 for gradient in gradients]
        assert reached == [other == piece for other in range(3)]
    losses[0].backward()
    losses[1].backward()  # each graph ends at its piece, so nothing is asked for twice


# --- what it learns ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns_a_markov_chain_down_to_its_entropy(cell):
    """Each token is the last one or the next in the circle of 5, with 0.9 and 0.1: the floor is 0.3251 nats."""
    rng = np.random.default_rng(0)
    ids = np.cumsum(rng.random(20_001) < 0.1) % 5
    floor = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    model = RecurrentLM(RecurrentLMConfig(5, d_model=8, hidden_size=16, cell=cell))
    config = TrainConfig(steps=150, batch_size=16, lr=2e-2, warmup=10)
    train(model, batches_of_rows(ids, 20, 16), next_token_loss, config, progress=False)
    held_out = np.cumsum(rng.random(20_001) < 0.1) % 5
    excess = model.surprisal([held_out[1:]]).mean() - floor
    # The sample's own luck: the standard deviation of one surprisal is 0.66 nats, so 0.0047 over 20,000.
    assert -0.015 < excess < 0.03


def test_training_with_a_carried_state_learns_what_lies_before_the_piece():
    """A text that repeats itself every 4 tokens, in pieces of 1: only the state tells where in the text one is."""
    ids = np.tile([0, 1, 0, 2], 400)
    losses = {}
    for name, loss_fn in (("carried", TruncatedLoss()), ("anew", lambda m, batch: m.loss(*batch)[0])):
        model = RecurrentLM(RecurrentLMConfig(3, d_model=8, hidden_size=16, cell="gru"))
        config = TrainConfig(steps=300, batch_size=4, lr=1e-2, warmup=10)
        history = train(model, batches_of_streams(ids, 1, 4), loss_fn, config, progress=False)
        losses[name] = np.mean(history.loss[-20:])
    # Without the past, half the tokens (those after 0) are a fair coin: log(2) / 2 nats a token.
    assert losses["anew"] == pytest.approx(math.log(2) / 2, abs=0.03)
    assert losses["carried"] < 0.1


def test_recall_rows_ask_for_their_first_token():
    batch = next(recall_batches(n_symbols=5, gap=3, batch_size=200, seed=1))
    assert batch.input_ids.shape == (200, 5)
    assert set(batch.input_ids[:, 0].tolist()) == set(range(5))
    assert (batch.input_ids[:, 1:] == torch.tensor([5, 5, 5, 6])).all()
    assert torch.equal(batch.targets[:, -1], batch.input_ids[:, 0])
    assert (batch.targets[:, :-1] == -100).all()
    assert torch.equal(batch.input_ids, next(recall_batches(5, 3, 200, seed=1)).input_ids)
    assert not torch.equal(batch.input_ids, next(recall_batches(5, 3, 200, seed=2)).input_ids)


MODEL = RecurrentLM(CONFIG)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RecurrentLMConfig(7, start_id=7), "'start_id' must be an id below vocab_size=7, got 7"),
        (lambda: RecurrentLM(RecurrentLMConfig(7, cell="x")), "'cell' must be one of"),
        (lambda: MODEL.next_probabilities([1, 7]), "'prefix' must hold ids .* vocab_size=7, got .1, 7."),
        (lambda: MODEL.next_probabilities([-1]), "'prefix' must hold ids"),
        (lambda: MODEL.surprisal([[1]], batch_size=0), "'batch_size' must be at least 1, got 0"),
        (lambda: MODEL.surprisal([[1, 7]]), "'documents' must hold ids .* vocab_size=7, got 1 to 7"),
        (lambda: batches_of_streams(range(6), 3, 2), "'ids' must hold at least .* = 7 ids, got 6"),
        (lambda: batches_of_streams(range(6), 0, 2), "'row' must be at least 1, got 0"),
        (lambda: batches_of_streams(torch.zeros(2, 3), 1, 1), r"'ids' must be one row .* got shape \(2, 3\)"),
        (lambda: recall_batches(1, 3, 2), "'n_symbols' must be at least 2, got 1"),
        (lambda: recall_batches(2, -1, 2), "'gap' must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
