"""
What an ONNX file must be before it is run.

A file from elsewhere may name operators that run foreign code, read other files, draw random
numbers or fill the memory. None of these is needed for a model of numbers to numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limen.errors import GraphError
from limen.graph.trees import tree_faults

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["MAX_BYTES", "MAX_OPSET", "audit", "load_model"]

MAX_BYTES = 2 * 1024**3
"""Largest file that is read [byte]; protobuf itself ends here."""

MAX_OPSET = {"": 22, "ai.onnx": 22, "ai.onnx.ml": 5}
"""Operator sets that are allowed, and their newest version."""

MAX_ELEMENTS = 2**28
# Sizes are judged for a full block of rows, because some grow with its square.
ROWS = 4096

_RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
_CONTROL = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_GROWING = frozenset(
    {"CenterCropPad", "Col2Im", "ConstantOfShape", "Expand", "EyeLike", "OneHot", "Pad", "Range"}
    | {"Resize", "Tile", "Upsample", "MaxUnpool", "ConvTranspose", "BlackmanWindow"}
    | {"HannWindow", "HammingWindow", "MelWeightMatrix", "DFT", "STFT", "SequenceInsert"}
)
_TREES = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})
_ANSWERS = (frozenset({"probability", "domain_score"}), frozenset({"mean", "domain_score"}))
_FLOATS = {1: "float", 11: "double"}

Faults = Iterator[tuple[str, str]]


def load_model(source: Path | str | bytes, *, max_bytes: int = MAX_BYTES) -> ModelProto:
    """
    Parse an ONNX file without running or auditing it.

    Parameters
    ----------
    source : path or bytes
    max_bytes : int
        Largest size accepted [byte], looked at before reading.

    Returns
    -------
    onnx.ModelProto
        External data are not read.

    Raises
    ------
    GraphError
        If the file is missing, too large, or not ONNX.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    where = "model" if isinstance(source, bytes) else str(source)
    try:
        size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
        if size > max_bytes:
            raise GraphError(
                f"{where}: found {size} bytes, allowed {max_bytes}; export a smaller model"
            )
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise GraphError(
            f"{where}: cannot be read ({error.strerror}), allowed is an ONNX file; check the path"
        ) from error
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError) as error:
        raise GraphError(
            f"{where}: not an ONNX file or cut short, allowed is a complete ONNX model; "
            "fetch or export it again"
        ) from error
    if not model.graph.node or not model.graph.output:
        raise GraphError(
            f"{where}: found no graph, allowed is an ONNX model with nodes and outputs; "
            "fetch or export it again"
        )
    return model


def audit(
    source: Path | str | bytes | ModelProto,
    inputs: Sequence[str] | None = None,
    *,
    max_bytes: int = MAX_BYTES,
    contract: bool = True,
) -> None:
    """
    Refuse a graph that may not be run.

    Parameters
    ----------
    source : path, bytes or onnx.ModelProto
    inputs : sequence of str, optional
        The card's inputs; the graph must take as many columns.
    max_bytes : int
        Largest size accepted [byte].
    contract : bool
        Whether names of input and outputs must be those of a bundle's model (``points``;
        ``probability`` or ``mean`` and maybe ``std``; ``domain_score``). Without it any single
        float matrix may go in and anything come out.

    Raises
    ------
    GraphError
        With all faults found.
    """
    where = "model"
    if isinstance(source, str | Path):
        where = str(source)
    model = (
        load_model(source, max_bytes=max_bytes)
        if isinstance(source, str | Path | bytes)
        else source
    )
    faults = list(_opset_faults(model))
    faults += _graph_faults(model.graph)
    faults += _input_faults(model.graph, None if inputs is None else len(inputs), contract)
    if contract:
        faults += _output_faults(model.graph)
    if not faults:
        # Checked last: these libraries trust more of the file than the rules above.
        faults += _checker_faults(model)
    if not faults:
        faults += _size_faults(model)
    if faults:
        raise GraphError.from_faults(where, faults)


def _opset_faults(model: ModelProto) -> Faults:
    if len(model.functions):
        yield "functions", "found model-local functions, allowed none; inline them before export"
    if len(model.training_info):
        yield "training_info", "found training information, allowed none; export for inference"
    if not len(model.opset_import):
        yield "opset_import", "found none, allowed ai.onnx up to 22; export the model again"
    for entry in model.opset_import:
        newest = MAX_OPSET.get(entry.domain)
        if newest is None:
            yield "opset_import", _foreign(entry.domain)
        elif not 1 <= entry.version <= newest:
            yield (
                "opset_import",
                f"found {entry.domain or 'ai.onnx'} {entry.version}, allowed 1 to {newest}; "
                "export with target opset 18",
            )


def _foreign(domain: str) -> str:
    return (
        f"found operator domain {domain!r}, allowed 'ai.onnx' and 'ai.onnx.ml'; "
        "export with standard operators only"
    )


def _tensors(graph: Any) -> Iterator[tuple[str, Any]]:
    for tensor in graph.initializer:
        yield f"initializer {tensor.name}", tensor
    for sparse in graph.sparse_initializer:
        yield "sparse_initializer", sparse.values
        yield "sparse_initializer", sparse.indices
    for node in graph.node:
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.tensors):
                yield f"node {node.name or node.op_type}", tensor


