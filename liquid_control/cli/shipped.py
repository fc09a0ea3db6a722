"""Paths on the command line that may name what comes with the package, from any folder."""

from pathlib import Path

from liquid_control.config import project_file
from liquid_control.errors import ConfigError


def shipped(path: Path) -> Path:
    """Return the path if it is there, else the package's own of that name, else the path."""
    if path.is_absolute() or path.exists():
        return path
    try:
        return project_file(str(path))
    except ConfigError:
        return path
