"""
A made-up limit with the shape of a dark-Higgs search: mono-Higgs events from a Z' mediator.

The signal falls with the mediator's mass and rises with its coupling; it all but vanishes where
the mediator cannot decay to dark matter, and where the dark Higgs is too heavy for its decay to b
quarks. The numbers are nobody's result.
"""

import math


def log_mu(point: dict[str, float]) -> dict[str, float]:
    """
    Give log10 of the upper limit on the signal strength; below 0 a point is excluded.

    Parameters
    ----------
    point : dict
        ``m_zp``, ``m_chi`` [TeV], ``m_s`` [GeV], ``g`` [1].
    """
    on_shell = _step((point["m_zp"] - 2 * point["m_chi"]) / 0.10)
    to_b = _step((150 - point["m_s"]) / 8)
    accepted = 1 - math.exp(-((point["m_zp"] / 0.9) ** 2))
    signal = (
        2.6
        - 1.3 * point["m_zp"]
        + 2 * math.log10(point["g"])
        + math.log10(0.02 + 0.98 * on_shell)
        + math.log10(0.02 + 0.98 * to_b)
        + math.log10(0.05 + 0.95 * accepted)
    )
    return {"log_mu": -signal}


def _step(x: float) -> float:
    """Rise from 0 to 1 about 0."""
    return 1 / (1 + math.exp(-x))
