"""What the page Predict tells beside the verdict: neighbours, slices, flips, code, sources."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from limen.documents import bibtex, how_to_cite
from limen.errors import LimenError
from limen.prediction import Verdicts
from limen_app.asking import by_flip, flips_of, line_of, plane_of, slab_of
from limen_app.calls import command_line, curl, python
from limen_app.charts import Layer, line_chart, plane_chart, reliability_chart
from limen_app.library import one_message
from limen_app.published import rows_of
from limen_app.showing import choice, number, plain, quantity, safe
from limen_app.slicing import boundary
from limen_app.views.predict_form import put
from limen_app.visiting import Visit, fault, origin
from limen_app.wording import accuracy_at, confidence_sentences

if TYPE_CHECKING:
    from limen.prediction import Predictor, Verdict
    from limen_app.published import Slab

__all__ = ["SECTIONS", "draw_section"]

SECTIONS = (
    "Nearest points",
    "Slices",
    "What flips it",
    "How sure",
    "Same elsewhere",
    "Sources",
)
Point = Mapping[str, float]


def draw_section(
    name: str, here: Visit, predictor: Predictor, point: Point, answer: Verdicts
) -> None:
    """
    Draw what is told beside the verdict.

    Parameters
    ----------
    name : str
        One of ``SECTIONS``.
    here : Visit
    predictor : Predictor
    point : mapping of str to float
    answer : Verdicts
        On the point, with its nearest rows.
    """
    try:
        if name == "Nearest points":
            _nearest(here, predictor, answer)
        elif name == "Slices":
            _slices(here, predictor, point)
        elif name == "What flips it":
            _flips(here, predictor, point, answer[0])
        elif name == "How sure":
            _how_sure(predictor, answer[0])
        elif name == "Same elsewhere":
            _elsewhere(here, predictor, point)
        else:
            sources(here, predictor)
    except LimenError as error:
        fault(one_message(error))


def _nearest(here: Visit, predictor: Predictor, answer: Verdicts) -> None:
    near = answer.neighbours
    if not near or not near["row"].shape[1]:
        st.caption("The scan of this bundle has no valid points.")
        return
    rows = [int(row) for row in near["row"][0] if row >= 0]
    if not rows:
        st.caption("Give a complete point, and the nearest published ones are listed.")
        return
    names = list(predictor.card.input_names)
    table: dict[str, Any] = {"row": rows, "distance": near["distance"][0][: len(rows)]}
    target = predictor.target
    published = near["target"][0][: len(rows)]
    meanings = _published_words(predictor)
    table[f"published {target.name}"] = [meanings(value) for value in published]
    values = rows_of(here.bundle, names, rows)
    said, numbers = predictor.outline(pd.DataFrame(values)[names].to_numpy())
    del said
    predicted = (
        numbers["value"] if math.isnan(numbers["probability"][0]) else numbers["probability"]
    )
    table["predicted here"] = predicted
    table |= {choice(predictor.columns[name]).split(",")[0]: values[name] for name in names}
    st.caption(
        "Published points, the nearest first; the distance counts each parameter in units of its "
        "trained range. Published values are those of the scan, not of the model."
    )
    st.dataframe(table, hide_index=True, width="stretch")
    st.button(
        "Copy the nearest point into the form",
        icon=":material/content_copy:",
        on_click=put,
        args=(here, {name: float(values[name][0]) for name in names}),
    )


def _published_words(predictor: Predictor) -> Any:
    target = predictor.target
    pairs = {
        "excluded": ("not excluded", "excluded"),
        "outside_region": ("inside the region", "outside the region"),
    }
    pair = pairs.get(str(target.quantity))

    def say(value: float) -> str:
        if math.isnan(value):
            return "masked"
        if pair is not None:
            return pair[int(value)]
        if target.categories:
            return plain(target.categories.get(f"{value:g}", f"{value:g}"))
        return quantity(value, target.unit)

    return say


def slab_words(slab: Slab, total: int) -> str:
    """Say which published points are drawn beside a slice."""
    if not len(slab.rows):
        return "No published points to show."
    of = "" if slab.of == total else f", looked for among {slab.of:,} of {total:,}"
    if slab.thickness == 0:
        return f"{len(slab.rows):,} published points{of}."
    return (
        f"The {len(slab.rows):,} published points nearest to the slice{of}: their other parameters "
        f"differ from it by up to {100 * slab.thickness:.2g} % of each trained range, so they need "
        "not agree with it."
    )


def _slices(here: Visit, predictor: Predictor, point: Point) -> None:
    names = by_flip(here.library, here.key, predictor, point)
    columns = predictor.columns
    first, second = st.columns(2)
    if st.session_state.get(f"slice x {here.key}") not in names:
        st.session_state[f"slice x {here.key}"] = names[0]
    x = first.selectbox(
        "Along",
        sorted(names, key=predictor.card.input_names.index),
        key=f"slice x {here.key}",
        format_func=lambda n: choice(columns[n]),
    )
    others = ["nothing else", *(name for name in names if name != x)]
    y = second.selectbox(
        "and along",
        others,
        key=f"slice y {here.key}",
        format_func=lambda n: choice(columns[n]) if n in columns else n,
    )
    axes = (x,) if y == others[0] else (x, y)
    slab = slab_of(here.library, here.key, predictor, point, axes)
    if len(axes) == 1:
        line = line_of(here.library, here.key, predictor, point, x)
        label = f"Slice of {predictor.card.name} along {x}, all other parameters held"
        st.altair_chart(line_chart(predictor, line, point[x], slab), width="stretch", alt=label)
        data: dict[str, Any] = {
            x: line.x,
            "value": line.value,
            "lower": line.lower,
            "upper": line.upper,
        }
    else:
        plane = plane_of(here.library, here.key, predictor, point, (x, y))
        layers = [Layer(predictor, plane, predictor.card.name)]
        label = f"Slice of {predictor.card.name} along {x} and {y}, all other parameters held"
        st.altair_chart(plane_chart(layers, point, slab), width="stretch", alt=label)
        data = {x: slab.along[x], y: slab.along[y], "published": slab.target, "row": slab.rows}
    st.caption(
        f"A slice, not a profile: all other parameters stay as in the form. "
        f"{slab_words(slab, here.bundle.n_points)}"
    )
    with st.expander("Show data"):
        st.dataframe(data, hide_index=True)


def _flips(here: Visit, predictor: Predictor, point: Point, verdict: Verdict) -> None:
    if boundary(predictor) is None:
        st.caption("This model gives a number and decides nothing, so nothing can flip.")
        return
    if verdict.verdict in ("outside_domain", "invalid_input"):
        st.caption("There is no answer here that could flip.")
        return
    found = flips_of(here.library, here.key, predictor, point)
    rows = []
    for flip in found:
        unit = predictor.columns[flip.name].unit
        if math.isfinite(flip.distance):
            rows.append(
                {
                    "parameter": flip.name,
                    "flips at": quantity(flip.value, unit),
                    "change": quantity(flip.change, unit, 4),
                    "share of its range": f"{100 * flip.distance:.3g} %",
                }
            )
        else:
            words = "not along this axis, inside the domain"
            rows.append(
                {"parameter": flip.name, "flips at": words, "change": "", "share of its range": ""}
            )
    st.caption(
        "How far one parameter must change, all others held, until the model's answer changes; "
        "near the boundary the verdict is undecided."
    )
    st.dataframe(rows, hide_index=True, width="stretch")


def _how_sure(predictor: Predictor, verdict: Verdict) -> None:
    for sentence in confidence_sentences(predictor, verdict):
        st.markdown(safe(sentence))
    st.caption(
        "Three different things are called confidence. The confidence level belongs to the test "
        "behind the label; the classification confidence says how often such a classification is "
        "right; conformal coverage is a property of the model over a population."
    )
    for entry in predictor.card.confidence:
        if entry["kind"] == "binned_accuracy":
            chart = reliability_chart(entry["table"], predictor.target.name)
            st.altair_chart(chart, width="stretch", alt="How often the label is 1, by probability")
            here = accuracy_at(predictor, verdict.probability)
            rows = [
                {
                    "probability": f"{row['low']:g} to {row['high']:g}",
                    "points": row["n"],
                    "classified correctly": number(row["accuracy"], 4),
                    "95 % interval": f"{row['interval'][0]:.4f} to {row['interval'][1]:.4f}",
                    "this point": "yes" if row is here else "",
                }
                for row in entry["table"]
            ]
            st.dataframe(rows, hide_index=True, width="stretch")


def _elsewhere(here: Visit, predictor: Predictor, point: Point) -> None:
    model = predictor.card.name
    st.markdown("Python")
    st.code(python(here.bundle, model, point), language=None, wrap_lines=True)
    st.markdown("Command line")
    st.code(command_line(here.bundle, model, point), language=None, wrap_lines=True)
    st.markdown("REST")
    st.code(curl(origin(), here.key, model, point), language=None, wrap_lines=True)


def sources(here: Visit, predictor: Predictor) -> None:
    """Draw where the answer comes from, and what to cite."""
    document, card = here.bundle.manifest, predictor.card
    training = card.training
    files = document["files"]
    facts = {
        "bundle": f"{here.key}, {here.bundle.status}",
        "DOI": document.get("doi", "none yet"),
        "manifest SHA-256": here.library.digest(here.key),
        "model": f"{card.name}, {training.get('estimator', 'of its own')}",
        "model SHA-256": files[card.file]["sha256"],
        "trained on": f"{training.get('rows', 0):,} rows",
        "population": training.get("population", ""),
        "ONNX operators": ", ".join(f"{k} {v}" for k, v in card.opset.items()),
        "licence": card.licence or document.get("licences", {}).get("models", "not stated"),
        "limitations": card.limitations or "",
        "out of scope": card.out_of_scope or "",
    }
    rows = [{"what": name, "is": plain(value)} for name, value in facts.items() if value]
    st.dataframe(rows, hide_index=True, width="stretch")
    st.code(how_to_cite(document), language=None, wrap_lines=True)
    entry = bibtex(document)
    st.code(entry, language=None, wrap_lines=True)
    st.download_button(
        "BibTeX", entry, file_name=f"{document['id']}.bib", on_click="ignore", key="bibtex"
    )
