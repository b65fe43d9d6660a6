"""Evaluators that are external programs."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from limen.active.evaluators import caching
from limen.active.evaluators.documents import Description, described, read_description
from limen.active.evaluators.exchange import filled, number_text, placeholders, read, write
from limen.active.evaluators.launching import launch, owned
from limen.active.evaluators.outcomes import Outcome, failure, outcome_of
from limen.active.problem import STATUSES, Problem
from limen.errors import ReadError, StorageError, UsageError
from limen.journal import storing

__all__ = ["Program"]

_OWN = ("folder", "here", "id", "input", "output", "python")
_LOG = "log.txt"
_FAILED = STATUSES[1]
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*\Z", re.ASCII)
_LEAST_FREE = 8192


@dataclass(frozen=True, slots=True)
class Program:
    """
    An external program, started once per point in a folder of its own.

    Attributes
    ----------
    told : Description
    outputs : tuple of str
        Names that a result needs; by default those that the document reads.
    folder : Path or None
        Where working folders are made, one per point; None for temporary ones.
    cache : Path or None
        Where results are kept and looked for.

    Examples
    --------
    >>> program = Program.from_dict({
    ...     "command": ["{python}", "-c", "print('y'); print({m} ** 2)"],
    ...     "output": {"format": "csv", "file": "-", "values": {"y": "y"}},
    ... })
    >>> program({"m": 3.0}, "a-000001").values
    {'y': 9.0}
    """

    told: Description
    outputs: tuple[str, ...] = ()
    folder: Path | None = None
    cache: Path | None = None

    @classmethod
    def from_file(cls, path: str | Path, *, cache: str | Path | None = None) -> Program:
        """
        Read the document of a program, YAML or JSON.

        Parameters
        ----------
        path : str or Path
        cache : str or Path, optional
            Folder of results that several campaigns share.

        Raises
        ------
        UsageError, SchemaError
            With all faults.
        """
        return cls(read_description(path), cache=None if cache is None else Path(cache).absolute())

    @classmethod
    def from_command(
        cls, command: str, *, here: str | Path = ".", cache: str | Path | None = None
    ) -> Program:
        """
        Take a line that reads ``{input}``, a CSV file of one row, and writes ``{output}``, another.

        Parameters
        ----------
        command : str
            Split as a shell would; none reads it. Words that name files in ``here`` are made
            absolute: the program runs in a folder of its own.
        here : str or Path
        cache : str or Path, optional
            Folder of results that several campaigns share.

        Raises
        ------
        UsageError
            If it cannot be split.
        SchemaError
            With all its faults.
        """
        here = Path(here).absolute()
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"command: found {command!r}, which ends within a quote") from error
        files = [word for word in words if not placeholders(word) and (here / word).is_file()]
        document: dict[str, Any] = {
            "command": [str(here / word) if word in files else word for word in words],
            "output": {"format": "csv"},
            "files": files,
        }
        if any("input" in placeholders(word) for word in words):
            document["input"] = {"format": "csv"}
        made = described(document, here, "command")
        return cls(made, cache=None if cache is None else Path(cache).absolute())

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], here: str | Path = ".") -> Program:
        """
        Make it of plain data; its files are found from ``here``.

        Raises
        ------
        SchemaError
            With all faults.
        """
        return cls(described(document, Path(here).resolve()))

    @property
    def retries(self) -> int:
        """How often a failed evaluation is tried again."""
        return self.told.retries

    def kept_in(self, folder: Path, outputs: Sequence[str], timeout: float | None) -> Program:
        """Give the same program with working folders, and results, in a campaign."""
        told = self.told if timeout is None else replace(self.told, timeout=timeout)
        place = folder.absolute()
        cache = self.cache or place / "results"
        return Program(told, tuple(outputs), place, cache)

    def check(self, problem: Problem) -> None:
        """
        Refuse a problem whose points the document does not fit.

        Raises
        ------
        UsageError
            With all faults: unknown names, parameters that go nowhere, outputs that are not read,
            a program that is not installed.
        """
        names = set(problem.space.names)
        outputs = {output.name for output in problem.outputs}
        faults = [*self._input_faults(names), *self._output_faults(outputs)]
        program = filled(self.told.command[0], self._fixed())
        if not placeholders(program) and shutil.which(program, path=None) is None:
            faults.append(("/command/0", f"found no program {program!r}; install it"))
        if faults:
            raise UsageError.from_faults("evaluator", faults)

    def _input_faults(self, names: set[str]) -> list[tuple[str, str]]:
        faults, given = [], self.told.input
        used = {name for word in self.told.command for name in placeholders(word)}
        strangers = used - names - set(_OWN)
        template = set(placeholders(given.template)) if given else set()
        parameters = ", ".join(sorted(names))
        if strangers:
            allowed = f"allowed {', '.join(_OWN)} and the parameters {parameters}"
            faults.append(("/command", f"found {_braced(strangers)}, {allowed}"))
        if template - names:
            found = f"found {_braced(template - names)}, allowed the parameters {parameters}"
            faults.append(("/input/template", found))
        if given:
            strangers = set(given.values) - names
            if strangers:
                found = f"found {', '.join(sorted(strangers))}, allowed {parameters}"
                faults.append(("/input/values", found))
            used |= set(given.values) | template
            used |= set() if given.values or given.template else names
            if "input" not in used and given.file == "":
                text = "found no {input}, allowed with it; how does the program find its input?"
                faults.append(("/command", text))
        if left := sorted(names - used):
            text = f"the parameters {', '.join(left)} go nowhere; give them to the program"
            faults.append(("/input", text))
        return faults

    def _output_faults(self, outputs: set[str]) -> list[tuple[str, str]]:
        read = set(self.told.output.values)
        if not read:
            return []
        faults, allowed = [], ", ".join(sorted(outputs))
        if strangers := sorted(read - outputs - {f"{name}_err" for name in outputs}):
            faults.append(("/output/values", f"found {', '.join(strangers)}, allowed {allowed}"))
        if missing := sorted(outputs - read):
            faults.append(("/output/values", f"found no {', '.join(missing)}, which are needed"))
        return faults

    def __call__(self, point: Mapping[str, float], name: str) -> Outcome:
        """
        Evaluate a point.

        Raises
        ------
        StorageError
            If the disk is full or cannot be written.
        """
        if not _NAME.match(name):
            raise UsageError(f"point: found the id {name!r}, allowed letters, digits, . _ and -")
        key = "" if self.cache is None else self._key(point)
        if self.cache is not None and (known := caching.find(self.cache, key)) is not None:
            return known
        with ExitStack() as stack:
            if self.folder is None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="limen-")))
            else:
                folder = self.folder / name
            outcome = self._evaluated(point, name, folder)
        if outcome.status == _FAILED:
            return outcome
        if self.cache is not None:
            caching.keep(self.cache, key, outcome)
        if self.folder is not None and self.told.keep == "failed":
            shutil.rmtree(folder, ignore_errors=True)
        return outcome

    def _evaluated(self, point: Mapping[str, float], name: str, folder: Path) -> Outcome:
        told, output = self.told, folder / self.told.output.name
        words = self._fixed() | {key: number_text(value) for key, value in point.items()}
        words |= {"folder": str(folder), "id": name, "output": str(output)}
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with owned(folder) as handle:
                # What an earlier try left is no answer.
                output.unlink(missing_ok=True)
                if told.input is not None:
                    path = folder / told.input.name
                    path.write_text(write(told.input, point), encoding="utf-8")
                    words["input"] = str(path)
                line = [filled(word, words) for word in told.command]
                with (folder / _LOG).open("a", encoding="utf-8") as log:
                    log.write(f"$ {' '.join(line)}\n")
                stdout = output if told.output.file == "-" else None
                code = launch(
                    line,
                    folder,
                    folder / _LOG,
                    handle=handle,
                    output=stdout,
                    timeout=told.timeout,
                )
        outcome = self._outcome(code, output)
        if outcome.status == _FAILED and shutil.disk_usage(folder).free < _LEAST_FREE:
            raise StorageError(
                f"{folder}: the disk is full; free space and run again (the point stays pending)"
            )
        return outcome

    def _outcome(self, code: int | None, output: Path) -> Outcome:
        log = output.parent / _LOG
        if code is None:
            return failure(f"took longer than {self.told.timeout:g} s")
        status = self.told.exit_codes.get(code, "ok" if code == 0 else _FAILED)
        if status == _FAILED:
            return failure(f"ended with exit code {code}: {_last_line(log)}".rstrip(": "))
        if status == "invalid":
            return Outcome(
                status=status, message=f"exit code {code}: {_last_line(log)}".rstrip(": ")
            )
        named = [name for name in self.told.output.values if not name.endswith("_err")]
        outputs = self.outputs or named
        try:
            values = read(self.told.output, output, outputs)
        except ReadError as error:
            return failure(str(error))
        return outcome_of({"status": status, **values}, outputs)

    def _fixed(self) -> dict[str, str]:
        return {"here": str(self.told.here), "python": sys.executable}

    def _key(self, point: Mapping[str, float]) -> str:
        told = self.told
        # Other words may be files that the program writes.
        listed = [word for i, word in enumerate(told.command) if i == 0 or "{here}" in word]
        found = [shutil.which(filled(word, self._fixed())) for word in listed[:1]]
        found += [filled(word, self._fixed()) for word in listed[1:]]
        files = [Path(name) for name in found if name and Path(name).is_file()]
        depends_on = {
            "command": list(told.command),
            "point": {name: repr(float(value)) for name, value in sorted(point.items())},
            "input": None if told.input is None else asdict(told.input),
            "output": asdict(told.output),
            "outputs": list(self.outputs),
            "exit_codes": {str(code): status for code, status in told.exit_codes.items()},
        }
        return caching.key_of(depends_on, dict.fromkeys([*files, *told.files]))


def _braced(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))


def _last_line(log: Path) -> str:
    """Give what a program said last."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in reversed(lines):
        if line.startswith("$ "):
            break
        if line.strip():
            return line.strip()[:300]
    return ""
