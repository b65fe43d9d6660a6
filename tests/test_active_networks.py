"""Networks, the candidates they choose from and the targets they seek."""

from __future__ import annotations

import json

import numpy as np
import pytest

from limen.active.diversity import farthest_first, nearest_distances
from limen.active.keys import keys, shares
from limen.active.outputs import outputs_from_mapping
from limen.active.oversampling import smote_points, surroundings
from limen.active.problem import CENSORED, FAILED, OK, History, Problem
from limen.active.spaces import Space
from limen.active.streaming import best_of, blocks, draw_untold, initial_points, taken_keys, untaken
from limen.active.surrogates.layers import Settings
from limen.active.surrogates.network_estimates import (
    estimate_by_labels,
    estimate_by_values,
    temperature,
)
from limen.active.surrogates.network_training import fit_network, held_out
from limen.active.surrogates.networks import Network
from limen.active.surrogates.training_choice import choose_rows, feasibility
from limen.active.targets import Target, below, in_all
from limen.errors import ShapeError, TrainingError, UsageError

torch = pytest.importorskip("torch")

NONE = np.empty(0, np.uint64)
SMALL = Settings(layers=(32, 32), activation="silu", rate=5e-3, batch=64, epochs=30, patience=0)


def plane(outputs=None, **space):
    made = Space.from_mapping(space or {"x": (0.0, 1.0), "y": (0.0, 1.0)})
    return Problem(made, outputs_from_mapping(outputs or {"f": {"threshold": 0.5}}))


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    points = rng.random((400, 2))
    return points, (points**2).sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def regressor(rows):
    return fit_network(*rows, SMALL, seed=1)


# Networks


def test_a_regressor_learns_a_smooth_function(rows, regressor):
    fresh = np.random.default_rng(9).random((500, 2))
    error = np.abs(regressor.predict(fresh)[:, 0] - (fresh**2).sum(axis=1))
    assert error.mean() < 0.03
    assert error.mean() < 0.1 * rows[1].std()


def test_the_same_seed_gives_the_same_bits_and_another_does_not(rows, regressor):
    again = fit_network(*rows, SMALL, seed=1)
    other = fit_network(*rows, SMALL, seed=2)
    same = [np.array_equal(a, b) for a, b in zip(again.weights, regressor.weights, strict=True)]
    assert all(same)
    assert not np.array_equal(other.weights[0], regressor.weights[0])


def test_training_changes_neither_threads_nor_the_global_generators(rows):
    torch.set_num_threads(2)
    before, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()
    fit_network(*rows, Settings(layers=(8,), epochs=1, dropout=0.2), seed=1)
    assert torch.get_num_threads() == 2
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(numbers, np.random.get_state()[1])


def test_a_network_survives_json(rows, regressor):
    told = json.loads(json.dumps(regressor.to_dict()))
    read = Network.from_dict(told, SMALL)
    assert np.array_equal(read.predict(rows[0]), regressor.predict(rows[0]))


def test_weights_of_another_network_are_refused(regressor):
    with pytest.raises(UsageError, match="options changed"):
        Network.from_dict(regressor.to_dict(), Settings(layers=(16,)))


def test_training_goes_on_where_it_stopped(rows, regressor):
    brief = Settings(layers=(32, 32), activation="silu", rate=1e-4, epochs=1, patience=0)
    further = fit_network(*rows, brief, seed=3, start=regressor)
    afresh = fit_network(*rows, brief, seed=3)
    assert further.loss <= regressor.loss * 1.0001
    assert further.loss < 0.5 * afresh.loss
    assert np.array_equal(further.centre, regressor.centre)


def test_rows_held_out_stay_held_out_when_more_are_known():
    points = np.random.default_rng(0).random((1000, 3))
    few, many = held_out(points[:300], 0.1), held_out(points, 0.1)
    assert np.array_equal(few, many[:300])
    assert 0.06 < many.mean() < 0.14


def test_few_rows_are_divided_all_the_same():
    for n in (4, 5, 9):
        held = held_out(np.linspace(0, 1, n)[:, None], 0.1)
        assert 1 <= held.sum() <= n // 2


