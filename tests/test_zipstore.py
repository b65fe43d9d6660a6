"""The stored zip: what is written, what is read of it, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import io
import struct
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limen.errors import IntegrityError, StorageError, UsageError
from limen.zipstore import (
    ZipWriter,
    check_headers,
    directory,
    file_reader,
    open_store,
    read_directory,
    writer,
)

MEMBERS = {"a/c/0": b"0123456789", "a/c/1": b"", "a/zarr.json": b"{}", "zarr.json": b"{}\n"}


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with ZipWriter(stream) as out:
        for name in sorted(members):
            out.write(name, members[name])
    return stream.getvalue()


class Counted:
    """Bytes read by range, each request noted."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.requests: list[tuple[int, int]] = []

    def __call__(self, offset: int, length: int) -> bytes:
        self.requests.append((offset, length))
        return self.data[offset : offset + length]


def contents(data: bytes) -> dict[str, bytes]:
    members = read_directory(Counted(data), len(data))
    return {name: data[m.offset : m.offset + m.size] for name, m in members.items()}


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text("abcZ09_-é/", min_size=1, max_size=8).filter(
            lambda name: all(part for part in name.split("/"))
        ),
        st.binary(max_size=50),
        max_size=8,
    )
)
def test_what_is_written_is_read_back_here_and_by_python(members):
    data = zipped(members)
    assert contents(data) == members
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == members


def test_the_bytes_of_a_zip_never_change():
    digest = hashlib.sha256(zipped(MEMBERS)).hexdigest()
    assert digest == "d7c8487eb329a207e8d364a81c8be268405183de52054fde69172a51eaff012e"


def test_members_are_stored_and_dated_without_extra_fields():
    with zipfile.ZipFile(io.BytesIO(zipped(MEMBERS))) as archive:
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert (info.extra, info.flag_bits) == (b"", 0)
            assert info.external_attr >> 16 == 0o100644


def test_parts_of_a_member_are_joined():
    stream = io.BytesIO()
    with ZipWriter(stream) as out:
        out.write("a", [b"01", b"", b"2"])
    assert stream.getvalue() == zipped({"a": b"012"})


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("b", "written twice"),
        ("a", "sorted order"),
        ("../b", "bad name"),
        ("/b", "bad name"),
        ("b\\b", "bad name"),
        ("b\0", "bad name"),
        ("C:b", "bad name"),
        ("", "bad name"),
        ("x" * 65536, "longer"),
    ],
    ids=["twice", "unsorted", "parent", "absolute", "backslash", "nul", "drive", "empty", "long"],
)
def test_writing_refuses_names(name, match):
    out = ZipWriter(io.BytesIO())
    out.write("b", b"")
    with pytest.raises(UsageError, match=match):
        out.write(name, b"")


def test_writing_refuses_a_member_of_4_gib(monkeypatch):
    monkeypatch.setattr(writer, "LARGEST_MEMBER", 3)
    out = ZipWriter(io.BytesIO())
    out.write("a", b"012")
    with pytest.raises(UsageError, match="split it"):
        out.write("b", b"0123")


def test_a_failed_writer_leaves_no_directory():
    stream = io.BytesIO()
    with suppress(RuntimeError), ZipWriter(stream) as out:
        out.write("a", b"1")
        raise RuntimeError
    assert stream.getvalue()
    with pytest.raises(IntegrityError):
        contents(stream.getvalue())


@pytest.mark.parametrize(
    ("limit", "value"),
    [("LARGEST_OFFSET", 20), ("LARGEST_OFFSET", 0), ("LARGEST_COUNT", 3), ("LARGEST_COUNT", 4)],
    ids=["offsets", "every-size", "count", "count-just-below"],
)
def test_zip64_records_are_read_here_and_by_python(monkeypatch, limit, value):
    plain = zipped(MEMBERS)
    monkeypatch.setattr(writer, limit, value)
    data = zipped(MEMBERS)
    assert (data == plain) == (value == 4)
    assert contents(data) == MEMBERS
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS


