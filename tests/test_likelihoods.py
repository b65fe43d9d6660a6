"""Likelihoods of pyhf: the fits, what is made of them, and input that cannot be used."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from limen.errors import ReadError
from limen.readers.likelihoods import computing, fits, open_likelihoods
from limen.readers.likelihoods.fits import Likelihood
from limen.readers.likelihoods.points import evaluate
from limen.readers.likelihoods.statistics import BANDS, cls_expected, cls_observed
from limen.readers.options import Selection

pyhf = pytest.importorskip("pyhf")
pytest.importorskip("iminuit")
jsonpatch = pytest.importorskip("jsonpatch")

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = ["m_sbottom", "m_neutralino2", "m_neutralino1"]
ARCHIVE = "pyhf_sbottom/SUSY-2018-31_likelihoods.tar.gz"
# At sbottom_500_131_1 the fit of the Asimov data at mu = 1 has two local minima, and the table
# has the one that is 0.0066 higher; so that point is compared by its minimum, not by its CLs.
DIFFERENT = {"sbottom_500_131_1", "sbottom_1600_1595_60"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep finished fits in a folder of the test."""
    monkeypatch.setenv("LIMEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def workspace(rates: list[float], observed: list[float]) -> dict[str, Any]:
    """Give a background of one channel with an uncertain normalisation."""
    norm = {"name": "scale", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    sample = {"name": "background", "data": rates, "modifiers": [norm]}
    return {
        "channels": [{"name": "SR", "samples": [sample]}],
        "observations": [{"name": "SR", "data": observed}],
        "measurements": [{"name": "search", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def patch(rates: list[float], channel: int = 0) -> list[dict[str, Any]]:
    """Give a patch that adds a signal."""
    factor = {"name": "mu", "type": "normfactor", "data": None}
    sample = {"name": "signal", "data": rates, "modifiers": [factor]}
    return [{"op": "add", "path": f"/channels/{channel}/samples/-", "value": sample}]


def with_signal(rates: list[float] | None = None) -> dict[str, Any]:
    """Give a workspace with signal."""
    answer: dict[str, Any] = jsonpatch.apply_patch(
        workspace([50.0, 10.0], [52, 9]), patch(rates or [5.0, 6.0])
    )
    return answer


def write(folder: Path, signals: dict[str, Any], **background: Any) -> Path:
    """Write a folder with a background and loose patches."""
    folder.mkdir(parents=True, exist_ok=True)
    made = workspace([50.0, 10.0], [52, 9]) | background
    (folder / "BkgOnly.json").write_text(json.dumps(made))
    for name, operations in signals.items():
        (folder / f"patch.{name}.json").write_text(json.dumps(operations))
    return folder


def read(path: Path, **options: Any) -> dict[str, Any]:
    """Read all columns."""
    options = {"names": ["m"], "workers": 1} | options
    table = open_likelihoods([path], options, Selection())
    blocks = list(table.stream(1000))
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def every_modifier() -> dict[str, Any]:
    """Give a workspace with every type of modifier."""
    made = with_signal()
    made["channels"][0]["samples"][0]["modifiers"] += [
        {
            "name": "shape",
            "type": "histosys",
            "data": {"hi_data": [55.0, 9.0], "lo_data": [46.0, 11.0]},
        },
        {"name": "stat_SR", "type": "staterror", "data": [3.0, 1.0]},
        {"name": "lumi", "type": "lumi", "data": None},
    ]
    other = {
        "name": "other",
        "data": [8.0, 4.0],
        "modifiers": [{"name": "uncorrelated", "type": "shapesys", "data": [2.0, 1.0]}],
    }
    free = {
        "name": "free",
        "data": [30.0, 20.0],
        "modifiers": [{"name": "bins", "type": "shapefactor", "data": None}],
    }
    made["channels"][0]["samples"].append(other)
    made["channels"].append({"name": "CR", "samples": [free]})
    made["observations"].append({"name": "CR", "data": [33, 18]})
    made["measurements"][0]["config"]["parameters"] = [
        {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "bounds": [[0.9, 1.1]], "inits": [1.0]}
    ]
    return made


def test_gradients_are_the_differences_of_pyhf_for_every_modifier() -> None:
    likelihood = Likelihood(every_modifier())
    model, data = likelihood.model, likelihood.data
    for seed in range(3):
        pars = likelihood.start + 0.01 * np.random.default_rng(seed).uniform(
            0.1, 1, len(likelihood.start)
        )

        def height(x: np.ndarray) -> float:
            return -2.0 * float(model.logpdf(x, data)[0])

        steps = 1e-5 * np.eye(len(pars))
        expected = [(height(pars + s) - height(pars - s)) / 2e-5 for s in steps]
        assert likelihood.objective.gradient(pars, data) == pytest.approx(
            expected, rel=1e-4, abs=1e-4
        )


def test_cls_are_those_of_pyhf() -> None:
    found = evaluate(with_signal())
    likelihood = Likelihood(with_signal())
    observed, bands = pyhf.infer.hypotest(
        1.0, likelihood.data, likelihood.model, test_stat="qtilde", return_expected_set=True
    )
    assert found["ok"], found["why"]
    assert found["cls_obs"] == pytest.approx(float(observed), rel=1e-3)
    assert found["cls_exp"] == pytest.approx([float(b) for b in bands], rel=1e-3)


def test_limits_are_those_of_pyhf() -> None:
    found = evaluate(with_signal(), limits=True)
    likelihood = Likelihood(with_signal())
    observed, bands = pyhf.infer.intervals.upper_limits.upper_limit(
        likelihood.data, likelihood.model, scan=None, level=0.05
    )
    assert found["mu95_obs"] == pytest.approx(float(observed), rel=5e-3)
    assert found["mu95_exp"] == pytest.approx([float(b) for b in bands], rel=5e-3)


def test_cls_without_sensitivity_is_one() -> None:
    assert cls_observed(0.0, 0.0)[0] == 1.0
    assert [cls_expected(0.0, band) for band in BANDS] == pytest.approx([1.0] * 5)


def test_a_limit_without_sensitivity_is_infinite_and_censored(tmp_path: Path) -> None:
    found = read(write(tmp_path / "R", {"a_1": patch([1e-7, 1e-7])}), limits=True)
    assert math.isinf(found["mu95_obs"][0])
    assert found["mu95_obs_censored"][0]


def test_a_fit_that_has_not_arrived_is_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "_ITERATIONS", 1)
    monkeypatch.setattr(fits, "_CALLS", 1)
    folder = write(
        tmp_path / "R",
        {"a_1": patch([50.0, 60.0])},
        observations=[{"name": "SR", "data": [190, 90]}],
    )
    found = read(folder)
    assert not found["fit_ok"][0]
    assert np.isnan(found["CLs_obs"][0])
    assert not found["fit_ok"].any()


def test_regions_are_combined_by_the_best_expected(tmp_path: Path) -> None:
    write(tmp_path / "both" / "A", {"a_1": patch([5.0, 6.0]), "a_2": patch([0.5, 0.6])})
    write(tmp_path / "both" / "B", {"a_1": patch([1.0, 1.0]), "a_2": patch([5.0, 6.0])})
    found = read(tmp_path / "both")
    assert found["decided_by"].tolist() == [0, 1]
    assert found["CLs_obs"].tolist() == [
        found["CLs_obs A"][0],
        found["CLs_obs B"][1],
    ]


def test_a_failed_region_masks_the_combination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "both" / "A", {"a_1": patch([5.0, 6.0])})
    write(tmp_path / "both" / "B", {"a_1": patch([1.0, 1.0])})
    bad = {"ok": False, "why": "", "minimiser": 2, "distance": 1.0, "gap": 0.0, "mu_hat": 0.0}
    real = computing.evaluate

    def evaluated(specification: dict[str, Any], *, limits: bool) -> dict[str, Any]:
        rates = specification["channels"][0]["samples"][1]["data"]
        return bad if rates == [1.0, 1.0] else real(specification, limits=limits)

    monkeypatch.setattr(computing, "evaluate", evaluated)
    found = read(tmp_path / "both")
    assert not found["fit_ok"][0]
    assert np.isnan(found["CLs_obs"][0])
    assert found["decided_by"][0] == -1
    assert found["fit_ok A"][0]


def test_finished_fits_are_not_made_again_and_a_half_line_is_passed_over(
    tmp_path: Path, cache: Path
) -> None:
    folder = write(tmp_path / "R", {f"a_{n}": patch([5.0, float(n)]) for n in range(1, 5)})
    whole = read(folder)
    (journal,) = cache.glob("pyhf/*.jsonl")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + lines[2][:30])
    again = read(folder)
    assert journal.read_bytes().startswith(b"".join(lines[:2]) + lines[2][:30] + b"\n")
    assert len(journal.read_bytes().splitlines()) == 5
    for name, values in whole.items():
        np.testing.assert_array_equal(values, again[name])


def test_workers_do_not_change_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "R", {f"a_{n}": patch([5.0, float(n)]) for n in range(1, 5)})
    one = read(folder)
    monkeypatch.setenv("LIMEN_CACHE", str(tmp_path / "other"))
    two = read(folder, workers=2)
    for name, values in one.items():
        assert values.tobytes() == two[name].tobytes()


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, cache: Path) -> None:
    signals = {f"a_{n}": patch([5.0, n / 10]) for n in range(1, 81)}
    folder = write(tmp_path / "R", signals)
    code = (
        "import sys; from pathlib import Path; from limen.readers.options import Selection\n"
        "from limen.readers.likelihoods import open_likelihoods\n"
        "t = open_likelihoods([Path(sys.argv[1])], {'names': ['m'], 'workers': 1}, Selection())\n"
        "list(t.stream(1000))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], env=os.environ.copy())
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if any(p.read_bytes().count(b"\n") >= 3 for p in cache.glob("pyhf/*.jsonl")):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (journal,) = cache.glob("pyhf/*.jsonl")
    before = journal.read_bytes()
    assert 3 <= before.count(b"\n") < 80
    assert read(folder)["fit_ok"].all()
    after = journal.read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") in (80, 81)


def test_the_made_up_likelihood_is_packed(
    tmp_path: Path, cache: Path, limen: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(shutil.copytree(EXAMPLES / "pyhf", tmp_path / "pyhf"))
    monkeypatch.chdir(place)
    subprocess.run([sys.executable, "make_likelihood.py"], check=True)
    assert limen("init", "likelihood", "-o", "draft.yaml").exit_code == 0
    assert not cache.exists()
    for arguments in (("pack", "scan.yaml", "-o", "toy"), ("check", "toy", "--deep")):
        done = limen(*arguments)
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: (f / "BkgOnly.json").unlink(), "found 0 workspaces"),
        (lambda f: shutil.copy(f / "BkgOnly.json", f / "Other.json"), "found 2 workspaces"),
        (lambda f: (f / "patch.a_1.json").unlink(), "found no patch"),
        (
            lambda f: (f / "patch.a_1.json").write_text(json.dumps(patch([1.0, 1.0], 7))),
            "does not fit",
        ),
        (lambda f: (f / "patch.a_1.json").write_text(json.dumps(patch([1.0]))), "of 1 bins"),
        (lambda f: (f / "patch.a_1.json").write_text(""), "found no JSON"),
    ],
)
def test_folders_without_a_usable_point_are_refused(
    tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    folder = write(tmp_path / "R", {"a_1": patch([5.0, 6.0])})
    change(folder)
    with pytest.raises(ReadError, match=words):
        read(folder)


def test_bad_patches_are_listed_and_good_ones_kept(tmp_path: Path) -> None:
    folder = write(tmp_path / "R", {"a_1": patch([5.0, 6.0]), "a_2": patch([5.0, 6.0], 7)})
    table = open_likelihoods([folder], {"names": ["m"]}, Selection())
    assert len(table.refused) == 1
    assert "a_2" in str(table.refused[0])


@pytest.mark.parametrize(
    ("names", "words"), [([], "give the option 'names'"), (["a", "b", "c"], "allowed at least 3")]
)
def test_names_must_fit(tmp_path: Path, names: list[str], words: str) -> None:
    with pytest.raises(ReadError, match=words):
        read(write(tmp_path / "R", {"a_1": patch([5.0, 6.0])}), names=names)


@pytest.mark.parametrize(
    ("name", "kind"), [("../x.json", tarfile.REGTYPE), ("l.json", tarfile.SYMTYPE)]
)
def test_archives_that_are_traps_are_refused(tmp_path: Path, name: str, kind: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/hostname" if kind == tarfile.SYMTYPE else ""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(member, io.BytesIO(b""))
    with pytest.raises(ReadError, match=r"found a (link|path out)"):
        read(tmp_path / "a.tar")


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "R", {"a_1": patch([5.0, 6.0])})
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(folder, "R")
    content = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ReadError, match="damaged archive"):
        read(tmp_path / "a.tar.gz")


