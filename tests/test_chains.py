"""Chains: every number of the files, the right sign, chains kept apart, and bad files refused."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emcee
import h5py
import numpy as np
import pytest
import yaml

from limen.errors import ReadError
from limen.packing import pack
from limen.readers import drafting
from limen.readers.chains.arviz import is_arviz, open_arviz
from limen.readers.chains.emcee import is_emcee, open_emcee
from limen.readers.chains.getdist import open_getdist
from limen.readers.chains.paramnames import is_getdist
from limen.readers.chains.runs import split_by_chain
from limen.readers.formats import guess_format
from limen.readers.options import Selection, check_options
from limen.readers.tables import Array, Table

NONE = Selection()


def columns(table: Table, rows: int = 64) -> dict[str, Array]:
    """Read a whole table in small blocks."""
    blocks = list(table.stream(rows))
    assert all(set(block) == set(table.dtypes) for block in blocks)
    whole = {name: np.concatenate([block[name] for block in blocks]) for name in table.dtypes}
    assert {len(values) for values in whole.values()} == {table.n_rows}
    assert {name: values.dtype for name, values in whole.items()} == dict(table.dtypes)
    return whole


@pytest.fixture
def text_chains(tmp_path: Path) -> list[Path]:
    """Three GetDist chains of 500 rows with a derived parameter."""
    rng = np.random.default_rng(7)
    paths = []
    for number in (1, 2, 3):
        m, g = rng.normal(500, 90, 500), rng.normal(0.4, 0.1, 500)
        half = 0.5 * (((m - 500) / 90) ** 2 + ((g - 0.4) / 0.1) ** 2)
        paths.append(tmp_path / f"run_{number}.txt")
        np.savetxt(paths[-1], np.column_stack([rng.integers(1, 9, 500), half, m, g, m * g]))
    (tmp_path / "run.paramnames").write_text("m\tm_X\ng  !lambda # coupling\nrate*\tm g\n")
    (tmp_path / "run.ranges").write_text("m -1e4 1e4\ng N 2\nrate* N N\n")
    return paths


def test_getdist_text_is_what_an_independent_reader_finds(text_chains: list[Path]) -> None:
    table = open_getdist(text_chains, {}, NONE)
    found = columns(table)
    expected = np.concatenate([np.loadtxt(path) for path in text_chains])
    assert table.names == ("weight", "loglike", "m", "g", "rate", "chain", "draw")
    for i, name in enumerate(("weight", "loglike", "m", "g", "rate")):
        np.testing.assert_array_equal(found[name], expected[:, i] * (-1 if i == 1 else 1))
    np.testing.assert_array_equal(found["chain"], np.repeat([0, 1, 2], 500))
    np.testing.assert_array_equal(found["draw"], np.tile(np.arange(500), 3))


def test_getdist_states_what_its_side_files_say(text_chains: list[Path]) -> None:
    table = open_getdist(text_chains, {}, NONE)
    assert table.hints["m"] == {
        "role": "parameter",
        "symbol": "m_X",
        "range": [-1e4, 1e4],
        "description": "Sampled, with bounds -10000 to 10000.",
    }
    assert table.hints["g"]["symbol"] == "\\lambda"
    assert "range" not in table.hints["g"]
    assert table.hints["rate"] == {"role": "observable", "symbol": "m g"}
    assert table.hints["weight"]["role"] == "weight"
    assert table.hints["chain"]["categories"]["2"] == "run_3.txt"
    assert "posterior" in table.hints["loglike"]["description"]
    assert table.document["split"]["group"] == "chain"
    assert [path.name for path in table.files[3:]] == ["run.paramnames", "run.ranges"]


def test_side_files_given_among_the_chains_are_no_chains(text_chains: list[Path]) -> None:
    side = text_chains[0].with_name("run.paramnames")
    assert open_getdist([*text_chains, side], {}, NONE).n_rows == 1500
    with pytest.raises(ReadError, match="found no chain"):
        open_getdist([side], {}, NONE)


@pytest.mark.parametrize(("burn", "first"), [(0, 0), (0.3, 150), (20, 20), (0.001, 0)])
def test_burn_drops_the_start_of_every_chain(
    text_chains: list[Path], burn: float, first: int
) -> None:
    found = columns(open_getdist(text_chains, {"burn": burn}, NONE))
    for chain in range(3):
        draws = found["draw"][found["chain"] == chain]
        np.testing.assert_array_equal(draws, np.arange(first, 500))


def test_burn_of_everything_is_refused(text_chains: list[Path]) -> None:
    with pytest.raises(ReadError, match="all left out as burn-in"):
        open_getdist(text_chains, {"burn": 500}, NONE)


@pytest.mark.parametrize(
    ("burn", "fits"),
    [(0, True), (0.5, True), (7, True), (1.5, False), (-1, False), (True, False), ("1", False)],
)
def test_burn_is_a_number_or_a_fraction(burn: object, fits: bool) -> None:
    assert bool(check_options({"burn": burn}, ["burn"])) is not fits


def test_one_chain_has_no_split_by_chain_and_a_warning(
    text_chains: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "limen"):
        table = open_getdist(text_chains[:1], {}, NONE)
    assert "split" not in table.document
    assert "found 1 chain" in caplog.text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 2 500 0.4", "found 4 fields, allowed 5"),
        ("1 2 500 0.4 200 7", "found 6 fields, allowed 5"),
        ("1 2 500 0.4 2_0", "found '2_0', allowed a number"),
        ("1 2 ***** 0.4 200", r"found '\*\*\*\*\*', allowed a number"),
        ("1 2 nan 0.4 200", "found nan for 'm'"),
        ("1 nan 500 0.4 200", "found nan for '-ln L'"),
        ("nan 2 500 0.4 200", "found nan for 'weight'"),
        ("-1 2 500 0.4 200", "found -1 for 'weight', allowed finite numbers"),
        ("1e999 -inf 500 0.4 200", "found inf for 'weight', -inf for '-ln L'"),
        ("1 2 \xff 0.4 200", "allowed a number"),
        ("1 2 5", "found 3 fields"),
    ],
)
def test_a_bad_row_is_left_out_and_listed_with_its_line(
    text_chains: list[Path], line: str, reason: str
) -> None:
    good = columns(open_getdist(text_chains, {}, NONE))
    path = text_chains[1]
    lines = path.read_text().splitlines(keepends=True)
    path.write_bytes(
        b"".join(
            text.encode("latin-1")
            for text in ["# made up\n", *lines[:10], f"{line}\n", *lines[10:]]
        )
    )
    table = open_getdist(text_chains, {}, NONE)
    found = columns(table)
    assert len(table.refused) == 1
    assert table.refused[0].pointer == f"{path} line 12"
    assert re.search(reason, table.refused[0].message)
    for name in ("weight", "loglike", "m", "g", "rate", "chain"):
        np.testing.assert_array_equal(found[name], good[name])
    assert 10 not in found["draw"][found["chain"] == 1]


@pytest.mark.parametrize("chains", range(3, 12))
def test_every_part_of_the_split_gets_a_chain(chains: int, tmp_path: Path) -> None:
    split = split_by_chain("chain", chains)["split"]
    rows = {"m": np.arange(100.0 * chains), "chain": np.repeat(np.arange(chains), 100)}
    columns_declared = [
        {"name": "m", "role": "parameter", "unit": "GeV"},
        {
            "name": "chain",
            "role": "origin",
            "unit": "1",
            "categories": {str(i): f"chain {i}" for i in range(chains)},
        },
    ]
    np.savez(tmp_path / "rows.npz", **rows)
    document = {
        "id": "toy",
        "version": "1.0.0",
        "title": "Chains",
        "tables": [{"name": "scan", "columns": columns_declared}],
        "split": split,
        "read": [{"files": ["rows.npz"]}],
    }
    (tmp_path / "scan.yaml").write_text(yaml.safe_dump(document))
    scan = pack(tmp_path / "scan.yaml", tmp_path / "bundle").open_scan()
    found = scan.read(["split", "chain"])
    pairs = set(zip(found["split"].tolist(), found["chain"].tolist(), strict=True))
    assert {part for part, _ in pairs} == {0, 1, 2}
    assert len(pairs) == chains


def test_nan_of_a_derived_parameter_is_kept(text_chains: list[Path]) -> None:
    with text_chains[0].open("a") as file:
        file.write("1 2 500 0.4 nan\n")
    table = open_getdist(text_chains, {}, NONE)
    assert not table.refused
    assert np.isnan(columns(table)["rate"][500])


def test_a_forbidden_point_has_an_infinite_likelihood(text_chains: list[Path]) -> None:
    with text_chains[0].open("a") as file:
        file.write("0 inf 500 0.4 200\n")
    table = open_getdist(text_chains, {}, NONE)
    assert not table.refused
    assert columns(table)["loglike"][500] == -np.inf


@pytest.mark.parametrize("end", ["\r\n", "\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize("last", [True, False], ids=["final newline", "no final newline"])
def test_line_ends_do_not_matter(text_chains: list[Path], end: str, last: bool) -> None:
    before = columns(open_getdist(text_chains, {}, NONE))
    for path in text_chains:
        text = end.join(path.read_text().splitlines())
        path.write_bytes((text + end * last + end * last).encode())
    after = columns(open_getdist(text_chains, {}, NONE))
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "found no rows"),
        (b"# nothing\n\n", "found no rows"),
        (b"\0\1\2\3" * 100, "binary data"),
        (b"1 " * 600_000, "a line of more than"),
        (b"<html>\n<body>no</body>\n", "2 faults"),
        (b"1 2 3 4\n" * 3000, "found 4 fields, allowed 5"),
    ],
    ids=["empty", "comments", "binary", "one long line", "html", "other width"],
)
def test_a_file_that_is_no_chain_is_refused(
    text_chains: list[Path], content: bytes, match: str
) -> None:
    text_chains[2].write_bytes(content)
    with pytest.raises(ReadError, match=match) as raised:
        open_getdist(text_chains, {}, NONE)
    assert "run_3.txt" in str(raised.value)
    assert len(raised.value.faults) <= 20


def test_a_chain_without_names_asks_for_them(text_chains: list[Path]) -> None:
    text_chains[0].with_name("run.paramnames").unlink()
    with pytest.raises(ReadError, match=r"found no run\.paramnames beside it.*'names'"):
        open_getdist(text_chains, {}, NONE)
    table = open_getdist(text_chains, {"names": ["a", "b", "c"]}, NONE)
    assert table.names[2:5] == ("a", "b", "c")
    assert table.hints["a"]["role"] == "TODO"


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("run.paramnames", b"m x\ng y\nm* z\n", "found the name 'm' twice"),
        ("run.paramnames", b"", "found no names"),
        ("run.paramnames", b"m \xff\n", "not UTF-8"),
        ("run.paramnames", b"m\0\n", "binary"),
        ("run.paramnames", b"m a\ng b\n", "found 5 fields, allowed 4"),
        ("run.ranges", b"m 0\ng a b\nrate\n", "2 faults"),
        ("run.ranges", b"m 0 nan\n", "allowed a name and two bounds"),
    ],
)
def test_bad_side_files_are_refused(
    text_chains: list[Path], name: str, content: bytes, match: str
) -> None:
    text_chains[0].with_name(name).write_bytes(content)
    with pytest.raises(ReadError, match=match):
        open_getdist(text_chains, {}, NONE)


def test_columns_that_the_reader_adds_give_way_to_parameters(text_chains: list[Path]) -> None:
    text_chains[0].with_name("run.paramnames").write_text("chain\nweight\nloglike*\n")
    table = open_getdist(text_chains, {}, NONE)
    assert table.names == (
        "weight_2",
        "loglike_2",
        "chain",
        "weight",
        "loglike",
        "chain_2",
        "draw",
    )
    assert table.document["split"]["group"] == "chain_2"


def test_cobaya_names_its_columns_in_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "run.1.txt"
    path.write_text("#  weight  minuslogpost  m  minuslogprior  chi2\n 1 2.5 3 4 5\n 2 1.5 3 4 5\n")
    table = open_getdist([path], {}, NONE)
    assert is_getdist(path)
    assert table.names[2:5] == ("m", "minuslogprior", "chi2")
    assert "role" not in table.hints["chi2"]
    np.testing.assert_array_equal(columns(table)["loglike"], [-2.5, -1.5])


def test_chains_of_different_parameters_do_not_mix(text_chains: list[Path]) -> None:
    other = text_chains[0].with_name("other.txt")
    other.write_text("1 2 3 4 5\n")
    other.with_suffix(".paramnames").write_text("x\ny\nz\n")
    with pytest.raises(ReadError, match="pack the runs apart"):
        open_getdist([*text_chains, other], {}, NONE)


def test_a_chain_that_grows_while_it_is_read_is_noticed(text_chains: list[Path]) -> None:
    table = open_getdist(text_chains, {}, NONE)
    with text_chains[0].open("a") as file:
        file.write("1 2 500 0.4 200\n")
    with pytest.raises(ReadError, match="changed while it was read"):
        columns(table)


@pytest.fixture(scope="module")
def emcee_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of emcee, 8 walkers in 2 dimensions, 60 iterations."""
    path = tmp_path_factory.mktemp("emcee") / "run.h5"
    backend = emcee.backends.HDFBackend(str(path))
    sampler = emcee.EnsembleSampler(8, 2, lambda x: -0.5 * float(x @ x), backend=backend)
    sampler.random_state = np.random.RandomState(3).get_state()
    sampler.run_mcmc(np.random.default_rng(3).normal(size=(8, 2)), 60)
    return path


