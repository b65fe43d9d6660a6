"""Lines of a YAML document with comments, and which of them wait for a human."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["TODO", "Page", "quoted", "shown"]

TODO = "TODO"
"""Stands where a human must decide; `limen pack` refuses it."""

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])

# A comment longer than this is written once.
_LONG = 60

# YAML takes longer keys only behind a question mark.
_LONGEST_KEY = 1_000

# What a file states is written on one line up to this width.
_WIDE = 100


@dataclass(slots=True)
class Page:
    """Lines of YAML, and which of them wait for a decision."""

    lines: list[str] = field(default_factory=list)
    undecided: list[tuple[int, str, str]] = field(default_factory=list)
    explained: dict[str, str] = field(default_factory=dict)

    def add(self, indent: int, text: str, comment: str = "") -> None:
        """Add a line."""
        self.lines.append(" " * indent + text + (f"  # {comment}" if comment else ""))

    def pair(self, indent: int, name: str, value: str) -> None:
        """Add a name from a file, of any length, with its value."""
        if len(text := quoted(name)) > _LONGEST_KEY:
            self.add(indent, f"? {text}")
            self.add(indent, f": {value}")
        else:
            self.add(indent, f"{text}: {value}")

    def ask(self, indent: int, key: str, allowed: str, *, where: str = "") -> None:
        """Add a line whose value a human must give; ``where`` names the column."""
        self.undecided.append((len(self.lines), where, key.lstrip("- ")))
        asked = f"{allowed} {where.partition(' ')[0]}"
        again = len(allowed) > _LONG and self.explained.setdefault(asked, where) != where
        self.add(indent, f"{key}: {TODO}", f"as for {self.explained[asked]}" if again else allowed)

    def fill(
        self,
        indent: int,
        key: str,
        value: str,
        allowed: str,
        *,
        where: str,
        comment: str = "guessed; check",
    ) -> None:
        """Add a guessed or stated value, or ask for it where there is none."""
        if value:
            self.add(indent, f"{key}: {value}", comment)
        else:
            self.ask(indent, key, allowed, where=where)

    def put(
        self, indent: int, key: str, value: Any, comment: str = "as the file states", *, where: str
    ) -> None:
        """Add what a file states, of any depth; a ``TODO`` within asks a human."""
        if value == TODO:
            self.ask(indent, key, "the file does not say", where=where)
        elif not _asks(value) and len(line := f"{key}: {_flow(value)}") < _WIDE:
            self.add(indent, line, comment)
        elif isinstance(value, Mapping):
            self.add(indent, f"{key}:", comment)
            for name, part in value.items():
                self.put(
                    indent + 2, quoted(str(name), keyed=not _is_key(name)), part, "", where=where
                )
        elif isinstance(value, (list, tuple)):
            self.add(indent, f"{key}:", comment)
            for part in value:
                self._put_item(indent + 2, part, where)
        else:
            self.add(indent, f"{key}: {_flow(value)}", comment)

    def _put_item(self, indent: int, value: Any, where: str) -> None:
        if not isinstance(value, Mapping) or not value:
            self.add(indent, f"- {_flow(value)}")
            return
        for number, (name, part) in enumerate(value.items()):
            mark = "- " if number == 0 else ""
            shift = 0 if number == 0 else 2
            key = mark + quoted(str(name), keyed=not _is_key(name))
            if mark and isinstance(part, (Mapping, list, tuple)):
                # Nested values would stand too near under the dash.
                self.add(indent, f"{key}: {_flow(part)}")
            else:
                self.put(indent + shift, key, part, "", where=where)


def _is_key(name: object) -> bool:
    return isinstance(name, str) and _PLAIN.fullmatch(name) is not None


def _asks(value: Any) -> bool:
    """Tell whether a question is left somewhere in a value."""
    if isinstance(value, Mapping):
        return any(_asks(part) for part in value.values())
    if isinstance(value, (list, tuple)):
        return any(_asks(part) for part in value)
    return bool(value == TODO)


def _flow(value: Any) -> str:
    """Write a value on one line of YAML."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        pairs = (f"{_flow_key(name)} {_flow(part)}" for name, part in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, float):
        return repr(value) if "e" not in repr(value) else _exponent(value)
    return json.dumps(value)


def _flow_key(name: object) -> str:
    text = quoted(str(name), keyed=not _is_key(name))
    return f"? {text} :" if len(text) > _LONGEST_KEY else f"{text}:"


def _exponent(value: float) -> str:
    # YAML 1.1 takes 1e-05 for text: a number has a point and a signed exponent.
    mantissa, _, power = repr(value).partition("e")
    point = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{point}e{power if power[0] == '-' else '+' + power.lstrip('+')}"


def shown(text: str) -> str:
    """Make text from a file harmless in a comment."""
    return "".join(c if c.isprintable() else "?" for c in text)[:200]


def quoted(text: str, *, keyed: bool = False) -> str:
    """
    Write text as a YAML scalar that is read back as text.

    Examples
    --------
    >>> quoted("M1"), quoted("no"), quoted("1e3")
    ('M1', '"no"', '"1e3"')
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not keyed:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
