"""What a GAMBIT run says of itself: version, scanner, settings, priors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from limen.readers.hdf5 import dataset_of
from limen.readers.pages import TODO

__all__ = ["priors_of", "read_metadata", "sampling_of", "terms_of", "toolchain_of"]

_SHORT = 300
_TEXT = 20_000
_ENTRIES = 200


def read_metadata(file: Any, names: Iterable[str]) -> dict[str, list[str]]:
    """
    Read the group that GAMBIT 2 keeps its settings in.

    Parameters
    ----------
    file : h5py.File
    names : iterable of str
        Paths of everything in it.

    Returns
    -------
    dict of str to list of str
        Per key the texts of the first and the last start of the run; empty if there is no such
        group, as in files of GAMBIT 1.
    """
    listed = set(names)
    groups = sorted(
        (name.rpartition("/")[0] for name in listed if name.rpartition("/")[2] == "GAMBIT"),
        key=lambda group: (group != "metadata", group),
    )
    group = next((g for g in groups if g and f"{g}/Scanner::scanner" in listed), None)
    found: dict[str, list[str]] = {}
    for key in file[group] if group is not None else ():
        dataset = dataset_of(file[group], key)
        if (
            dataset is None
            or dataset.dtype.kind not in "OS"
            or dataset.ndim != 1
            or not len(dataset)
        ):
            continue
        ends = [dataset[0]] if len(dataset) == 1 else [dataset[0], dataset[-1]]
        found[key] = [_text(value) for value in ends]
    return found


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip("\0 \n")


def toolchain_of(metadata: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """
    Give the entry of GAMBIT among the programs that made the numbers.

    The whole input file is kept as its SHA-256; its parts that matter for the numbers are kept
    in words, without the paths of the machine that the run was made on.
    """
    entry: dict[str, Any] = {"role": "global fit", "name": "GAMBIT"}
    entry["version"] = _last(metadata, "GAMBIT")[:_SHORT] or TODO
    settings: dict[str, Any] = {}
    if dates := metadata.get("Date"):
        settings["date"] = " to ".join(dict.fromkeys(dates))[:_SHORT]
    if scan := _last(metadata, "Scan_ID"):
        settings["scan_id"] = scan[:_SHORT]
    if purposes := _purposes(metadata):
        settings["ObsLikes"] = purposes
    if values := _below(metadata, "KeyValue::"):
        settings["KeyValues"] = values
    if text := _last(metadata, "YAML"):
        settings["yaml_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return entry | ({"settings": settings} if settings else {})


def sampling_of(metadata: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """
    Give the scanner, its settings and the priors; questions where the file does not say.

    Examples
    --------
    >>> run = {"Scanner::scanner": ["de"], "Scanner::options::plugin": ["diver"]}
    >>> sampling_of(run)["sampler"], sampling_of({})["sampler"]
    ('diver', 'TODO')
    """
    options = _below(metadata, "Scanner::options::")
    scanner = _last(metadata, "Scanner::scanner")
    entry: dict[str, Any] = {"sampler": (options.get("plugin", "") or scanner)[:_SHORT] or TODO}
    if options.get("version"):
        entry["version"] = options["version"][:_SHORT]
    if settings := ({"scanner": scanner} if scanner else {}) | options:
        entry["settings"] = settings
    said = [f"{name}: {prior}" for name, prior in priors_of(metadata).items()]
    joint = _grouped(metadata, "Priors::", 1)
    said += [f"{name}: {_prior(leaves)}" for name, leaves in joint.items()]
    entry["prior"] = "; ".join(said)[:_TEXT] or TODO
    return entry


def priors_of(metadata: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """
    Give the prior of each parameter in words.

    Examples
    --------
    >>> key = "Parameters::NormalDist::mu::"
    >>> priors_of({f"{key}prior_type": ["flat"], f"{key}range": ["[15, 30]"]})
    {'NormalDist::mu': 'flat in [15, 30]'}
    """
    return {name: _prior(leaves) for name, leaves in _grouped(metadata, "Parameters::", 2).items()}


def terms_of(metadata: Mapping[str, Sequence[str]]) -> list[str]:
    """
    Name the likelihoods that the total is the sum of.

    Examples
    --------
    >>> key = "ObsLikes::0x5::"
    >>> terms_of({f"{key}capability": ["lnL_Z"], f"{key}purpose": ["LogLike"]})
    ['lnL_Z']
    """
    terms = [
        leaves.get("capability", "")[:_SHORT]
        for leaves in _grouped(metadata, "ObsLikes::", 1).values()
        if leaves.get("purpose") == "LogLike"
    ]
    return sorted({term for term in terms if term})


def _last(metadata: Mapping[str, Sequence[str]], key: str) -> str:
    return metadata[key][-1] if key in metadata else ""


def _below(metadata: Mapping[str, Sequence[str]], start: str) -> dict[str, str]:
    """Give the settings whose keys begin alike, but no paths of the machine."""
    found: dict[str, str] = {}
    for key in metadata:
        value = _last(metadata, key)
        local = "path" in key.lower() or re.search(r"(^|[\s\"'=])(/|~/|\$)", value)
        if key.startswith(start) and not local and len(found) < _ENTRIES:
            found[key.removeprefix(start)[:_SHORT]] = value[:_SHORT]
    return found


def _grouped(
    metadata: Mapping[str, Sequence[str]], start: str, depth: int
) -> dict[str, dict[str, str]]:
    """Group keys ``start::a::b::leaf`` by their first ``depth`` parts."""
    groups: dict[str, dict[str, str]] = {}
    for key in metadata:
        parts = key.removeprefix(start).split("::")
        if key.startswith(start) and len(parts) >= depth:
            name = "::".join(parts[:depth])
            groups.setdefault(name, {})["::".join(parts[depth:])] = _last(metadata, key)
    return groups


def _prior(leaves: Mapping[str, str]) -> str:
    left = dict(leaves)
    said = []
    if "prior_type" in left:
        said.append(left.pop("prior_type"))
    if "range" in left:
        said.append(f"in {left.pop('range')}")
    words = {"": "fixed at", "fixed_value": "fixed at", "same_as": "same as"}
    said += [f"{words.get(key, key)} {value}" for key, value in left.items()]
    return " ".join(said)[:1000]


def _purposes(metadata: Mapping[str, Sequence[str]]) -> list[str]:
    """List what was computed: purpose, capability and module."""
    said = []
    for leaves in _grouped(metadata, "ObsLikes::", 1).values():
        what = " ".join(filter(None, (leaves.get("purpose"), leaves.get("capability"))))
        module = f" ({leaves['module']})" if leaves.get("module") else ""
        said.append(f"{what}{module}"[:_SHORT])
    return sorted(said)[:_ENTRIES]