@pytest.fixture
def backend(emcee_run: Path, tmp_path: Path) -> Any:
    """A copy of that run."""
    (tmp_path / "run.h5").write_bytes(emcee_run.read_bytes())
    return emcee.backends.HDFBackend(str(tmp_path / "run.h5"))


def test_emcee_is_what_emcee_reads(backend: Any) -> None:
    path = Path(backend.filename)
    table = open_emcee([path], {"burn": 0.25, "names": ["m", "g"]}, NONE)
    found = columns(table)
    chain = backend.get_chain(discard=15)
    for i, name in enumerate(("m", "g")):
        np.testing.assert_array_equal(found[name], chain[:, :, i].ravel())
    np.testing.assert_array_equal(found["log_prob"], backend.get_log_prob(discard=15, flat=True))
    np.testing.assert_array_equal(found["chain"], np.tile(np.arange(8), 45))
    np.testing.assert_array_equal(found["draw"], np.repeat(np.arange(15, 60), 8))
    assert table.document["sampling"][0]["version"] == emcee.__version__
    assert table.document["split"] == {"seed": 0, "group": "chain"}
    assert "posterior" in table.hints["log_prob"]["description"]


def test_emcee_without_names_asks_for_labels(backend: Any) -> None:
    table = open_emcee([Path(backend.filename)], {}, NONE)
    assert table.names[:2] == ("p0", "p1")
    assert table.hints["p0"]["label"] == "TODO"


