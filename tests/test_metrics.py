"""Figures of merit agree with their definitions, and are absent where undefined."""

from __future__ import annotations

import time

import numpy as np
import pytest

from limen.errors import ShapeError
from limen.metrics import (
    classification_metrics,
    expected_calibration_error,
    near_boundary,
    regression_metrics,
)


def by_name(found):
    return {one["name"]: one["value"] for one in found}


def intervals(found):
    return {one["name"]: one["interval"] for one in found}


def draw(n, digits=3):
    rng = np.random.default_rng(7)
    p = np.round(rng.random(n), digits)
    return p, (rng.random(n) < p**2).astype(int)


def test_classification_figures_agree_with_scikit_learn():
    reference = pytest.importorskip("sklearn.metrics")
    p, y = draw(3000, digits=2)
    p = np.clip(p, 0.001, 0.999)
    found = by_name(classification_metrics(p, y, rng=np.random.default_rng(0), n_boot=2))
    expected = {
        "accuracy": reference.accuracy_score(y, p >= 0.5),
        "precision": reference.precision_score(y, p >= 0.5),
        "recall": reference.recall_score(y, p >= 0.5),
        "average_precision": reference.average_precision_score(y, p),
        "roc_auc": reference.roc_auc_score(y, p),
        "log_loss": reference.log_loss(y, p),
        "brier": reference.brier_score_loss(y, p),
        "base_rate": y.mean(),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert found["expected_calibration_error"] == pytest.approx(expected_calibration_error(p, y))


def test_a_large_table_has_exact_values_and_close_intervals():
    p, y = draw(60_000, digits=9)
    some = slice(0, 49_000)
    large = classification_metrics(p, y, rng=np.random.default_rng(0))
    small = classification_metrics(p[some], y[some], rng=np.random.default_rng(0), n_boot=50)
    ranks = np.argsort(np.argsort(p)) + 1.0
    n1 = y.sum()
    area = (ranks[y == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * (len(y) - n1))
    assert by_name(large)["roc_auc"] == pytest.approx(area, rel=1e-12)
    for name, (low, high) in intervals(large).items():
        other_low, other_high = intervals(small)[name]
        assert low < by_name(large)[name] < high
        assert 0.6 < (high - low) / (other_high - other_low) < 1.4, name


def test_intervals_hold_the_truth_about_as_often_as_said():
    held = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = rng.random(400)
        y = (rng.random(400) < p).astype(int)
        low, high = intervals(classification_metrics(p, y, rng=rng, n_boot=100))["accuracy"]
        held += low <= 0.75 <= high
    assert held >= 33


def test_the_same_seed_gives_the_same_intervals():
    p, y = draw(500)
    one = classification_metrics(p, y, rng=np.random.default_rng(3))
    assert one == classification_metrics(p, y, rng=np.random.default_rng(3))
    assert one != classification_metrics(p, y, rng=np.random.default_rng(4))


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_gives_none_and_no_warning(label, recwarn):
    found = classification_metrics(
        np.full(30, 0.2), np.full(30, label), rng=np.random.default_rng(0)
    )
    assert by_name(found)["roc_auc"] is None
    assert intervals(found)["roc_auc"] is None
    assert by_name(found)["precision"] is None
    assert by_name(found)["accuracy"] == 1 - label
    assert not recwarn


def test_no_rows_give_none_everywhere(recwarn):
    rng = np.random.default_rng(0)
    assert set(by_name(classification_metrics([], [], rng=rng)).values()) == {None}
    assert set(by_name(regression_metrics([], [], rng=rng)).values()) == {None}
    assert not recwarn


def test_several_classes_have_accuracy_and_log_loss():
    p = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]])
    found = by_name(classification_metrics(p, [0, 2, 0], rng=np.random.default_rng(0)))
    expected = {"accuracy": 2 / 3, "log_loss": -np.log([0.7, 0.8, 0.3]).mean()}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("judge", "p", "y"),
    [
        (classification_metrics, [0.1, 0.2], [1]),
        (classification_metrics, np.zeros((2, 2, 2)), [0, 1]),
        (regression_metrics, [0.1, 0.2], [1.0]),
        (regression_metrics, [[0.1]], [[1.0]]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(judge, p, y):
    with pytest.raises(ShapeError, match="metrics: found shapes"):
        judge(p, y, rng=np.random.default_rng(0))


def test_regression_figures_are_what_they_are_called():
    y = np.array([1.0, 2.0, 3.0, 10.0])
    mean = y + np.array([0.1, -0.2, 0.3, -2.0])
    found = by_name(regression_metrics(mean, y, rng=np.random.default_rng(0)))
    errors = np.abs(mean - y)
    assert found == pytest.approx(
        {
            "root_mean_square_error": np.sqrt((errors**2).mean()),
            "mean_absolute_error": errors.mean(),
            "median_absolute_error": np.median(errors),
            "r2": 1 - (errors**2).sum() / ((y - y.mean()) ** 2).sum(),
            "max_error": 2.0,
            "median_relative_error": np.median(errors / y),
        }
    )


def test_a_relative_error_needs_one_sign_and_no_zero():
    rng = np.random.default_rng(0)
    for y in ([-1.0, 1.0], [0.0, 1.0]):
        assert "median_relative_error" not in by_name(regression_metrics([1.0, 1.0], y, rng=rng))
    found = by_name(regression_metrics([-1.1, -2.0], [-1.0, -2.0], rng=rng))
    assert found["median_relative_error"] == pytest.approx(0.05)


def test_a_constant_target_has_no_r2(recwarn):
    found = regression_metrics([0.1, 0.3], [0.1, 0.1], rng=np.random.default_rng(0))
    assert by_name(found)["r2"] is None
    assert not recwarn


def test_twenty_thousand_rows_take_less_than_a_second():
    p, y = draw(20_000, digits=9)
    started = time.process_time()
    classification_metrics(p, y, rng=np.random.default_rng(0))
    regression_metrics(p, y + 1.0, rng=np.random.default_rng(0))
    assert time.process_time() - started < 2.0


def test_the_rows_nearest_to_the_boundary_are_marked():
    y = np.array([5.0, -1.0, 0.1, np.nan, 3.0, -0.2])
    assert near_boundary(y, 0.0, share=0.4).tolist() == [False, False, True, False, False, True]
    assert not near_boundary([np.nan], 0.0).any()


def test_rows_as_near_as_the_last_one_are_marked_with_it():
    assert near_boundary([1.0, -1.0, 1.0, 9.0, 9.0], 0.0).sum() == 3
