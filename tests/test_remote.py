"""Reading published bundles where they lie: the same numbers, and few bytes for them."""

from __future__ import annotations

import errno
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limen.bundle import open_bundle
from limen.errors import FrozenError, IntegrityError, StorageError
from limen.packing import make_bundle
from limen_zenodo import open_remote
from limen_zenodo.errors import OfflineError, RecordChangedError, ServiceUnavailableError
from limen_zenodo.patience import Patience
from limen_zenodo.spans import Spans, joined, prune
from standin import Fault

ROWS, NAMES = 200_000, [f"p{i}" for i in range(10)]
SCAN = "scan.zarr.zip"
CONTENT = rf".*/{SCAN}/content"
QUICK = Patience(budget=5.0, first=0.01, longest=0.02)


@pytest.fixture(scope="session")
def wide(tmp_path_factory) -> Path:
    """Make a frozen bundle whose scan has many chunks."""
    rng = np.random.default_rng(5)
    columns = [{"name": name, "role": "parameter", "unit": "1"} for name in NAMES]
    document = {
        "id": "wide",
        "version": "1.0.0",
        "title": "Many columns",
        "description": "Made up.",
        "creators": [{"name": "Doe, Jane"}],
        "licences": {"data": "CC0-1.0"},
        "tables": [{"name": "scan", "sampling": [{"sampler": "random"}], "columns": columns}],
    }
    path = tmp_path_factory.mktemp("wide") / "wide"
    make_bundle(document, {name: rng.random(ROWS) for name in NAMES}, path).freeze()
    return path


@pytest.fixture
def doi(archive, wide) -> str:
    return str(archive.publish(wide).doi)


@pytest.fixture
def model_doi(archive, model_path) -> str:
    open_bundle(model_path).freeze()
    return str(archive.publish(model_path).doi)


def reads(archive) -> list:
    """Give the requests for bytes of the scan."""
    return [request for request in archive.log if f"{SCAN}/content" in request.path]


def moved(archive) -> int:
    return sum(request.sent_bytes for request in reads(archive))


def stored(wide: Path, name: str) -> np.ndarray:
    with open_bundle(wide).open_scan() as scan:
        return scan.read([name])[name]


def test_two_columns_of_ten_move_little_more_than_their_bytes(archive, doi, wide):
    remote = open_remote(doi)
    with remote.open_scan() as scan:
        opened = len(reads(archive))
        values = scan.read(["p3", "p7"])
    np.testing.assert_array_equal(values["p3"], stored(wide, "p3"))
    np.testing.assert_array_equal(values["p7"], stored(wide, "p7"))
    size = (wide / SCAN).stat().st_size
    assert moved(archive) <= 1.05 * size * 2 / len(NAMES) + 1e6
    assert opened <= 2
    assert len(reads(archive)) - opened <= 2
    assert all("Range" in request.headers for request in reads(archive))
    assert not list(remote.path.glob(SCAN))


def test_a_few_rows_move_their_chunks_only(archive, doi, wide):
    remote = open_remote(doi)
    with remote.open_scan() as scan:
        before = moved(archive)
        found = scan.take("p0", [0, 70_000])
    np.testing.assert_array_equal(found, stored(wide, "p0")[[0, 70_000]])
    assert moved(archive) - before < 2.2 * 65_536 * 8


def test_what_was_read_before_needs_no_request_and_no_network(archive, doi, wide):
    first = open_remote(doi).scan["p1"].values
    archive.clear_log()
    again = open_remote(doi, offline=True)
    np.testing.assert_array_equal(again.scan["p1"].values, first)
    with pytest.raises(OfflineError, match="was not read before"):
        again.scan["p2"].load()
    assert archive.log == []


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
    start=st.integers(0, ROWS),
    length=st.integers(0, 90_000),
    rows=st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=5),
)
def test_any_columns_and_rows_are_those_of_the_file(doi, wide, names, start, length, rows):
    with open_remote(doi).open_scan() as far, open_bundle(wide).open_scan() as near:
        stop = min(ROWS, start + length)
        given_, wanted = far.read(names, start, stop), near.read(names, start, stop)
        for name in names:
            np.testing.assert_array_equal(given_[name], wanted[name])
            np.testing.assert_array_equal(far.take(name, rows), near.take(name, rows))


@pytest.mark.parametrize(
    "fault",
    [
        {"cut": 40_000},
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"reset": True},
        {"html": True},
        {"wrong_range": True},
        {"flip": 100},
        {"drop_range": True},
    ],
    ids=lambda fault: next(iter(fault)) + str(fault.get("status", "")),
)
def test_trouble_on_the_way_changes_no_number(fault, archive, doi, wide):
    remote = open_remote(doi, patience=QUICK)
    with remote.open_scan() as scan:
        archive.fail(Fault(method="GET", path=CONTENT, times=2, **fault))
        if "flip" in fault:
            archive.faults.clear()
            archive.fail(Fault(method="GET", path=CONTENT, times=1, **fault))
        values = scan.read(["p5"])["p5"]
    np.testing.assert_array_equal(values, stored(wide, "p5"))


