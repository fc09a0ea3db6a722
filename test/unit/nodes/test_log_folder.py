import os
import subprocess
import sys

import pytest

from liquid_control.nodes.log_folder import ensure_log_folder

pytestmark = pytest.mark.unit

START = """
from liquid_control.nodes.log_folder import ensure_log_folder
import rclpy
ensure_log_folder()
rclpy.init(args=[])
rclpy.try_shutdown()
"""


@pytest.fixture
def environment(monkeypatch, tmp_path):
    for name in ("ROS_LOG_DIR", "ROS_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return monkeypatch


def test_a_home_folder_is_used(environment, tmp_path):
    environment.setenv("HOME", str(tmp_path))
    ensure_log_folder()
    assert "ROS_LOG_DIR" not in os.environ


@pytest.mark.parametrize("home", [None, "", "/proc/none"])
def test_without_a_home_folder_logs_go_to_a_temporary_one(environment, tmp_path, home):
    if home is not None:
        environment.setenv("HOME", home)
    environment.setenv("ROS_LOG_DIR", "")
    ensure_log_folder()
    assert os.environ["ROS_LOG_DIR"].startswith(str(tmp_path / "temporary"))


def test_a_chosen_folder_is_kept(environment):
    environment.setenv("ROS_LOG_DIR", "/chosen")
    ensure_log_folder()
    assert os.environ["ROS_LOG_DIR"] == "/chosen"


@pytest.mark.parametrize("home", [None, "/proc/none"])
def test_a_node_starts_without_a_home_folder(home):
    pytest.importorskip("rclpy")
    kept = {name: value for name, value in os.environ.items() if name not in ("HOME", "ROS_HOME")}
    kept.pop("ROS_LOG_DIR", None)
    kept |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    kept |= {} if home is None else {"HOME": home}
    command = [sys.executable, "-c", START]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
