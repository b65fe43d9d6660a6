"""Reading files: values, types and blocks as they are, and one clear error for what is broken."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen.errors import MissingExtraError, ReadError
from limen.readers import FORMATS, guess_format, open_source, read_columns

DATA = Path(os.environ.get("LIMEN_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    mass = rng.uniform(-1e3, 1e3, 1000)
    mass[3], mass[5] = np.nan, np.inf
    return {
        "mass": mass,
        "n": rng.integers(-(2**62), 2**62, 1000),
        "good": rng.random(1000) < 0.5,
    }


def as_csv(path: Path, columns: dict[str, np.ndarray]) -> Path:
    rows = zip(*(v.tolist() for v in columns.values()), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    return written(path.parent, path.name, "\n".join(lines) + "\n")


def as_csv_gz(path: Path, columns: dict[str, np.ndarray]) -> Path:
    path.write_bytes(gzip.compress(as_csv(path, columns).read_bytes()))
    return path


def as_parquet(path: Path, columns: dict[str, np.ndarray]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table(columns), path, row_group_size=300)
    return path


def as_npy(path: Path, columns: dict[str, np.ndarray]) -> Path:
    table = np.empty(1000, dtype=[(name, v.dtype) for name, v in columns.items()])
    for name, values in columns.items():
        table[name] = values
    np.save(path, table)
    return path


def as_npz(path: Path, columns: dict[str, np.ndarray]) -> Path:
    np.savez(path, **columns)
    return path


def as_npz_compressed(path: Path, columns: dict[str, np.ndarray]) -> Path:
    np.savez_compressed(path, **columns)
    return path


WRITERS = [
    pytest.param(as_csv, "scan.csv", id="csv"),
    pytest.param(as_csv_gz, "scan.csv.gz", id="csv.gz"),
    pytest.param(as_parquet, "scan.parquet", id="parquet"),
    pytest.param(as_npy, "scan.npy", id="npy"),
    pytest.param(as_npz, "scan.npz", id="npz"),
    pytest.param(as_npz_compressed, "scan.npz", id="npz-compressed"),
]


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_every_format_gives_the_same_values_and_dtypes(write, name, arrays, tmp_path):
    source = open_source([write(tmp_path / name, arrays)])
    assert dict(source.columns) == {k: v.dtype for k, v in arrays.items()}
    assert source.n_rows == 1000
    blocks = list(source.blocks())
    for column, values in arrays.items():
        found = np.concatenate([block[column] for block in blocks])
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_every_format_yields_blocks_of_the_rows_asked_for_across_files(
    write, name, arrays, tmp_path
):
    first = write(tmp_path / name, arrays)
    (tmp_path / "b").mkdir()
    reordered = dict(reversed(arrays.items()))
    second = write(tmp_path / "b" / name, reordered)
    source = open_source([first, second])
    blocks = list(source.blocks(384))
    assert [len(block["n"]) for block in blocks] == [384] * 5 + [80]
    found = np.concatenate([block["n"] for block in blocks])
    np.testing.assert_array_equal(found, np.tile(arrays["n"], 2))


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_every_format_drops_renames_and_describes(write, name, arrays, tmp_path):
    path = write(tmp_path / name, arrays)
    source = open_source([path], options={"drop": ["good"], "columns": {"mass": "m_h"}})
    assert list(source.columns) == ["m_h", "n"]
    assert list(next(source.blocks())) == ["m_h", "n"]
    facts = source.describe()
    assert facts["names"] == {"m_h": "mass", "n": "n"}
    assert (facts["rows"], facts["files"]) == (1000, [str(path)])


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_every_format_refuses_a_truncated_file_or_gives_fewer_rows(write, name, arrays, tmp_path):
    path = write(tmp_path / name, arrays)
    data = path.read_bytes()
    for share in (0.02, 0.3, 0.6, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        if (
            name == "scan.csv"
        ):  # text carries no length; a cut inside a row is seen, one between is not
            continue
        with pytest.raises(ReadError, match=name.replace(".", r"\.")):
            list(open_source([path]).blocks())


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_every_format_suggests_the_nearest_name_for_an_unknown_one(write, name, arrays, tmp_path):
    path = write(tmp_path / name, arrays)
    with pytest.raises(ReadError, match="did you mean 'good'"):
        open_source([path], options={"drop": ["goood"]})
    with pytest.raises(ReadError, match="did you mean 'columns'"):
        open_source([path], options={"colums": {}})


@pytest.mark.parametrize(
    ("field", "dtype"),
    [
        pytest.param(["1", "2", "-3"], "int64", id="integers"),
        pytest.param(["1", "2.5", "-3"], "float64", id="one-float"),
        pytest.param(["1", "", "3"], "float64", id="one-missing"),
        pytest.param(["1", "  ", "3"], "float64", id="blank"),
        pytest.param(["1", "NaN", "3"], "float64", id="nan"),
        pytest.param(["1.0", "2.0", "3.0"], "float64", id="whole-floats"),
        pytest.param(["9007199254740993", "1", "2"], "int64", id="beyond-2^53"),
        pytest.param(["18446744073709551615", "1", "2"], "uint64", id="beyond-2^63"),
        pytest.param(["true", "False", "TRUE"], "bool", id="bool"),
        pytest.param(["true", "", "false"], "float64", id="bool-with-gap"),
        pytest.param(["1e-400", "inf", "-Infinity"], "float64", id="infinity"),
        pytest.param(["100000000000000000000000", "1", ""], None, id="inexact-big"),
        pytest.param(["9007199254740993", "", "2"], None, id="inexact-with-gap"),
        pytest.param(["1e999", "1", "2"], None, id="overflow"),
        pytest.param(["1_000", "1", "2"], None, id="underscore"),
        pytest.param(["\u0661", "1", "2"], None, id="other-digits"),
        pytest.param(["0x10", "1", "2"], None, id="hexadecimal"),
        pytest.param(["1.0D2", "1", "2"], None, id="fortran"),
        pytest.param(["NA", "1", "2"], None, id="na"),
        pytest.param(["true", "1", "0"], None, id="bool-among-numbers"),
    ],
)
def test_csv_dtype_is_exact_for_the_whole_column(field, dtype, tmp_path):
    path = written(tmp_path, "a.csv", "x,y\n" + "\n".join(f"{v},0" for v in field))
    if dtype is None:
        with pytest.raises(ReadError, match=r"a\.csv line 2, column 'x': found "):
            open_source([path])
        return
    source = open_source([path])
    assert source.columns["x"] == np.dtype(dtype)
    values = next(source.blocks())["x"]
    if dtype in ("int64", "uint64"):
        assert values.tolist() == [int(v) for v in field]


def test_csv_dtype_holds_beyond_the_first_piece_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("limen.readers.delimited._CHUNK", 16)
    rows = ["1,2"] * 5000 + ["1,2.5"]
    path = written(tmp_path, "a.csv", "x,y\n" + "\n".join(rows))
    source = open_source([path])
    assert dict(source.columns) == {"x": np.dtype("int64"), "y": np.dtype("float64")}
    blocks = list(source.blocks(2000))
    assert [len(block["y"]) for block in blocks] == [2000, 2000, 1001]
    assert {block["y"].dtype for block in blocks} == {np.dtype("float64")}
    path.write_text(path.read_text() + "\n1,bad\n")
    with pytest.raises(ReadError, match="line 5003, column 'y': found 'bad'"):
        open_source([path])


@given(st.lists(st.floats(width=64), min_size=1, max_size=30))
def test_csv_floats_survive_bit_by_bit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("floats") / "a.csv"
    path.write_text("x,y\n" + "".join(f"{v!r},0.5\n" for v in values))
    found = read_columns([path])["x"]
    np.testing.assert_array_equal(found, np.array(values))
    present = ~np.isnan(found)
    assert (np.signbit(found) == np.signbit(values))[present].all()


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        pytest.param("a;b\n1;2\n", {"delimiter": ";"}, {"a": 1, "b": 2}, id="semicolon"),
        pytest.param("a\tb\n1\t2\n", {"delimiter": "tab"}, {"a": 1, "b": 2}, id="tab"),
        pytest.param(
            "\n a  b\n\n 1\t 2 \n", {"delimiter": "whitespace"}, {"a": 1, "b": 2}, id="ws"
        ),
        pytest.param("# c\na,b\n #x\n1,2\n", {"comment": "#"}, {"a": 1, "b": 2}, id="comment"),
        pytest.param("1,2\n", {"names": ["a", "b"]}, {"a": 1, "b": 2}, id="names"),
        pytest.param(
            "odd\n1,2\n", {"skip_lines": 1, "names": ["a", "b"]}, {"a": 1, "b": 2}, id="skip"
        ),
        pytest.param("\ufeffa,b\r\n1,2\r\n", {}, {"a": 1, "b": 2}, id="bom-crlf"),
        pytest.param('"a","b"\n"1",2', {}, {"a": 1, "b": 2}, id="quotes"),
        pytest.param('"a, or so",b\n1,2', {}, {"a, or so": 1, "b": 2}, id="quoted-delimiter"),
    ],
)
def test_csv_layouts(text, options, expected, tmp_path):
    columns = read_columns([written(tmp_path, "a.csv", text)], "csv", options)
    assert {name: values.tolist() for name, values in columns.items()} == {
        name: [value] for name, value in expected.items()
    }


def test_csv_header_gives_units(tmp_path):
    path = written(tmp_path, "a.csv", "M1 [TeV],M2[GeV],v[0],tb [1]\n1,2,3,4\n")
    source = open_source([path], options={"columns": {"M1": "m_one"}})
    assert list(source.columns) == ["m_one", "M2", "v[0]", "tb"]
    assert source.describe()["units"] == {"m_one": "TeV", "M2": "GeV", "tb": "1"}


BAD_CSV = [
    pytest.param("", "found no header and no rows", id="empty"),
    pytest.param("\n \n", "found no header and no rows", id="blank"),
    pytest.param("a,b\n", "found no rows", id="header-only"),
    pytest.param(
        "a,b\n1,2\n3\n4,5,6\n", r"2 faults\n  line 3: found 1 .*\n  line 4: found 3", id="ragged"
    ),
    pytest.param("a,b\n1,2\n3,4,\n", "line 3: found 3 fields, allowed 2", id="trailing-comma"),
    pytest.param(
        "a,b\n1,2\nx,4\n5,y\n",
        r"line 3, column 'a': found 'x'[^\n]*\n  line 4, column 'b': found 'y'",
        id="text",
    ),
    pytest.param("a,b,a\n1,2,3\n", "line 1 column 'a': found twice", id="duplicate"),
    pytest.param("a [GeV],b,a [TeV]\n1,2,3\n", "column 'a': found twice", id="duplicate-by-unit"),
    pytest.param("a,,b\n1,2,3\n", "line 1 column 2: found an empty name", id="no-name"),
    pytest.param(b"a,b\n1,\xe9\n", "byte 6: found 0xe9, allowed UTF-8", id="not-utf8"),
    pytest.param("a,b\n1,2\n".encode("utf-16"), "byte 0: found 0xff, allowed UTF-8", id="utf16"),
    pytest.param(b"a,b\n1,\x002\n", "byte 6: found a NUL", id="nul"),
    pytest.param('a,b\n1,"2\n3,4\n', "line 2: found a broken quotation", id="open-quote"),
    pytest.param(
        "a,b\n1,text\n2,more\n",
        "column 'b': found text, allowed numbers; list it",
        id="text-column",
    ),
    pytest.param("a\n" + "1" * 2_000_000, "found a line of over", id="endless-line"),
]


@pytest.mark.parametrize(("text", "match"), BAD_CSV)
def test_bad_csv_is_one_clear_error(text, match, tmp_path):
    with pytest.raises(ReadError, match=match) as caught:
        open_source([written(tmp_path, "bad.csv", text)])
    assert "bad.csv" in str(caught.value)


def test_faults_are_collected_up_to_twenty(tmp_path):
    path = written(tmp_path, "a.csv", "x,y\n1,1\n" + "bad,1\n" * 50 + "1\n" * 50)
    with pytest.raises(ReadError, match="20 faults") as caught:
        open_source([path])
    assert len(caught.value.faults) == 20


def test_damaged_gzip_is_refused(tmp_path):
    path = written(tmp_path, "a.csv.gz", gzip.compress(b"x,y\n" + b"1,2\n" * 9999)[:-20])
    with pytest.raises(ReadError, match="damaged gzip"):
        open_source([path])
    written(tmp_path, "a.csv.gz", "x,y\n1,2\n")
    with pytest.raises(ReadError, match="damaged gzip"):
        open_source([path])


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.npy", "a.npz"])
def test_missing_files_and_folders_are_refused_together(name, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ReadError, match=r"(?s)no such file.*found a folder"):
        open_source([tmp_path / name, tmp_path / "folder.csv"])


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.npy", "a.npz"])
def test_empty_and_foreign_files_are_refused(name, tmp_path):
    for content in (b"", b"\x00\x01\x02garbage\xff" * 100):
        with pytest.raises(ReadError, match=name):
            open_source([written(tmp_path, name, content)])


def test_no_files_and_unknown_formats_are_refused(tmp_path):
    path = written(tmp_path, "a.bin", "x,y\n1,2\n")
    with pytest.raises(ReadError, match="name a file"):
        open_source([])
    with pytest.raises(ReadError, match="state the format"):
        open_source([path])
    with pytest.raises(ReadError, match="did you mean 'csv'"):
        open_source([path], "cvs")
    with pytest.raises(ReadError, match="make one 'read' entry"):
        open_source([written(tmp_path, "a.csv", "x\n1"), written(tmp_path, "a.npy", "")])


def test_format_is_found_by_first_bytes(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3.0))
    path = (tmp_path / "a.npz").rename(tmp_path / "archive")
    assert guess_format(path) == "npz"
    assert set(FORMATS) >= {"csv", "parquet", "npy", "npz"}


def test_files_with_different_columns_are_refused_by_file_and_name(tmp_path):
    first = written(tmp_path, "a.csv", "x,y\n1,2\n")
    second = written(tmp_path, "b.csv", "x,z\n1,2\n")
    with pytest.raises(
        ReadError, match=r"b\.csv: found no 'y' but 'z', allowed the columns of .*a\.csv"
    ):
        open_source([first, second])
    source = open_source([first, second], options={"drop": ["y", "z"]})
    assert source.n_rows == 2


def test_files_disagreeing_in_kind_are_refused_and_widened_otherwise(tmp_path):
    whole = written(tmp_path, "a.csv", "x\n9007199254740993\n")
    real = written(tmp_path, "b.csv", "x\n1.5\n")
    flag = written(tmp_path, "c.csv", "x\ntrue\n")
    nothing = written(tmp_path, "d.csv", "x\n")
    assert open_source([nothing, whole]).columns["x"] == np.int64
    assert open_source([real, written(tmp_path, "e.csv", "x\n2\n")]).columns["x"] == np.float64
    with pytest.raises(ReadError, match=r"c\.csv column 'x': found true/false, allowed numbers"):
        open_source([real, flag])
    with pytest.raises(ReadError, match="found the integer 9007199254740993"):
        list(open_source([real, whole]).blocks())


def test_faults_of_several_files_come_together(tmp_path):
    paths = [written(tmp_path, f"{i}.csv", "x,y\n1\n") for i in range(3)]
    with pytest.raises(ReadError, match=r"(?s)3 files: 3 faults.*0\.csv line 2.*2\.csv line 2"):
        open_source(paths)


def test_categories_code_texts_and_refuse_unknown_ones(tmp_path):
    path = written(tmp_path, "a.csv", "x,kind\n1,wino\n2, bino \n3,wino\n")
    options = {"categories": {"kind": {"bino": 0, "wino": 1}}}
    columns = read_columns([path], options=options)
    assert columns["kind"].dtype == np.int8
    assert columns["kind"].tolist() == [1, 0, 1]
    with pytest.raises(ReadError, match="column 'kind' found 'wino'; did you mean 'winos'"):
        read_columns([path], options={"categories": {"kind": {"bino": 0, "winos": 1}}})


def test_categories_may_code_numbers(tmp_path):
    path = written(tmp_path, "a.csv", "x,q\n1,-1\n2,1\n")
    columns = read_columns([path], options={"categories": {"q": {"-1": 0, "1": 300}}})
    assert columns["q"].dtype == np.int16
    assert columns["q"].tolist() == [0, 300]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"drop": "x"}, id="drop-is-text"),
        pytest.param({"drop": ["x", "x"]}, id="drop-twice"),
        pytest.param({"columns": ["x"]}, id="columns-is-list"),
        pytest.param({"categories": {"x": {}}}, id="no-codes"),
        pytest.param({"categories": {"x": {"a": True}}}, id="code-is-bool"),
        pytest.param({"categories": {"x": {1: 1}}}, id="text-is-number"),
        pytest.param({"categories": {"x": {str(i): i for i in range(257)}}}, id="too-many"),
        pytest.param({"categories": {"x": {"a": 2**15}}}, id="code-too-large"),
        pytest.param({"delimiter": "e"}, id="delimiter-in-numbers"),
        pytest.param({"delimiter": "::"}, id="delimiter-too-long"),
        pytest.param({"comment": ""}, id="no-comment"),
        pytest.param({"skip_lines": True}, id="lines-is-bool"),
        pytest.param({"names": ["x", "x"]}, id="names-twice"),
    ],
)
def test_wrong_options_are_refused_before_reading(options, tmp_path):
    path = written(tmp_path, "a.csv", "x,y\n1,2\n")
    with pytest.raises(
        ReadError, match=r"format csv option '\w+': found .*, allowed .*; correct it"
    ):
        open_source([path], options=options)


def test_renaming_two_columns_alike_is_refused(tmp_path):
    path = written(tmp_path, "a.csv", "x,y\n1,2\n")
    with pytest.raises(ReadError, match="name 'y': found twice after renaming"):
        open_source([path], options={"columns": {"x": "y"}})
    assert list(read_columns([path], options={"columns": {"x": "y", "y": "x"}})) == ["y", "x"]
    with pytest.raises(ReadError, match="no column left"):
        open_source([path], options={"drop": ["x", "y"]})


def test_parquet_nulls_text_and_foreign_types(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    columns = {
        "x": pyarrow.array([1.5, None], pyarrow.float32()),
        "n": pyarrow.array([1, None], pyarrow.int16()),
        "ok": pyarrow.array([True, None]),
        "small": pyarrow.array([255, 1], pyarrow.uint8()),
        "kind": pyarrow.array(["a", None]).dictionary_encode(),
        "when": pyarrow.array([1, 2], pyarrow.timestamp("s")),
    }
    parquet.write_table(pyarrow.table(columns), path)
    options = {"categories": {"kind": {"a": 7, "": 0}}}
    with pytest.raises(ReadError, match=r"column 'when': found values of type timestamp"):
        open_source([path], options=options)
    found = read_columns([path], options={**options, "drop": ["when"]})
    assert [str(v.dtype) for v in found.values()] == [
        "float32",
        "float64",
        "float64",
        "int16",
        "int8",
    ]
    np.testing.assert_array_equal(found["x"], np.array([1.5, np.nan], np.float32))
    np.testing.assert_array_equal(found["n"], [1, np.nan])
    np.testing.assert_array_equal(found["ok"], [1, np.nan])
    assert (found["small"].tolist(), found["kind"].tolist()) == ([255, 1], [7, 0])


def test_parquet_large_integers_with_nulls_are_refused_not_rounded(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"n": [2**53 + 1, None]}), tmp_path / "a.parquet")
    with pytest.raises(ReadError, match="found the integer 9007199254740993"):
        read_columns([tmp_path / "a.parquet"])


def test_parquet_field_metadata_gives_units(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    field = pyarrow.field("m", pyarrow.float64(), metadata={"units": "GeV", "long_name": "mass"})
    table = pyarrow.table([pyarrow.array([1.0])], schema=pyarrow.schema([field]))
    parquet.write_table(table, tmp_path / "a.parquet")
    facts = open_source([tmp_path / "a.parquet"]).describe()
    assert (facts["units"], facts["labels"]) == ({"m": "GeV"}, {"m": "mass"})


def test_parquet_without_pyarrow_gives_the_install_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = written(tmp_path, "a.parquet", "PAR1")
    with pytest.raises(MissingExtraError, match=r"pip install '.*limen\[io\]'"):
        open_source([path])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_plain_arrays_need_names(suffix, order, tmp_path):
    values = np.asarray(np.arange(12.0).reshape(4, 3), order=order)
    path = tmp_path / f"a.{suffix}"
    np.save(path, values) if suffix == "npy" else np.savez_compressed(path, values)
    with pytest.raises(ReadError, match="found 3 columns without names and none"):
        open_source([path])
    with pytest.raises(ReadError, match="and 2 in the option"):
        open_source([path], options={"names": ["a", "b"]})
    source = open_source([path], options={"names": ["a", "b", "c"], "drop": ["b"]})
    blocks = list(source.blocks(3))
    assert [block["c"].tolist() for block in blocks] == [[2.0, 5.0, 8.0], [11.0]]
    assert [block["a"].tolist() for block in blocks] == [[0.0, 3.0, 6.0], [9.0]]


class Exploit:
    """Unpickling it would leave a trace."""

    def __reduce__(self):
        return (os.mkdir, ("unpickled",))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_pickles_are_never_opened(suffix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.array([Exploit(), 1], dtype=object)
    path = tmp_path / f"a.{suffix}"
    np.save(path, objects) if suffix == "npy" else np.savez(path, x=objects)
    with pytest.raises(ReadError, match="Python objects"):
        open_source([path])
    path.write_bytes(pickle.dumps(Exploit()))
    with pytest.raises(ReadError, match=path.name):
        open_source([path])
    assert not (tmp_path / "unpickled").exists()


def test_npz_arrays_of_different_lengths_are_refused_or_dropped(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3), y=np.arange(3) > 1, meta=np.arange(2), scalar=1)
    with pytest.raises(ReadError, match=r"'meta' \(2,\).*under the option 'drop'"):
        open_source([path])
    source = open_source([path], options={"drop": ["meta", "scalar"]})
    assert list(source.columns) == ["x", "y"]


def test_numpy_types_without_a_place_in_a_scan_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros(2), z=np.zeros(2, complex), when=np.zeros(2, "M8[s]"))
    with pytest.raises(
        ReadError, match=r"(?s)2 faults.*'z': found values of type complex128.*'when'"
    ):
        open_source([path])
    np.savez(path, x=np.zeros(2, ">f4"), n=np.zeros(2, "u4"), kind=np.array([b"a", b"b"]))
    found = read_columns([path], options={"categories": {"kind": {"a": 1, "b": 2}}})
    assert [v.dtype.str for v in found.values()] == ["<f4", "<i8", "|i1"]


def test_an_absurd_shape_in_a_header_takes_no_memory(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 2)))
    path.write_bytes(path.read_bytes().replace(b"(2, 2)", b"(9" + b"9" * 12 + b",9)", 1))
    with pytest.raises(ReadError, match=r"a\.npy"):
        open_source([path], options={"names": ["a", "b"]})


@pytest.mark.parametrize("suffix", ["npy", "npz", "parquet"])
def test_memory_is_bounded_whatever_the_rows(suffix, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows, width = 2_000_000, 12
    path = tmp_path / f"a.{suffix}"
    names = [f"c{i}" for i in range(width)]
    column = np.random.default_rng(0).random(rows)
    if suffix == "npy":
        np.save(path, np.broadcast_to(column[:, None], (rows, width)))
    elif suffix == "npz":
        np.savez(path, **dict.fromkeys(names, column))
    else:
        table = pyarrow.table(dict.fromkeys(names, column))
        parquet.write_table(table, path, row_group_size=rows, use_dictionary=False)
    assert path.stat().st_size > 150e6
    options = {"names": names} if suffix == "npy" else {}
    code = f"""
        from limen.readers import open_source
        import pyarrow.parquet
        def private():
            lines = open("/proc/self/status").read().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
        source = open_source([{str(path)!r}], options={options!r})
        before, most, rows = private(), 0, 0
        for block in source.blocks():
            most, rows = max(most, private()), rows + len(block["c3"])
        print(rows, most - before)
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc to measure memory")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True, text=True
    )
    found, grown = map(int, done.stdout.split())
    assert found == rows
    assert grown < 100 * 1024  # KiB; the whole table is 188 MiB


