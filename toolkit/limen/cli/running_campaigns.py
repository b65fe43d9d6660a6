"""The verb campaign run: points are evaluated here, in other processes or on a cluster."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from limen.cli.arguments import as_json, print_json
from limen.cli.running import REFUSED
from limen.errors import UsageError

__all__ = ["run_campaign"]

_INTERRUPTED = 5


@click.command("run")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--command",
    metavar="LINE",
    help="Program: 'prog {input} {output}', tables of one row (CSV) in and out.",
)
@click.option("--python", metavar="NAME", help="Function: package.module:name or file.py:name.")
@click.option(
    "--evaluator",
    type=click.Path(path_type=Path),
    help="Document (YAML or JSON) of a program: SLHA, JSON, exit codes, retries.",
)
@click.option(
    "--workers", type=int, help="Points at the same time, in other processes; else in this one."
)
@click.option("--dask", metavar="ADDRESS", help="Scheduler; 'local' starts workers here.")
@click.option("--batch", default=10, show_default=True, help="Points of one ask, at most.")
@click.option("--budget", type=int, help="Stop when so many points were asked, failed ones too.")
@click.option(
    "--max-pending", type=int, help="Points asked ahead where workers ask as they become free."
)
@click.option("--timeout", type=float, help="Longest time of one evaluation [s].")
@click.option("--retries", type=int, help="How often a failed evaluation is tried again.")
@click.option(
    "--until-error",
    type=float,
    metavar="EPS",
    help="Stop when the expected misclassified prior mass of every label is below EPS.",
)
@click.option(
    "--until-unchanged",
    type=int,
    metavar="K",
    help="Stop when next to no label changed in each of the last K rounds.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    help="Folder of results of the program that several campaigns share.",
)
@as_json
def run_campaign(
    folder: Path,
    command: str | None,
    python: str | None,
    evaluator: Path | None,
    workers: int | None,
    dask: str | None,
    until_error: float | None,
    until_unchanged: int | None,
    cache: Path | None,
    json_wanted: bool,
    **options: Any,
) -> None:
    """
    Evaluate the pending points of the campaign in FOLDER, then ask and tell until it may stop.

    Stop it at any time: what was told stays told, and the next run goes on where it ended.
    """
    from limen.active.campaign import Campaign
    from limen.active.evaluators import Program
    from limen.active.running import run

    if sum(given is not None for given in (command, python, evaluator)) != 1:
        raise UsageError(
            "run: give --command 'PROG {input} {output}', --python MODULE:NAME or "
            "--evaluator DOCUMENT, one of them"
        )
    if cache is not None and python is not None:
        raise UsageError("--cache: goes with programs only; a function may keep its own")
    campaign = Campaign.open(folder)
    made: Any = python
    if command is not None:
        made = Program.from_command(command, cache=cache)
    elif evaluator is not None:
        made = Program.from_file(evaluator, cache=cache)
    if dask is not None:
        options |= {"executor": "dask", "address": None if dask == "local" else dask}
    elif workers is not None:
        options["executor"] = "processes"
    try:
        rule = _rule(until_error, until_unchanged)
        ran = run(campaign, made, workers=workers, stop=rule, **options)
    except KeyboardInterrupt:
        pending = campaign.counts()["pending"]
        click.echo(
            f"limen: {folder}: interrupted; all results are kept, {pending} points are pending; "
            "run again to go on",
            err=True,
        )
        raise click.exceptions.Exit(_INTERRUPTED) from None
    failed = bool(ran.evaluated) and ran.counts["failed"] == sum(ran.counts.values())
    if json_wanted:
        print_json({"campaign": str(folder), **asdict(ran)})
        raise click.exceptions.Exit(REFUSED if failed else 0)
    counts = ", ".join(f"{number} {status}" for status, number in ran.counts.items() if number)
    click.echo(f"{folder}: {ran.evaluated} points evaluated, {counts} of {ran.asked}")
    click.echo(f"stopped: {ran.reason or 'nothing was left to do'}")
    if failed:
        raise click.exceptions.Exit(REFUSED)


def _rule(error: float | None, rounds: int | None) -> Any:
    from limen.active import stopping

    rules = []
    if error is not None:
        rules.append(stopping.mass_below(error))
    if rounds is not None:
        rules.append(stopping.unchanged_for(rounds))
    return stopping.first_of(*rules) if rules else None
