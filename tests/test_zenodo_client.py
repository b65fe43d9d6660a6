"""How archives are named, asked, waited for and understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from limen.errors import UsageError
from limen_zenodo.client import Client
from limen_zenodo.errors import (
    AccessError,
    ClientBlockedError,
    DepositError,
    IdentifierError,
    NetworkError,
    RateLimitedError,
    RecordNotFoundError,
    RecordWithdrawnError,
    ServiceUnavailableError,
    ZenodoError,
)
from limen_zenodo.identifiers import parse_identifier
from limen_zenodo.patience import Patience, Waits, demanded_wait
from limen_zenodo.records import find_record, latest_version, parse_record
from limen_zenodo.sites import PRODUCTION, SANDBOX, Site, known_sites, public_url, site_named
from standin import Fault, StandIn

QUICK = Patience(budget=2.0, first=0.01, longest=0.05)
SHORT = Patience(budget=0.1, first=0.01, longest=0.03)
ANY_RECORD = ("GET", r"/api/records/\d+")


@pytest.fixture
def client(archive: StandIn) -> Client:
    return Client(site_named("zenodo"), patience=QUICK)


@pytest.fixture
def no_sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave only the archives that are built in."""
    path = tmp_path / "none.toml"
    path.write_text("")
    monkeypatch.setenv("LIMEN_SITES", str(path))


# Identifiers

SPELLINGS = [
    ("7000002", "zenodo", "7000002"),
    (" 7000002 ", "zenodo", "7000002"),
    ("10.5281/zenodo.7000002", "zenodo", "7000002"),
    ("10.5281/ZENODO.7000002", "zenodo", "7000002"),
    ("doi:10.5281/zenodo.7000002", "zenodo", "7000002"),
    ("DOI: 10.5281/zenodo.7000002", "zenodo", "7000002"),
    ("10.5281/zenodo.7000002.", "zenodo", "7000002"),
    ("https://doi.org/10.5281/zenodo.7000002", "zenodo", "7000002"),
    ("http://dx.doi.org/10.5281/zenodo.7000002", "zenodo", "7000002"),
    ("https://zenodo.org/records/7000002", "zenodo", "7000002"),
    ("https://zenodo.org/records/7000002/", "zenodo", "7000002"),
    ("https://zenodo.org/records/7000002?preview=1#files", "zenodo", "7000002"),
    ("https://zenodo.org/record/7000002", "zenodo", "7000002"),
    ("https://zenodo.org/records/7000002/files/bundle.json?download=1", "zenodo", "7000002"),
    ("https://zenodo.org/api/records/7000002", "zenodo", "7000002"),
    ("https://zenodo.org/doi/10.5281/zenodo.7000002", "zenodo", "7000002"),
    ("https://zenodo.org/uploads/7000002", "zenodo", "7000002"),
    ("10.5072/zenodo.12", "sandbox", "12"),
    ("https://sandbox.zenodo.org/records/12", "sandbox", "12"),
    ("https://handle.test.datacite.org/10.5072/zenodo.12", "sandbox", "12"),
]


@pytest.mark.parametrize(("text", "site", "record"), SPELLINGS, ids=[s[0] for s in SPELLINGS])
@pytest.mark.usefixtures("no_sites")
def test_every_spelling_of_a_record_is_understood(text: str, site: str, record: str) -> None:
    found = parse_identifier(text)
    assert (found.site.name, found.record, found.doi) == (site, record, "")


@pytest.mark.usefixtures("no_sites")
def test_a_doi_of_others_is_kept_to_be_looked_up() -> None:
    found = parse_identifier("https://doi.org/10.1234/ABC")
    assert (found.record, found.doi) == ("", "10.1234/abc")


@pytest.mark.parametrize(
    "text",
    ["", "scan", "./bundle", "10.5281", "https://zenodo.org/", "https://evil.example/records/1"],
)
@pytest.mark.usefixtures("no_sites")
def test_what_names_no_record_is_refused(text: str) -> None:
    with pytest.raises(IdentifierError, match="found"):
        parse_identifier(text)