def test_a_patch_set_for_another_background_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "R", {})
    entry = {"metadata": {"name": "a", "values": [1.0]}, "patch": patch([5.0, 6.0])}
    head = {
        "references": {"hepdata": "ins0000000"},
        "description": "made up",
        "labels": ["m"],
        "digests": {"sha256": "0" * 64},
    }
    (folder / "set.json").write_text(
        json.dumps({"metadata": head, "patches": [entry], "version": "1.0.0"})
    )
    with pytest.raises(ReadError, match="another digest"):
        read(folder, names=[])


def region_a(shared_data: Path, folder: Path, points: set[str]) -> Path:
    """Take the background of Region A and some of its patches out of the archive."""
    folder.mkdir()
    wanted = {"RegionA/BkgOnly.json", *(f"RegionA/patch.{p}.json" for p in points)}
    with tarfile.open(shared_data / ARCHIVE) as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            stream = archive.extractfile(member) if name in wanted else None
            if stream is not None:
                (folder / Path(name).name).write_bytes(stream.read())
    return folder


def compared(found: dict[str, Any], reference: Path, cls: str, expected: str) -> int:
    """Compare with the table of Region A; say how many points were."""
    rows = {tuple(float(r[n]) for n in NAMES): r for r in csv.DictReader(reference.open())}
    count = 0
    for number, point in enumerate(zip(*(found[n] for n in NAMES), strict=True)):
        row = rows.get(tuple(map(float, point)))
        if row is None or row["patch"] in DIFFERENT or float(row["CLs_obs"]) < 1e-12:
            continue
        assert found[cls][number] == pytest.approx(float(row["CLs_obs"]), rel=1e-3), row["patch"]
        if float(row["CLs_exp"]) < 1e-12:
            continue
        assert found[expected][number] == pytest.approx(float(row["CLs_exp"]), rel=1e-3)
        count += 1
    return count


