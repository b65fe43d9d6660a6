"""The same selection elsewhere: as Python, on the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from limen.browsing import Filter, predicate
from limen.expressions import MAXIMUM_LENGTH
from limen_app.calls import place_of

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["command_line", "python"]


def python(bundle: Bundle, filters: Mapping[str, Filter]) -> str:
    """Write the selection as Python: the rows, as columns of NumPy."""
    names = json.dumps(list(bundle.columns)[:6])
    doi = bundle.manifest.get("doi")
    if doi:
        opening = f"import limen_zenodo\n\nbundle = limen_zenodo.open_remote({json.dumps(doi)})"
    else:
        opening = f"import limen\n\nbundle = limen.open_bundle({json.dumps(place_of(bundle))})"
    lines = [
        opening.replace("\n\n", "\nfrom limen.browsing import Browser, Choice, Index, Range\n\n"),
        "browser = Browser(Index(bundle.open_scan, bundle.columns, bundle.manifest_sha256))",
        "filters = {",
        *(f"    {json.dumps(name)}: {one!r}," for name, one in filters.items()),
        "}",
        "print(browser.count(filters), 'of', browser.n_points)",
        f"for block in browser.selected_blocks({names}, filters):",
        "    ...",
    ]
    return "\n".join(lines)


def command_line(bundle: Bundle, filters: Mapping[str, Filter]) -> str | None:
    """Write the selection for a shell; None where the condition is too long for it."""
    text = predicate(filters, bundle.columns)
    if not text or len(text) > MAXIMUM_LENGTH:
        return None
    doi = bundle.manifest.get("doi")
    fetch = f"limen fetch {shlex.quote(str(doi))} --parts all -o bundle\n" if doi else ""
    place = "bundle" if doi else shlex.quote(place_of(bundle))
    return f"{fetch}limen select {place} --where {shlex.quote(text)} -o selection"
