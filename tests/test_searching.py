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
from limen_zenodo.errors import ChecksumError, NetworkError, RecordNotFoundError
from limen_zenodo.patience import Patience
from limen_zenodo.searching import search

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
def put(archive: Any, manifest: dict[str, Any]) -> Callable[..., str]:
    """Publish a record whose manifest is changed as told; gives the record's id."""

    def publish(
        changes: dict[str, Any] | None = None, *, data: bytes | None = None, **options: Any
    ) -> str:
        document = copy.deepcopy(manifest) | (changes or {})
        title = options.pop("title", document["title"])
        files = {"bundle.json": schema.canonical_json(document) if data is None else data}
        record = archive.publish(
            files | options.pop("files", {}),
            title=title,
            keywords=options.pop("keywords", MARK),
            **options,
        )
        return str(record["id"])

    return publish


def asked(archive: Any, words: str) -> list[Any]:
    """Give the requests whose path holds these words."""
    return [entry for entry in archive.log if words in entry[1]]


def test_a_bundle_is_described_by_its_manifest(put: Callable[..., str], archive: Any) -> None:
    theory = {"family": "pMSSM19", "convention": "SLHA2"}
    analyses = [{"experiment": "ATLAS", "id": "ATLAS-SUSY-2018-31"}]
    number = put({"theory": theory, "analyses": analyses})
    (found,) = search(patience=QUICK)
    summary = found.summary
    assert found.doi == f"10.5281/zenodo.{number}"
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


def test_sixty_records_are_found_page_by_page(put: Callable[..., str], archive: Any) -> None:
    numbers = {put(title=f"Scan {position}") for position in range(60)}
    found = search(limit=100, patience=QUICK)
    assert {bundle.doi.rpartition(".")[2] for bundle in found} == numbers
    pages = [entry for entry in archive.log if entry[1] == "/api/records"]
    assert [entry[3]["size"] for entry in pages] == ["25"] * 3


def test_a_token_allows_larger_pages(
    put: Callable[..., str], archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(30):
        put()
    monkeypatch.setenv("ZENODO_TOKEN", archive.token())
    archive.clear_log()
    assert len(search(limit=100, manifests=False, patience=QUICK)) == 30
    assert len(archive.log) == 1


def test_no_more_is_asked_for_than_the_limit(put: Callable[..., str], archive: Any) -> None:
    for _ in range(5):
        put()
    archive.clear_log()
    assert len(search(limit=2, patience=QUICK)) == 2
    assert len(asked(archive, "/content")) <= 2


def test_a_manifest_in_the_cache_is_not_asked_for_again(
    put: Callable[..., str], archive: Any
) -> None:
    put()
    first = search(patience=QUICK)
    archive.clear_log()
    assert search(patience=QUICK) == first
    assert asked(archive, "/content") == []


def test_a_changed_manifest_in_the_cache_does_not_count(
    put: Callable[..., str], archive: Any, tmp_path: Path
) -> None:
    put()
    first = search(patience=QUICK)
    (kept,) = (tmp_path / "cache" / "manifests").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"20000", b"30000"))
    assert search(patience=QUICK) == first


def test_an_unwritable_cache_is_done_without(
    put: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    put: Callable[..., str],
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
    put: Callable[..., str], archive: Any, manifest: dict[str, Any]
) -> None:
    number = put()
    other = schema.canonical_json(manifest | {"title": manifest["title"][::-1]})
    archive.change(number, {"bundle.json": other})
    (found,) = search(patience=QUICK)
    assert "MD5" in found.fault


def test_a_manifest_of_another_doi_is_a_fault(put: Callable[..., str]) -> None:
    put({"doi": "10.5281/zenodo.1"})
    (found,) = search(patience=QUICK)
    assert found.fault == "its manifest states another DOI, 10.5281/zenodo.1"


def test_restricted_files_are_listed_with_the_reason(put: Callable[..., str]) -> None:
    put(access="restricted")
    (found,) = search(patience=QUICK)
    assert "restricted" in found.fault
    assert search("", raw=True, patience=QUICK) == []


def test_control_characters_of_strangers_reach_no_terminal(
    put: Callable[..., str], limen: Callable[..., Result]
) -> None:
    put({"theory": {"family": "a\u202eb\x1b[31m", "convention": "x"}}, title="a\x1b[2Jb")
    done = limen("search")
    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output


def test_records_without_a_manifest_and_other_keywords_are_no_bundles(
    put: Callable[..., str], archive: Any
) -> None:
    archive.publish({"data.csv": b"x"}, title="no bundle", keywords=MARK)
    put(title="not marked", keywords=())
    put(title="a bundle")
    assert [bundle.title for bundle in search(patience=QUICK)] == ["a bundle"]
    everything = search("", raw=True, patience=QUICK)
    assert {bundle.title for bundle in everything} == {"not marked", "a bundle"}


def test_older_versions_are_found_on_request(put: Callable[..., str], archive: Any) -> None:
    first = archive.records[put({"version": "1.0.0"})]
    put({"version": "1.1.0"}, concept=first["concept"])
    assert [b.summary.version for b in search(patience=QUICK) if b.summary] == ["1.1.0"]
    found = search(all_versions=True, patience=QUICK)
    assert {b.summary.version for b in found if b.summary} == {"1.0.0", "1.1.0"}
    assert sorted(b.record.latest for b in found if b.record) == [False, True]


