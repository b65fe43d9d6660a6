"""The page Code: the same from Python, a shell, and any program over REST."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from limen_app.calls import command_line, curl, place_of, python, where_to_run
from limen_app.limits import Limits
from limen_app.showing import safe
from limen_app.views.predict_form import first_point
from limen_app.visiting import choose_model, origin, predictor_of, remember, visit

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["show"]


def show(library: Library) -> None:
    """Draw the page."""
    st.title("Code")
    here = visit(library, "code")
    if here is None:
        return
    model = choose_model(here)
    predictor = None if model is None else predictor_of(here, model)
    if predictor is None:
        return
    names = predictor.card.input_names
    known = first_point(here, predictor) | dict(here.state.point)
    point = {name: known[name] for name in names}
    remember(here, here.state.on("code"))
    st.markdown("The point of the page Predict, asked elsewhere; the numbers are the same.")
    if where := where_to_run(here.bundle):
        st.markdown(safe(where))
    st.subheader("Python")
    st.code(python(here.bundle, predictor.card.name, point), language=None, wrap_lines=True)
    st.subheader("Command line")
    place = place_of(here.bundle)
    lines = [
        command_line(here.bundle, predictor.card.name, point),
        f"limen predict {place} points.csv --model {predictor.card.name} -o verdicts.csv",
        f"limen show {place}",
        f"limen cite {place}",
    ]
    st.code("\n".join(lines), language=None, wrap_lines=True)
    st.subheader("REST")
    limits = Limits.from_environment()
    st.markdown(
        f"At most {limits.rows:,} points in a request. What there is and what it takes is "
        "described at [api/v1/openapi.json](api/v1/openapi.json) (OpenAPI 3.1)."
    )
    line = curl(origin(), here.key, predictor.card.name, point)
    st.code(line, language=None, wrap_lines=True)
    st.code(f"curl -s '{origin()}/api/v1/bundles'", language=None)
