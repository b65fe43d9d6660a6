"""The likelihood that ships: its slopes, its published values, its pseudo-experiments."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest

from limen import resources
from limen.bsll import BOX, COLUMNS, BsllLikelihood, likelihood

SHARED = Path(os.environ.get("LIMEN_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
STANDARD = np.zeros((1, 10))


@pytest.fixture(scope="module")
def model():
    return likelihood()


@pytest.fixture(scope="module")
def best(model):
    return model.best_fit(np.random.default_rng(0), starts=24)


def inside(model, n, seed=0):
    return np.random.default_rng(seed).uniform(model.low, model.high, (n, 10))


def test_the_standard_model_has_the_published_chi2(model):
    assert -2 * model.log_likelihood(STANDARD)[0] == pytest.approx(48.597, abs=5e-4)


def test_the_best_fit_has_the_published_chi2_and_lies_in_the_box(model, best):
    point, value = best
    assert -2 * value == pytest.approx(29.714, abs=2e-3)
    assert np.all((point >= model.low) & (point <= model.high))
    assert model.log_likelihood(point[None])[0] == pytest.approx(value, abs=1e-12)


def test_the_names_of_the_box_are_those_of_the_likelihood(model):
    assert model.names == COLUMNS == tuple(BOX)
    assert len(model.observables) == len(model.measured) == 20
    assert model.predict(STANDARD).shape == (1, 20)


@pytest.mark.parametrize("which", ["likelihood.json", "bsll10.json"])
def test_values_are_those_of_the_evaluator_beside_the_data(model, which):
    folder = SHARED / "flavio_bsll10"
    if not (folder / "evaluate.py").is_file():
        pytest.skip(f"{folder} is not here; set LIMEN_SHARED_DATA")
    spec = importlib.util.spec_from_file_location("evaluate", folder / "evaluate.py")
    evaluate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(evaluate)
    source = folder / which if which == "likelihood.json" else resources.data_path(which)
    theirs = evaluate.BsllLikelihood(source)
    X = np.vstack([STANDARD, inside(model, 300)])
    assert np.allclose(model.log_likelihood(X), theirs.loglike(X), rtol=1e-12, atol=1e-10)
    assert np.allclose(model.predict(X), theirs.predict(X), rtol=1e-12)


def test_slopes_are_those_of_finite_differences(model):
    X = inside(model, 6, seed=2)
    slopes = model._jacobian(X)
    assert slopes.shape == (6, 20, 10)
    for i in range(10):
        h = 1e-4 * (model.high[i] - model.low[i])
        step = np.eye(10)[i] * h
        expected = (model.residuals(X + step) - model.residuals(X - step)) / (2 * h)
        size = np.abs(expected).max(axis=1, keepdims=True)
        assert np.all(np.abs(slopes[:, :, i] - expected) <= 1e-5 * size + 1e-8)


def test_residuals_of_other_data_are_zero_where_they_are_predicted(model):
    X = inside(model, 5)
    assert np.abs(model.residuals(X, model.predict(X))).max() < 1e-9


def test_minimisation_never_climbs_and_stays_in_the_box(model):
    starts = inside(model, 20, seed=3) * 3
    points, chi2 = model.minimise(starts, iterations=15)
    begin = -2 * model.log_likelihood(np.clip(starts, model.low, model.high))
    assert np.all(chi2 <= begin)
    assert np.all((points >= model.low) & (points <= model.high))
    assert np.allclose(chi2, -2 * model.log_likelihood(points))


def along_c9(model, c9):
    X = np.zeros((len(c9), 10))
    X[:, model.names.index("C9_bsmumu")] = c9
    return -2 * model.log_likelihood(X)


def test_along_c9_alone_the_standard_model_is_far_away(model):
    c9 = np.linspace(-2.0, 1.0, 3001)
    chi2 = along_c9(model, c9)
    assert along_c9(model, [0.0])[0] - chi2.min() == pytest.approx(17.7, abs=0.05)
    low, high = c9[chi2 <= chi2.min() + 1.0][[0, -1]]
    assert (low, high) == pytest.approx((-0.79, -0.46), abs=0.01)


def profiled(c9, seed=0):
    """Smallest chi2 with C9 held: a box of no width in that direction."""
    model = BsllLikelihood(json.loads(resources.data_path("bsll10.json").read_text()))
    held = model.names.index("C9_bsmumu")
    model.low[held] = model.high[held] = c9
    starts = np.random.default_rng(seed).uniform(model.low, model.high, (24, 10))
    return model.minimise(starts, iterations=200)[1].min()


def test_profiled_over_the_other_nine_it_is_one_sigma_away(best):
    assert profiled(0.0) + 2 * best[1] == pytest.approx(1.04, abs=0.02)


@pytest.mark.parametrize(
    ("c9", "within"), [(-3.2, True), (-1.7, True), (-4.0, False), (0.4, False)]
)
def test_the_wide_box_does_not_cut_the_68_percent_interval_of_c9(best, c9, within):
    assert bool(profiled(c9) + 2 * best[1] < 1.0) is within
    assert BOX["C9_bsmumu"][0] < -4.0


def test_toys_are_reproducible_and_never_negative(model):
    one, again, other = (
        model.toys(np.zeros(10), 40, np.random.default_rng(seed), starts=2) for seed in (1, 1, 2)
    )
    assert one.tobytes() == again.tobytes()
    assert not np.array_equal(one, other)
    assert np.all(one >= 0)


def test_toys_at_the_standard_model_have_fewer_than_ten_degrees_of_freedom(model):
    delta = model.toys(np.zeros(10), 150, np.random.default_rng(4), starts=3)
    # Mean of chi2 with ten degrees of freedom: 10; flat directions and bounds lower it.
    assert 5.0 < delta.mean() < 8.5
    assert 10.0 < np.quantile(delta, 0.95) < 16.0
