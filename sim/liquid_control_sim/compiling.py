"""Functions compiled to machine code by Numba, and kept between runs.

- Nothing is compiled with fast mathematics, so that sums are added in the order written and a seed
  gives the same flight and the same picture on every machine.
- Numba notices a change in the file of a function only, not in those that it calls into. So a
  room's machine code lies in a folder named after the sources of all its files, and the folders
  of older sources are removed.
"""

import hashlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from liquid_control.errors import DependencyError, OutputError


def cache_folder() -> Path:
    """Return the folder, made if it is missing.

    Raises:
        OutputError: neither the cache nor the temporary folder is writable.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()
    places = (
        home / "liquid_control",
        Path(tempfile.gettempdir()) / f"liquid_control-{os.getuid()}",
    )
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK | os.X_OK):
            return place
    raise OutputError(f"no folder for the cache is writable: tried {places[0]} and {places[1]}")


Function = TypeVar("Function", bound=Callable[..., Any])

KEEP = 3
"""Versions of a room's machine code that are kept."""

try:
    _NUMBA: Any = importlib.import_module("numba")
except ImportError as error:
    raise DependencyError(
        "the simulator needs numba, which is not installed: pip install 'liquid_control[sim]'"
    ) from error


class Compiler:
    """Compiles the functions of one room.

    Args:
        name: of the room.
        folder: with its sources.
        options: for `numba.njit`.
    """

    def __init__(self, name: str, folder: Path, **options: object) -> None:
        self._options = options
        self._kept = _kept(name, folder)

    def __call__(self, function: Function) -> Function:
        """Compile a function at its first call, or load it from where it is kept."""
        before, _NUMBA.config.CACHE_DIR = _NUMBA.config.CACHE_DIR, self._kept
        try:
            made: Function = _NUMBA.njit(cache=self._kept is not None, **self._options)(function)
        finally:
            _NUMBA.config.CACHE_DIR = before
        return made

    @property
    def is_kept(self) -> bool:
        """Whether machine code of these sources is kept from an earlier run."""
        return self._kept is not None and any(Path(self._kept).rglob("*.nbi"))

    def inlined(self, function: Function) -> Function:
        """Compile a function into each of its callers: for what runs for each pixel."""
        made: Function = _NUMBA.njit(inline="always", **self._options)(function)
        return made


def _kept(name: str, folder: Path) -> str | None:
    """Return the folder for a room's machine code; None where nothing can be kept."""
    sources = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    try:
        kept = cache_folder() / "compiled" / f"{name}-{hashlib.sha256(sources).hexdigest()[:16]}"
        kept.mkdir(parents=True, exist_ok=True)
        versions = sorted(kept.parent.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime)
    except (OutputError, OSError):
        return None
    for old in versions[:-KEEP]:
        if old != kept:
            shutil.rmtree(old, ignore_errors=True)
    return str(kept)
