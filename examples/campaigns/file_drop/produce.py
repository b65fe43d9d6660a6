"""
Plays the production system: takes a batch of points, gives results in the order of finishing.

    python produce.py batch.csv results.csv [late.csv]

One job crashed, one found no events, and the last result comes later, in a file of its own. The
numbers are made up.
"""

import csv
import math
import sys


def limits(gluino: float, light: float) -> tuple[float, float]:
    """Give observed and expected limit of a point."""
    events = 4.0e5 * math.exp(-gluino / 190.0) * (1.0 - math.exp(-(gluino - light) / 400.0))
    expected = 6.0 / events
    return expected * (1.0 + 0.3 * math.sin(gluino / 150.0)), expected


def results(row: dict[str, str], number: int) -> dict[str, object]:
    """Evaluate a point, or not."""
    told: dict[str, object] = {"id": row["id"], "status": "ok", "task": f"4711.{number}"}
    if number == 3:
        return told | {"status": "failed", "message": "lost heartbeat"}
    observed, expected = limits(float(row["m_gluino"]), float(row["m_n1"]))
    if number == 5:
        return told | {"status": "censored", "message": "no events", "obs": 50.0, "exp": 50.0}
    return told | {"obs": observed, "exp": expected, "obs_err": 0.02 * observed, "cost": 3600}


def write(path: str, rows: list[dict[str, object]]) -> None:
    """Write a file of results."""
    names = ["status", "exp", "obs", "obs_err", "id", "message", "cost", "task"]
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)


def main(batch: str, target: str, late: str = "") -> None:
    """Produce a batch."""
    with open(batch, encoding="utf-8", newline="") as stream:
        rows = [results(row, number) for number, row in enumerate(csv.DictReader(stream))]
    rows.reverse()
    if late:
        write(late, rows[:1])
        rows = rows[1:]
    write(target, rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
