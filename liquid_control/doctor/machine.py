"""Checks of the installation; packages are imported in separate processes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from liquid_control.config import project_file
from liquid_control.dependencies import install_command
from liquid_control.errors import LiquidControlError
from liquid_control.files import user_cache

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Probe:
    """Result of a probe program.

    Attributes:
        ok: whether it exited with status 0.
        message: its last line of output or of errors, or how it ended.
    """

    ok: bool
    message: str


PROBES: Mapping[str, str] = {
    "flight": """
import numpy, cv2, yaml, pydantic, rosbags
from liquid_control.onnx_runtime import onnxruntime as o
assert int(cv2.resize(numpy.full((4, 4), 7, numpy.uint8), (2, 2)).sum()) == 28
print(f"numpy {numpy.__version__}, opencv {cv2.__version__}, onnxruntime {o.__version__}")
""",
    "ros": """
import os, importlib.metadata as m, rclpy
from rclpy.utilities import get_rmw_implementation_identifier
from liquid_control.nodes.log_folder import ensure_log_folder
ensure_log_folder()
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
from liquid_control_sim.quiet_bullet import pybullet
import numba
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
"""Probe programs by name; each prints one line, or fails with one."""


class RunningProbes(Mapping[str, Probe]):
    """Results of probe programs by name; each is waited for when it is looked up.

    Args:
        running: a process for each name.
    """

    def __init__(self, running: "Mapping[str, subprocess.Popen[str]]") -> None:
        self._running = running
        self._results: dict[str, Probe] = {}

    def __getitem__(self, name: str) -> Probe:
        if name not in self._results:
            self._results[name] = _collect(self._running[name])
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._running)

    def __len__(self) -> int:
        return len(self._running)


def run_probes(programs: Mapping[str, str] = PROBES) -> RunningProbes:
    """Start probe programs concurrently and return their results by name."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return RunningProbes(
        {
            name: subprocess.Popen(
                [sys.executable, "-c", source],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for name, source in programs.items()
        }
    )


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
"""Oldest and newest supported Python."""


class CheckStatus(str, Enum):
    """Status of a check; an optional one is missing but not needed to fly.

    The checks before a flight have warnings and errors in place of missing and optional packages.
    """

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"
    WARNING = "warning"
    ERROR = "error"


FAILED = frozenset({CheckStatus.MISSING, CheckStatus.ERROR})
"""With one of these the machine cannot fly."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of a check.

    Attributes:
        name: name of the check.
        status: with a missing result or an error the machine cannot fly.
        message: the version or path found, or the problem.
        remedy: the command that fixes the problem; empty without a problem.
    """

    name: str
    status: CheckStatus
    message: str
    remedy: str = ""


def check_machine(probes: Mapping[str, Probe]) -> Iterator[CheckResult]:
    """Check the machine; yield ten results, each as soon as it is known.

    Args:
        probes: results of `run_probes`.
    """
    yield check_python()
    yield _probed("flight packages", probes["flight"], install_command())
    yield _probed("ROS 2", probes["ros"], f"{install_command('ros')}, or source ROS 2")
    yield _probed("messages", probes["messages"], install_command("ros"))
    yield _middleware()
    yield _probed("simulator", probes["pybullet"], install_command("sim"))
    yield _probed("reports", probes["report"], install_command("report"))
    yield _probed("training", probes["torch"], install_command("train"), optional=True)
    yield check_models()
    yield _folders()


def _ok(name: str, message: str) -> CheckResult:
    return CheckResult(name, CheckStatus.OK, message)


def _missing(name: str, message: str, remedy: str) -> CheckResult:
    return CheckResult(name, CheckStatus.MISSING, message, remedy)


def _probed(name: str, probe: Probe, remedy: str, optional: bool = False) -> CheckResult:
    if probe.ok:
        return _ok(name, probe.message)
    status = CheckStatus.OPTIONAL if optional else CheckStatus.MISSING
    return CheckResult(name, status, probe.message, remedy)


def check_python() -> CheckResult:
    """Check the version of Python."""
    message = f"Python {sys.version.split()[0]} in {sys.prefix}"
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return _ok("Python", message)
    oldest, newest = (f"{major}.{minor}" for major, minor in PYTHONS)
    message = f"{message}; expected {oldest} to {newest}"
    return _missing("Python", message, "make PYTHON=python3.11")


def _middleware() -> CheckResult:
    name = "Fast DDS profile"
    variables = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    profile = os.environ.get(variables[0]) or os.environ.get(variables[1])
    if profile and Path(profile).is_file():
        return _ok(name, f"{profile}, from the environment")
    if profile:
        return _missing(name, f"{profile} does not exist", f"unset {' '.join(variables)}")
    try:
        return _ok(name, _short(project_file("config/fastdds.xml")))
    except LiquidControlError:
        return _missing(name, "config/fastdds.xml is missing", "reinstall liquid_control")


def check_models() -> CheckResult:
    """Check that the models of the project can be read and match their checksums."""
    remedy = "git checkout -- models, or liquid-control train config/train/trail_cfc19.yaml"
    try:
        from liquid_control.policy import load_model

        folders = sorted(path.parent for path in project_file("models").glob("*/model.yaml"))
        names = ", ".join(load_model(folder).name for folder in folders)
    except (LiquidControlError, ImportError) as error:
        return _missing("models", str(error), remedy)
    if not folders:
        return _missing("models", "models/ is empty", remedy)
    return _ok("models", f"{names}, checksums match")


def _folders() -> CheckResult:
    """Check that the output folders are writable; report cores, memory and disk space."""
    cache = user_cache()
    for folder in (Path("runs"), cache):
        if not _writable(folder):
            remedy = f"chmod u+w {folder.resolve().parent}, or start in another folder"
            return _missing("machine", f"{folder} is not writable", remedy)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(".").free / 2**30
    sizes = f"{cores} cores, {memory:.0f} GiB memory, {free:.0f} GiB of disk free"
    return _ok("machine", f"{sizes}, runs/ and cache writable")


def _writable(folder: Path) -> bool:
    """Return whether the folder, or its nearest existing parent, is writable."""
    while not folder.exists():
        folder = folder.resolve().parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _short(path: Path) -> str:
    """Return a path relative to the working directory if it is inside."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


COLOURS = {
    CheckStatus.OK: "green",
    CheckStatus.MISSING: "bold red",
    CheckStatus.OPTIONAL: "yellow",
    CheckStatus.WARNING: "yellow",
    CheckStatus.ERROR: "bold red",
}


def result_row(result: CheckResult) -> Table:
    """Return a result as one row of text; equal widths align the rows."""
    remedy = f" [dim]→ {escape(result.remedy)}[/]" if result.remedy else ""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=max(len(status.value) for status in CheckStatus))
    table.add_column(width=len("Fast DDS profile"))
    table.add_column()
    status = f"[{COLOURS[result.status]}]{result.status.value}[/]"
    table.add_row(status, result.name, escape(result.message) + remedy)
    return table
