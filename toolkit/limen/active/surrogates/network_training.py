"""Training of networks: on one thread, from a seed, with rows held out by what they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.active.keys import shares
from limen.active.surrogates.layers import BLOCK, Settings, forward, one_thread, weight_shapes
from limen.active.surrogates.networks import Network
from limen.errors import TrainingError

__all__ = ["fit_network", "held_out"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_LARGEST_GRADIENT = 1.0


def fit_network(
    points: Floats,
    targets: Floats,
    settings: Settings,
    *,
    seed: int,
    weights: Floats | None = None,
    start: Network | None = None,
) -> Network:
    """
    Train a network; the weights of the pass with the least held-out loss are kept.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Unit coordinates.
    targets : ndarray, shape (n, k)
        Values, or labels from 0 to 1; NaN where unknown.
    settings : Settings
    seed : int
    weights : ndarray, shape (n,), optional
        How much each row counts.
    start : Network, optional
        Where to start from; its standardisation is kept.

    Returns
    -------
    Network

    Raises
    ------
    TrainingError
        If there are fewer than 4 rows, an output without a value, or a loss that is not finite.
    MissingExtraError
        If torch is not installed.

    Notes
    -----
    Adam: Kingma and Ba, arXiv:1412.6980. Dropout: Srivastava et al., JMLR 15 (2014) 1929.
    """
    known = np.isfinite(targets)
    if len(points) < 4 or not known.any(axis=0).all():
        raise TrainingError(
            f"network: found {len(points)} rows with {known.sum(axis=0).tolist()} values, allowed "
            "at least 4 rows and a value of every output"
        )
    rng = np.random.default_rng(seed)
    watched = held_out(points, settings.held_out)
    held, kept = np.flatnonzero(watched), np.flatnonzero(~watched)
    like = start or _untrained(points, targets, settings, rng)
    x = ((points - like.centre) / like.spread).astype(np.float32)
    y = np.where(known, (targets - like.offset) / like.scale, 0.0).astype(np.float32)
    each = known * (np.ones(len(points)) if weights is None else weights)[:, None]
    columns = (x, y, each.astype(np.float32))
    with one_thread() as torch:
        tables = [torch.from_numpy(np.ascontiguousarray(column)) for column in columns]
        rows = (torch.from_numpy(kept), torch.from_numpy(held))
        found, loss = _train(torch, tables, rows, like, rng)
    return replace(like, settings=settings, weights=found, loss=loss)


def held_out(points: Floats, share: float) -> NDArray[np.bool_]:
    """
    Say which rows are held out of training, by what they are, shape (n,).

    A network that goes on training with more rows never saw those held out.
    """
    own = shares(points)
    held = own < share
    if np.count_nonzero(held) not in range(1, len(points) // 2 + 1):
        held = np.argsort(np.argsort(own, kind="stable")) < max(1, round(share * len(points)))
    return np.asarray(held)


def _untrained(points: Floats, targets: Floats, settings: Settings, rng: Any) -> Network:
    """Draw weights by He et al. (arXiv:1502.01852), and measure the standardisation."""
    spread = points.std(axis=0)
    shapes = weight_shapes(points.shape[1], settings.layers, targets.shape[1])
    # selu keeps the variance with a gain of 1 (arXiv:1706.02515); the others lose half of it.
    gain = 1.0 if settings.activation == "selu" else math.sqrt(2.0)
    drawn = []
    for shape in shapes:
        deviation = gain / math.sqrt(shape[-1]) if len(shape) == 2 else 0.0
        drawn.append((deviation * rng.standard_normal(shape)).astype(np.float32))
    drawn[-2] = drawn[-2] / np.float32(gain)
    offset, scale = np.zeros(targets.shape[1]), np.ones(targets.shape[1])
    if not settings.classify:
        offset, deviation = np.nanmean(targets, axis=0), np.nanstd(targets, axis=0)
        scale = np.where(deviation > 0, deviation, 1.0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    return Network(settings, tuple(drawn), points.mean(0), spread, offset, scale, math.inf)


def _train(
    torch: Any, tables: Any, rows: Any, like: Network, rng: np.random.Generator
) -> tuple[tuple[Singles, ...], float]:
    """Train from the weights of ``like``; give the best weights and their held-out loss."""
    settings = like.settings
    kept, held = rows
    x, y, each = tables
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    layers = [torch.from_numpy(array.copy()).requires_grad_() for array in like.weights]
    adam = torch.optim.Adam(layers, lr=settings.rate, fused=True)
    per_pass = math.ceil(len(kept) / settings.batch)
    passes = max(settings.epochs, math.ceil(settings.steps / per_pass))
    fall = torch.optim.lr_scheduler.LambdaLR(adam, _schedule(passes * per_pass))

    def watched() -> float:
        with torch.no_grad():
            out = torch.cat([forward(torch, b, layers, settings) for b in x[held].split(BLOCK)])
            return float(_loss(torch, out, y[held], each[held], settings))

    best, least, since = [layer.detach().clone() for layer in layers], watched(), 0
    for _ in range(passes):
        for batch in kept[torch.randperm(len(kept), generator=generator)].split(settings.batch):
            out = forward(torch, x[batch], layers, settings, generator)
            loss = _loss(torch, out, y[batch], each[batch], settings)
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(layers, _LARGEST_GRADIENT)
            adam.step()
            fall.step()
        now, since = watched(), since + 1
        if now < least:
            best, least, since = [layer.detach().clone() for layer in layers], now, 0
        elif settings.patience and since >= settings.patience:
            break
    if not math.isfinite(least):
        raise TrainingError("network: the held-out loss is not finite; lower the rate")
    return tuple(layer.numpy() for layer in best), least


def _schedule(steps: int) -> Callable[[int], float]:
    """Let the rate rise over the first steps, since Adam knows no sizes yet, then fall to zero."""
    rise = max(1, min(100, steps // 10))

    def share(step: int) -> float:
        fallen = 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))
        return min(1.0, (step + 1) / rise) * fallen

    return share


def _loss(torch: Any, out: Any, y: Any, each: Any, settings: Settings) -> Any:
    of = torch.nn.functional
    if settings.classify:
        losses = of.binary_cross_entropy_with_logits(out, y, reduction="none")
    else:
        losses = (out - y).abs()
    return (losses * each).sum() / each.sum().clamp(min=1e-12)
