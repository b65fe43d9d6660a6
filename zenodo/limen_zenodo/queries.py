"""What a user wants to find, in the query language of an archive."""

from __future__ import annotations

import re

from limen.errors import UsageError
from limen_zenodo.sites import PRODUCTION, SANDBOX, Site

__all__ = ["KEYWORD", "archive_query", "wanted_words"]

# By this keyword a record says that it is a bundle.
KEYWORD = "limen-bundle"

_LONGEST = 500
_TOKENS = re.compile(r'"([^"]*)"|(\S+)')
_OPERATORS = frozenset({"AND", "OR", "NOT", "TO"})


def wanted_words(text: str) -> list[str]:
    """
    Give words and phrases in double quotes, folded for comparison.

    >>> wanted_words('Squark "two Words"')
    ['squark', 'two words']
    """
    return [(phrase or word).casefold() for phrase, word in _TOKENS.findall(text)]


def archive_query(text: str, site: Site, *, raw: bool) -> str:
    """
    Give the query that finds bundles by words.

    Parameters
    ----------
    text : str
        Words and phrases in double quotes, all of which must occur.
    site : Site
    raw : bool
        It is a query already, and stays as it is.

    Returns
    -------
    str

    Raises
    ------
    UsageError
        If it is too long.

    Examples
    --------
    >>> archive_query("squark/gluino pMSSM", PRODUCTION, raw=False)
    '"squark/gluino" AND pMSSM AND keywords:"limen-bundle"'
    >>> archive_query("b -> s", PRODUCTION, raw=False)
    'b AND s AND keywords:"limen-bundle"'
    """
    if len(text) > _LONGEST:
        raise UsageError(
            f"query: found {len(text)} characters, allowed {_LONGEST}; use fewer words"
        )
    if raw:
        return text
    # Zenodo still has the names of its fields from before it ran InvenioRDM.
    zenodo = site.name in (PRODUCTION.name, SANDBOX.name)
    field = "keywords" if zenodo else "metadata.subjects.subject"
    terms = [_term(phrase, word) for phrase, word in _TOKENS.findall(text)]
    return " AND ".join([*filter(None, terms), f'{field}:"{KEYWORD}"'])


def _term(phrase: str, word: str) -> str:
    """Write a word or phrase so that no sign of it is one of the query language; signs alone go."""
    text = (phrase or word).replace('"', "").strip()
    if not any(sign.isalnum() for sign in text):
        return ""
    plain = text.isidentifier() or text.isalnum()
    if plain and not phrase and text not in _OPERATORS:
        return text
    escaped = text.replace("\\", "\\\\")
    return f'"{escaped}"'
