"""What a campaign seeks, as the document that its folder keeps: made, read, checked."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from limen import schema
from limen.active.outputs import outputs_from_mapping
from limen.active.problem import Problem
from limen.active.spaces import Space
from limen.errors import (
    CampaignError,
    CampaignNotFoundError,
    ColumnError,
    IntegrityError,
    LimenError,
    UnitError,
    UsageError,
)
from limen.transforms import TargetTransform

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = [
    "FORMAT",
    "campaign_id",
    "check_approximation",
    "document_of_bundle",
    "new_document",
    "now",
    "problem_of",
    "read_document",
]

# How many times farther than the contours a likelihood is modelled about linearly.
_LINEAR = 3.0

FORMAT = "1.0"
_LIBRARIES = ("limen", "numpy", "scipy", "torch", "gpytorch", "botorch")
_INFERRED = ("likelihood", "limit", "test", "observable")


def now() -> str:
    """Say the time (UTC); SOURCE_DATE_EPOCH stands for it where it is set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def new_document(
    space: Mapping[str, Any],
    outputs: Mapping[str, Any],
    constraints: Sequence[str],
    strategy: str | Mapping[str, Any],
    *,
    seed: int,
    reserve: float,
    parent: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Make the document of a new campaign, without its id.

    Raises
    ------
    DataError, UsageError
        For bad spaces, outputs, seeds, shares and strategies.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise UsageError(f"seed: found {seed!r}, allowed a whole number of 0 or more")
    if isinstance(reserve, bool) or not isinstance(reserve, int | float) or not 0 <= reserve < 1:
        raise UsageError(f"reserve: found {reserve!r}, allowed a share from 0 to below 1")
    problem = Problem(Space.from_mapping(space, constraints), outputs_from_mapping(outputs))
    clash = sorted(set(problem.space.names) & {output.name for output in problem.outputs})
    taken = {"id", "status", "message", "cost", "task", "round", "origin", "strategy", "fidelity"}
    clash += sorted(taken & {*problem.space.names, *(output.name for output in problem.outputs)})
    if clash:
        raise UsageError(
            f"campaign: found the name {clash[0]!r} for a parameter or output, allowed names that "
            f"are given once, and none of {', '.join(sorted(taken))}"
        )
    if constraints:
        # What leaves next to nothing is refused now, not at the first ask.
        problem.space.draw(1, np.random.default_rng(0))
    told: dict[str, Any] = {"name": strategy} if isinstance(strategy, str) else dict(strategy)
    if set(told) - {"name", "options"} or not isinstance(told.get("name"), str):
        raise UsageError(f"strategy: found {strategy!r}, allowed a name, or name and options")
    options = dict(told.get("options") or {})
    try:
        json.dumps(options, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"strategy {told['name']}: found options that JSON does not hold ({error}), allowed "
            "texts, finite numbers, true, false, lists and mappings of them"
        ) from error
    document: dict[str, Any] = {
        "format": FORMAT,
        "id": "",
        "created": now(),
        "seed": seed,
        "reserve": float(reserve),
        "strategy": {"name": told["name"], "options": options},
        "space": problem.space.to_dict(),
        "outputs": {output.name: output.to_dict() for output in problem.outputs},
        "software": _software(),
    }
    if parent is not None:
        document["parent"] = dict(parent)
    return document


def _software() -> dict[str, str]:
    """Name the versions that the choice of points depends on."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def campaign_id(document: Mapping[str, Any]) -> str:
    """Give the id of a campaign: the same for the same question, seed and parent."""
    kept = {key: value for key, value in document.items() if key not in ("id", "created")}
    kept["parent"] = {k: v for k, v in kept.get("parent", {}).items() if k != "path"}
    kept.pop("software", None)
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def problem_of(document: Mapping[str, Any]) -> Problem:
    """Read space and outputs of a campaign's document; the pool is kept elsewhere."""
    return Problem(Space.from_dict(document["space"]), outputs_from_mapping(document["outputs"]))


def read_document(path: Path) -> dict[str, Any]:
    """
    Read the document of a campaign.

    Raises
    ------
    CampaignNotFoundError
        If there is none.
    CampaignError
        If it is of a format that this version cannot read.
    IntegrityError
        If it was changed.
    """
    if not path.is_file():
        raise CampaignNotFoundError(
            f"{path.parent}: found no {path.name}, allowed the folder of a campaign; start one "
            "with: limen campaign start"
        )
    document = schema.load_json(path)
    if document.get("format") != FORMAT:
        raise CampaignError(
            f"{path} format: found {document.get('format')!r}, allowed {FORMAT!r}; "
            "use the version of Limen that made it"
        )
    needed = ("id", "created", "seed", "reserve", "strategy", "space", "outputs")
    missing = [key for key in needed if key not in document]
    if missing:
        raise CampaignError(f"{path}: found no {', '.join(missing)}; restore it from a copy")
    try:
        problem_of(document)
    except LimenError as error:
        raise CampaignError(f"{path}: {error}", error.faults) from error
    if document["id"] != campaign_id(document):
        raise IntegrityError(
            f"{path}: found other contents than the campaign {document['id']} was started with; "
            "restore it from a copy, or start another campaign"
        )
    return document


def document_of_bundle(
    bundle: Bundle,
    outputs: Mapping[str, Any] | Sequence[str],
    space: Mapping[str, Any] | None,
    constraints: Sequence[str],
    strategy: str | Mapping[str, Any],
    *,
    seed: int,
    reserve: float,
) -> dict[str, Any]:
    """
    Make the document of a campaign on a bundle: its parameters, units, ranges and thresholds.

    Raises
    ------
    ColumnError
        If an output is no column of the scan that can be evaluated.
    """
    wanted = dict(outputs) if isinstance(outputs, Mapping) else dict.fromkeys(outputs, None)
    told = {name: _output_of(bundle, name, entry or {}) for name, entry in wanted.items()}
    parent = bundle.as_parent() | {"path": str(Path(bundle.path).resolve())}
    return new_document(
        space_of_bundle(bundle.columns, space or {}),
        told,
        constraints,
        strategy,
        seed=seed,
        reserve=reserve,
        parent=parent,
    )


def space_of_bundle(columns: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Describe the parameters of a scan as a space; what is given goes first.

    Raises
    ------
    ColumnError
        If a given name is no parameter, or a parameter has no range.
    """
    parameters = {n: c for n, c in columns.items() if c.role in ("parameter", "nuisance")}
    unknown = sorted(set(given) - set(parameters))
    if unknown:
        raise ColumnError(
            f"space: found {', '.join(unknown)}, allowed the parameters {', '.join(parameters)}"
        )
    found: dict[str, Any] = {}
    for name, column in parameters.items():
        asked = given.get(name, {})
        asked = dict(asked) if isinstance(asked, Mapping) else {"range": asked}
        if column.range is None and "range" not in asked and "values" not in asked:
            raise ColumnError(f"space {name}: the scan declares no range; give one")
        entry: dict[str, Any] = {"unit": column.unit}
        if column.range is not None and "values" not in asked:
            entry["range"] = list(column.range)
        if column.scale == "log" and _lowest(entry | asked) > 0:
            entry["scale"] = "log"
        for key in ("symbol", "label", "description"):
            if getattr(column, key):
                entry[key] = getattr(column, key)
        if asked.get("unit", column.unit) != column.unit:
            raise UnitError(
                f"space {name}: found the unit {asked['unit']!r}, allowed {column.unit!r} as in "
                "the scan"
            )
        entry |= asked
        constant = column.range is not None and column.range[0] == column.range[1]
        if constant and not asked:
            continue
        found[name] = entry
    return found


def _lowest(entry: Mapping[str, Any]) -> float:
    """Give the lower end of a range or of values; 0 where they are no numbers."""
    told = entry.get("values") or entry.get("range")
    listed = told if isinstance(told, list | tuple) else ()
    return min((float(x) for x in listed if isinstance(x, int | float)), default=0.0)


def _output_of(bundle: Bundle, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a column as an output; thresholds are those of the labels defined on it."""
    columns = bundle.columns
    able = [n for n, c in columns.items() if c.role in _INFERRED]
    if name not in columns or columns[name].role not in _INFERRED:
        raise ColumnError(
            f"output: found {name!r}, allowed {', '.join(able)}: columns that are evaluated"
        )
    column = columns[name]
    if column.derived:
        raise ColumnError(
            f"output {name}: found a column that derives from others ({column.derived}), allowed "
            "one that is evaluated; start the campaign with what it derives from"
        )
    entry: dict[str, Any] = {"unit": column.unit}
    if column.scale == "log":
        entry["scale"] = "log"
    for key in ("symbol", "label"):
        if getattr(column, key):
            entry[key] = getattr(column, key)
    definitions = [c.definition or {} for c in columns.values() if c.role == "label"]
    levels = {float(d["threshold"]) for d in definitions if d.get("column") == name}
    if levels and not given.get("threshold"):
        entry["threshold"] = sorted(levels)
    entry |= dict(given)
    if not {"scale", "unit"} & set(given):
        entry |= _long_tail(bundle, name, entry.get("threshold", []))
    return entry


def _long_tail(bundle: Bundle, name: str, threshold: Any) -> dict[str, Any]:
    """
    Give the scale of a log-likelihood whose values reach far down: no process follows those.

    It is about linear three times as far from the best value as the contours are.
    """
    column = bundle.columns[name]
    chosen = TargetTransform.choose(column.quantity, column.role, bundle.scan[name].values)
    if chosen.kind != "log_deficit":
        return {}
    levels = np.asarray(threshold, dtype=np.float64).reshape(-1)
    deepest = float(np.abs(levels - chosen.top).max(initial=0.0))
    width = math.copysign(max(abs(chosen.scale), _LINEAR * deepest), chosen.scale)
    return {"scale": "log_deficit", "top": chosen.top, "width": width}


def check_approximation(bundle: Bundle, problem: Problem, columns: Mapping[str, str]) -> None:
    """
    Check that an approximation names a column for every output; a surrogate finds their scale.

    Raises
    ------
    ColumnError
    """
    names = {output.name for output in problem.outputs}
    missing, unknown = sorted(names - set(columns)), sorted(set(columns) - names)
    strangers = sorted(set(columns.values()) - set(bundle.columns))
    if missing or unknown or strangers:
        what = ", ".join([*missing, *unknown, *strangers])
        raise ColumnError(
            f"approximation: found something wrong with {what}, allowed for each output "
            f"({', '.join(sorted(names))}) one column of the scan"
        )
