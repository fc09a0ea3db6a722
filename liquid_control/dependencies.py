"""Optional packages: import on demand, with an error that names the missing extra."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import liquid_control
from liquid_control.errors import DependencyError


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module that comes with one of this project's extras.

    Args:
        module: name of the module.
        extra: extra of `pip install` that installs it.
        purpose: completes "is needed to" in the message.

    Raises:
        DependencyError: the module is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(error.name or module, extra, purpose) from error


def check_installed(module: str, extra: str, purpose: str) -> None:
    """Check that a module is installed without importing it.

    Raises:
        DependencyError: the module is not installed.
    """
    if find_spec(module) is None:
        raise _missing(module, extra, purpose)


def _missing(module: str, extra: str, purpose: str) -> DependencyError:
    return DependencyError(
        f"{module} is not installed and is needed to {purpose}; "
        f"install it with: {install_command(extra)}"
    )


def install_command(extra: str = "") -> str:
    """Return the command that installs this project with one of its extras, from its clone."""
    root = Path(liquid_control.__file__).resolve().parents[1]
    if not (root / "setup.py").is_file():
        return f"pip install 'liquid_control[{extra}]'" if extra else "pip install liquid_control"
    place = "." if root == Path.cwd() else str(root)
    return f"pip install -e '{place}[{extra}]'" if extra else f"pip install -e {place}"


def require_report() -> None:
    """Check the packages for reports and videos before the work begins.

    Raises:
        DependencyError: a package is not installed.
    """
    for module in ("matplotlib", "jinja2", "av"):
        require(module, "report", "write reports and videos")


def require_benchmark() -> None:
    """Check the packages for tables and figures of a benchmark before the work begins.

    Raises:
        DependencyError: a package is not installed.
    """
    require_report()
    require("scipy", "benchmark", "compute the intervals of a benchmark")


def require_search() -> None:
    """Check the packages of an architecture search before the work begins.

    Raises:
        DependencyError: a package is not installed.
    """
    require_report()
    for module in ("optuna", "moocore"):
        require(module, "search", "search architectures")
    require("torch", "train", "train a policy")
