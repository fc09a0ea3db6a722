"""Provenance of results and models: versions, revision, machine and model fingerprints."""

import hashlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import liquid_control
from liquid_control.config import load_yaml
from liquid_control.errors import OutputError

_PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "pybullet",
    "torch",
    "rosbags",
    "ros-jazzy-rclpy",
    "ros-kilted-rclpy",
)


def package_versions() -> dict[str, str]:
    """Return the versions of this project, Python and the installed dependencies."""
    own = {"liquid_control": liquid_control.__version__, "python": platform.python_version()}
    found = {name: _version(name) for name in _PACKAGES}
    return own | {name: number for name, number in found.items() if number is not None}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def source_versions() -> dict[str, str]:
    """Return `package_versions` and, as `liquid_control source`, the checksum of the source.

    The checksum tells apart checkouts that have the same version, and needs no git.
    """
    root = Path(liquid_control.__file__).parent
    simulator = find_spec("liquid_control_sim")
    roots = [
        root,
        *(Path(place) for place in (simulator and simulator.submodule_search_locations) or ()),
    ]
    total = hashlib.sha256()
    for folder in roots:
        for path in sorted(folder.rglob("*.py")):
            total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return package_versions() | {"liquid_control source": total.hexdigest()[:12]}


def git_revision() -> str | None:
    """Return the source's commit, with `-dirty` if files differ; None outside a clone."""
    root = Path(liquid_control.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    command += ["--exclude", "*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None


def machine() -> dict[str, str | int]:
    """Return the properties of the machine that measurements depend on."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 1,
    }


FINGERPRINTED_FILES = ("model.yaml", "weights.npz", "perception.onnx")


def model_fingerprint(folder: Path) -> dict[str, str]:
    """Return a model folder's name and the SHA-256 of its `model.yaml` and of its weights' files.

    Raises:
        OutputError: it is not a model folder.
        ConfigError: `model.yaml` cannot be read.
    """
    try:
        sums = {
            f"sha256 {name}": hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in FINGERPRINTED_FILES
        }
    except OSError as error:
        raise OutputError(
            f"{folder}: expected a model folder to record the fingerprint of ({error.strerror})"
        ) from error
    return {
        "name": str(load_yaml(folder / FINGERPRINTED_FILES[0]).get("name", folder.name)),
        **sums,
    }
