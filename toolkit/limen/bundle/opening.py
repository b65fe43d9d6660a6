"""Open a bundle: its manifest, its parts, its scan and its models."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limen import journal, manifest, schema
from limen.bundle.changes import GENERATED, Edit, complete, sha256
from limen.errors import (
    BundleNotFoundError,
    ColumnError,
    Fault,
    FrozenError,
    IntegrityError,
    PartMissingError,
    SchemaError,
    UsageError,
)
from limen.manifest import Column, ModelCard

if TYPE_CHECKING:
    import xarray

    from limen.prediction import Predictor
    from limen.scan import Scan

__all__ = ["Bundle", "next_minor", "open_bundle"]


class Bundle:
    """
    An opened bundle.

    Use :func:`open_bundle`, :func:`limen.pack` or ``limen_zenodo.fetch`` to get one.

    Parameters
    ----------
    path : Path
        The folder.
    document : dict
        Its checked manifest.

    Attributes
    ----------
    path : Path
    columns : dict of str to Column
        The columns of the scan.
    models : dict of str to ModelCard
    refused : tuple of Fault
        Rows that `limen.pack` could not read and left out, where it has just made the bundle.
    """

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self._document = document
        self.columns: dict[str, Column] = manifest.columns(document)
        self.models: dict[str, ModelCard] = manifest.models(document)
        self.refused: tuple[Fault, ...] = ()

    def __repr__(self) -> str:
        facts = f"{self._document['id']} {self._document['version']}, {self.status}"
        return (
            f"<Bundle {facts}, {self.n_points} points, models: {', '.join(self.models) or 'none'}>"
        )

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest; a copy, changing it changes nothing."""
        return copy.deepcopy(self._document)

    @property
    def status(self) -> str:
        """``draft`` or ``frozen``."""
        return str(self._document["status"])

    @property
    def n_points(self) -> int:
        """Number of rows of the scan, invalid ones included."""
        return int(self.table["rows"])

    @property
    def table(self) -> dict[str, Any]:
        """The manifest's entry of the table ``scan``."""
        return self._table("scan")

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables: ``scan``, and ``queries`` where a campaign asked points."""
        return tuple(str(table["name"]) for table in self._document["tables"])

    def _table(self, name: str) -> dict[str, Any]:
        tables = {table["name"]: table for table in self._document["tables"]}
        if name not in tables:
            raise ColumnError(
                f"{self.path} table: found {name!r}, allowed {', '.join(tables)}; a table queries "
                "is made by limen extend"
            )
        return dict(tables[name])

    @property
    def manifest_sha256(self) -> str:
        """SHA-256 of ``bundle.json`` as it lies on disk."""
        return sha256(journal.resolve(self.path, journal.MANIFEST))

    def part(self, name: str) -> Path:
        """
        Give the path of a file of the bundle.

        Raises
        ------
        PartMissingError
            If the file belongs to the bundle and is not here.
        IntegrityError
            If the name is not one of the bundle, or is no plain file.
        """
        if name != journal.MANIFEST and name not in self._document["files"]:
            raise IntegrityError(f"{self.path}: {name!r} is no file of this bundle")
        path = journal.resolve(self.path, name)
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise IntegrityError(f"{path}: found a link or a folder, allowed a plain file")
        if not path.exists():
            raise PartMissingError(f"{path}: this part was not fetched; {self._fetch_line(name)}")
        return path

    def _fetch_line(self, name: str) -> str:
        role = self._document["files"].get(name, {}).get("role", "")
        part = {"model": "models", "probe": "models"}.get(role, role or "manifest")
        doi = self._document.get("doi")
        if doi is None:
            return "copy it into the folder (the bundle has no DOI to fetch it from)"
        return f"run: limen fetch {doi} --parts manifest,{part} -o {self.path}"

    def verified(self, name: str) -> Path:
        """
        Give the path of a file after comparing its size and SHA-256 with the manifest.

        Raises
        ------
        IntegrityError
            If the file was changed.
        """
        path = self.part(name)
        entry = self._document["files"][name]
        size = path.stat().st_size
        if size != entry["bytes"]:
            raise IntegrityError(
                f"{path}: found {size} bytes, the manifest says {entry['bytes']}; "
                "the file was changed or cut, get it again"
            )
        if sha256(path) != entry["sha256"]:
            raise IntegrityError(
                f"{path}: found another SHA-256 than the manifest says; get the file again"
            )
        return path

    def open_scan(self, table: str = "scan") -> Scan:
        """
        Open the reader of the scan, or of the table ``queries``. Close it after use.

        It gives columns and row ranges, and needs numpy only.
        """
        from limen.scan import open_scan

        return open_scan(self.part(self._table(table)["file"]))

    @cached_property
    def scan(self) -> xarray.Dataset:
        """The scan, lazy, dimension ``point``, masks applied, units in the attributes."""
        columns = {name: column.to_dict() for name, column in self.columns.items()}
        return self.open_scan().dataset(columns)

    @property
    def queries(self) -> xarray.Dataset:
        """
        The points that a campaign asked, failures included, as :attr:`scan`.

        Raises
        ------
        ColumnError
            If no campaign asked points for this bundle.
        """
        scan = self.open_scan("queries")
        listed = manifest.columns(self._document, "queries")
        return scan.dataset({name: column.to_dict() for name, column in listed.items()})

    def predictor(self, name: str | None = None) -> Predictor:
        """
        Load a model for predictions.

        Parameters
        ----------
        name : str, optional
            The model; may be left out if there is just one.

        Raises
        ------
        UsageError
            If there is no such model, or several and none is named.
        IntegrityError, GraphError
            If the model's file was changed or may not be run.
        """
        from limen.prediction import Predictor

        card = self.model(name)
        return Predictor(card, self.verified(card.file), self._document, neighbours=self.open_scan)

    def model(self, name: str | None = None) -> ModelCard:
        """Give a model's card; ``name`` may be left out if there is just one."""
        known = ", ".join(self.models) or "none yet; train one: limen train BUNDLE --target COLUMN"
        if name is None and len(self.models) == 1:
            return next(iter(self.models.values()))
        if name is None or name not in self.models:
            found = "no model named" if name is None else f"found {name!r}"
            raise UsageError(f"{self.path} model: {found}, allowed: {known}")
        return self.models[name]

    @contextmanager
    def edit(self) -> Iterator[Edit]:
        """
        Change a draft: files and manifest together, or not at all.

        Afterwards this object shows the new state.

        Raises
        ------
        FrozenError
            If the bundle is frozen.
        SchemaError
            If the changed manifest breaks the schema; nothing is changed then.
        """
        _refuse_frozen(self.path, self._document)
        with journal.editing(self.path) as folder:
            document = _load(self.path)
            _refuse_frozen(self.path, document)
            change = Edit(folder, document, self.path)
            yield change
            document = complete(change.manifest, folder, change.roles)
        self.__dict__.pop("scan", None)
        self.__init__(self.path, document)  # type: ignore[misc]

    def freeze(self) -> None:
        """Make the bundle frozen: no change any more."""
        with self.edit() as change:
            change.manifest["status"] = "frozen"

    def next_version(
        self,
        path: str | Path,
        version: str | None = None,
        amend: Callable[[Edit], None] | None = None,
    ) -> Bundle:
        """
        Copy the bundle into a new draft that names this one as its parent.

        Parameters
        ----------
        path : str or Path
            The new folder.
        version : str, optional
            Its version; the next minor version by default.
        amend : callable, optional
            Changes the new version before it is written, as in :meth:`edit`.
        """
        document = self.manifest
        document["parent"] = self.as_parent()
        document["version"] = version or next_minor(document["version"])
        document["status"] = "draft"
        for field in ("doi", "concept_doi"):
            document.pop(field, None)
        target = Path(path)
        with journal.new_folder(target) as folder:
            for name, entry in self._document["files"].items():
                if name not in GENERATED:
                    _copy(self.verified(name), folder / name, entry)
            change = Edit(folder, document, self.path)
            if amend is not None:
                amend(change)
            complete(change.manifest, folder, change.roles)
        return open_bundle(target)

    def as_parent(self) -> dict[str, Any]:
        """Give the ``parent`` entry of a bundle made from this one."""
        named = {
            key: self._document[key] for key in ("id", "version", "doi") if key in self._document
        }
        return named | {"manifest_sha256": self.manifest_sha256}


