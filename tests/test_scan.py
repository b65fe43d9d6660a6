"""The scan file: written in bounded memory, read by column and rows, by others too."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import Blosc, Zstd

from limen.errors import (
    ColumnError,
    DataError,
    IntegrityError,
    ShapeError,
    StorageError,
    UsageError,
)
from limen.scan import ALLOWED_DTYPES, Scan, ScanColumn, layout, open_scan, write_scan, writer
from limen.scan.guards import blosc_size, zstd_size
from limen.zipstore import ZipWriter, file_reader, open_store

RNG = np.random.default_rng(0)


def column(name: str, values: np.ndarray, **attrs: str) -> ScanColumn:
    return ScanColumn(name, values.dtype.name, lambda start, stop: values[start:stop], attrs)


def written(path: Path, values: dict[str, np.ndarray]) -> Path:
    n_points = len(next(iter(values.values())))
    write_scan(path, [column(name, array) for name, array in values.items()], n_points)
    return path


def values_of(dtype: str, n: int, seed: int = 0) -> np.ndarray:
    """Any bits at all: with NaN of every kind, infinities, -0.0 and extreme integers."""
    raw = np.random.default_rng(seed).bytes(n * np.dtype(dtype).itemsize)
    if dtype == "bool":
        return np.frombuffer(raw, dtype="uint8") % 2 == 1
    values = np.frombuffer(raw, dtype=dtype).copy()
    if values.dtype.kind == "f":
        values[:5] = [np.nan, np.inf, -np.inf, -0.0, 0.0][: min(5, n)]
    return values


def same_bits(found: np.ndarray, expected: np.ndarray) -> bool:
    return found.dtype == expected.dtype and found.tobytes() == expected.tobytes()


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of 8 rows, shards of 4 chunks above 32 rows."""
    monkeypatch.setattr(writer, "CHUNK_ROWS", 8)
    monkeypatch.setattr(writer, "CHUNKS_PER_SHARD", 4)


class Counted:
    """A file read by range, each request noted."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.requests: list[tuple[int, int]] = []

    def __call__(self, offset: int, length: int) -> bytes:
        self.requests.append((offset, length))
        return self.data[offset : offset + length]

    def take(self) -> int:
        """Bytes asked for since the last call."""
        total = sum(length for _, length in self.requests)
        self.requests.clear()
        return total


@settings(max_examples=25, deadline=None)
@given(
    st.sets(st.sampled_from(ALLOWED_DTYPES), min_size=1, max_size=3),
    st.sampled_from([0, 1, 7, 8, 9, 31, 32, 33, 64, 65, 350]),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_every_bit_comes_back(tmp_path_factory, dtypes, n, seed, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_ROWS", 8)
        patch.setattr(writer, "CHUNKS_PER_SHARD", 4)
        values = {f"c_{dtype}": values_of(dtype, n, seed) for dtype in dtypes}
        path = written(tmp_path_factory.mktemp("scan") / "scan.zarr.zip", values)
    start = data.draw(st.integers(0, n + 2))
    stop = data.draw(st.none() | st.integers(0, n + 2))
    rows = data.draw(st.lists(st.integers(0, max(n - 1, 0)), max_size=20 if n else 0))
    with open_scan(path) as scan:
        assert (scan.n_points, scan.names) == (n, tuple(sorted(values)))
        whole, part = scan.read(), scan.read(values, start, stop)
        for name, array in values.items():
            assert scan.dtypes[name] == array.dtype
            assert same_bits(whole[name], array)
            assert same_bits(part[name], array[start:stop])
            assert same_bits(scan.take(name, rows), array[np.array(rows, dtype=int)])


@pytest.mark.parametrize("n", [65535, 65536, 65537], ids=str)
def test_rows_around_a_true_chunk_come_back(tmp_path: Path, n):
    values = {"x": values_of("float64", n), "label": values_of("int8", n)}
    with open_scan(written(tmp_path / "s", values)) as scan:
        found = scan.read()
    assert all(same_bits(found[name], array) for name, array in values.items())


def tiny() -> list[ScanColumn]:
    x = np.array([-0.0, np.nan, np.inf, 1.5])
    return [
        column("x", x, units="GeV", long_name="mass", role="parameter"),
        column("label", np.array([0, 1, 0, 1], dtype="int8"), units="1", role="label"),
        column("valid_label", np.array([True, True, False, True]), role="mask"),
    ]


def test_the_same_columns_in_any_order_give_the_same_bytes(tmp_path: Path):
    first = write_scan(tmp_path / "a", tiny(), 4, {"bundle": "b"})
    second = write_scan(tmp_path / "b", reversed(tiny()), 4, {"bundle": "b"})
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    assert first == second == (hashlib.sha256(data).hexdigest(), len(data))


@pytest.mark.skipif(
    (version("zarr"), version("numcodecs")) != ("3.1.6", "0.16.6"),
    reason="another version of zarr or numcodecs may spell or compress in another way",
)
def test_the_bytes_of_a_tiny_scan_never_change(tmp_path: Path):
    found = write_scan(tmp_path / "a", tiny(), 4)
    assert found.sha256 == "b965a9269c0abc2a0e2c2f66a315d42e65fde1b36fd7c5125758e23bec44eff4"


def test_columns_of_awkward_names_are_sorted_as_members(tmp_path: Path, small_chunks):
    names = ["a", "a-b", "a.b", "a_b", "ab", "zz", "c", "zarr", "Ünicode"]
    values = {name: values_of("int16", 100, seed) for seed, name in enumerate(names)}
    with open_scan(written(tmp_path / "s", values)) as scan:
        assert all(same_bits(scan.read([name])[name], values[name]) for name in names)


def test_any_zip_tool_finds_sorted_whole_members(tmp_path: Path, small_chunks):
    path = written(tmp_path / "s", {"x": values_of("float64", 350)})
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert names == sorted(names)
    assert sum(name.startswith("x/c/") for name in names) == 11


FOREIGN = """
import sys, warnings
import numpy, xarray, zarr
warnings.simplefilter("error")
assert not any("limen" in name for name in sys.modules)
data = xarray.open_zarr(zarr.storage.ZipStore(sys.argv[1], mode="r"), chunks=None)
assert data.x.dims == ("point",) and data.x.attrs["units"] == "GeV", data
assert data.x.attrs["long_name"] == "mass" and data.label.dtype == "int8"
group = zarr.open_group(zarr.storage.ZipStore(sys.argv[1], mode="r"), mode="r")
assert group["valid_label"][:].tolist() == [True, True, False, True]
unconsolidated = zarr.open_group(
    zarr.storage.ZipStore(sys.argv[1], mode="r"), mode="r", use_consolidated=False
)
assert sorted(unconsolidated) == ["label", "valid_label", "x"]
try:
    import limen.errors  # an editable install leaves a folder of that name with the schemas
