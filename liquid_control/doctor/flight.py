"""Checks of a companion computer before a flight; PyTorch and PyBullet are not needed."""

import ctypes
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from liquid_control.config import project_file
from liquid_control.dependencies import install_command
from liquid_control.doctor.machine import (
    PROBES,
    CheckResult,
    CheckStatus,
    Probe,
    check_models,
    check_python,
)

MAVLINK = """
import pymavlink, serial
from pymavlink.dialects.v20 import common
print(f"pymavlink {pymavlink.__version__}, pyserial {serial.__version__}")
"""
FLIGHT_PROBES: Mapping[str, str] = {
    **{name: PROBES[name] for name in ("flight", "ros", "messages")},
    "mavlink": MAVLINK,
}
"""Probe programs of a flight check."""

TRAINING = ("torch", "pybullet")
SERIAL = ("ttyAMA*", "ttyTHS*", "ttyACM*", "ttyUSB*", "serial0")
"""Serial ports: Raspberry Pi, Jetson, USB of an autopilot, USB adapter."""
PICTURE_BYTES = 2 << 20
"""Size of the pictures that Fast DDS must be able to send through shared memory."""
TIME_ERROR = 5
"""Answer of adjtimex(2) for a clock that is not synchronised."""
TIMEX_BYTES = 512
LEAST_DISK_GIB, GOOD_DISK_GIB = 1.0, 10.0
LEAST_MEMORY_MIB = 500
PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")


def check_flight(probes: Mapping[str, Probe], root: Path = Path("/")) -> Iterator[CheckResult]:
    """Check a companion computer; yield each result as soon as it is known.

    Args:
        probes: results of `run_probes(FLIGHT_PROBES)`.
        root: of the file system whose `/dev`, `/proc` and `/sys` are read.
    """
    yield _as_error(check_python())
    yield _required("flight packages", probes["flight"], install_command())
    yield _required("ROS 2", probes["ros"], "source /opt/ros/jazzy/setup.bash")
    yield _required("messages", probes["messages"], "sudo apt install ros-jazzy-common-interfaces")
    yield _autopilot_packages(probes["mavlink"])
    yield _training()
    yield _middleware()
    yield _discovery()
    yield _as_error(check_models())
    yield _serial(root)
    yield _console(root)
    yield _camera(root)
    yield _clock()
    yield _governor(root)
    yield _memory(root)
    yield _disk()


def _ok(name: str, message: str) -> CheckResult:
    return CheckResult(name, CheckStatus.OK, message)


def _warning(name: str, message: str, remedy: str) -> CheckResult:
    return CheckResult(name, CheckStatus.WARNING, message, remedy)


def _error(name: str, message: str, remedy: str) -> CheckResult:
    return CheckResult(name, CheckStatus.ERROR, message, remedy)


def _as_error(result: CheckResult) -> CheckResult:
    if result.status is CheckStatus.OK:
        return result
    return _error(result.name, result.message, result.remedy)


def _required(name: str, probe: Probe, remedy: str) -> CheckResult:
    return _ok(name, probe.message) if probe.ok else _error(name, probe.message, remedy)


def _autopilot_packages(probe: Probe) -> CheckResult:
    name = "MAVLink"
    if probe.ok:
        return _ok(name, probe.message)
    remedy = f"{install_command('mavlink')}; not needed with another bridge"
    return _warning(name, probe.message, remedy)


def _training() -> CheckResult:
    name = "lean install"
    found = [module for module in TRAINING if find_spec(module) is not None]
    if not found:
        return _ok(name, "without PyTorch and PyBullet")
    return _warning(
        name, f"{' and '.join(found)} installed", "not needed; deploy/install-flight.sh"
    )


def _middleware() -> CheckResult:
    """Check that Fast DDS can send pictures; a driver of the camera needs the profile too."""
    name = "Fast DDS profile"
    middleware = os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
    if middleware != "rmw_fastrtps_cpp":
        remedy = "unset RMW_IMPLEMENTATION, or measure: liquid-control bench graph"
        return _warning(name, f"{middleware} was not measured with pictures", remedy)
    own = str(project_file("config/fastdds.xml"))
    remedy = f"export {PROFILES[1]}={own} {PROFILES[0]}={own}"
    given = next((os.environ[key] for key in PROFILES if os.environ.get(key)), None)
    if given is None:
        reason = "not set: a camera driver that is started elsewhere loses pictures"
        return _warning(name, reason, remedy)
    try:
        tree = ElementTree.parse(given)
    except (OSError, ElementTree.ParseError) as error:
        return _error(name, f"{given}: {error}", remedy)
    sizes = [int(e.text or 0) for e in tree.iter() if e.tag.endswith("}segment_size")]
    if max(sizes, default=0) < PICTURE_BYTES:
        reason = f"{given} has no shared memory for pictures of {PICTURE_BYTES >> 20} MiB"
        return _warning(name, reason, remedy)
    return _ok(name, f"{given}, {max(sizes) >> 20} MiB of shared memory")


