"""Training: what may be learnt from what, what the card says, and how to do it again."""

from __future__ import annotations

import copy
import hashlib
import shlex
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from limen import add_model, open_bundle, train
from limen.cli import main
from limen.errors import (
    ColumnError,
    ExportError,
    FrozenError,
    GraphError,
    TrainingError,
    UsageError,
)
from limen.graph import Session, load_model
from limen.packing import make_bundle
from limen.training.rows import TEST, TRAIN, load_rows

N = 500
STATISTICS = {"confidence_level": 0.95, "construction": "CLs", "result": "observed"}
LIKELIHOOD = {"normalisation": "full", "nuisances": "sampled"}
FOREST = {"n_estimators": 15}
GP = {"max_rows": 120, "tuning_rows": 60, "restarts": 0}


def column(name, role="observable", unit="1", **more):
    return {"name": name, "role": role, "unit": unit} | more


def text_label(name, quantity="category", **more):
    return column(
        name,
        "label",
        quantity=quantity,
        definition={"text": "made up"},
        statistics=STATISTICS if quantity == "excluded" else STATISTICS | {"construction": "none"},
        **more,
    )


COLUMNS = [
    column("m", "parameter", "GeV"),
    column("g", "parameter", scale="log"),
    column("cls", "test", quantity="cls", statistics=STATISTICS),
    column(
        "excluded_95",
        "label",
        quantity="excluded",
        definition={"text": "CLs < 0.05", "column": "cls", "comparison": "<", "threshold": 0.05},
        statistics=STATISTICS,
    ),
    column("mu95", "limit", quantity="signal_strength_limit", statistics=STATISTICS),
    column("r", "test", quantity="r", statistics={"result": "observed"}, derived="1 / mu95"),
    column("xsec", "observable", "pb", quantity="cross_section"),
    column("log_xsec", derived="log10(xsec)"),
    column("xsec_err", "uncertainty", "pb", of="xsec", kind="theory", side="both"),
    column("loglike", "likelihood", quantity="log_likelihood", statistics=LIKELIHOOD),
    column("width", "observable", "GeV"),
    column("ten_m", derived="10 * m"),
    column("constant"),
    text_label("alone", "excluded"),
    text_label("phase", categories={"0": "a", "1": "b", "2": "c"}),
    column("ok", "mask"),
    column("also", valid="ok"),
    column("run", "id"),
]
DOCUMENT = {
    "id": "bench",
    "version": "1.0.0",
    "title": "A bench",
    "tables": [
        {
            "name": "scan",
            "columns": COLUMNS,
            "sampling": [{"sampler": "draws", "prior": "flat in m and log g"}],
        }
    ],
    "split": {"stratify": "phase"},
}


def arrays(n=N, seed=0):
    rng = np.random.default_rng(seed)
    m, g = rng.uniform(100.0, 1000.0, n), 10.0 ** rng.uniform(-2.0, 0.0, n)
    s = (m - 550) / 450 + np.log10(g) + 1
    ok = rng.random(n) < 0.5
    xsec = 1e4 * (100 / m) ** 5 * g**2
    return {
        "m": m,
        "g": g,
        "cls": 1 / (1 + np.exp(-3 * s)) ** 2 * 0.6,
        "mu95": 10.0**s,
        "xsec": xsec,
        "xsec_err": 0.1 * xsec,
        "loglike": -0.5 * (s * 12) ** 2,
        "width": 5.0 + s,
        "constant": np.full(n, 3.0),
        "alone": np.ones(n, dtype=np.int8),
        "phase": np.digitize(s, [-0.4, 0.4]),
        "ok": ok,
        "also": np.where(ok, s, np.nan),
        "run": np.arange(n),
    }


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("training") / "bench"
    make_bundle(DOCUMENT, arrays(), path)
    return path


@pytest.fixture
def bench(empty, tmp_path):
    return open_bundle(shutil.copytree(empty, tmp_path / "bench"))


