"""
Every error that Limen raises.

The tree::

    LimenError
      UsageError              the call itself is wrong (also ValueError)
        MissingExtraError     an optional library is not installed (also ImportError)
      SchemaError             a document breaks the schema; ``faults`` (also ValueError)
        FormatVersionError    a document of a format this version cannot read
      DataError               data contradict what is declared; ``faults`` (also ValueError)
        ReadError             a source file cannot be read as what it claims to be
        UnitError             a unit does not parse or does not fit
        ExpressionError       an expression is not allowed or cannot be evaluated
        ShapeError            an array has the wrong shape
        ColumnError           columns are missing, unknown or ambiguous
      CampaignError           a campaign that cannot do this now; ``faults`` (also ValueError)
      TrainingError           data from which nothing can be learnt (also ValueError)
      ExportError             a model whose exported graph is not the model (also ValueError)
      GraphError              an ONNX file that may not be run; ``faults`` (also ValueError)
      IntegrityError          bytes are not what the manifest says; ``faults`` (also ValueError)
      BundleNotFoundError     no bundle at this place (also FileNotFoundError)
      CampaignNotFoundError   no campaign at this place (also FileNotFoundError)
      PartMissingError        a part of the bundle was not fetched (also FileNotFoundError)
      FrozenError             a frozen bundle does not change (also PermissionError)
      StorageError            the disk is full or the folder cannot be written (also OSError)

A message reads *where: what was found, what is allowed; what to do*.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = [
    "BundleNotFoundError",
    "CampaignError",
    "CampaignNotFoundError",
    "ColumnError",
    "DataError",
    "ExportError",
    "ExpressionError",
    "Fault",
    "FormatVersionError",
    "FrozenError",
    "GraphError",
    "IntegrityError",
    "LimenError",
    "MissingExtraError",
    "PartMissingError",
    "ReadError",
    "SchemaError",
    "ShapeError",
    "StorageError",
    "TrainingError",
    "UnitError",
    "UsageError",
    "install_line",
]


def _printable(text: str) -> str:
    """Escape what would command a terminal: messages quote names that strangers gave."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter == "\n"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


class Fault(NamedTuple):
    """One fault: where it lies (a JSON pointer or a place in a file) and what is wrong."""

    pointer: str
    message: str

    def __str__(self) -> str:
        return _printable(f"{self.pointer}: {self.message}" if self.pointer else self.message)


class LimenError(Exception):
    """
    Base of all errors raised by Limen.

    Parameters
    ----------
    message : str
        Where, what was found, what is allowed, what to do.
    faults : iterable of (str, str)
        All faults found, each a pointer and a message; empty if there is just the message.

    Attributes
    ----------
    faults : tuple of Fault
    """

    def __init__(self, message: str, faults: Iterable[tuple[str, str]] = ()) -> None:
        self.message = _printable(message)
        super().__init__(self.message)
        self.faults = tuple(Fault(*fault) for fault in faults)

    def __str__(self) -> str:
        return self.message

    @classmethod
    def from_faults(cls, where: str, faults: Iterable[tuple[str, str]]) -> LimenError:
        """Make one error out of several faults of the document, file or bundle ``where``."""
        listed = tuple(Fault(*fault) for fault in faults)
        if len(listed) == 1:
            return cls(f"{where} {listed[0]}".strip(), listed)
        lines = "".join(f"\n  {fault}" for fault in listed)
        return cls(f"{where}: {len(listed)} faults{lines}", listed)


def install_line(extra: str) -> str:
    """
    Say how to install an extra.

    >>> install_line("io").partition(" (or ")[0]
    "from the checkout run: pip install '.[io]'"
    """
    return (
        f"from the checkout run: pip install '.[{extra}]' "
        f"(or pip install 'limen[{extra}]' where Limen was installed from a package)"
    )


class UsageError(LimenError, ValueError):
    """The call itself is wrong: an option, an argument, a combination of them."""


class MissingExtraError(UsageError, ImportError):
    """An optional library is not installed; the message gives the install line."""

    @classmethod
    def of(cls, library: str, extra: str) -> MissingExtraError:
        """
        Say how to install a library that an extra brings.

        >>> str(MissingExtraError.of("pyarrow", "io")).partition(" (or ")[0]
        "pyarrow is not installed; from the checkout run: pip install '.[io]'"
        """
        return cls(f"{library} is not installed; {install_line(extra)}")


class SchemaError(LimenError, ValueError):
    """A manifest, scan document, model card or probe breaks the schema."""


class FormatVersionError(SchemaError):
    """A document of a format that this version of Limen cannot read."""


class DataError(LimenError, ValueError):
    """Data contradict what is declared of them."""


class ReadError(DataError):
    """A source file cannot be read as what it claims to be."""


class UnitError(DataError):
    """A unit does not parse, or does not fit the unit it must be converted to."""


class ExpressionError(DataError):
    """An expression uses what is not allowed, or cannot be evaluated."""


class ShapeError(DataError):
    """An array has the wrong number of dimensions, rows or columns."""


class ColumnError(DataError):
    """Columns are missing, unknown, duplicated or ambiguous."""


class CampaignError(LimenError, ValueError):
    """A campaign that cannot do this: unknown ids, results that contradict, no point left."""


class TrainingError(LimenError, ValueError):
    """Data from which nothing can be learnt: one class, a constant target, too few rows."""


class ExportError(LimenError, ValueError):
    """A model that cannot be exported, or whose exported graph gives other answers."""


class GraphError(LimenError, ValueError):
    """An ONNX file that may not be run: foreign operators, external data, wrong inputs, size."""


class IntegrityError(LimenError, ValueError):
    """Bytes are not what the manifest says: a missing, extra, changed or truncated file."""


class BundleNotFoundError(LimenError, FileNotFoundError):
    """There is no bundle at this place."""


class CampaignNotFoundError(LimenError, FileNotFoundError):
    """There is no campaign at this place."""


class PartMissingError(LimenError, FileNotFoundError):
    """A part of the bundle was not fetched; the message gives the fetch line."""


class FrozenError(LimenError, PermissionError):
    """A frozen bundle does not change; make the next version instead."""


class StorageError(LimenError, OSError):
    """The disk is full, or the folder cannot be written."""
