"""
Answers of the stand-in archive: against a schema written from known answers, and golden files.

The golden records, ``tests/data/archive/record.*.json``, are made again by
``python tests/test_shapes.py``. The schema beside them is written by hand from what Zenodo
documents and was seen to answer; it never follows the stand-in.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from limen_zenodo.records import parse_record
from limen_zenodo.sites import PRODUCTION
from standin import StandIn

DATA = Path(__file__).parent / "data" / "archive"
ZENODO = "application/json"
RDM = "application/vnd.inveniordm.v1+json"
SHAPES = {"zenodo": ZENODO, "rdm": RDM}
FILES = {"bundle.json": b'{"id": "toy"}', "a b.bin": bytes(range(256))}
METADATA = {
    "title": "Toy scan bundle",
    "creators": [
        {
            "person_or_org": {
                "type": "personal",
                "family_name": "Doe",
                "given_name": "Jane",
                "identifiers": [{"scheme": "orcid", "identifier": "0000-0002-1825-0097"}],
            },
            "affiliations": [{"name": "X"}],
        }
    ],
    "subjects": [{"subject": "limen-bundle"}],
    "related_identifiers": [
        {
            "identifier": "2601.00001",
            "scheme": "arxiv",
            "relation_type": {"id": "issupplementto"},
        }
    ],
}
DRAFT = {
    "files": {"enabled": True},
    "metadata": METADATA
    | {"resource_type": {"id": "dataset"}, "publication_date": "2026-02-03", "version": "1.0.0"},
}


def record_of(site: StandIn, shape: str) -> dict[str, Any]:
    """Publish a record and read it in one shape."""
    number = site.publish(FILES, "Toy scan bundle", METADATA, community="my-community").id
    answer = requests.get(
        f"{site.api}/records/{number}", headers={"Accept": SHAPES[shape]}, timeout=10
    )
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def golden(site: StandIn, shape: str) -> str:
    """Give a record as it is stored: without what differs from run to run."""
    text = json.dumps(record_of(site, shape), indent=1, ensure_ascii=False, sort_keys=True)
    for pattern, fixed in (
        (re.escape(site.resolver), "https://doi.org"),
        (re.escape(site.url), "https://zenodo.org"),
        (re.escape(site.url.partition("://")[2]), "zenodo.org"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "2026-02-03T10:00:00.000001+00:00"),
        (r"[0-9a-f]{8}-[0-9a-f-]{27}", "3c1f0000-0000-4000-8000-000000000000"),
    ):
        text = re.sub(pattern, fixed, text)
    return text + "\n"


def path_of(shape: str) -> Path:
    return DATA / f"record.{shape}.json"


def faults(document: Any, name: str) -> list[str]:
    """Say where a document is not what the schema's definition demands."""
    schema = json.loads((DATA / "answers.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema | {"$ref": f"#/$defs/{name}"})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


@pytest.fixture
def site():
    with StandIn() as started:
        yield started


@pytest.fixture
def ask(site):
    """Ask the stand-in as its user; gives status and document."""
    token = site.token()

    def call(method, path, accept=RDM, body=None, guest=False, **headers):
        sent = {"Accept": accept} | {key.replace("_", "-"): v for key, v in headers.items()}
        if not guest:
            sent["Authorization"] = f"Bearer {token}"
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        answer = requests.request(
            method,
            f"{site.api}{path}",
            headers=sent,
            timeout=10,
            allow_redirects=False,
            **(content if body is not None else {}),
        )
        return answer.status_code, answer.json()

    return call


# Golden files


@pytest.mark.parametrize("shape", SHAPES)
def test_a_record_is_the_stored_one(site, shape):
    assert golden(site, shape) == path_of(shape).read_text(encoding="utf-8")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stored_record_fits_the_schema(shape):
    document = json.loads(path_of(shape).read_text(encoding="utf-8"))
    assert faults(document, f"{shape}_published") == []


def test_stored_records_of_both_shapes_are_one_record_to_the_client():
    first, second = (
        parse_record(json.loads(path_of(shape).read_text(encoding="utf-8")), PRODUCTION)
        for shape in SHAPES
    )
    for name in ("id", "concept", "doi", "concept_doi", "title", "version", "latest", "access"):
        assert getattr(first, name) == getattr(second, name)
    assert first.files == second.files
    assert first.file("a b.bin").url.endswith("/files/a%20b.bin/content")


@pytest.mark.parametrize(
    ("shape", "path", "value"),
    [
        ("zenodo", ["id"], "7000002"),
        ("zenodo", ["conceptrecid"], 7000001),
        ("zenodo", ["files", 0, "checksum"], "f586238a27856ecdb6e9cb24da286f36"),
        ("zenodo", ["files", 0, "links", "self"], "https://zenodo.org/api/files/1/a"),
        ("zenodo", ["metadata", "relations", "version", 0, "count"], 1),
        ("rdm", ["id"], 7000002),
        ("rdm", ["versions", "index"], 0),
        ("rdm", ["status"], "waiting"),
        ("rdm", ["files", "entries", "bundle.json", "checksum"], "md5:1"),
        ("rdm", ["metadata", "creators", 0, "person_or_org"], {"type": "personal"}),
    ],
)
def test_the_schema_refuses_what_an_archive_never_answers(shape, path, value):
    document = json.loads(path_of(shape).read_text(encoding="utf-8"))
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert faults(document, f"{shape}_published")


# Every answer


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("access", ["open", "restricted", "embargoed"])
def test_records_of_each_access_fit(site, ask, shape, access):
    number = site.publish(FILES, access=access).id
    status, document = ask("GET", f"/records/{number}", SHAPES[shape], guest=True)
    assert status == 200
    kind = "restricted" if (shape, access != "open") == ("rdm", True) else "published"
    assert faults(document, f"{shape}_{kind}") == []
    assert (document["files"] == []) == (shape == "zenodo" and access != "open")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("path", ["/records", "/records/{id}/versions", "/communities/hep/records"])
def test_lists_of_records_fit(site, ask, shape, path):
    first = site.publish(FILES, community="hep")
    site.publish(FILES, concept=first.concept)
    status, document = ask("GET", path.format(id=first.id), SHAPES[shape], guest=True)
    assert status == 200
    assert faults(document, f"{shape}_search") == []


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/records/{id}/files", 200, "files"),
        ("GET", "/records/{id}/files/bundle.json", 200, "file"),
        ("GET", "/records/{id}/versions/latest", 301, "moved"),
        ("GET", "/communities/hep", 200, "community"),
        ("GET", "/records/{gone}", 410, "gone"),
        ("GET", "/records/12", 404, "error"),
        ("GET", "/records/{id}/files/nothing", 404, "error"),
        ("GET", "/records/{closed}/files", 403, "error"),
        ("GET", "/records?q=%22open", 400, "error"),
        ("GET", "/records?size=26", 400, "error"),
        ("GET", "/communities/nobody", 404, "error"),
        ("POST", "/records", 403, "error"),
        ("DELETE", "/records/{id}", 405, "error"),
    ],
)
def test_other_answers_to_a_guest_fit(site, ask, method, path, status, name):
    numbers = {"id": site.publish(FILES, community="hep").id}
    numbers["gone"] = site.publish(FILES).id
    numbers["closed"] = site.publish(FILES, access="restricted").id
    site.withdraw(numbers["gone"])
    got, document = ask(method, path.format(**numbers), guest=True)
    assert got == status
    assert faults(document, name) == []


