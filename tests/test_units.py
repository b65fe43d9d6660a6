"""Units: grammar, compatibility, conversion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen.errors import UnitError
from limen.units import SYMBOLS, convert, parse_quantity, parse_unit


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (1.2, "TeV", "GeV", 1200.0),
        (3.0, "GeV^2", "MeV^2", 3e6),
        (5.0, "fb", "pb", 0.005),
        (139.0, "1/fb", "1/pb", 139000.0),
        (2.0, "pb/GeV", "fb/TeV", 2e6),
        (50.0, "%", "1", 0.5),
        (180.0, "deg", "rad", np.pi),
        (1.0, "GeV*GeV", "GeV^2", 1.0),
        (1.0, "GeV^-1", "1/GeV", 1.0),
    ],
)
def test_convert_gives_the_value_in_the_other_unit(value, source, target, expected):
    assert convert(value, source, target) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    "text", ["", "gev", "GeV/", "/GeV", "GeV**2", "GeV^", "1*", "GeV fb", "2", "GeV^1.5", "x" * 61]
)
def test_parse_unit_refuses_what_is_no_unit(text):
    with pytest.raises(UnitError, match="unit: found"):
        parse_unit(text)


def test_wrong_case_is_answered_with_the_right_one():
    with pytest.raises(UnitError, match="do you mean 'GeV'"):
        parse_unit("GEV")


@pytest.mark.parametrize("pair", [("GeV", "pb"), ("GeV", "1"), ("GeV", "GeV^2"), ("fm", "1/GeV")])
def test_incompatible_units_are_refused(pair):
    with pytest.raises(UnitError, match="allowed"):
        convert(1.0, *pair)


@given(st.sampled_from(sorted(SYMBOLS)), st.floats(-1e6, 1e6))
def test_conversion_there_and_back_is_the_identity(symbol, value):
    same = [s for s in SYMBOLS if parse_unit(s).compatible(parse_unit(symbol))]
    for other in same:
        assert convert(convert(value, symbol, other), other, symbol) == pytest.approx(value)


def test_arrays_are_converted_elementwise():
    np.testing.assert_allclose(convert(np.array([1, 2]), "TeV", "GeV"), [1000.0, 2000.0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.2TeV", (1.2, "TeV")), ("5", (5.0, None)), ("-1.0D2 GeV", (-100.0, "GeV"))],
)
def test_parse_quantity_splits_number_and_unit(text, expected):
    assert parse_quantity(text) == expected


@pytest.mark.parametrize("text", ["TeV", "", "1.2 tev", "1,2"])
def test_parse_quantity_refuses_text(text):
    with pytest.raises(UnitError):
        parse_quantity(text)
