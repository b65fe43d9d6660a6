"""Checking a document against its schema: all faults at once, in plain words."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, get_args

from limen.errors import Fault, FormatVersionError, SchemaError, UsageError
from limen.resources import schema_text
from limen.schema.wording import describe, pointer

__all__ = ["KINDS", "Kind", "faults", "refuse_later_format", "validate"]

Kind = Literal["bundle", "catalogue", "column", "scan-document", "model-card", "probe"]
KINDS: tuple[str, ...] = get_args(Kind)
FORMAT = (1, 0)
_MOST_FAULTS = 200


def validate(document: Any, kind: Kind, where: str = "") -> None:
    """
    Check a document against its schema.

    Parameters
    ----------
    document : object
        What :func:`load_json` or :func:`load_yaml` gave.
    kind : str
        ``bundle``, ``catalogue``, ``column``, ``scan-document``, ``model-card`` or ``probe``.
    where : str
        File that it is from, for the message.

    Raises
    ------
    FormatVersionError
        If a later version of Limen made it.
    SchemaError
        If it breaks the schema; ``faults`` holds every fault with its JSON pointer.

    Examples
    --------
    >>> validate({"name": "M1", "role": "parameter", "unit": "GeV", "dtype": "float64"}, "column")
    """
    found = faults(document, kind)
    if found:
        refuse_later_format(document, where or kind)
        raise SchemaError.from_faults(where or kind, found)


def refuse_later_format(document: Any, where: str) -> None:
    """
    Refuse a document that a later version of Limen made.

    Parameters
    ----------
    document : object
    where : str
        File that it is from, for the message.

    Raises
    ------
    FormatVersionError
    """
    later = _later_format(document)
    if later is not None:
        raise FormatVersionError.from_faults(where, [later])


def faults(document: Any, kind: Kind) -> list[Fault]:
    """
    List what breaks the schema, in the order of the document.

    Parameters
    ----------
    document : object
    kind : str
        As in :func:`validate`.

    Returns
    -------
    list of Fault
        Empty if the document fits. One fault only if a later version of Limen made it. Beyond
        200, the last one says that there are more.

    Raises
    ------
    UsageError
        If there is no such kind.

    Examples
    --------
    >>> column = {"name": "M1", "role": "param", "unit": "GeV", "dtype": "float64"}
    >>> [fault.pointer for fault in faults(column, "column")]
    ['/role']
    """
    if kind not in KINDS:
        raise UsageError(f"kind: found {kind!r}, allowed {', '.join(map(repr, KINDS))}")
    later = _later_format(document)
    if later is not None:
        return [later]
    found = list(itertools.islice(_not_finite(document, ()), _MOST_FAULTS))
    errors = list(itertools.islice(_validator(kind).iter_errors(document), 10 * _MOST_FAULTS))
    narrower = {tuple(error.absolute_path) for error in errors if _is_conditional(error)}
    found += [
        fault
        for error in errors
        if _is_conditional(error)
        or error.validator != "enum"
        or tuple(error.absolute_path) not in narrower
        for fault in describe(error)
    ]
    if not found:
        return []
    order = {name: position for position, name in enumerate(_pointers(document))}
    unique = sorted(dict.fromkeys(found), key=lambda fault: _position(fault.pointer, order))
    if len(unique) > _MOST_FAULTS:
        unique = unique[:_MOST_FAULTS]
        unique.append(Fault("", "there are more faults; correct these first"))
    return unique


def _is_conditional(error: Any) -> bool:
    """Tell whether a list of allowed values is the one for this case, within the general one."""
    return error.validator == "enum" and "then" in error.absolute_schema_path


def _later_format(document: Any) -> Fault | None:
    version = document.get("format") if isinstance(document, dict) else None
    match = re.fullmatch(r"([0-9]{1,6})\.([0-9]{1,6})", version) if type(version) is str else None
    if match is None or (int(match[1]), int(match[2])) <= FORMAT:
        return None
    ours = ".".join(map(str, FORMAT))
    return Fault(
        "/format",
        f"found {version!r}, allowed {ours!r}: made by a later Limen; "
        "upgrade: pip install --upgrade limen",
    )


def _not_finite(node: Any, path: tuple[str | int, ...]) -> Iterator[Fault]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _not_finite(value, (*path, name))
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from _not_finite(value, (*path, position))
    elif isinstance(node, float) and not math.isfinite(node):
        yield Fault(pointer(path), f"found {node}, allowed finite numbers")


def _pointers(document: Any) -> Iterator[str]:
    stack: list[tuple[str, Any]] = [("", document)]
    while stack:
        place, node = stack.pop()
        yield place
        if isinstance(node, dict):
            children = [(place + pointer((name,)), value) for name, value in node.items()]
        elif isinstance(node, list):
            children = [(f"{place}/{position}", value) for position, value in enumerate(node)]
        else:
            continue
        stack.extend(reversed(children))


def _position(place: str, order: dict[str, int]) -> int:
    while place not in order:
        place = place.rpartition("/")[0]
    return order[place]


@cache
def _validator(kind: str) -> Any:
    """
    Make the validator of one kind of document.

    All schemas come from the package; a reference to anything else is an error, never a fetch.
    """
    from jsonschema import Draft202012Validator, ValidationError, validators
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    def pattern(_: Any, regex: str, instance: Any, __: Any) -> Iterator[Any]:
        # In Python $ also matches before a newline at the end; in JSON Schema it does not.
        strict = re.sub(r"\$\Z", r"\\Z", regex)
        if isinstance(instance, str) and not re.search(strict, instance):
            yield ValidationError(f"{instance!r} does not match {regex!r}")

    resources = {name: DRAFT202012.create_resource(json.loads(schema_text(name))) for name in KINDS}
    registry = Registry().with_contents(
        (str(resource.id()), resource.contents) for resource in resources.values()
    )
    strict = validators.extend(Draft202012Validator, {"pattern": pattern})  # type: ignore[no-untyped-call]
    return strict(resources[kind].contents, registry=registry)