def test_a_refusal_for_too_many_requests_fits(site, ask):
    site.rate_limit(1)
    ask("GET", "/records", guest=True)
    status, document = ask("GET", "/records", guest=True)
    assert status == 429
    assert faults(document, "error") == []


def test_answers_on_the_way_of_a_draft_fit(site, ask):
    def fits(answer, status, name):
        assert answer[0] == status
        assert faults(answer[1], name) == []
        return answer[1]

    number = fits(ask("POST", "/records", body={}), 201, "rdm_draft")["id"]
    here = f"/records/{number}/draft"
    fits(ask("GET", here, ZENODO), 200, "zenodo_draft")
    reserved = fits(ask("POST", f"{here}/pids/doi"), 201, "rdm_draft")
    fits(ask("POST", f"{here}/pids/doi"), 400, "error")
    entries = [{"key": "a", "size": 3}]
    assert fits(ask("POST", f"{here}/files", body=entries), 201, "files")["entries"]
    kind = {"Content_Type": "application/octet-stream"}
    sent = fits(ask("PUT", f"{here}/files/a/content", body=b"abc", **kind), 200, "file")
    done = fits(ask("POST", f"{here}/files/a/commit"), 200, "file")
    assert (sent["status"], done["status"]) == ("pending", "completed")
    fits(ask("POST", f"{here}/actions/publish"), 400, "error")
    fits(ask("GET", "/user/records?q=is_published:false"), 200, "drafts")
    document = DRAFT | {"pids": {"doi": reserved["pids"]["doi"]}}
    assert "errors" not in fits(ask("PUT", here, body=document), 200, "rdm_draft")
    fits(ask("PUT", here, body=document, If_Match="1"), 412, "error")
    fits(ask("POST", f"{here}/actions/publish"), 202, "rdm_published")
    fits(ask("POST", f"{here}/actions/publish"), 404, "error")
    fresh = fits(ask("POST", f"/records/{number}/versions"), 201, "rdm_draft")
    assert (fresh["status"], fresh["versions"]["index"]) == ("new_version_draft", 2)
    imported = ask("POST", f"/records/{fresh['id']}/draft/actions/files-import")
    assert fits(imported, 201, "files")["entries"][0]["status"] == "completed"


