"""What all measurements share: models of ours and of scikit-learn on the same rows, and figures."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import limen
from limen.graph import Session
from limen.training.rows import TEST, TRAIN, TrainingRows, load_rows
from limen.transforms import TargetTransform

Array = np.ndarray[Any, Any]
Answer = Callable[[Array], Array]


@dataclass(slots=True)
class Table:
    """
    Figures of one measurement.

    Attributes
    ----------
    title : str
    note : str
        What was measured on, in a sentence or two.
    rows : list of dict
        Column headings to values.
    """

    title: str
    note: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, model: str, figures: Mapping[str, Any]) -> None:
        """Add a row and show it."""
        self.rows.append({"model": model} | dict(figures))
        print("   ", model, *(f"{key} {value}" for key, value in figures.items()), flush=True)


@dataclass(frozen=True, slots=True)
class Trained:
    """A model of ours: how it answers, how long training took, how large its graph is."""

    answer: Answer
    seconds: float
    megabytes: float
    card: Any


def train(
    bundle: limen.Bundle, target: str, estimator: str, name: str | None = None, **options: Any
) -> Trained:
    """Train by `limen.train`, check the bundle deep, and answer by the exported graph."""
    start = time.perf_counter()
    name = f"{name or target.lower()}-{estimator}"
    card = limen.train(bundle, target, estimator=estimator, name=name, options=options)
    seconds = time.perf_counter() - start
    report = limen.check(bundle, deep=True)
    if not report.passed:
        raise AssertionError(f"{bundle.path}: {report.integrity} {report.faults}")
    path = bundle.part(f"{name}.onnx")
    session = Session(path.read_bytes(), len(card.input_names))

    def answer(X: Array) -> Array:
        said = session.run(np.ascontiguousarray(X, dtype=session.dtype))
        return said["probability"][:, 1] if "probability" in said else said["mean"]

    return Trained(answer, seconds, path.stat().st_size / 1e6, card)


def rows(bundle: limen.Bundle, target: str) -> TrainingRows:
    """Give the rows that every model of this target is fitted and judged on."""
    return load_rows(bundle, target)


def train_rows(found: TrainingRows) -> tuple[Array, Array]:
    """Inputs and target of the training rows."""
    part = found.part(TRAIN)
    return found.X[part], found.y[part]


def test_rows(found: TrainingRows) -> tuple[Array, Array]:
    """Inputs and target of the test rows."""
    part = found.part(TEST)
    return found.X[part], found.y[part]


def transform_of(found: TrainingRows) -> TargetTransform:
    """Give the transform that we would learn the target on."""
    column = found.target
    return TargetTransform.choose(column.quantity, column.role, train_rows(found)[1])


def default_classifiers() -> dict[str, Any]:
    """Scikit-learn's classifiers as they come, and the network with its inputs standardised."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "scikit-learn RandomForestClassifier()": RandomForestClassifier(random_state=0, n_jobs=2),
        "scikit-learn HistGradientBoostingClassifier()": HistGradientBoostingClassifier(
            random_state=0
        ),
        "scikit-learn MLPClassifier()": MLPClassifier(random_state=0),
        "scikit-learn StandardScaler, MLPClassifier()": make_pipeline(
            StandardScaler(), MLPClassifier(random_state=0)
        ),
    }


def default_regressors() -> dict[str, Any]:
    """Scikit-learn's regressors as they come, and the network with its inputs standardised."""
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        "scikit-learn RandomForestRegressor()": RandomForestRegressor(random_state=0, n_jobs=2),
        "scikit-learn HistGradientBoostingRegressor()": HistGradientBoostingRegressor(
            random_state=0
        ),
        "scikit-learn StandardScaler, MLPRegressor()": make_pipeline(
            StandardScaler(), MLPRegressor(random_state=0)
        ),
    }


def fit_classifier(model: Any, X: Array, y: Array) -> tuple[Answer, float]:
    """Fit a classifier of scikit-learn: its probability of label 1, and the seconds it took."""
    seconds = _fit(model, X, y)
    return (lambda points: model.predict_proba(points)[:, 1]), seconds


def fit_regressor(
    model: Any, X: Array, y: Array, transform: TargetTransform | None = None
) -> tuple[Answer, float]:
    """Fit a regressor of scikit-learn, on the target or on its transform."""
    if transform is None:
        return model.predict, _fit(model, X, y)
    seconds = _fit(model, X, transform.forward(y))
    return (lambda points: transform.inverse(model.predict(points))), seconds


def _fit(model: Any, X: Array, y: Array) -> float:
    start = time.perf_counter()
    with warnings.catch_warnings():
        # Defaults often stop before they converge: that is what is measured.
        warnings.simplefilter("ignore")
        model.fit(X, y)
    return time.perf_counter() - start


def share(values: Array) -> float:
    """Share of true values, to four digits."""
    return round(float(np.mean(values)), 4)


def digits(value: float, n: int = 3) -> float:
    """Round to so many significant digits."""
    return float(f"{value:.{n}g}")
