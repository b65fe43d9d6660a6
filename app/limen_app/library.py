"""The bundles and campaigns that a server offers, and what became of them since."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, RLock
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from limen import journal
from limen.bundle import Bundle, open_bundle
from limen.errors import BundleNotFoundError, IntegrityError, LimenError, UsageError
from limen.schema.wording import nearest
from limen_app.versions import newest

if TYPE_CHECKING:
    from limen.prediction import Predictor

__all__ = ["Library", "one_message"]

_log = logging.getLogger("limen.app")
_CAMPAIGN = "campaign.json"
_LONGEST = 600
Stamp = tuple[int, int, int] | None


@dataclass(slots=True)
class _Loaded:
    """A predictor, and the state of its file when it was loaded."""

    predictor: Predictor
    stamp: Stamp


@dataclass(slots=True)
class _Opened:
    """A bundle, where it came from, and the state of its manifest when it was read."""

    place: str
    bundle: Bundle
    stamp: Stamp
    digest: str
    models: dict[str, _Loaded] = field(default_factory=dict)
    loading: Lock = field(default_factory=Lock)


class Library:
    """
    The bundles that a server offers; may be used from several threads.

    Use :meth:`open`. A bundle that cannot be opened, or breaks later, is a message in
    :attr:`faults`; the others are there all the same.

    Attributes
    ----------
    campaigns : tuple of Path
        Folders of campaigns among the places.
    """

    def __init__(self) -> None:
        self._opened: dict[str, _Opened] = {}
        self._faults: dict[str, str] = {}
        self._notices: dict[str, str] = {}
        self._lock = RLock()
        self.campaigns: tuple[Path, ...] = ()

    @classmethod
    def open(cls, places: Sequence[str], *, trust: bool = False) -> Self:
        """
        Open what lies at the places.

        Parameters
        ----------
        places : sequence of str
            Folders of bundles or of campaigns, folders that hold several of them, and DOIs, ids or
            addresses of published bundles, of which only what is used is fetched.
        trust : bool
            Do not run the probes of models that are fetched.

        Returns
        -------
        Library
            Never fails as a whole: see :attr:`faults`.
        """
        library = cls()
        for place in dict.fromkeys(places):
            for name in _inside(place):
                try:
                    library._put(name, trust)
                except (LimenError, OSError) as error:
                    library._faults[name] = one_message(error)
        return library

    def add(self, place: str) -> tuple[str, ...]:
        """
        Open what lies at one place more.

        Parameters
        ----------
        place : str
            As :meth:`open` takes them.

        Returns
        -------
        tuple of str
            Keys of the bundles there, those that were open from there already included; empty if
            there is a campaign.

        Raises
        ------
        LimenError, OSError
            If one of them cannot be opened; those before it are open then.
        """
        keys = (self._put(name, trust=False) for name in _inside(place))
        return tuple(key for key in keys if key is not None)

    def _put(self, place: str, trust: bool) -> str | None:
        """Open a place, and give the key of the bundle; None for a campaign."""
        if (Path(place) / _CAMPAIGN).is_file():
            with self._lock:
                self.campaigns = tuple(dict.fromkeys((*self.campaigns, Path(place))))
            return None
        with self._lock:
            for key, known in self._opened.items():
                if known.place == place:
                    return key
        bundle = _open(place, trust)
        opened = _Opened(place, bundle, _stamp(_manifest(bundle)), bundle.manifest_sha256)
        key = _key(bundle)
        with self._lock:
            other = self._opened.setdefault(key, opened)
            if other is opened:
                self._faults.pop(place, None)
        if other is not opened:
            raise UsageError(
                f"{place}: {key} is open from {other.place} already; leave one of the two out"
            )
        return key

    def keys(self) -> tuple[str, ...]:
        """Give the keys ``id@version`` of the bundles, in the order of their places."""
        with self._lock:
            return tuple(self._opened)

    @property
    def faults(self) -> Mapping[str, str]:
        """What could not be opened, or broke since: one message a place or key."""
        with self._lock:
            return MappingProxyType(dict(self._faults))

    @property
    def notices(self) -> Mapping[str, str]:
        """What changed while it was open, by key."""
        with self._lock:
            return MappingProxyType(dict(self._notices))

    def get(self, key: str) -> Bundle:
        """
        Give a bundle, as it is now.

        Parameters
        ----------
        key : str
            ``id@version``; a plain id means its newest version.

        Raises
        ------
        BundleNotFoundError
            If no such bundle is open, or it was deleted since.
        LimenError
            If it was changed since and cannot be opened any more.
        """
        return self._current(key).bundle

    def resolve(self, key: str) -> str:
        """
        Give the full key that a key or a plain id means.

        Raises
        ------
        BundleNotFoundError
            If no such bundle is open.
        """
        with self._lock:
            if key in self._opened:
                return key
            alike = [known for known in self._opened if known.rpartition("@")[0] == key]
            if alike:
                return newest(alike)
            hint = nearest(key, self._opened) or ""
            listed = ", ".join(self._opened) or "none"
        raise BundleNotFoundError(
            f"bundle: found {key[:80]!r}, {hint}open are {listed}; choose one of them"
        )

    def digest(self, key: str) -> str:
        """Give the SHA-256 of a bundle's manifest, as it is now; errors as :meth:`get`."""
        return self._current(key).digest

    def place(self, key: str) -> str:
        """Give the place that a bundle was opened from."""
        with self._lock:
            return self._opened[self.resolve(key)].place

    def predictor(self, key: str, model: str) -> Predictor:
        """
        Give a loaded model; it is loaded once, and again when its file has changed.

        Raises
        ------
        BundleNotFoundError, UsageError
            If there is no such bundle or model.
        PartMissingError, IntegrityError, GraphError
            If the model's file is gone, was changed, or may not be run.
        """
        opened = self._current(key)
        with opened.loading:
            card = opened.bundle.model(model)
            found = opened.models.get(card.name)
            path = journal.resolve(opened.bundle.path, card.file)
            if found is not None and found.stamp is not None and found.stamp == _stamp(path):
                return found.predictor
            opened.models.pop(card.name, None)
            predictor = opened.bundle.predictor(card.name)
            opened.models[card.name] = _Loaded(predictor, _stamp(predictor.path))
            return predictor

    def _current(self, key: str) -> _Opened:
        """Give what is open under a key, opened again if its manifest has changed."""
        with self._lock:
            key = self.resolve(key)
            opened = self._opened[key]
            now = _stamp(_manifest(opened.bundle))
            if now == opened.stamp and now is not None:
                self._faults.pop(key, None)
                return opened
            try:
                again = self._again(key, opened)
            except LimenError as error:
                if key not in self._faults:
                    # Where it lies is for those who run the server alone.
                    _log.warning("%s (%s)", one_message(error), opened.bundle.path)
                self._faults[key] = one_message(error)
                raise
            self._opened[key] = again
            self._faults.pop(key, None)
            return again

    def _again(self, key: str, opened: _Opened) -> _Opened:
        try:
            bundle = _open(opened.place, trust=False)
            digest = bundle.manifest_sha256
        except (BundleNotFoundError, FileNotFoundError) as error:
            raise BundleNotFoundError(
                f"{key}: its folder was deleted or moved while it was open; put it back, or open "
                "another one"
            ) from error
        except OSError as error:
            raise IntegrityError(f"{key}: cannot be read; {error.strerror}") from error
        if _key(bundle) != key:
            raise BundleNotFoundError(
                f"{key}: its folder holds {_key(bundle)} now; start limen app again to open that"
            )
        if digest != opened.digest:
            self._notices[key] = f"{key} was changed while it was open; this is its new state"
        return _Opened(opened.place, bundle, _stamp(_manifest(bundle)), digest)