def _discovery() -> CheckResult:
    name = "discovery"
    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    if reach in ("LOCALHOST", "OFF"):
        return _ok(name, f"ROS_AUTOMATIC_DISCOVERY_RANGE={reach}")
    reason = f"{reach}: other machines of the network can publish to this vehicle"
    return _warning(name, reason, "export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST")


def _serial(root: Path) -> CheckResult:
    name = "serial port"
    ports = [port for pattern in SERIAL for port in sorted((root / "dev").glob(pattern))]
    if not ports:
        remedy = "not needed with UDP or TCP; else enable the UART (docs/companion.md)"
        return _warning(name, "no serial port in /dev", remedy)
    usable = [port for port in ports if os.access(port, os.R_OK | os.W_OK)]
    names = ", ".join(port.name for port in usable or ports)
    if not usable:
        remedy = "sudo usermod -aG dialout $USER, then log in again"
        return _error(name, f"{names}: no permission to read and write", remedy)
    return _ok(name, f"{names}: readable and writable")


def _console(root: Path) -> CheckResult:
    """Check that the kernel does not use the autopilot's port as its console."""
    name = "serial console"
    text = _text(root / "proc/cmdline")
    found = re.findall(r"console=((?:ttyAMA|ttyTHS|ttyS|serial)\d+)", text)
    if not found:
        return _ok(name, "no serial port is a console")
    remedy = "remove console=… from the kernel's command line if the autopilot has this port"
    return _warning(name, f"{', '.join(found)} is the kernel's console", remedy)


def _camera(root: Path) -> CheckResult:
    name = "camera device"
    devices = sorted((root / "dev").glob("video*"))
    if not devices:
        remedy = "not needed for a camera on the network; else check cable and driver"
        return _warning(name, "no /dev/video*", remedy)
    readable = [device.name for device in devices if os.access(device, os.R_OK | os.W_OK)]
    if not readable:
        remedy = "sudo usermod -aG video $USER, then log in again"
        return _error(name, f"{devices[0].name}: no permission", remedy)
    return _ok(name, ", ".join(readable[:4]) + (", …" if readable[4:] else ""))


def _clock() -> CheckResult:
    """Ask the kernel whether the clock is synchronised: adjtimex(2) without a change."""
    name = "clock"
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        answer = int(libc.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
    except (OSError, AttributeError):
        answer = -1
    if answer < 0:
        return _warning(name, "the kernel does not tell whether it is set", "timedatectl")
    if answer == TIME_ERROR:
        remedy = "sudo apt install chrony; in the field, set the clock before the nodes start"
        return _warning(name, "not synchronised: it may jump in flight", remedy)
    return _ok(name, "synchronised")


def _governor(root: Path) -> CheckResult:
    name = "CPU governor"
    files = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    found = {_text(file).strip() for file in files}
    if not found:
        return _ok(name, "no frequency scaling")
    if found == {"performance"}:
        return _ok(name, f"performance on {len(files)} cores")
    remedy = "sudo cpupower frequency-set -g performance (deploy/systemd has a unit)"
    return _warning(name, ", ".join(sorted(found)), remedy)


def _memory(root: Path) -> CheckResult:
    name = "memory"
    match = re.search(r"MemAvailable:\s+(\d+) kB", _text(root / "proc/meminfo"))
    if match is None:
        return _warning(name, "unknown", "check: free -m")
    free_mib = int(match.group(1)) // 1024
    if free_mib < LEAST_MEMORY_MIB:
        return _warning(name, f"{free_mib} MiB available", "stop the desktop and other programs")
    return _ok(name, f"{free_mib} MiB available")


def _disk() -> CheckResult:
    name = "disk"
    free_gib = shutil.disk_usage(".").free / 2**30
    message = f"{free_gib:.1f} GiB free in {Path.cwd()}"
    if not os.access(".", os.W_OK):
        return _error(name, f"{Path.cwd()} is not writable", "start in another folder")
    if free_gib < LEAST_DISK_GIB:
        return _error(name, message, "delete old bags")
    if free_gib < GOOD_DISK_GIB:
        remedy = "640x480 raw at 30 Hz takes 28 MB/s: record image:=compressed or jpeg"
        return _warning(name, message, remedy)
    return _ok(name, message)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
