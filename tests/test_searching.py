"""Search at the stand-in of an archive, and the catalogue."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from limen import schema
from limen.errors import IntegrityError, SchemaError, UsageError
from limen_zenodo import catalogue
from limen_zenodo.depositing import deposit
from limen_zenodo.errors import ChecksumError, NetworkError, RecordNotFoundError
from limen_zenodo.patience import Patience
from limen_zenodo.publishing import publish
from limen_zenodo.records import Record
from limen_zenodo.searching import search
from standin import Fault

QUICK = Patience(budget=1.0, first=0.01)
MARK = ("limen-bundle",)
DATA = Path(__file__).parent / "data"
TITLE = "Ten-dimensional likelihood of b → s transitions"
FEW = "C7_bs, C7p_bs, C9_bsmumu, C9p_bsmumu, C10_bsmumu, C10p_bsmumu, CS_bsmumu, CSp_bsmumu"


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """Give the manifest of a bundle with models; not to be changed."""
    return schema.load_json(DATA / "valid" / "bundle" / "bsll10.json")


@pytest.fixture
def put(archive: Any, manifest: dict[str, Any]) -> Callable[..., Any]:
    """Publish a record whose manifest is changed as told; gives its ids and DOIs."""

    def publish(
        changes: dict[str, Any] | None = None,
        *,
        title: str = TITLE,
        data: bytes | None = None,
        keywords: tuple[str, ...] = MARK,
        **options: Any,
    ) -> Any:
        document = copy.deepcopy(manifest) | (changes or {})
        files = {"bundle.json": schema.canonical_json(document) if data is None else data}
        return archive.publish(files, title, subjects(*keywords), **options)

    return publish


def subjects(*words: str) -> dict[str, Any]:
    return {"subjects": [{"subject": word} for word in words]}


def paths(archive: Any, words: str = "") -> list[str]:
    """Give the paths asked for that hold these words."""
    return [entry.path for entry in archive.log if words in entry.path]


def test_a_bundle_is_described_by_its_manifest(put: Callable[..., Any], archive: Any) -> None:
    theory = {"family": "pMSSM19", "convention": "SLHA2"}
    analyses = [{"experiment": "ATLAS", "id": "ATLAS-SUSY-2018-31"}]
    record = put({"theory": theory, "analyses": analyses})
    (found,) = search(patience=QUICK)
    summary = found.summary
    assert found.doi == found.identifier == record.doi
    assert found.fault == ""
    assert summary is not None
    assert (summary.theory, len(summary.parameters)) == ("pMSSM19", 10)
    assert (summary.analyses, summary.points) == (("ATLAS-SUSY-2018-31",), 20_000)
    assert summary.models[0] == {
        "name": "region",
        "task": "classification",
        "target": "outside_95cr",
    }
    assert summary.licences["models"] == "CC-BY-4.0"
    assert summary.bytes > found.size


def test_sixty_records_are_found_page_by_page(put: Callable[..., Any], archive: Any) -> None:
    dois = {put(title=f"Scan {position}").doi for position in range(60)}
    found = search(limit=100, patience=QUICK)
    assert {bundle.doi for bundle in found} == dois
    pages = paths(archive, "/api/records?")
    assert ["size=25" in page for page in pages] == [True] * 3


def test_a_token_allows_larger_pages(
    put: Callable[..., Any], archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(30):
        put()
    monkeypatch.setenv("ZENODO_TOKEN", archive.token())
    archive.clear_log()
    assert len(search(limit=100, manifests=False, patience=QUICK)) == 30
    assert len(archive.log) == 1


def test_no_more_is_asked_for_than_the_limit(put: Callable[..., Any], archive: Any) -> None:
    for _ in range(5):
        put()
    archive.clear_log()
    assert len(search(limit=2, patience=QUICK)) == 2
    assert len(paths(archive, "/content")) <= 2


def test_a_manifest_in_the_cache_is_not_asked_for_again(
    put: Callable[..., Any], archive: Any
) -> None:
    put()
    first = search(patience=QUICK)
    archive.clear_log()
    assert search(patience=QUICK) == first
    assert paths(archive, "/content") == []


def test_a_changed_manifest_in_the_cache_does_not_count(
    put: Callable[..., Any], archive: Any, tmp_path: Path
) -> None:
    put()
    first = search(patience=QUICK)
    (kept,) = (tmp_path / "cache" / "manifests").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"20000", b"30000"))
    assert search(patience=QUICK) == first


def test_an_unwritable_cache_is_done_without(
    put: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put()
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LIMEN_CACHE", str(tmp_path / "file"))
    assert search(patience=QUICK)[0].fault == ""


HOSTILE: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"<html>", "not JSON"),
    "a name twice": (b'{"format": "1.0", "format": "1.0"}', "twice"),
    "NaN": (b'{"format": NaN}', "NaN"),
    "no UTF-8": (b"\xff{}", "not UTF-8"),
    "no manifest": (b'{"format": "1.0"}', "missing"),
    "too deep": (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested deeper"),
    "a later format": (b'{"format": "9.0"}', "later Limen"),
    "too large": (b" " * (4 * 2**20 + 1), "bytes, allowed"),
}


def test_a_broken_manifest_is_listed_with_its_fault_among_good_ones(
    put: Callable[..., Any],
) -> None:
    put(title="good 1")
    for title, (data, _) in HOSTILE.items():
        put(title=title, data=data)
    put(title="good 2")
    found = {bundle.title: bundle for bundle in search(patience=QUICK)}
    assert found.keys() == {"good 1", "good 2", *HOSTILE}
    assert found["good 1"].fault == found["good 2"].fault == ""
    for title, (_, words) in HOSTILE.items():
        assert words in found[title].fault
        assert "\n" not in found[title].fault
        assert found[title].summary is None


def test_a_manifest_that_is_not_what_the_record_says_is_a_fault(
    put: Callable[..., Any], archive: Any
) -> None:
    put()
    archive.fail(Fault(path=".*/content", flip=100, times=None))
    (found,) = search(patience=QUICK)
    assert "found MD5" in found.fault


def test_a_manifest_of_another_doi_is_a_fault(put: Callable[..., Any]) -> None:
    put({"doi": "10.5281/zenodo.1"})
    (found,) = search(patience=QUICK)
    assert found.fault == "its manifest states another DOI, 10.5281/zenodo.1"


def test_restricted_files_are_listed_with_the_reason(put: Callable[..., Any]) -> None:
    put(access="restricted")
    (found,) = search(patience=QUICK)
    assert "restricted" in found.fault
    assert search("", raw=True, patience=QUICK) == []


def test_control_characters_of_strangers_reach_no_terminal(
    put: Callable[..., Any], limen: Callable[..., Result]
) -> None:
    put({"theory": {"family": "a\u202eb\x1b[31m", "convention": "x"}}, title="a\x1b[2Jb")
    done = limen("search")
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output


def test_records_without_a_manifest_and_other_keywords_are_no_bundles(
    put: Callable[..., Any], archive: Any
) -> None:
    archive.publish({"data.csv": b"x"}, "no bundle", subjects(*MARK))
    put(title="not marked", keywords=())
    put(title="a bundle")
    assert [bundle.title for bundle in search(patience=QUICK)] == ["a bundle"]
    everything = search("", raw=True, patience=QUICK)
    assert {bundle.title for bundle in everything} == {"not marked", "a bundle"}


def test_older_versions_are_found_on_request(put: Callable[..., Any], archive: Any) -> None:
    first = put({"version": "1.0.0"})
    put({"version": "1.1.0"}, concept=first.concept)
    assert [b.summary.version for b in search(patience=QUICK) if b.summary] == ["1.1.0"]
    found = search(all_versions=True, patience=QUICK)
    assert {b.summary.version for b in found if b.summary} == {"1.0.0", "1.1.0"}
    assert sorted(b.record.latest for b in found if b.record) == [False, True]


def test_what_was_deposited_and_published_is_found(
    archive: Any, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZENODO_TOKEN", archive.token())
    deposit(bundle_path, production=True, deep=False)
    record = publish(bundle_path, production=True)
    (found,) = search("coupling", patience=QUICK)
    assert isinstance(record, Record)
    assert (found.doi, found.fault) == (record.doi, "")
    assert found.summary is not None
    assert found.summary.parameters == ("m", "g")


def test_a_community_is_searched_alone(put: Callable[..., Any]) -> None:
    put(title="inside", community="bsm-scans")
    put(title="outside")
    assert [b.title for b in search(community="bsm-scans", patience=QUICK)] == ["inside"]


@pytest.mark.parametrize(
    ("name", "error"), [("bsm-scan", RecordNotFoundError), ("../records", UsageError)]
)
def test_an_unknown_community_is_an_error_and_not_everything(
    name: str, error: type[Exception], put: Callable[..., Any]
) -> None:
    put()
    with pytest.raises(error, match=f"community: found '{name}'"):
        search(community=name, patience=QUICK)


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("squark/gluino", "A squark/gluino scan"),
        ("b:s", "The b:s likelihood"),
        ("M1 (TeV)", "M1 (TeV) and more"),
        ("NOT", "Not excluded"),
        ('"no quote', "There is no quote here"),
        ('"two words"', "Of two words"),
        ("-5", "From -5 to 5"),
    ],
)
def test_signs_of_the_query_language_are_plain_text(
    query: str, title: str, put: Callable[..., Any]
) -> None:
    put(title=title)
    put(title="something else")
    assert [bundle.title for bundle in search(query, patience=QUICK)] == [title]


def test_a_long_query_is_refused(archive: Any) -> None:
    with pytest.raises(UsageError, match="found 501 characters, allowed 500"):
        search("a" * 501, patience=QUICK)


def test_a_raw_query_that_is_wrong_is_refused_in_words(put: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="does not understand it"):
        search('title:"open', raw=True, patience=QUICK)


def test_other_archives_are_asked_for_the_keyword_in_their_words(
    put: Callable[..., Any], archive: Any
) -> None:
    record = put()
    archive.options.zenodo = False
    (found,) = search(site="elsewhere", patience=QUICK)
    assert "q=metadata.subjects.subject%3A%22limen-bundle%22" in archive.log[0].path
    assert found.identifier == f"{archive.url}/records/{record.id}"


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(UsageError, match="limit: found"):
        search(limit=limit)


def test_no_answer_is_a_network_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sites = tmp_path / "sites.toml"
    sites.write_text('[zenodo]\nurl = "http://127.0.0.1:9"\n')
    monkeypatch.setenv("LIMEN_SITES", str(sites))
    with pytest.raises(NetworkError, match="no answer"):
        search(patience=Patience(budget=0.0))


def test_a_rate_limit_is_kept_to(put: Callable[..., Any], archive: Any) -> None:
    for _ in range(30):
        put()
    archive.rate_limit(3, 1.0)
    found = search(limit=30, patience=Patience(budget=20.0, first=0.01))
    assert [bundle.fault for bundle in found] == [""] * 30


def test_a_broken_connection_is_tried_again(put: Callable[..., Any], archive: Any) -> None:
    put()
    archive.fail(Fault(path=".*/content", cut=100))
    archive.fail(Fault(path="/api/records", status=503))
    assert search(patience=QUICK)[0].fault == ""


def test_a_file_that_cannot_be_had_is_a_fault_of_its_bundle(
    put: Callable[..., Any], archive: Any
) -> None:
    put()
    archive.fail(Fault(path=".*/content", status=500, times=None))
    (found,) = search(patience=Patience(budget=0.05, first=0.01))
    assert "answered 500" in found.fault


ANSWERS = {
    "no list": ("{}", "lists no records"),
    "next elsewhere": (
        '{"hits": {"hits": [{}]}, "links": {"next": "https://elsewhere.example/api/records"}}',
        "leads astray",
    ),
}


@pytest.mark.parametrize(("body", "words"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_strange_answer_is_refused(body: str, words: str, archive: Any) -> None:
    archive.fail(Fault(path="/api/records", body=body))
    with pytest.raises(NetworkError, match=words):
        search(patience=QUICK)


def test_a_list_that_leads_in_a_circle_ends(archive: Any) -> None:
    address = f"{archive.api}/records?page=2"
    body = json.dumps({"hits": {"hits": [{}]}, "links": {"next": address}})
    archive.fail(Fault(path="/api/records", body=body, times=None))
    with pytest.raises(NetworkError, match="leads astray"):
        search(patience=QUICK)


def test_what_is_no_record_is_left_out(
    archive: Any, put: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    archive.fail(Fault(path="/api/records", body='{"hits": {"hits": [{"id": 1}]}}'))
    assert search(patience=QUICK) == []
    assert "left out" in caplog.text


# The verb


def test_the_verb_shows_what_one_chooses_by(
    put: Callable[..., Any], limen: Callable[..., Result]
) -> None:
    record = put({"theory": {"family": "2HDM", "convention": "Higgs basis"}})
    done = limen("search", "likelihood", "--limit", "3")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == TITLE
    for line in (
        f"  DOI         {record.doi}",
        "  theory      2HDM",
        f"  parameters  10: {FEW} and 2 more",
        "  analyses    2: LHCb-2022-RK, flavio-bsll-rates",
        "  points      20,000",
        "  licence     data CC-BY-4.0, models CC-BY-4.0, code BSD-3-Clause",
        f"  next        limen fetch {record.doi}",
    ):
        assert line in lines
    assert "1 bundle" in done.stderr


def test_the_verb_answers_in_json(put: Callable[..., Any], limen: Callable[..., Result]) -> None:
    put()
    put(title="broken", data=b"{}")
    good, bad = sorted(json.loads(limen("search", "--json").stdout), key=lambda b: b["fault"])
    assert good["manifest"]["parameters"][:2] == ["C7_bs", "C7p_bs"]
    assert good["latest"] is True
    assert (bad["manifest"], bad["title"]) == (None, "broken")
    assert bad["fault"]


@pytest.mark.parametrize(
    ("options", "code"),
    [(("--community", "nobody"), 3), (("--limit", "0"), 2), (("--site", "nowhere"), 2)],
)
def test_the_verb_has_the_exit_code_of_its_error(
    options: tuple[str, ...], code: int, archive: Any, limen: Callable[..., Result]
) -> None:
    assert limen("search", *options).exit_code == code


# The catalogue


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a catalogue of one's own."""
    path = tmp_path / "catalogue.json"
    path.write_bytes(catalogue.catalogue_path().read_bytes())
    monkeypatch.setenv("LIMEN_CATALOGUE", str(path))
    return path