def test_members_of_a_committee_do_not_depend_on_the_blocks(rows):
    settings = Settings(layers=(64, 32), classify=True, dropout=0.3, epochs=5, batch=64)
    labels = (rows[1] < 0.5).astype(float)
    network = fit_network(rows[0], labels, settings, seed=1)
    together = network.members(rows[0], 6, seed=5)
    apart = np.concatenate(
        [network.members(block, 6, seed=5) for block in np.array_split(rows[0], 3)], axis=1
    )
    assert together.shape == (6, 400, 1)
    assert np.allclose(together, apart, atol=1e-6)
    assert together.std(axis=0).mean() > 1e-3
    assert np.abs(together.mean(axis=0) - network.predict(rows[0])).mean() < 0.15


def test_unknown_targets_are_left_out_of_the_loss(rows):
    points, values = rows
    two = np.hstack([values, np.full_like(values, np.nan)])
    two[:200, 1] = 1 - points[:200, 0]
    network = fit_network(points, two, SMALL, seed=1)
    error = np.abs(network.predict(points)[:, 1] - (1 - points[:, 0]))
    assert error.mean() < 0.05


def test_rows_count_by_their_weight():
    points = np.repeat(np.linspace(0, 1, 100), 2)[:, None]
    values = np.tile([0.0, 1.0], 100)[:, None]
    weights = np.where(values[:, 0] == 1, 5.0, 1.0)
    network = fit_network(points, values, SMALL, seed=1, weights=weights)
    assert network.predict(points).mean() > 0.8


def test_too_few_rows_are_refused():
    with pytest.raises(TrainingError, match="at least 4 rows"):
        fit_network(np.zeros((3, 2)), np.zeros((3, 1)), SMALL, seed=0)


def test_points_of_another_shape_are_refused(regressor):
    with pytest.raises(ShapeError, match="allowed"):
        regressor.predict(np.zeros((3, 5)))


def test_settings_name_every_fault():
    with pytest.raises(UsageError, match=r"activation.*dropout.*rate"):
        Settings(activation="step", dropout=1.0, rate=0.0)


# Keys and streams


def test_keys_forgive_last_bits_and_nothing_else():
    points = np.random.default_rng(0).random((1000, 5))
    assert np.array_equal(keys(points), keys(points * (1 + 2e-16)))
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 101)] * 2), axis=-1).reshape(-1, 2)
    assert len(np.unique(keys(grid))) == len(grid)
    assert not np.isin(keys(points + 1e-6), keys(points)).any()
    assert abs(shares(points).mean() - 0.5) < 0.05


def test_a_pool_is_streamed_whole_without_what_is_told_or_pending():
    pool = np.random.default_rng(0).random((1000, 2))
    problem = Problem(plane().space, plane().outputs, pool)
    history = History.of(pool[:100], np.zeros(100), pending=pool[100:150])
    found = np.vstack(list(blocks(problem, 7, np.random.default_rng(1), taken_keys(history), 64)))
    assert np.array_equal(found, pool[150:])


def test_streams_of_the_prior_keep_to_constraints_and_values():
    space = Space.from_mapping({"x": (0.0, 1.0), "k": {"values": [1, 2, 4]}}, ["4 * x < k"])
    problem = Problem(space, plane().outputs)
    found = np.vstack(list(blocks(problem, 500, np.random.default_rng(0), NONE, 200)))
    assert len(found) == 500
    assert space.admissible(found).all()
    assert np.array_equal(space.snap(found), found)


def test_an_exhausted_space_gives_what_is_left():
    space = Space.from_mapping({"a": {"values": [0, 1, 2]}, "b": {"values": [0, 1]}})
    problem = Problem(space, plane().outputs)
    rng = np.random.default_rng(0)
    some = draw_untold(problem, 4, rng, NONE)
    assert len(draw_untold(problem, 5, rng, keys(some))) == 2
    assert len(initial_points(problem, 9, 0, 0, rng, NONE)) == 6


