"""The points of a campaign as the next version of a bundle: rows, queries, splits, models."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fake_campaign import Believing, FakeCampaign, Processes

import limen
from limen.active.extending import extend
from limen.bundle import open_bundle
from limen.comparing import diff
from limen.errors import DataError, FrozenError, SchemaError, StorageError, UsageError
from limen.packing import make_bundle

RNG = np.random.default_rng(11)
SPACE = {"m": {"range": [0.1, 1.0], "unit": "TeV"}, "g": [0.0, 1.0]}
OUTPUTS = {"loglike": {"threshold": -3.0}}


def loglike(points):
    """Evaluate the toy's likelihood at unit coordinates."""
    m, g = 100 + 900 * points[:, 0], points[:, 1]
    return -((m - 550.0) ** 2) / 4e4 - 20.0 * (g - 0.5) ** 2


def told(strategy=Processes, *, best=False, rounds=2, **options):
    """Make a campaign on the toy: initial, acquired, reserved, failed and pending points."""
    campaign = FakeCampaign(strategy, **({"space": SPACE, "outputs": OUTPUTS} | options))
    rng = np.random.default_rng(1)
    points = rng.random((22, 2))
    campaign.round(points, loglike(points), origin="initial", cost=1.5)
    for _ in range(rounds):
        points = rng.random((10, 2))
        origins = ["acquired"] * 7 + ["reserved"] * 3
        campaign.round(points, loglike(points), origin=origins)
    if best:
        campaign.round([[0.5, 0.5]], [0.0])
    campaign.round(
        rng.random((4, 2)),
        np.full(4, -1.0),
        status=["failed", "invalid", "censored", "pending"],
        message="no convergence",
    )
    return campaign


def table(bundle, name="scan"):
    """Read a table of a bundle."""
    with bundle.open_scan(name) as scan:
        return scan.read()


def meanings(bundle, column="origin", name="scan"):
    """Give the meaning of each row's code."""
    entry = next(t for t in bundle.manifest["tables"] if t["name"] == name)
    categories = next(c for c in entry["columns"] if c["name"] == column)["categories"]
    return np.array([categories[str(code)] for code in table(bundle, name)[column]])


@pytest.fixture(scope="module")
def parent(trained):
    """Give the toy with a forest; not changed."""
    return open_bundle(trained)


@pytest.fixture(scope="module")
def extended(parent, tmp_path_factory):
    """Extend the toy once, by a better point as well; not to be changed."""
    return extend(parent, told(best=True), tmp_path_factory.mktemp("extended") / "toy")


def test_an_extended_bundle_passes_a_deep_check(extended):
    report = limen.check(extended, deep=True)
    assert report.passed, report.faults
    assert any(text.endswith("columns of queries") for text in report.done)


def test_the_next_version_names_its_parent(extended, parent):
    assert extended.manifest["parent"] == parent.as_parent()
    assert (extended.manifest["version"], extended.status) == ("1.1.0", "draft")


def test_evaluated_points_are_rows_in_the_columns_units(extended, parent):
    before, after = table(parent), table(extended)
    assert len(after["m"]) == 400 + 22 + 20 + 1 + 1
    assert np.array_equal(after["loglike"][:400], before["loglike"])
    # The last one is a bound: a point, but no value.
    assert np.isnan(after["loglike"][-1])
    new = slice(400, -1)
    at = np.column_stack([(after["m"][new] - 100) / 900, after["g"][new]])
    assert after["loglike"][new] == pytest.approx(loglike(at), abs=1e-12)
    # The cross section was not evaluated.
    assert np.isnan(after["xsec"][new]).all()
    assert not after["ok"][new].any()


def test_every_asked_point_is_a_query_with_its_row(extended):
    queries = table(extended, "queries")
    scan = table(extended)
    status = meanings(extended, "status", "queries")
    assert len(status) == 22 + 20 + 1 + 4
    assert list(status[-4:]) == ["failed", "invalid", "censored", "pending"]
    assert set(meanings(extended, "message", "queries")[-4:-1]) == {"no convergence"}
    row = queries["row"]
    told_ones = np.isin(status, ["ok", "censored"])
    assert (row[~told_ones] == -1).all()
    assert scan["m"][row[told_ones]] == pytest.approx(1000 * queries["m"][told_ones], rel=1e-14)
    assert np.unique(row[told_ones]).size == 44
    assert set(queries["round"]) == {1, 2, 3, 4, 5}
    assert np.nansum(queries["cost"]) == 33.0
    assert list(extended.queries["row"].values) == list(row)


