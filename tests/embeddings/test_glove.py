"""GloVe's loss and its minimum, against finite differences, singular values and alternating least squares."""

import numpy as np
import pytest
import torch
from scipy import sparse

from lmcourse.embeddings.glove import GloVeConfig, glove_loss, glove_weight, train_glove

EVERY_COUNT_ALIKE = 1e-9  # an x_max so small that every weight is 1


def counts(n=12, seed=0):
    return np.exp(np.random.default_rng(seed).normal(size=(n, n)) + 2)


def centred(matrix):
    """What no bias of a row or a column can explain."""
    return matrix - matrix.mean(0) - matrix.mean(1, keepdims=True) + matrix.mean()


def loss_of(model, x, weight):
    scores = model.words @ model.contexts.T + model.word_bias[:, None] + model.context_bias
    return (weight * (scores - np.log(x)) ** 2).sum()


def alternating_least_squares(x, weight, d, starts=6, rounds=300):
    """The lowest loss found by solving for one side while the other is held, from several starts."""
    n, target, best = len(x), np.log(x), np.inf
    for seed in range(starts):
        rng = np.random.default_rng(seed)
        context, context_bias = rng.normal(size=(n, d)), np.zeros(n)
        for _ in range(rounds):
            for rows in (target, target.T):
                root = np.sqrt(weight if rows is target else weight.T)
                design = np.column_stack([context, np.ones(n)])
                solved = np.array(
                    [
                        np.linalg.lstsq(root[i, :, None] * design, root[i] * (rows[i] - context_bias))[0]
                        for i in range(n)
                    ]
                )
                error = (root**2 * (solved @ design.T + context_bias - rows) ** 2).sum()
                context, context_bias = solved[:, :d], solved[:, d]
        best = min(best, error)
    return best


def test_the_weight_is_the_papers():
    x = np.array([0.0, 1.0, 50.0, 100.0, 1e6])
    expected = np.array([0.0, 0.01**0.75, 0.5**0.75, 1.0, 1.0])  # equation 9
    np.testing.assert_allclose(glove_weight(torch.from_numpy(x)).numpy(), expected)


def test_the_gradient_agrees_with_finite_differences():
    generator = torch.Generator().manual_seed(0)

    def numbers(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    learned = [part.requires_grad_() for part in (numbers(5, 3), numbers(5, 3), numbers(5), numbers(5))]
    log_counts, weight = numbers(5), numbers(5).abs()
    assert torch.autograd.gradcheck(lambda *parts: glove_loss(*parts, log_counts, weight), learned)


def test_one_step_moves_along_the_gradient_of_the_loss():
    """One batch from the same start: each row by lr times its gradient over the root mean square of that gradient."""
    x, config = counts(4), GloVeConfig(d=3, epochs=1, lr=0.1, batch_size=16, x_max=20.0)
    generator = torch.Generator().manual_seed(config.seed)
    parts = [(torch.rand(4, 3, generator=generator) - 0.5) / 3 for _ in range(2)]
    parts = [*parts, torch.zeros(4), torch.zeros(4)]
    for part in parts:
        part.requires_grad_()
    i, j = torch.arange(4).repeat_interleave(4), torch.arange(4).repeat(4)
    met = torch.from_numpy(x.astype(np.float32))[i, j]
    loss = glove_loss(parts[0][i], parts[1][j], parts[2][i], parts[3][j], met.log(), glove_weight(met, 20.0))
    loss.backward()
    model = train_glove(sparse.csr_array(x), config)
    assert model.losses == [pytest.approx(loss.item() / 16, rel=1e-5)]
    for part, found in zip(
        parts, (model.words, model.contexts, model.word_bias, model.context_bias), strict=True
    ):
        slope = part.grad if part.grad.ndim > 1 else part.grad[:, None]
        moved = part.detach().reshape(slope.shape) - 0.1 * slope / slope.square().mean(1, keepdim=True).sqrt()
        np.testing.assert_allclose(found.reshape(slope.shape), moved.numpy(), atol=1e-5)


def test_with_enough_dimensions_the_logarithms_are_met_exactly():
    x = counts()
    model = train_glove(
        sparse.csr_array(x), GloVeConfig(d=12, epochs=1500, lr=0.2, x_max=EVERY_COUNT_ALIKE, batch_size=144)
    )
    assert loss_of(model, x, 1.0) < 1e-4 * np.square(centred(np.log(x))).sum()


def test_with_few_dimensions_it_reaches_the_best_of_that_rank():
    x, d = counts(), 3
    model = train_glove(
        sparse.csr_array(x), GloVeConfig(d=d, epochs=1500, lr=0.2, x_max=EVERY_COUNT_ALIKE, batch_size=144)
    )
    # Biases take up the means of rows and columns; the rest is the theorem of Eckart and Young.
    best = np.square(np.linalg.svd(centred(np.log(x)), compute_uv=False)[d:]).sum()
    assert best * (1 - 1e-5) <= loss_of(model, x, 1.0) <= 1.01 * best


def test_with_weights_it_reaches_what_alternating_least_squares_reaches():
    x, d = counts(8), 2
    weight = glove_weight(torch.from_numpy(x), x_max=20.0).numpy()
    best = alternating_least_squares(x, weight, d)
    model = train_glove(sparse.csr_array(x), GloVeConfig(d=d, epochs=2500, lr=0.1, x_max=20.0, batch_size=64))
    assert best * (1 - 1e-4) <= loss_of(model, x, weight) <= 1.03 * best


def test_pairs_never_met_are_left_out():
    x = counts()
    x[np.random.default_rng(1).random(x.shape) < 0.4] = 0
    config = GloVeConfig(d=12, epochs=800, lr=0.2, x_max=EVERY_COUNT_ALIKE, batch_size=100)
    model = train_glove(sparse.csr_array(x), config)
    met = x > 0
    scores = model.words @ model.contexts.T + model.word_bias[:, None] + model.context_bias
    np.testing.assert_allclose(scores[met], np.log(x[met]), atol=0.1)
    assert model.losses[-1] < 1e-3
    rows, columns = np.indices(x.shape).reshape(2, -1)
    stored_zeros = sparse.csr_array((x.ravel(), (rows, columns)), shape=x.shape)
    assert stored_zeros.nnz > met.sum()
    short = GloVeConfig(d=2, epochs=2)
    np.testing.assert_array_equal(
        train_glove(stored_zeros, short).words, train_glove(sparse.csr_array(x), short).words
    )


def test_the_same_seed_gives_the_same_vectors():
    x = sparse.csr_array(counts())
    first, again, other = (train_glove(x, GloVeConfig(d=4, epochs=3, seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert not np.array_equal(first.vectors, other.vectors)
    np.testing.assert_array_equal(first.vectors, first.words + first.contexts)


def test_bad_arguments_are_named():
    for wrong in (np.ones((2, 3)), np.zeros((2, 2)), -np.ones((2, 2))):
        with pytest.raises(ValueError, match="'counts' must be square, at least 0 and not all 0"):
            train_glove(sparse.csr_array(wrong))
    for name in ("d", "epochs", "batch_size"):
        with pytest.raises(ValueError, match=f"'{name}' must be positive, got 0"):
            GloVeConfig(**{name: 0})