def test_emcee_reads_only_finished_iterations(backend: Any) -> None:
    backend.grow(40, None)
    assert open_emcee([Path(backend.filename)], {}, NONE).n_rows == 60 * 8


def test_walkers_of_several_files_are_kept_apart(backend: Any, tmp_path: Path) -> None:
    first = Path(backend.filename)
    second = tmp_path / "again" / "run.h5"
    second.parent.mkdir()
    second.write_bytes(first.read_bytes())
    table = open_emcee([first, second], {}, NONE)
    assert set(columns(table)["chain"].tolist()) == set(range(16))
    assert table.hints["chain"]["categories"]["9"] == "again/run.h5 walker 1"


def test_more_walkers_than_categories_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "many.h5"
    emcee.backends.HDFBackend(str(path)).reset(300, 1)
    with h5py.File(path, "a") as file:
        file["mcmc/chain"].resize(2, axis=0)
        file["mcmc/log_prob"].resize(2, axis=0)
        file["mcmc"].attrs["iteration"] = 2
    table = open_emcee([path], {}, NONE)
    assert table.hints["chain"]["role"] == "id"
    assert table.n_rows == 600


def test_several_runs_in_a_file_ask_which(backend: Any) -> None:
    path = Path(backend.filename)
    with h5py.File(path, "a") as file:
        file.copy("mcmc", "second")
    with pytest.raises(ReadError, match="'mcmc', 'second', allowed one"):
        open_emcee([path], {}, NONE)
    assert open_emcee([path], {"group": "second"}, NONE).n_rows == 480
    with pytest.raises(ReadError, match="allowed 'third'"):
        open_emcee([path], {"group": "third"}, NONE)


