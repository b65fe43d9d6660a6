"""Columns and model cards as values."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from limen.errors import ColumnError, SchemaError
from limen.schema.wording import nearest

__all__ = ["Column", "ModelCard", "columns", "models", "resolve_alias"]


class _Record:
    """A part of a manifest: absent fields are None, or empty where they are lists."""

    __slots__ = ()

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """
        Make the value from its JSON object, which the schema has passed.

        Raises
        ------
        SchemaError
            If a name is unknown or a required one is missing.
        """
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(document) - known)
        if unknown:
            raise SchemaError(f"{cls.__name__}: unknown name {unknown[0]!r}")
        values = {name: copy.deepcopy(value) for name, value in document.items()}
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = tuple(value)
        try:
            return cls(**values)
        except TypeError as error:
            raise SchemaError(f"{cls.__name__}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object; what is absent is left out."""
        document: dict[str, Any] = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            # The schema refuses an empty list where a list may be absent.
            if value is not None and not (value == () and field.default == ()):
                document[field.name] = copy.deepcopy(
                    list(value) if isinstance(value, tuple) else value
                )
        return document


@dataclass(frozen=True, slots=True)
class Column(_Record):
    """
    A column of a table.

    The fields are those of ``schemas/1.0/column.schema.json``; lists are tuples.

    Examples
    --------
    >>> Column.from_dict({"name": "M1", "role": "parameter", "unit": "GeV"}).to_dict()
    {'name': 'M1', 'role': 'parameter', 'unit': 'GeV'}
    """

    name: str
    role: str
    unit: str
    dtype: str | None = None
    symbol: str | None = None
    label: str | None = None
    description: str | None = None
    group: str | None = None
    quantity: str | None = None
    range: tuple[float, float] | None = None
    scale: str | None = None
    categories: dict[str, str] | None = None
    valid: str | None = None
    statistics: dict[str, Any] | None = None
    aliases: tuple[str, ...] = ()
    definition: dict[str, Any] | None = None
    derived: str | None = None
    of: str | None = None
    kind: str | None = None
    side: str | None = None
    analysis: str | tuple[str, ...] | None = None
    source: tuple[dict[str, Any], ...] = ()
    reference: str | None = None
    precision: str | dict[str, Any] | None = None

    @property
    def analyses(self) -> tuple[str, ...]:
        """Ids of the analyses that the column rests on."""
        if self.analysis is None:
            return ()
        return (self.analysis,) if isinstance(self.analysis, str) else self.analysis

    @property
    def title(self) -> str:
        """Name for people."""
        return self.label or self.name


@dataclass(frozen=True, slots=True)
class ModelCard(_Record):
    """
    What one model answers, where it holds and how it was made.

    The fields are those of ``schemas/1.0/model-card.schema.json``; lists are tuples.
    """

    name: str
    task: str
    target: str
    file: str
    probe: str
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    opset: dict[str, int]
    dtype: str
    domain: dict[str, Any]
    confidence: tuple[dict[str, Any], ...]
    metrics: tuple[dict[str, Any], ...]
    training: dict[str, Any]
    label: str | None = None
    transforms: str | None = None
    target_transform: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    verification: dict[str, Any] | None = None
    limitations: str | None = None
    intended_use: str | None = None
    out_of_scope: str | None = None
    references: tuple[str, ...] = ()
    licence: str | None = None

    @property
    def input_names(self) -> tuple[str, ...]:
        """Input columns, in the order of the graph."""
        return tuple(entry["column"] for entry in self.inputs)


def columns(manifest: Mapping[str, Any], table: str = "scan") -> dict[str, Column]:
    """
    Give the columns of a table by name, in order.

    Parameters
    ----------
    manifest : mapping
        A manifest or scan document that has passed its check.
    table : str
        Name of the table.

    Returns
    -------
    dict of str to Column

    Raises
    ------
    ColumnError
        If there is no such table.
    """
    for entry in manifest.get("tables", ()):
        if entry["name"] == table:
            return {column["name"]: Column.from_dict(column) for column in entry["columns"]}
    names = ", ".join(repr(entry["name"]) for entry in manifest.get("tables", ()))
    raise ColumnError(f"tables: found no {table!r}, allowed {names or 'none'}")


def models(manifest: Mapping[str, Any]) -> dict[str, ModelCard]:
    """Give the model cards of a checked manifest by name, in order."""
    return {entry["name"]: ModelCard.from_dict(entry) for entry in manifest.get("models", ())}


def resolve_alias(name: str, columns: Mapping[str, Column] | Iterable[Column]) -> str:
    """
    Give the column that a name means: its own name, or an alias of just one column.

    Parameters
    ----------
    name : str
    columns : mapping of str to Column, or iterable of Column

    Returns
    -------
    str
        Name of the column.

    Raises
    ------
    ColumnError
        If no column is meant, or several.

    Examples
    --------
    >>> m1 = Column("M1", "parameter", "GeV", aliases=("bino mass",))
    >>> resolve_alias("bino mass", [m1])
    'M1'
    """
    known: list[Column] = list(columns.values() if isinstance(columns, Mapping) else columns)
    if any(column.name == name for column in known):
        return name
    meant = [column.name for column in known if name in column.aliases]
    if len(meant) == 1:
        return meant[0]
    if meant:
        several = ", ".join(map(repr, meant))
        raise ColumnError(
            f"column: found {name!r}, which may mean {several}; use one of these names"
        )
    every = [*(c.name for c in known), *(a for c in known for a in c.aliases)]
    hint = nearest(name, every) or f"allowed are {', '.join(c.name for c in known)}"
    raise ColumnError(f"column: found {name!r}, which is no column; {hint.rstrip()}")
