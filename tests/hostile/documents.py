"""Bundles whose manifest or probe is wrong, as JSON or in what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile.editing import PROBE, Case, column, edit_manifest, edit_probe, sign

__all__ = ["MANIFESTS", "PROBES"]


def _text(change: Callable[[str], str]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        place = path / "bundle.json"
        place.write_text(change(place.read_text(encoding="utf-8")), encoding="utf-8")

    return make


def _with(value: str) -> Callable[[Path], None]:
    """Add a field whose value is any text."""
    return _text(lambda text: text.replace("{", '{"more": ' + value + ",", 1))


def _set(**fields: Any) -> Callable[[Path], None]:
    return lambda path: edit_manifest(path, lambda document: document.update(fields))


def _column(name: str, **fields: Any) -> Callable[[Path], None]:
    return lambda path: edit_manifest(path, lambda found: column(found, name).update(fields))


def _huge(path: Path) -> None:
    """A manifest of 1 GB of digits; on disk it takes nothing."""
    with (path / "bundle.json").open("r+b") as stream:
        stream.truncate(10**9)


def _schema(name: str, wrong: str, make: Callable[[Path], object], message: str) -> Case:
    return Case(f"manifest-{name}", wrong, make, "SchemaError", message)


_DIGITS = "9" * 3_000_000

MANIFESTS = (
    _schema("list", "a list", _text(lambda text: f"[{text}]"), "found list"),
    _schema("nothing", "null", _text(lambda text: "null"), "found nothing"),
    _schema("cut", "cut in the middle", _text(lambda text: text[: len(text) // 2]), "not JSON"),
    _schema("latin", "not UTF-8", lambda path: (path / "bundle.json").write_bytes(b'{"id": "\xe9"}'), "not UTF-8"),
    _schema("mark", "a byte order mark", lambda path: (path / "bundle.json").write_bytes(b"\xef\xbb\xbf{}"), "byte order mark"),
    _schema("duplicate", "a name twice: programs differ in which they take", _text(lambda text: text.replace("{", '{"id": "other",', 1)), "the name 'id' twice"),
    _schema("nan", "NaN", _with("NaN"), "found NaN"),
    _schema("infinity", "Infinity", _with("-Infinity"), "found -Infinity"),
    _schema("overflow", "a number that becomes infinite", _with("1e999"), "found 1e999"),
    _schema("integer", "an integer of 3 million digits", _with(_DIGITS), "integer of 3000000 digits"),
    _schema("fraction", "a fraction of 3 million digits", _with("0." + _DIGITS), "/more"),
    _schema("depth", "nested 10,000 deep", _with("[" * 10_000 + "]" * 10_000), "nested deeper than 64"),
    _schema("depth-objects", "objects nested 200,000 deep", _with('{"a":' * 200_000 + "1" + "}" * 200_000), "nested deeper than 64"),
    _schema("flood", "half a million small lists", _with("[" + "[]," * 500_000 + "[]]"), "/more"),
    Case("manifest-size", "1 GB, sparse", _huge, "IntegrityError", "found 1000000000 bytes"),
    _schema("reference", "a $ref to a schema elsewhere", _set(**{"$ref": "https://example.org/s.json"}), r"\$ref"),
    _schema("markup", "markup in the id", _set(id="<script>alert(1)</script>"), "/id"),
    _schema("path-id", "a path as the id", _set(id="../../x"), "/id"),
    _schema("doi", "a DOI with a query that leads elsewhere", _set(doi="https://example.org/10.5281/zenodo.1"), "/doi"),
    _schema("pattern", "a text to keep patterns busy", _set(version="1.0.0-" + "a-" * 100_000 + "!"), "/version"),
    _schema("unit-pattern", "a unit to keep patterns busy", _column("m", unit="GeV" + "*GeV" * 50_000 + "!"), "unit"),
    _schema("rows", "10^15 rows", lambda path: edit_manifest(path, lambda found: found["tables"][0].update(rows=10**15)), "/tables/0/rows"),
    _schema("code", "Python code as an expression", _column("delta_chi2", derived="__import__('os').system('x')"), "/derived"),
    _schema("attribute", "attributes in an expression", _column("delta_chi2", derived="loglike.__class__"), "/derived"),
    _schema("digits", "a number of 400 digits", _column("delta_chi2", derived="loglike - " + "9" * 400), "/derived"),
    _schema("brackets", "450 brackets in an expression", _column("delta_chi2", derived="(" * 220 + "m" + ")" * 220), "/derived"),
    _schema("circle", "a column derived from itself", _column("delta_chi2", derived="delta_chi2 + 1"), "/derived"),
    _schema("missing-file", "a table whose file is not listed", lambda path: edit_manifest(path, lambda found: found["files"].pop("scan.zarr.zip")), "not listed in 'files'"),
)  # fmt: skip


def _probe_text(change: Callable[[str], str]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        place = path / PROBE
        place.write_text(change(place.read_text(encoding="utf-8")), encoding="utf-8")
        sign(path, PROBE)

    return make


def _answers(change: Callable[[float], float | None]) -> Callable[[Path], None]:
    def edit(document: dict[str, Any]) -> None:
        rows = document["outputs"]["probability"]
        document["outputs"]["probability"] = [[change(value) for value in row] for row in rows]

    return lambda path: edit_probe(path, edit)


def _many_points(path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["points"] = document["points"][:1] * 10_001

    edit_probe(path, edit)


def _wide_points(path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["points"] = [[*point, 1.0] for point in document["points"]]

    edit_probe(path, edit)


def _pickle(path: Path) -> None:
    (path / PROBE).write_bytes(b"cos\nsystem\n(S'touch pickled'\ntR.")
    sign(path, PROBE)


_LOOSE = {"absolute": 1e9, "relative": 1e9, "mismatched_ppm": 1_000_000}

PROBES = (
    Case("probe-pickle", "a pickle that runs a command", _pickle, "SchemaError", "not JSON"),
    Case("probe-nan", "NaN as an answer", _probe_text(lambda text: text.replace('"probability": [', '"probability": [NaN,', 1)), "SchemaError", "found NaN"),
    Case("probe-null", "null as an answer", _answers(lambda value: None), "SchemaError", "/outputs/probability"),
    Case("probe-duplicate", "a name twice", _probe_text(lambda text: text.replace("{", '{"model": "x",', 1)), "SchemaError", "the name 'model' twice"),
    Case("probe-size", "17 MB", _probe_text(lambda text: text + " " * (17 * 2**20)), "IntegrityError", "found more than 16777216 bytes"),
    Case("probe-many", "more than 10,000 points", _many_points, "SchemaError", "/points"),
    Case("probe-wide", "more values than inputs", _wide_points, "SchemaError", "found 3 values, allowed 2"),
    Case("probe-tolerance", "a tolerance by which all is right", lambda path: edit_probe(path, lambda found: found.update(tolerance=_LOOSE)), "SchemaError", "/tolerance"),
    Case("probe-wrong", "answers that the model does not give", _answers(lambda value: 1.0 - value), "GraphError", "beyond the tolerance"),
    Case("probe-other-model", "the probe of another model", lambda path: edit_probe(path, lambda found: found.update(model="other")), "GraphError", "found other, the card says region"),
    Case("probe-other-inputs", "inputs in another order", lambda path: edit_probe(path, lambda found: found["inputs"].reverse()), "GraphError", "found g, m, the card says m, g"),
)  # fmt: skip
