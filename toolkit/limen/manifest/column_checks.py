"""What JSON Schema cannot say of columns: names meet, units parse, expressions hold together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from limen.errors import ExpressionError, Fault, UnitError
from limen.expressions import Expression
from limen.manifest.label_checks import label_faults
from limen.schema.wording import nearest
from limen.units import parse_unit

__all__ = ["column_faults", "unknown_name"]

Document = Mapping[str, Any]


def unknown_name(found: str, known: Mapping[str, Any] | Sequence[str], what: str = "column") -> str:
    """Word a name that refers to nothing."""
    names = list(known)
    listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    hint = nearest(found, names).rstrip() or f"there {'are' if names else 'is'} {listed or 'none'}"
    return f"found {found!r}, which is no {what}; {hint}"


def column_faults(columns: Sequence[Document], where: str, analyses: set[str]) -> Iterator[Fault]:
    """
    Check the columns of one table with each other.

    Parameters
    ----------
    columns : sequence of mapping
        Columns that have passed the schema.
    where : str
        Pointer of the list.
    analyses : set of str
        Ids of the analyses that a column may name.

    Yields
    ------
    Fault
    """
    by_name = {column["name"]: column for column in columns}
    yield from _name_faults(columns, where)
    for position, column in enumerate(columns):
        place = f"{where}/{position}"
        yield from _unit_faults(column, by_name, place)
        yield from _range_faults(column, place)
        yield from _mask_faults(column, by_name, place)
        yield from _analysis_faults(column, analyses, place)
        yield from _derived_faults(column, by_name, place)
        yield from _reference_faults(column, by_name, place)
        yield from label_faults(column, by_name, place)
    yield from _cycle_faults(columns, by_name, where)


def _name_faults(columns: Sequence[Document], where: str) -> Iterator[Fault]:
    owner: dict[str, str] = {}
    for position, column in enumerate(columns):
        if column["name"] in owner:
            yield Fault(
                f"{where}/{position}/name", f"found {column['name']!r} twice; rename one of them"
            )
        owner[column["name"]] = column["name"]
    for position, column in enumerate(columns):
        for number, alias in enumerate(column.get("aliases", ())):
            taken = owner.setdefault(alias, column["name"])
            if taken != column["name"]:
                yield Fault(
                    f"{where}/{position}/aliases/{number}",
                    f"found {alias!r}, which already means {taken!r}; an alias means one column",
                )


def _unit_faults(column: Document, by_name: Mapping[str, Document], place: str) -> Iterator[Fault]:
    try:
        unit = parse_unit(column["unit"])
    except UnitError as error:
        yield Fault(f"{place}/unit", _without_prefix(error, "unit: "))
        return
    meant = by_name.get(column.get("of", ""))
    if meant is None:
        return
    try:
        other = parse_unit(meant["unit"])
    except UnitError:
        return
    if unit.dimensions and not unit.compatible(other):
        yield Fault(
            f"{place}/unit",
            f"found {column['unit']!r}, allowed {meant['unit']!r} as {meant['name']!r} has, "
            "or '1' or '%' for a relative uncertainty",
        )


def _without_prefix(error: Exception, prefix: str) -> str:
    return str(error).removeprefix(prefix)


def _range_faults(column: Document, place: str) -> Iterator[Fault]:
    if "range" not in column:
        return
    low, high = column["range"]
    if low > high:
        yield Fault(f"{place}/range", f"found {low} above {high}; give the smaller number first")
    elif column.get("scale") == "log" and low <= 0:
        yield Fault(
            f"{place}/range",
            f"found {low}, allowed positive numbers on a logarithmic scale; "
            "correct the range or the scale",
        )
    codes = [int(code) for code in column.get("categories", ())]
    if codes and (low < min(codes) or high > max(codes)):
        yield Fault(
            f"{place}/categories",
            f"found codes {min(codes)} to {max(codes)}, but the range is {low} to {high}; "
            "say what every code means",
        )


def _mask_faults(column: Document, by_name: Mapping[str, Document], place: str) -> Iterator[Fault]:
    if "valid" not in column:
        return
    mask = by_name.get(column["valid"])
    if mask is None:
        masks = [name for name, other in by_name.items() if other["role"] == "mask"]
        yield Fault(f"{place}/valid", unknown_name(column["valid"], masks, "mask"))
    elif mask["role"] != "mask":
        yield Fault(
            f"{place}/valid",
            f"found {column['valid']!r} of role {mask['role']!r}, allowed a column of role 'mask'",
        )


def _analysis_faults(column: Document, analyses: set[str], place: str) -> Iterator[Fault]:
    named = column.get("analysis", ())
    several = not isinstance(named, str)
    for position, analysis in enumerate(named if several else (named,)):
        if analysis not in analyses:
            yield Fault(
                f"{place}/analysis/{position}" if several else f"{place}/analysis",
                unknown_name(analysis, sorted(analyses), "id in 'analyses'"),
            )


def _derived_faults(
    column: Document, by_name: Mapping[str, Document], place: str
) -> Iterator[Fault]:
    if "derived" not in column:
        return
    try:
        names = Expression(column["derived"]).names
    except ExpressionError as error:
        yield Fault(f"{place}/derived", _without_prefix(error, "expression "))
        return
    for name in sorted(names - set(by_name)):
        yield Fault(f"{place}/derived", unknown_name(name, by_name))


def _reference_faults(
    column: Document, by_name: Mapping[str, Document], place: str
) -> Iterator[Fault]:
    if "of" in column:
        if column["of"] not in by_name:
            yield Fault(f"{place}/of", unknown_name(column["of"], by_name))
        elif column["of"] == column["name"]:
            yield Fault(f"{place}/of", f"found {column['of']!r} itself, allowed another column")
    point = column.get("statistics", {}).get("reference", {}).get("point", {})
    for name in point:
        if name not in by_name:
            yield Fault(f"{place}/statistics/reference/point/{name}", unknown_name(name, by_name))


def _cycle_faults(
    columns: Sequence[Document], by_name: Mapping[str, Document], where: str
) -> Iterator[Fault]:
    needs: dict[str, set[str]] = {}
    for column in columns:
        try:
            names = Expression(column["derived"]).names if "derived" in column else frozenset()
        except ExpressionError:
            names = frozenset()
        source = column.get("definition", {}).get("column")
        needs[column["name"]] = (set(names) | ({source} if source else set())) & set(by_name)
    free = {name for name, others in needs.items() if not others}
    # What can be computed grows from what needs nothing; what is left over is in a circle.
    while added := {n for n, others in needs.items() if n not in free and others <= free}:
        free |= added
    for position, column in enumerate(columns):
        if column["name"] in _circle(column["name"], needs, free):
            key = "derived" if "derived" in column else "definition/column"
            around = ", ".join(sorted(_circle(column["name"], needs, free)))
            yield Fault(
                f"{where}/{position}/{key}",
                f"found a circle through {around}; a column derives from others only",
            )


def _circle(name: str, needs: Mapping[str, set[str]], free: set[str]) -> set[str]:
    """Names that can be reached from ``name`` and lead nowhere else; with itself if in a circle."""
    reached: set[str] = set()
    waiting = list(needs[name] - free)
    while waiting:
        other = waiting.pop()
        if other not in reached:
            reached.add(other)
            waiting.extend(needs[other] - free)
    return reached
