"""Where in an SLHA file a parameter stands: addresses, which one served, and the pMSSM19 preset."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from limen.errors import Fault, ReadError, UsageError
from limen.slha.spectrum import Entry, Spectrum

__all__ = ["Address", "Served", "addresses", "block_unit", "unequal_generations", "value_of"]

_TEXT = re.compile(
    r"\s*([A-Za-z]\w{0,63})((?:\s+[+-]?\d{1,18}){1,8})\s*(?:@\s*(?:Q\s*=)?\s*(\S+)\s*)?\Z", re.ASCII
)
_BARS = re.compile(r"\s*\|(.*)\|\s*\Z", re.ASCII)
_SAME_SCALE = 1e-6
_SAME_MASS = 1e-3
"""Running splits the first two generations of equal input masses by less than this."""

_GENERATIONS = tuple(
    (block, first, first + 1) for block in ("MSOFT", "EXTPAR") for first in (31, 34, 41, 44, 47)
)
_SQUARES = {"HMIX": {4}, "MSOFT": {21, 22}, "EXTPAR": {21, 22, 24}}
_NUMBERS = {"HMIX": {2}, "MINPAR": {3}, "EXTPAR": {25}}
_MASSES = frozenset({"MASS", "MSOFT", "EXTPAR", "HMIX", "AU", "AD", "AE", "TU", "TD", "TE"})
_ROTATIONS = "NMIX UMIX VMIX STOPMIX SBOTMIX STAUMIX GAUGE YU YD YE"


@dataclass(frozen=True, slots=True)
class Address:
    """
    An entry of an SLHA file.

    Parameters
    ----------
    block : str
        Name of the block, in upper case.
    key : tuple of int
        Indices within the block.
    scale : float or None
        Q of the block [GeV]; None takes a block at any scale, if all that there are agree.
    absolute : bool
        Whether the sign is dropped: that of a neutralino's mass belongs to its mixing.
    """

    block: str
    key: tuple[int, ...]
    scale: float | None = None
    absolute: bool = False

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Address:
        """
        Make it of an address of a column's ``source``.

        Examples
        --------
        >>> Address.from_dict({"format": "slha", "block": "au", "key": [3, 3], "scale": "any"})
        Address(block='AU', key=(3, 3), scale=None, absolute=False)
        """
        scale = document.get("scale", "any")
        key = tuple(int(index) for index in document["key"])
        return cls(
            str(document["block"]).upper(),
            key,
            None if scale == "any" else float(scale),
            bool(document.get("absolute", False)),
        )

    @classmethod
    def from_text(cls, text: str) -> Address:
        """
        Read an address as people write it.

        Raises
        ------
        UsageError
            If it is none.

        Examples
        --------
        >>> Address.from_text("MSOFT 1"), Address.from_text("hmix 2 @ Q=1000").scale
        (Address(block='MSOFT', key=(1,), scale=None, absolute=False), 1000.0)
        """
        bars = _BARS.match(text)
        found = _TEXT.match(bars[1] if bars else text)
        try:
            scale = None if not found or found[3] in (None, "any") else float(found[3])
        except ValueError:
            found, scale = None, None
        if not found or (scale is not None and not 0 < scale < math.inf):
            raise UsageError(
                f"SLHA address: found '{text[:60]}', allowed a block and its indices, with a scale "
                "where one is meant, such as 'MSOFT 1', 'AU 3 3', 'HMIX 2@Q=1000' or, without its "
                "sign, '|MASS 1000022|'"
            )
        return cls(found[1].upper(), tuple(map(int, found[2].split())), scale, bool(bars))

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON object of a column's ``source``."""
        rest: dict[str, Any] = {"scale": "any" if self.scale is None else self.scale}
        rest |= {"absolute": True} if self.absolute else {}
        return {"format": "slha", "block": self.block, "key": list(self.key)} | rest

    def __str__(self) -> str:
        text = " ".join([self.block, *map(str, self.key)])
        text = text if self.scale is None else f"{text}@Q={self.scale:g}"
        return f"|{text}|" if self.absolute else text


