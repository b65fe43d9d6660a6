"""Versions in order: which of several bundles of one id is the newest."""

from __future__ import annotations

__all__ = ["newest", "order"]

Part = tuple[int, int, str]


def order(version: str) -> tuple[tuple[int, ...], tuple[Part, ...]]:
    """
    Give what a version is sorted by, as semantic versioning has it.

    Parameters
    ----------
    version : str
        As ``1.2.0`` or ``1.2.0-beta.1``; what follows a plus sign does not count.

    Examples
    --------
    >>> sorted(["1.10.0", "1.2.0", "1.10.0-rc.1"], key=order)
    ['1.2.0', '1.10.0-rc.1', '1.10.0']
    """
    numbers, _, before = version.partition("+")[0].partition("-")
    core = tuple(int(part) if part.isdigit() else 0 for part in numbers.split("."))
    if not before:
        # A release comes after whatever came before it.
        return core, ((2, 0, ""),)
    return core, tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in before.split(".")
    )


def newest(keys: list[str]) -> str:
    """
    Give the newest of keys ``id@version`` of one id.

    >>> newest(["toy@1.9.0", "toy@1.10.0"])
    'toy@1.10.0'
    """
    return max(keys, key=lambda key: order(key.rpartition("@")[2]))
