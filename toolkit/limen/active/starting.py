"""A first scan from a campaign that was started without a bundle."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from limen import manifest
from limen.active.gathering import ORIGINS, gather, origin_meanings, row_keys
from limen.active.merging import TEST, TRAIN, Merged
from limen.active.recording import first_document, note_population, note_sampling
from limen.errors import SchemaError

if TYPE_CHECKING:
    from limen.active.campaign import Campaign

__all__ = ["first_scan"]

_ORIGIN = "origin"
_ONLY_READ = ("read", "missing", "split", "attachments")


def first_scan(
    campaign: Campaign, name: str, document: str | Path | None, version: str | None
) -> Merged:
    """
    Describe and collect the told points of a campaign as a scan of their own.

    Parameters
    ----------
    campaign : Campaign
    name : str
        Name of the bundle's folder.
    document : str, Path or None
        A scan document that describes the columns; else they are described by the campaign.
    version : str or None

    Returns
    -------
    Merged

    Raises
    ------
    SchemaError, DataError
        If the document breaks the schema, or does not have the campaign's columns.
    """
    described = first_document(campaign, name) if document is None else _read(Path(document))
    if version is not None:
        described["version"] = version
    table = described["tables"][0]
    rows = gather(campaign, {column["name"]: column for column in table["columns"]})
    keys = campaign.problem.space.names
    first = np.unique(row_keys(rows.columns, keys), return_index=True)[1]
    rows = rows.take(np.sort(first))
    table["columns"] += _bookkeeping(campaign.id)
    arrays: dict[str, Any] = dict(rows.columns)
    for stated in [column for column in arrays if column.endswith("_err")]:
        output = stated.removesuffix("_err")
        unit = next(c["unit"] for c in table["columns"] if c["name"] == output)
        of = {"of": output, "kind": "stat", "side": "both", "label": f"standard error of {output}"}
        table["columns"].append({"name": stated, "role": "uncertainty", "unit": unit, **of})
    arrays[_ORIGIN] = np.array([ORIGINS.index(text) for text in rows.origin], dtype=np.int8)
    arrays["split"] = np.where(rows.origin == "reserved", TEST, TRAIN).astype(np.int8)
    described["missing"] = "mask"
    faults = manifest.check_scan_document(described | {"read": [{"files": ["campaign"]}]})
    if faults:
        raise SchemaError.from_faults("scan document", faults)
    note_sampling(table, campaign, rows)
    note_population(table, campaign, rows, "", column=_ORIGIN)
    dtypes = {column: np.asarray(values).dtype for column, values in arrays.items()}
    return Merged(described, dtypes, iter([arrays]), rows, 0, {}, _ORIGIN)


def _read(path: Path) -> dict[str, Any]:
    from limen import schema

    document = copy.deepcopy(dict(schema.load_yaml(path)))
    return {key: value for key, value in document.items() if key not in _ONLY_READ}


def _bookkeeping(campaign: str) -> list[dict[str, Any]]:
    meanings = origin_meanings(campaign)
    return [
        {
            "name": _ORIGIN,
            "label": "where the row comes from",
            "role": "origin",
            "unit": "1",
            "dtype": "int8",
            "categories": {str(code): meanings[name] for code, name in enumerate(ORIGINS)},
        },
        {
            "name": "split",
            "label": "which part of the rows: train, calibration or test",
            "role": "split",
            "unit": "1",
            "dtype": "int8",
            "categories": {"0": "train", "1": "calibration", "2": "test"},
        },
    ]
