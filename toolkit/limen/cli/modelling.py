"""Verbs that add models: train, add-model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from limen.cli.arguments import (
    as_json,
    bundle_argument,
    column_names,
    metric_lines,
    print_json,
    yaml_options,
)

if TYPE_CHECKING:
    from limen.manifest import ModelCard

__all__ = ["adopt_model", "train_model"]

_name = click.option("--name", help="Name of the model; else the target's.")
_seed = click.option("--seed", default=0, show_default=True, help="Seed of every random choice.")
_derived = click.option("--allow-derived", is_flag=True, help="Allow inputs that hold the answer.")
_replace = click.option("--replace", is_flag=True, help="Replace a model of the same name.")
_target = click.option(
    "--target", required=True, shell_complete=column_names, help="Column to predict."
)


@click.command()
@bundle_argument
@_target
@click.option(
    "--estimator",
    type=click.Choice(["forest", "boosted", "mlp", "gp"]),
    default="forest",
    show_default=True,
    help="Random forest, boosted trees, neural network, or Gaussian process (numbers only, "
    "no labels).",
)
@_name
@_seed
@click.option("--inputs", help="Input columns, comma-separated; else all parameters.")
@_derived
@click.option(
    "--nuisances",
    type=click.Choice(["include", "profile", "marginalise"]),
    help="What to do with sampled nuisance columns.",
)
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Hyper-parameter.")
@_replace
@as_json
def train_model(
    bundle: Path,
    target: str,
    estimator: str,
    name: str | None,
    seed: int,
    inputs: str | None,
    allow_derived: bool,
    nuisances: str | None,
    options: tuple[str, ...],
    replace: bool,
    json_wanted: bool,
) -> None:
    """Train a model of BUNDLE's --target, calibrate, export, verify and add it."""
    from limen.bundle import open_bundle
    from limen.training import train

    given = yaml_options(options)
    card = train(
        open_bundle(bundle),
        target,
        estimator=estimator,
        name=name,
        seed=seed,
        inputs=_split(inputs),
        allow_derived=allow_derived,
        nuisances=nuisances,
        options=given,
        replace=replace,
    )
    _answer(bundle, card, json_wanted)


@click.command()
@bundle_argument
@click.argument("model", type=click.Path(path_type=Path))
@_target
@click.option("--inputs", required=True, help="Its input columns in its order, comma-separated.")
@_name
@_seed
@_derived
@_replace
@as_json
def adopt_model(
    bundle: Path,
    model: Path,
    target: str,
    inputs: str,
    name: str | None,
    seed: int,
    allow_derived: bool,
    replace: bool,
    json_wanted: bool,
) -> None:
    """Adopt your own ONNX file MODEL: same audit, calibration, probe and card."""
    from limen.bundle import open_bundle
    from limen.training import add_model

    card = add_model(
        open_bundle(bundle),
        model,
        target=target,
        inputs=_split(inputs) or [],
        name=name,
        seed=seed,
        allow_derived=allow_derived,
        replace=replace,
    )
    _answer(bundle, card, json_wanted)


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _answer(bundle: Path, card: ModelCard, json_wanted: bool) -> None:
    if json_wanted:
        print_json(card.to_dict())
        return
    click.echo(f"{card.name}: {card.target} by {card.training['estimator']}")
    for text in metric_lines(card.metrics):
        click.echo(f"  {text}")
    click.echo(f"  population: {card.training['population']}")
    for entry in card.confidence:
        if "coverage" in entry:
            covered = entry["coverage"]
            told = metric_lines([{"value": covered["value"], "interval": covered.get("interval")}])
            aim = f", {entry['level']:g} aimed at" if "level" in entry else ""
            click.echo(
                f"  {entry['kind']}: {told[0].strip()} measured{aim}; {covered['n']} test rows"
            )
    click.echo(f"  rebuild: {card.training['rebuild']}")
    click.echo(f"next: limen predict {bundle} --model {card.name} --set NAME=VALUE ...", err=True)
