"""The manifest: what its columns and cards say, and what JSON Schema cannot check of it."""

from limen.manifest.checks import check_manifest, check_probe, check_scan_document
from limen.manifest.records import Column, ModelCard, columns, models, resolve_alias

__all__ = [
    "Column",
    "ModelCard",
    "check_manifest",
    "check_probe",
    "check_scan_document",
    "columns",
    "models",
    "resolve_alias",
]
