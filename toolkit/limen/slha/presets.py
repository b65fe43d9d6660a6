"""Columns that are read from SLHA files by a short word: the pMSSM19, and masses."""

from __future__ import annotations

from typing import Any

from limen.errors import UsageError
from limen.slha.addresses import Address

__all__ = ["MASSES", "PRESETS", "mass_columns", "preset_columns"]

# Name, symbol, label, key in MSOFT and EXTPAR.
_SOFT = (
    ("M1", "M_1", "bino mass", 1),
    ("M2", "M_2", "wino mass", 2),
    ("M3", "M_3", "gluino mass parameter", 3),
    ("mL1", r"m_{\tilde L_1}", "left-handed slepton mass, generations 1 and 2", 31),
    ("mL3", r"m_{\tilde L_3}", "left-handed stau mass", 33),
    ("mE1", r"m_{\tilde e_1}", "right-handed slepton mass, generations 1 and 2", 34),
    ("mE3", r"m_{\tilde e_3}", "right-handed stau mass", 36),
    ("mQ1", r"m_{\tilde Q_1}", "left-handed squark mass, generations 1 and 2", 41),
    ("mQ3", r"m_{\tilde Q_3}", "left-handed squark mass, generation 3", 43),
    ("mU1", r"m_{\tilde u_1}", "right-handed up-type squark mass, generations 1 and 2", 44),
    ("mU3", r"m_{\tilde u_3}", "right-handed stop mass", 46),
    ("mD1", r"m_{\tilde d_1}", "right-handed down-type squark mass, generations 1 and 2", 47),
    ("mD3", r"m_{\tilde d_3}", "right-handed sbottom mass", 49),
)
_OTHERS = (
    ("At", "A_t", "stop trilinear coupling", "GeV", ("AU 3 3", "EXTPAR 11")),
    ("Ab", "A_b", "sbottom trilinear coupling", "GeV", ("AD 3 3", "EXTPAR 12")),
    ("Atau", r"A_\tau", "stau trilinear coupling", "GeV", ("AE 3 3", "EXTPAR 13")),
    ("mu", r"\mu", "Higgsino mass parameter", "GeV", ("HMIX 1", "EXTPAR 23")),
    ("mA", "m_A", "pole mass of the A", "GeV", ("MASS 36", "EXTPAR 26")),
    ("tanb", r"\tan\beta", "ratio of vacuum values", "1", ("HMIX 2", "EXTPAR 25", "MINPAR 3")),
)
_ORDER = "M1 M2 M3 At Ab Atau mu mA tanb mL1 mL3 mE1 mE3 mQ1 mQ3 mU1 mU3 mD1 mD3"

MASSES: dict[str, tuple[int, str, str]] = {
    "m_h": (25, "m_h", "mass of the light Higgs boson"),
    "m_H": (35, "m_H", "mass of the heavy Higgs boson"),
    "m_Hplus": (37, r"m_{H^\pm}", "mass of the charged Higgs boson"),
    "m_gluino": (1000021, r"m_{\tilde g}", "gluino mass"),
    "m_neutralino1": (1000022, r"m_{\tilde\chi^0_1}", "mass of neutralino 1, with its sign"),
    "m_neutralino2": (1000023, r"m_{\tilde\chi^0_2}", "mass of neutralino 2, with its sign"),
    "m_chargino1": (1000024, r"m_{\tilde\chi^\pm_1}", "mass of chargino 1, with its sign"),
    "m_stop1": (1000006, r"m_{\tilde t_1}", "mass of stop 1"),
    "m_sbottom1": (1000005, r"m_{\tilde b_1}", "mass of sbottom 1"),
    "m_stau1": (1000015, r"m_{\tilde\tau_1}", "mass of stau 1"),
}
"""Masses by name: PDG number, symbol, label."""

PRESETS = ("pmssm19",)


def preset_columns(name: str = "pmssm19") -> dict[str, dict[str, Any]]:
    """
    Give the columns of a preset: what a scan document says of each.

    Parameters
    ----------
    name : str
        One of ``PRESETS``.

    Returns
    -------
    dict of str to dict
        Role, unit, symbol, label and ``source``: output blocks first, EXTPAR where they lack.

    Raises
    ------
    UsageError
        If there is no such preset.

    Examples
    --------
    >>> len(preset_columns()), preset_columns()["tanb"]["source"][0]["block"]
    (19, 'HMIX')
    """
    if name not in PRESETS:
        raise UsageError(f"preset: found '{name}', allowed {', '.join(PRESETS)}")
    found = {
        short: _column("parameter", symbol, label, "GeV", f"MSOFT {key}", f"EXTPAR {key}")
        for short, symbol, label, key in _SOFT
    }
    found |= {
        short: _column("parameter", symbol, label, unit, *source)
        for short, symbol, label, unit, source in _OTHERS
    }
    return {short: found[short] for short in _ORDER.split()}


def mass_columns(names: list[str] | tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """
    Give columns of pole masses, signed as in the block MASS.

    Parameters
    ----------
    names : sequence of str
        Keys of ``MASSES``.

    Examples
    --------
    >>> mass_columns(["m_gluino"])["m_gluino"]["source"][0]["key"]
    [1000021]
    """
    found = {}
    for name in names:
        number, symbol, label = MASSES[name]
        column = _column("observable", symbol, label, "GeV", f"MASS {number}")
        found[name] = column | {"quantity": "mass"}
    return found


def _column(role: str, symbol: str, label: str, unit: str, *source: str) -> dict[str, Any]:
    listed = [Address.from_text(text).to_dict() for text in source]
    return {"role": role, "unit": unit, "symbol": symbol, "label": label, "source": listed}
