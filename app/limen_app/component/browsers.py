"""The scans that a server browses: one index for all visitors of a bundle."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from limen.browsing import Browser, Index

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["Browsers", "browsers_of"]

_OPEN = 4
_known: WeakKeyDictionary[Library, Browsers] = WeakKeyDictionary()
_knowing = Lock()


class Browsers:
    """
    Browsers by bundle, opened when they are first asked for; may be used from several threads.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._open: OrderedDict[str, Browser] = OrderedDict()
        self._progress: dict[str, tuple[str, float]] = {}
        self._lock = Lock()

    def get(self, key: str) -> Browser:
        """
        Give the browser of a bundle as it is now.

        Parameters
        ----------
        key : str
            ``id@version``.

        Raises
        ------
        LimenError
            If the bundle is not open, was deleted, or its scan cannot be read.
        """
        bundle, digest = self.library.get(key), self.library.digest(key)
        with self._lock:
            found = self._open.get(digest)
            if found is None:

                def tell(what: str, share: float) -> None:
                    self._progress[digest] = (what, share)

                index = Index(bundle.open_scan, bundle.columns, digest, progress=tell)
                found = self._open[digest] = Browser(index)
                while len(self._open) > _OPEN:
                    gone, _ = self._open.popitem(last=False)
                    self._progress.pop(gone, None)
            self._open.move_to_end(digest)
        return found

    def progress(self, key: str) -> tuple[str, float]:
        """Give what is being prepared for a bundle, and the share that is done, 0 to 1."""
        return self._progress.get(self.library.digest(key), ("", 1.0))


def browsers_of(library: Library) -> Browsers:
    """Give the browsers of a library: pages and the tables' address share them."""
    with _knowing:
        if library not in _known:
            _known[library] = Browsers(library)
        return _known[library]
