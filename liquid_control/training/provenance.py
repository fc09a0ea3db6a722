"""What a model was made with: written into its folder, never into its name."""

import os
import platform
import subprocess
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import liquid_control
from liquid_control.training.progress import Progress
from liquid_control.training.settings import TrainingSettings

_PACKAGES = ("numpy", "torch", "onnxruntime", "opencv-python-headless", "pybullet")


def provenance(settings: TrainingSettings, progress: Progress) -> dict[str, Any]:
    """Return plain data for `model.yaml`."""
    best = progress.best_round
    return {
        "command": progress.command,
        "began_utc": progress.began,
        "seed": settings.seed,
        "git_revision": progress.revision,
        "git_revision_at_end": git_revision(),
        "versions": package_versions(),
        "machine": {"architecture": platform.machine(), "cores": os.cpu_count() or 1},
        "dataset": asdict(progress.datasets[best]),
        "round": best,
        "rounds_flown": len(progress.scores) - 1,
        "seconds": dict(progress.done),
        "settings": settings.model_dump(mode="json"),
    }


def package_versions() -> dict[str, str]:
    """Return the versions of this project, Python, and what training uses."""
    versions = {"liquid_control": liquid_control.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def git_revision() -> str | None:
    """Return the source's commit, `-dirty` behind it where files differ; None outside a clone."""
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
