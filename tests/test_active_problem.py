"""Outputs and histories: scales, errors, thresholds, and what is wrong with a description."""

from __future__ import annotations

import math

import numpy as np
import pytest

from limen.active.outputs import outputs_from_mapping
from limen.active.problem import History
from limen.errors import DataError, ShapeError


def test_a_log_output_is_modelled_by_its_logarithm():
    (output,) = outputs_from_mapping({"mu": {"threshold": [10, 1], "scale": "log"}})
    assert output.thresholds == (1.0, 10.0)
    assert output.levels == pytest.approx([0, 1])
    assert output.to_model([100.0, 0.0, -1.0])[0] == 2.0
    assert np.isnan(output.to_model([0.0, -1.0])).all()
    assert output.from_model([2.0, 400.0]) == pytest.approx([100.0, np.inf])
    # 1 % of the value, whatever it is.
    assert output.error_to_model([5.0, 500.0], [0.05, 5.0]) == pytest.approx(
        [0.01 / math.log(10)] * 2
    )


@pytest.mark.parametrize(("top", "width"), [(-10.0, 5.0), (48.0, -10.0)])
def test_a_likelihood_with_a_long_tail_is_modelled_by_the_logarithm_of_its_deficit(top, width):
    told = {"threshold": top - width, "scale": "log_deficit", "top": top, "width": width}
    (output,) = outputs_from_mapping({"y": told})
    side = np.sign(width)
    assert output.levels == pytest.approx([-side * math.log(2)])
    y = top - width * np.array([2000.0, 1.0, 0.0])
    assert (np.diff(side * output.to_model(y)) > 0).all()
    assert output.from_model(output.to_model(y)) == pytest.approx(y)
    step = output.to_model(y + 1e-3) - output.to_model(y)
    assert np.abs(step) == pytest.approx(output.error_to_model(y, np.full(3, 1e-3)), rel=1e-3)
    assert outputs_from_mapping({"y": output.to_dict()}) == (output,)


def test_outputs_go_through_plain_data():
    told = {"y": {"threshold": [0.05], "unit": "fb", "censored": "below", "label": "limit"}}
    (output,) = outputs_from_mapping(told)
    assert outputs_from_mapping({"y": output.to_dict()}) == (output,)
    assert outputs_from_mapping({"y": None})[0].thresholds == ()


@pytest.mark.parametrize(
    ("outputs", "pointer", "message"),
    [
        ({"y": 3}, "/y", "allowed a mapping such as {threshold: 0.05}"),
        ({"y z": {}}, "/y z", "allowed are a letter"),
        ({"y": {"threshold": "x"}}, "/y/threshold", "allowed finite numbers"),
        ({"y": {"threshold": math.nan}}, "/y/threshold", "allowed finite numbers"),
        ({"y": {"threshold": True}}, "/y/threshold", "allowed finite numbers"),
        ({"y": {"threshold": 0, "scale": "log"}}, "/y/threshold", "allowed numbers above 0"),
        ({"y": {"scale": "loq"}}, "/y/scale", "allowed linear or log or log_deficit"),
        ({"y": {"scale": "log_deficit", "top": 1}}, "/y", "found no width"),
        ({"y": {"scale": "log_deficit", "top": 1, "width": 0}}, "/y/width", "other than 0"),
        ({"y": {"scale": "log_deficit", "top": "x", "width": 1}}, "/y/top", "a finite number"),
        ({"y": {"width": 1}}, "/y/width", "goes with scale log_deficit only"),
        ({"y": {"censored": "left"}}, "/y/censored", "allowed above or below"),
        ({"y": {"unit": "barn"}}, "/y/unit", "barn"),
        ({"y": {"treshold": 1}}, "/y", "found treshold, allowed censored"),
    ],
    ids=str,
)
def test_a_bad_output_is_a_fault_at_its_place(outputs, pointer, message):
    with pytest.raises(DataError) as caught:
        outputs_from_mapping(outputs)
    (fault,) = caught.value.faults
    assert fault.pointer == pointer
    assert message in fault.message


def test_known_rows_are_real_and_have_a_value():
    nan = np.nan
    history = History.of(
        np.zeros((6, 1)),
        [[1.0, nan], [nan, nan], [1.0, 1.0], [nan, nan], [2.0, 2.0], [3.0, 3.0]],
        status=np.array([0, 0, 1, 2, 3, 0], np.int8),
        fidelity=np.array([0, 0, 0, 0, 0, 1], np.int8),
        warm=2,
    )
    assert list(history.known) == [True, False, False, False, True, False]
    kept = history.rows(history.known)
    assert (len(kept.points), kept.warm) == (2, 1)


def test_a_history_of_uneven_columns_is_refused():
    with pytest.raises(ShapeError, match="columns of different length beside 2 points"):
        History.of([[0.0], [1.0]], [1.0, 2.0], status=np.zeros(3, np.int8))
