"""The example bundle: same seed same bytes, and what it says of itself is true."""

from __future__ import annotations

import numpy as np
import pytest

from limen.bsll import likelihood
from limen.checking import check
from limen.demonstration import ORIGINS, draw, find_facts, make_example
from limen.errors import UsageError

N, TOYS = 800, 30


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return make_example(tmp_path_factory.mktemp("example") / "bsll10", n=N, seed=3, toys=TOYS)


@pytest.fixture(scope="module")
def scan(example):
    with example.open_scan() as opened:
        return opened.read(list(example.columns))


def test_the_same_seed_gives_the_same_bytes(example, tmp_path, monkeypatch):
    again = make_example(tmp_path / "again", n=N, seed=3, toys=TOYS)
    files, others = example.manifest["files"], again.manifest["files"]
    for name in ("scan.zarr.zip", "preview.csv"):
        assert files[name]["sha256"] == others[name]["sha256"]
    same = [
        {k: v for k, v in b.manifest.items() if k not in ("created", "files")}
        for b in (example, again)
    ]
    assert same[0] == same[1]


def test_another_seed_gives_another_scan(example, tmp_path):
    other = make_example(tmp_path / "other", n=N, seed=4, toys=2)
    hashes = [b.manifest["files"]["scan.zarr.zip"]["sha256"] for b in (example, other)]
    assert hashes[0] != hashes[1]


def test_the_checks_pass(example):
    report = check(example, deep=True)
    assert report.passed, report.faults


def test_rows_are_those_of_the_real_likelihood(example, scan):
    model = likelihood()
    X = np.stack([scan[name] for name in model.names], axis=1)
    assert np.array_equal(scan["loglike"], model.log_likelihood(X))
    assert np.allclose(scan["R_K"], model.predict(X)[:, model.observables.index("R_K[1.1,6]")])
    assert np.all((model.low <= X) & (model.high >= X))


def test_labels_agree_with_the_threshold_of_the_toys(example, scan):
    definition = example.columns["outside_95cr"].definition
    delta = 2 * (scan["loglike"].max() - scan["loglike"])
    assert np.allclose(scan["delta_chi2"], delta)
    assert np.array_equal(scan["outside_95cr"] == 1, delta > definition["threshold"])
    assert f"{TOYS} toys" in definition["text"]
    assert 0.05 < scan["outside_95cr"].mean() < 0.95
    assert "excluded" not in str(example.columns["outside_95cr"].to_dict()).replace(
        "excluded_when", ""
    )


def test_the_best_row_is_the_best_fit(example, scan):
    (best,) = [b for b in example.manifest["benchmarks"] if b["name"] == "best fit"]
    top = int(np.argmax(scan["loglike"]))
    assert ORIGINS[str(scan["origin"][top])] == "benchmark"
    for name, value in best["point"].items():
        assert scan[name][top] == value


def test_chains_stay_in_one_split(scan):
    for walker in np.unique(scan["walker"]):
        assert len(np.unique(scan["split"][scan["walker"] == walker])) == 1
    assert len(np.unique(scan["walker"])) < len(scan["walker"])


def test_densities_are_named_and_benchmarks_are_only_learnt_from(example, scan):
    counts = np.bincount(scan["origin"])
    assert len(counts) == len(ORIGINS)
    assert [entry["rows"] for entry in example.table["sampling"]] == counts.tolist()
    assert np.all(scan["split"][scan["origin"] == 3] == 0)
    assert set(np.unique(scan["split"])) == {0, 1, 2}
    assert "mixture of 40 % uniform" in example.table["split"]["population"]["text"]


def test_the_densities_are_ever_closer_to_the_best_fit(scan):
    delta = [np.median(scan["delta_chi2"][scan["origin"] == origin]) for origin in (0, 1, 2)]
    assert delta[0] > delta[1] > delta[2]


def test_goodness_of_fit_stands_beside_every_interval(example):
    for name in ("loglike", "delta_chi2", "outside_95cr"):
        fit = example.columns[name].statistics["goodness_of_fit"]
        assert (fit["chi2"], fit["dof"]) == (pytest.approx(29.71, abs=0.02), 10)


def test_facts_say_how_often_the_standard_model_lies_within():
    facts = find_facts(np.random.default_rng(0), toys=40)
    assert 8.0 < facts.threshold < 17.0
    assert 0.7 < facts.coverage <= 1.0


def test_too_few_rows_are_refused():
    with pytest.raises(UsageError, match="rows: found 300, allowed 400 or more"):
        draw(300, np.random.default_rng(0), np.zeros(10))


def test_columns_say_their_operators_and_units(example):
    columns = example.columns
    assert columns["C9_bsmumu"].unit == "1"
    assert columns["CPp_bsmumu"].unit == "1/GeV"
    assert "(sbar P_L b)(mubar gamma_5 mu)" in columns["CPp_bsmumu"].description
    assert "sigma^{mu nu} P_R b" in columns["C7_bs"].description


def test_a_scalar_coefficient_is_in_inverse_gev():
    """Compare the rate of Bs -> mu mu with that of an operator that holds m_b."""
    model = likelihood()
    points = np.zeros((2, 10))
    points[1, model.names.index("CS_bsmumu")] = 0.1
    standard, scalar = model.predict(points)[:, model.observables.index("BR(Bs->mumu)")]
    m_bs, m_mu, m_b, m_s, c_10 = 5.367, 0.1057, 4.2, 0.08, -4.2
    amplitude = 0.1 * m_bs**2 / (2 * m_mu) * m_b / (m_b + m_s)
    assert scalar / standard == pytest.approx(1 + (amplitude / c_10) ** 2, rel=0.2)


def test_the_description_lists_the_observables(example):
    text = example.manifest["description"]
    assert "B0->K*mumu for q2 in 1.1-2.5, 4.0-6.0, 2.5-4.0, 15.0-19.0 GeV^2" in text
    assert "18.31" in text
