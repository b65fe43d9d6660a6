"""What runs of a sampler have in common: burn-in, chains kept whole, names of their files."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py

from limen.errors import LimenError, ReadError

__all__ = [
    "burnt",
    "free_name",
    "hdf5",
    "hdf5_has",
    "kept_draws",
    "rows_at_once",
    "split_by_chain",
    "told_apart",
]

_MOST_BYTES = 1 << 25
_PARTS = 3
_ENOUGH = 7
_MAGIC = b"\x89HDF\r\n\x1a\n"
# What h5py raises where bytes are not what they should be.
_DAMAGED = (OSError, RuntimeError, KeyError, TypeError)

_log = logging.getLogger("limen.readers.chains.runs")


def free_name(name: str, taken: Iterable[str]) -> str:
    """
    Give a column that a reader adds a name that the file does not use.

    Examples
    --------
    >>> free_name("chain", ["m"]), free_name("chain", ["chain", "chain_2"])
    ('chain', 'chain_3')
    """
    used, new, number = set(taken), name, 1
    while new in used:
        number += 1
        new = f"{name}_{number}"
    return new


def burnt(burn: float, draws: int) -> int:
    """
    Count the draws that are left out at the start of a chain.

    Parameters
    ----------
    burn : float
        A fraction if below 1, else a number of draws.
    draws : int
        Length of the chain.

    Examples
    --------
    >>> burnt(0.3, 10), burnt(4, 10), burnt(40, 10)
    (3, 4, 10)
    """
    return min(draws, int(burn * draws) if burn < 1 else int(burn))


def told_apart(files: Sequence[Path]) -> list[str]:
    """
    Name files for people: by their names, with as many folders as tell them apart.

    Examples
    --------
    >>> told_apart([Path("a/x.txt"), Path("b/x.txt")]), told_apart([Path("a/x.txt")])
    (['a/x.txt', 'b/x.txt'], ['x.txt'])
    """
    depth, most = 1, max(len(path.parts) for path in files)
    while depth < most and len({path.parts[-depth:] for path in files}) < len(files):
        depth += 1
    return ["/".join(path.parts[-depth:])[-300:] for path in files]


def split_by_chain(column: str | None, chains: int) -> dict[str, Any]:
    """
    Say in a scan document that chains stay whole in the split, if there are several.

    Parameters
    ----------
    column : str or None
        Column of the chain's number, None if it is dropped.
    chains : int
        How many there are.

    Examples
    --------
    >>> split_by_chain("chain", 32)
    {'split': {'seed': 0, 'group': 'chain'}}
    >>> split_by_chain("chain", 4)["split"]["fractions"]
    {'train': 0.4, 'calibration': 0.3, 'test': 0.3}
    """
    if chains < _PARTS:
        _log.warning(
            "found %d chain(s): draws of a chain depend on one another, and training, calibration "
            "and test need a chain each; figures on test rows will look too good",
            chains,
        )
    if chains < 2 or column is None:
        return {}
    split: dict[str, Any] = {"seed": 0, "group": column}
    if _PARTS <= chains < _ENOUGH:
        # Shares below one chain would leave calibration and test without rows.
        share = round(1.2 / chains, 2)
        rest = round(1 - 2 * share, 2)
        split["fractions"] = {"train": rest, "calibration": share, "test": share}
    return {"split": split}


def kept_draws(burn: float, unit: str) -> str:
    """
    Say which draws of a chain were kept, for ``selection`` in a scan document.

    Parameters
    ----------
    burn : float
        As for `burnt`.
    unit : str
        What is counted: "rows", "draws".

    Examples
    --------
    >>> kept_draws(0.3, "rows"), kept_draws(0, "draws")
    ('the first 30 % of the rows of each chain left out as burn-in', 'all draws of the chains')
    """
    if not burn:
        return f"all {unit} of the chains"
    left = f"{burn:g} {unit}" if burn >= 1 else f"{100 * burn:g} % of the {unit}"
    return f"the first {left} of each chain left out as burn-in"


@contextlib.contextmanager
def hdf5(path: Path) -> Iterator[Any]:
    """
    Open an HDF5 file for reading, and say in one sentence what is wrong with it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ReadError
        If it is no HDF5 file, or is found damaged before it is closed.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except LimenError:
        raise
    except _DAMAGED as error:
        reason = str(error).partition("\n")[0][:200]
        raise ReadError(
            f"{path}: found no readable HDF5 data ({reason}), allowed a whole HDF5 file; it is "
            "damaged, truncated or still being written: fetch or write it again"
        ) from error


def hdf5_has(path: Path, is_so: Callable[[Any], bool]) -> bool:
    """
    Tell whether a path is an HDF5 file of which something is true; never raises for its content.

    Parameters
    ----------
    path : Path
    is_so : callable
        ``is_so(file)`` looks at the opened file.

    Returns
    -------
    bool
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            if stream.read(len(_MAGIC)) != _MAGIC:
                return False
        with hdf5(path) as file:
            return is_so(file)
    except (OSError, ReadError):
        return False


def rows_at_once(rows: int, row_bytes: int) -> int:
    """
    Bound how many rows are read together by their size.

    Parameters
    ----------
    rows : int
        How many are asked for.
    row_bytes : int
        Size of one.

    Examples
    --------
    >>> rows_at_once(65536, 80), rows_at_once(65536, 80_000)
    (65536, 419)
    """
    return max(1, min(rows, _MOST_BYTES // max(1, row_bytes)))
