"""Train a model on a bundle's scan, or adopt a user's own, and publish it in the bundle."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from limen import estimators
from limen.bundle import Bundle
from limen.confidence import Calibration
from limen.domain import fit_domain
from limen.errors import FrozenError, LimenError, UsageError
from limen.estimators import FittedModel
from limen.manifest import ModelCard
from limen.training.adopting import suspicious_order
from limen.training.judging import calibrate
from limen.training.publishing import publish
from limen.training.rows import TRAIN, TrainingRows, load_rows
from limen.transforms import TargetTransform

__all__ = ["add_model", "train"]

Array = np.ndarray[Any, Any]

_log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")


def train(
    bundle: Bundle,
    target: str,
    *,
    estimator: str = "forest",
    name: str | None = None,
    seed: int = 0,
    inputs: Sequence[str] | None = None,
    allow_derived: bool = False,
    nuisances: str | None = None,
    options: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> ModelCard:
    """
    Train, calibrate, export and verify a model, and add it to a draft bundle.

    Parameters
    ----------
    bundle : Bundle
        A draft.
    target : str
        Column to learn: a label, limit, test, likelihood or observable.
    estimator : {"forest", "boosted", "mlp", "gp"}
    name : str, optional
        Name of the model; the target's by default.
    seed : int
        Seed of every random choice; the same scan, seed and versions give the same bytes.
    inputs : sequence of str, optional
        Input columns; all of role parameter (and nuisance, if included) by default.
    allow_derived : bool
        Allow inputs that hold the answer.
    nuisances : {"include", "profile", "marginalise"}, optional
        Needed where the scan samples nuisance columns.
    options : mapping, optional
        Hyper-parameters of the estimator.
    replace : bool
        Replace a model of the same name.

    Returns
    -------
    ModelCard

    Raises
    ------
    ColumnError, UsageError, TrainingError
        If target, inputs or options do not fit, or there is nothing to learn.
    ExportError
        If the exported graph gives other answers than the model.
    FrozenError
        If the bundle is frozen.
    """
    model_name = _model_name(bundle, name or target.lower(), replace)
    rows = load_rows(bundle, target, inputs, allow_derived=allow_derived, nuisances=nuisances)
    rng = np.random.default_rng(seed)
    part = rows.part(TRAIN)
    transform = _transform(rows)
    y = rows.y[part] if rows.task == "classification" else transform.forward(rows.y[part])
    _log.info("fitting %s to %d rows of %d inputs", estimator, len(part), len(rows.inputs))
    with _options_refused(options):
        fitted = estimators.fit(
            estimator,
            rows.X[part],
            y,
            rows.task,
            seed=seed,
            options=_options(estimator, rows, options),
            guide=_guide(bundle, rows),
        )
    rebuild = _rebuild(
        target, estimator, model_name, seed, inputs, allow_derived, nuisances, options
    )
    return _finish(bundle, model_name, rows, fitted, transform, rng, seed, rebuild)


def add_model(
    bundle: Bundle,
    model: Any,
    *,
    target: str,
    inputs: Sequence[str],
    name: str | None = None,
    seed: int = 0,
    allow_derived: bool = False,
    replace: bool = False,
) -> ModelCard:
    """
    Adopt one's own model: the same audit, calibration, probe and card as a trained one.

    Parameters
    ----------
    bundle : Bundle
        A draft.
    model : str, Path or fitted estimator
        An ONNX file, or a fitted scikit-learn or xgboost estimator or pipeline. It must answer in
        the target's own unit (labels: a probability).
    target : str
        The column it predicts.
    inputs : sequence of str
        The columns it takes, in its order and in the columns' units.
    name, seed, allow_derived, replace
        As for :func:`train`.

    Returns
    -------
    ModelCard

    Raises
    ------
    GraphError
        If the graph may not be run.
    ExportError
        If the estimator cannot be exported faithfully.
    """
    source = Path(model) if isinstance(model, (str, Path)) else model
    default = source.stem if isinstance(source, Path) else type(source).__name__
    model_name = _model_name(bundle, name or re.sub(r"[^a-z0-9_-]", "-", default.lower()), replace)
    rows = load_rows(bundle, target, list(inputs), allow_derived=allow_derived, nuisances="include")
    # All that is measured of it says so.
    rows.population += "; the model was trained outside and may have seen these rows"
    rng = np.random.default_rng(seed)
    fitted = estimators.adopt(source, rows.task, rows.X[rows.part(TRAIN)], classes=rows.codes)
    for warning in suspicious_order(rows, fitted):
        _log.warning("%s", warning)
    described = source.name if isinstance(source, Path) else type(source).__name__
    words = [described, "--target", target, "--inputs", ",".join(inputs), "--name", model_name]
    words += ["--seed", str(seed), *(["--allow-derived"] if allow_derived else [])]
    rebuild = (
        f"adopted from {described}, which was trained outside; "
        f"limen add-model BUNDLE {shlex.join(words)}"
    )
    return _finish(bundle, model_name, rows, fitted, TargetTransform(), rng, seed, rebuild)


def _model_name(bundle: Bundle, name: str, replace: bool) -> str:
    if bundle.status == "frozen":
        raise FrozenError(
            f"{bundle.path}: this bundle is frozen and never changes; make the next version: "
            "limen edit BUNDLE --set ... -o NEW_BUNDLE"
        )
    if not _NAME.match(name):
        raise UsageError(
            f"model name: found {name!r}, allowed a lower-case letter, then lower-case letters, "
            "digits, - and _; give --name"
        )
    if name in bundle.models and not replace:
        raise UsageError(
            f"model name: {name!r} is there already; choose another name, or say --replace"
        )
    return name


def _transform(rows: TrainingRows) -> TargetTransform:
    if rows.task == "classification":
        return TargetTransform()
    # By all rows, so that the transform takes the calibration and test rows as well.
    return TargetTransform.choose(rows.target.quantity, rows.target.role, rows.y)


def _guide(bundle: Bundle, rows: TrainingRows) -> Array | None:
    """Quantity that a label is cut on, as a regressor would learn it, of the training rows."""
    if rows.task != "classification" or rows.boundary is None or len(rows.codes) != 2:
        return None
    values = rows.boundary[rows.part(TRAIN)]
    if not np.isfinite(values).all():
        return None
    source = bundle.columns[str((rows.target.definition or {})["column"])]
    return TargetTransform.choose(source.quantity, source.role, values).forward(values)


@contextmanager
def _options_refused(options: Mapping[str, Any] | None) -> Iterator[None]:
    """Translate what a training library says of hyper-parameters that it cannot take."""
    try:
        yield
    except LimenError:
        raise
    except (TypeError, ValueError) as error:
        if not options:
            raise
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"options: found {given}, which do not fit ({reason})") from error


def _options(
    estimator: str, rows: TrainingRows, options: Mapping[str, Any] | None
) -> dict[str, Any]:
    chosen = dict(options or {})
    logarithmic = [i for i, column in enumerate(rows.inputs) if column.scale == "log"]
    if estimator in ("boosted", "mlp", "gp") and logarithmic:
        chosen.setdefault("log_inputs", logarithmic)
    return chosen


def _rebuild(
    target: str,
    estimator: str,
    name: str,
    seed: int,
    inputs: Sequence[str] | None,
    allow_derived: bool,
    nuisances: str | None,
    options: Mapping[str, Any] | None,
) -> str:
    words = ["--target", target, "--estimator", estimator, "--name", name, "--seed", str(seed)]
    if inputs is not None:
        words += ["--inputs", ",".join(inputs)]
    if allow_derived:
        words.append("--allow-derived")
    if nuisances is not None:
        words += ["--nuisances", nuisances]
    for key, value in sorted((options or {}).items()):
        words += ["--option", f"{key}={_yaml(value)}"]
    return f"limen train BUNDLE {shlex.join(words)}"


def _yaml(value: Any) -> str:
    """Write a value as the command line reads it: YAML takes 1e-05 for text, 1.0e-05 for one."""
    import yaml

    return yaml.safe_dump([value], default_flow_style=True, width=10**6).strip()[1:-1]


def _finish(
    bundle: Bundle,
    name: str,
    rows: TrainingRows,
    fitted: FittedModel,
    transform: TargetTransform,
    rng: np.random.Generator,
    seed: int,
    rebuild: str,
) -> ModelCard:
    names = [column.name for column in rows.inputs]
    _log.info("finding the training domain of %s", name)
    domain = fit_domain(rows.X[rows.part(TRAIN)], rng=rng, names=names)
    calibration = Calibration()
    out_of_bag = fitted.out_of_bag if rows.task == "classification" else None
    if rows.task == "classification" and len(rows.codes) == 2:
        calibration = calibrate(rows, fitted.predict(rows.X), out_of_bag, rng)
        out_of_bag = None if out_of_bag is None else calibration.apply(out_of_bag)
    return publish(
        bundle,
        name,
        rows,
        fitted,
        calibration=calibration,
        transform=transform,
        domain=domain,
        out_of_bag=out_of_bag,
        rng=rng,
        seed=seed,
        rebuild=rebuild,
    )