def _graph_faults(graph: Any) -> list[tuple[str, str]]:
    """Judge nodes and tensors one by one; a node with a graph of its own is a fault itself."""
    faults: list[tuple[str, str]] = []
    for place, tensor in _tensors(graph):
        if tensor.data_location == 1 or len(tensor.external_data):
            faults.append((place, "found external data, allowed none; store the weights inside"))
        if math.prod(max(size, 0) for size in tensor.dims) > MAX_ELEMENTS:
            faults.append((place, f"found shape {list(tensor.dims)}, allowed 2**28 elements"))
    for node in graph.node:
        place = f"node {node.name or node.op_type}"
        faults += ((place, message) for message in _node_faults(node))
    return faults


def _node_faults(node: Any) -> Iterator[str]:
    if node.domain not in MAX_OPSET:
        yield _foreign(node.domain)
        return
    nested = any(item.HasField("g") or len(item.graphs) for item in node.attribute)
    if nested or node.op_type in _CONTROL:
        yield f"found {node.op_type}, allowed no control flow; export a graph without branches"
    if node.op_type in _RANDOM:
        yield f"found {node.op_type}, allowed no random operator; export for inference"
    if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
        yield "found Dropout with a training mode, allowed none; export for inference"


def _input_faults(graph: Any, width: int | None, contract: bool) -> Faults:
    initial = {tensor.name for tensor in graph.initializer}
    entries = [item for item in graph.input if item.name not in initial]
    if len(entries) != 1 or (contract and entries[0].name != "points"):
        allowed = "one input 'points'" if contract else "one input"
        yield (
            "graph input",
            f"found {[item.name for item in entries]}, allowed {allowed}; "
            "export a graph of one matrix [N, d]",
        )
        return
    tensor = entries[0].type.tensor_type
    if tensor.elem_type not in _FLOATS:
        yield "graph input", f"found element type {tensor.elem_type}, allowed float or double"
    shape = tensor.shape.dim
    if len(shape) != 2:
        yield "graph input", f"found {len(shape)} dimensions, allowed 2: [N, d]"
        return
    if shape[0].HasField("dim_value"):
        yield (
            "graph input",
            f"found a fixed number of {shape[0].dim_value} rows, allowed any number; "
            "export with a dynamic first dimension",
        )
    declared = shape[1].dim_value if shape[1].HasField("dim_value") else None
    if (contract or declared is not None) and width is not None and declared != width:
        yield (
            "graph input",
            f"found {declared} columns, allowed {width} as listed; list the model's own inputs",
        )


def _output_faults(graph: Any) -> Faults:
    names = {item.name for item in graph.output}
    if names - {"std"} not in _ANSWERS or ("std" in names and "mean" not in names):
        yield (
            "graph output",
            f"found {sorted(names)}, allowed 'probability' or 'mean' (with or without 'std'), "
            "and 'domain_score'; add the model with 'limen add-model'",
        )
    for item in graph.output:
        tensor = item.type.tensor_type
        rank = 2 if item.name == "probability" else 1
        if tensor.elem_type not in _FLOATS or len(tensor.shape.dim) != rank:
            yield (
                f"graph output {item.name}",
                f"found element type {tensor.elem_type} of {len(tensor.shape.dim)} dimensions, "
                f"allowed float or double of {rank}",
            )


def _checker_faults(model: ModelProto) -> Faults:
    import onnx

    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        yield "graph", f"not valid ONNX ({reason}); export the model again"


def _inferred(model: ModelProto) -> Any:
    """Shapes of all values for one full block of rows."""
    import onnx

    block = onnx.ModelProto()
    block.CopyFrom(model)
    initial = {tensor.name for tensor in block.graph.initializer}
    for item in block.graph.input:
        if item.name not in initial:
            item.type.tensor_type.shape.dim[0].dim_value = ROWS
    del block.graph.value_info[:]
    for item in block.graph.output:
        item.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(block, data_prop=True).graph


def _sizes(values: Iterable[Any]) -> dict[str, list[int | None]]:
    return {
        item.name: [
            size.dim_value if size.HasField("dim_value") else None
            for size in item.type.tensor_type.shape.dim
        ]
        for item in values
        if item.type.HasField("tensor_type") and item.type.tensor_type.HasField("shape")
    }


def _size_faults(model: ModelProto) -> Faults:
    import onnx

    try:
        graph = _inferred(model)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        yield "graph", f"shapes cannot be inferred ({' '.join(str(error).split())[:200]})"
        return
    sizes = _sizes([*graph.input, *graph.value_info, *graph.output])
    sizes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        place = f"node {node.name or node.op_type}"
        for name in filter(None, node.output):
            known = [size for size in sizes.get(name, ()) if size is not None]
            if math.prod(known) > MAX_ELEMENTS:
                yield place, f"found an output of shape {known}, allowed 2**28 elements"
            if node.op_type in _GROWING and (name not in sizes or None in sizes[name]):
                yield (
                    place,
                    f"found {node.op_type} whose size is not known beforehand, allowed sizes "
                    "that follow from the number of rows; export with fixed shapes",
                )
        if node.op_type in _TREES:
            shape = sizes.get(node.input[0]) or [None]
            yield from ((place, message) for message in tree_faults(node, shape[-1]))
