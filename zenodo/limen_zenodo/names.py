"""Names of files in a record: which may become names in a folder, whatever the system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from limen.errors import Fault
from limen_zenodo.errors import UnsafeNameError

__all__ = ["LONGEST_NAME", "name_fault", "name_faults", "safe_name"]

LONGEST_NAME = 255
"""Longest file name [byte], as archives and file systems have it."""

_ALLOWED = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
# Reserved on Windows with any suffix; the digits also as superscripts.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])", re.IGNORECASE)
_SHOWN = 80


def name_fault(name: str) -> str:
    r"""
    Say why a name cannot be that of a file of a bundle.

    Parameters
    ----------
    name : str
        As a record or a manifest gives it.

    Returns
    -------
    str
        What is wrong and what is allowed; empty if nothing is.

    Examples
    --------
    >>> name_fault("scan.zarr.zip")
    ''
    >>> name_fault("../x")
    'leads out of its folder, allowed a plain name'
    >>> name_fault("con.txt")
    'is reserved on Windows, allowed any other name'
    """
    if not name:
        return "is empty, allowed a name"
    return _path_fault(name) or _text_fault(name) or _habit_fault(name)


def _path_fault(name: str) -> str:
    """Judge what could leave the folder."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        return "is absolute, allowed a plain name"
    if any(part in (".", "..") for part in parts):
        return "leads out of its folder, allowed a plain name"
    if len(parts) > 1:
        return "names a folder, allowed a plain name"
    return ""


def _text_fault(name: str) -> str:
    """Judge length and letters."""
    if len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes, allowed a shorter one"
    if any(unicodedata.category(letter).startswith("C") for letter in name):
        return "holds control characters, allowed letters, digits, '.', '_', '-'"
    if name[-1] in ". ":
        return "ends in a dot or a space, which Windows drops; allowed an end without"
    if name[0] in "-~":
        return f"begins with {name[0]!r}, which programs take for something else"
    if not _ALLOWED.fullmatch(name):
        return "holds other letters than A-Z, a-z, 0-9, '.', '_', '-'"
    return ""


def _habit_fault(name: str) -> str:
    """Judge what a system takes for something else."""
    if _RESERVED.fullmatch(name.split(".")[0].rstrip()):
        return "is reserved on Windows, allowed any other name"
    if name.startswith("."):
        return "is hidden, allowed a name that does not begin with a dot"
    return ""


def name_faults(names: Iterable[str]) -> list[Fault]:
    """
    List all faults of the names of one set of files.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    list of Fault
        Names that are not allowed, that stand twice, or that differ in case only; the pointer is
        the name, shortened, its control characters escaped.

    Examples
    --------
    >>> [str(fault) for fault in name_faults(["a.csv", "A.csv", "ok"])]
    ["A.csv: is the same as 'a.csv' where case does not count; rename one"]
    """
    faults: list[Fault] = []
    seen: dict[str, str] = {}
    for name in names:
        said = name_fault(name)
        plain = unicodedata.normalize("NFKC", name).casefold()
        other = seen.get(plain)
        seen.setdefault(plain, name)
        if not said and other is not None:
            case = f"is the same as {other!r} where case does not count"
            said = f"{'stands twice' if other == name else case}; rename one"
        if said:
            faults.append(Fault(_shown(name), said))
    return faults


def safe_name(name: str) -> None:
    """
    Refuse a name that cannot be that of a file of a bundle.

    Parameters
    ----------
    name : str

    Raises
    ------
    UnsafeNameError
    """
    said = name_fault(name)
    if said:
        raise UnsafeNameError.from_faults("file name", [(_shown(name), said)])


def _shown(name: str) -> str:
    return ascii(name)[1:-1][:_SHOWN] or "''"
