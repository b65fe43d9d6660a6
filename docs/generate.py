"""
Fill the pages that are made from the code: every verb's help, every schema's fields, the examples.

A page says what it wants by a line ``<!-- fill: KIND NAME -->``; the page itself is a file like
any other, so links to it and its place in the navigation can be checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = ("scan-document", "bundle", "column", "model-card", "probe", "catalogue")
_MARK = re.compile(r"^<!-- fill: (\w+)(?: (\S+))? -->$", re.MULTILINE)
_CELL = re.compile(r"<td>(?:(?!</td>).)*?<code>([^<]*)</code>.*?</td>", re.DOTALL)
_FLAG = re.compile(r"(?<=<code>)--[\w-]+(?=</code>)")
_OPTION = re.compile(r"(?<= )(?:\[[^\]<]*\]|-[\w-]+ [^ <\[]+)")
_ROLE = re.compile(r":(?:attr|class|exc|func|meth|mod):(?=<code)")


def on_config(config: Any) -> Any:
    """List every decision in the navigation, oldest first; called by mkdocs once."""
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    for entry in config.nav:
        if "Decisions" in entry:
            entry["Decisions"] = [f"decisions/{page.name}" for page in pages]
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each mark of a page; called by mkdocs for every page."""
    return fill(markdown).replace("```python exec\n", "```python\n")


def on_page_content(html: str, **_: Any) -> str:
    """Mend what was made of docstrings and tables; called by mkdocs for every page."""
    plain = _FLAG.sub(r'<span class="option">\g<0></span>', _ROLE.sub("", html))
    return _CELL.sub(_mend_cell, plain)


def _mend_cell(cell: re.Match[str]) -> str:
    """Take the escapes out of code in a table, and keep an option of a verb in one line."""
    code = cell[0].replace("\\|", "|")
    if cell[1].startswith("limen "):
        code = _OPTION.sub(r'<span class="option">\g<0></span>', code)
    return code


def fill(markdown: str) -> str:
    """
    Replace each mark by what it names.

    Parameters
    ----------
    markdown : str
        Text of a page.

    Returns
    -------
    str

    Raises
    ------
    KeyError
        If a mark names a kind that does not exist.
    """
    kinds = {"verbs": verbs, "schemas": schemas, "file": file_text}
    return _MARK.sub(lambda mark: kinds[mark[1]](*filter(None, [mark[2]])), markdown)


def file_text(name: str) -> str:
    """
    Give a text file of the project, such as an example's README, by its path from the root.

    Its links into ``docs/`` become links from a page one folder below it.
    """
    return (ROOT / name).read_text(encoding="utf-8").replace("](../../docs/", "](../")


def verbs() -> str:
    """Give every verb with its ``--help``, as the terminal shows it."""
    import click

    from limen.cli import main

    context = click.Context(main, info_name="limen", max_content_width=88, terminal_width=88)
    parts = []
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        if command is not None:
            own = click.Context(command, parent=context, info_name=name)
            parts.append(f"## limen {name}\n\n```text\n{command.get_help(own)}\n```\n")
            for word, inner in _inner(command, own):
                said = inner.get_help(click.Context(inner, parent=own, info_name=word))
                parts.append(f"### limen {name} {word}\n\n```text\n{said}\n```\n")
    return "\n".join(parts)


def _inner(command: Any, context: Any) -> Iterator[tuple[str, Any]]:
    """Give the verbs of a verb that is a group."""
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            yield name, command.get_command(context, name)


def schemas() -> str:
    """Give a table of fields for every schema of format 1.0."""
    read = {name: _schema(name) for name in SCHEMAS}
    parts = []
    for name, schema in read.items():
        rows = "\n".join(_row(*entry) for entry in _fields(schema, read, name, "", (name,)))
        parts.append(
            f"## {name}\n\n{schema['title']}. {schema['description']}\n\n"
            f"| field | value | meaning |\n|---|---|---|\n{rows}\n"
        )
    return "\n".join(parts)


