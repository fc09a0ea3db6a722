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
