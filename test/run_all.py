"""Run lint and all tests: those of test/ros, and beside them the others in two lanes.

Tests of ROS 2 wait most of the time, and some measure real time. So the lanes have a lower
priority: a node that wakes up does not wait for them. A stall of the machine can still fail a test
of ROS 2: those that failed are repeated once, after the lanes have ended, and both outcomes are
printed. One that fails twice fails. No other test is repeated.

The output of each part is printed at its end. The exit status is that of a part that failed.

    python test/run_all.py
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PYTEST = [sys.executable, "-m", "pytest"]
ROS = [*PYTEST, str(HERE / "ros")]
AGAIN = [*ROS, "--last-failed", "--exitfirst"]

LANES = 2
LANE = ["env", "OMP_NUM_THREADS=1", "nice", "-n", "15"]
"""A core gives a lane 3 % of its time while a node needs it. Threads of lanes would wait for each
other."""

REST = "rest of "
PARTS: dict[str, tuple[str, ...]] = {
    "training": ("unit/training",),
    "flights": ("sim/test_*.py",),
    "bags": ("unit/bags", "unit/calibration", "unit/certification"),
    f"{REST}unit": ("unit",),
    "cores": ("unit/cores",),
    "pictures": ("sim/picture", "sim/place", "sim/render"),
    f"{REST}sim": ("sim",),
}
"""Paths in test/ by part, in the order in which the lanes begin them.

Long parts come before short ones. Flights do not come first, because tests of ROS 2 begin with the
compilation of the simulator. The rest of a folder is what no other part has.
"""


def paths(part: str) -> list[str]:
    return [str(path) for pattern in PARTS[part] for path in sorted(HERE.glob(pattern))]


def commands() -> dict[str, list[str]]:
    """Return the commands that the lanes run, by part."""
    found = {"lint": ["make", "lint"]}
    others = [path for part in PARTS if not part.startswith(REST) for path in paths(part)]
    for part in PARTS:
        ignored = [f"--ignore={path}" for path in others] if part.startswith(REST) else []
        found[part] = [*PYTEST, "-p", "no:cacheprovider", *paths(part), *ignored]
    return found


class Runner:
    """Runs commands, and kills those that run when it is stopped."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []
        self._stopped = False

    def run(self, part: str, command: Sequence[str]) -> int:
        """Run a command, print its output at its end, and return its exit status."""
        began_s = time.monotonic()
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        process = subprocess.Popen(command, cwd=HERE.parent, **streams)
        self._started.append(process)
        if self._stopped:
            process.kill()
        output, _ = process.communicate()
        seconds = time.monotonic() - began_s
        print(f"{part}: {seconds:.0f} s, status {process.returncode}\n{output}", flush=True)
        return process.returncode

    def stop(self) -> None:
        self._stopped = True
        for process in self._started:
            process.kill()


def run_all(lanes: dict[str, list[str]], ros: Sequence[str], again: Sequence[str]) -> int:
    """Run commands in the lanes and one beside them; return the exit status.

    Args:
        lanes: commands by part.
        ros: runs beside the lanes.
        again: runs after the lanes if tests of `ros` failed; its status replaces that of `ros`.
    """
    runner = Runner()
    with ThreadPoolExecutor(LANES) as pool:
        try:
            ended = [pool.submit(runner.run, part, [*LANE, *lanes[part]]) for part in lanes]
            status = runner.run("ros", ros)
            statuses = [part.result() for part in ended]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            runner.stop()
    if status == pytest.ExitCode.TESTS_FAILED:
        print("repeating once the tests of ROS 2 that failed", flush=True)
        status = Runner().run("ros, repeated once", again)
    return next((status for status in (*statuses, status) if status), 0)


if __name__ == "__main__":
    sys.exit(run_all(commands(), ROS, AGAIN))
