"""Verbs that get published bundles and look after what is kept of them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from limen.cli.arguments import as_json, print_json
from limen.errors import UsageError

__all__ = ["cache", "fetch_bundle"]


@click.command()
@click.argument("doi", metavar="DOI")
@click.option(
    "--parts",
    default="manifest,models",
    show_default=True,
    metavar="PART,...",
    help="manifest, models, scan, preview, documents, attachments, all, or names of files.",
)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of your own; the cache by default.",
)
@click.option("--site", metavar="NAME", help="The archive: zenodo, sandbox or a configured one.")
@click.option("--latest", is_flag=True, help="Ask again which version is the newest.")
@click.option("--offline", is_flag=True, help="Only what is in the cache; ask nobody.")
@click.option("--trust", is_flag=True, help="Do not run the probes of the models.")
@as_json
def fetch_bundle(
    doi: str,
    parts: str,
    output: Path | None,
    site: str | None,
    latest: bool,
    offline: bool,
    trust: bool,
    json_wanted: bool,
) -> None:
    """Fetch the bundle with this DOI, id or address, or parts of it; checked and examined."""
    from limen_zenodo.fetching import fetch_parts

    names = [name.strip() for name in parts.split(",") if name.strip()]
    found = fetch_parts(
        doi, names, path=output, site=site, latest=latest, offline=offline, trust=trust
    )
    bundle, lock = found.bundle, found.lock
    if json_wanted:
        print_json(
            {
                "folder": str(bundle.path),
                "site": lock.site,
                "record": lock.record,
                "doi": lock.doi,
                "concept_doi": lock.concept_doi,
                "manifest_sha256": lock.manifest_sha256,
                "fetched": found.files,
                "bytes": sum(found.files.values()),
                "present": list(found.present),
            }
        )
        return
    click.echo(str(bundle.path))
    count = "1 file" if len(found.files) == 1 else f"{len(found.files)} files"
    moved = f"{count}, {sum(found.files.values()):,} bytes" if found.files else ""
    facts = f"{bundle.manifest['id']} {bundle.manifest['version']}"
    click.echo(f"{facts}, {lock.doi or lock.record}: {moved or 'nothing to fetch'}", err=True)
    askable = any(card.file in found.present for card in bundle.models.values())
    next_verb = f"predict {bundle.path} ..." if askable else f"show {bundle.path}"
    click.echo(f"cite it: limen cite {bundle.path}; next: limen {next_verb}", err=True)


@click.group()
def cache() -> None:
    """Look at, or clear, what was fetched before."""


@cache.command("list")
@as_json
def list_cache(json_wanted: bool) -> None:
    """Say which bundles are in the cache, and what else is."""
    from limen_zenodo.cache import cached, others

    found, rest = cached(), others()
    if json_wanted:
        bundles = [
            lock.to_dict() | {"folder": str(folder), "bytes": size} for lock, folder, size in found
        ]
        kept = [{"name": name, "folder": str(place), "bytes": size} for name, place, size in rest]
        print_json({"bundles": bundles, "others": kept})
        return
    for lock, folder, size in found:
        title = "".join(letter for letter in lock.title if letter.isprintable())[:60]
        click.echo(f"{lock.doi or lock.record}  {size / 1e6:,.1f} MB  {title}")
        click.echo(f"  {folder}")
    total = sum(size for _, _, size in found)
    more = "".join(f"; {name}, {size / 1e6:,.1f} MB" for name, _, size in rest)
    click.echo(f"{_bundles(len(found))}, {total / 1e6:,.1f} MB{more}", err=True)


def _bundles(count: int) -> str:
    return f"{count} bundle{'' if count == 1 else 's'}"


@cache.command("clear")
@click.argument("doi", nargs=-1, metavar="[DOI]...")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def clear_cache(doi: tuple[str, ...], yes: bool) -> None:
    """Remove bundles from the cache; everything, if no DOI is given."""
    from limen_zenodo.cache import clear, others
    from limen_zenodo.identifiers import parse_identifier

    identifiers = [parse_identifier(text) for text in doi] or None
    if not identifiers and not yes:
        if not sys.stdin.isatty():
            raise UsageError("cache: nobody can be asked here; run: limen cache clear --yes")
        click.confirm("Remove everything that was fetched?", abort=True, err=True)
    rest = [] if identifiers else others()
    removed = clear(identifiers)
    total = sum(size for _, size in removed) + sum(size for _, _, size in rest)
    names = ", ".join([_bundles(len(removed)), *(name for name, _, _ in rest)])
    click.echo(f"removed from the cache: {names}; {total / 1e6:,.1f} MB", err=True)
