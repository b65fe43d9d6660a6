"""The page Batch: a file of points in, a table of verdicts out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from limen.errors import LimenError
from limen_app.batch import Outcome, answer, template
from limen_app.library import one_message
from limen_app.limits import Limits
from limen_app.showing import safe
from limen_app.spectra import takes_spectra
from limen_app.uploads import Upload
from limen_app.views.predict_form import first_point
from limen_app.visiting import Visit, choose_model, fault, predictor_of, remember, visit
from limen_app.wording import meaning

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from limen.prediction import Predictor
    from limen_app.library import Library

__all__ = ["show"]

_TABLES = ["csv", "tsv", "txt", "parquet"]
_SPECTRA = ["slha", "slha1", "slha2", "spc", "les", "zip", "tar", "gz", "tgz", "bz2", "xz"]


def show(library: Library) -> None:
    """Draw the page."""
    st.title("Batch")
    here = visit(library, "batch")
    if here is None:
        return
    limits = Limits.from_environment()
    model = choose_model(here)
    predictor = None if model is None else predictor_of(here, model)
    if predictor is None:
        return
    spectra = takes_spectra(predictor)
    kinds = "CSV, Parquet, SLHA spectra, ZIP or tar archives of spectra"
    st.markdown(
        f"A verdict for each point of a file: {kinds if spectra else 'CSV or Parquet'}; at most "
        f"{limits.batch_rows:,} points and {limits.upload_bytes // 1_000_000} MB. For more: "
        "`limen predict`, or the REST side. The file is read on this server and not kept."
    )
    remember(here, replace(here.state, page="batch", model=predictor.card.name))
    point = first_point(here, predictor)
    st.download_button(
        "Template (CSV)",
        template(predictor, point),
        file_name=f"{here.bundle.manifest['id']}-points.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
    )
    given = st.file_uploader("Points", type=_TABLES + _SPECTRA * spectra, key=f"batch {here.key}")
    extra = st.checkbox("Ignore unknown columns", key="batch extra")
    # Emptied at once, so that nothing said of another file stands while this one is read.
    place = st.empty()
    if given is None:
        return
    upload = Upload(given.name, given.getvalue())
    try:
        outcome = _outcome(here, predictor, upload, given.file_id, extra, place)
    except LimenError as error:
        with place.container():
            fault(one_message(error))
            st.caption(
                f"Nothing of {safe(upload.plain_name)} was answered. The template has the columns "
                "that the model needs."
            )
        return
    with place.container():
        _draw(here, predictor, outcome)


def _outcome(
    here: Visit,
    predictor: Predictor,
    upload: Upload,
    file: str,
    extra: bool,
    place: DeltaGenerator,
) -> Outcome:
    """Answer the file once, and keep the answer until another file or model is chosen."""
    asked = (here.library.digest(here.key), predictor.card.name, file, extra)
    kept = st.session_state.get("batch outcome")
    if kept is not None and kept[0] == asked:
        found: Outcome = kept[1]
        return found
    bar = place.progress(0.0, f"Reading {safe(upload.plain_name)}")
    limits = Limits.from_environment()

    def tell(done: int) -> None:
        bar.progress(min(1.0, done / limits.batch_rows), f"{done:,} points")

    outcome = answer(
        predictor,
        upload,
        here.bundle.manifest,
        most_rows=limits.batch_rows,
        most_bytes=limits.upload_bytes,
        ignore_extra=extra,
        progress=tell,
    )
    st.session_state["batch outcome"] = (asked, outcome)
    return outcome


def _draw(here: Visit, predictor: Predictor, outcome: Outcome) -> None:
    _summary(outcome)
    for text in outcome.notes:
        st.caption(safe(text))
    st.download_button(
        "Verdicts (CSV)",
        outcome.csv,
        file_name=f"{here.bundle.manifest['id']}-{predictor.card.name}-verdicts.csv",
        mime="text/csv",
        on_click="ignore",
        type="primary",
        icon=":material/download:",
    )
    if outcome.faults:
        st.subheader("Rows that were refused")
        rows = [{"row, from 0": row, "why": why} for row, why in outcome.faults]
        st.dataframe(rows, hide_index=True, width="stretch")
    if outcome.mapping:
        with st.expander("What the columns were taken for"):
            rows = [
                {"in the file": t.header, "parameter": t.column, "unit": t.unit, "taken as": t.what}
                for t in outcome.mapping
            ]
            st.dataframe(rows, hide_index=True, width="stretch")
    st.subheader("Verdicts")
    if outcome.points > len(outcome.first):
        st.caption(f"The first {len(outcome.first):,} of {outcome.points:,}; the file has all.")
    st.dataframe([_flat(row) for row in outcome.first], hide_index=True, width="stretch")


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "reasons": "; ".join(row["reasons"])}


def _summary(outcome: Outcome) -> None:
    st.subheader(f"{outcome.points:,} points")
    with st.container(horizontal=True):
        for name, count in sorted(outcome.counts.items(), key=lambda item: -item[1]):
            words, icon, _ = meaning(name)
            share = f"{100 * count / max(1, outcome.points):.3g} %"
            with st.container(border=True, width=190):
                st.markdown(f":material/{icon}: {safe(words.capitalize())} ({safe(name)})")
                st.markdown(f"**{count:,}** ({share})")