def _no_iterations(file: Any) -> None:
    file["mcmc"].attrs["iteration"] = 0


def _other_shape(file: Any) -> None:
    del file["mcmc/log_prob"]
    file["mcmc/log_prob"] = np.zeros((3, 8))


def _other_type(file: Any) -> None:
    del file["mcmc/chain"]
    file["mcmc/chain"] = np.zeros((60, 8, 2), dtype="S3")


def _no_chain(file: Any) -> None:
    del file["mcmc/chain"]


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (_no_iterations, "found 0 iterations"),
        (_other_shape, "the file is damaged"),
        (_other_type, "found chains of type"),
        (_no_chain, "found none as groups of emcee"),
    ],
)
def test_a_bad_backend_is_refused(backend: Any, spoil: Callable[[Any], None], match: str) -> None:
    path = Path(backend.filename)
    with h5py.File(path, "a") as file:
        spoil(file)
    with pytest.raises(ReadError, match=match):
        open_emcee([path], {}, NONE)


def test_a_dataset_in_the_place_of_a_group_is_neither_layout(tmp_path: Path) -> None:
    path = tmp_path / "odd.h5"
    with h5py.File(path, "w") as file:
        file["mcmc"], file["posterior"] = np.zeros(3), np.zeros(3)
        file["elsewhere"] = h5py.ExternalLink("gone.h5", "/x")
    assert not is_emcee(path)
    assert not is_arviz(path)
    for read in (open_emcee, open_arviz):
        with pytest.raises(ReadError, match=r"odd\.h5"):
            read([path], {}, NONE)