def test_acquired_rows_train_and_reserved_rows_test(extended):
    origin, split = meanings(extended), table(extended)["split"]
    parts = {text: set(split[origin == text]) for text in np.unique(origin)}
    assert parts == {
        "scan before any campaign": {0, 1, 2},
        "initial design of campaign c0de": {0},
        "acquired by campaign c0de": {0},
        "reserved by campaign c0de": {2},
    }


def test_the_population_is_that_of_the_parent_and_of_the_reserved_rows(extended):
    population = extended.table["split"]["population"]
    categories = extended.columns[population["column"]].categories
    assert [categories[str(code)] for code in population["codes"]] == [
        "scan before any campaign",
        "reserved by campaign c0de",
    ]
    assert population["text"].startswith("uniform in the box; and 6 points drawn from the prior (")
    metrics = extended.models["region"].metrics
    assert {metric["population"] for metric in metrics} == {population["text"]}


def test_a_better_point_moves_the_reference_and_relabels(extended, parent):
    found = diff(parent, extended)
    assert found["minimum"]["loglike"]["after"] == 0.0
    assert found["rows"]["new"] == 44
    (reference,) = [extended.columns["delta_chi2"].statistics["reference"]]
    assert reference == {"set": "scan", "value": 0.0, "point": {"m": 550.0, "g": 0.5}}
    before, after = table(parent), table(extended)
    shift = after["delta_chi2"][:400] - before["delta_chi2"]
    assert shift == pytest.approx(-2 * before["loglike"].max())
    moved = int((before["outside"] != after["outside"][:400]).sum())
    assert found["rows"]["relabelled"]["outside"] == moved
    lines = "\n".join(found["summary"])
    assert "best loglike moved" in lines
    assert "Campaign c0de (level-set): 44 new rows" in lines
    assert "loglike at −3: " in lines


def test_a_much_better_point_relabels_rows(tmp_path, document, columns):
    columns["loglike"] -= 3.0
    parent = make_bundle(document | {"benchmarks": []}, columns, tmp_path / "toy")
    bundle = extend(parent, told(best=True), tmp_path / "next")
    found = diff(parent, bundle)
    assert found["rows"]["relabelled"]["outside"] > 10
    assert limen.check(bundle, deep=True).passed


def test_without_a_better_point_the_reference_stays(tmp_path, document, columns):
    columns["loglike"] += 1.0
    parent = make_bundle(document | {"benchmarks": []}, columns, tmp_path / "toy")
    bundle = extend(parent, told(), tmp_path / "next")
    assert bundle.columns["delta_chi2"].statistics["reference"] == {"set": "scan"}
    assert diff(parent, bundle)["minimum"] == {}


def test_models_are_trained_again_by_their_settings(extended, parent):
    before, after = parent.models["region"], extended.models["region"]
    assert after.training["rebuild"] == before.training["rebuild"]
    assert after.training["rows"] == before.training["rows"] + 22 + 14 + 1
    assert after.training["split"]["test"] == before.training["split"]["test"] + 6


def test_the_surrogate_gives_the_strategys_posterior(extended):
    campaign = told(best=True)
    history = campaign.history().without_reserved()
    u = RNG.random((50, 2))
    mean, std = campaign.strategy.posterior(history, {}).mean_std(u)
    m, g = 100 + 900 * u[:, 0], u[:, 1]
    answer = extended.predictor("loglike-surrogate")({"m": m, "g": g})
    assert answer["value"].values == pytest.approx(mean[:, 0], abs=1e-6)
    half = (answer["upper"].values - answer["lower"].values) / 2
    assert half == pytest.approx(1.96 * std[:, 0], rel=1e-3, abs=1e-5)
    assert extended.manifest["campaign"]["surrogates"] == ["loglike-surrogate"]


