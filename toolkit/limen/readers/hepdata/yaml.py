"""YAML of HEPData, in which numbers keep the digits that are printed: nothing is interpreted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from limen.errors import ReadError

__all__ = ["load_documents"]

MAXIMUM_DEPTH = 16


def load_documents(data: bytes, where: str) -> list[dict[str, Any]]:
    """
    Load the documents of a YAML file with every scalar as the text that is written.

    Parameters
    ----------
    data : bytes
    where : str
        The file, for messages.

    Returns
    -------
    list of dict
        Mappings, lists and text; empty documents are left out.

    Raises
    ------
    ReadError
        If it is not UTF-8 or not YAML, a document is no mapping, or it uses aliases, anchors,
        tags, a name twice or great depth; with the line.

    Examples
    --------
    >>> load_documents(b"value: 1.20E-3", "table.yaml")
    [{'value': '1.20E-3'}]
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReadError(f"{where}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    documents = []
    try:
        events = yaml.parse(text, Loader=loader)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                document = _value(next(events), events, where, 0)
                if isinstance(document, dict):
                    documents.append(document)
                elif document not in ("", "null", "~"):
                    raise _fault("found no mapping, allowed names with values", event, where)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = re.sub(r"\s+", " ", error.problem or error.context or "does not parse")
        raise ReadError(f"{where} line {line}: not YAML: {problem}; correct the line") from error
    except yaml.YAMLError as error:
        problem = re.sub(r"\s+", " ", str(error))[:200]
        raise ReadError(f"{where}: not YAML: {problem}; correct the file") from error
    return documents


def _value(event: Any, events: Iterator[Any], where: str, depth: int) -> Any:
    """Build one value; nothing that can grow beyond what is written is allowed."""
    import yaml

    if isinstance(event, yaml.AliasEvent):
        raise _fault("found an alias (*), which is not allowed; write the value out", event, where)
    if event.anchor is not None:
        raise _fault("found an anchor (&), which is not allowed; write it out", event, where)
    if event.tag is not None and event.tag != "!":
        raise _fault(f"found the tag {event.tag!r}, which is not allowed; drop it", event, where)
    if isinstance(event, yaml.ScalarEvent):
        return event.value
    if depth >= MAXIMUM_DEPTH:
        raise _fault(f"nested deeper than {MAXIMUM_DEPTH}; flatten it", event, where)
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_value(event, events, where, depth + 1))
        return items
    mapping: dict[str, Any] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        name = _value(event, events, where, depth + 1)
        if not isinstance(name, str):
            raise _fault("found a list or mapping as a name, allowed text", event, where)
        if name in mapping:
            raise _fault(f"found the name {name!r} twice; keep one", event, where)
        mapping[name] = _value(next(events), events, where, depth + 1)
    return mapping


def _fault(problem: str, event: Any, where: str) -> ReadError:
    return ReadError(f"{where} line {event.start_mark.line + 1}: {problem}")
