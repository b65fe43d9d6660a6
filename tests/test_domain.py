"""A domain holds its training rows, refuses what lies off them, and says why."""

from __future__ import annotations

import csv
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from limen.domain import MAX_SCALED, Domain, find_subspaces, fit_domain
from limen.domain.words import number
from limen.errors import DataError, ShapeError, TrainingError, UsageError

MASSES = ["m_sbottom", "m_N2", "m_N1"]
GEV = ["GeV"] * 3


def rng(seed=0):
    return np.random.default_rng(seed)


def shared(*parts):
    path = Path(os.environ.get("LIMEN_SHARED_DATA", "../shared/data")).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is absent: set LIMEN_SHARED_DATA")
    return path


def in_float32(domain, X):
    """Repeat the score as a float32 graph computes it."""
    f = np.float32
    x = np.asarray(X, dtype=f)
    box = (np.abs(x - domain.middle.astype(f)) / domain.half.astype(f)).max(axis=1)
    z = np.clip((x - domain.centre.astype(f)) / domain.scale.astype(f), -MAX_SCALED, MAX_SCALED)
    z, reference = z.astype(f), domain.reference.astype(f)
    gram = (reference**2).sum(axis=1) - 2 * z @ reference.T
    nearest = np.sort(gram, axis=1)[:, : domain.k].mean(axis=1) + (z**2).sum(axis=1)
    score = np.maximum(box, np.sqrt(np.maximum(nearest, f(0))) / f(domain.threshold))
    if domain.subspaces:
        parts = [
            np.abs(z @ s.normals.T.astype(f) - s.offsets.astype(f)).max(axis=1) / f(s.tolerance)
            for s in domain.subspaces
        ]
        score = np.maximum(score, np.min(parts, axis=0))
    return score


@pytest.fixture(scope="module")
def planes():
    """Two mass planes and a stray row, as ATLAS-SUSY-2018-31 has them."""
    draw = rng(1)
    first = np.column_stack([draw.uniform(300, 1600, 90), draw.uniform(131, 900, 90), np.zeros(90)])
    first[:, 2] = first[:, 1] - 130
    second = np.column_stack(
        [draw.uniform(300, 1600, 120), draw.uniform(150, 1500, 120), np.full(120, 60.0)]
    )
    return np.vstack([first, second, [[900.0, 500.0, 200.0]]])


@pytest.fixture(scope="module")
def plane_domain(planes):
    return fit_domain(planes, rng=rng(), names=MASSES)


def test_rows_on_the_edge_of_the_box_are_inside_also_in_float32():
    X = rng().uniform([-4000.0, 1e6, 1e-9], [4000.0, 1e6 + 5, 2e-9], (3000, 3))
    domain = fit_domain(X, rng=rng())
    edges = np.vstack(
        [X[X[:, j].argmin()] for j in range(3)] + [X[X[:, j].argmax()] for j in range(3)]
    )
    assert domain.box_part(edges).max() <= 1
    assert (
        np.abs(edges.astype("f4") - domain.middle.astype("f4")) / domain.half.astype("f4")
    ).max() <= 1


@pytest.mark.parametrize("d", [1, 2, 5, 19])
def test_nearly_all_fresh_rows_of_the_same_box_are_inside(d):
    low, high = -np.arange(1.0, d + 1), np.arange(1.0, d + 1)
    domain = fit_domain(rng().uniform(low, high, (6000, d)), rng=rng(1))
    fresh = rng(2).uniform(0.999 * low, 0.999 * high, (4000, d))
    assert (domain.score(fresh) <= 1).mean() >= 0.995
    assert np.all(domain.score(3 * high + fresh) > 1)


def test_float32_gives_the_same_answer(planes, plane_domain):
    X = np.vstack([planes, rng().uniform(planes.min(0), planes.max(0), (500, 3))])
    ours, theirs = plane_domain.score(X), in_float32(plane_domain, X)
    assert np.array_equal(ours <= 1, theirs <= 1)
    np.testing.assert_allclose(theirs, ours, rtol=2e-3)


def test_a_hole_inside_the_box_is_outside():
    angle = rng().uniform(0, 2 * np.pi, 4000)
    radius = rng(1).uniform(0.9, 1.0, 4000)
    domain = fit_domain(
        np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]), rng=rng()
    )
    assert (domain.score([[0.0, 0.0], [0.95, 0.0]]) <= 1).tolist() == [False, True]
    reason = domain.reasons([0.0, 0.0], ["a", "b"], ["1", "1"])
    assert len(reason) == 1
    assert reason[0].startswith("far from every training point: distance ")


def test_the_two_mass_planes_are_found(plane_domain):
    assert sorted(subspace.rows for subspace in plane_domain.subspaces) == [90, 120]


