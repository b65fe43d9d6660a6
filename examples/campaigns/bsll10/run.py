"""
Extend the b -> s likelihood where its 95 % region ends: run.py [--rows N] [--rounds N] ...

The example bundle is drawn with few rows, a campaign asks for more along the boundary of the
region, the real likelihood evaluates them, and the next version of the bundle holds them.
"""

import argparse

import numpy as np
import pandas as pd

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


def around(bundle: Bundle, level: float, number: int) -> pd.DataFrame:
    """Draw the points that may be asked: as the rows of the region lie, and half as far again."""
    names = list(likelihood().names)
    scan = bundle.scan
    region = np.column_stack([scan[n].values for n in names])[scan["loglike"].values > level]
    factor = np.linalg.cholesky(np.cov(region.T))
    drawn = np.random.default_rng(0).standard_normal((number, len(names)))
    return pd.DataFrame(region.mean(axis=0) + 1.5 * drawn @ factor.T, columns=names)


def start(bundle: Bundle, level: float, strategy: str, pool: pd.DataFrame) -> Campaign:
    """Start where the likelihood is worth a look: ten flat boxes would be nearly empty."""
    space = {name: {"range": [pool[name].min(), pool[name].max()]} for name in pool}
    outputs = {"loglike": {"threshold": level}}
    return Campaign.from_bundle(
        "campaign", bundle, outputs, space=space, strategy=strategy, pool=pool
    )


def accuracy(campaign: Campaign, points: pd.DataFrame, level: float) -> str:
    """Say how many labels of points are right, and of those nearest to the boundary."""
    truth = likelihood().log_likelihood(points.to_numpy())
    right = (campaign.predict(points)["loglike_below"].values[:, 0] > 0.5) == (truth < level)
    close = np.abs(truth - level) <= np.quantile(np.abs(truth - level), 0.2)
    return f"labels right {right.mean():.3f}, of the fifth nearest {right[close].mean():.3f}"


def main() -> None:
    """Run the campaign, extend the bundle, and say what changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--pool", type=int, default=8000)
    parser.add_argument("--strategy", default="level-set")
    asked = parser.parse_args()
    model = likelihood()
    bundle = draw(asked.rows)
    level = boundary(bundle)
    pool = around(bundle, level, asked.pool + 2000)
    fresh = pool[asked.pool :]
    campaign = start(bundle, level, asked.strategy, pool[: asked.pool])
    print(f"{0:5} points asked, {accuracy(campaign, fresh, level)}")
    for _ in range(asked.rounds):
        batch = campaign.ask(asked.batch)
        values = model.log_likelihood(batch[list(model.names)].to_numpy())
        campaign.tell(batch["id"], {"loglike": values})
        print(f"{len(campaign.queries):5} points asked, {accuracy(campaign, fresh, level)}")
    print(*assess(campaign, rounds=0, left_out=False).lines(), sep="\n")
    made = extend(bundle, campaign, "bsll10-next")
    print(f"{made.path}: version {made.manifest['version']}")
    print(*diff(bundle, made)["summary"], sep="\n")


if __name__ == "__main__":
    main()
