import errno
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from liquid_control.errors import OutputError
from liquid_control.files import atomic_folder, atomic_write, full_disk_error, move_to_free

pytestmark = pytest.mark.unit


@pytest.fixture
def dead() -> int:
    """Return the id of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture
def full_disk(monkeypatch):
    """Make every write in bytes fail halfway, as on a full disk."""
    write = Path.write_bytes

    def fail(path, data):
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fail)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("zwölf\n", "zwölf\n".encode()),
        (b"\x00\xff", b"\x00\xff"),
        (lambda partial: partial.write_text("own"), b"own"),
    ],
)
def test_text_bytes_and_a_function_are_written(tmp_path, content, expected):
    assert atomic_write(tmp_path / "file", content) == tmp_path / "file"
    assert (tmp_path / "file").read_bytes() == expected
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_parents_are_created_on_request_only(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    with pytest.raises(OutputError, match=r"b/file: cannot be written \(No such file or direc"):
        atomic_write(path, "text")
    assert list(tmp_path.iterdir()) == []
    atomic_write(path, "text", parents=True)
    assert path.read_text() == "text"


def test_a_parent_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/x/y: cannot be written \(Not a directory\)"):
        atomic_write(tmp_path / "file" / "x" / "y", "text", parents=True)


def test_partial_files_of_killed_writers_to_the_same_path_are_removed(tmp_path, dead):
    file, other = tmp_path / "flight[1].npz", tmp_path / "flight[2].npz"
    remains = [path.with_name(f".{path.name}.{dead}.partial") for path in (file, other)]
    living = file.with_name(f".{file.name}.{os.getppid()}.partial")
    unrelated = file.with_name(f".{file.name}.mine.partial")
    for path in (*remains, living, unrelated):
        path.touch()
    atomic_write(file, "whole")
    assert file.read_text() == "whole"
    assert set(tmp_path.iterdir()) == {file, remains[1], living, unrelated}


def test_partial_files_of_a_zombie_are_removed(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not reaped
    remains = tmp_path / f".file.{child.pid}.partial"
    remains.touch()
    atomic_write(tmp_path / "file", "new")
    assert not remains.exists()
    assert child.wait() == 0


def test_a_failed_write_keeps_the_old_file(tmp_path):
    file = tmp_path / "flight.npz"
    atomic_write(file, "before")

    def fail(partial):
        partial.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"flight\.npz: cannot be written \(No space left"):
        atomic_write(file, fail)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_other_errors_pass_and_keep_the_old_file(tmp_path):
    file = atomic_write(tmp_path / "file", "before")

    def fail(partial):
        partial.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_write(file, fail)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_is_named(tmp_path, full_disk):
    (tmp_path / "file").write_text("before")
    with pytest.raises(OutputError, match=r"file: cannot be written \(No space left on device\)"):
        atomic_write(tmp_path / "file", b"after")
    assert (tmp_path / "file").read_text() == "before"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_really_full_disk_is_named_and_the_old_file_kept(small_disk):
    atomic_write(small_disk / "file", "before")
    with pytest.raises(OutputError, match=r"file: cannot be written \(No space left on device\)"):
        atomic_write(small_disk / "file", bytes(1 << 20))
    assert (small_disk / "file").read_text() == "before"
    assert list(small_disk.iterdir()) == [small_disk / "file"]


def library_error():
    """Raise an error that a library made of the system's."""
    try:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/disk/cache")
    except OSError as error:
        raise RuntimeError("cannot pickle the function") from error


def sqlite3_full():
    raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize(
    ("work", "named"),
    [
        (library_error, "/disk/cache"),
        (sqlite3_full, "a file or standard output"),
        (lambda: os.write(os.open("/dev/full", os.O_WRONLY), b"x"), "a file or standard output"),
        (lambda: os.stat("/nowhere"), None),
        (lambda: 1 / 0, None),
    ],
)
def test_a_full_disk_is_recognised_whatever_reports_it(work, named, monkeypatch):
    monkeypatch.setattr("liquid_control.files.has_no_space", lambda place: False)
    try:
        work()
    except Exception as error:
        found = full_disk_error(error)
    expected = None if named is None else f"{named}: cannot be written (No space left on device)"
    assert (None if found is None else str(found)) == expected


def test_the_full_disk_is_named_where_the_error_names_no_file(small_disk, monkeypatch):
    monkeypatch.chdir(small_disk)
    with suppress(OSError):
        Path("filling").write_bytes(bytes(1 << 20))
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(full_disk_error(error)).startswith(
        f"disk of {small_disk}: cannot be written (No space"
    )


def test_concurrent_writers_leave_one_whole_file(tmp_path):
    contents = [bytes([number]) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda content: atomic_write(tmp_path / "file", content), contents * 10))
    assert (tmp_path / "file").read_bytes() in contents
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_folder_replaces_the_older_one(tmp_path):
    folder = atomic_folder(tmp_path / "models" / "demo", {"a": b"1", "b": b"2"})
    atomic_folder(folder, {"a": b"3"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a": b"3"}
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_on_a_full_disk_keeps_the_older_one(tmp_path, full_disk):
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "a").write_text("before")
    with pytest.raises(OutputError, match=r"demo: cannot be written \(No space left on device\)"):
        atomic_folder(folder, {"a": b"after"})
    assert (folder / "a").read_text() == "before"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_that_cannot_be_renamed_keeps_the_older_one(tmp_path, monkeypatch):
    folder = atomic_folder(tmp_path / "demo", {"a": b"before"})
    rename = Path.rename

    def refuse(path, target):
        if ".partial-" in path.name and not path.name.endswith(".old"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match=r"demo: cannot be written \(Input/output error\)"):
        atomic_folder(folder, {"a": b"after"})
    assert (folder / "a").read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("links", [True, False])
def test_a_finished_file_never_overwrites(tmp_path, monkeypatch, kind, links):
    def refuse(source, target):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    partial, path = tmp_path / "partial", tmp_path / "path"
    partial.touch() if kind == "file" else partial.mkdir()
    path.write_text("before")
    with pytest.raises(OutputError, match=r"path: exists already; the new one is .*partial$"):
        move_to_free(partial, path)
    assert path.read_text() == "before"
    path.unlink()
    move_to_free(partial, path)
    assert path.is_dir() == (kind == "folder")
    assert list(tmp_path.iterdir()) == [path]
