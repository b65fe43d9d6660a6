"""How streamlit is set: nothing is told to anybody, colours that all can tell apart."""

from __future__ import annotations

from math import ceil
from typing import Any

from limen_app.limits import Limits

__all__ = ["CATEGORIES", "SEQUENCE", "options"]

CATEGORIES = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#999999",
)
"""Colours of Okabe and Ito, which people tell apart whatever colours they see."""

SEQUENCE = (
    "#00224E",
    "#123570",
    "#3B496C",
    "#575D6D",
    "#707173",
    "#8A8678",
    "#A59C74",
    "#C3B369",
    "#E1CC55",
    "#FEE838",
)
"""Cividis, in ten steps."""


def options(limits: Limits) -> dict[str, Any]:
    """
    Give streamlit's options, which no file of the machine changes.

    Parameters
    ----------
    limits : Limits

    Returns
    -------
    dict of str to object
        By the option's name, with ``_`` for its first point.
    """
    return {
        "browser_gatherUsageStats": False,
        "client_showErrorDetails": "none",
        "client_showErrorLinks": False,
        "client_toolbarMode": "minimal",
        "global_developmentMode": False,
        # At "info" every address is written down, and links hold points.
        "logger_level": "warning",
        "server_enableAgentApi": False,
        "server_enableStaticServing": False,
        "server_enableXsrfProtection": True,
        "server_fileWatcherType": "none",
        "server_headless": True,
        "server_maxUploadSize": ceil(limits.upload_bytes / 2**20),
        "server_runOnSave": False,
        "server_showEmailPrompt": False,
        "theme_chartCategoricalColors": list(CATEGORIES),
        "theme_chartSequentialColors": list(SEQUENCE),
        "theme_light_primaryColor": "#00609A",
        "theme_dark_primaryColor": "#56B4E9",
        # Captions are paler than text by a fixed share, and have to be readable all the same.
        "theme_light_textColor": "#0B0D12",
    }
