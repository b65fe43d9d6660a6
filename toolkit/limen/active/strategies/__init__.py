"""Strategies by name. Each composes an acquisition, a surrogate and a batch rule."""

from limen.active.strategies.building import NAMES, build

__all__ = ["NAMES", "build"]
