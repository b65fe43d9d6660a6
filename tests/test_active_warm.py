"""What campaigns start with: rows of bundles, approximations, tables and pools."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from limen.active import Campaign
from limen.active import warm as module
from limen.bundle import open_bundle
from limen.errors import ColumnError, DataError, IntegrityError, ShapeError, UnitError
from limen.packing import make_bundle

SPACE = {"m": {"range": [100.0, 1000.0], "unit": "GeV"}, "g": [0.0, 1.0]}
OUTPUTS = {"y": {"threshold": 0.0}}
KNOWN = {"m": [200.0, 300.0, 5000.0], "g": [0.1, 0.2, 0.3], "y": [1.0, -1.0, 0.5]}


def start(folder, **options):
    """Start a small campaign."""
    told = {"space": SPACE, "outputs": OUTPUTS, "strategy": "random"} | options
    return Campaign.start(folder, **told)


def test_rows_known_before_come_first_and_are_not_asked(tmp_path, caplog):
    campaign = start(tmp_path / "c", warm=KNOWN)
    history = campaign.history()
    assert campaign.problem.space.to_physical(history.points) == pytest.approx(
        np.array([[200.0, 0.1], [300.0, 0.2]])
    )
    assert (history.warm, history.asked, history.asks) == (2, 0, 0)
    assert caplog.messages == ["warm: 1 rows outside of the space are not used"]
    assert len(campaign.queries) == 0
    assert campaign.document["warm"]["rows"] == 2
    assert Campaign.open(tmp_path / "c").status()["warm"] == 2


def test_known_rows_may_have_errors_and_failures(tmp_path):
    warm = pd.DataFrame(
        {"m": [200, 300, 400], "g": 0.5, "y": [1.0, np.nan, 3.0], "y_err": [0.1, np.nan, np.nan]}
    ).assign(status=["ok", "failed", "censored"])
    history = start(tmp_path / "c", warm=warm).history()
    assert list(history.status) == [0, 1, 3]
    assert list(history.errors[:, 0]) == [0.1, 0.0, 0.0]
    assert list(history.known) == [True, False, True]


def test_an_approximation_is_of_another_fidelity(tmp_path):
    cheap = {"m": [200.0, 400.0], "g": [0.5, 0.6], "y": [9.0, 8.0]}
    campaign = start(tmp_path / "c", warm=KNOWN, approximation=cheap)
    history = campaign.history()
    assert list(history.fidelity) == [0, 0, 1, 1]
    assert list(history.known) == [True, True, False, False]
    assert campaign.document["warm"]["approximation"] == 2


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y": None}, ColumnError, "warm: found no y, needed m, g, y"),
        ({"y": [1.0, 2.0]}, ShapeError, r"different length \(m 3, g 3, y 2\)"),
        ({"y": ["a", 1, 2]}, DataError, "warm y: found could not convert"),
        ({"y": [1.0, np.inf, 2.0]}, DataError, "infinite value in row 1"),
        ({"y_err": [0.1, -1, 0]}, DataError, "found a negative or infinite error"),
        ({"status": ["ok", "fine", "ok"]}, DataError, "warm status: found 'fine'"),
        ({"status": ["ok"]}, ShapeError, "different length"),
    ],
    ids=["missing", "length", "text", "infinite", "error", "status", "few states"],
)
def test_bad_known_rows_are_one_error_and_no_folder(tmp_path, change, error, message):
    warm = {name: column for name, column in (KNOWN | change).items() if column is not None}
    with pytest.raises(error, match=message):
        start(tmp_path / "c", warm=warm)
    assert list(tmp_path.iterdir()) == []


def test_known_rows_that_were_changed_are_refused(tmp_path):
    start(tmp_path / "c", warm=KNOWN)
    path = tmp_path / "c" / "warm.npz"
    path.write_bytes(path.read_bytes().replace(b"PK", b"KP", 1))
    with pytest.raises(IntegrityError, match=r"warm\.npz: found no file of SHA-256"):
        Campaign.open(tmp_path / "c")
    path.unlink()
    with pytest.raises(IntegrityError, match="restore it from a copy"):
        Campaign.open(tmp_path / "c")


# ----- pools -----


def pool(n=30, seed=0):
    """Draw a pool whose values are no fractions of the ranges."""
    rng = np.random.default_rng(seed)
    return {"m": rng.uniform(100, 1000, n), "g": rng.random(n)}


@pytest.mark.parametrize("strategy", ["sobol", "random", "latin-hypercube"])
def test_a_pool_is_asked_once_to_the_last_bit(tmp_path, strategy):
    table = pool()
    campaign = start(tmp_path / "c", pool=table, strategy=strategy, reserve=0.2)
    asked = [campaign.ask(7) for _ in range(5)]
    assert [len(batch) for batch in asked] == [7, 7, 7, 7, 2]
    whole = pd.concat(asked)
    assert set(zip(whole["m"], whole["g"], strict=True)) == set(
        zip(table["m"], table["g"], strict=True)
    )
    assert (campaign.queries["origin"] == "reserved").sum() == 6
    with pytest.raises(Exception, match="has no point left to ask; tell the 30 pending ones"):
        campaign.ask(1)


def test_members_that_are_known_are_not_asked(tmp_path):
    table = pool()
    known = {name: column[:10] for name, column in table.items()} | {"y": np.zeros(10)}
    campaign = start(tmp_path / "c", pool=table, warm=known, reserve=0.2)
    assert sorted(campaign.ask(100)["m"]) == sorted(table["m"][10:])
    assert (campaign.queries["origin"] == "reserved").sum() == 4


def test_reserved_members_are_the_same_whatever_the_strategy(tmp_path):
    found = []
    for name in ("sobol", "latin-hypercube"):
        campaign = start(tmp_path / name, pool=pool(200), strategy=name, reserve=0.3)
        for n in (5, 17, 40):
            campaign.ask(n)
        table = campaign.queries
        found.append(list(table["m"][table["origin"] == "reserved"]))
        kept = {tuple(row) for row in campaign.set_aside}
        assert not any(tuple(row) in kept for row in campaign.strategy._problem.pool)
    assert found[0] == found[1]
    assert len(found[0]) == 18


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"m": [200.0]}, ColumnError, "pool: found no g"),
        ({"m": [200.0, 2000.0], "g": [0.5, 0.5]}, DataError, "1 of 2 points outside.* row 1"),
        ({"m": [], "g": []}, DataError, "0 of 0 points"),
        ({"m": ["x"], "g": [0.5]}, DataError, "pool m: found could not convert"),
        ({"m": [200.0, np.nan], "g": [0.5, 0.5]}, DataError, "1 of 2 points outside"),
        ({"m": [200.0], "g": [0.5, 0.5]}, ShapeError, "different length"),
    ],
    ids=["missing", "outside", "empty", "text", "nan", "length"],
)
def test_a_bad_pool_is_refused(tmp_path, table, error, message):
    with pytest.raises(error, match=message):
        start(tmp_path / "c", pool=table)


# ----- bundles -----


@pytest.fixture
def parent(packed):
    """Open the small scan; not changed."""
    return open_bundle(packed)


def test_a_bundle_gives_space_thresholds_and_rows(parent, tmp_path):
    campaign = Campaign.from_bundle(
        tmp_path / "c", parent, {"loglike": {"threshold": -3.0}}, strategy="sobol"
    )
    assert campaign.problem.space.names == ["m", "g"]
    item = campaign.problem.space.parameters[0]
    assert (item.unit, item.label, item.low) == ("GeV", "mass", parent.columns["m"].range[0])
    assert len(campaign.history().points) == 400
    assert campaign.document["parent"] == parent.as_parent() | {"path": str(parent.path)}
    assert campaign.status()["notes"] == []
    assert len(campaign.ask(5)) == 5


def test_a_narrower_space_takes_the_rows_inside(parent, tmp_path):
    campaign = Campaign.from_bundle(
        tmp_path / "c",
        parent,
        ["loglike"],
        space={"m": (300.0, 700.0)},
        constraints=["m < 1000 * g"],
        strategy="sobol",
    )
    x = campaign.problem.space.to_physical(campaign.history().points)
    with parent.open_scan() as scan:
        table = scan.read(["m", "g"])
    inside = (table["m"] >= 300) & (table["m"] <= 700) & (table["m"] < 1000 * table["g"])
    assert x[:, 0] == pytest.approx(table["m"][inside])
    assert campaign.problem.space.parameters[0].unit == "GeV"


def test_masked_rows_are_not_known(parent, tmp_path):
    campaign = Campaign.from_bundle(tmp_path / "c", parent, ["xsec"], strategy="sobol")
    with parent.open_scan() as scan:
        ok = scan.read(["ok"])["ok"]
    assert len(campaign.history().points) == ok.sum()


def test_one_column_may_approximate_another(parent, tmp_path):
    campaign = Campaign.from_bundle(
        tmp_path / "c", parent, ["loglike"], approximation={"loglike": "xsec"}, strategy="sobol"
    )
    history = campaign.history()
    cheap = history.fidelity == 1
    assert (~cheap).sum() == 400
    assert 0 < cheap.sum() < 400
    m = campaign.problem.space.to_physical(history.points[cheap])[:, 0]
    assert history.values[cheap, 0] == pytest.approx(1e4 / m)


def test_a_long_scan_is_thinned_evenly(parent, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 150)
    campaign = Campaign.from_bundle(tmp_path / "c", parent, ["loglike"], strategy="sobol")
    with parent.open_scan() as scan:
        m = scan.read(["m"])["m"]
    x = campaign.problem.space.to_physical(campaign.history().points)
    assert x[:, 0] == pytest.approx(m[::3])


def test_the_threshold_of_a_label_is_the_default(tmp_path, document, columns, column_of):
    column_of(document, "outside")["definition"] |= {
        "column": "loglike",
        "comparison": "<",
        "threshold": -3.0,
    }
    parent = make_bundle(document | {"benchmarks": []}, columns, tmp_path / "toy")
    campaign = Campaign.from_bundle(tmp_path / "c", parent, ["loglike"], strategy="sobol")
    assert campaign.problem.outputs[0].thresholds == (-3.0,)


def test_a_likelihood_that_reaches_far_down_is_modelled_by_its_deficit(tmp_path, document, columns):
    columns["loglike"] = 50 * columns["loglike"]
    document["benchmarks"] = []
    parent = make_bundle(document, columns, tmp_path / "toy")
    outputs = {"loglike": {"threshold": -10.0}}
    campaign = Campaign.from_bundle(tmp_path / "c", parent, outputs, strategy="sobol")
    (output,) = campaign.problem.outputs
    top = float(columns["loglike"].max())
    assert (output.scale, output.top) == ("log_deficit", top)
    assert output.width == pytest.approx(3 * (top + 10.0))
    outputs["loglike"]["scale"] = "linear"
    campaign = Campaign.from_bundle(tmp_path / "d", parent, outputs, strategy="sobol")
    assert campaign.problem.outputs[0].scale == "linear"


@pytest.mark.parametrize(
    ("outputs", "options", "error", "message"),
    [
        (["nothing"], {}, ColumnError, "output: found 'nothing', allowed xsec, loglike, delta"),
        (["m"], {}, ColumnError, "output: found 'm', allowed xsec"),
        (["delta_chi2"], {}, ColumnError, "found a column that derives from others"),
        (["xsec"], {"space": {"x": [0, 1]}}, ColumnError, "space: found x, allowed the param"),
        (["xsec"], {"space": {"m": 3}}, DataError, "/m/range"),
        (["xsec"], {"space": {"m": {"range": 3}}}, DataError, "/m/range"),
        (
            ["xsec"],
            {"space": {"m": {"unit": "TeV"}}},
            UnitError,
            "space m: found the unit 'TeV', allowed 'GeV'",
        ),
        (["xsec"], {"approximation": {}}, ColumnError, "something wrong with xsec"),
        (["xsec"], {"approximation": {"xsec": "z"}}, ColumnError, "something wrong with z"),
    ],
    ids=["unknown", "parameter", "derived", "space", "range", "bad range", "unit", "none", "no"],
)
def test_a_bad_start_from_a_bundle_is_one_error(parent, tmp_path, outputs, options, error, message):
    with pytest.raises(error, match=message):
        Campaign.from_bundle(tmp_path / "c", parent, outputs, strategy="sobol", **options)
    assert list(tmp_path.iterdir()) == []
