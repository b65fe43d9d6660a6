"""GAMBIT's HDF5 output: pairs of a dataset and its mask, of one run or several, as one table."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limen.errors import Fault, LimenError, ReadError
from limen.readers.gambit.labels import hint_of, short_names
from limen.readers.gambit.metadata import priors_of, sampling_of, terms_of, toolchain_of
from limen.readers.gambit.repeats import find_repeats
from limen.readers.gambit.runs import MASK, SLAB, Run, open_run
from limen.readers.hdf5 import dataset_names, dataset_of, opened, starts_as_hdf5
from limen.readers.options import Selection
from limen.readers.pages import TODO
from limen.readers.tables import Array, Block, Table, cast

__all__ = ["is_gambit", "open_gambit"]

_log = logging.getLogger(__name__)

_ORDER = ("parameter", "nuisance", "likelihood", "observable", "weight", "id", "cost")
_LOOKED_AT = 10_000
# Larger chunks do not fit into memory side by side.
_WHOLE = 262_144
_KEPT = "every point of the files; values that GAMBIT found invalid are masked"


def is_gambit(path: Path) -> bool:
    """Tell whether a path is an HDF5 file in which some dataset has a mask as GAMBIT writes it."""
    try:
        if not starts_as_hdf5(path):
            return False
        with opened(path) as file:
            names = dataset_names(file, lambda name: name.endswith(MASK))
    except (LimenError, OSError):
        return False
    return bool(names) and names[-1].endswith(MASK)


def open_gambit(paths: Sequence[Path], options: Mapping[str, Any], selection: Selection) -> Table:
    """
    Open the output of one GAMBIT run, or of several together.

    Parameters
    ----------
    paths : sequence of Path
        HDF5 files. A column that only some have is invalid in the rows of the others.
    options : mapping
        ``group``, the group of points where there are several; ``truncate``, whether datasets of
        different lengths are cut to the shortest.
    selection : Selection
        Columns to drop, with their masks.

    Returns
    -------
    Table
        Each dataset ``X`` is a column, NaN where it is invalid, and ``X_isvalid`` its mask.

    Raises
    ------
    ReadError
        With all faults: files that are no HDF5 or truncated, groups without masks, datasets that
        are no columns, different lengths; while streaming: masks other than 0 and 1.
    """
    runs = _open_all(paths, options, selection)
    dtypes = _common_dtypes(runs)
    hints = _hints(runs, dtypes)
    order = {role: number for number, role in enumerate(_ORDER)}
    labels = sorted(dtypes, key=lambda label: order[hints[label]["role"]])
    columns = {label: dtypes[label] for label in labels}
    masks = [f"{label}{MASK}" for label in labels if f"{label}{MASK}" not in selection.drop]
    repeats = find_repeats(runs)
    for text in repeats:
        _log.warning("%s", text)

    def stream_rows(rows: int) -> Iterator[Block]:
        for run in runs:
            for block in _blocks(run, columns, rows):
                yield {name: block[name] for name in (*labels, *masks)}

    return Table(
        paths[0],
        tuple(dict.fromkeys(name for run in runs for name in run.names)),
        columns | dict.fromkeys(masks, np.dtype(bool)),
        sum(run.n_rows for run in runs),
        stream_rows,
        files=tuple(paths),
        hints=hints,
        document=_document(runs, repeats),
    )


def _open_all(paths: Sequence[Path], options: Mapping[str, Any], selection: Selection) -> list[Run]:
    runs: list[Run] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            runs.append(open_run(path, options, selection))
        except ReadError as error:
            if len(paths) == 1:
                raise
            where, _, text = error.message.partition(": ")
            found = error.faults or (Fault("", text if where == str(path) else error.message),)
            faults += [Fault(f"{path} {fault.pointer}".strip(), fault.message) for fault in found]
    if faults:
        raise ReadError.from_faults(f"{len(paths)} files", faults)
    return runs


def _common_dtypes(runs: Sequence[Run]) -> dict[str, np.dtype[Any]]:
    """Find a dtype for each column of any file; files without rows have no say."""
    dtypes: dict[str, np.dtype[Any]] = {}
    faults = []
    for run in [run for run in runs if run.n_rows] or runs:
        for label, dtype in run.dtypes.items():
            known = dtypes.setdefault(label, dtype)
            if (known.kind == "b") != (dtype.kind == "b"):
                text = f"found {dtype}, in another file {known}; list it under the option 'drop'"
                faults.append(Fault(f"{run.path} dataset '{label}'", text))
            elif known.kind in "iu" and dtype.kind in "iu" and known != dtype:
                dtypes[label] = np.dtype(np.int64)
            else:
                dtypes[label] = np.promote_types(known, dtype)
    if faults:
        raise ReadError.from_faults(f"{len(runs)} files", faults)
    return dtypes


def _hints(runs: Sequence[Run], dtypes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Declare all columns and masks."""
    priors = {k: v for run in reversed(runs) for k, v in priors_of(run.metadata).items()}
    terms = sorted({term for run in runs for term in terms_of(run.metadata)})
    hints: dict[str, dict[str, Any]] = {}
    names = short_names(dtypes)
    for label, name in names.items():
        mask = f"{label}{MASK}"
        hints[label] = hint_of(label, name, mask, priors)
        said = f"whether {name} is valid"
        hints[mask] = {"name": f"valid_{name}", "role": "mask", "unit": "1"}
        # Nobody looks a mask up by its label in the file.
        hints[mask] |= {"label": said, "aliases": []}
        if hints[label]["role"] in ("parameter", "nuisance") and dtypes[label].kind == "b":
            hints[label]["role"] = "observable"
        if hints[label].get("unit") == "ns":
            hints[label] |= _time(runs, label)
    # A mask's own name must not be that of a column.
    taken = set(names.values())
    for hint in hints.values():
        while hint["role"] == "mask" and hint["name"] in taken:
            hint["name"] = f"is_{hint['name']}"[:64]
    if "LogLike" in hints and terms:
        hints["LogLike"]["statistics"]["terms"] = terms
    return hints