def test_trouble_without_end_is_one_error_and_what_came_is_kept(archive, doi):
    with open_remote(doi, patience=Patience(0.2, 0.01, 0.02)).open_scan() as scan:
        archive.fail(Fault(method="GET", path=CONTENT, times=None, status=503))
        with pytest.raises(ServiceUnavailableError, match="answered 503"):
            scan.read(["p5"])


def test_a_range_that_broke_off_goes_on_where_it_stopped(archive, doi, wide):
    with open_remote(doi, patience=Patience(0.1, 0.01, 0.02)).open_scan() as scan:
        archive.fail(Fault(method="GET", path=CONTENT, times=1, cut=900_000))
        archive.fail(Fault(method="GET", path=CONTENT, times=None, status=503))
        with pytest.raises(ServiceUnavailableError, match="answered 503"):
            scan.read(["p5"])
    archive.faults.clear()
    archive.clear_log()
    with open_remote(doi).open_scan() as scan:
        np.testing.assert_array_equal(scan.read(["p5"])["p5"], stored(wide, "p5"))
    assert moved(archive) <= (wide / SCAN).stat().st_size / len(NAMES) - 800_000


class FullDisk:
    """A stream that takes some bytes of a block, and no more."""

    def __init__(self, stream) -> None:
        self.stream = stream

    def write(self, block) -> int:
        if len(block) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.stream.write(block[:-1])


def test_a_range_that_finds_the_disk_full_is_not_kept(tmp_path):
    spans = Spans(tmp_path / "kept")
    spans.keep(0, b"abc")

    def fill() -> None:
        with spans.arriving(10) as arriving:
            arriving.write(b"abc")
            arriving._stream = FullDisk(arriving._stream)
            arriving.write(b"def")

    with pytest.raises(StorageError, match="disk is full"):
        fill()
    assert [path.name[:3] for path in (tmp_path / "kept").iterdir()] == ["0-3"]
    assert Spans(tmp_path / "kept").missing(0, 13) == [(3, 13)]


def test_bytes_that_stay_wrong_are_refused(archive, doi):
    with open_remote(doi, patience=QUICK).open_scan() as scan:
        archive.fail(Fault(method="GET", path=CONTENT, times=None, flip=100))
        with pytest.raises(IntegrityError, match="bytes changed"):
            scan.read(["p5"])


@pytest.mark.parametrize("etag", [True, False])
@pytest.mark.parametrize("longer", [b"", b"x"], ids=["same size", "longer"])
def test_a_file_that_was_changed_after_it_was_pinned_is_refused(etag, longer, archive, doi, wide):
    archive.options.etag = etag
    remote = open_remote(doi, patience=QUICK)
    with remote.open_scan() as scan:
        content = (wide / SCAN).read_bytes()
        other = content[:1000] + bytes([content[1000] ^ 1]) + content[1001:] + longer
        archive.change(int(remote.lock.record), SCAN, other)
        with pytest.raises(RecordChangedError, match="another file than the record stated"):
            scan.read(["p0"])


def test_a_server_without_ranges_is_noticed_and_said(archive, doi, wide, caplog):
    archive.options.ranges = False
    with open_remote(doi).open_scan() as scan:
        np.testing.assert_array_equal(scan.read(["p4"])["p4"], stored(wide, "p4"))
    assert "knows no ranges; the whole file is fetched" in caplog.text
    # From then on it is a file on this machine.
    archive.clear_log()
    with open_remote(doi).open_scan() as scan:
        np.testing.assert_array_equal(scan.read(["p6"])["p6"], stored(wide, "p6"))
    assert archive.log == []


def test_a_server_that_always_gives_another_range_is_one_without(archive, doi, wide, caplog):
    archive.fail(Fault(method="GET", path=CONTENT, times=None, wrong_range=True))
    with open_remote(doi).open_scan() as scan:
        np.testing.assert_array_equal(scan.read(["p4"])["p4"], stored(wide, "p4"))
    assert "the whole file is fetched" in caplog.text


def test_a_byte_that_changes_in_the_cache_is_read_anew(archive, doi, wide, tmp_path):
    with open_remote(doi).open_scan() as scan:
        scan.read(["p2"])
    kept = max((tmp_path / "cache" / "ranges").glob("*/*/*/*"), key=lambda p: p.stat().st_size)
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(bytes(content))
    with open_remote(doi).open_scan() as scan:
        np.testing.assert_array_equal(scan.read(["p2"])["p2"], stored(wide, "p2"))


