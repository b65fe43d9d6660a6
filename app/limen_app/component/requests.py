"""What the charts in a browser ask for, checked at the door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limen.browsing import Axis, Chart, Filter
from limen.errors import ReadError, SchemaError
from limen.schema.loading import parse_json
from limen_app.restoring import read
from limen_app.state import Panel

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["Asked", "drawn", "read_filters", "read_request"]

_NAMES = ("charts", "filters", "active", "sampled")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    Tables that are asked for.

    Attributes
    ----------
    charts : tuple of Chart
    filters : dict of str to Filter
    active : tuple of Axis
        What is about to be dragged: none, one or two.
    sampled : bool
        From the sample, as a preview.
    """

    charts: tuple[Chart, ...]
    filters: dict[str, Filter]
    active: tuple[Axis, ...] = ()
    sampled: bool = False


def read_request(body: bytes, bundle: Bundle) -> Asked:
    """
    Read a request; unlike a link it is right as a whole or refused.

    Parameters
    ----------
    body : bytes
        JSON with ``charts`` and ``filters`` as in a session file, ``active`` (axes), ``sampled``.
    bundle : Bundle
        Whose columns are meant.

    Returns
    -------
    Asked

    Raises
    ------
    ReadError, SchemaError
        If it is no JSON, or not what the component sends.
    """
    try:
        document = parse_json(body.decode("utf-8"), "tables")
    except UnicodeDecodeError as error:
        raise ReadError("tables: the request is no UTF-8; send JSON") from error
    unknown = sorted(set(document) - set(_NAMES))
    if unknown:
        raise SchemaError(f"tables: found {unknown[0][:40]!r}, allowed {', '.join(_NAMES)}")
    sampled = document.get("sampled", False)
    if not isinstance(sampled, bool):
        raise SchemaError("tables /sampled: allowed true or false")
    return Asked(
        drawn(_panels(document.get("charts", []), bundle)),
        read_filters(document.get("filters", {}), bundle),
        _active(document.get("active", []), bundle),
        sampled,
    )


def read_filters(document: Any, bundle: Bundle) -> dict[str, Filter]:
    """
    Read the filters that the charts were left with.

    Raises
    ------
    SchemaError
        If one of them is none.
    """
    return dict(_read("filters", document, bundle) or {})


def drawn(panels: Sequence[Panel]) -> tuple[Chart, ...]:
    """Give the charts of those panels that are histograms or maps."""
    return tuple(
        Chart(panel.axes[0], (*panel.axes, None)[1], panel.statistic, panel.column)
        for panel in panels
        if panel.kind in ("histogram", "map")
    )


def _panels(document: Any, bundle: Bundle) -> list[Panel]:
    return [Panel(**panel) for panel in _read("charts", document, bundle) or ()]


def _active(document: Any, bundle: Bundle) -> tuple[Axis, ...]:
    if document == []:
        return ()
    kind = "map" if isinstance(document, list) and len(document) == 2 else "histogram"
    return _panels([{"kind": kind, "axes": document}], bundle)[0].axes


def _read(name: str, document: Any, bundle: Bundle) -> Any:
    found, dropped = read({name: document}, bundle)
    if dropped:
        raise SchemaError(f"tables /{name}: {dropped[0]}")
    return found.get(name)