def _time(runs: Sequence[Run], label: str) -> dict[str, Any]:
    """
    Find the unit of a run time that its label says is in ns.

    GAMBIT 1 counts nanoseconds, GAMBIT 2.5 writes seconds under the same label: fractions of a
    nanosecond betray them.
    """
    units = set()
    for run in runs:
        if label not in run.dtypes:
            continue
        with opened(run.path) as file:
            values = file[run.group][label][: min(run.n_rows, _LOOKED_AT)]
        positive = values[values > 0]
        if positive.size:
            units.add("s" if positive.min() < 1 else "ns")
    if units == {"s"}:
        text = "The label says ns, but the values are fractions below 1: they are in seconds."
        return {"unit": "s", "description": text}
    if len(units) > 1:
        text = "Some files count nanoseconds, others seconds, all under a label that says ns."
        return {"unit": TODO, "description": text}
    return {}


def _document(runs: Sequence[Run], repeats: Sequence[str]) -> dict[str, Any]:
    """Say which programs made the points, and how each file's were drawn."""
    toolchain: list[dict[str, Any]] = []
    sampling: list[dict[str, Any]] = []
    for run in runs:
        if not run.metadata:
            _log.warning(
                "%s: no metadata of the run in the file, as GAMBIT 1 writes none; take version, "
                "scanner and priors from the YAML file that it was started with",
                run.path,
            )
        program = toolchain_of(run.metadata)
        if program not in toolchain:
            toolchain.append(program)
        if run.n_rows or len(runs) == 1:
            sampling.append({"name": run.path.stem[:300]} | sampling_of(run.metadata))
            sampling[-1] |= {"rows": run.n_rows} if run.n_rows else {}
    for entry in sampling:
        entry["selection"] = _KEPT
    if sampling and repeats:
        sampling[0]["selection"] = f"{_KEPT}; {'; '.join(repeats)}"[:20_000]
    return {"toolchain": toolchain[:1000], "sampling": sampling[:1000]}


def _blocks(run: Run, columns: Mapping[str, np.dtype[Any]], rows: int) -> Iterator[Block]:
    """Yield columns and masks of one file, in whole chunks of it."""
    step = max(1, min(rows, SLAB) // run.chunk) * run.chunk if run.chunk <= _WHOLE else rows
    with opened(run.path) as file:
        group = file[run.group]
        pairs = {
            label: (dataset_of(group, label), dataset_of(group, f"{label}{MASK}"))
            for label in columns
            if label in run.dtypes
        }
        for start in range(0, run.n_rows, step):
            stop = min(start + step, run.n_rows)
            block: Block = {}
            for label, dtype in columns.items():
                where = f"{run.path} dataset '{label}'"
                if label in pairs:
                    values, valid = _pair(*pairs[label], start, stop, dtype, where)
                else:
                    lost = np.nan if dtype.kind == "f" else 0
                    values, valid = np.full(stop - start, lost, dtype), np.zeros(stop - start, bool)
                block[label], block[f"{label}{MASK}"] = values, valid
            yield block


def _pair(
    dataset: Any, mask: Any, start: int, stop: int, dtype: np.dtype[Any], where: str
) -> tuple[Array, Array]:
    """Read some rows of a dataset and its mask; invalid floats become NaN."""
    if min(len(dataset), len(mask)) < stop:
        raise ReadError(f"{where}: found fewer rows than when it was opened; read it again")
    flags = mask[start:stop]
    wrong = (flags != 0) & (flags != 1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ReadError(
            f"{where}: found {flags[row]} in its mask, row {start + row}, allowed 0 and 1; "
            "the file is damaged or not of GAMBIT: drop the dataset or repair it"
        )
    valid = flags.astype(bool)
    found = dataset[start:stop]
    if dtype == np.int64 and found.dtype.kind == "u" and (found > np.iinfo(dtype).max).any():
        raise ReadError(f"{where}: found an integer above 2^63, allowed smaller; drop the dataset")
    values = cast(found, dtype, where)
    return (np.where(valid, values, np.nan) if dtype.kind == "f" else values), valid
