"""A bundle of a stranger is hostile until it was examined."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from limen import graph, manifest, resources, schema
from limen.bundle import Bundle, open_bundle
from limen.errors import (
    BundleNotFoundError,
    Fault,
    GraphError,
    IntegrityError,
    LimenError,
    PartMissingError,
    SchemaError,
)
from limen.journal import MANIFEST
from limen.manifest import ModelCard
from limen.scan import audit_scan
from limen_zenodo.errors import UnsafeNameError
from limen_zenodo.manifests import LARGEST_MANIFEST
from limen_zenodo.names import name_faults
from limen_zenodo.trial import Limits, try_model

__all__ = [
    "LARGEST_PROBE",
    "LARGEST_TOTAL",
    "MOST_FILES",
    "examine",
    "open_examined",
    "refuse_listing",
]

LARGEST_PROBE = 16 * 2**20
"""Largest probe of a fetched bundle [byte]."""

LARGEST_TOTAL = 2**40
"""Largest size of all files of a fetched bundle together [byte]."""

MOST_FILES = 10_000
"""Most files of a fetched bundle, the manifest not counted."""

_log = logging.getLogger("limen.zenodo")

_FAULTS_SHOWN = 20


def open_examined(
    path: str | Path,
    *,
    trust: bool = False,
    cache: Path | None = None,
    limits: Limits | None = None,
) -> Bundle:
    """
    Open a bundle of a stranger after examining all that is there.

    The folder is looked at first: opening a folder would take up a change that it says was begun.

    Parameters
    ----------
    path : str or Path
        The folder.
    trust, cache, limits
        As in :func:`examine`.

    Returns
    -------
    Bundle

    Raises
    ------
    BundleNotFoundError
        If there is no bundle.
    FormatVersionError, SchemaError, IntegrityError, GraphError
        As :func:`examine`.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise BundleNotFoundError(f"{folder}: no such folder; give the folder of a bundle")
    faults = list(_entry_faults(folder))
    if faults:
        raise IntegrityError.from_faults(str(folder), faults)
    bundle = open_bundle(folder)
    examine(bundle, trust=trust, cache=cache, limits=limits)
    return bundle


def refuse_listing(files: Mapping[str, Mapping[str, Any]], where: str) -> None:
    """
    Refuse a list of files before any of them is fetched.

    Parameters
    ----------
    files : mapping of str to mapping
        The manifest's ``files``: ``bytes`` of each name.
    where : str
        Name of the bundle in messages.

    Raises
    ------
    UnsafeNameError
        If names could leave the folder, hide another file or mislead a system.
    IntegrityError
        If the files are too many or too large together.
    """
    faults = name_faults(files)
    if faults:
        raise UnsafeNameError.from_faults(where, faults[:_FAULTS_SHOWN])
    total = sum(entry["bytes"] for entry in files.values())
    counts = [
        (len(files), MOST_FILES, "files"),
        (total, LARGEST_TOTAL, "bytes"),
    ]
    over = [
        (f"{MANIFEST} /files", f"found {found} {what}, allowed {most}; this is no bundle")
        for found, most, what in counts
        if found > most
    ]
    if over:
        raise IntegrityError.from_faults(where, over)


def examine(
    bundle: Bundle,
    *,
    trust: bool = False,
    cache: Path | None = None,
    limits: Limits | None = None,
) -> None:
    """
    Examine all parts of a bundle that are present; refuse it, or say nothing.

    In this order, each step over all files: names, counts and sizes; links, extra and changed
    files; the tables' zips, metadata and columns; the probes as documents; the models. A model is
    audited and its probe run once, in a process with limits of its own; that it passed is
    remembered by the SHA-256 of model and probe and the versions of what ran it. Attachments are
    compared with their hashes and otherwise never opened.

    Parameters
    ----------
    bundle : Bundle
    trust : bool
        Audit the models here and run no probe.
    cache : Path, optional
        Where passes are remembered; :func:`limen.resources.cache_folder` by default.
    limits : Limits, optional
        What the run of a probe may take.

    Raises
    ------
    UnsafeNameError, IntegrityError
        If names, sizes, hashes or the scan are not what they must be; all faults of the step.
    SchemaError
        If a probe breaks its schema.
    GraphError
        If a model may not be run, crashes, takes too much or gives other answers than its probe.
    """
    where = str(bundle.path)
    files = bundle.manifest["files"]
    refuse_listing(files, where)
    faults = [*_entry_faults(bundle.path), *_file_faults(bundle, files)]
    if faults:
        raise IntegrityError.from_faults(where, faults[:_FAULTS_SHOWN])
    present = {name for name in files if (bundle.path / name).exists()}
    for table in bundle.manifest["tables"]:
        if table["file"] in present:
            listed = manifest.columns(bundle.manifest, table["name"])
            dtypes = {name: str(column.dtype) for name, column in listed.items()}
            audit_scan(bundle.part(table["file"]), dtypes, table["rows"])
    _refuse_probes(bundle, present)
    cards = [card for card in bundle.models.values() if card.file in present]
    faults = [
        fault
        for card in cards
        for fault in _model_faults(
            bundle,
            card,
            run=card.probe in present and not trust,
            cache=cache or resources.cache_folder(),
            limits=limits or Limits(),
        )
    ]
    if faults:
        raise GraphError.from_faults(where, faults[:_FAULTS_SHOWN])


