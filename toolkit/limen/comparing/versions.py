"""What changed from one bundle to another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from limen.bundle import Bundle, open_bundle
from limen.documents import campaign_text
from limen.errors import LimenError

__all__ = ["diff"]

_METADATA = ("id", "version", "title", "description", "licences", "creators", "theory", "toolchain")
Difference = dict[str, Any]


def diff(first: Bundle | str | Path, second: Bundle | str | Path) -> Difference:
    """
    Compare two bundles.

    Parameters
    ----------
    first, second : Bundle, str or Path

    Returns
    -------
    dict
        ``metadata`` (changed fields), ``columns`` (added, removed, changed), ``rows`` (numbers,
        common, new, gone, relabelled), ``minimum`` (moved best points per likelihood), ``models``
        (added, removed, metrics before and after), ``benchmarks`` (verdicts that changed),
        ``campaign`` (record of the one that chose the new rows, or None) and ``summary`` (lines
        for people).
    """
    a = first if isinstance(first, Bundle) else open_bundle(first)
    b = second if isinstance(second, Bundle) else open_bundle(second)
    answer: Difference = {
        "metadata": _metadata(a, b),
        "columns": _columns(a, b),
        "rows": _rows(a, b),
        "minimum": _minimum(a, b),
        "models": _models(a, b),
        "benchmarks": _benchmarks(a, b),
        "campaign": _campaign(a, b),
    }
    answer["summary"] = _summary(a, b, answer)
    return answer


def _metadata(a: Bundle, b: Bundle) -> Difference:
    before, after = a.manifest, b.manifest
    return {
        field: {"before": before.get(field), "after": after.get(field)}
        for field in _METADATA
        if before.get(field) != after.get(field)
    }


def _columns(a: Bundle, b: Bundle) -> Difference:
    changed = {}
    for name in a.columns.keys() & b.columns.keys():
        before, after = a.columns[name].to_dict(), b.columns[name].to_dict()
        fields = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
        if fields:
            changed[name] = {k: {"before": before.get(k), "after": after.get(k)} for k in fields}
    return {
        "added": [name for name in b.columns if name not in a.columns],
        "removed": [name for name in a.columns if name not in b.columns],
        "changed": dict(sorted(changed.items())),
    }


def _keys(bundle: Bundle, names: list[str]) -> tuple[Any, dict[str, Any]]:
    labels = [name for name, column in bundle.columns.items() if column.role == "label"]
    with bundle.open_scan() as scan:
        table = scan.read([*names, *labels])
    # Rows are the same if all parameters are, to the bit; -0.0 is 0.0.
    stacked = np.stack([table[name].astype(np.float64) + 0.0 for name in names], axis=1)
    key = np.ascontiguousarray(stacked).view(np.dtype((np.void, stacked.itemsize * len(names))))
    return key.ravel(), {name: table[name] for name in labels}


def _rows(a: Bundle, b: Bundle) -> Difference:
    answer: Difference = {"before": a.n_points, "after": b.n_points}
    names = [n for n, c in a.columns.items() if c.role in ("parameter", "nuisance")]
    if not names or any(name not in b.columns for name in names):
        return answer | {"common": None, "why": "the parameters differ"}
    first, labels_a = _keys(a, names)
    second, labels_b = _keys(b, names)
    unique_a, at_a = np.unique(first, return_index=True)
    unique_b, at_b = np.unique(second, return_index=True)
    _, in_a, in_b = np.intersect1d(unique_a, unique_b, assume_unique=True, return_indices=True)
    relabelled = {}
    for name in labels_a.keys() & labels_b.keys():
        moved = labels_a[name][at_a[in_a]] != labels_b[name][at_b[in_b]]
        relabelled[name] = int(np.count_nonzero(moved))
    return answer | {
        "common": len(in_a),
        "new": len(unique_b) - len(in_b),
        "gone": len(unique_a) - len(in_a),
        "relabelled": dict(sorted(relabelled.items())),
    }


def _minimum(a: Bundle, b: Bundle) -> Difference:
    """Compare the best value of each likelihood: new points can move it, and with it Δχ² labels."""
    moved = {}
    for name, column in a.columns.items():
        if column.role == "likelihood" and name in b.columns and not column.derived:
            best = max if column.quantity in ("log_likelihood", "log_likelihood_ratio") else min
            before, after = column.range, b.columns[name].range
            if before and after and best(before) != best(after):
                moved[name] = {"before": best(before), "after": best(after)}
    return moved


def _models(a: Bundle, b: Bundle) -> Difference:
    changed = {}
    for name in [name for name in a.models if name in b.models]:
        before = {_metric_key(m): m["value"] for m in a.models[name].metrics}
        after = {_metric_key(m): m["value"] for m in b.models[name].metrics}
        figures = {
            key: {"before": before.get(key), "after": after.get(key)}
            for key in [*before, *(key for key in after if key not in before)]
            if before.get(key) != after.get(key)
        }
        if figures:
            changed[name] = figures
    return {
        "added": [name for name in b.models if name not in a.models],
        "removed": [name for name in a.models if name not in b.models],
        "metrics": changed,
    }


def _metric_key(metric: Difference) -> str:
    place = ", ".join(str(metric[key]) for key in ("split", "region") if metric.get(key))
    return f"{metric['name']} ({place})"


def _verdicts(bundle: Bundle, benchmark: Difference) -> dict[str, str]:
    found = {}
    for name in bundle.models:
        try:
            found[name] = bundle.predictor(name).one(benchmark["point"], ignore_extra=True).verdict
        except LimenError as error:
            found[name] = f"no answer: {error}"
    return found


def _benchmarks(a: Bundle, b: Bundle) -> Difference:
    changed = {}
    points = {
        p["name"]: p for p in [*a.manifest.get("benchmarks", []), *b.manifest.get("benchmarks", [])]
    }
    common = [name for name in a.models if name in b.models]
    for name, point in points.items():
        before, after = _verdicts(a, point), _verdicts(b, point)
        moved = {
            model: {"before": before[model], "after": after[model]}
            for model in common
            if before[model] != after[model]
        }
        if moved:
            changed[name] = moved
    return changed


def _campaign(a: Bundle, b: Bundle) -> Difference | None:
    """Give the record of the campaign of b where it is not that of a."""
    record: Difference | None = b.manifest.get("campaign")
    return None if record == a.manifest.get("campaign") else record


def _words(bundle: Bundle) -> str:
    document = bundle.manifest
    models = ", ".join(bundle.models) or "none"
    return (
        f"{bundle.path}: {document['id']} {document['version']}, {document['status']}, "
        f"{bundle.n_points:,} points, models: {models}"
    )


def _step(change: Difference) -> str:
    return f"{_compact(change['before'])} -> {_compact(change['after'])}"


def _compact(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _summary(a: Bundle, b: Bundle, found: Difference) -> list[str]:
    lines = [f"from {_words(a)}", f"to   {_words(b)}"]
    if found["campaign"]:
        lines.append(campaign_text(found["campaign"]))
    for field, change in found["metadata"].items():
        lines.append(f"{field}: {_step(change)}")
    columns = found["columns"]
    lines += [f"column added: {name}" for name in columns["added"]]
    lines += [f"column removed: {name}" for name in columns["removed"]]
    for name, fields in columns["changed"].items():
        for field, change in fields.items():
            lines.append(f"column {name} {field}: {_step(change)}")
    rows = found["rows"]
    if rows.get("common") is not None:
        if rows["new"] or rows["gone"]:
            lines.append(f"rows: {rows['common']} common, {rows['new']} new, {rows['gone']} gone")
        lines += [f"relabelled by {k}: {n} rows" for k, n in rows["relabelled"].items() if n]
    else:
        lines.append(f"rows: {rows['before']} -> {rows['after']} ({rows['why']})")
    for name, change in found["minimum"].items():
        lines.append(f"best {name} moved: {change['before']:.6g} -> {change['after']:.6g}")
    models = found["models"]
    lines += [f"model added: {name}" for name in models["added"]]
    lines += [f"model removed: {name}" for name in models["removed"]]
    for name, figures in models["metrics"].items():
        lines += [f"model {name} {k}: {_step(change)}" for k, change in figures.items()]
    for name, moved in found["benchmarks"].items():
        lines += [f"benchmark {name}, {model}: {_step(v)}" for model, v in moved.items()]
    return lines if len(lines) > 2 else [*lines, "no difference"]