@pytest.mark.parametrize(
    ("x", "inside"),
    [
        ([900.0, 430.0, 300.0], True),
        ([900.0, 700.0, 60.0], True),
        ([900.0, 430.2, 300.0], True),
        ([900.0, 450.0, 300.0], False),
        ([900.0, 700.0, 65.0], False),
    ],
    ids=["difference 130", "mass 60", "rounded", "difference 150", "mass 65"],
)
def test_a_point_is_inside_only_on_a_plane(plane_domain, x, inside):
    assert bool(plane_domain.score([x])[0] <= 1) is inside
    assert (plane_domain.reasons(x, MASSES, GEV) == []) is inside


@pytest.mark.parametrize(
    ("x", "said"),
    [
        ([9100.0, 700.0, 60.0], "m_sbottom = 9100 GeV, trained on 300 to 1600 GeV"),
        ([900.0, 450.0, 300.0], "m_N2 − m_N1 = 150 GeV, trained on 130 GeV, or with m_N1 = 60 GeV"),
        ([900.0, 900.0, 65.0], "m_N1 = 65 GeV, trained on 60 GeV, or with m_N2 − m_N1 = 130 GeV"),
    ],
    ids=["box", "difference", "mass"],
)
def test_reasons_name_parameter_value_and_range(planes, x, said):
    rounded = np.vstack([planes, [[300.0, 500.0, 60.0], [1600.0, 500.0, 60.0]]])
    domain = fit_domain(rounded, rng=rng())
    assert domain.reasons(x, MASSES, GEV) == [said]
    card = json.loads(json.dumps(domain.to_card(MASSES)))
    assert Domain.from_card(card).reasons(x, MASSES, GEV) == [said]


def test_every_parameter_outside_its_range_is_named_with_a_true_minus_sign():
    X = np.array([[-3999.99, 5.0, 1.0], [3999.83, 5.0, 2.0], [0.0, 5.0, 1.5]])
    found = fit_domain(X, rng=rng()).reasons(
        [9100.0, 6.0, 1.5], ["M1", "tanb", "g"], ["GeV", "1", "1"], [None, "tan β", None]
    )
    assert found == ["M1 = 9100 GeV, trained on −4000 to 4000 GeV", "tan β = 6, trained on 5 only"]


def test_a_value_just_outside_does_not_look_like_the_edge():
    domain = fit_domain(np.array([[0.0], [3999.83]]), rng=rng())
    said = domain.reasons([4000.0], ["M1"], ["GeV"])
    assert said == ["M1 = 4000 GeV, trained on 0 to 3999.8 GeV"]


def test_a_card_keeps_the_box_and_says_how_far(plane_domain):
    card = plane_domain.to_card(MASSES)
    again = Domain.from_card(card)
    np.testing.assert_array_equal(again.low, plane_domain.low)
    assert again.reasons([900.0, 700.0, 60.0], MASSES, GEV, score=1.5)[0].startswith("far from")
    for one, other in zip(again.to_card(MASSES)["subspaces"], card["subspaces"], strict=True):
        assert one["normals"] == [pytest.approx(normal) for normal in other["normals"]]
        assert one["offsets"] == pytest.approx(other["offsets"])
    with pytest.raises(UsageError, match="no reference rows"):
        again.score([[900.0, 700.0, 60.0]])


def test_an_exact_relation_of_all_columns_is_found_and_kept():
    draw = rng().uniform(0, 1, (400, 3))
    X = np.column_stack([draw, 2 * draw[:, 0] - draw[:, 2] + 5])
    domain = fit_domain(X, rng=rng())
    assert [subspace.normals.shape for subspace in domain.subspaces] == [(1, 4)]
    off = X[:50].copy()
    off[:, 3] += 0.05
    assert np.all(domain.score(X) <= 1)
    assert np.all(domain.score(off) > 1)


def test_slanted_planes_are_found_without_an_axis():
    x = rng().uniform(0, 1, (600, 2))
    one = np.column_stack([x[:300], 0.3 * x[:300, 0] + 0.2 * x[:300, 1]])
    two = np.column_stack([x[300:], 1.0 - 0.4 * x[300:, 0] + 0.1 * x[300:, 1]])
    domain = fit_domain(np.vstack([one, two]), rng=rng())
    assert len(domain.subspaces) == 2
    assert domain.score([[0.5, 0.5, 0.25], [0.5, 0.5, 0.5]]).tolist()[1] > 1
    assert (domain.score(np.vstack([one, two])) <= 1).mean() > 0.99


def grid(*axes):
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes)).astype(float)


@pytest.mark.parametrize(
    "X",
    [
        grid(np.arange(10), np.arange(10), np.arange(4)),
        grid(np.arange(20), [-2, 0, 2]),
        grid(np.arange(6), np.arange(6)),
        rng().normal(size=(500, 4)),
        rng().uniform(size=(12, 11)),
    ],
    ids=["grid", "axis of three values", "small grid", "a cloud", "fewer rows than would tell"],
)
def test_grids_and_clouds_have_no_subspaces(X):
    zeros, ones = np.zeros(X.shape[1]), np.ones(X.shape[1])
    assert find_subspaces(X, centre=zeros, scale=ones, rng=rng()) == ()


