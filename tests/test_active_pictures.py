"""Pictures of campaigns: contours where they are, points that are told apart, the same bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_campaign import BOX, Believing, FakeCampaign, Processes

from limen.active.canvas import axis_label, to_png, to_svg
from limen.active.parameters import Parameter
from limen.active.pictures import draw_slice, draw_slices, slice_values
from limen.active.progress import draw_progress, progress
from limen.errors import ColumnError, UsageError

RNG = np.random.default_rng(5)
CUBE = {name: [0.0, 1.0] for name in "abc"}


def leaning(_, points):
    """Believe the boundary to be where the two first coordinates sum to 1."""
    return 1 / (1 + np.exp(-20 * (points[:, :2].sum(axis=1) - 1)))


def started(space=BOX, below=leaning, **options):
    """Make a campaign with a round of each kind of point."""
    campaign = FakeCampaign(lambda problem: Believing(problem, below), space=space, **options)
    points = RNG.random((12, campaign.problem.d))
    campaign.round(
        points,
        1 - points[:, :2].sum(axis=1),
        status=["ok"] * 8 + ["failed", "invalid", "censored", "pending"],
        origin=["acquired"] * 7 + ["reserved"] + ["acquired"] * 4,
    )
    return campaign


def contour(figure, panel=0):
    """Give the vertices of the contour in a panel."""
    from matplotlib.contour import QuadContourSet

    sets = [c for c in figure.axes[panel].collections if isinstance(c, QuadContourSet)]
    (line,) = [c for c in sets if list(c.levels) == [0.5]]
    return np.vstack([path.vertices for path in line.get_paths() if len(path.vertices)])


def labels(figure):
    """Give the texts of the legend."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_contour_lies_where_both_sides_are_as_likely():
    figure = draw_slice(started(), "m", "g")
    at = contour(figure)
    assert np.abs(at[:, 0] / 1000 + at[:, 1] - 1).max() < 0.01


def test_a_slice_lies_where_the_user_says():
    def third(_, points):
        return 1 / (1 + np.exp(-40 * (points[:, 0] - points[:, 2])))

    at = contour(draw_slice(started(CUBE, third), "a", "b", fixed={"c": 0.3}))
    assert at[:, 0] == pytest.approx(0.3, abs=0.01)


def test_each_kind_of_point_has_a_mark_of_its_own():
    shown = labels(draw_slice(started(), "m", "g"))
    assert {"y < 0", r"y $\geq$ 0", "reserved", "bound", "failed or unphysical", "pending"} <= set(
        shown
    )


def test_points_off_the_slice_are_grey():
    campaign = FakeCampaign(lambda problem: Believing(problem, leaning), space=CUBE)
    campaign.round([[0.2, 0.2, 0.5], [0.8, 0.8, 0.9]], [0.6, -0.6])
    shown = labels(draw_slice(campaign, "a", "b"))
    assert r"y $\geq$ 0" in shown
    assert "y < 0" not in shown
    assert "off the slice, projected" in shown


def test_every_pair_has_its_slice():
    figure = draw_slices(started(CUBE), cells=20)
    shown = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes if axes.axison]
    assert shown == [("", "b"), ("a", "c"), ("b", "")]
    figure = draw_slices(started(CUBE), names=["a", "c"], cells=20)
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("a", "c")


def test_no_contour_is_drawn_where_constraints_are_not_met():
    campaign = started(CUBE, constraints=["a < b"])
    at = contour(draw_slice(campaign, "a", "b"))
    assert (at[:, 0] <= at[:, 1] + 0.02).all()


def test_a_campaign_that_knows_nothing_has_an_empty_slice():
    campaign = FakeCampaign(lambda problem: Believing(problem, leaning))
    campaign.round(RNG.random((3, 2)), status="pending")
    assert labels(draw_slice(campaign, "m", "g")) == ["pending"]
    assert progress(campaign).mass.tolist() == [[0.5]]
    draw_progress(campaign)


def test_the_same_campaign_gives_the_same_bytes():
    def picture():
        campaign = FakeCampaign(Processes, space=CUBE)
        points = np.random.default_rng(1).random((20, 3))
        campaign.round(points, points.sum(axis=1) - 1.5)
        return draw_slices(campaign, cells=20)

    assert to_svg(picture()) == to_svg(picture())
    assert to_png(picture()) == to_png(picture())


