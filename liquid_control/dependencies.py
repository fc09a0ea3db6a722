"""Optional packages: imported when needed, and named with their extra when missing."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import liquid_control
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
        f"mend it with: {install_command(extra)}"
    )


def install_command(extra: str = "") -> str:
    """Return the command that installs this project with one of its extras, from its clone."""
    root = Path(liquid_control.__file__).resolve().parents[1]
    if not (root / "setup.py").is_file():
        return f"pip install 'liquid_control[{extra}]'" if extra else "pip install liquid_control"
    place = "." if root == Path.cwd() else str(root)
    return f"pip install -e '{place}[{extra}]'" if extra else f"pip install -e {place}"


def require_report() -> None:
    """Check what reports and videos need, before the work that they are to show.

    Raises:
        DependencyError: a package is not installed.
    """
    for module in ("matplotlib", "jinja2", "av"):
        require(module, "report", "write reports and videos")
