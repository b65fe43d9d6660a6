"""What one SLHA file says: values, texts and decays, each with its line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Channel", "Decay", "Entry", "Spectrum", "Text"]

_WARNING, _ERROR = 3, 4


class Entry(NamedTuple):
    """
    One value of a block.

    Attributes
    ----------
    value : float
        In the unit that SLHA gives the entry.
    scale : float or None
        Q of its block [GeV].
    line : int
        Line of the file, counted from 1.
    """

    value: float
    scale: float | None
    line: int


class Text(NamedTuple):
    """One text of SPINFO or DCINFO, and its line."""

    text: str
    line: int


class Channel(NamedTuple):
    """One decay channel: its branching ratio [1], the PDG numbers of its products, its line."""

    ratio: float
    products: tuple[int, ...]
    line: int


class Decay(NamedTuple):
    """The decays of a particle: its width [GeV], its channels, the line of its head."""

    width: float
    channels: list[Channel]
    line: int


@dataclass(slots=True)
class Spectrum:
    """
    What one SLHA file says.

    Attributes
    ----------
    values : dict of (str, tuple of int) to list of Entry
        By block in upper case and key; several entries where a block stands at several scales.
    texts : dict of (str, int) to list of Text
        Entries of SPINFO and DCINFO.
    decays : dict of int to Decay
        By PDG number.
    blocks : dict of str to int
        Blocks in upper case, and the line of the first of each.
    """

    values: dict[tuple[str, tuple[int, ...]], list[Entry]] = field(default_factory=dict)
    texts: dict[tuple[str, int], list[Text]] = field(default_factory=dict)
    decays: dict[int, Decay] = field(default_factory=dict)
    blocks: dict[str, int] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the programs that wrote the file (SPINFO 3, DCINFO 3)."""
        return tuple(text for text in self._said(_WARNING) if text)

    @property
    def errors(self) -> tuple[str, ...]:
        """Why the programs call the point wrong (SPINFO 4, DCINFO 4); often without a text."""
        return tuple(text or "the point is wrong" for text in self._said(_ERROR))

    def _said(self, number: int) -> list[str]:
        return [
            e.text for (_, key), entries in self.texts.items() if key == number for e in entries
        ]

    def program(self, block: str) -> tuple[str, str] | None:
        """Name and version that SPINFO or DCINFO state, None where they do not."""
        name = self.texts.get((block, 1), [Text("", 0)])[0].text
        version = self.texts.get((block, 2), [Text("", 0)])[0].text
        return (name, version) if name and version else None
