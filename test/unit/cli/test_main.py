import os
import re
import subprocess
import sys

import pytest

from liquid_control.cli.main import app, main

pytestmark = pytest.mark.unit

COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands)


def error_line(capsys, *words):
    """Run a command line that fails and return its error line."""
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("liquid-control: error: ")
    return error.removeprefix("liquid-control: error: ").rstrip("\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example(capsys, command):
    assert main([command, "--help"]) == 0
    assert f"Example: liquid-control {command}" in capsys.readouterr().out


def test_help_is_fast_and_imports_no_heavy_packages():
    code = """
import sys
from liquid_control.cli.main import main
assert main(["--help"]) == 0
heavy = {"numpy", "torch", "pybullet", "rclpy", "matplotlib", "onnxruntime", "cv2", "pydantic"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    assert min(_cpu_seconds(code) for _ in range(3)) < 0.5


def _cpu_seconds(code):
    """Return the CPU time of a program that prints []; other processes do not affect it."""
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = os.times()
    assert done.stderr.strip() == "[]"
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "--model", "expert", "--scenario", "trail", "--seeds", "x"], "got 'x'"),
        (["evaluate", "--model", "expert"], "one of --campaign FILE and --scenario NAME"),
        (["evaluate", "--model", "expert", "--scenario", "moon"], "unknown scenario 'moon'"),
        (["evaluate", "--scenario", "trail"], "expected --model FOLDER: the campaign has no arms"),
        (
            ["evaluate", "--rescore", "x", "--model", "expert"],
            "--rescore: flies nothing; expected no --campaign and no --model",
        ),
        (["evaluate", "--rescore", "nowhere"], "nowhere: cannot be read"),
        (["evaluate", "--model", "expert", "--jobs", "0"], "whole number >= 1, got '0'"),
        (["evaluate", "--model", "expert", "--campaign", "no.yaml"], "no.yaml: cannot be read"),
        (
            ["evaluate", "--model", "expert", "--scenario", "trail", "--set", "wind.gusts=6"],
            "unknown key wind.gusts; did you mean wind.gust_mps",
        ),
        (
            ["evaluate", "--model", "expert", "--scenario", "trail", "--set", "fog"],
            "--set expects key=value, got 'fog'",
        ),
        (
            ["evaluate", "--model", "expert", "--scenario", "trail", "--disturb", "fogg=3"],
            "unknown disturbance 'fogg'; did you mean fog, ",
        ),
        (
            ["evaluate", "--model", "expert", "--scenario", "trail", "--disturb", "fog=6"],
            "disturbance fog: expected a severity that is a whole number from 0 to 5, got 6",
        ),
        (
            ["evaluate", "--model", "expert", "--scenario", "trail", "--disturb", "fog"],
            "--disturb expects name=severity, such as fog=3, got 'fog'",
        ),
        (["fly", "--disturb", "rain=heavy"], "whole number from 0 to 5, got 'heavy'"),
        (["fly", "--seed", "three"], "expected a whole number >= 0, got 'three'"),
        (["fly", "--seed", "-1"], "expected a whole number >= 0, got '-1'"),
        (["fly", "--rate", "nan"], "expected a number > 0, got 'nan'"),
        (["fly", "--rate", "2"], "--rate 2: expected --realtime too"),
        (["fly", "--gif", "--no-record"], "--gif: expected no --no-record"),
        (["fly", "--guard", "/no/such.yaml"], "/no/such.yaml"),
        (["evaluate", "--scenario", "trail", "--guard", "/no/such.yaml"], "/no/such.yaml"),
        (["fly", "--guard", "config/nodes/mavlink.yaml"], "expected a section /**/guard_node"),
        (["fly", "--scenario", ""], "expected a name or the path of a .yaml, got ''"),
        (["fly", "--seed", str(2**63)], f"expected a whole number <= {2**63 - 1}, got {2**63}"),
        (["fly", "--seed", "9" * 5000], "expected a whole number >= 0, got '999"),
        (
            ["evaluate", "--model", "expert", "--scenario", "trail", "--seeds", "0:100000000000"],
            "seeds: expected at most 100,000 seeds, got 100,000,000,000",
        ),
        (
            ["evaluate", "--model", "expert", "--scenario", "trail", "--seeds", str(2**64)],
            f"seeds: expected at most {2**63 - 1} (2^63 - 1), got {2**64}",
        ),
        (
            ["evaluate", "--model", "expert", "--scenario", ""],
            "expected a name or the path of a .yaml, got ''",
        ),
        (["evaluate", "--model", "expert", "--campaign", "/dev/zero"], "it has more than 16,777,"),
        (["bag", "info", "/dev/zero"], "expected a file or a folder, found a device"),
        (["fly", "--wind", "hurricane"], "unknown wind 'hurricane'; there are: calm"),
        (["fly", "--model", "nowhere"], "model folder nowhere does not exist"),
        (["fly", "--model", "nowhere", "--campaign", "no.yaml"], "no.yaml: cannot be read"),
        (["bench", "sim", "--model", "nowhere"], "model folder nowhere does not exist"),
        (
            [*("evaluate", "--model", "expert", "--scenario", "trail"), "--image", "png"],
            "--image png: expected --record all or --record failures too",
        ),
        (["export", "--model", "nowhere"], "model folder nowhere does not exist"),
        (["export", "--model", "m", "--target", "fortran"], "'fortran' is not"),
        (
            ["export", "--model", "m", "--target", "c", "--int8", "a.mcap"],
            "--int8 needs --target onnx, got --target c",
        ),
        (["bench", "teapot"], "'teapot' is not one of 'core', 'sim', 'train', 'graph'"),
        (["dance"], "No such command 'dance'"),
    ],
)
def test_invalid_input_is_one_line_and_status_2(capsys, monkeypatch, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    assert message in error_line(capsys, *words)
    assert list(tmp_path.iterdir()) == []


def test_missing_extra_is_reported(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    words = ["evaluate", "--model", "expert", "--scenario", "trail", "--report", "1"]
    message = error_line(capsys, *words)
    assert "jinja2 is not installed" in message
    assert re.search(r"pip install .*\[report\]'$", message)


def test_unexpected_exceptions_are_not_caught(monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("liquid_control.config.parse_settings", broken)
    with pytest.raises(ZeroDivisionError):
        main(["evaluate", "--model", "expert", "--scenario", "trail"])


def test_module_runs_as_a_program():
    command = [sys.executable, "-m", "liquid_control.cli", "dance"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "liquid-control: error: No such command 'dance'. (see --help)\n"


def test_interrupted_command_is_reported_in_one_line(tmp_path):
    program = (
        "import os, signal, sys\n"
        "from benchmarks import suite\n"
        "from liquid_control.cli import main\n"
        "suite.BENCHMARKS['core'] = lambda *_: signal.raise_signal(signal.SIGINT)\n"
        "sys.exit(main.main(['bench', 'core', '--out', sys.argv[1]]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (ended.returncode, ended.stderr) == (130, "liquid-control: interrupted\n")
    assert not (tmp_path / "out").exists()
