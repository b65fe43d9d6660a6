"""Calibration helps or stays away; tables and conformal sets keep their promise."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from limen.confidence import (
    MAX_KNOTS,
    Calibration,
    accuracy_bins,
    class_scores,
    classification_confidence,
    conformal_interval,
    conformal_quantile,
    conformal_sets,
    coverage,
    fit_calibration,
    interval_scores,
    wilson_interval,
)
from limen.errors import ShapeError, UsageError

SHAPES = {
    "none": lambda p: p,
    "sigmoid": lambda p: 1 / (1 + np.exp(-(0.5 * np.log(p / (1 - p)) - 1.0))),
    "piecewise": lambda p: np.where(p < 0.5, 0.02 + 0.4 * p, np.minimum(0.22 + 5 * (p - 0.5), 0.9)),
}


def draw(shape, n=20_000, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.001, 0.999, n)
    return p, (rng.random(n) < SHAPES[shape](p)).astype(int)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_calibration_that_the_data_need_is_chosen_and_right(shape):
    p, y = draw(shape)
    found = fit_calibration(p, y, np.random.default_rng(1))
    assert found.kind == shape
    grid = np.linspace(0.02, 0.98, 97)
    assert np.abs(found.apply(grid) - SHAPES[shape](grid)).mean() < 0.02


@pytest.mark.parametrize("shape", SHAPES)
def test_a_calibration_survives_its_dictionary(shape):
    found = fit_calibration(*draw(shape), np.random.default_rng(1))
    assert Calibration.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize("shape", ["sigmoid", "piecewise"])
def test_calibration_keeps_the_ranking_and_magnifies_no_rounding(shape):
    found = fit_calibration(*draw(shape), np.random.default_rng(1))
    p = np.linspace(0.001, 0.999, 5000)
    assert np.all(np.diff(found.apply(p)) > 0)
    whole = np.linspace(0, 1, 4001)
    moved = np.clip(whole + 1e-7, 0, 1)
    assert np.abs(found.apply(moved) - found.apply(whole)).max() < 5e-6


def test_the_knots_are_few_and_span_all_probabilities():
    found = fit_calibration(*draw("piecewise", 60_000), np.random.default_rng(1))
    assert len(found.x) <= MAX_KNOTS
    assert found.x[0] == 0
    assert found.x[-1] == 1
    assert found.y[0] > 0
    assert found.y[-1] < 1


def test_the_votes_of_a_forest_are_calibrated():
    rng = np.random.default_rng(0)
    p = rng.integers(0, 101, 5000) / 100
    y = (rng.random(5000) < p**3).astype(int)
    found = fit_calibration(p, y, rng)
    assert found.kind != "none"
    assert abs(float(found.apply([0.7])[0]) - 0.343) < 0.05
    assert np.all((found.apply(p) > 0) & (found.apply(p) < 1))


@pytest.mark.parametrize(
    ("p", "y"),
    [
        (np.linspace(0.3, 0.4, 40), np.arange(40) % 2),
        (np.linspace(0, 1, 100), np.ones(100)),
        (np.full(100, 0.5), np.arange(100) % 2),
        ([], []),
    ],
    ids=["few rows", "one class", "one probability, right", "no rows"],
)
def test_nothing_is_calibrated_where_nothing_can_be_learnt(p, y, recwarn):
    assert fit_calibration(p, y, np.random.default_rng(0)) == Calibration()
    assert not recwarn


def test_one_wrong_probability_for_all_rows_is_put_right(recwarn):
    y = (np.arange(1000) % 10 == 0).astype(int)
    found = fit_calibration(np.full(1000, 0.5), y, np.random.default_rng(0))
    assert float(found.apply([0.5])[0]) == pytest.approx(0.1, abs=0.01)
    assert not recwarn


def test_separated_classes_leave_probabilities_inside_zero_and_one():
    y = np.arange(200) % 2
    applied = fit_calibration(0.2 + 0.6 * y, y, np.random.default_rng(0)).apply(
        [0.0, 0.2, 0.8, 1.0]
    )
    assert np.all((applied > 0) & (applied < 1))
    assert applied[1] < 0.1
    assert applied[2] > 0.9


def test_fitting_is_deterministic():
    p, y = draw("sigmoid", 2000)
    one = fit_calibration(p, y, np.random.default_rng(5))
    assert one == fit_calibration(p, y, np.random.default_rng(5))


def test_probabilities_and_labels_of_different_length_are_refused():
    with pytest.raises(ShapeError, match="found shapes"):
        fit_calibration([0.1, 0.2], [1], np.random.default_rng(0))


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "beta"},
        {"kind": "piecewise", "x": (0.0,), "y": (0.0,)},
        {"kind": "piecewise", "x": (0.0, 0.0), "y": (0.0, 1.0)},
        {"kind": "piecewise", "x": (0.0, 1.0), "y": (1.0, 0.0)},
        {"kind": "piecewise", "x": tuple(range(65)), "y": tuple(range(65))},
    ],
    ids=["kind", "one knot", "repeated knot", "falling", "too many"],
)
def test_an_impossible_calibration_is_refused(arguments):
    with pytest.raises(UsageError, match="calibration: found"):
        Calibration(**arguments)


def test_bins_count_right_answers_and_leave_empty_ones_without_accuracy():
    table = accuracy_bins([0.0, 0.05, 0.5, 0.95, 1.0], [0, 1, 1, 1, 1], n_bins=10)
    assert [row["n"] for row in table] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert table[0]["accuracy"] == 0.5
    assert table[9]["accuracy"] == 1.0
    assert table[1]["accuracy"] is None
    assert table[1]["interval"] == [0.0, 1.0]
    json.dumps(table)


def test_an_empty_bin_gives_no_confidence():
    table = accuracy_bins([0.05, 0.95], [0, 0], n_bins=10)
    found = classification_confidence([0.0, 0.35, 1.0, np.nan, 1.5], table)
    np.testing.assert_array_equal(found, [1.0, np.nan, 0.0, np.nan, np.nan])


def test_bins_of_several_classes_are_made_in_the_largest_probability():
    p = np.array([[0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1]])
    table = accuracy_bins(p, [0, 2, 0], edges=[0.0, 0.65, 1.0])
    assert [row["accuracy"] for row in table] == [1.0, 0.5]
    np.testing.assert_array_equal(classification_confidence(p, table), [1.0, 0.5, 0.5])


@pytest.mark.parametrize(
    ("k", "n", "expected"),
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (5, 10, (0.2366, 0.7634)), (0, 0, (0, 1))],
)
def test_wilson_intervals_are_those_of_the_tables(k, n, expected):
    assert wilson_interval(k, n) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_conformal_sets_cover_fresh_rows(level):
    p, y = draw("sigmoid", 40_000)
    quantile = conformal_quantile(class_scores(p[:20_000], y[:20_000]), level)
    sets = conformal_sets(p[20_000:], quantile)
    low, high = coverage(sets[np.arange(20_000), y[20_000:]], level=0.999)["interval"]
    assert low - 0.005 < level < high + 0.005


@pytest.mark.parametrize("scaled", [False, True], ids=["constant width", "in units of std"])
def test_conformal_intervals_cover_fresh_rows(scaled):
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=20_000), rng.uniform(0.1, 2.0, 20_000)
    y = mean + 3 * std * rng.normal(size=20_000)
    old, new = slice(0, 10_000), slice(10_000, None)
    scores = interval_scores(y[old], mean[old], std[old] if scaled else None)
    quantile = conformal_quantile(scores, 0.9)
    lower, upper = conformal_interval(mean[new], quantile, std[new] if scaled else None)
    measured = coverage((lower <= y[new]) & (y[new] <= upper))
    assert measured["value"] == pytest.approx(0.9, abs=0.015)
    assert measured["n"] == 10_000


def test_too_few_calibration_rows_rule_nothing_out():
    assert conformal_quantile([0.1] * 18, 0.95) == math.inf
    assert conformal_quantile([0.1] * 19, 0.95) == 0.1
    assert conformal_sets([0.999], math.inf).all()


def test_a_small_quantile_leaves_an_uncertain_row_without_a_class():
    assert conformal_sets([0.5, 0.95], 0.1).tolist() == [[False, False], [False, True]]


def test_class_scores_of_two_columns_agree_with_one():
    p, y = np.array([0.2, 0.9]), np.array([1, 1])
    np.testing.assert_allclose(class_scores(p, y), class_scores(np.c_[1 - p, p], y))


def test_coverage_without_rows_has_no_value():
    assert coverage([]) == {"value": None, "interval": [0.0, 1.0], "n": 0}