def _inside(place: str) -> Iterator[str]:
    """Give the place itself, or what lies in a folder that is neither bundle nor campaign."""
    folder = Path(place)
    if not folder.is_dir() or _is_one(folder):
        yield place
        return
    try:
        children = sorted(child for child in folder.iterdir() if child.is_dir())
    except OSError:
        children = []
    found = [str(child) for child in children if _is_one(child)]
    yield from found or [place]


def _is_one(folder: Path) -> bool:
    marks = (journal.MANIFEST, journal.COMMIT, _CAMPAIGN)
    return any((folder / name).exists() for name in marks)


def _open(place: str, trust: bool) -> Bundle:
    from limen_zenodo.errors import IdentifierError
    from limen_zenodo.identifiers import parse_identifier
    from limen_zenodo.remote import open_remote

    if not Path(place).exists():
        try:
            parse_identifier(place)
        except IdentifierError:
            return open_bundle(place)
        return open_remote(place, trust=trust)
    return open_bundle(place)


def _key(bundle: Bundle) -> str:
    document = bundle.manifest
    return f"{document['id']}@{document['version']}"


def _manifest(bundle: Bundle) -> Path:
    return journal.resolve(bundle.path, journal.MANIFEST)


def _stamp(path: Path) -> Stamp:
    """Give what changes when a file is replaced or written; None if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def one_message(error: LimenError | OSError) -> str:
    """
    Give one clear line for an error of several faults.

    Parameters
    ----------
    error : LimenError or OSError

    Returns
    -------
    str
        Without line breaks, at most a few hundred characters.
    """
    if not isinstance(error, LimenError):
        return f"{error.filename or 'a file'}: {error.strerror or 'cannot be read'}"[:_LONGEST]
    first, *others = [line.strip() for line in error.message.splitlines() if line.strip()]
    text = f"{first} {others[0]}" if others else first
    if len(others) > 1:
        text += f" (and {len(others) - 1} more; limen check lists all)"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
