"""Run all tests: those of test/unit next to those of test/sim, then those of test/ros alone.

The tests of ROS 2 measure real time, so nothing runs beside them. A stall of the machine can still
fail one: those that failed are repeated once, and both outcomes are printed. One that fails twice
fails. No other test is repeated. The output of test/unit is printed when test/sim has ended. The
exit status is the first one of pytest that is not 0.

    python test/run_all.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PYTEST = [sys.executable, "-m", "pytest"]


def main() -> int:
    """Run the three parts; return the exit status."""
    with tempfile.TemporaryFile("w+") as output:
        beside = [*PYTEST, "-p", "no:cacheprovider", str(HERE / "unit")]
        unit = subprocess.Popen(beside, stdout=output, stderr=subprocess.STDOUT, cwd=HERE.parent)
        try:
            sim = subprocess.call([*PYTEST, str(HERE / "sim")], cwd=HERE.parent)
            status = unit.wait()
        finally:
            unit.kill()
            unit.wait()
        output.seek(0)
        print(output.read(), flush=True)
    ros = run_ros()
    return sim or status or ros


def run_ros() -> int:
    """Run the tests of ROS 2, and those that failed once more; return the exit status."""
    command = [*PYTEST, str(HERE / "ros")]
    status = subprocess.call(command, cwd=HERE.parent)
    if status == pytest.ExitCode.TESTS_FAILED:
        print("repeating once the tests of ROS 2 that failed", flush=True)
        again = [*command, "--last-failed", "--exitfirst"]
        status = subprocess.call(again, cwd=HERE.parent)
        print(f"repeated once: {'failed' if status else 'passed'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
