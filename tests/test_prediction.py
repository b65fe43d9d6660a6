"""A prediction is a verdict: never a number without a reason, never a silent one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from limen import train
from limen.errors import ColumnError, IntegrityError, ShapeError, UsageError
from limen.packing import make_bundle
from limen.prediction import VERDICTS, Predictor
from limen.prediction.verdict import NUMBERS

SHARED = Path(os.environ.get("LIMEN_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
INPUTS = ("m1", "m2", "g")
CENTRE = {"m1": 1000.0, "m2": -100.0, "g": 0.5}
STATISTICS = {"confidence_level": 0.95, "construction": "CLs", "result": "observed"}
CODES = {"2": "vacuum", "3": "not found here", "5": "wrong vacuum", "7": "no vacuum"}


def label(name, quantity, column, comparison, threshold, **more):
    return {
        "name": name,
        "role": "label",
        "unit": "1",
        "quantity": quantity,
        "categories": {"0": "no", "1": "yes"},
        "definition": {
            "text": f"{column} {comparison} {threshold:g}",
            "column": column,
            "comparison": comparison,
            "threshold": threshold,
        },
        "statistics": STATISTICS,
    } | more


def observable(name, unit="1", **more):
    return {"name": name, "role": "observable", "unit": unit} | more


COLUMNS = [
    {"name": "m1", "role": "parameter", "unit": "GeV", "aliases": ["bino mass"]},
    {"name": "m2", "role": "parameter", "unit": "GeV"},
    {"name": "g", "role": "parameter", "unit": "1"},
    {"name": "cls", "role": "test", "quantity": "cls", "unit": "1", "statistics": STATISTICS},
    label("excluded_95", "excluded", "cls", "<", 0.05),
    {
        "name": "loglike",
        "role": "likelihood",
        "quantity": "log_likelihood",
        "unit": "1",
        "statistics": {"normalisation": "full", "nuisances": "profiled"},
    },
    label(
        "outside_95cr",
        "outside_region",
        "loglike",
        "<",
        -3.0,
        statistics={"confidence_level": 0.95, "construction": "likelihood_ratio"},
    ),
    observable("mass_h", "GeV"),
    observable("width", "GeV"),
    label("wide", "excluded", "width", ">", 10.0),
    {
        "name": "phase",
        "role": "label",
        "unit": "1",
        "quantity": "category",
        "categories": CODES,
        "definition": {"text": "which vacuum is the deepest"},
        "statistics": {"confidence_level": 0.95, "construction": "none"},
    },
    {
        "name": "pair",
        "role": "label",
        "unit": "1",
        "quantity": "category",
        "categories": {"2": "left", "5": "right"},
        "definition": {"text": "which side"},
        "statistics": {"confidence_level": 0.95, "construction": "none"},
    },
    {"name": "file_no", "role": "id", "unit": "1"},
]
DOCUMENT = {
    "id": "workshop",
    "version": "1.2.0",
    "title": "A workshop",
    "doi": "10.5281/zenodo.7000002",
    "analyses": [{"experiment": "ATLAS", "id": "SUSY-2018-31"}],
    "tables": [
        {
            "name": "scan",
            "columns": COLUMNS,
            "sampling": [{"name": "box", "sampler": "draws", "prior": "uniform in the box"}],
        }
    ],
}


def points(n, seed=0):
    """Uniform in a box, but for a hole around its corner."""
    rng = np.random.default_rng(seed)
    X = rng.uniform([500.0, -1000.0, 0.0], [2500.0, 1000.0, 1.0], (4 * n, 3))
    z = (X - [500.0, -1000.0, 0.0]) / [2000.0, 2000.0, 1.0]
    return X[np.linalg.norm(z - 0.95, axis=1) > 0.75][:n]


def columns(X):
    a, b, g = (X[:, 0] - 1500) / 1000, X[:, 1] / 1000, X[:, 2]
    # CLs from 1e-3 to 0.5: above 0.05 where the masses are large.
    cls = 0.5 / (1.0 + np.exp(-4.0 * (a + b + g - 0.5))) + 0.001
    values = {"m1": X[:, 0], "m2": X[:, 1], "g": g, "cls": cls}
    values["loglike"] = -0.5 * ((a + 0.5) ** 2 + b**2 + (g - 0.5) ** 2) * 20
    values["mass_h"] = 125.0 + 3 * a * b + g
    values["width"] = 10.0 * np.exp(a + b)
    values["phase"] = np.array([2, 5, 7])[np.digitize(a + b, [-0.4, 0.4])]
    values["pair"] = np.where(a + g > 0.6, 5, 2)
    values["file_no"] = np.arange(len(X))
    return values


FAST = {
    "forest": {"n_estimators": 30},
    "gp": {"max_rows": 300, "tuning_rows": 100, "restarts": 0, "kernel": "rbf"},
}
MODELS = {
    "region": ("outside_95cr", "forest"),
    "excluded": ("excluded_95", "forest"),
    "cls": ("cls", "gp"),
    "loglike": ("loglike", "gp"),
    "mass": ("mass_h", "gp"),
    "width": ("width", "gp"),
    "phase": ("phase", "forest"),
    "pair": ("pair", "forest"),
}


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    path = tmp_path_factory.mktemp("prediction") / "workshop"
    bundle = make_bundle(DOCUMENT, columns(points(1200)), path)
    for name, (target, estimator) in MODELS.items():
        train(bundle, target, estimator=estimator, name=name, options=FAST[estimator])
    return bundle


@pytest.fixture(scope="session")
def predictors(workshop):
    return {name: workshop.predictor(name) for name in MODELS}


@pytest.fixture(scope="session")
def fresh():
    return points(400, seed=9)


def table(X):
    return {name: X[:, i] for i, name in enumerate(INPUTS)}


def is_silent(answer, row=0):
    return all(np.isnan(getattr(answer, name)[row]) for name in NUMBERS)


@pytest.mark.parametrize(
    ("model", "target", "yes", "no"),
    [
        ("excluded", "excluded_95", "excluded", "not_excluded"),
        ("region", "outside_95cr", "outside_region", "inside_region"),
    ],
)
def test_a_classifier_answers_in_the_words_of_its_label(predictors, fresh, model, target, yes, no):
    answer = predictors[model].verdicts(table(fresh))
    names = np.array(VERDICTS)[answer.verdict]
    values = columns(fresh)
    truth = values["cls"] < 0.05 if target == "excluded_95" else values["loglike"] < -3.0
    for name, side in ((yes, True), (no, False)):
        said = names == name
        assert said.sum() > 20
        assert np.mean(truth[said] == side) > 0.75
        assert np.all((answer.probability[said] >= 0.5) == side)
        assert np.isnan(answer.value[said]).all()
    decided = np.isin(names, (yes, no))
    assert np.nanmin(answer.confidence[decided]) > 0.5


def test_a_classifier_is_uncertain_where_its_conformal_set_holds_both_classes_or_none(
    predictors, fresh
):
    predictor = predictors["region"]
    answer = predictor.verdicts(table(fresh))
    (entry,) = [e for e in predictor.card.confidence if e["kind"] == "conformal"]
    p = answer.probability
    size = (p <= entry["quantile"]).astype(int) + (1 - p <= entry["quantile"])
    inside = answer.verdict != VERDICTS.index("outside_domain")
    unsure = answer.verdict == VERDICTS.index("uncertain")
    assert unsure.any()
    assert np.array_equal(unsure, inside & (size != 1))
    row = int(np.flatnonzero(unsure)[0])
    held = "both" if size[row] == 2 else "no"
    assert answer.reasons[row] == (
        f"the 95 % conformal set holds {held} classes: too near the boundary to call",
    )
    assert np.isfinite(p[unsure]).all()


def test_a_regressor_without_a_label_only_predicts(predictors, fresh):
    answer = predictors["mass"].verdicts(table(fresh))
    assert set(answer.counts()) <= {"predicted", "outside_domain"}
    inside = answer.verdict == VERDICTS.index("predicted")
    assert answer.unit == "GeV"
    truth = columns(fresh)["mass_h"][inside]
    assert np.abs(answer.value[inside] - truth).max() < 1.0
    held = (answer.lower[inside] <= truth) & (truth <= answer.upper[inside])
    assert held.mean() > 0.85
    assert np.isnan(answer.probability).all()
    assert np.isnan(answer.confidence).all()


@pytest.mark.parametrize(
    ("model", "threshold", "yes", "no", "below"),
    [
        ("cls", 0.05, "excluded", "not_excluded", True),
        ("width", 10.0, "excluded", "not_excluded", False),
        ("loglike", -3.0, "outside_region", "inside_region", True),
    ],
)
def test_a_regressor_answers_by_the_label_defined_on_its_target(
    predictors, fresh, model, threshold, yes, no, below
):
    answer = predictors[model].verdicts(table(fresh))
    inside = answer.verdict != VERDICTS.index("outside_domain")
    straddles = (answer.lower <= threshold) & (answer.upper >= threshold)
    label = (answer.value < threshold) if below else (answer.value > threshold)
    expected = np.where(label, VERDICTS.index(yes), VERDICTS.index(no))
    expected = np.where(straddles, VERDICTS.index("uncertain"), expected)
    assert np.array_equal(answer.verdict[inside], expected[inside])
    assert {yes, no} <= set(answer.counts())
    assert np.all(answer.lower[inside] <= answer.upper[inside])


def test_the_interval_that_straddles_the_threshold_makes_uncertain(predictors):
    predictor = predictors["width"]
    answer = predictor.one({"m1": 1500.0, "m2": 0.0, "g": 0.5})
    assert answer.verdict == "uncertain"
    assert answer.lower <= 10.0 <= answer.upper
    assert answer.reasons == ("the interval of width straddles 10 GeV",)


@pytest.mark.parametrize("model", ["phase", "pair"])
def test_a_category_is_predicted_by_its_code_in_the_bundle(predictors, fresh, model):
    answer = predictors[model].verdicts(table(fresh))
    truth = columns(fresh)[model]
    said = answer.verdict == VERDICTS.index("predicted")
    assert said.sum() > 100
    assert set(np.unique(answer.value[said])) == set(np.unique(truth))
    assert np.mean(answer.value[said] == truth[said]) > 0.9
    assert np.nanmax(answer.confidence[said]) > 0.9


@pytest.mark.parametrize("model", MODELS)
def test_outside_the_box_every_number_is_nan_and_the_reason_names_the_range(predictors, model):
    answer = predictors[model].verdicts(CENTRE | {"m1": 9100.0})
    assert answer.counts() == {"outside_domain": 1}
    assert is_silent(answer)
    assert re.fullmatch(
        r"m1 = 9100 GeV, trained on 5\d\d(\.\d+)? to 2\d\d\d GeV", *answer.reasons[0]
    )


def test_inside_the_box_but_far_from_every_row_is_outside_the_domain(predictors):
    answer = predictors["region"].verdicts({"m1": 2400.0, "m2": 900.0, "g": 0.95})
    assert answer.counts() == {"outside_domain": 1}
    assert is_silent(answer)
    assert answer.reasons[0][0].startswith("far from every training point: distance ")


def test_every_input_that_is_out_of_range_is_named(predictors):
    reasons = predictors["region"].one({"m1": -9e9, "m2": 0.0, "g": 7.0}).reasons
    assert [reason.split(" = ")[0] for reason in reasons] == ["m1", "g"]
    assert reasons[1].startswith("g = 7, trained on ")


@pytest.fixture(scope="session")
def planes(tmp_path_factory):
    source = SHARED / "pyhf_sbottom" / "cls_regionA.csv"
    if not source.is_file():
        pytest.skip(f"{source} is not here; set LIMEN_SHARED_DATA")
    wanted = ("m_sbottom", "m_neutralino2", "m_neutralino1", "CLs_obs")
    lines = source.read_text().splitlines()
    at = [lines[0].split(",").index(name) for name in wanted]
    values = np.array([[float(line.split(",")[i]) for i in at] for line in lines[1:]])
    document = {
        "id": "sbottom",
        "version": "1.0.0",
        "title": "Our CLs from ATLAS's published likelihood, Region A",
        "tables": [
            {
                "name": "scan",
                "columns": [
                    *({"name": name, "role": "parameter", "unit": "GeV"} for name in wanted[:3]),
                    COLUMNS[3] | {"name": "CLs_obs"},
                ],
            }
        ],
    }
    arrays = {name: values[:, i] for i, name in enumerate(wanted)}
    bundle = make_bundle(document, arrays, tmp_path_factory.mktemp("planes") / "sbottom")
    train(bundle, "CLs_obs", name="cls", options={"n_estimators": 10})
    return bundle.predictor("cls")


@pytest.mark.parametrize(
    ("point", "verdict"),
    [
        ((800.0, 330.0, 200.0), "predicted"),
        ((800.0, 400.0, 60.0), "predicted"),
        ((800.0, 400.0, 200.0), "outside_domain"),
        ((800.0, 250.0, 150.0), "outside_domain"),
    ],
    ids=["plane of a gap of 130", "plane of m_N1 = 60", "between", "off both"],
)
def test_points_off_the_two_mass_planes_are_outside_the_domain(planes, point, verdict):
    names = ("m_sbottom", "m_neutralino2", "m_neutralino1")
    answer = planes.verdicts(dict(zip(names, point, strict=True)))
    assert answer.counts() == {verdict: 1}
    if verdict == "outside_domain":
        assert is_silent(answer)
        assert re.search(r"m_neutralino1? ?.* = .* GeV, trained on .* GeV", answer.reasons[0][0])
        assert "far from" not in answer.reasons[0][0]


BROKEN = {
    "NaN": (np.nan, "m1: found nan, allowed a finite number"),
    "infinity": (np.inf, "m1: found inf, allowed a finite number"),
    "minus infinity as text": ("-inf", "m1: found -inf, allowed a finite number"),
    "text": ("heavy", "m1: found 'heavy', allowed a number"),
    "empty text": ("", "m1: found '', allowed a number"),
    "nothing": (None, "m1: found no value, allowed a number"),
    "underscore": ("1_000", "m1: found '1_000', allowed a number"),
    "true": (True, "m1: found 'True', allowed a number"),
    "incompatible unit": ((1000.0, "pb"), "m1: unit: found 'pb', allowed 'GeV'"),
    "no unit": ((1000.0, "gev"), "m1: unit: found 'gev', do you mean 'GeV'"),
}


@pytest.mark.parametrize("model", ["region", "cls", "phase"])
@pytest.mark.parametrize(("value", "reason"), BROKEN.values(), ids=BROKEN)
def test_invalid_input_holds_no_number_and_says_why(predictors, model, value, reason):
    if value is True:
        value = np.array([True], dtype=object)
    answer = predictors[model].verdicts(CENTRE | {"m1": value}, extrapolate=True, nearest=2)
    assert answer.counts() == {"invalid_input": 1}
    assert is_silent(answer)
    assert np.isnan(answer.extrapolated[0])
    assert answer.reasons[0][0].startswith(reason)
    assert (answer.neighbours["row"] == -1).all()
    assert np.isnan(answer.neighbours["target"]).all()


def test_a_fault_of_one_row_leaves_the_other_rows_alone(predictors):
    predictor = predictors["region"]
    good = predictor.one(CENTRE)
    answer = predictor.verdicts(
        {"m1": ["1000", "?", "1000", "nan"], "m2": [-100, -100, "x", -100], "g": [0.5] * 4}
    )
    names = [VERDICTS[code] for code in answer.verdict]
    assert names == [good.verdict, "invalid_input", "invalid_input", "invalid_input"]
    assert answer.probability[0] == good.probability
    assert answer.reasons[2] == ("m2: found 'x', allowed a number",)


def test_all_faults_of_a_row_come_together(predictors):
    reasons = predictors["region"].one({"m1": "x", "m2": np.nan, "g": (1.0, "TeV")}).reasons
    assert [reason.split(":")[0] for reason in reasons] == ["m1", "g", "m2"]


def test_values_hidden_by_a_mask_are_no_numbers(predictors):
    hidden = np.ma.array([1000.0, 1000.0], mask=[False, True])
    answer = predictors["region"].verdicts(CENTRE | {"m1": hidden})
    assert [VERDICTS[code] == "invalid_input" for code in answer.verdict] == [False, True]


def test_extrapolation_is_a_separate_variable(predictors):
    far = CENTRE | {"m1": np.array([1000.0, 2600.0])}
    for model in ("region", "mass", "phase"):
        dataset = predictors[model](far, extrapolate=True)
        assert np.isnan(dataset.extrapolated[0])
        assert np.isfinite(dataset.extrapolated[1])
        assert all(np.isnan(dataset[name][1]) for name in NUMBERS)
        assert "extrapolated" not in predictors[model](far)
    assert predictors["phase"](far, extrapolate=True).extrapolated[1] in (2.0, 5.0, 7.0)


def test_ids_scalars_and_order_go_through(predictors, fresh):
    predictor = predictors["region"]
    X = fresh.copy()
    X[:, 2] = 0.5
    given = {"id": np.arange(len(X)), "file_no": 3, "m1": X[:, 0], "m2": X[:, 1], "g": 0.5}
    answer = predictor.verdicts(given)
    assert answer.notes == ("passed through: id",)
    whole = predictor.verdicts(table(X))
    assert np.array_equal(answer.probability, whole.probability, equal_nan=True)
    backwards = predictor.verdicts(table(X[::-1]))
    assert np.array_equal(answer.verdict, backwards.verdict[::-1])
    assert np.array_equal(answer.domain_score, backwards.domain_score[::-1], equal_nan=True)


@pytest.mark.parametrize("model", ["region", "cls", "mass", "phase"])
def test_reordered_columns_give_the_same_bits(predictors, fresh, model):
    forwards = predictors[model].verdicts(table(fresh))
    given = {name: table(fresh)[name] for name in ("g", "m2", "m1")}
    backwards = predictors[model].verdicts(given)
    for name in ("verdict", *NUMBERS):
        assert getattr(forwards, name).tobytes() == getattr(backwards, name).tobytes()


@pytest.mark.parametrize("model", ["region", "cls", "mass", "phase"])
def test_one_point_gets_what_the_batch_gets(predictors, fresh, model):
    batch = predictors[model].verdicts(table(fresh[:40]))
    for row in range(40):
        one = predictors[model].one(dict(zip(INPUTS, fresh[row].tolist(), strict=True)))
        assert one.verdict == VERDICTS[batch.verdict[row]]
        assert one.reasons == batch.reasons[row]
        for name in NUMBERS:
            expected = getattr(batch, name)[row]
            assert getattr(one, name) == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)


def test_one_point_that_is_two_is_refused(predictors):
    with pytest.raises(ShapeError, match=r"found 2 points, allowed one"):
        predictors["region"].one(CENTRE | {"m1": [1.0, 2.0]})


def test_more_rows_than_a_block_are_answered_in_order(predictors):
    X = points(9000, seed=4)
    answer = predictors["mass"].verdicts(table(X))
    assert len(answer) == 9000
    for start in (0, 4090, 8190):
        part = predictors["mass"].verdicts(table(X[start : start + 12]))
        assert np.allclose(answer.value[start : start + 12], part.value, rtol=1e-9, equal_nan=True)


def test_no_points_give_no_verdicts(predictors):
    answer = predictors["region"].verdicts({"m1": [], "m2": [], "g": []}, nearest=3)
    assert len(answer) == 0
    assert answer.neighbours["row"].shape == (0, 3)
    assert answer.to_dataset().sizes["point"] == 0


def test_a_dataset_says_what_it_is(predictors, fresh):
    dataset = predictors["region"](table(fresh), nearest=2)
    assert dict(dataset.sizes) == {"point": len(fresh), "neighbour": 2}
    assert dataset.verdict.dtype == np.int8
    assert dataset.verdict.attrs["flag_meanings"].split() == list(VERDICTS)
    assert dataset.verdict.attrs["flag_values"].tolist() == list(range(len(VERDICTS)))
    attrs = dataset.attrs
    assert attrs["bundle"] == "workshop"
    assert attrs["version"] == "1.2.0"
    assert attrs["doi"] == "10.5281/zenodo.7000002"
    assert attrs["cite"] == "https://doi.org/10.5281/zenodo.7000002"
    assert attrs["model"] == "region"
    assert attrs["confidence_level"] == 0.95
    assert attrs["analyses"] == "ATLAS SUSY-2018-31"
    assert attrs["confidence_population"] == "uniform in the box"
    assert "binned_accuracy: Share of points" in attrs["confidence_meaning"]
    assert predictors["mass"](table(fresh)).value.attrs["units"] == "GeV"
    dataset.drop_vars("reasons").to_dict()


@pytest.mark.parametrize(
    ("model", "level", "result"),
    [("excluded", 0.95, "observed"), ("width", 0.95, "observed"), ("mass", "", "")],
)
def test_the_confidence_level_is_that_of_the_label(predictors, model, level, result):
    attrs = predictors[model].attrs
    assert (attrs["confidence_level"], attrs["result"]) == (level, result)


def test_nearest_rows_are_those_of_a_search_by_force(predictors, workshop, fresh):
    predictor = predictors["cls"]
    answer = predictor.verdicts(table(fresh[:25]), nearest=5)
    scan = columns(points(1200))
    width = predictor.domain.high - predictor.domain.low
    rows = np.stack([scan[name] for name in INPUTS], axis=1)
    for i in range(25):
        distance = np.sqrt((((rows - fresh[i]) / width) ** 2).sum(axis=1))
        order = np.argsort(distance)[:5]
        assert answer.neighbours["row"][i].tolist() == order.tolist()
        assert np.allclose(answer.neighbours["distance"][i], distance[order], atol=1e-5)
        assert np.allclose(answer.neighbours["target"][i], scan["cls"][order])
    for row in (0, 7):
        found = predictor.verdicts(table(rows[row : row + 1]), nearest=1).neighbours
        assert found["row"].tolist() == [[row]]
        assert found["distance"][0, 0] < 1e-6


def test_a_masked_target_of_a_near_row_is_nan(tmp_path):
    X = points(200)
    values = columns(X)
    values["loglike"][:50] = -np.inf
    bundle = make_bundle(DOCUMENT, values, tmp_path / "masked")
    train(bundle, "outside_95cr", name="region", options={"n_estimators": 5})
    found = bundle.predictor().verdicts(table(X[[10, 60]]), nearest=1).neighbours
    assert found["row"].ravel().tolist() == [10, 60]
    assert np.isnan(found["target"][0, 0])
    assert found["target"][1, 0] == float(values["loglike"][60] < -3.0)


def test_of_a_point_beyond_any_scale_all_rows_are_far(predictors):
    found = predictors["cls"].verdicts(CENTRE | {"g": 1.7e308}, nearest=3).neighbours
    assert (found["row"] >= 0).all()
    assert np.isinf(found["distance"]).all()


def test_more_neighbours_than_rows_are_all_rows(predictors):
    found = predictors["cls"].verdicts(CENTRE, nearest=5000).neighbours
    assert found["row"].shape == (1, 1200)
    assert np.all(np.diff(found["distance"][0]) >= 0)


def test_fewer_than_no_neighbours_are_refused(predictors):
    with pytest.raises(UsageError, match="nearest: found -1, allowed 0 or more"):
        predictors["cls"].verdicts(CENTRE, nearest=-1)


def test_nearest_without_a_scan_is_refused(workshop):
    card = workshop.models["cls"]
    bare = Predictor(card, workshop.path / card.file, workshop.manifest)
    with pytest.raises(UsageError, match="loaded without a scan"):
        bare.verdicts(CENTRE, nearest=1)


def test_an_empty_calibration_bin_gives_no_confidence(workshop):
    document = workshop.manifest
    (card,) = [card for card in document["models"] if card["name"] == "region"]
    (entry,) = [e for e in card["confidence"] if e["kind"] == "binned_accuracy"]
    sure = workshop.predictor("region").verdicts(table(points(300)))
    low = sure.probability < entry["table"][0]["high"]
    assert np.isfinite(sure.confidence[low]).all()
    entry["table"][0] |= {"n": 0, "accuracy": None, "interval": [0.0, 1.0]}
    changed = type(workshop)(workshop.path, document).predictor("region")
    answer = changed.verdicts(table(points(300)))
    assert low.sum() > 5
    assert np.isnan(answer.confidence[low]).all()
    assert np.isfinite(answer.probability[low]).all()
    assert np.array_equal(answer.confidence[~low], sure.confidence[~low], equal_nan=True)


def without_quantile(workshop, model):
    document = workshop.manifest
    (card,) = [card for card in document["models"] if card["name"] == model]
    (entry,) = [e for e in card["confidence"] if e["kind"] == "conformal"]
    entry["quantile"] = None
    return type(workshop)(workshop.path, document).predictor(model)


@pytest.mark.parametrize("model", ["region", "width", "cls"])
def test_too_few_calibration_rows_leave_the_answer_uncertain(workshop, fresh, model):
    answer = without_quantile(workshop, model).verdicts(table(fresh))
    assert set(answer.counts()) <= {"uncertain", "outside_domain"}
    inside = answer.verdict == VERDICTS.index("uncertain")
    assert all("too few calibration rows" in answer.reasons[row][0] for row in np.where(inside)[0])
    assert np.isnan(answer.lower).all()


def test_a_value_without_label_or_interval_is_still_predicted(workshop):
    answer = without_quantile(workshop, "mass").one(CENTRE)
    assert answer.verdict == "predicted"
    assert np.isfinite(answer.value)
    assert np.isnan(answer.lower)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, -1.0], ids=str)
@pytest.mark.parametrize(
    ("model", "output"), [("width", "mean"), ("cls", "mean"), ("region", "probability")]
)
def test_a_graph_that_gives_an_impossible_number_answers_uncertain(
    workshop, model, output, broken, monkeypatch
):
    predictor = workshop.predictor(model)
    run = predictor.session.run

    def breaking(X):
        outputs = {name: values.copy() for name, values in run(X).items()}
        outputs[output][0] = broken
        return outputs

    monkeypatch.setattr(predictor.session, "run", breaking)
    answer = predictor.verdicts(dict(CENTRE, g=[0.5, 0.4]))
    assert answer[0].verdict == "uncertain"
    assert answer[0].reasons == ("the model gives no possible number here",)
    assert np.isnan([answer[0].probability, answer[0].value, answer[0].confidence]).all()
    assert answer[1].verdict != "uncertain" or "possible" not in answer[1].reasons[0]


def test_a_graph_of_other_classes_than_the_card_is_refused(workshop):
    document = workshop.manifest
    (card,) = [card for card in document["models"] if card["name"] == "phase"]
    card["outputs"][0]["classes"] = [2, 5]
    predictor = type(workshop)(workshop.path, document).predictor("phase")
    with pytest.raises(IntegrityError, match="allowed 'probability' of 2 as the card says"):
        predictor.one(CENTRE)


def test_a_graph_of_another_card_is_refused(workshop):
    card = workshop.models["region"]
    with pytest.raises(IntegrityError, match=r"limen\.model.*does not belong"):
        Predictor(card, workshop.path / "excluded.onnx", workshop.manifest)


def test_a_verdict_becomes_plain_json(predictors):
    inside = predictors["region"].one(CENTRE).to_dict()
    assert set(inside) == {"verdict", *NUMBERS, "unit", "reasons"}
    outside = predictors["region"].one(CENTRE | {"g": 5.0}, extrapolate=True).to_dict()
    assert [outside[name] for name in NUMBERS] == [None] * len(NUMBERS)
    assert 0.0 <= outside["extrapolated"] <= 1.0


def test_a_prediction_imports_neither_xarray_nor_a_training_library(workshop):
    code = (
        "import sys, limen; b = limen.open_bundle(sys.argv[1])\n"
        "v = b.predictor('region').one({'m1': 1000.0, 'm2': -100.0, 'g': 0.5}, nearest=2)\n"
        "bad = {'xarray', 'pandas', 'sklearn', 'xgboost', 'torch', 'scipy', 'skl2onnx'}\n"
        "print(v.verdict, sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(workshop.path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split(maxsplit=1)[1].strip() == "[]"
    assert done.stdout.split()[0] in VERDICTS


def test_the_function_takes_one_point_or_many(predictors, fresh):
    predictor = predictors["mass"]
    f = predictor.function(["g", "m1", "m2"])
    rows = fresh[:30][:, [2, 0, 1]]
    many = f(rows)
    expected = predictor.verdicts(table(fresh[:30])).value
    assert np.array_equal(many, expected, equal_nan=True)
    one = f(rows[0].tolist())
    assert isinstance(one, float)
    assert one == pytest.approx(many[0], rel=1e-9)


def test_the_function_holds_inputs_at_given_values(predictors):
    f = predictors["mass"].function(["m1"], fixed={"g": 0.5, "m2": -100.0})
    value = predictors["mass"].one(CENTRE).value
    assert f([1000.0]) == pytest.approx(value, rel=1e-9)
    assert f(np.array([[1000.0], [9e9]]))[1] != f([1000.0])


@pytest.mark.parametrize(
    ("model", "nothing"), [("loglike", -np.inf), ("mass", np.nan), ("region", np.nan)]
)
def test_the_function_says_nothing_outside_the_domain(predictors, model, nothing):
    f = predictors[model].function(INPUTS)
    bad = [[9e9, 0.0, 0.5], [np.nan, 0.0, 0.5], [1000.0, np.inf, 0.5], [2400.0, 900.0, 0.95]]
    values = f(np.array([*bad, [1000.0, -100.0, 0.5]]))
    assert np.array_equal(values[:4], [nothing] * 4, equal_nan=True)
    assert np.isfinite(values[4])
    assert np.array_equal(f(bad[0]), nothing, equal_nan=True)


@pytest.mark.parametrize(
    ("names", "fixed"),
    [
        (["m1", "m2"], None),
        (["m1", "m2", "g", "g"], None),
        (["m1", "m2", "x"], None),
        (["m1", "m2", "g"], {"g": 0.5}),
    ],
    ids=["missing", "twice", "unknown", "also fixed"],
)
def test_the_function_refuses_wrong_names(predictors, names, fixed):
    with pytest.raises(ColumnError, match=r"allowed exactly m1, m2, g, each once"):
        predictors["mass"].function(names, fixed)


@pytest.mark.parametrize("shape", [(2,), (4,), (5, 2), (1, 2, 3)])
def test_the_function_refuses_other_shapes(predictors, shape):
    with pytest.raises(ShapeError, match=r"allowed \(3,\) or \(n, 3\)"):
        predictors["mass"].function(INPUTS)(np.zeros(shape))


@pytest.fixture(scope="session")
def sampled(tmp_path_factory):
    """A likelihood of a correlated, slightly bent valley in two dimensions, and a surrogate."""
    rng = np.random.default_rng(3)
    X = rng.uniform(-4.0, 4.0, (700, 2))
    document = {
        "id": "valley",
        "version": "1.0.0",
        "title": "A valley",
        "tables": [
            {
                "name": "scan",
                "columns": [
                    {"name": "x", "role": "parameter", "unit": "1"},
                    {"name": "y", "role": "parameter", "unit": "1"},
                    COLUMNS[5],
                ],
            }
        ],
    }
    arrays = {"x": X[:, 0], "y": X[:, 1], "loglike": valley(X)}
    bundle = make_bundle(document, arrays, tmp_path_factory.mktemp("sampled") / "valley")
    train(bundle, "loglike", estimator="gp", name="gp", options=FAST["gp"] | {"max_rows": 500})
    return bundle.predictor("gp").function(["x", "y"])


def valley(X):
    X = np.atleast_2d(X)
    return -0.5 * ((X[:, 0] - 0.3) ** 2 / 0.7 + (X[:, 1] + 0.4 - 0.5 * X[:, 0]) ** 2 / 0.4)


def test_emcee_through_the_function_finds_the_real_marginals(sampled):
    emcee = pytest.importorskip("emcee")

    def real(X):
        return np.where((np.abs(X) < 4).all(axis=1), valley(X), -np.inf)

    chains = []
    for function in (real, sampled):
        start = np.random.default_rng(1).normal(0.0, 0.5, (40, 2))
        sampler = emcee.EnsembleSampler(40, 2, function, vectorize=True)
        sampler._random.seed(5)
        sampler.run_mcmc(start, 700)
        chains.append(sampler.get_chain(discard=200, flat=True))
    edges = np.quantile(chains[0], [0.025, 0.16, 0.5, 0.84, 0.975], axis=0)
    found = np.quantile(chains[1], [0.025, 0.16, 0.5, 0.84, 0.975], axis=0)
    # About 1500 independent points each: quantiles agree within a few per cent of the width.
    assert np.abs(found - edges).max() < 0.15 * (edges[3] - edges[1]).min()
    inside = np.abs(chains[0]).max(axis=1) < 3.5
    assert np.abs(sampled(chains[0][inside][::50]) - valley(chains[0][inside][::50])).max() < 0.05


@pytest.mark.long
def test_emcee_on_the_example_finds_the_marginals_of_the_real_likelihood(tmp_path):
    emcee = pytest.importorskip("emcee")
    from limen.bsll import likelihood
    from limen.demonstration import make_example

    model = likelihood()
    bundle = make_example(tmp_path / "bsll10", n=50_000, toys=200)
    train(bundle, "loglike", estimator="mlp", name="loglike")
    surrogate = bundle.predictor("loglike").function(model.names)

    def real(X):
        inside = ((model.low <= X) & (model.high >= X)).all(axis=1)
        value = np.full(len(X), -np.inf)
        value[inside] = model.log_likelihood(X[inside])
        return value

    with bundle.open_scan() as scan:
        rows = scan.read([*model.names, "origin"])
    posterior = np.stack([rows[name][rows["origin"] == 2] for name in model.names], axis=1)
    chains = []
    for function in (real, surrogate):
        start = posterior[np.isfinite(surrogate(posterior))][:200]
        sampler = emcee.EnsembleSampler(len(start), 10, function, vectorize=True)
        sampler._random.seed(5)
        sampler.run_mcmc(start, 2500)
        chains.append(sampler.get_chain(discard=500, thin=20, flat=True))
    levels = [0.16, 0.5, 0.84]
    expected, found = (np.quantile(chain, levels, axis=0) for chain in chains)
    width = expected[2] - expected[0]
    assert (np.abs(found - expected) / width).max() < 0.25
