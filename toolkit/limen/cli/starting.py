"""The verb campaign start: a campaign on a bundle, or on a space of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from limen.cli.arguments import as_json, assignments, print_json, yaml_options
from limen.cli.places import open_place
from limen.cli.tables import declared_units, read_numbers
from limen.errors import UsageError

if TYPE_CHECKING:
    from limen.active import Campaign

__all__ = ["start_campaign"]

_DOCUMENTS = (".yaml", ".yml", ".json")


@click.command("start")
@click.argument("place", metavar="BUNDLE|space.yaml")
@click.option(
    "-o", "folder", required=True, type=click.Path(path_type=Path), help="The campaign's folder."
)
@click.option("--output", "outputs", multiple=True, help="Column of the bundle that is evaluated.")
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    metavar="[OUTPUT=]V",
    help="Level sought; else those of the labels defined on the output.",
)
@click.option("--range", "ranges", multiple=True, metavar="NAME=LOW,HIGH", help="A narrower range.")
@click.option("--constraint", "constraints", multiple=True, help="Condition, as 'm_n1 < m_n2'.")
@click.option("--strategy", help="How points are chosen; level-set unless stated.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Of the strategy.")
@click.option("--seed", type=int, help="Seed of every random choice; 0 unless stated.")
@click.option("--reserve", type=float, help="Share drawn from the prior to judge; 0.05 else.")
@click.option("--warm", metavar="FILE", help="Table of points that are known already.")
@click.option(
    "--approximation",
    "approximations",
    multiple=True,
    metavar="FILE|OUTPUT=COLUMN",
    help="Table, or column of the bundle, of a cheap approximation.",
)
@click.option("--pool", metavar="FILE", help="Table of the only points that can be evaluated.")
@as_json
def start_campaign(
    place: str,
    folder: Path,
    outputs: tuple[str, ...],
    thresholds: tuple[str, ...],
    ranges: tuple[str, ...],
    constraints: tuple[str, ...],
    strategy: str | None,
    options: tuple[str, ...],
    seed: int | None,
    reserve: float | None,
    warm: str | None,
    approximations: tuple[str, ...],
    pool: str | None,
    json_wanted: bool,
) -> None:
    """
    Start a campaign on a bundle, whose rows are known, or on the space of a YAML file.

    The file names parameters with their ranges and outputs with their thresholds.
    """
    given: dict[str, Any] = {"seed": seed, "reserve": reserve, "strategy": strategy}
    given = {name: value for name, value in given.items() if value is not None}
    if options:
        given["strategy"] = {"name": strategy, "options": yaml_options(options)}
    tables = {"warm": warm, "pool": pool}
    if place.endswith(_DOCUMENTS):
        named = {"--output": outputs, "--threshold": thresholds, "--range": ranges}
        for option, texts in (named | {"--constraint": constraints}).items():
            if texts:
                raise UsageError(f"{option}: allowed with a bundle; {place} says it for itself")
        if len(approximations) > 1:
            raise UsageError("--approximation: found several, allowed one table")
        tables["approximation"] = approximations[0] if approximations else None
        campaign = _of_document(place, folder, given, tables)
    else:
        if warm is not None:
            raise UsageError("--warm: allowed with a space document; a bundle's rows are known")
        given |= {"constraints": list(constraints), "space": _ranges(ranges)}
        if approximations:
            given["approximation"] = assignments(approximations, "--approximation")
        campaign = _of_bundle(place, folder, given, _outputs(outputs, thresholds), pool)
    _answer(campaign, json_wanted)


def _of_document(
    place: str, folder: Path, given: dict[str, Any], tables: Mapping[str, str | None]
) -> Campaign:
    from limen.active import Campaign, Problem, Space, outputs_from_mapping
    from limen.active.quests import read_quest

    told = read_quest(place)
    given = _strategy(given, told.get("strategy", "level-set"))
    files = {name: told.pop(name, None) if file is None else file for name, file in tables.items()}
    told = {name: value for name, value in told.items() if name not in tables}
    files = {name: str(file) for name, file in files.items() if file is not None}
    if files:
        space = Space.from_mapping(told["space"], told.get("constraints", ()))
        units = declared_units(Problem(space, outputs_from_mapping(told["outputs"])))
        given |= {name: read_numbers(file, units) for name, file in files.items()}
    return Campaign.start(folder, **(told | given))


def _of_bundle(
    place: str, folder: Path, given: dict[str, Any], outputs: dict[str, Any], pool: str | None
) -> Campaign:
    from limen.active import Campaign

    bundle = open_place(place)
    if pool is not None:
        units = {name: column.unit for name, column in bundle.columns.items()}
        given["pool"] = read_numbers(pool, units)
    return Campaign.from_bundle(folder, bundle, outputs, **_strategy(given, "level-set"))


def _strategy(given: dict[str, Any], told: Any) -> dict[str, Any]:
    """Give a strategy its name where only options were given: that of the document."""
    asked = given.get("strategy")
    if not isinstance(asked, Mapping):
        return given
    known = told if isinstance(told, Mapping) else {"name": told}
    same = asked["name"] in (None, known.get("name"))
    kept = dict(known.get("options") or {}) if same else {}
    name = asked["name"] or known.get("name")
    return given | {"strategy": {"name": name, "options": kept | asked["options"]}}


def _outputs(names: tuple[str, ...], thresholds: tuple[str, ...]) -> dict[str, Any]:
    """Give each output its thresholds."""
    if not names:
        raise UsageError("--output: found none; name a column of the bundle that is evaluated")
    found: dict[str, list[float]] = {name: [] for name in names}
    for text in thresholds:
        name, equals, level = text.rpartition("=")
        if not equals and len(found) > 1:
            raise UsageError(f"--threshold {text}: found several outputs, allowed OUTPUT={text}")
        name = name.strip() if equals else names[0]
        if name not in found:
            raise UsageError(f"--threshold {text}: found {name!r}, allowed {', '.join(names)}")
        found[name].append(_number(level, f"--threshold {text}"))
    return {name: {"threshold": levels} if levels else {} for name, levels in found.items()}


def _ranges(texts: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for name, text in assignments(texts, "--range").items():
        ends = [_number(part, f"--range {name}") for part in text.split(",")]
        if len(ends) != 2:
            raise UsageError(f"--range {name}: found {text!r}, allowed LOW,HIGH")
        found[name] = {"range": ends}
    return found


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{where}: found {text!r}, allowed a number") from error


def _answer(campaign: Campaign, json_wanted: bool) -> None:
    if json_wanted:
        print_json(campaign.status())
        return
    levels = [
        f"{output.name} at {', '.join(f'{level:g}' for level in output.thresholds)}"
        if output.thresholds
        else output.name
        for output in campaign.problem.outputs
    ]
    known = f", {len(campaign.history(0).points):,} rows known" if campaign.history(0).warm else ""
    click.echo(
        f"{campaign.folder}: campaign {campaign.id}, {campaign.problem.d} parameters, "
        f"{'; '.join(levels)}, {campaign.strategy.name}{known}"
    )
    click.echo(f"next: limen campaign ask {campaign.folder} -n 10 -o batch.csv", err=True)
