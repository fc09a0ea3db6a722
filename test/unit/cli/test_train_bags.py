"""`liquid-control train --data`: bags from the command line, and errors."""

import sys

import pytest
import yaml
from toy_bags import MS, write_bag
from toy_run import TOY

from liquid_control.cli.main import main
from liquid_control.policy import load_model

pytestmark = [pytest.mark.unit, pytest.mark.timeout(300)]

ALONE = {
    **TOY,
    "flights": {"cloning": 0, "rounds": 0},
    "validation": {"flights": 0, "final_flights": 0},
    "learner": {"cloning_steps": 2, "windows": 2, "window_steps": 8, "burn_in_steps": 2},
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(ALONE))
    return path


@pytest.fixture
def bags(tmp_path):
    stamps = [50 * MS * number for number in range(20)]
    return [write_bag(tmp_path / f"{n}.mcap", [s + n for s in stamps]) for n in range(3)]


def run(*arguments):
    return main(["train", *(str(argument) for argument in arguments)])


def test_bags_follow_data_and_no_simulator_is_needed(config, bags, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "liquid_control_sim", None)
    out = tmp_path / "run"
    assert run(config, "--data", *bags, "--out", out) == 0
    assert capsys.readouterr().out.strip().endswith(str(out / "toy"))
    made = load_model(out / "toy").settings.provenance
    assert [bag["name"] for bag in made["bags"]] == ["0.mcap", "1.mcap", "2.mcap"]
    assert run(config, "--resume", "--out", out) == 0
    assert run(config, "--resume", "--out", out, "--data", *bags) == 0
    capsys.readouterr()
    assert run(config, "--resume", "--out", out, "--data", *bags[:2]) == 2
    assert "other content or order than the 2 of --data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "flights.cloning is 0, so expected bags to learn from: pass --data"),
        (["0.mcap"], "expected one file, got also 0.mcap; bags come after --data"),
        (["--topics", "px4"], "--topics and --topic are for bags: expected --data too"),
        (["--topics", "px5", "--data", "0.mcap"], "--topics px5: expected a file, or one of"),
        (["--data", "none.mcap"], "error: none.mcap: expected .mcap or .db3 files"),
        (["--data", "0.mcap", "--topic", "camera=/cam"], "camera=/cam: no such topic"),
    ],
)
def test_errors_are_one_line(config, bags, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run(config, *arguments, "--out", tmp_path / "run") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert line.startswith("liquid-control: error: ")
    assert message in line