def test_emcee_needs_one_name_for_each_parameter(backend: Any) -> None:
    with pytest.raises(ReadError, match="found 2 parameters and 1 'names'"):
        open_emcee([Path(backend.filename)], {"names": ["m"]}, NONE)


def _group(file: Any, name: str, coordinates: dict[str, Any]) -> Any:
    group = file.create_group(name)
    for axis, values in coordinates.items():
        text = isinstance(values[0], str)
        data = np.array(values, dtype=object) if text else np.asarray(values)
        kind = h5py.string_dtype() if text else data.dtype
        group.create_dataset(axis, data=data, dtype=kind).make_scale(axis)
    return group


def _put(group: Any, name: str, data: Array, *axes: str) -> Any:
    made = group.create_dataset(name, data=data)
    for i, axis in enumerate(axes):
        made.dims[i].attach_scale(group[axis])
    return made


@pytest.fixture
def netcdf(tmp_path: Path) -> Path:
    """The layout of ArviZ: 4 chains of 50 draws, a scalar, a vector, a matrix."""
    rng = np.random.default_rng(5)
    path = tmp_path / "idata.nc"
    axes = {"chain": [0, 1, 2, 3], "draw": list(range(100, 150))}
    with h5py.File(path, "w") as file:
        schools = {"school": ["Deerfield", "Andover"], "dim_1": [0, 1, 2]}
        group = _group(file, "posterior", axes | schools)
        group.attrs["inference_library"] = "pymc"
        group.attrs["inference_library_version"] = "5.16.2"
        _put(group, "mu", rng.normal(size=(4, 50)), "chain", "draw")
        _put(group, "theta", rng.normal(size=(4, 50, 2)), "chain", "draw", "school")
        _put(group, "L", rng.normal(size=(4, 50, 2, 3)), "chain", "draw", "school", "dim_1")
        group = _group(file, "sample_stats", axes)
        _put(group, "lp", rng.normal(size=(4, 50)), "chain", "draw")
        _put(group, "energy", rng.normal(size=(4, 50)), "chain", "draw")
        flag = _put(group, "diverging", rng.integers(0, 2, (4, 50), dtype="i1"), "chain", "draw")
        flag.attrs["dtype"] = "bool"
        group = _group(file, "log_likelihood", axes | {"obs": [0, 1, 2, 3, 4]})
        _put(group, "y", rng.normal(size=(4, 50, 5)), "chain", "draw", "obs")
    return path