except ImportError:
    print(data.x.values.tobytes().hex(), data.label.values.tolist())
"""


def test_xarray_and_zarr_read_it_with_no_limen_on_the_path(tmp_path: Path):
    path = tmp_path / "scan.zarr.zip"
    write_scan(path, tiny(), 4)
    packages = [entry for entry in sys.path if "site-packages" in entry]
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path += {packages!r}\n{FOREIGN}", str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    expected = np.array([-0.0, np.nan, np.inf, 1.5]).tobytes().hex()
    assert done.stdout.strip() == f"{expected} [0, 1, 0, 1]"


def test_xarray_reads_it_through_our_store(tmp_path: Path, small_chunks):
    import xarray

    values = {"x": values_of("float32", 100)}
    read, size = file_reader(written(tmp_path / "s", values))
    data = xarray.open_zarr(open_store(read, size), chunks=None)
    assert same_bits(data.x.values, values["x"])
    read.close()


def test_a_projection_reads_the_bytes_of_its_columns_only(tmp_path: Path):
    values = {name: RNG.normal(size=200_000) for name in "abcdef"}
    read = Counted(written(tmp_path / "s", values).read_bytes())
    scan = Scan(read, len(read.data))
    assert read.take() <= 65536 + 10_000
    with zipfile.ZipFile(io.BytesIO(read.data)) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    scan.read(["b", "e"])
    columns = sum(size for name, size in sizes.items() if name[:4] in ("b/c/", "e/c/"))
    assert columns <= read.take() <= columns + 10_000
    scan.read(["b"], 70_000, 70_010)
    assert read.take() == sizes["b/c/1"]
    scan.take("b", [0, 3, 199_999])
    assert read.take() == sizes["b/c/0"] + sizes["b/c/3"]
    scan.read(["b"], 5, 5)
    scan.take("b", [])
    assert read.take() == 0


def test_a_range_inside_a_shard_reads_its_chunks_only(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(writer, "CHUNK_ROWS", 1024)
    values = {"x": RNG.normal(size=20_000), "y": RNG.normal(size=20_000)}
    read = Counted(written(tmp_path / "s", values).read_bytes())
    scan = Scan(read, len(read.data))
    scan.read(["x"], 0, 1)
    read.take()
    index = 16 * 16 + 4
    found = scan.read(["x"], 3000, 3010)["x"]
    assert same_bits(found, values["x"][3000:3010])
    assert index < read.take() <= index + 1024 * 8 + 100
    found = scan.take("x", [17_000, 3, 3])
    assert same_bits(found, values["x"][[17_000, 3, 3]])
    assert read.take() <= 2 * (index + 1024 * 8 + 100)


def test_blocks_come_in_order_and_whole(tmp_path: Path, small_chunks):
    values = {"x": values_of("float64", 100), "i": values_of("uint64", 100)}
    with open_scan(written(tmp_path / "s", values)) as scan:
        blocks = list(scan.blocks(rows=30))
        assert [len(block["x"]) for block in blocks] == [30, 30, 30, 10]
        joined = {name: np.concatenate([block[name] for block in blocks]) for name in values}
        assert all(same_bits(joined[name], array) for name, array in values.items())
        assert [list(block) for block in scan.blocks(["x"])] == [["x"]]
        with pytest.raises(UsageError, match="1 or more"):
            next(scan.blocks(rows=0))


def test_writing_holds_one_shard_of_one_column(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(writer, "CHUNK_ROWS", 4096)
    rows, n = 4096 * 16, 4096 * 16 * 20
    asked: list[int] = []

    def read(start: int, stop: int) -> np.ndarray:
        asked.append(stop - start)
        return np.random.default_rng(start).normal(size=stop - start)

    columns = [ScanColumn(name, "float64", read) for name in "abcd"]
    write_scan(tmp_path / "warm", columns, 10)
    asked.clear()
    tracemalloc.start()
    write_scan(tmp_path / "s", columns, n)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert asked == [rows] * 80
    assert peak < 12 * rows * 8 < 4 * n * 8


@pytest.mark.parametrize(
    ("columns", "n", "match"),
    [
        ([], 1, "no columns"),
        (["x"], -1, "-1 rows"),
        (["x", "x"], 1, "given twice"),
        (["a/b"], 1, "not allowed as a name"),
        (["zarr.json"], 1, "not allowed as a name"),
        (["__x"], 1, "not allowed as a name"),
        ([".."], 1, "not allowed as a name"),
        ([""], 1, "not allowed as a name"),
        (["a\nb"], 1, "not allowed as a name"),
    ],
    ids=[
        "none",
        "negative",
        "twice",
        "slash",
        "metadata",
        "reserved",
        "parent",
        "empty",
        "control",
    ],
)
def test_writing_refuses_columns(tmp_path: Path, columns, n, match):
    with pytest.raises(UsageError, match=match):
        write_scan(tmp_path / "s", [column(name, np.zeros(1)) for name in columns], n)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("dtype", ["float16", "complex128", "<U3", "object", "datetime64[s]"])
def test_writing_refuses_dtypes(tmp_path: Path, dtype):
    with pytest.raises(UsageError, match="allowed bool, int8"):
        write_scan(tmp_path / "s", [ScanColumn("x", dtype, lambda a, b: np.zeros(b - a))], 3)


@pytest.mark.parametrize(
    "block",
    [np.zeros(3, dtype="float32"), np.zeros(2), np.zeros((3, 1)), np.zeros(3, dtype=">f8")],
    ids=["narrower", "short", "two-dimensional", "byte-order"],
)
def test_a_column_that_gives_something_else_leaves_nothing(tmp_path: Path, block):
    with pytest.raises(DataError, match="declared float64 of shape"):
        write_scan(tmp_path / "s", [ScanColumn("x", "float64", lambda a, b: block)], 3)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_source_passes_and_leaves_nothing(tmp_path: Path):
    def read(start: int, stop: int) -> np.ndarray:
        raise StorageError("source.csv: cannot be read")

    with pytest.raises(StorageError, match=r"source\.csv"):
        write_scan(tmp_path / "s", [ScanColumn("x", "float64", read)], 3)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path, monkeypatch):
    opened = Path.open

    def full(self, *args, **options):
        stream = opened(self, *args, **options)

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                stream.close()

            def write(self, data):
                raise OSError(errno.ENOSPC, "No space left on device")

        return Full()

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_scan(tmp_path / "s", tiny(), 4)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_never_overwritten(tmp_path: Path):
    (tmp_path / "s").write_text("mine")
    with pytest.raises(StorageError, match="cannot be written"):
        write_scan(tmp_path / "s", tiny(), 4)
    assert (tmp_path / "s").read_text() == "mine"


def test_attributes_that_are_not_json_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="not JSON"):
        write_scan(tmp_path / "s", tiny(), 4, {"a": np.nan})


def test_reading_refuses_what_is_not_there(tmp_path: Path):
    write_scan(tmp_path / "s", tiny(), 4)
    with open_scan(tmp_path / "s") as scan:
        with pytest.raises(ColumnError, match="no column 'y', allowed label, valid_label, x"):
            scan.read(["x", "y"])
        with pytest.raises(UsageError, match="allowed 0 to 4"):
            scan.read(["x"], -1)
        with pytest.raises(UsageError, match="allowed 0 to 3"):
            scan.take("x", [0, 4])
        with pytest.raises(UsageError, match="allowed 0 to 3"):
            scan.take("x", [-1])
        with pytest.raises(ShapeError, match="whole numbers"):
            scan.take("x", [0.0])
        with pytest.raises(ShapeError, match="whole numbers"):
            scan.take("x", [[0]])
    with pytest.raises(UsageError, match="closed already"):
        scan.read(["x"])


def test_the_dataset_is_lazy_and_masks_integer_columns(tmp_path: Path, small_chunks):
    n = 100
    values = {
        "x": RNG.normal(size=n),
        "label": RNG.integers(0, 2, n).astype("int8"),
        "wide": RNG.integers(0, 10**9, n),
        "plain": RNG.integers(0, 9, n).astype("int8"),
        "ok": RNG.random(n) < 0.7,
    }
    read = Counted(written(tmp_path / "s", values).read_bytes())
    scan = Scan(read, len(read.data))
    read.take()
    described = {"unit": "1", "label": "Excluded", "role": "label", "valid": "ok"}
    data = scan.dataset({"label": described, "wide": {"valid": "ok"}, "x": {"unit": "GeV"}})
    repr(data)
    assert read.take() == 0
    assert {name: str(data[name].dtype) for name in data} == {
        "x": "float64",
        "label": "float32",
        "wide": "float64",
        "plain": "int8",
        "ok": "bool",
    }
    for name in ("label", "wide"):
        expected = np.where(values["ok"], values[name].astype(float), np.nan)
        np.testing.assert_array_equal(data[name].values, expected)
        np.testing.assert_array_equal(data[name][3:50:7].values, expected[3:50:7])
        np.testing.assert_array_equal(data[name][::-1].values, expected[::-1])
        np.testing.assert_array_equal(data[name][[5, 99, 5]].values, expected[[5, 99, 5]])
        np.testing.assert_array_equal(data[name][-1].values, expected[-1])
    assert data.label.attrs == {"units": "1", "long_name": "Excluded", "role": "label"}
    assert data.x.attrs == {"units": "GeV"}
    kept = data.isel(point=values["ok"])
    np.testing.assert_array_equal(kept.x.values, values["x"][values["ok"]])


def test_the_dataset_keeps_stored_attributes(tmp_path: Path):
    write_scan(tmp_path / "s", tiny(), 4, {"bundle": "b"})
    with open_scan(tmp_path / "s") as scan:
        data = scan.dataset()
        assert data.attrs == scan.attrs == {"bundle": "b"}
        assert data.x.attrs == scan.column_attrs("x")
        assert data.x.attrs == {"units": "GeV", "long_name": "mass", "role": "parameter"}
        faults = {"gone": {}, "label": {"valid": "x"}, "x": {"valid": "valid_x"}}
        with pytest.raises(IntegrityError) as caught:
            scan.dataset(faults)
    assert {fault.pointer for fault in caught.value.faults} == {"gone", "label", "x"}


@pytest.mark.parametrize("twentieth", range(20))
def test_a_truncated_scan_is_refused(tmp_path: Path, twentieth):
    write_scan(tmp_path / "whole", tiny(), 4)
    data = (tmp_path / "whole").read_bytes()
    (tmp_path / "s").write_bytes(data[: len(data) * twentieth // 20])
    with pytest.raises(IntegrityError):
        open_scan(tmp_path / "s")


def test_one_changed_byte_raises_nothing_but_integrity_errors(tmp_path: Path, small_chunks):
    values = {"x": RNG.normal(size=70), "label": RNG.integers(0, 9, 70).astype("int8")}
    data = written(tmp_path / "s", values).read_bytes()
    caught = 0
    for at in RNG.integers(0, len(data), 150):
        changed = bytearray(data)
        changed[at] ^= int(RNG.integers(1, 256))
        try:
            Scan(Counted(bytes(changed)), len(data)).read()
        except IntegrityError:
            caught += 1
    assert caught > 75


def rewritten(path: Path, change) -> bytes:
    """Write the members again after ``change(members)``, with correct checksums."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    stream = io.BytesIO()
    with ZipWriter(stream) as out:
        for name in sorted(members):
            out.write(name, members[name])
    return stream.getvalue()


