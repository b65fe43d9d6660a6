"""
Write every hostile bundle, for programs of others: ``python -m hostile BUNDLE FOLDER``.

Run it in ``tests``. BUNDLE is a valid one with a model ``region``; each hostile one is a copy of it
in FOLDER. Without arguments it prints the table of the README.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from hostile import CASES

__all__ = ["main", "table"]


def table() -> str:
    """Give the table of all hostile bundles, in Markdown."""
    lines = ["| bundle | what is wrong | error | message holds |", "|---|---|---|---|"]
    for case in CASES:
        message = case.message.replace("\\", "").replace("|", " or ")
        lines.append(f"| `{case.name}` | {case.wrong} | `{case.error}` | {message} |")
    return "\n".join(lines) + "\n"


def main(bundle: Path, folder: Path) -> None:
    """Write every hostile bundle as a copy of ``bundle`` in ``folder``."""
    for case in CASES:
        case.make(Path(shutil.copytree(bundle, folder / case.name)))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        print(table(), end="")
