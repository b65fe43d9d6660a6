"""Counting on codes against plain numpy on the values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limen.browsing import Axis, Browser, Chart, Choice, Index, Range, predicate, wilson
from limen.bundle import open_bundle
from limen.comparing import select
from limen.expressions import Expression
from limen.packing import make_bundle

ROWS = 3_000
UNITS = {"m": "GeV", "sigma": "fb"}


def _columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    m = rng.normal(500.0, 200.0, ROWS)
    grid = 100.0 * rng.integers(1, 9, ROWS)
    sigma = 10.0 ** rng.uniform(-6, 2, ROWS)
    sigma[::50] = 0.0
    sigma[::70] = -1.0
    seen = rng.random(ROWS) < 0.9
    kind = rng.integers(0, 3, ROWS).astype(np.int8)
    loglike = -0.5 * ((m - 450.0) / 90.0) ** 2 - rng.random(ROWS)
    return {
        "m": m,
        "grid": grid,
        "seen": seen,
        "sigma": np.where(seen, sigma, np.nan),
        "kind": kind,
        "many": rng.integers(-400, 400, ROWS).astype(np.int32),
        "loglike": loglike,
        "outside": (loglike < -2.0).astype(np.int8),
        "weight": rng.exponential(1.0, ROWS).astype(np.float32),
    }


def _document() -> dict[str, Any]:
    statistics = {"normalisation": "full", "nuisances": "none"}
    extra: dict[str, dict[str, Any]] = {
        "seen": {"role": "mask"},
        "sigma": {"role": "observable", "valid": "seen"},
        "kind": {"role": "observable", "valid": "seen"}
        | {"categories": {"0": "bino", "1": "wino", "2": "higgsino"}},
        "many": {"role": "observable"},
        "loglike": {"role": "likelihood", "quantity": "log_likelihood", "statistics": statistics},
        "outside": {"role": "label", "quantity": "outside_region"}
        | {
            "definition": {
                "text": "far out",
                "column": "loglike",
                "comparison": "<",
                "threshold": -2.0,
            }
        }
        | {"statistics": {"confidence_level": 0.95, "construction": "delta_chi2"}},
        "weight": {"role": "weight"},
    }
    columns = [
        {"name": name, "role": "parameter", "unit": UNITS.get(name, "1")} | extra.get(name, {})
        for name in _columns()
    ]
    return {
        "id": "browsed",
        "version": "1.0.0",
        "title": "Rows to browse",
        "description": "Made up.",
        "creators": [{"name": "Doe, Jane"}],
        "licences": {"data": "CC0-1.0"},
        "tables": [{"name": "scan", "sampling": [{"sampler": "random"}], "columns": columns}],
    }


@pytest.fixture(scope="module")
def browsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browsed") / "browsed"
    make_bundle(_document(), _columns(), path)
    return path


@pytest.fixture(scope="module")
def browser(browsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return _browser(browsed, tmp_path_factory.mktemp("codes"))


@pytest.fixture(scope="module")
def values() -> dict[str, np.ndarray]:
    """Give the values as they are browsed: NaN where masked."""
    columns = {name: column.astype(np.float64) for name, column in _columns().items()}
    columns["kind"][~_columns()["seen"]] = np.nan
    return columns


def _browser(path: Path, folder: Path, **options: Any) -> Browser:
    bundle = open_bundle(path)
    index = Index(
        bundle.open_scan, bundle.columns, bundle.manifest_sha256, folder=folder, **options
    )
    return Browser(index)


def _ends(name: str) -> st.SearchStrategy[float | None]:
    column = _columns()[name].astype(float)
    exact = st.sampled_from(sorted(column[np.isfinite(column)])[:: ROWS // 40])
    low, high = {"m": (-300, 1300), "grid": (0, 900), "sigma": (-2, 120), "many": (-420, 420)}[name]
    return st.none() | exact | st.floats(low, high)


@st.composite
def _ranges(draw: Callable[[Any], Any], name: str) -> Range:
    ends = [draw(_ends(name)), draw(_ends(name))]
    if None not in ends:
        ends.sort()
    return Range(*ends, closed=draw(st.booleans()), inverted=draw(st.booleans()))


_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "m": _ranges("m"),
        "grid": _ranges("grid"),
        "sigma": _ranges("sigma"),
        "many": _ranges("many"),
        "kind": st.builds(
            Choice, st.lists(st.integers(0, 4).map(float), unique=True).map(tuple), st.booleans()
        ),
    },
)
_slow = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _passing(values: dict[str, np.ndarray], filters: dict[str, Any], *shown: str) -> np.ndarray:
    mask = np.ones(ROWS, dtype=bool)
    for name, one in filters.items():
        if name in shown:
            continue
        column = values[name]
        if isinstance(one, Choice):
            inside = np.isin(column, one.values)
        else:
            inside = np.ones(ROWS, dtype=bool)
            if one.low is not None:
                inside &= column >= one.low
            if one.high is not None:
                inside &= (column <= one.high) if one.closed else (column < one.high)
        mask &= ~np.isnan(column) & (inside != one.inverted)
    return mask


@_slow
@given(filters=_FILTERS)
def test_counts_under_random_filters_are_those_of_numpy(browser, values, filters) -> None:
    expected = int(_passing(values, filters).sum())
    assert browser.count(filters) == expected
    rows = browser.rows(filters, 10)
    np.testing.assert_array_equal(rows, np.flatnonzero(_passing(values, filters))[:10])


@_slow
@given(filters=_FILTERS)
def test_the_condition_selects_the_same_rows(browser, values, filters) -> None:
    text = predicate(filters, browser.index.columns)
    if not filters:
        assert text == ""
        return
    raw = _columns()
    met = np.broadcast_to(Expression(text, condition=True).evaluate(raw), (ROWS,))
    np.testing.assert_array_equal(met, _passing(values, filters))


def test_a_selection_leaves_out_masked_integers(browsed, browser, tmp_path) -> None:
    filters = {"kind": Choice((1.0,))}
    assert select(browsed, "kind == 1", tmp_path / "one").n_points == browser.count(filters)
    other = {"kind": Choice((1.0,), inverted=True)}
    assert select(browsed, "kind != 1", tmp_path / "others").n_points == browser.count(other)


@_slow
@given(filters=_FILTERS)
def test_histograms_leave_out_only_the_filter_on_their_own_column(browser, values, filters) -> None:
    charts = [Chart(Axis("m", 40)), Chart(Axis("sigma", 30, "log")), Chart(Axis("kind"))]
    for chart, tables in zip(charts, browser.view(charts, filters), strict=True):
        name = chart.x.column
        bins = browser.bins(chart.x)
        chosen = values[name][_passing(values, filters, name)]
        counted = tables["count"]
        edges = np.asarray(bins.edges)
        finite = chosen[~np.isnan(chosen)]
        np.testing.assert_array_equal(counted[2:-2], np.histogram(finite, edges)[0])
        assert counted[-1] == np.isnan(chosen).sum()
        assert counted[:2].sum() == (finite < edges[0]).sum()
        assert counted[-2] == (finite > edges[-1]).sum()
        assert counted.sum() == len(chosen)


@_slow
@given(filters=_FILTERS)
def test_maps_are_those_of_numpy(browser, values, filters) -> None:
    chart = Chart(Axis("m", 20, low=100.0, high=900.0), Axis("sigma", 25, "log"))
    (tables,) = browser.view([chart], filters)
    mask = _passing(values, filters, "m", "sigma")
    x, y = values["m"][mask], values["sigma"][mask]
    there = ~np.isnan(x) & ~np.isnan(y)
    edges = [np.asarray(browser.bins(axis).edges) for axis in chart.axes]
    np.testing.assert_array_equal(tables["count"], np.histogram2d(x[there], y[there], edges)[0])


@_slow
@given(filters=_FILTERS, ends=st.tuples(st.integers(0, 240), st.integers(0, 240)))
def test_a_range_of_a_cube_is_the_count_after_release(browser, filters, ends) -> None:
    active = Axis("m", 50)
    first, last = sorted(ends)
    charts = [Chart(Axis("grid")), Chart(Axis("sigma", 25, "log"), Axis("kind"))]
    fine, _ = browser.fine(active)
    *cubes, total = browser.cubes(charts, [active], filters)
    cells = slice(2 + first, 2 + last + 1)
    top = last + 1 == fine.n
    dragged = Range(fine.edges[first], fine.edges[last + 1], closed=top)
    released = filters | {"m": dragged}
    assert total["count"][cells].sum() == browser.count(released)
    for chart, cube, tables in zip(charts, cubes, browser.view(charts, released), strict=True):
        np.testing.assert_array_equal(cube["count"][..., cells].sum(axis=-1), tables["count"])
        assert chart.statistic == "count"


@_slow
@given(filters=_FILTERS, box=st.tuples(*[st.integers(0, 30)] * 4))
def test_a_rectangle_of_a_cube_is_the_count_after_release(browser, filters, box) -> None:
    active = [Axis("m"), Axis("loglike")]
    (x0, x1), (y0, y1) = sorted(box[:2]), sorted(box[2:])
    factors = browser.active_factors(active)
    *_, total = browser.cubes([Chart(Axis("grid"))], active, filters)
    released = dict(filters)
    for axis, factor, first, last in zip(active, factors, (x0, y0), (x1, y1), strict=True):
        edges = browser.fine(axis)[0].edges
        end = min((last + 1) * factor, len(edges) - 1)
        released[axis.column] = Range(
            edges[first * factor], edges[end], closed=end == len(edges) - 1
        )
    expected = browser.count(released)
    assert total["count"][x0 : x1 + 1, y0 : y1 + 1].sum() == expected


def test_statistics_are_those_of_numpy(browser, values) -> None:
    filters = {"grid": Range(200.0, 600.0)}
    charts = [
        Chart(Axis("m", 25), statistic="best", column="loglike"),
        Chart(Axis("m", 25), statistic="weighted", column="weight"),
        Chart(Axis("m", 25), statistic="excluded", column="outside"),
        Chart(Axis("m", 25), Axis("sigma", 10, "log"), statistic="best", column="loglike"),
    ]
    best, weighted, excluded, profile = browser.view(charts, filters)
    mask = _passing(values, filters)
    edges = np.asarray(browser.bins(Axis("m", 25)).edges)
    place = np.clip(np.searchsorted(edges, values["m"], side="right") - 1, 0, 24)
    delta = 2 * (values["loglike"].max() - values["loglike"])
    for bin_ in range(25):
        rows = mask & (place == bin_)
        least = delta[rows].min(initial=np.inf)
        np.testing.assert_allclose(best["best"][2 + bin_], least, rtol=1e-6)
        total = values["weight"][rows].sum()
        np.testing.assert_allclose(weighted["sum"][2 + bin_], total, rtol=1e-6)
        assert excluded["hits"][2 + bin_] == values["outside"][rows].sum()
        assert excluded["labelled"][2 + bin_] == rows.sum()
    y_edges = np.asarray(browser.bins(Axis("sigma", 10, "log")).edges)
    low = mask & (place == 12) & (values["sigma"] >= y_edges[4]) & (values["sigma"] < y_edges[5])
    np.testing.assert_allclose(profile["best"][12, 4], delta[low].min(initial=np.inf), rtol=1e-6)


def test_figures_of_another_column_are_those_of_numpy(browser, values) -> None:
    filters = {"grid": Range(200.0, 600.0)}
    names = ("mean", "least", "largest")
    flat = [Chart(Axis("m", 25), statistic=name, column="sigma") for name in names]
    wide = [Chart(Axis("m", 25), Axis("grid", 4), statistic=name, column="many") for name in names]
    mean, least, largest, *maps = browser.view([*flat, *wide], filters)
    mask = _passing(values, filters)
    edges = np.asarray(browser.bins(Axis("m", 25)).edges)
    place = np.clip(np.searchsorted(edges, values["m"], side="right") - 1, 0, 24)
    sigma = values["sigma"]
    for bin_ in range(25):
        found = sigma[mask & (place == bin_) & np.isfinite(sigma)]
        assert mean["valued"][2 + bin_] == found.size
        np.testing.assert_allclose(mean["sum"][2 + bin_], found.sum(), rtol=1e-6)
        expected = found.min(initial=np.inf), found.max(initial=-np.inf)
        got = least["least"][2 + bin_], largest["largest"][2 + bin_]
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    grid = np.asarray(browser.bins(Axis("grid", 4)).edges)
    cell = (place == 12) & (values["grid"] >= grid[1]) & (values["grid"] < grid[2])
    # The chart shows the filtered column itself, so the filter does not count.
    many = values["many"][cell]
    assert maps[0]["sum"][12, 1] / maps[0]["valued"][12, 1] == pytest.approx(many.mean())
    assert (maps[1]["least"][12, 1], maps[2]["largest"][12, 1]) == (many.min(), many.max())


def test_rows_split_by_a_label_are_rows(browser, values) -> None:
    (tables,) = browser.view([Chart(Axis("m", 25), statistic="labels", column="outside")], {})
    assert tables["hits"].sum() == values["outside"].sum()
    np.testing.assert_array_equal(tables["labelled"], tables["count"])


def test_the_sum_of_weights_is_that_of_numpy(browser, values) -> None:
    filters = {"m": Range(None, 500.0), "grid": Range(200.0, 600.0)}
    mask = _passing(values, filters)
    expected = values["weight"][mask].sum()
    assert browser.weight("weight", filters) == pytest.approx(expected, rel=1e-6)


def test_a_symmetric_logarithm_shows_both_signs(browser, values) -> None:
    assert browser.bins(Axis("many", 40, "symlog")).scale == "symlog"
    axis = Axis("sigma", 50, "symlog")
    edges = np.asarray(browser.bins(axis).edges)
    sigma = values["sigma"][np.isfinite(values["sigma"])]
    assert (edges[0], edges[-1]) == (sigma.min(), sigma.max())
    unit = 1e-3 * sigma.max()
    steps = np.diff(np.sign(edges) * np.log1p(np.abs(edges) / unit))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    (tables,) = browser.view([Chart(axis)], {})
    expected, _ = np.histogram(sigma, edges)
    np.testing.assert_array_equal(tables["count"][2:-2], expected)


def test_statistics_while_dragging_are_those_after_release(browser) -> None:
    charts = [
        Chart(Axis("grid"), statistic="best", column="loglike"),
        Chart(Axis("grid"), statistic="weighted", column="weight"),
        Chart(Axis("grid", 25), Axis("kind"), statistic="excluded", column="outside"),
        Chart(Axis("grid", 25), Axis("kind"), statistic="mean", column="sigma"),
        Chart(Axis("grid"), statistic="largest", column="sigma"),
    ]
    active = Axis("m")
    edges = browser.fine(active)[0].edges
    best, weighted, excluded, mean, largest, _ = browser.cubes(charts, [active], {})
    released = browser.view(charts, {"m": Range(edges[60], edges[150], closed=False)})
    cells = slice(62, 152)
    np.testing.assert_array_equal(best["best"][..., cells].min(axis=-1), released[0]["best"])
    sums = weighted["sum"][..., cells].sum(axis=-1)
    np.testing.assert_allclose(sums, released[1]["sum"], rtol=1e-9, atol=1e-9)
    for name in ("hits", "labelled"):
        np.testing.assert_array_equal(excluded[name][..., cells].sum(axis=-1), released[2][name])
    np.testing.assert_array_equal(mean["valued"][..., cells].sum(axis=-1), released[3]["valued"])
    sums = mean["sum"][..., cells].sum(axis=-1)
    np.testing.assert_allclose(sums, released[3]["sum"], rtol=1e-6, atol=1e-9)
    extremes = largest["largest"][..., cells].max(axis=-1)
    np.testing.assert_array_equal(extremes, released[4]["largest"])


@given(k=st.integers(0, 50), more=st.integers(1, 50))
def test_the_wilson_interval_solves_its_equation(k: int, more: int) -> None:
    n = k + more
    share, low, high = (float(each[0]) for each in wilson([k], [n]))
    assert low <= share <= high
    for end in (low, high):
        if 0.0 < end < 1.0:
            assert abs(share - end) == pytest.approx(np.sqrt(end * (1 - end) / n), abs=1e-9)


def test_bins_without_rows_are_no_samples_and_not_zero(browser) -> None:
    chart = Chart(Axis("m", 25), statistic="best", column="loglike")
    (tables,) = browser.view([chart], {"grid": Range(1e6, None)})
    assert np.isinf(tables["best"]).all()
    assert np.isnan(wilson([0], [0])[0]).all()
