"""Compare strategies at the same number of evaluations: compare.py POINTS [STRATEGY...]."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from limit import log_mu

from limen.active import Campaign
from limen.active.quests import read_quest

BATCH = 10
TESTED = 4000


def run(strategy: str, points: int, quest: dict) -> Campaign:
    """Ask, evaluate and tell until the points are spent."""
    campaign = Campaign.start(f"with-{strategy}", **quest | {"strategy": strategy, "seed": 1})
    while len(campaign.queries) < points:
        batch = campaign.ask(min(BATCH, points - len(campaign.queries)))
        values = [
            log_mu(dict(row))["log_mu"] for _, row in batch[campaign.problem.space.names].iterrows()
        ]
        campaign.tell(batch["id"], {"log_mu": values})
    return campaign


def main() -> None:
    """Print the accuracy of each strategy on points that no campaign has seen."""
    quest = read_quest(Path(__file__).parent / "space.yaml")
    rng = np.random.default_rng(99)
    fresh = pd.DataFrame(
        {name: rng.uniform(*told["range"], size=TESTED) for name, told in quest["space"].items()}
    )
    truth = np.array([log_mu(dict(row))["log_mu"] for _, row in fresh.iterrows()])
    near = np.abs(truth) <= np.quantile(np.abs(truth), 0.2)
    print(f"{'strategy':12}{'all':>8}{'nearest 20 %':>14}")
    for strategy in sys.argv[2:] or ["level-set", "sobol"]:
        campaign = run(strategy, int(sys.argv[1]), quest)
        below = campaign.predict(fresh)["log_mu_below"].values.reshape(-1) > 0.5
        right = below == (truth < 0)
        print(f"{strategy:12}{right.mean():8.3f}{right[near].mean():14.3f}", flush=True)


if __name__ == "__main__":
    main()
