import shlex
import subprocess
import sys

import pytest

from liquid_control.cli import next_steps
from liquid_control.cli.main import main
from liquid_control.cli.next_steps import flight_again, offer_report, opening_command, suggest
from liquid_control.config import parse_settings, project_file
from liquid_control.policy import load_model

pytestmark = pytest.mark.unit


@pytest.fixture
def started(monkeypatch):
    commands = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: commands.append(command))
    return commands


@pytest.fixture
def without_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def test_suggestions_go_to_stderr_a_line_each(capsys):
    suggest("one", "two words")
    assert capsys.readouterr() == ("", "next: one\nnext: two words\n")


@pytest.mark.parametrize("programs", [("xdg-open",), ("open",), ()])
def test_the_command_that_opens_a_report_exists_on_this_machine(monkeypatch, tmp_path, programs):
    monkeypatch.setattr("shutil.which", lambda name: name if name in programs else None)
    command = opening_command(tmp_path / "report.html")
    expected = programs[0] if programs else sys.executable
    assert command[0] == expected
    assert command[-1].endswith("report.html")


def test_without_open_the_command_is_printed(started, tmp_path, capsys):
    path = tmp_path / "a folder" / "report.html"
    offer_report(path, False)
    line = capsys.readouterr().err.strip()
    assert shlex.split(line.removeprefix("next: ")) == opening_command(path)
    assert started == []


def test_open_without_a_display_is_one_line(started, without_display, tmp_path, capsys):
    offer_report(tmp_path / "report.html", True)
    expected = f"liquid-control: --open: there is no display here; the report is {tmp_path}/report"
    error = capsys.readouterr().err
    assert error.startswith(expected)
    assert error.count("\n") == 1
    assert started == []


def test_open_with_a_display_starts_the_browser(started, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DISPLAY", ":0")
    offer_report(tmp_path / "report.html", True)
    assert started == [opening_command(tmp_path / "report.html")]
    assert capsys.readouterr().err == ""


def test_a_browser_that_does_not_start_is_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(next_steps, "opening_command", lambda path: ["/nowhere/opener", str(path)])
    offer_report(tmp_path / "report.html", True)
    assert "/nowhere/opener does not start (No such file" in capsys.readouterr().err


def test_a_flight_is_repeated_with_its_settings():
    overrides = {"wind.gust_mps": 6.0, "vehicle": "cf2x"}
    words = shlex.split(flight_again("my model", "trail", 7, overrides))
    assert words[:8] == [
        *("liquid-control", "fly", "--model", "my model"),
        *("--scenario", "trail", "--seed", "7"),
    ]
    assert parse_settings(words[9::2]) == overrides


def test_evaluate_opens_only_a_report_that_it_writes(capsys):
    assert main(["evaluate", "--model", "expert", "--scenario", "trail", "--open"]) == 2
    assert "--open: expected --report COUNT too" in capsys.readouterr().err


@pytest.mark.parametrize(
    "model", sorted(path.parent.name for path in project_file("models").glob("*/model.yaml"))
)
def test_the_cards_of_shipped_models_name_models_that_exist(model, tmp_path, monkeypatch):
    card = (load_model(model).path / "README.md").read_text()
    monkeypatch.chdir(tmp_path)
    named = [
        line.split("--model ")[1].split()[0] for line in card.splitlines() if "--model" in line
    ]
    assert named
    for name in named:
        assert load_model(name).name == model


def test_evaluate_offers_its_first_failure_and_a_comparison(tmp_path, capsys):
    from liquid_control.cli.next_steps import offer_flights
    from liquid_control.cli.pilots import PilotOf
    from liquid_control.evaluation import CampaignEntry, FlightRow, plan_flights
    from liquid_control.types import FlightResult

    entry = CampaignEntry(name="gusts", set={"wind.gust_mps": 6.0}, seeds="3:5")
    jobs = plan_flights([entry], ["expert", "trail_cfc19"])
    ends = ("collision", "completed", "completed", "left_trail")
    rows = [
        FlightRow.of(job, FlightResult(end == "completed", end, 60.0, 0.1, 1.0, 30.0))
        for job, end in zip(jobs, ends, strict=True)
    ]
    pilots = {name: PilotOf(name) for name in ("expert", "trail_cfc19")}
    offer_flights(tmp_path, jobs, rows, pilots, False, False)
    results = tmp_path / "results.json"
    assert capsys.readouterr().err.splitlines() == [
        f"next: liquid-control compare {results} {results} --first expert --second trail_cfc19",
        "next: liquid-control fly --model trail_cfc19 --scenario trail --seed 4 "
        "--set wind.gust_mps=6.0",
    ]


def test_an_exported_controller_is_tried_by_the_command_that_export_prints(tmp_path, capsys):
    """The printed command itself runs: the C test passes, the graph names its inputs."""
    for target, expected in (("c", "passed"), ("onnx", "name='features'")):
        out = tmp_path / target
        assert (
            main(["export", "--model", "trail_cfc19", "--target", target, "--out", str(out)]) == 0
        )
        (line,) = capsys.readouterr().err.splitlines()
        command = line.removeprefix("next: ")
        ran = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
        assert expected in ran.stdout


def test_worlds_ends_with_commands_that_draw_and_fly_what_it_lists(capsys):
    assert main(["worlds", "fog", "trail_hard"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "next: liquid-control worlds trail_hard fog --sheet",
        "next: liquid-control fly --scenario trail_hard --disturb fog=3",
    ]
    assert main(["worlds"]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "next: liquid-control worlds --sheet"
