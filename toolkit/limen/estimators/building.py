"""Writing ONNX graphs node by node, with names that do not change from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["IR_VERSION", "ML_OPSET", "OPSET", "GraphBuilder", "Steps", "Trees"]

OPSET = 18
ML_OPSET = 3
IR_VERSION = 9
"""The file format that came with opset 19 and 20; older runtimes refuse newer ones."""


def _element_type(dtype: str) -> int:
    from onnx import TensorProto

    return int(TensorProto.FLOAT if dtype == "float32" else TensorProto.DOUBLE)


Steps = Sequence[tuple[str, NDArray[np.float64]]]


class Trees:
    """
    Branches and leaves of many trees, as ONNX lists them.

    Parameters
    ----------
    n_targets : int
        Numbers per leaf.
    mode : {"BRANCH_LEQ", "BRANCH_LT"}
        Comparison of a point's column with the threshold that leads to the left.
    """

    def __init__(self, n_targets: int, mode: str) -> None:
        self.n_targets = n_targets
        self.mode = mode.encode()
        self.nodes = 0
        self._tree = 0
        self._lists: dict[str, list[int]] = {
            f"nodes_{name}": []
            for name in ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids")
        }
        self._leaves: dict[str, list[int]] = {"treeids": [], "nodeids": [], "ids": []}
        self._modes: list[bytes] = []
        self._values: list[float] = []
        self._weights: list[float] = []

    def add(
        self,
        columns: NDArray[Any],
        thresholds: NDArray[Any],
        links: tuple[NDArray[Any], NDArray[Any]],
        weights: NDArray[Any],
        targets: Sequence[int],
    ) -> None:
        """
        Add one tree of n nodes.

        Parameters
        ----------
        columns, thresholds : ndarray, shape (n,)
            What a branch compares; ignored at leaves.
        links : pair of ndarray, shape (n,)
            Left and right children; -1 at leaves.
        weights : ndarray, shape (n, len(targets))
            What a leaf adds to each target; ignored at branches.
        targets : sequence of int
            Targets that this tree adds to.
        """
        left, right = links
        leaf = left < 0
        n = len(left)
        self._lists["nodes_treeids"] += [self._tree] * n
        self._lists["nodes_nodeids"] += range(n)
        self._lists["nodes_featureids"] += np.where(leaf, 0, columns).tolist()
        self._lists["nodes_truenodeids"] += np.where(leaf, 0, left).tolist()
        self._lists["nodes_falsenodeids"] += np.where(leaf, 0, right).tolist()
        self._values += np.where(leaf, 0.0, thresholds).astype(np.float32).tolist()
        self._modes += np.where(leaf, b"LEAF", self.mode).tolist()
        places = np.flatnonzero(leaf).tolist()
        for place, target in enumerate(targets):
            self._leaves["treeids"] += [self._tree] * len(places)
            self._leaves["nodeids"] += places
            self._leaves["ids"] += [target] * len(places)
            self._weights += weights[leaf, place].astype(np.float32).tolist()
        self._tree += 1
        self.nodes += n

    def attributes(self) -> dict[str, Any]:
        """Give the attributes of a TreeEnsembleRegressor that adds up the leaves."""
        return {
            **self._lists,
            "nodes_modes": self._modes,
            "nodes_values": self._values,
            **{f"target_{name}": items for name, items in self._leaves.items()},
            "target_weights": self._weights,
            "n_targets": self.n_targets,
            "aggregate_function": "SUM",
        }


class GraphBuilder:
    """
    A graph under construction; every method returns the name of the value it makes.

    Parameters
    ----------
    n_inputs : int
        Columns of the input ``points``.
    dtype : {"float32", "float64"}
        Precision of the input.
    """

    def __init__(self, n_inputs: int, dtype: str) -> None:
        from onnx import helper

        self.dtype = dtype
        self._helper = helper
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._outputs: list[Any] = []
        self._input = helper.make_tensor_value_info("points", _element_type(dtype), ["N", n_inputs])
        self._doubles: dict[str, str] = {}

    def op(
        self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any
    ) -> str:
        """Add a node; the name of its first output."""
        name = f"{kind}_{len(self._nodes)}"
        names = [name, *(f"{name}_{place}" for place in range(1, outputs))]
        node = self._helper.make_node(
            kind, list(inputs), names, name=name, domain=domain, **attributes
        )
        self._nodes.append(node)
        return name

    def constant(self, value: ArrayLike, dtype: str = "float64") -> str:
        """Store an array."""
        from onnx import numpy_helper

        name = f"c{len(self._initializers)}"
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype)).reshape(np.shape(value))
        self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def double(self, name: str) -> str:
        """Cast a value to float64, once."""
        if name not in self._doubles:
            self._doubles[name] = self.op("Cast", name, to=_element_type("float64"))
        return self._doubles[name]

    def cast(self, name: str, dtype: str) -> str:
        """Cast a float64 value to the given precision."""
        if dtype == "float64":
            return name
        return self.op("Cast", name, to=_element_type(dtype))

    def affine(self, name: str, factor: ArrayLike, offset: ArrayLike) -> str:
        """Give x * factor + offset, with float64 x."""
        scaled = self.op("Mul", name, self.constant(factor))
        return self.op("Add", scaled, self.constant(offset))

    def clip(self, name: str, low: float, high: float) -> str:
        """Clip float64 values."""
        return self.op("Clip", name, self.constant(low), self.constant(high))

    def total(self, name: str, axis: int = 1) -> str:
        """Sum over one axis, which disappears."""
        return self.op("ReduceSum", name, self.constant([axis], "int64"), keepdims=0)

    def flat(self, name: str) -> str:
        """Make [N] of [N, 1]."""
        return self.op("Reshape", name, self.constant([-1], "int64"))

    def trees(self, trees: Trees, before: Steps = ()) -> str:
        """
        Add up trees over the points in float32, after steps in float64: float64 [N, targets].

        The steps are operators and constants, such as ("Sub", means) and ("Div", scales).
        """
        source = "points"
        if before:
            source = self.double(source)
            for operator, constant in before:
                source = self.op(operator, source, self.constant(constant))
            source = self.cast(source, "float32")
        name = self.op("TreeEnsembleRegressor", source, domain="ai.onnx.ml", **trees.attributes())
        return self.double(name)

    def output(self, value: str, name: str, dtype: str, columns: int | None = None) -> None:
        """Name a value of float64 as output [N] or [N, columns] in the given precision."""
        last = self.cast(value, dtype)
        self._nodes.append(self._helper.make_node("Identity", [last], [name], name=f"out_{name}"))
        shape: list[str | int] = ["N"] if columns is None else ["N", columns]
        self._outputs.append(self._helper.make_tensor_value_info(name, _element_type(dtype), shape))

    def append(self, model: ModelProto, prefix: str) -> dict[str, str]:
        """
        Put the nodes of another graph of one input on ``points`` here; its outputs by name.

        Only what leads to an answer is taken along: no descriptions, no shapes of its own.
        """
        from onnx import compose

        part = compose.add_prefix(model, prefix)
        initial = {tensor.name for tensor in part.graph.initializer}
        entry = next(item.name for item in part.graph.input if item.name not in initial)
        self._nodes.append(self._helper.make_node("Identity", ["points"], [entry], name=entry))
        for node in part.graph.node:
            node.doc_string = ""
        for tensor in part.graph.initializer:
            tensor.doc_string = ""
        self._nodes += part.graph.node
        self._initializers += part.graph.initializer
        return {item.name.removeprefix(prefix): item.name for item in part.graph.output}

    def model(
        self, metadata: dict[str, str] | None = None, opsets: dict[str, int] | None = None
    ) -> ModelProto:
        """
        Finish the graph.

        Parameters
        ----------
        metadata : dict of str to str, optional
            Goes to ``metadata_props``, sorted.
        opsets : dict of str to int, optional
            Versions of the operator sets; ours if not given.

        Returns
        -------
        onnx.ModelProto
        """
        helper = self._helper
        graph = helper.make_graph(
            self._nodes, "limen", [self._input], self._outputs, self._initializers
        )
        versions = {"": OPSET, "ai.onnx.ml": ML_OPSET, **(opsets or {})}
        model: ModelProto = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(*item) for item in sorted(versions.items())],
            ir_version=IR_VERSION if versions[""] <= 20 else IR_VERSION + 1,
            producer_name="limen",
        )
        for key, value in sorted((metadata or {}).items()):
            model.metadata_props.add(key=key, value=value)
        return model
