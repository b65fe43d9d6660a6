"""What is measured on rows that the model has not seen, and of which population it holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from limen.confidence import Calibration, classification_confidence
from limen.manifest import Column
from limen.training.judging import LEVEL, calibrate, judge
from limen.training.rows import CALIBRATION, TEST, TRAIN, TrainingRows
from limen.transforms import TargetTransform

INPUT = Column("x", "parameter", "1")
LABEL = Column("excluded_95", "label", "1", quantity="excluded")
MASS = Column("mass", "observable", "GeV")
LOGLIKE = Column("loglike", "likelihood", "1", quantity="log_likelihood")


def make_rows(target, x, y, counts, **more):
    split = np.repeat([TRAIN, CALIBRATION, TEST], counts).astype(np.int8)
    task = "classification" if target is LABEL else "regression"
    settings = {"drawn": np.ones(len(x), dtype=bool), "population": "a toy", "task": task} | more
    return TrainingRows((INPUT,), target, x[:, None], y, split, **settings)


def toy_labels(n, rng):
    """Labels drawn with the probability itself: p is calibrated by construction."""
    x = rng.uniform(-4.0, 4.0, n)
    p = 1 / (1 + np.exp(-x))
    return x, p, (rng.random(n) < p).astype(np.int64)


def judged_labels(counts, seed, p_of=lambda p: p, **more):
    rng = np.random.default_rng(seed)
    x, p, y = toy_labels(sum(counts), rng)
    rows = make_rows(LABEL, x, y, counts, **more)
    said = p_of(p)
    table = np.column_stack([1 - said, said])
    return rows, said, judge(rows, {"probability": table}, None, TargetTransform(), rng)


def entry_of(judgement, kind):
    return next(entry for entry in judgement.confidence if entry["kind"] == kind)


def metric_of(judgement, name, region=None, split="test"):
    return next(
        m
        for m in judgement.metrics
        if (m["name"], m.get("region"), m["split"]) == (name, region, split)
    )


def spread(n_calibration, n_test):
    """Standard deviation of the measured coverage of an exchangeable sample."""
    return math.sqrt(LEVEL * (1 - LEVEL) * (1 / n_calibration + 1 / n_test))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("p_of", [lambda p: p, lambda p: p**3], ids=["calibrated", "skewed"])
def test_conformal_sets_cover_as_they_say_on_exchangeable_rows(seed, p_of):
    _, _, judgement = judged_labels((50, 3000, 3000), seed, p_of)
    entry = entry_of(judgement, "conformal")
    assert abs(entry["coverage"]["value"] - LEVEL) < 4 * spread(3000, 3000)
    assert entry["coverage"]["n"] == 3000
    assert entry["n"] == 3000
    assert entry["population"] == "a toy"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("with_std", [True, False], ids=["scaled", "plain"])
@pytest.mark.parametrize("kind", ["identity", "log"])
def test_conformal_intervals_cover_as_they_say_on_exchangeable_rows(seed, with_std, kind):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.0, 2.0, 6050)
    noise = 0.05 + 0.3 * x
    transform = TargetTransform(kind)
    y = transform.inverse(x + noise * rng.standard_normal(len(x)))
    answer = {"mean": transform.inverse(x)}
    if with_std:
        answer["std"] = 0.7 * noise * transform.slope(x)
    rows = make_rows(MASS, x, y, (50, 3000, 3000))
    judgement = judge(rows, answer, None, transform, rng)
    entry = entry_of(judgement, "conformal")
    assert abs(entry["coverage"]["value"] - LEVEL) < 4 * spread(3000, 3000)
    assert entry["scale"] == ("standard deviations" if with_std else "target transform")
    if with_std:
        # 1.96 over the factor 0.7 by which the standard deviations are too small.
        assert entry["quantile"] == pytest.approx(2.8, abs=0.15)
        posterior = entry_of(judgement, "gp_posterior")
        assert posterior["coverage"]["value"] == pytest.approx(0.83, abs=0.03)


def test_the_table_is_of_the_calibration_rows_and_its_coverage_of_the_test_rows():
    rows, said, judgement = judged_labels((100, 2000, 1500), 5)
    entry = entry_of(judgement, "binned_accuracy")
    assert sum(row["n"] for row in entry["table"]) == 2000
    assert "calibration rows" in entry["meaning"]
    test = rows.part(TEST)
    right = (said[test] >= 0.5) == rows.y[test]
    assert entry["coverage"]["value"] == pytest.approx(right.mean())
    assert entry["coverage"]["n"] == 1500


def test_sure_points_are_those_of_high_classification_confidence():
    rows, said, judgement = judged_labels((100, 4000, 2000), 6)
    region = "classification confidence >= 0.95"
    accuracy, share = (metric_of(judgement, n, region) for n in ("accuracy", "share_of_points"))
    test = rows.part(TEST)
    sure = classification_confidence(said[test], entry_of(judgement, "binned_accuracy")["table"])
    assert share["value"] == pytest.approx((sure >= 0.95).mean())
    assert accuracy["rows"] == (sure >= 0.95).sum()
    assert accuracy["value"] > 0.93
    assert share["rows"] == 2000


def test_near_the_boundary_are_the_20_percent_nearest_test_rows():
    rng = np.random.default_rng(7)
    x, p, y = toy_labels(2000, rng)
    rows = make_rows(LABEL, x, y, (500, 500, 1000), boundary=x, threshold=0.0)
    judgement = judge(
        rows, {"probability": np.column_stack([1 - p, p])}, None, TargetTransform(), rng
    )
    near = metric_of(judgement, "accuracy", "near_boundary")
    test = rows.part(TEST)
    nearest = test[np.argsort(np.abs(x[test]))[:200]]
    assert near["rows"] == 200
    assert near["value"] == pytest.approx(((p[nearest] >= 0.5) == y[nearest]).mean())
    whole = metric_of(judgement, "accuracy")
    assert near["value"] < whole["value"] - 0.1
    assert whole["interval"][0] < whole["value"] < whole["interval"][1]


def test_without_a_boundary_there_is_no_such_region():
    _, _, judgement = judged_labels((100, 500, 500), 8)
    assert not [m for m in judgement.metrics if m.get("region") == "near_boundary"]


def test_errors_of_a_likelihood_are_given_near_its_best_row():
    rng = np.random.default_rng(9)
    x = rng.uniform(0.0, 10.0, 1000)
    y = -0.5 * x**2
    rows = make_rows(LOGLIKE, x, y, (400, 300, 300))
    judgement = judge(rows, {"mean": y + 0.01 * x**2}, None, TargetTransform(), rng)
    region = "delta chi2 to the best row < 30"
    inside = metric_of(judgement, "max_error", region)
    test = rows.part(TEST)
    expected = test[2 * (y.max() - y[test]) < 30]
    assert inside["rows"] == len(expected)
    assert inside["value"] == pytest.approx((0.01 * x[expected] ** 2).max())
    assert metric_of(judgement, "max_error")["value"] > 2 * inside["value"]


def test_errors_are_in_the_unit_of_the_target():
    rng = np.random.default_rng(10)
    x = rng.uniform(0.0, 1.0, 300)
    rows = make_rows(MASS, x, x, (100, 100, 100))
    judgement = judge(rows, {"mean": x + 0.5}, None, TargetTransform(), rng)
    error = metric_of(judgement, "mean_absolute_error")
    assert (error["value"], error["unit"]) == (pytest.approx(0.5), "GeV")
    assert "unit" not in metric_of(judgement, "r2")


def test_too_few_calibration_rows_give_no_sets_and_say_so():
    _, _, judgement = judged_labels((100, 12, 200), 11)
    entry = entry_of(judgement, "conformal")
    assert entry["quantile"] is None
    assert "coverage" not in entry
    assert judgement.remarks == ["too few calibration rows (12) for 95 % conformal sets"]


def test_no_test_rows_give_no_coverage():
    rows, _, judgement = judged_labels((100, 200, 0), 12)
    assert len(rows.part(TEST)) == 0
    for entry in judgement.confidence:
        assert "coverage" not in entry
    assert all(metric["value"] is None for metric in judgement.metrics)


def test_an_empty_bin_of_the_table_says_nothing():
    _, _, judgement = judged_labels((100, 300, 300), 13, lambda p: np.where(p > 0.5, 0.99, 0.01))
    table = entry_of(judgement, "binned_accuracy")["table"]
    assert [row["accuracy"] is None for row in table].count(True) == len(table) - 2


def test_few_calibration_rows_hand_over_to_out_of_bag_estimates_of_the_population():
    rng = np.random.default_rng(14)
    x, p, y = toy_labels(1000, rng)
    drawn = np.ones(1000, dtype=bool)
    drawn[:400] = False
    y[:400] = 1 - (p[:400] > 0.5)
    estimates = p[:900].copy()
    estimates[880:] = np.nan
    rows = make_rows(LABEL, x, y, (900, 20, 80), drawn=drawn)
    answer = {"probability": np.column_stack([1 - p, p])}
    judgement = judge(rows, answer, estimates, TargetTransform(), rng)
    entry = entry_of(judgement, "binned_accuracy")
    assert sum(row["n"] for row in entry["table"]) == 480
    assert "out-of-bag" in entry["meaning"]
    metric = metric_of(judgement, "accuracy", split="out_of_bag")
    assert metric["rows"] == 480
    # Of the picked rows every single one is wrong; they do not count.
    assert metric["value"] > 0.75


def test_calibration_is_from_calibration_rows_where_there_are_enough():
    rng = np.random.default_rng(15)
    x, p, y = toy_labels(4000, rng)
    rows = make_rows(LABEL, x, y, (1000, 2000, 1000))
    skewed = p**3 / (p**3 + (1 - p) ** 3)
    learnt = calibrate(rows, skewed, np.full(1000, 0.5), rng)
    test = rows.part(TEST)
    assert learnt.kind != "none"
    assert np.abs(learnt.apply(skewed[test]) - p[test]).mean() < 0.03
    assert np.abs(skewed[test] - p[test]).mean() > 0.06


def test_calibration_leaves_picked_rows_out():
    rng = np.random.default_rng(16)
    x, p, y = toy_labels(1500, rng)
    drawn = np.arange(1500) >= 700
    y[:700] = 1
    rows = make_rows(LABEL, x, y, (1480, 10, 10), drawn=drawn)
    learnt = calibrate(rows, p, p[:1480], rng)
    assert np.abs(learnt.apply(p) - p).mean() < 0.05
    everything = make_rows(LABEL, x, y, (1480, 10, 10))
    fooled = calibrate(everything, p, p[:1480], rng)
    assert fooled.apply(p).mean() > learnt.apply(p).mean() + 0.1


def test_few_rows_of_both_kinds_leave_the_probability_as_it_is():
    rng = np.random.default_rng(17)
    x, p, y = toy_labels(60, rng)
    assert calibrate(make_rows(LABEL, x, y, (30, 15, 15)), p, None, rng) == Calibration()


def test_several_classes_have_a_table_and_no_sets():
    rng = np.random.default_rng(18)
    x = rng.uniform(0.0, 3.0, 900)
    y = x.astype(np.int64)
    table = np.full((900, 3), 0.1)
    table[np.arange(900), y] = 0.8
    rows = make_rows(LABEL, x, y, (600, 150, 150), codes=(2, 5, 7))
    judgement = judge(rows, {"probability": table}, table[:600], TargetTransform(), rng)
    assert [entry["kind"] for entry in judgement.confidence] == ["binned_accuracy"]
    assert metric_of(judgement, "accuracy")["value"] == 1.0
    assert metric_of(judgement, "accuracy", split="out_of_bag")["rows"] == 600
