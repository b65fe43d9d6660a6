"""The formats that can be read; one more joins by one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from limen.errors import ReadError
from limen.readers.archives import open_npz
from limen.readers.arrays import open_npy
from limen.readers.arrow import open_parquet
from limen.readers.chains import (
    is_arviz,
    is_emcee,
    is_getdist,
    open_arviz,
    open_emcee,
    open_getdist,
)
from limen.readers.delimited import open_delimited
from limen.readers.gambit import is_gambit, open_gambit
from limen.readers.hepdata import is_hepdata, open_hepdata
from limen.readers.likelihoods import OPTIONS as PYHF_OPTIONS
from limen.readers.likelihoods import is_likelihood, open_likelihoods
from limen.readers.options import Selection
from limen.readers.spectra import OPTIONS as SLHA_OPTIONS
from limen.readers.spectra import SUFFIXES as SLHA_SUFFIXES
from limen.readers.spectra import looks_like_spectra, open_spectra
from limen.readers.tables import Table

__all__ = ["FORMATS", "Format", "guess_format"]


@dataclass(frozen=True, slots=True)
class Format:
    """
    A file format.

    Parameters
    ----------
    open : callable
        ``open(path, options, selection)`` gives the `Table` of one file; with ``together``,
        ``open(paths, options, selection)`` gives the one `Table` of all files.
    suffixes : tuple of str
        Endings of file names, in lower case.
    options : frozenset of str
        Options it understands beside the common ones.
    magic : bytes
        First bytes of such files; empty if there are none.
    together : bool
        All files make one table.
    folders : bool
        A path may be a folder.
    recognise : callable, optional
        ``recognise(path)`` tells whether a path is of this format where names do not; asked
        first, of files and folders, and answers from the first kilobytes.
    """

    open: Callable[[Any, Mapping[str, Any], Selection], Table]
    suffixes: tuple[str, ...]
    options: frozenset[str] = frozenset()
    magic: bytes = b""
    together: bool = False
    folders: bool = False
    recognise: Callable[[Path], bool] | None = None

    def tables(
        self, paths: Sequence[Path], options: Mapping[str, Any], selection: Selection
    ) -> Iterator[tuple[Path, Callable[[], Table]]]:
        """Yield a path and a call that opens its table; once for all files if they go together."""
        for path in paths[:1] if self.together else paths:
            what = tuple(paths) if self.together else path
            yield path, partial(self.open, what, options, selection)


_TEXT = (".csv", ".tsv", ".txt", ".dat", ".csv.gz", ".tsv.gz", ".txt.gz", ".dat.gz")
_TEXT_OPTIONS = frozenset({"comment", "delimiter", "names", "skip_lines"})

FORMATS: Mapping[str, Format] = {
    "csv": Format(open_delimited, _TEXT, _TEXT_OPTIONS),
    "parquet": Format(open_parquet, (".parquet", ".pq"), magic=b"PAR1"),
    "npy": Format(open_npy, (".npy",), frozenset({"names"}), b"\x93NUMPY"),
    "npz": Format(open_npz, (".npz",), frozenset({"names"}), b"PK\x03\x04"),
    "slha": Format(
        open_spectra,
        SLHA_SUFFIXES,
        SLHA_OPTIONS,
        together=True,
        folders=True,
        recognise=looks_like_spectra,
    ),
    "getdist": Format(
        open_getdist, (), frozenset({"burn", "names"}), together=True, recognise=is_getdist
    ),
    "emcee": Format(
        open_emcee, (), frozenset({"burn", "group", "names"}), together=True, recognise=is_emcee
    ),
    "arviz": Format(
        open_arviz, (), frozenset({"burn", "sample_stats"}), together=True, recognise=is_arviz
    ),
    "hepdata": Format(
        open_hepdata,
        (),
        frozenset({"record", "table"}),
        together=True,
        folders=True,
        recognise=is_hepdata,
    ),
    "gambit": Format(
        open_gambit,
        (".hdf5",),
        frozenset({"group", "truncate"}),
        together=True,
        recognise=is_gambit,
    ),
    "pyhf": Format(
        open_likelihoods, (), PYHF_OPTIONS, together=True, folders=True, recognise=is_likelihood
    ),
}


def guess_format(path: Path) -> str:
    """
    Find the format of a file by its name, else by its first bytes.

    Parameters
    ----------
    path : Path
        An existing file or folder; what is not there is known by its name only.

    Returns
    -------
    str
        A key of `FORMATS`.

    Raises
    ------
    ReadError
        If neither tells.

    Examples
    --------
    >>> guess_format(Path("scan.csv.gz"))
    'csv'
    """
    for name, form in FORMATS.items():
        if form.recognise is not None and path.exists() and form.recognise(path):
            return name
    lower = path.name.lower()
    for name, form in FORMATS.items():
        if form.suffixes and lower.endswith(form.suffixes):
            return name
    start = b""
    if path.is_file():
        with path.open("rb") as stream:
            start = stream.read(16)
    for name, form in FORMATS.items():
        if form.magic and start.startswith(form.magic):
            return name
    raise ReadError(
        f"{path}: neither its name nor its first bytes tell its format, allowed "
        f"{', '.join(FORMATS)}; state the format: --format csv, or format: csv in the scan document"
    )
