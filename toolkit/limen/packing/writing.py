"""Write a bundle from a scan document or from arrays in memory."""

from __future__ import annotations

import copy
import datetime
import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limen import documents, journal, manifest, readers, resources
from limen.bundle import SCAN, Bundle, complete, open_bundle
from limen.errors import DataError, Fault, ReadError, SchemaError, UsageError
from limen.packing.authored import read_scan_document, unquoted_units
from limen.packing.finishing import Finisher
from limen.packing.splitting import SPLITS, population_rows, split_rows
from limen.packing.spool import Spool
from limen.scan import ScanColumn, open_scan, write_scan

__all__ = ["make_bundle", "pack", "write_bundle"]

_ONLY_SCAN = ("read", "missing", "split", "attachments")
_SPOOL = "spool"
_log = logging.getLogger(__name__)


def pack(scan_document: str | Path, path: str | Path) -> Bundle:
    """
    Read, check and write a draft bundle.

    Parameters
    ----------
    scan_document : str or Path
        A ``scan.yaml``; paths in it count from its folder.
    path : str or Path
        The new bundle's folder; nothing may be there.

    Returns
    -------
    Bundle
        Opened, a draft; ``refused`` lists the rows that could not be read and were left out.

    Raises
    ------
    SchemaError
        If the document breaks the schema or leaves something undecided; all faults at once.
    ReadError, DataError
        If files cannot be read or contradict the document; nothing is left behind.
    StorageError
        If the bundle cannot be written, or there is something at ``path``.
    """
    source = Path(scan_document)
    document = read_scan_document(source)
    folder = source.parent
    attachments = [folder / name for name in document.get("attachments", [])]
    missing = [Fault("", f"{name}: no such file") for name in attachments if not name.is_file()]
    if missing:
        raise ReadError.from_faults(f"{source} /attachments", missing)
    opened = [
        readers.open_source(
            [folder / name for name in entry["files"]], entry.get("format"), entry.get("options")
        )
        for entry in document["read"]
    ]
    _check_columns(document, opened, str(source))
    refused = tuple(fault for entry in opened for fault in entry.refused)
    _note_refused(document, refused)
    names = list(opened[0].columns)
    dtypes = {name: np.result_type(*(entry.columns[name] for entry in opened)) for name in names}
    blocks = (block for entry in opened for block in entry.blocks())
    bundle = write_bundle(document, dtypes, blocks, path, attachments)
    bundle.refused = refused
    return bundle


def _note_refused(document: Mapping[str, Any], refused: Sequence[Fault]) -> None:
    """Say in the manifest, too, that rows of the files are not in the scan."""
    sampling = document["tables"][0].get("sampling", [])
    if not refused or len(sampling) != 1:
        return
    kept = sampling[0].get("selection", "none")
    rows = "1 row" if len(refused) == 1 else f"{len(refused):,} rows"
    sampling[0]["selection"] = f"{kept}; {rows} could not be read and {_were(refused)} left out"


def _were(faults: Sequence[Fault]) -> str:
    return "was" if len(faults) == 1 else "were"


def make_bundle(
    document: Mapping[str, Any],
    columns: Mapping[str, Any],
    path: str | Path,
    attachments: Sequence[Path] = (),
) -> Bundle:
    """
    Write a draft bundle from arrays in memory.

    Parameters
    ----------
    document : mapping
        A scan document without ``read``.
    columns : mapping of str to ndarray, shape (n,)
    path : str or Path
        The new bundle's folder.
    attachments : sequence of Path

    Returns
    -------
    Bundle

    Raises
    ------
    SchemaError, DataError, StorageError
        As for :func:`pack`.
    """
    whole = copy.deepcopy(dict(document)) | {"read": [{"files": ["memory"]}]}
    unquoted_units(whole)
    faults = manifest.check_scan_document(whole)
    if faults:
        raise SchemaError.from_faults("scan document", faults)
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    dtypes = {name: values.dtype for name, values in arrays.items()}
    return write_bundle(whole, dtypes, [arrays], path, attachments)


def _check_columns(
    document: Mapping[str, Any], opened: Sequence[readers.Source], where: str
) -> None:
    declared = {column["name"]: column for column in document["tables"][0]["columns"]}
    made = {
        name
        for name, column in declared.items()
        if "derived" in column
        or (column["role"] == "label" and "column" in column.get("definition", {}))
    }
    faults: list[Fault] = []
    for number, source in enumerate(opened):
        found = set(source.columns)
        faults += [
            Fault(
                f"/read/{number}",
                f"the files have a column {name!r} that is not declared; declare it under "
                "/tables/0/columns, or name it in options: drop",
            )
            for name in sorted(found - set(declared))
        ]
        faults += [
            Fault(
                f"/tables/0/columns/{name}",
                f"no column of this name in the files of /read/{number}, which have "
                f"{', '.join(sorted(found))}; correct the name or give options: columns",
            )
            for name in sorted(set(declared) - found - made)
        ]
        faults += _unit_faults(number, source, declared)
    if any(set(source.columns) != set(opened[0].columns) for source in opened[1:]):
        text = "the entries have different columns; drop what only some have"
        faults.append(Fault("/read", text))
    if faults:
        raise DataError.from_faults(where, faults)


def _unit_faults(
    number: int, source: readers.Source, declared: Mapping[str, Mapping[str, Any]]
) -> list[Fault]:
    """Compare units that the files state with the declared ones."""
    return [
        Fault(
            f"/tables/0/columns/{name}/unit",
            f"found {declared[name]['unit']!r}, the files of /read/{number} say {unit!r}; "
            "declare the unit that the numbers are in",
        )
        for name, unit in source.describe().get("units", {}).items()
        if name in declared and declared[name]["unit"] != unit
    ]


