"""The package as colcon installs it, from a copy of the sources."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rclpy

from liquid_control.stall_timer import StallTimer, cpu_time_s

from .conftest import LIMIT_S

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("liquid_control", "sim", "config", "launch", "models", "resource")
FILES = ("package.xml", "setup.py", "setup.cfg", "pyproject.toml", "LICENSE", "MANIFEST.in")
EXECUTABLES = Path("install/liquid_control/lib/liquid_control")
DOMAIN = 71

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.fixture(scope="module", params=["copied", "symlinked"])
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a workspace with colcon."""
    workspace = tmp_path_factory.mktemp(request.param)
    source = workspace / "src" / "liquid_control"
    generated = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=generated)
    for file in FILES:
        shutil.copy(ROOT / file, source)
    command = [sys.executable, "-m", "colcon", "build"]
    if request.param == "symlinked":
        command.append("--symlink-install")
    built = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "1 package finished" in built.stdout
    return workspace


def start(workspace: Path, *command: str) -> "subprocess.Popen[str]":
    """Start a command in a shell that has sourced the workspace."""
    script = f"source install/setup.bash && exec {shlex.join(command)}"
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(DOMAIN),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    environment.pop("PYTHONPATH", None)
    return subprocess.Popen(
        ["bash", "-c", script],
        cwd=workspace,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: "subprocess.Popen[str]", timeout_s: float) -> str:
    output, _ = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, output
    return output


def test_installed_code_finds_its_data_files(workspace: Path) -> None:
    program = (
        "import liquid_control, liquid_control_sim; "
        "from liquid_control.config import project_file; "
        "print(liquid_control.__file__, liquid_control_sim.__file__, sep='\\n'); "
        "print(project_file('config/scenarios/trail.yaml'))"
    )
    output = finish(start(workspace, sys.executable, "-c", program), timeout_s=60.0)
    places = [Path(line).resolve() for line in output.split()]
    assert len(places) == 3
    assert all(workspace.resolve() in place.parents for place in places), output


def test_command_line_starts(workspace: Path) -> None:
    command = str(EXECUTABLES / "liquid-control")
    output = finish(start(workspace, command, "fly", "--help"), timeout_s=60.0)
    assert "--scenario" in output


def test_the_guard_joins_the_graph_and_ends_on_a_signal(workspace: Path) -> None:
    process = start(workspace, str(EXECUTABLES / "guard_node"))
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    try:
        observer = rclpy.create_node("observer", context=context)
        timer = StallTimer(LIMIT_S, lambda: cpu_time_s([process.pid]))
        names: list[str] = []
        while not any("guard" in name for name in names) and not timer.expired():
            time.sleep(0.1)
            names = observer.get_node_names()
        observer.destroy_node()
        assert any("guard" in name for name in names), names
    finally:
        rclpy.shutdown(context=context)
        process.send_signal(signal.SIGTERM)
    finish(process, timeout_s=3.0)