def test_the_shipped_catalogue_is_valid() -> None:
    document = schema.load_json(catalogue.catalogue_path())
    assert catalogue.check_catalogue(document) == []


def test_a_published_bundle_joins_the_catalogue(put: Callable[..., Any], listed: Path) -> None:
    for version in ("1.10.0", "1.9.0", "1.9.0-beta.1"):
        doi = put({"version": version}).doi
        entry = catalogue.add_to_catalogue(doi, patience=QUICK)
        assert catalogue.pinned_manifest(entry["doi"].upper()) == entry["manifest_sha256"]
    known = catalogue.known_bundles()
    assert [entry["version"] for entry in known] == ["1.9.0-beta.1", "1.9.0", "1.10.0"]
    assert known[0]["parameters"][:2] == ["C7_bs", "C7p_bs"]
    assert catalogue.pinned_manifest("10.5281/zenodo.1") is None
    assert catalogue.check_catalogue(schema.load_json(listed)) == []


def test_the_catalogue_is_a_registry_of_pooch(
    put: Callable[..., Any], listed: Path, tmp_path: Path
) -> None:
    import pooch

    entry = catalogue.add_to_catalogue(put().doi, patience=QUICK)
    registry, urls = catalogue.catalogue_registry()
    store = pooch.create(tmp_path / "pooch", base_url="", registry=registry, urls=urls)
    path = Path(store.fetch("bsll10/1.0.0/bundle.json", progressbar=False))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["manifest_sha256"]


