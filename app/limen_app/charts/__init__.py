"""Charts of slices and of reliability, for altair; none says anything by colour alone."""

from limen_app.charts.fillings import Layer
from limen_app.charts.lines import line_chart
from limen_app.charts.planes import plane_chart
from limen_app.charts.reliability import reliability_chart

__all__ = ["Layer", "line_chart", "plane_chart", "reliability_chart"]