@pytest.fixture(scope="session")
def trained(empty, tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "bench"
    bundle = open_bundle(shutil.copytree(empty, path))
    train(bundle, "excluded_95", name="region", options=FOREST)
    train(bundle, "cls", estimator="gp", name="cls", options=GP)
    return bundle


def quick(bundle, target, **more):
    return train(bundle, target, options=FOREST, **more)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("excluded_95", "cls"),
        ("excluded_95", "mu95"),
        ("excluded_95", "loglike"),
        ("excluded_95", "phase"),
        ("excluded_95", "r"),
        ("xsec", "log_xsec"),
        ("log_xsec", "xsec"),
        ("xsec", "xsec_err"),
        ("log_xsec", "xsec_err"),
        ("xsec", "xsec"),
    ],
)
def test_an_input_that_holds_the_answer_is_refused(bench, target, name):
    with pytest.raises(ColumnError, match=f"inputs: {name} has the role .*--allow-derived"):
        quick(bench, target, inputs=["m", "g", name])
    assert bench.models == {}


def test_an_input_that_holds_the_answer_is_allowed_on_request(bench):
    card = quick(bench, "excluded_95", inputs=["m", "cls"], allow_derived=True)
    assert card.input_names == ("m", "cls")
    assert "--allow-derived" in card.training["rebuild"]


@pytest.mark.parametrize("name", ["width", "ten_m"])
def test_an_observable_that_is_not_the_answer_is_an_input(bench, name):
    assert quick(bench, "excluded_95", inputs=["g", name]).input_names == ("g", name)


@pytest.mark.parametrize("name", ["ok", "split", "run"])
def test_a_column_that_is_no_physics_is_never_an_input(bench, name):
    with pytest.raises(ColumnError, match="is no physics"):
        quick(bench, "width", inputs=["m", name], allow_derived=True)


@pytest.mark.parametrize(
    ("inputs", "match"), [(["m", "gg"], "found gg, allowed"), (["m", "m"], "a column twice")]
)
def test_wrong_lists_of_inputs_are_refused(bench, inputs, match):
    with pytest.raises(ColumnError, match=match):
        quick(bench, "width", inputs=inputs)


def test_the_default_inputs_are_the_parameters(trained):
    assert trained.models["region"].input_names == ("m", "g")


BAD = {
    "unknown": ("wdth", ColumnError, "target: found 'wdth', allowed cls, excluded_95"),
    "parameter": ("m", ColumnError, "m has the role parameter, allowed a column of role label"),
    "constant": ("constant", TrainingError, r"found the constant 3 in \d+ training rows"),
    "one class": ("alone", TrainingError, r"found one class only \(1\) in \d+ training rows"),
}


@pytest.mark.parametrize(("target", "error", "match"), BAD.values(), ids=BAD)
def test_a_target_with_nothing_to_learn_is_refused(bench, target, error, match):
    before = sorted(path.name for path in bench.path.iterdir())
    with pytest.raises(error, match=match):
        quick(bench, target)
    assert sorted(path.name for path in bench.path.iterdir()) == before


def small(tmp_path, values, columns, **more):
    document = {**DOCUMENT, "tables": [{"name": "scan", "columns": columns}], **more}
    document = {key: value for key, value in document.items() if value is not None}
    return make_bundle(document, values, tmp_path / "small")


@pytest.mark.parametrize("rows", [2, 20])
def test_too_few_rows_are_refused(tmp_path, rows):
    values = {name: arrays(rows)[name] for name in ("m", "width")}
    bundle = small(tmp_path, values, [COLUMNS[0], column("width")], split=None)
    with pytest.raises(TrainingError, match=r"found \d+ valid training rows, allowed 20 or more"):
        quick(bundle, "width")