def test_arviz_flattens_variables_and_keeps_every_number(netcdf: Path) -> None:
    options = {"sample_stats": ["diverging"], "burn": 10}
    table = open_arviz([netcdf], options, NONE)
    found = columns(table, rows=7)
    with h5py.File(netcdf) as file:
        posterior = {n: file["posterior"][n][:, 10:] for n in ("mu", "theta", "L")}
        y, flag = file["log_likelihood/y"][:, 10:], file["sample_stats/diverging"][:, 10:]
    np.testing.assert_array_equal(found["mu"], posterior["mu"].ravel())
    np.testing.assert_array_equal(found["theta_1"], posterior["theta"][..., 1].ravel())
    np.testing.assert_array_equal(found["L_5"], posterior["L"][..., 1, 2].ravel())
    np.testing.assert_allclose(found["loglike"], y.sum(axis=2).ravel(), rtol=1e-14)
    np.testing.assert_array_equal(found["diverging"], flag.ravel().astype(bool))
    np.testing.assert_array_equal(found["chain"], np.repeat(np.arange(4), 40))
    np.testing.assert_array_equal(found["draw"], np.tile(np.arange(110, 150), 4))
    assert "energy" not in found
    assert table.hints["theta_0"]["label"] == "theta[Deerfield]"
    assert table.hints["L_5"]["label"] == "L[Andover, 2]"
    assert table.hints["loglike"]["quantity"] == "log_likelihood"
    assert table.hints["lp"]["quantity"] == "TODO"
    assert table.document["toolchain"][0]["name"] == "pymc"


def test_arviz_drops_a_variable_with_all_its_elements(netcdf: Path) -> None:
    table = open_arviz([netcdf], {}, Selection(drop=frozenset({"theta", "L_0"})))
    assert not any(name.startswith("theta") for name in table.dtypes)
    assert "L_0" not in table.dtypes
    assert "L_1" in columns(table)


def test_chains_of_several_files_are_kept_apart(netcdf: Path) -> None:
    other = netcdf.with_name("other.nc")
    other.write_bytes(netcdf.read_bytes())
    table = open_arviz([netcdf, other], {}, NONE)
    assert set(columns(table)["chain"].tolist()) == set(range(8))
    assert table.hints["chain"]["categories"]["5"] == "other.nc chain 1"


def _transposed(file: Any) -> None:
    group = file["posterior"]
    del group["mu"]
    _put(group, "mu", np.zeros((50, 4)), "draw", "chain")