def test_a_member_beyond_4_gib_is_read_here_and_by_python(tmp_path: Path):
    path = tmp_path / "sparse.zip"
    with path.open("wb") as stream, ZipWriter(stream) as out:
        out.write("a", b"near")
        stream.seek(5 << 30)
        out._offset = 5 << 30
        out.write("b", b"far")
    read, size = file_reader(path)
    members = read_directory(read, size)
    assert members["b"].offset > 5 << 30
    assert [read(m.offset, m.size) for m in members.values()] == [b"near", b"far"]
    read.close()
    with zipfile.ZipFile(path) as archive:
        assert (archive.read("a"), archive.read("b")) == (b"near", b"far")


def test_more_members_than_16_bits_count():
    members = {f"{number:05}": b"" for number in range(65540)}
    data = zipped(members)
    assert len(contents(data)) == 65540
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.namelist()) == 65540


@pytest.mark.parametrize(("count", "requests"), [(10, 1), (3000, 2)], ids=["small", "large"])
def test_the_directory_takes_one_request_or_two(count, requests):
    members = {f"column/c/{number}": bytes(100) for number in range(count)}
    read = Counted(zipped(members))
    assert len(read_directory(read, len(read.data))) == count
    assert len(read.requests) == requests
    assert read.requests[0][1] <= 65536
    ranges = sorted(read.requests)
    assert all(a + n <= b for (a, n), (b, _) in pairwise(ranges))


