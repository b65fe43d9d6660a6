"""A bundle's scan as a submission to HEPData: summary tables, never bulk."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from limen import journal
from limen.bundle import Bundle, open_bundle
from limen.comparing.hepdata_cells import Columns, variables_of
from limen.errors import DataError, UsageError
from limen.manifest import Column
from limen.readers.hepdata.values import Notes

__all__ = ["export_hepdata"]

MAXIMUM_ROWS = 5_000
MAXIMUM_BYTES = 50 * 10**6
MAXIMUM_TABLE_BYTES = 10 * 2**20
MAXIMUM_MODEL_BYTES = 20 * 10**6
MAXIMUM_NAME = 64

_DEPENDENT = ("observable", "likelihood", "limit", "test", "label")
_INDEPENDENT = ("parameter", "nuisance", "origin")
_ADVICE = "take the rows that matter out first: limen select BUNDLE --where EXPR -o NEW"
_TABLE_DOI = re.compile(r"10\.17182/hepdata\.\d+\.v\d+/t\d+")
_URLS = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Write values out wherever they stand: HEPData's readers need no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def export_hepdata(
    bundle: Bundle | str | Path, path: str | Path, *, table: str | None = None
) -> Path:
    """
    Write the scan of a bundle as a submission folder for HEPData.

    Parameters become independent variables; observables, likelihoods, limits, tests and labels
    dependent ones, with their uncertainties as errors and ``-`` where a mask says so. Columns that
    were read from HEPData go back to the tables, headers, units and qualifiers they came from.

    Parameters
    ----------
    bundle : Bundle, str or Path
    path : str or Path
        A new folder; written whole or not at all.
    table : str, optional
        Write one table of this name, at most 64 characters.

    Returns
    -------
    Path
        The folder: ``submission.yaml``, a file per table, and models that have no address yet.

    Raises
    ------
    UsageError
        If there are more than 5000 rows or 50 MB, or the name is too long.
    DataError
        If there are no parameters, nothing that depends on them, or half of an asymmetric error.
    StorageError
        If there is something at ``path`` already or it cannot be written.
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
    if opened.n_points > MAXIMUM_ROWS:
        raise UsageError(
            f"--to hepdata: found {opened.n_points:,} rows, allowed {MAXIMUM_ROWS:,} (HEPData is "
            f"for summary tables; bulk belongs in an archive with a DOI); {_ADVICE}"
        )
    if table is not None and not 0 < len(table) <= MAXIMUM_NAME:
        raise UsageError(
            f"--table: found {len(table)} characters, allowed 1 to {MAXIMUM_NAME}; shorten it"
        )
    groups = _groups(opened, table)
    with opened.open_scan() as scan:
        values = scan.read(list(opened.columns))
    documents = [_general(opened)]
    with journal.new_folder(Path(path)) as working:
        for number, (name, dependents) in enumerate(groups.items(), 1):
            file = f"{_slug(name) or 'table'}_{number}.yaml"
            content = _content(opened.columns, dependents, values)
            _write(working / file, [content])
            documents.append(_document(opened, name, file, dependents))
        resources, left_out = _resources(opened, working)
        if resources:
            documents[0]["additional_resources"] = resources
        if left_out:
            documents[0]["comment"] += (
                f" Models not included for their size: {', '.join(left_out)}."
            )
        _write(working / "submission.yaml", documents)
        _demand_small(working)
    return Path(path)


def _groups(bundle: Bundle, table: str | None) -> dict[str, list[str]]:
    """Sort dependent columns into tables by name."""
    if not any(column.role in _INDEPENDENT for column in bundle.columns.values()):
        raise DataError(f"{bundle.path}: found no parameter, allowed at least one for HEPData")
    groups: dict[str, list[str]] = {}
    for name, column in bundle.columns.items():
        if column.role in _DEPENDENT:
            own = Notes.read(column.description or "").table
            groups.setdefault(table or (own or bundle.manifest["id"])[:MAXIMUM_NAME], []).append(
                name
            )
    if not groups:
        raise DataError(
            f"{bundle.path}: found none of {', '.join(_DEPENDENT)}, allowed at least one column "
            "that depends on the parameters; declare its role"
        )
    return groups


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40]