def test_a_record_that_changed_is_not_added_again(put: Callable[..., Any], listed: Path) -> None:
    entry = catalogue.add_to_catalogue(put().doi, patience=QUICK)
    listed.write_text(listed.read_text().replace(entry["manifest_sha256"], "0" * 64))
    with pytest.raises(ChecksumError, match="was changed after it was published"):
        catalogue.add_to_catalogue(entry["doi"], patience=QUICK)
    (found,) = search(patience=QUICK)
    assert found.fault == "its manifest is not the one in the catalogue"


def test_the_doi_of_a_concept_is_not_added(
    put: Callable[..., Any], archive: Any, listed: Path
) -> None:
    concept = put().concept_doi
    with pytest.raises(UsageError, match="the DOI of a concept"):
        catalogue.add_to_catalogue(concept, patience=QUICK)


@pytest.mark.parametrize("doi", ["10.5072/zenodo.12", "10.1234/abc"])
def test_only_dois_of_zenodo_are_added(doi: str, archive: Any, listed: Path) -> None:
    with pytest.raises(UsageError, match="allowed a DOI that"):
        catalogue.add_to_catalogue(doi, patience=QUICK)


def test_a_broken_catalogue_is_refused_with_all_faults(listed: Path) -> None:
    listed.write_text('{"format": "1.0", "bundles": [{"id": "A"}], "more": 1}')
    with pytest.raises(SchemaError, match="faults") as caught:
        catalogue.known_bundles()
    assert len(caught.value.faults) > 3


def test_a_missing_catalogue_is_an_error(listed: Path) -> None:
    listed.unlink()
    with pytest.raises(IntegrityError, match="cannot be read"):
        catalogue.known_bundles()


def test_the_catalogue_is_searched_without_a_request(
    put: Callable[..., Any],
    archive: Any,
    listed: Path,
    limen: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalogue.add_to_catalogue(put().doi, patience=QUICK)
    archive.clear_log()
    done = limen("search", "--catalogue", "TRANSITIONS", "region")
    assert TITLE in done.stdout
    assert limen("search", "--catalogue", "gluino").stdout == ""
    monkeypatch.setenv("LIMEN_OFFLINE", "1")
    assert len(search()) == 1
    assert limen("search", "--community", "bsm-scans").exit_code == 2
    assert archive.log == []


def test_maintainers_add_and_check_from_the_command_line(
    put: Callable[..., Any], listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doi = put().doi
    assert catalogue.main(["add", doi]) == 0
    assert f"{doi}: bsll10 1.0.0" in capsys.readouterr().out
    assert catalogue.main(["add", "10.1/nothing"]) == 1
    assert catalogue.main(["check"]) == 0
    assert "1 bundles" in capsys.readouterr().out
