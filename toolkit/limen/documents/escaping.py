"""Text from a manifest made safe for Markdown, BibTeX and a terminal: all of it is hostile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["bibtex_text", "clean", "code", "fence", "flat", "markdown", "paragraphs"]

# Controls, surrogates, and the marks that turn the direction of what follows (Trojan source).
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_MARKDOWN = {
    **{character: f"\\{character}" for character in "\\`*_{}[]~$#"},
    **{"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"},
}
_BLOCK_START = re.compile(r"(?:(?P<number>[0-9]{1,9})(?P<stop>[.)])(?=\s|$)|(?P<mark>[-+=:!]))")
_PLAIN_CODE = re.compile(r"[^`|]+\Z")
_BIBTEX = {
    **{character: f"\\{character}" for character in "&%$#_"},
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def clean(value: Any) -> Any:
    r"""
    Copy of a JSON document without control characters, surrogates and direction marks.

    Line ends of every kind become a line feed; tabs stay.

    Parameters
    ----------
    value : JSON value
        A manifest or a part of one.

    Returns
    -------
    JSON value

    Examples
    --------
    >>> clean({"title": "a\x1b[31mb\r\nc"})
    {'title': 'a[31mb\nc'}
    """
    if isinstance(value, str):
        return _UNPRINTABLE.sub("", _LINE_END.sub("\n", value))
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


def flat(text: object) -> str:
    r"""
    One line: runs of blanks and line ends become one blank.

    >>> flat(" two\n lines ")
    'two lines'
    """
    return " ".join(str(text).split())


def markdown(text: object) -> str:
    r"""
    One line of Markdown that shows the text as it is, also in a table cell.

    Parameters
    ----------
    text : object
        Text from a manifest, or a number.

    Returns
    -------
    str
        No markup, link, HTML or cell border of the text's own survives.

    Examples
    --------
    >>> print(markdown("a|b <b>*c*</b>"))
    a&#124;b &lt;b&gt;\*c\*&lt;/b&gt;
    >>> print(markdown("- 1. no list"))
    \- 1. no list
    """
    line = "".join(_MARKDOWN.get(character, character) for character in flat(text))
    start = _BLOCK_START.match(line)
    if start is None:
        return line
    if start["number"]:
        return f"{start['number']}\\{line[start.start('stop') :]}"
    return f"\\{line}"


def code(text: object) -> str:
    r"""
    A code span, or escaped text where a span could be broken out of.

    >>> print(code("C9_bsmumu"), code("a`|b"))
    `C9_bsmumu` a\`&#124;b
    """
    line = flat(text)
    return f"`{line}`" if _PLAIN_CODE.match(line) else markdown(line)


def fence(language: str, text: str) -> str:
    r"""
    Fenced code block that nothing in the text can close.

    >>> fence("text", "a\n```\nb").splitlines()[0]
    '````text'
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}{language}\n{text}\n{mark}"


def paragraphs(text: object) -> str:
    r"""
    Several paragraphs of escaped text; blank lines part them, all else is flattened.

    >>> print(paragraphs("# no heading\n\nsecond"))
    \# no heading
    <BLANKLINE>
    second
    """
    parts = re.split(r"\n[ \t]*\n", str(text))
    return "\n\n".join(markdown(part) for part in parts if part.strip())


def bibtex_text(text: object) -> str:
    r"""
    Text for a BibTeX field: LaTeX's special characters are shown, not obeyed.

    >>> print(bibtex_text("50% of {C_9}"))
    50\% of \textbraceleft{}C\_9\textbraceright{}
    """
    return "".join(_BIBTEX.get(character, character) for character in flat(text))
