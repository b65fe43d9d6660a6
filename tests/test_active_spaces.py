"""Spaces: ranges, scales, priors, discrete values and constraints, and what is wrong with them."""

from __future__ import annotations

import json
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.active.priors import from_quantiles, prior_faults
from limen.active.spaces import Space
from limen.errors import DataError, ShapeError

SPACE = {
    "m": {"range": [100.0, 1000.0], "unit": "GeV"},
    "g": {"range": [1e-4, 1.0], "scale": "log"},
    "n": {"values": [3, 1, 2]},
    "t": {"range": [0.0, 50.0], "prior": ["normal", 10.0, 5.0]},
    "c": {"values": [0.01, 0.1, 1.0], "scale": "log"},
}
QUICK = settings(max_examples=50, deadline=None, derandomize=True)


@st.composite
def spaces(draw):
    """Make spaces of up to four parameters of all kinds."""
    made = {}
    for i in range(draw(st.integers(1, 4))):
        log = draw(st.booleans())
        low = draw(st.floats(1e-6, 1e3) if log else st.floats(-1e4, 1e4))
        high = low * draw(st.floats(1.5, 1e4)) if log else low + draw(st.floats(1e-3, 1e4))
        entry = {"range": [low, high], "scale": "log" if log else "linear"}
        kind = draw(st.sampled_from(["usual", "uniform", "normal", "values"]))
        if kind == "uniform":
            entry["prior"] = "uniform"
        elif kind == "normal":
            width = high - low
            entry["prior"] = ["normal", low + width * draw(st.floats(0, 1)), width / 3]
        elif kind == "values":
            shares = draw(st.lists(st.floats(0, 1), min_size=1, max_size=5))
            entry["values"] = [min(low + share * (high - low), high) for share in shares]
        made[f"p{i}"] = entry
    return Space.from_mapping(made)


@QUICK
@given(space=spaces(), seed=st.integers(0, 99))
def test_unit_coordinates_and_back_are_the_same_point(space, seed):
    u = space.draw(20, np.random.default_rng(seed))
    assert u.shape == (20, space.d)
    assert ((u >= 0) & (u <= 1)).all()
    x = space.to_physical(u)
    assert space.to_physical(space.to_unit(x)) == pytest.approx(x, rel=1e-12, abs=1e-9)
    assert space.snap(u) == pytest.approx(space.to_unit(x), abs=1e-9)
    for i, item in enumerate(space.parameters):
        assert ((x[:, i] >= item.low) & (x[:, i] <= item.high)).all()
        if item.values:
            assert set(x[:, i]) <= set(item.values)


@QUICK
@given(space=spaces())
def test_a_space_goes_through_json(space):
    again = Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again.parameters == space.parameters
    assert again.to_dict() == space.to_dict()


@QUICK
@given(parts=st.lists(st.integers(1, 700), min_size=1, max_size=4), seed=st.integers(0, 5))
def test_a_sobol_sequence_does_not_depend_on_how_it_is_asked(parts, seed):
    space = Space.from_mapping(SPACE, ["m < 1000 * g + 500"])
    whole = space.sobol(sum(parts), seed)
    starts = np.cumsum([0, *parts[:-1]])
    found = [space.sobol(n, seed, int(at)) for n, at in zip(parts, starts, strict=True)]
    assert np.array_equal(np.vstack(found), whole)


@pytest.mark.parametrize("draw", ["draw", "sobol"])
def test_what_is_drawn_follows_the_prior(draw):
    space = Space.from_mapping(SPACE)
    u = space.draw(8000, np.random.default_rng(1)) if draw == "draw" else space.sobol(8000, 1)
    x = dict(zip(space.names, space.to_physical(u).T, strict=True))
    assert np.mean(x["m"]) == pytest.approx(550, rel=0.02)
    # Uniform along a log scale, by default.
    assert np.mean(np.log10(x["g"])) == pytest.approx(-2, abs=0.05)
    assert [np.mean(x["n"] == k) for k in (1, 2, 3)] == pytest.approx([1 / 3] * 3, abs=0.02)
    below = NormalDist(10, 5)
    cut = np.mean([below.inv_cdf(p) for p in np.linspace(below.cdf(0), below.cdf(50), 999)[1:-1]])
    assert np.mean(x["t"]) == pytest.approx(cut, rel=0.02)
    assert set(x["c"]) == {0.01, 0.1, 1.0}


def test_a_uniform_prior_on_a_log_scale_is_uniform_in_the_parameter():
    told = {"g": {"range": [1e-4, 1.0], "scale": "log", "prior": "uniform"}}
    x = Space.from_mapping(told).to_physical(Space.from_mapping(told).sobol(4096, 0))
    assert np.mean(x) == pytest.approx(0.5, abs=0.01)


def test_constraints_hold_in_physical_units():
    told = {"m_n1": {"range": [0, 1000], "unit": "GeV"}, "m_n2": {"range": [0, 1000]}}
    space = Space.from_mapping(told, ["m_n1 < m_n2", "m_n2 - m_n1 > 100"])
    x = space.to_physical(space.sobol(500, 0))
    assert (x[:, 1] - x[:, 0] > 100).all()
    u = space.to_unit([[0, 50.0], [0, 500.0], [500.0, 0]])
    assert list(space.admissible(u)) == [False, True, False]


