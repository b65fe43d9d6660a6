"""SLHA files as values: strict, each with its block, key, scale and line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from limen.errors import Fault, ReadError
from limen.slha.spectrum import Channel, Decay, Entry, Spectrum, Text

__all__ = ["MAX_BYTES", "MAX_LINES", "parse"]

MAX_BYTES = 10_000_000
MAX_LINES = 200_000
_MAX_FAULTS = 50

_WORDS = """
    MODSEL SMINPUTS MINPAR EXTPAR MASS NMIX UMIX VMIX STOPMIX SBOTMIX STAUMIX ALPHA HMIX GAUGE
    MSOFT AU AD AE YU YD YE TU TD TE MSQ2 MSL2 MSD2 MSU2 MSE2 VCKM VCKMIN UPMNSIN
"""
_STANDARD = frozenset(_WORDS.split())
"""Blocks of nothing but indices and one value; of others, lines of another form are let be."""

_TEXTS = frozenset({"SPINFO", "DCINFO"})
_ERROR = 4
_SCALE = re.compile(r"Q\s*=\s*(\S+)\Z", re.IGNORECASE)
# Fortran writes D for E, and leaves the letter out of exponents with three digits.
_NUMBER = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[ED]([+-]?\d+)|([+-]\d{3}))?\Z", re.IGNORECASE | re.ASCII
)
_NO_NUMBER = re.compile(r"[+-]?(nan.*|inf|infinity)\Z", re.IGNORECASE)


def parse(
    data: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_lines: int = MAX_LINES,
    refuse_wrong: bool = True,
) -> Spectrum:
    r"""
    Read an SLHA file.

    Parameters
    ----------
    data : bytes
        The whole file; any line ending, tabs, D exponents, blocks in any case.
    max_bytes, max_lines : int
        Limits.
    refuse_wrong : bool
        Refuse points that their generator calls wrong; else ``errors`` of the spectrum says so.

    Returns
    -------
    Spectrum

    Raises
    ------
    ReadError
        With all faults and their lines: no SLHA at all (empty, binary, HTML, too large, no block),
        values that are no finite numbers, keys that stand twice, data outside of a block, and
        points that their generator calls wrong (SPINFO 4, DCINFO 4).

    Examples
    --------
    >>> spectrum = parse(b"Block HMIX Q= 1.0D3 # DRbar\n  2  9.5D0\n")
    >>> spectrum.values["HMIX", (2,)]
    [Entry(value=9.5, scale=1000.0, line=2)]
    """
    _refuse_other_files(data, max_bytes)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Only comments and the texts of SPINFO may hold what is not ASCII.
        text = data.decode("latin-1")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > max_lines:
        raise ReadError(f"found {len(lines):,} lines, allowed {max_lines:,}; is this one spectrum?")
    reading = _Reading()
    for number, line in enumerate(lines, start=1):
        reading.read(number, line)
        if len(reading.faults) >= _MAX_FAULTS:
            break
    faults = reading.faults
    if refuse_wrong:
        faults += _generator_errors(reading.spectrum)
    if not faults and not (reading.spectrum.blocks or reading.spectrum.decays):
        faults.append(Fault("", "found no BLOCK, allowed an SLHA file; is this another format?"))
    if faults:
        raise ReadError.from_faults("", faults)
    return reading.spectrum


def _refuse_other_files(data: bytes, max_bytes: int) -> None:
    """Refuse what is no SLHA text at all, by its size and its first bytes."""
    if len(data) > max_bytes:
        raise ReadError(
            f"found more than {max_bytes:,} bytes, allowed {max_bytes:,}; is this one spectrum?"
        )
    start = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start and not data.strip():
        raise ReadError("found an empty file, allowed an SLHA file; write or fetch it again")
    if b"\0" in data or data.startswith(b"\x1f\x8b"):
        raise ReadError("found binary data, allowed an SLHA text file; is it compressed?")
    if start[:1] == b"<":
        raise ReadError(
            "found HTML or XML, allowed an SLHA file; a web page was saved in its place, "
            "fetch it again"
        )


def _generator_errors(spectrum: Spectrum) -> Iterator[Fault]:
    for (block, key), entries in spectrum.texts.items():
        if key == _ERROR:
            for text, line in entries:
                said = f": '{text[:200]}'" if text else ""
                message = f"the generator calls this point wrong ({block} 4{said}); leave it out"
                yield Fault(f"line {line}", message)


class _Reading:
    """A file while it is read: the block that is open, and what was found."""

    def __init__(self) -> None:
        self.spectrum = Spectrum()
        self.faults: list[Fault] = []
        self._kind = ""
        self._block = ""
        self._scale: float | None = None
        self._decay = Decay(0.0, [], 0)

    def read(self, number: int, line: str) -> None:
        """Take one line."""
        body = line.partition("#")[0]
        words = body.split()
        if not words:
            return
        first = words[0].upper()
        if first == "BLOCK":
            self._open_block(number, words[1:])
        elif first == "DECAY":
            self._open_decay(number, words[1:])
        elif first == "XSECTION" or first.startswith("DECAY"):
            self._kind = "other"
        elif self._kind == "block":
            self._read_value(number, words)
        elif self._kind == "text":
            self._read_text(number, words, body)
        elif self._kind == "decay":
            self._read_channel(number, words)
        elif not self._kind:
            self._fault(number, f"found '{body.strip()[:60]}' outside of a block, allowed BLOCK")

    def _fault(self, number: int, message: str) -> None:
        self.faults.append(Fault(f"line {number}", message))

    def _open_block(self, number: int, words: list[str]) -> None:
        self._kind, self._scale = "block", None
        self._block = words[0].upper() if words else ""
        if not words:
            self._fault(number, "found BLOCK without a name, allowed BLOCK NAME")
            return
        rest = " ".join(words[1:])
        if self._block in _TEXTS:
            self._kind = "text"
        elif rest:
            found = _SCALE.match(rest)
            if found:
                self._scale = self._number(number, found[1])
            elif self._block in _STANDARD:
                self._fault(
                    number, f"found '{rest[:60]}' after {self._block}, allowed Q= and a scale"
                )
            else:
                self._block += f" {rest}"
        self.spectrum.blocks.setdefault(self._block, number)

    def _open_decay(self, number: int, words: list[str]) -> None:
        self._kind = "decay"
        self._decay = Decay(math.nan, [], number)
        if len(words) < 2 or not _is_integer(words[0]):
            self._fault(number, "found DECAY without a PDG number and a width, allowed both")
            return
        width = self._number(number, words[1])
        if width is None:
            return
        self._decay = Decay(width, [], number)
        before = self.spectrum.decays.setdefault(int(words[0]), self._decay)
        if before is not self._decay:
            text = f"found DECAY {words[0]} again (first in line {before.line}), allowed once"
            self._fault(number, text)

    def _read_value(self, number: int, words: list[str]) -> None:
        keys = words[:-1]
        if not all(map(_is_integer, keys)) or not (words[-1][-1].isdigit() or words[-1][-1] == "."):
            self._read_odd(number, words)
            return
        value = self._number(number, words[-1], strict=self._block in _STANDARD)
        if value is None:
            return
        place = self._block, tuple(map(int, keys))
        entries = self.spectrum.values.setdefault(place, [])
        for entry in entries:
            if entry.scale == self._scale:
                name = f"{self._block} {' '.join(keys)}".rstrip()
                text = f"found {name} again (first in line {entry.line}), allowed once at a scale"
                self._fault(number, text)
        entries.append(Entry(value, self._scale, number))

    def _read_odd(self, number: int, words: list[str]) -> None:
        """Judge a line that is not indices and a value: only in blocks of other programs."""
        wrong = next((word for word in words if _NO_NUMBER.match(word)), "")
        if wrong:
            self._fault(number, f"found '{wrong}', allowed finite numbers")
        elif self._block in _STANDARD:
            text = f"found '{' '.join(words)[:60]}' in {self._block}, allowed indices and a number"
            self._fault(number, text)

    def _read_text(self, number: int, words: list[str], body: str) -> None:
        if _is_integer(words[0]):
            text = body.split(None, 1)[1].strip() if len(words) > 1 else ""
            place = self._block, int(words[0])
            self.spectrum.texts.setdefault(place, []).append(Text(text, number))

    def _read_channel(self, number: int, words: list[str]) -> None:
        ratio = self._number(number, words[0])
        if ratio is None:
            return
        if (
            not all(map(_is_integer, words[1:]))
            or len(words) < 3
            or int(words[1]) != len(words) - 2
        ):
            text = (
                f"found '{' '.join(words)[:60]}' in DECAY, allowed a branching ratio, the number "
                "of products and their PDG numbers"
            )
            self._fault(number, text)
            return
        self._decay.channels.append(Channel(ratio, tuple(map(int, words[2:])), number))

    def _number(self, number: int, word: str, *, strict: bool = True) -> float | None:
        """Read a number, with a Fortran exponent or not; a fault unless it is finite."""
        found = _NUMBER.match(word)
        value = float(f"{found[1]}E{found[2] or found[3] or 0}") if found else math.nan
        if math.isfinite(value):
            return value
        if strict or found:
            self._fault(number, f"found '{word[:60]}', allowed a finite number")
        return None


def _is_integer(word: str) -> bool:
    digits = word[1:] if word[0] in "+-" else word
    return digits.isascii() and digits.isdigit() and len(digits) < 19
