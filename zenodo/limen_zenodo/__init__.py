"""Bundles by DOI: retrieval, remote reading, deposit and search."""

__all__: list[str] = []
