"""
Time and memory of an ask (S1): ten points after N are known, cold and with the fit before it.

``python benchmarks/campaigns/asking.py`` stores results/campaigns_asking.json. Each case runs in a
process of its own, whose peak memory is that of the ask.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from problems import problems

from limen.active import History, Problem, Space, build, outputs_from_mapping

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "campaigns_asking.json"
# Function, parameters, values known.
CASES = (("xs2", 2, 300), ("dark_higgs_4d", 4, 300), ("susy_6d", 6, 1000), ("susy_6d", 6, 5000))


def measure(word: str, d: int, n: int) -> dict[str, float]:
    """Ask once without an earlier fit, tell ten points, and ask again."""
    function = getattr(problems(), word)
    space = Space.from_mapping({f"x{i}": (0.0, 1.0) for i in range(d)})
    problem = Problem(space, outputs_from_mapping({"y": {"threshold": 0.0}}))
    strategy = build("level-set", problem, {})
    x, found, memory = space.sobol(n, 1), {}, {}
    for name in ("cold", "warm"):
        history = History.of(x, function(x).reshape(-1, 1))
        wall, cpu = time.perf_counter(), time.process_time()
        proposal = strategy.propose(history, 10, np.random.default_rng(0), memory)
        found[f"{name}_s"] = round(time.perf_counter() - wall, 2)
        found[f"{name}_cpu_s"] = round(time.process_time() - cpu, 2)
        x, memory = np.vstack([x, proposal.points]), dict(proposal.memory)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found | {"peak_mb": round(peak)}


def main() -> None:
    """Measure each case in its own process, and store."""
    told = {}
    for case in CASES:
        line = [sys.executable, __file__, *map(str, case)]
        answer = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout
        name = f"{case[1]}-D, N = {case[2]}"
        told[name] = json.loads(answer)
        print(name, told[name], flush=True)
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
