"""Figures for print: files of charts, made without a browser, with a footer that says of what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from limen_app.showing import plain

if TYPE_CHECKING:
    from limen_app.visiting import Visit

__all__ = ["FORMS", "footed", "rendered", "source"]

FORMS = {"pdf": "application/pdf", "png": "image/png", "svg": "image/svg+xml"}
_WRAP = 110


def source(here: Visit) -> str:
    """Give the first line of a footer: title, key, DOI and the digest of the manifest."""
    manifest = here.bundle.manifest
    doi = f"doi:{manifest['doi']}" if manifest.get("doi") else "no DOI"
    digest = here.library.digest(here.key)[:12]
    return f"{plain(manifest['title'])}, {here.key}, {doi}, manifest {digest}."


def footed(chart: Any, footer: Sequence[str], wrap: int = _WRAP) -> Any:
    """
    Give a chart with lines of text below it.

    Parameters
    ----------
    chart : altair chart
    footer : sequence of str
    wrap : int
        Letters in a line at most; a longer line goes on in the next one.

    Returns
    -------
    altair chart
    """
    lines = [part for line in footer for part in _wrapped(line, wrap)]
    return chart.properties(
        title=alt.TitleParams(
            lines, anchor="start", orient="bottom", fontSize=9, fontWeight="normal", offset=12
        )
    )


def rendered(chart: Any, form: str) -> bytes:
    """
    Give a figure as a file.

    Parameters
    ----------
    chart : altair chart
    form : {"pdf", "png", "svg"}
    """
    import vl_convert

    spec = chart.to_json()
    if form == "svg":
        return str(vl_convert.vegalite_to_svg(spec)).encode("utf-8")
    if form == "png":
        return bytes(vl_convert.vegalite_to_png(spec, scale=2))
    return bytes(vl_convert.vegalite_to_pdf(spec))


def _wrapped(line: str, wrap: int) -> list[str]:
    words, lines = line.split(" "), [""]
    for word in words:
        if len(lines[-1]) + len(word) > wrap:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
