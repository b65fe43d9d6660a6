"""Where a model holds: its box, the neighbourhood of its training rows, and their subspaces."""

from __future__ import annotations

from limen.domain.fitting import fit_domain
from limen.domain.region import MAX_SCALED, AffineSubspace, Domain
from limen.domain.subspaces import find_subspaces

__all__ = ["MAX_SCALED", "AffineSubspace", "Domain", "find_subspaces", "fit_domain"]
