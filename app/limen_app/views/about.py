"""The page About: what this server does with what it is given, and what words mean here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from limen import __version__
from limen_app.limits import Limits

if TYPE_CHECKING:
    from limen_app.library import Library

__all__ = ["show"]

_TEXT = """
## Privacy

Points and files that you give are processed on this server and not stored: a file is removed as
soon as it is read. Links that you share hold the point in the address, so whoever sees the link
sees the point; the log of this server does not hold addresses. The pages load nothing from
elsewhere and tell nobody that you were here.

## What the words mean

- **Excluded**: a test at the stated confidence level excludes the point, according to the model
  trained on the published scan. **Not excluded** is no endorsement.
- **Outside the region**: outside a likelihood-ratio region, which is not exclusion.
- **Undecided**: the model cannot tell on which side of the boundary the point lies.
- **Outside domain**: the model was not trained for such points, and gives no number. Three tests:
  the trained range of each parameter, the distance to the training points, and the relations among
  parameters that they obey.

## Three things called confidence

- The **confidence level** belongs to the test behind a label, as 95 % CL.
- The **classification confidence** says how often such a classification is right, measured on
  points that the model was not trained on, among a stated population.
- **Conformal coverage** says how often a set or interval of the model holds the computed value, on
  average over a population. It is the error of the model, not of the physics result.

All hold for points drawn like the population that is named beside them, and for no others.
"""


def show(library: Library) -> None:
    """Draw the page."""
    st.title("About")
    st.markdown(
        f"Limen {__version__}: publish, query and extend high-dimensional results on models of new "
        "physics. BSD-3-Clause. Here it only reads: nothing on this server can be changed by a "
        "visitor."
    )
    st.markdown(_TEXT)
    limits = Limits.from_environment()
    st.markdown("## Limits of this server")
    st.dataframe(
        [
            {"what": "points of a file", "most": f"{limits.batch_rows:,}"},
            {"what": "size of a file of points", "most": f"{limits.upload_bytes / 1e6:g} MB"},
            {"what": "size of a spectrum", "most": f"{limits.spectrum_bytes / 1e6:g} MB"},
            {"what": "points of a REST request", "most": f"{limits.rows:,}"},
            {"what": "REST requests per minute", "most": f"{limits.requests_per_minute:,}"},
        ],
        hide_index=True,
    )
    count = len(library.keys())
    st.caption(f"{count} bundle{'' if count == 1 else 's'} open, {len(library.faults)} with faults")
