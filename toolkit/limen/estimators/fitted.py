"""A model that has learnt, whatever library taught it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import MissingExtraError

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["FittedModel", "Floats", "require", "versions"]

Floats = NDArray[np.float64]
Task = Literal["classification", "regression"]


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """
    A fitted model: what it predicts, and the graph that says the same.

    Parameters
    ----------
    name : str
        Kind of estimator (``forest``, ``boosted``, ``mlp``, ``gp``) or ``adopted``.
    task : {"classification", "regression"}
    dtype : {"float32", "float64"}
        Precision of the points that the model and its graph take.
    n_inputs : int
    classes : tuple of int
        Codes of the label in the order of the probabilities; empty for regression.
    hyperparameters : dict
        All that is needed, with data and seed, to fit it again.
    software : dict of str to str
        Versions of the libraries used.
    out_of_bag : ndarray or None
        Per training row the probability or mean from trees that have not seen it; NaN where
        every tree has. Shape (n,), or (n, classes) for more than two classes.
    answer : callable
        (n, d) to (n,): probability of label 1, or mean; (n, classes) for more than two classes.
    spread : callable or None
        (n, d) to (n,): standard deviation at each point.
    spread_meaning : str
        Of what it is the spread, in words.
    graph : callable
        Makes the raw graph.
    """

    name: str
    task: Task
    dtype: Literal["float32", "float64"]
    n_inputs: int
    answer: Callable[[NDArray[Any]], Floats]
    graph: Callable[[], ModelProto]
    spread: Callable[[NDArray[Any]], Floats] | None = None
    spread_meaning: str = "standard deviation of a new evaluation"
    classes: tuple[int, ...] = ()
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=dict)
    out_of_bag: Floats | None = None

    def predict(self, X: ArrayLike) -> Floats:
        """
        Answer points, rounded first to the model's precision.

        Parameters
        ----------
        X : array_like, shape (n, d)

        Returns
        -------
        ndarray, shape (n,) or (n, classes)
            Probability of label 1 [1], or mean in the unit that was fitted; one column per class
            if there are more than two.
        """
        return self.answer(np.ascontiguousarray(X, dtype=self.dtype))

    def predict_std(self, X: ArrayLike) -> Floats | None:
        """Standard deviation, shape (n,), or None if the model has none."""
        if self.spread is None:
            return None
        return self.spread(np.ascontiguousarray(X, dtype=self.dtype))

    def raw_graph(self) -> ModelProto:
        """
        Make the graph of the bare model.

        Returns
        -------
        onnx.ModelProto
            Input ``points`` [N, d]; outputs ``raw`` [N] or [N, classes] as `predict` gives it, and
            ``raw_std`` [N] where `predict_std` is not None.
        """
        return self.graph()


_PACKAGES = {"sklearn": "scikit-learn", "xgboost": "xgboost-cpu"}


def require(module: str) -> ModuleType:
    """
    Import an optional library.

    Parameters
    ----------
    module : str
        Such as ``sklearn.ensemble``.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise MissingExtraError.of(_PACKAGES.get(name, name), "train") from error


def versions(*modules: str) -> dict[str, str]:
    """Versions of the named libraries and of numpy, by distribution name."""
    found: dict[str, str] = {}
    for module in ("numpy", *modules):
        for name in (_PACKAGES.get(module, module), module):
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
            break
    return dict(sorted(found.items()))