def test_no_valid_rows_are_refused(tmp_path):
    values = {name: arrays()[name] for name in ("m", "ok", "also")}
    values |= {"not_ok": ~values["ok"], "width": np.where(values["ok"], np.nan, 1.0)}
    columns = [COLUMNS[0], COLUMNS[15], COLUMNS[16], column("not_ok", "mask")]
    bundle = small(tmp_path, values, [*columns, column("width", valid="not_ok")], split=None)
    with pytest.raises(TrainingError, match="found 0 valid training rows"):
        quick(bundle, "width", inputs=["m", "also"])


def test_a_class_that_is_not_learnt_from_is_refused(tmp_path):
    values = {name: arrays()[name] for name in ("m", "phase")}
    values["split"] = np.where(values["phase"] == 1, 2, 0).astype(np.int8)
    columns = [COLUMNS[0], COLUMNS[14], column("split", "split", dtype="int8")]
    columns[2]["categories"] = {"0": "train", "1": "calibration", "2": "test"}
    bundle = small(tmp_path, values, columns, split=None)
    with pytest.raises(TrainingError, match="class 1 in calibration or test rows only"):
        quick(bundle, "phase")


def test_masked_rows_are_not_learnt_from(bench):
    rows = load_rows(bench, "also")
    assert len(rows.y) == arrays()["ok"].sum()
    assert np.isfinite(rows.y).all()


def test_rows_without_sensitivity_are_left_out_and_counted(tmp_path):
    values = {name: arrays()[name] for name in ("m", "g", "mu95")}
    values["mu95"][:40] = np.inf
    bundle = small(tmp_path, values, [*COLUMNS[:2], COLUMNS[4]], split=None)
    assert len(load_rows(bundle, "mu95").y) == N - 40
    card = quick(bundle, "mu95")
    assert "40 rows whose mu95 is infinite were left out" in card.limitations


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("cls", "probit"),
        ("mu95", "log"),
        ("r", "log"),
        ("xsec", "log"),
        ("loglike", "log_deficit"),
        ("width", "identity"),
    ],
)
def test_each_kind_of_target_is_learnt_on_its_scale(bench, target, kind):
    card = quick(bench, target)
    assert card.target_transform["kind"] == kind
    assert (kind in card.transforms) is (kind != "identity")
    rows = load_rows(bench, target)
    said = bench.predictor().verdicts({"m": rows.X[:, 0], "g": rows.X[:, 1]}).value
    inside = np.isfinite(said)
    assert inside.mean() > 0.9
    assert np.corrcoef(said[inside], rows.y[inside])[0, 1] > 0.8


def test_a_label_card_says_what_it_is_worth(trained):
    card = trained.models["region"].to_dict()
    kinds = {entry["kind"]: entry for entry in card["confidence"]}
    assert set(kinds) == {"binned_accuracy", "conformal"}
    for entry in kinds.values():
        assert entry["population"] == "flat in m and log g"
        assert entry["meaning"].endswith(".")
        low, high = entry["coverage"]["interval"]
        assert low <= entry["coverage"]["value"] <= high
        assert entry["coverage"]["n"] > 0
    assert kinds["conformal"]["level"] == 0.95
    table = kinds["binned_accuracy"]["table"]
    counts = card["training"]["split"]
    assert sum(row["n"] for row in table) == counts["calibration"]
    regions = {(m["name"], m.get("region")) for m in card["metrics"]}
    assert {("accuracy", None), ("accuracy", "near_boundary")} <= regions
    assert all(m["population"] == "flat in m and log g" for m in card["metrics"])
    (near,) = [
        m for m in card["metrics"] if (m["name"], m.get("region")) == ("accuracy", "near_boundary")
    ]
    assert near["rows"] == int(np.ceil(0.2 * counts["test"]))
    (oob,) = [m for m in card["metrics"] if m["split"] == "out_of_bag"]
    assert oob["name"] == "accuracy"


def test_a_card_names_the_scan_the_seed_and_the_software(trained):
    training = trained.models["cls"].training
    assert training["table_sha256"] == trained.manifest["files"]["scan.zarr.zip"]["sha256"]
    assert training["estimator"] == "gp"
    assert training["seed"] == 0
    assert {"scikit-learn", "numpy", "limen"} <= set(training["software"])
    assert sum(training["split"].values()) == N
    assert training["split"]["train"] == training["rows"]
    assert training["nuisances"] == "none"


