"""The verb campaign status: counts, failures, the stated error, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from limen.cli.arguments import as_json, assignments, print_json
from limen.cli.campaigning import campaign_argument
from limen.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from limen.active import Campaign
    from limen.active.assessments import Assessment

__all__ = ["show_status"]


@click.command("status")
@campaign_argument
@click.option("--quick", is_flag=True, help="Counts only; the stated error needs a fit.")
@click.option(
    "--html", "page", type=click.Path(path_type=Path), help="Write a page with pictures there."
)
@click.option(
    "--set", "fixed", multiple=True, metavar="NAME=VALUE", help="Where the slices of the page lie."
)
@as_json
def show_status(
    folder: Path, quick: bool, page: Path | None, fixed: tuple[str, ...], json_wanted: bool
) -> None:
    """Say where CAMPAIGN stands: points by status, failures, stated error."""
    from limen.active import Campaign

    if fixed and page is None:
        raise UsageError("--set: allowed with --html, whose slices it places")
    campaign = Campaign.open(folder)
    if page is not None:
        from limen.active import write_report

        write_report(campaign, page, fixed=_place(fixed))
        click.echo(f"{page}: written", err=True)
    found = campaign.status()
    stated = None if quick else _stated(campaign)
    if json_wanted:
        print_json(found | {"assessment": None if stated is None else stated.to_dict()})
        return
    for line in _lines(found, stated):
        click.echo(line)


def _place(texts: tuple[str, ...]) -> dict[str, float]:
    try:
        return {name: float(text) for name, text in assignments(texts, "--set").items()}
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"--set: {error}; allowed NAME=NUMBER in the parameter's unit") from error


def _stated(campaign: Campaign) -> Assessment | None:
    """State the error, if contours are sought, anything is known and the libraries are there."""
    from limen.active.assessing import assess

    sought = any(output.thresholds for output in campaign.problem.outputs)
    if not sought or not campaign.history().without_reserved().known.any():
        return None
    try:
        return assess(campaign, rounds=0, left_out=False)
    except MissingExtraError as error:
        click.echo(f"limen: no stated error: {error}", err=True)
        return None


def _lines(found: dict[str, Any], stated: Assessment | None) -> list[str]:
    counts = ", ".join(f"{n:,} {name}" for name, n in found["counts"].items() if n) or "none"
    known = f"; {found['warm']:,} rows known before" if found["warm"] else ""
    said = [
        f"{found['campaign']}: campaign {found['id']}, {found['strategy']}",
        f"  {found['asked']:,} points asked in {found['rounds']:,} rounds: {counts}{known}",
    ]
    if found["submitted"]:
        said.append(f"  {found['submitted']:,} of the pending ones are submitted elsewhere")
    said += [f"  failure: {reason[:100]} ({n:,})" for reason, n in found["failures"].items()]
    if stated is not None:
        said += [f"  {line}" for line in stated.lines() if line not in stated.notes]
    notes = [*found["notes"], *(stated.notes if stated is not None else ())]
    return said + [f"  note: {note}" for note in notes]