@pytest.mark.parametrize("symbol", [r"\frac{", "$m$", r"\input{/etc/passwd}"], ids=repr)
def test_a_symbol_that_cannot_be_set_gives_way_to_the_name(symbol):
    assert axis_label(Parameter("mass", 0.0, 1.0, unit="GeV", symbol=symbol)) == "mass [GeV]"


def test_a_logarithmic_axis_is_one():
    space = {"m": {"range": [1.0, 100.0], "scale": "log", "unit": "GeV"}, "g": [0.0, 1.0]}
    axes = draw_slice(started(space), "m", "g", cells=20).axes[0]
    assert (axes.get_xscale(), axes.get_xlim(), axes.get_xlabel()) == ("log", (1, 100), "m [GeV]")


def test_several_outputs_differ_in_colour_and_line():
    outputs = {"observed": {"threshold": 0.0}, "expected": {"threshold": 0.0}}
    campaign = FakeCampaign(Processes, outputs=outputs)
    points = RNG.random((15, 2))
    campaign.round(points, np.column_stack([points[:, 0] - 0.4, points[:, 0] - 0.6]))
    figure = draw_slice(campaign, "m", "g", cells=30)
    lines = [line for line in figure.axes[0].lines if " = 0" in line.get_label()]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 2
    only = draw_slice(campaign, "m", "g", cells=30, outputs=["expected"])
    assert not any("observed" in text for text in labels(only))


def test_progress_counts_points_asked_and_changed_labels():
    def learning(history, points):
        return np.where(points[:, 0] < len(history.points) / 20, 0.9, 0.1)

    campaign = FakeCampaign(lambda problem: Believing(problem, learning))
    for _ in range(3):
        campaign.round(RNG.random((4, 2)), np.zeros(4), status=["ok", "ok", "ok", "failed"])
    found = progress(campaign)
    assert (found.rounds, found.asked) == ((1, 2, 3), (4, 8, 12))
    assert found.mass[:, 0] == pytest.approx([0.1] * 3)
    # The failed points are part of the history, so that each round moves the boundary by 0.2.
    assert found.changed[1:, 0] == pytest.approx([0.2, 0.2], abs=2e-3)


def test_progress_without_thresholds_is_that_of_the_best_value():
    campaign = FakeCampaign(lambda problem: Believing(problem, leaning), outputs={"y": {}})
    campaign.round(RNG.random((4, 2)), [1.0, 3.0, 2.0, 5.0], status=["ok", "ok", "ok", "failed"])
    (best,) = [x for x in draw_progress(campaign).axes[0].lines if x.get_label() != "evaluated"]
    assert best.get_ydata().tolist() == [1.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda c: draw_slice(c, "m", "x"), ColumnError, "slice: found 'm' and 'x', allowed two"),
        (lambda c: draw_slice(c, "m", "m"), ColumnError, "slice: found 'm' and 'm', allowed two"),
        (lambda c: slice_values(c, {"h": 1.0}), ColumnError, "slice: found h, allowed the param"),
        (lambda c: slice_values(c, {"g": 2.0}), UsageError, "slice g: found 2, allowed 0 to 1"),
        (lambda c: draw_slices(c, names=["m"]), UsageError, "slices: found 1 parameters"),
    ],
    ids=["stranger", "twice", "no parameter", "outside", "one only"],
)
def test_slices_that_cannot_be_are_refused(draw, error, message):
    with pytest.raises(error, match=message):
        draw(started())


def test_members_of_a_pool_that_were_not_asked_are_shown():
    campaign = started()
    assert "not asked, of the pool" not in labels(draw_slice(campaign, "m", "g"))
    asked = campaign.history().points
    left = np.array([[0.25, 0.5], [0.75, 0.5]])
    campaign.problem = replace(campaign.problem, pool=np.vstack([asked, left]))
    figure = draw_slice(campaign, "m", "g")
    (shown,) = [c for c in figure.axes[0].collections if c.get_label() == "not asked, of the pool"]
    assert np.allclose(np.asarray(shown.get_offsets()), [[250, 0.5], [750, 0.5]])
