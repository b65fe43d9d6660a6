"""The cache: what is listed and cleared, also what searching keeps, and what others hold just then."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from limen_zenodo.cache import cached, clear
from limen_zenodo.fetching import fetch
from limen_zenodo.patience import Patience
from limen_zenodo.searching import search
from standin import Fault, StandIn

QUICK = Patience(budget=5.0, first=0.01, longest=0.05)
SCAN = ("GET", r".*/files/scan\.zarr\.zip/content")
WORDS = {"subjects": [{"subject": "limen-bundle"}]}
HOLD = (
    "import fcntl, os, sys, time; h = os.open(sys.argv[1], os.O_RDONLY); "
    "fcntl.flock(h, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def record(archive: StandIn, packed: Path) -> str:
    """Publish the small bundle so that it is found, and give its id."""
    return str(archive.publish(packed, title="toy", metadata=WORDS).id)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give the folder of the cache."""
    return tmp_path / "cache"


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock of a folder in another process."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def listed(limen: Callable[..., Result]) -> Any:
    result = limen("cache", "list", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_manifests_of_a_search_are_listed_and_cleared(
    record: str, archive: StandIn, place: Path, packed: Path, limen: Callable[..., Result]
) -> None:
    assert listed(limen) == {"bundles": [], "others": []}
    assert len(search("toy", patience=QUICK)) == 1
    kept = listed(limen)
    size = (packed / "bundle.json").stat().st_size
    assert kept["bundles"] == []
    assert kept["others"] == [
        {"name": "manifests", "folder": str(place / "manifests"), "bytes": size}
    ]
    assert f"0 bundles, 0.0 MB; manifests, {size / 1e6:.1f} MB" in limen("cache", "list").stderr
    cleared = limen("cache", "clear", "--yes")
    assert cleared.stderr.startswith("removed from the cache: 0 bundles, manifests; ")
    assert not (place / "manifests").exists()
    archive.clear_log()
    search("toy", patience=QUICK)
    assert [entry.path for entry in archive.log if "/content" in entry.path]


def test_sizes_are_those_on_the_disk_with_what_is_on_its_way(
    record: str, archive: StandIn, place: Path, limen: Callable[..., Result]
) -> None:
    fetch(record, ("manifest",), patience=QUICK)
    folder = Path(listed(limen)["bundles"][0]["folder"])
    whole = sum(path.stat().st_size for path in folder.iterdir())
    assert listed(limen)["bundles"][0]["bytes"] == whole
    archive.fail(Fault(*SCAN, cut=2000))
    archive.fail(Fault(*SCAN, status=404))
    with pytest.raises(LookupError):
        fetch(record, ("scan",), patience=QUICK)
    [part] = place.rglob("*.part")
    more = part.stat().st_size + sum(path.stat().st_size for path in place.rglob("*.tag"))
    assert part.stat().st_size == 2000
    assert listed(limen)["bundles"][0]["bytes"] == whole + more
    assert limen("cache", "clear", record).exit_code == 0
    assert not list(place.rglob("*.part"))


def test_one_bundle_is_cleared_with_its_ranges_and_the_rest_stays(
    record: str, archive: StandIn, packed: Path, place: Path, limen: Callable[..., Result]
) -> None:
    from limen_zenodo import open_remote

    other = str(archive.publish(packed, title="other", metadata=WORDS).id)
    search("toy", patience=QUICK)
    for number in (record, other):
        with open_remote(number, patience=QUICK).open_scan() as scan:
            scan.read(["m"])
    [ranges] = {path.parent for path in (place / "ranges").glob(f"*/{record}")}
    assert limen("cache", "clear", record).exit_code == 0
    assert [path.name for path in ranges.iterdir()] == [other]
    assert [entry["record"] for entry in listed(limen)["bundles"]] == [other]
    assert {entry["name"] for entry in listed(limen)["others"]} == {"manifests", "ranges"}
    assert limen("cache", "clear", "--yes").exit_code == 0
    assert listed(limen) == {"bundles": [], "others": []}


def test_what_was_cleared_is_fetched_again(
    record: str, archive: StandIn, limen: Callable[..., Result]
) -> None:
    concept = str(archive.record(int(record)).concept.id)
    fetch(concept, ("manifest",), patience=QUICK)
    assert limen("cache", "clear", concept).exit_code == 0
    newer = archive.publish({"bundle.json": b"{}"}, concept=int(concept))
    archive.clear_log()
    with pytest.raises(ValueError, match=f"records/{newer.id}"):
        fetch(concept, ("manifest",), patience=QUICK)
    assert fetch(record, ("manifest",), patience=QUICK).manifest["id"] == "toy"


@pytest.mark.parametrize("which", ["one", "all"])
def test_what_another_process_is_fetching_is_not_cleared(
    which: str, record: str, limen: Callable[..., Result]
) -> None:
    folder = fetch(record, ("manifest", "preview"), patience=QUICK).path
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    line = ("cache", "clear", *([record] if which == "one" else ["--yes"]))
    with held(folder):
        assert listed(limen)["bundles"][0]["record"] == record
        refused = limen(*line)
        assert refused.exit_code == 1
        assert "another process is fetching it; nothing was removed" in refused.stderr
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert limen(*line).exit_code == 0
    assert cached() == []
    assert not folder.exists()


def test_a_fetch_waits_for_another_process_as_long_as_it_is_patient(record: str) -> None:
    folder = fetch(record, ("manifest",), patience=QUICK).path
    with held(folder) as process:
        began = time.monotonic()
        fetch(record, ("preview",), patience=Patience(budget=0.3, first=0.01))
        assert time.monotonic() - began > 0.3
        process.kill()
        process.wait()
        began = time.monotonic()
        fetch(record, ("scan",), patience=Patience(budget=60.0, first=0.01))
        assert time.monotonic() - began < 10.0
    assert [doi for doi, _ in clear()] == [f"10.5281/zenodo.{record}"]