def test_the_best_of_a_stream_are_the_best_of_all():
    points = np.random.default_rng(0).random((1000, 1))
    kept, scores = best_of(iter(np.array_split(points, 7)), lambda x: x[:, 0], 25)
    assert np.array_equal(kept, -np.sort(-points, axis=0)[:25])
    assert np.array_equal(scores, kept[:, 0])


def test_equal_candidates_are_proposed_once():
    points = np.array([[0.1], [0.2], [0.1]])
    assert untaken(points, NONE).tolist() == [0, 1]
    kept, _ = best_of(iter([points, points]), lambda x: x[:, 0], 5)
    assert kept.tolist() == [[0.2], [0.1]]


# Diversity


@pytest.mark.parametrize("d", [2, 12], ids=["tree", "product"])
def test_nearest_distances_are_those_of_all_pairs(d):
    rng = np.random.default_rng(0)
    a, b = rng.random((300, d)), rng.random((200, d))
    expected = np.linalg.norm(a[:, None] - b[None], axis=-1).min(axis=1)
    assert np.allclose(nearest_distances(a, b), expected, atol=1e-7)


def test_farthest_first_spreads_and_keeps_away_from_known_points():
    rng = np.random.default_rng(0)
    candidates, known = rng.random((2000, 2)), np.array([[0.2, 0.2]])
    chosen = farthest_first(candidates, 50, known)
    assert len(set(chosen)) == 50
    batch = candidates[chosen]
    apart = np.linalg.norm(batch[:, None] - batch[None], axis=-1)[np.triu_indices(50, 1)]
    random = candidates[:50]
    usual = np.linalg.norm(random[:, None] - random[None], axis=-1)[np.triu_indices(50, 1)]
    assert apart.min() > 5 * usual.min()
    assert nearest_distances(known, batch)[0] > 0.05


def test_farthest_first_gives_every_candidate_once_even_if_they_are_equal():
    assert sorted(farthest_first(np.zeros((4, 2)), 9, np.empty((0, 2)))) == [0, 1, 2, 3]


# Labels, targets, rows


def test_bounds_label_only_what_they_tell():
    problem = plane({"f": {"threshold": 0.5, "censored": "below"}})
    values, status = [0.2, 0.8, 0.3, 0.9, np.nan], np.array([OK, OK, CENSORED, CENSORED, FAILED])
    told = History.of(np.zeros((5, 2)), values, status=status.astype(np.int8))
    expected = [1, 0, 1, np.nan, np.nan]
    assert np.array_equal(below(told, 0, problem.outputs[0], 0.5), expected, equal_nan=True)
    above = plane({"f": {"threshold": 0.5, "censored": "above"}})
    expected = [1, 0, np.nan, 0, np.nan]
    assert np.array_equal(below(told, 0, above.outputs[0], 0.5), expected, equal_nan=True)


def test_a_target_holds_where_all_its_intervals_do():
    problem = plane({"a": {}, "b": {"scale": "log"}})
    target = Target.of(problem, {"a": [0.0, 1.0], "b": [None, 10.0]})
    values = np.array([[0.5, 0.0], [1.0, 1.0], [0.5, 1.5], [-1.0, 0.0], [np.nan, 0.5]])
    labels = in_all(target.labels(History.of(np.zeros((5, 2)), values)))
    assert np.array_equal(labels, [1, 1, 0, 0, np.nan], equal_nan=True)
    depth = target.depth(values[:4], np.ones(2))
    assert np.allclose(depth, [0.5, 0.0, -0.5, -1.0])


@pytest.mark.parametrize(
    ("told", "match"),
    [
        (None, "found none"),
        ([1.0], "allowed \\[low, high\\]"),
        ([2.0, 1.0], "low below high"),
        ([None, None], "low below high"),
        ({"g": [0, 1]}, "found output 'g'"),
        ("ab", "allowed \\[low, high\\]"),
    ],
)
def test_a_target_that_is_none_is_refused(told, match):
    with pytest.raises(UsageError, match=match):
        Target.of(plane(), told)


