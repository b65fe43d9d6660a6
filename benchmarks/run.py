"""
Run the measurements and write the tables of README.md.

``python benchmarks/run.py`` runs all, ``python benchmarks/run.py NAME ...`` some. Figures go to
results/NAME.json; README.md shows what lies there.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import platform
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NAMES = (
    "bsll10",
    "oracle",
    "oracle_fresh",
    "nllfast",
    "pmssm",
    "thdm",
    "sbottom",
    "speed",
    "storage",
    "remote",
    "browsing",
    "serve",
    "pages",
    "campaigns",
)
# Beside the folder of that name.
_MODULES = {"campaigns": "campaigning"}
_SOFTWARE = ("numpy", "scikit-learn", "xgboost-cpu", "onnxruntime", "zarr", "xarray")


def run(name: str) -> None:
    """Run one measurement and store its figures."""
    print(name, flush=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="limen-bench-") as folder:
        tables = importlib.import_module(_MODULES.get(name, name)).measure(Path(folder))
    result = {
        "name": name,
        "command": f"python benchmarks/run.py {name}",
        "seconds": round(time.perf_counter() - start),
        "python": platform.python_version(),
        "software": {item: metadata.version(item) for item in _SOFTWARE},
        "tables": [dataclasses.asdict(table) for table in tables],
    }
    path = HERE / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _markdown(result: dict[str, Any]) -> str:
    lines = []
    for table in result["tables"]:
        keys = list(dict.fromkeys(key for row in table["rows"] for key in row))
        lines += [f"### {table['title']}", "", table["note"], ""]
        lines += ["| " + " | ".join(keys) + " |", "|---" * len(keys) + "|"]
        for row in table["rows"]:
            lines.append("| " + " | ".join(_cell(row.get(key)) for key in keys) + " |")
        lines.append("")
    versions = ", ".join(f"{key} {value}" for key, value in result["software"].items())
    lines.append(f"`{result['command']}` ({result['seconds']} s; {versions})")
    return "\n".join(lines)


def write_readme() -> None:
    """Put the tables of all stored figures between their marks in README.md."""
    path = HERE / "README.md"
    text = path.read_text(encoding="utf-8")
    for name in NAMES:
        stored = HERE / "results" / f"{name}.json"
        first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if not stored.exists() or first not in text:
            continue
        before, rest = text.split(first, 1)
        after = rest.split(last, 1)[1]
        body = _markdown(json.loads(stored.read_text(encoding="utf-8")))
        text = f"{before}{first}\n\n{body}\n\n{last}{after}"
    path.write_text(text, encoding="utf-8")


def main(names: list[str]) -> int:
    """Run the named measurements, or all; those whose data are not here are left out."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"found {', '.join(unknown)}, allowed {', '.join(NAMES)}", file=sys.stderr)
        return 2
    missing = importlib.import_module("data").DataMissingError
    for name in names or NAMES:
        try:
            run(name)
        except missing as error:
            print(f"{name} left out: {error}", file=sys.stderr)
    write_readme()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
