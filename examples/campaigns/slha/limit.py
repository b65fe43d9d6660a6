"""
Stands for a chain of programs: reads an SLHA spectrum, writes an upper limit as SLHA.

The numbers are made up. Exit code 4: no sensitivity, the limit is a lower bound of it.
"""

import math
import sys

LUMINOSITY = 139_000.0  # 1/pb
EVENTS = 900.0  # signal events that are excluded
LEAST = 9.0  # with fewer events nothing is learnt


def read_masses(path: str) -> dict[int, float]:
    """Read the block MASS."""
    masses, block = {}, ""
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            words = line.partition("#")[0].split()
            if words and words[0].upper() in ("BLOCK", "DECAY"):
                block = words[1].upper()
            elif words and block == "MASS":
                masses[int(words[0])] = float(words[1])
    return masses


def main(source: str, target: str) -> int:
    """Evaluate one point."""
    masses = read_masses(source)
    heavy, light = masses[1000023], masses[1000022]
    if heavy - light < 2.0:
        # A generator says so in SPINFO; Limen takes the point for unphysical.
        with open(target, "w", encoding="utf-8") as stream:
            stream.write("BLOCK SPINFO\n  1  toy\n  4  N2 does not decay within the detector\n")
        return 0
    section = 20.0 * (100.0 / heavy) ** 4  # pb
    efficiency = 0.1 * (1.0 - math.exp(-(((heavy - light) / 120.0) ** 2)))
    expected = LUMINOSITY * section * efficiency
    mu = EVENTS / max(expected, LEAST)
    print(f"m(N2) = {heavy:.1f} GeV, m(N1) = {light:.1f} GeV: {expected:.1f} events expected")
    with open(target, "w", encoding="utf-8") as stream:
        stream.write(f"BLOCK LIMIT\n  1  {mu:.8E}  # on the signal strength\n")
        stream.write(f"  2  {0.01 * mu:.8E}  # its error\n")
    return 4 if expected < LEAST else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
