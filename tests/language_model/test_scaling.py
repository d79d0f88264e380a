"""Power laws through points that are on one, and a small model beside a larger one; what is recorded is a line."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from lmcourse.corpora import preferences
from lmcourse.language_model import LanguageModel, scaling
from lmcourse.language_model.scaling import Scaling, fit_power_law
from lmcourse.recurrence.language_model import document_surprisal


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SMALL = preferences(n_verbs=4, n_nouns=20)


@pytest.fixture(autouse=True)
def small_source(monkeypatch):
    monkeypatch.setattr(scaling, "HELD_OUT", 400)
    monkeypatch.setattr(scaling, "preferences", lambda: SMALL)


def test_the_fit_is_scipy_s_line_on_logarithms():
    rng = np.random.default_rng(0)
    x = np.array([1e3, 4e3, 2e4, 9e4])
    y = 40 * x**-0.6 * np.exp(rng.normal(0, 0.1, size=(3, 4)))  # three seeds
    ours = fit_power_law(x, y)
    line = stats.linregress(np.log(np.tile(x, 3)), np.log(y.ravel()))
    assert ours.exponent == pytest.approx(line.slope, rel=1e-9)
    assert ours.constant == pytest.approx(math.exp(line.intercept), rel=1e-9)
    assert ours.r2 == pytest.approx(line.rvalue**2, rel=1e-9)
    alone = [stats.linregress(np.log(x), np.log(row)).slope for row in y]
    assert ours.spread == pytest.approx(np.std(alone, ddof=1), rel=1e-9)
    assert fit_power_law(x, y[0]) == (*fit_power_law(x, y[:1])[:3], 0.0)
    assert fit_power_law(x, y[0]).exponent == pytest.approx(alone[0], rel=1e-9)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            [1, 2],
            [1.0, 2.0, 3.0],
            r"'y' must have one value, or one a seed, for each of 2 x, got shape \(1, 3\)",
        ),
        ([1, 2], [1.0, -0.1], "must be positive"),
        ([2, 2], [1.0, 1.0], "at least two different ones"),
    ],
)
def test_points_that_lie_on_no_power_law_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(x, y)


def test_a_training_is_counted_in_parameters_tokens_and_operations():
    small, large = (scaling.train_for_scaling(d, 4, 64) for d in (4, 8))
    vocab = len(SMALL.vocab)
    per_token = 3 * (2 * (4 * 8 * 8 + 3 * 8 * 24 + 8 * vocab) + 4 * 8 * scaling.ROW)
    model = LanguageModel(scaling.scaling_config(vocab, 8))
    assert large[0] == sum(weights.numel() for weights in model.parameters()) > small[0]
    assert large[1] == per_token * 4 * 1024
    assert scaling.train_for_scaling(8, 4, 64) == large, "one seed, one result"
    assert scaling.train_for_scaling(8, 4, 64, seed=1)[2] != large[2]


def test_the_excess_is_the_loss_above_the_exact_law(monkeypatch):
    models = []
    monkeypatch.setattr(scaling, "train_on_documents", lambda model, *rest, **options: models.append(model))
    _, _, excess = scaling.train_for_scaling(4, 1, 16, seed=3)
    held_out = SMALL.sample(400, seed=7)
    loss = document_surprisal(models[0], held_out.documents()).mean()
    assert excess == pytest.approx(loss - SMALL.surprisal(held_out).mean(), abs=1e-12)
    assert 1 < excess < math.log(len(SMALL.vocab))  # nothing was learned


def test_seeds_and_trainings_stand_in_their_places(monkeypatch):
    monkeypatch.setattr(scaling, "side_by_side", lambda f, jobs, n_jobs, progress: [f(*job) for job in jobs])
    monkeypatch.setattr(
        scaling, "train_for_scaling", lambda d, n, batch, seed: (10 * d, 6.0 * d * n, seed + n / d)
    )
    found = scaling.measure_scaling([(1, 8, 2), (2, 8, 2)], seeds=[0, 5])
    assert found == Scaling([10, 20], [256, 256], [48.0, 96.0], [[8.0, 4.0], [13.0, 9.0]])
    assert found.fit("parameters").exponent == pytest.approx(
        np.mean([-1, math.log(9 / 13) / math.log(2)]), rel=1e-6
    )
    three = Scaling([1, 2, 4], [1] * 3, [1.0] * 3, [[8.0, 4.0, 4.0]])
    assert three.fit("parameters", first=2).exponent == pytest.approx(-1)
    assert three.fit("parameters").exponent == pytest.approx(-0.5)
    with pytest.raises(ValueError, match="'trainings' and 'seeds' must not be empty"):
        scaling.measure_scaling([], seeds=[0])
