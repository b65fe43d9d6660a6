"""
A model's first run, in a process of its own that can take little and write nothing.

``python -m limen_zenodo.trial FOLDER MODEL MEMORY CPU`` is that process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limen import resources
from limen.errors import Fault

__all__ = ["Limits", "main", "try_model"]

_MOST_FAULTS = 20
_DOUBT = "do not use this model, or fetch with --trust if you know its authors"
_OUT_OF_MEMORY = 9  # an exit code of our own
_NEEDS_MEMORY = (_OUT_OF_MEMORY, -getattr(signal, "SIGKILL", 9), -signal.SIGABRT)
_NEEDS_TIME = -getattr(signal, "SIGXCPU", 24)


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What the first run of a model may take.

    Parameters
    ----------
    memory : int
        Address space [byte], on top of ten times the file; Python, numpy, onnx and onnxruntime
        alone take 0.2 GiB of it (Linux).
    cpu : int
        Time on the processor [s].
    wall : float
        Time by the clock [s].
    """

    memory: int = 4 * 2**30
    cpu: int = 60
    wall: float = 120.0


def try_model(folder: Path, name: str, file_bytes: int, limits: Limits) -> list[Fault]:
    """
    Audit a model and run its probe, in a process of its own.

    Parameters
    ----------
    folder : Path
        The bundle; its files were compared with the manifest already.
    name : str
        The model.
    file_bytes : int
        Size of its file [byte].
    limits : Limits

    Returns
    -------
    list of Fault
        What is wrong; empty if the model passed.
    """
    memory = limits.memory + 10 * file_bytes
    # -P: nothing of the current folder is imported; -B: nothing is written beside the modules.
    line = [sys.executable, "-P", "-B", "-m", "limen_zenodo.trial"]
    line += [str(folder.resolve()), name, str(memory), str(limits.cpu)]
    try:
        done = subprocess.run(
            line,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.wall,
            check=False,
            env=_surroundings(),
        )
    except subprocess.TimeoutExpired:
        return [Fault(f"model {name}", f"its probe took more than {limits.wall:g} s; {_DOUBT}")]
    return _judge(name, done, limits)


def _surroundings() -> dict[str, str]:
    """Give the environment without secrets: what runs a stranger's graph needs none."""
    secret = ("TOKEN", "SECRET", "PASSWORD", "API_KEY")
    return {
        name: value
        for name, value in os.environ.items()
        if not any(word in name.upper() for word in secret)
    }


def _judge(name: str, done: subprocess.CompletedProcess[bytes], limits: Limits) -> list[Fault]:
    """Read the other process's answer, or say how it ended."""
    code, said = done.returncode, done.stderr
    if code == 0:
        return [Fault(*fault) for fault in json.loads(done.stdout)]
    if code in _NEEDS_MEMORY or b"MemoryError" in said or b"bad_alloc" in said:
        text = f"its probe needs more than {limits.memory / 2**30:.3g} GiB of memory"
    elif code == _NEEDS_TIME:
        text = f"its probe took more than {limits.cpu} s of computing"
    else:
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
        text = f"its probe crashed ({ascii(last)[1:-1][:200] or f'exit code {code}'})"
    return [Fault(f"model {name}", f"{text}; {_DOUBT}")]


def main(arguments: list[str]) -> int:
    """
    Be the other process: bound it, run the probe, print the faults as JSON.

    Parameters
    ----------
    arguments : list of str
        Folder, model, memory [byte] and time on the processor [s].

    Returns
    -------
    int
        Exit code: 0 if the model was judged, another if the memory ran out.
    """
    folder, name, memory, cpu = arguments
    resources.limit_process(memory=int(memory), cpu=int(cpu))
    try:
        found = _faults(folder, name)
    except MemoryError:
        return _OUT_OF_MEMORY
    answer: list[Any] = [list(fault) for fault in found[:_MOST_FAULTS]]
    print(json.dumps(answer))
    return 0


def _faults(folder: str, name: str) -> list[Fault]:
    # Imported here: the limits come first.
    from limen.bundle import open_bundle
    from limen.checking.models import check_model
    from limen.checking.report import Report

    bundle, report = open_bundle(folder), Report()
    check_model(bundle, bundle.model(name), report, deep=False)
    return report.faults


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
