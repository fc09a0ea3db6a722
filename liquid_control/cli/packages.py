"""Optional packages: imported when needed, and named with their extra when missing."""

from importlib import import_module
from types import ModuleType

from liquid_control.errors import DependencyError


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module that comes with one of this project's extras.

    Args:
        module: what to import.
        extra: the extra of `pip install` that brings it.
        purpose: what it is needed for, to follow "needs X to".

    Raises:
        DependencyError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise DependencyError(
            f"{missing} is not installed, and is needed to {purpose}; "
            f"mend it with: pip install 'liquid_control[{extra}]'"
        ) from error


def require_report() -> None:
    """Check what reports and videos need, before the work that they are to show.

    Raises:
        DependencyError: a package is not installed.
    """
    for module in ("matplotlib", "jinja2", "av"):
        require(module, "report", "write reports and videos")
