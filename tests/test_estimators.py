"""Every estimator keeps the same promises: same seed same bytes, and a graph that is the model."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from limen.confidence import Calibration
from limen.domain import fit_domain
from limen.errors import (
    ExportError,
    MissingExtraError,
    ShapeError,
    TrainingError,
    UsageError,
)
from limen.estimators import KINDS, assemble, fit, probe_rows, reference, threshold_rows, verify
from limen.graph import Session, audit
from limen.transforms import TargetTransform

N, D = 400, 3
NAMES = ["a", "b", "c"]
RNG = np.random.default_rng(0)
X = RNG.uniform([-1.0, 100.0, 0.01], [1.0, 2000.0, 1.0], (N, D))
SMOOTH = np.sin(2 * X[:, 0]) + X[:, 1] / 1000 + X[:, 0] * X[:, 2]
LABEL = (SMOOTH > 1.0).astype(int)
CATEGORY = np.digitize(SMOOTH, [0.6, 1.4])
DOMAIN = fit_domain(X, rng=np.random.default_rng(1), max_reference=64)
OPTIONS = {
    "forest": {"n_estimators": 12},
    "boosted": {"max_rounds": 30},
    "mlp": {"epochs": 40, "members": 2, "hidden": (16, 8), "batch": 32, "log_inputs": [2]},
    "gp": {"max_rows": 80, "tuning_rows": 40, "restarts": 0, "log_inputs": [2]},
}
CASES = {
    **{f"{kind}-label": (kind, "classification", LABEL) for kind in ("boosted", "forest", "mlp")},
    **{
        f"{kind}-category": (kind, "classification", CATEGORY)
        for kind in ("boosted", "forest", "mlp")
    },
    **{f"{kind}-value": (kind, "regression", SMOOTH) for kind in KINDS},
}


def fitted(kind, task, y, **more):
    return fit(kind, X, y, task, seed=5, n_jobs=1, options=OPTIONS[kind], **more)


@pytest.fixture(scope="module")
def models():
    return {case: fitted(*values) for case, values in CASES.items()}


def complete(model, calibration=None, transform=None):
    graph = assemble(
        model.raw_graph(),
        task=model.task,
        n_inputs=D,
        dtype=model.dtype,
        domain=DOMAIN,
        calibration=calibration,
        target_transform=transform,
        metadata={"limen.model": "m", "limen.bundle": "b"},
    )
    truth = reference(model, domain=DOMAIN, calibration=calibration, target_transform=transform)
    return graph, truth


@pytest.mark.parametrize("case", CASES)
def test_the_graph_is_the_model(models, case):
    graph, truth = complete(models[case])
    data = graph.SerializeToString()
    audit(data, NAMES)
    rows = probe_rows(graph, X, np.random.default_rng(2), count=300)
    found = verify(data, truth, rows)
    assert found["mismatched_ppm"] == 0
    assert found["max_rel"] < 1e-6
    assert found["rows"] >= 600


@pytest.mark.parametrize("case", CASES)
def test_the_same_seed_gives_the_same_bytes(models, case):
    again = complete(fitted(*CASES[case]))[0].SerializeToString()
    assert complete(models[case])[0].SerializeToString() == again


def test_another_seed_gives_another_model(models):
    other = fit("forest", X, LABEL, "classification", seed=6, n_jobs=1, options=OPTIONS["forest"])
    assert (other.predict(X) != models["forest-label"].predict(X)).any()


def test_the_number_of_jobs_does_not_change_a_forest(models):
    two = fit("forest", X, LABEL, "classification", seed=5, n_jobs=2, options=OPTIONS["forest"])
    assert two.raw_graph() == models["forest-label"].raw_graph()


@pytest.mark.parametrize("case", CASES)
def test_it_learns(models, case):
    model, y = models[case], CASES[case][2]
    said = model.predict(X)
    if model.task == "regression":
        assert np.sqrt(np.mean((said - y) ** 2)) < 0.5 * np.std(y)
    else:
        shares = said if said.ndim == 2 else np.column_stack([1 - said, said])
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-3)
        assert np.mean(shares.argmax(axis=1) == y) > 0.7


@pytest.mark.parametrize("case", CASES)
def test_outputs_have_the_shapes_of_the_contract(models, case):
    answers = Session(complete(models[case])[0].SerializeToString(), D).run(X[:5])
    if models[case].task == "regression":
        wanted = {"mean": (5,), "domain_score": (5,)}
        if case.startswith("gp"):
            wanted["std"] = (5,)
    else:
        wanted = {"probability": (5, len(models[case].classes)), "domain_score": (5,)}
    assert {name: value.shape for name, value in answers.items()} == wanted
    assert {value.dtype.name for value in answers.values()} == {models[case].dtype}


CALIBRATIONS = {
    "sigmoid": Calibration("sigmoid", a=1.4, b=-0.3),
    "piecewise": Calibration("piecewise", x=(0.1, 0.4, 0.6, 0.9), y=(0.02, 0.3, 0.31, 0.97)),
    "two-knots": Calibration("piecewise", x=(0.0, 1.0), y=(0.1, 0.9)),
}


@pytest.mark.parametrize("calibration", CALIBRATIONS.values(), ids=CALIBRATIONS)
@pytest.mark.parametrize("case", ["forest-label", "boosted-label", "mlp-label"])
def test_calibration_in_the_graph_is_that_of_numpy(models, case, calibration):
    graph, truth = complete(models[case], calibration)
    verify(
        graph.SerializeToString(), truth, probe_rows(graph, X, np.random.default_rng(2), count=200)
    )
    p = Session(graph.SerializeToString(), D).run(X)["probability"][:, 1]
    np.testing.assert_allclose(p, calibration.apply(models[case].predict(X)), atol=1e-6)
    assert (np.abs(p - models[case].predict(X)) > 0.01).any()


TRANSFORMS = {
    "identity": TargetTransform(),
    "log": TargetTransform("log"),
    "probit": TargetTransform("probit"),
    "log_deficit": TargetTransform("log_deficit", top=-5.0, scale=3.0),
    "chi2-deficit": TargetTransform("log_deficit", top=2.0, scale=-10.0),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("case", [f"{kind}-value" for kind in KINDS])
def test_transforms_in_the_graph_are_those_of_numpy(models, case, transform):
    graph, truth = complete(models[case], transform=transform)
    data = graph.SerializeToString()
    verify(data, truth, {"training": X})
    said = Session(data, D).run(X)
    u = models[case].predict(X)
    np.testing.assert_allclose(said["mean"], transform.inverse(u), rtol=1e-6)
    if "std" in said:
        std = models[case].predict_std(X)
        np.testing.assert_allclose(said["std"], std * transform.slope(u), rtol=1e-6)


def test_the_domain_in_the_graph_is_that_of_numpy_also_on_planes():
    rng = np.random.default_rng(3)
    plane = rng.uniform(0, 1000, (300, 3))
    plane[:, 2] = plane[:, 1] - np.where(np.arange(300) % 2, 60.0, 130.0)
    domain = fit_domain(plane, rng=rng)
    assert len(domain.subspaces) == 2
    off = plane + np.array([0.0, 0.0, 35.0])
    far = np.array([[1e30, 0.0, 0.0], [0.0, -1e9, 5.0]])
    for dtype in ("float32", "float64"):
        kind = "forest" if dtype == "float32" else "mlp"
        model = fit(
            kind,
            plane,
            plane[:, 0],
            "regression",
            seed=0,
            n_jobs=1,
            options=OPTIONS[kind] | ({"log_inputs": []} if kind == "mlp" else {}),
        )
        graph = assemble(
            model.raw_graph(), task="regression", n_inputs=3, dtype=dtype, domain=domain
        )
        for rows in (plane, off, far):
            points = rows.astype(dtype)
            said = Session(graph.SerializeToString(), 3).run(points)["domain_score"]
            np.testing.assert_allclose(said, domain.score(points), rtol=2e-5, atol=1e-5)
        score = Session(graph.SerializeToString(), 3).run(plane)["domain_score"]
        assert (score <= 1).mean() > 0.98
        assert (Session(graph.SerializeToString(), 3).run(off)["domain_score"] > 1).all()


def test_out_of_bag_estimates_are_those_of_scikit_learn():
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    for task, y, other in (
        (
            "classification",
            LABEL,
            RandomForestClassifier(12, max_leaf_nodes=4096, oob_score=True, random_state=5),
        ),
        (
            "regression",
            SMOOTH,
            RandomForestRegressor(
                12, max_leaf_nodes=4096, max_features=1.0, oob_score=True, random_state=5
            ),
        ),
    ):
        ours = fitted("forest", task, y).out_of_bag
        with np.errstate(all="ignore"), pytest.warns(UserWarning, match="OOB"):
            other.fit(X.astype(np.float32), (y - y.mean()) / y.std() if task == "regression" else y)
        theirs = (
            other.oob_decision_function_[:, 1]
            if task == "classification"
            else other.oob_prediction_ * y.std() + y.mean()
        )
        seen = ~np.isnan(ours)
        np.testing.assert_allclose(ours[seen], theirs[seen], atol=1e-3)


def test_a_row_that_every_tree_has_seen_has_no_out_of_bag_estimate():
    model = fit("forest", X, LABEL, "classification", seed=0, n_jobs=1, options={"n_estimators": 2})
    assert 0.2 < np.isnan(model.out_of_bag).mean() < 0.6


def test_threshold_rows_straddle_every_threshold(models):
    graph = models["forest-label"].raw_graph()
    rows = threshold_rows(graph, X, np.random.default_rng(0), count=50)
    assert rows.dtype == np.float32
    assert rows.shape == (150, D)
    assert len(threshold_rows(models["mlp-label"].raw_graph(), X, np.random.default_rng(0))) == 0


def test_verify_finds_a_graph_of_another_model(models):
    graph, _ = complete(models["forest-label"])
    _, truth = complete(models["boosted-label"])
    with pytest.raises(ExportError, match=r"probability on \d+ of 400 rows \(training\)"):
        verify(graph.SerializeToString(), truth, {"training": X})


def test_verify_finds_a_threshold_moved_by_one_float32():
    """Random rows do not see it, rows at the thresholds do."""
    model = fit("forest", X, LABEL, "classification", seed=0, n_jobs=1, options={"n_estimators": 1})
    graph, truth = complete(model)
    node = next(item for item in graph.graph.node if item.op_type == "TreeEnsembleRegressor")
    values = next(item for item in node.attribute if item.name == "nodes_values")
    moved = np.nextafter(np.array(values.floats, dtype=np.float32), np.float32(np.inf))
    values.floats[:] = moved.tolist()
    data, rng = graph.SerializeToString(), np.random.default_rng(0)
    box = X.min(axis=0) + (X.max(axis=0) - X.min(axis=0)) * rng.random((2000, D))
    assert verify(data, truth, {"random": box})["mismatched_ppm"] == 0
    with pytest.raises(ExportError, match=r"rows \(threshold\)"):
        verify(data, truth, {"threshold": threshold_rows(complete(model)[0], X, rng)})


def test_verify_wants_rows(models):
    graph, truth = complete(models["mlp-label"])
    with pytest.raises(ExportError, match="no rows"):
        verify(graph.SerializeToString(), truth, {"training": X[:0]})


def test_a_gaussian_process_is_surer_near_its_rows(models):
    model = models["gp-value"]
    far = X[:1] * [30.0, 30.0, 1.0]
    assert model.predict_std(far)[0] > 3 * np.median(model.predict_std(X))
    residual = np.abs(model.predict(X) - SMOOTH) / model.predict_std(X)
    assert np.mean(residual < 2) > 0.8


def test_a_gaussian_process_keeps_a_pure_trend():
    y = 3.0 + X @ [1.0, 2e-3, -4.0]
    model = fit("gp", X, y, "regression", seed=0, options=OPTIONS["gp"] | {"log_inputs": []})
    np.testing.assert_allclose(model.predict(X), y, atol=1e-6)


def test_a_gaussian_process_takes_at_most_its_rows():
    found = fitted("gp", "regression", SMOOTH).hyperparameters
    assert found["rows"] == 80
    assert found["kernel"] in ("matern", "rbf")


def test_a_constant_column_does_no_harm():
    rows = X.copy()
    rows[:, 1] = 7.0
    for kind in KINDS:
        options = OPTIONS[kind] | ({"log_inputs": []} if kind in ("mlp", "gp") else {})
        model = fit(kind, rows, SMOOTH, "regression", seed=0, n_jobs=1, options=options)
        assert np.isfinite(model.predict(rows)).all()


REFUSED = {
    "kind": ({"kind": "svm"}, UsageError, "found 'svm', allowed boosted, forest, gp, mlp"),
    "task": ({"task": "ranking"}, UsageError, "found 'ranking'"),
    "option": ({"options": {"trees": 3}}, UsageError, "found option 'trees'"),
    "activation": ({"kind": "mlp", "options": {"activation": "swish"}}, UsageError, "'swish'"),
    "gp-label": ({"kind": "gp"}, UsageError, "allowed a regression"),
    "gp-kernel": ({"kind": "gp", "task": "regression", "options": {"kernel": "x"}}, UsageError, "kernel 'x'"),
    "gp-rows": ({"kind": "gp", "task": "regression", "options": {"max_rows": 10**6}}, UsageError, "max_rows"),
    "shapes": ({"y": LABEL[:-1]}, ShapeError, r"\(400, 3\) and y of shape \(399,\)"),
    "two-rows": ({"X": X[:2], "y": LABEL[:2]}, TrainingError, "found 2 rows"),
    "one-class": ({"y": np.ones(N)}, TrainingError, "found only label 1"),
    "constant": ({"task": "regression", "y": np.full(N, 2.5)}, TrainingError, "target 2.5 in every row"),
    "nan": ({"X": np.where(X > 0.5, np.nan, X)}, TrainingError, "found NaN or infinity"),
    "fractions": ({"y": LABEL * 0.5}, TrainingError, "not whole numbers"),
    "log-of-negative": (
        {"kind": "mlp", "options": {"log_inputs": [0]}},
        TrainingError,
        "allowed positive ones",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_fit_refuses(change, error, message):
    call = {"kind": "forest", "X": X, "y": LABEL, "task": "classification", **change}
    with pytest.raises(error, match=message):
        fit(call.pop("kind"), call.pop("X"), call.pop("y"), call.pop("task"), seed=0, **call)


def test_a_missing_library_is_named_with_the_install_line(monkeypatch):
    real = builtins.__import__

    def without_sklearn(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError("No module named 'sklearn'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr("importlib.import_module", lambda name: without_sklearn(name))
    with pytest.raises(MissingExtraError, match=r"pip install '.\[train\]'"):
        fitted("forest", "classification", LABEL)


def test_a_forest_above_the_budget_is_refused(monkeypatch):
    monkeypatch.setattr("limen.estimators.forest.MAX_NODES", 100)
    with pytest.raises(ExportError, match="allowed 100; set a smaller max_leaf_nodes"):
        fitted("forest", "classification", LABEL).raw_graph()


def test_metadata_and_versions_are_in_the_graph(models):
    graph, _ = complete(models["forest-label"])
    assert [(item.key, item.value) for item in graph.metadata_props] == [
        ("limen.bundle", "b"),
        ("limen.model", "m"),
    ]
    assert {item.domain: item.version for item in graph.opset_import} == {"": 18, "ai.onnx.ml": 3}
    assert graph.ir_version == 9
