import errno
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from liquid_control.cli.output import output_folder
from liquid_control.errors import OutputError

pytestmark = pytest.mark.unit


def test_default_folder_has_time_and_command_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with output_folder(None, "fly") as folder:
        assert folder.is_dir()
    assert re.fullmatch(r"runs/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-fly", str(folder))


def test_file_instead_of_folder_is_rejected(tmp_path):
    (tmp_path / "file").write_text("")
    message = "file: expected a folder that can be written to"
    with pytest.raises(OutputError, match=message), output_folder(tmp_path / "file", "fly"):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_rejected(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"), output_folder(tmp_path / "a", "x"):
        pass


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_empty_folder_is_removed_after_a_failure(tmp_path, failure):
    with pytest.raises(failure), output_folder(tmp_path / "out", "fly"):
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_parents_that_were_created_for_it_are_removed_with_it(tmp_path):
    (tmp_path / "kept").mkdir()
    with pytest.raises(ValueError), output_folder(tmp_path / "kept" / "a" / "b", "fly"):  # noqa: PT011
        raise ValueError
    assert list(tmp_path.rglob("*")) == [tmp_path / "kept"]


def test_two_commands_in_one_second_get_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with output_folder(None, "fly") as one, output_folder(None, "fly") as two:
        assert one != two


@pytest.mark.parametrize(
    ("resume", "advice"), [(None, "give another --out"), (False, "give --resume to go on, or an")]
)
def test_results_never_replace_results(tmp_path, resume, advice):
    (tmp_path / "results.json").write_text("{}")
    message = f"holds results.json of an earlier command, .*; {advice}"
    folder = output_folder(tmp_path, "x", ("rows.jsonl", "results.json"), resume=resume)
    with pytest.raises(OutputError, match=message), folder:
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    with output_folder(tmp_path, "x", ("results.json",), resume=True):
        pass


HOLDER = """
import sys, time
from pathlib import Path
from liquid_control.cli.output import output_folder
sys.argv = ["liquid-control", "evaluate", "--model", "expert"]
with output_folder(Path(sys.stdin.readline().strip()), "evaluate"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_command_is_refused_at_once_and_the_first_named_until_its_process_ends(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        holder.stdin.write(f"{tmp_path}\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        message = (
            rf"in use by `liquid-control evaluate --model expert` \(process {holder.pid} on .*, "
            r"started \d{4}-\d\d-\d\dT.*Z\); wait for it, or give another --out"
        )
        began_s = time.monotonic()
        for resume in (None, True):
            with (
                pytest.raises(OutputError, match=message),
                output_folder(tmp_path, "train", resume=resume),
            ):
                pass
        assert time.monotonic() - began_s < 1.0
        assert (tmp_path / ".lock").exists()
    finally:
        holder.kill()
        holder.communicate()
    with output_folder(tmp_path, "train"):
        assert json.loads((tmp_path / ".lock").read_text())["process"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_announced(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with output_folder(tmp_path, "x"):
        pass
    assert "its file system has no locks (No locks available)" in capsys.readouterr().err


def test_a_full_disk_is_named_before_the_work(small_disk):
    fill(small_disk)
    with (
        pytest.raises(OutputError, match=r"--out .*folder that can be written to \(No space left"),
        output_folder(small_disk / "a", "x"),
    ):
        pass
    assert [path.name for path in small_disk.iterdir()] == ["filling"]


def fill(folder):
    with suppress(OSError), (folder / "filling").open("wb") as file:
        while True:
            file.write(bytes(1 << 12))
            file.flush()


def test_written_files_remain_after_a_failure(tmp_path):
    def fails_late():
        with output_folder(tmp_path / "out", "fly") as folder:
            (folder / "results.json").write_text("{}")
            raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        fails_late()
    assert (tmp_path / "out" / "results.json").exists()
