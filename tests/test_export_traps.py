"""Traps of the converters that we measured: each is avoided, or refused with its reason."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from limen.domain import fit_domain
from limen.errors import ExportError, GraphError
from limen.estimators import adopt, assemble, fit, probe_rows, reference, verify
from limen.estimators.forest import round_down
from limen.graph import Session, audit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 3))
Y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2])
LABEL = (Y > 0).astype(int)
DOMAIN = fit_domain(X, rng=np.random.default_rng(1), max_reference=64)
NAMES = ["a", "b", "c"]


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def checked(model, **tolerances):
    """Assemble, audit and verify, as `limen add-model` does."""
    graph = assemble(
        model.raw_graph(), task=model.task, n_inputs=3, dtype=model.dtype, domain=DOMAIN
    )
    data = graph.SerializeToString()
    audit(data, NAMES)
    rows = probe_rows(graph, X, np.random.default_rng(2), count=600)
    return verify(data, reference(model, domain=DOMAIN), rows, **tolerances), data


def test_a_forest_in_float32_is_exact_next_to_its_thresholds():
    """Scikit-learn compares float32 points with float64 thresholds; rounding these up flips rows."""
    model = fit(
        "forest", X, LABEL, "classification", seed=0, n_jobs=1, options={"n_estimators": 40}
    )
    found, _ = checked(model)
    assert found["max_abs"] <= 2.0**-24
    assert found["mismatched_ppm"] == 0


def test_thresholds_between_two_float32_are_rounded_down():
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2.0))
    between = float(low) + 0.9 * (float(high) - float(low))
    assert np.float32(between) == high
    assert round_down(np.array([between, -between, 0.0])).astype(np.float32).tolist() == [
        low,
        -high,
        0.0,
    ]


def test_a_forest_of_neighbouring_float32_values_is_exact():
    """Training values one float32 apart put every threshold between two float32 numbers."""
    from sklearn.ensemble import ExtraTreesClassifier

    values = np.float32(1.0) + np.arange(8, dtype=np.float32) * np.float32(2.0**-23)
    rows = np.column_stack([np.tile(values, 8), np.repeat(values, 8)])
    label = (np.arange(64) % 3 == 0).astype(int)
    forest = ExtraTreesClassifier(20, random_state=0).fit(rows, label)
    model = adopt(forest, "classification", rows)
    said = Session(model.raw_graph().SerializeToString(), 2).run(rows)["raw"]
    np.testing.assert_allclose(said, forest.predict_proba(rows)[:, 1], atol=1e-7)


def test_early_stopping_of_xgboost_is_respected():
    import xgboost

    stopped = xgboost.XGBClassifier(
        n_estimators=200, learning_rate=0.8, early_stopping_rounds=3, n_jobs=1
    ).fit(X[:400], LABEL[:400], eval_set=[(X[400:], LABEL[400:])], verbose=False)
    rounds = stopped.get_booster().num_boosted_rounds()
    assert stopped.best_iteration + 1 < rounds
    model = adopt(stopped, "classification", X)
    checked(model)
    np.testing.assert_allclose(model.predict(X), stopped.predict_proba(X)[:, 1], atol=1e-6)


def test_our_booster_stops_early():
    found = fit("boosted", X, RNG.permutation(LABEL), "classification", seed=0, n_jobs=1)
    assert found.hyperparameters["rounds"] < 100


def test_xgboost_trained_on_named_columns_is_adopted():
    import pandas
    import xgboost

    frame = pandas.DataFrame(X, columns=["M_1", "tan beta", "A_t"])
    named = xgboost.XGBClassifier(n_estimators=10, n_jobs=1).fit(frame, LABEL)
    model = adopt(named, "classification", X)
    checked(model)
    np.testing.assert_allclose(model.predict(X), named.predict_proba(frame)[:, 1], atol=1e-6)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_xgboost_of_several_targets_is_refused(strategy):
    import xgboost

    both = xgboost.XGBRegressor(n_estimators=3, multi_strategy=strategy, n_jobs=1)
    both.fit(X, np.column_stack([Y, -Y]))
    with pytest.raises(ExportError, match="several targets, allowed one"):
        adopt(both, "regression", X)


@pytest.mark.parametrize("booster", ["dart", "gblinear"])
def test_xgboost_boosters_without_a_graph_are_refused(booster):
    import xgboost

    model = xgboost.XGBRegressor(n_estimators=3, booster=booster, n_jobs=1).fit(X, Y)
    with pytest.raises(ExportError, match=f"found booster '{booster}', allowed 'gbtree'"):
        adopt(model, "regression", X)


@pytest.mark.parametrize(
    "settings",
    [{}, {"base_score": 0.5}, {"base_score": 1000.0}, {"num_parallel_tree": 3, "subsample": 0.5}],
    ids=["auto", "half", "thousand", "parallel"],
)
def test_the_base_score_of_xgboost_is_kept(settings):
    import xgboost

    model = xgboost.XGBRegressor(n_estimators=10, n_jobs=1, **settings).fit(X, Y + 1000)
    adopted = adopt(model, "regression", X)
    found, data = checked(adopted)
    assert found["max_rel"] < 1e-6
    said = Session(data, 3).run(X)["mean"]
    np.testing.assert_allclose(said, model.predict(X), rtol=1e-6)


def test_our_booster_is_exact_beside_a_large_offset():
    model = fit("boosted", X, Y + 1e5, "regression", seed=0, n_jobs=1, options={"max_rounds": 40})
    assert checked(model)[0]["max_rel"] < 1e-7


def test_an_unbalanced_xgboost_keeps_its_probabilities():
    import xgboost

    model = xgboost.XGBClassifier(n_estimators=10, scale_pos_weight=30.0, n_jobs=1)
    model.fit(X, (Y > 2).astype(int))
    checked(adopt(model, "classification", X))


def test_zipmap_is_taken_off_a_file():
    """By default skl2onnx answers with a list of dictionaries."""
    import skl2onnx
    from sklearn.linear_model import LogisticRegression

    estimator = LogisticRegression().fit(X, LABEL)
    file = skl2onnx.to_onnx(estimator, X[:1].astype(np.float32), target_opset=18)
    assert any(node.op_type == "ZipMap" for node in file.graph.node)
    model = adopt(file.SerializeToString(), "classification", X)
    checked(model)
    np.testing.assert_allclose(model.predict(X), estimator.predict_proba(X)[:, 1], atol=1e-5)


def test_layers_of_a_network_are_given_by_name():
    """The first positional argument of MLPRegressor became `loss` in scikit-learn 1.9."""
    model = fit(
        "mlp", X, Y, "regression", seed=0, n_jobs=1,
        options={"hidden": (7, 5), "epochs": 2, "members": 1},
    )  # fmt: skip
    shapes = {tuple(item.dims) for item in model.raw_graph().graph.initializer}
    assert {(3, 7), (7, 5), (5, 1)} <= shapes


SCALERS = ["StandardScaler", "RobustScaler", "MinMaxScaler", "MaxAbsScaler"]


@pytest.mark.parametrize("scaler", SCALERS)
@pytest.mark.parametrize("trees", ["forest", "xgboost"])
def test_a_scaler_before_trees_rounds_where_the_pipeline_does(scaler, trees):
    """The converted scaler works in float32 and flips rows near thresholds; ours in float64."""
    import xgboost
    from sklearn import preprocessing
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    last = (
        RandomForestClassifier(20, random_state=0)
        if trees == "forest"
        else xgboost.XGBClassifier(n_estimators=10, n_jobs=1)
    )
    pipeline = make_pipeline(getattr(preprocessing, scaler)(), last).fit(X, LABEL)
    model = adopt(pipeline, "classification", X)
    found, data = checked(model)
    assert model.dtype == "float64"
    assert found["mismatched_ppm"] == 0
    rows = RNG.normal(size=(20_000, 3))
    said = Session(data, 3).run(rows)["probability"][:, 1]
    assert np.abs(said - pipeline.predict_proba(rows)[:, 1]).max() < 1e-6


def test_a_conversion_that_flips_rows_is_refused_with_their_share():
    """The converted scaler holds its mean in float32: beside a large offset rows change leaf."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeRegressor

    rows = X + 12345.678
    pipeline = make_pipeline(StandardScaler(), DecisionTreeRegressor(random_state=0)).fit(rows, Y)
    with pytest.raises(ExportError, match=r"float32: \d+ ppm of rows"):
        adopt(pipeline, "regression", rows)


