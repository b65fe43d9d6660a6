"""The document that describes an external program, checked with all its faults together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limen import schema
from limen.active.evaluators.exchange import FORMATS, Input, Output, check_address
from limen.errors import SchemaError

__all__ = ["Description", "described", "read_description"]

_KEYS = ("command", "exit_codes", "files", "input", "keep", "output", "retries", "timeout")
_INPUT, _OUTPUT = ("file", "format", "template", "values"), ("file", "format", "values")
_CODES = ("invalid", "censored")
_KEEP = ("all", "failed")
Faults = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Description:
    """
    An external program, as its document says.

    Attributes
    ----------
    command : tuple of str
        Words with names in braces.
    output : Output
    input : Input or None
    here : Path
        Folder of the document.
    timeout : float or None
        [s].
    retries : int
    exit_codes : mapping of int to str
        What exit codes other than 0 mean.
    files : tuple of Path
        Files that the results depend on.
    keep : str
        Which working folders stay: ``all`` or ``failed``.
    """

    command: tuple[str, ...]
    output: Output
    input: Input | None = None
    here: Path = Path()
    timeout: float | None = None
    retries: int = 0
    exit_codes: Mapping[int, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    keep: str = "all"


def read_description(path: str | Path) -> Description:
    """
    Read a YAML or JSON document.

    Raises
    ------
    UsageError
        If there is none.
    SchemaError
        With all its faults.
    """
    path = Path(path)
    read = schema.load_json if path.suffix == ".json" else schema.load_yaml
    return described(read(path), path.resolve().parent, str(path))


def described(document: Mapping[str, Any], here: Path, where: str = "evaluator") -> Description:
    """
    Make a description of plain data.

    Parameters
    ----------
    document : mapping
        ``command`` and ``output``; where needed ``input``, ``timeout`` [s], ``retries``,
        ``exit_codes``, ``files``, ``keep``.
    here : Path
        Where its files are.
    where : str
        Name of the document in messages.

    Returns
    -------
    Description

    Raises
    ------
    SchemaError
        With all its faults.
    """
    faults: Faults = []
    _only(document, _KEYS, "", faults)
    command = document.get("command")
    if not (_texts(command) and command and command[0].strip()):
        allowed = "a list of words, such as [python3, '{here}/program.py', '{input}', '{output}']"
        faults.append(("/command", f"found {command!r}, allowed {allowed}; no shell reads it"))
        command = []
    made = Description(
        command=tuple(command),
        output=_output(document.get("output"), faults),
        input=_input(document.get("input"), here, faults),
        here=here,
        timeout=_timeout(document.get("timeout"), faults),
        retries=_retries(document.get("retries", 0), faults),
        exit_codes=_exit_codes(document.get("exit_codes", {}), faults),
        files=_files(document.get("files", []), here, faults),
        keep=_choice(document.get("keep", "all"), _KEEP, "/keep", faults),
    )
    if faults:
        raise SchemaError.from_faults(where, faults)
    return made


def _only(told: Mapping[str, Any], keys: tuple[str, ...], at: str, faults: Faults) -> None:
    for name in told:
        if name not in keys:
            faults.append((f"{at}/{name}", f"unknown, allowed {', '.join(keys)}"))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _choice(value: Any, allowed: tuple[str, ...], at: str, faults: Faults) -> str:
    if value not in allowed:
        faults.append((at, f"found {value!r}, allowed {', '.join(allowed)}"))
        return allowed[0]
    return str(value)


def _file_name(value: Any, at: str, faults: Faults) -> str:
    if not isinstance(value, str) or not value or Path(value).name != value:
        if value not in ("", None):
            faults.append((at, f"found {value!r}, allowed the name of a file, without a folder"))
        return ""
    return value


def _values(told: Mapping[str, Any], form: str, at: str, faults: Faults) -> dict[str, str]:
    values = told.get("values", {})
    right = isinstance(values, Mapping) and all(isinstance(place, str) for place in values.values())
    if not right:
        faults.append((f"{at}/values", f"found {values!r}, allowed a mapping of names to texts"))
        return {}
    if form == "slha":
        for name, place in values.items():
            if wrong := check_address(place):
                faults.append((f"{at}/values/{name}", wrong))
    return dict(values)


def _input(told: Any, here: Path, faults: Faults) -> Input | None:
    if told is None:
        return None
    if not isinstance(told, Mapping):
        faults.append(("/input", f"found {told!r}, allowed a mapping with format"))
        return None
    _only(told, _INPUT, "/input", faults)
    form = _choice(told.get("format"), FORMATS, "/input/format", faults)
    values, template = _values(told, form, "/input", faults), ""
    if "template" in told:
        path = here / str(told["template"])
        try:
            template = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(("/input/template", f"{path} cannot be read ({error})"))
    if values and "template" in told:
        faults.append(("/input", "found template and values, allowed one of them"))
    if form == "slha" and not values and "template" not in told:
        faults.append(("/input", "found neither template nor values, allowed one of them for slha"))
    file = _file_name(told.get("file", ""), "/input/file", faults)
    return Input(form, values, template, file)


def _output(told: Any, faults: Faults) -> Output:
    if not isinstance(told, Mapping):
        faults.append(("/output", f"found {told!r}, allowed a mapping with format"))
        return Output(FORMATS[0])
    _only(told, _OUTPUT, "/output", faults)
    form = _choice(told.get("format"), FORMATS, "/output/format", faults)
    values = _values(told, form, "/output", faults)
    if form == "slha" and not values:
        faults.append(("/output/values", "found none, allowed an SLHA address for each output"))
    file = told.get("file", "")
    return Output(form, values, file if file == "-" else _file_name(file, "/output/file", faults))


def _timeout(value: Any, faults: Faults) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        faults.append(("/timeout", f"found {value!r}, allowed a number of seconds above 0"))
        return None
    return float(value)


def _retries(value: Any, faults: Faults) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        faults.append(("/retries", f"found {value!r}, allowed 0 to 100"))
        return 0
    return value


def _exit_codes(told: Any, faults: Faults) -> dict[int, str]:
    if not isinstance(told, Mapping):
        faults.append(
            ("/exit_codes", f"found {told!r}, allowed a mapping with {', '.join(_CODES)}")
        )
        return {}
    _only(told, _CODES, "/exit_codes", faults)
    found: dict[int, str] = {}
    for status in _CODES:
        listed = told.get(status, [])
        listed = listed if isinstance(listed, list) else [listed]
        for code in listed:
            if isinstance(code, bool) or not isinstance(code, int) or not 1 <= code <= 255:
                faults.append((f"/exit_codes/{status}", f"found {code!r}, allowed 1 to 255"))
            elif code in found:
                faults.append((f"/exit_codes/{status}", f"found {code} twice, allowed once"))
            else:
                found[code] = status
    return found


def _files(told: Any, here: Path, faults: Faults) -> tuple[Path, ...]:
    if not _texts(told):
        faults.append(("/files", f"found {told!r}, allowed a list of files"))
        return ()
    for i, name in enumerate(told):
        if not (here / name).is_file():
            faults.append((f"/files/{i}", f"found no file {here / name}; correct its name"))
    return tuple(here / name for name in told)
