"""
Browse a scan of millions of rows: linked histograms and maps under exact filters.

Columns become codes of one byte once; counts, filters and cubes work on the codes, and the values
decide only what lies in the bins where a filter begins and ends.
"""

from limen.browsing.bins import Bins, symlog_unit
from limen.browsing.browser import PREVIEW_ABOVE, Browser
from limen.browsing.charts import Axis, Chart, columns_for
from limen.browsing.cubes import compact
from limen.browsing.facts import Facts
from limen.browsing.filters import Choice, Filter, Range, predicate
from limen.browsing.index import Index
from limen.browsing.passing import SAMPLE
from limen.browsing.statistics import LEVELS, boundaries, highest_density, measured, wilson

__all__ = [
    "LEVELS",
    "PREVIEW_ABOVE",
    "SAMPLE",
    "Axis",
    "Bins",
    "Browser",
    "Chart",
    "Choice",
    "Facts",
    "Filter",
    "Index",
    "Range",
    "boundaries",
    "columns_for",
    "compact",
    "highest_density",
    "measured",
    "predicate",
    "symlog_unit",
    "wilson",
]
