"""The script that streamlit runs: it leads to the page that the address names."""

import streamlit as st

from limen_app.pages import all_pages

st.set_page_config(page_title="Limen", page_icon=":material/contrast:", layout="wide")
st.navigation(all_pages()).run()
