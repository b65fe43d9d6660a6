"""The lines that a reader of the README copies: with Limen, and without it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from limen.documents.escaping import fence, flat

__all__ = ["usage"]

_SHOWN = 4


def usage(manifest: Mapping[str, Any]) -> str:
    """
    Section "Use it" of the README: command line, Python, and no Limen at all.

    Parameters
    ----------
    manifest : mapping
        Without control characters.

    Returns
    -------
    str
        Markdown; what stands in code is quoted for its language.
    """
    models = manifest.get("models") or ()
    blocks = ["All lines are to be run inside the bundle's folder."]
    if models:
        point = _example(manifest, models[0])
        blocks += [_shell(models[0], point), _python(models[0], point)]
    else:
        blocks.append(fence("sh", "limen show ."))
    plain = [*_zarr_lines(manifest), *(_onnx_lines(models[0]) if models else ())]
    blocks.append("Without Limen, the scan is plain Zarr and a model plain ONNX:")
    blocks.append(fence("python", "\n".join(plain)))
    if models:
        blocks.append(
            "A bare runtime answers everywhere: where `domain_score` is above 1, or an input is "
            "NaN or in another unit, its numbers mean nothing. Limen refuses such points."
        )
    return "\n\n".join(blocks)


def _example(manifest: Mapping[str, Any], card: Mapping[str, Any]) -> dict[str, float]:
    names = [entry["column"] for entry in card["inputs"]]
    for benchmark in manifest.get("benchmarks") or ():
        if benchmark["point"].keys() >= set(names):
            return {name: benchmark["point"][name] for name in names}
    box = {entry["column"]: entry for entry in (card.get("domain") or {}).get("box") or ()}
    middles = {name: (entry["low"] + entry["high"]) / 2 for name, entry in box.items()}
    return {name: float(f"{middles.get(name, 0.0):.6g}") for name in names}


def _shell(card: Mapping[str, Any], point: Mapping[str, float]) -> str:
    name = shlex.quote(flat(card["name"]))
    lines = [f"limen predict . preview.csv --model {name}"]
    if len(point) <= 2 * _SHOWN:
        sets = " ".join(f"--set {shlex.quote(f'{key}={value!r}')}" for key, value in point.items())
        lines.append(f"limen predict . --model {name} {sets}")
    return fence("sh", "\n".join(lines))


def _python(card: Mapping[str, Any], point: Mapping[str, float]) -> str:
    lines = [
        "import limen",
        f"predict = limen.open_bundle('.').predictor({flat(card['name'])!r})",
        f"verdict = predict.one({dict(point)!r})",
    ]
    return fence("python", "\n".join(lines))


def _zarr_lines(manifest: Mapping[str, Any]) -> list[str]:
    tables = manifest.get("tables") or ()
    file = next((table["file"] for table in tables if table.get("name") == "scan"), "scan.zarr.zip")
    return [
        "import xarray, zarr",
        f"scan = xarray.open_zarr(zarr.storage.ZipStore({file!r}, mode='r'))",
    ]


def _onnx_lines(card: Mapping[str, Any]) -> list[str]:
    names = [flat(entry["column"]) for entry in card["inputs"]]
    units = [flat(entry.get("unit") or "1") for entry in card["inputs"]]
    return [
        "",
        "import numpy, onnxruntime",
        f"names = {names!r}  # in this order",
        f"units = {units!r}",
        f"session = onnxruntime.InferenceSession({card['file']!r})",
        "points = numpy.stack([scan[name].values[:10] for name in names], axis=1)",
        f"points = points.astype({card.get('dtype', 'float32')!r})",
        "outputs = [output.name for output in session.get_outputs()]",
        "answers = dict(zip(outputs, session.run(outputs, {'points': points})))",
    ]
