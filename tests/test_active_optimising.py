"""Bayesian optimisation: improvements as logarithms, and the strategy built on them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from limen.active.improvement import (
    ACQUISITIONS,
    acquire,
    log_expected_improvement,
    log_probability_of_improvement,
    upper_confidence_bound,
)
from limen.active.outputs import outputs_from_mapping
from limen.active.problem import FAILED, OK, History, Problem
from limen.active.spaces import Space
from limen.active.strategies import build
from limen.errors import ShapeError, UsageError

Z = np.array([5.0, 1.0, 0.0, -0.99, -1.01, -3.0, -10.0, -30.0, -1e3, -1e5, -2e6, -1e8])


class _Given:
    """A model of BoTorch with known mean and standard deviation at x, the column of its input."""

    def __init__(self, torch, mean, std):
        from botorch.models.model import Model
        from botorch.posteriors import GPyTorchPosterior
        from gpytorch.distributions import MultivariateNormal

        class Known(Model):
            num_outputs = 1
            batch_shape = torch.Size([])

            def posterior(self, X, *args, **kwargs):
                at = X[..., 0].round().long()
                spread = torch.tensor(std)[at]
                return GPyTorchPosterior(
                    MultivariateNormal(torch.tensor(mean)[at], torch.diag_embed(spread**2))
                )

        self.model = Known()


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_acquisitions_are_those_of_botorch(name):
    torch = pytest.importorskip("torch")
    analytic = pytest.importorskip("botorch.acquisition.analytic")
    mean, std = Z * 0.3 + 0.2, np.full_like(Z, 0.3)
    model = _Given(torch, mean, std).model
    best = torch.tensor(0.2, dtype=torch.float64)
    theirs = {
        "ei": lambda: analytic.LogExpectedImprovement(model, best_f=best),
        "pi": lambda: analytic.LogProbabilityOfImprovement(model, best_f=best),
        "ucb": lambda: analytic.UpperConfidenceBound(model, beta=4.0),
    }[name]()
    asked = torch.arange(len(Z), dtype=torch.float64)[:, None, None]
    np.testing.assert_allclose(
        acquire(name, mean, std, 0.2, 2.0), theirs(asked).detach().numpy(), rtol=1e-9, atol=1e-12
    )


def test_a_minimum_is_sought_by_turning_the_sign():
    mean, std = np.array([0.3, -0.4]), np.array([0.2, 0.5])
    chance = np.exp(log_probability_of_improvement(-mean, std, 0.1))
    draws = np.random.default_rng(0).normal(mean, std, (400_000, 2))
    np.testing.assert_allclose(chance, (draws < -0.1).mean(axis=0), atol=3e-3)
    gain = np.exp(log_expected_improvement(-mean, std, 0.1))
    np.testing.assert_allclose(gain, np.maximum(-0.1 - draws, 0).mean(axis=0), atol=2e-3)


def test_a_point_without_spread_has_no_improvement_and_no_nan():
    mean, std = np.array([0.0, -1.0, 1.0]), np.zeros(3)
    for found in (
        log_expected_improvement(mean, std, 0.5),
        log_probability_of_improvement(mean, std, 0.5),
    ):
        assert not np.isnan(found).any()
        assert found[2] > found[0]
    assert log_expected_improvement(mean, std, 0.5)[2] == pytest.approx(np.log(0.5))


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="allowed equal"):
        upper_confidence_bound(np.zeros(2), np.zeros(3), 1.0)
    with pytest.raises(UsageError, match="allowed ei, pi, ucb"):
        acquire("kg", np.zeros(2), np.zeros(2), 0.0, 1.0)


SPACE = Space.from_mapping({"m": (15.0, 55.0), "e": {"range": (1e-4, 0.1), "scale": "log"}})


def _problem(space=SPACE, **changes):
    return Problem(space, outputs_from_mapping({"obs": {}, "exp": {}}), **changes)


def _hill(u):
    return np.exp(-(((u - [0.4, 0.6]) / 0.3) ** 2).sum(axis=1))


def _history(u, **columns):
    return History.of(u, np.column_stack([_hill(u) + u[:, 0], u[:, 0]]), **columns)


@pytest.fixture(scope="module")
def sample():
    return SPACE.sobol(12, 3)


def _propose(history, n=3, problem=None, seed=0, memory=None, **options):
    pytest.importorskip("botorch")
    strategy = build("optimise", problem or _problem(), {"output": "obs", "minus": "exp"} | options)
    return strategy.propose(history, n, np.random.default_rng(seed), memory or {})


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_the_best_difference_of_two_outputs_is_found_in_two_rounds(acquisition, sample):
    points, memory = sample, {}
    for seed in range(2):
        proposal = _propose(_history(points), 3, seed=seed, memory=memory, acquisition=acquisition)
        memory = json.loads(json.dumps(dict(proposal.memory)))
        assert set(proposal.origin) == {"acquired"}
        points = np.vstack([points, proposal.points])
    assert _hill(points[12:]).max() > 0.97


def test_the_minimum_of_an_output_is_found(sample):
    history = History.of(sample, np.column_stack([1 - _hill(sample), sample[:, 0]]))
    found = _propose(history, 1, minus=None, direction="minimise", boldness=1.0).points
    assert _hill(found)[0] > 0.9


def test_the_same_arguments_give_the_same_bits(sample):
    first, second = (_propose(_history(sample), 2) for _ in range(2))
    assert first.points.tobytes() == second.points.tobytes()
    assert first.memory == second.memory


def test_too_little_known_gives_an_initial_design_that_goes_on():
    first = _propose(_history(np.empty((0, 2))), 4)
    assert first.origin == ("initial",) * 4
    second = _propose(_history(first.points), 4, seed=1, memory=first.memory)
    assert second.origin == ("initial",) * 4
    seed = first.memory["sobol"]
    np.testing.assert_array_equal(np.vstack([first.points, second.points]), SPACE.sobol(8, seed))


def test_pending_points_turn_the_batch_elsewhere(sample):
    plain = _propose(_history(sample), 1, boldness=1.0).points
    other = _propose(_history(sample, pending=plain), 1, boldness=1.0).points
    assert np.linalg.norm(plain - other) > 0.01


def test_points_are_those_of_a_pool_that_are_not_known(sample):
    pool = SPACE.sobol(20, 5)
    history = _history(pool[:14], pending=pool[14:16])
    proposal = _propose(history, 6, problem=_problem(pool=pool))
    assert {tuple(point) for point in proposal.points} == {tuple(point) for point in pool[16:]}


def test_constraints_and_allowed_values_are_respected():
    space = Space.from_mapping(
        {"m": {"values": list(range(15, 56))}, "e": {"range": (0.0, 1.0)}}, ["m < 30 + 5*e"]
    )
    u = space.snap(space.draw(14, np.random.default_rng(1)))
    points = _propose(_history(u), 5, problem=_problem(space)).points
    assert space.admissible(points).all()
    np.testing.assert_array_equal(points, space.snap(points))
    assert len(np.unique(points, axis=0)) == 5


def test_regions_that_fail_are_left_alone():
    u = SPACE.sobol(20, 3)
    status = np.where(u[:, 1] > 0.5, FAILED, OK).astype(np.int8)
    told = _history(u)
    values = np.where((status == OK)[:, None], told.values, np.nan)
    history = History.of(u, values, status=status)
    for acquisition in ("ei", "ucb"):
        points = _propose(history, 3, acquisition=acquisition).points
        assert (points[:, 1] > 0.6).sum() <= 1


def test_stated_errors_keep_one_lucky_value_from_being_the_best(sample):
    history = _history(sample)
    values, errors = history.values.copy(), np.full_like(history.values, 0.01)
    values[0, 0], errors[0, 0] = 5.0, 5.0
    history = History.of(sample, values, errors=errors)
    points = _propose(history, 1, boldness=1.0).points
    assert _hill(points)[0] > 0.8


def test_an_approximation_points_to_the_optimum():
    dear, cheap = SPACE.sobol(8, 3), SPACE.sobol(40, 4)
    narrow = np.exp(-(((np.vstack([dear, cheap]) - [0.85, 0.15]) / 0.15) ** 2).sum(axis=1))
    fidelity = np.repeat(np.array([0, 1], np.int8), [8, 40])
    values = np.column_stack([narrow, 0 * narrow])
    history = History.of(np.vstack([dear, cheap]), values, fidelity=fidelity)
    found = _propose(history, 1, boldness=1.0, fidelity="ar1").points
    assert np.linalg.norm(found[0] - [0.85, 0.15]) < 0.1


def test_the_estimate_is_of_all_outputs(sample):
    pytest.importorskip("botorch")
    problem = Problem(SPACE, outputs_from_mapping({"obs": {"threshold": 0.7}, "exp": {}}))
    asked = SPACE.sobol(50, 9)
    estimate = build("optimise", problem).estimate(_history(sample), asked, {})
    np.testing.assert_allclose(estimate.mean[:, 1], asked[:, 0], atol=0.05)
    assert [below.shape for below in estimate.below] == [(50, 1), (50, 0)]
    sure = np.abs(estimate.mean[:, 0] - 0.7) > 3 * estimate.std[:, 0]
    np.testing.assert_allclose(estimate.below[0][sure, 0], estimate.mean[sure, 0] < 0.7, atol=0.01)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"output": "mass"}, "output: found 'mass', allowed obs, exp"),
        ({"minus": "obs"}, "allowed another output than 'obs'"),
        ({"direction": "up"}, "allowed maximise, minimise"),
        ({"acquisition": "kg", "beta": -1}, "found 'kg'.*beta: found -1, allowed 0 or more"),
        ({"fidelity": "all"}, "allowed auto, none, ar1, multitask"),
        ({"boldness": 0.5}, "boldness: found 0.5, allowed 1 or more"),
        ({"kernel": "rbf"}, "found option 'kernel'"),
    ],
    ids=["output", "minus", "direction", "two", "fidelity", "boldness", "unknown"],
)
def test_options_that_are_not_allowed_are_refused(options, match):
    with pytest.raises(UsageError, match=match):
        build("optimise", _problem(), {"output": "obs"} | options)
