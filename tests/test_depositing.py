"""Deposit and publication of bundles at the stand-in of an archive."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from limen.bundle import open_bundle
from limen.errors import DataError, FrozenError, IntegrityError, StorageError, UsageError
from limen_zenodo.access import Draft
from limen_zenodo.depositing import deposit
from limen_zenodo.errors import (
    AccessError,
    ChecksumError,
    DepositError,
    NetworkError,
    PublishUnknownError,
    RateLimitedError,
    RecordNotFoundError,
    ServiceUnavailableError,
    ZenodoError,
)
from limen_zenodo.journals import deposit_folder, load_deposit
from limen_zenodo.metadata import deposit_faults, record_document
from limen_zenodo.patience import Patience
from limen_zenodo.publishing import find_draft, publish
from limen_zenodo.records import Record
from limen_zenodo.sites import PRODUCTION, site_named
from standin import Fault, StandIn

LIMEN = [sys.executable, "-c", "from limen.cli import main; main()"]
QUICK = Patience(budget=1.0, first=0.01, longest=0.1)
SHORT = Patience(budget=0.15, first=0.02, longest=0.05)
CREATE = ("POST", r"/api/records")
CONTENT = ("PUT", r".*/files/[^/]+/content")
COMMIT = ("POST", r".*/commit")
PUBLISH = ("POST", r".*/actions/publish")


@pytest.fixture
def rehearsal(archive: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Give a second stand-in, which is the sandbox; ``archive`` is Zenodo itself."""
    with StandIn(doi_prefix="10.5072") as sandbox:
        path = Path(os.environ["LIMEN_SITES"])
        text = "".join(
            f'[{name}]\nurl = "{site.url}"\nresolver = "{site.resolver}"\n'
            f'doi_prefix = "{site.doi_prefix}/zenodo."\n'
            for name, site in (("zenodo", archive), ("sandbox", sandbox))
        )
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("ZENODO_SANDBOX_TOKEN", sandbox.token())
        monkeypatch.setenv("ZENODO_TOKEN", archive.token())
        yield sandbox


