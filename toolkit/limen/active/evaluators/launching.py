"""Start an external program, keep its log, and end it with all that it started."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from limen.errors import UsageError

__all__ = ["kill_running", "launch", "owned"]

_GRACE = 2.0
_PATIENCE, _STEP = 3.0, 0.05
_PID = "pid"
_running: set[int] = set()


def launch(
    words: Sequence[str],
    folder: Path,
    log: Path,
    *,
    handle: int | None,
    output: Path | None,
    timeout: float | None,
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
    handle : int or None
        What :func:`owned` gave.
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
                pass_fds=() if handle is None else (handle,),
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
        (folder / _PID).write_text(f"{process.pid} {platform.node()}", encoding="utf-8")
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        # What the program left behind in its group ends with it, on time or not.
        _end_group(process)
        _running.discard(process.pid)
        (folder / _PID).unlink(missing_ok=True)


@contextmanager
def owned(folder: Path) -> Iterator[int | None]:
    """
    Hold the lock of a working folder, which a program inherits.

    Who finds it held knows that the program of a run that was killed still works there, and ends
    it.

    Yields
    ------
    int or None
        The lock; None where there are none (Windows).

    Raises
    ------
    UsageError
        If the program of an earlier run cannot be ended.
    """
    try:
        import fcntl
    except ImportError:
        yield None
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        for wait in (0.0, *[_STEP] * int(_PATIENCE / _STEP)):
            time.sleep(wait)
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            _end_orphan(folder)
        else:
            raise UsageError(
                f"{folder}: the program of an earlier run still works here, perhaps on another "
                "machine; end it first"
            )
        yield handle
    finally:
        os.close(handle)


def _end_orphan(folder: Path) -> None:
    with suppress(OSError, ValueError):
        pid, _, machine = (folder / _PID).read_text(encoding="utf-8").partition(" ")
        if machine == platform.node():
            os.killpg(int(pid), signal.SIGKILL)


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