@pytest.mark.parametrize(
    ("name", "format", "options", "rows", "columns"),
    [
        ("flavio_bsll10/bsll10_scan.parquet", None, {"drop": ["sample"]}, 50_000, 17),
        ("susyai_oracle19/scan60k.parquet", None, {}, 60_000, 21),
        ("pmssm_xsec19/pmssm19_xsec.parquet", None, {"drop": ["split"]}, 18_422, 20),
        ("thdm_scan/thdm_hybrid_scan.parquet", None, {"drop": ["job", "file"]}, 104_897, 26),
        ("pyhf_sbottom/cls_regionA.csv", None, {"drop": ["patch", "error"]}, 217, 13),
        (
            "events/xsec/gg_nllnlo_mstw2008.grid",
            "csv",
            {"delimiter": "whitespace", "drop": ["process"]},
            576,
            15,
        ),
        (
            "events/xsec/sdcpl_nllnlo_mstw2008.grid",
            "csv",
            {
                "delimiter": "whitespace",
                "skip_lines": 1,
                "names": [*"abcdefghijklmnop"],
                "drop": ["a"],
            },
            24,
            15,
        ),
        ("events/cms/Zee_Run2011A.csv", None, {"drop": ["type1", "type2"]}, 18_885, 20),
    ],
    ids=lambda value: value.rpartition("/")[2] if isinstance(value, str) and "/" in value else "",
)
def test_real_files_are_read(name, format, options, rows, columns):
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here; set LIMEN_SHARED_DATA")
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    source = open_source([DATA / name], format, options)
    assert (source.n_rows, len(source.columns)) == (rows, columns)
    assert sum(len(next(iter(block.values()))) for block in source.blocks()) == rows


def test_a_real_grid_with_too_short_a_header_is_refused_with_line_numbers():
    path = DATA / "events/xsec/sdcpl_nllnlo_mstw2008.grid"
    if not path.exists():
        pytest.skip(f"{path} is not here; set LIMEN_SHARED_DATA")
    with pytest.raises(ReadError, match="line 4: found 16 fields, allowed 13"):
        open_source([path], "csv", {"delimiter": "whitespace"})


def test_importing_the_readers_loads_no_heavy_library():
    code = (
        "import sys, limen.readers, limen.readers.drafting\n"
        "print(sorted({'pandas', 'pyarrow', 'xarray', 'zarr', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