def test_the_surrogate_is_judged_on_the_reserved_rows_only(extended):
    card = extended.models["loglike-surrogate"]
    assert {metric["rows"] for metric in card.metrics} == {6}
    assert {metric["region"] for metric in card.metrics} == {"origin: reserved by campaign c0de"}
    (confidence,) = card.confidence
    assert (confidence["kind"], confidence["coverage"]["n"]) == ("gp_posterior", 6)
    assert card.training["rows"] == 22 + 14 + 1
    assert card.domain["box"][0] == {"column": "m", "low": 100.0, "high": 1000.0}


def test_a_changed_figure_of_the_surrogate_is_found(extended, tmp_path):
    copy = extended.next_version(tmp_path / "copy")
    with copy.edit() as change:
        card = change.manifest["models"][-1]
        assert card["name"] == "loglike-surrogate"
        card["confidence"][0]["coverage"]["value"] = 0.5
    report = limen.check(copy, deep=True)
    assert any("loglike-surrogate" in str(fault) for fault in report.faults)


def test_the_record_holds_the_stated_error(extended):
    record = extended.manifest["campaign"]
    (label,) = record["assessment"]["labels"]
    assert 0 < label["expected_misclassified_prior_mass"] < 0.1
    assert label["accuracy"]["n"] == 6
    counts = record["counts"]
    assert (counts["asked"], counts["rows"], counts["failed"], counts["reserved"]) == (47, 44, 1, 6)
    readme = (extended.path / "README.md").read_text(encoding="utf-8")
    assert "expected misclassified prior mass" in readme


def test_a_strategy_without_a_process_is_noted(parent, tmp_path):
    def committee(problem):
        return Believing(problem, lambda history, points: points[:, 0])

    bundle = extend(parent, told(committee), tmp_path / "next", retrain=False)
    assert not bundle.models
    kept, missing = bundle.manifest["campaign"]["notes"]
    assert kept == "not trained again, as was asked: region; they stay with the parent"
    assert missing.startswith("no surrogate of loglike is published: what the strategy level-set")
    assert limen.check(bundle, deep=True).passed


def test_a_second_campaign_keeps_what_the_first_asked(extended, tmp_path):
    campaign = told(rounds=1)
    campaign.document["id"] = "beef"
    bundle = extend(extended, campaign, tmp_path / "next", retrain=False)
    asked = meanings(bundle, "campaign", "queries")
    assert [(asked == name).sum() for name in ("c0de", "beef")] == [47, 36]
    # Both campaigns drew the same points: no row is repeated.
    assert bundle.n_points == extended.n_points
    row = table(bundle, "queries")["row"][asked == "beef"]
    assert (row[:32] >= 400).all()
    assert bundle.models == {} or list(bundle.models) == ["loglike-surrogate"]


def test_what_only_an_earlier_campaign_told_stays_in_the_queries(tmp_path):
    first, second = (FakeCampaign(Processes, space=SPACE, outputs=OUTPUTS) for _ in range(2))
    second.document["id"] = "beef"
    points = np.random.default_rng(4).random((50, 2))
    first.round(points[:25], loglike(points[:25]), errors=0.25)
    second.round(points[25:], loglike(points[25:]))
    bundle = extend(extend(None, first, tmp_path / "a"), second, tmp_path / "b")
    errors = table(bundle, "queries")["loglike_err"]
    assert errors[:25] == pytest.approx(0.25)
    assert np.isnan(errors[25:]).all()
    assert limen.check(bundle, deep=True).passed


def test_two_campaigns_are_told_apart_by_origin(extended, tmp_path):
    campaign = FakeCampaign(Processes, space=SPACE, outputs=OUTPUTS)
    campaign.document["id"] = "beef"
    points = np.random.default_rng(77).random((30, 2))
    campaign.round(points, loglike(points), origin=["acquired"] * 25 + ["reserved"] * 5)
    bundle = extend(extended, campaign, tmp_path / "next")
    counts = dict(zip(*np.unique(meanings(bundle), return_counts=True), strict=True))
    assert counts["acquired by campaign beef"] == 25
    assert counts["acquired by campaign c0de"] == 16
    texts = bundle.table["split"]["population"]["text"]
    assert texts.count("points drawn from the prior") == 2
    assert bundle.models["loglike-surrogate"].training["rows"] == 25
    assert limen.check(bundle, deep=True).passed


