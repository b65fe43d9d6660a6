"""A stand-in for Zenodo on this machine: for tests, documentation and trying things out."""

from standin.faults import Fault
from standin.server import Request
from standin.site import StandIn

__all__ = ["Fault", "Request", "StandIn"]
