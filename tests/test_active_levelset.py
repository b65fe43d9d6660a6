"""Level sets: surrogates with structure, acquisitions, batches, and the strategy over them."""

import json

import numpy as np
import pytest
from scipy.special import ndtr

from limen.active import History, Problem, Space, build, outputs_from_mapping
from limen.active.acquisitions import entropy, misclassification, straddle, targeted_variance
from limen.active.batches import greedy, poisson_disc
from limen.active.feasibility import chance_of_value
from limen.active.numbers import process_of
from limen.active.problem import CENSORED, FAILED
from limen.active.surrogates import processes
from limen.active.surrogates.processes import fit_process
from limen.errors import TrainingError, UsageError


def problem(d=2, outputs=("y",), pool=None, threshold=0.0):
    space = Space.from_mapping({f"x{i}": (0.0, 1.0) for i in range(d)})
    return Problem(
        space, outputs_from_mapping({name: {"threshold": threshold} for name in outputs}), pool
    )


def slanted(x):
    """A step along a difference, as where a decay opens."""
    return np.tanh(8 * (x[:, 0] - x[:, 1] - 0.2)) + 0.3 * x[:, 0]


def sobol(n, d, seed=0):
    return Space.from_mapping({f"x{i}": (0.0, 1.0) for i in range(d)}).sobol(n, seed)


def ask(strategy, x, y, n, seed=0, memory=None, **columns):
    history = History.of(x, np.asarray(y, float).reshape(len(x), -1), **columns)
    return strategy.propose(history, n, np.random.default_rng(seed), memory or {})


# Surrogates


def test_a_step_along_a_difference_is_seen_as_such():
    x = sobol(40, 2)
    y = slanted(x)[:, None]
    test = sobol(2000, 2, 7)
    off = {
        structure: np.abs(
            fit_process(x, y, 0 * y, structure=structure).mean_std(test)[0][:, 0] - slanted(test)
        ).mean()
        for structure in ("plain", "oblique")
    }
    assert off["oblique"] < 0.5 * off["plain"]


def test_every_output_has_a_process_of_its_own_values_only():
    x = sobol(20, 2)
    y = np.column_stack([slanted(x), x[:, 0]])
    y[10:, 1] = np.nan
    posterior = fit_process(x, y, 0 * y)
    mean, std = posterior.mean_std(x)
    assert np.abs(mean[:10] - y[:10]).max() < 0.05
    assert mean.shape == std.shape == (20, 2)
    with pytest.raises(TrainingError, match="found 1 values of output 1"):
        fit_process(x, np.column_stack([y[:, 0], np.where(np.arange(20) == 3, 1.0, np.nan)]), 0 * y)


def test_an_earlier_fit_is_taken_over_and_is_plain_data(monkeypatch):
    monkeypatch.setattr(processes, "_SURE", 20)
    x = sobol(30, 2)
    y = slanted(x)[:, None]
    first = fit_process(x[:28], y[:28], 0 * y[:28])
    told = json.loads(json.dumps(first.hyperparameters))
    monkeypatch.setattr(processes, "fit_structure", None)
    second = fit_process(x, y, 0 * y, previous=told)
    assert len(second.parts[0].rows) == 30


def test_beyond_its_rows_a_process_keeps_the_values_nearest_the_threshold(monkeypatch):
    monkeypatch.setattr(processes, "MOST_ROWS", 40)
    monkeypatch.setattr(processes, "_MOST_FITTED", 30)
    x = sobol(200, 2)
    y = slanted(x)[:, None]
    part = fit_process(x, y, 0 * y, levels=[np.zeros(1)]).parts[0]
    kept = np.isin(x[:, 0], part.rows[:, 0])
    nearest = np.argsort(np.abs(y[:, 0]))[:20]
    assert kept.sum() == 40
    assert kept[nearest].all()


def test_mixtures_reach_the_numbers_that_are_published():
    x = sobol(40, 2)
    y = slanted(x)[:, None]
    posterior = fit_process(x, y, 0 * y, structure="additive")
    process = process_of(posterior, 0)
    test = sobol(50, 2, 3)
    crossed = sum(term.covariance(test, process.points) for term in process.terms)
    said = crossed @ process.weights + process.constant
    assert np.allclose(said, posterior.mean_std(test)[0][:, 0], atol=1e-8)


