"""Draft a scan document from real files: facts filled in, decisions left to a human."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limen.errors import ReadError
from limen.readers.agreement import disagreements
from limen.readers.declaring import guess_columns, hint, name_columns, write_column
from limen.readers.delimited import guess_delimiter
from limen.readers.formats import guess_format
from limen.readers.guesses import Guess
from limen.readers.options import Selection
from limen.readers.pages import TODO, Page, quoted, shown
from limen.readers.profiles import Profile, profile_tables
from limen.readers.sources import open_tables
from limen.readers.tables import TEXT, Table

__all__ = ["TODO", "draft"]


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
    first = Path(files[0]) if files else Path()
    if first.is_file() and "delimiter" not in given and (format or guess_format(first)) == "csv":
        given |= guess_delimiter(first, given)
    name, tables, selection = open_tables(files, format, given)
    texts: dict[str, dict[str, int]] = {t: {} for t, d in tables[0].dtypes.items() if d == TEXT}
    known = Selection(selection.rename, selection.drop, {**texts, **selection.categories})
    faults = disagreements(tables, known)
    if faults:
        raise ReadError.from_faults(str(tables[0].path), faults)
    profiles = profile_tables(tables)
    for column, codes in selection.categories.items():
        profiles[column].given_codes = dict(codes)
    guesses = guess_columns(tables, profiles)
    kept = [column for column in profiles if not guesses[column].drop]
    if not kept:
        raise ReadError(f"{tables[0].path}: found no column with numbers; check the file")
    renamed = name_columns(tables, kept) | dict(selection.rename)
    page = Page()
    _write_head(page, tables, profiles, renamed)
    _write_table(page, tables, profiles, guesses, renamed, kept)
    _write_reading(page, files, name, given, profiles, guesses, renamed, folder)
    return _assembled(page, tables)


def _assembled(page: Page, tables: Sequence[Table]) -> str:
    """Put the list of open decisions on top of the page."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for line, where, key in page.undecided:
        groups.setdefault(where or f"{key} ", []).append((line, key))
    rows = sum(table.n_rows for table in tables)
    files = [path for table in tables for path in table.all_files]
    names = ", ".join(path.name for path in files[:3])
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
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


def _stated(tables: Sequence[Table]) -> dict[str, Any]:
    """Merge what the files state of the whole scan; the first that says something counts."""
    merged: dict[str, Any] = {}
    for table in reversed(tables):
        merged |= table.document
    return merged


def _write_head(
    page: Page,
    tables: Sequence[Table],
    profiles: Mapping[str, Profile],
    renamed: Mapping[str, str],
) -> None:
    stated = _stated(tables)
    slug = re.sub(r"[^a-z0-9]+", "-", tables[0].path.name.lower().partition(".")[0]).strip("-")
    page.add(0, f"id: {quoted(slug[:64] or 'scan')}", "short name, the same in all versions")
    page.add(0, "version: 1.0.0-draft", "semantic version")
    asked = {
        "title": "one line, as it would stand in a citation",
        "description": "what was computed, for what, and what it must not be used for",
    }
    for key, allowed in asked.items():
        if key in stated:
            page.put(0, key, stated[key], where="")
        else:
            page.ask(0, key, allowed)
    if "creators" in stated:
        page.put(0, "creators", stated["creators"], where="creators")
    else:
        page.add(0, "creators:", "people to credit, in order; also: orcid, affiliation")
        page.ask(2, "- name", "family name, comma, given names (quoted)", where="creators")
    _write_group(page, "licences", stated, _LICENCES, "SPDX; HEPData is CC0-1.0 by default")
    _write_group(page, "theory", stated, _THEORY, "")
    for key in ("toolchain", "related", "keywords", "assumptions", "attachments"):
        if key in stated:
            page.put(0, key, stated[key], where=key)
    if "analyses" in stated:
        page.put(0, "analyses", stated["analyses"], where="analyses")
    else:
        page.add(0, "# analyses:  # experimental analyses behind the columns, if any")
        page.add(
            0, "#   - {experiment: ATLAS, id: ATLAS-SUSY-2018-31, sqrt_s: 13, luminosity: 139}"
        )
    holes = [
        name for name in renamed if name in profiles and _has_holes(profiles[name], tables, name)
    ]
    if "missing" in stated:
        page.put(0, "missing", stated["missing"], where="")
    elif holes:
        page.add(0, "missing: mask", f"NaN in {len(holes)} of {len(renamed)} columns, or: refuse")
    split = {"seed": 0, **stated.get("split", {})}
    split |= {
        key: renamed.get(split[key], split[key]) for key in ("group", "stratify") & split.keys()
    }
    page.put(
        0,
        "split",
        split,
        "70 % train, 15 % calibration, 15 % test; also: stratify, group",
        where="",
    )


def _has_holes(profile: Profile, tables: Sequence[Table], name: str) -> bool:
    unmasked = "valid" not in hint(tables, name)
    return bool(profile.missing and profile.dtype != TEXT and unmasked)


_LICENCES = {
    "data": "for example CC-BY-4.0 or CC0-1.0",
    "models": "for example CC-BY-4.0 or BSD-3-Clause",
}
_THEORY = {
    "family": "for example pMSSM19, 2HDM, WET, simplified model",
    "convention": "basis, signs, scale and scheme of the parameters",
}


def _write_group(
    page: Page, name: str, stated: Mapping[str, Any], asked: Mapping[str, str], comment: str
) -> None:
    """Write a group of fields: what the files state, and questions for the rest."""
    given = stated.get(name, {})
    page.add(0, f"{name}:", comment)
    for key, allowed in asked.items():
        if key in given and given[key] != TODO:
            page.put(2, key, given[key], where=name)
        else:
            page.ask(2, key, allowed, where=name)
    for key, value in given.items():
        if key not in asked:
            page.put(2, key, value, where=name)


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
    where = "sampling"
    stated = _stated(tables)
    if "sampling" in stated:
        page.put(4, "sampling", stated["sampling"], where=where)
    else:
        page.add(4, "sampling:", "one entry per density that the rows were drawn from")
        allowed = "for example random, Latin hypercube, MultiNest, emcee"
        page.ask(6, "- sampler", allowed, where=where)
        page.ask(8, "prior", "for example: flat in all parameters over their ranges", where=where)
        page.ask(8, "selection", "which of the drawn points were kept, or: none", where=where)
    page.add(4, "columns:")
    for column in kept:
        write_column(page, column, renamed, profiles[column], guesses[column], tables)


def _write_reading(
    page: Page,
    files: Sequence[Path | str],
    name: str,
    options: Mapping[str, Any],
    profiles: Mapping[str, Profile],
    guesses: Mapping[str, Guess],
    renamed: Mapping[str, str],
    folder: Path | None,
) -> None:
    page.add(0, "read:")
    page.add(2, "- files:", "in this order; paths from the folder of this document")
    for file in files:
        path = os.path.relpath(file, folder) if folder else str(file)
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
            page.pair(8, old, quoted(new))
    if coded:
        page.add(6, "categories:", "text in the files: code")
        for column in coded:
            found = profiles[column].codes.items()
            codes = ", ".join(f"{quoted(t, keyed=True)}: {code}" for t, code in found)
            page.pair(8, column, f"{{{codes}}}")
