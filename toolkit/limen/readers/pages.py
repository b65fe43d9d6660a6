"""Lines of a YAML document with comments, and which of them wait for a human."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

__all__ = ["TODO", "Page", "quoted", "shown"]

TODO = "TODO"
"""Stands where a human must decide; `limen pack` refuses it."""

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])

# A comment longer than this is written once.
_LONG = 60


@dataclass(slots=True)
class Page:
    """Lines of YAML, and which of them wait for a decision."""

    lines: list[str] = field(default_factory=list)
    undecided: list[tuple[int, str, str]] = field(default_factory=list)
    explained: dict[str, str] = field(default_factory=dict)

    def add(self, indent: int, text: str, comment: str = "") -> None:
        """Add a line."""
        self.lines.append(" " * indent + text + (f"  # {comment}" if comment else ""))

    def ask(self, indent: int, key: str, allowed: str, *, where: str = "") -> None:
        """Add a line whose value a human must give; ``where`` names the column."""
        self.undecided.append((len(self.lines), where, key.lstrip("- ")))
        asked = f"{allowed} {where.partition(' ')[0]}"
        again = len(allowed) > _LONG and self.explained.setdefault(asked, where) != where
        self.add(indent, f"{key}: {TODO}", f"as for {self.explained[asked]}" if again else allowed)

    def fill(self, indent: int, key: str, value: str, allowed: str, *, where: str) -> None:
        """Add a guessed value, or ask for it where there is none."""
        if value:
            self.add(indent, f"{key}: {value}", "guessed; check")
        else:
            self.ask(indent, key, allowed, where=where)


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