def test_points_between_grid_points_are_inside():
    domain = fit_domain(grid(np.arange(12), np.arange(12)), rng=rng())
    assert np.all(domain.score(rng(1).uniform(0, 11, (500, 2))) <= 1)


def test_two_values_of_a_column_are_two_planes_and_both_are_named():
    X = np.column_stack([rng().uniform(0, 1, 200), np.repeat([10.0, 40.0], 100)])
    domain = fit_domain(X, rng=rng())
    assert domain.reasons([0.5, 25.0], ["m", "tanb"], ["GeV", "1"]) == [
        "tanb = 25, trained on 10 or 40"
    ]


def test_a_rare_population_is_no_stray():
    X = rng().uniform(0, 1, (10_000, 3))
    X[:9900, 2] = 0.0
    assert fit_domain(X, rng=rng()).subspaces == ()


@pytest.mark.parametrize(
    "X",
    [[[1.0, 2.0]], [[1.0, 2.0], [3.0, 2.0]], np.ones((50, 2)), np.zeros((3, 1)), np.eye(9)],
    ids=["one row", "two rows", "all rows equal", "all zero", "nine rows"],
)
def test_few_or_constant_rows_are_inside_themselves(X, recwarn):
    domain = fit_domain(X, rng=rng())
    assert np.all(domain.score(X) <= 1)
    assert np.all(domain.score(np.asarray(X) + 1e4) > 1)
    assert not recwarn


def test_nan_and_infinity_are_not_inside(plane_domain, recwarn):
    score = plane_domain.score([[np.nan, 700.0, 60.0], [np.inf, 700.0, 60.0], [1e300, 0, 0]])
    assert not np.any(score <= 1)
    assert not recwarn


def test_the_same_seed_gives_the_same_domain(planes):
    one, two = fit_domain(planes, rng=rng(4)), fit_domain(planes, rng=rng(4))
    assert one.reference.tobytes() == two.reference.tobytes()
    assert one.to_card(MASSES) == two.to_card(MASSES)


def test_reference_rows_are_bounded_and_fewer_in_many_dimensions():
    X = rng().normal(size=(6000, 14))
    assert len(fit_domain(X, rng=rng()).reference) == 1024
    assert len(fit_domain(X[:, :3], rng=rng()).reference) == 4096
    assert len(fit_domain(X[:, :3], rng=rng(), max_reference=10).reference) == 10


@pytest.mark.parametrize(
    ("X", "error", "said"),
    [
        (np.empty((0, 2)), TrainingError, "found 0 rows"),
        (np.empty((3, 0)), ShapeError, "found shape"),
        ([1.0, 2.0], ShapeError, "found shape"),
        ([[1.0, np.nan], [1.0, 2.0]], DataError, "'b'"),
    ],
    ids=["no rows", "no columns", "one dimension", "not finite"],
)
def test_rows_that_teach_no_domain_are_refused(X, error, said):
    with pytest.raises(error, match=said):
        fit_domain(X, rng=rng(), names=["a", "b"])


def test_points_with_the_wrong_number_of_columns_are_refused(plane_domain):
    with pytest.raises(ShapeError, match=r"allowed \(n, 3\)"):
        plane_domain.score([[1.0, 2.0]])


def test_scoring_twenty_thousand_rows_of_nineteen_inputs_is_fast():
    X = rng().uniform(-1, 1, (20_000, 19))
    domain = fit_domain(X, rng=rng())
    started = time.process_time()
    domain.score(X)
    assert time.process_time() - started < 1.5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, "0"),
        (-3999.99, "−4000"),
        (37569812.0, "3.757e+07"),
        (12345.0, "12340"),
        (1e-5, "1e−05"),
    ],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_the_sbottom_grid_has_its_two_planes():
    with shared("pyhf_sbottom", "cls_regionA.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = ["m_sbottom", "m_neutralino2", "m_neutralino1"]
    X = np.array([[float(row[name]) for name in names] for row in rows])
    domain = fit_domain(X, rng=rng())
    assert sorted(subspace.rows for subspace in domain.subspaces) == [86, 130]
    assert (domain.score(X) > 1).sum() == 1
    assert domain.score([[900.0, 450.0, 300.0]])[0] > 1
    order = rng(3).permutation(len(X))
    part = fit_domain(X[order[:160]], rng=rng())
    assert (part.score(X[order[160:]]) <= 1).mean() > 0.9


def test_random_points_in_the_box_of_the_network_scan_are_inside():
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(shared("susyai_oracle19", "scan60k.parquet"))
    X = np.column_stack([table.column(j).to_numpy() for j in range(19)])[:20_000]
    domain = fit_domain(X, rng=rng())
    low, high = X.min(axis=0), X.max(axis=0)
    assert domain.subspaces == ()
    assert (domain.score(rng(1).uniform(low, high, (5000, 19))) <= 1).mean() >= 0.995
    assert np.all(domain.score(rng(1).uniform(high, 2 * high - low, (500, 19))) > 1)