def write_bundle(
    scan_document: Mapping[str, Any],
    dtypes: Mapping[str, np.dtype[Any]],
    blocks: Iterable[Mapping[str, Any]],
    path: str | Path,
    attachments: Sequence[Path] = (),
) -> Bundle:
    """
    Finish columns that come in blocks, and write them as a draft bundle.

    Parameters
    ----------
    scan_document : mapping
        A checked scan document.
    dtypes : mapping of str to numpy.dtype
        Of the columns in the blocks.
    blocks : iterable of mapping of str to ndarray
        Blocks of columns of equal length; they need not fit into memory together.
    path : str or Path
    attachments : sequence of Path

    Returns
    -------
    Bundle

    Raises
    ------
    DataError, SchemaError, StorageError
        As for :func:`pack`; nothing is left behind.
    """
    target = Path(path)
    document: dict[str, Any] = copy.deepcopy(dict(scan_document))
    table = document["tables"][0]
    with journal.new_folder(target) as folder:
        spool = Spool(folder / _SPOOL)
        spool.fill(dtypes, blocks)
        if spool.n == 0:
            raise DataError("scan: found no rows, allowed at least one; check the files")
        _log.info("checking %d rows of %d columns", spool.n, len(table["columns"]))
        Finisher(spool, table["columns"], document.get("missing", "refuse")).run()
        valid = _valid_rows(spool, table["columns"])
        if not valid.any():
            raise DataError(
                "scan: found no row in which every parameter is valid; check masks and files"
            )
        _split(spool, document, valid)
        _log.info("writing %s", SCAN)
        _store(spool, table["columns"], folder / SCAN)
        finished = _manifest(document, spool.n, int(valid.sum()))
        shutil.rmtree(folder / _SPOOL)
        roles = {SCAN: "scan", "preview.csv": "preview"}
        (folder / "preview.csv").write_bytes(_preview(folder / SCAN, table["columns"]))
        for attachment in attachments:
            if attachment.name in roles or attachment.name == journal.MANIFEST:
                raise DataError(f"attachment {attachment}: this name is taken; rename the file")
            shutil.copyfile(attachment, folder / attachment.name)
            roles[attachment.name] = "attachment"
        complete(finished, folder, roles)
    return open_bundle(target)


def _valid_rows(spool: Spool, columns: Sequence[Mapping[str, Any]]) -> np.ndarray[Any, Any]:
    valid = np.ones(spool.n, dtype=bool)
    parameters = [column for column in columns if column["role"] == "parameter"]
    for column in parameters:
        if "valid" in column:
            valid &= spool.read(column["valid"])
    return valid


def _split(spool: Spool, document: dict[str, Any], valid: np.ndarray[Any, Any]) -> None:
    """Make the split column unless the files bring one, and note in the table how."""
    table = document["tables"][0]
    columns = table["columns"]
    if any(column["role"] == "split" for column in columns):
        return
    wish = dict(document.get("split", {}))
    wish.setdefault("seed", 0)
    fractions = wish.setdefault("fractions", {"train": 0.7, "calibration": 0.15, "test": 0.15})
    parameters = [c["name"] for c in columns if c["role"] in ("parameter", "nuisance")]
    keys = [wish["group"]] if "group" in wish else parameters
    eligible = population_rows(spool, wish.get("population"), valid)
    split = split_rows(
        spool,
        keys or [columns[0]["name"]],
        eligible,
        seed=wish["seed"],
        fractions=[fractions[name] for name in SPLITS.values()],
        stratify=wish.get("stratify"),
        barred=valid & ~eligible,
    )
    spool.put("split", np.int8, [split])
    columns.append(
        {
            "name": "split",
            "role": "split",
            "unit": "1",
            "dtype": "int8",
            "categories": SPLITS,
            "label": "which part of the rows: train, calibration or test",
        }
    )
    table["split"] = wish


def _store(spool: Spool, columns: Sequence[Mapping[str, Any]], path: Path) -> None:
    def reader(name: str) -> Any:
        return lambda start, stop: spool.read(name, start, stop)

    write_scan(
        path,
        [
            ScanColumn(
                column["name"],
                column["dtype"],
                reader(column["name"]),
                {
                    "units": column["unit"],
                    "long_name": column.get("label", column["name"]),
                    "role": column["role"],
                },
            )
            for column in columns
        ],
        spool.n,
    )


def _manifest(document: dict[str, Any], rows: int, valid_rows: int) -> dict[str, Any]:
    table = document["tables"][0]
    table |= {"file": SCAN, "dimension": "point", "rows": rows, "valid_rows": valid_rows}
    kept = {key: value for key, value in document.items() if key not in _ONLY_SCAN}
    kept |= {"format": "1.0", "status": "draft", "models": []}
    kept.setdefault("created", _now())
    order = json.loads(resources.schema_text("bundle"))["properties"]
    return {key: kept[key] for key in order if key in kept}


def _now() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch and not epoch.isdecimal():
        raise UsageError(f"SOURCE_DATE_EPOCH: found {epoch!r}, allowed seconds since 1970")
    moment = (
        datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
        if epoch
        else datetime.datetime.now(datetime.UTC)
    )
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _preview(path: Path, columns: Sequence[Mapping[str, Any]]) -> bytes:
    with open_scan(path) as scan:
        return documents.preview_csv(scan, columns)
