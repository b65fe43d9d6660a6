"""Words of strangers, made to be shown: what a manifest says is never obeyed as markup."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from limen.documents.escaping import clean, flat, markdown
from limen.documents.escaping import paragraphs as _paragraphs
from limen.manifest import Column

__all__ = [
    "choice",
    "column_label",
    "number",
    "paragraphs",
    "plain",
    "quantity",
    "safe",
    "spoken",
    "symbol",
]

_MATHS = re.compile(r"[A-Za-z0-9\\_^{}'\s,.+\-*/()|=<>\[\]]{1,120}\Z")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*\Z")
# A mark that is not seen parts what would be taken for an address.
_ADDRESS = re.compile(r"(https?:|ftp:|www(?=\.))", re.IGNORECASE)


def plain(text: object) -> str:
    r"""
    Give one line of plain text, for a widget that shows no markup.

    >>> plain(" two \n lines ")
    'two lines'
    """
    return flat(clean(str(text)))


def safe(text: object) -> str:
    r"""
    Give one line of Markdown that shows the text as it is.

    >>> print(safe("a <b> :red[x]"))
    a &lt;b&gt; :red\[x\]
    """
    return _unlinked(markdown(clean(str(text))))


def _unlinked(text: str) -> str:
    """Keep addresses from becoming links: only a reader decides where to go."""
    return _ADDRESS.sub("\\1\u2060", text)


def paragraphs(text: object) -> str:
    """Give Markdown that shows several paragraphs as they are."""
    return _unlinked(_paragraphs(clean(str(text))))


def symbol(column: Column) -> str:
    r"""
    Give a column's symbol as Markdown: formula where it is plainly one, else nothing.

    >>> symbol(Column("m", "parameter", "GeV", symbol=r"m_{\tilde g}"))
    '$m_{\\tilde g}$'
    >>> symbol(Column("m", "parameter", "GeV", symbol="$![x](http://example.org)$"))
    ''
    """
    text = flat(column.symbol or "")
    return f"${text}$" if text and _MATHS.match(text) else ""


def column_label(column: Column) -> str:
    """
    Give the label of a column's box: symbol, name, unit.

    >>> column_label(Column("M1", "parameter", "GeV", symbol="M_1"))
    '$M_1$ M1 [GeV]'
    """
    unit = "" if column.unit == "1" else f" [{safe(column.unit)}]"
    # Schema and letters of a name keep it from being markup, and screen readers get it as it is.
    name = column.name if _NAME.match(column.name) else safe(column.name)
    return f"{symbol(column)} {name}{unit}".strip()


def spoken(column: Column) -> str:
    """
    Give the label of a slider or box that is not seen but read aloud: no formula, the unit.

    >>> spoken(Column("M1", "parameter", "GeV", symbol="M_1"))
    'M1 [GeV]'
    """
    return column_label(replace(column, symbol=None))


def choice(column: Column) -> str:
    """
    Give a column as a line of plain text, for a list to choose from.

    >>> choice(Column("M1", "parameter", "GeV", label="bino mass"))
    'M1 [GeV], bino mass'
    """
    unit = "" if column.unit == "1" else f" [{plain(column.unit)}]"
    label = "" if column.label in (None, column.name) else f", {plain(column.label)}"
    return f"{column.name}{unit}{label}"


def number(value: float | None, digits: int = 6) -> str:
    """
    Write a number for people: a true minus sign, a dash where there is none.

    >>> number(-0.5), number(None), number(2.5e-7), number(1234567.0)
    ('−0.5', '–', '2.5e−07', '1.23457e+06')
    """
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}g}".replace("-", "−")


def quantity(value: float | None, unit: str, digits: int = 6) -> str:
    """
    Write a number with its unit, which is left out where it is 1.

    >>> quantity(350.0, "GeV"), quantity(0.5, "1")
    ('350 GeV', '0.5')
    """
    said = number(value, digits)
    return said if unit == "1" or said == "–" else f"{said} {plain(unit)}"
