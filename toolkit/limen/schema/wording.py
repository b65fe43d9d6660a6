"""Faults in plain words: what was found, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from limen.errors import Fault

__all__ = ["describe", "nearest", "pointer", "quoted"]

_LONGEST = 60
_TYPES = {
    "object": "an object with names",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "null": "null",
}


def pointer(path: Iterable[str | int]) -> str:
    """
    Write a path as a JSON pointer.

    Examples
    --------
    >>> pointer(["files", "a/b", 0])
    '/files/a~1b/0'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def quoted(value: Any) -> str:
    """
    Write a found value briefly.

    Examples
    --------
    >>> quoted("gev"), quoted({"a": 1}), quoted([1, 2])
    ("'gev'", 'an object', 'a list of 2')
    """
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value if not isinstance(value, str) else value[: 2 * _LONGEST])
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def nearest(name: str, known: Iterable[str]) -> str:
    """
    Say which known name was probably meant; empty if none is near.

    Examples
    --------
    >>> nearest("untis", ["unit", "name"])
    "do you mean 'unit'? "
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower()[:_LONGEST], by_lower, n=1, cutoff=0.6)
    return f"do you mean {by_lower[close[0]]!r}? " if close else ""


def describe(error: Any) -> Iterator[Fault]:
    """
    Put one error of the jsonschema library into words; some hold several faults.

    Parameters
    ----------
    error : jsonschema.ValidationError

    Yields
    ------
    Fault
    """
    path = list(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        # The library gives the name as the instance and the object that has it as the place.
        yield Fault(
            pointer([*path, error.instance]),
            f"found the name {quoted(error.instance)}, allowed {_allowed(error)}",
        )
    elif error.validator in {"required", "dependentRequired"}:
        yield from _missing(error, path)
    elif error.validator == "additionalProperties" and error.validator_value is False:
        yield from _unknown(error, path)
    else:
        yield Fault(pointer(path), _message(error))


def _missing(error: Any, path: list[str | int]) -> Iterator[Fault]:
    required = error.validator_value
    because: dict[str, str] = {}
    if isinstance(required, dict):
        for given, needed in required.items():
            if given in error.instance:
                because |= dict.fromkeys(needed, f"it goes with {given!r}")
        required = list(because)
    told = error.schema.get("properties", {})
    for name in required:
        if name not in error.instance:
            why = because.get(name) or _explanation(told.get(name, {}))
            if not why and "properties" not in error.schema:
                why = _explanation(error.schema)
            yield Fault(pointer([*path, name]), f"missing{'; ' if why else ''}{why}")


def _explanation(schema: dict[str, Any]) -> str:
    return str(schema.get("description", "")).split(". ")[0].rstrip(".")


def _unknown(error: Any, path: list[str | int]) -> Iterator[Fault]:
    known = list(error.schema.get("properties", {}))
    for name in error.instance:
        if name not in known:
            hint = nearest(str(name), known) or f"allowed are {_listed(known)}; remove it "
            yield Fault(pointer([*path, name]), f"unknown name {quoted(name)}, {hint.rstrip()}")


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(quoted(value) for value in values)


def _message(error: Any) -> str:
    found = f"found {quoted(error.instance)}"
    if error.validator in {None, "not"}:
        return f"{found}, not allowed here: {_explanation(error.schema)}"
    hint = ""
    if error.validator in {"enum", "const"} and isinstance(error.instance, str):
        values = error.validator_value if error.validator == "enum" else [error.validator_value]
        hint = nearest(error.instance, [value for value in values if isinstance(value, str)])
    why = ""
    if error.parent is None and {"then", "else"} & set(error.absolute_schema_path):
        why = _explanation(error.schema)
    todo = ""
    if error.validator == "const" and error.validator_value == str(error.instance):
        todo = "; put it in quotes"
    return f"{found}, {hint}allowed {_allowed(error)}{f' ({why})' if why else ''}{todo}"


def _allowed(error: Any) -> str:
    rule = _RULES.get(error.validator)
    title = error.schema.get("title")
    if title and error.validator in {"pattern", "type", "minLength", "maxLength"}:
        return str(title)
    return rule(error.validator_value) if rule else str(error.message)


def _types(value: str | list[str]) -> str:
    names = [value] if isinstance(value, str) else value
    return " or ".join(_TYPES[name] for name in names)


_RULES: dict[str, Callable[[Any], str]] = {
    "type": _types,
    "enum": _listed,
    "const": lambda value: (
        ", ".join(f"{name!r}: {meaning!r}" for name, meaning in value.items())
        if isinstance(value, dict)
        else quoted(value)
    ),
    "pattern": lambda value: f"text that matches {value}",
    "minimum": lambda value: f"{value} or more",
    "maximum": lambda value: f"{value} or less",
    "exclusiveMinimum": lambda value: f"more than {value}",
    "exclusiveMaximum": lambda value: f"less than {value}",
    "minLength": lambda value: f"at least {value} characters",
    "maxLength": lambda value: f"at most {value} characters",
    "minItems": lambda value: f"at least {value} entries",
    "maxItems": lambda value: f"at most {value} entries",
    "minProperties": lambda value: f"at least {value} names",
    "maxProperties": lambda value: f"at most {value} names",
    "uniqueItems": lambda _: "entries that differ",
}
