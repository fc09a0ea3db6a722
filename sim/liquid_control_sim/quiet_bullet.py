"""Import PyBullet once without the line that it prints to standard output on import."""

import ctypes
import os
import sys


def import_quietly() -> None:
    """Import pybullet with file descriptor 1 pointing nowhere meanwhile."""
    if "pybullet" in sys.modules:
        return
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            import pybullet  # noqa: F401

            ctypes.CDLL(None).fflush(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
