"""Warm starts: a good approximation helps, a wrong one does no harm."""

from __future__ import annotations

import json

import numpy as np
import pytest

from limen.active.surrogates import difference
from limen.active.surrogates.averaging import Averaged, guard_weight
from limen.active.surrogates.fidelity import METHODS, MOST_EXPENSIVE, fit_with_approximation
from limen.active.surrogates.multitask import fit_multitask
from limen.active.surrogates.processes import fit_process
from limen.errors import UsageError

pytest.importorskip("gpytorch")


def _dear(x):
    return np.sin(5 * x[:, 0]) * (1 + x[:, 1]) + 0.5 * x[:, 1]


def _cheap(x):
    return 0.7 * np.sin(5 * x[:, 0] + 0.1) * (1 + x[:, 1]) - 1


SOURCES = {
    "right": _cheap,
    "turned": lambda x: -_cheap(x),
    "noise": lambda x: np.random.default_rng(9).normal(size=len(x)),
    "constant": lambda x: np.full(len(x), 3.0),
}


def _fit(points, values, errors, *, previous=None):
    return fit_multitask(points, values, errors)


def _rows(source, n=10, cheap=40):
    rng = np.random.default_rng(5)
    x = rng.random((n + cheap, 2))
    fidelity = np.repeat(np.array([0, 1], np.int8), [n, cheap])
    y = np.where(fidelity == 0, _dear(x), SOURCES[source](x))[:, None]
    return x, y, np.zeros_like(y), fidelity


def _error(posterior):
    points = np.random.default_rng(6).random((500, 2))
    return float(np.sqrt(np.mean((posterior.mean_std(points)[0][:, 0] - _dear(points)) ** 2)))


@pytest.fixture(scope="module")
def alone():
    return fit_with_approximation(*_rows("right"), _fit, method="none")


@pytest.mark.parametrize("method", [method for method in METHODS if method != "none"])
@pytest.mark.parametrize("source", ["right", "turned"])
def test_a_related_approximation_helps_whatever_its_sign(method, source, alone):
    posterior = fit_with_approximation(*_rows(source), _fit, method=method)
    assert _error(posterior) < 0.8 * _error(alone)


@pytest.mark.parametrize("source", ["noise", "constant"])
def test_an_unrelated_approximation_does_no_harm(source, alone):
    posterior = fit_with_approximation(*_rows(source), _fit)
    assert _error(posterior) < 1.1 * _error(alone)


def test_without_approximations_the_plain_fit_is_given():
    x, y, errors, fidelity = _rows("right")
    real = fidelity == 0
    posterior = fit_with_approximation(x[real], y[real], errors[real], fidelity[real], _fit)
    assert not isinstance(posterior, Averaged)


def test_the_approximation_is_fitted_once_and_remembered_as_plain_data():
    x, y, errors, fidelity = _rows("right")
    first = fit_with_approximation(x, y, errors, fidelity, _fit)
    memory = json.loads(json.dumps(first.hyperparameters))
    memory["fidelity"]["sources"]["0/1"]["noise"] = [0.5]
    again = fit_with_approximation(x, y, errors, fidelity, _fit, previous=memory)
    assert again.hyperparameters["fidelity"]["sources"]["0/1"]["noise"] == [0.5]
    memory["fidelity"]["sources"]["0/1"]["digest"] = 0
    again = fit_with_approximation(x, y, errors, fidelity, _fit, previous=memory)
    assert again.hyperparameters["fidelity"] == first.hyperparameters["fidelity"]


def test_of_two_approximations_the_better_one_is_taken():
    x, y, errors, fidelity = _rows("right")
    worse = np.random.default_rng(8).random((40, 2))
    noise = SOURCES["noise"](worse)[:, None]
    posterior = fit_with_approximation(
        np.vstack([x, worse]),
        np.vstack([y, noise]),
        np.vstack([errors, 0 * noise]),
        np.concatenate([fidelity, np.full(40, 2, np.int8)]),
        _fit,
    )
    assert _error(posterior) == pytest.approx(
        _error(fit_with_approximation(x, y, errors, fidelity, _fit))
    )


