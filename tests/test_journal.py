"""A draft changes whole or not at all, whatever kills the writer and wherever the disk ends."""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from limen import journal, packing, resources
from limen.bundle import open_bundle
from limen.checking import check
from limen.errors import BundleNotFoundError, IntegrityError, SchemaError, StorageError

posix = pytest.mark.skipif(os.name != "posix", reason="locks and signals as POSIX has them")
KILLED = 77
NEW = "a new title"
SOURCE = """
id: toy
version: 1.0.0
title: Toy
tables:
  - name: scan
    columns:
      - {name: m, role: parameter, unit: GeV}
      - {name: g, role: parameter, unit: "1"}
read:
  - files: [data.csv]
"""


class PowerCut:
    """
    End this process at its n-th change of the file system, before the change is made.

    What was written and not synchronised by then is lost, as on a disk whose power goes.
    """

    def __init__(self, step: int, folder: Path) -> None:
        self.step, self.folder, self.count = step, folder, 0
        self.unsafe: set[tuple[int, int]] = set()
        self.opened: list[str] = []
        self.fsync = os.fsync
        os.fsync = self.synchronise
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        changes = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.truncate")
        writing = event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if (event in changes or writing) and str(self.folder) in str(arguments[0]):
            self.tick()
            if writing:
                self.opened.append(str(arguments[0]))

    def synchronise(self, handle: int) -> None:
        self.tick()
        self.fsync(handle)
        self.unsafe.discard(identity(os.fstat(handle)))

    def tick(self) -> None:
        for path in self.opened:
            if os.path.exists(path):
                self.unsafe.add(identity(os.stat(path)))
        self.opened.clear()
        self.count += 1
        if self.count == self.step:
            self.step = -1
            for path in self.folder.rglob("*"):
                if path.is_file() and identity(path.stat()) in self.unsafe:
                    os.truncate(path, path.stat().st_size // 2)
            os._exit(KILLED)


def identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def edit(path: Path) -> None:
    with open_bundle(path).edit() as change:
        change.manifest["title"] = NEW
        change.write("notes.txt", "attachment", b"new " * 5000)
        change.write("more.txt", "attachment", b"more")


def edit_until_the_power_is_cut(path: Path, step: int) -> None:
    PowerCut(step, path.parent)
    edit(path)


def pack_until_the_power_is_cut(document: Path, path: Path, step: int) -> None:
    PowerCut(step, path.parent)
    packing.pack(document, path)


def serve(pipe: Connection, warm: list[tuple[Any, ...]]) -> None:
    """Run targets in children of this process, which has one thread and all it needs in memory."""
    for target, *arguments in warm:
        target(*arguments)
    for target, *arguments in iter(pipe.recv, None):
        child = os.fork()
        if child == 0:
            try:
                target(*arguments)
                os._exit(0)
            finally:
                os._exit(1)
        pipe.send(child)
        pipe.send(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


class Children:
    """Children of a warm process."""

    def __init__(self, warm: list[tuple[Any, ...]]) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, far = spawn.Pipe()
        self.process = spawn.Process(target=serve, args=(far, warm), daemon=True)
        self.process.start()

    def start(self, *target: Any) -> int:
        self.pipe.send(target)
        return int(self.answer())

    def answer(self) -> Any:
        assert self.pipe.poll(60), "a child hangs"
        return self.pipe.recv()

    def run(self, *target: Any) -> int:
        self.start(*target)
        return int(self.answer())

    def close(self) -> None:
        self.pipe.send(None)
        self.process.join(10)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Give the path of a scan document with its CSV file."""
    folder = tmp_path_factory.mktemp("source")
    rows = "".join(f"{i},{i % 7}\n" for i in range(50))
    (folder / "data.csv").write_text("m,g\n" + rows)
    (folder / "scan.yaml").write_text(SOURCE)
    return folder / "scan.yaml"


@pytest.fixture(scope="module")
def original(source, tmp_path_factory):
    path = tmp_path_factory.mktemp("original") / "toy"
    with packing.pack(source, path).edit() as change:
        change.write("notes.txt", "attachment", b"old")
    return path


@pytest.fixture
def draft(original, tmp_path):
    return Path(shutil.copytree(original, tmp_path / "bundle"))


@pytest.fixture(scope="module")
def children(original, source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm")
    path = Path(shutil.copytree(original, folder / "bundle"))
    served = Children([(edit, path), (packing.pack, source, folder / "toy")])
    yield served
    served.close()


def state(path: Path) -> str:
    """Check the bundle and tell which of the two states it is in; neither is a failure."""
    bundle = open_bundle(path)
    report = check(bundle, complete=True)
    assert report.passed, report.faults
    assert not (path / journal.EDIT).exists()
    assert not (path / journal.COMMIT).exists()
    new = bundle.manifest["title"] == NEW
    notes = bundle.part("notes.txt").read_bytes()
    assert notes == (b"new " * 5000 if new else b"old")
    assert "more.txt" in bundle.manifest["files"] or not new
    assert NEW in (path / "README.md").read_text() or not new
    return "new" if new else "old"


@posix
def test_an_edit_cut_at_any_step_is_whole_or_not_made(children, draft, tmp_path):
    found = []
    for step in range(1, 200):
        path = tmp_path / f"cut{step}" / "bundle"
        shutil.copytree(draft, path)
        code = children.run(edit_until_the_power_is_cut, path, step)
        assert code in (0, KILLED)
        found.append(state(path))
        shutil.rmtree(path.parent)
        if code == 0:
            break
    assert code == 0
    assert len(found) > 20
    switch = found.index("new")
    assert set(found[:switch]) == {"old"}
    assert set(found[switch:]) == {"new"}
    assert switch < len(found) - 2


def edit_and_edit_back(path: Path) -> None:
    while True:
        edit(path)
        with open_bundle(path).edit() as change:
            change.manifest["title"] = "an old title"
            change.write("notes.txt", "attachment", b"old")


@posix
@pytest.mark.parametrize("seed", range(15))
def test_an_edit_killed_at_a_random_moment_is_whole_or_not_made(children, draft, seed):
    child = children.start(edit_and_edit_back, draft)
    time.sleep(random.Random(seed).uniform(0.0, 0.15))
    os.kill(child, signal.SIGKILL)
    assert children.answer() == -signal.SIGKILL
    state(draft)


@posix
def test_a_pack_cut_at_any_step_leaves_no_bundle_and_does_not_hinder_the_next(
    children, source, tmp_path
):
    path = tmp_path / "toy"
    for step in range(1, 400):
        code = children.run(pack_until_the_power_is_cut, source, path, step)
        if code == 0:
            break
        assert code == KILLED
        assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] in ([], ["toy"])
        if path.exists():
            assert check(path, complete=True).passed
            shutil.rmtree(path)
    assert step > 20
    assert check(path, complete=True).passed
    assert [p.name for p in tmp_path.iterdir()] == ["toy"]


@posix
def test_a_second_editor_is_refused(children, draft):
    with open_bundle(draft).edit() as change:
        change.manifest["title"] = NEW
        second = open_bundle(draft)
        with (
            pytest.raises(StorageError, match="another process is editing this bundle; wait"),
            second.edit(),
        ):
            pass
        assert second.manifest["title"] != NEW
    assert open_bundle(draft).manifest["title"] == NEW


@posix
def test_a_reader_beside_a_writer_sees_the_old_or_the_new_state(children, draft):
    child = children.start(edit_and_edit_back, draft)
    titles = set()
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        titles.add(open_bundle(draft).manifest["title"])
    alive = not children.pipe.poll()
    os.kill(child, signal.SIGKILL)
    assert alive, "a reader disturbed the writer"
    assert children.answer() == -signal.SIGKILL
    assert NEW in titles
    assert len(titles) >= 2


def committed(path: Path) -> Path:
    """Leave a change at the moment after its commit point."""
    finish = journal._finish
    journal._finish = lambda folder: (_ for _ in ()).throw(KeyboardInterrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            edit(path)
    finally:
        journal._finish = finish
    assert (path / journal.COMMIT / "bundle.json").is_file()
    return path


def listing(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@pytest.fixture
def protect(monkeypatch):
    """Make every folder one that may not be written; root may write to all that chmod protects."""
    access = os.access

    def protected() -> None:
        monkeypatch.setattr(os, "access", lambda p, mode: mode != os.W_OK and access(p, mode))

    return protected


def test_a_read_only_folder_is_read_through_its_commit(draft, protect):
    before = listing(committed(draft))
    protect()
    bundle = open_bundle(draft)
    assert bundle.manifest["title"] == NEW
    assert bundle.part("notes.txt").read_bytes() == b"new " * 5000
    assert check(bundle, complete=True).passed
    assert listing(draft) == before


def test_a_read_only_folder_keeps_an_unfinished_edit_out_of_sight(draft, protect):
    protect()
    (draft / journal.EDIT).mkdir()
    (draft / journal.EDIT / "bundle.json").write_text("{")
    assert check(open_bundle(draft), complete=True).passed


def test_a_folder_that_may_not_be_written_is_not_edited(draft, protect):
    before = listing(draft)
    protect()
    with pytest.raises(StorageError, match="permission denied; change the permissions"):
        edit(draft)
    assert listing(draft) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_protected_folder_is_not_edited(draft):
    draft.chmod(0o555)
    try:
        with pytest.raises(StorageError, match="permission denied"):
            edit(draft)
        assert check(draft, complete=True).passed
    finally:
        draft.chmod(0o755)


def test_who_opens_a_folder_with_a_commit_finishes_it(draft):
    assert state(committed(draft)) == "new"


def test_an_unfinished_edit_is_discarded(draft):
    (draft / journal.EDIT).mkdir()
    (draft / journal.EDIT / "bundle.json").write_text("{")
    assert state(draft) == "old"


@pytest.mark.parametrize("name", [journal.COMMIT, journal.EDIT])
def test_a_link_in_place_of_the_journal_is_not_followed(draft, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.txt").write_text("mine")
    (elsewhere / "bundle.json").write_text("{}")
    (draft / name).symlink_to(elsewhere)
    assert open_bundle(draft).manifest["title"] == "Toy"
    assert (elsewhere / "precious.txt").read_text() == "mine"
    assert not check(draft).passed


def test_a_change_that_breaks_the_schema_is_not_made(draft):
    before = listing(draft)
    bundle = open_bundle(draft)

    def misuse() -> None:
        with bundle.edit() as change:
            change.manifest["version"] = "one"
            change.write("notes.txt", "attachment", b"new")

    with pytest.raises(SchemaError, match="/version"):
        misuse()
    assert listing(draft) == before
    assert bundle.manifest["version"] == "1.0.0"


def test_an_error_in_the_middle_of_an_edit_changes_nothing(draft):
    before = listing(draft)

    def fail() -> None:
        with open_bundle(draft).edit() as change:
            change.write("notes.txt", "attachment", b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert listing(draft) == before


def test_an_edit_on_a_full_disk_changes_nothing(small_disk, original):
    place = small_disk(300)
    path = Path(shutil.copytree(original, place / "bundle"))
    before = listing(path)
    bundle = open_bundle(path)
    with pytest.raises(StorageError, match="the disk is full; free space"), bundle.edit() as change:
        change.write("big.bin", "attachment", b"x" * 400_000)
    assert listing(path) == before
    assert check(path, complete=True).passed
    edit(path)
    assert open_bundle(path).manifest["title"] == NEW


def test_a_pack_on_a_full_disk_leaves_nothing(small_disk, source):
    place = small_disk(8)
    with pytest.raises(StorageError, match=r"disk is full|cannot be written"):
        packing.pack(source, place / "toy")
    assert list(place.iterdir()) == []


@pytest.fixture(params=[errno.ENOSPC, errno.EDQUOT, errno.EIO], ids=errno.errorcode.get)
def break_disk(request, monkeypatch):
    """Let every file that is opened for writing below a folder fail, from the n-th on."""
    opened, number = io.open, request.param

    def from_now(folder: Path, step: int) -> None:
        calls = iter(range(1, 10_000))

        def failing(file, mode="r", *more, **options):
            if "r" not in mode and str(folder) in str(file) and next(calls) >= step:
                raise OSError(number, os.strerror(number), str(file))
            return opened(file, mode, *more, **options)

        monkeypatch.setattr(io, "open", failing)

    return from_now


CLEAR = r"; (free space|choose another|give a new file)"


@pytest.mark.parametrize("step", range(1, 8))
def test_a_pack_on_a_disk_that_fails_leaves_nothing(source, tmp_path, break_disk, step):
    break_disk(tmp_path, step)
    with pytest.raises(StorageError, match=CLEAR):
        packing.pack(source, tmp_path / "toy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", range(1, 6))
def test_an_edit_on_a_disk_that_fails_changes_nothing(draft, break_disk, step):
    before = listing(draft)
    break_disk(draft, step)
    with pytest.raises(StorageError, match=CLEAR):
        edit(draft)
    assert listing(draft) == before
    assert check(draft, complete=True).passed


def test_a_disk_that_fails_after_the_commit_point_does_not_lose_the_change(draft, monkeypatch):
    def failing(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing)
        with pytest.raises(StorageError, match="the change is made, but"):
            edit(draft)
    assert state(draft) == "new"


def test_a_new_folder_takes_no_place_that_is_taken(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.tex").write_text("mine")
    place = journal.new_folder(tmp_path / "there")
    with pytest.raises(StorageError, match="there is something here already"), place:
        pass
    assert (tmp_path / "there" / "thesis.tex").read_text() == "mine"


def test_a_new_folder_takes_an_empty_one(tmp_path):
    (tmp_path / "empty").mkdir()
    with journal.new_folder(tmp_path / "empty") as folder:
        (folder / "file").write_text("content")
    assert listing(tmp_path) == {"empty/file": b"content"}


def test_a_new_folder_does_not_empty_what_a_link_points_to(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("mine")
    (tmp_path / ".toy.new").symlink_to(tmp_path / "home")
    with pytest.raises(StorageError, match="found a link"), journal.new_folder(tmp_path / "toy"):
        pass
    assert (tmp_path / "home" / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("place", ["file/toy", "/proc/none/toy"], ids=["below a file", "in /proc"])
def test_a_place_that_cannot_be_one_is_a_clear_error(tmp_path, source, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="another place"):
        packing.pack(source, tmp_path / place)


def test_two_packers_of_one_place_do_not_meet(source, tmp_path):
    first = journal.new_folder(tmp_path / "toy")
    with first, pytest.raises(StorageError, match="another process is writing it"):
        packing.pack(source, tmp_path / "toy")
    assert (tmp_path / "toy").is_dir()


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path):
    with pytest.raises(BundleNotFoundError, match=r"no bundle\.json here"):
        open_bundle(tmp_path)
    with pytest.raises(BundleNotFoundError, match="no such folder"):
        open_bundle(tmp_path / "nowhere")


def test_a_manifest_that_is_a_link_is_refused(draft, tmp_path):
    (draft / "bundle.json").rename(tmp_path / "bundle.json")
    (draft / "bundle.json").symlink_to(tmp_path / "bundle.json")
    with pytest.raises(IntegrityError, match="found a link"):
        open_bundle(draft)


def test_a_lock_needs_no_file(tmp_path):
    with resources.folder_lock(tmp_path, wait=False) as held:
        assert held
        assert list(tmp_path.iterdir()) == []


def test_the_manifest_is_moved_last(draft, monkeypatch):
    moved, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (moved.append(Path(b).name), replace(a, b)))
    edit(draft)
    assert moved[-1] == "bundle.json"
    assert {"notes.txt", "more.txt", "README.md"} <= set(moved[:-1])
