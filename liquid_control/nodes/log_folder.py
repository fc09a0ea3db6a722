"""Folder of the ROS 2 log files where there is no home folder to write to."""

import os
import tempfile
from pathlib import Path


def ensure_log_folder() -> None:
    """Set `ROS_LOG_DIR` to a temporary folder if rcl could not create its own.

    rcl writes to `$ROS_LOG_DIR`, else `$ROS_HOME/log`, else `$HOME/.ros/log`, and refuses to start
    without one of them, as in a container without `HOME` or with a read-only one.
    """
    if os.environ.get("ROS_LOG_DIR"):
        return
    home = os.environ.get("HOME", "")
    base = os.environ.get("ROS_HOME") or (f"{home}/.ros" if home else "")
    if not base or not _can_be_written(Path(base) / "log"):
        folder = Path(tempfile.gettempdir()) / f"liquid_control-{os.getuid()}" / "ros-log"
        os.environ["ROS_LOG_DIR"] = str(folder)


def _can_be_written(folder: Path) -> bool:
    """Return whether a folder is there, or was created, and can be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
