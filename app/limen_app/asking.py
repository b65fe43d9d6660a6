"""Answers of models that are kept for a while: moving a slider back asks nothing again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from limen.remembering import Lately
from limen_app.flipping import Flip, flips
from limen_app.published import Published, Slab, read_published, slab
from limen_app.slicing import Line, Plane, line, plane

if TYPE_CHECKING:
    from limen.prediction import Predictor
    from limen_app.library import Library

__all__ = ["by_flip", "flips_of", "line_of", "plane_of", "published_of", "slab_of"]

Point = Mapping[str, float]
Ranges = Mapping[str, tuple[float, float]]


# A plane is half a megabyte; the published rows of a large scan are a hundred.
_answers = Lately(64)
_scans = Lately(4)


def _asked(library: Library, key: str, predictor: Predictor, point: Point, *more: Any) -> Any:
    names = predictor.card.input_names
    values = tuple(point[name] for name in names)
    return library.digest(key), predictor.card.name, values, more


def _fixed(ranges: Ranges | None) -> Any:
    return tuple(sorted((ranges or {}).items()))


def line_of(library: Library, key: str, predictor: Predictor, point: Point, name: str) -> Line:
    """Give a slice along one parameter, as `limen_app.slicing.line`."""
    asked = _asked(library, key, predictor, point, "line", name)
    return _answers.get(asked, lambda: line(predictor, point, name))


def plane_of(
    library: Library,
    key: str,
    predictor: Predictor,
    point: Point,
    names: tuple[str, str],
    ranges: Ranges | None = None,
) -> Plane:
    """Give a slice over two parameters, as `limen_app.slicing.plane`."""
    held = {**point, names[0]: 0.0, names[1]: 0.0}
    asked = _asked(library, key, predictor, held, "plane", names, _fixed(ranges))
    return _answers.get(asked, lambda: plane(predictor, point, names, ranges=ranges))


def flips_of(library: Library, key: str, predictor: Predictor, point: Point) -> list[Flip]:
    """Give the changes that flip an answer, as `limen_app.flipping.flips`."""
    asked = _asked(library, key, predictor, point, "flips")
    return _answers.get(asked, lambda: flips(predictor, point))


def by_flip(library: Library, key: str, predictor: Predictor, point: Point) -> list[str]:
    """Give the inputs, those first along which the answer flips nearest to the point."""
    near = [flip.name for flip in flips_of(library, key, predictor, point)]
    return [*near, *(name for name in predictor.card.input_names if name not in near)]


def published_of(library: Library, key: str, predictor: Predictor) -> Published:
    """Give the published points of a model, as `limen_app.published.read_published`."""
    asked = (library.digest(key), predictor.card.name)
    return _scans.get(asked, lambda: read_published(library.get(key), predictor))


def slab_of(
    library: Library,
    key: str,
    predictor: Predictor,
    point: Point,
    axes: Sequence[str],
    most: int = 200,
    ranges: Ranges | None = None,
) -> Slab:
    """Give the published points near a slice, as `limen_app.published.slab`."""
    held = {**point, **dict.fromkeys(axes, 0.0)}
    asked = _asked(library, key, predictor, held, "slab", tuple(axes), most, _fixed(ranges))
    published = published_of(library, key, predictor)
    return _answers.get(
        asked, lambda: slab(published, predictor, point, axes, most=most, ranges=ranges)
    )
