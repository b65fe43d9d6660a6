"""Draft a scan document from real files: facts filled in, decisions left to a human."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limen.errors import ReadError, UnitError
from limen.readers.agreement import disagreements
from limen.readers.delimited import guess_delimiter
from limen.readers.guesses import Guess, column_names, guess
from limen.readers.options import Selection
from limen.readers.pages import TODO, Page, quoted, shown
from limen.readers.profiles import Profile, profile_tables
from limen.readers.sources import open_tables
from limen.readers.tables import TEXT, Table
from limen.units import parse_unit

__all__ = ["TODO", "draft"]

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


def draft(
    files: Sequence[Path | str],
    *,
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> str:
    """
    Draft the scan document of some files.

    Parameters
    ----------
    files : sequence of Path or str
        Files of one format with the same columns.
    format : str, optional
        Their format; found from the files if None.
    options : mapping, optional
        Options for reading them, taken over into the draft.
    folder : Path, optional
        Folder that the document will lie in, and that paths are relative to; if None, paths are
        written as they are given.

    Returns
    -------
    str
        YAML text with comments; ``TODO`` stands wherever a human must decide, and all these
        places are listed at its top.

    Raises
    ------
    ReadError
        If the files cannot be read, have no rows, or differ in their columns.
    """
    given = dict(options or {})
    if format in (None, "csv") and "delimiter" not in given and files:
        given |= guess_delimiter(Path(files[0]), given)
    name, tables, selection = open_tables(files, format, given)
    texts: dict[str, dict[str, int]] = {t: {} for t, d in tables[0].dtypes.items() if d == TEXT}
    known = Selection(selection.rename, selection.drop, {**texts, **selection.categories})
    faults = disagreements(tables, known)
    if faults:
        raise ReadError.from_faults(str(tables[0].path), faults)
    profiles = profile_tables(tables)
    for column, codes in selection.categories.items():
        profiles[column].given_codes = dict(codes)
    guesses = {column: guess(column, profile) for column, profile in profiles.items()}
    kept = [column for column in profiles if not guesses[column].drop]
    if not kept:
        raise ReadError(f"{tables[0].path}: found no column with numbers; check the file")
    renamed = column_names(kept) | dict(selection.rename)
    page = Page()
    _write_head(page, tables, profiles, kept)
    _write_table(page, tables, profiles, guesses, renamed, kept)
    _write_reading(page, tables, name, given, profiles, guesses, renamed, folder)
    return _assembled(page, tables)


def _assembled(page: Page, tables: Sequence[Table]) -> str:
    """Put the list of open decisions on top of the page."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for line, where, key in page.undecided:
        groups.setdefault(where or f"{key} ", []).append((line, key))
    rows = sum(table.n_rows for table in tables)
    names = ", ".join(table.path.name for table in tables[:3])
    more = f" and {len(tables) - 3} more" if len(tables) > 3 else ""
    top = [
        f"# Scan document, drafted from {shown(names)}{more}: {rows} rows, "
        f"{len(tables[0].dtypes)} columns.",
        "# What could be read off the files is filled in. Replace every TODO: what the numbers",
        "# mean cannot be read off them. 'limen pack' refuses the document while one is left.",
        f"# Still undecided ({len(page.undecided)}):",
    ]
    offset = len(top) + len(groups) + 1
    for where, found in groups.items():
        keys = ", ".join(key for _, key in found)
        said = keys if where.endswith(" ") else f"{where}: {keys}"
        top.append(f"#   line {found[0][0] + offset + 1}: {said}")
    return "\n".join([*top, "", *page.lines, ""])


def _write_head(
    page: Page, tables: Sequence[Table], profiles: Mapping[str, Profile], kept: Sequence[str]
) -> None:
    slug = re.sub(r"[^a-z0-9]+", "-", tables[0].path.name.lower().partition(".")[0]).strip("-")
    page.add(0, f"id: {quoted(slug[:64] or 'scan')}", "short name, the same in all versions")
    page.add(0, "version: 1.0.0-draft", "semantic version")
    page.ask(0, "title", "one line, as it would stand in a citation")
    page.ask(0, "description", "what was computed, for what, and what it must not be used for")
    page.add(0, "creators:", "people to credit, in order; also: orcid, affiliation")
    page.ask(2, "- name", "family name, comma, given names (quoted)", where="creators")
    page.add(0, "licences:", "SPDX; HEPData is CC0-1.0 unless it says otherwise")
    page.ask(2, "data", "for example CC-BY-4.0 or CC0-1.0", where="licences")
    page.ask(2, "models", "for example CC-BY-4.0 or BSD-3-Clause", where="licences")
    page.add(0, "theory:")
    page.ask(2, "family", "for example pMSSM19, 2HDM, WET, simplified model", where="theory")
    allowed = "basis, signs, scale and scheme of the parameters"
    page.ask(2, "convention", allowed, where="theory")
    page.add(0, "# analyses:  # experimental analyses behind the columns, if any")
    page.add(0, "#   - {experiment: ATLAS, id: ATLAS-SUSY-2018-31, sqrt_s: 13, luminosity: 139}")
    holes = [name for name in kept if profiles[name].missing and profiles[name].dtype != TEXT]
    if holes:
        page.add(0, "missing: mask", f"NaN in {len(holes)} of {len(kept)} columns, or: refuse")
    page.add(
        0, "split: {seed: 0}", "70 % train, 15 % calibration, 15 % test; also: stratify, group"
    )