def test_a_first_bundle_is_made_of_a_campaign_alone(tmp_path):
    bundle = extend(None, told(), tmp_path / "first")
    assert bundle.n_points == 43
    label = bundle.columns["loglike_below"]
    assert (label.quantity, label.definition["text"]) == ("category", "loglike is below -3")
    assert set(table(bundle)["split"]) == {0, 2}
    assert limen.check(bundle, deep=True).passed


def test_a_scan_document_says_what_the_columns_of_a_first_bundle_mean(tmp_path):
    (tmp_path / "scan.yaml").write_text(
        """
id: first
version: 0.2.0
title: A likelihood of a mass and a coupling
tables:
- name: scan
  columns:
  - {name: m, role: parameter, unit: GeV, label: mass}
  - {name: g, role: parameter, unit: "1"}
  - name: loglike
    role: likelihood
    quantity: log_likelihood
    unit: "1"
    statistics: {normalisation: full, nuisances: none}
  - name: delta_chi2
    role: likelihood
    quantity: delta_chi2
    unit: "1"
    derived: 2 * (max_over_points(loglike) - loglike)
    statistics: {normalisation: ratio_to_best, nuisances: none, reference: {set: scan}}
""",
        encoding="utf-8",
    )
    bundle = extend(None, told(), tmp_path / "first", document=tmp_path / "scan.yaml")
    scan = table(bundle)
    assert bundle.manifest["version"] == "0.2.0"
    assert scan["m"].max() > 100
    assert np.nanmin(scan["delta_chi2"]) == 0.0
    assert limen.check(bundle, deep=True).passed
    broken = (tmp_path / "scan.yaml").read_text().replace("role: parameter", "role: parametre")
    (tmp_path / "scan.yaml").write_text(broken)
    with pytest.raises(SchemaError):
        extend(None, told(), tmp_path / "second", document=tmp_path / "scan.yaml")
    assert not (tmp_path / "second").exists()


def test_stated_errors_get_a_column(tmp_path):
    campaign = FakeCampaign(Processes, space=SPACE, outputs=OUTPUTS)
    points = RNG.random((30, 2))
    campaign.round(points, loglike(points), errors=0.25)
    bundle = extend(None, campaign, tmp_path / "first")
    column = bundle.columns["loglike_err"]
    assert (column.role, column.of, column.kind) == ("uncertainty", "loglike", "stat")
    assert set(table(bundle)["loglike_err"]) == {0.25}


def test_a_campaign_with_few_points_has_no_surrogate_and_says_why(tmp_path):
    campaign = FakeCampaign(Processes, space=SPACE, outputs=OUTPUTS)
    points = RNG.random((8, 2))
    campaign.round(points, loglike(points))
    bundle = extend(None, campaign, tmp_path / "first")
    (note,) = bundle.manifest["campaign"]["notes"]
    assert "surrogate of loglike is not published: " in note
    assert "found 8 valid training rows" in note


def test_a_campaign_in_other_parameters_is_refused_with_all_faults(parent, tmp_path):
    space = {"mass": [100.0, 1000.0], "g": {"range": [0.0, 1.0], "unit": "GeV"}}
    campaign = FakeCampaign(Processes, space=space, outputs={"delta_chi2": {"threshold": 5.99}})
    campaign.round([[0.5, 0.5]], [1.0])
    with pytest.raises(DataError) as caught:
        extend(parent, campaign, tmp_path / "next")
    assert [fault.pointer for fault in caught.value.faults] == ["/mass", "/g", "/delta_chi2"]
    assert not list(tmp_path.iterdir())


def test_a_campaign_that_leaves_a_parameter_open_is_refused(parent, tmp_path):
    campaign = FakeCampaign(Processes, space={"g": [0.0, 1.0]}, outputs=OUTPUTS)
    campaign.round([[0.5]], [-1.0])
    with pytest.raises(DataError, match="the campaign does not vary m, which differ from row to"):
        extend(parent, campaign, tmp_path / "next")


