"""Start an external program, keep its log, and end it with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from limen.errors import UsageError

__all__ = ["kill_running", "launch"]

_GRACE = 2.0
_running: set[int] = set()


def launch(
    words: Sequence[str], folder: Path, log: Path, output: Path | None, timeout: float | None
) -> int | None:
    """
    Run a program to its end.

    Parameters
    ----------
    words : sequence of str
        The program and its arguments; no shell reads them.
    folder : Path
        Where it runs.
    log : Path
        What it writes to stdout and stderr is put at the end of this file.
    output : Path or None
        File for stdout instead.
    timeout : float or None
        Longest time [s]; then the program and all that it started are killed.

    Returns
    -------
    int or None
        Exit code, negative for a signal; None if the time was up.

    Raises
    ------
    UsageError
        If there is no such program.
    OSError
        If the log cannot be written.
    """
    with log.open("ab") as stream:
        out = stream if output is None else output.open("wb")
        try:
            process = subprocess.Popen(
                list(words),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=stream,
                start_new_session=True,
            )
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            raise UsageError(
                f"program {words[0]}: cannot be started ({error.strerror}); install it, or "
                "correct the command"
            ) from error
        finally:
            if out is not stream:
                out.close()
    _running.add(process.pid)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        # What the program left behind in its group ends with it, on time or not.
        _end_group(process)
        _running.discard(process.pid)


def kill_running() -> None:
    """Kill the programs that this process runs now."""
    for pid in list(_running):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