@pytest.mark.parametrize(
    "text",
    ["10.1234/inst.abcde-12345", "https://data.inst.example/records/abcde-12345", "abcde-12345"],
)
def test_an_archive_of_the_configuration_is_understood(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sites.toml"
    path.write_text('[inst]\nurl = "https://data.inst.example/"\ndoi_prefix = "10.1234/inst."\n')
    monkeypatch.setenv("LIMEN_SITES", str(path))
    site = site_named("inst") if "/" not in text else None
    found = parse_identifier(text, site)
    assert (found.site.name, found.record) == ("inst", "abcde-12345")
    assert found.site.token_variable == "INST_TOKEN"


# Sites


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[x]\n", "no url"),
        ('[x]\nurl = "http://far.example"\n', "https address"),
        ('[x]\nurl = "https://a.example"\ntest = 1\n', "true or false"),
        ('[x]\nurl = "https://a.example"\ncolour = "red"\n', "unknown"),
        ('[x]\nurl = "https://a.example"\ndoi_prefix = "abc"\n', "doi_prefix"),
        ("[x", "no TOML"),
        ('[X]\nurl = "https://a.example"\n', "small letters"),
    ],
)
def test_a_wrong_configuration_is_refused(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sites.toml"
    path.write_text(text)
    monkeypatch.setenv("LIMEN_SITES", str(path))
    with pytest.raises(UsageError, match=words):
        known_sites()


def test_an_unknown_site_is_refused_with_those_that_are_known(no_sites: None) -> None:
    with pytest.raises(UsageError, match="allowed zenodo, sandbox"):
        site_named("nowhere")


@pytest.mark.parametrize("name", ["access_token", "token", "resource-token"])
def test_secrets_of_an_address_are_not_shown(name: str) -> None:
    shown = public_url(f"https://user:pw@zenodo.org/records/1?{name}=geheim&q=x")
    assert shown == f"https://zenodo.org/records/1?{name}=...&q=x"


def test_a_site_trusts_itself_and_the_origins_that_it_lists() -> None:
    site = Site("x", "https://a.example", "10.1/x.", "X_TOKEN", origins=("https://s3.example",))
    assert site.trusts("https://a.example/api/records/1")
    assert site.trusts("https://s3.example/bucket")
    assert not site.trusts("http://a.example/")
    assert not site.trusts("https://a.example.evil.example/")
    assert not site.trusts("https://a.example@evil.example/")


# Records


RDM: dict[str, Any] = {
    "id": "7000002",
    "parent": {"id": "7000001", "pids": {"doi": {"identifier": "10.5281/zenodo.7000001"}}},
    "pids": {"doi": {"identifier": "10.5281/zenodo.7000002"}},
    "versions": {"is_latest": False, "index": 1},
    "access": {"files": "public", "status": "open"},
    "updated": "2026-02-03",
    "revision_id": 4,
    "metadata": {"title": "Toy", "version": "1.0.0"},
    "files": {
        "enabled": True,
        "entries": {"a.txt": {"key": "a.txt", "size": 3, "checksum": f"md5:{'0' * 32}"}},
    },
}
LEGACY: dict[str, Any] = {
    "id": 7000002,
    "conceptrecid": "7000001",
    "doi": "10.5281/zenodo.7000002",
    "conceptdoi": "10.5281/zenodo.7000001",
    "updated": "2026-02-03",
    "revision": 4,
    "metadata": {
        "title": "Toy",
        "version": "1.0.0",
        "access_right": "open",
        "relations": {"version": [{"is_last": False}]},
    },
    "files": [{"key": "a.txt", "size": 3, "checksum": f"md5:{'0' * 32}"}],
}


def test_both_shapes_of_a_record_say_the_same() -> None:
    first, second = (parse_record(document, PRODUCTION) for document in (RDM, LEGACY))
    for name in ("id", "concept", "doi", "concept_doi", "title", "version", "latest", "access"):
        assert getattr(first, name) == getattr(second, name)
    assert first.files == second.files
    assert first.file("a.txt").url.endswith("/api/records/7000002/files/a.txt/content")


def test_a_link_that_leads_elsewhere_is_not_believed() -> None:
    links = {"content": "https://evil.example/a.txt/content"}
    entry = RDM["files"]["entries"]["a.txt"] | {"links": links}
    document = RDM | {"files": {"entries": {"a.txt": entry}}}
    assert parse_record(document, PRODUCTION).file("a.txt").url.startswith(PRODUCTION.api)


@pytest.mark.parametrize("checksum", ["multipart:abc-3", "md5:xyz", "", None])
def test_a_checksum_that_is_no_md5_counts_as_none(checksum: str | None) -> None:
    entry = RDM["files"]["entries"]["a.txt"] | {"checksum": checksum}
    document = RDM | {"files": {"entries": {"a.txt": entry}}}
    assert parse_record(document, PRODUCTION).file("a.txt").md5 == ""


@pytest.mark.parametrize("document", [None, [], {}, {"files": []}, {"files": {}, "metadata": {}}])
def test_an_answer_that_is_no_record_is_a_network_error(document: Any) -> None:
    with pytest.raises(NetworkError, match="no record"):
        parse_record(document, SANDBOX)


def test_a_file_name_that_is_listed_twice_is_refused() -> None:
    with pytest.raises(NetworkError, match="twice"):
        parse_record(LEGACY | {"files": LEGACY["files"] * 2}, PRODUCTION)


@pytest.mark.parametrize("zenodo", [True, False], ids=["zenodo", "elsewhere"])
def test_a_concept_leads_to_its_newest_version(
    zenodo: bool, archive: StandIn, client: Client
) -> None:
    archive.options.zenodo = zenodo
    first = archive.publish({"a.txt": b"abc"})
    second = archive.publish({"a.txt": b"abd"}, concept=first.concept)
    found = find_record(client, parse_identifier(str(first.concept)))
    assert (found.id, found.latest) == (str(second.id), True)
    old = find_record(client, parse_identifier(str(first.id)))
    assert (old.id, old.latest, old.concept) == (str(first.id), False, str(first.concept))
    assert latest_version(client, old).id == str(second.id)


def test_a_pinned_doi_never_asks_the_resolver(archive: StandIn, client: Client) -> None:
    record = archive.publish({"a.txt": b"abc"})
    find_record(client, parse_identifier(f"https://doi.org/{record.doi}"))
    assert [entry.path for entry in archive.log] == [f"/api/records/{record.id}"]


def test_an_unknown_doi_of_others_is_not_found(archive: StandIn, client: Client) -> None:
    with pytest.raises(RecordNotFoundError, match=r"10\.1234/abc"):
        find_record(client, parse_identifier("10.1234/abc"))


# Waiting


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "37"}, 37.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:17:10 GMT"}, 30.0),
        ({"Retry-After": "soon"}, None),
        ({"X-RateLimit-Reset": "1010"}, 10.0),
        ({"X-RateLimit-Reset": "990"}, 0.0),
        ({"X-RateLimit-Reset": "99999999"}, 3600.0),
    ],
)
def test_an_answer_says_how_long_to_wait(headers: dict[str, str], wait: float | None) -> None:
    assert demanded_wait(headers, now=1000.0) == wait


