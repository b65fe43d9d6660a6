"""A scan document as its author wrote it: loaded, read kindly, and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from limen import manifest, schema
from limen.errors import ReadError, SchemaError

__all__ = ["read_scan_document", "unquoted_units"]


def read_scan_document(path: Path) -> dict[str, Any]:
    """
    Load and check a scan document.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict
        One that fits the schema and does not contradict itself.

    Raises
    ------
    ReadError
        If there is no such file.
    SchemaError
        With all faults, each with its line and its column; also if it is no YAML.
    """
    if not path.is_file():
        raise ReadError(f"{path}: no such file; draft one: limen init FILE... -o scan.yaml")
    document = schema.load_yaml(path)
    unquoted_units(document)
    if manifest.check_scan_document(document):
        schema.refuse_later_format(document, str(path))
        faults = manifest.check_scan_document(document, schema.yaml_lines(path))
        raise SchemaError.from_faults(str(path), faults)
    return document


def unquoted_units(document: Any) -> None:
    """
    Take the number 1 as the unit '1', in place: in YAML it is easily left without quotes.

    Examples
    --------
    >>> document = {"tables": [{"columns": [{"name": "r", "unit": 1}]}]}
    >>> unquoted_units(document)
    >>> document["tables"][0]["columns"][0]["unit"]
    '1'
    """
    tables = document.get("tables") if isinstance(document, dict) else None
    for table in tables if isinstance(tables, list) else ():
        columns = table.get("columns") if isinstance(table, dict) else None
        for column in columns if isinstance(columns, list) else ():
            unit = column.get("unit") if isinstance(column, dict) else None
            if type(unit) is int and unit == 1:
                column["unit"] = "1"
