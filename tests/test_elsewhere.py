"""Records outside Zenodo's own DOIs: DOIs of others, and archives of the configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from limen_zenodo.errors import NetworkError, OfflineError, RecordNotFoundError
from limen_zenodo.fetching import fetch, fetch_parts
from limen_zenodo.patience import Patience
from standin import Fault, StandIn

QUICK = Patience(budget=2.0, first=0.01, longest=0.05)
SHORT = Patience(budget=0.1, first=0.01, longest=0.03)
FOREIGN = "10.1093/example/abc.12"


@pytest.fixture
def institute(archive: StandIn) -> Iterator[StandIn]:
    """Start an archive that is no Zenodo, and describe it; ``archive`` stays Zenodo."""
    with StandIn(doi_prefix="10.1234", zenodo=False) as site:
        path = Path(os.environ["LIMEN_SITES"])
        text = (
            f'[institute]\nurl = "{site.url}"\nresolver = "{archive.resolver}"\n'
            'doi_prefix = "10.1234/zenodo."\ntoken_variable = "INSTITUTE_TOKEN"\n'
        )
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
        yield site


def publish(site: StandIn, bundle: Path, doi: str = "") -> str:
    """Publish a bundle, under a DOI of others if one is given; give its id."""
    number = site.publish(bundle, title="toy").id
    if doi:
        site.record(number).content.pids["doi"] = {"identifier": doi, "provider": "external"}
    return str(number)


def paths(site: StandIn) -> list[str]:
    return [entry.path for entry in site.log]


def get(identifier: str, **options: Any) -> Any:
    return fetch_parts(identifier, ("manifest",), **{"patience": QUICK, **options})


SPELLINGS = [
    FOREIGN,
    FOREIGN.upper(),
    f"doi:{FOREIGN}",
    f"https://doi.org/{FOREIGN}",
    f"http://dx.doi.org/{FOREIGN}/",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_doi_of_others_is_looked_up_and_kept(
    spelling: str, archive: StandIn, packed: Path
) -> None:
    number = publish(archive, packed, FOREIGN)
    found = get(spelling)
    assert (found.lock.record, found.lock.doi) == (number, FOREIGN)
    assert paths(archive)[0] == f"/doi-resolver/{FOREIGN}"
    archive.clear_log()
    for again in SPELLINGS:
        assert get(again).bundle.path == found.bundle.path
        assert get(again, offline=True).lock.record == number
    assert archive.log == []


@pytest.mark.parametrize("place", ["/records/{}", "/record/{}", "/doi/10.5281/zenodo.{}"])
def test_where_the_resolver_leads_to_a_record_no_search_is_needed(
    place: str, archive: StandIn, packed: Path
) -> None:
    number = publish(archive, packed, FOREIGN)
    address = f"{archive.url}{place.format(number)}"
    archive.fail(Fault("GET", "/doi-resolver/.*", redirect=address, times=None))
    assert get(FOREIGN).lock.record == number
    assert not [path for path in paths(archive) if path.startswith("/api/records?")]


def test_a_doi_that_the_resolver_does_not_know_yet_is_searched_for(
    archive: StandIn, packed: Path
) -> None:
    number = publish(archive, packed, FOREIGN)
    archive.fail(Fault("GET", "/doi-resolver/.*", status=404, times=None))
    assert get(FOREIGN).lock.record == number


@pytest.mark.parametrize(
    ("leads", "words"),
    [
        ("", f"{FOREIGN}: no record at .* has this DOI, which leads nowhere; "),
        (
            "https://journal.example/abc",
            f"{FOREIGN}: no record .* leads to https://journal.example/abc; ",
        ),
    ],
    ids=["nowhere", "elsewhere"],
)
def test_a_doi_that_no_archive_knows_is_one_clear_error(
    leads: str, words: str, archive: StandIn, limen: Callable[..., Result], tmp_path: Path
) -> None:
    archive.publish({"bundle.json": b"{}"})
    fault = {"redirect": leads} if leads else {"status": 404}
    archive.fail(Fault("GET", "/doi-resolver/.*", times=None, **fault))
    with pytest.raises(RecordNotFoundError, match=words):
        get(FOREIGN)
    shown = limen("fetch", FOREIGN)
    assert (shown.exit_code, shown.stderr.count("\n")) == (3, 1)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_resolver_that_is_silent_is_a_network_error(archive: StandIn, packed: Path) -> None:
    number = publish(archive, packed, FOREIGN)
    archive.fail(Fault("GET", "/doi-resolver/.*", status=503))
    assert get(FOREIGN).lock.record == number
    archive.fail(Fault("GET", "/doi-resolver/.*", reset=True, times=None))
    with pytest.raises(NetworkError, match=r"doi-resolver/10\.9999/other"):
        get("10.9999/other", patience=SHORT)


def test_offline_a_doi_of_others_is_not_looked_up(archive: StandIn) -> None:
    with pytest.raises(OfflineError, match="is not in the cache"):
        get(FOREIGN, offline=True)
    assert archive.log == []


def test_a_token_is_not_sent_to_the_resolver(
    archive: StandIn, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandIn() as resolver:
        path = Path(os.environ["LIMEN_SITES"])
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(archive.resolver, resolver.resolver), encoding="utf-8")
        monkeypatch.setenv("ZENODO_TOKEN", archive.token())
        number = publish(archive, packed, FOREIGN)
        place = f"{archive.url}/records/{number}"
        resolver.fail(Fault("GET", "/doi-resolver/.*", redirect=place, times=None))
        assert get(FOREIGN).lock.record == number
        assert all("Authorization" not in entry.headers for entry in resolver.log)
        assert all("Authorization" in entry.headers for entry in archive.log)


# Archives of the configuration


@pytest.mark.parametrize(
    "spelling",
    [
        "10.1234/zenodo.{id}",
        "https://doi.org/10.1234/zenodo.{id}",
        "{url}/records/{id}",
        "{url}/api/records/{id}/files/bundle.json/content",
        "{id}",
    ],
)
def test_a_configured_archive_is_asked_itself(
    spelling: str, archive: StandIn, institute: StandIn, trained: Path
) -> None:
    number = publish(institute, trained)
    site = "institute" if spelling == "{id}" else None
    bundle = fetch(spelling.format(id=number, url=institute.url), site=site, patience=QUICK)
    assert bundle.predictor().one({"m": 550.0, "g": 0.5}).verdict == "inside_region"
    assert archive.log == []


def test_archives_do_not_share_records_in_the_cache(
    archive: StandIn, institute: StandIn, packed: Path, trained: Path
) -> None:
    first, second = publish(archive, packed), publish(institute, trained)
    assert first == second
    here, there = get(first), get(second, site="institute")
    assert here.bundle.path != there.bundle.path
    assert (here.lock.site, there.lock.site) == ("zenodo", "institute")
    assert there.lock.doi == f"10.1234/zenodo.{second}"


def test_a_configured_archive_gets_its_own_token_only(
    institute: StandIn, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = str(institute.publish(packed, access="restricted").id)
    monkeypatch.setenv("ZENODO_TOKEN", institute.token())
    with pytest.raises(PermissionError, match="set INSTITUTE_TOKEN"):
        get(number, site="institute")
    assert all("Authorization" not in entry.headers for entry in institute.log)
    monkeypatch.setenv("INSTITUTE_TOKEN", institute.token())
    assert get(number, site="institute").lock.record == number


def test_a_doi_that_leads_to_another_archive_names_the_address_to_give(
    archive: StandIn, institute: StandIn, packed: Path
) -> None:
    number = publish(institute, packed, FOREIGN)
    place = f"{institute.url}/records/{number}"
    archive.fail(Fault("GET", "/doi-resolver/.*", redirect=place, times=None))
    with pytest.raises(RecordNotFoundError, match=f"leads to {place}; give that address"):
        get(FOREIGN)
    assert get(place).lock.doi == FOREIGN


def test_the_verb_takes_a_configured_archive(
    institute: StandIn, packed: Path, limen: Callable[..., Result]
) -> None:
    number = publish(institute, packed)
    shown = limen("fetch", number, "--site", "institute", "--parts", "manifest", "--json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["doi"] == f"10.1234/zenodo.{number}"
    unknown = limen("fetch", "https://data.nowhere.example/records/7")
    assert unknown.exit_code == 2
    assert "unknown archive" in unknown.stderr
    assert "LIMEN_SITES" in unknown.stderr
