"""A scan as a lazy `xarray.Dataset`, masks applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from limen.errors import IntegrityError

if TYPE_CHECKING:
    import xarray

    from limen.scan.reader import Scan

__all__ = ["lazy_dataset"]


def lazy_dataset(scan: Scan, columns: Mapping[str, Mapping[str, Any]]) -> xarray.Dataset:
    """
    Wrap every column of a scan in a variable that reads when its values are used.

    Parameters
    ----------
    scan : Scan
    columns : mapping of str to mapping
        As in `Scan.dataset`.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    IntegrityError
        If a column or a mask named by ``columns`` is not in the file.
    """
    import xarray

    _check(scan, columns)
    variables = {
        name: _variable(scan, name, columns.get(name, {}).get("valid")) for name in scan.names
    }
    for name, column in columns.items():
        variables[name].attrs.update(_attrs(column))
    return xarray.Dataset(variables, attrs=scan.attrs)


def _check(scan: Scan, columns: Mapping[str, Mapping[str, Any]]) -> None:
    faults: list[tuple[str, str]] = []
    for name, column in columns.items():
        mask = column.get("valid")
        if name not in scan.dtypes:
            faults.append((name, "declared, but not in the file; pack it again"))
        if mask is not None and scan.dtypes.get(mask) != np.dtype(bool):
            faults.append((name, f"mask {mask!r} is no bool column of the file; pack it again"))
    if faults:
        raise IntegrityError.from_faults("scan", faults)


def _attrs(column: Mapping[str, Any]) -> dict[str, Any]:
    named = {"unit": "units", "label": "long_name", "role": "role"}
    return {attr: column[key] for key, attr in named.items() if key in column}


def _variable(scan: Scan, name: str, mask: str | None) -> xarray.Variable:
    import xarray
    from xarray.backends import BackendArray
    from xarray.core import indexing

    class Column(BackendArray):
        """One column, read by the rows that xarray asks for."""

        def __init__(self) -> None:
            self.shape = (scan.n_points,)
            self.dtype = _masked_dtype(scan.dtypes[name], mask)

        def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
            support = indexing.IndexingSupport.OUTER
            return indexing.explicit_indexing_adapter(key, self.shape, support, self.rows)

        def rows(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
            if mask is None or scan.dtypes[name].kind == "f":
                return _rows(scan, name, key[0])
            if isinstance(key[0], slice) and key[0].step in (None, 1):
                scan.prefetch([name, mask], slice(*key[0].indices(scan.n_points)[:2]))
            values = _rows(scan, name, key[0])
            return np.where(_rows(scan, mask, key[0]), values, np.nan).astype(self.dtype)

    lazy = indexing.LazilyIndexedArray(Column())
    return xarray.Variable(("point",), lazy, attrs=scan.column_attrs(name))


def _masked_dtype(dtype: np.dtype[Any], mask: str | None) -> np.dtype[Any]:
    if mask is None or dtype.kind == "f":
        return dtype
    return np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)


def _rows(scan: Scan, name: str, key: Any) -> npt.NDArray[Any]:
    if isinstance(key, slice):
        start, stop, step = key.indices(scan.n_points)
        if step == 1:
            return scan.read([name], start, max(start, stop))[name]
        return scan.take(name, np.arange(start, stop, step))
    rows = np.asarray(key)
    return scan.take(name, rows.reshape(-1)).reshape(rows.shape)
