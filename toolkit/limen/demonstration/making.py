"""Draw the scan and pack it as a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from limen.bsll import likelihood
from limen.bundle import Bundle
from limen.demonstration.describing import OBSERVABLES, scan_document
from limen.demonstration.drawing import draw, find_facts
from limen.packing import make_bundle

__all__ = ["make_example"]


def make_example(path: str | Path, n: int = 50_000, seed: int = 0, toys: int = 1000) -> Bundle:
    """
    Draw the scan and pack the example bundle.

    Parameters
    ----------
    path : str or Path
        The new bundle's folder.
    n : int
        Rows.
    seed : int
        The same seed gives the same bytes.
    toys : int
        Pseudo-experiments behind the threshold.

    Returns
    -------
    Bundle
    """
    rng = np.random.default_rng(seed)
    facts = find_facts(rng, toys)
    points, origin, walker = draw(n, rng, facts.best_fit)
    model = likelihood()
    columns: dict[str, Any] = {name: points[:, i] for i, name in enumerate(model.names)}
    observables = model.predict(points)
    for name, position in OBSERVABLES.items():
        columns[name] = observables[:, model.observables.index(position)]
    columns |= {"loglike": model.log_likelihood(points), "origin": origin, "walker": walker}
    return make_bundle(scan_document(facts, len(points)), columns, path)
