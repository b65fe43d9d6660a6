"""Change the descriptive fields of a manifest by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limen.errors import UsageError

__all__ = ["COLUMN_FIELDS", "FIELDS", "set_fields"]

FIELDS = (
    "id",
    "version",
    "title",
    "description",
    "keywords",
    "creators",
    "licences",
    "related",
    "theory",
    "toolchain",
    "assumptions",
    "analyses",
    "benchmarks",
)
COLUMN_FIELDS = ("symbol", "label", "description", "group", "aliases", "reference")


def set_fields(manifest: dict[str, Any], changes: Mapping[str, str]) -> None:
    """
    Set fields of a draft's manifest in place.

    Parameters
    ----------
    manifest : dict
    changes : mapping of str to str
        By field: a YAML value. Parts of an object go by a dot (``licences.data``); columns by
        ``columns.NAME.FIELD``. An empty value removes the field.

    Raises
    ------
    UsageError
        If a field may not be set: what the data or the models rest on is made by ``pack`` and
        ``train``, not edited.
    """
    import yaml

    from limen.schema.yaml_loader import StrictLoader

    for name, text in changes.items():
        try:
            # The loader of scan documents: "yes" and "2026-01-31" stay text. It builds no objects.
            value = yaml.load(text, StrictLoader) if text else None
        except yaml.YAMLError as error:
            raise UsageError(f"--set {name}: found {text!r}, allowed a YAML value") from error
        parts = name.split(".")
        if parts[0] == "columns":
            _set_column(manifest, parts, value)
        elif parts[0] not in FIELDS or len(parts) > 2:
            raise UsageError(
                f"--set: found {name!r}, allowed {', '.join(FIELDS)} and "
                f"columns.NAME.FIELD with FIELD one of {', '.join(COLUMN_FIELDS)}"
            )
        elif parts[0] == "id" and manifest.get("models"):
            raise UsageError("--set id: the models carry the id; set it before training")
        elif len(parts) == 2:
            _put(manifest.setdefault(parts[0], {}), parts[1], value)
        else:
            _put(manifest, name, value)


def _set_column(manifest: dict[str, Any], parts: list[str], value: Any) -> None:
    # A parameter stands in the queries of a campaign, too.
    columns: dict[str, list[Any]] = {}
    for table in manifest["tables"]:
        for column in table["columns"]:
            columns.setdefault(column["name"], []).append(column)
    if len(parts) != 3 or parts[1] not in columns or parts[2] not in COLUMN_FIELDS:
        raise UsageError(
            f"--set: found {'.'.join(parts)!r}, allowed columns.NAME.FIELD with NAME one of "
            f"{', '.join(columns)} and FIELD one of {', '.join(COLUMN_FIELDS)}; all else of a "
            "column is the data's: pack anew"
        )
    for column in columns[parts[1]]:
        _put(column, parts[2], value)


def _put(place: Any, name: str, value: Any) -> None:
    if not isinstance(place, dict):
        raise UsageError(f"--set: {name!r} is no part of a list; set the whole list")
    if value is None:
        place.pop(name, None)
    else:
        place[name] = value
