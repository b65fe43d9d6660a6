"""What may be run and what may not, and running it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from limen.errors import GraphError, ShapeError
from limen.graph import Session, audit

D = 3
NAMES = ["a", "b", "c"]


def graph(
    nodes=None, *, initializers=(), inputs=None, outputs=None, opsets=None, functions=()
) -> onnx.ModelProto:
    """A small model of the contract's form: mean = sum of the inputs, domain_score = 0 * that."""
    axes = numpy_helper.from_array(np.array([1]), "axes")
    nodes = nodes or []
    base = [
        helper.make_node("ReduceSum", ["points", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "mean"], ["domain_score"]),
    ]
    value = helper.make_tensor_value_info
    proto = helper.make_graph(
        [*base, *nodes],
        "g",
        inputs or [value("points", TensorProto.FLOAT, ["N", D])],
        outputs
        or [
            value("mean", TensorProto.FLOAT, ["N"]),
            value("domain_score", TensorProto.FLOAT, ["N"]),
        ],
        [axes, *initializers],
    )
    opsets = opsets or {"": 18}
    return helper.make_model(
        proto,
        opset_imports=[helper.make_opsetid(*item) for item in opsets.items()],
        ir_version=9,
        functions=list(functions),
    )


def tree(**changes) -> onnx.NodeProto:
    lists = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [0.0, 1.0],
        "n_targets": 1,
        **changes,
    }
    return helper.make_node(
        "TreeEnsembleRegressor", ["points"], ["t"], domain="ai.onnx.ml", **lists
    )


WITH_TREES = {"": 18, "ai.onnx.ml": 3}


def test_a_model_of_the_contract_passes_and_runs():
    data = graph([tree()], opsets=WITH_TREES).SerializeToString()
    audit(data, NAMES)
    answer = Session(data, D).run([[1.0, 2.0, 3.0]])
    assert answer["mean"].tolist() == [6.0]
    assert answer["domain_score"].tolist() == [0.0]


def _constant(name, value):
    return numpy_helper.from_array(np.asarray(value), name)