def _content(columns: Columns, dependents: Sequence[str], values: Mapping[str, Any]) -> Any:
    """Build the two lists of variables of one table."""
    names = [name for name, column in columns.items() if column.role in _INDEPENDENT]
    return {
        "independent_variables": variables_of(columns, names, values, independent=True),
        "dependent_variables": variables_of(columns, dependents, values, independent=False),
    }


def _general(bundle: Bundle) -> dict[str, Any]:
    document = bundle.manifest
    comment = document.get("description") or document["title"]
    return {"comment": f"{document['title']}. {comment}"}


def _document(bundle: Bundle, name: str, file: str, dependents: Sequence[str]) -> dict[str, Any]:
    """Describe one table in the submission."""
    document = bundle.manifest
    said = [_codes(bundle.columns[column]) for column in dependents]
    description = " ".join([f"{document['title']}.", *(text for text in said if text)])
    answer: dict[str, Any] = {
        "name": name,
        "description": description,
        "keywords": _keywords(document),
        "data_file": file,
    }
    licence = document.get("licences", {}).get("data")
    if licence:
        answer["data_license"] = _licence(licence)
    origins = [
        entry["identifier"]
        for entry in document.get("related", [])
        if _TABLE_DOI.fullmatch(entry["identifier"])
    ]
    if origins:
        answer["related_to_table_dois"] = list(dict.fromkeys(origins))
    return answer


def _codes(column: Column) -> str:
    """Say in words what the codes of a column mean."""
    if not column.categories:
        return ""
    meanings = ", ".join(f"{code} = {text}" for code, text in column.categories.items())
    return f"{column.title}: {meanings}."


def _keywords(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    energies = {float(a["sqrt_s"] * 1000) for a in document.get("analyses", []) if "sqrt_s" in a}
    phrases = [word[:128] for word in document.get("keywords", [])]
    found = {"cmenergies": sorted(energies), "phrases": phrases}
    return [{"name": name, "values": values} for name, values in found.items() if values]


def _licence(spdx: str) -> dict[str, str]:
    first = spdx.split(" ")[0]
    return {"name": spdx, "url": _URLS.get(spdx, f"https://spdx.org/licenses/{first}.html")}


def _resources(bundle: Bundle, working: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """List the bundle and its models; a model without an address is put beside the tables."""
    document = bundle.manifest
    doi = document.get("doi")
    resources: list[dict[str, Any]] = []
    left_out: list[str] = []
    room = MAXIMUM_MODEL_BYTES
    if doi:
        text = f"Bundle {document['id']} {document['version']} with all data and models"
        resources.append({"location": f"https://doi.org/{doi}", "description": text})
    for name, card in bundle.models.items():
        size = document["files"][card.file]["bytes"]
        location = f"https://doi.org/{doi}" if doi else Path(card.file).name
        if not doi and size > room:
            left_out.append(name)
            continue
        if not doi:
            room -= size
            (working / location).write_bytes(bundle.verified(card.file).read_bytes())
        text = f"Model {name}: {card.task} of {card.target}, file {card.file}"
        entry: dict[str, Any] = {"location": location, "description": text, "type": "ONNX"}
        licence = card.licence or document.get("licences", {}).get("models")
        resources.append(entry | ({"license": _licence(licence)} if licence else {}))
    return resources, left_out


def _write(path: Path, documents: Sequence[Any]) -> None:
    text = yaml.dump_all(
        documents,
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        explicit_start=True,
        default_flow_style=None,
        width=1000,
    )
    path.write_text(text, encoding="utf-8")


def _demand_small(working: Path) -> None:
    """Refuse what HEPData would refuse."""
    sizes = {path.name: path.stat().st_size for path in working.iterdir()}
    total = sum(sizes.values())
    if total > MAXIMUM_BYTES:
        raise UsageError(
            f"--to hepdata: found {total:,} bytes, allowed {MAXIMUM_BYTES:,}; {_ADVICE}"
        )
    for name, size in sizes.items():
        if name.endswith(".yaml") and size > MAXIMUM_TABLE_BYTES:
            raise UsageError(
                f"--to hepdata: found {size:,} bytes in {name}, allowed {MAXIMUM_TABLE_BYTES:,}; "
                f"{_ADVICE}"
            )
