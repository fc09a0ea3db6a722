"""`liquid-control fly` over several flights, ended by a signal after the first one."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from liquid_control.cli.main import main

pytestmark = pytest.mark.ros

SHORT = ["--set", "trail.length_m=6", "--set", "time_limit_s=2", "--set", "forest.trees=3"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_flights_before_a_signal_are_kept_and_the_missing_ones_named(
    tmp_path, model, capsys, number
):
    campaign, out = tmp_path / "campaign.yaml", tmp_path / "out"
    campaign.write_text("name: c\nentries: [{name: calm, seeds: '3:40'}]\n")
    words = ["--model", str(model), "--campaign", str(campaign), "--no-record", *SHORT]
    process = subprocess.Popen(
        [sys.executable, "-m", "liquid_control.cli", "fly", *words, "--out", str(out)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while process.poll() is None and not (out / "results.json").exists():
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    document = json.loads((out / "results.json").read_text())
    flown = [row["seed"] for row in document["rows"]]
    assert not document["complete"]
    assert flown == list(range(3, 3 + len(flown)))
    assert 1 <= len(flown) < 37
    if number == signal.SIGINT:
        assert process.returncode == 130
        missing = f"{out} holds {len(flown)} of 37 flights; missing: calm, seed {flown[-1] + 1};"
        assert missing in errors
        assert (out / "report.html").exists()
        assert len(list(out.glob("*/flight.html"))) == len(flown)
    else:
        assert process.returncode == -signal.SIGKILL
    assert main(["fly", *words, "--out", str(out)]) == 2
    assert "holds results.json of an earlier command" in capsys.readouterr().err