def edit(*path: str | int, value: object):
    """Change one value of the metadata of column x."""

    def change(members: dict[str, bytes]) -> None:
        root = json.loads(members["zarr.json"])
        place = root["consolidated_metadata"]["metadata"]["x"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        members["zarr.json"] = json.dumps(root).encode()

    return change


def sharded(**changes: object):
    configuration = {
        "chunk_shape": [2],
        "codecs": [{"name": "bytes"}],
        "index_codecs": [{"name": "bytes"}, {"name": "crc32c"}],
        **changes,
    }
    return edit("codecs", value=[{"name": "sharding_indexed", "configuration": configuration}])


def nested(members: dict[str, bytes]) -> None:
    members["zarr.json"] = b"[" * 100_000


HOSTILE = {
    "no-metadata": (lambda m: m.pop("zarr.json"), "no zarr.json"),
    "not-json": (lambda m: m.update({"zarr.json": b"{"}), "not JSON"),
    "not-utf8": (lambda m: m.update({"zarr.json": b"\xff\xfe\xfd"}), "not JSON"),
    "nested": (nested, "nested deeper"),
    "name-twice": (lambda m: m.update({"zarr.json": b'{"a": 1, "a": 2}'}), "twice in one object"),
    "nan": (lambda m: m.update({"zarr.json": b'{"a": NaN}'}), "found NaN"),
    "transformers": (edit("storage_transformers", value=[{"name": "x"}]), "storage transformers"),
    "not-a-group": (lambda m: m.update({"zarr.json": b"[]"}), "found list"),
    "not-consolidated": (
        lambda m: m.update({"zarr.json": b'{"zarr_format":3,"node_type":"group"}'}),
        "inline consolidated",
    ),
    "no-columns": (
        lambda m: m.update(
            {
                "zarr.json": b'{"zarr_format":3,"node_type":"group",'
                b'"consolidated_metadata":{"metadata":{}}}'
            }
        ),
        "no columns",
    ),
    "lengths": (edit("shape", value=[3]), "allowed one length"),
    "two-dimensional": (edit("shape", value=[4, 1]), "allowed one number"),
    "negative": (edit("shape", value=[-1]), "0 or more"),
    "bool-shape": (edit("shape", value=[True]), "allowed one number"),
    "absurd-length": (edit("shape", value=[10**18]), "chunk 1 of .* is missing"),
    "absurd-chunk": (edit("chunk_grid", "configuration", "chunk_shape", value=[10**12]), "1 to 16"),
    "zero-chunk": (edit("chunk_grid", "configuration", "chunk_shape", value=[0]), "1 to 16"),
    "text": (edit("data_type", value="string"), "dtype 'string'"),
    "dtype-object": (edit("data_type", value={"name": "struct"}), "dtype"),
    "group-inside": (edit("node_type", value="group"), "not a Zarr v3 array"),
    "no-document": (edit("codecs", value=None), "codecs"),
    "foreign-codec": (edit("codecs", 1, "name", value="numcodecs.lzma"), "codecs"),
    "transpose": (edit("codecs", 0, "name", value="transpose"), "codecs"),
    "keys": (edit("chunk_key_encoding", "name", value="v2"), "chunk grid or keys"),
    "separator": (
        edit("chunk_key_encoding", "configuration", "separator", value="."),
        "chunk keys",
    ),
    "nested-shards": (sharded(codecs=[{"name": "sharding_indexed"}]), "codecs"),
    "uneven-shards": (sharded(chunk_shape=[3]), "whole chunks"),
    "index-codecs": (sharded(index_codecs=[{"name": "bytes"}, {"name": "blosc"}]), "shard index"),
    "missing-chunk": (lambda m: m.pop("x/c/0"), "chunk 0 of 1 is missing"),
    "missing-document": (lambda m: m.pop("x/zarr.json"), "no zarr.json of its own"),
}


@pytest.mark.parametrize(("change", "match"), HOSTILE.values(), ids=HOSTILE)
def test_a_scan_of_another_layout_is_refused(tmp_path: Path, change, match):
    write_scan(tmp_path / "s", tiny(), 4)
    data = rewritten(tmp_path / "s", change)
    with pytest.raises(IntegrityError, match=match):
        Scan(Counted(data), len(data))


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.update({"x/c/0": b"garbage"}),
        lambda members: members.update({"x/c/0": b""}),
        lambda members: members.update({"label/c/0": b"\x28\xb5\x2f\xfd" + bytes(20)}),
        edit("codecs", 1, "configuration", value={"cname": "none"}),
        edit("fill_value", value="text"),
    ],
    ids=["garbage", "empty", "zstd", "codec-settings", "fill-value"],
)
def test_bytes_that_cannot_be_decoded_are_one_clear_error(tmp_path: Path, change):
    write_scan(tmp_path / "s", tiny(), 4)
    data = rewritten(tmp_path / "s", change)
    scan = Scan(Counted(data), len(data))
    with pytest.raises(IntegrityError, match="cannot be decoded"):
        scan.read()


