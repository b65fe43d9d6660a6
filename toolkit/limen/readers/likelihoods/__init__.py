"""pyhf likelihoods with signal patches: CLs and upper limits, computed, checked and kept."""

from limen.readers.likelihoods.computing import cache_folder
from limen.readers.likelihoods.files import is_likelihood
from limen.readers.likelihoods.points import evaluate
from limen.readers.likelihoods.table import OPTIONS, open_likelihoods

__all__ = ["OPTIONS", "cache_folder", "evaluate", "is_likelihood", "open_likelihoods"]
