"""Bundles whose model is wrong: what it asks for, what it reads, what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile.editing import MODEL, Case, attach, edit_model, sign

__all__ = ["MODELS"]


def _bytes(data: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        (path / MODEL).write_bytes(data)
        sign(path, MODEL)

    return make


def _edit(change: Callable[[Any], object]) -> Callable[[Path], None]:
    return lambda path: edit_model(path, change)


def _node(
    kind: str, inputs: list[str], outputs: list[str], **options: Any
) -> Callable[[Path], None]:
    from onnx import helper

    return _edit(
        lambda model: model.graph.node.append(helper.make_node(kind, inputs, outputs, **options))
    )


def _constant(model: Any, name: str, values: Any) -> None:
    import numpy as np
    from onnx import numpy_helper

    model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))


def _with_shape(kind: str, inputs: list[str]) -> Callable[[Path], None]:
    """An operator that makes 400 GB of a few bytes."""
    from onnx import helper

    def change(model: Any) -> None:
        import numpy as np

        _constant(model, "huge_shape", np.array([10**5, 10**6]))
        _constant(model, "huge_one", np.ones((1, 1), np.float32))
        model.graph.node.append(helper.make_node(kind, inputs, ["huge"]))

    return _edit(change)


def _external(location: str) -> Callable[[Path], None]:
    def change(model: Any) -> None:
        tensor = model.graph.initializer.add(name="w", data_type=1, dims=[2], data_location=1)
        tensor.external_data.add(key="location", value=location)

    return _edit(change)


def _absent_data(model: Any) -> None:
    model.graph.initializer.add(name="w", data_type=1, dims=[10**6, 10**6])


def _short_data(model: Any) -> None:
    model.graph.initializer.add(name="w", data_type=1, dims=[1000], raw_data=b"1234")


def _loop(path: Path) -> None:
    """A loop of 2^62 steps."""
    from onnx import helper

    def change(model: Any) -> None:
        import numpy as np

        _constant(model, "trips", np.array(2**62))
        _constant(model, "go", np.array(True))
        inside = [
            helper.make_tensor_value_info("i", 7, []),
            helper.make_tensor_value_info("c", 9, []),
        ]
        body = helper.make_graph(
            [helper.make_node("Identity", ["c"], ["again"])],
            "body",
            inside,
            [helper.make_tensor_value_info("again", 9, [])],
        )
        model.graph.node.append(helper.make_node("Loop", ["trips", "go"], [], body=body))

    edit_model(path, change)


def _nested(depth: int) -> bytes:
    """Graphs within graphs: protobuf fields 7 (graph), 1 (node), 5 (attribute), 6 (graph)."""
    data = b""
    for _ in range(depth):
        for field in (6, 5, 1):
            data = bytes([field << 3 | 2]) + _varint(len(data)) + data
    return bytes([7 << 3 | 2]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _function(model: Any) -> None:
    from onnx import helper

    node = helper.make_node("Relu", ["x"], ["y"])
    opset = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("own", "f", ["x"], ["y"], [node], opset))


def _second_input(model: Any) -> None:
    from onnx import helper

    model.graph.input.append(helper.make_tensor_value_info("more", 1, ["N", 2]))


def _wide_input(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 3


def _tree_loop(model: Any) -> None:
    """A tree whose first node is its own child: following it never ends."""
    tree = next(node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    links = next(item for item in tree.attribute if item.name == "nodes_truenodeids")
    links.ints[0] = 0


def _tree_column(model: Any) -> None:
    """A tree that reads memory beside its inputs."""
    tree = next(node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    columns = next(item for item in tree.attribute if item.name == "nodes_featureids")
    columns.ints[0] = 10**6


def _other_identity(model: Any) -> None:
    next(item for item in model.metadata_props if item.key == "limen.bundle").value = "other"


def _slow(path: Path) -> None:
    """Sizes that are allowed, in products that take minutes."""
    from onnx import helper

    def change(model: Any) -> None:
        import numpy as np

        _constant(model, "tall", np.zeros((2**12, 1), np.float32))
        _constant(model, "flat", np.zeros((1, 2**12), np.float32))
        nodes = [helper.make_node("MatMul", ["tall", "flat"], ["p0"])]
        nodes += [helper.make_node("MatMul", [f"p{n}", f"p{n}"], [f"p{n + 1}"]) for n in range(99)]
        sums = [
            helper.make_node("ReduceMax", ["p99"], ["most"], keepdims=0),
            helper.make_node("Add", ["probability", "most"], ["shifted"]),
        ]
        for node in model.graph.node:
            node.output[:] = ["raw" if name == "probability" else name for name in node.output]
            node.input[:] = ["raw" if name == "probability" else name for name in node.input]
        sums[1].input[0], sums[1].output[0] = "raw", "probability"
        model.graph.node.extend([*nodes, *sums])

    edit_model(path, change)


def _replaced(path: Path) -> None:
    """The module that runs models, as an attachment: a program started there would import it."""
    for name in ("onnxruntime.py", "numpy.py", "limen_zenodo.py", "sitecustomize.py"):
        attach(path, name, b"open('imported', 'w')\nraise SystemExit(0)\n")
    edit_model(path, _other_identity)


def _case(name: str, wrong: str, make: Callable[[Path], object], message: str) -> Case:
    return Case(f"model-{name}", wrong, make, "GraphError", message)


_PICKLE = b"cos\nsystem\n(S'touch pickled'\ntR."

MODELS = (
    _case("pickle", "a pickle that runs a command, named .onnx", _bytes(_PICKLE), "not an ONNX file"),
    _case("empty", "an empty file", _bytes(b""), "found no graph"),
    _case("zip", "a zip of Python code, named .onnx", _bytes(b"PK\3\4" + bytes(100)), "not an ONNX file"),
    _case("deep", "graphs nested 5,000 deep", lambda path: _bytes(_nested(5000))(path), "not an ONNX file|no control flow"),
    _case("nested", "graphs nested 10 deep", lambda path: _bytes(_nested(10))(path), "found no graph|control flow"),
    _case("external", "weights in /etc/passwd", _external("/etc/passwd"), "external data"),
    _case("external-traversal", "weights in ../../etc/passwd", _external("../../etc/passwd"), "external data"),
    _case("external-here", "weights in a file of the bundle", _external("scan.zarr.zip"), "external data"),
    _case("domain", "an operator of a foreign library", lambda path: _node("Run", ["points"], ["x"], domain="evil.custom")(path), "operator domain 'evil.custom'"),
    _case("microsoft", "an operator of onnxruntime alone", lambda path: _node("Gelu", ["points"], ["x"], domain="com.microsoft")(path), "operator domain 'com.microsoft'"),
    _case("unknown", "an operator that does not exist", lambda path: _node("Steal", ["points"], ["x"])(path), "not valid ONNX"),
    _case("random", "an operator that draws lots", lambda path: _node("RandomNormalLike", ["points"], ["x"])(path), "no random operator"),
    _case("loop", "a loop of 2^62 steps", _loop, "no control flow"),
    _case("function", "a function of its own", _edit(_function), "model-local functions"),
    _case("training", "a second graph, for training", _edit(lambda model: model.training_info.add()), "training information"),
    _case("opset", "operators of the future", _edit(lambda model: setattr(model.opset_import[0], "version", 99)), "found ai.onnx(.ml)? 99"),
    _case("constant", "ConstantOfShape of 400 GB", lambda path: _with_shape("ConstantOfShape", ["huge_shape"])(path), "100000, 1000000"),
    _case("expand", "Expand to 400 GB", lambda path: _with_shape("Expand", ["huge_one", "huge_shape"])(path), "100000, 1000000"),
    _case("tile", "Tile to 400 GB", lambda path: _with_shape("Tile", ["huge_one", "huge_shape"])(path), "100000, 1000000"),
    _case("absent-weights", "4 TB of weights that are not there", _edit(_absent_data), "1000000, 1000000"),
    _case("short-weights", "fewer weights than their shape says", _edit(_short_data), "not valid ONNX"),
    _case("second-input", "two inputs", _edit(_second_input), "allowed one input 'points'"),
    _case("wide-input", "more columns than the card says", _edit(_wide_input), "found 3 columns, allowed 2"),
    _case("tree-loop", "a tree that leads back to its root", _edit(_tree_loop), "form a loop"),
    _case("tree-column", "a tree that reads beside its input", _edit(_tree_column), "in a tree, allowed 0 to"),
    _case("other", "the model of another bundle", _edit(_other_identity), "does not belong to this model card"),
    _case("attached-modules", "attachments named as modules, beside a wrong model", _replaced, "does not belong to this model card"),
    _case("slow", "minutes of matrix products in allowed sizes", _slow, "s of computing"),
)  # fmt: skip
