"""-2 ln L of a pyhf model with its gradient, from the tensors of pyhf's own modifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Objective", "constraint_widths"]

Array = NDArray[np.float64]

# Of central differences of one modifier's tensor, in widths of its constraint.
_STEP = 1e-5
# Shift that tells which parameter moves which entry of a tensor.
_PROBE = 0.01


class Objective:
    """
    -2 ln L and its gradient.

    Every entry of a modifier's tensor depends on one parameter. All parameters are therefore
    moved at once, and two evaluations of the tensors give the gradient in all of them.

    Parameters
    ----------
    model : pyhf.Model
        Without batches and clipping.

    Notes
    -----
    The rates are assembled as in ``pyhf.pdf._MainModel.expected_data`` (0.7): factors times the
    sum of the nominal rates and the additions.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.main = model.main_model
        self.nominal = np.asarray(self.main.nominal_rates, dtype=float)[0, :, 0, :]
        self.n_main = int(model.config.nmaindata)
        self.widths = constraint_widths(model.config)
        start = np.array(model.config.suggested_init(), dtype=float)
        self.owners = self._owners(start)
        self._terms = _constraint_terms(model.config)

    def value(self, pars: Array, data: Array) -> float:
        """Give -2 ln L as pyhf has it [1]."""
        return -2.0 * float(self.model.logpdf(pars, data)[0])

    def gradient(self, pars: Array, data: Array) -> Array:
        """
        Give the derivatives of -2 ln L.

        Parameters
        ----------
        pars : ndarray, shape (d,)
        data : ndarray, shape (b,)
            Main and auxiliary data.

        Returns
        -------
        ndarray, shape (d,)
        """
        step = _STEP * self.widths
        additions, factors = self._tensors(pars)
        above, below = self._tensors(pars + step), self._tensors(pars - step)
        base = self.nominal + additions.sum(axis=0)
        product, others = _without_each(factors)
        rates = (product * base).sum(axis=0)
        pull = 2.0 * (1.0 - data[: self.n_main] / rates)
        answer = self._constraints(pars, data[self.n_main :])
        slopes = (
            (above[0] - below[0]) / 2.0 * product,
            (above[1] - below[1]) / 2.0 * others * base,
        )
        for slope, owner in zip(slopes, self.owners, strict=True):
            known = owner >= 0
            moved = owner[known]
            weights = (slope * pull)[known] / step[moved]
            answer += np.bincount(moved, weights, len(pars))
        return answer

    def _tensors(self, pars: Array) -> tuple[Array, Array]:
        """Give what is added and what is multiplied, each of shape (modifiers, samples, bins)."""
        stacks = []
        for parts in self.main._modifications(pars):
            tensors = [np.asarray(part, dtype=float)[:, :, 0, :] for part in parts]
            empty = np.zeros((0, *self.nominal.shape))
            stacks.append(np.concatenate(tensors) if tensors else empty)
        return stacks[0], stacks[1]

    def _owners(self, start: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Find the parameter that each entry of the tensors depends on; -1 for none."""
        at_start = self._tensors(start)
        owners = tuple(np.full(tensor.shape, -1, dtype=np.intp) for tensor in at_start)
        for number, width in enumerate(self.widths):
            for sign in (1.0, -1.0):
                moved = start.copy()
                moved[number] += sign * _PROBE * width
                for owner, old, new in zip(owners, at_start, self._tensors(moved), strict=True):
                    owner[old != new] = number
        return owners[0], owners[1]

    def _constraints(self, pars: Array, auxiliary: Array) -> Array:
        answer = np.zeros(len(pars))
        normal, which, place, scale = self._terms
        x, a = pars[which], auxiliary[place]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(normal, (x - a) / scale**2, scale - a / x)
        np.add.at(answer, which, 2.0 * slope)
        return answer


def constraint_widths(config: Any) -> Array:
    """Give the width of each parameter's constraint, shape (d,); 1 for the free ones."""
    widths = np.ones(config.npars)
    for name, entry in config.par_map.items():
        paramset = config.param_set(name)
        if hasattr(paramset, "factors"):
            widths[entry["slice"]] = 1.0 / np.sqrt(np.asarray(paramset.factors, dtype=float))
        elif hasattr(paramset, "sigmas"):
            widths[entry["slice"]] = np.asarray(paramset.sigmas, dtype=float)
        elif getattr(paramset, "constrained", False):
            widths[entry["slice"]] = np.asarray(paramset.width(), dtype=float)
    return np.where(np.isfinite(widths) & (widths > 0), widths, 1.0)


def _constraint_terms(
    config: Any,
) -> tuple[NDArray[np.bool_], NDArray[np.intp], NDArray[np.intp], Array]:
    """List the constraints: normal or Poisson, parameter, place in the data, width or factor."""
    normal: list[bool] = []
    which: list[int] = []
    scale: list[float] = []
    for name in config.auxdata_order:
        paramset, entry = config.param_set(name), config.par_map[name]["slice"]
        count = entry.stop - entry.start
        gaussian = paramset.pdf_type == "normal"
        normal += [gaussian] * count
        which += range(entry.start, entry.stop)
        scale += list(paramset.width()) if gaussian else list(paramset.factors)
    place = np.arange(len(which), dtype=np.intp)
    return np.array(normal, bool), np.array(which, np.intp), place, np.array(scale, float)


def _without_each(factors: Array) -> tuple[Array, Array]:
    """Give the product of all factors, and the products that leave out one each."""
    zero = factors == 0.0
    count = zero.sum(axis=0)
    rest = np.where(zero, 1.0, factors).prod(axis=0)
    product = np.where(count == 0, rest, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        others = np.where(
            zero, np.where(count == 1, rest, 0.0), np.where(count == 0, rest / factors, 0.0)
        )
    return product, others
