"""The verb extend: the points of a campaign become the next version of a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from limen.cli.arguments import as_json, print_json
from limen.errors import UsageError

__all__ = ["extend_bundle"]


@click.command()
@click.argument(
    "places", nargs=-1, required=True, metavar="[BUNDLE] CAMPAIGN", type=click.Path(path_type=Path)
)
@click.option(
    "-o", "output", required=True, type=click.Path(path_type=Path), help="The new bundle."
)
@click.option("--version", help="Its version; else the next minor one.")
@click.option("--no-retrain", is_flag=True, help="Leave the models with the bundle extended.")
@click.option("--seed", default=0, show_default=True, help="Seed of what verifies the surrogate.")
@click.option(
    "--document",
    type=click.Path(path_type=Path),
    help="Without BUNDLE: a scan document that says what the columns mean.",
)
@as_json
def extend_bundle(
    places: tuple[Path, ...],
    output: Path,
    version: str | None,
    no_retrain: bool,
    seed: int,
    document: Path | None,
    json_wanted: bool,
) -> None:
    """
    Make the next version of BUNDLE with the points of CAMPAIGN, models retrained.

    Without BUNDLE the points of a campaign that started from none make a first bundle.
    """
    from limen.active.extending import extend

    if len(places) > 2:
        raise UsageError(f"extend: found {len(places)} folders, allowed [BUNDLE] CAMPAIGN")
    bundle = places[0] if len(places) == 2 else None
    made = extend(
        bundle,
        places[-1],
        output,
        version=version,
        retrain=not no_retrain,
        seed=seed,
        document=document,
    )
    record = made.manifest["campaign"]
    if json_wanted:
        answer = {"bundle": str(output), "version": made.manifest["version"], "campaign": record}
        print_json(answer)
        return
    counts = record["counts"]
    click.echo(
        f"{output}: {made.manifest['id']} {made.manifest['version']}, {counts['rows']:,} new rows "
        f"of {counts['asked']:,} points asked, models: {', '.join(made.models) or 'none'}"
    )
    for label in (record.get("assessment") or {}).get("labels", []):
        share = 100 * label["expected_misclassified_prior_mass"]
        click.echo(
            f"  {label['output']} at {label['threshold']:g}: expected misclassified prior mass "
            f"{share:.3g} %"
        )
    following = f"limen diff {bundle} {output}, " if bundle is not None else ""
    click.echo(f"next: {following}limen check {output} --deep", err=True)
