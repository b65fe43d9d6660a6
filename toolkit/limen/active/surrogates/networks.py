"""
Small networks on unit coordinates: regressors, classifiers and committees by dropout.

A network is a value: its weights are arrays, and the same rows, settings and seed give the same
bits on the same kind of CPU. Training and prediction run on one thread and draw from a generator
of their own; nothing global is left changed.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.surrogates.layers import BLOCK, Settings, forward, one_thread, weight_shapes
from limen.errors import ShapeError, UsageError

__all__ = ["Network"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Network:
    """
    A trained network.

    Attributes
    ----------
    settings : Settings
    weights : tuple of ndarray of float32
        Matrix (outputs, inputs) and offsets (outputs,) of each layer in turn.
    centre, spread : ndarray, shape (d,)
        By which unit coordinates are standardised.
    offset, scale : ndarray, shape (k,)
        By which a regressor's values were standardised.
    loss : float
        Least held-out loss [standardised values, or nat].
    """

    settings: Settings
    weights: tuple[Singles, ...]
    centre: Floats
    spread: Floats
    offset: Floats
    scale: Floats
    loss: float

    def predict(self, points: Floats) -> Floats:
        """
        Predict with all units: the values, or the probabilities of the labels.

        Parameters
        ----------
        points : ndarray, shape (n, d)
            Unit coordinates.

        Returns
        -------
        ndarray, shape (n, k)
        """
        return self._run(points, self.weights)

    def members(self, points: Floats, number: int, seed: int) -> Floats:
        """
        Predict by a committee: each member lacks its own share of the hidden units.

        Parameters
        ----------
        points : ndarray, shape (n, d)
            Unit coordinates.
        number : int
            Members.
        seed : int
            Of the choice of units; a member is the same network at every point, so that points may
            come in blocks of any size.

        Returns
        -------
        ndarray, shape (number, n, k)
        """
        rng = np.random.default_rng(seed)
        return np.stack([self._run(points, self._thinned(rng)) for _ in range(number)])

    def _thinned(self, rng: np.random.Generator) -> tuple[Singles, ...]:
        """Give the weights of the network without a random share of its hidden units."""
        kept_share = 1 - self.settings.dropout
        weights = list(self.weights)
        for layer, width in enumerate(self.settings.layers):
            kept = np.flatnonzero(rng.random(width) < kept_share)
            kept = kept if len(kept) else np.array([0])
            weights[2 * layer] = weights[2 * layer][kept]
            weights[2 * layer + 1] = weights[2 * layer + 1][kept]
            weights[2 * layer + 2] = weights[2 * layer + 2][:, kept] / np.float32(kept_share)
        return tuple(weights)

    def _run(self, points: Floats, weights: Sequence[Singles]) -> Floats:
        if points.ndim != 2 or points.shape[1] != len(self.centre):
            raise ShapeError(f"points: found shape {points.shape}, allowed (n, {len(self.centre)})")
        x = np.ascontiguousarray((points - self.centre) / self.spread, dtype=np.float32)
        with one_thread() as torch, torch.no_grad():
            layers = [torch.from_numpy(np.ascontiguousarray(array)) for array in weights]
            out = [
                forward(torch, block, layers, self.settings)
                for block in torch.from_numpy(x).split(BLOCK)
            ]
            z = torch.cat(out).double().numpy() if out else np.empty((0, len(self.offset)))
        if self.settings.classify:
            return np.asarray(1 / (1 + np.exp(-np.clip(z, -700, 700))))
        return np.asarray(self.offset + self.scale * z)

    def to_dict(self) -> dict[str, Any]:
        """Give the network as plain data for JSON; the weights as base64 of float32."""
        flat = np.concatenate([array.ravel() for array in self.weights]).astype("<f4")
        return {
            "weights": base64.b64encode(flat.tobytes()).decode("ascii"),
            "centre": self.centre.tolist(),
            "spread": self.spread.tolist(),
            "offset": self.offset.tolist(),
            "scale": self.scale.tolist(),
            "loss": self.loss,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any], settings: Settings) -> Network:
        """
        Read what :meth:`to_dict` gave.

        Raises
        ------
        UsageError
            If the weights are not those of a network with these settings.
        """
        numbers = {key: np.array(told[key]) for key in ("centre", "spread", "offset", "scale")}
        flat = np.frombuffer(base64.b64decode(told["weights"]), "<f4").astype(np.float32)
        shapes = weight_shapes(len(numbers["centre"]), settings.layers, len(numbers["offset"]))
        sizes = [math.prod(shape) for shape in shapes]
        if len(flat) != sum(sizes):
            raise UsageError(
                f"network: found {len(flat)} weights, allowed {sum(sizes)} with layers "
                f"{list(settings.layers)}; the options changed since it was kept"
            )
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        weights = tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))
        return cls(settings, weights, **numbers, loss=told["loss"])
