"""Tasks for workers of a Ray cluster, which import this module by name."""

import os
import signal
import time
from pathlib import Path

import ray

from liquid_control.errors import ConfigError
from liquid_control.interfaces import Pilot
from liquid_control_sim import fly


def prepare():
    """Return the function that runs a task: a word with what belongs to it."""
    made = os.getpid()
    return lambda task: _run(made, *task)


def _run(made: int, word: str, *values):
    if word == "pid":
        return made, [os.environ[name] for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")]
    if word == "read":
        (folder,) = values
        return {path.name: path.read_text() for path in folder.iterdir()}, str(folder)
    if word == "write":
        path, text = values
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if word == "error":
        raise ConfigError("jobs: expected 1, got 2")
    if word == "full":
        raise OSError(28, "No space left on device", "/d")
    if word == "bug":
        raise ZeroDivisionError("a bug")
    if word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return word


def fly_marked(marks: str, victim: str, scenario, seed: int, pilot: Pilot, watch=None):
    """Fly, after a mark with seed and node; on the victim the flight never ends."""
    node = ray.get_runtime_context().get_node_id()
    (Path(marks) / f"{seed}-{pilot.name}-{node}").touch()
    if node == victim:
        time.sleep(600)
    return fly(scenario, seed, pilot, watch)
