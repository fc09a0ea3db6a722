"""What doctor checks: each finding is one line, with the command that mends it."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from liquid_control.cli.packages import install_command
from liquid_control.cli.probes import Probe
from liquid_control.config.locations import project_file
from liquid_control.errors import LiquidControlError

PYTHONS = ((3, 10), (3, 12))
"""The oldest and the newest Python that this project runs on."""


class Mark(str, Enum):
    """How a finding stands."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Finding:
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


def check_machine(probes: Mapping[str, Probe]) -> list[Finding]:
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


def _probed(name: str, probe: Probe, mend: str, optional: bool = False) -> Finding:
    if probe.ok:
        return Finding(name, Mark.OK, probe.said)
    return Finding(name, Mark.OPTIONAL if optional else Mark.MISSING, probe.said, mend)


def _python() -> Finding:
    here = sys.version_info[:2]
    found = f"Python {sys.version.split()[0]} in {sys.prefix}"
    if PYTHONS[0] <= here <= PYTHONS[1]:
        return Finding("Python", Mark.OK, found)
    oldest, newest = (f"{major}.{minor}" for major, minor in PYTHONS)
    return Finding(
        "Python",
        Mark.MISSING,
        f"{found}; {oldest} to {newest} is needed",
        "make PYTHON=python3.11",
    )


def _middleware() -> Finding:
    own = os.environ.get("FASTDDS_DEFAULT_PROFILES_FILE") or os.environ.get(
        "FASTRTPS_DEFAULT_PROFILES_FILE"
    )
    if own:
        there = Path(own).is_file()
        mend = (
            "" if there else "unset FASTDDS_DEFAULT_PROFILES_FILE FASTRTPS_DEFAULT_PROFILES_FILE"
        )
        found = f"{own}, from the environment" if there else f"{own} does not exist"
        return Finding("Fast DDS profile", Mark.OK if there else Mark.MISSING, found, mend)
    try:
        return Finding("Fast DDS profile", Mark.OK, _short(project_file("config/fastdds.xml")))
    except LiquidControlError:
        mend = "reinstall liquid_control"
        return Finding("Fast DDS profile", Mark.MISSING, "config/fastdds.xml is not there", mend)


def _models() -> Finding:
    mend = "git checkout -- models, or liquid-control train config/train/trail_cfc19.yaml"
    try:
        from liquid_control.policy import load_model

        folders = sorted(path.parent for path in project_file("models").glob("*/model.yaml"))
        if not folders:
            return Finding("models", Mark.MISSING, "there are none in models/", mend)
        names = ", ".join(load_model(folder).name for folder in folders)
    except (LiquidControlError, ImportError) as error:
        return Finding("models", Mark.MISSING, str(error), mend)
    return Finding("models", Mark.OK, f"{names}, checksums right")


def _folders() -> Finding:
    """Check where flights are written, and say what the machine has."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for folder in (Path("runs"), cache):
        if not _writable(folder):
            mend = f"chmod u+w {folder.resolve().parent}, or start in another folder"
            return Finding("machine", Mark.MISSING, f"{folder} cannot be written to", mend)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(".").free / 2**30
    found = (
        f"{cores} cores, {memory:.0f} GiB memory, {free:.0f} GiB free, runs/ and cache writable"
    )
    return Finding("machine", Mark.OK, found)


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