# Acquisitions and batches


def test_acquisitions_are_largest_at_the_level_and_where_less_is_known():
    mean, variance = np.array([0.0, 0.5, 0.0]), np.array([1.0, 1.0, 0.25])
    for values in (straddle(mean, variance, 0.0), entropy(mean, variance, 0.0)):
        assert values[0] >= max(values[1:]) - 1e-12
    covariance = np.diag(variance)
    assert targeted_variance(mean, variance, covariance, 0.0, 0.0).argmax() == 0
    rows = np.arange(3)
    assert misclassification(mean, variance, covariance, 0.0, 0.0, rows).argmax() == 0


def test_the_expected_misclassification_is_that_of_fits_to_what_might_be_found():
    rng = np.random.default_rng(0)
    mean, factor = np.array([0.2, -0.4, 1.0]), rng.normal(size=(3, 3))
    covariance = factor @ factor.T
    noise, level = 0.1, 0.1
    found = misclassification(mean, covariance.diagonal(), covariance, level, noise, np.arange(2))
    for i in range(2):
        spread = covariance[i, i] + noise
        told = rng.normal(mean[i], np.sqrt(spread), 20_000)
        later = mean + (told[:, None] - mean[i]) * covariance[i] / spread
        std = np.sqrt(covariance.diagonal() - covariance[i] ** 2 / spread)
        before = ndtr(-np.abs(mean - level) / np.sqrt(covariance.diagonal())).sum()
        after = ndtr(-np.abs(later - level) / std).sum(axis=1).mean()
        assert found[i] == pytest.approx(before - after, abs=0.02)


def test_a_greedy_batch_does_not_ask_twice_what_one_point_tells():
    covariance = np.array([[1.0, 0.999, 0.0], [0.999, 1.0, 0.0], [0.0, 0.0, 0.5]])
    chosen, values = greedy(lambda left: left[0].diagonal(), [covariance], 2)
    assert chosen == [0, 2]
    assert values == [1.0, 0.5]


def test_a_poisson_disc_keeps_away_from_pending_points():
    x = np.linspace(0, 1, 101)[:, None]
    chosen = poisson_disc(x, np.ones(101), 3, np.array([[0.0]]))
    places = np.sort(np.append(x[chosen, 0], 0.0))
    assert len(chosen) == 3
    assert np.diff(places).min() > 0.15


# Strategy


@pytest.mark.parametrize("acquisition", ["misclassification", "straddle", "entropy", "timse"])
@pytest.mark.parametrize("batch", ["greedy", "poisson", "top"])
def test_points_are_asked_near_the_contour_and_none_twice(acquisition, batch):
    strategy = build("level-set", problem(), {"acquisition": acquisition, "batch": batch})
    x = sobol(25, 2)
    found = ask(strategy, x, slanted(x), 6)
    assert set(found.origin) == {"acquired"}
    assert len(np.unique(np.vstack([x, found.points]), axis=0)) == 31
    assert np.median(np.abs(slanted(found.points))) < np.median(np.abs(slanted(x)))
    again = ask(strategy, x, slanted(x), 6)
    assert again.points.tobytes() == found.points.tobytes()
    json.dumps(dict(found.memory), allow_nan=False)


def test_the_first_points_are_an_initial_design():
    strategy = build("level-set", problem())
    found = strategy.propose(
        History.of(np.empty((0, 2)), np.empty((0, 1))), 4, np.random.default_rng(0), {}
    )
    assert set(found.origin) == {"initial"}
    more = ask(strategy, found.points, slanted(found.points), 4, 1, found.memory)
    assert more.origin == ("initial", "initial", "acquired", "acquired")


def test_pending_points_count_as_told():
    strategy = build("level-set", problem())
    x = sobol(20, 2)
    first = ask(strategy, x, slanted(x), 3)
    second = ask(strategy, x, slanted(x), 3, pending=first.points)
    apart = np.linalg.norm(first.points[:, None] - second.points[None], axis=2)
    assert apart.min() > 1e-3


