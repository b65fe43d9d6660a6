"""Fetching from the stand-in of an archive: whole, in parts, after every fault, and not at all."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from limen import resources, schema
from limen.bundle import Bundle, file_entry
from limen.errors import GraphError, IntegrityError, LimenError, StorageError, UsageError
from limen_zenodo.cache import Store
from limen_zenodo.errors import (
    AccessError,
    ChecksumError,
    IncompleteDownloadError,
    NetworkError,
    OfflineError,
    RateLimitedError,
    RecordChangedError,
    RecordNotFoundError,
    RecordWithdrawnError,
    ServiceUnavailableError,
    UnsafeNameError,
    ZenodoError,
)
from limen_zenodo.fetching import fetch
from limen_zenodo.patience import Patience
from limen_zenodo.sites import site_named
from standin import Fault, StandIn

QUICK = Patience(budget=2.0, first=0.01, longest=0.05)
SHORT = Patience(budget=0.1, first=0.01, longest=0.03)
DOCUMENTS = {"bundle.json", "README.md", "CITATION.cff", "croissant.json"}
SCAN = "scan.zarr.zip"
SCAN_CONTENT = ("GET", r".*/files/scan\.zarr\.zip/content")
RECORD = ("GET", r"/api/records/\d+")
CALL = "from limen.cli import main; main()"


@pytest.fixture
def record(archive: StandIn, packed: Path) -> str:
    """Publish the small bundle without models, and give its id."""
    return str(archive.publish(packed).id)


def get(identifier: str, *parts: str, **options: Any) -> Bundle:
    return fetch(identifier, parts or ("manifest",), **{"patience": QUICK, **options})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def asked(archive: StandIn, words: str = "") -> list[Any]:
    return [entry for entry in archive.log if words in entry.path]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def republish(archive: StandIn, path: Path, files: dict[str, bytes]) -> str:
    """Publish a bundle together with other files."""
    own = {file.name: file.read_bytes() for file in path.iterdir()}
    return str(archive.publish(own | files, title="toy").id)


def run(*arguments: object) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", CALL, *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# What is fetched


def test_manifest_and_models_are_fetched_by_default(archive: StandIn, trained: Path) -> None:
    number = archive.publish(trained, title="toy").id
    bundle = fetch(str(number), patience=QUICK)
    assert names(bundle.path) == DOCUMENTS | {"region.onnx", "region.probe.json"}
    assert bundle.predictor().one({"m": 550.0, "g": 0.5}).verdict == "inside_region"
    archive.clear_log()
    fetch(str(number), patience=QUICK)
    assert archive.log == []


@pytest.mark.parametrize(
    ("parts", "more"),
    [
        ((), set()),
        (("manifest",), set()),
        (("models",), set()),
        (("scan",), {SCAN}),
        (("preview",), {"preview.csv"}),
        (("preview", "scan"), {SCAN, "preview.csv"}),
        (("preview.csv",), {"preview.csv"}),
        (("all",), {SCAN, "preview.csv"}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, tuple) else "",
)
def test_a_part_is_fetched_with_the_manifest_and_nothing_else(
    parts: tuple[str, ...], more: set[str], record: str, archive: StandIn
) -> None:
    bundle = fetch(record, parts, patience=QUICK)
    assert names(bundle.path) == DOCUMENTS | more
    assert {entry.path.split("/")[-2] for entry in asked(archive, "/content")} == DOCUMENTS | more


def test_an_unknown_part_is_refused_with_those_that_there_are(record: str) -> None:
    with pytest.raises(UsageError, match="parts: found 'modles', allowed manifest, models"):
        get(record, "modles")


def test_a_part_that_is_missing_is_fetched_alone(record: str, archive: StandIn) -> None:
    get(record)
    archive.clear_log()
    get(record, "scan")
    assert [entry.path.split("/")[-2] for entry in asked(archive, "/content")] == [SCAN]


@pytest.mark.parametrize(
    "spelling",
    ["{}", "10.5281/zenodo.{}", "https://doi.org/10.5281/zenodo.{}", "{url}/records/{}", "doi:{d}"],
)
def test_what_is_in_the_cache_is_used_without_a_request(
    spelling: str, record: str, archive: StandIn
) -> None:
    get(record, "all")
    archive.clear_log()
    text = spelling.format(record, url=archive.url, d=f"10.5281/zenodo.{record}")
    get(text, "scan")
    assert archive.log == []


def test_the_lock_says_what_was_asked_and_what_it_led_to(record: str) -> None:
    bundle = get(f"doi:10.5281/zenodo.{record}")
    lock = Store(site_named("zenodo")).lock(record)
    assert lock is not None
    assert (lock.asked, lock.record) == ((f"doi:10.5281/zenodo.{record}",), record)
    assert lock.manifest_sha256 == bundle.manifest_sha256
    assert lock.files[SCAN].sha256 == bundle.manifest["files"][SCAN]["sha256"]
    assert len(lock.files[SCAN].md5) == 32
    document = schema.load_json(bundle.path.with_name(f"{record}.lock.json"))
    assert document["doi"] == f"10.5281/zenodo.{record}"


def test_files_may_be_read_by_whom_the_umask_allows(record: str) -> None:
    before = os.umask(0o022)
    try:
        bundle = get(record, "scan")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in bundle.path.iterdir()}
    assert modes == {0o644}


# Versions


def test_a_concept_is_resolved_once_and_moves_on_only_when_asked(
    archive: StandIn, packed: Path
) -> None:
    first = archive.publish(packed, title="toy")
    concept = str(first.concept)
    assert get(concept).path.name == str(first.id)
    second = str(archive.publish(packed, title="toy", concept=first.concept).id)
    archive.clear_log()
    assert get(concept).path.name == str(first.id)
    assert archive.log == []
    assert get(concept, latest=True).path.name == second
    assert get(concept, offline=True).path.name == second
    assert get(str(first.id)).path.name == str(first.id)


def test_a_version_stays_itself_although_the_newest_was_asked_for(
    archive: StandIn, packed: Path
) -> None:
    first = archive.publish(packed, title="toy")
    second = str(archive.publish(packed, title="toy", concept=first.concept).id)
    assert get(str(first.id), latest=True).path.name == second
    assert get(str(first.id)).path.name == str(first.id)


# A folder of one's own


def test_a_folder_of_ones_own_is_filled_from_the_cache(
    record: str, archive: StandIn, tmp_path: Path
) -> None:
    get(record, "all")
    archive.clear_log()
    bundle = get(record, "scan", path=tmp_path / "own")
    assert names(bundle.path) == DOCUMENTS | {SCAN}
    assert archive.log == []
    assert not any(path.is_symlink() or path.stat().st_nlink > 1 for path in bundle.path.iterdir())


def test_a_folder_of_ones_own_is_filled_without_the_cache_and_completed(
    record: str, archive: StandIn, tmp_path: Path
) -> None:
    get(record, path=tmp_path / "own")
    archive.clear_log()
    get(record, "scan", path=tmp_path / "own")
    assert [entry.path.split("/")[-2] for entry in asked(archive, "/content")] == [SCAN]
    assert not list((tmp_path / "cache").rglob(SCAN))
    assert not list(tmp_path.glob(".own*"))


def test_a_folder_that_holds_something_else_is_refused(
    record: str, tmp_path: Path, model_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("precious")
    for folder in (tmp_path / "notes", model_path):
        before = names(folder)
        with pytest.raises(UsageError, match="holds something else"):
            get(record, path=folder)
        assert names(folder) == before


def test_the_folder_in_the_cache_may_be_named_too(record: str) -> None:
    bundle = get(record)
    again = get(record, "scan", path=bundle.path)
    assert names(again.path) == DOCUMENTS | {SCAN}


def test_an_empty_folder_is_not_removed_when_nothing_comes(record: str, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with pytest.raises(RecordNotFoundError):
        get("999", path=tmp_path / "own")
    with pytest.raises(UsageError):
        get(record, "nothing", path=tmp_path / "own" / "new")
    assert (tmp_path / "own").is_dir()


def test_a_record_without_an_md5_is_pinned_by_its_sha256(record: str, archive: StandIn) -> None:
    for file in archive.record(int(record)).files.values():
        file.md5 = ""
    bundle = get(record, "scan")
    lock = Store(site_named("zenodo")).lock(record)
    assert lock is not None
    assert (lock.manifest_sha256, lock.files[SCAN].md5) == (bundle.manifest_sha256, "")


def test_many_threads_without_a_lock_do_each_other_no_harm(
    record: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def granted(folder: Path, *, wait: bool) -> Iterator[bool]:
        yield True

    monkeypatch.setattr(resources, "folder_lock", granted)
    with ThreadPoolExecutor(6) as pool:
        bundles = list(pool.map(lambda _: get(record, "all"), range(6)))
    for bundle in bundles:
        assert names(bundle.path) == DOCUMENTS | {SCAN, "preview.csv"}
    assert not list(bundles[0].path.parent.glob(".*"))


def test_a_file_of_ones_own_in_the_folder_is_left_alone(record: str, tmp_path: Path) -> None:
    get(record, path=tmp_path / "own")
    (tmp_path / "own" / "mine.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"not in the record: 'mine\.txt'"):
        get(record, "scan", path=tmp_path / "own")
    assert (tmp_path / "own" / "mine.txt").read_text() == "precious"


def test_a_changed_file_is_refused_in_ones_own_folder_and_replaced_in_the_cache(
    record: str, tmp_path: Path
) -> None:
    own, kept = get(record, path=tmp_path / "own"), get(record)
    for bundle in (own, kept):
        (bundle.path / "README.md").write_text("changed")
    with pytest.raises(ChecksumError, match="remove it, or choose another folder"):
        get(record, path=tmp_path / "own")
    assert "changed" not in (get(record).path / "README.md").read_text()[:7]


# Broken transfers


def test_a_transfer_that_breaks_off_is_resumed(record: str, archive: StandIn, packed: Path) -> None:
    archive.fail(Fault(*SCAN_CONTENT, cut=2000))
    bundle = get(record, "scan")
    first, second = asked(archive, f"{SCAN}/content")
    assert "Range" not in first.headers
    assert second.headers["Range"] == "bytes=2000-"
    assert second.headers["If-Range"].startswith('"')
    assert (bundle.path / SCAN).read_bytes() == (packed / SCAN).read_bytes()


def test_what_arrived_is_kept_for_the_next_call(record: str, archive: StandIn) -> None:
    archive.fail(Fault(*SCAN_CONTENT, cut=2000))
    archive.fail(Fault(*SCAN_CONTENT, status=503, times=None))
    with pytest.raises(ServiceUnavailableError, match="503"):
        get(record, "scan", patience=SHORT)
    archive.faults.clear()
    archive.clear_log()
    bundle = get(record, "scan")
    (request,) = asked(archive, f"{SCAN}/content")
    assert request.headers["Range"] == "bytes=2000-"
    assert not list(bundle.path.parent.glob(".*"))


def test_a_server_without_ranges_sends_all_again(record: str, archive: StandIn) -> None:
    archive.options.ranges = False
    archive.fail(Fault(*SCAN_CONTENT, cut=2000))
    assert SCAN in names(get(record, "scan").path)
    assert len(asked(archive, f"{SCAN}/content")) == 2


def test_a_server_without_tags_is_resumed_too(record: str, archive: StandIn) -> None:
    archive.options.etag = False
    archive.fail(Fault(*SCAN_CONTENT, cut=2000))
    assert SCAN in names(get(record, "scan").path)
    assert "If-Range" not in asked(archive, f"{SCAN}/content")[1].headers


def test_a_transfer_that_stands_still_is_begun_again(record: str, archive: StandIn) -> None:
    archive.fail(Fault(*SCAN_CONTENT, cut=2000, stall=1.0))
    assert SCAN in names(get(record, "scan", timeout=(1.0, 0.2)).path)
    assert asked(archive, f"{SCAN}/content")[1].headers["Range"] == "bytes=2000-"


def test_ten_breaks_with_progress_cost_no_patience(record: str, archive: StandIn) -> None:
    archive.fail(Fault(*SCAN_CONTENT, cut=100, times=10))
    patience = Patience(budget=0.12, first=0.1, longest=0.1)
    assert SCAN in names(get(record, "scan", patience=patience).path)


def test_a_server_that_always_breaks_at_the_same_place_is_given_up(
    record: str, archive: StandIn
) -> None:
    archive.options.ranges = False
    archive.fail(Fault(*SCAN_CONTENT, cut=100, times=None))
    with pytest.raises(IncompleteDownloadError, match=r"(after|received) 100 of"):
        get(record, "scan", patience=SHORT)


@pytest.mark.parametrize("trouble", ["drop_range", "wrong_range"])
def test_a_range_that_is_not_the_one_asked_for_is_not_believed(
    trouble: str, record: str, archive: StandIn
) -> None:
    archive.fail(Fault(*SCAN_CONTENT, cut=2000))
    archive.fail(Fault(*SCAN_CONTENT, **{trouble: True}))
    assert SCAN in names(get(record, "scan").path)
    assert asked(archive, f"{SCAN}/content")[1].headers["Range"] == "bytes=2000-"


@pytest.mark.parametrize("option", ["chunked", "gzip"])
def test_a_server_that_does_not_say_the_length_is_no_trouble(
    option: str, record: str, archive: StandIn
) -> None:
    setattr(archive.options, option, True)
    assert SCAN in names(get(record, "scan").path)


def test_a_rate_limit_is_waited_for(record: str, archive: StandIn) -> None:
    archive.rate_limit(5, 1.0)
    patience = Patience(budget=10.0, first=0.1, longest=0.5)
    assert SCAN in names(get(record, "scan", patience=patience).path)


PASSING: dict[str, dict[str, Any]] = {
    "too many requests": {"status": 429, "headers": {"Retry-After": "0"}},
    "unavailable": {"status": 503},
    "gateway": {"status": 504, "html": True},
    "page": {"html": True},
    "reset": {"reset": True},
    "wrong bytes": {"flip": 0},
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING)
def test_trouble_that_passes_is_survived(
    trouble: dict[str, Any], record: str, archive: StandIn
) -> None:
    archive.fail(Fault(*SCAN_CONTENT, **trouble))
    assert SCAN in names(get(record, "scan").path)
    assert len(asked(archive, f"{SCAN}/content")) == 2


@pytest.mark.parametrize("trouble", ["too many requests", "unavailable", "page", "reset"])
def test_trouble_with_the_record_that_passes_is_survived(
    trouble: str, record: str, archive: StandIn
) -> None:
    archive.fail(Fault(*RECORD, **PASSING[trouble]))
    get(record)
    assert len(asked(archive)) > 2


LASTING: dict[str, tuple[dict[str, Any], type[LimenError], str]] = {
    "too many requests": (
        {"status": 429, "headers": {"Retry-After": "900"}},
        RateLimitedError,
        "too many requests",
    ),
    "unavailable": ({"status": 500}, ServiceUnavailableError, "answered 500"),
    "page": (PASSING["page"], IncompleteDownloadError, "a page where the file was expected"),
    "reset": ({"reset": True}, ServiceUnavailableError, "no answer"),
    "wrong bytes": ({"flip": 0}, ChecksumError, "found MD5"),
    "blocked": ({"status": 403, "html": True}, AccessError, "refuses this program"),
    "missing": ({"status": 404}, RecordNotFoundError, "not found"),
}


@pytest.mark.parametrize(("trouble", "error", "words"), LASTING.values(), ids=LASTING)
def test_trouble_that_lasts_is_one_clear_error_and_leaves_nothing_wrong(
    trouble: dict[str, Any],
    error: type[LimenError],
    words: str,
    record: str,
    archive: StandIn,
    tmp_path: Path,
) -> None:
    archive.fail(Fault(*SCAN_CONTENT, **{**trouble, "times": None}))
    with pytest.raises(error, match=words):
        get(record, "scan", patience=SHORT)
    assert not list((tmp_path / "cache").rglob(SCAN))
    archive.faults.clear()
    assert names(get(record, "scan").path) == DOCUMENTS | {SCAN}


# Records that are not what they should be


@pytest.mark.parametrize(
    ("access", "words"), [("restricted", "restricted"), ("embargoed", "under embargo until")]
)
def test_files_that_are_not_public_are_an_access_error(
    access: str, words: str, archive: StandIn, packed: Path
) -> None:
    number = archive.publish(packed, title="toy", access=access).id
    with pytest.raises(AccessError, match=words):
        get(str(number))


def test_a_withdrawn_record_says_why_and_stays_in_the_cache(record: str, archive: StandIn) -> None:
    get(record)
    archive.withdraw(int(record))
    assert names(get(record).path) == DOCUMENTS
    with pytest.raises(RecordWithdrawnError, match="retracted"):
        get(record, "scan")


def test_an_unknown_record_is_not_found(archive: StandIn) -> None:
    with pytest.raises(RecordNotFoundError, match="999"):
        get("999")


def test_a_record_without_a_manifest_is_no_bundle(archive: StandIn, tmp_path: Path) -> None:
    number = archive.publish({"data.csv": b"x"}, title="data").id
    with pytest.raises(RecordNotFoundError, match=r"has no file 'bundle.json'"):
        get(str(number))
    assert files_below(tmp_path / "cache") == []


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/tmp/limen-x",
        "..\\x",
        "a/b",
        "con.txt",
        "c:x",
        ".hidden",
        "README.md ",
        "readme.MD",
    ],
)
def test_a_hostile_name_is_refused_and_nothing_is_written(
    name: str, archive: StandIn, packed: Path, tmp_path: Path
) -> None:
    number = republish(archive, packed, {name: b"hostile"})
    with pytest.raises(UnsafeNameError, match=r"allowed|case"):
        get(number, "all")
    assert {path.name for path in files_below(tmp_path)} == {"sites.toml"}
    assert not asked(archive, "/content")


def test_a_file_that_the_manifest_does_not_list_is_refused(
    archive: StandIn, packed: Path, tmp_path: Path
) -> None:
    number = republish(archive, packed, {"extra.txt": b"x"})
    with pytest.raises(IntegrityError, match=r"extra\.txt: this file is not in the manifest"):
        get(number)
    assert files_below(tmp_path / "cache") == []


def test_a_missing_file_matters_when_it_is_asked_for(archive: StandIn, packed: Path) -> None:
    own = {path.name: path.read_bytes() for path in packed.iterdir() if path.name != SCAN}
    number = str(archive.publish(own, title="toy").id)
    assert names(get(number, "preview").path) == DOCUMENTS | {"preview.csv"}
    with pytest.raises(RecordNotFoundError, match=f"has no file '{SCAN}'"):
        get(number, "scan")


def test_bytes_that_only_the_manifest_knows_to_be_wrong_are_refused(
    archive: StandIn, packed: Path, tmp_path: Path
) -> None:
    data = (packed / SCAN).read_bytes()
    number = republish(archive, packed, {SCAN: bytes([data[0] ^ 1]) + data[1:]})
    with pytest.raises(RecordChangedError, match=f"{SCAN} is not what"):
        get(number, "scan")
    assert not list((tmp_path / "cache").rglob(SCAN))


def test_a_record_that_changed_after_it_was_pinned_replaces_nothing(
    record: str, archive: StandIn, bundle_path: Path
) -> None:
    kept = get(record)
    before = (kept.path / "bundle.json").read_bytes()
    document = schema.load_json(bundle_path / "bundle.json") | {"title": "Another title"}
    changed = schema.canonical_json(document)
    archive.change(int(record), "bundle.json", changed)
    with pytest.raises(RecordChangedError, match=r"after it was pinned .*bundle\.json"):
        get(record, "scan")
    assert (kept.path / "bundle.json").read_bytes() == before
    assert names(get(record).path) == DOCUMENTS


def test_a_file_that_changes_between_two_requests_is_told_from_a_broken_transfer(
    record: str, archive: StandIn, packed: Path
) -> None:
    archive.fail(Fault(*SCAN_CONTENT, cut=2000))
    archive.fail(Fault(*SCAN_CONTENT, status=503, times=None))
    with pytest.raises(ServiceUnavailableError):
        get(record, "scan", patience=SHORT)
    archive.faults.clear()
    archive.change(int(record), SCAN, (packed / SCAN).read_bytes()[::-1])
    with pytest.raises(RecordChangedError, match=SCAN):
        get(record, "scan", patience=SHORT)


def _with_doi(archive: StandIn, path: Path, doi: str) -> str:
    document = schema.load_json(path / "bundle.json") | {"status": "frozen", "doi": doi}
    return republish(archive, path, {"bundle.json": schema.canonical_json(document)})


def test_a_bundle_of_another_doi_is_refused(archive: StandIn, packed: Path) -> None:
    number = _with_doi(archive, packed, "10.5281/zenodo.1")
    with pytest.raises(IntegrityError, match=r"the bundle says 10\.5281/zenodo\.1"):
        get(number)


def test_a_test_archive_may_hold_a_bundle_of_another_doi(
    archive: StandIn, packed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(os.environ["LIMEN_SITES"])
    path.write_text(path.read_text().replace("[zenodo]\n", "[zenodo]\ntest = true\n"))
    get(_with_doi(archive, packed, "10.5281/zenodo.1"))
    assert "the bundle says 10.5281/zenodo.1" in caplog.text


def test_a_hostile_model_leaves_nothing_behind(
    archive: StandIn, model_path: Path, tmp_path: Path
) -> None:
    (model_path / "region.onnx").write_bytes(b"no graph at all")
    document = schema.load_json(model_path / "bundle.json")
    document["files"]["region.onnx"] = file_entry(model_path / "region.onnx", "model")
    (model_path / "bundle.json").write_bytes(schema.canonical_json(document))
    number = str(archive.publish(model_path, title="toy").id)
    with pytest.raises(GraphError):
        get(number, "models", path=tmp_path / "own")
    assert not (tmp_path / "own").exists()
    with pytest.raises(GraphError):
        get(number, "models")
    assert files_below(tmp_path / "cache") == []


# Offline


def test_offline_nobody_is_asked(
    record: str, archive: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMEN_OFFLINE", "1")
    with pytest.raises(OfflineError, match="is not in the cache"):
        get(record)
    assert archive.log == []
    monkeypatch.delenv("LIMEN_OFFLINE")
    get(record)
    archive.clear_log()
    assert names(get(record, offline=True).path) == DOCUMENTS
    with pytest.raises(OfflineError, match="parts of it are not in the cache"):
        get(record, "scan", offline=True)
    with pytest.raises(UsageError, match="offline"):
        get(record, offline=True, latest=True)
    assert archive.log == []


# Secrets


def test_a_token_goes_to_the_archive_in_a_header_and_nowhere_else(
    record: str,
    archive: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = archive.token()
    monkeypatch.setenv("ZENODO_TOKEN", token)
    caplog.set_level(logging.DEBUG)
    archive.fail(Fault(*SCAN_CONTENT, status=500, times=None))
    with pytest.raises(ZenodoError) as raised:
        get(record, "scan", patience=SHORT)
    assert all(entry.headers["Authorization"] == f"Bearer {token}" for entry in archive.log)
    assert token not in str([entry.path for entry in archive.log])
    assert token not in f"{raised.value} {vars(raised.value)} {caplog.text}"
    assert all(
        token not in path.read_text("utf-8", "replace")
        for path in files_below(Store(site_named("zenodo")).root)
    )


def test_a_redirect_to_another_archive_is_not_followed(
    record: str, archive: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZENODO_TOKEN", archive.token())
    with StandIn() as other:
        archive.fail(Fault(*SCAN_CONTENT, redirect=f"{other.url}/x", times=None))
        with pytest.raises(NetworkError, match="leads to"):
            get(record, "scan")
        assert other.log == []


# Processes


def test_two_processes_fetch_a_bundle_once(record: str, archive: StandIn) -> None:
    both = [run("fetch", record, "--parts", "all") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert names(Path(out.strip())) == DOCUMENTS | {SCAN, "preview.csv"}
    assert len(asked(archive, f"{SCAN}/content")) == 1


def test_a_killed_process_leaves_what_the_next_one_goes_on_with(
    record: str, archive: StandIn, tmp_path: Path
) -> None:
    archive.fail(Fault(*SCAN_CONTENT, cut=2000, stall=5.0))
    process = run("fetch", record, "--parts", "scan")
    deadline = time.monotonic() + 30
    while not any(p.stat().st_size == 2000 for p in (tmp_path / "cache").rglob("*.part")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    archive.clear_log()
    bundle = get(record, "scan")
    (request,) = asked(archive, f"{SCAN}/content")
    assert request.headers["Range"] == "bytes=2000-"
    assert not list(bundle.path.parent.glob(".*"))


def test_a_full_disk_is_said_and_leaves_no_part(
    record: str, small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = small_disk(24)
    monkeypatch.setenv("LIMEN_CACHE", str(disk / "cache"))
    with pytest.raises(StorageError, match=r"free|full"):
        get(record, "all")
    assert not list(disk.rglob("*.part"))


def test_a_disk_that_fills_up_on_the_way_is_said_and_leaves_no_part(
    record: str,
    archive: StandIn,
    small_disk: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = small_disk(1200)
    monkeypatch.setenv("LIMEN_CACHE", str(disk / "cache"))
    get(record)
    archive.fail(Fault(*SCAN_CONTENT, cut=2000, stall=1.5))

    def fill() -> None:
        while not any(path.stat().st_size == 2000 for path in disk.rglob("*.part")):
            time.sleep(0.01)
        with (disk / "other").open("wb", buffering=0) as stream, suppress(OSError):
            while stream.write(b"x" * 4096) == 4096:
                pass

    other = threading.Thread(target=fill, daemon=True)
    other.start()
    with pytest.raises(StorageError, match="the disk is full"):
        get(record, "scan")
    other.join()
    assert not list(disk.rglob("*.part"))


# The verbs


def test_the_verb_prints_the_folder_and_what_moved(
    record: str, limen: Callable[..., Result], tmp_path: Path
) -> None:
    done = limen("fetch", record, "--parts", "scan", "-o", tmp_path / "own")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(tmp_path / "own")
    assert "5 files" in done.stderr
    assert "limen cite" in done.stderr
    again = json.loads(limen("fetch", record, "-o", tmp_path / "own", "--json").stdout)
    assert (again["fetched"], again["record"]) == ({}, record)
    assert set(again["present"]) == names(tmp_path / "own")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("what is this",), 2),
        (("{}", "--parts", "nothing"), 2),
        (("{}", "--site", "nowhere"), 2),
        (("{}", "--offline"), 3),
        (("999",), 3),
    ],
)
def test_the_verb_has_the_exit_code_of_its_error(
    arguments: tuple[str, ...], code: int, record: str, limen: Callable[..., Result]
) -> None:
    assert limen("fetch", *(text.format(record) for text in arguments)).exit_code == code


def test_a_changed_record_is_an_integrity_error_of_the_verb(
    archive: StandIn, packed: Path, limen: Callable[..., Result]
) -> None:
    number = republish(archive, packed, {"extra.txt": b"x"})
    assert limen("fetch", number).exit_code == 4


def test_the_cache_is_listed_and_cleared(
    record: str, archive: StandIn, packed: Path, limen: Callable[..., Result], tmp_path: Path
) -> None:
    other = str(archive.publish(packed, title="other").id)
    get(record, "scan")
    get(other)
    listed = json.loads(limen("cache", "list", "--json").stdout)
    assert {entry["record"] for entry in listed["bundles"]} == {record, other}
    assert f"10.5281/zenodo.{record}" in limen("cache", "list").stdout
    assert limen("cache", "clear", "12345").exit_code == 2
    assert limen("cache", "clear").exit_code == 2
    assert limen("cache", "clear", f"10.5281/zenodo.{record}").exit_code == 0
    left = json.loads(limen("cache", "list", "--json").stdout)["bundles"]
    assert [entry["record"] for entry in left] == [other]
    (tmp_path / "cache" / "deposits").mkdir()
    assert limen("cache", "clear", "--yes").exit_code == 0
    empty = {"bundles": [], "others": []}
    assert json.loads(limen("cache", "list", "--json").stdout) == empty
    assert (tmp_path / "cache" / "deposits").is_dir()
