"""Points as files for whoever evaluates them, and their results from a file, days later."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limen.active.evaluators.exchange import Input, number_text, write
from limen.active.telling import Told
from limen.errors import CampaignError, Fault, ReadError
from limen.journal import new_file, storing

if TYPE_CHECKING:
    from limen.active.campaign import Campaign

__all__ = ["Drop", "read_drop", "tell_drop", "write_drop"]

_ID = "id"
_NOTES = ("status", "message", "cost")
_MOST_BYTES = 500_000_000


@dataclass(frozen=True)
class Drop:
    """
    Results as a file has them.

    Attributes
    ----------
    ids : list of str
    lines : list of int
        Where each stands in the file.
    values : dict of str to list of str
        By output or parameter.
    errors : dict of str to list of str
        By output.
    status, message, cost : list of str
        Empty without such a column.
    faults : tuple of Fault
        What the file itself does wrong: columns that are unknown or missing, ragged rows.
    """

    ids: list[str]
    lines: list[int]
    values: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    status: list[str] = field(default_factory=list)
    message: list[str] = field(default_factory=list)
    cost: list[str] = field(default_factory=list)
    faults: tuple[Fault, ...] = ()


def write_drop(
    campaign: Campaign,
    path: str | Path,
    *,
    ids: Iterable[str] | None = None,
    task: str | None = None,
    spectra: Input | None = None,
) -> list[str]:
    """
    Write pending points to files, and mark them as submitted.

    A run leaves submitted points alone, and so does the next drop.

    Parameters
    ----------
    campaign : Campaign
    path : str or Path
        A CSV file: ``id`` and the parameters. With ``spectra`` a folder: one SLHA file ``ID.slha``
        per point, and ``points.csv``.
    ids : iterable of str, optional
        Which pending points; by default all that were not submitted.
    task : str, optional
        Id of the task of the production system; by default the name of the file. Empty leaves the
        points without a mark.
    spectra : Input, optional
        How SLHA files are made.

    Returns
    -------
    list of str
        Ids of the points.

    Raises
    ------
    CampaignError
        If no point is left to submit, or an id is not pending.
    StorageError
        If it cannot be written; then nothing is marked.
    """
    path = Path(path)
    frame = campaign.pending
    if ids is None:
        frame = frame[frame["task"] == ""]
    else:
        wanted = list(dict.fromkeys(ids))
        unknown = sorted(set(wanted) - set(frame["id"]))
        if unknown:
            faults = [(name, "is not pending; was it told, or never asked?") for name in unknown]
            raise CampaignError.from_faults("drop", faults)
        frame = frame.set_index("id", drop=False).loc[wanted]
    points = frame.drop(columns="task").to_dict("records")
    if not points:
        raise CampaignError(
            f"{campaign.folder}: no pending point is left to submit; ask some first"
        )
    table = path
    if spectra is not None:
        with storing(path):
            path.mkdir(parents=True, exist_ok=True)
        for point in points:
            plain = {str(k): float(v) for k, v in point.items() if k != _ID}
            with new_file(path / f"{point[_ID]}.slha") as working:
                working.write_text(write(spectra, plain), encoding="utf-8")
        table = path / "points.csv"
    with new_file(table) as working:
        working.write_text(_table_text(points), encoding="utf-8")
    names = [str(point[_ID]) for point in points]
    if task != "":
        campaign.submitted(names, path.name if task is None else task)
    return names


def _table_text(points: Sequence[Mapping[Any, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(points[0])
    for point in points:
        writer.writerow(
            [cell if isinstance(cell, str) else number_text(float(cell)) for cell in point.values()]
        )
    return text.getvalue()


def read_drop(path: str | Path, outputs: Sequence[str], parameters: Sequence[str]) -> Drop:
    """
    Read results from a CSV file.

    Parameters
    ----------
    path : str or Path
        Columns in any order: ``id``, the outputs, and where they are told ``status``,
        ``OUTPUT_err``, ``message``, ``cost``, and the parameters again.
    outputs, parameters : sequence of str

    Returns
    -------
    Drop
        With the faults of the file. Rows that cannot be read are not in it, nor those without any
        value and status: they are not evaluated yet.

    Raises
    ------
    ReadError
        If there is no such file, or it is no CSV.
    """
    path = Path(path)
    rows = _rows(path)
    header = [name.strip() for name in rows[0][1]] if rows else []
    faults = _header_faults(header, outputs, parameters)
    if _ID not in header:
        return Drop([], [], faults=tuple(faults))
    told = {*outputs, "status"}
    columns: dict[str, list[str]] = {name: [] for name in header}
    lines = []
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            text = f"found {len(cells)} fields, allowed {len(header)} as in the header"
            faults.append(Fault(f"line {line}", text))
        elif not cells[header.index(_ID)].strip():
            faults.append(Fault(f"line {line}", "found no id, allowed the id of an asked point"))
        elif any(cell.strip() for name, cell in zip(header, cells, strict=True) if name in told):
            lines.append(line)
            for name, column in columns.items():
                column.append(cells[header.index(name)].strip())
    if not rows[1:]:
        faults.append(Fault("", "found a header and no row, allowed one row per result"))
    return Drop(
        columns[_ID],
        lines,
        {name: columns[name] for name in (*outputs, *parameters) if name in columns},
        {name: columns[f"{name}_err"] for name in outputs if f"{name}_err" in columns},
        **{name: columns[name] for name in _NOTES if name in columns},
        faults=tuple(faults),
    )


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read the rows of a file that are not empty, each with its line."""
    if not path.is_file():
        raise ReadError(f"{path}: no such file; give a CSV file of results")
    if path.stat().st_size > _MOST_BYTES:
        raise ReadError(f"{path}: found more than {_MOST_BYTES:,} bytes; tell it in parts")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(
            f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})"
        ) from error
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter="\t" if "\t" in first else ",")
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ReadError(f"{path} line {reader.line_num}: is no CSV; {error}") from error


