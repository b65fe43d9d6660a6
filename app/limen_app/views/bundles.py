"""The page Bundles: all that are open, and the published ones that are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from limen.errors import LimenError
from limen_app.library import one_message
from limen_app.offering import may_open
from limen_app.pages import page
from limen_app.showing import plain, safe
from limen_app.visiting import fault, note

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["show"]


def show(library: Library) -> None:
    """Draw the page."""
    st.title("Bundles")
    if opened := st.session_state.pop("opened another", None):
        note(f"Open now: {opened}. To have it at the next start too, name it to `limen app`.")
    rows = [_row(library, key) for key in library.keys()]  # noqa: SIM118
    asked = st.text_input(
        "Search", placeholder="a word of the title, a column, a model, a DOI", max_chars=100
    )
    words = asked.lower().split()
    found = [row for row in rows if all(word in row["words"] for word in words)]
    st.caption(f"{len(found)} of {len(rows)} bundles")
    if found:
        shown = [{k: v for k, v in row.items() if k not in ("words", "key")} for row in found]
        st.dataframe(shown, hide_index=True, width="stretch")
        with st.container(horizontal=True):
            for row in found[:50]:
                query = {"b": row["key"]}
                label = f"Open {row['key']}"
                st.page_link(
                    page("bundle"), label=label, icon=":material/description:", query_params=query
                )
    elif rows:
        st.info("No bundle has all these words; use fewer.", icon=":material/search_off:")
    else:
        st.info("No bundle is open: start `limen app BUNDLE`.", icon=":material/inventory_2:")
    for message in library.faults.values():
        fault(message)
    if may_open():
        _open_another(library)
    _catalogue(library)


def _row(library: Library, key: str) -> dict[str, Any]:
    try:
        bundle = library.get(key)
    except LimenError as error:
        return {"title": one_message(error), "words": key, "key": key}
    document = bundle.manifest
    size = sum(entry["bytes"] for entry in document["files"].values())
    row = {
        "title": plain(document["title"]),
        "version": document["version"],
        "parameters": sum(c.role == "parameter" for c in bundle.columns.values()),
        "points": bundle.n_points,
        "models": ", ".join(bundle.models),
        "status": bundle.status,
        "DOI": plain(document.get("doi", "")),
        "licence": plain(document.get("licences", {}).get("data", "not stated")),
        "size [MB]": round(size / 1e6, 1),
    }
    words = [*map(str, row.values()), key, *bundle.columns, *map(str, document.get("keywords", ()))]
    return row | {"words": " ".join(words).lower(), "key": key}


def _open_another(library: Library) -> None:
    st.subheader("Open another one")
    with st.form("open another", border=False):
        place = st.text_input(
            "DOI, or a folder of this machine",
            placeholder="10.5281/zenodo.1234567 or /data/bundles/mine",
            max_chars=500,
        )
        given = st.form_submit_button("Open", type="primary")
    if given:
        _open(library, place.strip())


def _open(library: Library, place: str) -> None:
    """Open a place and show the page with it; say what is wrong where it cannot be."""
    if not place:
        fault("Nothing to open: found an empty box, allowed a DOI or a folder; type one.")
        return
    place = str(Path(place).expanduser()) if place.startswith("~") else place
    try:
        with st.spinner(f"Opening {safe(place)}; of a published bundle, what is needed is fetched"):
            found = library.add(place)
    except (LimenError, OSError) as error:
        fault(one_message(error))
        return
    st.session_state["opened another"] = ", ".join(found) or place
    st.rerun()


def _catalogue(library: Library) -> None:
    from limen_zenodo.catalogue import known_bundles

    try:
        known = known_bundles()
    except LimenError as error:
        fault(one_message(error))
        return
    if known:
        st.subheader("Published")
        st.caption("Bundles that this version of Limen knows; open one with `limen app DOI`.")
        st.dataframe([_entry(one) for one in known], hide_index=True, width="stretch")
        if may_open():
            with st.container(horizontal=True):
                pressed = [one for one in known if _button(one)]
            if pressed:
                _open(library, str(pressed[0]["doi"]))


def _button(one: dict[str, Any]) -> bool:
    return bool(one.get("doi")) and st.button(f"Open {safe(one['id'])}", key=f"open {one['doi']}")


def _entry(one: dict[str, Any]) -> dict[str, str]:
    return {name: plain(one.get(name, "")) for name in ("title", "id", "version", "doi")}
