"""Archives that speak InvenioRDM: Zenodo, its sandbox, and others by configuration."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from limen.errors import Fault, UsageError

__all__ = ["PRODUCTION", "SANDBOX", "Site", "known_sites", "origin", "public_url", "site_named"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SECRETS = frozenset({"access_token", "token", "resource-token"})
_MAXIMUM_BYTES = 2**20
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
_PREFIX = re.compile(r"10\.[0-9]{4,9}(/[A-Za-z0-9._-]+\.?)?")


@dataclass(frozen=True, slots=True)
class Site:
    """
    One archive.

    Parameters
    ----------
    name : str
        ``zenodo``, ``sandbox`` or a name from the configuration.
    url : str
        Address of its pages, without a final slash.
    doi_prefix : str
        How DOIs that it mints begin, up to the record id, such as ``10.5281/zenodo.``.
    token_variable : str
        Environment variable that holds the user's token.
    resolver : str
        Where DOIs of others are looked up.
    test : bool
        Whether records there may vanish and DOIs never resolve.
    origins : tuple of str
        Further origins to which its files may lead.
    """

    name: str
    url: str
    doi_prefix: str
    token_variable: str
    resolver: str = "https://doi.org"
    test: bool = False
    origins: tuple[str, ...] = ()

    @property
    def api(self) -> str:
        """Address of the interface for programs."""
        return f"{self.url}/api"

    @property
    def host(self) -> str:
        """Host, with a port if it has one."""
        return urlsplit(self.url).netloc

    def doi(self, record: str) -> str:
        """Give the DOI that the archive mints for a record."""
        return f"{self.doi_prefix}{record}"

    def page(self, record: str) -> str:
        """Give the address of a record's page."""
        return f"{self.url}/records/{record}"

    def trusts(self, url: str) -> bool:
        """Tell whether an address belongs to the archive."""
        return origin(url) in (origin(self.url), *self.origins)


PRODUCTION = Site("zenodo", "https://zenodo.org", "10.5281/zenodo.", "ZENODO_TOKEN")
SANDBOX = Site(
    "sandbox",
    "https://sandbox.zenodo.org",
    "10.5072/zenodo.",
    "ZENODO_SANDBOX_TOKEN",
    resolver="https://handle.test.datacite.org",
    test=True,
)

_FIELDS = {"url", "doi_prefix", "token_variable", "resolver", "test", "origins"}


def origin(url: str) -> str:
    """
    Give scheme, host and port of an address.

    >>> origin("https://Zenodo.org/records/1?x=2")
    'https://zenodo.org'
    """
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.lower().rpartition('@')[2]}"


def public_url(url: str) -> str:
    """
    Give an address without its secrets.

    >>> public_url("https://zenodo.org/records/1?token=abc&q=x")
    'https://zenodo.org/records/1?token=...&q=x'
    """
    parts = urlsplit(url)
    if not parts.query and "@" not in parts.netloc:
        return url
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([(k, "..." if k in _SECRETS else v) for k, v in pairs])
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def known_sites() -> dict[str, Site]:
    """
    Give the archives by name: Zenodo, its sandbox, and those of the configuration.

    The configuration is the TOML file ``$LIMEN_SITES``, else ``limen/sites.toml`` in
    ``$XDG_CONFIG_HOME`` or ``~/.config``: a table for each archive, with ``url``, and if needed
    ``doi_prefix``, ``token_variable``, ``resolver``, ``test``, ``origins``. Tables ``zenodo`` and
    ``sandbox`` change the built-in ones.

    Returns
    -------
    dict of str to Site

    Raises
    ------
    UsageError
        If the file cannot be read or a table is wrong; all its faults at once.
    """
    found = {PRODUCTION.name: PRODUCTION, SANDBOX.name: SANDBOX}
    path = _configuration()
    if path is None:
        return found
    try:
        with path.open("rb") as stream:
            tables = tomllib.loads(stream.read(_MAXIMUM_BYTES).decode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check LIMEN_SITES") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: found no TOML ({error}); correct the file") from error
    faults: list[Fault] = []
    for name, table in tables.items():
        here = _table_faults(name, table, new=name not in found)
        faults += here
        if not here:
            found[name] = _site(name, table, found.get(name))
    if faults:
        raise UsageError.from_faults(str(path), faults)
    return found


def site_named(name: str) -> Site:
    """
    Give an archive by its name.

    Raises
    ------
    UsageError
        If there is none of this name.
    """
    sites = known_sites()
    if name not in sites:
        raise UsageError(
            f"site: found {name!r}, allowed {', '.join(sites)}; describe others in the file that "
            "LIMEN_SITES names"
        )
    return sites[name]


def _configuration() -> Path | None:
    given = os.environ.get("LIMEN_SITES")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME")
    path = (Path(base) if base else Path.home() / ".config") / "limen" / "sites.toml"
    return path if path.is_file() else None


def _site(name: str, table: dict[str, object], known: Site | None) -> Site:
    given = {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
    for key in ("url", "resolver"):
        if key in given:
            given[key] = str(given[key]).rstrip("/")
    base = {
        "url": known.url if known else "",
        "doi_prefix": known.doi_prefix if known else f"10.0000/{name}.",
        "token_variable": known.token_variable if known else _variable(name),
        "resolver": known.resolver if known else PRODUCTION.resolver,
        "test": known.test if known else False,
    }
    return Site(name=name, **(base | given))  # type: ignore[arg-type]


def _variable(name: str) -> str:
    return f"{name.upper().replace('-', '_')}_TOKEN"


def _table_faults(name: str, table: object, *, new: bool) -> list[Fault]:
    where = f"[{name}]"
    if not _NAME.fullmatch(name):
        return [Fault(where, "found this name, allowed small letters, digits and -; rename it")]
    if not isinstance(table, dict):
        return [Fault(where, "found no table; begin it with the name in brackets")]
    faults = [
        Fault(f"{where} {key}", f"unknown, allowed {', '.join(sorted(_FIELDS))}; remove it")
        for key in table.keys() - _FIELDS
    ]
    if new and "url" not in table:
        faults.append(Fault(where, "found no url; give the address of the archive"))
    for key in ("url", "resolver"):
        if key in table and not _is_address(table[key]):
            faults.append(
                Fault(
                    f"{where} {key}",
                    f"found {table[key]!r}, allowed an https address (http on this machine only)",
                )
            )
    if "doi_prefix" in table and not _PREFIX.fullmatch(str(table["doi_prefix"])):
        faults.append(
            Fault(
                f"{where} doi_prefix", f"found {table['doi_prefix']!r}, allowed '10.5281/zenodo.'"
            )
        )
    faults += [
        Fault(f"{where} {key}", f"found {table[key]!r}, allowed {words}")
        for key, kind, words in (("test", bool, "true or false"), ("token_variable", str, "a name"))
        if key in table and not isinstance(table[key], kind)
    ]
    origins = table.get("origins", [])
    if not (isinstance(origins, list) and all(_is_address(value) for value in origins)):
        faults.append(Fault(f"{where} origins", f"found {origins!r}, allowed a list of addresses"))
    return faults


def _is_address(value: object) -> bool:
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return safe and bool(parts.hostname) and not parts.query and not parts.fragment
