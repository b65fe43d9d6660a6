"""
One Gaussian process for each output, of the structure that predicts left-out values best.

Beyond ``MOST_ROWS`` values a process is conditioned on an even share and on the values nearest
the thresholds: what is far from every contour says little about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.surrogates.coregional import CoregionalPosterior, posterior_of
from limen.active.surrogates.structures import SMOOTH, fit_structure
from limen.errors import TrainingError

__all__ = ["MOST_ROWS", "Independent", "fit_process"]

Floats = NDArray[np.float64]

MOST_ROWS = 2000
"""Values that one process is conditioned on."""

# Values that hyper-parameters are fitted to, and that structures are compared on.
_MOST_FITTED, _MOST_COMPARED, _COMPARED_EACH = 500, 200, 40
# With more parameters the mixtures would be more numbers than a campaign has points.
_MOST_OBLIQUE = 12
# Share by which values must grow before hyper-parameters are fitted again, beyond ``_SURE``.
_GROWN, _SURE = 0.1, 200


@dataclass(frozen=True)
class Independent:
    """
    Posteriors of outputs that know nothing of one another.

    Attributes
    ----------
    parts : tuple of CoregionalPosterior
        One for each output.
    fits : tuple of mapping
        For each output its hyper-parameters and ``fitted``, the number of values at the fit.
    """

    parts: tuple[CoregionalPosterior, ...]
    fits: tuple[Mapping[str, Any], ...]

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"outputs": [dict(fit) for fit in self.fits]}

    def mean_std(self, u: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation, each of shape (n, m)."""
        pairs = [part.mean_std(u) for part in self.parts]
        return np.hstack([pair[0] for pair in pairs]), np.hstack([pair[1] for pair in pairs])

    def covariance(self, a: Floats, b: Floats, output: int) -> Floats:
        """Posterior covariance of an output, shape (n_a, n_b)."""
        return self.parts[output].covariance(a, b, 0)

    def conditioned(self, points: Floats) -> Independent:
        """Take points as if told, at their means: only variance falls."""
        return Independent(tuple(part.conditioned(points) for part in self.parts), self.fits)

    def noise(self, output: int) -> float:
        """Variance of what neighbours do not foretell."""
        return self.parts[output].noise(0)

    def leave_one_out(self, output: int) -> Floats:
        """Log densities of the values of an output, each predicted from all others."""
        return self.parts[output].leave_one_out(0)


def fit_process(
    points: Floats,
    values: Floats,
    errors: Floats,
    *,
    previous: Mapping[str, Any] | None = None,
    levels: Sequence[Floats] = (),
    structure: str = "auto",
) -> Independent:
    """
    Fit a process to each output.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Unit coordinates.
    values, errors : ndarray, shape (n, m)
        In the modelled scale; NaN where an output was not evaluated.
    previous : mapping, optional
        ``hyperparameters`` of an earlier fit: this one starts from there, and with more than 200
        values takes them over until there are a tenth more.
    levels : sequence of ndarray, shape (t,), optional
        Thresholds of each output: which values matter if there are too many.
    structure : str
        A key of ``STRUCTURES``, or ``auto``: that of the smooth ones with the largest density of
        left-out values.

    Returns
    -------
    Independent

    Raises
    ------
    TrainingError
        If an output has fewer than two values.
    MissingExtraError
        If scipy is not installed.

    Examples
    --------
    >>> x = np.linspace(0, 1, 8)[:, None]
    >>> mean, std = fit_process(x, np.sin(3 * x), 0 * x).mean_std(np.array([[0.4]]))
    >>> bool(abs(mean[0, 0] - np.sin(1.2)) < 0.01)
    True
    """
    parts, fits = [], []
    known = list((previous or {}).get("outputs", []))
    for j in range(values.shape[1]):
        told = np.isfinite(values[:, j])
        if np.count_nonzero(told) < 2:
            raise TrainingError(
                f"process: found {np.count_nonzero(told)} values of output {j}, allowed 2 or more"
            )
        x, y, e = points[told], values[told, j], errors[told, j]
        level = levels[j] if j < len(levels) else np.empty(0)
        before = known[j] if j < len(known) else None
        fit = before if _still_good(before, len(y)) else _fitted(x, y, e, level, before, structure)
        assert fit is not None
        kept = _share(y, level, MOST_ROWS)
        parts.append(_conditioned(fit, x[kept], y[kept], e[kept]))
        fits.append(fit)
    return Independent(tuple(parts), tuple(fits))


def _still_good(before: Mapping[str, Any] | None, n: int) -> bool:
    if before is None:
        return False
    fitted = int(before["fitted"])
    return n == fitted or _SURE <= fitted < n < (1 + _GROWN) * fitted


def _conditioned(fit: Mapping[str, Any], x: Floats, y: Floats, e: Floats) -> CoregionalPosterior:
    return posterior_of(fit, x, np.zeros(len(x), np.intp), y, e, (0,))


def _fitted(
    x: Floats,
    y: Floats,
    e: Floats,
    level: Floats,
    before: Mapping[str, Any] | None,
    structure: str,
) -> Mapping[str, Any]:
    """Fit the candidates and keep the one that predicts left-out values best."""
    if structure != "auto":
        names = [structure]
    elif x.shape[1] == 1 or x.shape[1] > _MOST_OBLIQUE or len(y) < 2 * x.shape[1]:
        names = ["plain"]
    else:
        names = list(SMOOTH)
    most_compared = max(_MOST_COMPARED, _COMPARED_EACH * x.shape[1])
    kept = _share(y, level, _MOST_FITTED if len(names) == 1 else most_compared)
    xs, ys, es = x[kept], y[kept], e[kept]
    best, highest = None, -np.inf
    # With few values an earlier fit may have been misled: each begins anew.
    starts = dict(before["starts"]) if before is not None and before["fitted"] >= _SURE else {}
    for name in names:
        fit = fit_structure(xs, ys, es, name, starts.get(name))
        starts[name] = fit["raw"]
        density = float(_conditioned(fit, xs, ys, es).leave_one_out(0).mean())
        if best is None or density > highest:
            best, highest = fit, density
    assert best is not None
    if len(kept) < min(len(y), _MOST_FITTED):
        kept = _share(y, level, _MOST_FITTED)
        best = fit_structure(x[kept], y[kept], e[kept], best["structure"], best["raw"])
        starts[best["structure"]] = best["raw"]
    return best | {"fitted": len(y), "starts": starts}


def _share(y: Floats, level: Floats, most: int) -> NDArray[np.intp]:
    """Give up to ``most`` places: half of them nearest a level, the others spread evenly."""
    n = len(y)
    if n <= most:
        return np.arange(n)
    distance = np.abs(y[:, None] - level[None, :]).min(axis=1) if len(level) else np.zeros(n)
    near = np.argsort(distance, kind="stable")[: most // 2] if len(level) else np.empty(0, int)
    rest = np.setdiff1d(np.arange(n), near)
    even = rest[np.linspace(0, len(rest) - 1, most - len(near)).astype(int)]
    return np.sort(np.concatenate([near, even]))
