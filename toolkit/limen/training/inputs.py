"""Which columns a model may be given, so that it has to predict its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from limen.errors import ColumnError, UsageError
from limen.expressions import Expression
from limen.manifest import Column

__all__ = ["choose_inputs"]

_ANSWERS = ("likelihood", "limit", "label", "test")
_FREE = ("parameter", "nuisance")


def choose_inputs(
    columns: Mapping[str, Column],
    target: Column,
    wanted: Sequence[str] | None,
    *,
    allow_derived: bool,
    nuisances: str | None,
) -> tuple[Column, ...]:
    """
    Choose a model's inputs: parameters and nuisances, or the ones named.

    Raises
    ------
    ColumnError
        If a named column is unknown, or an answer or something the target derives from.
    UsageError
        If there are nuisance columns and nothing is said about them.
    """
    sampled = [c.name for c in columns.values() if c.role == "nuisance"]
    if wanted is None:
        if sampled and nuisances is None:
            raise UsageError(
                f"nuisances: the scan samples {', '.join(sampled)}, and a model without them "
                "learns their average; say --nuisances include, profile or marginalise"
            )
        roles = ("parameter", "nuisance") if nuisances == "include" else ("parameter",)
        chosen = [column for column in columns.values() if column.role in roles]
        if not chosen:
            raise ColumnError("inputs: the scan has no column of role parameter; name the inputs")
        return tuple(chosen)
    unknown = [name for name in wanted if name not in columns]
    if unknown or len(set(wanted)) != len(wanted):
        raise ColumnError(
            f"inputs: found {', '.join(unknown) or 'a column twice'}, allowed each once: "
            f"{', '.join(columns)}"
        )
    for name in wanted:
        _refuse_answer(columns[name], target, columns, allow_derived)
    return tuple(columns[name] for name in wanted)


def _refuse_answer(
    column: Column, target: Column, columns: Mapping[str, Column], allow_derived: bool
) -> None:
    """Refuse an input that is no physics, or from which the target could be read off."""
    if column.role in ("mask", "split", "id"):
        raise ColumnError(
            f"inputs: {column.name} has the role {column.role} and is no physics; drop it"
        )
    if allow_derived or column.role in _FREE:
        return
    free = {name for name, entry in columns.items() if entry.role in _FREE}
    shared = (_sources(column, columns) & _sources(target, columns)) - free
    if column.role in _ANSWERS or shared:
        raise ColumnError(
            f"inputs: {column.name} has the role {column.role} or shares what the target "
            f"{target.name} derives from, so the model would be given the answer; leave it out, or "
            "say --allow-derived"
        )


def _sources(target: Column, columns: Mapping[str, Column]) -> set[str]:
    """Name a column and all columns that it derives from or describes."""
    found: set[str] = set()
    waiting = {target.name}
    while waiting:
        name = waiting.pop()
        found.add(name)
        column = columns.get(name)
        if column is not None:
            needs = set(Expression(column.derived).names) if column.derived else set()
            needs |= {str((column.definition or {}).get("column", name)), column.of or name}
            waiting |= needs - found
    return found