def test_a_process_states_its_posterior_and_its_interval(trained):
    card = trained.models["cls"]
    assert [output["name"] for output in card.outputs] == ["mean", "std", "domain_score"]
    kinds = {entry["kind"]: entry for entry in card.confidence}
    assert set(kinds) == {"conformal", "gp_posterior"}
    assert kinds["conformal"]["scale"] == "standard deviations"
    assert kinds["gp_posterior"]["coverage"]["value"] > 0.8
    names = {m["name"] for m in card.metrics if m.get("region") == "near_boundary"}
    assert "root_mean_square_error" in names


def test_the_files_of_a_model_are_in_the_bundle_and_hashed(trained):
    for name in ("region.onnx", "region.probe.json", "cls.onnx", "cls.probe.json"):
        assert trained.verified(name).is_file()


REBUILT = {
    "forest": ("excluded_95", "forest", {"n_estimators": 8, "min_samples_leaf": 2}, {}),
    "boosted": ("xsec", "boosted", {"max_rounds": 15, "reg_lambda": 1e-05}, {"inputs": ["g", "m"]}),
    "mlp": ("cls", "mlp", {"hidden": (8, 4), "epochs": 8, "members": 2, "batch": 32}, {"seed": 7}),
    "gp": ("loglike", "gp", GP | {"kernel": "rbf", "noise": 1e-06}, {}),
    "derived": ("phase", "forest", FOREST, {"inputs": ["m", "cls"], "allow_derived": True}),
}


@pytest.mark.parametrize(("target", "estimator", "options", "more"), REBUILT.values(), ids=REBUILT)
def test_a_model_is_rebuilt_from_scan_card_and_seed(
    bench, empty, tmp_path, target, estimator, options, more
):
    card = train(bench, target, estimator=estimator, name="model", options=options, **more)
    again = shutil.copytree(empty, tmp_path / "again")
    words = shlex.split(card.training["rebuild"])
    assert words[:3] == ["limen", "train", "BUNDLE"]
    done = CliRunner().invoke(main, ["train", str(again), *words[3:]])
    assert done.exit_code == 0, done.output
    rebuilt = open_bundle(again)
    for name in ("model.onnx", "model.probe.json"):
        assert rebuilt.part(name).read_bytes() == bench.part(name).read_bytes()
    assert rebuilt.models["model"].to_dict() == card.to_dict()


def test_another_seed_gives_another_model(bench):
    hashes = set()
    for seed in (0, 1):
        quick(bench, "excluded_95", name="model", seed=seed, replace=True)
        hashes.add(hashlib.sha256(bench.part("model.onnx").read_bytes()).hexdigest())
    assert len(hashes) == 2
    assert list(bench.models) == ["model"]


@pytest.mark.parametrize("name", ["Big", "0", "a b", "../x", "", "a" * 65])
def test_a_name_that_is_no_file_name_is_refused(bench, name):
    with pytest.raises(UsageError, match=r"model name|--name"):
        quick(bench, "width", name=name or " ")


def test_a_name_that_is_taken_is_refused(bench):
    quick(bench, "width")
    assert list(bench.models) == ["width"]
    with pytest.raises(UsageError, match="'width' is there already"):
        quick(bench, "width")


def test_a_frozen_bundle_takes_no_model(trained):
    document = trained.manifest | {"status": "frozen"}
    with pytest.raises(FrozenError, match="never changes"):
        quick(type(trained)(trained.path, document), "width")


def test_unknown_options_are_refused(bench):
    with pytest.raises(UsageError, match="found option 'trees', allowed"):
        train(bench, "width", options={"trees": 3})


# --- nuisances


