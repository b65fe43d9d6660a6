"""What a visitor looks at, as one value: pages, links, session files and REST share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from limen.browsing.charts import Axis, Statistic
from limen.browsing.filters import Filter
from limen.errors import ReadError, SchemaError, UsageError
from limen.schema.loading import canonical_json, parse_json
from limen.schema.wording import quoted
from limen_app import links, restoring

if TYPE_CHECKING:
    from limen.bundle import Bundle

__all__ = ["PAGES", "Browse", "Kind", "Panel", "ViewState"]

PAGES: tuple[str, ...] = (
    "home",
    "bundles",
    "bundle",
    "predict",
    "batch",
    "browse",
    "slices",
    "campaigns",
    "code",
    "about",
)
"""Pages by the last part of their address; that of ``home`` is empty."""

Kind = Literal["histogram", "map", "parallel", "table"]


@dataclass(frozen=True, slots=True)
class Panel:
    """
    One chart of the page Browse.

    Attributes
    ----------
    kind : {"histogram", "map", "parallel", "table"}
    axes : tuple of Axis
        One for a histogram, two for a map, any number for the others.
    statistic : str
        As of `limen.browsing.Chart`.
    column : str or None
        That the statistic is of.
    """

    kind: Kind
    axes: tuple[Axis, ...]
    statistic: Statistic = "count"
    column: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Give plain JSON values; what it has by default is left out."""
        axes = [restoring.axis_document(axis) for axis in self.axes]
        found: dict[str, Any] = {"kind": self.kind, "axes": axes}
        found |= {} if self.statistic == "count" else {"statistic": self.statistic}
        return found | ({} if self.column is None else {"column": self.column})


@dataclass(frozen=True, slots=True)
class Browse:
    """
    The page Browse: what is filtered, what is drawn.

    Attributes
    ----------
    filters : mapping of str to Range or Choice
        By column.
    charts : tuple of Panel
        Empty for those that the page begins with.
    options : tuple of str
        Of `limen_app.restoring.OPTIONS`, in their order: ``log``, counts on a logarithmic scale;
        ``fit``, heights that fit what is selected.
    """

    filters: Mapping[str, Filter] = field(default_factory=dict)
    charts: tuple[Panel, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ViewState:
    """
    What a visitor looks at.

    The same state always gives the same link and the same session file, byte for byte.

    Attributes
    ----------
    page : str
        One of ``PAGES``.
    bundle : str
        Key ``id@version``; empty for none.
    model : str
        Name of a model; empty for the first one.
    digest : str
        SHA-256 of the manifest that the state was made on, or its beginning; empty if unknown.
    point : mapping of str to float
        By parameter, in the units of the columns. Slices hold all others at these values.
    axes : tuple of str
        The one or two parameters that are drawn along axes.
    browse : Browse
    ranges : mapping of str to (float, float)
        Ends of axes of a slice, by parameter; those that are not there end where training did.
    wrong : tuple of str
        Parameters that a link or a session file gave no number for; never written into one.
    """

    page: str = "home"
    bundle: str = ""
    model: str = ""
    digest: str = ""
    point: Mapping[str, float] = field(default_factory=dict)
    axes: tuple[str, ...] = ()
    browse: Browse = field(default_factory=Browse)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    wrong: tuple[str, ...] = field(default=(), compare=False)

    def to_query(self) -> dict[str, str]:
        """
        Give the parameters of the link, in a fixed order; the page is the link's path.

        Returns
        -------
        dict of str to str
        """
        return links.to_query(self.to_document())

    def link(self, origin: str = "") -> str:
        """
        Give the link that opens this state.

        Parameters
        ----------
        origin : str
            Of the server, as ``https://example.org``; the link begins with a slash without it.
        """
        path = "" if self.page == "home" else self.page
        return links.address(f"{origin.rstrip('/')}/{path}", self.to_query())

    @classmethod
    def from_query(
        cls, parameters: Mapping[str, Any], bundle: Bundle | None, page: str = "home"
    ) -> tuple[Self, list[str]]:
        """
        Read a link; what it says of other columns, models or bundles is left out.

        Parameters
        ----------
        parameters : mapping of str to str or list of str
            Of the link.
        bundle : Bundle or None
            The one that the link names (:func:`limen_app.links.asked_bundle`), if it is open.
        page : str
            The link's path.

        Returns
        -------
        (ViewState, list of str)
            With one plain sentence for each thing left out, and for a changed bundle.
        """
        document, dropped = links.from_query(parameters)
        state, more = cls.from_document(document | {"page": page}, bundle)
        return state, dropped + more

    def to_json(self) -> str:
        """Give the session file: canonical JSON."""
        head = {"format": "limen-view", "format_version": "1.0"}
        return canonical_json(head | self.to_document()).decode()

    @classmethod
    def from_json(cls, text: str, bundle: Bundle | None) -> tuple[Self, list[str]]:
        """
        Read a session file, as :meth:`from_query` reads a link.

        Raises
        ------
        ReadError
            If it is no session file.
        """
        try:
            document = parse_json(text, "session file")
        except SchemaError as error:
            raise ReadError(f"{error}; download one with Share") from error
        if document.get("format") != "limen-view":
            raise ReadError(
                "session file: found no 'format': 'limen-view'; give a file that Share made"
            )
        if document.get("format_version") != "1.0":
            raise ReadError(
                "session file: is of another version, allowed '1.0'; open it with a newer limen"
            )
        rest = {k: v for k, v in document.items() if not k.startswith("format")}
        return cls.from_document(rest, bundle)

    def to_document(self) -> dict[str, Any]:
        """Give plain JSON values; what is empty is left out."""
        found: dict[str, Any] = {
            "page": self.page,
            "bundle": self.bundle,
            "model": self.model,
            "digest": self.digest,
            "point": {name: float(self.point[name]) for name in sorted(self.point)},
            "axes": list(self.axes),
            "ranges": {name: list(map(float, self.ranges[name])) for name in sorted(self.ranges)},
            "filters": {
                name: restoring.filter_document(self.browse.filters[name])
                for name in sorted(self.browse.filters)
            },
            "charts": [panel.to_document() for panel in self.browse.charts],
            "options": list(self.browse.options),
        }
        return {name: value for name, value in found.items() if value}

    @classmethod
    def from_document(
        cls, document: Mapping[str, Any], bundle: Bundle | None
    ) -> tuple[Self, list[str]]:
        """Make a state of plain JSON values, as :meth:`from_query` of a link."""
        fields, dropped = restoring.read(document, bundle)
        page = fields.pop("page", "home")
        if page not in PAGES:
            dropped.insert(0, f"There is no page {quoted(page)}; this is the first one.")
            page = "home"
        filters, charts = fields.pop("filters", {}), fields.pop("charts", ())
        panels = tuple(Panel(**chart) for chart in charts)
        browse = Browse(filters, panels, fields.pop("options", ()))
        return cls(page=page, browse=browse, **fields), dropped

    def on(self, page: str) -> Self:
        """Give the same state on another page."""
        if page not in PAGES:
            raise UsageError(f"page: found {page!r}, allowed {', '.join(PAGES)}")
        return replace(self, page=page)