def _bytes(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


def _deposit(path: Path, **options: Any) -> Draft:
    return deposit(path, **{"deep": False, "patience": QUICK, **options})


def _publish(draft: str | Path | Draft, **options: Any) -> Record:
    record = publish(draft, **{"patience": QUICK, **options})
    assert isinstance(record, Record)
    return record


def _asked(site: StandIn, method: str, words: str) -> list[str]:
    return [entry.path for entry in site.log if entry.method == method and words in entry.path]


def _sent(site: StandIn) -> list[str]:
    return sorted(path.split("/")[-2] for path in _asked(site, "PUT", "/content"))


def _next(path: Path, target: Path, **changes: Any) -> Path:
    def amend(change: Any) -> None:
        change.manifest.update(changes)

    open_bundle(path).next_version(target, None, amend)
    return target


# The whole way.


def test_a_deposit_is_a_draft_with_a_doi_and_nothing_public(rehearsal, model_path):
    draft = _deposit(model_path, deep=True)
    assert draft.doi == f"10.5072/zenodo.{draft.id}"
    assert draft.page.startswith(rehearsal.url)
    assert not _asked(rehearsal, "POST", "publish")
    staged = open_bundle(draft.folder)
    assert staged.status == "frozen"
    assert staged.manifest["doi"] == draft.doi
    assert draft.doi in (draft.folder / "README.md").read_text(encoding="utf-8")
    assert sorted(draft.files) == sorted(draft.sent) == sorted(_bytes(draft.folder))


def test_the_sandbox_leaves_the_bundle_as_it_is(rehearsal, archive, bundle_path):
    before = _bytes(bundle_path)
    record = _publish(_deposit(bundle_path))
    assert record.doi.startswith(rehearsal.doi_prefix)
    assert _bytes(bundle_path) == before
    assert not archive.log


def test_what_is_published_is_the_staged_copy(rehearsal, bundle_path):
    draft = _deposit(bundle_path)
    record = _publish(draft)
    there = {name: (file.size, file.md5) for name, file in record.files.items()}
    assert there == {
        name: (len(data), hashlib.md5(data).hexdigest())
        for name, data in _bytes(draft.folder).items()
    }


def test_a_production_publication_is_adopted_by_the_bundle(rehearsal, archive, bundle_path):
    draft = _deposit(bundle_path, production=True)
    assert open_bundle(bundle_path).status == "draft"
    record = _publish(bundle_path, production=True)
    assert _bytes(bundle_path) == _bytes(draft.folder)
    opened = open_bundle(bundle_path)
    assert (opened.status, opened.manifest["doi"]) == ("frozen", record.doi)
    assert opened.manifest["concept_doi"] == record.concept_doi
    with pytest.raises(FrozenError), opened.edit():
        pass
    assert not rehearsal.log


def test_a_frozen_bundle_without_doi_is_deposited_and_adopts_it(rehearsal, bundle_path):
    open_bundle(bundle_path).freeze()
    _deposit(bundle_path, production=True)
    record = _publish(bundle_path, production=True)
    assert open_bundle(bundle_path).manifest["doi"] == record.doi


def test_publishing_again_says_that_it_is_published(rehearsal, bundle_path):
    draft = _deposit(bundle_path)
    first = _publish(draft)
    rehearsal.clear_log()
    assert _publish(draft.id).doi == first.doi
    assert {entry.method for entry in rehearsal.log} == {"GET"}


def test_an_adoption_that_was_missed_is_made_up_for(rehearsal, bundle_path):
    before = _bytes(bundle_path)
    draft = _deposit(bundle_path, production=True)
    _publish(draft, production=True)
    for name, data in before.items():
        (bundle_path / name).write_bytes(data)
    journal = draft.folder.parent / "deposit.json"
    journal.write_text(journal.read_text().replace('"adopted": true', '"adopted": false'))
    _publish(draft.id, production=True)
    assert open_bundle(bundle_path).manifest["doi"] == draft.doi


def test_a_bundle_that_changed_since_is_not_overwritten(rehearsal, bundle_path, caplog):
    draft = _deposit(bundle_path, production=True)
    with open_bundle(bundle_path).edit() as change:
        change.manifest["title"] = "Another title"
    with pytest.raises(DepositError, match="has changed since it was deposited"):
        publish(bundle_path, production=True, patience=QUICK)
    _publish(draft.id, production=True)
    assert open_bundle(bundle_path).manifest["title"] == "Another title"
    assert "left alone" in caplog.text


def test_an_edited_bundle_keeps_its_draft_and_doi(rehearsal, bundle_path):
    first = _deposit(bundle_path)
    with open_bundle(bundle_path).edit() as change:
        change.manifest["title"] = "A better title"
        (change.folder / "notes.txt").write_bytes(b"notes")
        change.roles["notes.txt"] = "attachment"
    second = _deposit(bundle_path)
    assert (second.id, second.doi) == (first.id, first.doi)
    assert "scan.zarr.zip" not in second.sent
    assert {"bundle.json", "notes.txt"} <= set(second.sent)
    assert _publish(second).title == "A better title"


def test_a_file_that_was_taken_out_leaves_the_draft(rehearsal, bundle_path):
    with open_bundle(bundle_path).edit() as change:
        change.write("notes.txt", "attachment", b"notes")
    _deposit(bundle_path)
    with open_bundle(bundle_path).edit() as change:
        del change.manifest["files"]["notes.txt"]
    (bundle_path / "notes.txt").unlink()
    assert "notes.txt" not in _publish(_deposit(bundle_path)).files


def test_depositing_again_sends_nothing(rehearsal, bundle_path):
    _deposit(bundle_path)
    rehearsal.clear_log()
    assert _deposit(bundle_path).sent == ()
    assert not _sent(rehearsal)
    assert not _asked(rehearsal, "POST", "")


def test_a_draft_deleted_on_its_page_is_made_anew(rehearsal, bundle_path, caplog):
    from limen_zenodo.client import Client

    first = _deposit(bundle_path)
    with Client(first.site, patience=QUICK) as client:
        client.send_json("DELETE", f"/records/{first.id}/draft")
    second = _deposit(bundle_path)
    assert second.id != first.id
    assert "is gone" in caplog.text
    assert _publish(second).id == second.id


def test_a_published_version_is_not_deposited_again(rehearsal, bundle_path):
    _publish(_deposit(bundle_path))
    with pytest.raises(DepositError, match="is published already"):
        _deposit(bundle_path)


def test_another_folder_with_the_same_name_is_told(rehearsal, bundle_path, tmp_path, caplog):
    first = _deposit(bundle_path)
    moved = bundle_path.rename(tmp_path / "moved")
    assert _deposit(moved).id == first.id
    assert f"was deposited from {bundle_path} before" in caplog.text


# New versions.


def test_a_new_version_belongs_to_the_concept_of_its_parent(rehearsal, bundle_path, tmp_path):
    _deposit(bundle_path, production=True)
    first = _publish(bundle_path, production=True)
    second = _next(bundle_path, tmp_path / "second", title="Second edition")
    draft = _deposit(second, production=True)
    assert open_bundle(draft.folder).manifest["concept_doi"] == first.concept_doi
    record = _publish(second, production=True)
    assert (record.concept, record.version) == (first.concept, "1.1.0")
    assert record.id != first.id
    relations = [
        (entry["relation_type"]["id"], entry["identifier"])
        for entry in record.metadata["related_identifiers"]
    ]
    assert ("isnewversionof", first.doi) in relations


def test_a_new_version_sends_only_what_changed(rehearsal, bundle_path, tmp_path):
    _publish(_deposit(bundle_path))
    draft = _deposit(_next(bundle_path, tmp_path / "second", title="Second edition"))
    assert "scan.zarr.zip" not in draft.sent
    assert "bundle.json" in draft.sent


def test_a_rehearsal_knows_the_version_rehearsed_before(rehearsal, bundle_path, tmp_path):
    first = _publish(_deposit(bundle_path))
    record = _publish(_deposit(_next(bundle_path, tmp_path / "second", title="Second")))
    assert record.concept == first.concept


def test_the_record_before_can_be_named(rehearsal, bundle_path):
    first = _publish(_deposit(bundle_path))
    with open_bundle(bundle_path).edit() as change:
        change.manifest |= {"id": "renamed", "title": "Under another name"}
    record = _publish(_deposit(bundle_path, new_version_of=first.doi))
    assert record.concept == first.concept


def test_a_selection_is_a_record_of_its_own(rehearsal, bundle_path, tmp_path):
    first = _publish(_deposit(bundle_path))
    other = _next(bundle_path, tmp_path / "other", id="toy-selection")
    assert _publish(_deposit(other)).concept != first.concept


def test_a_later_version_takes_over_the_open_draft(rehearsal, bundle_path, tmp_path):
    _publish(_deposit(bundle_path))
    second = _next(bundle_path, tmp_path / "second", title="Second")
    third = _next(bundle_path, tmp_path / "third", title="Third", version="2.0.0")
    draft = _deposit(second)
    assert _deposit(third).id == draft.id
    with pytest.raises(DepositError, match="was not deposited"):
        publish(second, patience=QUICK)
    assert _publish(third).version == "2.0.0"
    assert _deposit(second).id != draft.id


def test_the_same_again_is_refused(rehearsal, bundle_path, tmp_path):
    _publish(_deposit(bundle_path))
    rehearsal.clear_log()
    with pytest.raises(DepositError, match="nothing but its version"):
        _deposit(_next(bundle_path, tmp_path / "second"))
    assert {entry.method for entry in rehearsal.log} == {"GET"}


# Interruptions.


def test_a_killed_deposit_goes_on_in_the_same_draft(rehearsal, bundle_path):
    rehearsal.fail(Fault("PUT", r".*/files/scan\.zarr\.zip/content", stall=60.0))
    line = [*LIMEN, "deposit", str(bundle_path)]
    process = subprocess.Popen(line, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 20
        while "scan.zarr.zip" not in _sent(rehearsal) and time.monotonic() < limit:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = set(_sent(rehearsal)) - {"scan.zarr.zip"}
    assert before
    rehearsal.clear_log()
    draft = _deposit(bundle_path)
    assert not before & set(_sent(rehearsal))
    assert "scan.zarr.zip" in draft.sent
    assert not _asked(rehearsal, "POST", "/pids/doi")
    assert not [path for path in _asked(rehearsal, "POST", "") if path.endswith("/records")]
    assert set(_publish(draft).files) == set(draft.files)


def test_a_draft_made_just_before_the_end_is_found_again(rehearsal, bundle_path):
    rehearsal.fail(Fault(*CREATE, delay_after=True))
    rehearsal.fail(Fault("GET", r"/api/user/records", status=503, times=50))
    with pytest.raises(ServiceUnavailableError):
        _deposit(bundle_path, patience=SHORT)
    rehearsal.faults.clear()
    draft = _deposit(bundle_path)
    assert len([p for p in _asked(rehearsal, "POST", "") if p.endswith("/records")]) == 1
    assert draft.doi


def test_an_unclear_creation_makes_no_second_record(rehearsal, bundle_path):
    rehearsal.fail(Fault(*CREATE, delay_after=True))
    draft = _deposit(bundle_path)
    assert len([p for p in _asked(rehearsal, "POST", "") if p.endswith("/records")]) == 1
    assert [str(entry.id) for entry in rehearsal.drafts()] == [draft.id]
    assert _publish(draft).id == draft.id


def test_another_process_at_the_same_deposit_is_refused(rehearsal, bundle_path):
    from limen import resources

    draft = _deposit(bundle_path)
    with (
        resources.folder_lock(draft.folder.parent, wait=False),
        pytest.raises(StorageError, match="another process"),
    ):
        _deposit(bundle_path)


STEPS = {
    "create": CREATE,
    "reserve": ("POST", r".*/pids/doi"),
    "list files": ("GET", r".*/draft/files"),
    "announce": ("POST", r".*/draft/files"),
    "send": CONTENT,
    "commit": COMMIT,
    "describe": ("PUT", r".*/draft"),
}
TROUBLES = {
    "429": {"status": 429, "headers": {"Retry-After": "0"}},
    "503": {"status": 503},
    "reset": {"reset": True},
    "lost answer": {"delay_after": True},
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_a_deposit_survives_trouble_in_every_step(rehearsal, bundle_path, step, trouble):
    rehearsal.fail(Fault(*step, **trouble))
    draft = _deposit(bundle_path)
    rehearsal.clear_log()
    assert _deposit(bundle_path).sent == ()
    assert set(_publish(draft).files) == set(_bytes(draft.folder))


def test_wrong_bytes_are_sent_again_and_then_refused(rehearsal, bundle_path):
    entry = {"key": "README.md", "status": "completed", "size": 3, "checksum": f"md5:{'0' * 32}"}
    body = json.dumps(entry).encode()
    rehearsal.fail(Fault("POST", r".*/README\.md/commit", status=200, body=body, times=1))
    assert _deposit(bundle_path)
    with open_bundle(bundle_path).edit() as change:
        change.manifest["title"] = "Another"
    rehearsal.fail(Fault("POST", r".*/README\.md/commit", status=200, body=body, times=9))
    with pytest.raises(ChecksumError, match=r"README\.md: .* has 3 bytes"):
        _deposit(bundle_path)


def test_a_deposit_keeps_to_the_rate_limit(rehearsal, bundle_path):
    rehearsal.rate_limit(12, window=1.0)
    draft = _deposit(bundle_path, patience=Patience(budget=10.0, first=0.05))
    assert len(draft.sent) == len(draft.files)


def test_a_limit_longer_than_one_waits_is_an_error(rehearsal, bundle_path):
    rehearsal.fail(Fault(*CONTENT, status=429, headers={"Retry-After": "900"}, times=99))
    with pytest.raises(RateLimitedError, match="too many requests"):
        _deposit(bundle_path)


# Publication.


def test_a_publication_whose_answer_is_lost_is_found(rehearsal, bundle_path):
    draft = _deposit(bundle_path)
    rehearsal.fail(Fault(*PUBLISH, delay_after=True))
    assert _publish(draft).doi == draft.doi
    assert len(_asked(rehearsal, "POST", "publish")) == 1


def test_a_record_that_shows_late_is_waited_for(rehearsal, bundle_path):
    draft = _deposit(bundle_path)
    rehearsal.options.publish_delay = 0.2
    rehearsal.fail(Fault(*PUBLISH, delay_after=True))
    assert _publish(draft).doi == draft.doi
    assert len(_asked(rehearsal, "POST", "publish")) == 1


@pytest.mark.parametrize("trouble", [{"status": 503}, {"reset": True}], ids=["503", "reset"])
def test_a_publication_that_failed_is_not_repeated_blindly(rehearsal, bundle_path, trouble):
    draft = _deposit(bundle_path)
    rehearsal.fail(Fault(*PUBLISH, **trouble))
    with pytest.raises(PublishUnknownError, match=r"cannot be told .* open that page"):
        _publish(draft, patience=SHORT)
    assert len(_asked(rehearsal, "POST", "publish")) == 1
    assert _publish(draft).doi == draft.doi


def test_an_archive_that_went_silent_is_unknown_too(rehearsal, bundle_path):
    draft = _deposit(bundle_path)
    rehearsal.fail(Fault(*PUBLISH, delay_after=True))
    rehearsal.fail(Fault("GET", r"/api/records/\w+", status=404, times=1))
    rehearsal.fail(Fault("GET", r"/api/records/\w+", status=503, times=99))
    with pytest.raises(PublishUnknownError):
        _publish(draft, patience=SHORT)
    rehearsal.faults.clear()
    assert _publish(draft).doi == draft.doi
    assert len(_asked(rehearsal, "POST", "publish")) == 1


def test_a_refused_publication_says_why(rehearsal, bundle_path):
    draft = _deposit(bundle_path)
    answer = {"status": 400, "errors": [{"field": "metadata.title", "messages": ["Too bold."]}]}
    rehearsal.fail(Fault(*PUBLISH, status=400, body=json.dumps(answer).encode()))
    with pytest.raises(DepositError, match=r"metadata.title: Too bold\."):
        _publish(draft)


def test_a_draft_that_was_changed_on_its_page_is_not_published(rehearsal, bundle_path):
    from limen_zenodo.client import Client

    draft = _deposit(bundle_path)
    with Client(draft.site, patience=QUICK) as client:
        client.send_json("DELETE", f"/records/{draft.id}/draft/files/README.md")
    with pytest.raises(ChecksumError, match=r"README\.md was not sent|README\.md: was not sent"):
        _publish(draft)
    assert not _asked(rehearsal, "POST", "publish")
    assert _deposit(bundle_path).sent == ("README.md",)


def test_a_deposit_that_was_not_finished_is_not_published(rehearsal, bundle_path):
    rehearsal.fail(Fault("PUT", r".*/draft", status=400, body=b'{"status": 400}'))
    with pytest.raises(DepositError):
        _deposit(bundle_path)
    with pytest.raises(ChecksumError, match="was not finished"):
        _publish(bundle_path)


def test_a_draft_is_found_by_id_doi_address_and_bundle(rehearsal, bundle_path):
    draft = _deposit(bundle_path)
    for name in (draft.id, draft.doi, draft.page, str(bundle_path), bundle_path):
        assert find_draft(name).id == draft.id


def test_a_draft_of_others_is_not_published(rehearsal, bundle_path):
    with pytest.raises(DepositError, match="no such draft"):
        publish("7999999", patience=QUICK)
    with pytest.raises(DepositError, match=r"was not deposited at .* limen deposit"):
        publish(bundle_path, patience=QUICK)


def test_a_community_decides_when_the_draft_becomes_public(rehearsal, bundle_path):
    rehearsal.community("hep")
    draft = _deposit(bundle_path, community="hep")
    waiting = publish(draft, patience=QUICK)
    assert isinstance(waiting, Draft)
    assert waiting.community == "hep"
    assert len(_asked(rehearsal, "POST", "submit-review")) == 1
    assert not _asked(rehearsal, "POST", "actions/publish")
    rehearsal.accept(int(draft.id))
    assert _publish(draft).doi == draft.doi


def test_what_waits_for_a_community_is_left_alone(rehearsal, bundle_path):
    rehearsal.community("hep")
    draft = _deposit(bundle_path, community="hep")
    publish(draft, patience=QUICK)
    assert isinstance(publish(draft, patience=QUICK), Draft)
    assert len(_asked(rehearsal, "POST", "submit-review")) == 1
    with pytest.raises(DepositError, match="waits for the community hep; it cannot be changed"):
        _deposit(bundle_path)
    with pytest.raises(DepositError, match="waits for the community hep; it cannot be changed"):
        _deposit(bundle_path, community="hep")


def test_a_submission_whose_answer_is_lost_is_found(rehearsal, bundle_path):
    rehearsal.community("hep")
    draft = _deposit(bundle_path, community="hep")
    rehearsal.fail(Fault("POST", r".*/actions/submit-review", delay_after=True))
    assert isinstance(publish(draft, patience=QUICK), Draft)
    assert rehearsal.record(int(draft.id)).stage == "in_review"
    assert len(_asked(rehearsal, "POST", "submit-review")) == 1


@pytest.mark.parametrize("again", ["hep", None], ids=["named again", "not named"])
def test_a_draft_that_was_declined_is_deposited_and_submitted_again(rehearsal, bundle_path, again):
    rehearsal.community("hep")
    draft = _deposit(bundle_path, community="hep")
    publish(draft, patience=QUICK)
    rehearsal.decline(int(draft.id))
    with open_bundle(bundle_path).edit() as change:
        change.manifest["title"] = "Another"
    changed = _deposit(bundle_path, community=again)
    assert changed.id == draft.id
    assert isinstance(publish(bundle_path, patience=QUICK), Draft)
    assert rehearsal.record(int(draft.id)).stage == "in_review"
    rehearsal.accept(int(draft.id))
    assert _publish(bundle_path).doi == draft.doi


def test_a_declined_draft_that_was_not_deposited_again_is_refused(rehearsal, bundle_path):
    rehearsal.community("hep")
    draft = _deposit(bundle_path, community="hep")
    publish(draft, patience=QUICK)
    rehearsal.decline(int(draft.id))
    with pytest.raises(DepositError, match=r"declined .* limen deposit"):
        publish(draft, patience=QUICK)
    assert len(_asked(rehearsal, "POST", "submit-review")) == 1


def test_the_command_says_what_a_community_has_to_do(limen, rehearsal, bundle_path):
    rehearsal.community("hep")
    assert limen("deposit", bundle_path, "--community", "hep").exit_code == 0
    first = limen("publish", bundle_path, "--yes")
    assert first.exit_code == 0
    assert "waits for the community hep; it becomes public when its curators accept it" in (
        first.stderr
    )
    waiting = json.loads(limen("publish", bundle_path, "--yes", "--json").stdout)
    assert (waiting["published"], waiting["waits_for"]) == (False, "hep")
    refused = limen("deposit", bundle_path)
    assert (refused.exit_code, "waits for the community hep" in refused.stderr) == (1, True)


def test_an_unknown_community_is_refused(rehearsal, bundle_path):
    with pytest.raises(DepositError, match="found 'nobody'"):
        _deposit(bundle_path, community="nobody")
    assert not _sent(rehearsal)
    assert _deposit(bundle_path).community == ""


# What is refused before a byte is sent.


def _manifest(**changes: Any) -> dict[str, Any]:
    entry = {"bytes": 1, "sha256": "0" * 64, "media_type": "text/plain", "role": "attachment"}
    whole = {
        "id": "toy",
        "version": "1.0.0",
        "format": "1.0",
        "title": "Toy",
        "description": "A scan.",
        "creators": [{"name": "Doe, Jane"}],
        "licences": {"data": "CC-BY-4.0"},
        "tables": [{"name": "scan", "rows": 3, "valid_rows": 2, "columns": []}],
        "files": {"scan.zarr.zip": entry},
    }
    return whole | changes


def _files(number: int, size: int = 1) -> dict[str, Any]:
    return {"files": {f"f{i}.txt": {"bytes": size} for i in range(number)}}


LIMITS = {
    "files": (_files(97), "found 101 with the generated ones, allowed 100"),
    "bytes": (_files(5, 10**10 + 1), "found 50,000,000,005 bytes, allowed 50,000,000,000"),
    "empty": (_files(1, 0), "found an empty file"),
    "name": ({"files": {"con.txt": {"bytes": 1}}}, "Windows"),
    "creators": ({"creators": []}, "name the people to credit"),
    "description": ({"description": " "}, "say what was computed"),
    "licences": ({"licences": {}}, "choose them"),
}


@pytest.mark.parametrize(("changes", "words"), LIMITS.values(), ids=LIMITS.keys())
def test_what_an_archive_would_refuse_is_found_here(changes, words):
    assert not deposit_faults(_manifest())
    (fault,) = deposit_faults(_manifest(**changes))
    assert words in str(fault)


def test_the_largest_that_is_allowed_is_allowed():
    assert not deposit_faults(_manifest(**_files(96)))
    assert not deposit_faults(_manifest(**_files(5, 10**10)))


def test_all_that_is_missing_is_named_and_nothing_is_sent(rehearsal, bundle_path):
    with open_bundle(bundle_path).edit() as change:
        for field in ("creators", "licences", "description"):
            del change.manifest[field]
    with pytest.raises(DepositError) as caught:
        _deposit(bundle_path)
    assert {fault.pointer for fault in caught.value.faults} == {
        "/creators",
        "/licences",
        "/description",
    }
    assert not rehearsal.log


def test_a_damaged_bundle_is_not_deposited(rehearsal, bundle_path):
    (bundle_path / "preview.csv").write_text("other\n")
    with pytest.raises(IntegrityError, match="not deposited"):
        _deposit(bundle_path)
    assert not rehearsal.log


def test_labels_that_do_not_hold_are_found_by_the_deep_check(rehearsal, bundle_path):
    with open_bundle(bundle_path).edit() as change:
        change.manifest["benchmarks"][0]["expected"] = {"outside": "outside_region"}
        columns = change.manifest["tables"][0]["columns"]
        next(c for c in columns if c["name"] == "outside")["definition"]["threshold"] = 0.5
    with pytest.raises(DataError, match="not deposited"):
        _deposit(bundle_path, deep=True)
    assert not rehearsal.log


def test_a_published_bundle_is_not_deposited_at_zenodo_again(rehearsal, archive, bundle_path):
    _deposit(bundle_path, production=True)
    _publish(bundle_path, production=True)
    archive.clear_log()
    with pytest.raises(DepositError, match="published already; make the next one"):
        _deposit(bundle_path, production=True)
    assert not archive.log


def test_all_that_the_archive_finds_wrong_is_listed(rehearsal, bundle_path):
    answer = {
        "id": "1",
        "errors": [
            {"field": "metadata.rights.0.id", "messages": ["Invalid value nonsense-1.0."]},
            {"field": "metadata.publication_date", "messages": ["Missing data.", "Not a date."]},
        ],
    }
    rehearsal.fail(Fault("PUT", r".*/draft", status=200, body=json.dumps(answer).encode()))
    with pytest.raises(DepositError) as caught:
        _deposit(bundle_path)
    assert len(caught.value.faults) == 3
    assert "/uploads/" in str(caught.value)
    assert _deposit(bundle_path).sent == ()


# Tokens and archives.


@pytest.mark.parametrize("production", [False, True], ids=["sandbox", "production"])
def test_a_missing_token_says_where_to_make_one(
    rehearsal, archive, bundle_path, monkeypatch, production
):
    variable = "ZENODO_TOKEN" if production else "ZENODO_SANDBOX_TOKEN"
    monkeypatch.delenv(variable)
    with pytest.raises(AccessError, match=rf"{variable}; make one .*deposit:write .*applications"):
        _deposit(bundle_path, production=production)
    assert not rehearsal.log
    assert not archive.log


def test_the_token_of_the_other_archive_is_refused(rehearsal, archive, bundle_path, monkeypatch):
    monkeypatch.setenv("ZENODO_TOKEN", os.environ["ZENODO_SANDBOX_TOKEN"])
    with pytest.raises(AccessError, match="belongs to another account or to another archive"):
        _deposit(bundle_path, production=True)


def test_a_token_that_may_not_publish_is_refused(rehearsal, bundle_path, monkeypatch):
    monkeypatch.setenv("ZENODO_SANDBOX_TOKEN", rehearsal.token("deposit:write"))
    draft = _deposit(bundle_path)
    with pytest.raises(AccessError, match="deposit:actions"):
        _publish(draft)
    monkeypatch.setenv("ZENODO_SANDBOX_TOKEN", rehearsal.token())


def test_the_token_is_nowhere(rehearsal, bundle_path, caplog, tmp_path):
    token = os.environ["ZENODO_SANDBOX_TOKEN"]
    caplog.set_level(logging.DEBUG)
    rehearsal.fail(Fault(*PUBLISH, status=503))
    draft = _deposit(bundle_path)
    with pytest.raises(ZenodoError) as caught:
        _publish(draft, patience=SHORT)
    assert token not in caplog.text + repr(caught.value.__dict__) + str(caught.value)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes()


def test_a_publication_needs_the_archive_of_the_draft(rehearsal, bundle_path):
    draft = _deposit(bundle_path)
    with pytest.raises(UsageError):
        publish(draft, production=True, patience=QUICK)
    with pytest.raises((UsageError, DepositError), match=r"lies at|no such draft"):
        publish(draft.page, production=True, patience=QUICK)
    with pytest.raises(UsageError, match="add --production"):
        _deposit(bundle_path, site="zenodo")


def test_a_damaged_journal_is_said(rehearsal, bundle_path):
    draft = _deposit(bundle_path)
    (draft.folder.parent / "deposit.json").write_text("{")
    with pytest.raises(IntegrityError, match="damaged journal"):
        _deposit(bundle_path)


def test_a_deposit_of_which_nothing_is_left_is_not_found(rehearsal, bundle_path):
    from limen_zenodo.client import Client

    draft = _deposit(bundle_path)
    with Client(draft.site, patience=QUICK) as client:
        client.send_json("DELETE", f"/records/{draft.id}/draft")
    with pytest.raises(RecordNotFoundError, match="neither a draft nor a record"):
        _publish(draft)


def test_a_dead_archive_is_a_network_error(rehearsal, bundle_path):
    rehearsal.fail(Fault(reset=True, times=None))
    with pytest.raises(NetworkError, match="no answer"):
        _deposit(bundle_path, patience=SHORT)


# What the record says.


def _document(**changes: Any) -> dict[str, Any]:
    manifest = _manifest(**changes)
    return record_document(manifest, PRODUCTION, marker="urn:uuid:1", day="2026-02-03")["metadata"]


ORCID = "0000-0002-1825-0097"
CREATORS = {
    "person": (
        {"name": "Doe, Jane", "orcid": ORCID, "affiliation": "X"},
        {
            "person_or_org": {
                "type": "personal",
                "family_name": "Doe",
                "given_name": "Jane",
                "identifiers": [{"scheme": "orcid", "identifier": ORCID}],
            },
            "affiliations": [{"name": "X"}],
        },
    ),
    "member": (
        {"name": "Doe, Jane", "affiliation": "X", "collaboration": "GAMBIT"},
        {
            "person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jane"},
            "affiliations": [{"name": "X"}, {"name": "GAMBIT"}],
        },
    ),
    "collaboration": (
        {"name": "GAMBIT", "collaboration": "GAMBIT"},
        {"person_or_org": {"type": "organizational", "name": "GAMBIT"}},
    ),
    "no comma": (
        {"name": "Limen developers"},
        {"person_or_org": {"type": "organizational", "name": "Limen developers"}},
    ),
    "one name": (
        {"name": "Plato", "orcid": ORCID},
        {
            "person_or_org": {
                "type": "personal",
                "family_name": "Plato",
                "identifiers": [{"scheme": "orcid", "identifier": ORCID}],
            }
        },
    ),
}


@pytest.mark.parametrize(("entry", "expected"), CREATORS.values(), ids=CREATORS.keys())
def test_creators_are_people_or_collaborations(entry, expected):
    assert _document(creators=[entry, entry])["creators"] == [expected]


RIGHTS = {
    "one": ({"data": "CC-BY-4.0"}, [{"id": "cc-by-4.0"}]),
    "three": (
        {"code": "BSD-3-Clause", "models": "CC0-1.0", "data": "CC-BY-4.0"},
        [{"id": "cc-by-4.0"}, {"id": "cc0-1.0"}, {"id": "bsd-3-clause"}],
    ),
    "same": ({"data": "CC0-1.0", "models": "CC0-1.0"}, [{"id": "cc0-1.0"}]),
    "choice": ({"data": "MIT OR Apache-2.0"}, [{"id": "mit"}, {"id": "apache-2.0"}]),
    "own": ({"data": "LicenseRef-mine"}, [{"title": {"en": "LicenseRef-mine"}}]),
}


@pytest.mark.parametrize(("licences", "expected"), RIGHTS.values(), ids=RIGHTS.keys())
def test_licences_are_rights_that_of_the_data_first(licences, expected):
    assert _document(licences=licences)["rights"] == expected


RELATED = {
    "arxiv": ("IsSupplementTo", "arXiv:2601.00001", "arxiv", ("issupplementto", "2601.00001")),
    "doi": ("Cites", "https://doi.org/10.1000/x", "doi", ("cites", "10.1000/x")),
    "url": (
        "IsDerivedFrom",
        "https://a.example/b",
        "url",
        ("isderivedfrom", "https://a.example/b"),
    ),
}


@pytest.mark.parametrize(
    ("relation", "name", "scheme", "expected"), RELATED.values(), ids=RELATED.keys()
)
def test_relations_are_those_of_datacite(relation, name, scheme, expected):
    entry = {"relation": relation, "identifier": name, "scheme": scheme}
    (found,) = _document(related=[entry])["related_identifiers"]
    assert (found["relation_type"]["id"], found["identifier"], found["scheme"]) == (
        *expected,
        scheme,
    )


@pytest.mark.parametrize(("name", "word"), [("toy", "isnewversionof"), ("all", "isderivedfrom")])
def test_a_parent_is_the_version_before_or_the_origin(name, word):
    parent = {"id": name, "version": "0.9.0", "doi": "10.5281/zenodo.7"}
    (found,) = _document(parent=parent)["related_identifiers"]
    assert (found["relation_type"]["id"], found["identifier"]) == (word, "10.5281/zenodo.7")


def test_analyses_are_referenced():
    analysis = {"experiment": "ATLAS", "id": "A", "inspire": 12, "hepdata": "10.17182/hepdata.1"}
    assert [
        entry["identifier"] for entry in _document(analyses=[analysis])["related_identifiers"]
    ] == [
        "https://inspirehep.net/literature/12",
        "10.17182/hepdata.1",
    ]


def test_hostile_texts_are_shown_not_obeyed():
    evil = "<script>alert(1)</script> & <img src=x onerror=y>\x1b[31m\u202e"
    column = {"name": "m", "unit": "GeV", "role": "parameter", "label": evil}
    table = {"name": "scan", "rows": 3, "valid_rows": 2, "columns": [column]}
    found = _document(title=evil, description=f"{evil}\n\nsecond", tables=[table])
    text = found["description"]
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text
    assert "<p>second</p>" in text
    assert not {"\x1b", "\u202e"} & set(text + found["title"])


def test_the_description_says_what_a_reader_needs(model_path):
    manifest = open_bundle(model_path).manifest | {"doi": "10.5281/zenodo.7"}
    found = record_document(manifest, PRODUCTION, marker="urn:uuid:1", day="2026-02-03")
    text = found["metadata"]["description"]
    for words in ("m [GeV]: mass", "400 points", "region (region.onnx)", "accuracy"):
        assert words in text
    assert "limen fetch 10.5281/zenodo.7" in text


def test_a_record_is_marked_as_a_bundle_and_as_this_deposit():
    found = _document(keywords=["flavour"])
    assert [entry["subject"] for entry in found["subjects"]] == ["flavour", "limen-bundle"]
    assert "urn:uuid:1" in found["additional_descriptions"][0]["description"]
    assert found["resource_type"] == {"id": "dataset"}
    assert (found["version"], found["publication_date"]) == ("1.0.0", "2026-02-03")


# The command line.


def test_the_commands_deposit_and_publish(limen, rehearsal, bundle_path):
    told = limen("deposit", bundle_path)
    assert told.exit_code == 0, told.output
    assert told.stdout.strip().startswith(rehearsal.url)
    assert f"limen publish {bundle_path}" in told.stderr
    refused = limen("publish", bundle_path)
    assert refused.exit_code == 2
    assert f"limen publish {bundle_path} --yes" in refused.stderr
    published = limen("publish", bundle_path, "--yes", "--json")
    assert published.exit_code == 0, published.output
    answer = json.loads(published.stdout)
    assert answer["published"]
    again = limen("publish", answer["id"], "--yes")
    assert (again.exit_code, again.stdout.strip()) == (0, answer["doi"])


def test_a_deposit_answers_in_json(limen, rehearsal, bundle_path):
    answer = json.loads(limen("deposit", bundle_path, "--json").stdout)
    assert (answer["site"], answer["published"]) == ("sandbox", False)
    assert "bundle.json" in answer["sent"]
    entry = load_deposit(deposit_folder(site_named("sandbox"), "toy", "1.0.0"))
    assert entry is not None
    assert entry.record == answer["id"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("answer", "number"), [(b"n\n", 0), (b"y\n", 1)], ids=["no", "yes"])
def test_a_publication_is_confirmed_at_a_terminal(rehearsal, bundle_path, answer, number):
    import pty

    _deposit(bundle_path)
    ours, theirs = pty.openpty()
    line = [*LIMEN, "publish", str(bundle_path)]
    with subprocess.Popen(
        line, stdin=theirs, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        os.write(ours, answer)
        _, said = run.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert b"This cannot be undone" in said
    assert run.returncode == 1 - number
    assert len(_asked(rehearsal, "POST", "publish")) == number


def test_a_refusal_is_one_answer_without_a_traceback(limen, rehearsal, bundle_path):
    with open_bundle(bundle_path).edit() as change:
        del change.manifest["creators"]
    told = limen("deposit", bundle_path)
    assert told.exit_code == 1
    assert "/creators" in told.stderr
    assert "Traceback" not in told.output
