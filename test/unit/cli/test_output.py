import os
import re

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


def test_written_files_remain_after_a_failure(tmp_path):
    def fails_late():
        with output_folder(tmp_path / "out", "fly") as folder:
            (folder / "results.json").write_text("{}")
            raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        fails_late()
    assert (tmp_path / "out" / "results.json").exists()