class Served(NamedTuple):
    """
    A value and where it was found.

    Attributes
    ----------
    value : float
    position : int
        Which address of the list served, counted from 0.
    scale : float or None
        Q of its block [GeV].
    line : int
        Line of the file, counted from 1.
    """

    value: float
    position: int
    scale: float | None
    line: int


def addresses(source: Iterable[Mapping[str, Any]]) -> tuple[Address, ...]:
    """Give the SLHA addresses of a column's ``source``, in their order."""
    return tuple(Address.from_dict(entry) for entry in source if entry["format"] == "slha")


def value_of(spectrum: Spectrum, source: Sequence[Address]) -> Served:
    r"""
    Find a value at the first of several addresses that a file has.

    Addresses are not interchangeable: tan(beta) at m_Z and at Q differ by per cents. The answer
    says which one served.

    Parameters
    ----------
    spectrum : Spectrum
    source : sequence of Address
        In the order of preference.

    Returns
    -------
    Served

    Raises
    ------
    ReadError
        If the file has none of them, or different values at several scales where the address
        names no scale.

    Examples
    --------
    >>> from limen.slha.parsing import parse
    >>> source = [Address.from_text("HMIX 2"), Address.from_text("MINPAR 3")]
    >>> value_of(parse(b"BLOCK MINPAR\n 3 10.0\n"), source)
    Served(value=10.0, position=1, scale=None, line=2)
    """
    for position, address in enumerate(source):
        entries = spectrum.values.get((address.block, address.key), [])
        if address.scale is not None:
            entries = [entry for entry in entries if _at(entry, address.scale)]
        if not entries:
            continue
        if len({entry.value for entry in entries}) > 1:
            raise ReadError(
                f"found {address} at the scales {_scales(entries)} with different values, allowed "
                f"one; name the scale in the address, as '{address}@Q={entries[0].scale or 1000:g}'"
            )
        value = abs(entries[0].value) if address.absolute else entries[0].value
        return Served(value, position, entries[0].scale, entries[0].line)
    wanted = " or ".join(map(str, source))
    raise ReadError(f"found no {wanted}, allowed a file that has it; is this another model?")


def _at(entry: Entry, scale: float) -> bool:
    return entry.scale is not None and math.isclose(entry.scale, scale, rel_tol=_SAME_SCALE)


def _scales(entries: Iterable[Entry]) -> str:
    return ", ".join(
        f"{'none' if entry.scale is None else f'{entry.scale:g} GeV'} (line {entry.line})"
        for entry in entries
    )


def unequal_generations(spectrum: Spectrum) -> list[Fault]:
    """
    List sfermion masses that differ between the first two generations.

    Returns
    -------
    list of Fault
        Empty where a pMSSM with equal generations describes the point.
    """
    faults = []
    for block, first, second in _GENERATIONS:
        for one in spectrum.values.get((block, (first,)), ()):
            for two in spectrum.values.get((block, (second,)), ()):
                close = math.isclose(one.value, two.value, rel_tol=_SAME_MASS)
                if one.scale == two.scale and not close:
                    text = (
                        f"found {block} {second} = {two.value:g} GeV but {block} {first} = "
                        f"{one.value:g} GeV (line {one.line}), allowed equal masses of the first "
                        "two generations; this is no point of the pMSSM19"
                    )
                    faults.append(Fault(f"line {two.line}", text))
    return faults


def block_unit(address: Address) -> str:
    """
    Give the unit of an entry, empty where SLHA does not tell.

    Examples
    --------
    >>> block_unit(Address.from_text("HMIX 4")), block_unit(Address.from_text("NMIX 1 1"))
    ('GeV^2', '1')
    """
    block, key = address.block, address.key[0]
    if block in _ROTATIONS.split() or key in _NUMBERS.get(block, ()):
        return "1"
    if key in _SQUARES.get(block, ()):
        return "GeV^2"
    return "GeV" if block in _MASSES else ""