def test_ten_points_of_region_a_are_those_of_the_table(shared_data: Path, tmp_path: Path) -> None:
    reference = shared_data / "pyhf_sbottom" / "cls_regionA.csv"
    usable = [
        r
        for r in csv.DictReader(reference.open())
        if r["patch"] not in DIFFERENT and float(r["CLs_obs"]) > 1e-12
    ]
    points = {r["patch"] for r in usable[:: len(usable) // 10][:10]}
    found = read(region_a(shared_data, tmp_path / "RegionA", points), names=NAMES, workers=2)
    assert compared(found, reference, "CLs_obs", "CLs_exp") == 10


def test_points_that_differ_from_the_table_are_at_lower_minima(
    shared_data: Path, tmp_path: Path
) -> None:
    found = read(region_a(shared_data, tmp_path / "RegionA", DIFFERENT), names=NAMES, workers=2)
    by_mass = {float(m): n for n, m in enumerate(found["m_sbottom"])}
    # The table has 0.14120: a larger test statistic, so a fit that ended higher.
    assert found["CLs_exp"][by_mass[500.0]] == pytest.approx(0.142620, rel=1e-3)
    # The table has 0.98841 and CLb of 3e-11; Minuit and a tight fit with scipy agree with ours.
    assert found["CLs_obs"][by_mass[1600.0]] == pytest.approx(0.98034, rel=1e-3)
    assert found["CLb_obs"][by_mass[1600.0]] == pytest.approx(0.2217, rel=1e-2)


@pytest.mark.long
def test_no_point_of_three_leptons_is_without_reason_at_one(shared_data: Path) -> None:
    found = read(shared_data / "pyhf_3L_ins1771533", names=[], workers=2)
    assert len(found["fit_ok"]) == 64
    np.testing.assert_array_equal(np.isnan(found["CLs_obs"]), ~found["fit_ok"])
    assert (found["CLs_obs"][found["fit_ok"]] < 0.99).all()


@pytest.mark.long
def test_the_whole_scan_is_the_table(shared_data: Path) -> None:
    found = read(shared_data / ARCHIVE, names=NAMES, workers=2)
    reference = shared_data / "pyhf_sbottom" / "cls_regionA.csv"
    assert compared(found, reference, "CLs_obs RegionA", "CLs_exp RegionA") > 170
    with (EXAMPLES / "scans" / "sbottom_abc.csv").open() as stream:
        rows = {tuple(float(r[n]) for n in NAMES): r for r in csv.DictReader(stream)}
    assert len(rows) == len(found["CLs_obs"])
    for number, point in enumerate(zip(*(found[n] for n in NAMES), strict=True)):
        row = rows[tuple(map(float, point))]
        if found["fit_ok"][number] and found["CLs_obs"][number] > 1e-12:
            assert found["CLs_obs"][number] == pytest.approx(float(row["CLs_obs"]), rel=1e-3)


def test_the_committed_scan_packs(limen: Callable[..., Result], tmp_path: Path) -> None:
    done = limen("pack", EXAMPLES / "scans" / "sbottom_abc.yaml", "-o", tmp_path / "abc")
    assert done.exit_code == 0, done.output
    done = limen("check", tmp_path / "abc", "--deep")
    assert done.exit_code == 0, done.output
