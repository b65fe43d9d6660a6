"""Names, symbols and bounds of the parameters of chain files: ``.paramnames`` and ``.ranges``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limen.errors import Fault, ReadError

__all__ = ["SUFFIXES", "Parameter", "is_cobaya_header", "is_getdist", "parameters_of", "root_of"]

SUFFIXES = (".paramnames", ".ranges")
_LARGEST = 1 << 22
_LONGEST_HEADER = 1 << 20
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    A column of a chain.

    Parameters
    ----------
    name : str
    symbol : str
        LaTeX without dollar signs; empty if unknown.
    derived : bool
        It was computed from the others, not sampled.
    low, high : float or None
        Hard bounds.
    told : bool
        Whether the file says that it is sampled or derived.
    """

    name: str
    symbol: str = ""
    derived: bool = False
    low: float | None = None
    high: float | None = None
    told: bool = True

    def hint(self) -> dict[str, Any]:
        """
        Give the fields of the column's declaration that the files state.

        Examples
        --------
        >>> Parameter("m", "m_0", low=0.0).hint()
        {'role': 'parameter', 'symbol': 'm_0', 'description': 'Sampled, with bounds 0 to none.'}
        """
        hint: dict[str, Any] = {}
        # Programs write their chi-squares and priors among the derived parameters.
        if not self.derived:
            hint["role"] = "parameter" if self.told else "TODO"
        elif not re.match(r"chi2|minuslog|loglike", self.name.lower()):
            hint["role"] = "observable"
        if self.symbol:
            hint["symbol"] = self.symbol[:300]
        if self.low is not None and self.high is not None:
            hint["range"] = [self.low, self.high]
        if (self.low, self.high) != (None, None):
            low, high = ("none" if v is None else f"{v:.17g}" for v in (self.low, self.high))
            drawn = "Derived" if self.derived else "Sampled"
            hint["description"] = f"{drawn}, with bounds {low} to {high}."
        return hint


def root_of(path: Path) -> Path:
    """
    Give the root that a chain file shares with its ``.paramnames``.

    Examples
    --------
    >>> root_of(Path("a/planck_2.txt")).name, root_of(Path("run.1.txt")).name
    ('planck', 'run')
    """
    stem = path.name.removesuffix(".txt")
    if path.with_name(f"{stem}.paramnames").is_file():
        return path.with_name(stem)
    return path.with_name(re.sub(r"[._]\d+$", "", stem))


def is_cobaya_header(line: bytes) -> bool:
    """
    Tell whether a line names the columns of a chain as Cobaya writes it.

    Examples
    --------
    >>> is_cobaya_header(b"#  weight  minuslogpost  m  g"), is_cobaya_header(b"# a b")
    (True, False)
    """
    return line.lstrip(b"# \t").split()[:2] == [b"weight", b"minuslogpost"] and line[:1] == b"#"


