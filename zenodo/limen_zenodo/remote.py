"""Published bundles read where they lie: a manifest, one model, the chunks that are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from limen.bundle import Bundle
from limen.bundle.changes import Edit
from limen.errors import FrozenError, PartMissingError
from limen.journal import MANIFEST
from limen.resources import cache_folder
from limen_zenodo.client import Client
from limen_zenodo.fetching import fetch_parts, is_offline
from limen_zenodo.identifiers import parse_identifier
from limen_zenodo.locks import Lock
from limen_zenodo.patience import Patience
from limen_zenodo.ranges import RangeReader
from limen_zenodo.records import RemoteFile, parse_record
from limen_zenodo.sites import Site, site_named
from limen_zenodo.spans import Spans, prune

if TYPE_CHECKING:
    from limen.scan import Scan

__all__ = ["RemoteBundle", "open_remote"]

_LARGEST = 4 * 2**30


class RemoteBundle(Bundle):
    """
    A published bundle of which only what is used is fetched; use :func:`open_remote`.

    Manifest, models and other files come whole into the cache, verified by MD5 and SHA-256 and
    examined as :func:`limen_zenodo.fetch` does. The scan comes in ranges: they are pinned to the
    file that the record states, and each chunk that is read whole is compared with its CRC-32. A
    SHA-256 of the whole scan is compared only where it is fetched: ``fetch(..., parts=["scan"])``.

    Parameters
    ----------
    path : Path
        Its folder in the cache.
    document : dict
        Its manifest.
    lock : Lock
        The pinned record.
    site : Site
    options : dict
        ``token``, ``offline``, ``trust``, ``patience``, ``timeout`` of what is fetched later.
    """

    def __init__(
        self, path: Path, document: dict[str, Any], lock: Lock, site: Site, options: dict[str, Any]
    ) -> None:
        super().__init__(path, document)
        self.lock = lock
        self.site = site
        self._options = options

    def part(self, name: str) -> Path:
        """
        Give the path of a file, fetched if it is not there yet.

        Raises
        ------
        NetworkError, AccessError, RecordNotFoundError, ChecksumError, IntegrityError
        """
        try:
            return super().part(name)
        except PartMissingError:
            names = [name]
            # The trial of a model needs its probe.
            for card in self.models.values():
                if name in (card.file, card.probe):
                    names = [card.file, card.probe]
            fetch_parts(self.lock.record, [MANIFEST, *names], site=self.site, **self._options)
            return super().part(name)

    def open_scan(self, table: str = "scan") -> Scan:
        """Open a table's reader; only the ranges of what is read are fetched. Close it."""
        from limen.scan import Scan, open_scan

        name = str(self._table(table)["file"])
        try:
            return open_scan(super().part(name))
        except PartMissingError:
            file = self._remote_file(name)
        root = cache_folder() / "ranges"
        host = re.sub(r"[^A-Za-z0-9.-]", "_", self.site.host)
        folder = root / host / self.lock.record / (file.md5 or self._sha256(name))
        prune(root, _LARGEST, folder)
        client = None
        if not (self._options["offline"] or is_offline()):
            given = {key: self._options[key] for key in ("token", "patience", "timeout")}
            client = Client(self.site, **given)

        def md5_now() -> str:
            found = None if client is None else client.get_json(f"/records/{self.lock.record}")
            return parse_record(found, self.site).file(name).md5 if found else file.md5

        read = RangeReader(client, file, Spans(folder), lambda: self.part(name), md5_now)
        return Scan(read, file.size, where=f"{self.site.page(self.lock.record)} {name}")

    def _remote_file(self, name: str) -> RemoteFile:
        locked = self.lock.files[name]
        place = f"/records/{self.lock.record}/files/{quote(name, safe='')}/content"
        return RemoteFile(name, locked.size, locked.md5, f"{self.site.api}{place}")

    def _sha256(self, name: str) -> str:
        return str(self._document["files"][name]["sha256"])

    @contextmanager
    def edit(self) -> Iterator[Edit]:
        """Refuse: a published bundle does not change."""
        raise FrozenError(
            f"{self.site.page(self.lock.record)}: is published and never changes; fetch it into a "
            f"folder and make the next version: limen fetch {self.lock.doi or self.lock.record} "
            "--parts all -o FOLDER"
        )
        yield  # pragma: no cover


def open_remote(
    identifier: str,
    *,
    site: Site | str | None = None,
    offline: bool = False,
    trust: bool = False,
    token: str | None = None,
    patience: Patience | None = None,
    timeout: tuple[float, float] = (10.0, 60.0),
) -> RemoteBundle:
    """
    Open a published bundle where it lies; only its manifest is fetched now.

    Parameters
    ----------
    identifier : str
        Id, DOI or address of the record, in any spelling.
    site : Site or str, optional
        Where a bare id lies.
    offline : bool
        Ask nobody: use what was fetched and read before.
    trust : bool
        Do not run the probes of models that are fetched.
    token : str, optional
        By default from the variable that the site names.
    patience : Patience, optional
    timeout : (float, float)
        Longest wait for a connection and for the next bytes [s].

    Returns
    -------
    RemoteBundle
        ``scan`` is a lazy `xarray.Dataset`: reading values fetches their chunks, and keeps them.

    Raises
    ------
    IdentifierError, UsageError
        If the call is wrong.
    OfflineError, NetworkError, RecordNotFoundError, AccessError
        If it cannot be had.
    ChecksumError, RecordChangedError, UnsafeNameError, IntegrityError, SchemaError
        If it is not what the record says, or no bundle.

    Examples
    --------
    >>> remote = open_remote("10.5281/zenodo.7000002")  # doctest: +SKIP
    >>> remote.scan["m"].isel(point=slice(0, 1000)).values  # doctest: +SKIP
    """
    home = site_named(site) if isinstance(site, str) else site
    asked = parse_identifier(identifier, home)
    options: dict[str, Any] = {
        "offline": offline,
        "trust": trust,
        "token": token,
        "patience": patience,
        "timeout": timeout,
    }
    found = fetch_parts(identifier, [MANIFEST], site=home, **options)
    bundle = found.bundle
    return RemoteBundle(bundle.path, bundle.manifest, found.lock, asked.site, options)
