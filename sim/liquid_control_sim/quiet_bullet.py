"""PyBullet, imported without the line that it prints: `from ...quiet_bullet import pybullet`."""

import ctypes
import os
import sys
from types import ModuleType

from liquid_control.errors import DependencyError


def _import_quietly() -> ModuleType:
    """Import pybullet with standard output and standard error redirected to the null device."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    try:
        with open(os.devnull, "w") as null:
            for descriptor in (1, 2):
                os.dup2(null.fileno(), descriptor)
            import pybullet

            ctypes.CDLL(None).fflush(None)
    finally:
        for descriptor, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)
    module: ModuleType = pybullet
    return module


try:
    pybullet = _import_quietly()
except ImportError as error:
    raise DependencyError(
        "the simulator needs pybullet, which is not installed: pip install 'liquid_control[sim]'"
    ) from error