def nuisance_bundle(path, repeats=6):
    rng = np.random.default_rng(2)
    m = np.repeat(rng.uniform(0.0, 1.0, 60), repeats)
    nu = rng.normal(0.0, 1.0, len(m))
    columns = [
        column("m", "parameter"),
        column("nu", "nuisance"),
        column("loglike", "likelihood", quantity="log_likelihood", statistics=LIKELIHOOD),
        column("width"),
    ]
    values = {"m": m, "nu": nu, "loglike": -((m - nu / 3) ** 2) - nu**2 / 2, "width": m}
    document = {**DOCUMENT, "tables": [{"name": "scan", "columns": columns}]}
    document.pop("split")
    return make_bundle(document, values, path), values


@pytest.fixture(scope="session")
def nuisances(tmp_path_factory):
    return nuisance_bundle(tmp_path_factory.mktemp("nuisances") / "b")


def test_sampled_nuisances_need_a_word(nuisances):
    with pytest.raises(UsageError, match=r"samples nu, .* say --nuisances include, profile or"):
        load_rows(nuisances[0], "loglike")


def test_included_nuisances_are_inputs(nuisances):
    rows = load_rows(nuisances[0], "loglike", nuisances="include")
    assert [entry.name for entry in rows.inputs] == ["m", "nu"]
    assert len(rows.y) == 360


def reduced(values, how):
    found = {}
    for m in np.unique(values["m"]):
        y = values["loglike"][values["m"] == m]
        found[m] = y.max() if how == "profile" else np.log(np.mean(np.exp(y)))
    return found


@pytest.mark.parametrize("how", ["profile", "marginalise"])
def test_nuisances_are_profiled_or_averaged_over_the_rows_of_a_point(nuisances, how):
    bundle, values = nuisances
    rows = load_rows(bundle, "loglike", nuisances=how)
    assert [entry.name for entry in rows.inputs] == ["m"]
    expected = reduced(values, how)
    assert len(rows.y) == len(expected) == len(rows.split) == len(rows.drawn)
    assert np.allclose(rows.y, [expected[m] for m in rows.X[:, 0]], rtol=1e-12)


def test_a_profiled_model_says_so_and_learns_the_maximum(nuisances, tmp_path):
    bundle = open_bundle(shutil.copytree(nuisances[0].path, tmp_path / "b"))
    card = train(bundle, "loglike", estimator="gp", nuisances="profile", options=GP)
    assert card.training["nuisances"] == "profile"
    assert "--nuisances profile" in card.training["rebuild"]
    expected = reduced(nuisances[1], "profile")
    said = bundle.predictor().verdicts({"m": list(expected)}).value
    residual = said - np.array(list(expected.values()))
    assert np.sqrt(np.nanmean(residual**2)) < np.std(list(expected.values()))


def test_only_a_likelihood_is_profiled(nuisances):
    with pytest.raises(UsageError, match="found profile with the target width"):
        load_rows(nuisances[0], "width", nuisances="profile")


def test_profiling_single_rows_is_refused(tmp_path):
    bundle, _ = nuisance_bundle(tmp_path / "b", repeats=1)
    with pytest.raises(TrainingError, match="needs several rows of each parameter point"):
        load_rows(bundle, "loglike", nuisances="profile")


# --- populations


@pytest.fixture(scope="session")
def acquired(tmp_path_factory):
    """A scan of which most rows were picked to learn from."""
    values = {name: arrays(900)[name] for name in ("m", "g", "width")}
    values["origin"] = np.where(np.arange(900) < 300, 0, 1).astype(np.int8)
    columns = [
        *COLUMNS[:2],
        column("width", "observable", "GeV"),
        column(
            "wide",
            "label",
            quantity="excluded",
            definition={"text": "wide", "column": "width", "comparison": ">", "threshold": 5.0},
            statistics=STATISTICS,
        ),
        column("origin", "origin", categories={"0": "random", "1": "picked"}),
    ]
    document = copy.deepcopy({**DOCUMENT, "tables": [{"name": "scan", "columns": columns}]})
    document["split"] = {
        "population": {"text": "uniform, set aside first", "column": "origin", "codes": [0]},
        "fractions": {"train": 0.8, "calibration": 0.1, "test": 0.1},
    }
    bundle = make_bundle(document, values, tmp_path_factory.mktemp("acquired") / "b")
    train(bundle, "wide", name="wide", options={"n_estimators": 40})
    return bundle


