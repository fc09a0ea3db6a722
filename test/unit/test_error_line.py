import signal
import subprocess
import sys

import pytest

from liquid_control.errors import error_line

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("", "no output"),
        ("a\n\nValueError: last\n", "ValueError: last"),
        ("[ERROR] [12.5] [guard_node]: no model\n[INFO] [12.6] [guard_node]: bye\n", "no model"),
        ("[FATAL] [1.0] [a]: first\n[ERROR] [2.0] [a]: second\n", "second"),
    ],
)
def test_the_reason_of_a_process_is_its_last_error_or_else_its_last_line(output, line):
    assert error_line(output) == line


def test_the_reason_of_a_crash_is_its_cause_and_the_innermost_python_line():
    program = "import ctypes, faulthandler\nfaulthandler.enable()\nctypes.string_at(0)\n"
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGSEGV
    assert error_line(f"[ERROR] [1.0] [a]: before\n{done.stderr}").startswith(
        "Segmentation fault, File "
    )
    assert error_line("Fatal Python error: Aborted\n") == "Aborted"
