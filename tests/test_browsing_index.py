"""The index of codes: bins, the cache on disk, samples, columns of published bundles."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.browsing import Axis, Bins, Browser, Chart, Facts, Index, Range
from limen.bundle import open_bundle
from limen.errors import ColumnError, UsageError


def _index(path: Path, folder: Path, **options: Any) -> Index:
    bundle = open_bundle(path)
    return Index(bundle.open_scan, bundle.columns, bundle.manifest_sha256, folder=folder, **options)


_numbers = st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0])


@given(values=st.lists(_numbers, min_size=1), n=st.integers(1, 250), low=st.floats(-1e5, 1e5))
@settings(deadline=None)
def test_linear_codes_are_those_of_a_search(values: list[float], n: int, low: float) -> None:
    bins = Bins("linear", tuple(np.linspace(low, low + 10.0 + abs(low), n + 1).tolist()))
    _compare(bins, np.array([*values, *bins.edges]))


@given(values=st.lists(_numbers, min_size=1), n=st.integers(1, 250), low=st.floats(1e-8, 1e3))
@settings(deadline=None)
def test_logarithmic_codes_are_those_of_a_search(values: list[float], n: int, low: float) -> None:
    bins = Bins("log", tuple(np.geomspace(low, low * 1e5, n + 1).tolist()))
    _compare(bins, np.array([*values, *bins.edges]))


def _compare(bins: Bins, numbers: np.ndarray) -> None:
    edges = np.asarray(bins.edges)
    expected = np.searchsorted(edges, numbers, side="right") + 1
    expected[numbers == edges[-1]] = bins.above - 1
    if bins.scale == "log":
        expected[numbers <= 0] = 0
    expected[np.isnan(numbers)] = bins.invalid
    np.testing.assert_array_equal(bins.encode(numbers), expected)


@pytest.mark.parametrize(
    ("facts", "options", "message"),
    [
        (Facts(3, 3, -1.0, 2.0, 2.0, 1), {"scale": "log", "low": -1.0}, "positive"),
        (Facts(3, 0, None, None, None, 0), {}, "no value"),
        (Facts(3, 3, 0.0, 2.0, 2.0, 1), {"n": 251}, "allowed 1 to 250"),
        (Facts(3, 3, 0.0, 2.0, 2.0, 1), {"low": 3.0, "high": 1.0}, "exchange"),
    ],
    ids=["log of a negative", "empty", "too many", "ends exchanged"],
)
def test_an_axis_that_cannot_be_is_refused(facts: Facts, options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Bins.of(facts, **options)


def test_a_constant_column_has_one_bin_around_it() -> None:
    bins = Bins.of(Facts(4, 4, 5.0, 5.0, 5.0, 0))
    assert bins.encode([5.0, 4.9]).tolist() == [2, 2]


def test_quantile_bins_hold_equal_shares(packed: Path, tmp_path: Path) -> None:
    browser = Browser(_index(packed, tmp_path))
    (tables,) = browser.view([Chart(Axis("m", 10, "quantile"))], {})
    assert tables["count"][2:-2].tolist() == [40] * 10


def test_codes_are_kept_and_read_again(packed: Path, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    first = _index(packed, tmp_path, progress=lambda what, share: told.append((what, share)))
    codes = np.array(first.codes("m", first.bins("m")))
    assert told[-1] == ("Indexing m", 1.0)
    told.clear()
    again = _index(packed, tmp_path, progress=lambda what, share: told.append((what, share)))
    np.testing.assert_array_equal(again.codes("m", again.bins("m")), codes)
    assert told == []
    assert not list(tmp_path.rglob("*.part"))


def test_a_cut_file_of_codes_is_made_again(packed: Path, tmp_path: Path) -> None:
    first = _index(packed, tmp_path)
    codes = np.array(first.codes("m", first.bins("m")))
    (path,) = tmp_path.rglob("*.codes")
    path.write_bytes(path.read_bytes()[:7])
    again = _index(packed, tmp_path)
    np.testing.assert_array_equal(again.codes("m", again.bins("m")), codes)


def test_a_changed_manifest_has_its_own_codes(bundle_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "codes"
    index = _index(bundle_path, folder)
    index.codes("m", index.bins("m"))
    with open_bundle(bundle_path).edit() as change:
        change.manifest["title"] = "Another title"
    index = _index(bundle_path, folder)
    index.codes("m", index.bins("m"))
    assert len(list(folder.iterdir())) == 2


def test_a_folder_that_cannot_be_written_costs_no_answer(packed: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    browser = Browser(_index(packed, blocked))
    assert browser.count({"m": Range(None, 1e9)}) == 400


def test_a_full_disk_costs_no_answer(packed: Path, small_disk: Any) -> None:
    disk = small_disk(16)
    (disk / "filler").write_bytes(b"0" * 12_288)
    browser = Browser(_index(packed, disk / "codes"))
    assert browser.count({"m": Range(None, 1e9)}) == 400


_KILLED = """
import sys, time
from pathlib import Path
from limen.browsing import Index
from limen.bundle import open_bundle
bundle = open_bundle(sys.argv[1])
def slow(what, share):
    if what.startswith("Indexing"):
        print("begun", flush=True)
        time.sleep(60)
