"""Named tensors of the Open Inference Protocol: read strictly into columns, written from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limen import units
from limen.errors import UnitError
from limen.manifest import Column
from limen.prediction.rows import Row
from limen.prediction.verdict import NUMBERS
from limen.schema.wording import nearest, pointer, quoted
from limen_app.limits import Limits
from limen_app.rest.fields import MOST_FAULTS, Place, fields_of
from limen_app.rest.problems import Detail, Problem

__all__ = ["DATATYPES", "OUTPUTS", "Asked", "columns_of", "output_unit", "outputs_of", "read_asked"]

OUTPUTS: dict[str, str] = {"verdict": "BYTES", **dict.fromkeys(NUMBERS, "FP64"), "reasons": "BYTES"}
"""Data types of the outputs of every model, by name."""

DATATYPES: dict[str, int | None] = {"FP64": None, "FP32": None, "INT64": 63, "INT32": 31}
"""Data types that inputs may have; of integers the bits beside the sign."""

_LONGEST = 200
_LONGEST_UNIT = 60
_NEEDED = ("name", "shape", "datatype", "data")
_INPUT = {"name": str, "shape": list, "datatype": str, "data": list, "parameters": dict}
# Hints of clients that change nothing: answers are JSON, and inputs are named columns of numbers.
_HINTS = {"content_type": str, "binary_data": bool, "binary_data_output": bool}
_TOP = {"id": str, "model_name": str, "inputs": list, "outputs": list, "parameters": dict}


@dataclass(frozen=True, slots=True)
class Asked:
    """
    An inference request, its tensors not looked at yet.

    Attributes
    ----------
    inputs : list of dict
    outputs : tuple of str
        Names of the outputs that are wanted, in order.
    id : str or None
        Comes back with the answer.
    """

    inputs: list[Any]
    outputs: tuple[str, ...]
    id: str | None = None


def read_asked(document: Mapping[str, Any], model: str) -> Asked:
    """
    Read the fields of a request.

    Parameters
    ----------
    document : mapping
        The body; optional fields may be null.
    model : str
        Name of the model in the address.

    Raises
    ------
    Problem
        422 for unknown, missing or wrong fields, and outputs that no model has.
    """
    faults: list[Detail] = []
    given = fields_of(document, _TOP, ("inputs",), (), faults)
    fields_of(given.get("parameters", {}), _HINTS, (), ("parameters",), faults)
    if given.get("model_name", model) != model:
        found = f"found {quoted(given['model_name'])}, allowed {model!r} as in the address"
        faults.append(Detail("/model_name", found))
    if len(given.get("id", "")) > _LONGEST:
        found = f"found {len(given['id']):,} characters, allowed {_LONGEST}"
        faults.append(Detail("/id", found))
    wanted = _outputs(given.get("outputs", []), faults)
    if faults:
        raise Problem.of_faults(422, faults)
    return Asked(given["inputs"], wanted or tuple(OUTPUTS), given.get("id"))


def _outputs(listed: list[Any], faults: list[Detail]) -> tuple[str, ...]:
    names: list[str] = []
    for number, entry in enumerate(listed[: len(OUTPUTS) + 1]):
        place: Place = ("outputs", number)
        given = fields_of(entry, {"name": str, "parameters": dict}, ("name",), place, faults)
        fields_of(given.get("parameters", {}), _HINTS, (), (*place, "parameters"), faults)
        name = given.get("name")
        if name in names:
            faults.append(Detail(pointer([*place, "name"]), f"{name!r} is asked for twice"))
        elif name is not None and name not in OUTPUTS:
            hint = nearest(name, OUTPUTS) or f"allowed are {', '.join(OUTPUTS)}"
            found = f"found {quoted(name)}, {hint.rstrip()}"
            faults.append(Detail(pointer([*place, "name"]), found))
        elif name is not None:
            names.append(name)
    return tuple(names)


def columns_of(
    tensors: Sequence[Any], inputs: Sequence[Column], limits: Limits
) -> dict[str, tuple[list[Any], str]]:
    """
    Turn named tensors into columns by name.

    Parameters
    ----------
    tensors : sequence of dict
        One for each input, of shape (n,) or (n, 1), in any order.
    inputs : sequence of Column
        What the model needs.
    limits : Limits

    Returns
    -------
    dict of str to (list, str)
        n numbers, None for what is not there, and their unit: what
        `limen.prediction.Predictor` takes.

    Raises
    ------
    Problem
        422 with a pointer to each tensor that is unknown, missing, given twice or wrong; 413 for
        too many points.
    """
    if len(tensors) > len(inputs) + MOST_FAULTS:
        found = f"found {len(tensors):,} tensors; {_needs(inputs)}"
        raise Problem.of_faults(422, [Detail("/inputs", found)])
    faults: list[Detail] = []
    known = {column.name: column for column in inputs}
    found_at = _by_name(tensors, known, faults)
    columns = {
        name: _column(given, known[name], place, faults, limits)
        for name, (place, given) in found_at.items()
        if name in known and set(_NEEDED) <= set(given)
    }
    if not any(_is_table(given) for name, (_, given) in found_at.items() if name not in known):
        missing = [column for column in inputs if column.name not in found_at]
        faults += [Detail("/inputs", f"missing input {_named(column)}") for column in missing]
    lengths = {name: len(values) for name, (values, _) in columns.items()}
    if len(set(lengths.values())) > 1 and not faults:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        faults.append(Detail("/inputs", f"found lengths {told}; give one value per point"))
    if faults:
        raise Problem.of_faults(422, faults)
    return columns


def _by_name(
    tensors: Sequence[Any], known: Mapping[str, Column], faults: list[Detail]
) -> dict[str, tuple[Place, dict[str, Any]]]:
    """Give place and fields of each tensor; the first one where a name stands twice."""
    found_at: dict[str, tuple[Place, dict[str, Any]]] = {}
    for number, tensor in enumerate(tensors):
        place: Place = ("inputs", number)
        given = fields_of(tensor, _INPUT, _NEEDED, place, faults)
        name = given.get("name")
        if name is None:
            continue
        if name in found_at:
            first = pointer(found_at[name][0])
            found = f"{quoted(name)} is given twice, first in {first}; leave one of the two out"
            faults.append(Detail(pointer([*place, "name"]), found))
            continue
        found_at[name] = place, given
        if name not in known:
            table = _is_table(given)
            what = " of many columns, which go by name, never by position" if table else ""
            hint = "" if table else nearest(name, known)
            found = f"unknown input {quoted(name)}{what}; {hint}{_needs([*known.values()])}"
            faults.append(Detail(pointer([*place, "name"]), found))
    return found_at


def _is_table(given: Mapping[str, Any]) -> bool:
    """Tell whether a tensor seems to hold all parameters at once."""
    return len(given.get("shape", ())) > 1 and given["shape"][1:] != [1]


def _named(column: Column) -> str:
    return repr(column.name) if column.unit == "1" else f"{column.name!r} [{column.unit}]"


def _needs(inputs: Sequence[Column]) -> str:
    named = ", ".join(_named(column) for column in inputs)
    return f"give each of {named} as a tensor of shape [n] or [n, 1]"


def _column(
    given: Mapping[str, Any],
    column: Column,
    place: Place,
    faults: list[Detail],
    limits: Limits,
) -> tuple[list[Any], str]:
    """Read one tensor; its name comes with each of its faults."""

    def fault(found: str, *where: str | int) -> None:
        faults.append(Detail(pointer([*place, *where]), f"input {column.name!r}: {found}"))

    values, shape, kind = given["data"], given["shape"], given["datatype"]
    if kind not in DATATYPES:
        fault(f"found {quoted(kind)}, allowed {', '.join(DATATYPES)}", "datatype")
    n = _length(shape)
    if n is None:
        fault(f"found {str(shape[:5])[:60]}, allowed [n] or [n, 1] with n at least 1", "shape")
        return [], column.unit
    if n > limits.rows:
        found = f"input {column.name!r}: found {n:,} points, allowed {limits.rows:,} in one request"
        raise Problem(413, f"{found}; send parts")
    if len(shape) == 2 and all(type(row) is list and len(row) == 1 for row in values):
        values = [row[0] for row in values]
    if len(values) != n:
        fault(f"found {len(values):,} values, allowed {n:,} as the shape says", "data")
    elif kind in DATATYPES:
        for row, found in _wrong(values, DATATYPES[kind]):
            fault(found, "data", row)
    parameters = given.get("parameters", {})
    here = fields_of(parameters, {"unit": str} | _HINTS, (), (*place, "parameters"), faults)
    unit = here.get("unit", column.unit).strip()
    try:
        if len(unit) > _LONGEST_UNIT:
            raise UnitError(f"found {len(unit):,} characters, allowed {_LONGEST_UNIT}")
        units.convert(np.zeros(1), unit, column.unit)
    except UnitError as error:
        fault(str(error), "parameters", "unit")
    return values, unit


def _length(shape: Sequence[Any]) -> int | None:
    """Give n of a shape [n] or [n, 1]; to JSON 3.0 is a whole number."""
    whole = all(type(size) in (int, float) and size == int(size) for size in shape)
    if not whole or len(shape) not in (1, 2) or shape[1:] not in ([], [1]) or shape[0] < 1:
        return None
    return int(shape[0])


def _wrong(values: Sequence[Any], bits: int | None) -> list[tuple[int, str]]:
    """Say which values are no numbers of their data type, or not exactly numbers of FP64."""
    found: list[tuple[int, str]] = []
    if bits is None and set(map(type, values)) <= {float, int}:
        return found
    for row, value in enumerate(values):
        if len(found) >= MOST_FAULTS:
            break
        if value is None:
            continue
        if type(value) not in (float, int):
            found.append((row, f"found {quoted(value)}, allowed a number or null"))
        elif bits is not None and not -(2**bits) <= value < 2**bits:
            found.append((row, f"found {quoted(value)}, allowed an integer of {bits + 1} bits"))
        elif bits is not None and (value != int(value) or float(value) != value):
            found.append(
                (row, f"found {quoted(value)}, allowed an integer that FP64 holds exactly")
            )
    return found


def outputs_of(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    """
    Write rows of verdicts as tensors.

    Parameters
    ----------
    rows : sequence of dict
        Of `limen.prediction.verdict_rows`.
    names : sequence of str
        Some of ``OUTPUTS``.

    Returns
    -------
    list of dict
        Tensors of shape (n,) in the order of the names; a number that is not given is None, so
        that the tensor stays JSON, which has no NaN.
    """
    found = []
    for name in names:
        values = [row[name] for row in rows]
        tensor: dict[str, Any] = {"name": name, "datatype": OUTPUTS[name], "shape": [len(rows)]}
        if name == "reasons":
            values = ["; ".join(reasons) for reasons in values]
        elif OUTPUTS[name] == "FP64":
            tensor["parameters"] = {"unit": output_unit(name, rows[0]["unit"])}
        found.append(tensor | {"data": values})
    return found


def output_unit(name: str, unit: str) -> str:
    """Give the unit of a number, where that of the target is ``unit``."""
    return unit if name in ("value", "lower", "upper") else "1"