@pytest.mark.parametrize("kernel", ["matern", "rbf"])
def test_a_gaussian_process_has_a_graph_for_both_kernels_and_any_scale(kernel):
    """Conversion fails on Matern kernels and on normalize_y; ours is written in closed form."""
    options = {"kernel": kernel, "max_rows": 120, "tuning_rows": 60, "restarts": 0}
    model = fit("gp", X, 1e4 + 50 * Y, "regression", seed=0, options=options)
    found, _ = checked(model)
    assert model.hyperparameters["kernel"] == kernel
    assert model.dtype == "float64"
    assert found["max_rel"] < 1e-6


@pytest.mark.parametrize("kernel", ["Matern", "RBF"])
def test_somebody_elses_gaussian_process_is_refused_with_the_way_out(kernel):
    from sklearn.gaussian_process import GaussianProcessRegressor, kernels

    process = GaussianProcessRegressor(getattr(kernels, kernel)(), alpha=1e-2, normalize_y=True)
    process.fit(X[:50], Y[:50])
    with pytest.raises(ExportError, match="train with estimator 'gp'"):
        adopt(process, "regression", X)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_histogram_boosting_is_refused_with_the_way_out(task):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if task == "classification":
        model = HistGradientBoostingClassifier(max_iter=5).fit(X, LABEL)
    else:
        model = HistGradientBoostingRegressor(max_iter=5).fit(X, Y)
    with pytest.raises(ExportError, match="use xgboost"):
        adopt(model, task, X)


