"""Backgrounds with their signal patches, verified; labels of the patches become parameters."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from limen.errors import Fault, ReadError
from limen.readers.likelihoods.files import Document, documents
from limen.readers.likelihoods.patching import patch_fault
from limen.readers.options import nearest
from limen.readers.tables import library

__all__ = ["Collection", "Packed", "Region", "open_collection"]

_log = logging.getLogger(__name__)

_NUMBER = re.compile(r"(?<![A-Za-z0-9.])-?\d+(?:[.p]\d+)?(?![A-Za-z0-9.])")
_LABELS = 64


@dataclass(frozen=True, slots=True)
class Packed:
    """A JSON document, compressed, with the SHA-256 of its canonical form."""

    content: bytes
    digest: str

    @classmethod
    def of(cls, value: Any) -> Packed:
        """Pack a document."""
        text = json.dumps(value, sort_keys=True).encode()
        return cls(zlib.compress(text), hashlib.sha256(text).hexdigest())

    def load(self) -> Any:
        """Unpack the document."""
        return json.loads(zlib.decompress(self.content))


@dataclass(slots=True)
class Region:
    """
    One likelihood: a background and the signals for it.

    Parameters
    ----------
    name : str
    background : Packed
    patches : dict of str to Packed
        By name of the point.
    """

    name: str
    background: Packed
    patches: dict[str, Packed] = field(default_factory=dict)


@dataclass(slots=True)
class Collection:
    """
    Everything that was found.

    Parameters
    ----------
    labels : tuple of str
        Names of the parameters.
    points : dict of str to tuple of float
        Parameters by name of the point, in the order in which they were found.
    regions : list of Region
    refused : list of Fault
        Patches that cannot be used.
    left_out : list of (str, Fault)
        Points that have no usable patch in some region.
    references : dict of str to str
        What patch sets refer to.
    descriptions : list of str
    """

    labels: tuple[str, ...] = ()
    points: dict[str, tuple[float, ...]] = field(default_factory=dict)
    regions: list[Region] = field(default_factory=list)
    refused: list[Fault] = field(default_factory=list)
    left_out: list[tuple[str, Fault]] = field(default_factory=list)
    references: dict[str, str] = field(default_factory=dict)
    descriptions: list[str] = field(default_factory=list)


def open_collection(paths: Sequence[Path], options: Mapping[str, Any]) -> Collection:
    """
    Read backgrounds and patches.

    Parameters
    ----------
    paths : sequence of Path
        Files, folders, tar archives.
    options : mapping
        ``names``, labels of loose patches, whose values are the last numbers in their file names;
        ``regions``, a list of the folders to use or {name: folder}.

    Returns
    -------
    Collection

    Raises
    ------
    ReadError
        For a patch set of a wrong digest or schema, for patches without background or labels, and
        if no patch can be used.
    """
    found = Collection()
    names = tuple(options.get("names", ()))
    for name, group in _chosen(_grouped(documents(paths), found), options.get("regions")).items():
        _add_region(found, name, group, names)
    for name, fault in found.left_out:
        if name in found.points:
            _log.warning("%s; the point is taken from the other regions", fault)
        else:
            found.refused.append(fault)
    if not found.points:
        listed = found.refused or [Fault("", "found no patch, allowed at least one; name them too")]
        raise ReadError.from_faults(str(paths[0]), listed[:20])
    return found


@dataclass(slots=True)
class _Group:
    """The documents of one folder."""

    backgrounds: list[tuple[Document, Any]] = field(default_factory=list)
    sets: list[tuple[Document, Any]] = field(default_factory=list)
    loose: list[tuple[Document, Any]] = field(default_factory=list)


def _grouped(found: Iterable[Document], collection: Collection) -> dict[str, _Group]:
    """Sort documents by folder and kind; one background alone serves all folders."""
    groups: dict[str, _Group] = {}
    for document in found:
        try:
            value = json.loads(document.content)
        except (ValueError, RecursionError) as error:
            reason = str(error).partition("\n")[0]
            text = f"found no JSON ({reason}), allowed a workspace or patch; fetch it again"
            _fault(collection, document, text)
            continue
        group = groups.setdefault(document.folder, _Group())
        if isinstance(value, dict) and "channels" in value:
            group.backgrounds.append((document, value))
        elif isinstance(value, dict) and "patches" in value:
            group.sets.append((document, value))
        elif isinstance(value, list):
            group.loose.append((document, value))
        elif document.named:
            text = "found other JSON, allowed a workspace, a patch set or patches; leave it out"
            _fault(collection, document, text)
    groups = {name: g for name, g in groups.items() if g.backgrounds or g.sets or g.loose}
    if sum(len(group.backgrounds) for group in groups.values()) == 1:
        merged = _Group()
        for group in groups.values():
            merged.backgrounds += group.backgrounds
            merged.sets += group.sets
            merged.loose += group.loose
        return {merged.backgrounds[0][0].folder: merged}
    return groups


def _fault(collection: Collection, document: Document, text: str) -> None:
    """Refuse one document; a file that was named is needed."""
    if document.named:
        raise ReadError(f"{document.where}: {text}")
    collection.refused.append(Fault(document.where, text))


def _chosen(groups: Mapping[str, _Group], regions: Any) -> dict[str, _Group]:
    """Name the folders as the option says, else by their last part."""
    by_name: dict[str, _Group] = {}
    for folder, group in groups.items():
        name = PurePath(folder).name or "region"
        by_name[folder if name in by_name else name] = group
    if regions is None:
        return by_name
    wanted = dict(regions) if isinstance(regions, Mapping) else {name: name for name in regions}
    faults = [
        Fault("option 'regions'", f"found the folder '{folder}'; {nearest(folder, by_name)}")
        for folder in wanted.values()
        if folder not in by_name
    ]
    if faults:
        raise ReadError.from_faults("", faults)
    return {name: by_name[folder] for name, folder in wanted.items()}


def _add_region(found: Collection, name: str, group: _Group, names: tuple[str, ...]) -> None:
    if len(group.backgrounds) != 1:
        first = [*group.backgrounds, *group.sets, *group.loose][0][0]
        listed = ", ".join(PurePath(d.where).name for d, _ in group.backgrounds) or "none"
        raise ReadError(
            f"{first.where}: found {len(group.backgrounds)} workspaces of the background in its "
            f"folder ({listed}), allowed one; keep one per folder, or name the files"
        )
    background = group.backgrounds[0][1]
    region = Region(name, Packed.of(background))
    for document, value in group.sets:
        _add_set(found, region, background, document, value, names)
    for document, operations in group.loose:
        _add_loose(found, region, background, document, operations, names)
    if region.patches:
        found.regions.append(region)


def _add_set(
    found: Collection,
    region: Region,
    background: Any,
    document: Document,
    value: Any,
    names: tuple[str, ...],
) -> None:
    """Take the patches of a patch set that was made for this background."""
    pyhf = library("pyhf", "io")
    if names:
        raise ReadError("option 'names': given, but the patch set has labels; remove it")
    try:
        patches = pyhf.PatchSet(value)
        patches.verify(background)
    except pyhf.exceptions.PatchSetVerificationError as error:
        raise ReadError(
            f"{document.where}: found another digest than that of the background workspace "
            f"({' '.join(str(error).split())[:300]}), allowed the workspace that the patch set was "
            "made for; fetch both from the same record"
        ) from error
    except (pyhf.exceptions.InvalidSpecification, pyhf.exceptions.InvalidPatchSet) as error:
        reason = " ".join(str(error).split())[:300]
        raise ReadError(
            f"{document.where}: found no patch set of pyhf 1.0.0 ({reason}); fetch it again"
        ) from error
    _label(found, tuple(map(str, patches.labels)), document.where)
    found.references |= {str(k): str(v) for k, v in patches.references.items()}
    found.descriptions.append(str(patches.description))
    for patch in patches:
        where = f"{document.where} patch '{patch.name}'"
        values = _numbers(patch.values)
        if values is None:
            text = f"found the values {list(patch.values)!r}, allowed numbers; correct them"
            found.refused.append(Fault(where, text))
        else:
            _add_point(found, region, background, where, patch.name, values, list(patch))


def _add_loose(
    found: Collection,
    region: Region,
    background: Any,
    document: Document,
    operations: Any,
    names: tuple[str, ...],
) -> None:
    """Take one patch, whose parameters are the numbers in its file's name."""
    name = document.name.removeprefix("patch.")
    numbers = [text.replace("p", ".") for text in _NUMBER.findall(name.replace("_", " "))]
    if not names:
        raise ReadError(
            f"{document.where}: found a patch without labels and {len(numbers)} numbers in its "
            "name, allowed names for them; give the option 'names' "
            f"(--option names={','.join(f'm{i + 1}' for i in range(len(numbers) or 1))})"
        )
    if len(numbers) < len(names):
        text = f"found {len(numbers)} numbers in its name, allowed at least {len(names)}; rename it"
        found.refused.append(Fault(document.where, text))
        return
    _label(found, names, document.where)
    values = tuple(float(text) for text in numbers[-len(names) :])
    _add_point(found, region, background, document.where, name, values, operations)


def _label(found: Collection, labels: tuple[str, ...], where: str) -> None:
    if len(labels) > _LABELS or len(set(labels)) != len(labels):
        raise ReadError(f"{where}: found the labels {labels!r}, allowed different ones, up to 64")
    if found.labels and found.labels != labels:
        raise ReadError(
            f"{where}: found the labels {', '.join(labels)}, in another region "
            f"{', '.join(found.labels)}, allowed the same; read the regions apart"
        )
    found.labels = labels


def _numbers(values: Sequence[Any]) -> tuple[float, ...] | None:
    try:
        return tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return None


def _add_point(
    found: Collection,
    region: Region,
    background: Any,
    where: str,
    name: str,
    values: tuple[float, ...],
    operations: Any,
) -> None:
    text = patch_fault(background, operations)
    if not text and name in region.patches:
        text = "found twice in its region, allowed once; leave one out"
    if not text and found.points.get(name, values) != values:
        text = f"found the values {values}, in another region {found.points[name]}; correct one"
    if text:
        found.left_out.append((name, Fault(where, text)))
        return
    found.points[name] = values
    region.patches[name] = Packed.of(operations)