def _schema(name: str) -> dict[str, Any]:
    from limen.resources import schema_text

    found: dict[str, Any] = json.loads(schema_text(name))
    return found


Fields = Iterator[tuple[str, bool, dict[str, Any], str]]


def _fields(
    node: Mapping[str, Any], read: Mapping[str, Any], home: str, prefix: str, seen: tuple[str, ...]
) -> Fields:
    """Yield the fields below a node: path, whether it is required, its schema, what it is."""
    required = set(node.get("required", ()))
    for name, raw in node.get("properties", {}).items():
        child, place, trail = _resolve(raw, read, home, seen)
        if child.get("not") == {}:
            continue
        path = f"{prefix}{name}"
        yield path, name in required, child, _reference(raw, trail, seen)
        if trail is not None:
            yield from _below(child, read, place, path, trail)
    base = node.get("$ref")
    if base:
        child, place, trail = _resolve({"$ref": base}, read, home, seen)
        if trail is not None:
            known = set(node.get("properties", {}))
            wider = child | {"required": [*child.get("required", ()), *required]}
            for entry in _fields(wider, read, place, prefix, trail):
                if entry[0].removeprefix(prefix).split(".")[0].split("[")[0] not in known:
                    yield entry


def _below(
    child: Mapping[str, Any], read: Mapping[str, Any], home: str, path: str, seen: tuple[str, ...]
) -> Fields:
    """Yield the fields inside an object, a list of objects, or a mapping to objects."""
    yield from _fields(child, read, home, f"{path}.", seen)
    for key, sign in (("items", "[]"), ("additionalProperties", ".NAME")):
        inner = child.get(key)
        if isinstance(inner, dict):
            node, place, trail = _resolve(inner, read, home, seen)
            if trail is not None:
                yield from _below(node, read, place, f"{path}{sign}", trail)


def _resolve(
    raw: Mapping[str, Any], read: Mapping[str, Any], home: str, seen: tuple[str, ...]
) -> tuple[dict[str, Any], str, tuple[str, ...] | None]:
    """Follow a reference; the trail is None where another section of the page describes it."""
    if "$ref" not in raw or "properties" in raw:
        return dict(raw), home, seen
    document, _, pointer = raw["$ref"].partition("#/")
    place = document.rpartition(":")[2] or home
    target: Any = read[place]
    for step in filter(None, pointer.split("/")):
        target = target[step]
    whole = dict(target) | {key: value for key, value in raw.items() if key != "$ref"}
    elsewhere = place != seen[0] and (not pointer or pointer == "$defs/declared")
    mark = f"{place}#{pointer}"
    return whole, place, None if elsewhere or mark in seen else (*seen, mark)


def _reference(raw: Mapping[str, Any], trail: tuple[str, ...] | None, seen: tuple[str, ...]) -> str:
    inner = raw.get("items", raw)
    target = inner.get("$ref", "") if isinstance(inner, dict) else ""
    place = target.partition("#")[0].rpartition(":")[2]
    whole = target.endswith(("#/$defs/declared", place)) and place in SCHEMAS
    return place if whole and place != seen[0] else ""


def _row(path: str, required: bool, schema: Mapping[str, Any], reference: str) -> str:
    value = _value(schema)
    if reference:
        value = f"{value} of [{reference}](#{reference})"
    value = f"required; {value}" if required else value
    meaning = str(schema.get("description", schema.get("title", "")))
    cells = (f"`{path}`", value, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _value(schema: Mapping[str, Any]) -> str:
    """Say in a few words what a value may be."""
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    kind = schema.get("type", "")
    names = {"object": "mapping", "array": "list", "string": "text"}
    kinds = [kind] if isinstance(kind, str) else kind
    words = " or ".join(names.get(each, each) for each in kinds) or "any"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        words += f", {low} to {high}"
    elif low is not None:
        words += f", {low} or more"
    if "title" in schema and words == "text":
        words = str(schema["title"])
    return words