def test_a_draft_that_a_community_reviews_says_so(site, ask):
    body = {"receiver": {"community": site.community("hep")}, "type": "community-submission"}
    number = ask("POST", "/records", body=DRAFT)[1]["id"]
    here = f"/records/{number}/draft"
    ask("POST", f"{here}/files", body=[{"key": "a", "size": 1}])
    ask("PUT", f"{here}/files/a/content", body=b"1", Content_Type="application/octet-stream")
    ask("POST", f"{here}/files/a/commit")

    def stage():
        status, document = ask("GET", here)
        assert status == 200
        assert faults(document, "rdm_draft") == []
        return document["status"]

    def did(method, path, given=None):
        return ask(method, f"{here}{path}", body=given)[0]

    assert stage() == "draft"
    assert did("POST", "/actions/submit-review") == 400
    assert did("PUT", "/review", body) == 200
    assert stage() == "draft_with_review"
    assert did("POST", "/actions/publish") == 400
    assert did("POST", "/actions/submit-review") == 202
    assert stage() == "in_review"
    for method, path, given in (
        ("POST", "/actions/submit-review", None),
        ("POST", "/actions/publish", None),
        ("PUT", "/review", body),
        ("DELETE", "", None),
    ):
        assert did(method, path, given) == 400
    site.decline(int(number))
    assert stage() == "declined"
    assert did("POST", "/actions/submit-review") == 400
    assert did("PUT", "/review", body) == 200
    assert did("POST", "/actions/submit-review") == 202
    site.accept(int(number))
    status, document = ask("GET", f"/records/{number}")
    assert (status, faults(document, "rdm_published")) == (200, [])
    assert document["parent"]["communities"]["entries"][0]["slug"] == "hep"


def test_the_old_interface_fits(site, ask):
    status, document = ask("POST", "/deposit/depositions", ZENODO, body={})
    assert (status, faults(document, "deposition")) == (201, [])
    status, found = ask("GET", f"/deposit/depositions/{document['id']}", ZENODO)
    assert (status, faults(found, "deposition")) == (200, [])


if __name__ == "__main__":
    for each in SHAPES:
        with StandIn() as started:
            path_of(each).write_text(golden(started, each), encoding="utf-8")
