"""Functions that evaluate points well and badly; found by other processes in this file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
FLAGS = "LIMEN_TEST_FLAGS"
"""Folder through which evaluations tell a test that they began."""


def place(name: str) -> str:
    """Say where a function of this file is found."""
    return f"{HERE}:{name}"


def product(m: float, g: float) -> float:
    """Multiply the parameters."""
    return m * g


def noted(m: float, g: float) -> float:
    """Multiply, and leave a line per evaluation."""
    note("evaluated", f"{m!r} {g!r}")
    return m * g


def slow_at_first(m: float, g: float) -> float:
    """Be slow where the first file of flags is not there yet."""
    if first("slow"):
        time.sleep(0.8)
    note("evaluated", f"{m!r}")
    return m * g


def mixed(m: float, g: float) -> Any:
    """Raise, hang, die, or give what is no number, by the value of m."""
    if m < 100:
        raise ValueError("no convergence")
    if m < 200:
        return float("nan")
    if m < 300:
        return "12.5"
    if m < 400:
        time.sleep(60)
    if m < 500:
        os.kill(os.getpid(), signal.SIGKILL)
    if m < 600:
        sys.exit("given up")
    return m * g


def dies_once(m: float, g: float) -> float:
    """Kill the process of the first evaluation."""
    if first("died"):
        os.kill(os.getpid(), signal.SIGKILL)
    return m * g


def hangs_with_a_child(m: float, g: float) -> float:
    """Start a program and hang."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    note("child", str(child.pid))
    time.sleep(60)
    return m * g


def hangs(m: float, g: float) -> float:
    """Say that it began, and hang."""
    note("begun", str(os.getpid()))
    time.sleep(60)
    return m * g


def first(name: str) -> bool:
    """Say whether this is the first time, over all processes."""
    try:
        (Path(os.environ[FLAGS]) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def note(name: str, line: str) -> None:
    """Append a line to a file of flags."""
    if FLAGS in os.environ:
        with (Path(os.environ[FLAGS]) / name).open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")


def notes(name: str) -> list[str]:
    """Give the lines of a file of flags."""
    path = Path(os.environ[FLAGS]) / name
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def killed_while_it_runs(m: float, g: float) -> float:
    """Say in which process it runs, and wait until it may go on."""
    note("begun", str(os.getpid()))
    while not (Path(os.environ[FLAGS]) / "go").exists():
        time.sleep(0.02)
    return m * g


def takes_a_while(m: float, g: float) -> float:
    """Multiply, slowly enough to be killed meanwhile."""
    time.sleep(0.05)
    return noted(m, g)


def dies_at_the_seventh(m: float, g: float) -> float:
    """Kill the process at the seventh evaluation over all processes."""
    note("tried", repr(m))
    if len(notes("tried")) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return m * g


def wait_for(name: str, lines: int = 1) -> None:
    """Wait until evaluations left so many lines."""
    for _ in range(2000):
        if len(notes(name)) >= lines:
            return
        time.sleep(0.01)
    raise AssertionError(f"{name} never came")


def gone(pid: int) -> bool:
    """Wait until a process is no more; a dead one that nobody waited for counts as gone."""
    for _ in range(500):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def never(m: float, g: float) -> float:
    """Fail, wherever."""
    raise ValueError("no card")
