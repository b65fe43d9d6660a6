"""
Links: the plain values of a view as the query of an address, and back.

``b`` bundle, ``m`` model, ``d`` beginning of the manifest's SHA-256, ``p.NAME`` a value of the
point, ``x`` the axes, ``r.NAME`` the ends of one (``low~high``), ``f.NAME`` a filter (the same, an
end left out is open, ``)`` leaves the upper end out of the range, ``!`` inverts; ``0,1`` are
categories), ``c`` the charts.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode, urlsplit

from limen.schema.wording import quoted

__all__ = ["address", "asked_bundle", "from_query", "is_loopback", "to_query"]

_DIGITS = 16
# Above this a browser or a proxy may refuse the address.
LONGEST = 8_000
_SAFE = ":,;()!~*@"

Document = dict[str, Any]


def asked_bundle(parameters: Mapping[str, Any]) -> str:
    """
    Give the key of the bundle that a link names; empty if it names none.

    >>> asked_bundle({"b": "toy@1.0.0"}), asked_bundle({})
    ('toy@1.0.0', '')
    """
    return _last(parameters.get("b", ""))


def address(path: str, query: Mapping[str, str]) -> str:
    """
    Write an address.

    >>> address("/predict", {"b": "toy@1.0.0", "p.m": "3.5"})
    '/predict?b=toy@1.0.0&p.m=3.5'
    """
    return f"{path}?{urlencode(query, safe=_SAFE)}" if query else path


def is_loopback(link: str) -> bool:
    """
    Tell whether an address is of the machine that it is opened on.

    >>> [is_loopback(f"http://{host}:8501/") for host in ("localhost", "[::1]", "example.org")]
    [True, True, False]
    """
    try:
        host = urlsplit(link).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def to_query(document: Mapping[str, Any]) -> dict[str, str]:
    """
    Turn the plain values of a view into parameters, always in one order.

    Parameters
    ----------
    document : mapping
        As `ViewState.to_document` gives it.

    Returns
    -------
    dict of str to str
    """
    query = {}
    for letter, name in (("b", "bundle"), ("m", "model")):
        if document.get(name):
            query[letter] = str(document[name])
    if document.get("digest"):
        query["d"] = str(document["digest"])[:_DIGITS]
    for name, value in document.get("point", {}).items():
        query[f"p.{name}"] = _number(value)
    if document.get("axes"):
        query["x"] = ",".join(document["axes"])
    for name, ends in document.get("ranges", {}).items():
        query[f"r.{name}"] = "~".join(map(_number, ends))
    for name, one in document.get("filters", {}).items():
        query[f"f.{name}"] = _filter_text(one)
    if document.get("charts"):
        query["c"] = ";".join(map(_chart_text, document["charts"]))
    if document.get("options"):
        query["o"] = ",".join(document["options"])
    return query


def from_query(parameters: Mapping[str, Any]) -> tuple[Document, list[str]]:
    """
    Turn parameters into plain values, not compared with any bundle yet.

    Parameters
    ----------
    parameters : mapping of str to str or list of str

    Returns
    -------
    (dict, list of str)
        The values, and a sentence for each parameter that is none of ours or does not parse.
    """
    found: Document = {}
    dropped: list[str] = []
    plain = {"b": "bundle", "m": "model", "d": "digest"}
    for key, given in parameters.items():
        text = _last(given)
        head, dot, name = key.partition(".")
        try:
            if key in plain:
                found[plain[key]] = text
            elif key == "x":
                found["axes"] = text.split(",")
            elif key == "o":
                found["options"] = text.split(",")
            elif key == "c":
                found["charts"] = [_chart(part) for part in text.split(";")]
            elif dot and head == "p":
                found.setdefault("point", {})[name] = _number_or_text(text)
            elif dot and head == "r":
                low, high = map(_read_number, text.split("~"))
                found.setdefault("ranges", {})[name] = [low, high]
            elif dot and head == "f":
                found.setdefault("filters", {})[name] = _filter(text)
            elif not key.startswith("embed"):
                dropped.append(f"{quoted(key)} in the link means nothing here and was left out.")
        except ValueError:
            dropped.append(f"{quoted(key)} in the link is {quoted(text)}; it was left out.")
    return found, dropped


def _last(value: Any) -> str:
    if isinstance(value, list | tuple):
        return str(value[-1]) if value else ""
    return str(value)


def _number(value: float) -> str:
    """Write the shortest number that reads back as the same."""
    text = repr(float(value))
    return text[:-2] if text.endswith(".0") else text


def _read_number(text: str) -> float:
    if "_" in text or len(text) > 60:
        raise ValueError
    return float(text)


def _number_or_text(text: str) -> float | str:
    """Read a number; what is none goes on as it is, for what reads the point to name it."""
    try:
        return _read_number(text)
    except ValueError:
        return text


def _filter_text(one: Mapping[str, Any]) -> str:
    sign = "!" if one.get("inverted") else ""
    if "values" in one:
        return sign + ",".join(map(_number, one["values"]))
    ends = ["" if one.get(end) is None else _number(one[end]) for end in ("low", "high")]
    return f"{sign}{'~'.join(ends)}{'' if one.get('closed', True) else ')'}"


def _filter(text: str) -> Document:
    found: Document = {"inverted": True} if text.startswith("!") else {}
    text = text.removeprefix("!")
    if "~" not in text:
        return {"values": [_read_number(part) for part in text.split(",") if part]} | found
    low, high = text.removesuffix(")").split("~")
    found |= {"low": _read_number(low)} if low else {}
    found |= {"high": _read_number(high)} if high else {}
    return found | ({"closed": False} if text.endswith(")") else {})


def _chart_text(chart: Mapping[str, Any]) -> str:
    """Write ``kind:axis:axis~statistic*column``; an axis is ``name,bins,scale,low,high``."""
    head = ":".join([chart["kind"], *map(_axis_text, chart["axes"])])
    statistic = chart.get("statistic", "count")
    column = chart.get("column")
    if statistic == "count" and column is None:
        return head
    return f"{head}~{statistic}" + ("" if column is None else f"*{column}")


def _axis_text(axis: Mapping[str, Any]) -> str:
    ends = ["" if axis.get(end) is None else _number(axis[end]) for end in ("low", "high")]
    parts = [axis["column"], str(axis.get("n", "")), axis.get("scale") or "", *ends]
    return ",".join(parts).rstrip(",")


def _chart(text: str) -> Document:
    head, _, tail = text.partition("~")
    kind, *axes = head.split(":")
    found: Document = {"kind": kind, "axes": [_axis(part) for part in axes]}
    if tail:
        statistic, star, column = tail.partition("*")
        found |= {"statistic": statistic} | ({"column": column} if star else {})
    return found


def _axis(text: str) -> Document:
    name, *rest = text.split(",")
    if len(rest) > 4:
        raise ValueError
    n, scale, low, high = [*rest, "", "", "", ""][:4]
    found: Document = {"column": name}
    found |= {"n": int(n)} if n else {}
    found |= {"scale": scale} if scale else {}
    found |= {"low": _read_number(low)} if low else {}
    return found | ({"high": _read_number(high)} if high else {})