def _header_faults(
    header: Sequence[str], outputs: Sequence[str], parameters: Sequence[str]
) -> list[Fault]:
    allowed = [_ID, *outputs, *(f"{name}_err" for name in outputs), *_NOTES, *parameters, "task"]
    faults = []
    twice = sorted({name for name in header if header.count(name) > 1})
    unknown = [name for name in dict.fromkeys(header) if name not in allowed]
    needed = [_ID] if "status" in header else [_ID, *outputs]
    missing = [name for name in needed if name not in header]
    told = f"allowed {', '.join(allowed)}"
    if twice:
        faults.append(Fault("header", f"found {', '.join(twice)} twice; leave one of them out"))
    if unknown:
        faults.append(Fault("header", f"found {', '.join(map(repr, unknown))}, {told}"))
    if missing:
        faults.append(Fault("header", f"found no {', '.join(missing)}, {told}"))
    return faults


def tell_drop(campaign: Campaign, path: str | Path, *, strict: bool = True) -> Told:
    """
    Tell a campaign the results in a CSV file: in any order, in parts, again if you like.

    Parameters
    ----------
    campaign : Campaign
    path : str or Path
        As :func:`read_drop` reads it. Points of the campaign that are not in it stay pending.
    strict : bool
        With any fault record nothing and raise; else record the good rows.

    Returns
    -------
    Told

    Raises
    ------
    ReadError
        If it is no CSV file.
    CampaignError
        With all faults of the file and of its results.
    """
    problem = campaign.problem
    outputs = [output.name for output in problem.outputs]
    drop = read_drop(path, outputs, problem.space.names)
    given: dict[str, Any] = {
        "status": [text or "ok" for text in drop.status] or "ok",
        "y_err": drop.errors or None,
        "message": drop.message or "",
        "cost": drop.cost or None,
    }
    told = campaign.check(drop.ids, drop.values, **given)
    places = {
        f"result {i + 1} ({name})": f"line {line} ({name})"
        for i, (name, line) in enumerate(zip(drop.ids, drop.lines, strict=True))
    }
    found = [Fault(places.get(f.pointer, f.pointer), f.message) for f in told.faults]
    faults = (*drop.faults, *found)
    if strict and faults:
        raise CampaignError.from_faults(str(path), faults)
    told = campaign.tell(drop.ids, drop.values, **given, strict=False)
    return Told(told.recorded, told.repeated, faults)