@pytest.mark.parametrize("constraint", ["a > 2", "a > b and b > a", "a * b > 0.99999999"])
def test_constraints_that_leave_nothing_are_refused(constraint):
    texts = constraint.split(" and ")
    space = Space.from_mapping({"a": [0, 1], "b": [0, 1]}, texts)
    message = r"constraints .*: \d+ of \d+ points of the prior meet them"
    with pytest.raises(DataError, match=message):
        space.draw(5, np.random.default_rng(0))
    with pytest.raises(DataError, match="correct the constraints or narrow the ranges"):
        space.sobol(5, 0)


@pytest.mark.parametrize(
    ("space", "pointer", "message"),
    [
        ({"a": [1, 0]}, "/a/range", "allowed [low, high] with low below high"),
        ({"a": [1, 1]}, "/a/range", "low below high"),
        ({"a": [0, 1, 2]}, "/a/range", "low below high"),
        ({"a": []}, "/a/range", "low below high"),
        ({"a": 3}, "/a/range", "found 3, allowed numbers"),
        ({"a": "x"}, "/a/range", "allowed numbers"),
        ({"a": None}, "/a/range", "allowed numbers"),
        ({"a": [0, math.inf]}, "/a/range", "allowed finite numbers"),
        ({"a": [0, math.nan]}, "/a/range", "allowed finite numbers"),
        ({"a": [False, True]}, "/a/range", "allowed numbers"),
        ({"a": {}}, "/a/range", "found None, allowed numbers"),
        ({"a": {"range": [0, 1], "scale": "log"}}, "/a/range", "with scale log"),
        ({"a": {"range": [0, 1], "scale": "cubic"}}, "/a/scale", "allowed linear or log"),
        ({"a": {"range": [0, 1], "unit": "GeVV"}}, "/a/unit", "GeVV"),
        ({"a": {"range": [0, 1], "unit": 3}}, "/a/unit", "allowed a text"),
        ({"a": {"range": [0, 1], "prior": "flat"}}, "/a/prior", "allowed uniform"),
        ({"a": {"range": [0, 1], "prior": "log-uniform"}}, "/a/prior", "above 0 only"),
        ({"a": {"range": [0, 1], "prior": ["normal", 0.5]}}, "/a/prior", "[normal, mean"),
        ({"a": {"range": [0, 1], "prior": ["normal", 9, 1]}}, "/a/prior", "5 standard dev"),
        ({"a": {"range": [0, 1], "prior": ["normal", 0.5, 0]}}, "/a/prior", "[normal, mean"),
        ({"a": {"values": [1]}}, "/a/range", "low below high"),
        ({"a": {"values": [1, 9], "range": [0, 5]}}, "/a/values", "found 9 outside the range"),
        ({"a": {"range": [0, 1], "rnage": 1}}, "/a", "found 'rnage', allowed"),
        ({"a b": [0, 1]}, "/a b", "allowed are a letter"),
        ({"_a": [0, 1]}, "/_a", "allowed are a letter"),
        ({3: [0, 1]}, "/3", "allowed are a letter"),
    ],
    ids=lambda x: str(x) if isinstance(x, dict) else None,
)
def test_a_bad_parameter_is_a_fault_at_its_place(space, pointer, message):
    with pytest.raises(DataError) as caught:
        Space.from_mapping(space)
    (fault,) = caught.value.faults
    assert fault.pointer == pointer
    assert message in fault.message


def test_all_faults_of_a_space_come_in_one_answer():
    with pytest.raises(DataError) as caught:
        Space.from_mapping(
            {"a": [1, 0], "b": {"range": [0, 1], "unit": "x"}}, ["a <", "c > 0", "import os"]
        )
    pointers = [fault.pointer for fault in caught.value.faults]
    assert pointers == ["/a/range", "/b/unit", "/constraints/0", "/constraints/1", "/constraints/2"]


@pytest.mark.parametrize(
    "space", [{}, None, [("a", [0, 1])], {f"p{i}": [0, 1] for i in range(1001)}]
)
def test_a_space_of_no_or_too_many_parameters_is_refused(space):
    with pytest.raises(DataError, match="allowed 1 to 1000 named parameters"):
        Space.from_mapping(space)


def test_points_of_another_dimension_are_refused():
    with pytest.raises(ShapeError, match=r"found shape \(3, 2\), allowed \(n, 5\)"):
        Space.from_mapping(SPACE).to_physical(np.zeros((3, 2)))


@pytest.mark.parametrize("prior", ["uniform", "log-uniform", ("normal", 0.2, 0.5)], ids=str)
def test_quantiles_rise_and_end_at_the_range(prior):
    x = from_quantiles(np.linspace(0, 1, 101), 0.01, 1.0, prior)
    assert (np.diff(x) > 0).all()
    assert (x[0], x[-1]) == pytest.approx((0.01, 1.0), abs=1e-3)
    assert not prior_faults(prior, 0.01, 1.0)
