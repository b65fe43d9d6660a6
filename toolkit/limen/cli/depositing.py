"""Verbs that give a bundle to an archive: deposit, publish."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from limen.cli.arguments import as_json, bundle_argument, print_json
from limen.errors import UsageError

if TYPE_CHECKING:
    from limen_zenodo.access import Draft
    from limen_zenodo.records import Record

__all__ = ["deposit_bundle", "publish_draft"]

_production = click.option("--production", is_flag=True, help="Zenodo, instead of its sandbox.")
_site = click.option("--site", metavar="NAME", help="Another archive, from your sites file.")


@click.command()
@bundle_argument
@_production
@_site
@click.option("--community", metavar="SLUG", help="Submit it to this community when published.")
@click.option("--new-version-of", metavar="DOI", help="Record whose next version it is.")
@as_json
def deposit_bundle(
    bundle: Path,
    production: bool,
    site: str | None,
    community: str | None,
    new_version_of: str | None,
    json_wanted: bool,
) -> None:
    """Upload BUNDLE as a draft with a reserved DOI; nothing is public before publish."""
    from limen_zenodo.depositing import deposit

    draft = deposit(
        bundle,
        production=production,
        site=site,
        community=community,
        new_version_of=new_version_of,
    )
    if json_wanted:
        print_json(_draft_facts(draft))
        return
    click.echo(draft.page)
    click.echo(
        f"{draft.bundle} {draft.version}: a draft at {draft.site.host} with {len(draft.files)} "
        f"files ({len(draft.sent)} sent now), reserved {draft.doi}; look at its page, then run: "
        f"{_publish_line(bundle, production, site)}",
        err=True,
    )


def _draft_facts(draft: Draft) -> dict[str, object]:
    return {
        "site": draft.site.name,
        "id": draft.id,
        "doi": draft.doi,
        "page": draft.page,
        "folder": str(draft.folder),
        "bundle": draft.bundle,
        "version": draft.version,
        "files": list(draft.files),
        "sent": list(draft.sent),
        "bytes": draft.size,
        "published": False,
    }


def _publish_line(given: object, production: bool, site: str | None) -> str:
    options = f"{' --production' if production else ''}{f' --site {site}' if site else ''}"
    return f"limen publish {given}{options}"


@click.command()
@click.argument("draft", metavar="DRAFT|BUNDLE")
@_production
@_site
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json
def publish_draft(
    draft: str, production: bool, site: str | None, yes: bool, json_wanted: bool
) -> None:
    """Publish a deposited draft, given by its bundle, id, DOI or address."""
    from limen_zenodo.access import Draft
    from limen_zenodo.publishing import find_draft, publish

    found = find_draft(draft, production=production, site=site)
    if not yes:
        _confirm(found, f"{_publish_line(draft, production, site)} --yes")
    result = publish(draft, production=production, site=site)
    if isinstance(result, Draft):
        if json_wanted:
            print_json(_draft_facts(result) | {"waits_for": result.community})
            return
        click.echo(
            f"{result.page}: waits for the community {result.community}; it becomes public when "
            "its curators accept it, then give the same line again",
            err=True,
        )
        return
    _print_record(result, json_wanted)


def _confirm(draft: Draft, line: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"publish: nobody can be asked here; if it is meant, run: {line}")
    click.echo(
        f"{draft.bundle} {draft.version}: {len(draft.files)} files, {draft.size:,} bytes, "
        f"{draft.doi}, {draft.page}",
        err=True,
    )
    question = f"Publish it at {draft.site.host}? This cannot be undone."
    click.confirm(question, abort=True, err=True)


def _print_record(record: Record, json_wanted: bool) -> None:
    if json_wanted:
        print_json(
            {
                "site": record.site.name,
                "id": record.id,
                "doi": record.doi,
                "concept_doi": record.concept_doi,
                "page": record.page,
                "published": True,
            }
        )
        return
    click.echo(record.doi)
    click.echo(
        f"{record.page}: public; this version is {record.doi}, all versions "
        f"{record.concept_doi or 'have no DOI of their own'}",
        err=True,
    )