def test_an_output_without_approximation_is_as_without_one():
    x, y, _, fidelity = _rows("right")
    both = np.hstack([y, np.where(fidelity == 0, x[:, 1], np.nan)[:, None]])
    posterior = fit_with_approximation(x, both, np.zeros_like(both), fidelity, _fit)
    plain = _fit(x[fidelity == 0], both[fidelity == 0], np.zeros((10, 2)))
    assert posterior.weights[1] == 0
    np.testing.assert_array_equal(posterior.mean_std(x)[0][:, 1], plain.mean_std(x)[0][:, 1])


@pytest.fixture(scope="module")
def half():
    posterior = fit_with_approximation(*_rows("right"), _fit)
    return Averaged(posterior.plain, posterior.informed, (0.5,), {})


def test_an_average_has_the_moments_of_its_mixture(half):
    points = np.random.default_rng(7).random((6, 2))
    rng = np.random.default_rng(0)
    chosen = rng.random((200_000, 1)) < 0.5
    informed, plain = (
        rng.normal(mean[:, 0], std[:, 0], (200_000, 6))
        for mean, std in (half.informed[0].mean_std(points), half.plain.mean_std(points))
    )
    draws = np.where(chosen, informed, plain)
    mean, std = half.mean_std(points)
    np.testing.assert_allclose(mean[:, 0], draws.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(std[:, 0], draws.std(axis=0), rtol=0.02, atol=1e-3)
    covariance = half.covariance(points, points, 0)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), std[:, 0], rtol=1e-5)


def test_conditioning_an_average_keeps_its_mean_and_takes_spread(half):
    points = np.random.default_rng(7).random((50, 2))
    later = half.conditioned(points[:2])
    np.testing.assert_allclose(later.mean_std(points)[0], half.mean_std(points)[0], atol=1e-9)
    assert (later.mean_std(points)[1] <= half.mean_std(points)[1] + 1e-9).all()


@pytest.mark.parametrize(
    ("gain", "low", "high"),
    [(1.0, 0.99, 1.0), (0.0, 0.13, 0.2), (-1.0, 0.0, 0.01)],
    ids=["better", "alike", "worse"],
)
def test_the_guard_weighs_by_what_is_gained_point_by_point(gain, low, high):
    noise = np.random.default_rng(3).normal(0, 0.5, 30)
    assert low <= guard_weight(gain + noise - noise.mean(), np.zeros(30)) <= high


def test_an_unknown_method_is_refused():
    with pytest.raises(UsageError, match="allowed auto, none, ar1, multitask"):
        fit_with_approximation(*_rows("right"), _fit, method="both")


def test_with_many_expensive_values_an_approximation_is_left_out():
    x = np.random.default_rng(0).random((MOST_EXPENSIVE + 5, 1))
    fidelity = np.repeat(np.array([0, 1], np.int8), [MOST_EXPENSIVE + 1, 4])

    def fit(points, values, errors, *, previous=None):
        return _fit(points[:20], values[:20], errors[:20])

    posterior = fit_with_approximation(x, np.sin(x), 0 * x, fidelity, fit)
    assert posterior.weights == (0.0,)


def test_an_average_foretells_left_out_values_by_the_mixture(half):
    informed, plain = half.informed[0].leave_one_out(0), half.plain.leave_one_out(0)
    expected = np.log(0.5 * np.exp(informed) + 0.5 * np.exp(plain))
    assert np.allclose(half.leave_one_out(0), expected)
    assert half.noise(0) == pytest.approx((half.informed[0].noise(0) + half.plain.noise(0)) / 2)


@pytest.mark.parametrize("structure", ["plain", "rough", "additive"])
def test_derivatives_of_the_difference_agree_with_finite_differences(structure):
    optimize = pytest.importorskip("scipy.optimize")
    x, y, errors, fidelity = _rows("right", n=12, cheap=20)
    cheap, dear = fidelity == 1, fidelity == 0
    terms = fit_process(x[cheap], y[cheap], errors[cheap], structure=structure).fits[0]["terms"]
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(12, 12))
    told = difference._Told(
        x[dear], y[dear, 0], np.full(12, 0.1), rng.normal(size=12), spread @ spread.T
    )
    layout = difference._layout(terms, 2)
    place = layout.first + rng.normal(0, 0.3, len(layout.first)) * layout.free

    def loss(free):
        moved = place.copy()
        moved[layout.free] = free
        return difference._loss(moved, told, layout)[0]

    expected = optimize.approx_fprime(place[layout.free], loss, 1e-7)
    found = difference._loss(place, told, layout)[1][layout.free]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
