"""Where the package's files lie: beside the source, or in an installed share folder."""

import os
import sys
from pathlib import Path

from liquid_control.errors import ConfigError

_SHARE = Path("share") / "liquid_control"


def _roots() -> list[Path]:
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    return [
        Path(__file__).resolve().parents[2],
        *(prefix / _SHARE for prefix in prefixes),
        Path(sys.prefix) / _SHARE,
    ]


def project_file(relative: str) -> Path:
    """Return the path of a file or folder that comes with the package, such as `config/scenarios`.

    Raises:
        ConfigError: it is in none of the places where an installation would put it.
    """
    for root in _roots():
        if (root / relative).exists():
            return root / relative
    places = ", ".join(str(root) for root in _roots())
    raise ConfigError(f"{relative} is part of liquid_control but was found in none of: {places}")


def shipped(path: Path) -> Path:
    """Return the path if it is there, else the package's own of that name, else the path."""
    if path.is_absolute() or path.exists():
        return path
    try:
        return project_file(str(path))
    except ConfigError:
        return path
