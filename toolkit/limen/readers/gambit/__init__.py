"""HDF5 output of GAMBIT: pairs of datasets and masks, of one run or several."""

from limen.readers.gambit.opening import is_gambit, open_gambit

__all__ = ["is_gambit", "open_gambit"]