@pytest.mark.parametrize(
    ("name", "bomb"),
    [
        ("label", lambda: Zstd(3).encode(bytes(64 << 20))),
        ("x", lambda: Blosc("zstd", 3).encode(bytes(64 << 20))),
    ],
    ids=["zstd", "blosc"],
)
def test_a_chunk_that_declares_more_than_its_rows_costs_no_memory(tmp_path: Path, name, bomb):
    write_scan(tmp_path / "s", tiny(), 4)
    packed = bytes(bomb())
    assert len(packed) < 1 << 20
    data = rewritten(tmp_path / "s", lambda members: members.update({f"{name}/c/0": packed}))
    scan = Scan(Counted(data), len(data))
    tracemalloc.start()
    with pytest.raises(IntegrityError, match="chunk declares 67108864 bytes"):
        scan.read([name])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


def test_a_chunk_inside_a_shard_that_declares_more_is_refused(tmp_path: Path, small_chunks):
    path = written(tmp_path / "s", {"x": np.zeros(100)})

    def lie(members):
        shard = bytearray(members["x/c/0"])
        index = struct.unpack_from("<QQ", shard, len(shard) - 4 - 16 * layout_chunks(members))
        struct.pack_into("<I", shard, index[0] + 4, 1 << 30)
        members["x/c/0"] = bytes(shard)

    data = rewritten(path, lie)
    with pytest.raises(IntegrityError, match="chunk declares 1073741824 bytes"):
        Scan(Counted(data), len(data)).read()


