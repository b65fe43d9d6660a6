"""Check a model against its probe, its card and its published metrics; no training library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from limen import manifest, schema
from limen.bundle import Bundle
from limen.checking.figures import recompute
from limen.checking.report import Report
from limen.errors import Fault, LimenError
from limen.manifest import ModelCard
from limen.prediction import Predictor

__all__ = ["check_model"]

Array = np.ndarray[Any, Any]


def check_model(bundle: Bundle, card: ModelCard, report: Report, *, deep: bool) -> None:
    """Run a model on its probe and, if ``deep``, recompute metrics and benchmark points."""
    where = f"model {card.name}"
    try:
        predictor = bundle.predictor(card.name)
        probe = schema.load_json(bundle.part(card.probe))
        faults = manifest.check_probe(probe)
        faults = faults or list(_identity_faults(card, probe))
        if faults:
            report.faults += [Fault(f"{card.probe} {f.pointer}", f.message) for f in faults]
            return
        _check_probe(predictor, card, probe, report)
        report.done.append(f"{where}: {len(probe['points'])} probe rows")
        if deep:
            _check_metrics(bundle, predictor, card, report)
            _check_benchmarks(bundle, predictor, card, report)
            report.done.append(f"{where}: published metrics and benchmark points recomputed")
    except LimenError as error:
        report.faults.append(Fault(where, error.message))


def _identity_faults(card: ModelCard, probe: dict[str, Any]) -> Iterator[Fault]:
    said = {"model": card.name, "inputs": list(card.input_names), "dtype": card.dtype}
    for key, value in said.items():
        if probe[key] != value:
            found, allowed = (
                ", ".join(v) if isinstance(v, list) else str(v) for v in (probe[key], value)
            )
            yield Fault(f"/{key}", f"found {found}, the card says {allowed}")


def _check_probe(
    predictor: Predictor, card: ModelCard, probe: dict[str, Any], report: Report
) -> None:
    answer = predictor.run(np.array(probe["points"]))
    tolerance = probe["tolerance"]
    for name, stored in probe["outputs"].items():
        if name not in answer:
            report.faults.append(
                Fault(f"{card.probe} /outputs/{name}", "the graph has no such output")
            )
            continue
        expected, given = np.array(stored), answer[name].astype(float)
        if expected.shape != given.shape:
            text = f"found shape {given.shape}, the probe says {expected.shape}"
            report.faults.append(Fault(f"{card.probe} /outputs/{name}", text))
            continue
        near = np.isclose(
            given, expected, tolerance["relative"], _absolute(name, probe["outputs"], tolerance)
        )
        ppm = 1e6 * (1.0 - near.reshape(len(near), -1).all(axis=1).mean())
        if ppm > tolerance.get("mismatched_ppm", 0):
            largest = float(np.abs(given - expected).max())
            text = f"found answers up to {largest:.3g} from the stored ones, beyond the tolerance"
            report.faults.append(Fault(f"{card.probe} /outputs/{name}", text))


def _absolute(name: str, stored: dict[str, Any], tolerance: dict[str, Any]) -> float:
    """
    Give the absolute tolerance: 1e-5 says nothing of a cross section of 1e-9 pb.

    A std is also in units of the mean, beside which one of mere rounding is nothing.
    """
    compared = {"mean": ("mean",), "std": ("mean", "std")}.get(name, ())
    sizes = [float(np.median(np.abs(stored[key]))) for key in compared if key in stored]
    return float(tolerance["absolute"]) * min(1.0, max(sizes, default=1.0))


def _check_metrics(bundle: Bundle, predictor: Predictor, card: ModelCard, report: Report) -> None:
    """Compare the published figures of the test rows with those found anew."""
    if card.training.get("nuisances") in ("profile", "marginalise"):
        report.done.append(f"model {card.name}: metrics over reduced nuisances are not recomputed")
        return
    figures = recompute(bundle, predictor, card)
    if figures is None:
        return
    pairs = [
        (f"metrics/{number} {metric['name']}", figures.metrics[region].get(metric["name"]), metric)
        for number, metric in enumerate(card.metrics)
        if metric["split"] == "test"
        for region in [metric.get("region", "")]
    ]
    pairs += [
        (f"confidence/{number} {entry['kind']} coverage", found, entry["coverage"])
        for number, entry in enumerate(card.confidence)
        if (found := figures.coverage.get(entry["kind"])) is not None
    ]
    for place, found, said in pairs:
        published = said["value"]
        if found is None or published is None:
            continue
        if not np.isclose(found, published, rtol=1e-3, atol=1e-6):
            text = f"found {found:.6g} on the test rows, published {published:.6g}"
            report.faults.append(Fault(f"model {card.name} /{place}", text))


def _check_benchmarks(
    bundle: Bundle, predictor: Predictor, card: ModelCard, report: Report
) -> None:
    """Compare the benchmark points' known answers with what the model says of them."""
    label = predictor.answering_label
    for number, benchmark in enumerate(bundle.manifest.get("benchmarks", [])):
        expected = benchmark.get("expected", {})
        known = {c.name for c in predictor.inputs}
        if not known <= set(benchmark["point"]):
            continue
        verdict = predictor.one(benchmark["point"])
        where = f"model {card.name} on benchmark {benchmark['name']}"
        wanted = expected.get(label.name) if label is not None else None
        answered = verdict.verdict not in ("uncertain", "outside_domain")
        if isinstance(wanted, str) and answered and verdict.verdict != wanted:
            text = f"found {verdict.verdict}, known is {wanted}"
            report.faults.append(Fault(f"/benchmarks/{number} {where}", text))
        value = expected.get(card.target)
        if isinstance(value, (int, float)) and card.task == "regression" and answered:
            outside = not verdict.lower <= value <= verdict.upper
            if np.isfinite(verdict.lower) and outside:
                report.done.append(
                    f"{where}: known {value:g} lies outside {verdict.lower:g} to {verdict.upper:g}"
                )
