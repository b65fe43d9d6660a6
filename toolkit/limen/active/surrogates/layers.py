"""What every network here is built of: settings, layers, and torch on one thread."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from limen.errors import MissingExtraError, UsageError

__all__ = ["ACTIVATIONS", "BLOCK", "Settings", "forward", "one_thread", "weight_shapes"]

ACTIVATIONS = ("relu", "selu", "silu")
# Rows of a prediction at a time: activations of this size stay in the cache.
BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How a network is built and trained.

    Attributes
    ----------
    layers : tuple of int
        Widths of the hidden layers.
    activation : str
        One of ``ACTIVATIONS``.
    dropout : float
        Share of the units of each hidden layer that is left out, from 0 to below 1.
    classify : bool
        Outputs are probabilities, trained on cross-entropy; else values, trained on the mean
        absolute error.
    rate : float
        Learning rate at the start; it falls to zero along a cosine.
    batch : int
        Rows of a step.
    epochs : int
        Passes over the rows, at most.
    steps : int
        Steps, at least: if the rows are few there are as many passes as this needs.
    patience : int
        Passes without a better held-out loss, after which training stops; 0 for never.
    held_out : float
        Share of the rows on which the loss is watched.
    """

    layers: tuple[int, ...] = (100, 100, 100, 100)
    activation: str = "relu"
    dropout: float = 0.0
    classify: bool = False
    rate: float = 1e-3
    batch: int = 256
    epochs: int = 60
    steps: int = 0
    patience: int = 10
    held_out: float = 0.1

    def __post_init__(self) -> None:
        faults = []
        if not self.layers or not all(0 < width <= 10_000 for width in self.layers):
            faults.append(f"layers: found {list(self.layers)}, allowed widths of 1 to 10000")
        if self.activation not in ACTIVATIONS:
            faults.append(
                f"activation: found {self.activation!r}, allowed {', '.join(ACTIVATIONS)}"
            )
        for name, low, high in (("dropout", 0.0, 0.95), ("held_out", 0.01, 0.5)):
            if not low <= getattr(self, name) <= high:
                faults.append(f"{name}: found {getattr(self, name)}, allowed {low:g} to {high:g}")
        for name in ("rate", "batch", "epochs"):
            if not getattr(self, name) > 0:
                faults.append(f"{name}: found {getattr(self, name)}, allowed above 0")
        if faults:
            raise UsageError("network: " + "; ".join(faults))


def forward(
    torch: Any, x: Any, layers: Sequence[Any], settings: Settings, generator: Any = None
) -> Any:
    """
    Run the layers; with a generator, units are left out at random.

    Parameters
    ----------
    torch : module
    x : Tensor, shape (n, d)
        Standardised points.
    layers : sequence of Tensor
        Matrix and offsets of each layer in turn.
    settings : Settings
    generator : torch.Generator, optional

    Returns
    -------
    Tensor, shape (n, k)
        Before the activation of the last layer.
    """
    activation = getattr(torch.nn.functional, settings.activation)
    kept = 1 - settings.dropout
    for i in range(0, len(layers) - 2, 2):
        x = activation(torch.addmm(layers[i + 1], x, layers[i].T))
        if generator is not None and settings.dropout > 0:
            x = x * torch.empty_like(x).bernoulli_(kept, generator=generator).div_(kept)
    return torch.addmm(layers[-1], x, layers[-2].T)


def weight_shapes(d: int, layers: Sequence[int], k: int) -> list[tuple[int, ...]]:
    """Give the shapes of the weights of a network of ``d`` inputs and ``k`` outputs."""
    pairs = itertools.pairwise([d, *layers, k])
    return [shape for before, after in pairs for shape in ((after, before), (after,))]


@contextmanager
def one_thread() -> Iterator[Any]:
    """Lend torch with one thread: more change the order of sums, and wait more than they help."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError.of("torch", "active") from error
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield torch
    finally:
        torch.set_num_threads(threads)
