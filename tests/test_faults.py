"""Every fault switch of the stand-in: what passes is survived, what lasts is one clear error."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from limen.errors import LimenError
from limen_zenodo.depositing import deposit
from limen_zenodo.errors import (
    AccessError,
    ChecksumError,
    DepositError,
    IncompleteDownloadError,
    NetworkError,
    RateLimitedError,
    RecordNotFoundError,
    ServiceUnavailableError,
)
from limen_zenodo.fetching import fetch
from limen_zenodo.patience import Patience
from limen_zenodo.publishing import publish
from limen_zenodo.searching import search
from standin import Fault, StandIn
from standin.options import Options

QUICK = Patience(budget=2.0, first=0.01, longest=0.05)
SHORT = Patience(budget=0.15, first=0.01, longest=0.03)
TIMES = (1.0, 0.2)
SCAN = "scan.zarr.zip"
WORDS = {"subjects": [{"subject": "limen-bundle"}]}

# What is done at the archive, and the request that goes wrong.
STEPS: dict[str, tuple[str, str]] = {
    "file": ("GET", r".*/files/scan\.zarr\.zip/content"),
    "record": ("GET", r"/api/records/\d+"),
    "search": ("GET", r"/api/records"),
    "create": ("POST", r"/api/records"),
    "upload": ("PUT", r".*/files/[^/]+/content"),
    "describe": ("PUT", r".*/draft"),
}
READING = ("file", "record", "search")
ALL = tuple(STEPS)
Trouble = dict[str, Any]
# Switch by switch: what is set, for which steps, and the error if it lasts.
CASES: list[tuple[str, Trouble, tuple[str, ...], type[LimenError], str]] = [
    ("status", {"status": 408}, ("file",), ServiceUnavailableError, "answered 408"),
    ("status", {"status": 425}, ("record",), ServiceUnavailableError, "answered 425"),
    ("status", {"status": 500}, READING, ServiceUnavailableError, "answered 500"),
    ("status", {"status": 502}, ("search", "create"), ServiceUnavailableError, "answered 502"),
    ("status", {"status": 503}, ("file", "search"), ServiceUnavailableError, "answered 503"),
    ("status", {"status": 504}, ("record", "describe"), ServiceUnavailableError, "answered 504"),
    ("headers", {"status": 429, "headers": {"Retry-After": "0"}}, ALL, RateLimitedError, "many"),
    ("html", {"html": True}, ("file", "record", "search", "upload"), NetworkError, "page"),
    ("html", {"html": True, "status": 503}, READING, ServiceUnavailableError, "answered 503"),
    ("body", {"body": b"<p>Log in"}, ("record", "search"), ServiceUnavailableError, "JSON"),
    ("cut", {"cut": 20}, ("record", "search"), ServiceUnavailableError, "the answer broke off"),
    ("cut", {"cut": 0}, ("file",), IncompleteDownloadError, "the connection broke after 0 of"),
    ("flip", {"flip": 0}, ("file",), ChecksumError, "found MD5"),
    ("flip", {"flip": 0}, ("record", "search"), ServiceUnavailableError, "JSON"),
    ("stall", {"stall": 0.3}, ("file", "record"), NetworkError, "in time|broke off"),
    ("reset", {"reset": True}, READING, ServiceUnavailableError, "no answer"),
    ("delay_after", {"delay_after": True}, ALL[:3], ServiceUnavailableError, "answered 504"),
]
TABLE = [
    pytest.param(step, case[1], *case[3:], id=f"{step}-{case[0]}-{next(iter(case[1].values()))}")
    for case in CASES
    for step in case[2]
]
# Switches that spoil only answers to ranges, or go elsewhere, have tests of their own below.
OWN = {"drop_range", "wrong_range", "redirect"}
FILTERS = {"method", "path", "times"}


@pytest.fixture
def act(
    archive: StandIn, packed: Path, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., object]:
    """Do what a step belongs to, at an archive that holds the small bundle."""
    number = str(archive.publish(packed, title="toy", metadata=WORDS).id)
    monkeypatch.setenv("ZENODO_TOKEN", archive.token())

    def call(step: str, patience: Patience = QUICK) -> object:
        if step in ("file", "record"):
            wanted = ("scan",) if step == "file" else ("manifest",)
            return fetch(number, wanted, patience=patience, timeout=TIMES).path
        if step == "search":
            return [found.title for found in search("toy", patience=patience)]
        return deposit(bundle_path, production=True, deep=False, patience=patience).files

    return call


def test_every_switch_has_a_test() -> None:
    assert {case[0] for case in CASES} | OWN | FILTERS == {field.name for field in fields(Fault)}


@pytest.mark.parametrize(("step", "trouble", "error", "words"), TABLE)
def test_trouble_that_passes_is_survived(
    step: str,
    trouble: Trouble,
    error: type[LimenError],
    words: str,
    act: Callable[..., object],
    archive: StandIn,
) -> None:
    archive.fail(Fault(*STEPS[step], **trouble))
    assert act(step)
    assert act(step)


@pytest.mark.parametrize(("step", "trouble", "error", "words"), TABLE)
def test_trouble_that_lasts_is_one_clear_error_and_then_all_is_well(
    step: str,
    trouble: Trouble,
    error: type[LimenError],
    words: str,
    act: Callable[..., object],
    archive: StandIn,
    tmp_path: Path,
) -> None:
    archive.fail(Fault(*STEPS[step], **trouble, times=None))
    with pytest.raises(error, match=words) as caught:
        act(step, SHORT)
    assert "\n" not in str(caught.value)
    if step == "file":
        assert not list((tmp_path / "cache").rglob(SCAN))
    archive.faults.clear()
    assert act(step)


# What has tests of its own


@pytest.mark.parametrize("times", [1, None], ids=["once", "for ever"])
@pytest.mark.parametrize("switch", ["drop_range", "wrong_range"])
def test_a_server_that_spoils_ranges_costs_bytes_and_no_number(
    switch: str, times: int | None, act: Callable[..., Any], archive: StandIn, packed: Path
) -> None:
    archive.fail(Fault(*STEPS["file"], cut=2000))
    archive.fail(Fault(*STEPS["file"], **{switch: True}, times=times))
    assert (act("file") / SCAN).read_bytes() == (packed / SCAN).read_bytes()


@pytest.mark.parametrize("step", READING)
def test_a_redirect_that_leads_in_a_circle_is_one_clear_error(
    step: str, act: Callable[..., object], archive: StandIn
) -> None:
    path = {"file": "/api/records/1/files/scan.zarr.zip/content", "search": "/api/records"}
    place = f"{archive.url}{path.get(step, '/api/records/1')}"
    archive.fail(Fault(*STEPS[step], redirect=place, times=None))
    with pytest.raises(NetworkError, match="leads on more than 5 times"):
        act(step, SHORT)
    archive.faults.clear()
    assert act(step)


@pytest.mark.parametrize("step", READING)
def test_a_redirect_to_strangers_is_refused(
    step: str, act: Callable[..., object], archive: StandIn
) -> None:
    with StandIn() as stranger:
        archive.fail(Fault(*STEPS[step], redirect=f"{stranger.url}/x", times=None))
        with pytest.raises((NetworkError, AccessError), match=r"origins|another|leads"):
            act(step, SHORT)
        assert stranger.log == []


def test_a_body_of_another_length_is_refused_and_not_kept(
    act: Callable[..., object], archive: StandIn, tmp_path: Path
) -> None:
    archive.fail(Fault(*STEPS["file"], body=b"short"))
    with pytest.raises(ChecksumError, match=r"scan.zarr.zip: found 5 bytes, the record says 24,"):
        act("file")
    assert not list((tmp_path / "cache").rglob(SCAN))
    assert act("file")


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_server_that_claims_a_coding_is_not_believed(
    coding: str, act: Callable[..., Any], archive: StandIn, packed: Path
) -> None:
    archive.fail(Fault(*STEPS["file"], headers={"Content-Encoding": coding}, times=None))
    with pytest.raises((NetworkError, ChecksumError)):
        act("file", SHORT)
    archive.faults.clear()
    assert (act("file") / SCAN).read_bytes() == (packed / SCAN).read_bytes()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, DepositError, "400"),
        (403, AccessError, "403|permission|refuses"),
        (404, RecordNotFoundError, "not found"),
    ],
)
def test_a_refusal_is_not_repeated(
    status: int,
    error: type[LimenError],
    words: str,
    act: Callable[..., object],
    archive: StandIn,
) -> None:
    archive.fail(Fault(*STEPS["file"], status=status, times=None))
    with pytest.raises(error, match=words):
        act("file")
    assert len([entry for entry in archive.log if f"{SCAN}/content" in entry.path]) == 1


# The switches of the archive as a whole

KINDS: dict[str, tuple[Trouble, str]] = {
    "slow": ({"added_latency": 0.05}, ""),
    "no ranges": ({"ranges": False}, ""),
    "no tags": ({"etag": False}, ""),
    "compressing": ({"gzip": True}, ""),
    "no lengths": ({"chunked": True}, ""),
    "another InvenioRDM": ({"zenodo": False}, ""),
    "small pages": ({"guest_page": 25, "member_page": 25}, ""),
    "late": ({"publish_delay": 0.2}, ""),
    "many drafts": ({"one_open_draft": False}, ""),
    "empty files": ({"empty_files": True}, ""),
    "short window": ({"window": 25}, ""),
    "no archives": ({"archive_limit": 1.0}, ""),
    "few files": ({"max_files": 3}, "exceeding the max amount per record"),
    "small quota": ({"quota": 1000.0}, "limit exceeded|quota exceeded"),
    "small bodies": ({"max_body": 10.0}, "413|too large"),
}


def test_every_option_of_the_archive_has_a_test() -> None:
    told = {name for options, _ in KINDS.values() for name in options}
    assert told | {"doi_prefix", "base"} == {field.name for field in fields(Options)}


@pytest.mark.parametrize(("options", "words"), KINDS.values(), ids=KINDS)
def test_an_archive_of_each_kind_takes_a_bundle_and_gives_it_back_or_says_why(
    options: Trouble,
    words: str,
    act: Callable[..., Any],
    archive: StandIn,
    bundle_path: Path,
    tmp_path: Path,
) -> None:
    for name, value in options.items():
        setattr(archive.options, name, value)
    if words:
        with pytest.raises(DepositError, match=words) as caught:
            act("upload")
        assert "\n" not in str(caught.value)
        return
    draft = deposit(bundle_path, production=True, deep=False, patience=QUICK)
    doi = publish(draft, production=True, patience=QUICK).doi
    time.sleep(options.get("publish_delay", 0.0))
    fetched = fetch(doi, ("all",), path=tmp_path / "back", patience=QUICK)
    assert {path.name for path in fetched.path.iterdir()} == set(draft.files)
    assert all(
        (fetched.path / name).read_bytes() == (draft.folder / name).read_bytes()
        for name in draft.files
    )


def test_the_verbs_say_a_fault_in_one_line(
    act: Callable[..., object], archive: StandIn, limen: Callable[..., Result]
) -> None:
    archive.fail(Fault(*STEPS["record"], status=403, html=True, times=None))
    shown = limen("fetch", "7000002")
    assert shown.stderr.count("\n") == 1
    assert "refuses this program" in shown.stderr