def test_acquired_rows_never_calibrate_or_test(acquired):
    with acquired.open_scan() as scan:
        table = scan.read(["split", "origin"])
    assert set(table["origin"][table["split"] != 0]) == {0}
    rows = load_rows(acquired, "wide")
    assert rows.population == "uniform, set aside first"
    assert np.array_equal(rows.drawn, table["origin"] == 0)
    assert rows.drawn[rows.split != TRAIN].all()
    assert not rows.drawn[rows.split == TRAIN].all()


def test_out_of_bag_estimates_of_acquired_rows_say_nothing_of_the_population(acquired):
    card = acquired.models["wide"]
    rows = load_rows(acquired, "wide")
    assert card.training["split"]["calibration"] < 50
    learnt = int((rows.drawn & (rows.split == TRAIN)).sum())
    (entry,) = [e for e in card.confidence if e["kind"] == "binned_accuracy"]
    assert "out-of-bag" in entry["meaning"]
    # With 40 trees every row is out of some bag.
    assert sum(row["n"] for row in entry["table"]) == learnt
    (metric,) = [m for m in card.metrics if m["split"] == "out_of_bag"]
    assert metric["rows"] == learnt
    assert {m["population"] for m in card.metrics} == {"uniform, set aside first"}


def test_a_population_that_is_not_declared_is_called_so(tmp_path):
    values = {name: arrays()[name] for name in ("m", "g", "width")}
    bundle = small(tmp_path, values, [*COLUMNS[:2], column("width")], split=None)
    assert "not declared" in load_rows(bundle, "width").population


def test_without_calibration_and_test_rows_nothing_is_claimed(tmp_path):
    values = {name: arrays()[name] for name in ("m", "g", "width")}
    fractions = {"train": 1.0, "calibration": 0.0, "test": 0.0}
    bundle = small(
        tmp_path, values, [*COLUMNS[:2], column("width")], split={"fractions": fractions}
    )
    card = quick(bundle, "width")
    (entry,) = card.confidence
    assert entry["quantile"] is None
    assert "coverage" not in entry
    assert "too few calibration rows" in card.limitations
    answer = bundle.predictor().one({"m": 500.0, "g": 0.1})
    assert np.isfinite(answer.value)
    assert np.isnan(answer.lower)


# --- models from elsewhere


@pytest.fixture(scope="session")
def pipeline():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values = arrays()
    X = np.column_stack([values["g"], values["m"]])
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, values["cls"] < 0.05)


