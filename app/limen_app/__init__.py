"""The web side: predict a point, browse a scan, share the view."""

__all__: list[str] = []
