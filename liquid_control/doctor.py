"""What doctor checks: each finding is one line, with the command that mends it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from liquid_control.config.locations import project_file
from liquid_control.dependencies import install_command
from liquid_control.errors import LiquidControlError

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe said.

    Attributes:
        ok: whether it ended well.
        said: its last line of output, or else of errors, or how it ended.
    """

    ok: bool
    said: str


SOURCES: Mapping[str, str] = {
    "flight": """
import numpy, cv2, yaml, pydantic, rosbags, importlib.metadata as m, onnxruntime as o
assert int(cv2.resize(numpy.full((4, 4), 7, numpy.uint8), (2, 2)).sum()) == 28
print(f"numpy {numpy.__version__}, opencv {cv2.__version__}, onnxruntime {o.__version__}")
""",
    "ros": """
import os, importlib.metadata as m, rclpy
from rclpy.utilities import get_rmw_implementation_identifier
rclpy.init(args=[])
node = rclpy.create_node("liquid_control_doctor")
node.destroy_node()
rmw = get_rmw_implementation_identifier()
rclpy.try_shutdown()
wheels = [d for d in ("jazzy", "kilted") if "ros-" + d + "-rclpy" in
          {str(x.metadata["Name"]).lower() for x in m.distributions()}]
sourced = os.environ.get("ROS_DISTRO") if os.environ.get("AMENT_PREFIX_PATH") else None
here = "/site-packages/" in rclpy.__file__ and "/opt/ros/" not in rclpy.__file__
print((f"wheels of {wheels[0]}" if wheels and here else f"sourced {sourced}") + f", {rmw}")
""",
    "messages": """
from sensor_msgs.msg import CameraInfo, Image, Imu, JointState
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from diagnostic_msgs.msg import DiagnosticArray
from rosgraph_msgs.msg import Clock
from lifecycle_msgs.srv import ChangeState
print("sensor, geometry, nav, diagnostic, rosgraph, lifecycle")
""",
    "pybullet": """
import importlib.metadata as m
from liquid_control_sim.quiet_bullet import import_quietly
import_quietly()
import numba, pybullet
print("pybullet " + m.version("pybullet") + ", numba " + m.version("numba"))
""",
    "report": """
import av, jinja2, matplotlib
assert "libx264" in av.codecs_available, "PyAV was built without libx264"
print(f"matplotlib {matplotlib.__version__}, jinja2 {jinja2.__version__}, av {av.__version__}")
""",
    "torch": """
import torch
print("torch " + torch.__version__ + (", CUDA" if torch.cuda.is_available() else ", CPU"))
""",
}
"""Programs by name; each prints one line, or fails with one."""


def run_probes() -> dict[str, Probe]:
    """Run all probes at the same time and return what they said, by name."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running = {
        name: subprocess.Popen(
            [sys.executable, "-c", source],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for name, source in SOURCES.items()
    }
    return {name: _collect(process) for name, process in running.items()}


def _collect(process: "subprocess.Popen[str]") -> Probe:
    try:
        out, errors = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return Probe(False, f"no answer within {TIMEOUT_S:g} s")
    lines = [line.strip() for line in (out or errors).splitlines() if line.strip()]
    if process.returncode < 0:
        return Probe(False, f"crashed (signal {-process.returncode})")
    if process.returncode:
        lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return Probe(process.returncode == 0, lines[-1] if lines else f"status {process.returncode}")


PYTHONS = ((3, 10), (3, 12))
"""The oldest and the newest Python that this project runs on."""


class Mark(str, Enum):
    """How a finding stands."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the doctor's.

    Attributes:
        mark: missing findings keep the machine from flying.
        found: what is there, or what is wrong with it.
        mend: the command that mends it; empty where nothing is to mend.
    """

    name: str
    mark: Mark
    found: str
    mend: str = ""


def check_machine(probes: Mapping[str, Probe]) -> list[CheckResult]:
    """Return all findings, the ten lines that doctor prints."""
    return [
        _python(),
        _probed("flight packages", probes["flight"], install_command()),
        _probed("ROS 2", probes["ros"], f"{install_command('ros')}, or source ROS 2"),
        _probed("messages", probes["messages"], install_command("ros")),
        _middleware(),
        _probed("simulator", probes["pybullet"], install_command("sim")),
        _probed("reports", probes["report"], install_command("report")),
        _probed("training", probes["torch"], install_command("train"), optional=True),
        _models(),
        _folders(),
    ]


def _probed(name: str, probe: Probe, mend: str, optional: bool = False) -> CheckResult:
    if probe.ok:
        return CheckResult(name, Mark.OK, probe.said)
    return CheckResult(name, Mark.OPTIONAL if optional else Mark.MISSING, probe.said, mend)


def _python() -> CheckResult:
    here = sys.version_info[:2]
    found = f"Python {sys.version.split()[0]} in {sys.prefix}"
    if PYTHONS[0] <= here <= PYTHONS[1]:
        return CheckResult("Python", Mark.OK, found)
    oldest, newest = (f"{major}.{minor}" for major, minor in PYTHONS)
    return CheckResult(
        "Python",
        Mark.MISSING,
        f"{found}; {oldest} to {newest} is needed",
        "make PYTHON=python3.11",
    )


def _middleware() -> CheckResult:
    own = os.environ.get("FASTDDS_DEFAULT_PROFILES_FILE") or os.environ.get(
        "FASTRTPS_DEFAULT_PROFILES_FILE"
    )
    if own:
        there = Path(own).is_file()
        mend = (
            "" if there else "unset FASTDDS_DEFAULT_PROFILES_FILE FASTRTPS_DEFAULT_PROFILES_FILE"
        )
        found = f"{own}, from the environment" if there else f"{own} does not exist"
        return CheckResult("Fast DDS profile", Mark.OK if there else Mark.MISSING, found, mend)
    try:
        return CheckResult("Fast DDS profile", Mark.OK, _short(project_file("config/fastdds.xml")))
    except LiquidControlError:
        mend = "reinstall liquid_control"
        return CheckResult(
            "Fast DDS profile", Mark.MISSING, "config/fastdds.xml is not there", mend
        )


def _models() -> CheckResult:
    mend = "git checkout -- models, or liquid-control train config/train/trail_cfc19.yaml"
    try:
        from liquid_control.policy import load_model

        folders = sorted(path.parent for path in project_file("models").glob("*/model.yaml"))
        if not folders:
            return CheckResult("models", Mark.MISSING, "there are none in models/", mend)
        names = ", ".join(load_model(folder).name for folder in folders)
    except (LiquidControlError, ImportError) as error:
        return CheckResult("models", Mark.MISSING, str(error), mend)
    return CheckResult("models", Mark.OK, f"{names}, checksums right")


def _folders() -> CheckResult:
    """Check where flights are written, and say what the machine has."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for folder in (Path("runs"), cache):
        if not _writable(folder):
            mend = f"chmod u+w {folder.resolve().parent}, or start in another folder"
            return CheckResult("machine", Mark.MISSING, f"{folder} cannot be written to", mend)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(".").free / 2**30
    found = (
        f"{cores} cores, {memory:.0f} GiB memory, {free:.0f} GiB free, runs/ and cache writable"
    )
    return CheckResult("machine", Mark.OK, found)


def _writable(folder: Path) -> bool:
    """Try to write into the nearest folder above that exists; leaves nothing behind."""
    while not folder.exists():
        folder = folder.resolve().parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _short(path: Path) -> str:
    """Return a path relative to here where it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