def test_of_a_pool_only_members_are_asked_until_none_is_left():
    pool = sobol(24, 2, 5)
    strategy = build("level-set", problem(pool=pool))
    x = pool[:18]
    found = ask(strategy, x, slanted(x), 10)
    assert {tuple(row) for row in found.points} == {tuple(row) for row in pool[18:]}


def test_failed_regions_do_not_eat_the_budget():
    strategy = build("level-set", problem())
    x = sobol(60, 2)
    broken = x[:, 0] > 0.6
    status = np.where(broken, FAILED, 0).astype(np.int8)
    y = np.where(broken, np.nan, slanted(x))
    found = ask(strategy, x, y, 8, status=status)
    assert (found.points[:, 0] < 0.65).mean() >= 0.75
    chance = chance_of_value(History.of(x, y[:, None], status=status))
    assert chance(np.array([[0.9, 0.5]]))[0] < 0.5 < chance(np.array([[0.2, 0.5]]))[0]
    assert chance_of_value(History.of(x, slanted(x))) is None


def test_a_bound_above_the_threshold_is_believed():
    strategy = build("level-set", problem(d=1))
    x = np.linspace(0, 1, 9)[:, None]
    y = np.where(x[:, 0] < 0.5, x[:, 0] - 0.3, 1.0)
    status = np.where(x[:, 0] < 0.5, 0, CENSORED).astype(np.int8)
    found = strategy.estimate(History.of(x, y, status=status), np.array([[0.1], [0.75]]), {})
    assert found.below[0][0, 0] > 0.9
    assert found.below[0][1, 0] < 0.1


def test_several_outputs_and_thresholds_at_once():
    asked = problem(outputs=("obs", "exp"), threshold=[-0.5, 0.5])
    x = sobol(30, 2)
    y = np.column_stack([slanted(x), slanted(x[:, ::-1])])
    for surrogate in ("process", "multitask", "espejo"):
        strategy = build("level-set", asked, {"surrogate": surrogate})
        found = ask(strategy, x, y, 4)
        assert len(found.points) == 4
        estimate = strategy.estimate(History.of(x, y), x, found.memory)
        assert [below.shape for below in estimate.below] == [(30, 2), (30, 2)]


def test_a_cheap_approximation_starts_the_search():
    cheap, x = sobol(60, 2, 4), sobol(8, 2)
    points = np.vstack([x, cheap])
    y = np.concatenate([slanted(x), slanted(cheap) + 0.1])
    fidelity = np.repeat(np.array([0, 1], np.int8), [8, 60])
    strategy = build("level-set", problem())
    test = sobol(500, 2, 9)
    right = {
        method: np.mean(
            (
                build("level-set", problem(), {"fidelity": method})
                .estimate(History.of(points, y, fidelity=fidelity), test, {})
                .below[0][:, 0]
                > 0.5
            )
            == (slanted(test) < 0)
        )
        for method in ("auto", "none")
    }
    assert right["auto"] > right["none"]
    assert len(ask(strategy, points, y, 3, fidelity=fidelity).points) == 3


def test_options_are_checked_together():
    with pytest.raises(UsageError) as caught:
        build("level-set", problem(threshold=[]), {"acquisition": "pes", "initial": 0})
    for word in ("acquisition", "initial", "threshold"):
        assert word in str(caught.value)


def test_before_two_values_every_label_is_a_coin_toss():
    strategy = build("level-set", problem())
    found = strategy.estimate(History.of(sobol(1, 2), [0.3]), sobol(5, 2), {})
    assert (found.below[0] == 0.5).all()
    assert found.notes


def test_the_label_of_a_member_of_a_pool_is_open_by_what_no_neighbour_foretells():
    rng = np.random.default_rng(2)
    x = np.linspace(0.02, 0.98, 40)[:, None]
    y = 3 * (x[:, 0] - 0.5) + 0.5 * rng.standard_normal(40)
    # Of two members one lies near the contour: scatter decides its label, not the trend.
    pool = np.array([[0.53], [0.995]])
    options = {"surrogate": "rough", "acquisition": "misclassification"}
    strategy = build("level-set", problem(1, pool=pool), options)
    proposal = strategy.propose(History.of(x, y), 1, np.random.default_rng(0), {})
    assert proposal.points[0, 0] == 0.53
    assert proposal.acquisition[0] > 0.2
