"""
The example bundle ``bsll10``: a real likelihood in ten dimensions, drawn afresh.

Everything that is said of it follows from :mod:`limen.bsll`; nothing is stored but the likelihood.
"""

from limen.demonstration.describing import ORIGINS, scan_document
from limen.demonstration.drawing import Facts, draw, find_facts
from limen.demonstration.making import make_example

__all__ = ["ORIGINS", "Facts", "draw", "find_facts", "make_example", "scan_document"]
