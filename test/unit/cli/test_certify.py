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


def test_a_box_that_is_none_is_refused_before_a_proof(capsys):
    trail = str(project_file("models/trail_cfc19"))
    assert main(["certify", trail, "--box", "0.3"]) == 2
    assert "expected a box as GAIN,OFFSET" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "box", "message"),
    [
        ("trail_cfc19", "0.5,0.1", "is larger than the certificate's (gains forward 0.7 to 1.3"),
        ("trail_gru", "certified", "online adaptation needs a certificate with a box"),
    ],
)
def test_an_adaptation_without_a_certificate_that_fits_never_starts(capsys, model, box, message):
    folder = str(project_file(f"models/{model}"))
    command = ["evaluate", "--model", folder, "--scenario", "trail", "--seeds", "1"]
    assert main([*command, "--online-adaptation", box]) == 2
    err = capsys.readouterr().err
    assert message in " ".join(err.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--falsify", "1:3"], "expected --falsify SEEDS and --out FOLDER together"),
        (["--out", "x"], "expected --falsify SEEDS and --out FOLDER together"),
        (["--falsify", "a", "--out", "x"], "expected integers >= 0 such as 7"),
        (["--falsify", "630000", "--out", "x"], "seeds that were not fitted on, got 630000"),
    ],
)
def test_what_cannot_be_flown_is_one_line(options, message, capsys, tmp_path, monkeypatch):
    pytest.importorskip("pybullet")
    trail = str(project_file("models/trail_cfc19"))
    monkeypatch.chdir(tmp_path)
    assert main(["certify", trail, *options]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_flights_against_a_model_without_tubes_are_one_line(capsys, tmp_path):
    pytest.importorskip("pybullet")
    folder = str(project_file("models/target_cfc19"))
    out = str(tmp_path / "out")
    assert main(["certify", folder, "--falsify", "1:3", "--out", out]) == 2
    assert "closed_loop.json: is missing" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
