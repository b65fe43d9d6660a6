"""A polynomial trend is found where there is one, and the graph says what numpy says."""

from __future__ import annotations

import numpy as np
import pytest

from limen.domain import fit_domain
from limen.estimators import assemble, fit, probe_rows, reference, verify
from limen.estimators.building import GraphBuilder
from limen.estimators.trend import find_margin, find_trend, fit_trend
from limen.graph import Session

RNG = np.random.default_rng(0)
X = RNG.uniform([-1.0, -2.0, 0.5], [1.0, 2.0, 4.0], (1500, 3))
RATES = np.column_stack([X[:, 0] * X[:, 1] + X[:, 2], X[:, 1] ** 2 - X[:, 0], X[:, 2] * X[:, 0]])
CHI2 = 40.0 * ((RATES - [1.0, 0.2, 0.1]) ** 2).sum(axis=1)
U = np.log1p(CHI2 / 10.0)
LABEL = (CHI2 > 30.0).astype(int)
HELD = np.arange(1500) % 10 == 0
OPTIONS = {"boosted": {"max_rounds": 40}, "mlp": {"epochs": 10, "members": 1, "hidden": (16,)}}


@pytest.mark.parametrize("degree", [2, 4], ids=["quadratic", "quartic"])
@pytest.mark.parametrize("link", ["identity", "log"])
@pytest.mark.parametrize("log_inputs", [(), (2,)], ids=["linear", "logarithmic"])
def test_the_graph_of_a_trend_is_the_trend(degree, link, log_inputs):
    trend = fit_trend(X, U, degree, link, log_inputs).rescaled(2.0, -1.0)
    builder = GraphBuilder(3, "float64")
    builder.output(trend.write(builder), "raw", "float64")
    said = Session(builder.model().SerializeToString(), 3).run(X)["raw"]
    np.testing.assert_allclose(said, trend(X), rtol=1e-10, atol=1e-10)


def test_a_chi2_of_quadratic_rates_is_a_quartic():
    trend = find_trend(X, U, HELD)
    assert (trend.degree, trend.link) == (4, "log")
    assert trend.explained > 1 - 1e-9
    fresh = RNG.uniform(X.min(axis=0), X.max(axis=0), (100, 3))
    rates = np.column_stack(
        [
            fresh[:, 0] * fresh[:, 1] + fresh[:, 2],
            fresh[:, 1] ** 2 - fresh[:, 0],
            fresh[:, 2] * fresh[:, 0],
        ]
    )
    chi2 = 40.0 * ((rates - [1.0, 0.2, 0.1]) ** 2).sum(axis=1)
    np.testing.assert_allclose(10.0 * np.expm1(trend(fresh)), chi2, atol=1e-4)


NO_TREND = {
    "noise": (X, RNG.normal(size=1500), HELD),
    "too few rows": (X[:60], U[:60], HELD[:60]),
    "too many inputs": (RNG.normal(size=(1500, 60)), U, HELD),
    "nothing set aside": (X, U, np.zeros(1500, dtype=bool)),
    "constant where set aside": (X, np.where(HELD, 1.0, U), HELD),
}


@pytest.mark.parametrize("case", NO_TREND.values(), ids=NO_TREND)
def test_there_is_no_trend(case):
    assert find_trend(*case) is None


def test_terms_that_a_grid_does_not_determine_do_no_harm():
    plane = X.copy()
    plane[:, 2] = plane[:, 0]
    trend = find_trend(plane, plane[:, 0] * plane[:, 1], HELD)
    np.testing.assert_allclose(trend(plane), plane[:, 0] * plane[:, 1], atol=1e-5)


def test_log_odds_change_sign_at_the_cut():
    margin = find_margin(X, U, LABEL, HELD)
    away = np.abs(CHI2 - 30.0) > 1.0
    assert ((margin(X) > 0) == LABEL)[away].all()


def test_log_odds_of_a_label_that_is_one_below_the_cut_fall():
    margin = find_margin(X, U, 1 - LABEL, HELD)
    away = np.abs(CHI2 - 30.0) > 1.0
    assert ((margin(X) < 0) == LABEL)[away].all()


@pytest.mark.parametrize("kind", ["boosted", "mlp"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_models_with_a_trend_export_exactly_and_do_better(kind, task):
    target = LABEL if task == "classification" else U
    guide = U if task == "classification" else None
    model, plain = (
        fit(
            kind,
            X,
            target,
            task,
            seed=0,
            n_jobs=1,
            options=OPTIONS[kind] | {"trend": trend},
            guide=guide,
        )
        for trend in ("auto", "none")
    )
    assert model.hyperparameters["trend"]["degree"] == 4
    assert plain.hyperparameters["trend"] == "none"
    assert np.mean((model.predict(X) - target) ** 2) < np.mean((plain.predict(X) - target) ** 2)
    domain = fit_domain(X, rng=np.random.default_rng(1), max_reference=64)
    graph = assemble(model.raw_graph(), task=task, n_inputs=3, dtype=model.dtype, domain=domain)
    rows = probe_rows(graph, X, np.random.default_rng(2), count=300)
    found = verify(graph.SerializeToString(), reference(model, domain=domain), rows)
    assert found["mismatched_ppm"] == 0
    again = fit(
        kind, X, target, task, seed=0, n_jobs=1, options=OPTIONS[kind], guide=guide
    ).raw_graph()
    assert again.SerializeToString() == model.raw_graph().SerializeToString()


def test_a_guide_does_not_touch_a_forest():
    with_it, without = (
        fit(
            "forest",
            X,
            LABEL,
            "classification",
            seed=0,
            n_jobs=1,
            options={"n_estimators": 3},
            guide=g,
        )
        for g in (U, None)
    )
    assert (with_it.predict(X) == without.predict(X)).all()