@pytest.fixture
def own_graph(pipeline, tmp_path):
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    model = convert_sklearn(
        pipeline,
        initial_types=[("x", FloatTensorType([None, 2]))],
        options={"zipmap": False},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    path = tmp_path / "Mine.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_a_fitted_pipeline_is_adopted(bench, pipeline):
    card = add_model(bench, pipeline, target="excluded_95", inputs=["g", "m"])
    assert card.name == "pipeline"
    assert card.input_names == ("g", "m")
    check_adopted(bench, card, pipeline)


def test_an_onnx_file_is_adopted(bench, pipeline, own_graph):
    card = add_model(bench, own_graph, target="excluded_95", inputs=["g", "m"])
    assert card.name == "mine"
    assert "adopted from Mine.onnx" in card.training["rebuild"]
    check_adopted(bench, card, pipeline)


def check_adopted(bundle, card, pipeline):
    assert card.training["estimator"] == "adopted"
    assert "whether it has seen the calibration and test rows is not known" in card.limitations
    assert {entry["kind"] for entry in card.confidence} == {"binned_accuracy", "conformal"}
    assert card.verification["mismatched_ppm"] == 0
    assert bundle.verified(card.probe).is_file()
    values = arrays(60, seed=5)
    answer = bundle.predictor(card.name).verdicts({"m": values["m"], "g": values["g"]})
    raw = pipeline.predict_proba(np.column_stack([values["g"], values["m"]]))[:, 1]
    inside = np.isfinite(answer.probability)
    assert inside.sum() > 40
    # Calibration keeps the order.
    order = np.argsort(raw[inside])
    assert np.all(np.diff(answer.probability[inside][order]) >= -1e-6)


def test_the_command_line_adopts_a_file(bench, own_graph):
    words = ["--target", "excluded_95", "--inputs", "g,m", "--name", "own"]
    done = CliRunner().invoke(main, ["add-model", str(bench.path), str(own_graph), *words])
    assert done.exit_code == 0, done.output
    assert open_bundle(bench.path).models["own"].input_names == ("g", "m")


def test_an_adopted_regressor_answers_in_the_targets_unit(bench):
    from sklearn.linear_model import LinearRegression

    values = arrays()
    X = np.column_stack([values["m"], values["g"]])
    model = LinearRegression().fit(X, values["width"])
    add_model(bench, model, target="width", inputs=["m", "g"], name="line")
    said = bench.predictor("line").one({"m": 500.0, "g": 0.1})
    assert said.value == pytest.approx(float(model.predict([[500.0, 0.1]])[0]), rel=1e-5)
    assert said.lower < said.value < said.upper
    assert said.unit == "GeV"


def test_an_adopted_model_with_another_number_of_inputs_is_refused(bench, pipeline, own_graph):
    for model, error in ((pipeline, ExportError), (own_graph, GraphError)):
        with pytest.raises(error, match=r"input|column"):
            add_model(bench, model, target="excluded_95", inputs=["m", "g", "width"])
    assert bench.models == {}


def test_an_adopted_model_may_not_be_given_the_answer(bench, pipeline):
    with pytest.raises(ColumnError, match="cls has the role test"):
        add_model(bench, pipeline, target="excluded_95", inputs=["cls", "m"])


def foreign_operator(model):
    model.graph.node[0].domain = "com.microsoft"
    model.graph.node[0].op_type = "Gelu"
    model.opset_import.add(domain="com.microsoft", version=1)


def external_data(model):
    from onnx import TensorProto

    tensor = model.graph.initializer.add(
        name="far", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value="../../etc/passwd")


def random_node(model):
    node = model.graph.node.add(op_type="RandomNormal", output=["noise"], name="noise")
    node.attribute.add(name="shape", type=7).ints.append(1)


@pytest.mark.parametrize(
    ("spoil", "match"),
    [(foreign_operator, "com.microsoft"), (external_data, "external"), (random_node, "Random")],
)
def test_a_graph_that_may_not_be_run_is_refused(bench, own_graph, spoil, match):
    model = load_model(own_graph)
    spoil(model)
    own_graph.write_bytes(model.SerializeToString())
    with pytest.raises(GraphError, match=match):
        add_model(bench, own_graph, target="excluded_95", inputs=["g", "m"])
    assert bench.models == {}
    assert not bench.path.joinpath("mine.onnx").exists()


def test_a_file_that_is_no_graph_is_refused(bench, tmp_path):
    path = tmp_path / "mine.onnx"
    path.write_text("not a graph")
    with pytest.raises(GraphError, match="not an ONNX file"):
        add_model(bench, path, target="excluded_95", inputs=["g", "m"])


def test_the_graph_alone_gives_the_predictors_numbers(trained):
    values = arrays(50, seed=8)
    session = Session(trained.part("cls.onnx"))
    answer = session.run(np.column_stack([values["m"], values["g"]]))
    said = trained.predictor("cls").verdicts({"g": values["g"], "m": values["m"]})
    inside = answer["domain_score"] <= 1
    assert np.array_equal(said.value[inside], answer["mean"][inside])
    assert np.isnan(said.value[~inside]).all()
    assert set(load_rows(trained, "cls").split) == {0, 1, TEST}
