"""Compilation of functions to machine code by Numba, with a cache between runs.

- Fast math is never enabled: sums are evaluated in the order written, and a seed gives the same
  flight and the same picture on every machine.
- Numba detects changes in the file of a function only, not in the files of the functions it calls.
  The machine code of a package is therefore cached in a folder named after the hash of all its
  sources; folders of older sources are removed.
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
from liquid_control.files import user_cache


def cache_folder() -> Path:
    """Return the cache folder of this project; create it if it does not exist.

    It holds painted textures and compiled code: `$XDG_CACHE_HOME/liquid_control`, by default
    `~/.cache/liquid_control`, or the system's temporary folder where that is not writable.
    Deleting it costs time, nothing else.

    Raises:
        OutputError: neither the user's cache folder nor the temporary folder is writable.
    """
    places = (
        user_cache() / "liquid_control",
        Path(tempfile.gettempdir()) / f"liquid_control-{os.getuid()}",
    )
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK | os.X_OK):
            return place
    raise OutputError(f"expected a writable cache folder, tried {places[0]} and {places[1]}")


Function = TypeVar("Function", bound=Callable[..., Any])

KEEP = 3
"""Number of versions of a package's machine code in the cache."""

try:
    _NUMBA: Any = importlib.import_module("numba")
except ImportError as error:
    raise DependencyError(
        "the simulator needs numba, which is not installed: pip install 'liquid_control[sim]'"
    ) from error


class Compiler:
    """Decorator that compiles the functions of one package.

    Args:
        name: name of the package.
        folder: folder of its sources.
        options: arguments of `numba.njit`.
    """

    def __init__(self, name: str, folder: Path, **options: object) -> None:
        self._options = options
        self._cache = _code_folder(name, folder)

    def __call__(self, function: Function) -> Function:
        """Compile a function at its first call, or load it from the cache."""
        previous, _NUMBA.config.CACHE_DIR = _NUMBA.config.CACHE_DIR, self._cache
        try:
            compiled: Function = _NUMBA.njit(cache=self._cache is not None, **self._options)(
                function
            )
        finally:
            _NUMBA.config.CACHE_DIR = previous
        return compiled

    @property
    def is_cached(self) -> bool:
        """Whether the cache contains machine code of these sources."""
        return self._cache is not None and any(Path(self._cache).rglob("*.nbi"))

    def inlined(self, function: Function) -> Function:
        """Compile a function into each of its callers, for code that runs per pixel."""
        compiled: Function = _NUMBA.njit(inline="always", **self._options)(function)
        return compiled


def _code_folder(name: str, folder: Path) -> str | None:
    """Return the folder for the machine code of a package; None if no folder is writable."""
    sources = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    try:
        code = cache_folder() / "compiled" / f"{name}-{hashlib.sha256(sources).hexdigest()[:16]}"
        code.mkdir(parents=True, exist_ok=True)
        versions = sorted(code.parent.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime)
    except (OutputError, OSError):
        return None
    for old in versions[:-KEEP]:
        if old != code:
            shutil.rmtree(old, ignore_errors=True)
    return str(code)
