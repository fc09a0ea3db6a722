"""Run all tests: those of test/unit next to those of test/sim, then those of test/ros alone.

The tests of ROS 2 measure real time, so nothing runs beside them. The output of test/unit is
printed when test/sim has ended. The exit status is the first one of pytest that is not 0.

    python test/run_all.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

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
    ros = subprocess.call([*PYTEST, str(HERE / "ros")], cwd=HERE.parent)
    return sim or status or ros


if __name__ == "__main__":
    sys.exit(main())