def test_two_thresholds_are_a_target():
    problem = plane({"f": {"threshold": [80, 120], "scale": "log"}, "g": {"threshold": 1}})
    assert Target.of(problem, None).intervals == ((0, np.log10(80), np.log10(120)),)


def test_balanced_rows_hold_all_inside_and_rectifying_ones_first():
    inside = np.arange(1000) < 100
    wrong = (np.arange(1000) >= 100) & (np.arange(1000) < 150)
    rows, weights = choose_rows(inside, wrong, "balanced", 3.0, 10_000, np.random.default_rng(0))
    assert len(rows) == 200
    assert set(range(150)) <= set(rows.tolist())
    assert np.array_equal(weights == 3.0, wrong[rows])
    few, _ = choose_rows(inside, wrong, "all", 1.0, 120, np.random.default_rng(0))
    assert len(few) == 120
    assert (inside | wrong)[few].all()


def test_feasibility_is_learnt_where_points_broke():
    rng = np.random.default_rng(0)
    points = rng.random((300, 2))
    broken = points[:, 0] > 0.6
    values = np.where(broken, np.nan, 1.0)
    told = History.of(points, values, status=np.where(broken, FAILED, OK).astype(np.int8))
    network = feasibility(told, 0)
    fresh = rng.random((500, 2))
    right = (network.predict(fresh)[:, 0] > 0.5) == (fresh[:, 0] < 0.6)
    assert right.mean() > 0.93
    assert feasibility(told.rows(~broken), 0) is None


# Oversampling


def test_smote_proposes_points_between_those_of_the_region():
    rng = np.random.default_rng(0)
    points = rng.random((300, 2))
    inside = ((points - 0.3) ** 2).sum(axis=1) < 0.02
    made = smote_points(plane().space, points, inside.astype(float), 40, rng)
    assert made.shape == (40, 2)
    assert ((made - 0.3) ** 2).sum(axis=1).max() < 0.02 + 1e-9
    assert not np.isin(keys(made), keys(points)).any()
    assert not len(smote_points(plane().space, points, np.zeros(300), 40, rng))


def test_surroundings_stay_in_the_box_and_near():
    rng = np.random.default_rng(0)
    inside = 0.9 + 0.1 * rng.random((50, 2))
    near = surroundings(plane().space, inside, 500, rng)
    assert near.shape == (500, 2)
    assert near.min() > 0.7
    assert near.max() <= 1.0


# Estimates


def test_the_temperature_undoes_confidence():
    rng = np.random.default_rng(0)
    odds = 2 * rng.standard_normal(4000)
    labels = (rng.random(4000) < 1 / (1 + np.exp(-odds))).astype(float)
    boasted = 1 / (1 + np.exp(-3 * odds))
    assert temperature(boasted, labels) == pytest.approx(3.0, rel=0.15)
    assert temperature(boasted[:3], labels[:3]) == 1.0


def test_an_estimate_by_values_says_how_wrong_it_is(rows, regressor):
    problem = plane({"f": {"threshold": [0.4, 0.8]}})
    fresh = np.random.default_rng(5).random((800, 2))
    found = estimate_by_values(problem, regressor, History.of(*rows), fresh)
    truth = (fresh**2).sum(axis=1)
    z = np.abs(found.mean[:, 0] - truth) / found.std[:, 0]
    assert 0.4 < np.mean(z < 1) < 0.95
    assert found.below[0].shape == (800, 2)
    assert (np.diff(found.below[0], axis=1) >= 0).all()
    assert (((found.below[0][:, 0] > 0.5) == (truth < 0.4)).mean()) > 0.95


def test_an_estimate_by_labels_has_no_mean():
    problem = plane({"f": {"threshold": [0.4, 0.8]}, "g": {}})
    told = History.of(np.random.default_rng(0).random((50, 2)), np.zeros((50, 2)))
    p = np.tile([0.7, 0.6], (50, 1))
    found = estimate_by_labels(problem, told, p, p[:5], 0.1)
    assert np.isnan(found.mean).all()
    assert [table.shape for table in found.below] == [(5, 2), (5, 0)]
    assert (np.diff(found.below[0], axis=1) >= 0).all()
