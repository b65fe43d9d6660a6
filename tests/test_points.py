"""The door for points: by name, in the right unit, with all faults in one answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray

from limen.errors import ColumnError, ShapeError, UsageError
from limen.manifest import Column
from limen.prediction.points import is_identifier, read_points

M1 = Column("M1", "parameter", "GeV", aliases=("bino mass", "mass"))
MU = Column("mu", "parameter", "GeV", aliases=("mass",))
TB = Column("tan_beta", "parameter", "1")
OTHER = Column("m_h", "observable", "GeV", aliases=("Higgs mass",))
KNOWN = {column.name: column for column in (M1, MU, TB, OTHER)}
INPUTS = (M1, MU, TB)
GIVEN = {"M1": [100.0, 200.0], "mu": [-1.0, 2.0], "tan_beta": [5.0, 50.0]}
EXPECTED = [[100.0, -1.0, 5.0], [200.0, 2.0, 50.0]]


def read(points, **more):
    return read_points(points, INPUTS, KNOWN, **more)


def with_units():
    dataset = xarray.Dataset({name: ("point", values) for name, values in GIVEN.items()})
    dataset["M1"] = dataset["M1"] / 1000
    dataset["M1"].attrs["units"] = "TeV"
    dataset["tan_beta"].attrs["units"] = 1
    return dataset


FORMS = {
    "mapping": GIVEN,
    "reordered": dict(reversed(GIVEN.items())),
    "DataFrame": pd.DataFrame(GIVEN),
    "DataFrame of objects": pd.DataFrame(GIVEN).astype(object),
    "DataFrame of nullable floats": pd.DataFrame(GIVEN).astype("Float64"),
    "Dataset": xarray.Dataset({name: ("point", values) for name, values in GIVEN.items()}),
    "structured array": np.rec.fromarrays(list(GIVEN.values()), names=list(GIVEN)),
    "text": {name: [str(value) for value in values] for name, values in GIVEN.items()},
    "mixed cells": GIVEN | {"M1": [100.0, "2e2"]},
    "integers": GIVEN | {"M1": np.array([100, 200], dtype=np.uint16)},
    "alias": {"bino mass": GIVEN["M1"], "mu": GIVEN["mu"], "tan_beta": GIVEN["tan_beta"]},
    "units of a Dataset": with_units(),
    "unit in a tuple": GIVEN | {"M1": ([0.1, 0.2], "TeV")},
    "unit in a mapping": GIVEN | {"M1": {"value": [0.1, 0.2], "unit": "TeV"}},
    "no unit in a mapping": GIVEN | {"M1": {"value": [100.0, 200.0]}},
    "units of single values": GIVEN | {"M1": [{"value": 0.1, "unit": "TeV"}, 200.0]},
    "unit in the name": {"M1 [TeV]": [0.1, 0.2], "mu": [-1.0, 2.0], "tan_beta": [5.0, 50.0]},
    "unit in an alias": {"bino mass [MeV]": ["1e5", "2e5"]}
    | {k: GIVEN[k] for k in ("mu", "tan_beta")},
    "the column's own unit": GIVEN | {"M1 [GeV]": GIVEN["M1"]} | {"M1": None},
}
FORMS["the column's own unit"].pop("M1")


@pytest.mark.parametrize("points", FORMS.values(), ids=FORMS)
def test_every_way_to_give_points_gives_the_same_numbers(points):
    found = read(points)
    assert np.allclose(found.X, EXPECTED, rtol=1e-15)
    assert found.faults == {}


@pytest.mark.parametrize("form", ["units of a Dataset", "unit in a tuple", "unit in the name"])
def test_a_conversion_is_reported(form):
    assert "M1: converted from TeV to GeV" in read(FORMS[form]).notes


def test_a_unit_that_is_the_columns_own_is_no_conversion():
    assert read(FORMS["the column's own unit"]).notes == []


@pytest.mark.parametrize(
    "points",
    [np.array(EXPECTED), EXPECTED, [1.0, 2.0], 3.0, "M1"],
    ids=["array", "list", "row", "number", "text"],
)
def test_points_without_names_are_refused(points):
    with pytest.raises(UsageError, match="columns go by name, never by position"):
        read(points)


def test_missing_columns_are_one_error_for_the_whole_call():
    with pytest.raises(
        ColumnError, match=r"missing M1, tan_beta; the model needs M1 \[GeV\], mu \[GeV\], tan_beta"
    ):
        read({"mu": [1.0]})


def test_unknown_columns_are_refused_with_the_nearest_name():
    with pytest.raises(ColumnError) as caught:
        read(GIVEN | {"tan_bta": [1.0, 1.0], "higgs mass": [125.0, 125.0], "zzz": [0.0, 0.0]})
    text = str(caught.value)
    assert "'tan_bta' (nearest: tan_beta)" in text
    assert "'higgs mass' (nearest: Higgs mass)" in text
    assert "'zzz'," not in text.split("nearest: Higgs mass")[0]
    assert "--ignore-extra" in text


def test_unknown_columns_pass_where_that_is_asked_for():
    found = read(GIVEN | {"zzz": ["a", "b"]}, ignore_extra=True)
    assert np.allclose(found.X, EXPECTED)
    assert found.notes == ["passed through: zzz"]


def test_known_columns_that_are_not_needed_and_ids_pass():
    found = read(GIVEN | {"m_h": ["?", "?"], "id": [1, 2], "file": ["a", "b"]})
    assert found.faults == {}
    assert found.notes == ["passed through: id, file"]


@pytest.mark.parametrize(
    ("name", "answer"),
    [("id", True), ("run_id", True), ("Unnamed: 0", True), ("width", False), ("identity", False)],
)
def test_identifiers_are_told_by_their_name(name, answer):
    assert is_identifier(name) is answer


def test_an_alias_of_two_columns_is_refused():
    with pytest.raises(ColumnError, match="'mass' may be M1 or mu; use its name"):
        read({"mass": [1.0], "tan_beta": [2.0]})


@pytest.mark.parametrize(
    "points",
    [
        GIVEN | {"bino mass": [1.0, 2.0]},
        GIVEN | {"M1 [TeV]": [1.0, 2.0]},
        pd.concat([pd.DataFrame(GIVEN), pd.DataFrame({"M1": [1.0, 2.0]})], axis=1),
    ],
    ids=["by its alias", "with a unit", "DataFrame"],
)
def test_a_column_given_twice_is_refused(points):
    with pytest.raises(ColumnError, match="M1 is given twice"):
        read(points)


def test_two_units_for_one_column_are_refused():
    points = {"M1 [TeV]": ([0.1], "GeV"), "mu": [1.0], "tan_beta": [1.0]}
    with pytest.raises(ColumnError, match=r"'M1 \[TeV\]' comes with the unit 'GeV'"):
        read(points)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([1.0, 2.0, 3.0], r"differ in length \(M1: 3, mu: 2, tan_beta: 2\)"),
        ([1.0], r"differ in length \(M1: 1"),
        ([[1.0, 2.0]], "M1: found 2 dimensions"),
        ([[1.0], [1.0, 2.0]], "M1: found rows of different length"),
    ],
    ids=["longer", "of length one", "matrix", "ragged"],
)
def test_columns_of_other_shapes_are_refused(values, match):
    with pytest.raises(ShapeError, match=match):
        read(GIVEN | {"M1": values})


@pytest.mark.parametrize(
    "values",
    [[True, False], np.array([1, 2], dtype="m8[s]"), np.array([1j, 2])],
    ids=["true", "durations", "complex"],
)
def test_columns_of_no_numbers_are_refused(values):
    with pytest.raises(ColumnError, match=r"M1: found values of type .*, allowed numbers"):
        read(GIVEN | {"M1": values})


def test_single_values_stand_for_all_points():
    found = read({"M1": [1.0, 2.0, 3.0], "mu": "7", "tan_beta": (0.5, "1")})
    assert found.X.tolist() == [[1.0, 7.0, 0.5], [2.0, 7.0, 0.5], [3.0, 7.0, 0.5]]


def test_a_single_value_that_is_no_number_is_a_fault_of_all_rows():
    found = read(GIVEN | {"mu": "heavy"})
    assert found.faults == {row: ["mu: found 'heavy', allowed a number"] for row in (0, 1)}
    assert np.isnan(found.X[:, 1]).all()


CELLS = [
    "nan",
    "inf",
    "-Infinity",
    "1e999",
    "",
    " ",
    "1,5",
    "0x10",
    "1_0",
    "٣x",
    None,
    pd.NA,
    pd.NaT,
    True,
    [1],
]


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_a_cell_that_is_no_finite_number_is_a_fault_of_its_row_only(cell):
    values = np.empty(2, dtype=object)
    values[:] = [100.0, cell]
    found = read(GIVEN | {"M1": values})
    assert list(found.faults) == [1]
    assert len(found.faults[1]) == 1
    assert np.isnan(found.X[1, 0]) or np.isinf(found.X[1, 0])
    assert found.X[0].tolist() == EXPECTED[0]


def test_a_long_cell_is_cut_in_the_fault():
    fault = read(GIVEN | {"M1": ["x" * 500, "1"]}).faults[0][0]
    assert len(fault) < 100


@pytest.mark.parametrize("unit", ["pb", "gev", "", "GeV^2", "1"])
def test_a_unit_that_does_not_fit_is_a_fault_of_every_row(unit):
    found = read(GIVEN | {"M1": ([100.0, 200.0], unit)})
    assert sorted(found.faults) == [0, 1]
    assert found.faults[0][0].startswith("M1: unit: found")
    assert np.isnan(found.X[:, 0]).all()
    assert found.notes == []


def test_units_of_single_values_are_reported_and_faults_stay_in_their_rows():
    cells = [{"value": 0.1, "unit": "TeV"}, {"value": 1.0, "unit": "fb"}, {"unit": "GeV"}]
    read_in = read({"M1": cells, "mu": 1.0, "tan_beta": 5.0})
    assert read_in.notes == ["M1: converted from TeV to GeV"]
    assert sorted(read_in.faults) == [1, 2]
    assert "'fb'" in read_in.faults[1][0]
    assert read_in.faults[2] == ["M1: found no value, allowed a number"]


def test_names_that_are_missing_or_unknown_are_facts_of_the_error():
    with pytest.raises(ColumnError) as caught:
        read({"M1": 1.0, "nu": 1.0, "tan_beta": 5.0})
    assert list(caught.value.faults) == [("mu", "missing"), ("nu", "unknown, nearest: mu")]