def test_a_decision_function_is_no_probability():
    from sklearn.svm import SVC

    with pytest.raises(ExportError, match="found no probabilities"):
        adopt(SVC().fit(X, LABEL), "classification", X)


def test_the_two_signs_of_a_decision_function_are_recognised():
    """A binary SVC answers (-d, +d): picking a column by position gives the wrong sign."""
    import skl2onnx
    from sklearn.svm import SVC

    estimator = SVC().fit(X, LABEL)
    file = skl2onnx.to_onnx(
        estimator,
        X[:1].astype(np.float32),
        target_opset=18,
        options={SVC: {"zipmap": False, "raw_scores": True}},
    )
    with pytest.raises(ExportError, match="allowed probabilities 0 to 1"):
        adopt(file.SerializeToString(), "classification", X)


@pytest.mark.parametrize("inside", [False, True], ids=["bare", "in-a-pipeline"])
def test_a_calibrated_classifier_is_adopted(inside):
    """The option that switches zipmap off by id breaks on the estimators inside."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    estimator = CalibratedClassifierCV(LinearSVC())
    estimator = make_pipeline(StandardScaler(), estimator) if inside else estimator
    estimator.fit(X, LABEL)
    model = adopt(estimator, "classification", X)
    checked(model)
    np.testing.assert_allclose(model.predict(X), estimator.predict_proba(X)[:, 1], atol=1e-6)


def test_an_adopted_model_of_other_classes_is_refused():
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(X, np.digitize(Y, [-0.5, 0.5]))
    assert adopt(model, "classification", X, classes=(1, 2, 4)).classes == (1, 2, 4)
    with pytest.raises(ExportError, match="found 3 classes, allowed 2"):
        adopt(model, "classification", X, classes=(0, 1))


def own(shape, *, opset=18, name="x", n=3, scale=1.0):
    """Somebody's ONNX: sigmoid of the first input as [N], [N, 1] or [N, 2]."""
    constants = {
        "first": np.eye(n, 1, dtype=np.float32) * np.float32(scale),
        "one": np.float32(1),
        "flat": np.array([-1]),
    }
    nodes = [
        helper.make_node("MatMul", [name, "first"], ["d"]),
        helper.make_node("Sigmoid", ["d"], ["p"]),
    ]
    last = {"column": "p", "flat": "f", "pair": "pair"}[shape]
    if shape == "flat":
        nodes.append(helper.make_node("Reshape", ["p", "flat"], ["f"]))
    if shape == "pair":
        nodes.append(helper.make_node("Sub", ["one", "p"], ["q"]))
        nodes.append(helper.make_node("Concat", ["q", "p"], ["pair"], axis=1))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "own",
        [value(name, TensorProto.FLOAT, [None, n])],
        [
            value(
                last,
                TensorProto.FLOAT,
                {"column": [None, 1], "flat": [None], "pair": [None, 2]}[shape],
            )
        ],
        [numpy_helper.from_array(np.asarray(array), key) for key, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.parametrize("opset", [9, 13, 18, 21])
@pytest.mark.parametrize("shape", ["flat", "column", "pair"])
def test_ones_own_graph_is_adopted_whatever_its_shape(shape, opset):
    model = adopt(own(shape, opset=opset).SerializeToString(), "classification", X)
    checked(model)
    np.testing.assert_allclose(model.predict(X), 1 / (1 + np.exp(-X[:, 0])), atol=1e-6)


@pytest.mark.parametrize("name", ["points", "c0", "mean"])
def test_names_of_ones_own_graph_do_not_clash_with_ours(name):
    checked(adopt(own("column", name=name).SerializeToString(), "classification", X))


def test_ones_own_file_is_adopted_from_disk(tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_bytes(own("column").SerializeToString())
    assert adopt(path, "regression", X).task == "regression"


def test_ones_own_graph_of_another_width_is_refused():
    with pytest.raises(GraphError, match="found 4 columns, allowed 3"):
        adopt(own("column", n=4).SerializeToString(), "classification", X)


def test_ones_own_graph_with_a_foreign_operator_is_refused():
    model = own("column")
    model.graph.node[1].domain = "com.microsoft"
    with pytest.raises(GraphError, match=r"com\.microsoft"):
        adopt(model.SerializeToString(), "classification", X)


def test_two_values_per_point_are_no_regression():
    with pytest.raises(ExportError, match="has 2 values per point, allowed 1"):
        adopt(own("pair").SerializeToString(), "regression", X)


def test_the_answer_among_several_outputs_must_be_named():
    model = own("column")
    model.graph.output.append(helper.make_tensor_value_info("d", TensorProto.FLOAT, [None, 1]))
    data = model.SerializeToString()
    with pytest.raises(ExportError, match="of which 2 hold one value per point"):
        adopt(data, "regression", X)
    chosen = adopt(data, "regression", X, output="d")
    np.testing.assert_allclose(chosen.predict(X), X[:, 0], rtol=1e-6)
    with pytest.raises(ExportError, match="not 'z'"):
        adopt(data, "regression", X, output="z")
