"""How to cite a bundle: BibTeX, and plain words for the terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from limen.documents.escaping import bibtex_text, clean, flat
from limen.documents.identity import (
    Creator,
    bare_doi,
    bundle_title,
    creators,
    doi_url,
    is_citable,
    related_name,
    release_date,
    standing,
)
from limen.documents.wording import analysis_text, describe

__all__ = ["bibtex", "how_to_cite"]

_NAME_TRAP = re.compile(r",|\band\b", re.IGNORECASE)


def bibtex(manifest: Mapping[str, Any]) -> str:
    """
    BibTeX entry of a bundle; its note says where it is not citable yet.

    Parameters
    ----------
    manifest : mapping

    Returns
    -------
    str
        One ``@misc`` entry; titles and names are shown as they are, never obeyed as LaTeX.

    Examples
    --------
    >>> print(bibtex({"id": "toy", "title": "Toy", "version": "1.0.0",
    ...               "creators": [{"name": "Doe, Jane"}], "created": "2026-02-03",
    ...               "status": "frozen", "doi": "10.5281/zenodo.7000002"}))
    @misc{toy_1.0.0,
      author = {Doe, Jane},
      title = {{Toy}},
      version = {1.0.0},
      year = {2026},
      publisher = {Zenodo},
      doi = {10.5281/zenodo.7000002},
      url = {https://doi.org/10.5281/zenodo.7000002},
    }
    """
    manifest = clean(manifest)
    doi, url = bare_doi(manifest.get("doi")), doi_url(manifest.get("doi"))
    if re.search(r"[{}%\\]", doi):
        doi, url = bibtex_text(doi), bibtex_text(url)
    key = re.sub(r"[^A-Za-z0-9.:_-]+", "-", f"{manifest.get('id')}_{manifest.get('version')}")
    fields = {
        "author": " and ".join(_bibtex_author(creator) for creator in creators(manifest)),
        "title": f"{{{bibtex_text(bundle_title(manifest))}}}",
        "version": bibtex_text(manifest.get("version") or ""),
        "year": release_date(manifest)[:4],
        "publisher": "Zenodo" if re.match(r"(?i)10\.(?:5281|5072)/zenodo\.", doi) else "",
        "doi": doi,
        "url": url,
        "note": "" if is_citable(manifest) else bibtex_text(standing(manifest)),
    }
    lines = [f"  {name} = {{{value}}},\n" for name, value in fields.items() if value]
    return f"@misc{{{key},\n{''.join(lines)}}}"


def _bibtex_author(creator: Creator) -> str:
    if not creator.family:
        return f"{{{bibtex_text(creator.name)}}}"
    parts = [
        f"{{{bibtex_text(part)}}}" if _NAME_TRAP.search(part) else bibtex_text(part)
        for part in (creator.family, creator.given)
        if part
    ]
    return ", ".join(parts)


def how_to_cite(manifest: Mapping[str, Any]) -> str:
    """
    What to cite, in plain words: the bundle, the analyses and the tools behind it.

    Parameters
    ----------
    manifest : mapping

    Returns
    -------
    str
        Lines of plain text without control characters, for a terminal or a footnote.

    Examples
    --------
    >>> print(how_to_cite({"id": "toy", "title": "Toy", "version": "1.0.0"}))
    This is a draft: it may still change and is not citable yet.
    <BLANKLINE>
    The bundle:
      [creators not named yet]: Toy. Version 1.0.0.
    """
    manifest = clean(manifest)
    names = "; ".join(creator.name for creator in creators(manifest)) or "[creators not named yet]"
    year = release_date(manifest)[:4]
    bundle = f"{names}{f' ({year})' if year else ''}: {bundle_title(manifest).rstrip('.')}."
    if manifest.get("version"):
        bundle += f" Version {flat(manifest['version'])}."
    url = doi_url(manifest.get("doi"))
    sections = {
        "The bundle": [f"{bundle} {url}".strip()],
        "The analyses it rests on": [analysis_text(a) for a in manifest.get("analyses") or ()],
        "The tools that made it": [_tool(tool) for tool in manifest.get("toolchain") or ()],
        "Related works": [
            f"{related_name(related)} ({flat(related.get('relation') or 'related')})"
            for related in manifest.get("related") or ()
        ],
    }
    blocks = [
        f"{head}:\n" + "\n".join(f"  {line}" for line in lines if line)
        for head, lines in sections.items()
        if lines
    ]
    opening = [] if is_citable(manifest) else [standing(manifest)]
    return "\n\n".join([*opening, *blocks])


def _tool(tool: Any) -> str:
    if not isinstance(tool, Mapping):
        return describe(tool)
    shown = {key: value for key, value in tool.items() if key not in ("settings", "role")}
    role = flat(tool.get("role") or "")
    return describe(shown) + (f" ({role})" if role else "")
