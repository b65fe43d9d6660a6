"""ONNX graphs: what may be run, and running it; no training library is needed."""

from __future__ import annotations

from limen.graph.auditing import MAX_BYTES, MAX_OPSET, audit, load_model
from limen.graph.session import BLOCK_ROWS, Session
from limen.graph.trees import thresholds

__all__ = ["BLOCK_ROWS", "MAX_BYTES", "MAX_OPSET", "Session", "audit", "load_model", "thresholds"]
