"""SLHA spectra: a strict parser, addresses of parameters, assumptions on decays, many files."""

from limen.slha.addresses import Address, Served, addresses, block_unit, value_of
from limen.slha.archives import SUFFIXES, looks_like_spectra
from limen.slha.assumptions import violated
from limen.slha.parsing import parse
from limen.slha.points import SpectrumPoints, read_points
from limen.slha.presets import MASSES, PRESETS, mass_columns, preset_columns
from limen.slha.reading import Plan, Row, read_rows
from limen.slha.spectrum import Spectrum

__all__ = [
    "MASSES",
    "PRESETS",
    "SUFFIXES",
    "Address",
    "Plan",
    "Row",
    "Served",
    "Spectrum",
    "SpectrumPoints",
    "addresses",
    "block_unit",
    "looks_like_spectra",
    "mass_columns",
    "parse",
    "preset_columns",
    "read_points",
    "read_rows",
    "value_of",
    "violated",
]
