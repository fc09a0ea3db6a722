import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit


def completed(folder, *words):
    """Return what bash would offer for the last word of a command line."""
    variables = {
        "_LIQUID_CONTROL_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["liquid-control", *words]),
        "COMP_CWORD": str(len(words)),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "liquid_control.cli"],
        env=os.environ | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ev"], ["evaluate", "events"]),
        (["fly", "--rea"], ["--realtime"]),
        (
            ["fly", "--model", "trail"],
            ["trail_cfc19", "trail_contracting", "trail_from_bags", "trail_gru"],
        ),
        (["evaluate", "--scenario", "trail_"], ["trail_hard"]),
        (["fly", "--disturb", "fo"], ["fog="]),
        (["fly", "--campaign", "config/campaigns/tr"], ["config/campaigns/trail.yaml"]),
        (["export", "--target", "o"], ["onnx"]),
    ],
)
def test_the_shell_completes_from_any_folder(tmp_path, words, offered):
    assert completed(tmp_path, *words) == offered


def test_completion_can_be_installed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "liquid_control.cli", "--show-completion", "bash"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "complete -o default -F _liquid_control_completion liquid-control" in done.stdout
