"""The verb that finds published bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from limen.cli.arguments import as_json, print_json

if TYPE_CHECKING:
    from limen_zenodo.searching import Found

__all__ = ["search_records"]

_FEW = 8


@click.command()
@click.argument("query", nargs=-1)
@click.option("--community", metavar="SLUG", help="Only in this community of the archive.")
@click.option("--site", metavar="NAME", help="The archive: zenodo, sandbox or a configured one.")
@click.option("--all-versions", is_flag=True, help="Also versions that a newer one replaces.")
@click.option("--limit", default=25, show_default=True, help="Largest number of bundles.")
@click.option("--raw", is_flag=True, help="QUERY is in the archive's query language.")
@click.option("--catalogue", is_flag=True, help="Only the catalogue of known bundles; offline.")
@as_json
def search_records(
    query: tuple[str, ...],
    community: str | None,
    site: str | None,
    all_versions: bool,
    limit: int,
    raw: bool,
    catalogue: bool,
    json_wanted: bool,
) -> None:
    """Find published bundles by words of their records; QUERY may be empty."""
    from limen_zenodo.searching import search

    found = search(
        " ".join(query),
        community=community,
        site=site,
        all_versions=all_versions,
        limit=limit,
        raw=raw,
        offline=catalogue,
    )
    if json_wanted:
        print_json([bundle.to_dict() for bundle in found])
        return
    for bundle in found:
        for line in _described(bundle):
            click.echo(line)
    number = f"{len(found)} bundle{'' if len(found) == 1 else 's'}"
    more = "; there may be more: --limit" if len(found) == limit else ""
    click.echo(f"{number}{more}", err=True)


def _described(bundle: Found) -> list[str]:
    facts = [("version", bundle.version or "not stated"), ("size", f"{bundle.size / 1e6:,.1f} MB")]
    if bundle.summary is not None:
        summary = bundle.summary
        facts += [
            ("theory", summary.theory or "not stated"),
            ("parameters", _few(summary.parameters)),
            ("analyses", _few(summary.analyses)),
            ("points", f"{summary.points:,}"),
            (
                "models",
                _few([f"{m['name']} ({m['task']} of {m['target']})" for m in summary.models]),
            ),
            ("licence", ", ".join(f"{part} {name}" for part, name in summary.licences.items())),
        ]
    if bundle.fault:
        facts.append(("FAULT", bundle.fault))
    lines = [bundle.title or "(no title)", f"  {'DOI':<10}  {bundle.doi}"]
    lines += [f"  {name:<10}  {text}" for name, text in facts if text]
    if bundle.summary is not None and not bundle.fault:
        lines.append(f"  {'next':<10}  limen fetch {bundle.identifier}")
    return [*lines, ""]


def _few(names: tuple[str, ...] | list[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"{len(names)}: {', '.join(names[:_FEW])}{more}"
