"""What pages compute: slices, flips, published points, spectra, files of points."""

from __future__ import annotations

import csv
import dataclasses
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen.bundle import open_bundle
from limen.errors import ColumnError, ReadError
from limen.prediction import VERDICTS, Predictor
from limen_app import batch, calls, published, slicing, wording
from limen_app.contouring import edges, hatching, segments
from limen_app.flipping import flips
from limen_app.showing import column_label, number, safe, symbol
from limen_app.uploads import Upload, kept

POINT = {"m": 550.0, "g": 0.5}
LIMITS = {"most_rows": 1000, "most_bytes": 1_000_000}


@pytest.fixture(scope="module")
def predictor(trained: Path) -> Predictor:
    return open_bundle(trained).predictor("region")


def test_a_slice_says_what_the_predictor_says(predictor: Predictor) -> None:
    line = slicing.line(predictor, POINT, "m", 33)
    said = predictor.verdicts({"m": line.x, "g": np.full(33, 0.5)})
    np.testing.assert_array_equal(line.verdict, said.verdict)
    np.testing.assert_array_equal(line.value, said.probability)


def test_a_plane_says_what_the_predictor_says(predictor: Predictor) -> None:
    plane = slicing.plane(predictor, POINT, ("g", "m"), 7)
    g, m = np.meshgrid(plane.x, plane.y)
    said = predictor.verdicts({"m": m.ravel(), "g": g.ravel()})
    np.testing.assert_array_equal(plane.verdict.ravel(), said.verdict)
    np.testing.assert_array_equal(plane.value.ravel(), said.probability)
    assert sum(plane.shares().values()) == pytest.approx(1.0)


def test_no_number_is_given_outside_the_domain(predictor: Predictor) -> None:
    verdict, numbers = predictor.outline(np.array([[9000.0, 0.5], [550.0, 0.5], [np.nan, 0.5]]))
    assert [VERDICTS[code] for code in verdict[:2]] == ["outside_domain", "inside_region"]
    assert np.isnan(numbers["probability"][[0, 2]]).all()


@pytest.mark.parametrize(
    ("point", "names"), [({"m": 1.0}, ("m", "g")), (POINT, ("m", "m")), (POINT, ("m", "x"))]
)
def test_a_slice_without_a_meaning_is_refused(
    predictor: Predictor, point: dict[str, float], names: tuple[str, str]
) -> None:
    with pytest.raises(ColumnError):
        slicing.plane(predictor, point, names, 3)


def test_a_flip_lies_at_the_boundary(predictor: Predictor) -> None:
    found = flips(predictor, POINT)
    assert {flip.name for flip in found} == {"m", "g"}
    assert [flip.distance for flip in found] == sorted(flip.distance for flip in found)
    here = predictor.one(POINT).probability
    for flip in found:
        width = np.subtract(*slicing.ends(predictor, flip.name)[::-1])
        sides = []
        for step in (-1e-3, 1e-3):
            moved = POINT | {flip.name: flip.value + step * width * np.sign(flip.change)}
            sides.append(predictor.one(moved).probability >= 0.5)
        assert sides == [here >= 0.5, here < 0.5]
        assert flip.distance == pytest.approx(abs(flip.value - POINT[flip.name]) / width)


def test_no_flip_is_told_outside_the_domain(predictor: Predictor) -> None:
    assert flips(predictor, {"m": 9000.0, "g": 0.5}) == []


def test_the_slab_is_the_nearest_published_points(trained: Path, predictor: Predictor) -> None:
    bundle = open_bundle(trained)
    read = published.read_published(bundle, predictor)
    found = published.slab(read, predictor, POINT, ["m"], most=25)
    with bundle.open_scan() as scan:
        table = scan.read(["m", "g", "outside"])
    far = np.abs(table["g"] - 0.5)
    rows = np.argsort(far, kind="stable")[:25]
    assert set(found.rows) == set(rows)
    low, high = slicing.ends(predictor, "g")
    assert found.thickness == pytest.approx(far[rows].max() / (high - low), rel=1e-5)
    np.testing.assert_allclose(found.along["m"], table["m"][found.rows], rtol=1e-5)
    np.testing.assert_array_equal(found.target, table["outside"][found.rows])
    assert found.of == 400


def test_a_slab_over_all_parameters_has_no_thickness(trained: Path, predictor: Predictor) -> None:
    read = published.read_published(open_bundle(trained), predictor)
    found = published.slab(read, predictor, POINT, ["m", "g"], most=1000)
    assert len(found.rows) == 400
    assert found.thickness == 0.0


def test_masked_values_are_no_published_numbers(trained: Path) -> None:
    values = published.rows_of(open_bundle(trained), ["xsec", "m"], list(range(400)))
    assert 0 < np.isnan(values["xsec"]).sum() < 400
    assert np.isfinite(values["m"]).all()


def test_a_random_row_is_one_of_the_scan(trained: Path) -> None:
    row = published.random_row(open_bundle(trained), ["m", "g"], np.random.default_rng(0))
    assert row is not None
    assert 0 <= row < 400