def is_getdist(path: Path) -> bool:
    """
    Tell whether a path is a chain file with parameter names beside it or in its first line.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    if path.suffix in SUFFIXES:
        return True
    if path.suffix != ".txt" or not path.is_file():
        return False
    if root_of(path).with_name(root_of(path).name + ".paramnames").is_file():
        return True
    try:
        with path.open("rb") as stream:
            return is_cobaya_header(stream.readline(_LONGEST_HEADER))
    except OSError:
        return False


def parameters_of(
    files: Sequence[Path], names: Sequence[str] | None
) -> tuple[tuple[Parameter, ...], tuple[Path, ...]]:
    """
    Find the parameters of chain files.

    Parameters
    ----------
    files : sequence of Path
        Chains, all of the same parameters.
    names : sequence of str, optional
        The option ``names``; it goes before what lies beside the files.

    Returns
    -------
    parameters : tuple of Parameter
        In the order of the columns.
    sides : tuple of Path
        Files that they were read from, other than the chains.

    Raises
    ------
    ReadError
        If there are no names, they differ between files, or cannot be read.
    """
    if names is not None:
        return tuple(Parameter(name, told=False) for name in names), ()
    roots = list(dict.fromkeys(root_of(path) for path in files))
    sides = [root.with_name(root.name + suffix) for root in roots for suffix in SUFFIXES]
    found = {path: _parameters(path) for path in files}
    first = found[files[0]]
    for path, others in found.items():
        if [p.name for p in others] != [p.name for p in first]:
            raise ReadError(
                f"{path}: found the parameters {', '.join(p.name for p in others[:5])}..., allowed "
                f"those of {files[0]} in their order; pack the runs apart"
            )
    return first, tuple(side for side in sides if side.is_file())


def _parameters(path: Path) -> tuple[Parameter, ...]:
    root = root_of(path)
    side = root.with_name(root.name + ".paramnames")
    if side.is_file():
        parameters = _from_paramnames(side)
    else:
        with path.open("rb") as stream:
            line = stream.readline(_LONGEST_HEADER)
        if not is_cobaya_header(line):
            raise ReadError(
                f"{path}: found no {side.name} beside it, allowed one with the names of the "
                "parameters; copy it there, or give the option 'names'"
            )
        words = line.decode("utf-8", "replace").lstrip("# ").split()[2:]
        parameters = [_of_cobaya(word) for word in words]
    faults = [
        Fault("", f"found the name {name!r} twice, allowed once; correct the names")
        for name in sorted({p.name for p in parameters})
        if sum(p.name == name for p in parameters) > 1
    ]
    if faults:
        raise ReadError.from_faults(str(side if side.is_file() else path), faults)
    bounds = _ranges(root.with_name(root.name + ".ranges"))
    return tuple(
        Parameter(p.name, p.symbol, p.derived, *bounds.get(p.name, (None, None)), p.told)
        for p in parameters
    )


def _of_cobaya(name: str) -> Parameter:
    derived = re.match(r"chi2(__|$)|minuslogprior(__|$)", name) is not None
    return Parameter(name, derived=derived, told=False)


def _from_paramnames(path: Path) -> list[Parameter]:
    """Read lines of a name, with ``*`` if derived, and LaTeX that may end in a comment."""
    parameters = []
    for line in _text(path):
        name, _, rest = line.strip().partition(" ")
        symbol = re.split(r"(?<!\\)#", rest)[0].strip().replace("!", "\\").replace("$", "")
        parameters.append(Parameter(name.removesuffix("*"), symbol, name.endswith("*")))
    if not parameters:
        raise ReadError(f"{path}: found no names, allowed one a line; the file is empty")
    return parameters


def _ranges(path: Path) -> dict[str, tuple[float | None, float | None]]:
    """Read lines of a name and two bounds, ``N`` for none; a single number is a fixed value."""
    bounds: dict[str, tuple[float | None, float | None]] = {}
    faults: list[Fault] = []
    for number, line in enumerate(_text(path) if path.is_file() else [], 1):
        words = line.split("#")[0].split()
        try:
            low, high = (_bound(word) for word in (words[1], words[min(2, len(words) - 1)]))
        except (ValueError, IndexError):
            text = f"found {line.strip()[:80]!r}, allowed a name and two bounds; correct it"
            faults.append(Fault(f"entry {number}", text))
            continue
        bounds[words[0].removesuffix("*")] = (low, high)
    if faults:
        raise ReadError.from_faults(str(path), faults[:_LISTED])
    return bounds


def _bound(word: str) -> float | None:
    if word in ("N", "None"):
        return None
    value = float(word)
    if math.isnan(value):
        raise ValueError(word)
    return None if math.isinf(value) else value


def _text(path: Path) -> list[str]:
    """Read the lines of a small text file that hold something, tabs made blanks."""
    if path.stat().st_size > _LARGEST:
        raise ReadError(f"{path}: found more than {_LARGEST} bytes, allowed names; check the file")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(
            f"{path}: found bytes that are not UTF-8 ({error.reason}); convert it to UTF-8"
        ) from error
    if "\0" in text:
        raise ReadError(f"{path}: found binary data, allowed text; check the file")
    lines = text.replace("\t", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
