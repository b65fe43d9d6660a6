"""A YAML loader for documents that strangers wrote: YAML 1.2 values, no anchors, no tags."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any

import yaml

from limen.schema.loading import MAXIMUM_DEPTH

__all__ = ["StrictLoader"]

_INTEGER = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"


class StrictLoader(yaml.SafeLoader):
    """
    Load plain values only.

    Raises
    ------
    yaml.MarkedYAMLError
        For anchors, aliases, tags, names given twice, numbers that are not finite.
    """

    # PyYAML reads YAML 1.1: 1e-3 is text, yes is true, 1:30 is ninety. The core schema of 1.2:
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node; anchors, aliases, tags and great depth are refused."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _fault("found an alias (*), which is not allowed; write the value out", event)
        if getattr(event, "anchor", None) is not None:
            raise _fault("found an anchor (&), which is not allowed; write the value out", event)
        if getattr(event, "tag", None) is not None:
            raise _fault(f"found the tag {event.tag!r}, which is not allowed; drop it", event)
        if self._depth >= MAXIMUM_DEPTH:
            raise _fault(f"nested deeper than {MAXIMUM_DEPTH}", event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = True) -> dict[Hashable, Any]:
        """Construct a mapping whose names are text and differ."""
        mapping: dict[Hashable, Any] = {}
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise _fault("found a list or mapping as a name, allowed text", name)
            if name.value in mapping:
                raise _fault(f"found the name {name.value!r} twice; keep one", name)
            mapping[name.value] = self.construct_object(value, deep=True)
        return mapping

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        """Construct an integer of at most 64 bits."""
        text = node.value.lower()
        if len(text) > 24:
            raise _fault(f"found an integer of {len(text)} characters, allowed 64 bits", node)
        base = {"0x": 16, "0o": 8}.get(text[:2], 10)
        return int(text, base)

    def construct_number(self, node: yaml.ScalarNode) -> float:
        """Construct a finite number."""
        text = node.value.lower()
        value = math.nan if text.lstrip("+-") in {".inf", ".nan"} else float(text)
        if not math.isfinite(value):
            raise _fault(f"found {node.value}, allowed finite numbers", node)
        return value


def _fault(problem: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)


def _resolve(tag: str, pattern: str, first: str) -> None:
    StrictLoader.add_implicit_resolver(tag, re.compile(pattern), list(first))


_resolve("tag:yaml.org,2002:bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF")
StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]
)
_resolve(_INTEGER, r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z", "-+0123456789")
_resolve(
    _FLOAT,
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z",
    "-+.0123456789",
)
StrictLoader.add_constructor(_INTEGER, StrictLoader.construct_integer)
StrictLoader.add_constructor(_FLOAT, StrictLoader.construct_number)
StrictLoader.add_constructor("tag:yaml.org,2002:map", StrictLoader.construct_mapping)