def open_bundle(path: str | Path) -> Bundle:
    """
    Open a bundle; only its manifest is read.

    Parameters
    ----------
    path : str or Path
        The folder.

    Returns
    -------
    Bundle

    Raises
    ------
    BundleNotFoundError
        If there is no folder, or no ``bundle.json`` in it.
    FormatVersionError, SchemaError
        If the manifest is of a later format or breaks the schema; all its faults at once.
    """
    folder = Path(path)
    if folder.name == journal.MANIFEST:
        folder = folder.parent
    if not folder.is_dir():
        raise BundleNotFoundError(f"{folder}: no such folder; give the folder of a bundle")
    journal.settle(folder)
    return Bundle(folder, _load(folder))


def _load(folder: Path) -> dict[str, Any]:
    path = journal.resolve(folder, journal.MANIFEST)
    if path.is_symlink():
        raise IntegrityError(f"{path}: found a link, allowed a plain file; get the bundle again")
    if not path.is_file():
        # A writer that just finished has moved it to its place.
        path = folder / journal.MANIFEST
    if not path.is_file():
        raise BundleNotFoundError(
            f"{folder}: no bundle.json here; give the folder of a bundle, or make one: limen pack"
        )
    document = _load_present(folder, path)
    faults = manifest.check_manifest(document)
    if faults:
        schema.refuse_later_format(document, str(path))
        raise SchemaError.from_faults(str(path), faults)
    return dict(document)


def _load_present(folder: Path, path: Path) -> dict[str, Any]:
    """Load the manifest, also while a writer moves it to its place."""
    try:
        return schema.load_json(path)
    except IntegrityError:
        if path.exists():
            raise
        return schema.load_json(folder / journal.MANIFEST)


def _refuse_frozen(folder: Path, document: Mapping[str, Any]) -> None:
    if document["status"] == "frozen":
        raise FrozenError(
            f"{folder}: this bundle is frozen and never changes; make the next version: "
            "limen edit BUNDLE --set ... -o NEW_BUNDLE"
        )


def _copy(source: Path, target: Path, entry: Mapping[str, Any]) -> None:
    shutil.copyfile(source, target)
    if target.stat().st_size != entry["bytes"]:
        raise IntegrityError(f"{source}: changed while it was copied; try again")


def next_minor(version: str) -> str:
    """
    Give the next minor version.

    Examples
    --------
    >>> next_minor("1.0.3"), next_minor("1.1.0-beta.1")
    ('1.1.0', '1.2.0')
    """
    major, minor, _ = version.split("-")[0].split("+")[0].split(".")
    return f"{major}.{int(minor) + 1}.0"
