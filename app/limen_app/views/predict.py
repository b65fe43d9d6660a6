"""The page Predict: one point, its verdict, and all that goes with it."""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from limen.errors import LimenError
from limen.prediction import about, verdict_rows
from limen_app.library import one_message
from limen_app.showing import plain, safe
from limen_app.views.predict_details import SECTIONS, draw_section
from limen_app.views.predict_form import (
    Given,
    box_of,
    draw_form,
    examples,
    first_point,
    put,
    spectrum_box,
)
from limen_app.visiting import Visit, choose_model, fault, predictor_of, remember, share, visit
from limen_app.wording import confidence_sentences, doubt_sentence, headline

if TYPE_CHECKING:
    from limen.prediction import Predictor, Verdicts
    from limen_app.library import Library

__all__ = ["show"]

_NEAREST = 10
# On a phone the verdict itself is far below the boxes.
_ABOVE = """<style>
:has(> .st-key-verdict-above) { display: none; }
@media (max-width: 640px) {
  :has(> .st-key-verdict-above) {
    display: flex; position: sticky; top: 3.75rem; z-index: 9; padding: 0.5rem 0;
    background: Canvas; color: CanvasText; font-size: 1.25rem; font-weight: 700;
  }
}
</style>"""


def show(library: Library) -> None:
    """Draw the page."""
    st.title("Predict")
    here = visit(library, "predict")
    if here is None:
        return
    document = here.bundle.manifest
    doi = document.get("doi")
    st.caption(
        f"{safe(document['title'])}, version {safe(document['version'])}, "
        f"{f'DOI {safe(doi)}' if doi else 'a draft without DOI'}"
    )
    model = choose_model(here)
    if model is None:
        return
    predictor = predictor_of(here, model)
    if predictor is None:
        return
    names = predictor.card.input_names
    if here.fresh:
        put(here, {name: here.state.point[name] for name in names if name in here.state.point})
        for name in set(names).intersection(here.state.wrong):
            st.session_state[box_of(here, name)] = ""
    missing = [name for name in names if box_of(here, name) not in st.session_state]
    if missing:
        beginning = first_point(here, predictor) | dict(here.state.point)
        put(here, {name: beginning[name] for name in missing})
    _ask(here, predictor)


@st.fragment
def _ask(here: Visit, predictor: Predictor) -> None:
    """Draw form and answer; runs again, alone, after each change."""
    examples(here, predictor)
    above = st.container(key="verdict-above")
    left, right = st.columns([5, 6], gap="large")
    with left:
        uncovered = spectrum_box(here, predictor)
        given = draw_form(here, predictor)
    with right:
        words = _answer(here, predictor, given, uncovered)
    above.html(f'<div aria-hidden="true">{html.escape(words)}</div>{_ABOVE}')


def _answer(here: Visit, predictor: Predictor, given: Given, uncovered: tuple[str, ...]) -> str:
    """Draw the answer; give the verdict in words."""
    model = predictor.card.name
    state = replace(here.state, page="predict", model=model, point=given.point)
    state = remember(here, state)
    if given.faults:
        _headline("NOT EVALUATED", "error", "The point is not complete or not valid.")
        for message in given.faults.values():
            st.markdown(f"- {safe(message)}")
        return "NOT EVALUATED"
    columns: dict[str, Any] = {name: [value] for name, value in given.point.items()}
    columns = {name: columns[name] for name in predictor.card.input_names}
    try:
        answer = _verdicts(predictor, columns, uncovered)
    except LimenError as error:
        fault(one_message(error))
        return "NOT EVALUATED"
    verdict = answer[0]
    saying = headline(predictor, verdict)
    _headline(saying.words, saying.icon, saying.meaning)
    for text in saying.details:
        st.markdown(f"- {safe(text)}")
    # Why no side is named is said below, in full.
    for reason in () if doubt_sentence(predictor, verdict) else verdict.reasons:
        st.markdown(f":material/warning: {safe(reason)}")
    sure = confidence_sentences(predictor, verdict)
    if sure:
        st.caption(safe(sure[0]))
    with st.container(horizontal=True):
        _downloads(predictor, answer, columns)
        share(here, state)
    # Right in a column they would be cut; in a container of its own they go on in another row.
    name = st.container().segmented_control(
        "More about this point",
        SECTIONS,
        default=SECTIONS[0],
        key=f"section {here.key}",
        required=True,
    )
    draw_section(str(name), here, predictor, given.point, answer)
    st.caption("Points are processed on this server and not stored.")
    return saying.words


def _verdicts(
    predictor: Predictor, columns: dict[str, Any], uncovered: tuple[str, ...]
) -> Verdicts:
    outside = {0: list(uncovered)} if uncovered else None
    try:
        return predictor.verdicts(columns, nearest=_NEAREST, uncovered=outside)
    except FileNotFoundError:
        # The scan was not fetched: there is a verdict all the same.
        return predictor.verdicts(columns, uncovered=outside)


def _headline(words: str, icon: str, what: str) -> None:
    """Draw the verdict so that it is read aloud when it changes."""
    st.markdown(f"## :material/{icon}: {words}")
    st.html(
        f'<div role="status" aria-live="polite">{html.escape(what)}'
        f'<span class="limen-verdict" hidden>{html.escape(words)}</span></div>'
    )


def _downloads(predictor: Predictor, answer: Verdicts, columns: dict[str, Any]) -> None:
    rows = verdict_rows(predictor, answer, 0, columns)
    document = {"models": [about(predictor)], "points": rows, "notes": list(answer.notes)}
    name = f"{plain(predictor.attrs['bundle'])}-{predictor.card.name}"
    st.download_button(
        "JSON",
        json.dumps(document, ensure_ascii=False, indent=1),
        file_name=f"{name}.json",
        mime="application/json",
        on_click="ignore",
        icon=":material/download:",
    )
    stream = io.StringIO()
    flat = {name: values[0] for name, values in columns.items()}
    flat |= {k: v for k, v in rows[0].items() if k not in ("nearest", "reasons")}
    flat["reasons"] = "; ".join(rows[0]["reasons"])
    writer = csv.DictWriter(stream, list(flat), lineterminator="\n")
    writer.writeheader()
    writer.writerow(flat)
    st.download_button(
        "CSV",
        stream.getvalue(),
        file_name=f"{name}.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
    )
