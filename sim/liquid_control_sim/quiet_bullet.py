"""Import PyBullet once without the line that it prints."""

import ctypes
import os
import sys


def import_quietly() -> None:
    """Import pybullet with standard output and standard error pointing nowhere meanwhile."""
    if "pybullet" in sys.modules:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    try:
        with open(os.devnull, "w") as nowhere:
            for descriptor in (1, 2):
                os.dup2(nowhere.fileno(), descriptor)
            import pybullet  # noqa: F401

            ctypes.CDLL(None).fflush(None)
    finally:
        for descriptor, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)