def _packed(file: Any) -> None:
    file["posterior/mu"].attrs["scale_factor"] = 2.0


def _huge(file: Any) -> None:
    file["posterior"].create_dataset("field", shape=(4, 50, 5000), dtype="f8")


def _no_group(file: Any) -> None:
    del file["posterior"]


def _short(file: Any) -> None:
    del file["posterior/mu"]
    file["posterior/mu"] = np.zeros((4, 49))


def _twice(file: Any) -> None:
    _put(file["posterior"], "theta_1", np.zeros((4, 50)), "chain", "draw")


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (_transposed, "transpose the variable"),
        (_packed, "found packed values"),
        (_huge, r"found 5000 elements, allowed 1 to 4096; drop it.*\[field\]"),
        (_no_group, "found no group 'posterior'"),
        (_short, r"allowed chain and draw \(4, 50\) first"),
        (_twice, "found two columns theta_1"),
    ],
)
def test_a_bad_netcdf_is_refused(netcdf: Path, spoil: Callable[[Any], None], match: str) -> None:
    with h5py.File(netcdf, "a") as file:
        spoil(file)
    with pytest.raises(ReadError, match=match):
        open_arviz([netcdf], {}, NONE)


def test_a_netcdf_without_draws_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.nc"
    with h5py.File(path, "w") as file:
        group = file.create_group("posterior")
        group["chain"], group["draw"] = np.arange(2), np.arange(0)
    with pytest.raises(ReadError, match="found 2 chains of 0 draws"):
        open_arviz([path], {}, NONE)


def test_an_unknown_statistic_is_named(netcdf: Path) -> None:
    with pytest.raises(ReadError, match="found 'divergin'; did you mean 'diverging'"):
        open_arviz([netcdf], {"sample_stats": ["divergin"]}, NONE)


@pytest.mark.parametrize("kept", [0.3, 0.9], ids=["short", "long"])
@pytest.mark.parametrize("kind", ["emcee", "arviz"])
def test_a_truncated_hdf5_file_is_refused(
    backend: Any, netcdf: Path, kind: str, kept: float
) -> None:
    path = Path(backend.filename) if kind == "emcee" else netcdf
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    read = open_emcee if kind == "emcee" else open_arviz
    with pytest.raises(ReadError, match="damaged, truncated"):
        read([path], {}, NONE)
    assert not is_emcee(path)
    assert not is_arviz(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"a,b\n1,2\n"], ids=["empty", "0", "csv"])
def test_what_is_no_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    for read in (open_emcee, open_arviz):
        with pytest.raises(ReadError, match="no readable HDF5"):
            read([path], {}, NONE)
    assert not is_emcee(path)
    assert not is_arviz(path)


def test_every_layout_is_recognised(text_chains: list[Path], backend: Any, netcdf: Path) -> None:
    assert guess_format(text_chains[0]) == "getdist"
    assert guess_format(text_chains[0].with_name("run.paramnames")) == "getdist"
    assert guess_format(Path(backend.filename)) == "emcee"
    assert guess_format(netcdf) == "arviz"
    plain = text_chains[0].with_name("plain.txt")
    plain.write_text("a b\n1 2\n")
    assert guess_format(plain) == "csv"
    assert not is_getdist(plain.parent)


@pytest.mark.parametrize("kind", ["getdist", "emcee", "arviz"])
def test_a_draft_declares_every_column(
    text_chains: list[Path], backend: Any, netcdf: Path, kind: str
) -> None:
    files = {"getdist": text_chains, "emcee": [Path(backend.filename)], "arviz": [netcdf]}[kind]
    drafted = yaml.safe_load(drafting.draft(files))
    entries = {entry["name"]: entry for entry in drafted["tables"][0]["columns"]}
    assert drafted["split"]["group"] == "chain"
    assert entries["chain"]["role"] == "origin"
    assert entries["draw"]["role"] == "id"
    assert drafted["read"][0]["format"] == kind
