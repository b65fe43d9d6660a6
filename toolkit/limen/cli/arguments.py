"""Arguments and options that several verbs share, with their completion."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from limen.errors import LimenError, UsageError

__all__ = [
    "as_json",
    "assignments",
    "bundle_argument",
    "column_names",
    "metric_lines",
    "model_names",
    "print_json",
    "yaml_options",
]

bundle_argument = click.argument("bundle", type=click.Path(path_type=Path))
as_json = click.option("--json", "json_wanted", is_flag=True, help="Answer in JSON.")


def print_json(answer: Any) -> None:
    """Write an answer as JSON to stdout."""
    click.echo(json.dumps(answer, ensure_ascii=False, indent=1, allow_nan=False))


def metric_lines(metrics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say metrics in a terminal: without population, with a minus sign that can be pasted."""
    from limen.documents import metric_text

    return [metric_text({**metric, "population": ""}).replace("−", "-") for metric in metrics]


def assignments(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """
    Split ``NAME=VALUE`` texts.

    Raises
    ------
    UsageError
        If a text has no ``=``, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{option}: found {text!r}, allowed NAME=VALUE")
        if name.strip() in found:
            raise UsageError(f"{option}: {name.strip()} is given twice; leave one of the two out")
        found[name.strip()] = value.strip()
    return found


def yaml_options(texts: tuple[str, ...]) -> dict[str, Any]:
    """
    Read ``--option NAME=VALUE`` texts, each value as YAML 1.2 reads it.

    Raises
    ------
    UsageError
        If a text has no ``=``, or a value is no YAML.

    Examples
    --------
    >>> yaml_options(("edge=5", "share=1e-3", "names=[a, b]", "kernel=matern"))
    {'edge': 5, 'share': 0.001, 'names': ['a', 'b'], 'kernel': 'matern'}
    """
    import yaml

    found: dict[str, Any] = {}
    for name, text in assignments(texts, "--option").items():
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"--option {name}: found {text!r}, allowed a YAML value") from error
        # YAML 1.1, which PyYAML reads, takes 1e-3 for text.
        number = isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?e[-+]?\d+", value, re.I)
        found[name] = float(value) if number else value
    return found


def _complete(pick: Callable[[Any], list[str]]) -> Callable[..., list[CompletionItem]]:
    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from limen.bundle import open_bundle

        # An option that still waits for its value keeps click from telling the arguments apart.
        path = ctx.params.get("bundle") or next(iter(ctx.args), None)
        try:
            names = pick(open_bundle(path)) if path else []
        except (LimenError, OSError):
            names = []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    return complete


column_names = _complete(lambda bundle: list(bundle.columns))
model_names = _complete(lambda bundle: [*bundle.models, "all"])