def _external():
    tensor = TensorProto(name="w", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    return graph(initializers=[tensor])


def _fixed_rows():
    value = helper.make_tensor_value_info("points", TensorProto.FLOAT, [8, D])
    return graph(inputs=[value])


def _nested():
    value = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    body = helper.make_graph(
        [helper.make_node("Foreign", ["points"], ["z"], domain="evil")], "b", [], [value]
    )
    node = helper.make_node("If", ["flag"], ["i"], then_branch=body, else_branch=body)
    return graph([node], initializers=[_constant("flag", np.array(True))])


def _function():
    node = helper.make_node("Relu", ["x"], ["y"])
    function = helper.make_function("own", "f", ["x"], ["y"], [node], [helper.make_opsetid("", 18)])
    return graph(functions=[function])


def _outer_product():
    """Small weights whose sum is a terabyte."""
    column, row = np.zeros((2**16, 1), np.float32), np.zeros((1, 2**16), np.float32)
    node = helper.make_node("Add", ["column", "row"], ["big"])
    return graph([node], initializers=[_constant("column", column), _constant("row", row)])


def _grown(kind):
    shape = _constant("shape", np.array([2**20, 2**20]))
    data = _constant("one", np.ones((1, 1), np.float32))
    names = {"ConstantOfShape": ["shape"], "Expand": ["one", "shape"], "Tile": ["one", "shape"]}
    return graph([helper.make_node(kind, names[kind], ["big"])], initializers=[shape, data])


def _grown_by_values():
    nodes = [
        helper.make_node("Cast", ["mean"], ["sizes"], to=TensorProto.INT64),
        helper.make_node("ConstantOfShape", ["sizes"], ["big"]),
    ]
    return graph(nodes)


def _renamed_input():
    model = graph()
    model.graph.input[0].name = "x"
    model.graph.node[0].input[0] = "x"
    return model


def _integers():
    model = graph()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return model


def _two_inputs():
    value = helper.make_tensor_value_info
    return graph(inputs=[value("points", 1, ["N", D]), value("more", 1, ["N", D])])


def _other_outputs():
    model = graph()
    model.graph.node[1].output[0] = "score"
    model.graph.output[1].name = "score"
    return model


def _dropout():
    flag = _constant("on", np.array(True))
    ratio = _constant("ratio", np.array(0.5, np.float32))
    return graph(
        [helper.make_node("Dropout", ["mean", "ratio", "on"], ["d"])], initializers=[flag, ratio]
    )


BAD = {
    "foreign-operator": (
        lambda: graph([helper.make_node("Solve", ["points"], ["s"], domain="com.microsoft")]),
        "operator domain 'com.microsoft'",
    ),
    "foreign-opset": (lambda: graph(opsets={"": 18, "evil": 1}), "operator domain 'evil'"),
    "newer-opset": (lambda: graph(opsets={"": 23}), "found ai.onnx 23"),
    "nested-foreign-operator": (_nested, "no control flow"),
    "function": (_function, "model-local functions"),
    "external-data": (_external, "external data"),
    "random-operator": (
        lambda: graph([helper.make_node("RandomNormalLike", ["mean"], ["r"])]),
        "no random operator",
    ),
    "dropout-in-training": (_dropout, "training mode"),
    "two-inputs": (_two_inputs, "allowed one input 'points'"),
    "input-of-another-name": (_renamed_input, "allowed one input 'points'"),
    "integer-input": (_integers, "element type 7"),
    "fixed-number-of-rows": (_fixed_rows, "fixed number of 8 rows"),
    "other-outputs": (_other_outputs, "found \\['mean', 'score'\\]"),
    "outer-product": (_outer_product, "65536, 65536"),
    "constant-of-shape": (lambda: _grown("ConstantOfShape"), "1048576, 1048576"),
    "expand": (lambda: _grown("Expand"), "1048576, 1048576"),
    "tile": (lambda: _grown("Tile"), "1048576, 1048576"),
    "sizes-from-values": (_grown_by_values, "not known beforehand"),
    "tree-that-loops": (
        lambda: graph([tree(nodes_truenodeids=[0, 0, 0])], opsets=WITH_TREES),
        "form a loop",
    ),
    "tree-of-a-missing-column": (
        lambda: graph([tree(nodes_featureids=[9, 0, 0])], opsets=WITH_TREES),
        "column 9 in a tree, allowed 0 to 2",
    ),
    "tree-of-ragged-lists": (
        lambda: graph([tree(nodes_values=[0.5])], opsets=WITH_TREES),
        "lengths \\[1, 3\\]",
    ),
    "tree-of-a-missing-target": (
        lambda: graph([tree(target_ids=[0, 7])], opsets=WITH_TREES),
        "target number 7",
    ),
    "tree-of-a-missing-leaf": (
        lambda: graph([tree(target_nodeids=[1, 9])], opsets=WITH_TREES),
        "nodes that do not exist",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_audit_refuses(make, message):
    with pytest.raises(GraphError, match=message):
        audit(make().SerializeToString(), NAMES)


def test_audit_tells_all_faults_at_once():
    model = graph([helper.make_node("RandomNormalLike", ["mean"], ["r"])], opsets={"": 23})
    with pytest.raises(GraphError) as caught:
        audit(model.SerializeToString(), ["a"])
    assert len(caught.value.faults) == 3


def test_audit_refuses_a_graph_of_another_width():
    with pytest.raises(GraphError, match="found 3 columns, allowed 2"):
        audit(graph().SerializeToString(), ["a", "b"])


def test_audit_without_contract_takes_any_names():
    audit(_renamed_input().SerializeToString(), contract=False)
    audit(_other_outputs().SerializeToString(), contract=False)


@pytest.mark.parametrize("keep", [0, 1, 20, 100], ids=lambda keep: f"{keep}-bytes")
def test_audit_refuses_a_truncated_file(tmp_path, keep):
    path = tmp_path / "m.onnx"
    path.write_bytes(graph().SerializeToString()[:keep])
    with pytest.raises(GraphError, match=r"m\.onnx"):
        audit(path)


def test_audit_refuses_what_is_not_onnx(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_text("this is not a model\n" * 10)
    with pytest.raises(GraphError, match="not an ONNX file"):
        audit(path)


def test_audit_looks_at_the_size_before_reading(tmp_path):
    path = tmp_path / "m.onnx"
    with path.open("wb") as file:
        file.truncate(3 * 1024**3)
    with pytest.raises(GraphError, match="found 3221225472 bytes"):
        audit(path)


def test_audit_names_a_missing_file(tmp_path):
    with pytest.raises(GraphError, match="No such file"):
        audit(tmp_path / "none.onnx")


def test_a_session_gives_the_same_in_blocks():
    X = np.random.default_rng(0).random((10_000, D)).astype(np.float32)
    session = Session(graph().SerializeToString(), D)
    np.testing.assert_array_equal(
        session.run(X)["mean"][4000:4200], session.run(X[4000:4200])["mean"]
    )
    assert session.run(X)["mean"].shape == (10_000,)


def test_a_session_answers_no_points_with_no_answers():
    assert Session(graph().SerializeToString(), D).run(np.empty((0, D)))["mean"].shape == (0,)


def test_a_session_casts_to_the_precision_of_the_graph():
    session = Session(graph().SerializeToString(), D)
    assert session.dtype == np.float32
    assert session.run(np.ones((1, D)), ("mean",)).keys() == {"mean"}


def test_a_session_refuses_points_of_another_width():
    with pytest.raises(ShapeError, match=r"shape \(1, 2\), allowed \(n, 3\)"):
        Session(graph().SerializeToString(), D).run([[1.0, 2.0]])


def test_a_session_refuses_a_graph_of_another_width():
    with pytest.raises(GraphError, match="found a graph of 3 inputs, allowed 2"):
        Session(graph().SerializeToString(), 2)


def test_a_session_translates_the_errors_of_onnxruntime(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x09broken")
    with pytest.raises(GraphError, match="onnxruntime cannot load it"):
        Session(path, D)
    with pytest.raises(GraphError, match="onnxruntime cannot load it"):
        Session(tmp_path / "none.onnx", D)


def test_a_session_reads_the_metadata():
    model = graph()
    model.metadata_props.add(key="limen.bundle", value="b")
    assert Session(model.SerializeToString(), D).metadata == {"limen.bundle": "b"}
