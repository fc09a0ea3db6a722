"""Values that the shell completes: names of shipped models, scenarios, campaigns and disturbances.

The functions are called while a user types; they look at file names only and never fail.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from liquid_control.errors import LiquidControlError


def _stems(folder: str, pattern: str) -> Iterator[Path]:
    from liquid_control.config import project_file

    with suppress(LiquidControlError, OSError):
        yield from sorted(project_file(folder).glob(pattern))


def complete_model(incomplete: str) -> list[str]:
    """Return the names of the shipped models."""
    names = (path.parent.name for path in _stems("models", "*/model.yaml"))
    return [name for name in names if name.startswith(incomplete)]


def complete_scenario(incomplete: str) -> list[str]:
    """Return the names of the scenarios."""
    names = (path.stem for path in _stems("config/scenarios", "*.yaml"))
    return [name for name in names if name.startswith(incomplete)]


def complete_campaign(incomplete: str) -> list[str]:
    """Return the shipped campaigns, by paths that work anywhere."""
    paths = (f"config/campaigns/{path.name}" for path in _stems("config/campaigns", "*.yaml"))
    return [path for path in paths if path.startswith(incomplete)]


def complete_disturbance(incomplete: str) -> list[str]:
    """Return the names of the disturbances, each with `=` for its severity."""
    from liquid_control.config.disturbances import disturbance_names

    try:
        names = disturbance_names()
    except LiquidControlError:
        return []
    return [f"{name}=" for name in names if name.startswith(incomplete)]