@pytest.mark.parametrize("twentieth", range(20))
def test_a_truncated_zip_is_refused(twentieth):
    data = zipped(MEMBERS)
    with pytest.raises(IntegrityError, match="get it again"):
        contents(data[: len(data) * twentieth // 20])


def test_a_file_that_shrinks_while_read_is_refused():
    data = zipped(MEMBERS)
    with pytest.raises(IntegrityError, match="truncated"):
        read_directory(Counted(data[:-5]), len(data))


def foreign(mode: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", mode) as archive:
        archive.comment = comment
        archive.writestr("folder/", b"")
        for name, data in MEMBERS.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = mode
            info.extra = struct.pack("<HHI", 0xCAFE, 4, 7) if name != "zarr.json" else b""
            archive.writestr(info, data)
    return stream.getvalue()


@pytest.mark.parametrize("comment", [b"", b"hello", b"PK\x05\x06" + bytes(30)])
def test_a_foreign_zip_with_extra_fields_folders_and_comment_is_read(comment):
    assert contents(foreign(comment=comment)) == MEMBERS


def unseekable() -> bytes:
    """Write a zip as Python does to a pipe: sizes stand behind the data."""

    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_):
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    stream = Unseekable()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in MEMBERS.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_a_foreign_zip_with_data_descriptors_is_read():
    assert contents(unseekable()) == MEMBERS


def test_a_compressed_zip_is_refused():
    with pytest.raises(IntegrityError, match="compressed, allowed stored"):
        contents(foreign(zipfile.ZIP_DEFLATED))


def end_of(data: bytes) -> int:
    return data.rindex(b"PK\x05\x06")


def entry_of(data: bytes, number: int) -> int:
    at = data.index(b"PK\x01\x02")
    for _ in range(number):
        at = data.index(b"PK\x01\x02", at + 4)
    return at


def patched(data: bytes, at: int, layout: str, *values: int) -> bytes:
    patch = struct.pack(layout, *values)
    return data[:at] + patch + data[at + len(patch) :]


def renamed(old: bytes, new: bytes) -> bytes:
    return zipped({"aaaa": b"1", "bbbb": b"2"}).replace(old, new)


ZIP = zipped(MEMBERS)
HOSTILE = {
    "duplicate": (renamed(b"bbbb", b"aaaa"), "found twice"),
    "parent": (renamed(b"aaaa", b"../a"), "bad name"),
    "absolute": (renamed(b"aaaa", b"/aaa"), "bad name"),
    "backslash": (renamed(b"aaaa", b"a\\aa"), "bad name"),
    "nul": (renamed(b"aaaa", b"a\0aa"), "bad name"),
    "drive": (renamed(b"aaaa", b"C:aa"), "bad name"),
    "control": (renamed(b"aaaa", b"a\x1baa"), "no control characters"),
    "link": (patched(ZIP, entry_of(ZIP, 0) + 38, "<L", 0o120777 << 16), "a link or a device"),
    "device": (patched(ZIP, entry_of(ZIP, 0) + 38, "<L", 0o020666 << 16), "a link or a device"),
    "not-utf8": (renamed(b"aaaa", b"\xff\xfeaa"), "broken directory"),
    "encrypted": (patched(ZIP, entry_of(ZIP, 0) + 8, "<H", 1), "encrypted"),
    "other-disk": (patched(ZIP, entry_of(ZIP, 0) + 34, "<H", 1), "disk 1"),
    "offset-outside": (patched(ZIP, entry_of(ZIP, 1) + 42, "<L", 10**6), "outside"),
    "offset-zip64-without-extra": (
        patched(ZIP, entry_of(ZIP, 1) + 42, "<L", 0xFFFFFFFF),
        "outside",
    ),
    "same-offset": (patched(ZIP, entry_of(ZIP, 2) + 42, "<L", 0), "overlaps"),
    "size-too-large": (patched(ZIP, entry_of(ZIP, 0) + 20, "<LL", 11, 11), "overlaps"),
    "several-disks": (patched(ZIP, end_of(ZIP) + 4, "<H", 1), "several disks"),
    "count-of-other-disks": (patched(ZIP, end_of(ZIP) + 8, "<H", 3), "several disks"),
    "absurd-count": (patched(ZIP, end_of(ZIP) + 8, "<HH", 60000, 60000), "60000 declared"),
    "absurd-directory": (patched(ZIP, end_of(ZIP) + 12, "<L", 2**31), "directory of"),
    "directory-elsewhere": (patched(ZIP, end_of(ZIP) + 16, "<L", 3), "directory of"),
    "broken-entry": (patched(ZIP, entry_of(ZIP, 1), "<L", 0), "broken directory"),
    "name-beyond-directory": (patched(ZIP, entry_of(ZIP, 3) + 28, "<H", 60000), "broken"),
    "appended": (ZIP + b"x", "no directory"),
    "prepended": (b"x" + ZIP, "directory of"),
    "empty": (b"", "too short"),
    "no-zip": (bytes(100), "no directory"),
}


@pytest.mark.parametrize(("data", "match"), HOSTILE.values(), ids=HOSTILE)
def test_a_broken_or_hostile_zip_is_refused(data, match):
    with pytest.raises(IntegrityError, match=match):
        contents(data)


@pytest.mark.parametrize(
    ("at", "layout", "value"),
    [
        (0, "<L", 0),
        (6, "<H", 1),
        (8, "<H", 8),
        (14, "<L", 1),
        (18, "<L", 1),
        (22, "<L", 1),
        (26, "<H", 1),
        (30, "<B", 0x62),
    ],
    ids=["signature", "encrypted", "compressed", "crc", "stored", "size", "length", "name"],
)
def test_a_header_that_differs_from_the_directory_is_refused(at, layout, value):
    data = patched(ZIP, at, layout, value)
    with pytest.raises(IntegrityError, match="a/c/0: its header and the directory differ"):
        check_headers(Counted(data), len(data))


@pytest.mark.parametrize("data", [ZIP, unseekable(), foreign()], ids=["ours", "pipe", "foreign"])
def test_headers_of_whole_zips_agree_with_the_directory(data):
    check_headers(Counted(data), len(data))


@pytest.mark.parametrize("at", [4, 12, 24, 32, 40, 48], ids=lambda at: f"byte-{at}")
def test_a_broken_zip64_record_is_refused(monkeypatch, at):
    monkeypatch.setattr(writer, "LARGEST_COUNT", 1)
    data = zipped(MEMBERS)
    record = data.rindex(b"PK\x06\x06")
    with pytest.raises(IntegrityError):
        contents(patched(data, record + at, "<Q", 2**63) if at > 4 else data[:record])


def test_a_size_smaller_than_the_gap_reads_the_local_header():
    data = patched(ZIP, entry_of(ZIP, 0) + 20, "<LL", 9, 9)
    assert contents(data)["a/c/0"] == b"012345678"
    broken = patched(data, 0, "<L", 0)
    with pytest.raises(IntegrityError, match="local header"):
        contents(broken)


def test_the_directory_is_bounded_before_memory_is_taken(monkeypatch):
    monkeypatch.setattr(directory, "LARGEST_DIRECTORY", 100)
    read = Counted(zipped({f"{number:04}": b"" for number in range(3000)}))
    with pytest.raises(IntegrityError, match="exceeds 100"):
        read_directory(read, len(read.data))
    assert len(read.requests) == 1


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(ZIP) - 1), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_harmless(at, change):
    data = ZIP[:at] + bytes([ZIP[at] ^ change]) + ZIP[at + 1 :]
    try:
        members = read_directory(Counted(data), len(data))
    except IntegrityError:
        return
    assert all(member.offset + member.size <= len(data) for member in members.values())


def test_a_local_file_is_read_from_several_threads(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 100)
    read, size = file_reader(path)
    wrong: list[int] = []

    def check(first: int) -> None:
        for offset in range(first, size - 256, 199):
            if read(offset, 3) != bytes((offset + i) % 256 for i in range(3)):
                wrong.append(offset)

    threads = [threading.Thread(target=check, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (size, wrong) == (25600, [])
    assert read(size - 2, 10) == b"\xfe\xff"
    read.close()
    with pytest.raises(UsageError, match="closed already"):
        read(0, 1)


def test_a_local_file_is_read_where_pread_is_missing(tmp_path: Path, monkeypatch):
    (tmp_path / "file").write_bytes(b"0123456789")
    read, _ = file_reader(tmp_path / "file")
    monkeypatch.delattr("os.pread")
    assert (read(7, 2), read(1, 3), read(9, 5)) == (b"78", b"123", b"9")
    read.close()


def test_a_missing_file_is_one_clear_error(tmp_path: Path):
    with pytest.raises(StorageError, match="cannot be read"):
        file_reader(tmp_path / "none")


def run(coroutine):
    return asyncio.run(coroutine)


async def listed(iterator) -> list[str]:
    return [name async for name in iterator]


def test_the_zarr_store_reads_exactly_the_range_asked_for():
    from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
    from zarr.core.buffer import default_buffer_prototype

    read = Counted(ZIP)
    store = open_store(read, len(ZIP))
    prototype = default_buffer_prototype()
    wanted = {
        None: b"0123456789",
        RangeByteRequest(2, 5): b"234",
        RangeByteRequest(8, 50): b"89",
        RangeByteRequest(50, 60): b"",
        OffsetByteRequest(7): b"789",
        SuffixByteRequest(4): b"6789",
        SuffixByteRequest(40): b"0123456789",
    }
    for request, expected in wanted.items():
        read.requests.clear()
        found = run(store.get("a/c/0", prototype, request))
        assert found is not None
        assert found.to_bytes() == expected
        assert sum(length for _, length in read.requests) == len(expected)
    parts = run(
        store.get_partial_values(prototype, [("a/c/0", RangeByteRequest(0, 1)), ("x", None)])
    )
    assert (parts[0].to_bytes(), parts[1]) == (b"0", None)


def test_the_zarr_store_lists_and_refuses_to_write():
    from zarr.core.buffer import default_buffer_prototype

    store = open_store(Counted(ZIP), len(ZIP))
    assert run(listed(store.list())) == sorted(MEMBERS)
    assert run(listed(store.list_prefix("a/c/"))) == ["a/c/0", "a/c/1"]
    assert run(listed(store.list_dir(""))) == ["a", "zarr.json"]
    assert run(listed(store.list_dir("a"))) == ["c", "zarr.json"]
    assert run(listed(store.list_dir("a/c/"))) == ["0", "1"]
    assert run(store.exists("a/c/0"))
    assert not run(store.exists("a/c"))
    assert store.read_only
    with pytest.raises(ValueError, match="read-only"):
        run(store.set("b", default_buffer_prototype().buffer.from_bytes(b"")))
    with pytest.raises(ValueError, match="read-only"):
        run(store.delete("a/c/0"))


def test_a_changed_member_is_refused_when_read_whole():
    from zarr.core.buffer import default_buffer_prototype

    data = ZIP.replace(b"0123456789", b"0123456780")
    store = open_store(Counted(data), len(data), where="scan.zarr.zip")
    with pytest.raises(IntegrityError, match=r"scan\.zarr\.zip a/c/0: bytes changed"):
        run(store.get("a/c/0", default_buffer_prototype()))


def test_importing_does_not_import_zarr():
    code = "import sys, limen.zipstore; print({'zarr', 'xarray'} & set(sys.modules))"
    root = Path(__file__).parents[1] / "toolkit"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert out.stdout.strip() == "set()"