def _write_table(
    page: Page,
    tables: Sequence[Table],
    profiles: Mapping[str, Profile],
    guesses: Mapping[str, Guess],
    renamed: Mapping[str, str],
    kept: Sequence[str],
) -> None:
    page.add(0, "tables:")
    page.add(2, "- name: scan")
    page.add(4, "sampling:", "one entry per density that the rows were drawn from")
    where = "sampling"
    page.ask(6, "- sampler", "for example random, Latin hypercube, MultiNest, emcee", where=where)
    page.ask(8, "prior", "for example: flat in all parameters over their ranges", where=where)
    page.ask(8, "selection", "which of the drawn points were kept, or: none", where=where)
    page.add(4, "columns:")
    for column in kept:
        _write_column(page, column, renamed[column], profiles[column], guesses[column], tables)


def _write_column(
    page: Page, column: str, name: str, profile: Profile, found: Guess, tables: Sequence[Table]
) -> None:
    where = f"column {name}"
    page.add(6, f"# {_seen(profile)}")
    page.add(6, f"- name: {quoted(name)}")
    if name != column and len(column) <= 300:
        page.add(8, f"aliases: [{quoted(column)}]")
    label = next((t.labels[column] for t in tables if column in t.labels), "")
    if label:
        page.add(8, f"label: {quoted(label[:300])}")
    page.fill(8, "role", found.role, _ROLES, where=where)
    if found.role in _QUANTITIES:
        page.fill(8, "quantity", found.quantity, _QUANTITIES[found.role], where=where)
    elif found.quantity:
        page.add(8, f"quantity: {found.quantity}", "guessed; check")
    _write_unit(page, column, found, tables, where)
    if found.role == "uncertainty":
        page.ask(8, "of", "the column that it belongs to", where=where)
        page.ask(8, "kind", "stat | syst | theory | surrogate", where=where)
        page.fill(8, "side", found.side, "both | up | down", where=where)
    if profile.dtype == TEXT:
        codes = ", ".join(
            f'"{i}": {quoted(text[:300] or "(empty)")}' for text, i in profile.codes.items()
        )
        page.add(8, f"categories: {{{codes}}}")
    _write_statistics(page, found, where)


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


def _write_statistics(page: Page, found: Guess, where: str) -> None:
    """Ask for what a statistical column must say."""
    if found.role not in _QUANTITIES:
        return
    page.add(8, "statistics:", "also: test_statistic, sided, calculator, tool, version, ...")
    if found.role == "likelihood":
        allowed = "full | constants_dropped | ratio_to_background | ratio_to_best"
        page.ask(10, "normalisation", allowed, where=where)
        allowed = "profiled | marginalised | sampled | fixed | none"
        page.ask(10, "nuisances", allowed, where=where)
        if found.quantity == "delta_chi2":
            page.add(10, "reference:", "also: value, point")
            allowed = "what it is the best of: scan | box | refined"
            page.ask(12, "set", allowed, where=where)
        return
    page.ask(10, "construction", _CONSTRUCTIONS, where=where)
    if found.role != "test":
        page.ask(10, "confidence_level", _LEVEL, where=where)
    page.fill(10, "result", found.result, _RESULTS, where=where)
    if found.band is not None:
        page.add(10, f"band: {found.band}", "guessed; -n must be the stronger exclusion")
    if found.role == "label":
        page.add(8, "definition:", "also: column, comparison, threshold; then it is checked")
        page.ask(10, "text", "what makes the label 1, in words", where=where)
        page.add(8, "categories:")
        page.ask(10, '"0"', "for example: not excluded", where=where)
        page.ask(10, '"1"', "for example: excluded at 95 % CL", where=where)


def _write_reading(
    page: Page,
    tables: Sequence[Table],
    name: str,
    options: Mapping[str, Any],
    profiles: Mapping[str, Profile],
    guesses: Mapping[str, Guess],
    renamed: Mapping[str, str],
    folder: Path | None,
) -> None:
    page.add(0, "read:")
    page.add(2, "- files:", "in this order; paths from the folder of this document")
    for table in tables:
        path = os.path.relpath(table.path, folder) if folder else str(table.path)
        page.add(6, f"- {quoted(Path(path).as_posix())}")
    page.add(4, f"format: {name}")
    dropped = {column: found.drop for column, found in guesses.items() if found.drop}
    dropped |= dict.fromkeys(options.get("drop", ()), "as you asked")
    changed = {old: new for old, new in renamed.items() if old != new}
    coded = [c for c, p in profiles.items() if p.dtype == TEXT and c not in dropped]
    other = {k: v for k, v in options.items() if k not in ("drop", "columns", "categories")}
    if not (dropped or changed or coded or other):
        return
    page.add(4, "options:")
    for key, value in other.items():
        page.add(6, f"{key}: {json.dumps(value)}")
    if dropped:
        page.add(6, "drop:", "columns of the files that are not read")
        for column, reason in dropped.items():
            page.add(8, f"- {quoted(column)}", reason)
    if changed:
        page.add(6, "columns:", "name in the files: name here")
        for old, new in changed.items():
            page.add(8, f"{quoted(old)}: {quoted(new)}")
    if coded:
        page.add(6, "categories:", "text in the files: code")
        for column in coded:
            found = profiles[column].codes.items()
            codes = ", ".join(f"{quoted(t, keyed=True)}: {code}" for t, code in found)
            page.add(8, f"{quoted(column)}: {{{codes}}}")


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
