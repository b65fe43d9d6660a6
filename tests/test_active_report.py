"""The page of a campaign: complete, closed in itself, and safe with whatever came from outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fake_campaign import Believing, FakeCampaign, Processes

from limen.active.report import report_html, write_report
from limen.errors import ColumnError

HOSTILE = "<script>alert('x')</script>\"><img src=http://example.org/a onerror=alert(1)>"
RNG = np.random.default_rng(2)


class Tags(HTMLParser):
    """Collect the tags, attributes and texts of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.texts = set(), [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        """What a reader sees, roughly."""
        return " ".join(" ".join(self.texts).split())


def campaign(seed=2, **options):
    """Make a campaign with failures, reserved and pending points."""
    made, rng = FakeCampaign(Processes, **options), np.random.default_rng(seed)
    d = made.problem.d
    points = rng.random((24, d))
    made.round(points, points[:, :2].sum(axis=1) - 1, origin="initial", cost=2.0)
    for _ in range(2):
        points = rng.random((8, d))
        made.round(
            points,
            points[:, :2].sum(axis=1) - 1,
            status=["ok"] * 6 + ["failed", "pending"],
            origin=["acquired"] * 5 + ["reserved", "acquired", "acquired"],
            message=HOSTILE,
        )
    return made


@pytest.fixture(scope="module")
def page():
    """Write the page once."""
    return Tags(report_html(campaign()))


def test_the_page_says_what_was_asked_and_what_came_back(page):
    for text in (
        "uniform in m from 0 to 1000 GeV",
        'Strategy level-set with {"acquisition": "straddle"}; seed 0; 10 % of each round reserved',
        "40 asked in 3 rounds",
        "initial 24 0 0 0 0 24 acquired 10 2 0 0 2 14 reserved 2 0 0 0 0 2 all 36 2 0 0 2 40",
        "Cost told so far: 48.",
        "36 ok, 2 failed, 2 pending",
        "Expected misclassified prior mass: y at 0: ",
        "2 points drawn from the prior (uniform in m from 0 to 1000 GeV; uniform in g from 0 to 1)",
        "Pending: 2 points",
        "limen campaign ask CAMPAIGN",
        "limen extend CAMPAIGN -o BUNDLE",
    ):
        assert text in page.text, text


def test_the_page_loads_nothing(page):
    assert not page.tags & {"script", "img", "iframe", "link", "object", "embed", "form"}
    loads = [v for k, v in page.attributes if k in ("src", "href", "xlink:href", "action")]
    assert all(value.startswith("#") for value in loads)
    assert not any(key.startswith("on") for key, _ in page.attributes)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_hostile_text_is_shown_and_not_run(page):
    assert "<script>alert('x')</script>" in page.text
    assert "script" not in page.tags


def test_failures_are_listed_by_reason():
    made = campaign()
    made.round(RNG.random((3, 2)), status=["failed", "invalid", "failed"], message="time-out")
    text = Tags(report_html(made)).text
    assert re.search(r"failed time-out 2 c0de-0000\d\d", text)
    assert re.search(r"invalid time-out 1 c0de-0000\d\d", text)


def test_a_page_of_many_parameters_shows_those_that_matter():
    made = campaign(space={f"p{i}": [0.0, 1.0] for i in range(9)})
    found = Tags(report_html(made))
    named = re.search(r"The 4 parameters that matter most .* beside them (.*)\.", found.text)
    assert named is not None
    # y depends on the first two only.
    assert not {"p0", "p1"} & set(re.findall(r"p\d", named[1].split(". ")[0]))


def test_the_slices_lie_in_the_point_nearest_to_the_threshold():
    made = FakeCampaign(Processes, space={name: [0.0, 1.0] for name in "abcde"})
    points = RNG.random((12, 5))
    values = np.full(12, 3.0)
    values[4], values[7] = -0.25, 0.1
    made.round(points, values)
    shown = re.search(r"beside them (\w) = (\d\.\d+)", Tags(report_html(made)).text)
    assert float(shown[2]) == pytest.approx(points[7]["abcde".index(shown[1])], rel=1e-3)


def test_a_campaign_without_a_point_has_a_page():
    made = FakeCampaign(lambda problem: Believing(problem, lambda _, points: points[:, 0]))
    text = Tags(report_html(made)).text
    assert "0 asked in 0 rounds" in text
    assert "every label is a coin toss" in text


def test_an_optimisation_has_a_page_without_a_stated_error():
    text = Tags(report_html(campaign(outputs={"y": {}}))).text
    assert "none: the best value" in text
    assert "misclassified" not in text


def test_a_campaign_of_a_bundle_goes_on_as_its_next_version():
    warm = (RNG.random((40, 2)), RNG.random((40, 1)))
    parent = {"id": "toy", "version": "1.0.0", "manifest_sha256": "0" * 64}
    made = campaign(parent=parent, warm=warm)
    text = Tags(report_html(made)).text
    assert "started from toy 1.0.0; 40 rows known before the first round" in text
    assert "limen extend BUNDLE CAMPAIGN -o BUNDLE2" in text


def test_the_file_is_the_page_and_replaces_an_older_one(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    pages = []
    for _ in range(2):
        write_report(campaign(), path)
        pages.append(path.read_bytes())
    assert pages[0] == pages[1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_place_outside_of_the_space_is_refused(tmp_path):
    with pytest.raises(ColumnError, match="slice: found h"):
        write_report(campaign(), tmp_path / "page.html", fixed={"h": 1.0})
    assert not list(tmp_path.iterdir())
