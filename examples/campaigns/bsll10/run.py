"""
Extend the b -> s likelihood where its 95 % region ends: run.py [--rows N] [--rounds N] [--batch N].

The example bundle is drawn with few rows, a campaign asks for more along the boundary of the
region, the real likelihood evaluates them, and the next version of the bundle holds them.
"""

import argparse

import numpy as np

from limen import diff, train
from limen.active import Campaign, extend
from limen.active.assessing import assess
from limen.bsll import likelihood
from limen.bundle import Bundle
from limen.demonstration import make_example


def draw(rows: int) -> Bundle:
    """Draw the bundle, and train the model that says inside or outside."""
    bundle = make_example("bsll10-scan", n=rows, toys=200)
    train(bundle, "outside_95cr", name="region", options={"n_estimators": 60})
    return bundle


def boundary(bundle: Bundle) -> float:
    """Give the log-likelihood at which delta chi2 is the threshold of the label."""
    label = bundle.columns["outside_95cr"].definition
    best = float(bundle.columns["delta_chi2"].statistics["reference"]["value"])
    return -0.5 * (best + float(label["threshold"]))


def start(bundle: Bundle, level: float, strategy: str) -> Campaign:
    """Start on the part of the box where the likelihood is worth a look."""
    scan = bundle.scan
    near = scan["loglike"].values > level - 50.0
    space = {
        name: {"range": np.quantile(scan[name].values[near], [0.01, 0.99]).tolist()}
        for name in likelihood().names
    }
    outputs = {"loglike": {"threshold": level}}
    return Campaign.from_bundle("campaign", bundle, outputs, space=space, strategy=strategy)


def main() -> None:
    """Run the campaign, extend the bundle, and say what changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--strategy", default="level-set")
    asked = parser.parse_args()
    model = likelihood()
    bundle = draw(asked.rows)
    level = boundary(bundle)
    campaign = start(bundle, level, asked.strategy)
    for _ in range(asked.rounds):
        batch = campaign.ask(asked.batch)
        values = model.log_likelihood(batch[list(model.names)].to_numpy())
        campaign.tell(batch["id"], {"loglike": values})
        close = np.mean(np.abs(values - level) < 5.0)
        print(f"{len(campaign.queries):5} points asked, {100 * close:3.0f} % near the boundary")
    print(*assess(campaign, rounds=0, left_out=False).lines(), sep="\n")
    made = extend(bundle, campaign, "bsll10-next")
    print(f"{made.path}: version {made.manifest['version']}")
    print(*diff(bundle, made)["summary"], sep="\n")


if __name__ == "__main__":
    main()