def test_a_community_is_searched_alone(put: Callable[..., str]) -> None:
    put(title="inside", community="bsm-scans")
    put(title="outside")
    assert [b.title for b in search(community="bsm-scans", patience=QUICK)] == ["inside"]


@pytest.mark.parametrize(
    ("name", "error"), [("bsm-scan", RecordNotFoundError), ("../records", UsageError)]
)
def test_an_unknown_community_is_an_error_and_not_everything(
    name: str, error: type[Exception], put: Callable[..., str]
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
    query: str, title: str, put: Callable[..., str]
) -> None:
    put(title=title)
    put(title="something else")
    assert [bundle.title for bundle in search(query, patience=QUICK)] == [title]


def test_a_raw_query_that_is_wrong_is_refused_in_words(put: Callable[..., str]) -> None:
    with pytest.raises(UsageError, match="does not understand it"):
        search('title:"open', raw=True, patience=QUICK)


def test_other_archives_are_asked_for_the_keyword_in_their_words(
    put: Callable[..., str], archive: Any
) -> None:
    put()
    assert len(search(site="elsewhere", patience=QUICK)) == 1
    assert archive.log[0][3]["q"] == 'metadata.subjects.subject:"limen-bundle"'


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


# The verb


def test_the_verb_shows_what_one_chooses_by(
    put: Callable[..., str], limen: Callable[..., Result]
) -> None:
    number = put({"theory": {"family": "2HDM", "convention": "Higgs basis"}})
    done = limen("search", "likelihood", "--limit", "3")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == TITLE
    for line in (
        f"  DOI         10.5281/zenodo.{number}",
        "  theory      2HDM",
        f"  parameters  10: {FEW} and 2 more",
        "  analyses    2: LHCb-2022-RK, flavio-bsll-rates",
        "  points      20,000",
        "  licence     data CC-BY-4.0, models CC-BY-4.0, code BSD-3-Clause",
        f"  next        limen fetch 10.5281/zenodo.{number}",
    ):
        assert line in lines
    assert "1 bundle" in done.stderr


def test_the_verb_answers_in_json(put: Callable[..., str], limen: Callable[..., Result]) -> None:
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


def test_a_published_bundle_joins_the_catalogue(put: Callable[..., str], listed: Path) -> None:
    for version in ("1.10.0", "1.9.0", "1.9.0-beta.1"):
        entry = catalogue.add_to_catalogue(
            f"10.5281/zenodo.{put({'version': version})}", patience=QUICK
        )
        assert catalogue.pinned_manifest(entry["doi"].upper()) == entry["manifest_sha256"]
    known = catalogue.known_bundles()
    assert [entry["version"] for entry in known] == ["1.9.0-beta.1", "1.9.0", "1.10.0"]
    assert known[0]["parameters"][:2] == ["C7_bs", "C7p_bs"]
    assert catalogue.pinned_manifest("10.5281/zenodo.1") is None
    assert catalogue.check_catalogue(schema.load_json(listed)) == []


def test_the_catalogue_is_a_registry_of_pooch(
    put: Callable[..., str], listed: Path, tmp_path: Path
) -> None:
    import pooch

    entry = catalogue.add_to_catalogue(f"10.5281/zenodo.{put()}", patience=QUICK)
    registry, urls = catalogue.catalogue_registry()
    store = pooch.create(tmp_path / "pooch", base_url="", registry=registry, urls=urls)
    path = Path(store.fetch("bsll10/1.0.0/bundle.json", progressbar=False))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["manifest_sha256"]


def test_a_record_that_changed_is_not_added_again(put: Callable[..., str], listed: Path) -> None:
    entry = catalogue.add_to_catalogue(f"10.5281/zenodo.{put()}", patience=QUICK)
    listed.write_text(listed.read_text().replace(entry["manifest_sha256"], "0" * 64))
    with pytest.raises(ChecksumError, match="was changed after it was published"):
        catalogue.add_to_catalogue(entry["doi"], patience=QUICK)
    (found,) = search(patience=QUICK)
    assert found.fault == "its manifest is not the one in the catalogue"


def test_the_doi_of_a_concept_is_not_added(
    put: Callable[..., str], archive: Any, listed: Path
) -> None:
    concept = archive.records[put()]["concept"]
    with pytest.raises(UsageError, match="the DOI of a concept"):
        catalogue.add_to_catalogue(f"10.5281/zenodo.{concept}", patience=QUICK)


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
    put: Callable[..., str], archive: Any, listed: Path, limen: Callable[..., Result]
) -> None:
    catalogue.add_to_catalogue(f"10.5281/zenodo.{put()}", patience=QUICK)
    archive.clear_log()
    done = limen("search", "--catalogue", "TRANSITIONS", "region")
    assert TITLE in done.stdout
    assert limen("search", "--catalogue", "gluino").stdout == ""
    assert archive.log == []


def test_maintainers_add_and_check_from_the_command_line(
    put: Callable[..., str], listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doi = f"10.5281/zenodo.{put()}"
    assert catalogue.main(["add", doi]) == 0
    assert f"{doi}: bsll10 1.0.0" in capsys.readouterr().out
    assert catalogue.main(["add", "10.1/nothing"]) == 1
    assert catalogue.main(["check"]) == 0
    assert "1 bundles" in capsys.readouterr().out
