"""The analytic problems, which lie beside the shared data."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

__all__ = ["problems"]

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("LIMEN_SHARED_DATA", HERE.parents[2] / "shared" / "data"))


def problems() -> Any:
    """Load ``active_problems.py``."""
    found = importlib.util.spec_from_file_location(
        "active_problems", SHARED.parent / "active_problems.py"
    )
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
