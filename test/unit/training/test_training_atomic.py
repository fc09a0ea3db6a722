import os
import subprocess
import sys

import pytest

from liquid_control.errors import OutputError
from liquid_control.files import write_text, write_whole

pytestmark = pytest.mark.unit


@pytest.fixture
def dead() -> int:
    """Return the number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_what_killed_processes_left_of_the_same_file_goes(tmp_path, dead):
    file, other = tmp_path / "flight[1].npz", tmp_path / "flight[2].npz"
    remains = [path.with_name(f".{path.name}.{dead}.partial") for path in (file, other)]
    living = file.with_name(f".{file.name}.{os.getppid()}.partial")
    for path in (*remains, living):
        path.touch()
    write_text(file, "whole")
    assert file.read_text() == "whole"
    assert set(tmp_path.iterdir()) == {file, remains[1], living}


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    file = tmp_path / "flight.npz"
    write_text(file, "before")

    def fail(partial):
        partial.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"flight\.npz: cannot be written \(No space left"):
        write_whole(file, fail)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]
