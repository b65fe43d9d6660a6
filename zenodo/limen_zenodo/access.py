"""Which archive is written to, with which right; and what was written, a draft."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from limen.errors import UsageError
from limen_zenodo.client import Client
from limen_zenodo.errors import AccessError
from limen_zenodo.journals import Deposit
from limen_zenodo.patience import Patience
from limen_zenodo.sites import PRODUCTION, SANDBOX, Site, site_named

__all__ = ["Draft", "choose_site", "deposit_line", "with_token"]


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A bundle deposited at an archive, not published.

    Parameters
    ----------
    site : Site
    id : str
        Of the record.
    doi : str
        Reserved for it; empty where that is still to be done.
    page : str
        Address of its page, for its owner.
    folder : Path
        The staged copy.
    bundle, version : str
        Id and version of the bundle.
    community : str
        Community that it is submitted to when it is published; empty for none.
    size : int
        Of all files [bytes].
    files : tuple of str
        Their names.
    sent : tuple of str
        Those that this call sent; the others were there.
    """

    site: Site
    id: str
    doi: str
    page: str
    folder: Path
    bundle: str
    version: str
    community: str = ""
    size: int = 0
    files: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()

    @classmethod
    def of(cls, site: Site, entry: Deposit, sent: tuple[str, ...] = ()) -> Draft:
        """Make it from the journal of a deposit."""
        return cls(
            site,
            entry.record,
            entry.doi,
            entry.page,
            entry.copy,
            entry.bundle,
            entry.version,
            entry.community,
            sum(file.bytes for file in entry.files.values()),
            tuple(entry.files),
            sent,
        )


def choose_site(production: bool, site: Site | str | None = None) -> Site:
    """
    Give the archive that is meant: the sandbox unless production is asked for.

    Raises
    ------
    UsageError
        If production is not asked for and the site is no test archive, or the other way round.
    """
    found = site_named(site) if isinstance(site, str) else site
    if found is None:
        return site_named(PRODUCTION.name if production else SANDBOX.name)
    if production and found.test:
        raise UsageError(f"--production: {found.host} is a test archive; leave one of the two out")
    if not production and not found.test:
        raise UsageError(
            f"{found.host}: a DOI there is for ever; add --production if that is meant, or "
            f"rehearse at {SANDBOX.host}"
        )
    return found


def deposit_line(bundle: object, site: Site) -> str:
    """
    Give the command that deposits a bundle at an archive.

    >>> deposit_line("toy", PRODUCTION)
    'limen deposit toy --production'
    """
    named = "" if site.name in (PRODUCTION.name, SANDBOX.name) else f" --site {site.name}"
    return f"limen deposit {bundle}{'' if site.test else ' --production'}{named}"


def with_token(site: Site, token: str | None, patience: Patience | None) -> Client:
    """
    Give a client that may write.

    Raises
    ------
    AccessError
        If there is no token.
    """
    client = Client(site, token, patience=patience)
    if not client.authenticated:
        client.close()
        raise AccessError(
            f"{site.host}: found no token in {site.token_variable}; make one with the scopes "
            f"deposit:write and deposit:actions at {site.url}/account/settings/applications and "
            f"set {site.token_variable} to it"
        )
    return client
