"""
Write a background and a patch set of signals, as experiments publish them; all numbers are made up.

Two signal regions, each with a background whose normalisation and shape are uncertain. The signal
depends on the masses of a parent and of a lightest particle: its rate falls with the first, its
acceptance with the mass difference.
"""

import hashlib
import json
import math
import random
from pathlib import Path

POINTS = 80
BACKGROUND = {"soft": [60.0, 25.0, 9.0], "hard": [12.0, 4.0, 1.5]}
OBSERVED = {"soft": [58, 28, 10], "hard": [14, 3, 1]}


def background() -> dict:
    """Give the workspace without a signal."""
    channels = [
        {
            "name": region,
            "samples": [
                {
                    "name": "background",
                    "data": rates,
                    "modifiers": [
                        {"name": "scale", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
                        {
                            "name": f"shape_{region}",
                            "type": "histosys",
                            "data": {
                                "hi_data": [1.15 * rates[0], rates[1], 0.85 * rates[2]],
                                "lo_data": [0.85 * rates[0], rates[1], 1.15 * rates[2]],
                            },
                        },
                    ],
                }
            ],
        }
        for region, rates in BACKGROUND.items()
    ]
    return {
        "channels": channels,
        "observations": [{"name": region, "data": n} for region, n in OBSERVED.items()],
        "measurements": [{"name": "search", "config": {"poi": "mu_SIG", "parameters": []}}],
        "version": "1.0.0",
    }


def signal(parent: float, lightest: float) -> dict[str, list[float]]:
    """Give the expected signal in each region."""
    rate = 4.0e3 * math.exp(-parent / 130.0)
    acceptance = 1.0 / (1.0 + math.exp((150.0 - (parent - lightest)) / 60.0))
    hard = 1.0 / (1.0 + math.exp((400.0 - (parent - lightest)) / 100.0))
    return {
        "soft": [rate * acceptance * (1.0 - hard) * share for share in (0.3, 0.5, 0.2)],
        "hard": [rate * acceptance * hard * share for share in (0.2, 0.4, 0.4)],
    }


def patch(parent: float, lightest: float) -> dict:
    """Give one entry of the patch set."""
    operations = [
        {
            "op": "add",
            "path": f"/channels/{position}/samples/-",
            "value": {
                "name": "signal",
                "data": rates,
                "modifiers": [
                    {"name": "mu_SIG", "type": "normfactor", "data": None},
                    {"name": "signal_scale", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
                ],
            },
        }
        for position, rates in enumerate(signal(parent, lightest).values())
    ]
    name = f"signal_{parent:.0f}_{lightest:.0f}"
    return {"metadata": {"name": name, "values": [parent, lightest]}, "patch": operations}


def main() -> None:
    """Write both files into ``likelihood``."""
    rng = random.Random(1)
    masses: set[tuple[float, float]] = set()
    while len(masses) < POINTS:
        parent, lightest = 10.0 * rng.randint(30, 120), 10.0 * rng.randint(0, 60)
        if parent - lightest >= 100.0:
            masses.add((parent, lightest))
    workspace = background()
    # The digest by which pyhf tells that a patch set belongs to a background.
    text = json.dumps(workspace, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf8")).hexdigest()
    patches = {
        "metadata": {
            "references": {"hepdata": "ins0000000"},
            "description": "Made-up signals of a parent that decays to a lightest particle.",
            "digests": {"sha256": digest},
            "labels": ["m_parent", "m_lightest"],
        },
        "patches": [patch(*point) for point in sorted(masses)],
        "version": "1.0.0",
    }
    folder = Path("likelihood")
    folder.mkdir(exist_ok=True)
    (folder / "BkgOnly.json").write_text(json.dumps(workspace, indent=1))
    (folder / "patchset.json").write_text(json.dumps(patches, indent=1))


if __name__ == "__main__":
    main()
