"""The stand-in archive: its answers, its switches, its faults, and three foreign clients as judges."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import requests

from standin import Fault, StandIn
from standin.proxy import behind_proxy

RDM = {"Accept": "application/vnd.inveniordm.v1+json"}
BYTES = {"bundle.json": b'{"id": "toy"}', "scan.bin": bytes(range(256)) * 40}
DRAFT = {
    "access": {"record": "public", "files": "public"},
    "files": {"enabled": True},
    "metadata": {
        "title": "Toy scan",
        "resource_type": {"id": "dataset"},
        "publication_date": "2026-02-03",
        "version": "1.0.0",
        "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe"}}],
    },
}


@pytest.fixture
def site():
    with StandIn() as started:
        yield started


@pytest.fixture
def record(site):
    return site.publish(BYTES, title="Toy scan of gluinos", community="limen")


def get(site, path, **options):
    return requests.get(site.url + path, timeout=10, **options)


def content(site, record, name="scan.bin", **headers):
    names = {key.replace("_", "-"): value for key, value in headers.items()}
    sent = {"Accept-Encoding": "identity", **names}
    return get(site, f"/api/records/{record.id}/files/{name}/content", headers=sent)


class Depositor:
    """A client that deposits."""

    def __init__(self, site):
        self.site = site
        self.headers = {**RDM, "Authorization": f"Bearer {site.token()}"}

    def __call__(self, method, path, **options):
        headers = {**self.headers, **options.pop("headers", {})}
        address = path if path.startswith("http") else f"{self.site.api}{path}"
        return requests.request(method, address, headers=headers, timeout=10, **options)

    def put(self, number, name, data):
        here = f"/records/{number}/draft/files"
        assert self("POST", here, json=[{"key": name, "size": len(data)}]).status_code == 201
        kind = {"Content-Type": "application/octet-stream"}
        assert (
            self("PUT", f"{here}/{name}/content", data=data, headers=kind).json()["status"]
            == "pending"
        )
        return self("POST", f"{here}/{name}/commit").json()


@pytest.fixture
def deposit(site):
    return Depositor(site)


def test_a_record_comes_in_the_shape_that_is_asked_for(site, record):
    old = get(site, f"/api/records/{record.id}").json()
    new = get(site, f"/api/records/{record.id}", headers=RDM).json()
    assert old["id"] == record.id
    assert old["conceptrecid"] == str(record.concept)
    assert [file["key"] for file in old["files"]] == list(BYTES)
    assert new["id"] == str(record.id)
    assert new["files"]["entries"]["scan.bin"]["size"] == len(BYTES["scan.bin"])
    assert old["metadata"]["relations"]["version"][0]["index"] == 0
    assert new["versions"] == {"is_latest": True, "index": 1}


@pytest.mark.parametrize(
    ("accept", "status", "text"),
    [
        ("application/x-bibtex", 200, "@misc"),
        ("application/ld+json", 200, "schema.org"),
        ("text/x-bibliography", 200, "Doe"),
        ("application/x-dc+xml", 200, "<dc:title>"),
        ("application/pdf", 406, "Accept"),
    ],
)
def test_a_record_is_cited_in_many_forms(site, record, accept, status, text):
    answer = get(site, f"/api/records/{record.id}", headers={"Accept": accept})
    assert answer.status_code == status
    assert text in answer.text


def test_every_answer_states_the_rate_limit_and_records_their_revision(site, record):
    answer = get(site, f"/api/records/{record.id}")
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
    assert all(name in answer.headers for name in names)
    assert answer.headers["ETag"] == '"1"'
    assert 'rel="linkset"' in answer.headers["Link"]
    assert all(name in get(site, "/api/nothing").headers for name in names)


def test_a_concept_leads_to_its_latest_version(site, record):
    second = site.publish(BYTES, concept=record.concept)
    plain = get(site, f"/api/records/{record.concept}", allow_redirects=False)
    assert plain.status_code == 302
    assert plain.headers["Location"] == f"{site.api}/records/{second.id}"
    for number in (record.id, record.concept):
        answer = get(site, f"/api/records/{number}/versions/latest", allow_redirects=False)
        assert answer.status_code == 301
        assert answer.json()["location"].endswith(str(second.id))
    for doi in (record.concept_doi, second.doi):
        assert get(site, f"/doi-resolver/{doi}").url == f"{site.url}/records/{second.id}"
    found = get(site, f"/api/records/{record.id}/versions").json()
    assert [hit["id"] for hit in found["hits"]["hits"]] == [second.id, record.id]


def test_old_addresses_lead_to_the_present_ones(site, record):
    assert get(site, f"/record/{record.id}").url == f"{site.url}/records/{record.id}"
    file = get(site, f"/records/{record.id}/files/scan.bin?download=1")
    assert file.content == BYTES["scan.bin"]
    assert get(site, "/api/records/").url == f"{site.api}/records"


@pytest.mark.parametrize(
    ("sent", "status", "stated", "part"),
    [
        ("bytes=10-19", 206, "bytes 10-19/10240", slice(10, 20)),
        ("bytes=10000-", 206, "bytes 10000-10239/10240", slice(10000, None)),
        ("bytes=-5", 206, "bytes 10235-10239/10240", slice(-5, None)),
        ("bytes=10240-", 416, "bytes */10240", None),
        ("bytes=1-2,5-6", 200, None, slice(None)),
    ],
)
def test_ranges_are_served(site, record, sent, status, stated, part):
    answer = content(site, record, Range=sent)
    assert answer.status_code == status
    assert answer.headers.get("Content-Range") == stated
    if part is not None:
        assert answer.content == BYTES["scan.bin"][part]


def test_a_changed_file_is_sent_whole_to_those_who_have_the_old_one(site, record):
    tag = content(site, record).headers["ETag"]
    assert content(site, record, Range="bytes=5-", If_Range=tag).status_code == 206
    site.change(record.id, "scan.bin", b"other")
    answer = content(site, record, Range="bytes=2-", If_Range=tag)
    assert (answer.status_code, answer.content) == (200, b"other")
    document = get(site, f"/api/records/{record.id}").json()
    assert document["revision"] == 2
    assert hashlib.md5(b"other").hexdigest() in str(document["files"])


@pytest.mark.parametrize(
    ("options", "header", "there"),
    [
        ({"ranges": False}, "Accept-Ranges", False),
        ({"etag": False}, "ETag", False),
        ({"chunked": True}, "Content-Length", False),
        ({}, "ETag", True),
    ],
    ids=str,
)
def test_headers_of_files_can_be_switched_off(options, header, there):
    with StandIn(**options) as site:
        answer = content(site, site.publish(BYTES))
        assert answer.content == BYTES["scan.bin"]
        assert (header in answer.headers) == there


def test_text_can_be_compressed_on_the_fly():
    with StandIn(gzip=True) as site:
        record = site.publish(BYTES)
        plain = content(site, record, "bundle.json")
        packed = content(site, record, "bundle.json", Accept_Encoding="gzip")
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["ETag"].startswith("W/")
        assert packed.content == plain.content == BYTES["bundle.json"]


def test_latency_is_added():
    with StandIn(added_latency=0.1) as site:
        began = time.monotonic()
        get(site, "/")
        assert time.monotonic() - began > 0.1


def test_a_withdrawn_record_is_gone(site, record):
    site.withdraw(record.id, note="wrong units")
    answer = get(site, f"/api/records/{record.id}")
    assert answer.status_code == 410
    assert answer.json()["tombstone"]["note"] == "wrong units"
    assert get(site, f"/records/{record.id}").status_code == 410
    hidden = site.publish(BYTES)
    site.withdraw(hidden.id, visible=False)
    assert get(site, f"/api/records/{hidden.id}").status_code == 404


@pytest.mark.parametrize("access", ["restricted", "embargoed"])
def test_restricted_files_are_seen_by_their_owner_only(site, access):
    record = site.publish(BYTES, access=access)
    assert get(site, f"/api/records/{record.id}").json()["files"] == []
    new = get(site, f"/api/records/{record.id}", headers=RDM).json()
    assert new["files"] == {"enabled": True}
    assert new["access"]["status"] == access
    assert content(site, record).status_code == 403
    assert get(site, f"/api/records/{record.id}/files").status_code == 403
    assert content(site, record, Authorization=f"Bearer {site.token()}").status_code == 200
    assert content(site, record, Authorization=f"Bearer {site.token(user='2')}").status_code == 403
    assert content(site, record, Authorization="Bearer wrong").status_code == 401


def test_hostile_names_have_working_links(site):
    hostile = {"../x": b"1", "/etc/passwd": b"2", "a/b c.txt": b"3", "100%.txt": b"4"}
    record = site.publish(hostile)
    for file in get(site, f"/api/records/{record.id}").json()["files"]:
        answer = requests.get(file["links"]["self"], timeout=10)
        assert answer.content == hostile[file["key"]]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("gluinos", 1),
        ('"scan of gluinos"', 1),
        ("toy AND NOT gluinos", 2),
        ("gluinos OR squarks", 2),
        ("title:squarks", 1),
        ("keywords:limen-bundle", 1),
        ('metadata.subjects.subject:"limen-bundle"', 1),
        ('doi:"10.5281/zenodo.7000002"', 1),
        ("conceptrecid:7000001", 1),
        ("parent.id:7000001", 1),
        ("communities:limen", 1),
        ("publication_date:[2026 TO 2027]", 3),
        ("(gluinos OR squarks) AND toy", 2),
    ],
)
def test_search_understands(site, record, query, count):
    subjects = {"subjects": [{"subject": "limen-bundle"}]}
    site.publish(BYTES, title="Toy scan of squarks", metadata=subjects)
    site.publish(BYTES, title="A toy")
    assert get(site, "/api/records", params={"q": query}).json()["hits"]["total"] == count


@pytest.mark.parametrize("query", ['"open', "doi:10.1/x", "AND", "(a", "a OR"])
def test_search_refuses_what_it_cannot_read(site, query):
    answer = get(site, "/api/records", params={"q": query})
    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid query string syntax."


def test_search_gives_pages_of_limited_size(site):
    for i in range(5):
        site.publish({"a": b"1"}, title=f"Scan {i}", community="limen")
    url, titles = f"{site.api}/communities/limen/records?size=2&sort=oldest", []
    while url:
        answer = requests.get(url, timeout=10).json()
        titles += [hit["title"] for hit in answer["hits"]["hits"]]
        url = answer["links"].get("next")
    assert titles == [f"Scan {i}" for i in range(5)]
    refused = get(site, "/api/records?size=26")
    assert refused.status_code == 400
    assert "cannot be greater than 25" in refused.text
    headers = {"Authorization": f"Bearer {site.token()}"}
    assert get(site, "/api/records?size=100", headers=headers).status_code == 200
    assert get(site, "/api/records?size=25&page=401").status_code == 400


def test_search_ignores_a_community_that_does_not_exist(site, record):
    site.publish(BYTES)
    assert get(site, "/api/records?communities=nothing").json()["hits"]["total"] == 2
    assert get(site, "/api/records?communities=limen").json()["hits"]["total"] == 1
    assert get(site, "/api/communities/nothing").status_code == 404


def test_search_shows_old_versions_only_when_asked(site, record):
    site.publish(BYTES, concept=record.concept)
    assert get(site, "/api/records").json()["hits"]["total"] == 1
    assert get(site, "/api/records?all_versions=true").json()["hits"]["total"] == 2


def test_a_draft_is_filled_reserved_and_published(site, deposit):
    draft = deposit("POST", "/records", json={}).json()
    number = draft["id"]
    assert {fault["field"] for fault in draft["errors"]} >= {"metadata.title", "metadata.creators"}
    reserved = deposit("POST", f"/records/{number}/draft/pids/doi")
    assert reserved.status_code == 201
    assert deposit("POST", f"/records/{number}/draft/pids/doi").status_code == 400
    done = deposit.put(number, "bundle.json", BYTES["bundle.json"])
    assert done["checksum"] == "md5:" + hashlib.md5(BYTES["bundle.json"]).hexdigest()
    assert get(site, f"/api/records/{number}").status_code == 404
    document = {**DRAFT, "pids": reserved.json()["pids"]}
    put = deposit("PUT", f"/records/{number}/draft", json=document)
    assert "errors" not in put.json()
    stale = {"If-Match": "1"}
    assert (
        deposit("PUT", f"/records/{number}/draft", json=document, headers=stale).status_code == 412
    )
    published = deposit("POST", f"/records/{number}/draft/actions/publish")
    assert published.status_code == 202
    assert published.json()["pids"]["doi"]["identifier"] == f"10.5281/zenodo.{number}"
    assert get(site, f"/api/records/{number}").status_code == 200
    assert site.files(int(number)) == {"bundle.json": BYTES["bundle.json"]}
    assert deposit("POST", f"/records/{number}/draft/actions/publish").status_code == 404


def test_faults_of_a_draft_come_in_the_rdm_shape_only_and_stop_publishing(deposit):
    metadata = {**DRAFT["metadata"], "colour": "red", "publication_date": "soon"}
    number = deposit("POST", "/records", json={"metadata": metadata}).json()["id"]
    put = deposit("PUT", f"/records/{number}/draft", json={"metadata": metadata})
    assert put.status_code == 200
    fields = [fault["field"] for fault in put.json()["errors"]]
    assert fields == ["metadata.colour", "metadata.publication_date"]
    old = deposit(
        "PUT", f"/records/{number}/draft", json={"metadata": metadata}, headers={"Accept": "*/*"}
    )
    assert "errors" not in old.json()
    refused = deposit("POST", f"/records/{number}/draft/actions/publish")
    assert refused.status_code == 400
    assert "files.enabled" in str(refused.json()["errors"])


def test_a_reserved_doi_that_is_not_echoed_stops_publishing(deposit):
    number = deposit("POST", "/records", json=DRAFT).json()["id"]
    deposit("POST", f"/records/{number}/draft/pids/doi")
    deposit.put(number, "a", b"1")
    deposit("PUT", f"/records/{number}/draft", json=DRAFT)
    refused = deposit("POST", f"/records/{number}/draft/actions/publish")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "pids.doi")


def test_a_new_version_takes_over_files_but_not_the_date(site, deposit, record):
    assert deposit("POST", f"/records/{record.concept}/versions").status_code == 404
    fresh = deposit("POST", f"/records/{record.id}/versions").json()
    number = fresh["id"]
    assert deposit("POST", f"/records/{record.id}/versions").json()["id"] == number
    assert fresh["versions"]["index"] == 2
    assert fresh["metadata"].keys().isdisjoint({"version", "publication_date"})
    here = f"/records/{number}/draft/actions/files-import"
    assert deposit("POST", here).status_code == 201
    again = deposit("POST", here)
    assert (again.status_code, again.json()["message"]) == (400, "Please remove all files first.")
    deposit("DELETE", f"/records/{number}/draft/files/bundle.json")
    deposit.put(number, "bundle.json", b"{}")
    deposit("PUT", f"/records/{number}/draft", json=DRAFT)
    assert deposit("POST", f"/records/{number}/draft/actions/publish").status_code == 202
    assert site.files(int(number)) == {**BYTES, "bundle.json": b"{}"}
    assert site.files(record.id) == BYTES


def test_an_edit_is_discarded_and_files_of_a_record_are_locked(deposit, record):
    assert deposit("GET", f"/records/{record.id}/draft").status_code == 404
    assert deposit("POST", f"/records/{record.id}/draft").status_code == 201
    locked = deposit("POST", f"/records/{record.id}/draft/files", json=[{"key": "x"}])
    assert locked.status_code == 403
    assert deposit("DELETE", f"/records/{record.id}/draft").status_code == 204
    assert deposit("GET", f"/records/{record.id}/draft").status_code == 404


@pytest.mark.parametrize(
    ("options", "entries", "message"),
    [
        ({"max_files": 1}, [{"key": "a"}, {"key": "b"}], "exceeding the max amount"),
        ({}, [{"key": "a", "size": 0}], "Empty files are not accepted."),
        ({"quota": 10}, [{"key": "a", "size": 11}], "File size limit exceeded."),
        ({}, [{"key": "a"}, {"key": "a"}], "already exists"),
        ({}, [{"key": "a", "transfer": {"type": "M"}}], "Permission denied."),
    ],
)
def test_uploads_are_limited(options, entries, message):
    with StandIn(**options) as site:
        deposit = Depositor(site)
        number = deposit("POST", "/records", json={}).json()["id"]
        refused = deposit("POST", f"/records/{number}/draft/files", json=entries)
        assert refused.status_code in (400, 403)
        assert message in refused.json()["message"]


def test_bodies_are_checked(site, deposit):
    number = deposit("POST", "/records", json={}).json()["id"]
    here = f"/records/{number}/draft/files"
    deposit("POST", here, json=[{"key": "a", "size": 3}])
    assert deposit("PUT", f"{here}/a/content", json={}).status_code == 415
    kind = {"Content-Type": "application/octet-stream"}
    assert deposit("PUT", f"{here}/a/content", data=b"12", headers=kind).status_code == 400
    assert deposit("POST", "/records", data=b"{}").status_code == 415
    site.options.max_body = 10
    large = deposit("POST", "/records", json=DRAFT)
    assert (large.status_code, large.headers["Content-Type"][:9]) == (413, "text/html")


def test_depositing_needs_a_token_of_the_right_scope(site):
    assert requests.post(f"{site.api}/records", json={}, timeout=10).status_code == 403
    deposit = Depositor(site)
    number = deposit("POST", "/records", json={}).json()["id"]
    deposit.headers["Authorization"] = f"Bearer {site.token('deposit:write')}"
    assert deposit("POST", f"/records/{number}/draft/actions/publish").status_code == 403
    deposit.headers["Authorization"] = f"Bearer {site.token(user='2')}"
    assert deposit("GET", f"/records/{number}/draft").status_code == 403
    assert deposit("GET", "/user/records?q=is_published:false").json()["hits"]["total"] == 0


def test_a_community_may_review_a_draft(site, deposit):
    community = site.community("limen")
    number = deposit("POST", "/records", json=DRAFT).json()["id"]
    deposit.put(number, "a", b"1")
    body = {"receiver": {"community": community}, "type": "community-submission"}
    assert deposit("PUT", f"/records/{number}/draft/review", json=body).status_code == 200
    submitted = deposit("POST", f"/records/{number}/draft/actions/submit-review")
    assert submitted.status_code == 202
    assert get(site, f"/api/records/{number}").status_code == 404
    site.accept(int(number))
    assert get(site, "/api/communities/limen/records").json()["hits"]["total"] == 1


def test_a_published_record_may_stay_invisible_for_a_while():
    with StandIn(publish_delay=0.3) as site:
        deposit = Depositor(site)
        number = deposit("POST", "/records", json=DRAFT).json()["id"]
        deposit.put(number, "a", b"1")
        site.fail(Fault("POST", ".*/actions/publish", delay_after=True))
        assert deposit("POST", f"/records/{number}/draft/actions/publish").status_code == 504
        assert get(site, f"/api/records/{number}").status_code == 404
        time.sleep(0.35)
        assert get(site, f"/api/records/{number}").status_code == 200


def test_the_old_interface_acts_on_the_same_drafts(site, deposit):
    site.community("limen")
    old = {"title": "Old one", "upload_type": "dataset", "description": "x", "keywords": ["bsm"]}
    old |= {
        "creators": [{"name": "Doe, Jane"}],
        "communities": [{"identifier": "limen"}, {"identifier": "no"}],
    }
    refused = deposit("POST", "/deposit/depositions", json={"title": "x"})
    assert refused.json()["errors"][0] == {"field": "title", "messages": ["Unknown field."]}
    made = deposit("POST", "/deposit/depositions", json={"metadata": old}).json()
    assert made["metadata"]["prereserve_doi"]["doi"].startswith("10.5281/")
    kind = {"Content-Type": "application/octet-stream"}
    put = deposit("PUT", f"{made['links']['bucket']}/a.txt", data=b"abc", headers=kind)
    assert (put.status_code, put.json()["size"]) == (201, 3)
    form = deposit("POST", made["links"]["files"], data={"name": "b.txt"}, files={"file": b"xyz"})
    assert form.json()["filesize"] == 3
    assert deposit("GET", f"/records/{made['id']}/draft").json()["files"]["count"] == 2
    done = deposit("POST", made["links"]["publish"])
    assert (done.status_code, done.json()["state"]) == (202, "done")
    document = get(site, f"/api/records/{made['id']}").json()
    assert document["metadata"]["communities"] == [{"id": "limen"}]
    assert document["metadata"]["license"] == {"id": "cc0-1.0"}
    fresh = deposit("POST", done.json()["links"]["newversion"])
    assert fresh.status_code == 201
    assert [file["filename"] for file in fresh.json()["files"]] == ["a.txt", "b.txt"]
    assert deposit("POST", done.json()["links"]["newversion"]).status_code == 400


def test_the_rate_limit_counts(site, record):
    site.rate_limit(2, window=0.5)
    answers = [get(site, f"/api/records/{record.id}") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[1].headers["X-RateLimit-Remaining"] == "0"
    assert answers[2].json()["status"] == 429
    time.sleep(0.5)
    assert get(site, f"/api/records/{record.id}").status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "kind", "text"),
    [
        (Fault(status=429, headers={"Retry-After": "7"}), 429, "application/json", "429"),
        (Fault(status=503), 503, "text/html", "503"),
        (Fault(status=403, body="blocked"), 403, "text/plain", "blocked"),
        (Fault(html=True), 200, "text/html", "<html>"),
        (Fault(body=b'{"a": 1}'), 200, "application/json", "a"),
    ],
)
def test_a_fault_answers_something_else_once(site, record, fault, status, kind, text):
    site.fail(fault)
    answer = content(site, record)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(kind)
    assert text in answer.text
    assert fault.headers.items() <= answer.headers.items()
    assert content(site, record).content == BYTES["scan.bin"]


def test_a_fault_spoils_bytes(site, record):
    site.fail(Fault(path=".*/content$", flip=300))
    spoilt = content(site, record).content
    assert [
        i for i, (a, b) in enumerate(zip(spoilt, BYTES["scan.bin"], strict=True)) if a != b
    ] == [300]


@pytest.mark.parametrize("fault", [Fault(cut=100), Fault(reset=True)], ids=["cut", "reset"])
def test_a_fault_breaks_the_connection(site, record, fault):
    site.fail(fault)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        content(site, record)
    assert site.log[-1].sent_bytes == (fault.cut or 0)
    assert content(site, record).status_code == 200


@pytest.mark.parametrize("cut", [None, 100])
def test_a_fault_stalls(site, record, cut):
    site.fail(Fault(stall=0.2, cut=cut))
    began = time.monotonic()
    assert content(site, record).content == BYTES["scan.bin"]
    assert time.monotonic() - began > 0.2


def test_a_fault_makes_ranges_wrong(site, record):
    site.fail(Fault(drop_range=True))
    assert content(site, record, Range="bytes=5-").status_code == 200
    site.fail(Fault(wrong_range=True))
    answer = content(site, record, Range="bytes=5-")
    assert answer.headers["Content-Range"] == "bytes 6-10240/10240"


def test_a_fault_leads_elsewhere_and_hits_only_its_path(site, record):
    with StandIn() as other:
        site.fail(Fault("GET", ".*/content$", times=None, redirect=f"{other.url}/x"))
        assert get(site, f"/api/records/{record.id}").status_code == 200
        content(site, record, Authorization=f"Bearer {site.token()}")
        assert other.log[0].path == "/x"
        assert "Authorization" not in other.log[0].headers


def test_the_log_tells_requests_apart(site, record):
    content(site, record)
    entry = site.log[-1]
    assert (entry.method, entry.status, entry.sent_bytes) == ("GET", 200, 10240)
    assert entry.headers["Host"] in site.url
    site.clear_log()
    assert site.log == []


def test_a_large_record_has_no_archive(site, record):
    answer = get(site, f"/api/records/{record.id}/files-archive")
    assert answer.content[:2] == b"PK"
    assert "Content-Length" not in answer.headers
    site.options.archive_limit = 10
    refused = get(site, f"/api/records/{record.id}/files-archive")
    assert "up to 10 bytes" in refused.json()["message"]


def test_other_archives_give_the_rdm_shape_to_everyone():
    with StandIn(zenodo=False) as site:
        record = site.publish(BYTES)
        assert isinstance(get(site, f"/api/records/{record.id}").json()["files"], dict)


def test_one_command_serves_folders_of_bundles(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "bundle.json").write_text('{"title": "A toy"}')
    command = [sys.executable, "-m", "standin", "--folder", str(tmp_path), "--token", "abc"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith("export ZENODO_SANDBOX_TOKEN"):
            lines.append(process.stdout.readline())
            assert lines[-1]
        assert lines[1].startswith("# 10.5281/zenodo.7000002  A toy")
        zenodo, sandbox = re.findall(r"http://\S+", lines[0])
        given = dict(line.removeprefix("export ").strip().split("=") for line in lines[3:])
        tables = tomllib.loads(Path(given["LIMEN_SITES"]).read_text())
        assert (tables["zenodo"]["url"], tables["sandbox"]["url"]) == (zenodo, sandbox)
        assert given["ZENODO_TOKEN"] == given["ZENODO_SANDBOX_TOKEN"] == "abc"
        for url, bundles in ((zenodo, 1), (sandbox, 0)):
            query = {"q": 'keywords:"limen-bundle" AND toy'}
            answer = requests.get(f"{url}/api/records", query, timeout=10)
            assert answer.json()["hits"]["total"] == bundles
        process.terminate()
        assert process.wait(10) == 0
        assert not Path(given["LIMEN_CACHE"]).parent.exists()


@pytest.fixture
def judge(site, tmp_path):
    """Give a way to run a foreign client, unmodified, under the real names."""
    with behind_proxy(site, tmp_path) as (environment, proxy):
        kept = {key: value for key, value in os.environ.items() if "PROXY" not in key.upper()}
        kept |= environment | {"HOME": str(tmp_path), "PYSTOW_HOME": str(tmp_path / "pystow")}

        def run(*command):
            done = subprocess.run(
                command if command[0] == "curl" else [sys.executable, *command],
                env=kept,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert proxy.refused == []
            return done.stdout

        yield run


def test_links_behind_the_proxy_carry_the_real_name(record, judge):
    code = (
        f"import requests; print(requests.get('https://zenodo.org/api/records/{record.id}').text)"
    )
    assert f"https://zenodo.org/api/records/{record.id}/files/scan.bin/content" in judge("-c", code)


def test_the_proxy_refuses_every_other_host(site, tmp_path):
    with behind_proxy(site, tmp_path) as (environment, proxy):
        proxies = {"https": environment["HTTPS_PROXY"]}
        with pytest.raises(requests.exceptions.ProxyError):
            requests.get("https://example.org/", proxies=proxies, timeout=10)
        assert proxy.refused == ["example.org:443"]


def test_pooch_downloads_by_doi(record, judge, tmp_path):
    code = (
        "import pooch, sys; doi, folder = sys.argv[1:]\n"
        "found = pooch.create(folder, base_url=f'doi:{doi}/')\n"
        "found.load_registry_from_doi()\n"
        "print(sorted(found.registry)); found.fetch('scan.bin')"
    )
    assert str(sorted(BYTES)) in judge("-c", code, record.doi, str(tmp_path / "got"))
    assert (tmp_path / "got" / "scan.bin").read_bytes() == BYTES["scan.bin"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl_resumes_a_broken_download(site, record, judge, tmp_path):
    (tmp_path / "part").write_bytes(BYTES["scan.bin"][:5000])
    url = f"https://zenodo.org/api/records/{record.id}/files/scan.bin/content"
    judge("curl", "--silent", "--fail", "-C", "-", "-o", "part", url)
    assert (tmp_path / "part").read_bytes() == BYTES["scan.bin"]
    assert site.log[-1].sent_bytes == 5240


@pytest.mark.parametrize("what", ["id", "concept", "doi"])
def test_zenodo_get_downloads(record, judge, tmp_path, what):
    judge("-m", "zenodo_get", "-o", str(tmp_path / "got"), str(getattr(record, what)))
    assert (tmp_path / "got" / "scan.bin").read_bytes() == BYTES["scan.bin"]


def test_zenodo_client_deposits_renews_and_downloads(site, judge, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"first")
    code = (
        "import sys; from pathlib import Path; from zenodo_client import *\n"
        "client = Zenodo(access_token=sys.argv[1])\n"
        "data = Metadata(title='A toy', upload_type='dataset', description='x',\n"
        "                creators=[Creator(name='Doe, Jane')])\n"
        "made = client.create(data, ['a.txt']).json()\n"
        "Path('a.txt').write_bytes(b'second')\n"
        "print(client.update(made['id'], ['a.txt']).json()['id'])\n"
        "print(client.download_latest(made['conceptrecid'], 'a.txt').read_bytes())\n"
        "print(client.download(made['id'], 'a.txt').read_bytes())"
    )
    shown = judge("-c", code, site.token()).split()
    assert shown == ["7000003", "b'second'", "b'first'"]
    assert site.files(7000002) == {"a.txt": b"first"}
