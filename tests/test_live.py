"""The same at the real archives: only with LIMEN_LIVE=1, read-only at Zenodo itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from limen.bundle import open_bundle
from limen_zenodo.client import Client
from limen_zenodo.depositing import deposit
from limen_zenodo.identifiers import parse_identifier
from limen_zenodo.manifests import read_manifest
from limen_zenodo.publishing import publish
from limen_zenodo.records import Record, find_record
from limen_zenodo.sites import PRODUCTION, SANDBOX

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.environ.get("LIMEN_LIVE") != "1", reason="set LIMEN_LIVE=1 to run it"),
]


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep journals and caches of these tests apart."""
    monkeypatch.setenv("LIMEN_CACHE", str(tmp_path / "cache"))


def test_a_small_file_of_zenodo_has_the_md5_that_its_record_states():
    with Client(PRODUCTION) as client:
        params = {"type": "dataset", "size": "10", "sort": "mostviewed"}
        hits = client.get_json("/records", params)["hits"]["hits"]
        records = [find_record(client, parse_identifier(str(hit["id"]))) for hit in hits]
        files = [f for r in records for f in r.files.values() if 0 < f.size < 10**6]
        assert all(record.doi and record.concept for record in records)
        assert files
        file = min(files, key=lambda file: file.size)
        with client.stream(file.url) as response:
            data = b"".join(response.iter_content(65_536))
    assert (len(data), hashlib.md5(data).hexdigest()) == (file.size, file.md5)


@pytest.mark.skipif(not os.environ.get(SANDBOX.token_variable), reason="needs a sandbox token")
def test_a_bundle_goes_to_the_sandbox_and_its_next_version_too(bundle_path, tmp_path):
    draft = deposit(bundle_path)
    assert deposit(bundle_path).id == draft.id
    first = publish(draft)
    assert isinstance(first, Record)
    assert set(first.files) == set(draft.files)
    with Client(SANDBOX) as client:
        document, _ = read_manifest(client, find_record(client, parse_identifier(first.doi)))
    assert document["doi"] == first.doi
    assert document["concept_doi"] == first.concept_doi

    def amend(change):
        change.manifest["title"] = "Second edition"

    open_bundle(bundle_path).next_version(tmp_path / "second", None, amend)
    later = publish(deposit(tmp_path / "second"))
    assert isinstance(later, Record)
    assert later.concept == first.concept
