"""Tree ensembles inside a graph: onnxruntime follows their links and columns unchecked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["thresholds", "tree_faults"]

_NODE_LISTS = (
    "nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids",
)  # fmt: skip


def _attributes(node: Any) -> dict[str, Any]:
    return {item.name: item for item in node.attribute}


def _integers(attributes: dict[str, Any], name: str) -> NDArray[np.int64]:
    return np.array(attributes[name].ints if name in attributes else (), dtype=np.int64)


def _values(attributes: dict[str, Any], name: str) -> NDArray[np.float64]:
    from onnx import numpy_helper

    if f"{name}_as_tensor" in attributes:
        return numpy_helper.to_array(attributes[f"{name}_as_tensor"].t).astype(np.float64).ravel()
    return np.array(attributes[name].floats if name in attributes else (), dtype=np.float64)


def thresholds(node: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    Columns and thresholds of a tree ensemble's branches.

    Parameters
    ----------
    node : onnx.NodeProto
        A TreeEnsembleRegressor or TreeEnsembleClassifier.

    Returns
    -------
    columns : ndarray of int64, shape (branches,)
    values : ndarray of float64, shape (branches,)
        Thresholds, in the unit of their column.
    """
    attributes = _attributes(node)
    branch = np.array([mode != b"LEAF" for mode in attributes["nodes_modes"].strings], dtype=bool)
    columns = _integers(attributes, "nodes_featureids")
    return columns[branch], _values(attributes, "nodes_values")[branch]


def tree_faults(node: Any, width: int | None) -> Iterator[str]:
    """
    Say what is wrong with a tree ensemble.

    Parameters
    ----------
    node : onnx.NodeProto
        A TreeEnsembleRegressor or TreeEnsembleClassifier.
    width : int or None
        Number of columns of its input, where known.

    Yields
    ------
    str
        Lists of unequal length, columns that do not exist, links that leave a tree or form a loop,
        leaves of nodes that do not exist.
    """
    attributes = _attributes(node)
    lists = {name: _integers(attributes, name) for name in _NODE_LISTS}
    modes = attributes["nodes_modes"].strings if "nodes_modes" in attributes else ()
    values = _values(attributes, "nodes_values")
    lengths = {len(item) for item in lists.values()} | {len(modes), len(values)}
    if len(lengths) != 1 or lengths == {0}:
        yield f"found tree lists of lengths {sorted(lengths)}, allowed equal ones above 0"
        return
    leaf = np.array([mode == b"LEAF" for mode in modes], dtype=bool)
    columns = lists["nodes_featureids"][~leaf]
    if columns.size and (columns.min() < 0 or (width is not None and columns.max() >= width)):
        yield f"found column {int(columns.max())} in a tree, allowed 0 to {(width or 1) - 1}"
    tree, own = lists["nodes_treeids"], lists["nodes_nodeids"]
    if min(tree.min(), own.min()) < 0 or max(tree.max(), own.max()) >= 2**31:
        yield "found tree or node numbers outside 0 to 2**31"
        return
    yield from _link_faults(lists, leaf)
    yield from _leaf_faults(attributes, tree * 2**31 + own)


def _link_faults(lists: dict[str, NDArray[np.int64]], leaf: NDArray[np.bool_]) -> Iterator[str]:
    """Every branch has two children of its own tree, and every node but the first one parent."""
    tree = lists["nodes_treeids"]
    keys = tree * 2**31 + lists["nodes_nodeids"]
    ids = np.concatenate([lists["nodes_truenodeids"][~leaf], lists["nodes_falsenodeids"][~leaf]])
    if ids.size and (ids.min() < 0 or ids.max() >= 2**31):
        yield "found a link outside 0 to 2**31"
        return
    children = np.concatenate([tree[~leaf], tree[~leaf]]) * 2**31 + ids
    _, first = np.unique(tree, return_index=True)
    others = np.ones(len(keys), dtype=bool)
    others[first] = False
    ordered, below = np.sort(keys), np.sort(children)
    if (ordered[1:] == ordered[:-1]).any():
        yield "found two nodes of the same number in one tree"
    elif (below[1:] == below[:-1]).any() or not _all_among(below, np.sort(keys[others])):
        yield "found links that are missing, shared or form a loop, allowed is a tree"


def _all_among(values: NDArray[np.int64], ordered: NDArray[np.int64]) -> bool:
    """Search sorted keys: numpy's set functions hash, and these keys collide there."""
    if not len(ordered):
        return not len(values)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return bool((ordered[place] == values).all())


def _leaf_faults(attributes: dict[str, Any], keys: NDArray[np.int64]) -> Iterator[str]:
    kind = "class" if "class_nodeids" in attributes else "target"
    trees = _integers(attributes, f"{kind}_treeids")
    nodes = _integers(attributes, f"{kind}_nodeids")
    outputs = _integers(attributes, f"{kind}_ids")
    weights = _values(attributes, f"{kind}_weights")
    if not len(trees) == len(nodes) == len(outputs) == len(weights):
        yield f"found {kind} lists of unequal length"
        return
    if not _all_among(trees * 2**31 + nodes, np.sort(keys)):
        yield f"found {kind} weights of nodes that do not exist"
    if kind == "target":
        count = attributes["n_targets"].i if "n_targets" in attributes else 1
    else:
        labels = [attributes[name] for name in attributes if name.startswith("classlabels_")]
        count = max((max(len(item.ints), len(item.strings)) for item in labels), default=0)
    if outputs.size and (outputs.min() < 0 or outputs.max() >= max(count, 1)):
        yield f"found {kind} number {int(outputs.max())}, allowed 0 to {max(count, 1) - 1}"