def _entry_faults(folder: Path) -> Iterator[Fault]:
    """Judge what lies in the folder without following or opening any of it."""
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number > MOST_FILES:
                yield Fault("", f"found more than {MOST_FILES} files; this is no bundle")
                return
            shown = ascii(entry.name)[1:-1][:80]
            if entry.is_symlink():
                yield Fault(shown, "found a link, allowed plain files; remove it")
            elif not entry.is_file(follow_symlinks=False):
                yield Fault(shown, "found a folder or a device, allowed plain files; remove it")
            elif entry.name == MANIFEST and entry.stat().st_size > LARGEST_MANIFEST:
                size = entry.stat().st_size
                yield Fault(shown, f"found {size} bytes, allowed {LARGEST_MANIFEST}")


def _file_faults(bundle: Bundle, files: Mapping[str, Any]) -> Iterator[Fault]:
    """Compare what is there with the manifest: nothing more, and each byte of it."""
    for path in sorted(bundle.path.iterdir()):
        if path.name not in files and path.name != MANIFEST:
            text = "this file is not in the manifest; remove it"
            yield Fault(ascii(path.name)[1:-1][:80], text)
    for name in files:
        try:
            bundle.verified(name)
        except PartMissingError:
            continue
        except LimenError as error:
            yield Fault(name, error.message)


def _refuse_probes(bundle: Bundle, present: set[str]) -> None:
    faults: list[Fault] = []
    for card in bundle.models.values():
        if card.probe not in present:
            continue
        probe = schema.load_json(bundle.part(card.probe), LARGEST_PROBE)
        faults += [
            Fault(f"{card.probe} {fault.pointer}", fault.message)
            for fault in manifest.check_probe(probe)
        ]
    if faults:
        raise SchemaError.from_faults(str(bundle.path), faults[:_FAULTS_SHOWN])


def _model_faults(
    bundle: Bundle, card: ModelCard, *, run: bool, cache: Path, limits: Limits
) -> list[Fault]:
    if not run:
        try:
            graph.audit(bundle.part(card.file), list(card.input_names))
        except GraphError as error:
            return list(error.faults) or [Fault(f"model {card.name}", error.message)]
        return []
    passed = cache / "trials" / f"{_digest(bundle, card)}.json"
    if passed.is_file():
        return []
    size = bundle.part(card.file).stat().st_size
    faults = try_model(bundle.path, card.name, size, limits)
    if not faults:
        _remember(passed, {"bundle": bundle.manifest["id"], "model": card.name})
    return faults


def _digest(bundle: Bundle, card: ModelCard) -> str:
    """Name what passed: model, probe, card, and the versions of what ran it."""
    files = bundle.manifest["files"]
    facts = [
        bundle.manifest["id"],
        files[card.file]["sha256"],
        files[card.probe]["sha256"],
        card.to_dict(),
        *(f"{name} {version(name)}" for name in ("limen", "numpy", "onnx", "onnxruntime")),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _remember(place: Path, facts: Mapping[str, str]) -> None:
    """Write a pass whole or not at all; where it cannot be, the next examination runs again."""
    working = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        working.write_bytes(schema.canonical_json(dict(facts)))
        working.replace(place)
    except OSError as error:
        with suppress(OSError):
            working.unlink()
        _log.warning("%s: the pass of a model is not remembered (%s)", place, error.strerror)