def test_waits_end_with_the_trouble_when_patience_ends() -> None:
    waits, trouble = Waits(Patience(budget=0.02, first=0.01, longest=0.01)), ZenodoError("trouble")

    def wait_for_ever() -> None:
        while True:
            waits.wait(None, trouble)

    with pytest.raises(ZenodoError, match="trouble"):
        wait_for_ever()
    assert 1 <= waits.attempts <= 4
    waits.progress()
    assert (waits.attempts, waits.waited) == (0, 0.0)


def test_a_wait_that_is_longer_than_allowed_is_not_begun() -> None:
    with pytest.raises(ZenodoError, match="trouble"):
        Waits(Patience(budget=1.0)).wait(3600.0, ZenodoError("trouble"))


# Answers

REFUSALS: dict[str, tuple[dict[str, Any], type[ZenodoError], str]] = {
    "rate": ({"status": 429, "headers": {"Retry-After": "99"}}, RateLimitedError, "too many"),
    "unavailable": ({"status": 503}, ServiceUnavailableError, "answered 503"),
    "page for JSON": ({"html": True}, ServiceUnavailableError, "where JSON was expected"),
    "broken JSON": ({"cut": 20}, ServiceUnavailableError, "broke"),
    "reset": ({"reset": True}, ServiceUnavailableError, "no answer"),
    "not public": ({"status": 403}, AccessError, "set ZENODO_TOKEN"),
    "blocked": ({"status": 403, "html": True}, ClientBlockedError, "refuses this program"),
    "missing": ({"status": 404}, RecordNotFoundError, "not found"),
    "withdrawn": (
        {"status": 410, "body": '{"tombstone": {"removal_reason": {"id": "spam"}}}'},
        RecordWithdrawnError,
        "reason: spam",
    ),
    "faults": (
        {
            "status": 400,
            "body": '{"errors": [{"field": "a", "messages": ["b"]}, {"field": "c", '
            '"messages": ["d"]}]}',
        },
        DepositError,
        "a: b",
    ),
    "elsewhere": ({"redirect": "http://127.0.0.1:9/x"}, NetworkError, "leads to"),
    "in a circle": ({"redirect": "/api/records/1"}, NetworkError, "leads on more than"),
}


