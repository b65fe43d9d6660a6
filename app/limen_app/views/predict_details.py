"""What the page Predict tells beside the verdict: neighbours, slices, flips, code, sources."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from limen.browsing import Choice, Filter, Range
from limen.documents import bibtex, how_to_cite
from limen.errors import LimenError
from limen.prediction import Verdicts
from limen_app.asking import flips_of
from limen_app.calls import command_line, curl, python, where_to_run
from limen_app.charts import reliability_chart
from limen_app.library import one_message
from limen_app.pages import link
from limen_app.published import rows_of
from limen_app.showing import choice, number, plain, quantity, safe
from limen_app.slicing import boundary
from limen_app.state import Browse
from limen_app.views.predict_form import put
from limen_app.views.predict_slices import draw_slices, state_of
from limen_app.visiting import Visit, fault, origin
from limen_app.wording import accuracy_at, confidence_sentences, doubt_sentence

if TYPE_CHECKING:
    from limen.prediction import Predictor, Verdict

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
            _nearest(here, predictor, point, answer)
        elif name == "Slices":
            draw_slices(here, predictor, point)
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


def _nearest(here: Visit, predictor: Predictor, point: Point, answer: Verdicts) -> None:
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
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Copy the nearest point into the form",
            icon=":material/content_copy:",
            on_click=put,
            args=(here, {name: float(values[name][0]) for name in names}),
        )
        browse = Browse(_around(predictor, values))
        link(
            state_of(here, predictor, point, browse),
            "Look at these points in Browse",
            "With a filter on each parameter, from the least to the largest value among them",
        )


def _around(predictor: Predictor, values: Mapping[str, Any]) -> dict[str, Filter]:
    """Give the filters that just hold some points."""
    filters: dict[str, Filter] = {}
    for name, found in values.items():
        if predictor.columns[name].categories:
            filters[name] = Choice(tuple(sorted(set(map(float, found)))))
        else:
            filters[name] = Range(float(min(found)), float(max(found)))
    return filters


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
            doubtful = doubt_sentence(predictor, verdict)
            here = None if doubtful else accuracy_at(predictor, verdict.probability)
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
    if where := where_to_run(here.bundle):
        st.markdown(safe(where))
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
