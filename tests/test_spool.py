"""Columns on disk while a scan is packed."""

from __future__ import annotations

import numpy as np

from limen.packing.spool import Spool


def test_a_column_put_after_a_drop_leaves_the_others_alone(tmp_path):
    spool = Spool(tmp_path / "spool")
    columns = {"a": np.array([4, 5]), "m": np.array([0, 1]), "label": np.array([1, 1])}
    spool.fill({name: values.dtype for name, values in columns.items()}, [columns])
    spool.drop("m")
    spool.put("split", np.int64, [np.array([0, 2])])
    assert spool.read("label").tolist() == [1, 1]
    assert spool.read("a").tolist() == [4, 5]
    assert spool.read("split").tolist() == [0, 2]
