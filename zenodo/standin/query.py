"""The query language of the search: words, phrases, fields, AND, OR, NOT and brackets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from standin.answers import RefusalError

__all__ = ["Test", "parse_query"]

Test = Callable[[dict[str, Any]], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<bracket>[()])|(?P<field>[A-Za-z_][\w.\\*]*):(?=\S)|"(?P<phrase>(?:[^"\\]|\\.)*)"
    |(?P<span>[\[{]\s*\S+\s+TO\s+\S+?\s*[\]}])|(?P<word>(?:\\.|[^\s()"\[\]{}/])+))""",
    re.VERBOSE,
)
_OLD = {
    "doi": "pids.doi.identifier",
    "conceptdoi": "parent.pids.doi.identifier",
    "conceptrecid": "parent.id",
    "recid": "id",
    "title": "metadata.title",
    "description": "metadata.description",
    "keywords": "metadata.subjects.subject",
    "version": "metadata.version",
    "publication_date": "metadata.publication_date",
    "creators.name": "metadata.creators.person_or_org.name",
    "communities": "parent.communities.entries.slug",
    "resource_type.type": "metadata.resource_type.id",
    "type": "metadata.resource_type.id",
    "access_right": "access.status",
    "related.identifier": "metadata.related_identifiers.identifier",
    "license": "metadata.rights.id",
}
_EXACT = re.compile(r"(.*\.)?(id|ids|identifier|slug|scheme|status|is_published|is_draft)")


def parse_query(text: str, *, old_names: bool = True) -> Test:
    """
    Give the test that a query states.

    Parameters
    ----------
    text : str
    old_names : bool
        Whether names of fields before 2023 are translated.

    Returns
    -------
    callable
        Takes a record in the RDM shape.

    Raises
    ------
    RefusalError
        400 if the query cannot be read.
    """
    if not text.strip() or text.strip() == "*":
        return lambda record: True
    parser = _Parser(list(_tokens(text)), old_names)
    test = parser.any_of()
    if parser.tokens:
        raise _syntax()
    return test


def _syntax() -> RefusalError:
    return RefusalError(400, "Invalid query string syntax.")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise _syntax()
        yield match.lastgroup, match[match.lastgroup]
        place = match.end()


class _Parser:
    """Recursive descent over tokens."""

    def __init__(self, tokens: list[tuple[str, str]], old_names: bool) -> None:
        self.tokens = tokens
        self.old_names = old_names

    def next_is(self, *words: str) -> bool:
        return bool(self.tokens) and self.tokens[0] in [
            ("bracket" if word in "()" else "word", word) for word in words
        ]

    def any_of(self) -> Test:
        tests = [self.all_of()]
        while self.next_is("OR", "||"):
            self.tokens.pop(0)
            tests.append(self.all_of())
        return lambda record: any(test(record) for test in tests)

    def all_of(self) -> Test:
        tests = [self.one()]
        while self.tokens and not self.next_is("OR", "||", ")"):
            if self.next_is("AND", "&&"):
                self.tokens.pop(0)
            tests.append(self.one())
        return lambda record: all(test(record) for test in tests)

    def one(self, name: str = "") -> Test:
        if not self.tokens or self.next_is("AND", "OR", "&&", "||", ")"):
            raise _syntax()
        kind, text = self.tokens.pop(0)
        if kind == "bracket":
            test = self.any_of()
            if not self.next_is(")"):
                raise _syntax()
            self.tokens.pop(0)
            return test
        if kind == "word" and not name and (text == "NOT" or text[0] in "-!+"):
            return self._signed(text)
        if kind == "field":
            return self.one(text.replace("\\", ""))
        if self.old_names:
            name = _OLD.get(name, name)
        return _matcher(name, kind, re.sub(r"\\(.)", r"\1", text))

    def _signed(self, text: str) -> Test:
        if text != "NOT":
            rest = text[1:]
            if rest:
                match = re.fullmatch(r"([A-Za-z_][\w.]*):(.+)", rest)
                new = [("field", match[1]), ("word", match[2])] if match else [("word", rest)]
                self.tokens[:0] = new
            if text[0] == "+":
                return self.one()
        test = self.one()
        return lambda record: not test(record)


def _values(document: Any, names: list[str]) -> Iterator[str]:
    if isinstance(document, list):
        for entry in document:
            yield from _values(entry, names)
    elif isinstance(document, dict):
        if not names:
            return
        keys = list(document) if names[0] == "*" else [names[0]]
        for key in keys:
            if key in document:
                yield from _values(document[key], names[1:])
    elif not names and document is not None:
        yield str(document).lower() if isinstance(document, bool) else str(document)


def _everything(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for value in document.values():
            yield from _everything(value)
    elif isinstance(document, list):
        for value in document:
            yield from _everything(value)
    elif isinstance(document, str):
        yield document


def _words(text: str) -> list[str]:
    return re.findall(r"[\w*?]+", re.sub(r"<[^>]*>", " ", text.lower()))


def _matcher(name: str, kind: str, text: str) -> Test:
    if kind == "span":
        low, high = re.split(r"\s+TO\s+", text[1:-1].strip())
        return lambda record: any(
            (low == "*" or low <= value) and (high == "*" or value <= high + "~")
            for value in _values(record, name.split("."))
        )
    wanted = _words(text)

    def test(record: dict[str, Any]) -> bool:
        if not name:
            parts = (record.get("metadata", {}), record.get("pids", {}), record.get("id"))
            values = [value for part in parts for value in _everything(part)]
            values += [str(record.get("id"))]
        else:
            values = list(_values(record, name.removesuffix(".keyword").split(".")))
        if text == "*":
            return bool(values)
        if name and _EXACT.fullmatch(name):
            return any(fnmatchcase(value.lower(), text.lower()) for value in values)
        return any(_holds(_words(value), wanted) for value in values)

    return test


def _holds(words: list[str], wanted: list[str]) -> bool:
    n = len(wanted)
    return n > 0 and any(
        all(fnmatchcase(word, one) for word, one in zip(words[i : i + n], wanted, strict=True))
        for i in range(len(words) - n + 1)
    )
