"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from limen.errors import Fault

__all__ = ["Report"]


@dataclass(slots=True)
class Report:
    """
    Result of :func:`limen.check`.

    Attributes
    ----------
    faults : list of Fault
        All that is wrong.
    integrity : list of Fault
        Those of them that are missing, extra, changed or truncated files.
    not_fetched : list of str
        Files of the bundle that are not in this folder.
    done : list of str
        What was looked at, in words.
    checklist : list of dict
        The Limen reuse checklist: ``point``, ``met`` (true, false or null where it does not
        apply), ``why``.
    """

    faults: list[Fault] = field(default_factory=list)
    integrity: list[Fault] = field(default_factory=list)
    not_fetched: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    checklist: list[dict[str, Any]] = field(default_factory=list)

    def corrupt(self, pointer: str, message: str) -> None:
        """Note a missing, extra, changed or truncated file."""
        self.integrity.append(Fault(pointer, message))
        self.faults.append(Fault(pointer, message))

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values."""
        return {
            "passed": self.passed,
            "faults": [fault._asdict() for fault in self.faults],
            "integrity": [fault._asdict() for fault in self.integrity],
            "not_fetched": list(self.not_fetched),
            "done": list(self.done),
            "checklist": [dict(point) for point in self.checklist],
        }
