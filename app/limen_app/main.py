"""The script that streamlit runs: it leads to the page that the address names."""

from pathlib import Path

import streamlit as st

from limen_app.pages import all_pages

# A named icon would be fetched from another host.
ICON = str(Path(__file__).with_name("icon.svg"))

# A process that a page starts imports this file under another name.
if __name__ == "__main__":
    st.set_page_config(page_title="Limen", page_icon=ICON, layout="wide")
    st.navigation(all_pages()).run()
