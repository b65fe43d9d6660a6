"""What JSON Schema cannot say of model cards: inputs, target and files are there and fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from limen.errors import Fault
from limen.manifest.column_checks import unknown_name

__all__ = ["model_faults"]

Document = Mapping[str, Any]

_NO_TARGET = {"mask", "split", "id", "origin", "fidelity", "query"}


def model_faults(
    cards: Sequence[Document], columns: Mapping[str, Document], where: str
) -> Iterator[Fault]:
    """
    Check model cards against the columns of the scan.

    Parameters
    ----------
    cards : sequence of mapping
        Cards that have passed the schema.
    columns : mapping of str to mapping
        Columns of the scan.
    where : str
        Pointer of the list.

    Yields
    ------
    Fault
    """
    seen: set[str] = set()
    for position, card in enumerate(cards):
        place = f"{where}/{position}"
        if card["name"] in seen:
            yield Fault(f"{place}/name", f"found {card['name']!r} twice; rename one of them")
        seen.add(card["name"])
        for key, ending in (("file", ".onnx"), ("probe", ".probe.json")):
            if card[key] != card["name"] + ending:
                yield Fault(
                    f"{place}/{key}", f"found {card[key]!r}, allowed {card['name'] + ending!r}"
                )
        yield from _input_faults(card, columns, place)
        yield from _target_faults(card, columns, place)
        yield from _output_faults(card, place)
        yield from _class_faults(card, columns, place)
        yield from _domain_faults(card, place)
        yield from _confidence_faults(card, place)


def _input_faults(card: Document, columns: Mapping[str, Document], place: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for position, entry in enumerate(card["inputs"]):
        here, name = f"{place}/inputs/{position}", entry["column"]
        column = columns.get(name)
        if column is None:
            yield Fault(f"{here}/column", unknown_name(name, columns))
        elif name == card["target"]:
            yield Fault(f"{here}/column", f"found the target {name!r}, allowed other columns")
        elif column["role"] in {"mask", "split", "id"}:
            yield Fault(
                f"{here}/column",
                f"found {name!r} of role {column['role']!r}, which says no physics",
            )
        elif entry["unit"] != column["unit"]:
            yield Fault(
                f"{here}/unit",
                f"found {entry['unit']!r}, allowed {column['unit']!r} as the column {name!r} has",
            )
        if name in seen:
            yield Fault(f"{here}/column", f"found {name!r} twice; an input is one column")
        seen.add(name)
        if entry["index"] != position:
            yield Fault(
                f"{here}/index", f"found {entry['index']}, allowed {position}: the position"
            )


def _target_faults(card: Document, columns: Mapping[str, Document], place: str) -> Iterator[Fault]:
    target = columns.get(card["target"])
    if target is None:
        yield Fault(f"{place}/target", unknown_name(card["target"], columns))
    elif card["task"] == "classification" and target["role"] != "label":
        yield Fault(
            f"{place}/target",
            f"found {target['name']!r} of role {target['role']!r}, a classification needs a label",
        )
    elif card["task"] == "regression" and target["role"] in {"label", *_NO_TARGET}:
        yield Fault(
            f"{place}/target",
            f"found {target['name']!r} of role {target['role']!r}, a regression needs a number",
        )
    if "label" not in card:
        return
    label = columns.get(card["label"])
    if label is None or label["role"] != "label":
        labels = [name for name, column in columns.items() if column["role"] == "label"]
        yield Fault(f"{place}/label", unknown_name(card["label"], labels, "label"))
    elif label["definition"].get("column") != card["target"]:
        yield Fault(
            f"{place}/label",
            f"found {card['label']!r}, which is not defined on the target {card['target']!r}",
        )


def _output_faults(card: Document, place: str) -> Iterator[Fault]:
    names = [output["name"] for output in card["outputs"]]
    answers = {
        "classification": ({"probability", "domain_score"}, set()),
        "regression": ({"mean", "domain_score"}, {"std"}),
    }
    needed, possible = answers[card["task"]]
    for name in sorted(needed - set(names)):
        yield Fault(f"{place}/outputs", f"found no {name!r}; a {card['task']} has it")
    for position, name in enumerate(names):
        if name in names[:position]:
            yield Fault(f"{place}/outputs/{position}/name", f"found {name!r} twice; keep one")
        elif name not in needed | possible:
            yield Fault(
                f"{place}/outputs/{position}/name", f"found {name!r}; no {card['task']} has it"
            )


def _class_faults(card: Document, columns: Mapping[str, Document], place: str) -> Iterator[Fault]:
    categories = columns.get(card["target"], {}).get("categories", {"0": "no", "1": "yes"})
    for position, output in enumerate(card["outputs"]):
        classes = output.get("classes", [])
        known = [code for code in classes if str(code) in categories]
        if classes != sorted(set(known)):
            yield Fault(
                f"{place}/outputs/{position}/classes",
                f"found {classes}, allowed codes of {', '.join(categories)}, ascending",
            )


def _domain_faults(card: Document, place: str) -> Iterator[Fault]:
    inputs = [entry["column"] for entry in card["inputs"]]
    box = card["domain"]["box"]
    if [side["column"] for side in box] != inputs:
        yield Fault(
            f"{place}/domain/box", "found other columns than the inputs, allowed one each, in order"
        )
    for position, side in enumerate(box):
        if side["low"] > side["high"]:
            yield Fault(
                f"{place}/domain/box/{position}/low",
                f"found {side['low']} above {side['high']}; exchange them",
            )
    for position, subspace in enumerate(card["domain"].get("subspaces", ())):
        here = f"{place}/domain/subspaces/{position}"
        if len(subspace["normals"]) != len(subspace["offsets"]):
            yield Fault(
                f"{here}/offsets",
                f"found {len(subspace['offsets'])}, allowed one for each of the "
                f"{len(subspace['normals'])} normals",
            )
        for number, normal in enumerate(subspace["normals"]):
            for name in sorted(set(normal) - set(inputs)):
                yield Fault(f"{here}/normals/{number}/{name}", unknown_name(name, inputs, "input"))


def _confidence_faults(card: Document, place: str) -> Iterator[Fault]:
    for position, entry in enumerate(card["confidence"]):
        edge = -1.0
        for number, row in enumerate(entry.get("table", ())):
            if not edge <= row["low"] < row["high"]:
                yield Fault(
                    f"{place}/confidence/{position}/table/{number}/low",
                    f"found a bin from {row['low']} to {row['high']}, allowed bins that ascend",
                )
            edge = row["high"]
    for position, metric in enumerate(card["metrics"]):
        interval = metric.get("interval")
        if interval is not None and interval[0] > interval[1]:
            yield Fault(
                f"{place}/metrics/{position}/interval",
                f"found {interval[0]} above {interval[1]}; give the smaller number first",
            )