@pytest.mark.parametrize(("trouble", "error", "words"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_one_clear_error(
    trouble: dict[str, Any], error: type[ZenodoError], words: str, archive: StandIn
) -> None:
    archive.publish({"a.txt": b"abc"})
    archive.fail(Fault(*ANY_RECORD, **{**trouble, "times": None}))
    with (
        Client(site_named("zenodo"), patience=SHORT) as client,
        pytest.raises(error, match=words) as raised,
    ):
        client.get_json("/records/7000002")
    assert "\x1b" not in str(raised.value)


def test_a_document_is_asked_for_again_after_each_failure_that_may_pass(
    archive: StandIn, client: Client
) -> None:
    record = archive.publish({"a.txt": b"abc"})
    limited = {"status": 429, "headers": {"Retry-After": "0"}}
    for trouble in ({"status": 500}, {"reset": True}, {"html": True}, {"cut": 5}, limited):
        archive.fail(Fault(*ANY_RECORD, **trouble))
    assert client.get_json(f"/records/{record.id}")["id"] == str(record.id)
    assert len(archive.log) == 6


def test_a_client_says_what_it_is(archive: StandIn, client: Client) -> None:
    archive.publish({"a.txt": b"abc"})
    client.get_json("/records/7000002")
    headers = archive.log[0].headers
    assert headers["User-Agent"].startswith("limen/")
    assert headers["Accept"] == "application/vnd.inveniordm.v1+json"
    assert "Authorization" not in headers


def test_no_password_of_a_netrc_file_is_sent(
    archive: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.publish({"a.txt": b"abc"})
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password geheim\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Client(site_named("zenodo"), patience=QUICK) as client:
        client.get_json("/records/7000002")
    assert "Authorization" not in archive.log[0].headers


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "schlüssel"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(token: str, archive: StandIn) -> None:
    with pytest.raises(UsageError, match="ZENODO_TOKEN") as raised:
        Client(site_named("zenodo"), token)
    assert token not in str(raised.value)


def test_a_token_does_not_go_to_an_origin_that_only_holds_files(archive: StandIn) -> None:
    with StandIn() as other:
        site = Site("x", archive.url, "10.5281/zenodo.", "ZENODO_TOKEN", origins=(other.url,))
        archive.fail(Fault(*ANY_RECORD, redirect=f"{other.url}/api/records/1"))
        with (
            Client(site, archive.token(), patience=QUICK) as client,
            pytest.raises(RecordNotFoundError),
        ):
            client.get_json("/records/7000002")
        assert "Authorization" in archive.log[0].headers
        assert "Authorization" not in other.log[0].headers