index = Index(bundle.open_scan, bundle.columns, bundle.manifest_sha256,
              folder=Path(sys.argv[2]), progress=slow)
index.codes("m", index.bins("m"))
"""


def test_a_kill_while_indexing_leaves_nothing_that_is_believed(
    packed: Path, tmp_path: Path
) -> None:
    line = [sys.executable, "-c", _KILLED, str(packed), str(tmp_path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert not list(tmp_path.rglob("*.codes"))
    (left,) = tmp_path.rglob("*.part")
    os.utime(left, (time.time() - 7200,) * 2)
    browser = Browser(_index(packed, tmp_path))
    assert browser.count({"m": Range(None, 1e9)}) == 400
    assert not left.exists()


def test_an_unknown_column_is_refused(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match=r"found no column '\.\./m'"):
        _index(packed, tmp_path).facts("../m")


def test_masked_rows_are_counted_as_not_valid(packed: Path, tmp_path: Path) -> None:
    browser = Browser(_index(packed, tmp_path))
    (tables,) = browser.view([Chart(Axis("xsec"))], {})
    masked = int((~open_bundle(packed).open_scan().read(["ok"])["ok"]).sum())
    assert masked > 0
    assert tables["count"][-1] == masked
    assert browser.index.facts("xsec").valid == 400 - masked


def test_the_sample_has_a_row_of_every_stretch(packed: Path, tmp_path: Path) -> None:
    index = _index(packed, tmp_path)
    rows = index.sample(40)
    np.testing.assert_array_equal(rows // 10, np.arange(40))
    np.testing.assert_array_equal(rows, _index(packed, tmp_path / "other").sample(40))


def test_answers_from_the_sample_are_those_of_its_rows(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limen.browsing.passing.SAMPLE", 50)
    browser = Browser(_index(packed, tmp_path))
    filters = {"m": Range(300.0, 456.7)}
    rows = browser.sample_rows()
    values = open_bundle(packed).scan["m"].values[rows]
    expected = int(((values >= 300.0) & (values <= 456.7)).sum())
    assert browser.count(filters, sampled=True) == expected
    (tables,) = browser.view([Chart(Axis("g"))], filters, sampled=True)
    assert tables["count"].sum() == expected


def test_a_published_bundle_is_browsed_by_columns(archive: Any, tmp_path: Path) -> None:
    from limen.packing import make_bundle
    from limen_zenodo import open_remote

    names = [f"p{place}" for place in range(8)]
    rng = np.random.default_rng(0)
    document = {
        "id": "wide",
        "version": "1.0.0",
        "title": "Columns",
        "description": "Made up.",
        "creators": [{"name": "Doe, Jane"}],
        "licences": {"data": "CC0-1.0"},
        "tables": [
            {
                "name": "scan",
                "sampling": [{"sampler": "random"}],
                "columns": [{"name": n, "role": "parameter", "unit": "1"} for n in names],
            }
        ],
    }
    columns = {name: rng.random(150_000) for name in names}
    bundle = make_bundle(document, columns, tmp_path / "wide")
    bundle.freeze()
    remote = open_remote(str(archive.publish(bundle.path).doi))
    archive.clear_log()
    index = Index(remote.open_scan, remote.columns, remote.manifest_sha256)
    found = Browser(index).count({"p1": Range(None, 0.5)})
    assert found == int((columns["p1"] <= 0.5).sum())
    sent = sum(entry.sent_bytes for entry in archive.log)
    assert sent < bundle.part("scan.zarr.zip").stat().st_size / 4
