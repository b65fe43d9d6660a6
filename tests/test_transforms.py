"""Target transforms are exact inverses, accurate and chosen by quantity."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from limen.errors import DataError, UsageError
from limen.transforms import TargetTransform, normal_cdf, normal_quantile

CASES = {
    "identity": (TargetTransform(), [-5.0, 0.0, 7.0]),
    "log": (TargetTransform("log"), [1e-200, 2e-9, 1.0, 134.0]),
    "probit": (TargetTransform("probit"), [1e-11, 0.05, 0.5, 0.95]),
    "log_deficit": (TargetTransform("log_deficit", -24.0, 5.0), [-24.0, -25.0, -9e4]),
    "log_deficit of chi2": (TargetTransform("log_deficit", 48.6, -10.0), [48.6, 50.0, 9e4]),
}


@pytest.mark.parametrize(("transform", "y"), CASES.values(), ids=CASES.keys())
def test_inverse_undoes_forward(transform, y):
    np.testing.assert_allclose(transform.inverse(transform.forward(y)), y, rtol=1e-10)


@pytest.mark.parametrize(("transform", "y"), CASES.values(), ids=CASES.keys())
def test_a_transform_survives_its_dictionary(transform, y):
    assert TargetTransform.from_dict(transform.to_dict()) == transform


@pytest.mark.parametrize(("transform", "y"), CASES.values(), ids=CASES.keys())
def test_an_interval_keeps_its_ends_in_order(transform, y):
    u = transform.forward(y)
    lower, upper = transform.inverse_interval(u - 0.1, u + 0.1)
    assert np.all(lower < np.asarray(y))
    assert np.all(np.asarray(y) < upper)


def test_the_normal_distribution_agrees_with_erfc_also_in_the_tail():
    x = np.linspace(-7, 7, 2801)
    exact = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in x])
    np.testing.assert_allclose(normal_cdf(x), exact, rtol=1e-8, atol=1e-15)


def test_the_normal_quantile_agrees_with_the_standard_library():
    p = np.r_[np.logspace(-11.9, -0.31, 500), 0.7, 0.95, 1 - 1e-9]
    exact = [NormalDist().inv_cdf(value) for value in p]
    np.testing.assert_allclose(normal_quantile(p), exact, rtol=0, atol=1e-9)


def test_the_probit_of_zero_and_one_is_finite():
    u = TargetTransform("probit").forward([0.0, 1.0])
    np.testing.assert_allclose(u, [-7.034484, 7.034484], atol=1e-4)


def test_the_inverse_never_leaves_the_floats():
    for kind in ("log", "probit", "log_deficit"):
        assert np.isfinite(TargetTransform(kind).inverse([-1e9, 1e9])).all()


def test_a_target_above_the_best_known_one_is_finite():
    assert np.isfinite(TargetTransform("log_deficit", 0.0, 5.0).forward([1.0, 100.0])).all()


@pytest.mark.parametrize(
    ("kind", "y", "allowed"),
    [("log", [1.0, 0.0], "positive"), ("probit", [0.2, 1.5], "0 to 1")],
    ids=["log of zero", "probit above one"],
)
def test_a_value_that_a_transform_cannot_hold_is_refused(kind, y, allowed):
    with pytest.raises(DataError, match=f"found 1 rows.*{allowed}"):
        TargetTransform(kind).forward(y)


@pytest.mark.parametrize(
    "arguments", [{"kind": "sqrt"}, {"kind": "log_deficit", "scale": 0.0}], ids=["kind", "scale"]
)
def test_an_impossible_transform_is_refused(arguments):
    with pytest.raises(UsageError, match="target transform"):
        TargetTransform(**arguments)


@pytest.mark.parametrize(
    ("quantity", "role", "y", "kind"),
    [
        ("excluded", "label", [0, 1], "identity"),
        ("cls", "test", [0.0, 1e-9, 0.9], "probit"),
        ("r", "test", [0.01, 5.0], "log"),
        ("r", "test", [0.5, 5.0], "identity"),
        ("signal_strength_limit", "limit", [0.01, np.nan, 10.0], "log"),
        ("cross_section", "observable", [2e-9, 134.0], "log"),
        ("mass", "observable", [-1.0, 134.0], "identity"),
        ("log_likelihood", "likelihood", [-24.0, -5e4], "log_deficit"),
        ("log_likelihood", "likelihood", [-24.0, -40.0], "identity"),
        ("chi2", "likelihood", [48.6, 5e4], "log_deficit"),
        ("r", "test", [], "identity"),
    ],
)
def test_the_transform_follows_role_quantity_and_spread(quantity, role, y, kind):
    assert TargetTransform.choose(quantity, role, y).kind == kind


def test_a_chosen_log_deficit_is_linear_within_a_few_units_of_the_best():
    transform = TargetTransform.choose("log_likelihood", "likelihood", [-24.0, -5e4])
    u = transform.forward([-24.0, -25.0, -26.0])
    assert u[0] == 0
    assert 1.7 < u[2] / u[1] < 2.0
