"""Bundles whose file names, files or folder are wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hostile.editing import MODEL, SCAN, Case, attach, edit_manifest, sign

__all__ = ["FILES", "NAMES"]


def _listed(name: str) -> Callable[[Path], None]:
    return lambda path: attach(path, name, None)


def _name(case: str, wrong: str, name: str, message: str = "allowed is a file name") -> Case:
    return Case(f"name-{case}", wrong, _listed(name), "SchemaError", message)


def _unsafe(case: str, wrong: str, name: str, message: str) -> Case:
    return Case(f"name-{case}", wrong, _listed(name), "UnsafeNameError", message)


_RULE = "a file name of letters, digits"

NAMES = (
    _name("traversal", "leads out of the folder", "../passwd", _RULE),
    _name("traversal-deep", "leads out through a folder", "a/../../x", _RULE),
    _name("dots", "is the folder above", "..", _RULE),
    _name("absolute", "is absolute", "/etc/passwd", _RULE),
    _name("backslash", "leads out on Windows", "..\\x", _RULE),
    _name("drive", "is absolute on Windows", "C:x", _RULE),
    _name("folder", "lies in a folder", "a/x", _RULE),
    _name("look-alike", "Cyrillic letters that look Latin", "sc\u0430n.zarr.zip", _RULE),
    _name("full-width", "becomes .. when normalised", "\uff0e\uff0e", _RULE),
    _name("right-to-left", "shows another suffix", "x\u202efdp.py", _RULE),
    _name("control", "control characters for a terminal", "x\x1b[2J", _RULE),
    _name("null", "ends early for C programs", "x\0.csv", _RULE),
    _name("newline", "two lines in a list", "x\n", _RULE),
    _name("trailing-space", "Windows drops the space", "x ", _RULE),
    _name("tilde", "home folder for a shell", "~root", _RULE),
    _name("hidden", "hidden, such as a journal's folder", ".commit", _RULE),
    _name("empty", "no name", "", _RULE),
    _name("long", "longer than file systems allow", "x" * 256, _RULE),
    _name("manifest-again", "hides the manifest", "Bundle.json", "cannot list itself"),
    _unsafe("reserved", "a device on Windows", "CON", "is reserved on Windows"),
    _unsafe("reserved-suffix", "a device on Windows", "nul.onnx", "is reserved on Windows"),
    _unsafe("trailing-dot", "Windows drops the dot", "x.", "ends in a dot"),
    _unsafe("dash", "an option for programs", "-rf", "begins with '-'"),
)  # fmt: skip


def _case_twins(path: Path) -> None:
    attach(path, "notes.txt", None)
    attach(path, "Notes.txt", None)


def _link(path: Path) -> None:
    (path / SCAN).unlink()
    (path / SCAN).symlink_to("/etc/passwd")


def _manifest_link(path: Path) -> None:
    target = path / "other.json"
    (path / "bundle.json").rename(target)
    (path / "bundle.json").symlink_to(target.name)


def _folder_link(path: Path) -> None:
    (path / "extra").symlink_to("/etc", target_is_directory=True)


def _pipe(path: Path) -> None:
    (path / MODEL).unlink()
    os.mkfifo(path / MODEL)


def _begun_change(path: Path) -> None:
    (path / ".commit").mkdir()
    (path / ".commit" / "README.md").write_bytes(b"moved into its place on opening")


def _shorter(path: Path) -> None:
    data = (path / SCAN).read_bytes()
    (path / SCAN).write_bytes(data[:-100])


def _changed(path: Path) -> None:
    data = bytearray((path / SCAN).read_bytes())
    data[1000] ^= 1
    (path / SCAN).write_bytes(data)


def _truncated(path: Path) -> None:
    _shorter(path)
    sign(path, SCAN)


def _too_large(path: Path) -> None:
    attach(path, "huge.dat", None)
    edit_manifest(path, lambda document: document["files"]["huge.dat"].update(bytes=2**53 - 1))


def _too_many(path: Path) -> None:
    entry = {"sha256": "0" * 64, "bytes": 1, "media_type": "text/plain", "role": "attachment"}
    more = {f"f{number}": entry for number in range(10_001)}
    edit_manifest(path, lambda document: document["files"].update(more))


def _many_present(path: Path) -> None:
    for number in range(10_050):
        (path / f"f{number}").touch()


def _huge_readme(path: Path) -> None:
    """Declare a small README where a sparse file of 1 TB lies."""
    with (path / "README.md").open("wb") as stream:
        stream.truncate(10**12)


def _integrity(name: str, wrong: str, make: Callable[[Path], object], message: str) -> Case:
    return Case(name, wrong, make, "IntegrityError", message)


FILES = (
    Case("name-case-twins", "two names that differ in case", _case_twins, "SchemaError", "names differ in more than case"),
    _integrity("link", "the scan is a link to another file", _link, "found a link"),
    _integrity("link-manifest", "the manifest is a link", _manifest_link, "found a link"),
    _integrity("link-folder", "a link to a folder", _folder_link, "found a link"),
    _integrity("pipe", "a model that is a pipe: reading waits for ever", _pipe, "a folder or a device"),
    _integrity("begun-change", "a journal that opening would finish", _begun_change, "a folder or a device"),
    _integrity("extra-file", "a file that the manifest does not list", lambda path: (path / "extra.py").write_bytes(b"x"), "not in the manifest"),
    _integrity("extra-hidden", "a hidden file", lambda path: (path / ".hidden").write_bytes(b"x"), "not in the manifest"),
    _integrity("wrong-size", "fewer bytes than the manifest says", _shorter, "the manifest says"),
    _integrity("wrong-hash", "one bit changed", _changed, "another SHA-256"),
    _integrity("truncated", "the scan's zip is cut, hashes are right", _truncated, "not a whole zip"),
    _integrity("empty-scan", "the scan is empty", lambda path: ((path / SCAN).write_bytes(b""), sign(path, SCAN)), "too short for a zip"),
    _integrity("total-size", "9 petabytes declared", _too_large, "bytes, allowed"),
    Case("many-files", "more than 10,000 files listed", _too_many, "SchemaError", "10000"),
    _integrity("many-present", "more than 10,000 files present", _many_present, "more than 10000 files"),
    _integrity("huge-readme", "a README of 1 TB, sparse", _huge_readme, "the manifest says"),
)  # fmt: skip