def layout_chunks(members: dict[str, bytes]) -> int:
    document = json.loads(members["x/zarr.json"])
    rows = document["chunk_grid"]["configuration"]["chunk_shape"][0]
    return int(rows // document["codecs"][0]["configuration"]["chunk_shape"][0])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_791, 65_792, 5_000_000])
def test_the_declared_size_of_a_chunk_is_read_from_its_head(size):
    assert zstd_size(bytes(Zstd(3).encode(bytes(size)))[:18]) == size
    if size:
        assert blosc_size(bytes(Blosc("zstd", 3).encode(bytes(size)))[:18]) == size


@pytest.mark.parametrize("head", [b"", b"PK\x03\x04" + bytes(14), b"\x28\xb5\x2f\xfd" + bytes(14)])
def test_a_zstd_frame_without_a_size_is_refused(head):
    with pytest.raises(ValueError, match="zstd frame"):
        zstd_size(head)


def test_all_faults_come_at_once(tmp_path: Path):
    write_scan(tmp_path / "s", tiny(), 4)
    data = rewritten(tmp_path / "s", lambda m: (m.pop("x/c/0"), m.pop("label/zarr.json")))
    with pytest.raises(IntegrityError) as caught:
        Scan(Counted(data), len(data))
    assert {fault.pointer for fault in caught.value.faults} == {"x", "label"}


def test_too_many_chunks_in_a_shard_are_refused(tmp_path: Path, monkeypatch, small_chunks):
    path = written(tmp_path / "s", {"x": np.zeros(100)})
    open_scan(path).close()
    monkeypatch.setattr(layout, "MOST_CHUNKS_PER_SHARD", 3)
    with pytest.raises(IntegrityError, match="at most 3"):
        open_scan(path)


def test_importing_does_not_import_zarr_or_xarray():
    code = "import sys, limen.scan; print({'zarr', 'xarray', 'numcodecs'} & set(sys.modules))"
    root = Path(__file__).parents[1] / "toolkit"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "set()"
