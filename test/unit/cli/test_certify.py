import json
import shutil

import pytest

from liquid_control.certification import CERTIFICATE
from liquid_control.cli.main import main
from liquid_control.config import project_file

pytestmark = pytest.mark.unit


def test_check_prints_bounds_and_what_was_found(capsys):
    assert main(["certify", str(project_file("models/trail_cfc19")), "--check"]) == 0
    text = capsys.readouterr().out
    for part in ("forward  within", "found", "gap", "rate of a step: inter", "checked: "):
        assert part in text


def test_another_core_is_one_line(capsys):
    assert main(["certify", str(project_file("models/trail_gru"))]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "expected a model with core cfc_wired, got gru: only the wired CfC can" in lines[0]


def test_a_certificate_of_other_weights_is_one_line(tmp_path, capsys):
    folder = tmp_path / "model"
    shutil.copytree(project_file("models/target_cfc19"), folder)
    text = (project_file("models/trail_cfc19") / CERTIFICATE).read_text()
    (folder / CERTIFICATE).write_text(json.dumps(json.loads(text)))
    assert main(["certify", str(folder), "--check"]) == 2
    assert "is of other weights: expected sha256" in capsys.readouterr().err
