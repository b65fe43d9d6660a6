"""
The Limen reuse checklist: can somebody else use this result, and believe it?

The points follow what the field asks of reusable machine-learning models and likelihoods; each is
decided by a program. A point that does not apply is neither met nor missed. It claims no
conformity with any published guideline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from limen.bundle import Bundle
from limen.checking.report import Report

__all__ = ["CHECKLIST", "judge_reuse"]

Answer = tuple[bool | None, str]
Manifest = dict[str, Any]


def _columns(manifest: Manifest) -> list[dict[str, Any]]:
    return [column for table in manifest["tables"] for column in table["columns"]]


def _missing(entries: list[str], good: str, bad: str) -> Answer:
    return (False, f"{bad}: {', '.join(entries)}") if entries else (True, good)


def _inputs(manifest: Manifest, report: Report) -> Answer:
    parameters = [c for c in _columns(manifest) if c["role"] in ("parameter", "nuisance")]
    bare = [c["name"] for c in parameters if not (c.get("description") or c.get("label"))]
    return _missing(bare, "every parameter has a name for people or a description", "undescribed")


def _convention(manifest: Manifest, report: Report) -> Answer:
    theory = manifest.get("theory")
    if not theory:
        return False, "no theory: state family and convention"
    return True, f"{theory['family']}: convention stated"


def _open_format(manifest: Manifest, report: Report) -> Answer:
    if not manifest.get("models"):
        return None, "no model yet"
    return True, "ONNX with standard operators, preprocessing inside, no pickle"


def _versions(manifest: Manifest, report: Report) -> Answer:
    cards = manifest.get("models", [])
    if not cards and not manifest.get("toolchain"):
        return False, "no toolchain: state which programs made the numbers, with versions"
    bare = [card["name"] for card in cards if not card["training"].get("software")]
    if not manifest.get("toolchain"):
        return False, "no toolchain: state which programs made the numbers, with versions"
    return _missing(
        bare, "programs, libraries and operator sets have versions", "no software versions"
    )


def _statistics(manifest: Manifest, report: Report) -> Answer:
    columns = [
        c for c in _columns(manifest) if c["role"] in ("likelihood", "limit", "test", "label")
    ]
    bare = [column["name"] for column in columns if not column.get("statistics")]
    loose = [c["name"] for c in columns if c.get("statistics", {}).get("rule") == "any"]
    if loose:
        return (
            False,
            f"rule 'any' over several analyses is no test at its level: {', '.join(loose)}",
        )
    return _missing(bare, "every statistical column says how it was made", "no statistics")


def _sampling(manifest: Manifest, report: Report) -> Answer:
    sampling = next(t for t in manifest["tables"] if t["name"] == "scan").get("sampling")
    if not sampling:
        return False, "no sampling: say which density the points were drawn from"
    return True, f"{len(sampling)} sampling step(s) described"


def _probes(manifest: Manifest, report: Report) -> Answer:
    if not manifest.get("models"):
        return None, "no model yet"
    absent = [n for n in report.not_fetched if n.endswith((".onnx", ".probe.json"))]
    if absent:
        return None, f"not fetched: {', '.join(absent)}"
    wrong = [str(f.pointer) for f in report.faults if "probe" in f.pointer or "model" in f.pointer]
    return _missing(wrong, "every model agrees with its stored probe rows", "disagreeing")


def _benchmarks(manifest: Manifest, report: Report) -> Answer:
    points = manifest.get("benchmarks", [])
    if not points:
        return False, "no benchmark point: give points with known answers"
    sourced = sum(1 for point in points if point.get("expected") and point.get("reference"))
    if not sourced:
        return False, f"none of {len(points)} benchmark point(s) has a known answer with reference"
    return True, f"{sourced} benchmark point(s) with a reference"


def _uncertainty(manifest: Manifest, report: Report) -> Answer:
    cards = manifest.get("models", [])
    if not cards:
        return None, "no model yet"
    bare = [c["name"] for c in cards if not any("coverage" in e for e in c["confidence"])]
    return _missing(
        bare, "every model's confidence has a population and a measured coverage", "not measured"
    )


def _domain(manifest: Manifest, report: Report) -> Answer:
    cards = manifest.get("models", [])
    if not cards:
        return None, "no model yet"
    bare = [c["name"] for c in cards if not (c["domain"].get("box") and c.get("limitations"))]
    return _missing(bare, "every model has a training domain and limitations", "not stated")


def _citable(manifest: Manifest, report: Report) -> Answer:
    wanted = {"creators": "creators", "licences": "licences", "doi": "a DOI"}
    bare = [text for field, text in wanted.items() if not manifest.get(field)]
    met, why = _missing(bare, "creators, licences and a DOI", "missing")
    edits = [_CITING[field] for field in wanted if field in _CITING and not manifest.get(field)]
    hints = [f"limen edit BUNDLE {' '.join(edits)}"] if edits else []
    hints += [] if manifest.get("doi") else ["a DOI comes with the deposit"]
    return met, "; ".join([why, *hints])


def _integrity(manifest: Manifest, report: Report) -> Answer:
    wrong = [fault.pointer for fault in report.integrity]
    if report.not_fetched and not wrong:
        return None, f"{len(report.not_fetched)} file(s) not fetched, the others as listed"
    return _missing(wrong, "every file has the SHA-256 of the manifest", "not as listed")


def _rebuild(manifest: Manifest, report: Report) -> Answer:
    cards = manifest.get("models", [])
    if not cards:
        return None, "no model yet"
    bare = [c["name"] for c in cards if not c["training"].get("table_sha256")]
    return _missing(bare, "every card says how to make its model again", "no training data named")


CHECKLIST: dict[str, Callable[[Manifest, Report], Answer]] = {
    "inputs are described": _inputs,
    "theory and its convention are stated": _convention,
    "models are in an open format with their preprocessing": _open_format,
    "versions of all tools are recorded": _versions,
    "statistical statements say how they were made": _statistics,
    "the sampling of the points is described": _sampling,
    "models prove themselves on stored rows": _probes,
    "there are benchmark points with known answers": _benchmarks,
    "confidence has a meaning, a population and a measured coverage": _uncertainty,
    "where models hold is stated": _domain,
    "it can be cited and its licences are known": _citable,
    "all files are intact": _integrity,
    "models can be made again": _rebuild,
}


# How to mend a point that is not met; the others are mended by what their answer names.
_CITING = {
    "creators": "--set creators='[{name: \"Doe, Jane\"}]'",
    "licences": "--set licences.data=CC-BY-4.0",
}
_MENDING = {
    "inputs are described": "limen edit BUNDLE --set columns.NAME.label='what it is'",
    "theory and its convention are stated": (
        "limen edit BUNDLE --set theory='{family: MSSM, convention: SLHA 2}'"
    ),
    "versions of all tools are recorded": (
        "limen edit BUNDLE --set toolchain='[{role: likelihood, name: flavio, version: \"2.6.1\"}]'"
    ),
    "statistical statements say how they were made": (
        "state it in the scan document's `statistics` and pack anew"
    ),
    "the sampling of the points is described": (
        "state it in the scan document's `sampling` and pack anew"
    ),
    "there are benchmark points with known answers": (
        "limen edit BUNDLE --set benchmarks='[{name: P1, point: {NAME: 1.5}, "
        "expected: {COLUMN: 0.3}, reference: arXiv:...}]'"
    ),
    "all files are intact": "fetch the bundle anew, or pack and train anew",
    "models prove themselves on stored rows": "limen train BUNDLE ... --replace",
    "confidence has a meaning, a population and a measured coverage": (
        "limen train BUNDLE ... --replace, with more calibration and test rows"
    ),
    "where models hold is stated": "limen train BUNDLE ... --replace",
    "models can be made again": "limen train BUNDLE ... --replace",
}


def judge_reuse(bundle: Bundle, report: Report) -> list[dict[str, Any]]:
    """
    Go through the checklist.

    Returns
    -------
    list of dict
        ``point``, ``met`` (true, false, or null where it does not apply) and ``why``; where it is
        not met, ``why`` says how to mend it.
    """
    manifest = bundle.manifest
    judged = []
    for point, decide in CHECKLIST.items():
        met, why = decide(manifest, report)
        if met is False and point in _MENDING:
            why = f"{why}; {_MENDING[point]}"
        judged.append({"point": point, "met": met, "why": why})
    return judged