def test_many_threads_read_one_scan(archive, doi, wide):
    found: dict[str, np.ndarray] = {}
    with open_remote(doi).open_scan() as scan:

        def work(name: str) -> None:
            found[name] = scan.read([name])[name]

        threads = [threading.Thread(target=work, args=(name,)) for name in NAMES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for name in NAMES:
        np.testing.assert_array_equal(found[name], stored(wide, name))
    assert moved(archive) < 1.1 * (wide / SCAN).stat().st_size


def test_a_thread_does_not_wait_for_what_another_reads(archive, doi, wide):
    with open_remote(doi).open_scan() as scan, ThreadPoolExecutor() as pool:
        opened = len(reads(archive))
        archive.fail(Fault(method="GET", path=CONTENT, times=1, stall=1.0))
        slow = pool.submit(scan.read, ["p1"])
        while len(reads(archive)) == opened:
            time.sleep(0.01)
        quick = pool.submit(scan.read, ["p8"])
        np.testing.assert_array_equal(quick.result()["p8"], stored(wide, "p8"))
        assert not slow.done()
        np.testing.assert_array_equal(slow.result()["p1"], stored(wide, "p1"))


def test_what_another_thread_reads_is_waited_for_and_read_again_only_if_it_fails(
    archive, doi, wide
):
    with open_remote(doi, patience=Patience(0.0, 0.01, 0.02)).open_scan() as scan:
        archive.fail(Fault(method="GET", path=CONTENT, times=1, stall=0.5, status=503))
        with ThreadPoolExecutor() as pool:
            work = [pool.submit(scan.read, ["p1"]) for _ in range(3)]
        failed = [each for each in work if each.exception()]
        assert len(failed) == 1
        for each in set(work) - set(failed):
            np.testing.assert_array_equal(each.result()["p1"], stored(wide, "p1"))
    assert moved(archive) < 1.2 * (wide / SCAN).stat().st_size / len(NAMES) + 65_536


def test_a_published_bundle_is_not_edited(doi):
    remote = open_remote(doi)
    with pytest.raises(FrozenError, match="never changes"), remote.edit():
        pass


def test_predicting_by_doi_moves_the_manifest_and_one_model_only(archive, model_doi, limen):
    done = limen("predict", model_doi, "--set", "m=550", "--set", "g=0.5", "--json")
    assert done.exit_code == 0, done.output
    (point,) = json.loads(done.stdout)["points"]
    assert point["verdict"] == "inside_region"
    names = {request.path.split("/")[-2] for request in archive.log if "/content" in request.path}
    assert names == {"bundle.json", "region.onnx", "region.probe.json"}
    archive.clear_log()
    assert limen("predict", model_doi, "--set", "m=550", "--set", "g=0.5").exit_code == 0
    assert archive.log == []


def test_nearest_points_come_from_columns_of_the_remote_scan(archive, model_doi, limen):
    line = ("predict", model_doi, "--set", "m=550", "--set", "g=0.5", "--nearest", 2, "--json")
    done = limen(*line)
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["points"][0]["nearest"]) == 2
    assert all("Range" in request.headers for request in reads(archive))


@pytest.mark.parametrize("spelling", ["{id}", "doi:{doi}", "{url}/records/{id}", "{doi}"])
def test_verbs_take_any_spelling_and_a_folder_goes_first(
    spelling, archive, model_doi, limen, tmp_path, monkeypatch, model_path
):
    number = model_doi.rpartition(".")[2]
    text = spelling.format(id=number, doi=model_doi, url=archive.url)
    monkeypatch.chdir(tmp_path)
    for verb in ("show", "cite"):
        done = limen(verb, text)
        assert done.exit_code == 0, done.output
    shutil.copytree(model_path, tmp_path / number)
    archive.clear_log()
    assert limen("show", number).exit_code == 0
    assert archive.log == []


def test_what_is_neither_folder_nor_identifier_is_no_bundle(limen, archive):
    done = limen("show", "nothing-here")
    assert done.exit_code == 3
    assert "no such folder" in done.output


def test_ranges_are_joined_where_little_is_read_in_vain():
    ranges = [(i * 1000, i * 1000 + 900) for i in range(100)]
    assert joined(ranges, share=0.0, constant=99 * 100) == [(0, 99_900)]
    assert len(joined(ranges, share=0.0, constant=1000)) == 90
    assert joined([(5, 5), (7, 3)]) == []


def test_kept_ranges_overlap_and_vanish_without_harm(tmp_path):
    spans = Spans(tmp_path / "kept")
    content = bytes(range(100))
    for start, stop in ((0, 30), (20, 50), (70, 90)):
        spans.keep(start, content[start:stop])
    again = Spans(tmp_path / "kept")
    assert again.read(5, 45) == content[5:45]
    assert again.missing(40, 95) == [(50, 70), (90, 95)]
    assert again.read(60, 80) is None
    next((tmp_path / "kept").glob("70-20-*")).unlink()
    assert again.read(75, 80) is None
    assert again.missing(70, 90) == [(70, 90)]
    again.forget(25, 26)
    assert again.missing(0, 50) == [(0, 50)]


def test_the_oldest_ranges_go_first(tmp_path):
    import os

    for number in range(3):
        Spans(tmp_path / str(number)).keep(0, bytes(1000))
        os.utime(tmp_path / str(number), (number, number))
    prune(tmp_path, 2000, tmp_path / "0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "2"]
