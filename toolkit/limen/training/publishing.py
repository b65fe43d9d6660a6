"""Turn a fitted model into files of a bundle: graph, probe rows and card, verified first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from limen import estimators, schema
from limen.bundle import SCAN, Bundle
from limen.confidence import Calibration
from limen.domain import Domain
from limen.estimators import FittedModel
from limen.graph import Session, audit
from limen.manifest import ModelCard
from limen.prediction.predictor import input_digest
from limen.training.judging import Judgement, judge
from limen.training.rows import TEST, TRAIN, TrainingRows
from limen.transforms import TargetTransform

__all__ = ["publish"]

Array = np.ndarray[Any, Any]
Judging = Callable[[dict[str, Array]], Judgement]

_log = logging.getLogger(__name__)

_MOST_ROWS = 5_000
_PROBES = 24


def publish(
    bundle: Bundle,
    name: str,
    rows: TrainingRows,
    fitted: FittedModel,
    *,
    calibration: Calibration,
    transform: TargetTransform,
    domain: Domain,
    out_of_bag: Array | None,
    rng: np.random.Generator,
    seed: int,
    rebuild: str,
    judging: Judging | None = None,
) -> ModelCard:
    """
    Export, verify, judge and write a model into a draft bundle.

    Parameters
    ----------
    bundle : Bundle
        A draft.
    name : str
    rows : TrainingRows
    fitted : FittedModel
    calibration, transform, domain
        What goes around the model in the graph.
    out_of_bag : ndarray or None
        Calibrated out-of-bag probabilities of the training rows.
    rng : numpy.random.Generator
    seed : int
        For the card.
    rebuild : str
        How to make the model again.
    judging : callable, optional
        Judges the graph's outputs on all rows; by default :func:`judge`, on the calibration and
        test rows.

    Returns
    -------
    ModelCard

    Raises
    ------
    ExportError
        If the graph gives other answers than the model; nothing is written.
    """
    inputs = [
        {"column": column.name, "unit": column.unit, "index": index}
        for index, column in enumerate(rows.inputs)
    ]
    _log.info("exporting %s", name)
    model = estimators.assemble(
        fitted.raw_graph(),
        task=rows.task,
        n_inputs=len(inputs),
        dtype=fitted.dtype,
        calibration=calibration,
        target_transform=transform,
        domain=domain,
        metadata={
            "limen.bundle": bundle.manifest["id"],
            "limen.model": name,
            "limen.inputs_sha256": input_digest(inputs),
        },
    )
    data = model.SerializeToString(deterministic=True)
    audit(data, [column.name for column in rows.inputs])
    truth = estimators.reference(
        fitted, calibration=calibration, target_transform=transform, domain=domain
    )
    _log.info("verifying the graph of %s against the model", name)
    tested = _verification_rows(rows, domain, model, rng)
    verification = estimators.verify(data, truth, tested)
    session = Session(data, len(inputs))
    answer = session.run(rows.X)
    _log.info("judging %s on its calibration and test rows", name)
    if judging is None:
        judgement = judge(rows, answer, out_of_bag, transform, rng)
    else:
        judgement = judging(answer)
    probe = _probe(name, rows, domain, session, rng)
    card = _card(
        bundle, name, rows, fitted, calibration, transform, domain, inputs, judgement, seed, rebuild
    )
    card |= {"opset": _opset(model), "verification": verification}
    with bundle.edit() as change:
        change.write(card["file"], "model", data)
        change.write(card["probe"], "probe", schema.canonical_json(probe))
        others = [entry for entry in change.manifest["models"] if entry["name"] != name]
        change.manifest["models"] = [*others, card]
    return bundle.models[name]


def _opset(model: Any) -> dict[str, int]:
    versions = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    return {key: versions[key] for key in sorted(versions)}


def _verification_rows(
    rows: TrainingRows, domain: Domain, model: Any, rng: np.random.Generator
) -> dict[str, Array]:
    train = rows.part(TRAIN)
    some = rng.choice(train, min(_MOST_ROWS, len(train)), replace=False)
    box = rng.uniform(domain.low, domain.high, (_MOST_ROWS, len(rows.inputs)))
    tested = {"training rows": rows.X[some], "random rows": box}
    beside = estimators.threshold_rows(model, rows.X[some], rng)
    if len(beside):
        tested["rows beside thresholds"] = beside
    return tested


def _probe(
    name: str, rows: TrainingRows, domain: Domain, session: Session, rng: np.random.Generator
) -> dict[str, Any]:
    """Choose stored rows: published points, random ones of the box, some outside the domain."""
    part = rows.part(TEST)
    part = part if len(part) else rows.part(TRAIN)
    published = rows.X[np.sort(rng.choice(part, min(_PROBES, len(part)), replace=False))]
    width = domain.high - domain.low
    inside = rng.uniform(domain.low, domain.high, (4, len(rows.inputs)))
    width = np.where(width > 0.0, width, 1.0)
    outside = domain.high + rng.uniform(0.5, 2.0, (4, len(rows.inputs))) * width
    points = np.vstack([published, inside, outside]).astype(session.dtype)
    answer = session.run(points)
    # Far outside a graph may overflow, which JSON cannot hold.
    finite = [
        np.isfinite(values.reshape(len(points), -1)).all(axis=1) for values in answer.values()
    ]
    kept = np.logical_and.reduce(finite)
    points, answer = points[kept], {key: values[kept] for key, values in answer.items()}
    absolute, relative = (1e-5, 1e-5) if session.dtype == np.float32 else (1e-8, 1e-6)
    return {
        "format": "1.0",
        "model": name,
        "inputs": [column.name for column in rows.inputs],
        "dtype": session.dtype.name,
        "points": points.astype(float).tolist(),
        "outputs": {key: answer[key].astype(float).tolist() for key in sorted(answer)},
        "tolerance": {"absolute": absolute, "relative": relative, "mismatched_ppm": 0},
    }


def _card(
    bundle: Bundle,
    name: str,
    rows: TrainingRows,
    fitted: FittedModel,
    calibration: Calibration,
    transform: TargetTransform,
    domain: Domain,
    inputs: list[dict[str, Any]],
    judgement: Judgement,
    seed: int,
    rebuild: str,
) -> dict[str, Any]:
    from limen import __version__

    classifier = rows.task == "classification"
    card: dict[str, Any] = {
        "name": name,
        "task": rows.task,
        "target": rows.target.name,
        "file": f"{name}.onnx",
        "probe": f"{name}.probe.json",
        "inputs": inputs,
        "outputs": _outputs(rows, fitted),
        "transforms": _words(rows, fitted, calibration, transform),
        "dtype": fitted.dtype,
        "domain": domain.to_card([column.name for column in rows.inputs]),
        "confidence": judgement.confidence,
        "metrics": judgement.metrics,
        "training": {
            "rows": len(rows.part(TRAIN)),
            "table_sha256": bundle.manifest["files"][SCAN]["sha256"],
            "seed": seed,
            "estimator": fitted.name,
            "hyperparameters": dict(fitted.hyperparameters),
            "software": dict(fitted.software) | {"limen": __version__},
            "split": rows.counts,
            "nuisances": rows.nuisances,
            "population": rows.population,
            "rebuild": rebuild,
        },
        "limitations": _limitations(rows, judgement, adopted=fitted.name == "adopted"),
        "intended_use": _use(rows),
    }
    card |= {"calibration": calibration.to_dict()} if classifier else {}
    card |= {} if classifier else {"target_transform": transform.to_dict()}
    return card


def _outputs(rows: TrainingRows, fitted: FittedModel) -> list[dict[str, Any]]:
    target = rows.target
    answer: list[dict[str, Any]]
    if rows.task == "classification":
        meaning = f"calibrated probability of each class of {target.name}"
        answer = [
            {"name": "probability", "meaning": meaning, "unit": "1", "classes": list(rows.codes)}
        ]
    else:
        answer = [{"name": "mean", "meaning": f"predicted {target.name}", "unit": target.unit}]
        if fitted.spread is not None:
            meaning = f"{fitted.spread_meaning} of {target.name}"
            answer.append({"name": "std", "meaning": meaning, "unit": target.unit})
    score = {"name": "domain_score", "meaning": "at most 1 inside the training domain", "unit": "1"}
    return [*answer, score]


def _words(
    rows: TrainingRows, fitted: FittedModel, calibration: Calibration, transform: TargetTransform
) -> str:
    said = ["All preprocessing is in the graph; it takes the inputs in their columns' units."]
    trend = fitted.hyperparameters.get("trend")
    if isinstance(trend, dict) and "degree" in trend:
        said.append(
            f"A polynomial of degree {trend['degree']} of the inputs ({trend['terms']} terms) goes "
            f"first, and the estimator ({fitted.name}) learns the rest."
        )
    if calibration.kind != "none":
        said.append(f"The raw probability is calibrated ({calibration.kind}).")
    if transform.kind != "identity":
        said.append(f"The target is learnt on a {transform.kind} scale and given in its unit.")
    said.append(f"The inputs are rounded to {fitted.dtype}.")
    return " ".join(said)


def _limitations(rows: TrainingRows, judgement: Judgement, *, adopted: bool) -> str:
    said = [
        f"Figures hold for the population: {rows.population}.",
        "Points outside the training domain get no answer.",
    ]
    if rows.infinite:
        said.append(
            f"{rows.infinite} rows whose {rows.target.name} is infinite were left out, so that it "
            "is predicted too small beside them."
        )
    if adopted:
        said.append(
            "Trained outside: whether it has seen the calibration and test rows is not known."
        )
    return " ".join([*said, *(f"Note: {remark}." for remark in judgement.remarks)])


def _use(rows: TrainingRows) -> str:
    if rows.task == "classification":
        return f"Tell the label {rows.target.name} of new points inside the training domain."
    return f"Predict {rows.target.name} of new points inside the training domain."
