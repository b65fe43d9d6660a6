"""
The catalogue: known bundles, each with the DOI of its version and the hash of its manifest.

Maintainers add to it with ``python -m limen_zenodo.catalogue add DOI`` and check it with
``python -m limen_zenodo.catalogue check``; the variable ``LIMEN_CATALOGUE`` names another file.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limen import schema
from limen.errors import Fault, LimenError, SchemaError, UsageError
from limen.journal import MANIFEST
from limen_zenodo.client import Client
from limen_zenodo.errors import ChecksumError
from limen_zenodo.identifiers import parse_identifier
from limen_zenodo.manifests import read_manifest, summarise
from limen_zenodo.patience import Patience
from limen_zenodo.records import find_record
from limen_zenodo.sites import known_sites

__all__ = [
    "add_to_catalogue",
    "catalogue_path",
    "catalogue_registry",
    "check_catalogue",
    "known_bundles",
    "pinned_manifest",
]

_SHIPPED = Path(__file__).with_name("catalogue.json")


def catalogue_path() -> Path:
    """
    Find the catalogue.

    Returns
    -------
    Path
        ``$LIMEN_CATALOGUE``, else the one in the package.
    """
    given = os.environ.get("LIMEN_CATALOGUE")
    return Path(given) if given else _SHIPPED


def check_catalogue(document: Any) -> list[Fault]:
    """
    List what is wrong with a catalogue.

    Parameters
    ----------
    document : object
        Its JSON.

    Returns
    -------
    list of Fault
        All faults; empty if there are none.

    Examples
    --------
    >>> check_catalogue({"format": "1.0", "bundles": []})
    []
    """
    faults = schema.faults(document, "catalogue")
    if faults:
        return faults
    seen: set[object] = set()
    for position, entry in enumerate(document["bundles"]):
        here = f"/bundles/{position}"
        version = (entry["id"], entry["version"])
        if entry["doi"] in seen:
            faults.append(Fault(f"{here}/doi", f"found {entry['doi']!r} twice; keep one"))
        if version in seen:
            faults.append(Fault(f"{here}/version", f"found {' '.join(version)} twice; keep one"))
        if entry.get("concept_doi") == entry["doi"]:
            faults.append(
                Fault(f"{here}/concept_doi", "found the DOI of the version; give the concept's")
            )
        seen |= {entry["doi"], version}
    return faults


def known_bundles(path: Path | None = None) -> tuple[dict[str, Any], ...]:
    """
    Give the entries of the catalogue.

    Parameters
    ----------
    path : Path, optional
        The catalogue; by default :func:`catalogue_path`.

    Returns
    -------
    tuple of dict
        In the order of id and version; the fields are those of ``catalogue.schema.json``.

    Raises
    ------
    SchemaError, IntegrityError
        If it is no catalogue or cannot be read.
    """
    path = path or catalogue_path()
    document = schema.load_json(path)
    faults = check_catalogue(document)
    if faults:
        raise SchemaError.from_faults(str(path), faults)
    return tuple(document["bundles"])


def pinned_manifest(doi: str) -> str | None:
    """
    Give the SHA-256 that the manifest of a known bundle must have.

    Parameters
    ----------
    doi : str
        DOI of a version.

    Returns
    -------
    str or None
        None if the catalogue does not list this DOI.
    """
    wanted = doi.strip().lower()
    found = (b["manifest_sha256"] for b in known_bundles() if b["doi"] == wanted)
    return next(found, None)


def catalogue_registry(path: Path | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """
    Give the manifests of all known bundles as a registry for pooch.

    Parameters
    ----------
    path : Path, optional
        The catalogue; by default :func:`catalogue_path`.

    Returns
    -------
    registry : dict of str to str
        ``ID/VERSION/bundle.json`` to ``sha256:...``.
    urls : dict of str to str
        The same names to the addresses of the files.

    Examples
    --------
    >>> import pooch  # doctest: +SKIP
    >>> registry, urls = catalogue_registry()  # doctest: +SKIP
    >>> pooch.create("manifests", base_url="", registry=registry, urls=urls)  # doctest: +SKIP
    """
    registry, urls = {}, {}
    for entry in known_bundles(path):
        name = f"{entry['id']}/{entry['version']}/{MANIFEST}"
        identifier = parse_identifier(entry["doi"])
        registry[name] = f"sha256:{entry['manifest_sha256']}"
        urls[name] = f"{identifier.site.api}/records/{identifier.record}/files/{MANIFEST}/content"
    return registry, urls


def add_to_catalogue(
    doi: str, path: Path | None = None, *, patience: Patience | None = None
) -> dict[str, Any]:
    """
    Look a published bundle up and add it to the catalogue.

    Parameters
    ----------
    doi : str
        DOI of a version at Zenodo.
    path : Path, optional
        The catalogue; by default :func:`catalogue_path`.
    patience : Patience, optional

    Returns
    -------
    dict
        The new entry; an older one of the same DOI must agree with it.

    Raises
    ------
    UsageError
        If the DOI is a concept's or was not minted by Zenodo.
    ChecksumError
        If the catalogue already pins another manifest for this DOI.
    ZenodoError, IntegrityError, SchemaError
        If the record or its manifest cannot be read or used.
    """
    path = path or catalogue_path()
    entry = _entry(doi, patience)
    digest = entry["manifest_sha256"]
    known = {other["doi"]: other for other in known_bundles(path)}
    pinned = known.pop(entry["doi"], entry)["manifest_sha256"]
    if pinned != digest:
        raise ChecksumError(
            f"{entry['doi']}: found a manifest of SHA-256 {digest}, allowed {pinned} of the "
            "catalogue; the record was changed after it was published"
        )
    document = {"format": "1.0", "bundles": sorted([*known.values(), entry], key=_order)}
    faults = check_catalogue(document)
    if faults:
        raise SchemaError.from_faults(str(path), faults)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    fresh.write_bytes(schema.canonical_json(document))
    os.replace(fresh, path)
    return entry


def _entry(doi: str, patience: Patience | None) -> dict[str, Any]:
    home = known_sites()["zenodo"]
    identifier = parse_identifier(doi)
    if identifier.site != home or not identifier.record:
        raise UsageError(f"{doi!r}: allowed a DOI that {home.host} minted; publish there")
    with Client(home, patience=patience) as client:
        record = find_record(client, identifier)
        manifest, digest = read_manifest(client, record)
    if identifier.record != record.id:
        raise UsageError(
            f"{doi!r}: found the DOI of a concept; give that of a version: {record.doi}"
        )
    summary = summarise(manifest).to_dict()
    entry = {
        "id": summary.pop("id"),
        "version": summary.pop("version"),
        "doi": record.doi.lower(),
        "concept_doi": record.concept_doi.lower(),
        "manifest_sha256": digest,
        **summary,
    }
    return {name: value for name, value in entry.items() if value not in ("", {}, [])} | {
        "parameters": summary["parameters"]
    }


def _order(entry: Mapping[str, Any]) -> tuple[str, list[int], str]:
    numbers, _, rest = str(entry["version"]).partition("-")
    # A version with a suffix comes before the one without.
    return entry["id"], [int(number) for number in numbers.split(".")], rest or "~"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Add to the catalogue or check it, from the command line of a maintainer.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        0 if done, 1 if refused.
    """
    parser = argparse.ArgumentParser(prog="python -m limen_zenodo.catalogue")
    verbs = parser.add_subparsers(dest="verb", required=True)
    adding = verbs.add_parser("add", help="look published bundles up and add them")
    adding.add_argument("doi", nargs="+", help="DOI of a version")
    verbs.add_parser("check", help="check the catalogue")
    given = parser.parse_args(arguments)
    try:
        for doi in given.doi if given.verb == "add" else ():
            entry = add_to_catalogue(doi)
            print(f"{entry['doi']}: {entry['id']} {entry['version']}")
        print(f"{catalogue_path()}: {len(known_bundles())} bundles")
    except LimenError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