@given(level=st.floats(0.05, 0.95))
def test_a_contour_of_a_circle_lies_on_it(level: float) -> None:
    x = np.linspace(-1.0, 1.0, 81)
    z = np.hypot(x[None, :], x[:, None])
    found = segments(x, x, z, level)
    radius = np.hypot(found[:, [0, 2]], found[:, [1, 3]])
    np.testing.assert_allclose(radius, level, atol=2e-2)
    length = np.hypot(found[:, 2] - found[:, 0], found[:, 3] - found[:, 1]).sum()
    assert length == pytest.approx(2 * np.pi * level, rel=0.05)


def test_a_contour_stops_where_nothing_is_known() -> None:
    x = np.arange(4.0)
    z = np.tile(x, (4, 1))
    z[:2] = np.nan
    found = segments(x, x, z, 1.5)
    assert found[:, [1, 3]].min() == 2.0
    assert len(segments(x, x, np.full((4, 4), np.nan), 0.0)) == 0


def test_hatching_stays_on_the_marked_cells() -> None:
    x = np.arange(9.0)
    marked = np.zeros((9, 9), dtype=bool)
    marked[:, :4] = True
    found = hatching(x, x, marked, step=2)
    assert len(found)
    assert found[:, [0, 2]].max() <= edges(x)[4]


def _csv(*lines: str) -> Upload:
    return Upload("points.csv", ("\n".join(lines) + "\n").encode())


