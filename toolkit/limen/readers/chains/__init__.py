"""Markov chains: text as GetDist and CosmoMC write it, and HDF5 of emcee and ArviZ."""

from limen.readers.chains.arviz import is_arviz, open_arviz
from limen.readers.chains.emcee import is_emcee, open_emcee
from limen.readers.chains.getdist import open_getdist
from limen.readers.chains.paramnames import is_getdist

__all__ = ["is_arviz", "is_emcee", "is_getdist", "open_arviz", "open_emcee", "open_getdist"]
