"""The command line: ``limen VERB``."""

from limen.cli.running import main

__all__ = ["main"]
