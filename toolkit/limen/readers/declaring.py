"""Declare the columns of a draft: what files state, what names and values suggest, what to ask."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from limen.errors import UnitError
from limen.readers.guesses import Guess, column_names, guess
from limen.readers.pages import TODO, Page, quoted, shown
from limen.readers.profiles import Profile
from limen.readers.tables import TEXT, Table
from limen.units import parse_unit

__all__ = ["guess_columns", "name_columns", "write_column"]

_ROLES = (
    "parameter | nuisance | observable | likelihood | limit | test | label | uncertainty | weight "
    "| mask | fidelity | origin | id | cost"
)
_UNITS = "'1' for a pure number, else such as GeV, TeV, GeV^2, pb, fb, 1/fb, %"
_QUANTITIES = {
    "likelihood": (
        "log_likelihood | log_likelihood_ratio | minus_2_log_likelihood | chi2 | delta_chi2"
    ),
    "limit": "signal_strength_limit | cross_section_limit",
    "test": "cls | clsb | clb | p_value | r",
    "label": "excluded | outside_region | category",
}
_CONSTRUCTIONS = "CLs | CLs+b | delta_chi2 | credible | likelihood_ratio | none"
_RESULTS = "observed | expected"
_LEVEL = "between 0 and 1, for example 0.95"

# What a hint may say of a column beside what is written apart, in the order of the schema.
_FURTHER = (
    "symbol",
    "description",
    "group",
    "dtype",
    "range",
    "scale",
    "valid",
    "derived",
    "of",
    "kind",
    "side",
    "analysis",
    "source",
    "reference",
)
_REFERENCES = ("valid", "of")


def hint(tables: Sequence[Table], column: str) -> dict[str, Any]:
    """Merge what the files state of a column; the first file that says something counts."""
    merged: dict[str, Any] = {}
    for table in reversed(tables):
        merged |= table.hints.get(column, {})
    return merged


def guess_columns(tables: Sequence[Table], profiles: Mapping[str, Profile]) -> dict[str, Guess]:
    """
    Say of every column what it may be; what a file states goes before what is guessed.

    Parameters
    ----------
    tables : sequence of Table
    profiles : mapping of str to Profile

    Returns
    -------
    dict of str to Guess
    """
    guesses: dict[str, Guess] = {}
    masks: dict[str, list[str]] = {}
    unknown = any(table.preview is not None for table in tables)
    for column, profile in profiles.items():
        stated, found = hint(tables, column), guess(column, profile)
        if stated.get("role") == "mask" or (stated and unknown):
            found = replace(found, drop="")
        given: dict[str, Any] = {
            key: "" if stated[key] == TODO else stated[key]
            for key in ("role", "quantity", "unit", "side")
            if key in stated
        }
        if "role" in given:
            given.setdefault("quantity", "")
        guesses[column] = replace(found, **given)
        if "valid" in stated and stated["valid"] in profiles:
            masks.setdefault(stated["valid"], []).append(column)
    for mask, columns in masks.items():
        if all(guesses[column].drop for column in columns):
            guesses[mask] = replace(guesses[mask], drop="mask of columns that are not read")
    return guesses


def name_columns(tables: Sequence[Table], kept: Iterable[str]) -> dict[str, str]:
    """Name columns as the files propose, else by their names there, all valid and different."""
    wanted: dict[str, str] = {}
    for column in kept:
        proposed = str(hint(tables, column).get("name", column))
        wanted[column] = column if proposed in wanted.values() else proposed
    made = column_names(wanted.values())
    return {column: made[name] for column, name in wanted.items()}


def write_column(
    page: Page,
    column: str,
    renamed: Mapping[str, str],
    profile: Profile,
    found: Guess,
    tables: Sequence[Table],
) -> None:
    """
    Write the entry of one column.

    Parameters
    ----------
    page : Page
    column : str
        Its name in the files.
    renamed : mapping of str to str
        Names in the scan by names in the files.
    profile : Profile
    found : Guess
    tables : sequence of Table
    """
    name = renamed[column]
    where = f"column {name}"
    stated = hint(tables, column)
    page.add(6, f"# {_seen(profile)}")
    page.add(6, f"- name: {quoted(name)}")
    aliases = stated.get("aliases", [column] if name != column and len(column) <= 300 else [])
    if aliases:
        page.add(8, f"aliases: [{', '.join(map(quoted, aliases))}]")
    label = stated.get("label") or next(
        (t.labels[column] for t in tables if column in t.labels), ""
    )
    if label:
        page.add(8, f"label: {quoted(label[:300])}")
    page.fill(8, "role", found.role, _ROLES, where=where, comment=_origin(stated, "role"))
    if found.role in _QUANTITIES:
        allowed = _QUANTITIES[found.role]
        comment = _origin(stated, "quantity")
        page.fill(8, "quantity", found.quantity, allowed, where=where, comment=comment)
    elif found.quantity:
        page.add(8, f"quantity: {found.quantity}", _origin(stated, "quantity"))
    _write_unit(page, column, found, tables, where)
    if found.role == "uncertainty":
        _write_uncertainty(page, stated, found, where)
    _write_categories(page, stated, profile, found, where)
    _write_statistics(page, stated, found, renamed, where)
    _write_further(page, stated, renamed, where)


def _origin(stated: Mapping[str, Any], key: str) -> str:
    return "as the file states" if key in stated else "guessed; check"


def _write_uncertainty(page: Page, stated: Mapping[str, Any], found: Guess, where: str) -> None:
    """Ask for what an uncertainty must say and the file does not."""
    if "of" not in stated:
        page.ask(8, "of", "the column that it belongs to", where=where)
    if "kind" not in stated:
        page.ask(8, "kind", "stat | syst | theory | surrogate", where=where)
    if "side" not in stated:
        page.fill(8, "side", found.side, "both | up | down", where=where)


def _write_categories(
    page: Page, stated: Mapping[str, Any], profile: Profile, found: Guess, where: str
) -> None:
    if "categories" in stated:
        page.put(8, "categories", stated["categories"], where=where)
    elif profile.dtype == TEXT:
        codes = {str(code): text[:300] or "(empty)" for text, code in profile.codes.items()}
        page.add(
            8,
            "categories: {"
            + ", ".join(f'"{code}": {quoted(text)}' for code, text in codes.items())
            + "}",
        )
    elif found.role == "label":
        page.add(8, "categories:")
        page.ask(10, '"0"', "for example: not excluded", where=where)
        page.ask(10, '"1"', "for example: excluded at 95 % CL", where=where)


def _write_further(
    page: Page, stated: Mapping[str, Any], renamed: Mapping[str, str], where: str
) -> None:
    """Write all else that a file states; a column that is not read is not referred to."""
    for key in _FURTHER:
        if key not in stated:
            continue
        value = stated[key]
        if key in _REFERENCES and value != TODO:
            if value not in renamed:
                continue
            value = renamed[value]
        page.put(8, key, value, where=where)


def _write_unit(page: Page, column: str, found: Guess, tables: Sequence[Table], where: str) -> None:
    stated = next((table.units[column] for table in tables if column in table.units), "")
    try:
        if stated:
            page.add(8, f"unit: {quoted(parse_unit(stated).text)}", "as the file states")
            return
    except UnitError:
        allowed = f"the file states {shown(json.dumps(stated))}, not a unit here; {_UNITS}"
        page.ask(8, "unit", allowed, where=where)
        return
    if found.unit:
        page.add(8, f'unit: "{found.unit}"')
    else:
        page.ask(8, "unit", _UNITS, where=where)


def _write_statistics(
    page: Page, stated: Mapping[str, Any], found: Guess, renamed: Mapping[str, str], where: str
) -> None:
    """Write what is stated of a statistical column, and ask for the rest that it must say."""
    if found.role not in _QUANTITIES:
        return
    given = dict(stated.get("statistics", {}))
    page.add(8, "statistics:", "also: test_statistic, sided, calculator, tool, version, ...")
    for key, guessed, allowed in _needed(found):
        if key not in given:
            page.fill(10, key, guessed, allowed, where=where)
    if found.quantity == "delta_chi2" and "reference" not in given:
        page.add(10, "reference:", "also: value, point")
        page.ask(12, "set", "what it is the best of: scan | box | refined", where=where)
    if found.band is not None and "band" not in given:
        page.add(10, f"band: {found.band}", "guessed; -n must be the stronger exclusion")
    for key, value in given.items():
        page.put(10, key, value, where=where)
    if found.role != "label":
        return
    definition = dict(stated.get("definition", {}))
    if definition.get("column") in renamed:
        definition["column"] = renamed[definition["column"]]
    page.add(8, "definition:", "also: column, comparison, threshold; then it is checked")
    if "text" not in definition:
        page.ask(10, "text", "what makes the label 1, in words", where=where)
    for key, value in definition.items():
        page.put(10, key, value, where=where)


def _needed(found: Guess) -> list[tuple[str, str, str]]:
    """List what the statistics of a role must say: key, guess, allowed values."""
    if found.role == "likelihood":
        normal = "full | constants_dropped | ratio_to_background | ratio_to_best"
        nuisances = "profiled | marginalised | sampled | fixed | none"
        return [("normalisation", "", normal), ("nuisances", "", nuisances)]
    level = [] if found.role == "test" else [("confidence_level", "", _LEVEL)]
    return [("construction", "", _CONSTRUCTIONS), *level, ("result", found.result, _RESULTS)]


def _seen(profile: Profile) -> str:
    """Say in a comment what a column holds."""
    if profile.dtype == TEXT:
        said = [f"text, {len(profile.texts)} different values"]
    elif profile.dtype == bool:
        said = ["true/false"]
    elif profile.low > profile.high:
        said = [f"{profile.dtype}, no finite value"]
    elif profile.low == profile.high:
        said = [f"{profile.dtype}, constant {_number(profile.low)}"]
    else:
        said = [f"{profile.dtype}, {_number(profile.low)} to {_number(profile.high)}"]
    if profile.logarithmic:
        said.append("over many decades: consider 'scale: log'")
    for value, count in profile.sentinels.found:
        said.append(f"{value:g} in {count} rows: does it stand for no value?")
    if profile.infinite:
        said.append(f"{profile.infinite} infinite")
    if profile.missing:
        said.append(f"{profile.missing} missing")
    return "; ".join(said)


def _number(value: float) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{value + 0.0:.6g}"
