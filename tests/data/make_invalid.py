"""
Write the invalid examples that ``invalid.yaml`` lists.

Each is a whole document: a valid one, changed so that it breaks one rule. A file is called after
the pointer of its fault, with ``+`` for ``/``, and the reason.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent


def stated_pointer(name: str) -> str:
    """Read the pointer of the fault out of the name of an example."""
    return name.partition("__")[0].replace("+", "/")


def change(document: Any, pointer: str, value: Any) -> None:
    """Set, append or remove what lies at a pointer."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    node = document
    for part in parts[:-1]:
        node = node[int(part)] if isinstance(node, list) else node[part]
    key: Any = parts[-1]
    if isinstance(node, list):
        key = len(node) if key == "-" else int(key)
    if value == "DROP":
        del node[key]
    elif isinstance(node, list):
        node[key : key + 1] = [copy.deepcopy(value)]
    else:
        node[key] = copy.deepcopy(value)


def examples() -> dict[str, Any]:
    """Give every invalid document by its path below ``invalid``."""
    found: dict[str, Any] = {}
    cases = yaml.safe_load((HERE / "invalid.yaml").read_text(encoding="utf-8"))
    for kind, base, fault, reason, changes in cases:
        document = _valid(kind, base)
        for pointer, value in changes.items():
            change(document, pointer or fault, value)
        name = f"{kind}/{fault.replace('/', '+')}__{reason}.json"
        if name in found:
            raise ValueError(f"{name}: listed twice")
        found[name] = document
    return found


def _valid(kind: str, name: str) -> Any:
    from limen.schema import load_json, load_yaml

    path = HERE / "valid" / kind / name
    return load_json(path) if path.suffix == ".json" else load_yaml(path)


def text(document: Any) -> str:
    """Write an example; unlike a document of Limen it may hold NaN."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all examples and remove those no longer listed."""
    listed = examples()
    for name, document in listed.items():
        path = HERE / "invalid" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(document), encoding="utf-8")
    for path in (HERE / "invalid").rglob("*.json"):
        if path.relative_to(HERE / "invalid").as_posix() not in listed:
            path.unlink()


if __name__ == "__main__":
    main()
