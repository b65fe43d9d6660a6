"""Somebody else's graph, made a raw graph: its one input, and the output that is the answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from limen.errors import ExportError
from limen.estimators.building import ML_OPSET, OPSET, GraphBuilder
from limen.graph import Session, audit, load_model

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["ForeignGraph", "open_graph"]

OLDEST_OPSET, NEWEST_OPSET = 13, 22
_SPREADS = ("std", "raw_std", "GPCovstd")
_FLOATS = (1, 11)


class ForeignGraph:
    """
    A graph from elsewhere, audited, with the answer found.

    Parameters
    ----------
    model : onnx.ModelProto
        One float input [N, d].
    X : ndarray, shape (n, d)
        Points to try it on.
    task : {"classification", "regression"}
    output : str, optional
        Name of the output that is the answer; found by its values if not given.

    Raises
    ------
    ExportError
        If no output, or more than one, can be the answer.
    """

    def __init__(
        self, model: ModelProto, X: NDArray[Any], task: str, output: str | None = None
    ) -> None:
        self.task = task
        self.model = _in_our_opset(_without_zipmap(model), X)
        self.session = Session(self.model.SerializeToString(), X.shape[1])
        self.dtype: Literal["float32", "float64"] = (
            "float32" if self.session.dtype == np.float32 else "float64"
        )
        self.n_inputs = X.shape[1]
        answers = self.session.run(X)
        self.output = output if output is not None else _find_answer(answers, task)
        if self.output not in answers:
            raise ExportError(
                f"model: found outputs {sorted(answers)}, allowed one of them as the answer, not "
                f"{self.output!r}; correct the output's name"
            )
        fault = _fault(answers[self.output], task)
        if fault:
            raise ExportError(f"model: output '{self.output}' {fault}")
        shape = answers[self.output].shape
        self.columns = shape[1] if len(shape) == 2 else 1
        spreads = [name for name in answers if name in _SPREADS and name != self.output]
        self.spread = spreads[0] if spreads and task == "regression" else None

    def answer(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Probability of label 1, mean, or (n, classes), by running the graph as it came."""
        values = self.session.run(points, (self.output,))[self.output].astype(np.float64)
        if self.columns > 2:
            return values
        return values.reshape(len(points), -1)[:, -1]

    def std(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Standard deviation, shape (n,); only where `spread` names an output."""
        name = str(self.spread)
        return self.session.run(points, (name,))[name].astype(np.float64).reshape(len(points))

    def raw_graph(self) -> ModelProto:
        """Make the raw graph: input ``points``, outputs ``raw`` and maybe ``raw_std``."""
        builder = GraphBuilder(self.n_inputs, self.dtype)
        found = builder.append(self.model, "own/")
        value = builder.double(found[self.output])
        if self.columns > 2:
            builder.output(value, "raw", "float64", self.columns)
        else:
            if self.columns == 2:
                value = builder.op("Gather", value, builder.constant([1], "int64"), axis=1)
            builder.output(builder.flat(value), "raw", "float64")
        if self.spread is not None:
            std = builder.double(found[self.spread])
            builder.output(builder.flat(std), "raw_std", "float64")
        opsets = {entry.domain: entry.version for entry in self.model.opset_import}
        if all(node.op_type != "LabelEncoder" for node in self.model.graph.node):
            # No other operator changed its meaning from version 1 to 3.
            opsets["ai.onnx.ml"] = max(opsets.get("ai.onnx.ml", 1), ML_OPSET)
        return builder.model(opsets=opsets)


def open_graph(source: Path | str | bytes, n_inputs: int) -> ModelProto:
    """
    Read and audit somebody's ONNX file.

    Parameters
    ----------
    source : path or bytes
    n_inputs : int
        Columns that it will be given.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    GraphError
        If it may not be run.
    """
    audit(source, [f"column {place}" for place in range(n_inputs)], contract=False)
    return load_model(source)


def _without_zipmap(model: ModelProto) -> ModelProto:
    """Answer with the probabilities themselves instead of a list of dictionaries."""
    zipmaps = [node for node in model.graph.node if node.op_type == "ZipMap"]
    if not zipmaps:
        return model
    from onnx import ModelProto, helper

    changed = ModelProto()
    changed.CopyFrom(model)
    for node in [node for node in changed.graph.node if node.op_type == "ZipMap"]:
        for place, item in enumerate(changed.graph.output):
            if item.name == node.output[0]:
                del changed.graph.output[place]
                break
        fresh = helper.make_tensor_value_info(node.input[0], 1, None)
        changed.graph.output.append(fresh)
        changed.graph.node.remove(node)
    return changed


def _in_our_opset(model: ModelProto, X: NDArray[Any]) -> ModelProto:
    """Convert to our operator set where that leaves every answer as it is."""
    import onnx

    version = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    if version == OPSET:
        return model
    try:
        converted = onnx.version_converter.convert_version(model, OPSET)
        before = Session(model.SerializeToString()).run(X)
        after = Session(converted.SerializeToString()).run(X)
        if all(np.array_equal(before[name], after[name]) for name in before):
            return converted
        reason = "its answers change"
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
    if OLDEST_OPSET <= version <= NEWEST_OPSET:
        return model
    raise ExportError(
        f"model: found opset {version} that does not convert to {OPSET} ({reason}), allowed "
        f"{OLDEST_OPSET} to {NEWEST_OPSET}; export it with target opset {OPSET}"
    )


def _is_float(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype in (np.float32, np.float64)


def _fault(values: Any, task: str) -> str:
    """Say why an output cannot be the answer; nothing if it can."""
    if not _is_float(values):
        return "is not a float tensor, allowed probabilities or values; switch off zipmap"
    if values.ndim not in (1, 2):
        return f"has {values.ndim} dimensions, allowed [N], [N, 1] or [N, classes]"
    width = values.shape[1] if values.ndim == 2 else 1
    if task == "regression":
        if width != 1:
            return f"has {width} values per point, allowed 1; give one model per target"
        return ""
    low, high = float(values.min()), float(values.max())
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        pair = ""
        if width == 2 and np.allclose(values[:, 0], -values[:, 1]):
            pair = " (a decision function and its negative)"
        return (
            f"ranges from {low:.3g} to {high:.3g}{pair}, allowed probabilities 0 to 1; "
            "calibrate the classifier before export, e.g. with CalibratedClassifierCV"
        )
    if width > 1 and not np.allclose(values.sum(axis=1), 1.0, atol=1e-4):
        return "has rows that do not add up to 1, allowed the probabilities of all classes"
    return ""


def _find_answer(answers: dict[str, NDArray[Any]], task: str) -> str:
    floats = [name for name in answers if _is_float(answers[name]) and name not in _SPREADS]
    fit = [name for name in floats if not _fault(answers[name], task)]
    if len(fit) == 1:
        return fit[0]
    if not fit and len(floats) == 1:
        raise ExportError(f"model: output '{floats[0]}' {_fault(answers[floats[0]], task)}")
    wanted = "probabilities" if task == "classification" else "one value per point"
    raise ExportError(
        f"model: found outputs {sorted(answers)} of which {len(fit)} hold {wanted}, allowed just "
        "one; name the output that is the answer"
    )
