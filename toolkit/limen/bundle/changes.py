"""Change a bundle's files and manifest together; hash them; regenerate its documents."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from limen import documents, journal, manifest, schema
from limen.errors import SchemaError, UsageError

__all__ = ["GENERATED", "SCAN", "Edit", "complete", "file_entry", "sha256"]

SCAN = "scan.zarr.zip"
GENERATED = ("README.md", "CITATION.cff", "croissant.json")
_MEDIA_TYPES = {
    ".zip": "application/zip",
    ".onnx": "application/octet-stream",
    ".json": "application/json",
    ".csv": "text/csv",
    ".md": "text/markdown",
    ".cff": "application/yaml",
    ".yaml": "application/yaml",
    ".txt": "text/plain",
    ".py": "text/x-python",
    ".pdf": "application/pdf",
}


class Edit:
    """
    A change under way.

    Attributes
    ----------
    folder : Path
        New and changed files are written here.
    manifest : dict
        Change it in place; ``files`` is kept up by Limen.
    roles : dict of str to str
        Role of every file written.
    """

    def __init__(self, folder: Path, document: dict[str, Any], base: Path) -> None:
        self.folder = folder
        self.manifest = document
        self.base = base
        self.roles: dict[str, str] = {}

    def write(self, name: str, role: str, data: bytes) -> None:
        """Write a file of the bundle."""
        (self.folder / name).write_bytes(data)
        self.roles[name] = role

    def attach(self, path: Path, name: str | None = None) -> None:
        """
        Copy a file into the bundle as an attachment: hashed, never executed.

        Raises
        ------
        UsageError
            If a file of the bundle has this name already and is no attachment.
        """
        name = name or path.name
        entry = self.manifest["files"].get(name)
        if name == journal.MANIFEST or (entry and entry["role"] != "attachment"):
            raise UsageError(f"{path}: the name {name!r} is taken in the bundle; rename the file")
        self.write(name, "attachment", path.read_bytes())


def complete(document: dict[str, Any], folder: Path, roles: Mapping[str, str]) -> dict[str, Any]:
    """
    Hash the files written to ``folder``, regenerate the documents and write the manifest last.

    Parameters
    ----------
    document : dict
        The manifest; ``files`` holds the entries of unchanged files.
    folder : Path
        Where the new and changed files lie and the manifest is written.
    roles : mapping of str to str
        Roles of the new and changed files.

    Returns
    -------
    dict
        The manifest as written.

    Raises
    ------
    SchemaError
        If the manifest breaks the schema.
    """
    files = {k: v for k, v in document.get("files", {}).items() if k not in GENERATED}
    for name, role in roles.items():
        files[name] = file_entry(folder / name, role)
    bare = {key: value for key, value in document.items() if key != "files"}
    faults = manifest.check_manifest(bare | {"files": files})
    if faults:
        raise SchemaError.from_faults("bundle.json", faults)
    texts = (
        documents.readme(bare),
        documents.citation_cff(bare),
        documents.croissant(bare, files),
    )
    for name, text in zip(GENERATED, texts, strict=True):
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        files[name] = file_entry(folder / name, "document")
    written = bare | {"files": dict(sorted(files.items()))}
    (folder / journal.MANIFEST).write_bytes(schema.canonical_json(written))
    return written


def file_entry(path: Path, role: str) -> dict[str, Any]:
    """Give the manifest's entry of a file: SHA-256, size, media type, role."""
    return {
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
        "media_type": _MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream"),
        "role": role,
    }


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
