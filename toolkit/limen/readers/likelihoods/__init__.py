"""pyhf likelihoods: CLs and upper limits of a point, every fit checked."""

from limen.readers.likelihoods.points import evaluate

__all__ = ["evaluate"]