def test_a_batch_equals_the_command_line(
    trained: Path, predictor: Predictor, tmp_path: Path, limen: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(3)
    rows = [f"p{i},{rng.uniform(50, 1100)!r},{rng.random()!r}" for i in range(300)]
    rows[7], rows[9] = "p7,abc,0.5", "p9,,0.1"
    upload = _csv("id,m [GeV],g", *rows)
    found = batch.answer(predictor, upload, open_bundle(trained).manifest, **LIMITS)
    (tmp_path / "points.csv").write_bytes(upload.data)
    told = limen("predict", trained, tmp_path / "points.csv", "-o", tmp_path / "out.csv")
    assert told.exit_code == 5
    assert found.csv == (tmp_path / "out.csv").read_bytes()
    assert (found.points, found.refused) == (300, 2)
    assert [row for row, _ in found.faults] == [7, 9]
    assert "abc" in found.faults[0][1]
    assert sum(found.counts.values()) == 300


def test_a_batch_says_what_columns_are_taken_for(predictor: Predictor) -> None:
    found = batch.mapping_of(["id", "m [TeV]", "xsec", "odd"], predictor)
    assert {(t.header, t.column, t.unit, t.what) for t in found} == {
        ("id", "", "", "passed through"),
        ("m [TeV]", "m", "TeV", "used"),
        ("xsec", "", "", "not needed"),
        ("odd", "", "", "unknown"),
        ("", "g", "1", "missing"),
    }


def test_formulas_are_kept_from_spreadsheets(trained: Path, predictor: Predictor) -> None:
    upload = _csv("id,m,g", "=cmd|' /C calc'!A0,550,0.5", "@SUM(A1),-5,0.5", "-7,550,+oops")
    found = batch.answer(predictor, upload, open_bundle(trained).manifest, **LIMITS)
    rows = list(csv.DictReader(io.StringIO(found.csv.decode())))
    assert rows[0]["id"] == "'=cmd|' /C calc'!A0"
    assert rows[1]["id"] == "'@SUM(A1)"
    assert rows[2]["id"] == "-7"
    for row in rows:
        assert not any(cell.startswith(("=", "@", "+")) for cell in row.values())


HOSTILE = {
    "empty": Upload("a.csv", b""),
    "binary": Upload("a.csv", bytes(range(256)) * 50),
    "html": Upload("a.csv", b"<html><body><script>alert(1)</script></body></html>"),
    "header only": Upload("a.csv", b"m,g\n"),
    "missing": Upload("a.csv", b"m\n1\n"),
    "twice": Upload("a.csv", b"m,m,g\n1,1,1\n"),
    "ragged": Upload("a.csv", b"m,g\n1,2,3\n"),
    "many columns": Upload("a.csv", b",".join(b"c%d" % i for i in range(100_000)) + b"\n"),
    "too large": Upload("a.csv", b"m,g\n" + b"1,1\n" * 300_000),
    "too many": Upload("a.csv", b"m,g\n" + b"1,1\n" * 1_001),
    "no parquet": Upload("a.parquet", b"PAR1 this is none"),
    "no archive": Upload("a.zip", b"PK\x03\x04 broken"),
    "no tar": Upload("a.tar.gz", b"\x1f\x8b broken"),
    "other": Upload("a.npz", b"PK"),
    "nul": Upload("a.csv", b"m,g\n1,\x00\n\x00,1\n"),
}


@pytest.mark.parametrize("upload", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_file_is_one_clear_error_or_faults_of_rows(
    trained: Path, predictor: Predictor, upload: Upload
) -> None:
    document = open_bundle(trained).manifest
    said = ""
    try:
        found = batch.answer(predictor, upload, document, **LIMITS)
    except (ReadError, ColumnError) as error:
        said = error.message
    else:
        assert found.refused == found.points > 0
    assert "limen-" not in said
    assert "/tmp" not in said


def _zip(*members: tuple[str, bytes], **attributes: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = attributes.get("mode", 0o100644) << 16
            archive.writestr(info, data)
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        _zip(("../out.slha", b"x")),
        _zip(("/etc/out.slha", b"x")),
        _zip(("c:\\out.slha", b"x")),
        _zip(("link.slha", b"/etc/passwd"), mode=0o120777),
        _zip(("bomb.slha", b"\0" * 30_000_000)),
        _zip(),
    ],
    ids=["parent", "root", "drive", "link", "bomb", "empty"],
)
def test_a_trap_in_an_archive_is_refused_before_anything_is_read(data: bytes) -> None:
    with pytest.raises(ReadError), kept(Upload("points.zip", data), 50_000_000):
        pass


def test_nothing_of_an_upload_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with kept(Upload("../../x y.csv", b"m,g\n1,1\n"), 100) as path:
        assert path.name == "x_y.csv"
        assert path.read_bytes() == b"m,g\n1,1\n"
        assert path.is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_template_can_be_answered(trained: Path, predictor: Predictor) -> None:
    upload = Upload("t.csv", batch.template(predictor, POINT))
    found = batch.answer(predictor, upload, open_bundle(trained).manifest, **LIMITS)
    assert found.counts == {"inside_region": 1}


def test_a_verdict_is_said_with_what_it_does_not_mean(predictor: Predictor) -> None:
    verdict = predictor.one(POINT)
    saying = wording.headline(predictor, verdict)
    assert saying.words == "INSIDE THE REGION"
    assert "is the point outside the region? (outside the joint 95 % region" in saying.details[0]
    assert saying.details[1].startswith("calibrated probability of being outside the region: ")
    assert "CLs" in saying.meaning
    sure = wording.confidence_sentences(predictor, verdict)
    measured = wording.accuracy_at(predictor, verdict.probability)
    assert measured is not None
    assert f"{measured['n']:,} points" in sure[0]


@pytest.mark.parametrize(
    ("quantile", "said"),
    [
        (5e-5, "between 0.00005 and 0.99995. For 95 % of the points that this was measured on"),
        (5e-5, "at least 0.99995; here neither answer has one"),
        (0.9, "between 0.1 and 0.9."),
        (0.9, "at least 0.1; here both answers have one"),
        (None, "too few points"),
    ],
)
def test_undecided_says_why_and_states_no_accuracy(
    predictor: Predictor, quantile: float | None, said: str
) -> None:
    entries = [
        entry | ({"quantile": quantile} if entry["kind"] == "conformal" else {})
        for entry in predictor.card.confidence
    ]
    card = dataclasses.replace(predictor.card, confidence=tuple(entries))
    asked: Any = SimpleNamespace(card=card, attrs=predictor.attrs, target=predictor.target)
    verdict = dataclasses.replace(predictor.one(POINT), verdict="uncertain", probability=0.2)
    sure = wording.confidence_sentences(asked, verdict)
    assert sure[0].startswith("No side is named, and so no classification confidence applies")
    assert said in sure[0]
    assert "were classified correctly" not in " ".join(sure)


def test_nothing_is_said_with_numbers_outside_the_domain(predictor: Predictor) -> None:
    verdict = predictor.one({"m": 9000.0, "g": 0.5})
    saying = wording.headline(predictor, verdict)
    assert saying.words == "OUTSIDE DOMAIN"
    assert saying.details == ()
    assert wording.confidence_sentences(predictor, verdict) == []


def test_the_same_call_elsewhere_gives_the_same(
    trained: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch, limen: Callable[..., Any]
) -> None:
    import json
    import shlex

    bundle = open_bundle(trained)
    monkeypatch.chdir(trained.parent)
    point = {"m": 612.3456789, "g": 0.1 + 0.2}
    line = shlex.split(calls.command_line(bundle, "region", point))
    said = json.loads(limen(*line[1:]).stdout)["points"][0]
    assert said["probability"] == predictor.one(point).to_dict()["probability"]
    names: dict[str, Any] = {}
    exec(calls.python(bundle, "region", point).replace("print(verdict)", ""), names)
    assert names["verdict"].to_dict() == predictor.one(point).to_dict()
    body = json.loads(shlex.split(calls.curl("http://h", "toy@1.0.0", "region", point))[-1])
    assert body["points"] == [point]
    told = f"Run these in the folder that holds the bundle's folder {trained.name}."
    assert calls.where_to_run(bundle) == told
    monkeypatch.chdir(trained)
    assert calls.place_of(open_bundle(".")) == trained.name


def test_words_of_strangers_are_not_markup(trained: Path) -> None:
    from dataclasses import replace

    column = open_bundle(trained).columns["m"]
    evil = replace(column, symbol="$![x](http://example.org/x.png)$", unit="<b>")
    assert symbol(evil) == ""
    assert "<b>" not in column_label(evil)
    assert "[x](" not in safe("![x](http://example.org)")
    assert number(float("nan")) == "–"
