"""Strict loading of JSON and YAML, and the one way to write JSON."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, Never

from limen.errors import IntegrityError, SchemaError, UsageError
from limen.schema.wording import pointer

__all__ = [
    "MAXIMUM_DEPTH",
    "canonical_json",
    "load_json",
    "load_yaml",
    "parse_json",
    "yaml_lines",
]

MAXIMUM_DEPTH = 64
_LONGEST_INTEGER = 20  # digits of 2**64 - 1
# Digits that a number of double precision has at most, before the point.
_LARGEST_DOUBLE = 309


def load_json(path: str | Path, limit: int = 64 * 2**20) -> dict[str, Any]:
    """
    Load a JSON document, strictly.

    Parameters
    ----------
    path : str or Path
    limit : int
        Largest size [bytes]; looked at before anything is read.

    Returns
    -------
    dict
        The object that the document is.

    Raises
    ------
    IntegrityError
        If the file is missing, cannot be read or is too large.
    SchemaError
        If it is not UTF-8, not JSON, no object, too deep, or holds a name twice, NaN or Infinity.
    """
    path = Path(path)
    try:
        data = _bounded(path, limit)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise IntegrityError(f"{path}: cannot be read ({reason}); get the file again") from error
    if data is None:
        raise IntegrityError(f"{path}: found more than {limit} bytes; this is no such document")
    return parse_json(_text(data, str(path)), str(path))


def parse_json(text: str, where: str, *, rounded: bool = False) -> dict[str, Any]:
    """
    Parse a JSON document as `load_json` does; ``where`` opens the messages.

    With ``rounded`` an integer of more than 64 bits is the nearest number of double precision.
    """

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(found)
        if len(document) < len(found):
            twice = next(name for name, n in Counter(name for name, _ in found).items() if n > 1)
            raise SchemaError(f"{where}: found the name {twice!r} twice in one object; keep one")
        return document

    def constant(name: str) -> Never:
        raise SchemaError(
            f"{where}: found {name}, allowed finite numbers; use null or leave it out"
        )

    def integer(digits: str) -> float:
        if rounded and _LONGEST_INTEGER < len(digits) < _LARGEST_DOUBLE:
            return number(digits)
        if len(digits.lstrip("-")) > _LONGEST_INTEGER:
            raise SchemaError(f"{where}: found an integer of {len(digits)} digits, allowed 64 bits")
        return int(digits)

    def number(digits: str) -> float:
        value = float(digits)
        return value if math.isfinite(value) else constant(digits)

    try:
        document = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_constant=constant,
            parse_int=integer,
            parse_float=number,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise SchemaError(f"{where}: not JSON at {place}: {error.msg}; correct the file") from error
    except RecursionError as error:
        raise SchemaError(f"{where}: nested deeper than {MAXIMUM_DEPTH}; flatten it") from error
    return _object(document, where)


@cache
def _loader() -> Any:
    """Build the YAML loader on first use, so that importing stays cheap."""
    from limen.schema.yaml_loader import StrictLoader

    return StrictLoader


def load_yaml(path: str | Path, limit: int = 4 * 2**20) -> dict[str, Any]:
    """
    Load a YAML document: safe, without anchors, read as YAML 1.2 reads it.

    ``yes`` and ``2026-01-31`` stay text, ``1e-3`` is a number, names are always text.

    Parameters
    ----------
    path : str or Path
    limit : int
        Largest size [bytes].

    Returns
    -------
    dict
        The mapping that the document is.

    Raises
    ------
    UsageError
        If the file is missing or cannot be read.
    SchemaError
        If it is too large, not UTF-8, not YAML, no mapping, too deep, or uses anchors, aliases,
        tags, a name twice, or numbers that are not finite; with the line.
    """
    import yaml

    path = Path(path)
    try:
        data = _bounded(path, limit)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{path}: cannot be read ({reason}); give an existing file") from error
    if data is None:
        raise SchemaError(f"{path}: found more than {limit} bytes; this is no scan document")
    text = _text(data, str(path))
    try:
        loader = _loader()(text)
        try:
            document = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = re.sub(r"\s+", " ", error.problem or error.context or "does not parse")
        raise SchemaError(f"{path} line {line}: {message}; correct the line") from error
    except yaml.YAMLError as error:
        message = re.sub(r"\s+", " ", str(error))
        raise SchemaError(f"{path}: not YAML: {message}; correct the file") from error
    except RecursionError as error:
        raise SchemaError(f"{path}: nested deeper than {MAXIMUM_DEPTH}; flatten it") from error
    return _object(document, str(path))


def yaml_lines(path: str | Path) -> dict[str, int]:
    """
    Find the line of every value of a YAML document that `load_yaml` has loaded.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of str to int
        By JSON pointer, from 1; for a named value the line of its name.
    """
    loader = _loader()(Path(path).read_text(encoding="utf-8"))
    lines: dict[str, int] = {}
    try:
        open_nodes = [("", loader.get_single_node())]
        while open_nodes:
            place, node = open_nodes.pop()
            lines.setdefault(place, node.start_mark.line + 1)
            if node.id == "mapping":
                for name, value in node.value:
                    inner = place + pointer((name.value,))
                    lines[inner] = name.start_mark.line + 1
                    open_nodes.append((inner, value))
            elif node.id == "sequence":
                open_nodes += [(f"{place}/{i}", value) for i, value in enumerate(node.value)]
    finally:
        loader.dispose()
    return lines


def canonical_json(document: Any) -> bytes:
    """
    Write a document as JSON, always in the same way.

    Order of names as given, one space of indentation, UTF-8, a newline at the end.

    Parameters
    ----------
    document : object
        Dictionaries, lists, text, finite numbers, booleans and None.

    Returns
    -------
    bytes

    Raises
    ------
    SchemaError
        If a number is not finite or a text cannot be written in UTF-8.

    Examples
    --------
    >>> print(canonical_json({"b": 0.1, "a": "µ"}).decode(), end="")
    {
     "b": 0.1,
     "a": "µ"
    }
    """
    try:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        return (text + "\n").encode("utf-8")
    except ValueError as error:
        raise SchemaError(
            f"document: cannot be written as JSON: {error}; allowed are finite numbers and UTF-8"
        ) from error


def _bounded(path: Path, limit: int) -> bytes | None:
    with path.open("rb") as stream:
        data = stream.read(limit + 1)
    return data if len(data) <= limit else None


def _text(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SchemaError(f"{where}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    if text.startswith("\ufeff"):
        raise SchemaError(f"{where}: begins with a byte order mark; save it as UTF-8 without one")
    return text


def _object(document: Any, where: str) -> dict[str, Any]:
    if document is None:
        raise SchemaError(f"{where}: found nothing, allowed an object with names")
    if not isinstance(document, dict):
        raise SchemaError(f"{where}: found {type(document).__name__}, allowed an object with names")
    level: list[Any] = [document]
    for _ in range(MAXIMUM_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return document
    raise SchemaError(f"{where}: nested deeper than {MAXIMUM_DEPTH}; flatten it")
