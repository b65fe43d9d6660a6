"""Models for bundles: rows to learn from, judgement, export, publication."""

from limen.training.making import add_model, train

__all__ = ["add_model", "train"]
