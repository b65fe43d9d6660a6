"""A running graph: one thread, blocks of rows, inputs in the graph's own precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limen.errors import GraphError, ShapeError

__all__ = ["BLOCK_ROWS", "Session"]

BLOCK_ROWS = 4096
"""Rows per run: a network in blocks needs a fifth of the time of one large run."""

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
}


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Name the classes that onnxruntime raises; they share no base but Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("EPFail", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoModel")
    more = ("NoSuchFile", "NotImplemented", "RuntimeException")
    return tuple(getattr(state, name) for name in names + more)


class Session:
    """
    A loaded graph on one thread of the CPU.

    Parameters
    ----------
    source : path or bytes
        The graph. It is not audited here: see `limen.graph.audit`.
    n_inputs : int, optional
        Number of columns that the caller will give; compared with what the graph declares.

    Attributes
    ----------
    dtype : numpy.dtype
        Precision of the graph's input, float32 or float64.
    input_name : str
    outputs : tuple of str
    metadata : dict of str to str

    Raises
    ------
    GraphError
        If onnxruntime cannot load the graph, or its input is not a float matrix of ``n_inputs``.
    """

    def __init__(self, source: Path | str | bytes, n_inputs: int | None = None) -> None:
        import onnxruntime

        self._where = "model" if isinstance(source, bytes) else str(source)
        self._errors = _runtime_errors()
        options = onnxruntime.SessionOptions()
        # With two threads the second spins: on a busy machine that is slower than one.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                source if isinstance(source, bytes) else str(source),
                options,
                providers=["CPUExecutionProvider"],
            )
        except self._errors as error:
            raise GraphError(
                f"{self._where}: onnxruntime cannot load it ({_short(error)}); "
                "allowed is a complete ONNX file; fetch or export the model again"
            ) from error
        self._declare(n_inputs)

    def _declare(self, n_inputs: int | None) -> None:
        inputs = self._session.get_inputs()
        found = [(item.name, item.type, item.shape) for item in inputs]
        if len(inputs) != 1 or inputs[0].type not in _DTYPES or len(inputs[0].shape or ()) != 2:
            raise GraphError(
                f"{self._where}: found inputs {found}, allowed one float or double matrix "
                "[N, d]; export the model with a single input"
            )
        width = inputs[0].shape[1]
        self.n_inputs = width if isinstance(width, int) else n_inputs
        if n_inputs is not None and self.n_inputs != n_inputs:
            raise GraphError(
                f"{self._where}: found a graph of {width} inputs, allowed {n_inputs} as the card "
                "lists; use the card that belongs to this file"
            )
        self.dtype = _DTYPES[inputs[0].type]
        self.input_name: str = inputs[0].name
        self.outputs = tuple(item.name for item in self._session.get_outputs())
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, X: ArrayLike, outputs: tuple[str, ...] | None = None) -> dict[str, NDArray[Any]]:
        """
        Answer points.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Points, in the order and units of the card's inputs; cast to the graph's precision.
        outputs : tuple of str, optional
            Outputs wanted; all of them if not given.

        Returns
        -------
        dict of str to ndarray, shape (n, ...)

        Raises
        ------
        ShapeError
            If X is not a matrix of d columns.
        GraphError
            If the run fails.
        """
        points = np.asarray(X)
        if points.ndim != 2 or (self.n_inputs is not None and points.shape[1] != self.n_inputs):
            raise ShapeError(
                f"{self._where}: found points of shape {points.shape}, allowed "
                f"(n, {self.n_inputs}); give one row per point"
            )
        with np.errstate(over="ignore"):
            points = np.ascontiguousarray(points, dtype=self.dtype)
        wanted = list(outputs or self.outputs)
        starts = range(0, max(len(points), 1), BLOCK_ROWS)
        try:
            blocks = [
                self._session.run(wanted, {self.input_name: points[start : start + BLOCK_ROWS]})
                for start in starts
            ]
        except self._errors as error:
            raise GraphError(
                f"{self._where}: the graph failed on {len(points)} points ({_short(error)}); "
                "check the model with 'limen check'"
            ) from error
        if len(blocks) == 1:
            return dict(zip(wanted, blocks[0], strict=True))
        return {name: np.concatenate(parts) for name, *parts in zip(wanted, *blocks, strict=True)}


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