@pytest.mark.parametrize(
    ("bundle", "document", "error", "message"),
    [
        (True, "scan.yaml", UsageError, "found a scan document beside a bundle"),
        (False, None, UsageError, "campaign c0de was started from toy 1.0.0"),
    ],
    ids=["document beside a bundle", "without its bundle"],
)
def test_a_bundle_and_a_document_exclude_each_other(
    parent, tmp_path, bundle, document, error, message
):
    campaign = told(parent=None if bundle else parent.as_parent())
    with pytest.raises(error, match=message):
        extend(parent if bundle else None, campaign, tmp_path / "next", document=document)


def test_a_campaign_without_an_answer_has_nothing_to_add(parent, tmp_path):
    campaign = FakeCampaign(Processes, space=SPACE, outputs=OUTPUTS)
    campaign.round([[0.5, 0.5], [0.1, 0.1]], status=["failed", "pending"])
    with pytest.raises(DataError, match="campaign c0de has no evaluated point"):
        extend(parent, campaign, tmp_path / "next")


def test_nothing_is_overwritten_and_nothing_left_behind(parent, tmp_path):
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "mine").write_text("mine")
    with pytest.raises(StorageError):
        extend(parent, told(), tmp_path / "next")
    assert [path.name for path in tmp_path.rglob("*")] == ["next", "mine"]


def test_a_frozen_bundle_is_extended_and_does_not_change(tmp_path, document, columns):
    parent = make_bundle(document | {"benchmarks": []}, columns, tmp_path / "toy")
    parent.freeze()
    before = {p.name: p.read_bytes() for p in parent.path.iterdir()}
    bundle = extend(parent, told(rounds=1), tmp_path / "next")
    assert bundle.status == "draft"
    assert {p.name: p.read_bytes() for p in parent.path.iterdir()} == before
    with pytest.raises(FrozenError):
        limen.train(parent, "loglike", estimator="gp")


def test_the_same_campaign_makes_the_same_bytes(tmp_path, document, columns, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    parent = make_bundle(document | {"benchmarks": []}, columns, tmp_path / "toy")
    made = [extend(parent, told(rounds=1), tmp_path / name) for name in ("a", "b")]
    first, second = (json.loads(json.dumps(bundle.manifest["files"])) for bundle in made)
    assert first == second


def test_surrogates_of_several_outputs_speak_in_the_columns_units(tmp_path):
    (tmp_path / "scan.yaml").write_text(
        """
id: first
version: 0.1.0
title: Two cross sections
tables:
- name: scan
  columns:
  - {name: m, role: parameter, unit: GeV, scale: log}
  - {name: g, role: parameter, unit: "1"}
  - {name: xsec, role: observable, quantity: cross_section, unit: fb}
  - {name: width, role: observable, quantity: width, unit: GeV}
""",
        encoding="utf-8",
    )
    campaign = FakeCampaign(
        Processes,
        space={"m": {"range": [0.1, 1.0], "unit": "TeV", "scale": "log"}, "g": [0.0, 1.0]},
        outputs={
            "xsec": {"threshold": 1.0, "unit": "pb", "scale": "log"},
            "width": {"threshold": 1e-3, "unit": "TeV"},
        },
    )
    u = np.random.default_rng(3).random((36, 2))
    values = np.column_stack([10 ** (1 - 2 * u[:, 0] + u[:, 1]), 2e-3 * u[:, 1]])
    campaign.round(u, values, origin=["acquired"] * 30 + ["reserved"] * 6)
    bundle = extend(None, campaign, tmp_path / "first", document=tmp_path / "scan.yaml")
    assert bundle.manifest["campaign"]["surrogates"] == ["xsec-surrogate", "width-surrogate"]
    points = {"m": 100 * 10 ** u[30:, 0], "g": u[30:, 1]}
    mean, std = campaign.strategy.posterior(campaign.history().without_reserved(), {}).mean_std(
        u[30:]
    )
    xsec = bundle.predictor("xsec-surrogate")(points)
    assert xsec["value"].values == pytest.approx(1e3 * 10 ** mean[:, 0], rel=1e-6)
    assert xsec["upper"].values == pytest.approx(1e3 * 10 ** (mean + 1.96 * std)[:, 0], rel=1e-4)
    width = bundle.predictor("width-surrogate")(points)
    assert width["value"].values == pytest.approx(1e3 * mean[:, 1], rel=1e-6, abs=1e-8)
    assert limen.check(bundle, deep=True).passed
