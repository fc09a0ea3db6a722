"""Optional packages: imported when needed, and named with their extra when missing."""

from importlib import import_module
from importlib.util import find_spec
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
        raise _missing(error.name or module, extra, purpose) from error


def check_installed(module: str, extra: str, purpose: str) -> None:
    """Check that a module is there without importing it, as other processes will.

    Raises:
        DependencyError: it is not installed.
    """
    if find_spec(module) is None:
        raise _missing(module, extra, purpose)


def _missing(module: str, extra: str, purpose: str) -> DependencyError:
    return DependencyError(
        f"{module} is not installed, and is needed to {purpose}; "
        f"mend it with: pip install 'liquid_control[{extra}]'"
    )


def require_report() -> None:
    """Check what reports and videos need, before the work that they are to show.

    Raises:
        DependencyError: a package is not installed.
    """
    for module in ("matplotlib", "jinja2", "av"):
        require(module, "report", "write reports and videos")
